/* SPDX-License-Identifier: MIT */
#include "query_json.h"

#include "query_dane.h"
#include "query_dns.h"
#include "query_try.h"
#include "record.h"

static struct sts_str
domain_of(const struct query_report *r)
{
	return (struct sts_str){ r->key.domain, r->key.domain_n };
}

static void
string_or_null(struct query_writer *w, const char *key, struct sts_str value)
{
	if (value.n == 0)
		query_null(w, key);
	else
		query_string(w, key, value);
}

static void
number_or_null(struct query_writer *w, const char *key, int64_t value)
{
	if (value < 0)
		query_null(w, key);
	else
		query_number(w, key, value);
}

static void
address(struct query_writer *w, const char *key, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];

	query_string(w, key, (struct sts_str){ text, sts_addr_text(addr, text) });
}

/* A sentence and what follows it. */
static void
sentence(struct query_writer *w, const struct query_finding *f)
{
	struct sts_buf b = { 0 };

	sts_put_text(&b, f->text);
	if (f->detail.n > 0) {
		sts_put_text(&b, ": ");
		sts_put(&b, f->detail);
	}
	w->to->bad |= b.bad;
	query_string(w, "text", sts_buf_str(&b));
	sts_buf_done(&b);
}

void
query_json_findings(struct query_writer *w, const struct query_findings *findings)
{
	query_open(w, "findings", '[');
	for (size_t i = 0; i < findings->count; i++) {
		const struct query_finding *f = &findings->list[i];

		query_open(w, NULL, '{');
		query_text(w, "id", f->id);
		query_text(w, "severity", query_severity_text(f->severity));
		query_text(w, "audience", query_audience_text(f->audience));
		sentence(w, f);
		query_text(w, "fix", f->fix);
		if (f->object.n > 0)
			query_string(w, "object", f->object);
		number_or_null(w, "line", f->line > 0 ? (int64_t)f->line : -1);
		if (f->at > 0)
			query_number(w, "at", (int64_t)f->at);
		query_text(w, "tlsrpt", f->tlsrpt);
		query_close(w, '}');
	}
	query_close(w, ']');
}

const char *
query_record_status(enum sts_err err)
{
	if (sts_err_is_dns_failure(err))
		return "temperror";
	if (err == STS_OK)
		return "ok";
	if (err == STS_ERR_RECORD_MANY)
		return "multiple";
	return err == STS_ERR_RECORD_SYNTAX ? "invalid" : "none";
}

void
query_json_patterns(struct query_writer *w, const struct sts_policy *policy)
{
	struct sts_str rest = policy->text, pattern;
	struct sts_buf b = { 0 };

	query_open(w, "mx", '[');
	while (sts_policy_mx_all(&rest, &pattern)) {
		sts_buf_clear(&b);
		sts_put_lower(&b, pattern);
		w->to->bad |= b.bad;
		query_string(w, NULL, sts_buf_str(&b));
	}
	query_close(w, ']');
	sts_buf_done(&b);
}

static void
write_ede(struct query_writer *w, int ede)
{
	struct sts_buf b = { 0 };

	if (ede < 0) {
		query_null(w, "ede");
		return;
	}
	sts_put_number(&b, (unsigned)ede);
	query_string(w, "ede", sts_buf_str(&b));
	sts_buf_done(&b);
}

static void
write_domain(struct query_writer *w, const struct query_report *r)
{
	query_open(w, "domain", '{');
	query_string(w, "queried", r->queried);
	query_string(w, "ascii", r->is_domain ? domain_of(r) : r->queried);
	query_text(w, "unicode", r->unicode[0] != '\0' ? r->unicode : NULL);
	query_close(w, '}');
}

/*
 * DNSSEC and DANE.
 */
static void
write_dns_error(struct query_writer *w, const struct sts_dane_fact *failed)
{
	struct sts_buf b = { 0 };

	if (failed == NULL) {
		query_null(w, "error");
		return;
	}
	query_put_dns(&b, failed->err, failed->ede);
	w->to->bad |= b.bad;
	query_string(w, "error", sts_buf_str(&b));
	sts_buf_done(&b);
}

static void
write_record(struct query_writer *w, const struct query_tlsa *tlsa)
{
	static const char *const numbers[] = { "usage", "selector", "mtype" };
	struct sts_buf b = { 0 };

	query_open(w, NULL, '{');
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		number_or_null(w, numbers[i],
		    i < tlsa->rdata.n ? (unsigned char)tlsa->rdata.p[i] : -1);
	query_put_tlsa_data(&b, tlsa->rdata);
	w->to->bad |= b.bad;
	query_string(w, "data", sts_buf_str(&b));
	sts_buf_done(&b);
	query_bool(w, "usable", tlsa->usable);
	query_close(w, '}');
}

static void
write_tlsa(struct query_writer *w, const struct query_host *h)
{
	query_open(w, "tlsa", '{');
	query_text(w, "status", query_tlsa_text(query_tlsa_status(h)));
	string_or_null(w, "base", h->base);
	query_open(w, "records", '[');
	for (size_t i = 0; i < h->tlsa_count; i++)
		write_record(w, &h->tlsa[i]);
	query_close(w, ']');
	write_dns_error(w, query_failed_tlsa(h));
	query_close(w, '}');
}

static const char *
host_text(enum sts_host_state state)
{
	switch (state) {
	case STS_HOST_U:
		return "usable";
	case STS_HOST_X:
		return "unusable";
	case STS_HOST_N:
		return "absent";
	case STS_HOST_F:
		return "failed";
	case STS_HOST_LEFT_OUT:
		return "left-out";
	case STS_HOST_WAITS:
		break;
	}
	return "unknown";
}

/* h: NULL for a host that was not looked at. */
static void
write_host(struct query_writer *w, const struct query_report *r,
    const struct query_host *h)
{
	query_open(w, "addresses", '[');
	for (size_t i = 0; h != NULL && i < h->address_count; i++)
		address(w, NULL, &h->addresses[i]);
	query_close(w, ']');
	if (h == NULL) {
		query_text(w, "dnssec", query_dnssec_text(QUERY_INDETERMINATE));
		return;
	}
	query_text(w, "dnssec", query_dnssec_text(query_dnssec_of_host(r, h)));
	string_or_null(w, "alias_of",
	    sts_str_eq(h->name, h->final) ? STS_STR_NONE : h->final);
	write_dns_error(w, query_failed_address(h));
	write_tlsa(w, h);
	query_text(w, "dane", host_text(h->state));
}

static void
write_resolver(struct query_writer *w, const struct query_report *r)
{
	struct sts_buf b = { 0 };

	query_open(w, "resolver", '{');
	query_text(w, "address", r->servers);
	query_text(w, "dnssec", query_trust_text(r));
	query_bool(w, "believed", r->believes);
	string_or_null(w, "culprit", r->culprit);
	if (r->has_trust_fact && r->trust_err != STS_OK)
		query_put_dns(&b, r->trust_err, r->trust_ede);
	w->to->bad |= b.bad;
	string_or_null(w, "error", sts_buf_str(&b));
	query_close(w, '}');
	sts_buf_done(&b);
}

static void
write_dane(struct query_writer *w, const struct query_report *r)
{
	struct sts_buf b = { 0 };

	query_open(w, "dane", '{');
	query_text(w, "status",
	    r->dane.state == STS_DANE_NONE ? NULL : sts_dane_text(r->dane.state));
	query_bool(w, "comes_first", r->does_dane && r->dane.state == STS_DANE_APPLIES);
	query_text(w, "mx", query_dnssec_text(query_dnssec_of_mx(r)));
	query_put_dane_reason(&b, r);
	w->to->bad |= b.bad;
	query_string(w, "reason", sts_buf_str(&b));
	query_close(w, '}');
	sts_buf_done(&b);
}

static void
write_mx(struct query_writer *w, const struct query_report *r)
{
	bool implicit = r->key.brackets || r->mx_implicit;

	query_open(w, "mx", '[');
	for (size_t i = 0; i < r->mx_count; i++) {
		const struct query_mx *mx = &r->mx[i];

		query_open(w, NULL, '{');
		query_string(w, "host", mx->host);
		number_or_null(w, "preference", implicit ? -1 : mx->preference);
		query_bool(w, "implicit", implicit);
		write_host(w, r, mx->seen);
		if (r->has_policy && r->policy.mode != STS_MODE_NONE) {
			query_open(w, "sts", '{');
			query_bool(w, "allowed", mx->allowed);
			string_or_null(w, "pattern", mx->pattern);
			query_close(w, '}');
		}
		query_close(w, '}');
	}
	query_close(w, ']');
}

static void
write_txt(struct query_writer *w, const struct query_report *r)
{
	const struct sts_str *raw = NULL;

	for (size_t i = 0; i < r->text_count; i++)
		if (raw == NULL || sts_record_counts(r->texts[i]))
			raw = &r->texts[i];
	query_open(w, "txt", '{');
	query_text(w, "status",
	    r->has_record_fact ? query_record_status(r->record) : NULL);
	string_or_null(w, "raw", raw != NULL ? *raw : STS_STR_NONE);
	string_or_null(w, "id", r->record_id);
	number_or_null(w, "ttl", r->has_record_fact ? (int64_t)r->record_ttl : -1);
	write_ede(w, r->record_ede);
	query_close(w, '}');
}

static const char *
fetch_status(const struct query_report *r)
{
	if (!r->has_host_fact)
		return "skipped";
	switch (r->fetch_err) {
	case STS_OK:
	case STS_ERR_POLICY_SYNTAX:
		return "ok";
	case STS_ERR_FETCH_DNS:
		return "dns";
	case STS_ERR_FETCH_BLOCKED:
		return "blocked";
	case STS_ERR_FETCH_CONNECT:
		return "connect";
	case STS_ERR_FETCH_TLS:
	case STS_ERR_FETCH_CERT:
		return "tls";
	case STS_ERR_FETCH_STATUS:
	case STS_ERR_FETCH_HTTP:
		return "http";
	case STS_ERR_FETCH_MEDIA_TYPE:
		return "type";
	case STS_ERR_FETCH_TOO_BIG:
		return "size";
	case STS_ERR_FETCH_TIMEOUT:
		return "timeout";
	case STS_ERR_DNS_TIMEOUT:
	case STS_ERR_DNS_SERVFAIL:
	case STS_ERR_DNS_REFUSED:
	case STS_ERR_DNS_MALFORMED:
	case STS_ERR_DNS_OTHER:
	case STS_ERR_DNS_NODATA:
	case STS_ERR_DNS_NXDOMAIN:
	case STS_ERR_RECORD_NONE:
	case STS_ERR_RECORD_MANY:
	case STS_ERR_RECORD_SYNTAX:
	case STS_ERR_NAME:
	case STS_ERR_NOMEM:
	case STS_ERR_OVERLOADED:
	case STS_ERR_CACHE_NONE:
	case STS_ERR_CACHE:
	case STS_ERR_CACHE_ENTRY:
	case STS_ERR_CACHE_FULL:
	case STS_ERR_FETCH_RUNNING:
	case STS_ERR_REPLY_TOO_LONG:
	case STS_ERR_INTERNAL:
	case STS_ERRS:
		break;
	}
	return "skipped";
}

static void
write_url(struct query_writer *w, const struct query_report *r)
{
	struct sts_buf b = { 0 };

	sts_put_text(&b, "https://mta-sts.");
	sts_put(&b, domain_of(r));
	sts_put_text(&b, "/.well-known/mta-sts.txt");
	w->to->bad |= b.bad;
	query_string(w, "url", sts_buf_str(&b));
	sts_buf_done(&b);
}

static void
write_fetch(struct query_writer *w, const struct query_report *r)
{
	const struct sts_fetched *f = &r->fetch;
	bool failed = r->has_host_fact && r->fetch_err != STS_OK;

	query_open(w, "fetch", '{');
	query_text(w, "status", fetch_status(r));
	write_url(w, r);
	if (r->has_fetch && f->has_address)
		address(w, "ip", &f->address);
	else
		query_null(w, "ip");
	number_or_null(w, "http_status", r->has_fetch && f->status > 0 ? f->status : -1);
	string_or_null(w, "content_type", f->media_type);
	number_or_null(w, "bytes", r->body.p != NULL ? (int64_t)r->body.n : -1);
	number_or_null(w, "ms", r->has_fetch ? f->total_ms : -1);
	query_time(w, "cert_not_after", f->tls.not_after);
	query_text(w, "error",
	    !failed				    ? NULL
		: r->has_fetch && f->why[0] != '\0' ? f->why
						    : sts_err_text(r->fetch_err));
	query_close(w, '}');
}

static void
write_policy(struct query_writer *w, const struct query_report *r)
{
	struct sts_str rest = r->policy.text, line;

	if (!r->has_policy) {
		query_null(w, "policy");
		return;
	}
	query_open(w, "policy", '{');
	query_text(w, "mode", sts_mode_text(r->policy.mode));
	query_number(w, "max_age", r->policy.max_age);
	query_json_patterns(w, &r->policy);
	query_open(w, "lines", '[');
	while (sts_policy_line(&rest, &line))
		query_string(w, NULL, line);
	query_close(w, ']');
	query_close(w, '}');
}

static void
write_postfix(struct query_writer *w, const struct query_report *r)
{
	struct sts_buf b = { 0 };

	query_open(w, "postfix", '{');
	query_string(w, "query", r->reply);
	query_string(w, "query_with_tlsrpt", r->reply_tlsrpt);
	query_put_try(&b, r);
	w->to->bad |= b.bad;
	string_or_null(w, "posttls_finger", sts_buf_str(&b));
	query_close(w, '}');
	sts_buf_done(&b);
}

void
query_json_report(struct sts_buf *to, const struct query_report *r)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_text(&w, "schema", "stsd-query/1");
	query_open(&w, "tool", '{');
	query_text(&w, "version", STSD_VERSION);
	query_null(&w, "daemon_version");
	query_text(&w, "mode", "direct");
	query_close(&w, '}');
	write_domain(&w, r);
	query_time(&w, "time", r->started);
	query_number(&w, "duration_ms", r->ms);
	query_text(&w, "verdict", query_verdict_text(r->verdict));
	query_number(&w, "exit_code", r->exit);
	query_text(&w, "summary", query_summary(r));
	query_json_findings(&w, &r->findings);
	write_resolver(&w, r);
	write_mx(&w, r);
	write_dane(&w, r);
	query_open(&w, "mta_sts", '{');
	write_txt(&w, r);
	write_fetch(&w, r);
	write_policy(&w, r);
	query_close(&w, '}');
	query_null(&w, "cache");
	write_postfix(&w, r);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}
