/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a reply. The first byte picks the type, then comes the name asked, up
 * to a NUL, then the reply; where the name is "?", the question in front of the reply
 * is written by us, so that the fuzzer need not guess it. Views lie inside the reply
 * or the store, hosts are names that can be asked for again, what is no answer has no
 * records, and a question reads back as what was asked.
 */
#include "dns.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WIRE_MAX 65535

static void
must(bool truth)
{
	if (!truth)
		abort();
}

struct area {
	struct sts_str wire, store;
};

static bool
is_inside(struct sts_str view, struct sts_str area)
{
	return view.n == 0 || (view.p >= area.p && view.p + view.n <= area.p + area.n);
}

static bool
is_known(struct sts_str view, const struct area *area)
{
	return is_inside(view, area->wire) || is_inside(view, area->store);
}

static void
check_host(struct sts_str host)
{
	uint8_t query[STS_DNS_QUERY_MAX];

	must(host.n <= STS_NAME_MAX);
	if (host.n > 0)
		must(sts_dns_question(host, STS_DNS_A, 1, query) > 0);
	for (size_t i = 0; i < host.n; i++)
		must(host.p[i] == sts_lower(host.p[i]));
}

static void
check_data(enum sts_dns_type type, struct sts_str data)
{
	switch (type) {
	case STS_DNS_A:
		must(data.n == 4);
		break;
	case STS_DNS_AAAA:
		must(data.n == 16);
		break;
	case STS_DNS_MX:
	case STS_DNS_CNAME:
		check_host(data);
		break;
	case STS_DNS_SOA:
		must(data.n >= 22);
		break;
	case STS_DNS_TLSA:
		must(sts_tlsa_judge(data) == STS_TLSA_UNUSABLE ||
		    (sts_tlsa_data(data).n == data.n - 3 && data.n > 3));
		break;
	case STS_DNS_TXT:
		break;
	}
}

static void
check_answer(const struct sts_dns_answer *answer, enum sts_dns_type type,
    const struct area *area)
{
	must(answer->ede >= -1 && answer->ede <= UINT16_MAX);
	must(answer->count <= STS_DNS_RR_MAX && answer->chain <= 16);
	must((answer->err == STS_OK) == (answer->count > 0));
	must(is_known(answer->final_name, area));
	must(!answer->truncated || answer->err == STS_ERR_DNS_MALFORMED);
	for (size_t i = 0; i < answer->count; i++) {
		must(is_known(answer->rr[i].data, area));
		check_data(type, answer->rr[i].data);
	}
	if (sts_err_is_dns_failure(answer->err)) {
		must(answer->ttl == 0 && !answer->has_soa && !answer->ad);
		must(answer->final_name.n == 0 && answer->chain == 0);
		return;
	}
	check_host(answer->final_name);
	must(answer->ttl <= INT32_MAX);
	if (answer->err == STS_OK)
		return;
	must(answer->err == STS_ERR_DNS_NODATA || answer->err == STS_ERR_DNS_NXDOMAIN);
	must(answer->has_soa || answer->ttl == 0);
}

/* An empty reply to our own question is NODATA for that name. */
static void
check_question(const uint8_t *query, size_t n, struct sts_str name,
    enum sts_dns_type type)
{
	static struct sts_dns_answer answer;
	static char store[STS_DNS_STORE(STS_DNS_QUERY_MAX)];
	uint8_t reply[STS_DNS_QUERY_MAX];
	struct sts_str asked =
	    sts_str_ends(name, STS_STR(".")) ? sts_str_head(name, name.n - 1) : name;

	must(n <= STS_DNS_QUERY_MAX && query[5] == 1 && query[11] == 1);
	must(query[2] == 0x01 && query[3] == 0x20);
	must(query[n - 10] == 0 && query[n - 9] == 41);
	memcpy(reply, query, n);
	reply[2] |= 0x80;
	sts_dns_parse((struct sts_str){ (const char *)reply, n }, name, type, store,
	    sizeof(store), &answer);
	must(answer.err == STS_ERR_DNS_NODATA && answer.ad && answer.ede == -1);
	must(sts_str_eq_nocase(answer.final_name, asked));
}

static void
check_reply(struct sts_str wire, struct sts_str name, enum sts_dns_type type)
{
	static struct sts_dns_answer answer;
	size_t n = STS_DNS_STORE(wire.n);
	char *store = malloc(n);
	struct area area = { wire, { store, n } };

	if (store == NULL)
		return;
	sts_dns_parse(wire, name, type, store, n, &answer);
	check_answer(&answer, type, &area);
	free(store);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum sts_dns_type types[] = { STS_DNS_A, STS_DNS_CNAME, STS_DNS_SOA,
		STS_DNS_MX, STS_DNS_TXT, STS_DNS_AAAA, STS_DNS_TLSA };
	static char own[WIRE_MAX];
	struct sts_str rest = { (const char *)data, size }, name;
	uint8_t query[STS_DNS_QUERY_MAX];
	enum sts_dns_type type;
	size_t n;

	if (size < 1 || size > WIRE_MAX - STS_DNS_QUERY_MAX)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	rest = sts_str_from(rest, 1);
	(void)sts_str_cut(&rest, '\0', &name);

	if (!sts_str_eq(name, STS_STR("?"))) {
		n = sts_dns_question(name, type, 1, query);
		if (n > 0)
			check_question(query, n, name, type);
		check_reply(rest, name, type);
		return 0;
	}
	/* Ten bytes of header after the id, then whatever follows the question. */
	if (rest.n < 10)
		return 0;
	name = STS_STR("_mta-sts.example.test");
	n = sts_dns_question(name, type, 1, query) - 11;
	memcpy(own, query, n);
	memcpy(own + 2, rest.p, 10);
	own[2] = (char)((unsigned char)own[2] | 0x80);
	own[4] = 0;
	own[5] = 1;
	memcpy(own + n, rest.p + 10, rest.n - 10);
	check_reply((struct sts_str){ own, n + rest.n - 10 }, name, type);
	return 0;
}
