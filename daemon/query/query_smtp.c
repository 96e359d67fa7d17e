/* SPDX-License-Identifier: MIT */
/*
 * What is amiss with mail servers; see query_smtp.h. How grave that is follows from two
 * questions: does the reply make Postfix care, and is there another server that will do?
 */
#include "query_smtp.h"

#include <errno.h>
#include <string.h>

#include "date.h"

/* Certificates are renewed a month before they end, or are forgotten. */
#define EXPIRES_DAYS 14
/* Names of a certificate that are told; some have a hundred. */
#define NAMES_TOLD 8

struct judgement {
	const struct query_smtp *list;
	size_t count;
	enum query_smtp_level level;
	int64_t now;
	query_on_smtp *on;
	void *arg;
	bool any_fine; /* of those that are used */
	bool nobody;   /* is within reach */
};

static bool
starts(struct sts_str reply, const char *level)
{
	struct sts_str word = sts_str_of(level);

	return sts_str_starts(reply, word) &&
	    (reply.n == word.n || reply.p[word.n] == ' ');
}

enum query_smtp_level
query_smtp_level_of(struct sts_str reply, bool testing)
{
	if (starts(reply, "OK secure") || starts(reply, "OK verify"))
		return QUERY_SMTP_SECURE;
	if (starts(reply, "OK dane-only") || starts(reply, "OK dane"))
		return QUERY_SMTP_DANE;
	if (starts(reply, "OK encrypt"))
		return QUERY_SMTP_ENCRYPT;
	return testing ? QUERY_SMTP_TESTING : QUERY_SMTP_OPEN;
}

/* PKIX and a name of match=. Postfix sees to it with OpenSSL's security level 1, which
 * knows no TLS before 1.2; RFC 8461 section 7.2 wants none. */
static bool
is_authentic(const struct query_smtp *s)
{
	return s->encrypted && !s->session.outdated && s->fits_match &&
	    (!s->has_pkix || s->pkix == STS_TLS_PKIX_OK);
}

static bool
is_vouched_for(const struct query_smtp *s)
{
	return s->encrypted && !s->session.outdated && s->has_tlsa &&
	    s->dane == STS_TLS_DANE_MATCH;
}

/* Would mail be taken in the clear? */
static bool
speaks_smtp(const struct query_smtp *s)
{
	return s->err == STS_SMTP_OK || s->stage == STS_SMTP_STARTTLS ||
	    s->stage == STS_SMTP_HANDSHAKE || s->err == STS_SMTP_NO_OFFER;
}

bool
query_smtp_is_fine(const struct query_smtp *s, enum query_smtp_level level)
{
	bool done = !s->guarded && s->err == STS_SMTP_OK;

	switch (level) {
	case QUERY_SMTP_OPEN:
	case QUERY_SMTP_TESTING:
		return !s->guarded && speaks_smtp(s);
	case QUERY_SMTP_ENCRYPT:
		return done && s->encrypted;
	case QUERY_SMTP_SECURE:
		return done && is_authentic(s);
	case QUERY_SMTP_DANE:
		return done && is_vouched_for(s);
	}
	return false;
}

/*
 * How grave.
 */

/* Of what the level makes Postfix refuse. */
static enum query_severity
grade(const struct judgement *j, const struct query_smtp *s)
{
	if (!s->used || j->level == QUERY_SMTP_OPEN)
		return QUERY_INFO;
	if (j->level == QUERY_SMTP_TESTING || j->any_fine)
		return QUERY_WARNING;
	return QUERY_ERROR;
}

/* Of what keeps mail away at any level. */
static enum query_severity
grade_any(const struct judgement *j, const struct query_smtp *s)
{
	if (s->used && j->level == QUERY_SMTP_OPEN)
		return QUERY_WARNING;
	return grade(j, s);
}

/* Of what a certificate must not have where certificates count. */
static enum query_severity
grade_certificate(const struct judgement *j, const struct query_smtp *s)
{
	return j->level == QUERY_SMTP_ENCRYPT ? QUERY_INFO : grade(j, s);
}

/* What will be grave one day. */
static enum query_severity
at_most_warning(enum query_severity severity)
{
	return severity == QUERY_ERROR ? QUERY_WARNING : severity;
}

static struct query_smtp_note
note_of(enum query_smtp_what what, enum query_severity severity,
    const struct query_smtp *s)
{
	return (struct query_smtp_note){ .what = what, .severity = severity, .about = s };
}

static void
tell(const struct judgement *j, enum query_smtp_what what, enum query_severity severity,
    const struct query_smtp *s)
{
	struct query_smtp_note note = note_of(what, severity, s);

	j->on(j->arg, &note);
}

/*
 * The way to the certificate.
 */

/* No IPv6 here is no fault of theirs. */
static bool
is_our_fault(const struct query_smtp *s)
{
	return s->address.v6 &&
	    (s->sys == ENETUNREACH || s->sys == EADDRNOTAVAIL || s->sys == EAFNOSUPPORT);
}

/* Silence may be a wall on this side; a refusal comes from theirs. */
static bool
is_out_of_reach(const struct query_smtp *s)
{
	return s->guarded || (s->err == STS_SMTP_UNREACHABLE && s->sys != ECONNREFUSED);
}

static void
judge_connect(const struct judgement *j, const struct query_smtp *s)
{
	struct query_smtp_note note = note_of(QUERY_SMTP_CONNECT, grade_any(j, s), s);

	note.nobody = j->nobody;
	if (is_our_fault(s))
		note.severity = j->any_fine ? QUERY_INFO : at_most_warning(note.severity);
	j->on(j->arg, &note);
}

static void
judge_way(const struct judgement *j, const struct query_smtp *s)
{
	if (s->err == STS_SMTP_OK || s->err == STS_SMTP_NOMEM)
		return;
	if (s->err == STS_SMTP_NO_OFFER) {
		tell(j, QUERY_SMTP_STARTTLS, grade(j, s), s);
		return;
	}
	switch (s->stage) {
	case STS_SMTP_CONNECT:
		judge_connect(j, s);
		break;
	case STS_SMTP_GREETING:
	case STS_SMTP_EHLO:
	case STS_SMTP_AGAIN:
		tell(j, QUERY_SMTP_GREETING, grade_any(j, s), s);
		break;
	case STS_SMTP_STARTTLS:
		tell(j, QUERY_SMTP_STARTTLS, grade(j, s), s);
		break;
	case STS_SMTP_HANDSHAKE:
		tell(j, QUERY_SMTP_HANDSHAKE, grade(j, s), s);
		break;
	case STS_SMTP_DONE:
	case STS_SMTP_STAGES:
		break;
	}
}

/*
 * The certificate.
 */
static bool
is_out_of_date(const struct query_smtp *s, int64_t now)
{
	const struct sts_tls_cert *own = s->cert_count == 0 ? NULL : &s->certs[0];

	if (s->has_pkix &&
	    (s->pkix == STS_TLS_PKIX_EXPIRED || s->pkix == STS_TLS_PKIX_EARLY))
		return true;
	return own != NULL && own->not_after != 0 &&
	    (own->not_after < now || own->not_before > now);
}

static bool
is_chain_bad(const struct query_smtp *s)
{
	return s->has_pkix && s->pkix != STS_TLS_PKIX_OK &&
	    s->pkix != STS_TLS_PKIX_EXPIRED && s->pkix != STS_TLS_PKIX_EARLY;
}

static void
judge_names(const struct judgement *j, const struct query_smtp *s)
{
	enum query_severity severity = grade_certificate(j, s);

	if (s->fits_host && s->fits_match)
		return;
	/* Whether Postfix refuses it depends on its version and on the map. */
	tell(j, QUERY_SMTP_NAMES, s->fits_match ? at_most_warning(severity) : severity,
	    s);
}

static void
judge_pkix(const struct judgement *j, const struct query_smtp *s)
{
	struct query_smtp_note note =
	    note_of(QUERY_SMTP_EXPIRES, at_most_warning(grade_certificate(j, s)), s);
	int64_t left = 0;

	judge_names(j, s);
	if (is_chain_bad(s))
		tell(j, QUERY_SMTP_CHAIN, grade_certificate(j, s), s);
	if (is_out_of_date(s, j->now)) {
		tell(j, QUERY_SMTP_DATES, grade_certificate(j, s), s);
		return;
	}
	if (s->cert_count > 0 && s->certs[0].not_after != 0)
		left = s->certs[0].not_after - j->now;
	note.days = (int)(left / DATE_SECONDS);
	if (left > 0 && left < (int64_t)EXPIRES_DAYS * DATE_SECONDS)
		j->on(j->arg, &note);
}

static void
judge_tlsa(const struct judgement *j, const struct query_smtp *s)
{
	enum query_severity severity = QUERY_INFO;

	if (!s->has_tlsa)
		return;
	/* Other senders may go by the records although this reply does not. */
	if (s->dane != STS_TLS_DANE_MATCH)
		severity = j->level == QUERY_SMTP_DANE
		    ? grade(j, s)
		    : (s->used ? QUERY_WARNING : QUERY_INFO);
	tell(j, QUERY_SMTP_TLSA, severity, s);
}

/* The first look at the same host that showed another certificate. */
static const struct query_smtp *
find_other(const struct judgement *j, const struct query_smtp *s)
{
	for (const struct query_smtp *o = j->list; o < s; o++)
		if (sts_str_eq_nocase(o->host, s->host) && o->cert_count > 0)
			return memcmp(&o->certs[0].whole, &s->certs[0].whole,
				   sizeof(o->certs[0].whole)) == 0
			    ? NULL
			    : o;
	return NULL;
}

/* Machines behind one name often have their own; that matters when one is not right. */
static void
judge_difference(const struct judgement *j, const struct query_smtp *s)
{
	struct query_smtp_note note = note_of(QUERY_SMTP_DIFFERS, QUERY_INFO, s);

	if (s->cert_count == 0 || (note.other = find_other(j, s)) == NULL)
		return;
	if (query_smtp_is_fine(s, j->level) != query_smtp_is_fine(note.other, j->level))
		note.severity = at_most_warning(grade_certificate(j, s));
	j->on(j->arg, &note);
}

static void
judge_encrypted(const struct judgement *j, const struct query_smtp *s)
{
	tell(j, QUERY_SMTP_SESSION, QUERY_INFO, s);
	if (s->session.outdated)
		tell(j, QUERY_SMTP_OUTDATED, grade_certificate(j, s), s);
	/* Where TLSA records count, nothing else does (RFC 7672 section 3.1.1). */
	if (s->cert_count > 0 && j->level != QUERY_SMTP_DANE)
		judge_pkix(j, s);
	judge_tlsa(j, s);
	/* RFC 8461 section 7 has every sender send SNI: it is no fault to need it. */
	if (s->bare.n > 0)
		tell(j, QUERY_SMTP_SNI, QUERY_INFO, s);
	judge_difference(j, s);
	if (s->requiretls)
		tell(j, QUERY_SMTP_REQUIRETLS, QUERY_INFO, s);
}

void
query_smtp_judge(const struct query_smtp *list, size_t count, enum query_smtp_level level,
    int64_t now, query_on_smtp *on, void *arg)
{
	struct judgement j = { .list = list,
		.count = count,
		.level = level,
		.now = now,
		.on = on,
		.arg = arg,
		.nobody = true };

	for (size_t i = 0; i < count; i++) {
		j.any_fine |= list[i].used && query_smtp_is_fine(&list[i], level);
		j.nobody &= is_out_of_reach(&list[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (list[i].guarded) {
			tell(&j, QUERY_SMTP_GUARDED, QUERY_INFO, &list[i]);
			continue;
		}
		judge_way(&j, &list[i]);
		if (list[i].encrypted)
			judge_encrypted(&j, &list[i]);
	}
}

/*
 * Words.
 */
void
query_smtp_put_object(struct sts_buf *to, const struct query_smtp *s)
{
	char text[STS_ADDR_TEXT];

	sts_put(to, s->host);
	sts_put_text(to, " [");
	(void)sts_addr_text(&s->address, text);
	sts_put_text(to, text);
	sts_put_char(to, ']');
}

static void
put_padded(struct sts_buf *to, unsigned n)
{
	if (n < 10)
		sts_put_char(to, '0');
	sts_put_number(to, n);
}

static void
put_day(struct sts_buf *to, int64_t seconds)
{
	struct date day = date_of(seconds / DATE_SECONDS);

	sts_put_number(to, (unsigned long long)day.year);
	sts_put_char(to, '-');
	put_padded(to, day.month);
	sts_put_char(to, '-');
	put_padded(to, day.day);
}

/* "454 4.7.0 not now": code and text as they came. */
static void
put_reply(struct sts_buf *to, const struct query_smtp *s)
{
	bool said = s->err == STS_SMTP_REFUSED || s->err == STS_SMTP_GARBAGE;

	sts_put(to, s->why);
	if (!said || (s->code == 0 && s->text.n == 0))
		return;
	sts_put_text(to, ": ");
	if (s->code != 0) {
		sts_put_number(to, (unsigned long long)s->code);
		sts_put_char(to, ' ');
	}
	sts_put(to, s->text);
}

static void
put_session(struct sts_buf *to, const struct query_smtp *s)
{
	sts_put_text(to, s->session.protocol);
	sts_put_text(to, ", ");
	sts_put_text(to, s->session.cipher);
	if (s->session.group[0] != '\0') {
		sts_put_text(to, ", ");
		sts_put_text(to, s->session.group);
	}
	sts_put_text(to, s->server_name.n == 0 ? ", no SNI" : ", SNI ");
	sts_put(to, s->server_name);
}

static void
put_names(struct sts_buf *to, const struct query_smtp *s)
{
	size_t told = s->name_count < NAMES_TOLD ? s->name_count : NAMES_TOLD;

	if (!s->has_dns_names)
		sts_put_text(to,
		    s->name_count == 0 ? "it names nobody" : "common name only: ");
	for (size_t i = 0; i < told; i++) {
		if (i > 0)
			sts_put_text(to, ", ");
		sts_put(to, s->names[i]);
	}
	if (told == s->name_count)
		return;
	sts_put_text(to, " and ");
	sts_put_number(to, s->name_count - told);
	sts_put_text(to, " more");
}

static void
put_dates(struct sts_buf *to, const struct query_smtp *s)
{
	const struct sts_tls_cert *own = s->cert_count == 0 ? NULL : &s->certs[0];

	if (s->pkix_why.n > 0 || own == NULL) {
		sts_put(to, s->pkix_why);
		return;
	}
	sts_put_text(to, "valid from ");
	put_day(to, own->not_before);
	sts_put_text(to, " to ");
	put_day(to, own->not_after);
}

static void
put_numbers(struct sts_buf *to, const struct sts_tls_dane_match *m)
{
	sts_put_number(to, m->usage);
	sts_put_char(to, ' ');
	sts_put_number(to, m->selector);
	sts_put_char(to, ' ');
	sts_put_number(to, m->matching);
}

void
query_smtp_put_tlsa(struct sts_buf *to, const struct query_smtp *s)
{
	static const char digits[] = "0123456789abcdef";

	if (s->cert_count == 0)
		return;
	sts_put_text(to, "3 1 1 ");
	for (size_t i = 0; i < STS_SHA256; i++) {
		sts_put_char(to, digits[s->certs[0].key.sha256[i] >> 4]);
		sts_put_char(to, digits[s->certs[0].key.sha256[i] & 15]);
	}
}

static void
put_match(struct sts_buf *to, const struct query_smtp *s)
{
	if (s->dane == STS_TLS_DANE_MATCH) {
		put_numbers(to, &s->match);
		sts_put_text(to, " matches at depth ");
		sts_put_number(to, s->match.depth < 0 ? 0 : (unsigned)s->match.depth);
		return;
	}
	sts_put(to, s->dane_why);
	if (s->cert_count == 0)
		return;
	sts_put_text(to, "; the served key is ");
	query_smtp_put_tlsa(to, s);
}

static void
put_expiry(struct sts_buf *to, const struct query_smtp_note *note)
{
	sts_put_text(to, "in ");
	sts_put_number(to, (unsigned long long)note->days);
	sts_put_text(to, note->days == 1 ? " day, on " : " days, on ");
	put_day(to, note->about->certs[0].not_after);
}

static void
put_difference(struct sts_buf *to, const struct query_smtp *other)
{
	query_smtp_put_object(to, other);
	sts_put_text(to, " serves ");
	sts_put_text(to, other->certs[0].subject);
	sts_put_text(to, ", valid until ");
	put_day(to, other->certs[0].not_after);
}

void
query_smtp_put_detail(struct sts_buf *to, const struct query_smtp_note *note)
{
	const struct query_smtp *s = note->about;

	switch (note->what) {
	case QUERY_SMTP_CONNECT:
		sts_put(to, s->why);
		if (is_our_fault(s))
			sts_put_text(to, "; this host has no IPv6");
		else if (note->nobody)
			sts_put_text(to,
			    "; no server could be reached: is port 25 blocked from here?");
		break;
	case QUERY_SMTP_GREETING:
	case QUERY_SMTP_STARTTLS:
	case QUERY_SMTP_HANDSHAKE:
		put_reply(to, s);
		break;
	case QUERY_SMTP_SESSION:
		put_session(to, s);
		break;
	case QUERY_SMTP_NAMES:
		put_names(to, s);
		break;
	case QUERY_SMTP_DATES:
		put_dates(to, s);
		break;
	case QUERY_SMTP_CHAIN:
		sts_put(to, s->pkix_why);
		break;
	case QUERY_SMTP_TLSA:
		put_match(to, s);
		break;
	case QUERY_SMTP_EXPIRES:
		put_expiry(to, note);
		break;
	case QUERY_SMTP_SNI:
		sts_put(to, s->bare);
		break;
	case QUERY_SMTP_DIFFERS:
		put_difference(to, note->other);
		break;
	case QUERY_SMTP_OUTDATED:
		sts_put_text(to, s->session.protocol);
		break;
	case QUERY_SMTP_REQUIRETLS:
	case QUERY_SMTP_GUARDED:
		break;
	}
}

static const char *const stages[STS_SMTP_STAGES] = {
	[STS_SMTP_CONNECT] = "connect",
	[STS_SMTP_GREETING] = "greeting",
	[STS_SMTP_EHLO] = "ehlo",
	[STS_SMTP_STARTTLS] = "starttls",
	[STS_SMTP_HANDSHAKE] = "handshake",
	[STS_SMTP_AGAIN] = "ehlo",
	[STS_SMTP_DONE] = "done",
};

const char *
query_smtp_stage(const struct query_smtp *s, enum query_smtp_level level)
{
	if (s->guarded)
		return "connect";
	if (s->stage == STS_SMTP_DONE && !query_smtp_is_fine(s, level))
		return "verify";
	return stages[s->stage];
}

const char *
query_smtp_pkix(const struct query_smtp *s)
{
	if (!s->encrypted || s->cert_count == 0 || !s->has_pkix)
		return "not-checked";
	switch (s->pkix) {
	case STS_TLS_PKIX_OK:
		return s->fits_match ? "ok" : "name-mismatch";
	case STS_TLS_PKIX_EXPIRED:
	case STS_TLS_PKIX_EARLY:
		return "expired";
	case STS_TLS_PKIX_INCOMPLETE:
		return "incomplete-chain";
	case STS_TLS_PKIX_SELF_SIGNED:
	case STS_TLS_PKIX_UNTRUSTED:
	case STS_TLS_PKIX_PURPOSE:
	case STS_TLS_PKIX_WEAK:
	case STS_TLS_PKIX_OTHER:
		break;
	}
	return "untrusted";
}

const char *
query_smtp_dane(const struct query_smtp *s)
{
	if (!s->encrypted || !s->has_tlsa)
		return "not-checked";
	return s->dane == STS_TLS_DANE_MATCH ? "match" : "no-match";
}
