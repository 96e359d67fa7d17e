/* SPDX-License-Identifier: MIT */
#include "query_dane.h"

#include "query_judge.h"
#include "tlsa.h"

/* The numbers in front of a TLSA record's data. */
#define TLSA_NUMBERS 3

/*
 * Whose word counts.
 */
static bool
is_tested(const struct query_report *r)
{
	return r->has_trust_fact && r->trust_err == STS_OK;
}

const char *
query_trust_text(const struct query_report *r)
{
	if (!is_tested(r))
		return "unknown";
	return r->trust_ad ? "validating" : "not-validating";
}

/* Does an AD bit mean anything? It does also where the self-test failed. */
static bool
is_ad_good(const struct query_report *r)
{
	return r->believes && (!is_tested(r) || r->trust_ad);
}

static bool
is_no(enum sts_err err)
{
	return err == STS_ERR_DNS_NODATA || err == STS_ERR_DNS_NXDOMAIN;
}

static bool
has_failed(const struct sts_dane_fact *f)
{
	return f->known && f->err != STS_OK && !is_no(f->err);
}

static enum query_dnssec
dnssec_of(const struct query_report *r, enum sts_err err, int ede, bool ad)
{
	if (err != STS_OK && !is_no(err))
		return query_ede_is_bogus(ede) ? QUERY_BOGUS : QUERY_INDETERMINATE;
	if (!is_ad_good(r))
		return QUERY_INDETERMINATE;
	if (ad)
		return QUERY_SECURE;
	/* That it is missing says something only of who would set it. */
	return is_tested(r) ? QUERY_INSECURE : QUERY_INDETERMINATE;
}

enum query_dnssec
query_dnssec_of_mx(const struct query_report *r)
{
	return r->has_mx_fact ? dnssec_of(r, r->mx_err, r->mx_ede, r->mx_ad)
			      : QUERY_INDETERMINATE;
}

static enum query_dnssec
dnssec_of_fact(const struct query_report *r, const struct sts_dane_fact *f)
{
	return f->known ? dnssec_of(r, f->err, f->ede, f->ad) : QUERY_INDETERMINATE;
}

/* One family that is secure is enough (RFC 7672 section 2.2.2); and what has failed does
 * not count while the other one has addresses. */
enum query_dnssec
query_dnssec_of_host(const struct query_report *r, const struct query_host *h)
{
	const struct sts_dane_fact *a = &h->fact[STS_DANE_A];
	const struct sts_dane_fact *aaaa = &h->fact[STS_DANE_AAAA];
	enum query_dnssec four = dnssec_of_fact(r, a), six = dnssec_of_fact(r, aaaa);

	if (h->address_count > 0 && (!a->known || a->err != STS_OK))
		return six;
	if (h->address_count > 0 && (!aaaa->known || aaaa->err != STS_OK))
		return four;
	if (h->address_count > 0)
		return four == QUERY_SECURE ? four : six;
	return four > six ? four : six;
}

/*
 * One host.
 */
const struct sts_dane_fact *
query_failed_address(const struct query_host *h)
{
	const struct sts_dane_fact *a = &h->fact[STS_DANE_A];
	const struct sts_dane_fact *aaaa = &h->fact[STS_DANE_AAAA];

	const struct sts_dane_fact *alias = &h->fact[STS_DANE_ALIAS];

	/* What was an alias a moment ago must be one. */
	if (alias->known && alias->err != STS_OK)
		return alias;
	if (h->address_count > 0)
		return NULL;
	if (has_failed(a) && (a->ede >= 0 || !has_failed(aaaa)))
		return a;
	return has_failed(aaaa) ? aaaa : NULL;
}

const struct sts_dane_fact *
query_failed_tlsa(const struct query_host *h)
{
	if (has_failed(&h->fact[STS_DANE_TLSA]))
		return &h->fact[STS_DANE_TLSA];
	return has_failed(&h->fact[STS_DANE_TLSA_OWN]) ? &h->fact[STS_DANE_TLSA_OWN]
						       : NULL;
}

enum query_tlsa_status
query_tlsa_status(const struct query_host *h)
{
	if (h->state == STS_HOST_U)
		return QUERY_TLSA_USABLE;
	if (h->state == STS_HOST_X)
		return QUERY_TLSA_UNUSABLE;
	if (query_failed_tlsa(h) != NULL)
		return QUERY_TLSA_FAILED;
	if (h->tlsa_count > 0)
		return QUERY_TLSA_UNSIGNED;
	return h->fact[STS_DANE_TLSA].known || h->fact[STS_DANE_TLSA_OWN].known
	    ? QUERY_TLSA_ABSENT
	    : QUERY_TLSA_NOT_QUERIED;
}

const char *
query_tlsa_text(enum query_tlsa_status status)
{
	switch (status) {
	case QUERY_TLSA_USABLE:
		return "usable";
	case QUERY_TLSA_UNUSABLE:
		return "unusable";
	case QUERY_TLSA_ABSENT:
		return "absent";
	case QUERY_TLSA_UNSIGNED:
		return "unsigned";
	case QUERY_TLSA_FAILED:
		return "lookup-failed";
	case QUERY_TLSA_NOT_QUERIED:
		break;
	}
	return "not-queried";
}

void
query_put_tlsa(struct sts_buf *to, struct sts_str rdata)
{
	for (size_t i = 0; i < rdata.n && i < TLSA_NUMBERS; i++) {
		if (i > 0)
			sts_put_char(to, ' ');
		sts_put_number(to, (unsigned char)rdata.p[i]);
	}
}

void
query_put_tlsa_data(struct sts_buf *to, struct sts_str rdata)
{
	struct sts_str data = sts_tlsa_data(rdata);

	for (size_t i = 0; i < data.n; i++) {
		unsigned char c = (unsigned char)data.p[i];

		sts_put_char(to, "0123456789abcdef"[c >> 4]);
		sts_put_char(to, "0123456789abcdef"[c & 15]);
	}
}

/*
 * The finding.
 */
static void
put_unknown(struct sts_buf *to, const struct query_report *r)
{
	const struct sts_dane *f = &r->dane;

	if (!is_tested(r))
		sts_put_text(to, "the DNS server's self-test failed");
	else if (f->about == STS_ABOUT_ADDRESS)
		sts_put_text(to, "the address lookup failed");
	else if (f->about == STS_ABOUT_TLSA)
		sts_put_text(to, "the TLSA lookup failed");
	else
		sts_put_text(to, "the MX lookup failed");
	if (f->host.n > 0) {
		sts_put_text(to, " for ");
		sts_put_escaped(to, f->host);
	}
	sts_put_text(to, ": ");
	query_put_dns(to, f->err, f->ede);
}

static const char *
why_absent(const struct query_report *r)
{
	if (r->mx_err == STS_ERR_DNS_NXDOMAIN)
		return "the domain does not exist";
	if (r->host_count == 0)
		return "the domain has no mail host";
	return r->dane.mx_secure ? "no mail host has signed TLSA records that can be used"
				 : "the MX records are not signed";
}

void
query_put_dane_reason(struct sts_buf *to, const struct query_report *r)
{
	switch (r->dane.state) {
	case STS_DANE_NONE:
	case STS_DANE_STATES:
		sts_put_text(to, "not looked at");
		break;
	case STS_DANE_OFF:
		sts_put_text(to, "the DNS server does not validate DNSSEC");
		break;
	case STS_DANE_DISTRUSTED:
		sts_put_text(to,
		    "what the DNS server says of DNSSEC is not believed (setting dnssec)");
		break;
	case STS_DANE_APPLIES:
		sts_put_text(to, r->key.brackets ? "" : "signed MX records, and ");
		sts_put_text(to, "signed TLSA records that can be used");
		break;
	case STS_DANE_UNKNOWN:
		put_unknown(to, r);
		break;
	case STS_DANE_ABSENT:
		sts_put_text(to, why_absent(r));
		break;
	}
}

/*
 * Judging.
 */
static void
judge_resolver(struct query_report *r, const struct query_context *context)
{
	struct sts_str server =
	    r->culprit.n > 0 ? r->culprit : sts_str_of(context->servers);

	if (!r->has_trust_fact)
		return;
	if (r->trust_err != STS_OK)
		query_find(&r->findings, QUERY_ENV01, server,
		    query_keep_dns(&r->keep, r->trust_err, r->trust_ede));
	else if (!r->does_dane)
		return;
	else if (!r->trust_ad)
		query_find(&r->findings, QUERY_ENV02, server, STS_STR_NONE);
	else if (!r->believes && !context->distrusts)
		query_find(&r->findings, QUERY_ENV04, server, STS_STR_NONE);
}

static void
find_failure(struct query_report *r, const struct query_host *h, enum query_id id,
    const struct sts_dane_fact *f)
{
	query_find(&r->findings, query_ede_is_bogus(f->ede) ? QUERY_DAN12 : id, h->name,
	    query_keep_dns(&r->keep, f->err, f->ede));
}

/* One public address, or one that the guard lets through, is enough. */
static bool
is_private(const struct query_host *h, const struct sts_rules *rules)
{
	for (size_t i = 0; i < h->address_count; i++)
		if (sts_addr_is_public(&h->addresses[i]) ||
		    sts_nets_have(rules->allow, rules->allow_count, &h->addresses[i]))
			return false;
	return h->address_count > 0;
}

static struct sts_str
keep_address(struct query_report *r, const struct sts_addr *address)
{
	char text[STS_ADDR_TEXT];

	return query_keep(&r->keep,
	    (struct sts_str){ text, sts_addr_text(address, text) });
}

static bool
is_without_address(const struct query_host *h)
{
	return h->address_count == 0 && h->fact[STS_DANE_A].known &&
	    h->fact[STS_DANE_AAAA].known && query_failed_address(h) == NULL;
}

static void
judge_host(struct query_report *r, const struct query_host *h,
    const struct query_context *context)
{
	const struct sts_dane_fact *address = query_failed_address(h);
	const struct sts_dane_fact *tlsa = query_failed_tlsa(h);

	if (is_without_address(h))
		query_find(&r->findings, QUERY_MX05, h->name, STS_STR_NONE);
	if (is_private(h, context->rules))
		query_find(&r->findings, QUERY_MX10, h->name,
		    keep_address(r, &h->addresses[0]));
	if (!sts_str_eq_nocase(h->name, h->final))
		query_find(&r->findings, QUERY_MX06, h->name, h->final);
	if (address != NULL)
		find_failure(r, h, QUERY_MX11, address);
	if (tlsa != NULL)
		find_failure(r, h, QUERY_DAN03, tlsa);
}

static struct sts_str
keep_numbers(struct query_report *r, struct sts_str rdata)
{
	struct sts_buf b = { 0 };

	query_put_tlsa(&b, rdata);
	return query_kept(r, &b);
}

/* Records that count, as far as they go. */
static void
judge_records(struct query_report *r, const struct query_host *h)
{
	for (size_t i = 0; i < h->tlsa_count; i++)
		if (!h->tlsa[i].usable)
			query_find(&r->findings, QUERY_DAN06, h->name,
			    keep_numbers(r, h->tlsa[i].rdata));
	if (h->state == STS_HOST_X)
		query_find(&r->findings, QUERY_DAN07, h->name, STS_STR_NONE);
	if (h->state == STS_HOST_U && h->tlsa_count == 1)
		query_find(&r->findings, QUERY_DAN10, h->name, STS_STR_NONE);
	if (!sts_str_eq_nocase(h->base, h->name))
		query_find(&r->findings, QUERY_DAN11, h->name, h->base);
}

/* Is it certain who the hosts are? */
static bool
is_mx_secure(const struct query_report *r)
{
	return r->key.brackets ? is_ad_good(r) : query_dnssec_of_mx(r) == QUERY_SECURE;
}

/* Why there is no DANE at a host whose MX could have it. */
static void
judge_lack(struct query_report *r, const struct query_host *h)
{
	bool is_signed = query_dnssec_of_host(r, h) == QUERY_SECURE;

	if (h->address_count == 0 || !is_mx_secure(r))
		return;
	if (r->dane.state == STS_DANE_APPLIES)
		query_find(&r->findings, QUERY_DAN08, h->name,
		    is_signed ? STS_STR("it has no signed TLSA records")
			      : STS_STR("its addresses are not signed"));
	else
		query_find(&r->findings, is_signed ? QUERY_DAN04 : QUERY_DAN02, h->name,
		    STS_STR_NONE);
}

static void
judge_tlsa(struct query_report *r, const struct query_host *h)
{
	switch (query_tlsa_status(h)) {
	case QUERY_TLSA_USABLE:
	case QUERY_TLSA_UNUSABLE:
		judge_records(r, h);
		break;
	case QUERY_TLSA_UNSIGNED:
		query_find(&r->findings, QUERY_DAN05, h->name, STS_STR_NONE);
		if (r->dane.state == STS_DANE_APPLIES)
			judge_lack(r, h);
		break;
	case QUERY_TLSA_ABSENT:
	case QUERY_TLSA_NOT_QUERIED:
		if (h->state == STS_HOST_N)
			judge_lack(r, h);
		break;
	case QUERY_TLSA_FAILED:
		break;
	}
}

/* Does any host publish what would count, were the MX signed? */
static bool
has_records(const struct query_report *r)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (r->hosts[i].state == STS_HOST_U || r->hosts[i].state == STS_HOST_X)
			return true;
	return false;
}

/* RFC 7672 section 3.2.2: with a trust anchor, names count; with the key, they do not. */
static void
tell_names(struct query_report *r, const struct query_host *h)
{
	struct sts_buf b = { 0 };

	if (h->state != STS_HOST_U)
		return;
	sts_put_char(&b, '_');
	sts_put_number(&b, r->key.port);
	sts_put_text(&b, "._tcp.");
	sts_put(&b, h->base);
	sts_put_text(&b, "; with usage 2 ");
	sts_put(&b, h->base);
	sts_put_text(&b, " or ");
	sts_put(&b, (struct sts_str){ r->key.domain, r->key.domain_n });
	sts_put_text(&b, ", with usage 3 any");
	query_find(&r->findings, QUERY_DAN09, h->name, query_kept(r, &b));
}

void
query_judge_dane(struct query_report *r, const struct query_context *context)
{
	judge_resolver(r, context);
	if (context->verbose && r->has_mx_fact)
		query_find(&r->findings, QUERY_MX08, STS_STR_NONE,
		    sts_str_of(query_dnssec_text(query_dnssec_of_mx(r))));
	if (r->dane.state == STS_DANE_APPLIES &&
	    r->answer.verdict == STS_VERDICT_NOTFOUND)
		query_find(&r->findings, QUERY_DAN13, STS_STR_NONE, STS_STR_NONE);
	if (r->dane.state == STS_DANE_ABSENT && !is_mx_secure(r) && has_records(r))
		query_find(&r->findings, QUERY_DAN01, STS_STR_NONE, STS_STR_NONE);
	for (size_t i = 0; i < r->host_count; i++) {
		judge_host(r, &r->hosts[i], context);
		judge_tlsa(r, &r->hosts[i]);
		if (context->verbose)
			tell_names(r, &r->hosts[i]);
	}
}
