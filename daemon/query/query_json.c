/* SPDX-License-Identifier: MIT */
#include "query_json.h"

#include "config.h"
#include "query_dane.h"
#include "query_dns.h"
#include "query_try.h"
#include "record.h"

static struct sts_str
domain_of(const struct query_report *r)
{
	return (struct sts_str){ r->key.domain, r->key.domain_n };
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
		query_number_or_null(w, "line", f->line > 0 ? (int64_t)f->line : -1);
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

	if (ede >= 0)
		sts_put_number(&b, (unsigned)ede);
	query_made(w, "ede", &b);
}

/* mode: does what the daemon has count in here? */
static void
write_tool(struct query_writer *w, const struct query_report *r)
{
	const struct query_known *k = &r->known;
	bool reached =
	    k->asked && (k->err == QUERY_CONTROL_OK || k->err == QUERY_CONTROL_NONE);

	query_open(w, "tool", '{');
	query_text(w, "version", STSD_VERSION);
	query_string_or_null(w, "daemon_version", k->version);
	query_text(w, "mode", reached ? "daemon" : "direct");
	query_string_or_null(w, "daemon_error", k->why);
	query_close(w, '}');
}

static void
write_domain(struct query_writer *w, const struct query_report *r)
{
	const struct query_said *said = &r->aside[QUERY_ASIDE_DOMAIN];

	query_open(w, "domain", '{');
	query_string(w, "queried", r->queried);
	query_string(w, "ascii", r->is_domain ? domain_of(r) : r->queried);
	query_text(w, "unicode", r->unicode[0] != '\0' ? r->unicode : NULL);
	query_string_or_null(w, "cname", said->chain > 0 ? said->final : STS_STR_NONE);
	query_close(w, '}');
}

/* Are all servers on this machine, so that auto would believe them? */
static bool
are_on_loopback(const char *servers)
{
	struct config c = { .dnssec = CONFIG_AUTO, .dns_servers = (char *)servers };

	return servers != NULL && config_believes_ad(&c);
}

static void
write_resolver(struct query_writer *w, const struct query_report *r)
{
	struct sts_buf b = { 0 };

	query_open(w, "resolver", '{');
	query_text(w, "address", r->servers);
	query_text(w, "dnssec", query_trust_text(r));
	query_bool(w, "loopback", are_on_loopback(r->servers));
	query_bool(w, "believed", r->believes);
	query_string_or_null(w, "culprit", r->culprit);
	if (r->has_trust_fact && r->trust_err != STS_OK)
		query_put_dns(&b, r->trust_err, r->trust_ede);
	query_made(w, "error", &b);
	query_close(w, '}');
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
	query_made(w, "reason", &b);
	query_close(w, '}');
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
	query_string_or_null(w, "raw", raw != NULL ? *raw : STS_STR_NONE);
	query_string_or_null(w, "id", r->record_id);
	query_number_or_null(w, "ttl", r->has_record_fact ? (int64_t)r->record_ttl : -1);
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

	if (r->is_domain) {
		sts_put_text(&b, "https://mta-sts.");
		sts_put(&b, domain_of(r));
		sts_put_text(&b, "/.well-known/mta-sts.txt");
	}
	query_made(w, "url", &b);
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
		query_address(w, "ip", &f->address);
	else
		query_null(w, "ip");
	query_number_or_null(w, "http_status",
	    r->has_fetch && f->status > 0 ? f->status : -1);
	query_string_or_null(w, "content_type", f->media_type);
	query_number_or_null(w, "bytes", r->body.p != NULL ? (int64_t)r->body.n : -1);
	query_number_or_null(w, "ms", r->has_fetch ? f->total_ms : -1);
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

/*
 * What is asked beside the journey: TLSRPT, and the daemon's cache.
 */
static void
write_tlsrpt(struct query_writer *w, const struct query_report *r)
{
	bool is_known = r->aside[QUERY_ASIDE_TLSRPT].known;

	query_open(w, "tlsrpt", '{');
	query_text(w, "status", is_known ? query_record_status(r->rpt.err) : NULL);
	query_string_or_null(w, "raw", r->rpt.text);
	query_open(w, "rua", '[');
	for (size_t i = 0; i < r->rpt.rua_count; i++)
		query_string(w, NULL, r->rpt.rua[i]);
	query_close(w, ']');
	query_close(w, '}');
}

/* Nothing is fetched before then, since the last fetch failed. 0: it may be. */
static int64_t
backoff_of(const struct sts_entry *e, int64_t now)
{
	int64_t until = e->failed_at + STS_FAILURE_GAP;

	return e->failures > 0 && until > now ? until : 0;
}

static void
write_policy_kept(struct query_writer *w, const struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;

	query_string_or_null(w, "id", e->id);
	query_text(w, "mode", e->fetched != 0 ? sts_mode_text(e->mode) : NULL);
	query_time(w, "fetched", e->fetched);
	query_time(w, "expires", sts_entry_expires(e));
	query_bool(w, "live", sts_entry_is_live(e, r->known.now));
	query_bool(w, "decides", r->from_cache);
	query_bool(w, "differs_from_live",
	    e->fetched != 0 && r->body.p != NULL && !sts_str_eq(e->policy, r->body));
}

static void
write_cache(struct query_writer *w, const struct query_report *r)
{
	const struct sts_entry *e = r->known.entry;
	int64_t refresh = r->known.refresh;

	if (e == NULL) {
		query_null(w, "cache");
		return;
	}
	query_open(w, "cache", '{');
	write_policy_kept(w, r);
	query_time(w, "last_used", e->asked);
	query_time(w, "last_check", e->record_at);
	query_time(w, "next_refresh", refresh == INT64_MAX ? 0 : refresh);
	query_text(w, "last_result",
	    e->tried == 0	  ? NULL
		: e->failures > 0 ? sts_err_token(e->failed_err)
				  : "ok");
	query_number(w, "failures", e->failures);
	query_time(w, "backoff_until", backoff_of(e, r->known.now));
	query_string_or_null(w, "reply", r->reply_cached);
	query_close(w, '}');
}

static void
write_postfix(struct query_writer *w, const struct query_report *r)
{
	query_open(w, "postfix", '{');
	query_string(w, "query", r->reply);
	query_string(w, "query_with_tlsrpt", r->reply_tlsrpt);
	query_string_or_null(w, "posttls_finger", r->proof);
	query_string_or_null(w, "posttls_finger_3_10_5", r->proof_by_host);
	query_close(w, '}');
}

static void
write_verdict(struct query_writer *w, const struct query_report *r)
{
	query_time(w, "time", r->started);
	query_number(w, "duration_ms", r->ms);
	query_text(w, "verdict", query_verdict_text(r->verdict));
	query_number(w, "exit_code", r->exit);
	query_text(w, "summary", query_summary(r));
	query_text(w, "risk", r->risk);
}

void
query_json_report(struct sts_buf *to, const struct query_report *r)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_text(&w, "schema", "stsd-query/1");
	write_tool(&w, r);
	write_domain(&w, r);
	write_verdict(&w, r);
	query_json_findings(&w, &r->findings);
	write_resolver(&w, r);
	query_json_mx(&w, r);
	write_dane(&w, r);
	query_open(&w, "mta_sts", '{');
	write_txt(&w, r);
	write_fetch(&w, r);
	write_policy(&w, r);
	query_close(&w, '}');
	write_tlsrpt(&w, r);
	write_cache(&w, r);
	write_postfix(&w, r);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}
