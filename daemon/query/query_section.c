/* SPDX-License-Identifier: MIT */
#include "query_section.h"

#include <string.h>

#include "query_dane.h"
#include "query_dns.h"
#include "query_judge.h"

#define SECTION_WIDTH 11
#define LABEL_WIDTH 15
/* A policy of more lines is shown with -v only. */
#define FEW_LINES 20

void
query_put_gap(struct sts_buf *to, size_t written, size_t width)
{
	sts_put_text(to, "  ");
	for (size_t n = written + 2; n < width; n++)
		sts_put_char(to, ' ');
}

void
query_put_section(struct sts_buf *to, const char *name)
{
	sts_put_text(to, name);
	query_put_gap(to, strlen(name), SECTION_WIDTH);
}

void
query_put_label(struct sts_buf *to, const char *name)
{
	sts_put_text(to, "  ");
	sts_put_text(to, name);
	query_put_gap(to, strlen(name), LABEL_WIDTH);
}

static void
put_ms(struct sts_buf *to, const struct query_look *look, int64_t ms)
{
	if (!look->verbose || ms < 0)
		return;
	sts_put_text(to, "  ");
	sts_put_number(to, (uint64_t)ms);
	sts_put_text(to, " ms");
}

static void
put_ttl(struct sts_buf *to, uint32_t ttl)
{
	sts_put_text(to, "  ttl ");
	sts_put_number(to, ttl);
}

static void
put_list(struct sts_buf *to, const struct sts_addr *addresses, size_t count)
{
	char text[STS_ADDR_TEXT];

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			sts_put_char(to, ' ');
		sts_put(to, (struct sts_str){ text, sts_addr_text(&addresses[i], text) });
	}
}

/*
 * DNS: the server, the record, the MX, TLSRPT.
 */
static void
put_trust(struct sts_buf *to, const struct query_report *r)
{
	if (r->trust_err != STS_OK) {
		sts_put_text(to, "self-test failed: ");
		query_put_dns(to, r->trust_err, r->trust_ede);
		return;
	}
	sts_put_text(to, r->trust_ad ? "validates DNSSEC" : "does not validate DNSSEC");
	if (r->trust_ad && !r->believes)
		sts_put_text(to, ", and is not believed");
	if (r->culprit.n == 0 || sts_str_eq(r->culprit, sts_str_of(r->servers)))
		return;
	sts_put_text(to, "  (");
	sts_put_escaped(to, r->culprit);
	sts_put_text(to, r->trust_ad ? " did not answer)" : ")");
}

static void
put_server(struct sts_buf *to, const struct query_report *r)
{
	query_put_section(to, "DNS");
	sts_put_text(to, r->servers);
	if (r->has_trust_fact) {
		sts_put_text(to, "  ");
		put_trust(to, r);
	}
	sts_put_char(to, '\n');
}

/* Each on a line of its own. */
static void
put_texts(struct sts_buf *to, const struct sts_str *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			sts_put_char(to, '\n');
			query_put_label(to, "");
		}
		sts_put_escaped(to, texts[i]);
	}
}

static void
put_record(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (!r->has_record_fact)
		return;
	query_put_label(to, "_mta-sts");
	if (r->record_err != STS_OK)
		query_put_dns(to, r->record_err, r->record_ede);
	put_texts(to, r->texts, r->text_count);
	put_ttl(to, r->record_ttl);
	put_ms(to, look, r->record_ms);
	sts_put_char(to, '\n');
}

static void
put_host(struct sts_buf *to, const struct query_report *r, const struct query_mx *mx)
{
	const struct sts_policy *policy = query_policy_in_force(r);

	if (!r->key.brackets && !r->mx_implicit) {
		sts_put_number(to, mx->preference);
		sts_put_char(to, ' ');
	}
	sts_put_escaped(to, mx->host);
	if (policy == NULL || policy->mode == STS_MODE_NONE)
		return;
	if (!mx->allowed) {
		sts_put_text(to, "  NOT in the policy");
		return;
	}
	sts_put_text(to, "  allowed by \"mx: ");
	sts_put_escaped(to, mx->pattern);
	sts_put_char(to, '"');
}

static void
put_mx(struct sts_buf *to, const struct query_report *r, const struct query_look *look)
{
	if (!r->has_mx_fact && r->mx_count == 0)
		return;
	query_put_label(to, r->key.brackets ? "host" : "MX");
	if (r->mx_err != STS_OK) {
		query_put_dns(to, r->mx_err, r->mx_ede);
		sts_put_text(to, r->mx_count > 0 ? ": the domain itself, " : "");
	}
	if (r->mx_null)
		sts_put_text(to, "null MX ");
	for (size_t i = 0; i < r->mx_count; i++) {
		if (i > 0) {
			sts_put_char(to, '\n');
			query_put_label(to, "");
		}
		put_host(to, r, &r->mx[i]);
	}
	put_ms(to, look, r->mx_ms);
	sts_put_char(to, '\n');
}

static void
put_rpt(struct sts_buf *to, const struct query_report *r, const struct query_look *look)
{
	const struct query_said *said = &r->aside[QUERY_ASIDE_TLSRPT];

	if (!said->known)
		return;
	query_put_label(to, "_smtp._tls");
	if (said->err != STS_OK)
		query_put_dns(to, said->err, said->ede);
	put_texts(to, said->texts, said->count);
	put_ttl(to, said->ttl);
	put_ms(to, look, said->ms);
	sts_put_char(to, '\n');
}

void
query_section_dns(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (!r->is_domain || r->servers == NULL)
		return;
	put_server(to, r);
	put_record(to, r, look);
	put_mx(to, r, look);
	put_rpt(to, r, look);
}

/*
 * The policy: where from, over what, line by line.
 */
static void
put_response(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_fetched *f = &r->fetch;
	char text[STS_ADDR_TEXT];

	if (f->has_address) {
		sts_put_text(to, "  ");
		sts_put(to, (struct sts_str){ text, sts_addr_text(&f->address, text) });
	}
	if (f->status > 0) {
		sts_put_text(to, "  HTTP ");
		sts_put_number(to, (unsigned long)f->status);
		sts_put_text(to, "  ");
		sts_put_escaped(to, f->media_type);
	}
	if (r->body.p != NULL) {
		sts_put_text(to, "  ");
		sts_put_number(to, r->body.n);
		sts_put_text(to, " bytes");
	}
	if (f->err != STS_OK) {
		sts_put_text(to, "  ");
		sts_put_text(to, sts_err_text(f->err));
	}
}

static void
put_fetch(struct sts_buf *to, const struct query_report *r, const struct query_look *look)
{
	query_put_section(to, "Policy");
	sts_put_text(to, "https://mta-sts.");
	sts_put(to, (struct sts_str){ r->key.domain, r->key.domain_n });
	sts_put_text(to, "/.well-known/mta-sts.txt");
	if (r->has_fetch) {
		put_response(to, r);
		put_ms(to, look, r->fetch.total_ms);
	}
	sts_put_char(to, '\n');
}

static void
put_addresses(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	query_put_label(to, "addresses");
	if (r->host_err != STS_OK)
		query_put_dns(to, r->host_err, r->host_ede);
	put_list(to, r->addresses, r->address_count);
	put_ms(to, look, r->host_ms);
	sts_put_char(to, '\n');
}

/* Names and issuer are escaped already (tls.h). */
static void
put_certificate(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_tls_report *tls = &r->fetch.tls;

	if (!r->has_fetch || tls->not_after == 0)
		return;
	query_put_label(to, "certificate");
	sts_put_text(to, tls->names);
	sts_put_text(to, "  of ");
	sts_put_text(to, tls->issuer);
	if (tls->not_after > r->started) {
		sts_put_text(to, "  expires in ");
		query_put_span(to, tls->not_after - r->started);
	} else {
		sts_put_text(to, "  EXPIRED ");
		query_put_time(to, tls->not_after);
	}
	sts_put_text(to, "  ");
	sts_put_text(to, tls->protocol);
	sts_put_char(to, '\n');
}

static size_t
lines_of(struct sts_str text)
{
	struct sts_str line;
	size_t n = 0;

	while (sts_policy_line(&text, &line))
		n++;
	return n;
}

/* Numbered from 1, as the findings count. */
static void
put_lines(struct sts_buf *to, struct sts_str text, const struct query_look *look)
{
	struct sts_str line;

	if (!look->verbose && lines_of(text) > FEW_LINES)
		return;
	for (size_t n = 1; sts_policy_line(&text, &line); n++) {
		sts_put_text(to, n < 10 ? "    " : n < 100 ? "   " : "  ");
		sts_put_number(to, n);
		sts_put_text(to, "  ");
		sts_put_escaped(to, line);
		sts_put_char(to, '\n');
	}
}

void
query_section_policy(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (!r->has_host_fact)
		return;
	put_fetch(to, r, look);
	put_addresses(to, r, look);
	put_certificate(to, r);
	if (r->body.p == NULL)
		return;
	query_put_label(to, "says");
	if (r->has_policy) {
		sts_put_text(to, sts_mode_text(r->policy.mode));
		sts_put_text(to, ", for ");
		query_put_span(to, r->policy.max_age);
		sts_put_char(to, '\n');
	} else {
		sts_put_text(to, "nothing: it is invalid\n");
	}
	put_lines(to, r->body, look);
}

/*
 * DANE: what follows, then what of it is seen at the MX and at each of its hosts.
 */

/* How many there are, then each: "2 TLSA: 3 1 1, 2 0 0 (unusable)". */
static void
put_records(struct sts_buf *to, const struct query_host *h, const struct query_look *look)
{
	sts_put_number(to, h->tlsa_count);
	sts_put_text(to, " TLSA: ");
	for (size_t i = 0; i < h->tlsa_count; i++) {
		sts_put_text(to, i > 0 ? ", " : "");
		query_put_tlsa(to, h->tlsa[i].rdata);
		if (look->verbose) {
			sts_put_char(to, ' ');
			query_put_tlsa_data(to, h->tlsa[i].rdata);
		}
		if (!h->tlsa[i].usable)
			sts_put_text(to, " (unusable)");
	}
}

static void
put_tlsa(struct sts_buf *to, const struct query_host *h, const struct query_look *look)
{
	const struct sts_dane_fact *failed = query_failed_tlsa(h);

	switch (query_tlsa_status(h)) {
	case QUERY_TLSA_USABLE:
	case QUERY_TLSA_UNUSABLE:
		sts_put_text(to, "  ");
		put_records(to, h, look);
		break;
	case QUERY_TLSA_UNSIGNED:
		sts_put_text(to, "  unsigned, ignored: ");
		put_records(to, h, look);
		break;
	case QUERY_TLSA_FAILED:
		sts_put_text(to, "  TLSA ");
		query_put_dns(to, failed->err, failed->ede);
		break;
	case QUERY_TLSA_ABSENT:
		sts_put_text(to, "  no TLSA");
		break;
	case QUERY_TLSA_NOT_QUERIED:
		break;
	}
}

static void
put_mx_host(struct sts_buf *to, const struct query_report *r, const struct query_host *h,
    const struct query_look *look)
{
	const struct sts_dane_fact *failed = query_failed_address(h);

	sts_put_text(to, "  ");
	sts_put_escaped(to, h->name);
	if (!sts_str_eq(h->name, h->final)) {
		sts_put_text(to, " -> ");
		sts_put_escaped(to, h->final);
	}
	sts_put_text(to, "  ");
	put_list(to, h->addresses, h->address_count);
	if (h->address_count > 0)
		sts_put_text(to, "  ");
	if (failed != NULL) {
		query_put_dns(to, failed->err, failed->ede);
		sts_put_text(to, h->state == STS_HOST_LEFT_OUT ? ", left out" : "");
	} else {
		sts_put_text(to, h->address_count == 0 ? "no address, " : "");
		sts_put_text(to, query_dnssec_text(query_dnssec_of_host(r, h)));
	}
	put_tlsa(to, h, look);
	sts_put_char(to, '\n');
}

void
query_section_dane(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (r->dane.state == STS_DANE_NONE)
		return;
	query_put_section(to, "DANE");
	sts_put_text(to, sts_dane_text(r->dane.state));
	sts_put_text(to, ": ");
	query_put_dane_reason(to, r);
	if (!r->does_dane)
		sts_put_text(to, "; it does not come first here (setting dane)");
	sts_put_char(to, '\n');
	if (r->host_count > 0 && !r->key.brackets) {
		sts_put_text(to, "  MX records  ");
		sts_put_text(to, query_dnssec_text(query_dnssec_of_mx(r)));
		sts_put_char(to, '\n');
	}
	for (size_t i = 0; i < r->host_count; i++)
		put_mx_host(to, r, &r->hosts[i], look);
}

/*
 * The mail servers that --smtp looked at.
 */
static void
put_session(struct sts_buf *to, const struct query_smtp *s)
{
	sts_put_text(to, "  ");
	sts_put_text(to, s->session.protocol);
	sts_put_char(to, ' ');
	sts_put_text(to, s->session.cipher);
	sts_put_text(to, "  certificate ");
	sts_put_text(to, query_smtp_pkix(s));
	if (!s->has_tlsa)
		return;
	sts_put_text(to, "  TLSA ");
	sts_put_text(to, query_smtp_dane(s));
}

static void
put_probe(struct sts_buf *to, const struct query_report *r, const struct query_smtp *s,
    const struct query_look *look)
{
	enum query_smtp_level level =
	    query_smtp_level_of(r->reply, r->verdict == QUERY_TESTING);
	struct sts_buf object = { 0 };

	query_smtp_put_object(&object, s);
	sts_put_text(to, "  ");
	sts_put_escaped(to, sts_buf_str(&object));
	to->bad |= object.bad;
	sts_buf_done(&object);
	sts_put_text(to, "  ");
	sts_put_text(to,
	    s->guarded				 ? "not asked"
		: query_smtp_is_fine(s, level)	 ? "good"
		: s->err == STS_SMTP_UNREACHABLE ? "unreachable"
						 : "NOT good enough");
	if (!s->used)
		sts_put_text(to, ", not used");
	if (s->encrypted)
		put_session(to, s);
	else if (s->why.n > 0) {
		sts_put_text(to, "  ");
		sts_put_escaped(to, s->why);
	}
	put_ms(to, look, s->ms[STS_SMTP_DONE]);
	sts_put_char(to, '\n');
}

void
query_section_smtp(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (r->smtp_count == 0)
		return;
	sts_put_text(to, "SMTP\n");
	for (size_t i = 0; i < r->smtp_count; i++)
		put_probe(to, r, &r->smtp[i], look);
}

/*
 * The cache.
 */
static void
put_age(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;
	int64_t left = sts_entry_expires(e) - r->known.now;

	sts_put_text(to, "id ");
	sts_put_escaped(to, e->id);
	sts_put_text(to, ", ");
	sts_put_text(to, sts_mode_text(e->mode));
	sts_put_text(to, ", fetched ");
	query_put_span(to, r->known.now - e->fetched);
	sts_put_text(to, left > 0 ? " ago, expires in " : " ago, EXPIRED ");
	query_put_span(to, left > 0 ? left : -left);
	sts_put_text(to, left > 0 ? "\n" : " ago\n");
}

static void
put_last(struct sts_buf *to, const struct sts_entry *e)
{
	sts_put_text(to, "last fetch ");
	if (e->failures == 0) {
		sts_put_text(to, "ok");
		return;
	}
	sts_put_text(to, "failed");
	if (e->failures > 1) {
		sts_put_text(to, " (");
		sts_put_number(to, e->failures);
		sts_put_text(to, " in a row)");
	}
	sts_put_text(to, ": ");
	sts_put_text(to, sts_err_text(e->failed_err));
}

static void
put_next(struct sts_buf *to, const struct query_report *r)
{
	const struct query_known *k = &r->known;

	query_put_label(to, "next check");
	if (k->refresh == 0 || k->refresh == INT64_MAX) {
		sts_put_text(to, "when asked");
	} else {
		sts_put_text(to, "in ");
		query_put_span(to, k->refresh - k->now);
	}
	sts_put_text(to, ", ");
	put_last(to, k->entry);
	sts_put_char(to, '\n');
}

void
query_section_cache(struct sts_buf *to, const struct query_report *r)
{
	const struct query_known *k = &r->known;

	if (!k->asked || (k->entry == NULL && k->err != QUERY_CONTROL_NONE))
		return;
	query_put_section(to, "Cache");
	if (k->entry == NULL) {
		sts_put_text(to, "nothing of this domain\n");
		return;
	}
	if (k->entry->fetched == 0)
		sts_put_text(to, "no policy\n");
	else
		put_age(to, r);
	if (k->entry->fetched != 0 || k->entry->failures > 0)
		put_next(to, r);
}
