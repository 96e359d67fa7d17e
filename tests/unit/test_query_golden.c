/* SPDX-License-Identifier: MIT */
/*
 * What stsd-query says, finding by finding: for each id there is a tests/golden/ID.facts,
 * made-up facts about dom.example as the journey would meet them, and what comes of them,
 * for people in ID.txt and for machines in ID.json. GOLDEN=write writes those anew (make
 * golden), to be read in the diff. An id without them fails, and so does one without a
 * word on how it is mended, or without its line in the manual.
 *
 * A facts file says what differs from a domain that is in order. One fact a line, words
 * between blanks; the last one takes the rest of the line, with \xNN for any byte:
 *
 *	domain KEY                     instead of dom.example
 *	unicode NAME                   the domain's U-labels
 *	verbose                        -v
 *	dane off|distrusted            by the settings
 *	override REPLY
 *	overloaded                     no journey can be made
 *	no-ca WHY                      the trust anchors cannot be read
 *	trust ad|no-ad|ERROR           the self-test; ERROR: timeout, servfail:6 ...
 *	record ERROR|TEXT              of _mta-sts; more lines: more texts
 *	mx ERROR|insecure|null|secure  insecure by default
 *	mx PREFERENCE HOST             more lines: more hosts
 *	host NAME ERROR|none|insecure|ADDRESS...
 *	alias NAME TARGET
 *	tlsa NAME ERROR|unsigned|NUMBERS...
 *	policy-host ERROR|ADDRESS...
 *	policy LINE                    more lines: more lines; policy-times N LINE
 *	fetch ERROR WHY                fetch-tls ... (lib/err.h); with these:
 *	status N, type TEXT, verify N CHAIN, expires DAYS, connect MS, date SECONDS (ahead), from ADDRESS
 *	stray                          a policy without a record
 *	aside tlsrpt|domain|record ERROR|TEXT
 *	aside-alias tlsrpt|domain|record TARGET
 *	daemon ok|none|off|away|denied|version|trouble TEXT   TEXT: why, or the version
 *	cached ID AGE MAX_AGE LINE|LINE...                    seconds
 *	cached-failures N AGE ERROR
 *	smtp HOST ADDRESS              an address that is good; changed by these:
 *	smtp-fails STAGE ERROR WHY     connect ...; unreachable, refused, no-offer, tls
 *	smtp-certificate expired|early|self-signed|untrusted|incomplete
 *	smtp-expires DAYS, smtp-names NAME, smtp-key N, smtp-tlsa match|no-match
 *	smtp-bare NAME, smtp-requiretls, smtp-outdated, smtp-guarded
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "query_json.h"
#include "query_report.h"
#include "query_text.h"
#include "test.h"
#include "tlsa.h"

int test_failed;

#define FOLDER "tests/golden/"
#define MANUAL "daemon/stsd-query.1"

#define NOW 1795305600 /* 2026-11-22T00:00:00Z */
#define DAY 86400
#define TEXTS 40

struct host {
	struct sts_str name, target;
	struct sts_addr addresses[4];
	size_t count;
	enum sts_err err, tlsa_err;
	int ede, tlsa_ede;
	bool is_unsigned, tlsa_unsigned;
	struct sts_str tlsa[4];
	size_t tlsa_count;
};

struct facts {
	struct query_keep keep; /* of all that is pointed at */
	struct query_report report;
	struct sts_rules rules;
	struct query_context context;
	enum sts_err journey;

	struct sts_fact trust, record, mx, place;
	struct sts_str records[TEXTS], hosts_named[TEXTS];
	uint16_t preferences[TEXTS];
	struct sts_addr place_at[4];
	struct host hosts[TEXTS];
	size_t host_count;

	struct sts_buf policy;
	struct sts_fetched fetched;
	bool is_fetched; /* it is said how */

	struct sts_dns_answer aside[QUERY_ASIDES];
	struct query_known known;
	struct sts_entry cached;

	struct query_smtp smtp[8];
	size_t smtp_count;
};

/*
 * Words.
 */
static struct sts_str
next_word(struct sts_str *rest)
{
	struct sts_str word;

	(void)sts_str_cut(rest, ' ', &word);
	*rest = sts_str_trim(*rest);
	return word;
}

static bool
is_word(struct sts_str word, const char *text)
{
	return sts_str_eq(word, sts_str_of(text));
}

static int64_t
number_of(struct sts_str word)
{
	unsigned long long n = 0;

	CHECK("a number", sts_str_number(word, INT64_MAX, &n));
	return (int64_t)n;
}

static unsigned
hex_of(char c)
{
	return (unsigned)(strchr("0123456789abcdef", c) - "0123456789abcdef");
}

/* With \xNN undone. */
static struct sts_str
text_of(struct facts *f, struct sts_str s)
{
	char *to = query_room(&f->keep, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 3 < s.n && s.p[i + 1] == 'x') {
			to[n++] = (char)(hex_of(s.p[i + 2]) * 16 + hex_of(s.p[i + 3]));
			i += 3;
		} else {
			to[n++] = s.p[i];
		}
	}
	return (struct sts_str){ to, n };
}

/* "timeout", "servfail:6": without its family in front; false: it is no error. */
static bool
error_of(struct sts_str word, enum sts_err *err, int *ede)
{
	struct sts_str name;
	bool has_ede = sts_str_cut(&word, ':', &name);

	for (int i = 1; i < STS_ERRS; i++) {
		struct sts_str token = sts_str_of(sts_err_token((enum sts_err)i));

		if (!sts_str_eq(token, name) &&
		    !(sts_str_starts(token, STS_STR("dns-")) &&
			sts_str_eq(sts_str_from(token, 4), name)))
			continue;
		*err = (enum sts_err)i;
		*ede = has_ede ? (int)number_of(word) : -1;
		return true;
	}
	return false;
}

static bool
read_error(struct sts_str word, struct sts_fact *fact)
{
	int ede;

	if (!error_of(word, &fact->err, &ede))
		return false;
	fact->ede = (int16_t)ede;
	fact->count = 0;
	return true;
}

static size_t
read_addresses(struct sts_str rest, struct sts_addr *addresses)
{
	size_t n = 0;

	while (rest.n > 0 && n < 4)
		CHECK("an address", sts_addr_parse(next_word(&rest), &addresses[n++]));
	return n;
}

static struct host *
host_of(struct facts *f, struct sts_str name)
{
	struct host *h = f->hosts;

	while (h < &f->hosts[f->host_count] && !sts_str_eq(h->name, name))
		h++;
	if (h == &f->hosts[f->host_count]) {
		f->host_count++;
		*h = (struct host){ .name = name,
			.ede = -1,
			.tlsa_ede = -1,
			.addresses = { { { 192, 0, 2, 25 }, false } },
			.count = 1 };
	}
	return h;
}

/*
 * Facts, in the order of the list above.
 */
static void
read_domain(struct facts *f, struct sts_str rest)
{
	struct query_report *r = &f->report;

	query_report_done(r);
	query_report_start(r, text_of(f, rest).p, NOW);
	r->is_domain = sts_key_parse(r->queried, &r->key) == STS_OK;
	if (!r->is_domain)
		r->key.domain_n = 0;
}

static void
read_unicode(struct facts *f, struct sts_str rest)
{
	struct sts_str name = text_of(f, rest);

	memcpy(f->report.unicode, name.p, name.n + 1);
}

static void
read_verbose(struct facts *f, struct sts_str rest)
{
	(void)rest;
	f->context.verbose = true;
}

static void
read_dane(struct facts *f, struct sts_str rest)
{
	if (is_word(rest, "off"))
		f->rules.dane = false;
	else
		f->rules.believe = false;
}

static void
read_override(struct facts *f, struct sts_str rest)
{
	f->context.override = text_of(f, rest);
}

static void
read_overloaded(struct facts *f, struct sts_str rest)
{
	(void)rest;
	f->journey = STS_ERR_OVERLOADED;
}

static void
read_no_ca(struct facts *f, struct sts_str rest)
{
	f->context.ca_trouble = text_of(f, rest).p;
}

static void
read_trust(struct facts *f, struct sts_str rest)
{
	f->trust.ad = is_word(rest, "ad");
	(void)read_error(rest, &f->trust);
}

static void
read_record(struct facts *f, struct sts_str rest)
{
	if (read_error(rest, &f->record))
		return;
	if (f->record.texts == NULL)
		f->record.count = 0;
	f->record.texts = f->records;
	f->records[f->record.count++] = text_of(f, rest);
}

static void
add_mx(struct facts *f, uint16_t preference, struct sts_str host)
{
	if (f->mx.texts == NULL)
		f->mx.count = 0;
	f->mx.texts = f->hosts_named;
	f->mx.preferences = f->preferences;
	f->preferences[f->mx.count] = preference;
	f->hosts_named[f->mx.count++] = host;
}

static void
read_mx(struct facts *f, struct sts_str rest)
{
	struct sts_str word = next_word(&rest);

	if (is_word(word, "secure") || is_word(word, "insecure"))
		f->mx.ad = is_word(word, "secure");
	else if (is_word(word, "null"))
		add_mx(f, 0, STS_STR_NONE);
	else if (!read_error(word, &f->mx))
		add_mx(f, (uint16_t)number_of(word), text_of(f, rest));
}

static void
read_host(struct facts *f, struct sts_str rest)
{
	struct host *h = host_of(f, next_word(&rest));

	if (is_word(rest, "insecure"))
		h->is_unsigned = true;
	else if (is_word(rest, "none"))
		h->err = STS_ERR_DNS_NODATA;
	else if (!error_of(rest, &h->err, &h->ede))
		h->count = read_addresses(rest, h->addresses);
}

static void
read_alias(struct facts *f, struct sts_str rest)
{
	struct host *h = host_of(f, next_word(&rest));

	h->target = rest;
}

/* "311": a digest of four-and-forty fours. */
static struct sts_str
rdata_of(struct facts *f, struct sts_str numbers)
{
	char *rdata = query_room(&f->keep, 3 + 32);

	for (size_t i = 0; i < 3; i++)
		rdata[i] = (char)(numbers.p[i] - '0');
	memset(rdata + 3, 'D', 32);
	return (struct sts_str){ rdata, 3 + 32 };
}

static void
read_tlsa(struct facts *f, struct sts_str rest)
{
	struct host *h = host_of(f, next_word(&rest));

	if (error_of(rest, &h->tlsa_err, &h->tlsa_ede))
		return;
	while (rest.n > 0) {
		struct sts_str word = next_word(&rest);

		if (is_word(word, "unsigned"))
			h->tlsa_unsigned = true;
		else
			h->tlsa[h->tlsa_count++] = rdata_of(f, word);
	}
}

static void
read_policy_host(struct facts *f, struct sts_str rest)
{
	if (!read_error(rest, &f->place))
		f->place.count = read_addresses(rest, f->place_at);
}

static void
read_policy(struct facts *f, struct sts_str rest)
{
	sts_put(&f->policy, text_of(f, rest));
	sts_put_char(&f->policy, '\n');
}

static void
read_policy_times(struct facts *f, struct sts_str rest)
{
	int64_t times = number_of(next_word(&rest));

	while (times-- > 0)
		read_policy(f, rest);
}

static void
read_fetch(struct facts *f, struct sts_str rest)
{
	int ede;

	CHECK("a fetch's error", error_of(next_word(&rest), &f->fetched.err, &ede));
	f->fetched.why = text_of(f, rest).p;
	if (f->fetched.err == STS_ERR_FETCH_CONNECT ||
	    f->fetched.err == STS_ERR_FETCH_TLS)
		f->fetched.status = 0;
}

static void
read_status(struct facts *f, struct sts_str rest)
{
	f->fetched.status = (long)number_of(rest);
}

static void
read_type(struct facts *f, struct sts_str rest)
{
	f->fetched.media_type = text_of(f, rest);
}

static void
read_verify(struct facts *f, struct sts_str rest)
{
	f->fetched.tls.verify = (int)number_of(next_word(&rest));
	f->fetched.tls.chain = (unsigned)number_of(rest);
	f->fetched.status = 0;
}

static void
read_expires(struct facts *f, struct sts_str rest)
{
	f->fetched.tls.not_after = NOW + number_of(rest) * DAY;
}

static void
read_connect(struct facts *f, struct sts_str rest)
{
	f->fetched.connect_ms = number_of(rest);
}

static void
read_date(struct facts *f, struct sts_str rest)
{
	f->fetched.date = NOW + number_of(rest);
}

static void
read_from(struct facts *f, struct sts_str rest)
{
	(void)read_addresses(rest, &f->fetched.address);
}

static void
read_stray(struct facts *f, struct sts_str rest)
{
	struct sts_fetched fetched = f->fetched;

	(void)rest;
	fetched.body = STS_STR(
	    "version: STSv1\nmode: testing\nmax_age: 604800\nmx: *.dom.example\n");
	query_report_stray(&f->report, &fetched);
}

static enum query_aside
aside_of(struct sts_str word)
{
	return is_word(word, "tlsrpt") ? QUERY_ASIDE_TLSRPT
	    : is_word(word, "domain")  ? QUERY_ASIDE_DOMAIN
				       : QUERY_ASIDE_RECORD;
}

static void
read_aside(struct facts *f, struct sts_str rest)
{
	struct sts_dns_answer *a = &f->aside[aside_of(next_word(&rest))];

	a->ttl = 300;
	if (!error_of(rest, &a->err, &a->ede)) {
		a->err = STS_OK;
		a->rr[a->count++].data = text_of(f, rest);
	}
}

static void
read_aside_alias(struct facts *f, struct sts_str rest)
{
	struct sts_dns_answer *a = &f->aside[aside_of(next_word(&rest))];

	a->err = STS_ERR_DNS_NODATA;
	a->chain = 1;
	a->final_name = text_of(f, rest);
}

static void
read_daemon(struct facts *f, struct sts_str rest)
{
	static const char *const words[] = { [QUERY_CONTROL_OK] = "ok",
		[QUERY_CONTROL_NONE] = "none",
		[QUERY_CONTROL_OFF] = "off",
		[QUERY_CONTROL_AWAY] = "away",
		[QUERY_CONTROL_DENIED] = "denied",
		[QUERY_CONTROL_VERSION] = "version",
		[QUERY_CONTROL_TROUBLE] = "trouble" };
	struct sts_str word = next_word(&rest);
	int err = 0;

	while (err < QUERY_CONTROL_TROUBLE && !is_word(word, words[err]))
		err++;
	f->known.asked = true;
	f->known.err = (enum query_control_err)err;
	if (err <= QUERY_CONTROL_NONE)
		f->known.version = text_of(f, rest);
	else
		f->known.why = text_of(f, rest);
}

static void
read_cached(struct facts *f, struct sts_str rest)
{
	struct sts_entry *e = &f->cached;
	struct sts_policy policy;
	char *text;

	e->id = next_word(&rest);
	e->fetched = NOW - number_of(next_word(&rest));
	e->max_age = (uint32_t)number_of(next_word(&rest));
	e->record_at = e->mx_at = e->fetched;
	e->record_id = e->id;
	e->record_ede = e->mx_ede = -1;
	text = query_room(&f->keep, rest.n);
	for (size_t i = 0; i < rest.n; i++)
		text[i] = rest.p[i] == '|' ? '\n' : rest.p[i];
	e->policy = (struct sts_str){ text, rest.n };
	if (sts_policy_parse(e->policy, &policy, NULL, NULL) == STS_OK)
		e->mode = policy.mode;
	f->known.entry = e;
	f->known.asked = true;
	f->known.refresh = e->fetched + e->max_age / 2;
}

static void
read_failures(struct facts *f, struct sts_str rest)
{
	int ede;

	f->cached.failures = (uint16_t)number_of(next_word(&rest));
	f->cached.failed_at = f->cached.tried = NOW - number_of(next_word(&rest));
	CHECK("an error", error_of(rest, &f->cached.failed_err, &ede));
	f->known.entry = &f->cached;
	f->known.asked = true;
}

/*
 * Mail servers.
 */
static struct query_smtp *
last_smtp(struct facts *f)
{
	return &f->smtp[f->smtp_count - 1];
}

static void
set_names(struct facts *f, struct query_smtp *s, struct sts_str name)
{
	struct sts_str *names = query_room(&f->keep, sizeof(*names));

	names[0] = text_of(f, name);
	s->names = names;
	s->name_count = 1;
	s->has_dns_names = true;
	s->fits_host = s->fits_match = sts_str_eq(names[0], s->host);
}

static void
read_smtp(struct facts *f, struct sts_str rest)
{
	struct query_smtp *s = &f->smtp[f->smtp_count++];
	struct sts_tls_cert *cert = query_room(&f->keep, sizeof(*cert));

	*cert = (struct sts_tls_cert){ .subject = "CN=server",
		.issuer = "CN=Example CA",
		.not_before = NOW - 30 * DAY,
		.not_after = NOW + 60 * DAY };
	memset(cert->key.sha256, 0xab, sizeof(cert->key.sha256));
	*s = (struct query_smtp){ .host = text_of(f, next_word(&rest)),
		.used = true,
		.stage = STS_SMTP_DONE,
		.code = 221,
		.text = STS_STR("2.0.0 Bye"),
		.banner = STS_STR("mx.dom.example ESMTP"),
		.starttls = true,
		.encrypted = true,
		.session = { "TLSv1.3", "TLS_AES_256_GCM_SHA384", "x25519", false },
		.certs = cert,
		.cert_count = 1,
		.has_pkix = true };
	CHECK("an address", sts_addr_parse(rest, &s->address));
	s->server_name = s->host;
	set_names(f, s, s->host);
	for (size_t i = 0; i < STS_SMTP_STAGES; i++)
		s->ms[i] = 5 * (int64_t)(i + 1);
}

static void
read_smtp_fails(struct facts *f, struct sts_str rest)
{
	static const struct {
		const char *word;
		enum sts_smtp_err err;
	} errors[] = {
		{ "unreachable", STS_SMTP_UNREACHABLE },
		{ "timeout", STS_SMTP_TIMEOUT },
		{ "refused", STS_SMTP_REFUSED },
		{ "no-offer", STS_SMTP_NO_OFFER },
		{ "tls", STS_SMTP_TLS },
	};
	static const char *const stages[] = { [STS_SMTP_CONNECT] = "connect",
		[STS_SMTP_GREETING] = "greeting",
		[STS_SMTP_EHLO] = "ehlo",
		[STS_SMTP_STARTTLS] = "starttls",
		[STS_SMTP_HANDSHAKE] = "handshake" };
	struct query_smtp *s = last_smtp(f);
	struct sts_str word = next_word(&rest);

	for (int i = 0; i <= STS_SMTP_HANDSHAKE; i++)
		if (is_word(word, stages[i]))
			s->stage = (enum sts_smtp_stage)i;
	word = next_word(&rest);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (is_word(word, errors[i].word))
			s->err = errors[i].err;
	s->why = text_of(f, rest);
	s->encrypted = false;
	s->cert_count = 0;
	s->code = s->err == STS_SMTP_REFUSED ? 554 : 250;
	s->text = s->err == STS_SMTP_REFUSED ? STS_STR("5.7.1 No") : STS_STR("ok");
}

static void
read_smtp_certificate(struct facts *f, struct sts_str rest)
{
	static const char *const words[] = { [STS_TLS_PKIX_OK] = "ok",
		[STS_TLS_PKIX_EXPIRED] = "expired",
		[STS_TLS_PKIX_EARLY] = "early",
		[STS_TLS_PKIX_SELF_SIGNED] = "self-signed",
		[STS_TLS_PKIX_UNTRUSTED] = "untrusted",
		[STS_TLS_PKIX_INCOMPLETE] = "incomplete" };

	for (int i = 0; i <= STS_TLS_PKIX_INCOMPLETE; i++)
		if (is_word(rest, words[i]))
			last_smtp(f)->pkix = (enum sts_tls_pkix)i;
	last_smtp(f)->pkix_why = STS_STR("the chain does not hold");
}

static struct sts_tls_cert *
last_certificate(struct facts *f)
{
	struct sts_tls_cert *cert = query_room(&f->keep, sizeof(*cert));

	*cert = last_smtp(f)->certs[0];
	last_smtp(f)->certs = cert;
	return cert;
}

static void
read_smtp_expires(struct facts *f, struct sts_str rest)
{
	last_certificate(f)->not_after = NOW + number_of(rest) * DAY;
}

static void
read_smtp_key(struct facts *f, struct sts_str rest)
{
	struct sts_tls_cert *cert = last_certificate(f);

	memset(&cert->key, (int)number_of(rest), sizeof(cert->key));
	memset(&cert->whole, (int)number_of(rest), sizeof(cert->whole));
}

static void
read_smtp_names(struct facts *f, struct sts_str rest)
{
	set_names(f, last_smtp(f), rest);
}

static void
read_smtp_tlsa(struct facts *f, struct sts_str rest)
{
	struct query_smtp *s = last_smtp(f);

	s->has_tlsa = true;
	s->dane = is_word(rest, "match") ? STS_TLS_DANE_MATCH : STS_TLS_DANE_NO_MATCH;
	s->match = (struct sts_tls_dane_match){ 0, 3, 1, 1 };
	if (s->dane != STS_TLS_DANE_MATCH)
		s->dane_why = STS_STR("no record fits the certificate");
}

static void
read_smtp_bare(struct facts *f, struct sts_str rest)
{
	last_smtp(f)->bare = text_of(f, rest);
}

static void
read_smtp_requiretls(struct facts *f, struct sts_str rest)
{
	(void)rest;
	last_smtp(f)->requiretls = true;
}

static void
read_smtp_outdated(struct facts *f, struct sts_str rest)
{
	(void)rest;
	last_smtp(f)->session =
	    (struct sts_tls_session){ "TLSv1.1", "ECDHE-RSA-AES256-SHA", "", true };
}

static void
read_smtp_guarded(struct facts *f, struct sts_str rest)
{
	(void)rest;
	last_smtp(f)->guarded = true;
	last_smtp(f)->encrypted = false;
	last_smtp(f)->stage = STS_SMTP_CONNECT;
}

static const struct {
	const char *word;
	void (*read)(struct facts *f, struct sts_str rest);
} readers[] = {
	{ "domain", read_domain },
	{ "unicode", read_unicode },
	{ "verbose", read_verbose },
	{ "dane", read_dane },
	{ "override", read_override },
	{ "overloaded", read_overloaded },
	{ "no-ca", read_no_ca },
	{ "trust", read_trust },
	{ "record", read_record },
	{ "mx", read_mx },
	{ "host", read_host },
	{ "alias", read_alias },
	{ "tlsa", read_tlsa },
	{ "policy-host", read_policy_host },
	{ "policy", read_policy },
	{ "policy-times", read_policy_times },
	{ "fetch", read_fetch },
	{ "status", read_status },
	{ "type", read_type },
	{ "verify", read_verify },
	{ "expires", read_expires },
	{ "connect", read_connect },
	{ "date", read_date },
	{ "from", read_from },
	{ "stray", read_stray },
	{ "aside", read_aside },
	{ "aside-alias", read_aside_alias },
	{ "daemon", read_daemon },
	{ "cached", read_cached },
	{ "cached-failures", read_failures },
	{ "smtp", read_smtp },
	{ "smtp-fails", read_smtp_fails },
	{ "smtp-certificate", read_smtp_certificate },
	{ "smtp-expires", read_smtp_expires },
	{ "smtp-key", read_smtp_key },
	{ "smtp-names", read_smtp_names },
	{ "smtp-tlsa", read_smtp_tlsa },
	{ "smtp-bare", read_smtp_bare },
	{ "smtp-requiretls", read_smtp_requiretls },
	{ "smtp-outdated", read_smtp_outdated },
	{ "smtp-guarded", read_smtp_guarded },
};

/*
 * The domain that is in order.
 */
static void
set_out(struct facts *f)
{
	static const struct sts_net documentation[] = { { { { 192, 0, 2, 0 }, false },
							    24 },
		{ { { 0x20, 0x01, 0x0d, 0xb8 }, true }, 32 } };
	static const struct pf_reply_style style = { true, true, 65536 };
	static const struct sts_str record[] = { STS_STR(
	    "v=STSv1; id=20261101T101010;") };
	static const struct sts_str mx[] = { STS_STR("mx1.dom.example"),
		STS_STR("mx2.dom.example") };
	static const uint16_t preferences[] = { 10, 20 };

	memset(f, 0, sizeof(*f));
	f->rules = (struct sts_rules){ .refresh_interval = DAY,
		.may = true,
		.dane = true,
		.believe = true,
		.allow = documentation,
		.allow_count = 2 };
	f->context = (struct query_context){ .rules = &f->rules,
		.style = &style,
		.now = NOW,
		.servers = "127.0.0.1" };
	f->trust = (struct sts_fact){ .ede = -1, .ad = true, .ttl = 300 };
	f->record = (struct sts_fact){ .ede = -1, .ttl = 300, .count = 1 };
	f->mx = (struct sts_fact){ .ede = -1, .ttl = 3600, .count = 2 };
	memcpy(f->records, record, sizeof(record));
	memcpy(f->hosts_named, mx, sizeof(mx));
	memcpy(f->preferences, preferences, sizeof(preferences));
	f->place = (struct sts_fact){ .ede = -1, .ttl = 300, .count = 1 };
	f->place_at[0] = (struct sts_addr){ { 192, 0, 2, 80 }, false };
	f->fetched = (struct sts_fetched){ .why = "",
		.status = 200,
		.media_type = STS_STR("text/plain"),
		.address = f->place_at[0],
		.has_address = true,
		.tls = { .protocol = "TLSv1.3",
		    .issuer = "CN=Example CA",
		    .names = "mta-sts.dom.example",
		    .not_after = NOW + 41 * DAY,
		    .chain = 2 },
		.connect_ms = 10,
		.tls_ms = 25,
		.first_byte_ms = 40,
		.total_ms = 41 };
	for (int i = 0; i < QUERY_ASIDES; i++)
		f->aside[i] =
		    (struct sts_dns_answer){ .err = STS_ERR_DNS_NODATA, .ede = -1 };
	f->known.refresh = INT64_MAX;
	read_domain(f, STS_STR("dom.example"));
	f->report.ms = 214;
}

/* What was left as it is in a domain that is in order. */
static void
fill_in(struct facts *f)
{
	struct sts_dns_answer *rpt = &f->aside[QUERY_ASIDE_TLSRPT];

	f->record.texts = f->records;
	f->mx.texts = f->hosts_named;
	f->mx.preferences = f->preferences;
	f->place.addresses = f->place_at;
	if (rpt->err == STS_ERR_DNS_NODATA && rpt->ttl == 0) {
		rpt->err = STS_OK;
		rpt->ttl = 300;
		rpt->rr[rpt->count++].data =
		    STS_STR("v=TLSRPTv1; rua=mailto:tls@dom.example");
	}
	if (f->policy.n == 0)
		sts_put_text(&f->policy,
		    "version: STSv1\nmode: enforce\nmx: *.dom.example\nmax_age: 604800\n");
	f->known.now = NOW;
}

/*
 * The journey.
 */
static bool
is_usable(struct sts_str rdata)
{
	return sts_tlsa_judge(rdata) == STS_TLSA_USABLE;
}

static void
put_addresses(struct sts_dns_answer *a, const struct host *h, bool v6)
{
	a->err = h->err;
	a->ede = h->ede;
	for (size_t i = 0; h->err == STS_OK && i < h->count; i++)
		if (h->addresses[i].v6 == v6)
			a->rr[a->count++].data =
			    (struct sts_str){ (const char *)h->addresses[i].bytes,
				    v6 ? 16 : 4 };
	if (a->err == STS_OK && a->count == 0)
		a->err = STS_ERR_DNS_NODATA;
}

static void
put_tlsa(struct sts_dns_answer *a, const struct host *h)
{
	a->err = h->tlsa_err;
	a->ede = h->tlsa_ede;
	a->ad = !h->tlsa_unsigned;
	for (size_t i = 0; i < h->tlsa_count; i++)
		a->rr[a->count++].data = h->tlsa[i];
	if (a->err == STS_OK && a->count == 0)
		a->err = STS_ERR_DNS_NODATA;
}

static void
answer_question(struct facts *f, struct sts_lookup *l, const struct sts_dane_question *q)
{
	static struct sts_dns_answer a;
	const struct host *h = host_of(f, l->dane.hosts[q->host].name);
	struct sts_dane_fact fact;

	a = (struct sts_dns_answer){ .ede = -1, .ad = !h->is_unsigned };
	switch (q->step) {
	case STS_DANE_A:
	case STS_DANE_AAAA:
		put_addresses(&a, h, q->step == STS_DANE_AAAA);
		break;
	case STS_DANE_TLSA:
		put_tlsa(&a, h);
		break;
	case STS_DANE_ALIAS:
	case STS_DANE_TLSA_OWN:
	case STS_DANE_STEPS:
		a.err = STS_ERR_DNS_NODATA;
		break;
	}
	fact = (struct sts_dane_fact){ .err = a.err,
		.ede = (int16_t)a.ede,
		.ttl = 300,
		.ad = a.ad };
	for (size_t i = 0; q->type == STS_DNS_TLSA && i < a.count; i++)
		fact.usable |= is_usable(a.rr[i].data);
	sts_dane_tell(&l->dane, q->host, q->step, &fact,
	    h->target.n > 0 ? h->target : l->dane.hosts[q->host].name);
	query_report_host(&f->report, &l->dane, q->host, q->step, &a, is_usable);
}

static void
answer_questions(struct facts *f, struct sts_lookup *l)
{
	struct sts_dane_question q;

	while (sts_dane_ask(&l->dane, &q))
		answer_question(f, l, &q);
}

static struct sts_fact
fetch(struct facts *f)
{
	struct sts_fetched *fetched = &f->fetched;
	struct sts_fact fact = { .err = fetched->err, .ede = -1 };

	if (fetched->err == STS_OK)
		fact.body = fetched->body = sts_buf_str(&f->policy);
	query_report_fetched(&f->report, fetched);
	return fact;
}

static void
answer_need(struct facts *f, struct sts_lookup *l, enum sts_need need)
{
	struct sts_fact fact = { .ede = -1 };

	switch (need) {
	case STS_NEED_RECORD:
		fact = f->record;
		break;
	case STS_NEED_MX:
		fact = f->mx;
		break;
	case STS_NEED_HOST:
		fact = f->place;
		break;
	case STS_NEED_POLICY:
		fact = fetch(f);
		break;
	case STS_NEED_TRUST:
	case STS_NEED_TRUST_NOW:
		fact = f->trust;
		break;
	case STS_NEED_HOSTS:
		answer_questions(f, l);
		return;
	case STS_NEED_STORED:
		break;
	}
	sts_lookup_tell(l, need, &fact, NOW);
	query_report_fact(&f->report, need, &fact, 3);
}

static void
travel(struct facts *f)
{
	static struct sts_lookup l;
	struct query_report *r = &f->report;
	unsigned needs;

	sts_lookup_start(&l, (struct sts_str){ r->key.domain, r->key.domain_n }, NULL,
	    STS_START_FRESH, &f->rules);
	l.target = (struct sts_target){ r->key.brackets, r->key.port };
	while ((needs = sts_lookup_run(&l, NOW)) != 0)
		for (int i = 0; i < STS_NEEDS; i++)
			if ((needs & 1u << i) != 0)
				answer_need(f, &l, (enum sts_need)(1 << i));
	query_report_look(r, &l.dane);
	query_report_conclude(r, STS_OK, STS_HOPE_DONE, &l.entry, &f->context);
}

static void
make_report(struct facts *f)
{
	struct query_report *r = &f->report;

	fill_in(f);
	for (int i = 0; i < QUERY_ASIDES; i++)
		query_report_aside(r, (enum query_aside)i, &f->aside[i], 2);
	if (f->known.asked)
		query_report_known(r, &f->known);
	if (r->is_domain && f->journey == STS_OK)
		travel(f);
	else
		query_report_conclude(r, f->journey, STS_HOPE_AWAY, NULL, &f->context);
	if (f->smtp_count > 0)
		query_report_smtp(r, f->smtp, f->smtp_count, &f->context);
}

/*
 * Files.
 */
static bool
read_file(const char *name, struct sts_buf *to)
{
	char bytes[4096];
	FILE *from = fopen(name, "r");
	size_t n;

	if (from == NULL)
		return false;
	while ((n = fread(bytes, 1, sizeof(bytes), from)) > 0)
		sts_put(to, (struct sts_str){ bytes, n });
	fclose(from);
	return true;
}

static void
write_file(const char *name, struct sts_str text)
{
	FILE *to = fopen(name, "w");

	CHECK(name, to != NULL);
	if (to == NULL)
		return;
	CHECK(name, fwrite(text.p, 1, text.n, to) == text.n);
	CHECK(name, fclose(to) == 0);
}

/* Our version is no part of what is said of a domain. */
static struct sts_str
without_version(const struct sts_buf *text, struct sts_buf *to)
{
	static const struct sts_str version = STS_STR("\"" STSD_VERSION "\"");
	struct sts_str rest = sts_buf_str(text);

	while (rest.n > 0) {
		if (sts_str_starts(rest, version)) {
			sts_put_text(to, "\"VERSION\"");
			rest = sts_str_from(rest, version.n);
		} else {
			sts_put_char(to, rest.p[0]);
			rest = sts_str_from(rest, 1);
		}
	}
	return sts_buf_str(to);
}

static void
hold_against(const char *name, const struct sts_buf *text)
{
	struct sts_buf wanted = { 0 }, plain = { 0 };
	struct sts_str got = without_version(text, &plain);
	const char *golden = getenv("GOLDEN");
	bool same;

	if (golden != NULL && strcmp(golden, "write") == 0) {
		write_file(name, got);
	} else {
		same = read_file(name, &wanted) && sts_str_eq(sts_buf_str(&wanted), got);
		CHECK(name, same);
		if (!same)
			fprintf(stderr, "%.*s", (int)got.n, got.p);
	}
	sts_buf_done(&wanted);
	sts_buf_done(&plain);
}

static void
read_facts(const char *name, struct facts *f, struct sts_str text)
{
	struct sts_str line, word;
	size_t i;

	while (sts_policy_line(&text, &line)) {
		if (line.n == 0 || line.p[0] == '#')
			continue;
		word = next_word(&line);
		for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
			if (is_word(word, readers[i].word)) {
				readers[i].read(f, line);
				break;
			}
		CHECK(name, i < sizeof(readers) / sizeof(readers[0]));
	}
}

static bool
says(const struct query_report *r, const char *id)
{
	for (size_t i = 0; i < r->findings.count; i++)
		if (strcmp(r->findings.list[i].id, id) == 0)
			return true;
	return false;
}

static void
name_file(char *name, size_t size, const char *id, const char *ending)
{
	(void)snprintf(name, size, FOLDER "%s.%s", id, ending);
}

static void
check_report(const char *id, struct facts *f)
{
	struct query_look look = { .verbose = f->context.verbose };
	struct sts_buf text = { 0 };
	char name[64];

	CHECK(id, says(&f->report, id));
	query_text_report(&text, &f->report, &look);
	name_file(name, sizeof(name), id, "txt");
	hold_against(name, &text);
	sts_buf_clear(&text);
	query_json_report(&text, &f->report);
	name_file(name, sizeof(name), id, "json");
	hold_against(name, &text);
	sts_buf_done(&text);
}

static void
check_manual(const char *id)
{
	static struct sts_buf manual;
	char line[32];
	bool has_line;

	if (manual.n == 0)
		CHECK(MANUAL, read_file(MANUAL, &manual));
	(void)snprintf(line, sizeof(line), "\n.It %s\n", id);
	has_line = manual.n > 0 && memmem(manual.p, manual.n, line, strlen(line)) != NULL;
	CHECK(id, has_line);
}

static void
check(const struct query_finding *row)
{
	static struct facts f;
	struct sts_buf text = { 0 };
	char name[64];
	bool has_facts;

	CHECK(row->id, row->severity == QUERY_INFO || row->fix != NULL);
	check_manual(row->id);
	name_file(name, sizeof(name), row->id, "facts");
	has_facts = read_file(name, &text);
	CHECK(name, has_facts);
	if (has_facts) {
		set_out(&f);
		read_facts(name, &f, sts_buf_str(&text));
		make_report(&f);
		check_report(row->id, &f);
		query_report_done(&f.report);
		query_keep_done(&f.keep);
		sts_buf_done(&f.policy);
	}
	sts_buf_done(&text);
}

/* Several notes about policies may have one id; a report shows whichever it is. */
static bool
is_first(enum sts_policy_note note)
{
	for (int i = 0; i < (int)note; i++)
		if (strcmp(sts_policy_note_id((enum sts_policy_note)i),
			sts_policy_note_id(note)) == 0)
			return false;
	return true;
}

/* What lies there, and is named as if, belongs to an id. */
static bool
is_id(const char *name)
{
	size_t n = strcspn(name, ".");

	if (name[0] < 'A' || name[0] > 'Z')
		return true;
	for (int i = 0; i < QUERY_IDS; i++)
		if (strncmp(query_id_text((enum query_id)i), name, n) == 0)
			return true;
	for (int i = 0; i < STS_NOTES; i++)
		if (strncmp(sts_policy_note_id((enum sts_policy_note)i), name, n) == 0)
			return true;
	return false;
}

static void
check_folder(void)
{
	DIR *folder = opendir(FOLDER);
	const struct dirent *entry;

	CHECK(FOLDER, folder != NULL);
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		CHECK(entry->d_name, is_id(entry->d_name));
	if (folder != NULL)
		closedir(folder);
}

int
main(void)
{
	struct query_finding row;

	for (int i = 0; i < QUERY_IDS; i++) {
		row = query_row((enum query_id)i);
		check(&row);
	}
	for (int i = 0; i < STS_NOTES; i++) {
		row = query_note_row((enum sts_policy_note)i);
		CHECK(row.id, row.severity == QUERY_INFO || row.fix != NULL);
		if (is_first((enum sts_policy_note)i))
			check(&row);
	}
	check_folder();
	return test_failed;
}
