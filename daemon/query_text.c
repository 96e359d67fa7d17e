/* SPDX-License-Identifier: MIT */
#include "query_text.h"

#include <string.h>

#include "log.h"
#include "query_dane.h"
#include "query_dns.h"
#include "query_try.h"

/* Steps stand in two columns; a policy of more lines is shown with -v only. */
#define LABEL_WIDTH 16
#define FEW_LINES 20

#define BOLD "1"
#define RED "1;31"
#define YELLOW "1;33"
#define GREEN "1;32"

static void
put_colored(struct sts_buf *to, const struct query_look *look, const char *color,
    const char *text)
{
	if (look->color) {
		sts_put_text(to, "\033[");
		sts_put_text(to, color);
		sts_put_char(to, 'm');
	}
	sts_put_text(to, text);
	if (look->color)
		sts_put_text(to, "\033[0m");
}

static void
label(struct sts_buf *to, const char *text)
{
	sts_put_text(to, "  ");
	sts_put_text(to, text);
	for (size_t n = strlen(text); n < LABEL_WIDTH; n++)
		sts_put_char(to, ' ');
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

/*
 * The steps.
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
put_resolver(struct sts_buf *to, const struct query_report *r)
{
	if (!r->has_trust_fact)
		return;
	label(to, "resolver");
	sts_put_text(to, r->servers);
	sts_put_text(to, "  ");
	put_trust(to, r);
	sts_put_char(to, '\n');
}

static void
put_record(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (!r->has_record_fact)
		return;
	label(to, "_mta-sts TXT");
	if (r->record_err != STS_OK)
		query_put_dns(to, r->record_err, r->record_ede);
	for (size_t i = 0; i < r->text_count; i++) {
		if (i > 0) {
			sts_put_char(to, '\n');
			label(to, "");
		}
		sts_put_escaped(to, r->texts[i]);
	}
	put_ttl(to, r->record_ttl);
	put_ms(to, look, r->record_ms);
	sts_put_char(to, '\n');
}

static void
put_host(struct sts_buf *to, const struct query_report *r, const struct query_mx *mx)
{
	if (!r->key.brackets && !r->mx_implicit) {
		sts_put_number(to, mx->preference);
		sts_put_char(to, ' ');
	}
	sts_put_escaped(to, mx->host);
	if (!r->has_policy || r->policy.mode == STS_MODE_NONE)
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
	label(to, r->key.brackets ? "host" : "MX");
	if (r->mx_err != STS_OK) {
		query_put_dns(to, r->mx_err, r->mx_ede);
		sts_put_text(to, r->mx_count > 0 ? ": the domain itself, " : "");
	}
	if (r->mx_null)
		sts_put_text(to, "null MX ");
	for (size_t i = 0; i < r->mx_count; i++) {
		if (i > 0) {
			sts_put_char(to, '\n');
			label(to, "");
		}
		put_host(to, r, &r->mx[i]);
	}
	put_ms(to, look, r->mx_ms);
	sts_put_char(to, '\n');
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

static void
put_addresses(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (!r->has_host_fact)
		return;
	label(to, "policy host");
	sts_put_text(to, "mta-sts.");
	sts_put(to, (struct sts_str){ r->key.domain, r->key.domain_n });
	sts_put_text(to, "  ");
	if (r->host_err != STS_OK)
		query_put_dns(to, r->host_err, r->host_ede);
	put_list(to, r->addresses, r->address_count);
	put_ms(to, look, r->host_ms);
	sts_put_char(to, '\n');
}

static void
put_response(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_fetched *f = &r->fetch;

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
	const struct sts_fetched *f = &r->fetch;
	char text[STS_ADDR_TEXT];

	if (!r->has_fetch)
		return;
	label(to, "HTTPS");
	if (f->has_address)
		sts_put(to, (struct sts_str){ text, sts_addr_text(&f->address, text) });
	put_response(to, r);
	put_ms(to, look, f->total_ms);
	sts_put_char(to, '\n');
}

static void
put_certificate(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_tls_report *tls = &r->fetch.tls;
	char when[LOG_TIME_TEXT];

	if (!r->has_fetch || tls->not_after == 0)
		return;
	log_time_text(tls->not_after, when);
	label(to, "certificate");
	sts_put_text(to, tls->names);
	sts_put_text(to, "  until ");
	sts_put_text(to, when);
	sts_put_text(to, "  of ");
	sts_put_text(to, tls->issuer);
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
put_lines(struct sts_buf *to, struct sts_str text)
{
	struct sts_str line;

	for (size_t n = 1; sts_policy_line(&text, &line); n++) {
		sts_put_text(to, n < 10 ? "     " : n < 100 ? "    " : "  ");
		sts_put_number(to, n);
		sts_put_text(to, "  ");
		sts_put_escaped(to, line);
		sts_put_char(to, '\n');
	}
}

static void
put_policy(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	if (r->body.p == NULL)
		return;
	label(to, "policy");
	if (r->has_policy) {
		sts_put_text(to, sts_mode_text(r->policy.mode));
		sts_put_text(to, ", for ");
		sts_put_number(to, r->policy.max_age);
		sts_put_text(to, " seconds\n");
	} else {
		sts_put_text(to, "invalid\n");
	}
	if (look->verbose || lines_of(r->body) <= FEW_LINES)
		put_lines(to, r->body);
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

	label(to, "");
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

static void
put_dane(struct sts_buf *to, const struct query_report *r, const struct query_look *look)
{
	if (r->dane.state == STS_DANE_NONE)
		return;
	label(to, "DANE");
	sts_put_text(to, sts_dane_text(r->dane.state));
	sts_put_text(to, ": ");
	query_put_dane_reason(to, r);
	if (!r->does_dane)
		sts_put_text(to, "; it does not come first here (setting dane)");
	sts_put_char(to, '\n');
	if (r->host_count > 0 && !r->key.brackets) {
		label(to, "");
		sts_put_text(to, "MX  ");
		sts_put_text(to, query_dnssec_text(query_dnssec_of_mx(r)));
		sts_put_char(to, '\n');
	}
	for (size_t i = 0; i < r->host_count; i++)
		put_mx_host(to, r, &r->hosts[i], look);
}

/*
 * Findings.
 */
static void
put_fix(struct sts_buf *to, const struct query_finding *f, const char *indent)
{
	if (f->fix == NULL)
		return;
	sts_put_text(to, indent);
	sts_put_text(to, "        fix (");
	sts_put_text(to, query_audience_text(f->audience));
	sts_put_text(to, "): ");
	sts_put_text(to, f->fix);
	sts_put_char(to, '\n');
}

static void
put_finding(struct sts_buf *to, const struct query_finding *f, const char *indent,
    const struct query_look *look)
{
	static const char *const colors
	    [] = { [QUERY_INFO] = BOLD, [QUERY_WARNING] = YELLOW, [QUERY_ERROR] = RED };

	sts_put_text(to, indent);
	put_colored(to, look, colors[f->severity], query_severity_text(f->severity));
	sts_put_char(to, ' ');
	sts_put_text(to, f->id);
	sts_put_text(to, "  ");
	if (f->line > 0) {
		sts_put_text(to, "line ");
		sts_put_number(to, f->line);
		sts_put_text(to, ": ");
	}
	sts_put_text(to, f->text);
	if (f->at > 0) {
		sts_put_text(to, " at character ");
		sts_put_number(to, f->at);
	}
	if (f->detail.n > 0) {
		sts_put_text(to, ": ");
		sts_put_escaped(to, f->detail);
	}
	if (f->object.n > 0) {
		sts_put_text(to, " [");
		sts_put_escaped(to, f->object);
		sts_put_char(to, ']');
	}
	sts_put_char(to, '\n');
	put_fix(to, f, indent);
}

void
query_text_findings(struct sts_buf *to, const struct query_findings *findings,
    const char *indent, const struct query_look *look)
{
	for (size_t i = 0; i < findings->count; i++)
		put_finding(to, &findings->list[i], indent, look);
}

static void
put_count(struct sts_buf *to, size_t n, const char *one, const char *many)
{
	if (n == 0)
		return;
	sts_put_text(to, "  ");
	sts_put_number(to, n);
	sts_put_char(to, ' ');
	sts_put_text(to, n == 1 ? one : many);
}

static void
put_verdict(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	static const char *const colors[] = { [QUERY_DANE] = GREEN,
		[QUERY_ENFORCE] = GREEN,
		[QUERY_TESTING] = YELLOW,
		[QUERY_NONE] = BOLD,
		[QUERY_DEFERRED] = RED,
		[QUERY_UNKNOWN] = YELLOW };

	sts_put_escaped(to, r->queried);
	sts_put_text(to, "  ");
	put_colored(to, look, colors[r->verdict], query_summary(r));
	put_count(to, query_count(&r->findings, QUERY_ERROR), "error", "errors");
	put_count(to, query_count(&r->findings, QUERY_WARNING), "warning", "warnings");
	put_ms(to, look, r->ms);
	sts_put_char(to, '\n');
}

static void
put_end(struct sts_buf *to, const struct query_report *r)
{
	struct sts_buf command = { 0 };

	label(to, "Postfix is told");
	sts_put_escaped(to, r->reply);
	sts_put_char(to, '\n');
	if (!sts_str_eq(r->reply, r->reply_tlsrpt)) {
		label(to, "with TLSRPT");
		sts_put_escaped(to, r->reply_tlsrpt);
		sts_put_char(to, '\n');
	}
	query_put_try(&command, r);
	if (command.n > 0) {
		label(to, "try");
		sts_put(to, sts_buf_str(&command));
		sts_put_char(to, '\n');
	}
	to->bad |= command.bad;
	sts_buf_done(&command);
}

void
query_text_report(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	put_verdict(to, r, look);
	if (look->quiet)
		return;
	put_resolver(to, r);
	put_record(to, r, look);
	put_mx(to, r, look);
	put_addresses(to, r, look);
	put_fetch(to, r, look);
	put_certificate(to, r);
	put_policy(to, r, look);
	put_dane(to, r, look);
	query_text_findings(to, &r->findings, "  ", look);
	put_end(to, r);
}
