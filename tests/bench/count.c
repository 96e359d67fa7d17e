/* SPDX-License-Identifier: MIT */
/*
 * What callgrind counts (count.py): each answer and each journey many times over, with
 * nothing of network, clock or chance in it. count FOLDER makes its cache there; count -b
 * says what the counts depend on: who built it, and how.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "cache.h"
#include "dns.h"
#include "known.h"
#include "lookup.h"
#include "memo.h"
#include "name.h"
#include "netstring.h"
#include "refresh.h"
#include "reply.h"
#include "socketmap.h"

#if __has_include(<valgrind/callgrind.h>)
# include <valgrind/callgrind.h>
#else
# define CALLGRIND_TOGGLE_COLLECT (void)0
# define CALLGRIND_DUMP_STATS_AT(name) (void)(name)
#endif
#ifndef BUILT
# define BUILT "otherwise"
#endif

#define TIMES 200
#define DOMAINS 1000
#define NOW INT64_C(1800000000)

static const struct sts_net allow = { .addr = { .bytes = { 127 } }, .bits = 8 };
static const struct sts_rules rules = { .may = true,
	.dane = true,
	.believe = true,
	.validates = 1,
	.refresh_interval = KNOWN_DAY,
	.refresh_unused = 30 * KNOWN_DAY,
	.allow = &allow,
	.allow_count = 1 };
static const struct pf_reply_style style = { .exact = true,
	.servername = true,
	.max_reply = 65536 };

static struct sts_cache *cache;
static struct memo *memo;
static struct sts_buf reply, out, bytes;

static void
must(bool good, const char *what)
{
	if (!good)
		errx(1, "%s: not as expected", what);
}

/* Counts what do_it does, TIMES times. Once before: buffers have their size then. */
static void
count(const char *name, void (*do_it)(char kind, uint32_t number), char kind)
{
	do_it(kind, 0);
	CALLGRIND_TOGGLE_COLLECT;
	for (uint32_t i = 0; i < TIMES; i++)
		do_it(kind, i);
	CALLGRIND_TOGGLE_COLLECT;
	CALLGRIND_DUMP_STATS_AT(name);
}

/*
 * Answers: as daemon/answerer.c gives them from the cache, between recv and send.
 */
static void
answer(const char *map_name, char kind, uint32_t number)
{
	char request[64], name[DOMAIN_N + 1];
	struct sts_str payload, text, domain, stored;
	struct sts_entry e;
	struct sts_answer a;
	struct sts_key key;
	enum pf_map map;
	size_t used;
	int n;

	domain_name(name, kind, number);
	n = snprintf(request, sizeof(request), "%zu:%s %s,",
	    strlen(map_name) + 1 + DOMAIN_N, map_name, name);
	must(pf_netstring_take((struct sts_str){ request, (size_t)n }, PF_REQUEST_MAX,
		 &payload, &used) == PF_NETSTRING_WHOLE,
	    request);
	map = pf_request_parse(payload, &text);
	must(sts_key_parse(text, &key) == STS_OK, name);
	domain = (struct sts_str){ key.domain, key.domain_n };
	must(sts_cache_get(cache, domain, &stored) == STS_OK, name);
	must(sts_entry_read(stored, &e) == STS_OK, name);
	sts_answer(&e, domain, STS_TARGET_PLAIN, STS_HOPE_OPEN, NOW, &rules, &a);
	must(!a.ask_first && !a.ask_beside, name);
	sts_buf_clear(&reply);
	sts_buf_clear(&out);
	must(pf_reply_put(&reply, &a, &e, domain, key.brackets, map, NOW, &style) ==
		(kind == DOMAIN_NONE ? STS_VERDICT_NOTFOUND : STS_VERDICT_SECURE),
	    name);
	pf_netstring_put(&out, sts_buf_str(&reply));
	sts_cache_pause(cache);
}

static void
answer_plain(char kind, uint32_t number)
{
	answer("QUERY", kind, number);
}

static void
answer_reported(char kind, uint32_t number)
{
	answer("QUERYwithTLSRPT", kind, number);
}

/* The same question again, in the same second. */
static void
answer_again(char kind, uint32_t number)
{
	static const struct sts_str request = STS_STR("15:QUERY e000.test,"),
				    kept = STS_STR("OK secure match=mx1.e000.test");
	struct sts_str payload, again;
	size_t used;
	uint8_t tag;

	(void)kind;
	must(pf_netstring_take(request, PF_REQUEST_MAX, &payload, &used) ==
		PF_NETSTRING_WHOLE,
	    request.p);
	memo_turn(memo, NOW, sts_cache_commit(cache));
	if (number == 0)
		memo_keep(memo, payload, kept, 0);
	must(memo_find(memo, payload, &again, &tag), request.p);
	sts_buf_clear(&reply);
	sts_buf_clear(&out);
	sts_put(&reply, again);
	pf_netstring_put(&out, sts_buf_str(&reply));
	sts_cache_pause(cache);
}

/*
 * Journeys: all facts as the engine would find them out, and the entry as it is stored.
 */
static void
tell(struct sts_lookup *l, enum sts_need need, const struct known *k)
{
	static const struct sts_str record = { "v=STSv1; id=20260101000000;", 27 };
	static const struct sts_addr address = { .bytes = { 127, 0, 0, 1 } };
	static const uint16_t preferences[] = { 10, 20 };
	struct sts_str hosts[] = { sts_str_of(k->mx[0]), sts_str_of(k->mx[1]) };
	struct sts_fact fact = { .ede = -1, .ttl = 300 };

	if (need == STS_NEED_RECORD && k->name[0] == DOMAIN_NONE) {
		fact.err = STS_ERR_DNS_NXDOMAIN;
	} else if (need == STS_NEED_RECORD) {
		fact.texts = &record;
		fact.count = 1;
	} else if (need == STS_NEED_MX) {
		fact.texts = hosts;
		fact.preferences = preferences;
		fact.count = 2;
	} else if (need == STS_NEED_HOST) {
		fact.addresses = &address;
		fact.count = 1;
	} else if (need == STS_NEED_POLICY) {
		fact.body = k->entry.policy;
	} else if (need == STS_NEED_TRUST || need == STS_NEED_TRUST_NOW) {
		fact.ad = true;
	}
	sts_lookup_tell(l, need, &fact, NOW);
}

static void
travel(const struct known *k, const struct sts_entry *cached, enum sts_start start)
{
	struct sts_lookup l;
	unsigned needs;

	sts_lookup_start(&l, k->domain, cached, start, &rules);
	while ((needs = sts_lookup_run(&l, NOW)) != 0)
		for (unsigned i = 0; i < STS_NEEDS; i++)
			if (needs & 1U << i)
				tell(&l, (enum sts_need)(1U << i), k);
	must((l.entry.fetched == NOW) == (k->name[0] != DOMAIN_NONE), k->name);
	sts_buf_clear(&bytes);
	sts_entry_write(&l.entry, &bytes);
	must(sts_refresh_due(&l.entry, k->domain, &rules) > NOW, k->name);
}

static void
first_journey(char kind, uint32_t number)
{
	struct known k;

	known_make(&k, kind, number, NOW, NOW);
	travel(&k, NULL, STS_START_ASKED);
}

static void
refresh(char kind, uint32_t number)
{
	struct known k;

	known_make(&k, kind, number, NOW - KNOWN_DAY, NOW - KNOWN_DAY);
	travel(&k, &k.entry, STS_START_REFRESH);
}

/* An answer of DNS on the wire: two MX records, by compressed names. */
static void
read_answer(char kind, uint32_t number)
{
	static char store[STS_DNS_STORE(512)];
	static struct sts_dns_answer a;
	uint8_t query[STS_DNS_QUERY_MAX], wire[512];
	char name[DOMAIN_N + 1];
	size_t n;

	domain_name(name, kind, number);
	n = sts_dns_question(sts_str_of(name), STS_DNS_MX, 1, query) -
	    11; /* without OPT */
	memcpy(wire, query, n);
	wire[2] = 0x81;
	wire[3] = 0x80;
	wire[7] = 2;
	wire[11] = 0;
	for (uint8_t i = 1; i <= 2; i++) {
		const uint8_t mx[] = { 0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 8, 0, i, 3,
			'm', 'x', '0' + i, 0xc0, 12 };

		memcpy(wire + n, mx, sizeof(mx));
		n += sizeof(mx);
	}
	sts_dns_parse((struct sts_str){ (char *)wire, n }, sts_str_of(name), STS_DNS_MX,
	    store, sizeof(store), &a);
	must(a.err == STS_OK && a.count == 2, name);
}

/*
 * The cache.
 */
static void
store(char kind)
{
	struct sts_cache_kind what = { kind != DOMAIN_NONE, STS_MODE_ENFORCE, false };
	struct known k;

	for (uint32_t i = 0; i < DOMAINS; i++) {
		known_make(&k, kind, i, NOW, NOW);
		sts_buf_clear(&bytes);
		sts_entry_write(&k.entry, &bytes);
		must(sts_cache_put(cache, k.domain, sts_buf_str(&bytes), what, INT64_MAX,
			 NULL, NULL) == STS_OK,
		    k.name);
	}
}

static void
fill(const char *path)
{
	struct sts_loop *loop = sts_loop_new();
	char why[200] = "no loop";

	if (loop == NULL || sts_cache_prepare(path, 0, why, sizeof(why)) != STS_OK ||
	    sts_cache_open(path, 0, true, loop, &cache, why, sizeof(why)) != STS_OK)
		errx(1, "%s: %s", path, why);
	store(DOMAIN_NONE);
	store(DOMAIN_ENFORCE);
	store(DOMAIN_WILDCARD);
	must(sts_cache_flush(cache) == STS_OK, path);
	sts_cache_close(cache);
	sts_loop_free(loop);
	if (sts_cache_open(path, 0, false, NULL, &cache, why, sizeof(why)) != STS_OK)
		errx(1, "%s: %s", path, why);
}

int
main(int argc, char **argv)
{
	char path[4096];

	if (argc != 2)
		errx(64, "usage: count -b | count FOLDER");
	if (strcmp(argv[1], "-b") == 0) {
		(void)printf("compiler %s, %s, %s\n", __VERSION__, BUILT,
		    sts_cache_version());
		return 0;
	}
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", argv[1]);
	fill(path);
	memo = memo_new();
	must(memo != NULL, "memory");
	count("answer NOTFOUND", answer_plain, DOMAIN_NONE);
	count("answer enforce", answer_plain, DOMAIN_ENFORCE);
	count("answer wildcard", answer_plain, DOMAIN_WILDCARD);
	count("answer TLSRPT", answer_reported, DOMAIN_ENFORCE);
	count("answer again", answer_again, DOMAIN_ENFORCE);
	count("journey none", first_journey, DOMAIN_NONE);
	count("journey enforce", first_journey, DOMAIN_ENFORCE);
	count("journey wildcard", first_journey, DOMAIN_WILDCARD);
	count("journey refresh", refresh, DOMAIN_ENFORCE);
	count("DNS answer", read_answer, DOMAIN_ENFORCE);
	memo_free(memo);
	sts_cache_close(cache);
	sts_buf_done(&reply);
	sts_buf_done(&out);
	sts_buf_done(&bytes);
	return 0;
}
