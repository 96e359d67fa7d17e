/* SPDX-License-Identifier: MIT */
#include "query_advice.h"

#include "postconf.h"
#include "query_dane.h"
#include "query_judge.h"

/* Where it usually is, on Debian. */
#define CA_FILE "/etc/ssl/certs/ca-certificates.crt"

/* The levels of smtp_tls_security_level that a reply may ask for. */
static const char *const levels[] = { "none", "may", "encrypt", "dane-only", "dane",
	"verify", "secure", "fingerprint" };

#define LEVELS (sizeof(levels) / sizeof(levels[0]))

const char *
query_level_of(struct sts_str reply)
{
	struct sts_str word;

	if (sts_str_starts(reply, STS_STR("TEMP")))
		return "unknown";
	if (!sts_str_starts(reply, STS_STR("OK ")))
		return "default";
	reply = sts_str_from(reply, 3);
	(void)sts_str_cut(&reply, ' ', &word);
	for (size_t i = 0; i < LEVELS; i++)
		if (sts_str_eq(word, sts_str_of(levels[i])))
			return levels[i];
	return "default";
}

const char *
query_action_text(enum query_action action)
{
	switch (action) {
	case QUERY_ACTION_USE:
		return "use";
	case QUERY_ACTION_SKIP:
		return "skip";
	case QUERY_ACTION_DEFER:
		break;
	}
	return "defer";
}

static bool
is_level(const char *level, const char *name)
{
	return sts_str_eq(sts_str_of(level), sts_str_of(name));
}

static bool
asks_for_names(const char *level)
{
	return is_level(level, "secure") || is_level(level, "verify");
}

static bool
has_patterns(const struct query_report *r)
{
	struct sts_str rest = r->reply_tlsrpt, word;
	bool more = true;

	while (more) {
		more = sts_str_cut(&rest, ' ', &word);
		if (sts_str_starts(word, STS_STR("mx_host_pattern=")))
			return true;
	}
	return false;
}

/*
 * The names of match=.
 */
static struct sts_str
match_of(struct sts_str reply)
{
	struct sts_str word;
	bool more = true;

	while (more) {
		more = sts_str_cut(&reply, ' ', &word);
		if (sts_str_starts(word, STS_STR("match=")))
			return sts_str_from(word, 6);
	}
	return STS_STR_NONE;
}

static void
set_names(struct query_report *r)
{
	struct sts_str list = match_of(r->reply), rest = list, name;
	struct sts_str *names;
	size_t count = 1;

	if (list.n == 0)
		return;
	while (sts_str_cut(&rest, ':', &name))
		count++;
	names = query_room(&r->keep, count * sizeof(*names));
	for (size_t i = 0; i < count; i++)
		(void)sts_str_cut(&list, ':', &names[i]);
	r->names = names;
	r->name_count = count;
}

static bool
matches_nothing(const struct query_report *r)
{
	return r->name_count == 1 && sts_str_eq(r->names[0], STS_STR(STS_MATCH_NOTHING));
}

/*
 * One MX host.
 */
static void
give(struct query_advice *a, enum query_action action, const char *why)
{
	a->action = action;
	a->why = why;
}

static void
advise_secure(const struct query_report *r, const struct query_mx *mx, bool patterns,
    struct query_advice *a)
{
	if (matches_nothing(r)) {
		give(a, QUERY_ACTION_DEFER, "no MX host is in the policy");
		return;
	}
	if (patterns && !mx->allowed) {
		a->skipped_late = true;
		give(a, QUERY_ACTION_SKIP, "it is not in the policy");
		return;
	}
	a->by_host = patterns;
	give(a, QUERY_ACTION_USE,
	    patterns ? "if its certificate is valid and names it"
		     : "if its certificate is valid and has a name of match=");
}

/* smtp_tls_policy.c there: what has no usable TLSA record is passed over. */
static void
advise_dane(const struct query_host *h, struct query_advice *a)
{
	if (h == NULL) {
		give(a, QUERY_ACTION_USE, "if signed TLSA records vouch for its key");
		return;
	}
	switch (h->state) {
	case STS_HOST_U:
		give(a, QUERY_ACTION_USE, "if its TLSA records vouch for its key");
		break;
	case STS_HOST_X:
		give(a, QUERY_ACTION_SKIP, "its TLSA records cannot be used");
		break;
	case STS_HOST_N:
		give(a, QUERY_ACTION_SKIP, "it has no signed TLSA records");
		break;
	case STS_HOST_F:
	case STS_HOST_WAITS:
		give(a, QUERY_ACTION_SKIP, "its TLSA records could not be found out");
		break;
	case STS_HOST_LEFT_OUT:
		give(a, QUERY_ACTION_SKIP, "its address could not be found out");
		break;
	}
}

static void
advise_open(const char *level, struct query_advice *a)
{
	if (is_level(level, "may"))
		give(a, QUERY_ACTION_USE, "encrypted if it offers that, whoever it is");
	else if (is_level(level, "encrypt"))
		give(a, QUERY_ACTION_USE, "if it encrypts, whoever it is");
	else if (is_level(level, "dane"))
		give(a, QUERY_ACTION_USE, "by its signed TLSA records, if it has any");
	else if (is_level(level, "none"))
		give(a, QUERY_ACTION_USE, "never encrypted");
	else
		give(a, QUERY_ACTION_USE,
		    "as Postfix does by itself (smtp_tls_security_level)");
}

/* NULL: it has an address, or nobody looked. */
static const char *
why_unreachable(const struct query_host *h)
{
	if (h == NULL || h->address_count > 0)
		return NULL;
	if (query_failed_address(h) != NULL)
		return "its address could not be found out";
	return h->fact[STS_DANE_A].known && h->fact[STS_DANE_AAAA].known
	    ? "it has no address"
	    : NULL;
}

/* What --smtp saw of it counts more than what could be guessed. */
static void
correct(const struct query_report *r, const struct query_mx *mx, struct query_advice *a)
{
	enum query_smtp_level level =
	    query_smtp_level_of(r->reply, r->verdict == QUERY_TESTING);
	bool seen = false;

	for (size_t i = 0; i < r->smtp_count; i++) {
		const struct query_smtp *s = &r->smtp[i];

		if (!sts_str_eq_nocase(s->host, mx->host))
			continue;
		if (s->guarded || query_smtp_is_fine(s, level))
			return;
		seen = true;
	}
	if (seen)
		give(a, QUERY_ACTION_SKIP, "for what its server is like now (see SMTP)");
}

static void
advise_host(const struct query_report *r, struct query_mx *mx, bool patterns)
{
	const char *unreachable = why_unreachable(mx->seen);
	struct query_advice *a = &mx->advice;

	*a = (struct query_advice){ .level = query_level_of(r->reply), .is_known = true };
	if (sts_str_starts(r->reply, STS_STR("TEMP")))
		give(a, QUERY_ACTION_DEFER, "the reply is TEMP");
	else if (unreachable != NULL)
		give(a, QUERY_ACTION_SKIP, unreachable);
	else if (asks_for_names(a->level))
		advise_secure(r, mx, patterns, a);
	else if (is_level(a->level, "dane-only"))
		advise_dane(mx->seen, a);
	else
		advise_open(a->level, a);
	if (a->action == QUERY_ACTION_USE)
		correct(r, mx, a);
}

/*
 * The command. Of what is written into it, domain and names are host names in ASCII: no
 * shell takes them for anything else.
 */
static void
put_next_hop(struct sts_buf *to, const struct sts_key *key)
{
	sts_put_text(to, key->brackets ? " '[" : " ");
	sts_put(to, (struct sts_str){ key->domain, key->domain_n });
	sts_put_text(to, key->brackets ? "]" : "");
	if (key->port != 25) {
		sts_put_char(to, ':');
		sts_put_number(to, key->port);
	}
	sts_put_text(to, key->brackets ? "'" : "");
}

static bool
is_safe(struct sts_str name)
{
	return sts_name_is_host(
	    sts_str_starts(name, STS_STR(".")) ? sts_str_from(name, 1) : name);
}

/* The trust anchors of this look: with others it would prove something else. */
static void
put_anchors(struct sts_buf *to, struct sts_str file)
{
	struct sts_cursor c = { file, false };

	(void)sts_eat_run(&c,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-", 1,
	    file.n);
	if (c.rest.n == 0)
		sts_put(to, file);
	else if (!pf_postconf_quote(to, file))
		sts_put_text(to, CA_FILE);
}

/* by_host: as Postfix 3.10.5 and later do it. */
static void
put_secure(struct sts_buf *to, const struct query_report *r, struct sts_str ca_file,
    bool by_host)
{
	sts_put_text(to, "posttls-finger -c -l secure -s hostname -F ");
	put_anchors(to, ca_file);
	put_next_hop(to, &r->key);
	if (by_host)
		sts_put_text(to, " hostname");
	for (size_t i = 0; i < r->name_count && !by_host; i++) {
		if (!is_safe(r->names[i]))
			continue;
		sts_put_char(to, ' ');
		sts_put(to, r->names[i]);
	}
}

static void
set_proof(struct query_report *r, struct sts_str ca_file, bool patterns)
{
	const char *level = query_level_of(r->reply);
	struct sts_buf b = { 0 };

	if (!r->is_domain)
		return;
	if (is_level(level, "dane-only") || is_level(level, "dane")) {
		sts_put_text(&b, "posttls-finger -c -l dane");
		put_next_hop(&b, &r->key);
	} else if (asks_for_names(level) && r->name_count > 0 && !matches_nothing(r)) {
		put_secure(&b, r, ca_file, false);
	}
	r->proof = query_kept(r, &b);
	if (r->proof.n > 0 && patterns) {
		put_secure(&b, r, ca_file, true);
		r->proof_by_host = query_kept(r, &b);
	}
}

/*
 * What it comes to.
 */
static const char *
risk_of(const struct query_report *r)
{
	switch (r->verdict) {
	case QUERY_DANE:
		return "mail leaves only encrypted, to servers that signed TLSA records "
		       "vouch for";
	case QUERY_ENFORCE:
		return "mail leaves only encrypted, to servers whose certificate proves "
		       "that the policy allows them";
	case QUERY_TESTING:
		return "whoever stands between can read and divert the mail: a check that "
		       "fails stops nothing";
	case QUERY_DEFERRED:
		return "mail waits in the queue, and is returned when its time there is "
		       "over";
	case QUERY_NONE:
	case QUERY_UNKNOWN:
		break;
	}
	if (sts_str_starts(r->reply, STS_STR("TEMP")))
		return "mail waits until the answer is known";
	return "whoever stands between can read and divert the mail, unless Postfix's own "
	       "settings ask for more";
}

/* NULL: it is not skipped, or without a word. */
static const char *
log_line_of(const struct query_mx *mx)
{
	if (mx->advice.action != QUERY_ACTION_SKIP)
		return NULL;
	if (mx->advice.skipped_late)
		return "MX name '...' does not match STS MX pattern (3.10.6 and later)";
	if (!is_level(mx->advice.level, "dane-only") || mx->seen == NULL)
		return NULL;
	switch (mx->seen->state) {
	case STS_HOST_X:
		return "TLSA records unusable";
	case STS_HOST_N:
		return "no TLSA records found";
	case STS_HOST_F:
		return "TLSA lookup error";
	case STS_HOST_U:
	case STS_HOST_WAITS:
	case STS_HOST_LEFT_OUT:
		break;
	}
	return NULL;
}

const char *
query_log_line(const struct query_report *r)
{
	const char *line = NULL;

	if (sts_str_starts(r->reply, STS_STR("TEMP")))
		return "client TLS configuration problem";
	if (matches_nothing(r))
		return "Server certificate not verified";
	for (size_t i = 0; i < r->mx_count && line == NULL; i++)
		line = log_line_of(&r->mx[i]);
	return line;
}

void
query_advise(struct query_report *r, const char *ca_file)
{
	bool patterns = has_patterns(r);

	set_names(r);
	for (size_t i = 0; i < r->mx_count; i++)
		advise_host(r, &r->mx[i], patterns);
	set_proof(r, sts_str_of(ca_file != NULL ? ca_file : CA_FILE), patterns);
	r->risk = risk_of(r);
}
