/* SPDX-License-Identifier: MIT */
#include "answerer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "cache.h"
#include "clients.h"
#include "config.h"
#include "ipc.h"
#include "log.h"
#include "memo.h"
#include "metrics.h"
#include "name.h"
#include "reply.h"
#include "role.h"
#include "rules.h"
#include "sandbox.h"
#include "shared.h"
#include "shares.h"
#include "socketmap.h"

/* The resolver's time for an answer ends before ours: what it knows by then must still
 * reach Postfix in time. */
#define MARGIN_MS 250

/* A reply takes microseconds: whoever else has the CPU can spare them at once. */
#define SLICE_US 100

/* Without a resolver, and nothing usable known, this long for another one to start. */
#define AWAY_WAIT_MS 2000

/* In flight when we are told to stop. */
#define STOP_MS 5000

/* By then the others of us, who share the sockets, have stopped listening, too: whoever is
 * hung up on asks once more on a new connection, and must not meet another of us who is
 * about to hang up. */
#define SIBLINGS_MS 100

/* Descriptors that are no client's; at its limit a process loses a passed one. */
#define RESERVED_FDS ((rlim_t)64)

/* The same target of a domain is not looked at beside its answers more often than this. */
#define BESIDE_GAP_MS 5000
#define RECENT 1024 /* of them are remembered for that; a power of two */

/* Looks that wait for a resolver that does not read: more are not worth their memory. */
#define QUEUE_MAX 1000

#define DAY 86400

#define OVERLOADED_LOG_MS 60000

struct answerer;

/* A request that the cache could not answer. */
struct question {
	struct answerer *answerer;
	struct client *client;
	struct sts_timer *timer;
	struct sts_key key;
	enum pf_map map;
	uint32_t number;
	int64_t us; /* when it was asked */
	int64_t deadline_ms;
	bool sent;
};

struct answerer {
	struct role role;
	struct ipc *resolver; /* NULL: away */
	struct overrides *overrides;
	int overrides_fd; /* until the clock is known; -1: none */
	struct sts_cache *cache;
	struct sts_entry entry; /* the one that is being answered from */
	struct sts_rules rules;
	struct pf_reply_style style;
	struct memo *memo;
	struct shares *shares; /* NULL: the only answerer */
	struct clients *clients;
	struct sts_timer *stop;
	bool repeats;		     /* the reply just made is the same if asked again */
	bool finishing;		     /* idle connections are closed */
	struct question **questions; /* question n is at n % max_questions */
	uint32_t *free_slots;
	uint32_t max_questions, free_count, turn;
	int64_t overloaded_logged;
	int64_t us;	   /* when the request now served came; 0: read the clock */
	int64_t offset_ms; /* from the boot clock to stsd's */
	struct {
		uint32_t hash;
		int64_t at_ms;
	} recent[RECENT];
};

/* A damaged cache must not answer anything any more, not even "try again": Postfix asks
 * again on a new connection, and then a new cache is there. */
_Noreturn static void
leave_damaged(const char *what, struct sts_str domain)
{
	log_begin(LOG_LEVEL_ERROR, "cache-damaged", domain, what);
	log_end();
	_exit(ROLE_EXIT_CACHE);
}

/*
 * Time: one reading of the clock gives the second for the rules and the microsecond for
 * the histogram.
 */
static int64_t
boot_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* To the millisecond: what the resolver has just found out must not lie in the future. */
static int64_t
clock_offset_ms(void)
{
	int64_t boot_ms, now_ms;

	do {
		boot_ms = boot_us() / 1000;
		now_ms = sts_clock_now_ms();
	} while (boot_us() / 1000 != boot_ms);
	return now_ms - boot_ms;
}

static int64_t
seconds_at(const struct answerer *a, int64_t us)
{
	return (us / 1000 + a->offset_ms) / 1000;
}

static struct sts_str
domain_of(const struct sts_key *key)
{
	return (struct sts_str){ key->domain, key->domain_n };
}

static struct sts_target
target_of(const struct sts_key *key)
{
	return (struct sts_target){ key->brackets, key->port };
}

/*
 * Replies. Each function that makes one says what it was, for the counts.
 */
static enum metrics_result
put_temp(struct sts_buf *reply, struct sts_str domain, enum sts_err why)
{
	sts_buf_clear(reply);
	pf_reply_temp(reply, domain, why);
	return RESULT_TEMP;
}

static enum metrics_result
put_notfound(struct sts_buf *reply)
{
	sts_put_text(reply, "NOTFOUND ");
	return RESULT_NOTFOUND;
}

static enum metrics_result
put_override(const struct answerer *a, struct sts_buf *reply, struct sts_str domain,
    struct sts_str text)
{
	if (text.n > a->style.max_reply)
		return put_temp(reply, domain, STS_ERR_REPLY_TOO_LONG);
	sts_put(reply, text);
	return RESULT_OVERRIDE;
}

static enum metrics_result
put_answer(const struct answerer *a, struct sts_buf *reply,
    const struct sts_answer *answer, const struct sts_entry *e, const struct sts_key *key,
    enum pf_map map, int64_t now)
{
	enum sts_verdict given = pf_reply_put(reply, answer, e, domain_of(key),
	    key->brackets, map, now, &a->style);

	assert(reply->n <= a->style.max_reply || given == STS_VERDICT_TEMP);
	switch (given) {
	case STS_VERDICT_SECURE:
		return RESULT_SECURE;
	case STS_VERDICT_DANE:
		return RESULT_DANE_ONLY;
	case STS_VERDICT_PERMIT:
		return RESULT_MAY;
	case STS_VERDICT_NOTFOUND:
		return RESULT_NOTFOUND;
	case STS_VERDICT_TEMP:
		break;
	}
	return RESULT_TEMP;
}

/* What the cache knows: NULL when that is nothing. The views live until the cache is
 * paused. STS_OK, or why nobody can tell just now. */
static enum sts_err
look_up(struct answerer *a, struct sts_str domain, const struct sts_entry **e)
{
	struct sts_str bytes;
	enum sts_err err = sts_cache_get(a->cache, domain, &bytes);

	*e = NULL;
	if (err == STS_ERR_CACHE_NONE)
		return STS_OK;
	if (err != STS_OK && sts_cache_is_damaged(a->cache))
		leave_damaged("the cache cannot be read", domain);
	if (err != STS_OK)
		return err;
	if (sts_entry_read(bytes, &a->entry) != STS_OK)
		leave_damaged("an entry does not match its checksum", domain);
	*e = &a->entry;
	return STS_OK;
}

/* The resolver cannot help: what is still safe to say? why: the reason to give when
 * nothing is. */
static enum metrics_result
put_alone(struct answerer *a, struct sts_buf *reply, const struct sts_key *key,
    enum pf_map map, int64_t now, enum sts_err why)
{
	const struct sts_entry *e;
	struct sts_answer answer;
	enum sts_err err;

	if (!key->ascii)
		return put_temp(reply, domain_of(key), why);
	err = look_up(a, domain_of(key), &e);
	if (err != STS_OK)
		return put_temp(reply, domain_of(key), err);
	sts_answer(e, domain_of(key), target_of(key), STS_HOPE_AWAY, now, &a->rules,
	    &answer);
	if (answer.verdict == STS_VERDICT_TEMP && answer.why == STS_ERR_INTERNAL)
		answer.why = why;
	return put_answer(a, reply, &answer, e, key, map, now);
}

/*
 * Questions.
 */
static struct question *
question_find(const struct answerer *a, uint32_t number)
{
	struct question *q = a->questions[number % a->max_questions];

	return q != NULL && q->number == number ? q : NULL;
}

static void
question_free(struct question *q)
{
	struct answerer *a = q->answerer;
	uint32_t slot = q->number % a->max_questions;

	a->questions[slot] = NULL;
	a->free_slots[a->free_count++] = slot;
	sts_timer_free(q->timer);
	free(q);
}

static void
question_send(struct question *q)
{
	struct answerer *a = q->answerer;
	int64_t left = q->deadline_ms - sts_loop_ms(a->role.loop);
	struct ipc_message m = { .type = IPC_ASK,
		.number = q->number,
		.flags = (q->key.ascii ? 0 : IPC_ASK_UTF8) | IPC_ASK_USED |
		    ipc_ask_flags(target_of(&q->key)),
		.wait_ms = left > MARGIN_MS ? left - MARGIN_MS : 0,
		.fd = -1,
		.domain = domain_of(&q->key) };

	(void)sts_timer_set(q->timer, left);
	q->sent = a->resolver != NULL && ipc_send(a->resolver, &m) == 0;
}

/* Nobody there to ask: wait a little for another resolver, within the deadline. */
static void
question_wait(struct question *q)
{
	int64_t left = q->deadline_ms - sts_loop_ms(q->answerer->role.loop);

	q->sent = false;
	(void)sts_timer_set(q->timer, left < AWAY_WAIT_MS ? left : AWAY_WAIT_MS);
}

static void
log_answer(const struct sts_key *key, struct sts_str reply)
{
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	log_begin(LOG_LEVEL_DEBUG, "answer", domain_of(key), "");
	log_text("reply", reply);
	log_end();
}

/* Gives a question its answer, and ends it. */
static void
question_end(struct question *q, struct sts_buf *reply, enum metrics_result result)
{
	struct client *client = q->client;

	metrics_lookup(q->map, result, boot_us() - q->us);
	log_answer(&q->key, sts_buf_str(reply));
	question_free(q);
	client_set_ticket(client, NULL);
	if (reply->bad)
		client_hang_up(client);
	else
		client_reply(client, sts_buf_str(reply));
}

static void
on_deadline(void *arg)
{
	struct question *q = arg;
	struct answerer *a = q->answerer;
	struct sts_buf reply = { 0 };
	enum metrics_result result = put_alone(a, &reply, &q->key, q->map,
	    seconds_at(a, boot_us()), STS_ERR_INTERNAL);

	question_end(q, &reply, result);
	sts_cache_pause(a->cache);
	sts_buf_done(&reply);
}

static struct question *
question_new(struct answerer *a, struct client *c, const struct sts_key *key,
    enum pf_map map)
{
	struct question *q;
	uint32_t slot;

	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return NULL;
	q->timer = sts_timer_new(a->role.loop, on_deadline, q);
	if (q->timer == NULL) {
		free(q);
		return NULL;
	}
	slot = a->free_slots[--a->free_count];
	/* A number comes again only after billions of questions: a late answer to an
	 * earlier one of this slot finds nobody. */
	if (++a->turn > UINT32_MAX / a->max_questions - 1)
		a->turn = 0;
	q->number = a->turn * a->max_questions + slot;
	a->questions[slot] = q;
	q->answerer = a;
	q->client = c;
	q->key = *key;
	q->map = map;
	q->us = a->us;
	q->deadline_ms = sts_loop_ms(a->role.loop) + a->role.config->answer_timeout_ms;
	client_set_ticket(c, q);
	return q;
}

static void
log_overloaded(struct answerer *a)
{
	int64_t now = sts_loop_ms(a->role.loop);

	if (a->overloaded_logged != 0 && now - a->overloaded_logged < OVERLOADED_LOG_MS)
		return;
	a->overloaded_logged = now;
	log_say(LOG_LEVEL_WARNING, "overloaded",
	    "%u lookups are open, the limit of max_lookups", a->max_questions);
}

/* True: *result was put into reply at once. */
static bool
ask(struct answerer *a, struct client *c, const struct sts_key *key, enum pf_map map,
    struct sts_buf *reply, enum metrics_result *result)
{
	int64_t now = seconds_at(a, a->us);
	struct question *q;

	if (a->resolver == NULL) {
		*result = put_alone(a, reply, key, map, now, STS_ERR_INTERNAL);
		if (*result != RESULT_TEMP)
			return true;
		sts_buf_clear(reply);
	}
	if (a->free_count == 0) {
		log_overloaded(a);
		*result = put_alone(a, reply, key, map, now, STS_ERR_OVERLOADED);
		return true;
	}
	q = question_new(a, c, key, map);
	if (q == NULL) {
		*result = put_alone(a, reply, key, map, now, STS_ERR_NOMEM);
		return true;
	}
	if (a->resolver == NULL)
		question_wait(q);
	else
		question_send(q);
	return false;
}

/*
 * Requests.
 */
static uint32_t
hash_of(struct sts_str s)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < s.n; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * 16777619u;
	return hash;
}

/* The answer is given; the resolver looks whether it is still the right one. */
static void
look_beside(struct answerer *a, const struct sts_key *key, uint32_t flags)
{
	uint32_t target = ipc_ask_flags(target_of(key));
	uint32_t hash = hash_of(domain_of(key)) ^ target ^ target >> 16;
	int64_t now_ms = a->us / 1000;

	if (a->resolver == NULL || ipc_queued(a->resolver) > QUEUE_MAX)
		return;
	if (a->recent[hash % RECENT].hash == hash &&
	    now_ms - a->recent[hash % RECENT].at_ms < BESIDE_GAP_MS)
		return;
	a->recent[hash % RECENT].hash = hash;
	a->recent[hash % RECENT].at_ms = now_ms;
	(void)ipc_send(a->resolver,
	    &(struct ipc_message){ .type = IPC_ASK,
		.flags = flags | IPC_ASK_BESIDE | target,
		.fd = -1,
		.domain = domain_of(key) });
}

static bool
answer_domain(struct answerer *a, struct client *c, const struct sts_key *key,
    enum pf_map map, struct sts_buf *reply, enum metrics_result *result)
{
	int64_t now = seconds_at(a, a->us);
	const struct sts_entry *e;
	struct sts_answer answer;
	enum sts_err err = look_up(a, domain_of(key), &e);
	bool unused;

	if (err != STS_OK) {
		*result = put_temp(reply, domain_of(key), err);
		return true;
	}
	sts_answer(e, domain_of(key), target_of(key), STS_HOPE_OPEN, now, &a->rules,
	    &answer);
	if (answer.ask_first) {
		metrics_cache(
		    e != NULL && sts_entry_is_live(e, now) ? CACHE_STALE : CACHE_MISS);
		return ask(a, c, key, map, reply, result);
	}
	metrics_cache(answer.ask_beside ? CACHE_STALE : CACHE_HIT);
	*result = put_answer(a, reply, &answer, e, key, map, now);

	/* Use is written down once a day: that keeps a policy refreshed. */
	unused = e != NULL && e->fetched != 0 && now - e->asked >= DAY;
	if (answer.ask_beside || unused)
		look_beside(a, key, unused ? IPC_ASK_USED : 0);
	else
		a->repeats = *result != RESULT_TEMP; /* which may be for want of memory */
	return true;
}

static bool
answer_key(struct answerer *a, struct client *c, struct sts_str text, enum pf_map map,
    struct sts_buf *reply, enum metrics_result *result)
{
	struct sts_key key;
	struct sts_str override;

	if (sts_key_parse(text, &key) != STS_OK) {
		*result = put_notfound(reply);
		return true;
	}
	if (!key.ascii) {
		metrics_cache(CACHE_MISS);
		return ask(a, c, &key, map, reply, result);
	}
	override = overrides_find(a->overrides, domain_of(&key), seconds_at(a, a->us));
	if (override.n > 0) {
		*result = put_override(a, reply, domain_of(&key), override);
		return true;
	}
	if (!answer_domain(a, c, &key, map, reply, result))
		return false;
	log_answer(&key, sts_buf_str(reply));
	return true;
}

/* What was the reply, for the counts. */
struct given {
	enum pf_map map;
	enum metrics_result result;
};

static void
log_again(struct sts_str payload, struct sts_str reply)
{
	struct sts_str text;
	struct sts_key key;

	(void)pf_request_parse(payload, &text);
	if (sts_key_parse(text, &key) == STS_OK)
		log_answer(&key, reply);
}

static bool
find_again(struct answerer *a, struct sts_str payload, struct sts_buf *reply,
    struct given *given)
{
	struct sts_str again;
	uint8_t tag;

	memo_turn(a->memo, seconds_at(a, a->us), sts_cache_commit(a->cache));
	if (!memo_find(a->memo, payload, &again, &tag))
		return false;
	given->map = tag / RESULTS;
	given->result = tag % RESULTS;
	sts_put(reply, again);
	metrics_cache(CACHE_HIT);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_again(payload, again);
	return true;
}

/* By the state that it was read from: meanwhile there may be another. */
static void
keep_reply(struct answerer *a, struct sts_str payload, struct sts_str reply,
    struct given given)
{
	memo_turn(a->memo, seconds_at(a, a->us), sts_cache_commit(a->cache));
	memo_keep(a->memo, payload, reply, (uint8_t)(given.map * RESULTS + given.result));
}

static bool
answer_payload(struct answerer *a, struct client *c, struct sts_str payload,
    struct sts_buf *reply, struct given *given)
{
	struct sts_str text;

	given->map = pf_request_parse(payload, &text);
	given->result = RESULT_PERM;
	if (given->map == PF_MAP_OTHER)
		sts_put_text(reply, "PERM unknown map name");
	else if (!answer_key(a, c, text, given->map, reply, &given->result))
		return false;
	if (a->repeats && !reply->bad)
		keep_reply(a, payload, sts_buf_str(reply), *given);
	a->repeats = false;
	return true;
}

static bool
on_request(void *arg, struct client *c, struct sts_str payload, struct sts_buf *reply)
{
	struct answerer *a = arg;
	struct given given;
	int64_t us;

	if (a->us == 0)
		a->us = boot_us();
	if (!find_again(a, payload, reply, &given) &&
	    !answer_payload(a, c, payload, reply, &given))
		return false;
	us = boot_us();
	metrics_lookup(given.map, given.result, us - a->us);
	a->us = us; /* the next one of a pipeline begins here */
	return true;
}

static void
on_rest(void *arg)
{
	struct answerer *a = arg;

	a->us = 0;
	sts_cache_pause(a->cache);
}

static void
on_gone(void *arg, struct client *c)
{
	struct question *q = client_ticket(c);

	(void)arg;
	if (q != NULL)
		question_free(q);
}

static void
on_empty(void *arg)
{
	struct answerer *a = arg;

	role_leave(&a->role, 0);
}

/*
 * The resolver.
 */
static void
for_each_question(struct answerer *a, void (*what)(struct question *))
{
	for (uint32_t i = 0; i < a->max_questions; i++)
		if (a->questions[i] != NULL)
			what(a->questions[i]);
}

static void
question_send_again(struct question *q)
{
	if (!q->sent)
		question_send(q);
}

/* The name in its A-label form, which overrides and replies need. */
static void
take_domain(struct question *q, struct sts_str domain)
{
	if (q->key.ascii || !sts_name_is_policy_domain(domain))
		return;
	memcpy(q->key.domain, domain.p, domain.n);
	q->key.domain[domain.n] = '\0';
	q->key.domain_n = domain.n;
	q->key.ascii = true;
}

static enum metrics_result
put_told(struct answerer *a, struct sts_buf *reply, const struct question *q,
    const struct ipc_message *m, int64_t now)
{
	const struct sts_entry *e = NULL;
	struct sts_answer answer;

	if (m->text.n > 0) {
		if (sts_entry_read(m->text, &a->entry) != STS_OK)
			return put_alone(a, reply, &q->key, q->map, now,
			    STS_ERR_INTERNAL);
		e = &a->entry;
	}
	sts_answer(e, domain_of(&q->key), target_of(&q->key), m->hope, now, &a->rules,
	    &answer);
	return put_answer(a, reply, &answer, e, &q->key, q->map, now);
}

static void
on_told(struct answerer *a, const struct ipc_message *m)
{
	struct question *q = question_find(a, m->number);
	int64_t now = seconds_at(a, boot_us());
	struct sts_buf reply = { 0 };
	struct sts_str override = STS_STR_NONE;
	enum metrics_result result;

	if (q == NULL)
		return; /* answered without, or the client has left */
	if (!q->key.ascii) {
		take_domain(q, m->domain);
		if (q->key.ascii)
			override = overrides_find(a->overrides, domain_of(&q->key), now);
	}
	if (m->err == STS_ERR_OVERLOADED)
		log_overloaded(a);
	if (override.n > 0)
		result = put_override(a, &reply, domain_of(&q->key), override);
	else if (m->err == STS_ERR_NAME)
		result = put_notfound(&reply);
	else if (m->err != STS_OK)
		result = put_alone(a, &reply, &q->key, q->map, now, m->err);
	else
		result = put_told(a, &reply, q, m, now);
	question_end(q, &reply, result);
	sts_cache_pause(a->cache);
	sts_buf_done(&reply);
}

static void
on_resolver(void *arg, const struct ipc_message *m)
{
	struct answerer *a = arg;

	if (m == NULL) {
		log_say(LOG_LEVEL_NOTICE, "resolver-away",
		    "answering from the cache until it is back");
		ipc_free(a->resolver);
		a->resolver = NULL;
		for_each_question(a, question_wait);
		return;
	}
	if (m->type == IPC_TOLD)
		on_told(a, m);
	else if (m->type == IPC_VALIDATES) {
		a->rules.validates = m->wait_ms;
		memo_forget(a->memo);
	}
	if (m->fd != -1)
		close(m->fd);
}

static void
question_unsent(struct question *q)
{
	q->sent = false;
}

/* What the one before has not answered, it never will. */
static void
take_channel(struct answerer *a, int fd, uint32_t rules)
{
	struct ipc *resolver = ipc_new(a->role.loop, fd, on_resolver, a);

	if (resolver == NULL) {
		close(fd);
		/* There will be no other: better none of us than one who cannot ask. */
		role_fail(&a->role, ROLE_EXIT_INTERNAL, "out of memory");
		return;
	}
	rules_unpack(&a->rules, rules);
	memo_forget(a->memo);
	ipc_free(a->resolver);
	a->resolver = resolver;
	for_each_question(a, question_unsent);
	for_each_question(a, question_send_again);
}

/*
 * The supervisor.
 */
/* By stsd's clock: the wall clock may have jumped since the supervisor read them. */
static bool
read_overrides(struct answerer *a)
{
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };

	if (a->overrides_fd == -1)
		return true;
	if (role_read_fd(a->overrides_fd, &text))
		a->overrides = overrides_parse(sts_buf_str(&text), "overrides",
		    sts_clock_now(), &errors, NULL);
	if (a->overrides == NULL)
		role_fail(&a->role, ROLE_EXIT_INTERNAL,
		    errors.count > 0 ? errors.lines[0] : "unreadable overrides");
	config_errors_done(&errors);
	sts_buf_done(&text);
	return a->overrides != NULL;
}

static size_t
most_clients(const struct config *c)
{
	struct rlimit limit;
	uint64_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur == RLIM_INFINITY)
		return c->max_connections;
	room = limit.rlim_cur > 2 * RESERVED_FDS ? limit.rlim_cur - RESERVED_FDS
						 : limit.rlim_cur / 2;
	if (room >= c->max_connections)
		return c->max_connections;
	log_say(LOG_LEVEL_WARNING, "max-connections",
	    "lowered to %llu: at most %llu descriptors may be open",
	    (unsigned long long)room, (unsigned long long)limit.rlim_cur);
	return room;
}

/* Settings and everything that has their size. */
static bool
prepare(struct answerer *a)
{
	const struct config *c = a->role.config;
	struct clients_config clients = { .loop = a->role.loop,
		.max = most_clients(c),
		.allow = c->allow_clients.nets,
		.allow_count = c->allow_clients.count,
		.on_request = on_request,
		.on_gone = on_gone,
		.on_rest = on_rest,
		.on_empty = on_empty,
		.arg = a };

	a->rules = rules_of(c);
	a->style = style_of(c);
	a->max_questions = (uint32_t)c->max_lookups;
	a->questions = calloc(a->max_questions, sizeof(struct question *));
	a->free_slots = calloc(a->max_questions, sizeof(uint32_t));
	a->memo = memo_new();
	a->clients = clients_new(&clients);
	if (a->questions == NULL || a->free_slots == NULL || a->memo == NULL ||
	    a->clients == NULL)
		return false;
	for (uint32_t i = 0; i < a->max_questions; i++)
		a->free_slots[a->free_count++] = a->max_questions - 1 - i;
	return true;
}

/* It reads the cache, the map of which it may have to open again, and no other file. */
static void
enter_sandbox(const struct config *c)
{
	struct role_cache_files files = role_cache_files(c);
	const struct sandbox_place places[] = {
		{ .path = files.data, .use = SANDBOX_READ },
		{ .path = files.lock, .use = SANDBOX_CHANGE },
	};

	sandbox_by_setting(c->sandbox,
	    &(struct sandbox){ .role = SANDBOX_ANSWERER,
		.syslog = c->syslog,
		.places = places,
		.place_count = sizeof(places) / sizeof(places[0]) });
}

/* Everything is here: from now on Postfix is answered. */
static void
go(struct answerer *a)
{
	if (a->clients == NULL) {
		role_fail(&a->role, ROLE_EXIT_INTERNAL, "no configuration");
		return;
	}
	a->cache = role_open_cache(&a->role, false);
	if (a->cache == NULL || !read_overrides(a))
		return;
	a->offset_ms = clock_offset_ms();
	enter_sandbox(a->role.config);
	clients_start(a->clients);
	role_ready(&a->role);
}

static void
on_stop(void *arg)
{
	struct answerer *a = arg;

	if (a->finishing || sts_timer_set(a->stop, STOP_MS) == -1) {
		role_leave(&a->role, 0);
		return;
	}
	a->finishing = true;
	clients_finish(a->clients);
}

static void
stop(struct answerer *a)
{
	if (a->stop != NULL)
		return;
	a->stop = sts_timer_new(a->role.loop, on_stop, a);
	if (a->stop == NULL || a->cache == NULL) {
		role_leave(&a->role, 0);
		return;
	}
	clients_stop_listening(a->clients);
	if (a->role.config->workers == 1 || sts_timer_set(a->stop, SIBLINGS_MS) == -1)
		on_stop(a);
}

static void
write_statistics(const struct answerer *a)
{
	if (a->clients == NULL)
		return;
	log_begin(LOG_LEVEL_INFO, "statistics", STS_STR_NONE, "");
	log_number("connections", (int64_t)clients_count(a->clients));
	log_number("questions", a->max_questions - a->free_count);
	log_number("resolver", a->resolver != NULL);
	log_end();
}

/* Without it, too, everybody is served; only not evenly. */
static void
take_shares(struct answerer *a, const struct ipc_message *m)
{
	if (a->shares != NULL || m->number >= SHARES_MAX)
		return;
	a->shares = shared_attach(m->fd, sizeof(*a->shares));
	if (a->shares != NULL)
		clients_share(a->clients, a->shares, m->number);
}

/* False when the message's descriptor was taken. */
static bool
take_fd(struct answerer *a, const struct ipc_message *m)
{
	if (a->clients == NULL)
		return true; /* before its settings: the supervisor never does that */
	if (m->type == IPC_OVERRIDES && a->overrides_fd != -1)
		return true;
	if (m->type == IPC_SHARES) {
		take_shares(a, m);
		return true;
	}
	if (m->type == IPC_OVERRIDES)
		a->overrides_fd = m->fd;
	else if (m->type == IPC_CHANNEL)
		take_channel(a, m->fd, m->flags);
	else if (clients_listen(a->clients, m->fd, m->number != 0) == -1) {
		close(m->fd);
		role_fail(&a->role, ROLE_EXIT_INTERNAL, "out of memory");
	}
	return false;
}

static bool
handle(struct answerer *a, const struct ipc_message *m)
{
	if (role_handle(&a->role, m)) {
		if (a->role.config != NULL && a->clients == NULL && !prepare(a))
			role_fail(&a->role, ROLE_EXIT_INTERNAL, "out of memory");
	} else if (m->type == IPC_LISTENER || m->type == IPC_CHANNEL ||
	    m->type == IPC_OVERRIDES || m->type == IPC_SHARES) {
		return take_fd(a, m);
	} else if (m->type == IPC_GO) {
		go(a);
	} else if (m->type == IPC_DRAIN && a->clients != NULL) {
		clients_stop_listening(a->clients);
	} else if (m->type == IPC_STOP) {
		stop(a);
	} else if (m->type == IPC_STATISTICS) {
		write_statistics(a);
	}
	return true;
}

static void
on_supervisor(void *arg, const struct ipc_message *m)
{
	struct answerer *a = arg;

	if (m == NULL) /* hung children must not stay behind */
		role_leave(&a->role, ROLE_EXIT_INTERNAL);
	else if (handle(a, m) && m->fd != -1)
		close(m->fd);
}

static void
end(struct answerer *a)
{
	clients_free(a->clients);
	shared_end(a->shares, sizeof(*a->shares));
	memo_free(a->memo);
	ipc_free(a->resolver);
	if (a->role.status != ROLE_EXIT_CACHE)
		sts_cache_close(a->cache);
	overrides_free(a->overrides);
	if (a->overrides_fd != -1)
		close(a->overrides_fd);
	free(a->questions);
	free(a->free_slots);
	sts_timer_free(a->stop);
	role_end(&a->role);
}

int
answerer_main(void)
{
	struct answerer *a = calloc(1, sizeof(*a));
	int status = ROLE_EXIT_INTERNAL;

	if (a == NULL)
		return status;
	a->overrides_fd = -1;
	if (role_begin(&a->role, "answerer", on_supervisor, a)) {
		role_share_cpu(0, SLICE_US);
		role_run(&a->role);
		status = a->role.status;
	}
	end(a);
	free(a);
	return status;
}
