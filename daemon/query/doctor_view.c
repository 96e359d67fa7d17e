/* SPDX-License-Identifier: MIT */
/* What the parts of the doctor share; see doctor_view.h. */
#include "doctor_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct row {
	const char *id;
	enum query_severity severity;
	const char *text, *why;
} rows[PFX_IDS] = {
	[PFX_NOT_ASKED] = { "PFX01", QUERY_ERROR, "stsd is not asked",
	    "None of the tables is stsd: mail goes out as if there were no MTA-STS." },
	[PFX_WITH_TOO_OLD] = { "PFX02", QUERY_ERROR,
	    "QUERYwithTLSRPT is for Postfix 3.10 and later",
	    "This version takes the additions for an error, and defers all mail to "
	    "domains that enforce a policy." },
	[PFX_WITH_NOT_ENFORCED] = { "PFX03", QUERY_WARNING,
	    "QUERYwithTLSRPT protects no better before Postfix 3.10.5",
	    "This version does not hold MX hosts against the policy. Upgrade it; until "
	    "then QUERY does the same with less to go wrong." },
	[PFX_WITHOUT] = { "PFX04", QUERY_WARNING,
	    "QUERY, where Postfix understands QUERYwithTLSRPT",
	    "Only with QUERYwithTLSRPT it passes over MX hosts that the policy does not "
	    "name (RFC 8461 section 4.1), and can report failures to the domain." },
	[PFX_UNKNOWN_MAP] = { "PFX05", QUERY_ERROR, "stsd has no map of that name",
	    "It answers PERM, and Postfix defers all mail." },
	[PFX_SILENT] = { "PFX06", QUERY_ERROR, "no stsd answers at this address now",
	    "While nobody answers, Postfix defers all mail. Start stsd; its log says "
	    "where it listens." },
	[PFX_ELSEWHERE] = { "PFX07", QUERY_ERROR,
	    "nobody answers at this address, and it is not in stsd's listen",
	    "Postfix defers all mail." },
	[PFX_PROXY] = { "PFX08", QUERY_WARNING, "stsd is asked through proxymap(8)",
	    "One slow lookup holds up every client of that proxymap process, those "
	    "that receive mail too." },
	[PFX_MALFORMED] = { "PFX09", QUERY_ERROR,
	    "a socketmap is inet:HOST:PORT:MAP or unix:PATH:MAP",
	    "Postfix cannot open the table, and defers all mail." },
	[PFX_OUT_OF_REACH] = { "PFX10", QUERY_ERROR, "smtp(8) does not find the socket",
	    "It sees nothing outside of its chroot, and defers all mail." },
	[PFX_DENIED] = { "PFX11", QUERY_ERROR, "smtp(8) may not use the socket",
	    "Its account lacks the permission, and it defers all mail." },
	[PFX_SHADOWED] = { "PFX12", QUERY_WARNING,
	    "an earlier table answers for every domain",
	    "The first answer counts: stsd is never asked." },
	[PFX_OTHER_FIRST] = { "PFX13", QUERY_WARNING,
	    "another service is asked before stsd",
	    "Domains that it has an answer for never reach stsd. Where it does "
	    "MTA-STS, too, take it out." },
	[PFX_TABLES_FIRST] = { "PFX14", QUERY_INFO, "these tables are asked before stsd",
	    "Right for exceptions of your own: a domain that has one is not looked up." },
	[PFX_TABLES_LAST] = { "PFX15", QUERY_INFO, "these tables are asked after stsd",
	    "They count only for domains to which stsd answers NOTFOUND. Exceptions "
	    "from MTA-STS must stand before it." },
	[PFX_TWICE] = { "PFX16", QUERY_WARNING, "stsd is asked more than once",
	    "What it does not know the first time it does not know the second." },
	[PFX_OWN_MAPS] = { "PFX17", QUERY_INFO,
	    "this service has tables of its own, without stsd",
	    "What it delivers is sent without MTA-STS, which may be what you want." },
	[PFX_PER_SITE] = { "PFX18", QUERY_WARNING,
	    "smtp_tls_per_site is not used beside smtp_tls_policy_maps",
	    "Move its entries to a table of policies, before stsd." },
	[PFX_NO_TLS] = { "PFX19", QUERY_WARNING, "no TLS where no policy calls for it",
	    "All other mail, and that to domains in mode testing, goes out in clear "
	    "text." },
	[PFX_UNDERCUT] = { "PFX20", QUERY_WARNING,
	    "stsd may answer \"may\", which is weaker than this level",
	    "Anyone who publishes a policy of mode none could switch it off for a "
	    "domain." },
	[PFX_DANE_LEVEL] = { "PFX21", QUERY_WARNING,
	    "the level is dane, but Postfix is not set up for DANE",
	    "It is no more than may, and Postfix warns of it with every mail. DANE "
	    "needs a resolver that validates DNSSEC; without one the level is may." },
	[PFX_DANE_ONLY_LEVEL] = { "PFX22", QUERY_ERROR,
	    "the level is dane-only, but Postfix is not set up for DANE",
	    "All mail for which no policy says otherwise is deferred. DANE needs a "
	    "resolver that validates DNSSEC." },
	[PFX_NO_LEVEL] = { "PFX23", QUERY_ERROR, "there is no such level",
	    "smtp(8) does not start: nothing is delivered." },
	[PFX_NO_ANCHORS] = { "PFX24", QUERY_ERROR, "no certificate is trusted",
	    "At level secure Postfix trusts none by default: all mail to domains that "
	    "enforce a policy is deferred. tls_append_default_CA alone adds nothing." },
	[PFX_BAD_ANCHORS] = { "PFX25", QUERY_ERROR, "no certificates can be read there",
	    "smtp(8) goes on without TLS: mail to domains that enforce a policy is "
	    "deferred, all other goes out in clear text." },
	[PFX_FOLDER_ANCHORS] = { "PFX26", QUERY_ERROR,
	    "smtp(8) finds no certificates in this folder",
	    "It reads it inside of its chroot: all mail to domains that enforce a "
	    "policy is deferred." },
	[PFX_NO_DANE_HERE] = { "PFX27", QUERY_ERROR,
	    "stsd answers \"dane-only\" for domains with DANE, and Postfix is not set "
	    "up for it",
	    "All mail to these domains is deferred." },
	[PFX_DANE_OFF] = { "PFX28", QUERY_INFO, "without DANE",
	    "Domains that have DANE but no MTA-STS are not protected. It needs a "
	    "resolver that validates DNSSEC, smtp_dns_support_level = dnssec and "
	    "smtp_tls_security_level = dane." },
	[PFX_DANE_OVERRULED] = { "PFX29", QUERY_WARNING,
	    "Postfix does DANE, and stsd does not look for it",
	    "For domains that have both a policy would overrule DANE (RFC 8461 section "
	    "2: it must not)." },
	[PFX_RESOLVER] = { "PFX30", QUERY_WARNING,
	    "etc/resolv.conf in the chroot is not that of the system",
	    "Postfix and stsd ask different resolvers, and may not agree on DANE." },
	[PFX_INSECURE_MX] = { "PFX31", QUERY_INFO,
	    "\"dane\" means no more than \"may\" where MX records are unsigned",
	    "stsd never answers so by itself; overrides and other tables might. Fixed in "
	    "Postfix 3.6.17, 3.7.13, 3.8.8 and 3.9.2." },
	[PFX_PATTERNS_OFF] = { "PFX32", QUERY_WARNING,
	    "MX hosts are not held against the policy",
	    "RFC 8461 section 4.1: hosts that the policy does not name must be passed "
	    "over." },
	[PFX_REPLY_SIZE] = { "PFX33", QUERY_ERROR, "stsd's max_reply is above this",
	    "The rest of a longer reply would be read as the answer for the next "
	    "domain." },
	[PFX_SNI] = { "PFX34", QUERY_WARNING,
	    "every mail host is asked for the certificate of this name",
	    "With servername = no in stsd.conf this counts at level secure as well; "
	    "RFC 8461 section 7.1 asks for the name of the MX host." },
	[PFX_SERVERNAME] = { "PFX35", QUERY_ERROR,
	    "servername= is for Postfix 3.4 and later",
	    "This version takes it for an error, and defers all mail to domains that "
	    "enforce a policy." },
	[PFX_CNAME] = { "PFX36", QUERY_WARNING,
	    "certificates are held against the end of an alias",
	    "RFC 8461 section 4.1 compares the name in the MX record." },
	[PFX_NO_MX] = { "PFX37", QUERY_WARNING, "Postfix looks up no MX records",
	    "A policy is about MX hosts; Postfix delivers to the domain itself." },
	[PFX_TOO_OLD] = { "PFX38", QUERY_ERROR, "this Postfix knows no socketmap",
	    "It cannot ask stsd. Upgrade it: 3.4 at least, 3.10.5 to do all of RFC "
	    "8461." },
	[PFX_NEXT_HOPS] = { "PFX39", QUERY_INFO, "stsd is asked about the next hop",
	    "RFC 8461 section 3.4: a smart host is a policy domain; the domain of the "
	    "recipient is not looked up." },
	[PFX_HOP_TABLE] = { "PFX40", QUERY_INFO,
	    "next hops in this table are policy domains, too",
	    "RFC 8461 section 3.4. It was not read: stsd-query NEXTHOP tells about one." },
	[PFX_REPORTS_BARE] = { "PFX41", QUERY_WARNING,
	    "TLS reports are on, but policies do not reach them",
	    "With QUERY Postfix reports \"no policy found\" for domains that have one." },
	[PFX_REPORTS_OFF] = { "PFX42", QUERY_INFO, "no TLS reports are sent",
	    "The policies that QUERYwithTLSRPT carries could be reported on (RFC 8460): "
	    "see TLSRPT_README of Postfix." },
	[PFX_ELSEWHERE_READ] = { "PFX43", QUERY_INFO,
	    "stsd goes by the main.cf of another Postfix",
	    "What is automatic in stsd.conf is derived from there." },
};

const char *
doctor_id_text(size_t i)
{
	return i < PFX_IDS ? rows[i].id : NULL;
}

struct sts_str
doctor_format(struct doctor *d, const char *format, ...)
{
	va_list arguments, again;
	char *text;
	int n;

	va_start(arguments, format);
	va_copy(again, arguments);
	n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (n < 0)
		query_no_memory();
	text = query_room(&d->keep, (size_t)n + 1);
	(void)vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return (struct sts_str){ text, (size_t)n };
}

/* --- What a service gets --- */

bool
doctor_is_own(const struct doctor_view *v, const char *name)
{
	struct sts_str value;

	return v->service.name.n > 0 &&
	    pf_postconf_service_get(v->doctor->postfix->own, &v->service,
		sts_str_of(name), &value);
}

struct sts_str
doctor_value(const struct doctor_view *v, const char *name)
{
	struct sts_str value = STS_STR(""), key = sts_str_of(name);
	const struct doctor_postfix *p = v->doctor->postfix;

	if (v->service.name.n == 0 ||
	    !pf_postconf_service_get(p->own, &v->service, key, &value))
		(void)pf_postconf_get(p->settings, key, &value);
	return value;
}

/* What is not written has its default. */
struct sts_str
doctor_written(const struct doctor_view *v, const char *name)
{
	struct sts_str value = STS_STR_NONE, key = sts_str_of(name);
	const struct doctor_postfix *p = v->doctor->postfix;

	if (v->service.name.n > 0 &&
	    pf_postconf_service_get(p->own_written, &v->service, key, &value))
		return value;
	if (pf_postconf_get(p->written, key, &value))
		return value;
	return doctor_value(v, name);
}

bool
doctor_says_yes(const struct doctor_view *v, const char *name)
{
	return sts_str_eq_nocase(doctor_value(v, name), STS_STR("yes"));
}

struct sts_str
doctor_root(const struct doctor_view *v)
{
	return v->is_chrooted ? doctor_value(v, "queue_directory") : STS_STR_NONE;
}

/* --- Findings and lines --- */

static struct sts_str
place_of(const struct doctor_view *v, const char *setting)
{
	if (setting == NULL || !doctor_is_own(v, setting))
		return STS_STR("main.cf");
	return doctor_format(v->doctor, "master.cf %.*s/%.*s", DOCTOR_S(v->service.name),
	    DOCTOR_S(v->service.type));
}

/* Room for one more, twice as much each time; what was there stays where findings keep
 * their numbers, not their addresses. */
static void *
grow(struct doctor *d, void *list, size_t count, size_t *size, size_t each)
{
	void *larger;

	if (count < *size)
		return list;
	*size = *size > 0 ? *size * 2 : 16;
	larger = query_room(&d->keep, *size * each);
	if (count > 0)
		memcpy(larger, list, count * each);
	return larger;
}

struct doctor_finding *
doctor_find(struct doctor_view *v, enum doctor_id id, const char *setting,
    struct sts_str detail)
{
	struct doctor *d = v->doctor;
	struct sts_str place = place_of(v, setting);
	struct doctor_finding *f;

	for (size_t i = 0; i < d->count; i++) {
		f = &d->findings[i];
		if (f->id == rows[id].id && sts_str_eq(f->place, place) &&
		    sts_str_eq(f->setting, sts_str_of(setting)) &&
		    sts_str_eq(f->detail, detail))
			return f;
	}
	d->findings = grow(d, d->findings, d->count, &d->size, sizeof(*d->findings));
	f = &d->findings[d->count++];
	*f = (struct doctor_finding){
		.id = rows[id].id,
		.severity = rows[id].severity,
		.text = rows[id].text,
		.why = rows[id].why,
		.place = place,
		.setting = sts_str_of(setting),
		.value = setting != NULL ? doctor_value(v, setting) : STS_STR_NONE,
		.detail = detail,
	};
	return f;
}

static size_t
find_line(struct doctor *d, enum doctor_where where, struct sts_str subject)
{
	size_t i = 0;

	while (i < d->line_count &&
	    (d->lines[i].where != where || !sts_str_eq(d->lines[i].subject, subject)))
		i++;
	if (i == d->line_count) {
		d->lines =
		    grow(d, d->lines, d->line_count, &d->line_size, sizeof(*d->lines));
		d->line_count++;
	}
	return i;
}

static void
add_line(struct doctor *d, struct doctor_finding *f, enum doctor_where where,
    struct sts_str subject, struct sts_str text)
{
	size_t line = find_line(d, where, subject);

	d->lines[line] = (struct doctor_line){ where, subject, text };
	for (size_t i = 0; i < f->line_count; i++)
		if (f->lines[i] == line)
			return;
	if (f->line_count < DOCTOR_FIXES)
		f->lines[f->line_count++] = line;
}

void
doctor_run(struct doctor_view *v, struct doctor_finding *f, struct sts_str subject,
    struct sts_str command)
{
	add_line(v->doctor, f, DOCTOR_SHELL, subject, command);
}

void
doctor_set_stsd(struct doctor_view *v, struct doctor_finding *f, const char *name,
    struct sts_str value)
{
	add_line(v->doctor, f, DOCTOR_CONF, sts_str_of(name),
	    doctor_format(v->doctor, "%s = %.*s", name, DOCTOR_S(value)));
}

/* "postconf -e 'name = value'". What cannot be written in a line is left to people. */
static void
edit(struct doctor_view *v, struct doctor_finding *f, const char *flag,
    struct sts_str subject, struct sts_str assignment)
{
	const struct doctor_postfix *p = v->doctor->postfix;
	struct sts_buf b = { 0 };
	bool good = true;

	sts_put_text(&b, "postconf ");
	if (!p->is_default) {
		sts_put_text(&b, "-c ");
		good = pf_postconf_quote(&b, p->directory);
		sts_put_char(&b, ' ');
	}
	sts_put_text(&b, flag);
	sts_put_char(&b, ' ');
	good = good && pf_postconf_quote(&b, assignment);
	if (b.bad)
		query_no_memory();
	if (good)
		doctor_run(v, f, subject, query_keep(&v->doctor->keep, sts_buf_str(&b)));
	sts_buf_done(&b);
}

static void
set_main(struct doctor_view *v, struct doctor_finding *f, struct sts_str name,
    struct sts_str value)
{
	edit(v, f, "-e", name,
	    doctor_format(v->doctor, "%.*s = %.*s", DOCTOR_S(name), DOCTOR_S(value)));
}

/* A name that only this service uses, in main.cf. */
static struct sts_str
own_name(const struct doctor_view *v, const char *name)
{
	struct sts_str whole =
	    doctor_format(v->doctor, "%.*s_%s", DOCTOR_S(v->service.name), name);
	char *text = query_room(&v->doctor->keep, whole.n);

	for (size_t i = 0; i < whole.n; i++) {
		char c = whole.p[i];
		char lower = sts_lower(c);
		bool fits = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');

		text[i] = c;
		if (!fits)
			text[i] = '_';
	}
	return (struct sts_str){ text, whole.n };
}

/* "postconf -P" takes no blanks: such a value goes through main.cf. */
static void
set_own(struct doctor_view *v, struct doctor_finding *f, const char *name,
    struct sts_str value)
{
	struct sts_str subject = doctor_format(v->doctor, "%.*s/%.*s/%s",
	    DOCTOR_S(v->service.name), DOCTOR_S(v->service.type), name);

	if (value.n > 0 && memchr(value.p, ' ', value.n) != NULL) {
		struct sts_str own = own_name(v, name);

		set_main(v, f, own, value);
		value = doctor_format(v->doctor, "$%.*s", DOCTOR_S(own));
	}
	edit(v, f, "-P", subject,
	    doctor_format(v->doctor, "%.*s=%.*s", DOCTOR_S(subject), DOCTOR_S(value)));
}

void
doctor_set(struct doctor_view *v, struct doctor_finding *f, const char *name,
    struct sts_str value)
{
	if (doctor_is_own(v, name))
		set_own(v, f, name, value);
	else
		set_main(v, f, sts_str_of(name), value);
}
