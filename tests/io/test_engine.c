/* SPDX-License-Identifier: MIT */
/*
 * The engine in a world of numbers: time, DNS, HTTPS and the cache are the fakes below,
 * which take the place of the real ones when this program is linked. Nothing waits.
 */
#include "engine.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int test_failed;

#define BEGINNING INT64_C(1000000000)
#define MINUTE 60000
#define DAY 86400
#define ANSWER_MS 10000
#define MANY 64

#define ENFORCE "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 604800\n"

/* What the world does from now on; each question and fetch goes by what held when it
 * was asked. */
static struct {
	int64_t ms; /* since the beginning */
	int64_t txt_ms, mx_ms, a_ms, aaaa_ms, fetch_ms, store_ms, soa_ms, tlsa_ms;
	enum sts_err txt_err, fetch_err, get_err, store_err;
	uint32_t txt_ttl, ttl; /* ttl: of everything else; 0: 300 */
	bool has_soa;
	const char *txt;
	uint8_t site;	/* the policy hosts' /24 */
	bool by_name;	/* it is the digit before .example instead */
	bool validates; /* the resolver, and all zones are signed */
	enum sts_err soa_err, tlsa_err;
	unsigned txts, mxs, soas, tlsas, fetches, running, most_running;
	unsigned hosts;			      /* in an MX answer; 0: one */
	int64_t host_ms;		      /* their addresses; 0: as others */
	unsigned open, most_open;	      /* questions */
	char fetched[MANY][STS_NAME_MAX + 1]; /* hosts in the order of their fetches */
} world;

static const uint8_t TLSA[3 + 32] = { 3, 1, 1 };

/* ---- time ---- */

struct sts_timer {
	struct sts_timer *next;
	sts_on_time *on;
	void *arg;
	bool set;
	int64_t at;
	unsigned turn; /* of equals the first that was set */
};

static struct sts_timer *timers;
static unsigned turns;

int64_t
sts_loop_ms(struct sts_loop *loop)
{
	(void)loop;
	return world.ms;
}

int64_t
sts_clock_now(void)
{
	return BEGINNING + world.ms / 1000;
}

struct sts_timer *
sts_timer_new(struct sts_loop *loop, sts_on_time *on, void *arg)
{
	struct sts_timer *t = calloc(1, sizeof(*t));

	(void)loop;
	if (t == NULL)
		abort();
	t->on = on;
	t->arg = arg;
	t->next = timers;
	timers = t;
	return t;
}

int
sts_timer_set(struct sts_timer *t, int64_t ms)
{
	t->set = true;
	t->at = world.ms + (ms > 0 ? ms : 0);
	t->turn = turns++;
	return 0;
}

void
sts_timer_stop(struct sts_timer *t)
{
	t->set = false;
}

void
sts_timer_free(struct sts_timer *t)
{
	struct sts_timer **at = &timers;

	if (t == NULL)
		return;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

static struct sts_timer *
first_timer(void)
{
	struct sts_timer *first = NULL;

	for (struct sts_timer *t = timers; t != NULL; t = t->next)
		if (t->set &&
		    (first == NULL || t->at < first->at ||
			(t->at == first->at && t->turn < first->turn)))
			first = t;
	return first;
}

/* Lets everything happen that happens until then. */
static void
run_until(int64_t ms)
{
	struct sts_timer *t;

	while ((t = first_timer()) != NULL && t->at <= ms) {
		world.ms = t->at;
		t->set = false;
		t->on(t->arg);
	}
	world.ms = ms;
}

/* ---- DNS ---- */

struct sts_question {
	struct sts_timer *timer;
	struct sts_dns_answer answer;
	char data[64];
	sts_on_answer *on;
	void *arg;
};

void
sts_resolve_forget(struct sts_question *q)
{
	if (q == NULL)
		return;
	world.open--;
	sts_timer_free(q->timer);
	free(q);
}

static void
on_dns(void *arg)
{
	struct sts_question *q = arg;

	world.open--;
	q->on(q->arg, &q->answer, 0);
	sts_timer_free(q->timer);
	free(q);
}

static void
give_record(struct sts_question *q, const void *data, size_t n)
{
	memcpy(q->data, data, n);
	q->answer.rr[0].data = (struct sts_str){ q->data, n };
	q->answer.count = 1;
}

static void
give_hosts(struct sts_question *q)
{
	static char names[STS_MX_EXAMINED][sizeof("mx00.example.com")];

	q->answer.count = world.hosts;
	for (unsigned i = 0; i < world.hosts; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "mx%02u.example.com", i % 100);
		q->answer.rr[i].data = sts_str_of(names[i]);
	}
}

static int64_t
make_answer(struct sts_question *q, struct sts_str name, enum sts_dns_type type)
{
	unsigned digit =
	    name.n > 8 ? (unsigned)(name.p[name.n - sizeof(".example")] - '0') : 0;
	unsigned site = world.by_name ? digit : world.site;
	const uint8_t four[4] = { 192, 0, (uint8_t)(9 + site), 1 };

	q->answer.ttl = world.ttl > 0 ? world.ttl : 300;
	q->answer.ede = -1;
	q->answer.ad = world.validates;
	if (type == STS_DNS_SOA) {
		world.soas++;
		q->answer.err = world.soa_err;
		q->answer.count = 1;
		return world.soa_ms;
	}
	if (type == STS_DNS_TLSA) {
		world.tlsas++;
		q->answer.err = world.tlsa_err;
		if (world.tlsa_err == STS_OK)
			give_record(q, TLSA, sizeof(TLSA));
		return world.tlsa_ms;
	}
	if (type == STS_DNS_TXT) {
		world.txts++;
		q->answer.err = world.txt_err;
		q->answer.ttl = world.txt_ttl;
		q->answer.has_soa = world.has_soa;
		if (world.txt_err == STS_OK)
			give_record(q, world.txt, strlen(world.txt));
		return world.txt_ms;
	}
	if (type == STS_DNS_MX) {
		world.mxs++;
		give_record(q, "mx.example.com", 14);
		if (world.hosts > 0)
			give_hosts(q);
		return world.mx_ms;
	}
	if (type == STS_DNS_A) {
		give_record(q, four, sizeof(four));
		if (world.host_ms > 0 && sts_str_starts(name, STS_STR("mx")))
			return world.host_ms;
		return world.a_ms;
	}
	q->answer.err = STS_ERR_DNS_NODATA;
	return world.aaaa_ms;
}

struct sts_question *
sts_resolve_ask(struct sts_resolve *r, struct sts_str name, enum sts_dns_type type,
    sts_on_answer *on, void *arg)
{
	struct sts_question *q = calloc(1, sizeof(*q));

	(void)r;
	if (q == NULL)
		abort();
	if (++world.open > world.most_open)
		world.most_open = world.open;
	q->on = on;
	q->arg = arg;
	q->timer = sts_timer_new(NULL, on_dns, q);
	(void)sts_timer_set(q->timer, make_answer(q, name, type));
	return q;
}

size_t
sts_resolve_servers(const struct sts_resolve *r)
{
	(void)r;
	return 1;
}

struct sts_question *
sts_resolve_ask_server(struct sts_resolve *r, size_t server, struct sts_str name,
    enum sts_dns_type type, sts_on_answer *on, void *arg)
{
	CHECK("the one", server == 0);
	return sts_resolve_ask(r, name, type, on, arg);
}

const char *
sts_resolve_server_text(const struct sts_resolve *r, size_t server,
    char text[STS_ADDR_TEXT + 8])
{
	(void)r;
	(void)server;
	memcpy(text, "::1", 4);
	return text;
}

bool
sts_tls_is_certificate(struct sts_str der)
{
	return der.n > 0;
}

bool
sts_tls_is_key(struct sts_str der)
{
	return der.n > 0;
}

/* ---- HTTPS ---- */

struct sts_fetch {
	struct sts_timer *timer;
	struct sts_fetched fetched;
	sts_on_fetched *on;
	void *arg;
};

void
sts_fetch_cancel(struct sts_fetch *f)
{
	world.running--;
	sts_timer_free(f->timer);
	free(f);
}

static void
on_fetch(void *arg)
{
	struct sts_fetch *f = arg;

	f->on(f->arg, &f->fetched);
	sts_fetch_cancel(f);
}

struct sts_fetch *
sts_fetch_start(struct sts_fetcher *fetcher, struct sts_str host,
    const struct sts_addr *addresses, size_t count, sts_on_fetched *on, void *arg)
{
	struct sts_fetch *f = calloc(1, sizeof(*f));

	(void)fetcher;
	if (f == NULL)
		abort();
	CHECK("an address", count == 1 && !addresses[0].v6);
	f->on = on;
	f->arg = arg;
	f->fetched.err = world.fetch_err;
	f->fetched.why = "";
	f->fetched.body = STS_STR(ENFORCE);
	f->timer = sts_timer_new(NULL, on_fetch, f);
	(void)sts_timer_set(f->timer, world.fetch_ms);
	if (world.fetches < MANY)
		(void)snprintf(world.fetched[world.fetches], sizeof(world.fetched[0]),
		    "%.*s", (int)host.n, host.p);
	world.fetches++;
	if (++world.running > world.most_running)
		world.most_running = world.running;
	return f;
}

/* ---- the cache ---- */

struct kept {
	char domain[STS_NAME_MAX + 1];
	struct sts_buf bytes;
	int64_t due;
	unsigned puts;
};

static struct kept kept[MANY];
static size_t kept_count;

static struct kept *
find_kept(struct sts_str domain)
{
	for (size_t i = 0; i < kept_count; i++)
		if (sts_str_eq(sts_str_of(kept[i].domain), domain))
			return &kept[i];
	return NULL;
}

enum sts_err
sts_cache_get(struct sts_cache *c, struct sts_str domain, struct sts_str *bytes)
{
	const struct kept *k = find_kept(domain);

	(void)c;
	if (world.get_err != STS_OK)
		return world.get_err;
	if (k == NULL)
		return STS_ERR_CACHE_NONE;
	*bytes = sts_buf_str(&k->bytes);
	return STS_OK;
}

void
sts_cache_pause(struct sts_cache *c)
{
	(void)c;
}

struct storing {
	struct storing *next;
	struct sts_timer *timer;
	enum sts_err err;
	sts_on_stored *on;
	void *arg;
};

static struct storing *storing;

static void
on_commit(void *arg)
{
	struct storing *s = arg;
	struct storing **at = &storing;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->on != NULL)
		s->on(s->arg, s->err);
	sts_timer_free(s->timer);
	free(s);
}

enum sts_err
sts_cache_put(struct sts_cache *c, struct sts_str domain, struct sts_str bytes,
    struct sts_cache_kind kind, int64_t due, sts_on_stored *on, void *arg)
{
	struct kept *k = find_kept(domain);
	struct storing *s = calloc(1, sizeof(*s));

	(void)c;
	(void)kind;
	if (k == NULL) {
		k = &kept[kept_count++];
		if (kept_count == MANY || s == NULL)
			abort();
		memcpy(k->domain, domain.p, domain.n);
	}
	sts_buf_clear(&k->bytes);
	sts_put(&k->bytes, bytes);
	k->due = due;
	k->puts++;
	*s = (struct storing){ storing, NULL, world.store_err, on, arg };
	s->timer = sts_timer_new(NULL, on_commit, s);
	(void)sts_timer_set(s->timer, world.store_ms);
	storing = s;
	return STS_OK;
}

void
sts_cache_forget(struct sts_cache *c, void *arg)
{
	(void)c;
	for (struct storing *s = storing; s != NULL; s = s->next)
		if (s->arg == arg)
			s->on = NULL;
}

static int
by_due(const void *a, const void *b)
{
	const struct kept *const *x = a, *const *y = b;

	return ((*x)->due > (*y)->due) - ((*x)->due < (*y)->due);
}

size_t
sts_cache_due(struct sts_cache *c, int64_t now, size_t max, sts_on_due *on, void *arg,
    int64_t *next)
{
	const struct kept *sorted[MANY];
	size_t n = 0;

	(void)c;
	*next = INT64_MAX;
	for (size_t i = 0; i < kept_count; i++)
		sorted[i] = &kept[i];
	qsort(sorted, kept_count, sizeof(sorted[0]), by_due);
	while (n < kept_count && n < max && sorted[n]->due <= now)
		on(arg, sts_str_of(sorted[n++]->domain));
	if (n < kept_count)
		*next = sorted[n]->due;
	return n;
}

/* ---- the engine, and who asks it ---- */

static struct sts_engine *engine;
static struct sts_rules rules;
static unsigned troubles, trusts;

static struct asked {
	struct sts_wait *wait;
	struct asked *forgets; /* whom to forget when told */
	unsigned told;
	int64_t ms;
	enum sts_err err;
	enum sts_hope hope;
	bool live;
	enum sts_dane_state dane[3]; /* plain; [host]:587; [host] */
	int64_t dane_at;	     /* plain */
	uint16_t failures;
} asked[MANY];

#define BRACKETS ((struct sts_target){ true, 25 })
#define SUBMISSION ((struct sts_target){ true, 587 })

static void
on_outcome(void *arg, const struct sts_outcome *outcome)
{
	struct asked *a = arg;

	a->told++;
	a->ms = world.ms;
	a->err = outcome->err;
	a->hope = outcome->hope;
	a->live =
	    outcome->entry != NULL && sts_entry_is_live(outcome->entry, sts_clock_now());
	a->failures = outcome->entry != NULL ? outcome->entry->failures : 0;
	if (outcome->entry != NULL) {
		a->dane[0] = sts_entry_dane(outcome->entry, STS_TARGET_PLAIN)->state;
		a->dane_at = sts_entry_dane(outcome->entry, STS_TARGET_PLAIN)->at;
		a->dane[1] = sts_entry_dane(outcome->entry, SUBMISSION)->state;
		a->dane[2] = sts_entry_dane(outcome->entry, BRACKETS)->state;
	}
	if (a->forgets != NULL)
		sts_engine_forget(a->forgets->wait);
}

static void
on_event(void *arg, const struct sts_event *event)
{
	(void)arg;
	if (event->what == STS_EVENT_TROUBLE)
		troubles++;
	if (event->what == STS_EVENT_TRUST)
		trusts++;
}

static void
ask_as(struct asked *a, const char *domain, struct sts_target target)
{
	a->wait = sts_engine_ask(engine, sts_str_of(domain), target, STS_START_ASKED,
	    ANSWER_MS, on_outcome, a);
	CHECK(domain, a->wait != NULL);
}

static void
ask(struct asked *a, const char *domain)
{
	ask_as(a, domain, STS_TARGET_PLAIN);
}

static struct sts_engine_stats
stats(void)
{
	struct sts_engine_stats s;

	sts_engine_stats(engine, &s);
	return s;
}

/* A new world, where everything goes well at once. */
static void
begin(unsigned max_lookups, unsigned max_fetches)
{
	struct sts_engine_config config = { .rules = &rules,
		.max_lookups = max_lookups,
		.max_fetches = max_fetches,
		.answer_ms = ANSWER_MS };

	memset(&world, 0, sizeof(world));
	memset(asked, 0, sizeof(asked));
	world.txt = "v=STSv1; id=1";
	world.txt_ttl = 300;
	rules = (struct sts_rules){ .refresh_interval = DAY, .refresh_unused = 30 * DAY };
	troubles = trusts = 0;
	config.cache = (struct sts_cache *)(void *)&kept;
	engine = sts_engine_new(&config, on_event, NULL);
}

/* Whatever is under way: nobody is told any more, and nothing is left. */
static void
end(const char *name)
{
	sts_engine_free(engine);
	CHECK(name, world.running == 0);
	while (storing != NULL)
		on_commit(storing);
	CHECK(name, timers == NULL);
	for (size_t i = 0; i < kept_count; i++)
		sts_buf_done(&kept[i].bytes);
	memset(kept, 0, sizeof(kept));
	kept_count = 0;
}

/* Has a domain's policy been fetched long ago: all that was found out then is due. */
static void
know(const char *domain)
{
	struct asked a = { .told = 0 };
	unsigned fetches = world.fetches;

	ask(&a, domain);
	run_until(world.ms);
	CHECK(domain, a.told == 1 && a.live && world.fetches == fetches + 1);
}

static struct sts_entry
entry_of(const char *domain)
{
	const struct kept *k = find_kept(sts_str_of(domain));
	struct sts_entry e = { .fetched = 0 };

	CHECK(domain, k != NULL && sts_entry_read(sts_buf_str(&k->bytes), &e) == STS_OK);
	return e;
}

#define HOUR (60 * (int64_t)MINUTE)

/* ---- cases ---- */

static void
test_coalescing(void)
{
	begin(10, 10);
	world.txt_ms = 100;
	world.fetch_ms = 500;
	ask(&asked[0], "a.example");
	CHECK("never from inside", asked[0].told == 0);
	run_until(50);
	ask(&asked[1], "a.example");
	run_until(300);
	ask(&asked[2], "a.example");
	CHECK("one journey", stats().lookups == 1 && stats().fetches == 1);
	run_until(599);
	CHECK("not yet", asked[0].told == 0);
	run_until(MINUTE);
	for (size_t i = 0; i < 3; i++)
		CHECK("all told once",
		    asked[i].told == 1 && asked[i].ms == 600 && asked[i].live &&
			asked[i].hope == STS_HOPE_DONE);
	CHECK("one of each", world.txts == 1 && world.mxs == 1 && world.fetches == 1);
	CHECK("gone", stats().lookups == 0);
	ask(&asked[3], "a.example");
	run_until(world.ms);
	CHECK("known", asked[3].told == 1 && world.txts == 1 && world.fetches == 1);
	end("coalescing");
}

static void
test_host_only(void)
{
	begin(10, 10);
	world.fetch_ms = 500;
	ask_as(&asked[0], "a.example", BRACKETS);
	run_until(MINUTE);
	CHECK("[a.example] needs no MX", asked[0].live && world.mxs == 0);

	ask_as(&asked[1], "b.example", BRACKETS);
	run_until(MINUTE + 100);
	ask(&asked[2], "b.example");
	run_until(2 * MINUTE);
	CHECK("who joins does", asked[1].told == 1 && asked[2].told == 1);
	CHECK("who joins does", world.mxs == 1 && world.fetches == 2);
	end("host only");
}

/* A live enforce policy waits for DNS two seconds, whoever asks when. */
static void
test_looking(void)
{
	begin(10, 10);
	know("a.example");
	run_until(HOUR);
	world.txt_ms = 5000;
	ask(&asked[0], "a.example");
	run_until(HOUR + 500);
	ask(&asked[1], "a.example");
	run_until(HOUR + MINUTE);
	CHECK("two seconds", asked[0].told == 1 && asked[0].ms == HOUR + 2000);
	CHECK("what is cached", asked[0].live && asked[0].hope == STS_HOPE_LATE);
	CHECK("who joins, too", asked[1].told == 1 && asked[1].ms == HOUR + 2500);
	end("looking");
}

static void
test_answer_timeout(void)
{
	begin(10, 10);
	world.fetch_ms = 30000;
	ask(&asked[0], "a.example");
	run_until(15000);
	ask(&asked[1], "a.example");
	run_until(25500);
	ask(&asked[2], "a.example");
	run_until(MINUTE);
	CHECK("ten seconds", asked[0].told == 1 && asked[0].ms == 10000);
	CHECK("running", !asked[0].live && asked[0].hope == STS_HOPE_RUNNING);
	CHECK("ten of his own", asked[1].told == 1 && asked[1].ms == 25000);
	CHECK("in time", asked[2].ms == 30000 && asked[2].live);
	CHECK("once", world.fetches == 1);
	end("answer timeout");
}

static void
test_new_id(void)
{
	begin(10, 10);
	know("a.example");
	run_until(HOUR);
	world.txt = "v=STSv1; id=2";
	world.txt_ms = 1000;
	world.fetch_ms = 30000;
	ask(&asked[0], "a.example");
	run_until(2 * HOUR);
	CHECK("waits for the fetch", asked[0].ms == HOUR + ANSWER_MS && asked[0].live);
	CHECK("fetched", world.fetches == 2);
	CHECK("of the new id", sts_str_eq(entry_of("a.example").id, STS_STR("2")));
	end("new id");
}

/* Who asks while a refresh is under way gets what he would get without it. */
static void
test_refresh_joined(void)
{
	begin(10, 10);
	know("a.example");
	CHECK("refresh", sts_engine_refresh(engine) == 0);
	world.ms = entry_of("a.example").asked == 0 ? 0 : 1000;
	run_until((kept[0].due - BEGINNING) * 1000 - 1);
	world.fetch_ms = 30000;
	world.mxs = 0;
	run_until(world.ms + 100);
	CHECK("runs", stats().fetches == 1 && world.fetches == 2);
	ask(&asked[0], "a.example");
	run_until(world.ms + 29000);
	CHECK("no longer than DNS", asked[0].told == 1 && asked[0].live);
	CHECK("no longer than DNS",
	    asked[0].ms <= (kept[0].due - BEGINNING) * 1000 + 2100);
	CHECK("the MX, too", world.mxs == 1);
	run_until(world.ms + MINUTE);
	CHECK("extended", entry_of("a.example").fetched > BEGINNING + DAY / 2);
	end("refresh joined");

	begin(10, 10);
	know("a.example");
	CHECK("refresh", sts_engine_refresh(engine) == 0);
	run_until((kept[0].due - BEGINNING) * 1000 - 1);
	world.txt = "v=STSv1; id=2";
	world.fetch_ms = 30000;
	run_until(world.ms + 100);
	ask(&asked[0], "a.example");
	run_until(world.ms + 9000);
	CHECK("a new id is waited for", asked[0].told == 0);
	run_until(world.ms + 2000);
	CHECK("as long as ever", asked[0].told == 1 && asked[0].live);
	end("refresh joined, new id");
}

static void
test_overload(void)
{
	begin(2, 10);
	world.txt_ms = 100;
	ask(&asked[0], "a.example");
	ask(&asked[1], "b.example");
	ask(&asked[2], "c.example");
	ask(&asked[3], "a.example");
	sts_engine_look(engine, STS_STR("d.example"), STS_TARGET_PLAIN);
	CHECK("not from inside", asked[2].told == 0);
	run_until(MINUTE);
	CHECK("refused",
	    asked[2].told == 1 && asked[2].err == STS_ERR_OVERLOADED && asked[2].ms == 0);
	CHECK("the others not", asked[0].live && asked[1].live && asked[3].live);
	CHECK("two", world.txts == 2);
	end("overload");

	begin(1, 10);
	ask(&asked[0], "a.example");
	ask(&asked[1], "b.example");
	sts_engine_forget(asked[1].wait);
	run_until(MINUTE);
	CHECK("refused and forgotten", asked[1].told == 0);
	end("overload, forgotten");
}

/* A place that becomes free is taken at once, and in order. */
static void
test_queue(void)
{
	char domain[32];

	begin(100, 2);
	world.fetch_ms = 1030;
	for (unsigned i = 0; i < 6; i++) {
		world.site = (uint8_t)i;
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		ask(&asked[i], domain);
		run_until(world.ms);
	}
	CHECK("waiting", stats().fetches == 2 && stats().fetches_waiting == 4);
	run_until(MINUTE);
	CHECK("no more than two", world.most_running == 2 && world.fetches == 6);
	for (unsigned i = 0; i < 6; i++) {
		(void)snprintf(domain, sizeof(domain), "mta-sts.d%u.example", i);
		CHECK(domain, strcmp(world.fetched[i], domain) == 0);
		CHECK(domain, asked[i].live && asked[i].ms == 1030 * (1 + i / 2));
	}
	end("queue");
}

static void
test_site(void)
{
	char domain[32];

	begin(100, 100);
	world.fetch_ms = 1030;
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		ask(&asked[i], domain);
	}
	run_until(1);
	CHECK("sixteen", stats().fetches == STS_FETCHES_PER_NET);
	world.site = 1;
	ask(&asked[40], "elsewhere.example");
	run_until(500);
	CHECK("others pass", stats().fetches == STS_FETCHES_PER_NET + 1);
	run_until(MINUTE);
	CHECK("all", world.fetches == 41);
	CHECK("elsewhere", asked[40].ms == 1031);
	for (unsigned i = 0; i < 40; i++)
		CHECK("in order, at once",
		    asked[i].ms == 1030 * (1 + i / STS_FETCHES_PER_NET));
	end("site");
}

/* What is older than answer_timeout gives way to others when nobody waits for it. */
static void
test_yield(void)
{
	begin(100, 2);
	world.fetch_ms = MINUTE;
	ask(&asked[0], "a.example");
	ask(&asked[1], "b.example");
	run_until(ANSWER_MS + 1000);
	ask(&asked[2], "b.example");
	CHECK("nobody is in need", stats().fetches == 2);
	world.fetch_ms = 100;
	ask(&asked[3], "c.example");
	run_until(ANSWER_MS + 2000);
	CHECK("c has a's place", asked[3].live && asked[3].ms < ANSWER_MS + 1500);
	CHECK("which failed", entry_of("a.example").failures == 1);
	CHECK("b is waited for", stats().fetches == 1 && asked[2].told == 0);
	ask(&asked[4], "a.example");
	run_until(world.ms);
	CHECK("a is not fetched again", asked[4].told == 1 && world.fetches == 3);
	run_until(2 * MINUTE);
	CHECK("b", entry_of("b.example").fetched != 0);
	end("yield");
}

/* So does what is at a crowded site, and what only waits for a place there: else one
 * dead provider would fill the table of journeys. */
static void
test_yield_at_site(void)
{
	char domain[32];

	begin(100, 100);
	world.fetch_ms = MINUTE;
	world.site = 1;
	ask(&asked[50], "elsewhere.example");
	run_until(0);
	world.site = 0;
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		ask(&asked[i], domain);
	}
	run_until(ANSWER_MS + 1000);
	CHECK("nobody waits any more", stats().fetches_waiting == 0);
	CHECK("given up in the queue", stats().lookups == STS_FETCHES_PER_NET + 1);
	CHECK("which is no failure of theirs", find_kept(STS_STR("d39.example")) == NULL);
	CHECK("in nobody's way", stats().fetches == STS_FETCHES_PER_NET + 1);
	world.fetch_ms = 100;
	ask(&asked[41], "new.example");
	run_until(world.ms + 1000);
	CHECK("in the way", entry_of("d0.example").failures == 1);
	CHECK("the site is free", asked[41].live);
	CHECK("no matter elsewhere", stats().fetches == 1 && stats().lookups == 1);
	ask(&asked[42], "d39.example");
	run_until(world.ms + 1000);
	CHECK("begun anew", asked[42].live);
	end("yield at site");
}

/* A fetch that found a place late had not all its time: it gives way, but has not failed. */
static void
test_yield_young(void)
{
	begin(100, 1);
	world.fetch_ms = ANSWER_MS - 2000;
	ask(&asked[0], "a.example");
	run_until(1000);
	world.fetch_ms = MINUTE;
	ask(&asked[1],
	    "late.example"); /* has its place when a second of its time is left */
	run_until(ANSWER_MS);
	CHECK("it runs", asked[0].live && stats().fetches == 1 && asked[1].told == 0);
	run_until(ANSWER_MS + 2000);
	CHECK("nobody waits for it", asked[1].told == 1);
	world.fetch_ms = 100;
	ask(&asked[2], "b.example");
	run_until(world.ms + 1000);
	CHECK("b has its place", asked[2].live);
	CHECK("no failure", find_kept(STS_STR("late.example")) == NULL);
	ask(&asked[3], "late.example");
	run_until(world.ms + 1000);
	CHECK("begun anew", asked[3].live);
	end("yield young");
}

static void
test_forget(void)
{
	begin(10, 10);
	world.fetch_ms = 1000;
	ask(&asked[0], "a.example");
	ask(&asked[1], "a.example");
	ask(&asked[2], "a.example");
	sts_engine_forget(asked[1].wait);
	run_until(500);
	sts_engine_forget(NULL);
	/* Whoever is told first forgets the other. */
	asked[0].forgets = &asked[2];
	asked[2].forgets = &asked[0];
	run_until(MINUTE);
	CHECK("forgotten", asked[1].told == 0);
	CHECK("one of both", asked[0].told + asked[2].told == 1);
	CHECK("the journey went on", entry_of("a.example").fetched != 0);
	end("forget");
}

static void
test_refresh(void)
{
	char domain[32];
	int64_t due;

	begin(100, 100);
	know("a.example");
	due = (kept[0].due - BEGINNING) * 1000;
	CHECK("start", sts_engine_refresh(engine) == 0);
	run_until(due - 1);
	CHECK("not yet", world.fetches == 1);
	run_until(due + MINUTE);
	CHECK("once", world.fetches == 2 && kept[0].due > BEGINNING + due / 1000);
	CHECK("once", kept[0].puts == 2);
	world.fetch_err = STS_ERR_FETCH_CONNECT;
	run_until((kept[0].due - BEGINNING) * 1000 + 10000);
	CHECK("failed", world.fetches == 3 && entry_of("a.example").failures == 1);
	CHECK("still there", entry_of("a.example").fetched != 0);
	run_until(INT64_C(30) * DAY * 1000);
	CHECK("expired", entry_of("a.example").fetched == 0 && kept[0].due == INT64_MAX);
	end("refresh");

	/* Slow ones keep nobody else. */
	begin(100, 100);
	world.by_name = true;
	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		know(domain);
	}
	world.ms = INT64_C(2000) * DAY;
	for (unsigned i = 0; i < 40; i++)
		kept[i].due = BEGINNING + (int64_t)2 * DAY + (i < 20 ? 0 : 2);
	world.fetch_ms = 50000;
	CHECK("start", sts_engine_refresh(engine) == 0);
	run_until(world.ms + 500);
	CHECK("slow ones", world.running == 20);
	world.fetch_ms = 1000;
	run_until(world.ms + 20000);
	CHECK("the others", world.running == 20 && world.fetches == 40 + 40);
	CHECK("a share of the places", world.most_running == 26);
	end("refresh, many");
}

static void
test_cache_trouble(void)
{
	begin(10, 10);
	world.get_err = STS_ERR_CACHE;
	world.txt_err = STS_ERR_DNS_NXDOMAIN;
	ask(&asked[0], "a.example");
	run_until(1000);
	CHECK("unreadable", asked[0].told == 1 && asked[0].err == STS_ERR_CACHE);
	CHECK("told", troubles == 1);
	CHECK("not kept", kept_count == 0);
	world.txt_err = STS_OK;
	ask(&asked[1], "a.example");
	run_until(2000);
	CHECK("fetched is known", asked[1].err == STS_OK && asked[1].live);
	end("unreadable");

	begin(10, 10);
	world.store_err = STS_ERR_CACHE_FULL;
	world.store_ms = 100;
	ask(&asked[0], "a.example");
	run_until(1000);
	CHECK("from memory", asked[0].err == STS_OK && asked[0].live);
	CHECK("after the try", asked[0].ms == 100);
	end("full");
}

/* How long "no record" counts. */
static void
test_negative(void)
{
	static const struct {
		const char *name;
		bool has_soa;
		uint32_t ttl;
		uint32_t counts;
	} ROWS[] = {
		{ "no SOA", false, 0, 300 },
		{ "an SOA of zero", true, 0, 10 },
		{ "an SOA of a second", true, 1, 10 },
		{ "an SOA", true, 600, 600 },
		{ "an SOA of a week", true, 604800, 3600 },
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		begin(10, 10);
		world.txt_err = STS_ERR_DNS_NXDOMAIN;
		world.has_soa = ROWS[i].has_soa;
		world.txt_ttl = ROWS[i].ttl;
		ask(&asked[0], "a.example");
		run_until(1000);
		CHECK(ROWS[i].name, entry_of("a.example").record_ttl == ROWS[i].counts);
		end(ROWS[i].name);
	}
}

/* Both address families are asked; the one that answers waits a little for the other. */
static void
test_families(void)
{
	begin(10, 10);
	world.aaaa_ms = 5000;
	ask(&asked[0], "a.example");
	run_until(MINUTE);
	CHECK("a silent family", asked[0].live && asked[0].ms == 300);
	end("families");
}

/*
 * DANE.
 */
static void
begin_dane(void)
{
	begin(10, 10);
	rules.dane = rules.believe = rules.may = true;
	world.validates = true;
}

static void
test_dane(void)
{
	begin_dane();
	ask(&asked[0], "a.example");
	ask(&asked[1], "b.example");
	run_until(1000);
	CHECK("applies", asked[0].dane[0] == STS_DANE_APPLIES);
	CHECK("applies", asked[1].dane[0] == STS_DANE_APPLIES);
	CHECK("one self-test serves all", world.soas == 1 && trusts == 1);
	CHECK("a question each", world.mxs == 2 && world.tlsas == 2);
	ask(&asked[2], "a.example");
	run_until(2000);
	CHECK("kept", asked[2].told == 1 && world.mxs == 2);
	end("dane");
}

/* A question of two ways to ask: the second one waits for the policy of the first, and
 * then for what it alone needs. */
static void
test_targets(void)
{
	begin_dane();
	world.fetch_ms = 500;
	ask(&asked[0], "a.example");
	ask_as(&asked[1], "a.example", SUBMISSION);
	asked[2].forgets = NULL;
	ask_as(&asked[2], "a.example", SUBMISSION);
	run_until(MINUTE);
	CHECK("the first", asked[0].dane[0] == STS_DANE_APPLIES);
	CHECK("the second", asked[1].told == 1 && asked[1].dane[1] == STS_DANE_APPLIES);
	CHECK("the third", asked[2].told == 1 && asked[2].dane[1] == STS_DANE_APPLIES);
	CHECK("one fetch", world.fetches == 1 && world.mxs == 1 && world.tlsas == 2);
	end("targets");

	begin_dane();
	ask(&asked[0], "a.example");
	ask_as(&asked[1], "a.example", SUBMISSION);
	ask_as(&asked[2], "a.example", BRACKETS);
	ask_as(&asked[3], "a.example", SUBMISSION);
	run_until(MINUTE);
	CHECK("three ways", asked[0].dane[0] == STS_DANE_APPLIES);
	CHECK("three ways", asked[1].told == 1 && asked[1].dane[1] == STS_DANE_APPLIES);
	CHECK("three ways", asked[2].told == 1 && asked[2].dane[2] == STS_DANE_APPLIES);
	CHECK("three ways", asked[3].told == 1 && asked[3].dane[1] == STS_DANE_APPLIES);
	CHECK("each asked for once", world.mxs == 1 && world.tlsas == 3);
	end("three targets");
}

/* Told, one may forget another who waits for the next journey. */
static void
test_forget_target(void)
{
	begin_dane();
	ask_as(&asked[1], "a.example", SUBMISSION);
	ask(&asked[0], "a.example");
	asked[1].forgets = &asked[0];
	run_until(MINUTE);
	CHECK("told, and not told", asked[1].told == 1 && asked[0].told == 0);
	CHECK("gone", stats().lookups == 0);
	end("forget target");
}

static void
force(struct asked *a, const char *domain)
{
	a->wait = sts_engine_ask(engine, sts_str_of(domain), STS_TARGET_PLAIN,
	    STS_START_FORCED, ANSWER_MS, on_outcome, a);
	CHECK(domain, a->wait != NULL);
}

/* An administrator's fetch begins after he asked for it, whatever is under way. */
static void
test_forced(void)
{
	begin(10, 10);
	know("a.example");
	run_until(5000);
	world.txt_ms = world.fetch_ms = 3000;
	force(&asked[0], "a.example");
	run_until(6000);
	force(&asked[1], "a.example");
	run_until(MINUTE);
	CHECK("also within a minute", world.fetches == 2);
	CHECK("after the fetch", asked[0].told == 1 && asked[0].ms == 11000);
	CHECK("who joins", asked[1].told == 1 && asked[1].ms == 11000);
	CHECK("kept", entry_of("a.example").fetched == BEGINNING + 11);
	end("forced");

	begin(10, 10);
	world.fetch_ms = 2000;
	ask(&asked[0], "a.example");
	run_until(500);
	force(&asked[1], "a.example");
	ask_as(&asked[2], "a.example", SUBMISSION);
	run_until(MINUTE);
	CHECK("Postfix has its answer", asked[0].told == 1 && asked[0].ms == 2000);
	CHECK("a second fetch", world.fetches == 2);
	CHECK("which is waited for", asked[1].told == 1 && asked[1].ms == 4000);
	CHECK("and by nobody twice", asked[2].told == 1);
	CHECK("gone", stats().lookups == 0);
	end("forced, joined");

	begin(10, 10);
	know("a.example");
	CHECK("refresh", sts_engine_refresh(engine) == 0);
	run_until((kept[0].due - BEGINNING) * 1000 - 1);
	world.fetch_ms = 20000;
	run_until(world.ms + 5000);
	force(&asked[0], "a.example");
	run_until(world.ms + ANSWER_MS);
	CHECK("no answer in time", asked[0].told == 1 && world.fetches == 2);
	run_until(world.ms + MINUTE);
	CHECK("fetched nevertheless", world.fetches == 3);
	end("forced, beside a refresh");
}

/* What was written by hand is not overwritten by a journey that began before. */
static void
test_changed(void)
{
	begin(10, 10);
	world.fetch_ms = 2000;
	ask(&asked[0], "a.example");
	run_until(1000);
	CHECK("runs", sts_engine_is_running(engine, STS_STR("a.example")));
	CHECK("not that one", !sts_engine_is_running(engine, STS_STR("b.example")));
	sts_engine_changed(engine, STS_STR("a.example"));
	sts_engine_changed(engine, STS_STR("b.example"));
	CHECK("once", world.running == 0 && stats().lookups == 1);
	run_until(MINUTE);
	CHECK("anew", world.fetches == 2 && asked[0].told == 1 && asked[0].ms == 3000);
	end("changed");

	begin(10, 10);
	world.fetch_ms = 2000;
	sts_engine_look(engine, STS_STR("a.example"), STS_TARGET_PLAIN);
	run_until(1000);
	sts_engine_changed(engine, STS_STR("a.example"));
	run_until(MINUTE);
	CHECK("nobody waits", stats().lookups == 0 && world.fetches == 1);
	CHECK("nothing is written", kept_count == 0);
	end("changed, beside");
}

/* Without a finding there is no answer: enforce waits as long as Postfix may. */
static void
test_dane_late(void)
{
	begin_dane();
	know("a.example");
	CHECK("known", entry_of("a.example").dane_count == 1);
	run_until(2 * HOUR);
	world.tlsa_ms = 30000;
	ask(&asked[0], "a.example");
	run_until(3 * HOUR);
	CHECK("waits", asked[0].ms == 2 * HOUR + ANSWER_MS);
	CHECK("unknown", asked[0].dane[0] == STS_DANE_UNKNOWN);
	CHECK("later", entry_of("a.example").dane[0].state == STS_DANE_APPLIES);
	end("dane late");
}

/* A look beside the answer that fails is not made again at every question. */
static void
test_early_failure(void)
{
	begin_dane();
	know("a.example");
	run_until(230 * 1000);
	world.tlsa_err = STS_ERR_DNS_SERVFAIL;
	world.tlsas = 0;
	for (; world.ms < 290 * 1000; run_until(world.ms + 5000))
		sts_engine_look(engine, STS_STR("a.example"), STS_TARGET_PLAIN);
	CHECK("each half minute", world.tlsas == 2);
	CHECK("it still counts", entry_of("a.example").dane[0].state == STS_DANE_APPLIES);
	world.tlsa_err = STS_OK;
	sts_engine_look(engine, STS_STR("a.example"), STS_TARGET_PLAIN);
	run_until(world.ms + 1000);
	CHECK("renewed", entry_of("a.example").dane[0].at == BEGINNING + 290);
	end("early failure");
}

/* Strangers' domains with many silent mail hosts take neither memory nor sockets without
 * end, and end all the same. */
static void
test_many_hosts(void)
{
	static const struct {
		const char *name;
		enum sts_err tlsa;
		enum sts_dane_state state;
		unsigned tlsas;
	} ROWS[] = {
		{ "the first host decides", STS_OK, STS_DANE_APPLIES, 0 },
		{ "all hosts are needed", STS_ERR_DNS_NODATA, STS_DANE_ABSENT, 32 },
	};
	const unsigned count = 40;
	char domain[sizeof("d00.example")];

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		begin(count, count);
		rules.dane = rules.believe = world.validates = true;
		world.hosts = 32;
		world.host_ms = 5000;
		world.tlsa_err = ROWS[i].tlsa;
		for (unsigned d = 0; d < count; d++) {
			(void)snprintf(domain, sizeof(domain), "d%02u.example", d);
			sts_engine_look(engine, sts_str_of(domain), STS_TARGET_PLAIN);
		}
		run_until(10 * MINUTE);
		CHECK(ROWS[i].name, stats().lookups == 0 && world.open == 0);
		CHECK(ROWS[i].name, world.most_open <= 1024 + 4 * count);
		CHECK(ROWS[i].name, world.most_open >= 1024);
		CHECK(ROWS[i].name,
		    ROWS[i].tlsas == 0 || world.tlsas == ROWS[i].tlsas * count);
		for (unsigned d = 0; d < count; d++) {
			(void)snprintf(domain, sizeof(domain), "d%02u.example", d);
			CHECK(domain, entry_of(domain).dane[0].state == ROWS[i].state);
		}
		end(ROWS[i].name);
	}
}

/* A refresh that drags on keeps nobody from knowing whether DANE applies. */
static void
test_dane_beside_refresh(void)
{
	begin_dane();
	know("a.example");
	CHECK("refresh", sts_engine_refresh(engine) == 0);
	run_until((kept[0].due - BEGINNING) * 1000 - 1);
	world.fetch_ms = 30000;
	world.tlsas = 0;
	run_until(world.ms + 100);
	CHECK("runs", stats().fetches == 1 && world.fetches == 2);
	CHECK("for the policy alone", world.tlsas == 0);
	ask(&asked[0], "a.example");
	run_until(world.ms + 29000);
	CHECK("found out", asked[0].told == 1 && asked[0].dane[0] == STS_DANE_APPLIES);
	CHECK("in time", asked[0].ms <= (kept[0].due - BEGINNING) * 1000 + 2100);
	CHECK("once", world.tlsas == 1);
	end("DANE beside a refresh");
}

/* Nor does one that a look beside an answer has joined before. */
static void
test_ask_after_look(void)
{
	begin_dane();
	know("a.example");
	CHECK("refresh", sts_engine_refresh(engine) == 0);
	run_until((kept[0].due - BEGINNING) * 1000 - 1);
	world.fetch_ms = 30000;
	world.tlsas = 0;
	run_until(world.ms + 1000);
	CHECK("runs", stats().fetches == 1 && world.fetches == 2);
	sts_engine_look(engine, STS_STR("a.example"), STS_TARGET_PLAIN);
	run_until(world.ms + 1000);
	CHECK("the look, too", world.tlsas == 1);
	ask(&asked[0], "a.example");
	run_until(world.ms + 2100);
	CHECK("found out", asked[0].told == 1 && asked[0].dane[0] == STS_DANE_APPLIES);
	end("asked after a look");
}

/* A fetch may take longer than what was found out beside it counts. */
static void
test_dane_outlived(void)
{
	begin_dane();
	know("a.example");
	run_until(2 * HOUR);
	world.txt = "v=STSv1; id=2";
	world.ttl = 60;
	world.fetch_ms = 65000;
	ask(&asked[0], "a.example");
	run_until(2 * HOUR + 58000);
	ask(&asked[1], "a.example");
	run_until(3 * HOUR);
	CHECK("found out again", asked[1].told == 1 && asked[1].hope == STS_HOPE_DONE);
	CHECK("in time", asked[1].ms < 2 * HOUR + 58000 + ANSWER_MS);
	CHECK("it counts", asked[1].dane_at + 60 > BEGINNING + asked[1].ms / 1000);
	end("DANE outlived");
}

/* Two resolvers are at work while a reload is under way: what one of them has fetched, the
 * other one's failure does not undo. */
static void
test_overtaken(void)
{
	struct sts_entry e = { .fetched = 0 };
	struct sts_buf bytes = { .n = 0 };

	begin(10, 10);
	know("a.example");
	e = entry_of("a.example");
	sts_entry_write(&e, &bytes);
	end("overtaken, made");

	begin(10, 10);
	world.fetch_ms = 2000;
	world.fetch_err = STS_ERR_FETCH_CONNECT;
	ask(&asked[0], "a.example");
	run_until(1000);
	(void)sts_cache_put(NULL, STS_STR("a.example"), sts_buf_str(&bytes),
	    (struct sts_cache_kind){ .policy = true }, INT64_MAX, NULL, NULL);
	run_until(MINUTE);
	CHECK("stays", entry_of("a.example").fetched == e.fetched);
	CHECK("is the answer", asked[0].told == 1 && asked[0].live);
	CHECK("once", world.fetches == 1 && stats().lookups == 0);
	end("overtaken");
	sts_buf_done(&bytes);
}

/* What was secure and is not any more makes the resolver prove itself first. */
static void
test_trust_again(void)
{
	static const struct {
		const char *name;
		bool validates;
		enum sts_dane_state state;
	} ROWS[] = {
		{ "stopped validating", false, STS_DANE_OFF },
		{ "no longer there", true, STS_DANE_ABSENT },
	};

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		begin_dane();
		know("a.example");
		run_until(2 * HOUR);
		world.validates = ROWS[i].validates;
		world.tlsa_err = STS_ERR_DNS_NODATA;
		ask(&asked[0], "a.example");
		run_until(2 * HOUR + 5000);
		CHECK(ROWS[i].name, asked[0].told == 1);
		CHECK(ROWS[i].name, asked[0].dane[0] == ROWS[i].state);
		CHECK(ROWS[i].name, world.soas == 2 && trusts == 2);
		end(ROWS[i].name);
	}
}

static void
test_selftest(void)
{
	begin_dane();
	world.soa_err = STS_ERR_DNS_TIMEOUT;
	world.soa_ms = 5000;
	CHECK("start", sts_engine_selftest(engine) == 0);
	ask(&asked[0], "a.example");
	run_until(6000);
	CHECK("unanswered, and a usable record nevertheless",
	    asked[0].ms == 5000 && asked[0].dane[0] == STS_DANE_APPLIES);
	CHECK("one test", world.soas == 1 && trusts == 1);
	run_until(STS_SELFTEST_INTERVAL * 1000 + 6000);
	CHECK("again", world.soas == 2 && trusts == 2);
	end("self-test");
}

/* Freed at any moment: nothing is left over, nobody is told. */
static void
test_free(void)
{
	for (int64_t ms = 0; ms < 1400; ms += 50) {
		begin(10, 1);
		rules.dane = rules.believe = world.validates = true;
		world.soa_ms = world.mx_ms = world.tlsa_ms = 100;
		world.txt_ms = world.a_ms = world.fetch_ms = world.store_ms = 100;
		world.aaaa_ms = 150;
		ask(&asked[0], "a.example");
		ask(&asked[1], "a.example");
		ask(&asked[2], "b.example");
		sts_engine_look(engine, STS_STR("c.example"), STS_TARGET_PLAIN);
		CHECK("start", sts_engine_refresh(engine) == 0);
		run_until(ms);
		end("free");
	}
}

int
main(void)
{
	test_coalescing();
	test_host_only();
	test_looking();
	test_answer_timeout();
	test_new_id();
	test_refresh_joined();
	test_overload();
	test_queue();
	test_site();
	test_yield();
	test_yield_at_site();
	test_yield_young();
	test_forget();
	test_refresh();
	test_cache_trouble();
	test_negative();
	test_families();
	test_dane();
	test_targets();
	test_forget_target();
	test_forced();
	test_changed();
	test_dane_late();
	test_early_failure();
	test_many_hosts();
	test_dane_beside_refresh();
	test_ask_after_look();
	test_dane_outlived();
	test_overtaken();
	test_trust_again();
	test_selftest();
	test_free();
	return test_failed;
}
