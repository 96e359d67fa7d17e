/* SPDX-License-Identifier: MIT */
#include "doctor_view.h"

/*
 * Everything but the table of policies: levels, trust anchors, DANE, and settings that
 * change what an answer of stsd means.
 */

static bool
is(struct sts_str value, const char *word)
{
	return sts_str_eq_nocase(value, sts_str_of(word));
}

static bool
is_one_of(struct sts_str value, const char *const *words)
{
	for (; *words != NULL; words++)
		if (is(value, *words))
			return true;
	return false;
}

/* --- Levels --- */

/* The settings of Postfix 2.2 still count where the level is empty. */
struct sts_str
doctor_level(const struct doctor_view *v)
{
	struct sts_str level = doctor_value(v, "smtp_tls_security_level");

	if (level.n > 0)
		return level;
	if (doctor_says_yes(v, "smtp_enforce_tls"))
		return doctor_says_yes(v, "smtp_tls_enforce_peername")
		    ? STS_STR("verify")
		    : STS_STR("encrypt");
	return doctor_says_yes(v, "smtp_use_tls") ? STS_STR("may") : STS_STR("none");
}

static bool
does_dnssec(const struct doctor_view *v)
{
	return is(doctor_value(v, "smtp_dns_support_level"), "dnssec");
}

static bool
asks_dns(const struct doctor_view *v)
{
	struct sts_str list = doctor_value(v, "smtp_host_lookup"), word;

	while (pf_postconf_next_item(&list, &word))
		if (is(word, "dns"))
			return true;
	return false;
}

bool
doctor_can_dane(const struct doctor_view *v)
{
	return does_dnssec(v) && asks_dns(v) &&
	    !doctor_says_yes(v, "ignore_mx_lookup_error");
}

/* All that it takes; whether the resolver validates, postconf cannot know. */
static void
set_up_dane(struct doctor_view *v, enum doctor_id id, const char *setting)
{
	struct doctor_finding *f = doctor_find(v, id, setting, STS_STR_NONE);

	if (!does_dnssec(v))
		doctor_set(v, f, "smtp_dns_support_level", STS_STR("dnssec"));
	if (!asks_dns(v))
		doctor_set(v, f, "smtp_host_lookup", STS_STR("dns"));
	if (doctor_says_yes(v, "ignore_mx_lookup_error"))
		doctor_set(v, f, "ignore_mx_lookup_error", STS_STR("no"));
}

static void
judge_level(struct doctor_view *v)
{
	static const char setting[] = "smtp_tls_security_level";
	static const char *const known[] = { "none", "may", "encrypt", "fingerprint",
		"verify", "secure", "dane", "dane-only", "half-dane", NULL };
	static const char *const strong[] = { "encrypt", "verify", "secure",
		"fingerprint", "dane-only", NULL };
	struct sts_str level = doctor_level(v);
	struct sts_str right = doctor_can_dane(v) ? STS_STR("dane") : STS_STR("may");

	if (!is_one_of(level, known)) {
		doctor_set(v, doctor_find(v, PFX_NO_LEVEL, setting, STS_STR_NONE),
		    setting, right);
		return;
	}
	if (is(level, "none"))
		doctor_set(v, doctor_find(v, PFX_NO_TLS, setting, STS_STR_NONE), setting,
		    right);
	if (is_one_of(level, strong) && v->doctor->stsd->says_may)
		doctor_set_stsd(v, doctor_find(v, PFX_UNDERCUT, setting, STS_STR_NONE),
		    "permissive_reply", STS_STR("notfound"));
	if (is(level, "dane") && !doctor_can_dane(v))
		set_up_dane(v, PFX_DANE_LEVEL, setting);
	if (is(level, "dane-only") && !doctor_can_dane(v))
		set_up_dane(v, PFX_DANE_ONLY_LEVEL, setting);
}

/* --- Trust anchors --- */

static enum doctor_sight
look(const struct doctor_view *v, enum doctor_thing thing, struct sts_str account,
    struct sts_str root, struct sts_str path)
{
	const struct doctor_world *world = v->doctor->world;
	struct doctor_place at = { account, root, path };

	return world->look(world->arg, thing, &at);
}

static struct sts_str
why_not(struct doctor_view *v, enum doctor_sight sight, struct sts_str root)
{
	static const char *const words[] = {
		[DOCTOR_FINE] = "",
		[DOCTOR_MISSING] = "it is not there",
		[DOCTOR_DENIED] = "its account may not read it",
		[DOCTOR_WRONG] = "there are none in it",
		[DOCTOR_HIDDEN] = "",
	};

	if (root.n == 0)
		return sts_str_of(words[sight]);
	return doctor_format(v->doctor, "%s; there \"/\" is %.*s", words[sight],
	    DOCTOR_S(root));
}

static bool
can_use(enum doctor_sight sight)
{
	return sight == DOCTOR_FINE || sight == DOCTOR_HIDDEN;
}

static void
set_anchors(struct doctor_view *v, struct doctor_finding *f)
{
	const char *bundle = v->doctor->stsd->ca_file;

	if (bundle != NULL)
		doctor_set(v, f, "smtp_tls_CAfile", sts_str_of(bundle));
}

/* The file is read before "/" changes, the folder after. */
static void
judge_anchors(struct doctor_view *v)
{
	static const char file[] = "smtp_tls_CAfile", folder[] = "smtp_tls_CApath";
	struct sts_str path = doctor_value(v, file);
	struct sts_str owner = doctor_value(v, "mail_owner"), root = doctor_root(v);
	enum doctor_sight sight;

	if (path.n > 0) {
		sight = look(v, DOCTOR_CA_FILE, STS_STR_NONE, STS_STR_NONE, path);
		if (!can_use(sight))
			set_anchors(v,
			    doctor_find(v, PFX_BAD_ANCHORS, file,
				why_not(v, sight, STS_STR_NONE)));
		return;
	}
	path = doctor_value(v, folder);
	if (path.n == 0) {
		set_anchors(v, doctor_find(v, PFX_NO_ANCHORS, file, STS_STR_NONE));
		return;
	}
	sight = look(v, DOCTOR_CA_FOLDER, owner, root, path);
	if (!can_use(sight))
		set_anchors(v,
		    doctor_find(v, PFX_FOLDER_ANCHORS, folder, why_not(v, sight, root)));
}

/* --- DANE --- */

/* Versions in which the default of smtp_tls_dane_insecure_mx_policy looks at main.cf's
 * level, not at that of the answer. */
static const struct {
	unsigned long from, to;
} insecure_mx[] = {
	{ PF_VERSION(3, 6, 0), PF_VERSION(3, 6, 16) },
	{ PF_VERSION(3, 7, 0), PF_VERSION(3, 7, 12) },
	{ PF_VERSION(3, 8, 0), PF_VERSION(3, 8, 7) },
	{ PF_VERSION(3, 9, 0), PF_VERSION(3, 9, 1) },
};

static void
judge_insecure_mx(struct doctor_view *v)
{
	static const char setting[] = "smtp_tls_dane_insecure_mx_policy";

	if (is(doctor_value(v, setting), "dane"))
		return;
	for (size_t i = 0; i < sizeof(insecure_mx) / sizeof(insecure_mx[0]); i++)
		if (v->doctor->version >= insecure_mx[i].from &&
		    v->doctor->version <= insecure_mx[i].to)
			doctor_set(v,
			    doctor_find(v, PFX_INSECURE_MX, setting, STS_STR_NONE),
			    setting, STS_STR("dane"));
}

static void
judge_resolver(struct doctor_view *v)
{
	const struct doctor_world *world = v->doctor->world;
	struct sts_str root = doctor_root(v), path;
	struct sts_buf b = { 0 };

	if (root.n == 0 || world->same_resolver(world->arg, root))
		return;
	path = doctor_format(v->doctor, "%.*s/etc/resolv.conf", DOCTOR_S(root));
	sts_put_text(&b, "install -D -m 644 /etc/resolv.conf ");
	if (!pf_postconf_quote(&b, path))
		(void)doctor_find(v, PFX_RESOLVER, NULL, path);
	else if (b.bad)
		query_no_memory();
	else
		doctor_run(v, doctor_find(v, PFX_RESOLVER, NULL, path), path,
		    query_keep(&v->doctor->keep, sts_buf_str(&b)));
	sts_buf_done(&b);
}

static void
judge_dane(struct doctor_view *v)
{
	static const char setting[] = "smtp_dns_support_level";
	struct sts_str level = doctor_level(v);
	bool stsd = v->doctor->stsd->does_dane, postfix = doctor_can_dane(v);

	if (stsd && !postfix)
		set_up_dane(v, PFX_NO_DANE_HERE, setting);
	else if (!stsd && postfix && (is(level, "dane") || is(level, "dane-only")))
		doctor_set_stsd(v,
		    doctor_find(v, PFX_DANE_OVERRULED, setting, STS_STR_NONE), "dane",
		    STS_STR("on"));
	else if (!stsd)
		(void)doctor_find(v, PFX_DANE_OFF, setting, STS_STR_NONE);
	if (postfix) {
		judge_resolver(v);
		judge_insecure_mx(v);
	}
}

/* --- What else changes the meaning of an answer --- */

/* A setting that ought to say something else. */
static const struct {
	const char *name, *wrong, *right;
	enum doctor_id id;
	unsigned long since; /* versions before do not know it, or do not mind */
} plain[] = {
	{ "smtp_tls_enforce_sts_mx_patterns", "no", "yes", PFX_PATTERNS_OFF,
	    PF_VERSION(3, 10, 5) },
	{ "smtp_cname_overrides_servername", "yes", "no", PFX_CNAME, 0 },
	{ "disable_dns_lookups", "yes", "no", PFX_NO_MX, 0 },
	{ "smtp_dns_support_level", "disabled", "enabled", PFX_NO_MX, 0 },
};

static void
judge_plain(struct doctor_view *v)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (v->doctor->version >= plain[i].since &&
		    is(doctor_value(v, plain[i].name), plain[i].wrong))
			doctor_set(v,
			    doctor_find(v, plain[i].id, plain[i].name, STS_STR_NONE),
			    plain[i].name, sts_str_of(plain[i].right));
}

static void
judge_reply_size(struct doctor_view *v)
{
	static const char setting[] = "socketmap_max_reply_size";
	unsigned long long max;

	/* Before 3.10 it is 100000, which max_reply never passes. */
	if (v->doctor->version < PF_VERSION(3, 10, 0) ||
	    !sts_str_number(doctor_value(v, setting), ~0ULL, &max) ||
	    max >= v->doctor->stsd->config->max_reply)
		return;
	doctor_set(v,
	    doctor_find(v, PFX_REPLY_SIZE, setting,
		doctor_format(v->doctor, "max_reply is %llu",
		    (unsigned long long)v->doctor->stsd->config->max_reply)),
	    setting, STS_STR("100000"));
}

static void
judge_servername(struct doctor_view *v)
{
	static const char setting[] = "smtp_tls_servername";
	struct sts_str name = doctor_value(v, setting);
	bool sends = v->doctor->stsd->config->servername;

	if (sends && v->doctor->version < PF_VERSION(3, 4, 0))
		doctor_set_stsd(v, doctor_find(v, PFX_SERVERNAME, NULL, STS_STR_NONE),
		    "servername", STS_STR("no"));
	else if (!sends && name.n > 0 && !is(name, "hostname"))
		doctor_set(v, doctor_find(v, PFX_SNI, setting, STS_STR_NONE), setting,
		    STS_STR("hostname"));
}

static void
judge_reports(struct doctor_view *v)
{
	static const char setting[] = "smtp_tlsrpt_enable";

	if (v->doctor->version >= PF_VERSION(3, 10, 5) &&
	    is(doctor_value(v, setting), "no"))
		(void)doctor_find(v, PFX_REPORTS_OFF, setting, STS_STR_NONE);
}

void
doctor_judge_settings(struct doctor_view *v)
{
	judge_plain(v); /* before DANE, which may want more of the same setting */
	judge_level(v);
	judge_anchors(v);
	judge_dane(v);
	judge_reply_size(v);
	judge_servername(v);
	judge_reports(v);
}
