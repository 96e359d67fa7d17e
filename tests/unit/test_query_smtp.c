/* SPDX-License-Identifier: MIT */
/* What is said of mail servers, by what was seen of them and by what the reply asks for. */
#include "query_smtp.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int test_failed;

#define NOW INT64_C(1800000000) /* 2027-01-15 08:00 UTC */
#define DAY INT64_C(86400)

#define OPEN QUERY_SMTP_OPEN
#define TESTING QUERY_SMTP_TESTING
#define ENCRYPT QUERY_SMTP_ENCRYPT
#define SECURE QUERY_SMTP_SECURE
#define DANE QUERY_SMTP_DANE

enum kind {
	NONE,
	FINE,
	FINE_V6,
	UNUSED, /* as WRONG, and Postfix would not go there */
	GUARDED,
	REFUSED,
	SILENT,
	NO_V6,
	GREETING,
	GARBAGE,
	MUTE,
	NO_EHLO,
	NO_TLS,
	TLS_BUSY,
	INJECTED,
	HANDSHAKE,
	AGAIN,
	OLD,
	WRONG,
	ALLOWED, /* another name of match= */
	COMMON,
	EXPIRED,
	OLD_CA,
	EARLY,
	SOON,
	LAST_DAY,
	IN_TIME,
	UNTRUSTED,
	UNCHECKED, /* no trust anchors */
	TLSA,
	TLSA_SELF, /* matches; nothing else is right */
	TLSA_BAD,
	TLSA_NAME,
	BARE,
	KINDS
};

static struct sts_tls_cert certs[KINDS];
static const struct sts_str names[] = { STS_STR("a"), STS_STR("b"), STS_STR("c"),
	STS_STR("d"), STS_STR("e"), STS_STR("f"), STS_STR("g"), STS_STR("h"),
	STS_STR("i"), STS_STR("j") };

/* What keeps from a certificate, or comes after it. */
static const struct {
	enum kind kind;
	enum sts_smtp_stage stage;
	enum sts_smtp_err err;
	int sys, code;
	const char *text, *why;
} WAYS[] = {
	{ REFUSED, STS_SMTP_CONNECT, STS_SMTP_UNREACHABLE, ECONNREFUSED, 0, "",
	    "Connection refused" },
	{ SILENT, STS_SMTP_CONNECT, STS_SMTP_UNREACHABLE, ETIMEDOUT, 0, "",
	    "Connection timed out" },
	{ NO_V6, STS_SMTP_CONNECT, STS_SMTP_UNREACHABLE, ENETUNREACH, 0, "",
	    "Network is unreachable" },
	{ GREETING, STS_SMTP_GREETING, STS_SMTP_REFUSED, 0, 554, "5.7.1 no access",
	    "refusal" },
	{ GARBAGE, STS_SMTP_GREETING, STS_SMTP_GARBAGE, 0, 0, "SSH-2.0", "no SMTP" },
	{ MUTE, STS_SMTP_GREETING, STS_SMTP_TIMEOUT, 0, 0, "", "no answer" },
	{ NO_EHLO, STS_SMTP_EHLO, STS_SMTP_REFUSED, 0, 500, "what?", "EHLO is refused" },
	{ NO_TLS, STS_SMTP_EHLO, STS_SMTP_NO_OFFER, 0, 250, "mx", "not offered" },
	{ TLS_BUSY, STS_SMTP_STARTTLS, STS_SMTP_REFUSED, 0, 454, "later", "refused" },
	{ INJECTED, STS_SMTP_STARTTLS, STS_SMTP_INJECTED, 0, 220, "go", "more text" },
	{ HANDSHAKE, STS_SMTP_HANDSHAKE, STS_SMTP_TLS, 0, 220, "go", "no TLS" },
	{ AGAIN, STS_SMTP_AGAIN, STS_SMTP_REFUSED, 0, 421, "full", "EHLO is refused" },
};

static const struct {
	enum kind kind;
	int64_t from, until; /* counted from NOW */
} DATES[] = {
	{ EXPIRED, -30 * DAY, -1 },
	{ TLSA_SELF, -30 * DAY, -1 },
	{ EARLY, 1, 60 * DAY },
	{ SOON, -30 * DAY, 14 * DAY - 1 },
	{ LAST_DAY, -30 * DAY, DAY },
	{ IN_TIME, -30 * DAY, 14 * DAY },
};

static const struct {
	enum kind kind;
	enum sts_tls_pkix pkix;
	const char *why;
} CHAINS[] = {
	{ EXPIRED, STS_TLS_PKIX_EXPIRED, "the certificate expired 2027-01-15" },
	{ OLD_CA, STS_TLS_PKIX_EXPIRED, "the CA certificate X expired" },
	{ UNTRUSTED, STS_TLS_PKIX_UNTRUSTED, "the CA X is not trusted" },
	{ TLSA_SELF, STS_TLS_PKIX_SELF_SIGNED, "self-signed" },
};

static const struct {
	enum kind kind;
	enum sts_tls_dane dane;
	const char *why;
} RECORDS[] = {
	{ TLSA, STS_TLS_DANE_MATCH, "" },
	{ TLSA_SELF, STS_TLS_DANE_MATCH, "" },
	{ TLSA_BAD, STS_TLS_DANE_NO_MATCH, "no TLSA record matches" },
	{ TLSA_NAME, STS_TLS_DANE_NO_NAME, "other names" },
};

static void
make_fine(struct query_smtp *s, enum kind kind)
{
	struct sts_tls_cert *cert = &certs[kind];

	*s = (struct query_smtp){ .host = STS_STR("mx.example.org"),
		.address = { { 192, 0, 2, 1 }, false },
		.server_name = STS_STR("mx.example.org"),
		.stage = STS_SMTP_DONE,
		.code = 250,
		.starttls = true,
		.encrypted = true,
		.session = { "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", false },
		.certs = cert,
		.cert_count = 1,
		.names = names,
		.name_count = 1,
		.fits_host = true,
		.fits_match = true };
	*cert = (struct sts_tls_cert){ .subject = "CN=mx.example.org",
		.not_before = NOW - 30 * DAY,
		.not_after = NOW + 60 * DAY };
	cert->key.sha256[0] = 0xa1;
	cert->key.sha256[31] = 0x0f;
	if (kind == FINE_V6 || kind == NO_V6)
		s->address =
		    (struct sts_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, true };
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
make_way(struct query_smtp *s, enum kind kind)
{
	for (size_t i = 0; i < COUNT(WAYS); i++) {
		if (WAYS[i].kind != kind)
			continue;
		s->stage = WAYS[i].stage;
		s->err = WAYS[i].err;
		s->sys = WAYS[i].sys;
		s->code = WAYS[i].code;
		s->text = sts_str_of(WAYS[i].text);
		s->why = sts_str_of(WAYS[i].why);
		s->encrypted = s->stage == STS_SMTP_AGAIN;
		if (!s->encrypted)
			s->cert_count = s->name_count = 0;
	}
	if (kind == GUARDED)
		*s = (struct query_smtp){ .host = s->host,
			.address = { { 10, 0, 0, 1 }, false },
			.used = true,
			.guarded = true };
}

static void
make_certificate(struct query_smtp *s, enum kind kind)
{
	for (size_t i = 0; i < COUNT(DATES); i++)
		if (DATES[i].kind == kind) {
			certs[kind].not_before = NOW + DATES[i].from;
			certs[kind].not_after = NOW + DATES[i].until;
		}
	for (size_t i = 0; i < COUNT(CHAINS); i++)
		if (CHAINS[i].kind == kind) {
			s->pkix = CHAINS[i].pkix;
			s->pkix_why = sts_str_of(CHAINS[i].why);
		}
	for (size_t i = 0; i < COUNT(RECORDS); i++)
		if (RECORDS[i].kind == kind) {
			s->has_tlsa = true;
			s->dane = RECORDS[i].dane;
			s->match = (struct sts_tls_dane_match){ 0, 3, 1, 1 };
			s->dane_why = sts_str_of(RECORDS[i].why);
		}
}

static struct query_smtp
make(enum kind kind)
{
	struct query_smtp s;

	make_fine(&s, kind);
	make_way(&s, kind);
	make_certificate(&s, kind);
	if (kind == OLD)
		s.session = (struct sts_tls_session){ "TLSv1.1", "AES", "", true };
	if (kind == UNUSED || kind == WRONG || kind == COMMON || kind == TLSA_SELF)
		s.fits_host = s.fits_match = false;
	if (kind == ALLOWED)
		s.fits_host = false;
	if (kind == WRONG)
		s.name_count = 10;
	s.used = kind != UNUSED;
	s.has_dns_names = kind != COMMON;
	s.has_pkix = kind != UNCHECKED && kind != EARLY;
	s.requiretls = kind == TLSA;
	if (kind == BARE)
		s.bare = STS_STR("CN=default.example");
	return s;
}

/* notes: severity and number of each, but for those of every session (I5). fine: by
 * letters, for each server. */
static const struct row {
	enum query_smtp_level level;
	enum kind kinds[3];
	const char *notes, *fine;
} ROWS[] = {
	{ SECURE, { FINE }, "", "y" },
	{ SECURE, { FINE, FINE_V6 }, "", "yy" },
	{ SECURE, { GUARDED }, "I15 ", "n" },
	{ SECURE, { REFUSED }, "E1 ", "n" },
	{ SECURE, { SILENT }, "E1 ", "n" },
	{ SECURE, { SILENT, FINE }, "W1 ", "ny" },
	{ SECURE, { NO_V6 }, "W1 ", "n" },
	{ SECURE, { NO_V6, FINE }, "I1 ", "ny" },
	{ SECURE, { GREETING }, "E2 ", "n" },
	{ SECURE, { GARBAGE }, "E2 ", "n" },
	{ SECURE, { MUTE }, "E2 ", "n" },
	{ SECURE, { NO_EHLO }, "E2 ", "n" },
	{ SECURE, { NO_TLS }, "E3 ", "n" },
	{ SECURE, { TLS_BUSY }, "E3 ", "n" },
	{ SECURE, { INJECTED }, "E3 ", "n" },
	{ SECURE, { HANDSHAKE }, "E4 ", "n" },
	{ SECURE, { AGAIN }, "E2 ", "n" },
	{ SECURE, { OLD }, "E14 ", "n" },
	{ SECURE, { WRONG }, "E6 ", "n" },
	{ SECURE, { WRONG, REFUSED, NO_TLS }, "E6 E1 E3 ", "nnn" },
	{ SECURE, { WRONG, FINE }, "W6 ", "ny" },
	{ SECURE, { UNUSED, FINE }, "I6 ", "ny" },
	{ SECURE, { UNUSED, REFUSED }, "I6 E1 ", "nn" },
	{ SECURE, { ALLOWED }, "W6 ", "y" },
	{ SECURE, { COMMON }, "E6 ", "n" },
	{ SECURE, { EXPIRED }, "E7 ", "n" },
	{ SECURE, { OLD_CA }, "E7 ", "n" },
	{ SECURE, { EARLY }, "W7 ", "y" },
	{ SECURE, { SOON }, "W10 ", "y" },
	{ SECURE, { LAST_DAY }, "W10 ", "y" },
	{ SECURE, { IN_TIME }, "", "y" },
	{ SECURE, { UNTRUSTED }, "E8 ", "n" },
	{ SECURE, { UNCHECKED }, "", "y" },
	{ SECURE, { BARE }, "I11 ", "y" },
	{ SECURE, { TLSA }, "I9 I13 ", "y" },
	{ SECURE, { TLSA_BAD }, "W9 ", "y" },
	{ SECURE, { TLSA_SELF }, "E6 E8 E7 I9 ", "n" },

	{ DANE, { TLSA }, "I9 I13 ", "y" },
	{ DANE, { TLSA_SELF }, "I9 ", "y" },
	{ DANE, { TLSA_BAD }, "E9 ", "n" },
	{ DANE, { TLSA_NAME }, "E9 ", "n" },
	{ DANE, { TLSA_BAD, TLSA }, "W9 I9 I13 ", "ny" },
	{ DANE, { FINE }, "", "n" },
	{ DANE, { OLD }, "E14 ", "n" },
	{ DANE, { NO_TLS }, "E3 ", "n" },
	{ DANE, { REFUSED }, "E1 ", "n" },

	{ TESTING, { FINE }, "", "y" },
	{ TESTING, { REFUSED }, "W1 ", "n" },
	{ TESTING, { NO_TLS }, "W3 ", "y" },
	{ TESTING, { TLS_BUSY }, "W3 ", "y" },
	{ TESTING, { HANDSHAKE }, "W4 ", "y" },
	{ TESTING, { WRONG }, "W6 ", "y" },
	{ TESTING, { EXPIRED }, "W7 ", "y" },
	{ TESTING, { UNTRUSTED }, "W8 ", "y" },
	{ TESTING, { OLD }, "W14 ", "y" },
	{ TESTING, { GREETING }, "W2 ", "n" },
	{ TESTING, { GUARDED }, "I15 ", "n" },

	{ OPEN, { FINE }, "", "y" },
	{ OPEN, { REFUSED }, "W1 ", "n" },
	{ OPEN, { MUTE }, "W2 ", "n" },
	{ OPEN, { NO_TLS }, "I3 ", "y" },
	{ OPEN, { HANDSHAKE }, "I4 ", "y" },
	{ OPEN, { WRONG }, "I6 ", "y" },
	{ OPEN, { EXPIRED }, "I7 ", "y" },
	{ OPEN, { SOON }, "I10 ", "y" },
	{ OPEN, { UNTRUSTED }, "I8 ", "y" },
	{ OPEN, { OLD }, "I14 ", "y" },
	{ OPEN, { TLSA_BAD }, "W9 ", "y" },

	{ ENCRYPT, { FINE }, "", "y" },
	{ ENCRYPT, { WRONG }, "I6 ", "y" },
	{ ENCRYPT, { EXPIRED }, "I7 ", "y" },
	{ ENCRYPT, { OLD }, "I14 ", "y" },
	{ ENCRYPT, { NO_TLS }, "E3 ", "n" },
	{ ENCRYPT, { REFUSED }, "E1 ", "n" },
};

static const struct {
	enum kind kind;
	enum query_smtp_what what;
	const char *detail;
} DETAILS[] = {
	{ REFUSED, QUERY_SMTP_CONNECT, "Connection refused" },
	{ SILENT, QUERY_SMTP_CONNECT,
	    "Connection timed out; no server could be reached: is port 25 blocked from "
	    "here?" },
	{ NO_V6, QUERY_SMTP_CONNECT, "Network is unreachable; this host has no IPv6" },
	{ GREETING, QUERY_SMTP_GREETING, "refusal: 554 5.7.1 no access" },
	{ GARBAGE, QUERY_SMTP_GREETING, "no SMTP: SSH-2.0" },
	{ MUTE, QUERY_SMTP_GREETING, "no answer" },
	{ AGAIN, QUERY_SMTP_GREETING, "EHLO is refused: 421 full" },
	{ NO_TLS, QUERY_SMTP_STARTTLS, "not offered" },
	{ TLS_BUSY, QUERY_SMTP_STARTTLS, "refused: 454 later" },
	{ HANDSHAKE, QUERY_SMTP_HANDSHAKE, "no TLS" },
	{ FINE, QUERY_SMTP_SESSION,
	    "TLSv1.3, TLS_AES_256_GCM_SHA384, x25519, SNI mx.example.org" },
	{ OLD, QUERY_SMTP_SESSION, "TLSv1.1, AES, SNI mx.example.org" },
	{ OLD, QUERY_SMTP_OUTDATED, "TLSv1.1" },
	{ WRONG, QUERY_SMTP_NAMES, "a, b, c, d, e, f, g, h and 2 more" },
	{ ALLOWED, QUERY_SMTP_NAMES, "a" },
	{ COMMON, QUERY_SMTP_NAMES, "common name only: a" },
	{ EXPIRED, QUERY_SMTP_DATES, "the certificate expired 2027-01-15" },
	{ OLD_CA, QUERY_SMTP_DATES, "the CA certificate X expired" },
	{ EARLY, QUERY_SMTP_DATES, "valid from 2027-01-15 to 2027-03-16" },
	{ UNTRUSTED, QUERY_SMTP_CHAIN, "the CA X is not trusted" },
	{ SOON, QUERY_SMTP_EXPIRES, "in 13 days, on 2027-01-29" },
	{ LAST_DAY, QUERY_SMTP_EXPIRES, "in 1 day, on 2027-01-16" },
	{ TLSA, QUERY_SMTP_TLSA, "3 1 1 matches at depth 0" },
	{ TLSA_BAD, QUERY_SMTP_TLSA,
	    "no TLSA record matches; the served key is 3 1 1 "
	    "a10000000000000000000000000000000000000000000000000000000000000f" },
	{ BARE, QUERY_SMTP_SNI, "CN=default.example" },
	{ TLSA, QUERY_SMTP_REQUIRETLS, "" },
	{ GUARDED, QUERY_SMTP_GUARDED, "" },
};

static const struct {
	enum kind kind;
	enum query_smtp_level level;
	const char *stage, *pkix, *dane;
} WORDS[] = {
	{ FINE, SECURE, "done", "ok", "not-checked" },
	{ FINE, OPEN, "done", "ok", "not-checked" },
	{ WRONG, SECURE, "verify", "name-mismatch", "not-checked" },
	{ WRONG, OPEN, "done", "name-mismatch", "not-checked" },
	{ EXPIRED, SECURE, "verify", "expired", "not-checked" },
	{ UNTRUSTED, SECURE, "verify", "untrusted", "not-checked" },
	{ UNCHECKED, SECURE, "done", "not-checked", "not-checked" },
	{ TLSA, DANE, "done", "ok", "match" },
	{ TLSA_BAD, DANE, "verify", "ok", "no-match" },
	{ TLSA_SELF, DANE, "done", "untrusted", "match" },
	{ REFUSED, SECURE, "connect", "not-checked", "not-checked" },
	{ GUARDED, SECURE, "connect", "not-checked", "not-checked" },
	{ GREETING, SECURE, "greeting", "not-checked", "not-checked" },
	{ NO_TLS, SECURE, "ehlo", "not-checked", "not-checked" },
	{ TLS_BUSY, SECURE, "starttls", "not-checked", "not-checked" },
	{ HANDSHAKE, SECURE, "handshake", "not-checked", "not-checked" },
	{ AGAIN, SECURE, "ehlo", "ok", "not-checked" },
};

static const struct {
	const char *reply;
	bool testing;
	enum query_smtp_level level;
} LEVELS[] = {
	{ "OK secure match=a servername=hostname", false, SECURE },
	{ "OK verify match=a", false, SECURE },
	{ "OK dane-only", false, DANE },
	{ "OK dane", false, DANE },
	{ "OK encrypt", false, ENCRYPT },
	{ "OK may", false, OPEN },
	{ "OK may", true, TESTING },
	{ "NOTFOUND ", true, TESTING },
	{ "NOTFOUND ", false, OPEN },
	{ "TEMP a: b", false, OPEN },
	{ "OK secured", false, OPEN },
	{ "", false, OPEN },
};

struct heard {
	char notes[256];
	enum query_smtp_what want;
	char detail[256];
};

static void
on_note(void *arg, const struct query_smtp_note *note)
{
	struct heard *h = arg;
	size_t n = strlen(h->notes);
	struct sts_buf detail = { .n = 0 };

	query_smtp_put_detail(&detail, note);
	if (note->what == h->want)
		(void)snprintf(h->detail, sizeof(h->detail), "%.*s", (int)detail.n,
		    detail.n == 0 ? "" : detail.p);
	sts_buf_done(&detail);
	if (note->what == QUERY_SMTP_SESSION || note->what == QUERY_SMTP_DIFFERS) {
		CHECK("severity of what is always said",
		    note->what == QUERY_SMTP_DIFFERS || note->severity == QUERY_INFO);
		return;
	}
	(void)snprintf(h->notes + n, sizeof(h->notes) - n, "%c%d ", "IWE"[note->severity],
	    (int)note -> what);
}

static void
check_row(const struct row *row)
{
	struct heard heard = { .notes = "" };
	struct query_smtp list[3];
	char what[64], fine[4] = "";
	size_t n = 0;

	for (; n < 3 && row->kinds[n] != NONE; n++) {
		list[n] = make(row->kinds[n]);
		fine[n] = query_smtp_is_fine(&list[n], row->level) ? 'y' : 'n';
	}
	query_smtp_judge(list, n, row->level, NOW, on_note, &heard);
	(void)snprintf(what, sizeof(what), "row %d: %.30s %s", (int)(row - ROWS),
	    heard.notes, fine);
	CHECK(what, strcmp(heard.notes, row->notes) == 0);
	CHECK(what, strcmp(fine, row->fine) == 0);
}

static void
check_details(void)
{
	for (size_t i = 0; i < COUNT(DETAILS); i++) {
		struct heard heard = { .want = DETAILS[i].what, .detail = "nothing" };
		struct query_smtp s = make(DETAILS[i].kind);

		query_smtp_judge(&s, 1, SECURE, NOW, on_note, &heard);
		CHECK(heard.detail, strcmp(heard.detail, DETAILS[i].detail) == 0);
	}
}

static void
check_words(void)
{
	for (size_t i = 0; i < COUNT(WORDS); i++) {
		struct query_smtp s = make(WORDS[i].kind);

		CHECK(WORDS[i].stage,
		    strcmp(query_smtp_stage(&s, WORDS[i].level), WORDS[i].stage) == 0);
		CHECK(WORDS[i].pkix, strcmp(query_smtp_pkix(&s), WORDS[i].pkix) == 0);
		CHECK(WORDS[i].dane, strcmp(query_smtp_dane(&s), WORDS[i].dane) == 0);
	}
}

/* One host's addresses are compared, each with the first that has a certificate. */
static void
check_differences(void)
{
	static const struct {
		const char *name;
		enum kind kinds[3];
		bool other_host;
		const char *detail;
	} cases[] = {
		{ "another, both fine", { FINE, SOON }, false,
		    "mx.example.org [192.0.2.1] serves CN=mx.example.org, valid until "
		    "2027-03-16" },
		{ "the same", { FINE, FINE }, false, "nothing" },
		{ "of two hosts", { FINE, SOON }, true, "nothing" },
		{ "one without", { NO_TLS, SOON }, false, "nothing" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct heard heard = { .want = QUERY_SMTP_DIFFERS, .detail = "nothing" };
		struct query_smtp list[2];

		for (size_t k = 0; k < 2; k++) {
			list[k] = make(cases[i].kinds[k]);
			certs[cases[i].kinds[k]].whole.sha256[0] =
			    (uint8_t)cases[i].kinds[k];
		}
		if (cases[i].other_host)
			list[1].host = STS_STR("mx2.example.org");
		query_smtp_judge(list, 2, SECURE, NOW, on_note, &heard);
		CHECK(cases[i].name, strcmp(heard.detail, cases[i].detail) == 0);
	}
}

static void
check_object(void)
{
	struct query_smtp s = make(FINE_V6);
	struct sts_buf out = { .n = 0 };

	query_smtp_put_object(&out, &s);
	CHECK("object",
	    sts_str_eq(sts_buf_str(&out), STS_STR("mx.example.org [2001:db8::1]")));
	sts_buf_clear(&out);
	s = make(NO_TLS);
	query_smtp_put_tlsa(&out, &s);
	CHECK("no certificate, no record", out.n == 0);
	sts_buf_done(&out);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(ROWS); i++)
		check_row(&ROWS[i]);
	check_details();
	check_words();
	check_differences();
	check_object();
	for (size_t i = 0; i < COUNT(LEVELS); i++)
		CHECK(LEVELS[i].reply,
		    query_smtp_level_of(sts_str_of(LEVELS[i].reply), LEVELS[i].testing) ==
			LEVELS[i].level);
	return test_failed;
}
