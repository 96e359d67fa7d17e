/* SPDX-License-Identifier: MIT */
#include "query_trace.h"

#include "query_dns.h"
#include "tlsa.h"

/* Many or long records: the report shows them whole. */
#define LINE_MAX_BYTES 400

static void
put_between(struct sts_buf *to, size_t i)
{
	sts_put_text(to, i > 0 ? ", " : "");
}

static void
put_ttl(struct sts_buf *to, uint32_t ttl, bool ad)
{
	sts_put_text(to, "; ttl ");
	sts_put_number(to, ttl);
	sts_put_text(to, ad ? "; AD" : "");
}

static void
put_address(struct sts_buf *to, const struct sts_addr *address)
{
	char text[STS_ADDR_TEXT];

	sts_put(to, (struct sts_str){ text, sts_addr_text(address, text) });
}

/* What stands in a fact of the journey. */
static void
put_fact(struct sts_buf *to, const char *name, bool is_mx, const struct sts_fact *fact)
{
	sts_put_text(to, name);
	sts_put_text(to, ": ");
	if (fact->err != STS_OK)
		query_put_dns(to, fact->err, fact->ede);
	for (size_t i = 0; i < fact->count; i++) {
		put_between(to, i);
		if (is_mx) {
			sts_put_number(to, fact->preferences[i]);
			sts_put_char(to, ' ');
		}
		if (fact->texts != NULL && fact->texts[i].n == 0)
			sts_put_char(to, '.');
		else if (fact->texts != NULL)
			sts_put_escaped(to, fact->texts[i]);
		else
			put_address(to, &fact->addresses[i]);
	}
	put_ttl(to, fact->ttl, fact->ad);
}

static void
put_trust(struct sts_buf *to, const struct sts_fact *fact)
{
	sts_put_text(to, "resolver: ");
	if (fact->err != STS_OK)
		query_put_dns(to, fact->err, fact->ede);
	else
		sts_put_text(to,
		    fact->ad ? "validates DNSSEC" : "does not validate DNSSEC");
}

static bool
put_need(struct sts_buf *to, const struct sts_event *event)
{
	switch (event->need) {
	case STS_NEED_RECORD:
		put_fact(to, "_mta-sts TXT", false, event->fact);
		return true;
	case STS_NEED_MX:
		put_fact(to, "MX", true, event->fact);
		return true;
	case STS_NEED_HOST:
		put_fact(to, "policy host", false, event->fact);
		return true;
	case STS_NEED_TRUST:
	case STS_NEED_TRUST_NOW:
		put_trust(to, event->fact);
		return true;
	case STS_NEED_POLICY: /* the fetch tells more */
	case STS_NEED_STORED:
	case STS_NEED_HOSTS:
		break;
	}
	return false;
}

static void
put_tlsa(struct sts_buf *to, struct sts_str rdata)
{
	struct sts_str data = sts_tlsa_data(rdata);

	for (size_t i = 0; i < rdata.n - data.n; i++) {
		sts_put_number(to, (unsigned char)rdata.p[i]);
		sts_put_char(to, ' ');
	}
	for (size_t i = 0; i < data.n; i++) {
		unsigned char c = (unsigned char)data.p[i];

		sts_put_char(to, "0123456789abcdef"[c >> 4]);
		sts_put_char(to, "0123456789abcdef"[c & 15]);
	}
}

static void
put_record(struct sts_buf *to, enum sts_dns_type type, const struct sts_dns_rr *rr)
{
	struct sts_addr address = { .v6 = type == STS_DNS_AAAA };

	switch (type) {
	case STS_DNS_A:
	case STS_DNS_AAAA:
		for (size_t i = 0; i < rr->data.n && i < sizeof(address.bytes); i++)
			address.bytes[i] = (uint8_t)rr->data.p[i];
		put_address(to, &address);
		break;
	case STS_DNS_TLSA:
		put_tlsa(to, rr->data);
		break;
	case STS_DNS_MX:
		sts_put_number(to, rr->preference);
		sts_put_char(to, ' ');
		sts_put_escaped(to, rr->data);
		break;
	case STS_DNS_CNAME:
	case STS_DNS_TXT:
	case STS_DNS_SOA:
		sts_put_escaped(to, rr->data);
		break;
	}
}

static void
put_answer(struct sts_buf *to, enum sts_dns_type type,
    const struct sts_dns_answer *answer)
{
	sts_put_char(to, ' ');
	sts_put_text(to, sts_dns_type_text(type));
	sts_put_text(to, ": ");
	if (answer->err != STS_OK)
		query_put_dns(to, answer->err, answer->ede);
	if (answer->chain > 0) {
		sts_put_text(to, "alias of ");
		sts_put_escaped(to, answer->final_name);
		sts_put_char(to, ' ');
	}
	for (size_t i = 0; i < answer->count; i++) {
		put_between(to, i);
		put_record(to, type, &answer->rr[i]);
	}
	put_ttl(to, answer->ttl, answer->ad);
}

static void
cut(struct sts_buf *to, size_t from)
{
	if (to->n <= from + LINE_MAX_BYTES)
		return;
	to->n = from + LINE_MAX_BYTES;
	sts_put_text(to, " ...");
}

static void
put_host_answer(struct sts_buf *to, const struct sts_event *event)
{
	static const enum sts_dns_type types[STS_DANE_STEPS] = { [STS_DANE_A] = STS_DNS_A,
		[STS_DANE_AAAA] = STS_DNS_AAAA,
		[STS_DANE_ALIAS] = STS_DNS_CNAME,
		[STS_DANE_TLSA] = STS_DNS_TLSA,
		[STS_DANE_TLSA_OWN] = STS_DNS_TLSA };
	const struct sts_dane_host *host = &event->lookup->dane.hosts[event->host];

	sts_put_escaped(to, event->step == STS_DANE_TLSA ? host->final : host->name);
	put_answer(to, types[event->step], event->answer);
}

void
query_trace_begin(struct sts_buf *to, struct sts_str domain, int64_t ms)
{
	sts_put_escaped(to, domain);
	sts_put_text(to, "  ");
	sts_put_number(to, (uint64_t)ms);
	sts_put_text(to, " ms  ");
}

void
query_trace_answer(struct sts_buf *to, const char *name, enum sts_dns_type type,
    const struct sts_dns_answer *answer)
{
	size_t from = to->n;

	sts_put_text(to, name);
	put_answer(to, type, answer);
	cut(to, from);
}

void
query_trace_fetched(struct sts_buf *to, const struct sts_fetched *fetched)
{
	sts_put_text(to, "HTTPS: ");
	if (fetched->has_address) {
		put_address(to, &fetched->address);
		sts_put_text(to, "; ");
	}
	if (fetched->tls.protocol[0] != '\0') {
		sts_put_text(to, fetched->tls.protocol);
		sts_put_text(to, "; ");
	}
	if (fetched->status > 0) {
		sts_put_text(to, "HTTP ");
		sts_put_number(to, (unsigned long)fetched->status);
		sts_put_text(to, "; ");
	}
	if (fetched->err != STS_OK) {
		sts_put_text(to, fetched->why);
	} else {
		sts_put_number(to, fetched->body.n);
		sts_put_text(to, " bytes");
	}
}

void
query_trace_daemon(struct sts_buf *to, enum query_control_err err, const char *why)
{
	sts_put_text(to, "daemon: ");
	switch (err) {
	case QUERY_CONTROL_OK:
		sts_put_text(to, "has it in its cache");
		break;
	case QUERY_CONTROL_NONE:
		sts_put_text(to, "has nothing of it");
		break;
	case QUERY_CONTROL_OFF:
	case QUERY_CONTROL_AWAY:
	case QUERY_CONTROL_DENIED:
	case QUERY_CONTROL_VERSION:
	case QUERY_CONTROL_TROUBLE:
		sts_put_text(to, why);
		break;
	}
}

bool
query_trace_event(struct sts_buf *to, const struct sts_event *event)
{
	size_t from = to->n;
	bool any = false;

	switch (event->what) {
	case STS_EVENT_FACT:
		any = put_need(to, event);
		break;
	case STS_EVENT_FETCHED:
		query_trace_fetched(to, event->fetched);
		any = true;
		break;
	case STS_EVENT_HOST:
		put_host_answer(to, event);
		any = true;
		break;
	case STS_EVENT_POLICY:
	case STS_EVENT_DONE:
	case STS_EVENT_TROUBLE:
	case STS_EVENT_TRUST:
		break;
	}
	cut(to, from);
	return any;
}
