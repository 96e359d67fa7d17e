/* SPDX-License-Identifier: MIT */
#include "query_dane.h"
#include "query_dns.h"
#include "query_json.h"

static void
write_dns_error(struct query_writer *w, const struct sts_dane_fact *failed)
{
	struct sts_buf b = { 0 };

	if (failed != NULL)
		query_put_dns(&b, failed->err, failed->ede);
	query_made(w, "error", &b);
}

/*
 * DANE.
 */
static void
write_record(struct query_writer *w, const struct query_tlsa *tlsa)
{
	static const char *const numbers[] = { "usage", "selector", "mtype" };
	struct sts_buf b = { 0 };

	query_open(w, NULL, '{');
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		query_number_or_null(w, numbers[i],
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
	query_string_or_null(w, "base", h->base);
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
		query_address(w, NULL, &h->addresses[i]);
	query_close(w, ']');
	if (h == NULL) {
		query_text(w, "dnssec", query_dnssec_text(QUERY_INDETERMINATE));
		return;
	}
	query_text(w, "dnssec", query_dnssec_text(query_dnssec_of_host(r, h)));
	query_string_or_null(w, "alias_of",
	    sts_str_eq(h->name, h->final) ? STS_STR_NONE : h->final);
	write_dns_error(w, query_failed_address(h));
	write_tlsa(w, h);
	query_text(w, "dane", host_text(h->state));
}

/*
 * The policy, and what Postfix makes of it.
 */
static void
write_sts(struct query_writer *w, const struct query_mx *mx)
{
	query_open(w, "sts", '{');
	query_bool(w, "allowed", mx->allowed);
	query_string_or_null(w, "pattern", mx->pattern);
	query_close(w, '}');
}

static void
write_advice(struct query_writer *w, const struct query_report *r,
    const struct query_mx *mx)
{
	const struct query_advice *a = &mx->advice;

	if (!a->is_known)
		return;
	query_open(w, "postfix", '{');
	query_text(w, "action", query_action_text(a->action));
	query_text(w, "level", a->level);
	query_text(w, "why", a->why);
	query_bool(w, "before_3_10_5_tries", a->skipped_late);
	query_open(w, "names", '[');
	if (a->by_host)
		query_string(w, NULL, mx->host);
	for (size_t i = 0; !a->by_host && i < r->name_count; i++)
		query_string(w, NULL, r->names[i]);
	query_close(w, ']');
	query_close(w, '}');
}

/*
 * What the host itself says.
 */
static int64_t
not_after(const struct query_smtp *s)
{
	return s->cert_count > 0 ? s->certs[0].not_after : 0;
}

static void
write_encrypted(struct query_writer *w, const struct query_smtp *s)
{
	bool has = s->encrypted;

	query_text(w, "protocol", has ? s->session.protocol : NULL);
	query_text(w, "cipher", has ? s->session.cipher : NULL);
	query_text(w, "key_exchange",
	    has && s->session.group[0] != '\0' ? s->session.group : NULL);
	query_open(w, "names", '[');
	for (size_t i = 0; has && i < s->name_count; i++)
		query_string(w, NULL, s->names[i]);
	query_close(w, ']');
	query_text(w, "issuer", has && s->cert_count > 0 ? s->certs[0].issuer : NULL);
	query_time(w, "not_after", has ? not_after(s) : 0);
}

/* What went wrong first. */
static struct sts_str
error_of(const struct query_smtp *s)
{
	if (s->guarded)
		return STS_STR("not a public address, and not asked (allow_addresses)");
	if (s->why.n > 0)
		return s->why;
	return s->pkix_why.n > 0 ? s->pkix_why : s->dane_why;
}

static void
write_seen(struct query_writer *w, const struct query_smtp *s,
    enum query_smtp_level level)
{
	bool ok = query_smtp_is_fine(s, level);
	struct sts_buf tlsa = { 0 };

	query_open(w, NULL, '{');
	query_address(w, "ip", &s->address);
	query_bool(w, "ok", ok);
	query_text(w, "stage", s->guarded ? "connect" : query_smtp_stage(s, level));
	query_bool(w, "asked", !s->guarded);
	query_bool(w, "starttls", s->starttls);
	query_bool(w, "requiretls", s->requiretls);
	query_string_or_null(w, "sni", s->server_name);
	query_string_or_null(w, "banner", s->banner);
	write_encrypted(w, s);
	query_text(w, "pkix", query_smtp_pkix(s));
	query_text(w, "dane", query_smtp_dane(s));
	if (s->encrypted)
		query_smtp_put_tlsa(&tlsa, s);
	query_made(w, "tlsa", &tlsa);
	query_number_or_null(w, "ms", s->ms[STS_SMTP_DONE]);
	query_string_or_null(w, "error",
	    ok && s->err == STS_SMTP_OK ? STS_STR_NONE : error_of(s));
	query_close(w, '}');
}

static void
write_smtp(struct query_writer *w, const struct query_report *r,
    const struct query_mx *mx)
{
	const struct sts_policy *policy = query_policy_in_force(r);
	bool testing = policy != NULL && policy->mode == STS_MODE_TESTING;
	enum query_smtp_level level = query_smtp_level_of(r->reply, testing);

	if (r->smtp_count == 0)
		return;
	query_open(w, "smtp", '[');
	for (size_t i = 0; i < r->smtp_count; i++)
		if (sts_str_eq(r->smtp[i].host, mx->host))
			write_seen(w, &r->smtp[i], level);
	query_close(w, ']');
}

void
query_json_mx(struct query_writer *w, const struct query_report *r)
{
	const struct sts_policy *policy = query_policy_in_force(r);
	bool implicit = r->key.brackets || r->mx_implicit;

	query_open(w, "mx", '[');
	for (size_t i = 0; i < r->mx_count; i++) {
		const struct query_mx *mx = &r->mx[i];

		query_open(w, NULL, '{');
		query_string(w, "host", mx->host);
		query_number_or_null(w, "preference", implicit ? -1 : mx->preference);
		query_bool(w, "implicit", implicit);
		write_host(w, r, mx->seen);
		if (policy != NULL && policy->mode != STS_MODE_NONE)
			write_sts(w, mx);
		write_advice(w, r, mx);
		write_smtp(w, r, mx);
		query_close(w, '}');
	}
	query_close(w, ']');
}
