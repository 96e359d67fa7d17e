/* SPDX-License-Identifier: MIT */
/*
 * The driver of lib/lookup.h. A job is one journey:
 *
 *  1. job_start: the entry from the cache, an empty journey; drive() at the next turn
 *     of the loop, so that nobody is called back from inside an ask.
 *  2. drive: run the journey; ask() what it needs and was not asked yet; every answer
 *     comes to an on_* function, is copied into the job, told, and drives again.
 *  3. finish: nothing is needed any more; keep the entry, hand it to all who wait.
 *
 * Who waits has a deadline of his own and then gets what is known so far; the journey
 * goes on. job_free ends everything a job has begun, and is the only one to do so.
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "tls.h"
#include "tlsa.h"

#define BUCKETS 1024 /* power of two */
/* How long the other address family may take once one has answered (RFC 8305 section 3
 * gives it 50 ms; a resolver that must recurse takes longer). */
#define OTHER_FAMILY_MS 300
/* How often waiting fetches look for a place, when none becomes free by itself. */
#define QUEUE_MS 250
/* Refreshes at once: never so many that cold lookups would wait for them. */
#define REFRESH_SHARE 4
#define DUE_MAX 32
#define REFRESH_IDLE_MS 60000
/* What was learnt in one hour is due again within the five that ten percent either way
 * make of a day: of a million domains sixty a second, of five million three hundred. */
#define REFRESH_BUSY_MS 100

/* Questions about MX hosts at once, each with a socket and some 64 KiB of c-ares': a domain
 * may name 32 hosts, and a stranger has many domains. Beyond that a journey has few at a
 * time, which is still enough for the domains that most mail goes to. */
#define HOST_QUESTIONS_MAX 1024
#define HOST_QUESTIONS_EACH 4

/* Domains remembered for an early look that failed; a power of two. */
#define FAILED_MAX 256

enum question { Q_TXT, Q_MX, Q_A, Q_AAAA, QUESTIONS };

static const enum sts_dns_type question_types[QUESTIONS] = { STS_DNS_TXT, STS_DNS_MX,
	STS_DNS_A, STS_DNS_AAAA };

/* Bytes a job owns: the entry it started from and what its facts point to. */
struct block {
	struct block *next;
	char bytes[];
};

struct job;

struct sts_wait {
	struct job *job; /* NULL: none could be made */
	struct sts_wait *next;
	struct sts_timer *timer;
	struct sts_target target;
	bool sure;   /* there is an answer already, should nothing new come in time */
	bool again;  /* this is not the first job that he waits for */
	bool forced; /* a fetch that began before he asked is not his */
	sts_on_outcome *on;
	void *arg;
	int64_t asked_ms;
	int64_t wait_ms;
};

/* What one address family of the policy host gave. */
struct family {
	bool known;
	enum sts_err err;
	int16_t ede;
	uint32_t ttl;
	size_t count;
	struct sts_addr addresses[STS_ADDRESSES_MAX];
};

struct open_question {
	struct job *job;
	enum question what;
	struct sts_question *dns;
};

/* A question about one MX host. */
struct host_question {
	struct host_question *next;
	struct job *job;
	size_t host;
	enum sts_dane_step step;
	struct sts_question *dns;
};

struct job {
	struct sts_engine *engine;
	struct job *next; /* in its bucket */
	struct job *queue_next;
	struct sts_wait *waits;
	struct block *blocks;
	struct sts_timer *step; /* the first drive, and the wait for the other family */
	struct open_question open[QUESTIONS];
	struct host_question *host_questions;
	unsigned host_count;	   /* of them */
	struct family families[2]; /* IPv6, IPv4 */
	struct sts_addr addresses[2 * STS_ADDRESSES_MAX];
	struct sts_fetch *fetch;
	size_t slot; /* in engine->running, while there is a fetch */
	bool queued;
	bool refreshing;
	bool storing;
	bool then_forced; /* somebody wants a fetch that begins later than this one's */
	int64_t
	    began_ms; /* the first ask: what "older than answer_timeout" counts from */
	int64_t fetch_ms;      /* when the fetch began */
	int64_t fetch_took_ms; /* -1: no fetch has ended */
	int64_t step_ms;       /* when the last fact was asked for */
	enum sts_err err;
	unsigned asked;
	struct sts_lookup lookup;
	size_t domain_n;
	char domain[STS_NAME_MAX + 1];
};

struct sts_engine {
	struct sts_engine_config config;
	sts_on_event *on_event;
	void *arg;
	struct job *jobs[BUCKETS];
	struct job *queue, **queue_end; /* jobs that wait for a fetch */
	struct job **running;		/* those that have one; config.max_fetches */
	struct sts_timer *queue_timer;
	struct sts_timer *refresh_timer;
	struct sts_selftest *selftest;
	unsigned lookups, fetches, waiting, refreshes;
	unsigned host_count; /* questions about MX hosts */
	struct {
		uint32_t hash;
		int64_t until_ms;
	} failed[FAILED_MAX];
};

static void drive(struct job *job);
static struct job *join_job(struct sts_engine *e, struct sts_str domain,
    struct sts_target target, enum sts_start start);
static int join(struct sts_wait *w, struct job *job);

static struct sts_str
domain_of(const struct job *job)
{
	return (struct sts_str){ job->domain, job->domain_n };
}

static int64_t
now_ms(const struct job *job)
{
	return sts_loop_ms(job->engine->config.loop);
}

static void
report(struct job *job, struct sts_event event)
{
	event.domain = domain_of(job);
	event.start = job->lookup.start;
	event.lookup = &job->lookup;
	if (job->engine->on_event != NULL)
		job->engine->on_event(job->engine->arg, &event);
}

/*
 * Memory of a job. Nothing is freed before the job is.
 */
static char *
keep_room(struct job *job, size_t n)
{
	struct block *block = malloc(sizeof(*block) + n + 1);

	if (block == NULL)
		return NULL;
	block->next = job->blocks;
	job->blocks = block;
	return block->bytes;
}

static bool
keep(struct job *job, struct sts_str bytes, struct sts_str *kept)
{
	char *p = keep_room(job, bytes.n);

	if (p == NULL)
		return false;
	if (bytes.n > 0)
		memcpy(p, bytes.p, bytes.n);
	*kept = (struct sts_str){ p, bytes.n };
	return true;
}

/*
 * The table of jobs, by domain.
 */
static struct job **
bucket(struct sts_engine *e, struct sts_str domain)
{
	return &e->jobs[sts_crc32c(domain) & (BUCKETS - 1)];
}

static struct job *
find_job(struct sts_engine *e, struct sts_str domain)
{
	for (struct job *job = *bucket(e, domain); job != NULL; job = job->next)
		if (sts_str_eq(domain_of(job), domain))
			return job;
	return NULL;
}

/*
 * Ending.
 */
static void
wait_free(struct sts_wait *w)
{
	sts_timer_free(w->timer);
	free(w);
}

/* Gives the outcome to one who waits; he is gone afterwards. */
static void
give(struct sts_wait *w, const struct sts_outcome *outcome)
{
	sts_on_outcome *on = w->on;
	void *arg = w->arg;

	wait_free(w);
	on(arg, outcome);
}

static void
leave_queue(struct job *job)
{
	struct sts_engine *e = job->engine;
	struct job **at = &e->queue;

	if (!job->queued)
		return;
	while (*at != NULL && *at != job)
		at = &(*at)->queue_next;
	*at = job->queue_next;
	if (e->queue_end == &job->queue_next)
		e->queue_end = at;
	job->queued = false;
	e->waiting--;
}

static void
end_fetch(struct job *job)
{
	struct sts_engine *e = job->engine;

	if (job->fetch == NULL)
		return;
	job->fetch = NULL;
	e->running[job->slot] = e->running[--e->fetches];
	e->running[job->slot]->slot = job->slot;
	if (e->queue != NULL)
		(void)sts_timer_set(e->queue_timer, 0);
}

static void
end_host_question(struct host_question *q)
{
	struct host_question **at = &q->job->host_questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	q->job->host_count--;
	q->job->engine->host_count--;
	sts_resolve_forget(q->dns);
	free(q);
}

static void
job_free(struct job *job)
{
	struct sts_engine *e = job->engine;
	struct job **at = bucket(e, domain_of(job));

	while (*at != NULL && *at != job)
		at = &(*at)->next;
	if (*at == job) {
		*at = job->next;
		e->lookups--;
	}
	for (size_t i = 0; i < QUESTIONS; i++)
		sts_resolve_forget(job->open[i].dns);
	while (job->host_questions != NULL)
		end_host_question(job->host_questions);
	if (job->fetch != NULL) {
		sts_fetch_cancel(job->fetch);
		end_fetch(job);
	}
	leave_queue(job);
	if (job->storing)
		sts_cache_forget(e->config.cache, job);
	if (job->refreshing)
		e->refreshes--;
	sts_timer_free(job->step);
	for (struct block *b = job->blocks, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(job);
}

/* Keeps the entry of a finished journey (a fetched policy was kept before). */
static void
keep_entry(struct job *job)
{
	struct sts_lookup *l = &job->lookup;

	if (job->engine->config.cache == NULL || !l->changed || l->internal != STS_OK ||
	    job->err != STS_OK || (l->known & STS_NEED_STORED) != 0)
		return;
	(void)sts_engine_put(job->engine, l->domain, &l->entry, NULL, NULL);
}

/* What keeps the entry from being the truth: what the cache had could not be read, and
 * nothing newer was fetched. */
static enum sts_err
trouble(const struct job *job)
{
	return job->err != STS_OK && !job->lookup.fetched ? job->err
							  : job->lookup.internal;
}

/* Some wait with another target than the journey had, for more than a refresh looks at, or
 * for a finding that a long fetch has outlived: once the policy is known, what they need is
 * a second journey's, and a short one. And a journey that was under way already is not the
 * one that an administrator wants. */
static bool
needs_another(const struct job *job, const struct sts_wait *w)
{
	const struct sts_lookup *l = &job->lookup;
	int64_t now = sts_clock_now();
	bool other = l->start == STS_START_REFRESH ||
	    !sts_target_eq(w->target, l->target) ||
	    sts_lookup_dane_is_due(&l->entry, w->target, l->rules, now);

	if (w->forced && l->start != STS_START_FORCED)
		return trouble(job) == STS_OK;
	/* Of three ways to ask, one waits for a third journey. */
	if (w->again && sts_target_eq(w->target, l->target))
		return false;
	return other && trouble(job) == STS_OK &&
	    sts_lookup_due(&l->entry, l->domain, w->target, l->rules, now) != 0;
}

static struct sts_wait **
find_satisfied(struct job *job)
{
	struct sts_wait **at = &job->waits;

	while (*at != NULL && needs_another(job, *at))
		at = &(*at)->next;
	return at;
}

static void
wait_again(struct sts_engine *e, struct sts_str domain, struct sts_wait *waits)
{
	struct sts_wait *next;

	for (struct sts_wait *w = waits; w != NULL; w = next) {
		next = w->next;
		w->again = true;
		(void)join(w,
		    join_job(e, domain, w->target,
			w->forced ? STS_START_FORCED : STS_START_ASKED));
	}
}

/* A look that came early and failed leaves what still counts as it was, due as before; but
 * a failure keeps for STS_FAILED_TTL, here as elsewhere. */
static void
note_early(struct job *job)
{
	struct sts_engine *e = job->engine;
	const struct sts_lookup *l = &job->lookup;
	uint32_t hash = sts_crc32c(l->domain);

	if (!l->early ||
	    !sts_lookup_due_soon(&l->entry, l->target, l->rules, sts_clock_now()))
		return;
	e->failed[hash % FAILED_MAX].hash = hash;
	e->failed[hash % FAILED_MAX].until_ms =
	    now_ms(job) + STS_FAILED_TTL * (int64_t)1000;
}

static bool
may_look_early(const struct sts_engine *e, struct sts_str domain)
{
	uint32_t hash = sts_crc32c(domain);

	return e->failed[hash % FAILED_MAX].hash != hash ||
	    sts_loop_ms(e->config.loop) >= e->failed[hash % FAILED_MAX].until_ms;
}

/* While a reload is under way two resolvers are at work: what the other one has fetched
 * since this journey began is not to be written over. */
static bool
is_overtaken(const struct job *job)
{
	const struct sts_lookup *l = &job->lookup;
	struct sts_cache *cache = job->engine->config.cache;
	struct sts_entry entry;
	struct sts_str bytes;
	bool newer;

	if (cache == NULL || !l->changed || l->fetched || job->err != STS_OK)
		return false;
	newer = sts_cache_get(cache, domain_of(job), &bytes) == STS_OK &&
	    sts_entry_read(bytes, &entry) == STS_OK && entry.fetched > l->entry.fetched;
	sts_cache_pause(cache);
	return newer;
}

static void
finish(struct job *job)
{
	struct sts_outcome outcome = { trouble(job), STS_HOPE_DONE, &job->lookup.entry };
	struct sts_engine *e = job->engine;
	struct sts_wait **at, *w;
	char domain[STS_NAME_MAX + 1];
	size_t domain_n = job->domain_n;
	bool then_forced = job->then_forced && outcome.err == STS_OK;

	memcpy(domain, job->domain, domain_n);
	if (is_overtaken(job)) {
		sts_engine_changed(e, (struct sts_str){ domain, domain_n });
		return;
	}
	keep_entry(job);
	note_early(job);
	report(job,
	    (struct sts_event){ .what = STS_EVENT_DONE,
		.after = &job->lookup.entry,
		.fetch_ms = job->fetch_took_ms,
		.ms = now_ms(job) - job->began_ms });
	/* One who is told may forget another. */
	while ((w = *(at = find_satisfied(job))) != NULL) {
		*at = w->next;
		give(w, &outcome);
	}
	w = job->waits;
	job_free(job);
	/* First, so that the others join it; also when who asked for it has left. */
	if (then_forced)
		(void)join_job(e, (struct sts_str){ domain, domain_n }, STS_TARGET_PLAIN,
		    STS_START_FORCED);
	wait_again(e, (struct sts_str){ domain, domain_n }, w);
}

enum sts_err
sts_engine_put(struct sts_engine *e, struct sts_str domain, const struct sts_entry *entry,
    sts_on_stored *on, void *arg)
{
	struct sts_cache_kind kind = { entry->fetched != 0, entry->mode,
		entry->fetched != 0 && entry->failures > 0 };
	struct sts_buf bytes = { .limit = STS_ENTRY_MAX };
	enum sts_err err = STS_ERR_NOMEM;

	sts_entry_write(entry, &bytes);
	if (!bytes.bad)
		err = sts_cache_put(e->config.cache, domain, sts_buf_str(&bytes), kind,
		    sts_refresh_due(entry, domain, e->config.rules), on, arg);
	sts_buf_done(&bytes);
	return err;
}

/*
 * Waiting: each waiter's time, which is short while only DNS is to confirm a policy.
 */
static int
set_deadline(const struct sts_wait *w)
{
	int64_t wait = w->wait_ms;

	if (w->job == NULL)
		return sts_timer_set(w->timer, 0);
	if (w->job->lookup.looking && w->sure && wait > STS_LOOK_WAIT_MS)
		wait = STS_LOOK_WAIT_MS;
	return sts_timer_set(w->timer, w->asked_ms + wait - now_ms(w->job));
}

/* Is there an answer that only waits for DNS to confirm it? */
static bool
is_sure(const struct job *job, const struct sts_wait *w)
{
	const struct sts_lookup *l = &job->lookup;
	struct sts_answer answer;
	int64_t now = sts_clock_now();

	sts_answer(&l->entry, l->domain, w->target, STS_HOPE_DONE, now, l->rules,
	    &answer);
	return !w->forced && sts_entry_is_live(&l->entry, now) &&
	    answer.verdict != STS_VERDICT_TEMP;
}

static void
set_deadlines(struct job *job)
{
	for (struct sts_wait *w = job->waits; w != NULL; w = w->next) {
		w->sure = is_sure(job, w);
		(void)set_deadline(w);
	}
}

/* job: NULL when none can be made, which is told at the next turn of the loop. */
static int
join(struct sts_wait *w, struct job *job)
{
	w->job = job;
	w->next = NULL;
	if (job != NULL) {
		w->sure = is_sure(job, w);
		w->next = job->waits;
		job->waits = w;
	}
	return set_deadline(w);
}

static void
leave_job(struct sts_wait *w)
{
	struct sts_wait **at = &w->job->waits;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

static void
on_deadline(void *arg)
{
	struct sts_wait *w = arg;
	struct job *job = w->job;
	struct sts_outcome outcome = { STS_ERR_OVERLOADED, STS_HOPE_AWAY, NULL };

	if (job != NULL) {
		outcome = (struct sts_outcome){ trouble(job),
			job->lookup.fetching ? STS_HOPE_RUNNING : STS_HOPE_LATE,
			&job->lookup.entry };
		leave_job(w);
	}
	give(w, &outcome);
}

/*
 * Telling.
 */
static void
tell(struct job *job, enum sts_need need, const struct sts_fact *fact)
{
	sts_lookup_tell(&job->lookup, need, fact, sts_clock_now());
	report(job,
	    (struct sts_event){ .what = STS_EVENT_FACT,
		.need = need,
		.fact = fact,
		.ms = now_ms(job) - job->step_ms });
}

static void
tell_err(struct job *job, enum sts_need need, enum sts_err err)
{
	tell(job, need, &(struct sts_fact){ .err = err, .ede = -1 });
}

/* Copies what DNS said about texts or hosts. */
static void
tell_records(struct job *job, enum sts_need need, const struct sts_dns_answer *answer)
{
	struct sts_fact fact = { .err = answer->err,
		.ede = (int16_t)answer->ede,
		/* An SOA that says 0 is not the same as none. */
		.ttl = answer->has_soa && answer->ttl == 0 ? 1 : answer->ttl,
		.count = answer->count,
		.ad = answer->ad };
	struct sts_str *texts =
	    (struct sts_str *)(void *)keep_room(job, answer->count * sizeof(*texts));
	uint16_t *preferences =
	    (uint16_t *)(void *)keep_room(job, answer->count * sizeof(*preferences));

	if (texts == NULL || preferences == NULL) {
		tell_err(job, need, STS_ERR_NOMEM);
		return;
	}
	for (size_t i = 0; i < answer->count; i++) {
		preferences[i] = answer->rr[i].preference;
		if (!keep(job, answer->rr[i].data, &texts[i])) {
			tell_err(job, need, STS_ERR_NOMEM);
			return;
		}
	}
	fact.texts = texts;
	fact.preferences = preferences;
	tell(job, need, &fact);
}

static void
learn_family(struct family *f, bool v6, const struct sts_dns_answer *answer)
{
	size_t size = v6 ? 16 : 4;

	f->known = true;
	f->err = answer->err;
	f->ede = (int16_t)answer->ede;
	f->ttl = answer->ttl;
	for (size_t i = 0; i < answer->count && f->count < STS_ADDRESSES_MAX; i++) {
		f->addresses[f->count].v6 = v6;
		memcpy(f->addresses[f->count++].bytes, answer->rr[i].data.p, size);
	}
}

/* Both families as one fact: addresses if there are any, else why there are none. */
static void
tell_host(struct job *job)
{
	struct family *six = &job->families[0], *four = &job->families[1];
	struct sts_fact fact = { .addresses = job->addresses };
	const struct family *why;

	for (size_t i = 0; i < six->count; i++)
		job->addresses[fact.count++] = six->addresses[i];
	for (size_t i = 0; i < four->count; i++)
		job->addresses[fact.count++] = four->addresses[i];
	why = four->known && !sts_err_is_dns_failure(six->err) ? four : six;
	fact.err = fact.count > 0 ? STS_OK : why->err;
	fact.ede = why->ede;
	fact.ttl = why->ttl;
	for (enum question q = Q_A; q <= Q_AAAA; q++) {
		sts_resolve_forget(job->open[q].dns);
		job->open[q].dns = NULL;
	}
	tell(job, STS_NEED_HOST, &fact);
	drive(job);
}

static void
on_family(struct job *job, enum question what, const struct sts_dns_answer *answer)
{
	bool v6 = what == Q_AAAA;

	learn_family(&job->families[v6 ? 0 : 1], v6, answer);
	if (job->families[0].known && job->families[1].known)
		tell_host(job);
	else if (answer->count > 0)
		(void)sts_timer_set(job->step, OTHER_FAMILY_MS);
}

static void
on_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms)
{
	struct open_question *open = arg;
	struct job *job = open->job;

	(void)ms;
	open->dns = NULL;
	switch (open->what) {
	case Q_TXT:
		tell_records(job, STS_NEED_RECORD, answer);
		drive(job);
		break;
	case Q_MX:
		tell_records(job, STS_NEED_MX, answer);
		drive(job);
		break;
	case Q_A:
	case Q_AAAA:
		on_family(job, open->what, answer);
		break;
	case QUESTIONS:
		break;
	}
}

/*
 * The MX hosts.
 */

/* Can Postfix use one of these records? */
static bool
any_usable(const struct sts_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct sts_str rdata = answer->rr[i].data;

		switch (sts_tlsa_judge(rdata)) {
		case STS_TLSA_USABLE:
			return true;
		case STS_TLSA_CERTIFICATE:
			if (sts_tls_is_certificate(sts_tlsa_data(rdata)))
				return true;
			break;
		case STS_TLSA_KEY:
			if (sts_tls_is_key(sts_tlsa_data(rdata)))
				return true;
			break;
		case STS_TLSA_UNUSABLE:
			break;
		}
	}
	return false;
}

static void
on_host_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms)
{
	struct host_question *q = arg;
	struct job *job = q->job;
	struct sts_dane_fact fact = { .err = answer->err,
		.ede = (int16_t)answer->ede,
		.ttl = answer->has_soa && answer->ttl == 0 ? 1 : answer->ttl,
		.ad = answer->ad };
	struct sts_str final = STS_STR_NONE;

	q->dns = NULL;
	if (q->step == STS_DANE_TLSA || q->step == STS_DANE_TLSA_OWN)
		fact.usable = any_usable(answer);
	if (answer->chain > 0 && !keep(job, answer->final_name, &final))
		fact.err = STS_ERR_NOMEM;
	sts_dane_tell(&job->lookup.dane, q->host, q->step, &fact, final);
	report(job,
	    (struct sts_event){ .what = STS_EVENT_HOST,
		.host = q->host,
		.step = q->step,
		.answer = answer,
		.ms = ms });
	end_host_question(q);
	drive(job);
}

static bool
ask_host(struct job *job, const struct sts_dane_question *question)
{
	struct host_question *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return false;
	q->job = job;
	q->host = question->host;
	q->step = question->step;
	q->next = job->host_questions;
	job->host_questions = q;
	job->host_count++;
	job->engine->host_count++;
	q->dns = sts_resolve_ask(job->engine->config.resolve,
	    (struct sts_str){ question->name, question->name_n }, question->type,
	    on_host_answer, q);
	if (q->dns != NULL)
		return true;
	end_host_question(q);
	return false;
}

/* Each may have some, whose answers drive it on: none waits for another. */
static bool
may_ask_host(const struct job *job)
{
	return job->host_count < HOST_QUESTIONS_EACH ||
	    job->engine->host_count < HOST_QUESTIONS_MAX;
}

/* Asks what can be asked by now. True: something could not be, and was told so. */
static bool
ask_hosts(struct job *job)
{
	struct sts_dane_question question;
	bool told = false;

	while (may_ask_host(job) && sts_dane_ask(&job->lookup.dane, &question)) {
		struct sts_dane_fact fact = { .err = STS_ERR_NOMEM, .ede = -1 };

		if (ask_host(job, &question))
			continue;
		sts_dane_tell(&job->lookup.dane, question.host, question.step, &fact,
		    STS_STR_NONE);
		told = true;
	}
	return told;
}

/*
 * Whether the resolver validates.
 */
static void
tell_trust(struct job *job, enum sts_need need, const struct sts_trust *trust)
{
	tell(job, need,
	    &(struct sts_fact){ .err = trust->err, .ede = trust->ede, .ad = trust->ad });
}

static bool
awaits(const struct job *job, enum sts_need need)
{
	return (job->asked & ~job->lookup.known & (unsigned)need) != 0;
}

static void
on_trust(void *arg, const struct sts_trust *trust)
{
	struct sts_engine *e = arg;
	struct job *next;

	if (e->on_event != NULL)
		e->on_event(e->arg,
		    &(struct sts_event){ .what = STS_EVENT_TRUST, .trust = trust });
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct job *job = e->jobs[i]; job != NULL; job = next) {
			bool asks = awaits(job, STS_NEED_TRUST);
			bool asks_anew = awaits(job, STS_NEED_TRUST_NOW);

			next = job->next;
			if (asks)
				tell_trust(job, STS_NEED_TRUST, trust);
			if (asks_anew)
				tell_trust(job, STS_NEED_TRUST_NOW, trust);
			if (asks || asks_anew)
				drive(job);
		}
}

static enum sts_err
ask_trust(struct job *job, enum sts_need need)
{
	struct sts_selftest *test = job->engine->selftest;
	const struct sts_trust *known = sts_selftest_result(test);

	if (need == STS_NEED_TRUST && known != NULL)
		tell_trust(job, need, known);
	else if (sts_selftest_begin(test) == -1)
		return STS_ERR_NOMEM;
	return STS_OK;
}

int
sts_engine_selftest(struct sts_engine *e)
{
	return sts_selftest_repeat(e->selftest);
}

/* The first drive of a job; later, the end of patience with one address family. */
static void
on_step(void *arg)
{
	struct job *job = arg;

	if ((job->asked & STS_NEED_HOST) != 0 && (job->lookup.known & STS_NEED_HOST) == 0)
		tell_host(job);
	else
		drive(job);
}

/*
 * Asking.
 */
static bool
ask_dns(struct job *job, enum question what, const char *prefix)
{
	char name[16 + STS_NAME_MAX + 1];

	(void)snprintf(name, sizeof(name), "%s%s", prefix, job->domain);
	job->open[what] = (struct open_question){ job, what, NULL };
	job->open[what].dns = sts_resolve_ask(job->engine->config.resolve,
	    sts_str_of(name), question_types[what], on_answer, &job->open[what]);
	return job->open[what].dns != NULL;
}

static void
on_stored(void *arg, enum sts_err err)
{
	struct job *job = arg;

	job->storing = false;
	tell_err(job, STS_NEED_STORED, err);
	drive(job);
}

static enum sts_err
ask_store(struct job *job)
{
	enum sts_err err;

	report(job,
	    (struct sts_event){ .what = STS_EVENT_POLICY,
		.before = &job->lookup.cached,
		.after = &job->lookup.entry });
	if (job->engine->config.cache == NULL)
		return STS_ERR_CACHE_NONE;
	err = sts_engine_put(job->engine, job->lookup.domain, &job->lookup.entry,
	    on_stored, job);
	job->storing = err == STS_OK;
	return err;
}

static void
on_fetched(void *arg, const struct sts_fetched *fetched)
{
	struct job *job = arg;
	struct sts_fact fact = { .err = fetched->err, .ede = -1 };

	end_fetch(job);
	job->fetch_took_ms = now_ms(job) - job->fetch_ms;
	if (fact.err == STS_OK && !keep(job, fetched->body, &fact.body))
		fact.err = STS_ERR_NOMEM;
	report(job,
	    (struct sts_event){ .what = STS_EVENT_FETCHED,
		.fetched = fetched,
		.ms = job->fetch_took_ms });
	tell(job, STS_NEED_POLICY, &fact);
	drive(job);
}

static void
start_fetch(struct job *job)
{
	char host[16 + STS_NAME_MAX + 1];

	(void)snprintf(host, sizeof(host), "mta-sts.%s", job->domain);
	job->fetch_ms = now_ms(job);
	job->fetch = sts_fetch_start(job->engine->config.fetcher, sts_str_of(host),
	    job->lookup.addresses, job->lookup.address_count, on_fetched, job);
	if (job->fetch != NULL) {
		job->slot = job->engine->fetches++;
		job->engine->running[job->slot] = job;
		return;
	}
	tell_err(job, STS_NEED_POLICY, STS_ERR_NOMEM);
	drive(job);
}

static bool
is_same_site(const struct job *a, const struct job *b)
{
	return sts_addr_same_site(&a->lookup.addresses[0], &b->lookup.addresses[0]);
}

static bool
is_crowded(const struct sts_engine *e, const struct job *job)
{
	unsigned n = 0;

	for (unsigned i = 0; i < e->fetches; i++)
		if (is_same_site(e->running[i], job))
			n++;
	return n >= STS_FETCHES_PER_NET;
}

/* The first in the queue whose site is not crowded. One provider may fill the queue:
 * neighbours of a job that must wait are not counted again. */
static struct job *
next_in_queue(struct sts_engine *e)
{
	const struct job *crowded = NULL;

	for (struct job *job = e->queue; job != NULL; job = job->queue_next) {
		if (crowded != NULL && is_same_site(job, crowded))
			continue;
		if (!is_crowded(e, job))
			return job;
		crowded = job;
	}
	return NULL;
}

/* A fetch older than answer_timeout with nobody waiting for it: while others wait, its
 * place is worth more than its outcome. */
static bool
may_yield(const struct job *job)
{
	return job->waits == NULL &&
	    now_ms(job) - job->began_ms > job->engine->config.answer_ms;
}

/* It has failed if it had that time to itself. If it had not, for want of a place, that is
 * our doing: the journey is forgotten, and who asks again begins anew. "Failed" would mean
 * "no policy", and whoever crowds us could make that of any domain. */
static void
yield(struct job *job)
{
	const struct sts_engine *e = job->engine;

	if (job->fetch == NULL || now_ms(job) - job->fetch_ms <= e->config.answer_ms) {
		job_free(job);
		return;
	}
	sts_fetch_cancel(job->fetch);
	end_fetch(job);
	tell_err(job, STS_NEED_POLICY, STS_ERR_FETCH_TIMEOUT);
	(void)sts_timer_set(job->step, 0);
}

static bool
is_site_wanted(const struct job *job)
{
	for (const struct job *q = job->engine->queue; q != NULL; q = q->queue_next)
		if (is_same_site(q, job))
			return true;
	return false;
}

/* First those that wait for a place themselves, then those that are in the way of the
 * rest. */
static void
yield_places(struct sts_engine *e)
{
	bool is_full = e->fetches >= e->config.max_fetches;
	struct job *next;

	for (struct job *job = e->queue; job != NULL; job = next) {
		next = job->queue_next;
		if (may_yield(job))
			yield(job);
	}
	for (size_t i = e->fetches; i-- > 0 && e->queue != NULL;) {
		struct job *job = e->running[i];

		if (may_yield(job) && (is_full || is_site_wanted(job)))
			yield(job);
	}
}

static void
start_fetches(struct sts_engine *e)
{
	struct job *job;

	while (e->fetches < e->config.max_fetches && (job = next_in_queue(e)) != NULL) {
		leave_queue(job);
		start_fetch(job);
	}
}

static void
run_queue(void *arg)
{
	struct sts_engine *e = arg;

	start_fetches(e);
	yield_places(e);
	start_fetches(e);
	if (e->queue != NULL)
		(void)sts_timer_set(e->queue_timer, QUEUE_MS);
}

static void
queue_fetch(struct job *job)
{
	struct sts_engine *e = job->engine;

	job->queued = true;
	job->queue_next = NULL;
	*e->queue_end = job;
	e->queue_end = &job->queue_next;
	e->waiting++;
	(void)sts_timer_set(e->queue_timer, 0);
}

/* Arranges for one need; what cannot even be asked is told at once. */
static void
ask(struct job *job, enum sts_need need)
{
	enum sts_err err = STS_OK;

	job->asked |= need;
	job->step_ms = now_ms(job);
	switch (need) {
	case STS_NEED_RECORD:
		err = ask_dns(job, Q_TXT, "_mta-sts.") ? STS_OK : STS_ERR_NOMEM;
		break;
	case STS_NEED_MX:
		err = ask_dns(job, Q_MX, "") ? STS_OK : STS_ERR_NOMEM;
		break;
	case STS_NEED_HOST:
		err = ask_dns(job, Q_A, "mta-sts.") && ask_dns(job, Q_AAAA, "mta-sts.")
		    ? STS_OK
		    : STS_ERR_NOMEM;
		break;
	case STS_NEED_POLICY:
		queue_fetch(job);
		break;
	case STS_NEED_STORED:
		err = ask_store(job);
		break;
	case STS_NEED_TRUST:
	case STS_NEED_TRUST_NOW:
		err = ask_trust(job, need);
		break;
	case STS_NEED_HOSTS: /* ask_hosts() does, as one answer leads to the next */
		break;
	}
	if (err != STS_OK)
		tell_err(job, need, err);
}

static void
drive(struct job *job)
{
	unsigned needs, todo;
	bool told;

	while ((needs = sts_lookup_run(&job->lookup, sts_clock_now())) != 0) {
		todo = needs & ~job->asked;
		told = (needs & STS_NEED_HOSTS) != 0 && ask_hosts(job);
		if (todo == 0 && !told)
			break;
		for (unsigned need = 1; need <= todo; need <<= 1)
			if ((todo & need) != 0)
				ask(job, (enum sts_need)need);
	}
	if (needs == 0)
		finish(job);
	else
		set_deadlines(job);
}

/*
 * Beginning.
 */

/* The entry a journey starts from. One that cannot be read is trouble: "no policy" it was
 * perhaps not. */
static enum sts_err
load(struct job *job, struct sts_entry *entry, bool *found)
{
	struct sts_cache *cache = job->engine->config.cache;
	struct sts_str bytes, kept;
	enum sts_err err;

	*found = false;
	if (cache == NULL)
		return STS_OK;
	err = sts_cache_get(cache, domain_of(job), &bytes);
	if (err == STS_OK && !keep(job, bytes, &kept))
		err = STS_ERR_NOMEM;
	sts_cache_pause(cache);
	if (err == STS_ERR_CACHE_NONE)
		return STS_OK;
	if (err != STS_OK)
		return err;
	*found = sts_entry_read(kept, entry) == STS_OK;
	return *found ? STS_OK : STS_ERR_CACHE_ENTRY;
}

static struct job *
job_new(struct sts_engine *e, struct sts_str domain, enum sts_start start)
{
	struct job *job;
	struct sts_entry entry;
	bool found;

	if (domain.n > STS_DOMAIN_MAX || (job = calloc(1, sizeof(*job))) == NULL)
		return NULL;
	job->engine = e;
	job->domain_n = domain.n;
	memcpy(job->domain, domain.p, domain.n);
	job->began_ms = now_ms(job);
	job->fetch_took_ms = -1;
	if ((job->step = sts_timer_new(e->config.loop, on_step, job)) == NULL ||
	    sts_timer_set(job->step, 0) == -1) {
		job_free(job);
		return NULL;
	}
	job->err = load(job, &entry, &found);
	if (job->err != STS_OK)
		report(job,
		    (struct sts_event){ .what = STS_EVENT_TROUBLE, .err = job->err });
	sts_lookup_start(&job->lookup, domain_of(job), found ? &entry : NULL, start,
	    e->config.rules);
	job->next = *bucket(e, domain);
	*bucket(e, domain) = job;
	e->lookups++;
	return job;
}

/* The running journey of a domain, whatever its target, or a new one. */
static struct job *
join_job(struct sts_engine *e, struct sts_str domain, struct sts_target target,
    enum sts_start start)
{
	struct job *job = find_job(e, domain);

	if (job != NULL)
		return job;
	if (e->lookups >= e->config.max_lookups ||
	    (job = job_new(e, domain, start)) == NULL)
		return NULL;
	job->lookup.target = target;
	return job;
}

/* A refresh leaves DANE to whoever asks: one asks now, and must not wait for its fetch. */
static void
use(struct job *job, struct sts_target target)
{
	struct sts_lookup *l = &job->lookup;

	if (l->start == STS_START_REFRESH && !l->used) {
		l->target = target;
		/* Where the policy host's addresses are awaited, they drive it on. */
		if (!awaits(job, STS_NEED_HOST))
			(void)sts_timer_set(job->step, 0);
	}
	l->used = true;
}

struct sts_wait *
sts_engine_ask(struct sts_engine *e, struct sts_str domain, struct sts_target target,
    enum sts_start start, int64_t wait_ms, sts_on_outcome *on, void *arg)
{
	struct sts_wait *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->target = target;
	w->on = on;
	w->arg = arg;
	w->wait_ms = wait_ms;
	w->forced = start == STS_START_FORCED;
	w->asked_ms = sts_loop_ms(e->config.loop);
	w->timer = sts_timer_new(e->config.loop, on_deadline, w);
	if (w->timer == NULL) {
		free(w);
		return NULL;
	}
	if (join(w, join_job(e, domain, target, start)) == -1) {
		sts_engine_forget(w);
		return NULL;
	}
	if (w->job != NULL) {
		if (start == STS_START_ASKED)
			use(w->job, target);
		w->job->then_forced |=
		    w->forced && w->job->lookup.start != STS_START_FORCED;
	}
	return w;
}

void
sts_engine_forget(struct sts_wait *w)
{
	if (w == NULL)
		return;
	if (w->job != NULL)
		leave_job(w);
	wait_free(w);
}

void
sts_engine_look(struct sts_engine *e, struct sts_str domain, struct sts_target target)
{
	bool is_new = find_job(e, domain) == NULL;
	struct job *job = join_job(e, domain, target, STS_START_ASKED);

	if (job == NULL)
		return;
	use(job, target);
	job->lookup.early |= is_new && may_look_early(e, domain);
}

void
sts_engine_changed(struct sts_engine *e, struct sts_str domain)
{
	struct job *old = find_job(e, domain), *job;
	struct sts_wait *waits, *next;
	enum sts_start start;
	struct sts_target target;
	bool used;

	if (old == NULL)
		return;
	waits = old->waits;
	start = old->then_forced ? STS_START_FORCED : old->lookup.start;
	target = old->lookup.target;
	used = old->lookup.used;
	job_free(old);
	if (waits == NULL)
		return;
	job = join_job(e, domain, target, start);
	if (job != NULL)
		job->lookup.used = used;
	for (struct sts_wait *w = waits; w != NULL; w = next) {
		next = w->next;
		(void)join(w, job);
	}
}

bool
sts_engine_is_running(struct sts_engine *e, struct sts_str domain)
{
	return find_job(e, domain) != NULL;
}

/*
 * Refreshing (RFC 8461 sections 3.3 and 10.2).
 */
struct due {
	size_t count;
	char domains[DUE_MAX][STS_NAME_MAX + 1];
	size_t lengths[DUE_MAX];
};

static void
on_due(void *arg, struct sts_str domain)
{
	struct due *due = arg;

	if (domain.n > STS_NAME_MAX || due->count == DUE_MAX)
		return;
	memcpy(due->domains[due->count], domain.p, domain.n);
	due->lengths[due->count++] = domain.n;
}

/* An expired policy goes; what is known of the record and of failures stays. */
static void
drop_policy(struct job *job)
{
	struct sts_entry entry;

	sts_entry_copy(&entry, &job->lookup.cached);
	entry.fetched = 0;
	entry.max_age = 0;
	entry.mode = STS_MODE_NONE;
	entry.id = entry.policy = STS_STR_NONE;
	(void)sts_engine_put(job->engine, job->lookup.domain, &entry, NULL, NULL);
}

/* Does what is due for one domain. A journey of its own that already runs writes the
 * next due time when it ends. */
static void
refresh(struct sts_engine *e, struct sts_str domain)
{
	struct job *job;

	if (find_job(e, domain) != NULL ||
	    (job = job_new(e, domain, STS_START_REFRESH)) == NULL)
		return;
	if (job->err != STS_OK) {
		job_free(job);
		return;
	}
	switch (sts_refresh_what(&job->lookup.cached, domain_of(job), e->config.rules,
	    sts_clock_now())) {
	case STS_REFRESH_FETCH:
		job->refreshing = true;
		e->refreshes++;
		return;
	case STS_REFRESH_DROP:
		drop_policy(job);
		break;
	case STS_REFRESH_WAIT: /* the settings have changed since it was written */
		(void)sts_engine_put(e, domain_of(job), &job->lookup.cached, NULL, NULL);
		break;
	}
	job_free(job);
}

static void
on_refresh(void *arg)
{
	struct sts_engine *e = arg;
	unsigned most = e->config.max_fetches / REFRESH_SHARE + 1;
	struct due due = { .count = 0 };
	int64_t next = INT64_MAX, wait = REFRESH_IDLE_MS;
	int64_t now = sts_clock_now();

	if (e->refreshes < most)
		(void)sts_cache_due(e->config.cache, now, DUE_MAX, on_due, &due, &next);
	sts_cache_pause(e->config.cache);
	/* The first of them may be those that are under way. */
	for (size_t i = 0; i < due.count && e->refreshes < most; i++)
		refresh(e, (struct sts_str){ due.domains[i], due.lengths[i] });
	if (due.count > 0 || e->refreshes > 0)
		wait = REFRESH_BUSY_MS;
	else if (next != INT64_MAX && (next - now) * 1000 < wait)
		wait = next > now ? (next - now) * 1000 : REFRESH_BUSY_MS;
	(void)sts_timer_set(e->refresh_timer, wait);
}

int
sts_engine_refresh(struct sts_engine *e)
{
	if (e->refresh_timer == NULL)
		e->refresh_timer = sts_timer_new(e->config.loop, on_refresh, e);
	return e->refresh_timer == NULL ? -1 : sts_timer_set(e->refresh_timer, 0);
}

void
sts_engine_stats(const struct sts_engine *e, struct sts_engine_stats *stats)
{
	*stats = (struct sts_engine_stats){ e->lookups, e->fetches, e->waiting };
}

struct sts_engine *
sts_engine_new(const struct sts_engine_config *config, sts_on_event *on_event, void *arg)
{
	struct sts_engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->config = *config;
	e->on_event = on_event;
	e->arg = arg;
	e->queue_end = &e->queue;
	e->queue_timer = sts_timer_new(config->loop, run_queue, e);
	e->selftest = sts_selftest_new(config->loop, config->resolve, on_trust, e);
	e->running = calloc(config->max_fetches, sizeof(struct job *));
	if (e->queue_timer == NULL || e->selftest == NULL || e->running == NULL) {
		sts_engine_free(e);
		return NULL;
	}
	return e;
}

void
sts_engine_free(struct sts_engine *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (e->jobs[i] != NULL) {
			struct job *job = e->jobs[i];
			struct sts_wait *next;

			for (struct sts_wait *w = job->waits; w != NULL; w = next) {
				next = w->next;
				wait_free(w);
			}
			job_free(job);
		}
	sts_selftest_free(e->selftest);
	sts_timer_free(e->queue_timer);
	sts_timer_free(e->refresh_timer);
	free(e->running);
	free(e);
}
