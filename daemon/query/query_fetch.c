/* SPDX-License-Identifier: MIT */
#include "query_fetch.h"

#include <stdio.h>

#include "query_exit.h"
#include "query_judge.h"

/* Results of certificate verification: numbers that X.509 libraries have kept for
 * twenty years, and that sts_tls_report passes on. */
#define CERT_HAS_EXPIRED 10
#define CERT_SELF_SIGNED 18
#define CERT_SELF_SIGNED_IN_CHAIN 19
#define CERT_NO_ISSUER_LOCALLY 20
#define CERT_NO_FIRST_SIGNATURE 21
#define CERT_HOSTNAME_MISMATCH 62

#define DAY ((int64_t)86400)
#define EXPIRES_SOON (14 * DAY)
/* Some certificates live six days, and are renewed when half of them have gone. */
#define EXPIRES_NOW (3 * DAY)
/* Of two clocks, beside what a fetch may take. */
#define CLOCK_SLACK 300

static enum query_id
id_of_certificate(const struct sts_tls_report *tls)
{
	switch (tls->verify) {
	case CERT_HAS_EXPIRED:
		return QUERY_TLS03;
	case CERT_HOSTNAME_MISMATCH:
		return QUERY_TLS02;
	case CERT_NO_ISSUER_LOCALLY:
	case CERT_NO_FIRST_SIGNATURE:
		/* A lone leaf of an unknown issuer: most often the chain was forgotten. */
		return tls->chain <= 1 ? QUERY_TLS05 : QUERY_TLS06;
	case CERT_SELF_SIGNED:
	case CERT_SELF_SIGNED_IN_CHAIN:
		return QUERY_TLS06;
	default:
		return QUERY_TLS08;
	}
}

/* 304 and the like are none: they point nowhere. */
static bool
is_redirect(long status)
{
	return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

/* The words of lib/io/fetch.c. */
static bool
is_outdated(const char *why)
{
	return sts_str_eq(sts_str_of(why),
	    STS_STR("the server does not speak TLS 1.2 or later"));
}

static bool
is_web_page(struct sts_str media_type)
{
	struct sts_str html = STS_STR("text/html");

	return media_type.n >= html.n &&
	    sts_str_eq_nocase(sts_str_head(media_type, html.n), html);
}

/* QUERY_IDS: a failure that is said elsewhere, or none of the recipient's. */
static enum query_id
id_of_failure(const struct query_report *r, enum sts_err err)
{
	switch (err) {
	case STS_ERR_FETCH_DNS:
		return sts_err_is_dns_failure(r->host_err) ? QUERY_HST04 : QUERY_HST01;
	case STS_ERR_FETCH_BLOCKED:
		return QUERY_HST02;
	case STS_ERR_FETCH_CONNECT:
		return QUERY_HTTP09;
	case STS_ERR_FETCH_TLS:
		return is_outdated(r->fetch.why) ? QUERY_TLS07 : QUERY_TLS01;
	case STS_ERR_FETCH_CERT:
		return id_of_certificate(&r->fetch.tls);
	case STS_ERR_FETCH_STATUS:
		return is_redirect(r->fetch.status) ? QUERY_HTTP02 : QUERY_HTTP01;
	case STS_ERR_FETCH_MEDIA_TYPE:
		return is_web_page(r->fetch.media_type) ? QUERY_HTTP04 : QUERY_HTTP03;
	case STS_ERR_FETCH_TOO_BIG:
		return QUERY_HTTP05;
	case STS_ERR_FETCH_TIMEOUT:
		return QUERY_HTTP06;
	case STS_ERR_FETCH_HTTP:
		return QUERY_HTTP10;
	case STS_OK:
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
	case STS_ERR_POLICY_SYNTAX: /* its notes say it */
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
	return QUERY_IDS;
}

static struct sts_str
address_text(struct query_report *r, const struct sts_addr *address)
{
	char text[STS_ADDR_TEXT];

	return query_keep(&r->keep,
	    (struct sts_str){ text, sts_addr_text(address, text) });
}

/* What the failure is about, and what was found out about it. */
static void
find_failure(struct query_report *r, enum query_id id)
{
	struct query_finding *new =
	    query_find(&r->findings, id, STS_STR_NONE, STS_STR_NONE);

	if (r->has_fetch) {
		new->detail = sts_str_of(r->fetch.why);
		if (r->fetch.has_address)
			new->object = address_text(r, &r->fetch.address);
	} else if (id == QUERY_HST02 && r->address_count > 0) {
		new->object = address_text(r, &r->addresses[0]);
	} else if (id == QUERY_HST04) {
		new->detail = sts_str_of(sts_err_rcode(r->host_err));
	}
	new->tlsrpt = sts_err_tlsrpt(r->fetch_err);
}

static void
judge_expiry(struct query_report *r, int64_t now)
{
	int64_t left = r->fetch.tls.not_after - now;
	struct query_finding *new;
	char text[48];
	int n;

	if (r->fetch.tls.not_after == 0 || left < 0 || left >= EXPIRES_SOON)
		return;
	n = snprintf(text, sizeof(text), "%lld days left", (long long)(left / DAY));
	new = query_find(&r->findings, QUERY_TLS04, STS_STR_NONE,
	    query_keep(&r->keep, (struct sts_str){ text, (size_t)n }));
	if (left < EXPIRES_NOW)
		new->exit = QUERY_EXIT_WARNING;
}

/* IPv6 comes first, and IPv4 has its turn when that has been silent for so long
 * (bounds.h); what is refused at once costs nothing. */
static void
judge_families(struct query_report *r)
{
	const struct sts_fetched *f = &r->fetch;

	if (!f->has_address || f->address.v6 || f->connect_ms < STS_NEXT_ADDRESS_MS)
		return;
	for (size_t i = 0; i < r->address_count; i++)
		if (r->addresses[i].v6) {
			query_find(&r->findings, QUERY_HST03,
			    address_text(r, &r->addresses[i]), STS_STR_NONE);
			return;
		}
}

/* Which of the two clocks is right nobody can say; but ours is what dates are held
 * against. */
static void
judge_clock(struct query_report *r, int64_t now)
{
	int64_t behind = r->fetch.date - now;
	struct sts_buf b = { 0 };

	if (r->fetch.date == 0 || (behind < CLOCK_SLACK && behind > -CLOCK_SLACK))
		return;
	sts_put_text(&b, behind > 0 ? "ours is behind by " : "ours is ahead by ");
	query_put_span(&b, behind > 0 ? behind : -behind);
	query_find(&r->findings, QUERY_ENV07, STS_STR_NONE, query_kept(r, &b));
}

static void
put_ms(struct sts_buf *to, const char *what, int64_t ms)
{
	if (ms < 0)
		return;
	sts_put_text(to, to->n > 0 ? ", " : "");
	sts_put_text(to, what);
	sts_put_char(to, ' ');
	sts_put_number(to, (unsigned long long)ms);
	sts_put_text(to, " ms");
}

static void
tell_times(struct query_report *r)
{
	const struct sts_fetched *f = &r->fetch;
	struct sts_buf b = { 0 };

	put_ms(&b, "addresses", r->host_ms);
	put_ms(&b, "connected after", f->connect_ms);
	put_ms(&b, "encrypted after", f->tls_ms);
	put_ms(&b, "answered after", f->first_byte_ms);
	put_ms(&b, "done after", f->total_ms);
	query_find(&r->findings, QUERY_HTTP07, STS_STR_NONE, query_kept(r, &b));
}

void
query_judge_fetch(struct query_report *r, const struct sts_entry *entry,
    const struct query_context *context)
{
	enum query_id id;

	if (r->has_stray && r->record == STS_ERR_RECORD_NONE)
		query_find(&r->findings, QUERY_HTTP08, STS_STR_NONE, STS_STR_NONE);
	if (!r->has_host_fact)
		return;
	/* Without any fetch, the journey knows why it did not come to one. */
	r->fetch_err = r->has_fetch ? r->fetch.err : entry->failed_err;
	id = id_of_failure(r, r->fetch_err);
	if (id != QUERY_IDS)
		find_failure(r, id);
	if (!r->has_fetch)
		return;
	if (r->fetch.err == STS_OK)
		judge_expiry(r, context->now);
	judge_families(r);
	judge_clock(r, context->now);
	if (context->verbose)
		tell_times(r);
}
