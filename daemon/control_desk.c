/* SPDX-License-Identifier: MIT */
#include "control_desk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "exchange.h"
#include "log.h"
#include "name.h"

/* A piece of a list: entries looked at, their bytes, and bytes of an answer after which
 * it is enough. What it takes is what a lookup may have to wait. */
#define PIECE_ENTRIES 500
#define PIECE_READ 1048576
#define PIECE_BYTES 32768
/* Of a file, so that its base64 fits in a line. */
#define PIECE_FILE 65536
/* Around the policy of an exported entry: names, numbers, blanks. */
#define EXPORT_ROOM 512
/* Policies of one import: they are committed together. */
#define IMPORT_MAX 512

/* Something whose answer comes later. */
struct errand {
	struct errand *next;
	struct control_desk *desk;
	struct control_guest *guest;
	struct sts_wait *wait; /* refresh */
	size_t domain_n;
	char domain[STS_NAME_MAX + 1];
	unsigned waiting; /* import: for so many commits */
	unsigned stored, kept, expired;
	enum sts_err err;
	bool metrics; /* stats */
};

struct control_desk {
	struct control_desk_config config;
	struct errand *errands;
};

/*
 * Errands.
 */
static void
errand_free(struct errand *e)
{
	struct errand **at = &e->desk->errands;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	sts_engine_forget(e->wait);
	if (e->waiting > 0)
		sts_cache_forget(e->desk->config.cache, e);
	free(e);
}

static void
on_gone(void *arg)
{
	errand_free(arg);
}

static struct errand *
errand_new(struct control_desk *desk, struct control_guest *g)
{
	struct errand *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		control_refuse(g, "out of memory");
		return NULL;
	}
	e->desk = desk;
	e->guest = g;
	e->next = desk->errands;
	desk->errands = e;
	return e;
}

/*
 * What is asked about.
 */

/* As it is a key of the cache. False: it was refused. */
static bool
take_domain(struct control_guest *g, struct control_words *words, struct sts_str *domain)
{
	struct sts_key key;

	*domain = control_take_word(words);
	if (control_is_over(words) && sts_key_parse(*domain, &key) == STS_OK &&
	    sts_str_eq(*domain, (struct sts_str){ key.domain, key.domain_n }))
		return true;
	control_refuse(g, "this is no domain that can have a policy");
	return false;
}

/* Where a list goes on; any name will do. */
static bool
take_after(struct control_guest *g, struct control_words *words, struct sts_str *after)
{
	*after = control_take_word(words);
	if (control_is_over(words) && after->n <= STS_NAME_MAX)
		return true;
	control_refuse(g, "the name to go on after is missing");
	return false;
}

static void
refuse_err(struct control_guest *g, enum sts_err err)
{
	control_refuse(g, sts_err_text(err));
}

/* The entry's bytes, lent; false: there is none, which was said, or trouble. */
static bool
find(struct control_desk *desk, struct control_guest *g, struct sts_str domain,
    struct sts_str *bytes)
{
	enum sts_err err = sts_cache_get(desk->config.cache, domain, bytes);

	if (err == STS_OK)
		return true;
	sts_cache_pause(desk->config.cache);
	if (err == STS_ERR_CACHE_NONE) {
		(void)control_begin(g, "none");
		control_answer(g);
	} else {
		refuse_err(g, err);
	}
	return false;
}

static void
put_entry(struct control_desk *desk, struct sts_buf *to, struct sts_str domain,
    bool running, struct sts_str bytes)
{
	struct sts_entry e = { .fetched = 0 };
	int64_t due = INT64_MAX;

	if (sts_entry_read(bytes, &e) == STS_OK)
		due = sts_refresh_due(&e, domain, desk->config.rules);
	control_put_number(to, sts_clock_now());
	control_put_number(to, due);
	control_put_number(to, running);
	control_put_bytes(to, bytes);
}

static void
log_act(const struct control_guest *g, const char *event, struct sts_str domain)
{
	log_begin(LOG_LEVEL_NOTICE, event, domain, "by hand");
	log_number("uid", (int64_t)control_uid(g));
}

/*
 * Verbs.
 */
static int64_t
uptime(const struct control_desk *desk)
{
	struct sts_clock_mark mark;

	sts_clock_mark_now(&mark);
	return (mark.boot_ms - desk->config.began_ms) / 1000;
}

static void
hello(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	struct sts_buf *to = control_begin(g, "ok");

	(void)words;
	control_put_word(to, STS_STR(STSD_VERSION));
	control_put_number(to, sts_clock_now());
	control_put_number(to, uptime(desk));
	control_answer(g);
}

static void
stats(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	struct errand *e = errand_new(desk, g);

	(void)words;
	if (e == NULL)
		return;
	e->metrics = true;
	control_keep(g, on_gone, e);
	desk->config.ask_metrics(desk->config.arg);
}

static void
put_stats(struct control_desk *desk, struct sts_buf *to)
{
	struct sts_engine_stats engine;
	struct sts_cache_stats cache;

	memset(&cache, 0, sizeof(cache));
	(void)sts_cache_stats(desk->config.cache, &cache);
	sts_cache_pause(desk->config.cache);
	sts_engine_stats(desk->config.engine, &engine);
	control_put_number(to, uptime(desk));
	control_put_number(to, (int64_t)cache.policies[STS_MODE_ENFORCE]);
	control_put_number(to, (int64_t)cache.policies[STS_MODE_TESTING]);
	control_put_number(to, (int64_t)cache.policies[STS_MODE_NONE]);
	control_put_number(to, (int64_t)cache.failing);
	control_put_number(to, (int64_t)cache.pool);
	control_put_number(to, (int64_t)cache.unsaved);
	control_put_number(to, (int64_t)cache.bytes);
	control_put_number(to, (int64_t)cache.limit);
	control_put_number(to, engine.lookups);
	control_put_number(to, engine.fetches);
	control_put_number(to, engine.fetches_waiting);
}

void
control_desk_metrics(struct control_desk *desk, struct sts_str text)
{
	struct errand *next;
	struct sts_str health;

	(void)sts_str_cut(&text, '\n', &health);
	for (struct errand *e = desk->errands; e != NULL; e = next) {
		struct control_guest *g = e->guest;
		struct sts_buf *to;

		next = e->next;
		if (!e->metrics)
			continue;
		to = control_begin(g, "ok");
		put_stats(desk, to);
		control_put_bytes(to, health);
		control_put_bytes(to, text);
		errand_free(e);
		control_answer(g);
	}
}

/* A piece of a list: the tuples come first into a buffer of their own, since where the
 * list goes on stands before them. */
struct piece {
	struct sts_buf tuples;
	int64_t now;
	size_t looked_at, read;
	bool more;
	size_t last_n;
	char last[STS_NAME_MAX + 1]; /* the name last looked at */
};

/* Is there room for another entry, of so many bytes at most? */
static bool
has_room(struct piece *p, size_t bytes)
{
	p->more = p->looked_at >= PIECE_ENTRIES || p->read >= PIECE_READ ||
	    p->tuples.n >= PIECE_BYTES ||
	    (p->looked_at > 0 && p->tuples.n + bytes + EXPORT_ROOM > CONTROL_LINE_MAX);
	return !p->more;
}

static void
pass(struct piece *p, struct sts_str domain, struct sts_str bytes)
{
	p->looked_at++;
	p->read += bytes.n;
	p->last_n = domain.n < sizeof(p->last) ? domain.n : 0;
	memcpy(p->last, domain.p, p->last_n);
}

static bool
on_listed(void *arg, struct sts_str domain, struct sts_str bytes)
{
	struct piece *p = arg;
	struct sts_entry e;

	if (!has_room(p, 0))
		return false;
	pass(p, domain, bytes);
	if (sts_entry_read(bytes, &e) != STS_OK || e.fetched == 0)
		return true;
	control_put_word(&p->tuples, domain);
	control_put_word(&p->tuples, sts_str_of(sts_mode_text(e.mode)));
	control_put_word(&p->tuples, e.id);
	control_put_number(&p->tuples, e.fetched);
	control_put_number(&p->tuples, sts_entry_expires(&e));
	control_put_number(&p->tuples, e.asked);
	return true;
}

static bool
on_exported(void *arg, struct sts_str domain, struct sts_str bytes)
{
	struct piece *p = arg;
	struct sts_entry e;

	if (!has_room(p, bytes.n / 3 * 4))
		return false;
	pass(p, domain, bytes);
	if (sts_entry_read(bytes, &e) != STS_OK || !sts_entry_is_live(&e, p->now))
		return true;
	control_put_word(&p->tuples, domain);
	control_put_word(&p->tuples, e.id);
	control_put_number(&p->tuples, e.fetched);
	control_put_number(&p->tuples, e.max_age);
	control_put_number(&p->tuples, e.asked);
	control_put_bytes(&p->tuples, e.policy);
	return true;
}

static void
answer_piece(struct control_desk *desk, struct control_guest *g,
    struct control_words *words, sts_on_entry *on)
{
	struct piece p = { .now = sts_clock_now() };
	struct sts_str after;
	struct sts_buf *to;
	enum sts_err err;

	if (!take_after(g, words, &after))
		return;
	err = sts_cache_each(desk->config.cache, after, on, &p);
	sts_cache_pause(desk->config.cache);
	if (p.tuples.bad)
		err = STS_ERR_NOMEM;
	if (err != STS_OK) {
		refuse_err(g, err);
	} else {
		to = control_begin(g, "ok");
		control_put_word(to, (struct sts_str){ p.last, p.more ? p.last_n : 0 });
		sts_put(to, sts_buf_str(&p.tuples));
		control_answer(g);
	}
	sts_buf_done(&p.tuples);
}

static void
list(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	answer_piece(desk, g, words, on_listed);
}

static void
export_policies(struct control_desk *desk, struct control_guest *g,
    struct control_words *words)
{
	answer_piece(desk, g, words, on_exported);
}

static void
show(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	struct sts_str domain, bytes;

	if (!take_domain(g, words, &domain) || !find(desk, g, domain, &bytes))
		return;
	put_entry(desk, control_begin(g, "ok"), domain,
	    sts_engine_is_running(desk->config.engine, domain), bytes);
	sts_cache_pause(desk->config.cache);
	control_answer(g);
}

/* The fetch goes on whoever leaves. */
static void
on_refreshed(void *arg, const struct sts_outcome *outcome)
{
	struct errand *e = arg;
	struct control_guest *g = e->guest;
	struct sts_str domain = { e->domain, e->domain_n };
	bool done = outcome->hope == STS_HOPE_DONE;
	struct sts_buf bytes = { .limit = STS_ENTRY_MAX };
	struct sts_buf *to;

	e->wait = NULL;
	if (outcome->entry != NULL)
		sts_entry_write(outcome->entry, &bytes);
	if (outcome->entry == NULL || bytes.bad) {
		refuse_err(g, outcome->err != STS_OK ? outcome->err : STS_ERR_NOMEM);
	} else if (outcome->err != STS_OK) {
		refuse_err(g, outcome->err);
	} else {
		to = control_begin(g, "ok");
		control_put_word(to, done ? STS_STR("done") : STS_STR("running"));
		put_entry(e->desk, to, domain, !done, sts_buf_str(&bytes));
		control_answer(g);
	}
	sts_buf_done(&bytes);
	errand_free(e);
}

static void
refresh(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	struct sts_str domain;
	struct errand *e;

	if (!take_domain(g, words, &domain) || (e = errand_new(desk, g)) == NULL)
		return;
	log_act(g, "refresh", domain);
	log_end();
	memcpy(e->domain, domain.p, domain.n);
	e->domain_n = domain.n;
	e->wait = sts_engine_ask(desk->config.engine, domain, STS_TARGET_PLAIN,
	    STS_START_FORCED, desk->config.wait_ms, on_refreshed, e);
	if (e->wait != NULL) {
		control_keep(g, on_gone, e);
		return;
	}
	errand_free(e);
	control_refuse(g, "out of memory");
}

static void
forget(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	struct sts_str domain, bytes;
	enum sts_err err;

	if (!take_domain(g, words, &domain) || !find(desk, g, domain, &bytes))
		return;
	sts_cache_pause(desk->config.cache);
	log_act(g, "forget", domain);
	log_end();
	err = sts_cache_drop(desk->config.cache, domain);
	sts_engine_changed(desk->config.engine, domain);
	if (err == STS_OK)
		err = sts_cache_flush(desk->config.cache);
	if (err != STS_OK) {
		refuse_err(g, err);
		return;
	}
	(void)control_begin(g, "ok");
	control_answer(g);
}

static void
overrides(struct control_desk *desk, struct control_guest *g, struct control_words *words)
{
	int64_t offset = control_take_number(words);
	char piece[PIECE_FILE];
	struct stat st;
	struct sts_buf *to;
	ssize_t n;

	if (!control_is_over(words) || offset < 0) {
		control_refuse(g, "where to begin is missing");
		return;
	}
	if (desk->config.overrides == -1) {
		(void)control_begin(g, "none");
		control_answer(g);
		return;
	}
	n = pread(desk->config.overrides, piece, sizeof(piece), offset);
	if (n == -1 || fstat(desk->config.overrides, &st) == -1) {
		control_refuse(g, strerror(errno));
		return;
	}
	to = control_begin(g, "ok");
	control_put_number(to, st.st_size);
	control_put_bytes(to, (struct sts_str){ piece, (size_t)n });
	control_answer(g);
}

/*
 * Import.
 */
static bool
take_policy(struct control_words *words, struct sts_buf *room, struct exchange_entry *p)
{
	int64_t max_age;

	sts_buf_clear(room);
	p->domain = control_take_word(words);
	p->id = control_take_word(words);
	p->fetched = control_take_number(words);
	max_age = control_take_number(words);
	p->asked = control_take_number(words);
	control_take_bytes(words, room);
	p->max_age = max_age < 0 || max_age > STS_MAX_AGE_MAX ? 0 : (uint32_t)max_age;
	p->policy = sts_buf_str(room);
	return !words->bad && !room->bad;
}

/* Are all of them policies as they may be kept? NULL, or why not. */
static const char *
judge_all(struct control_words words, struct sts_buf *room)
{
	struct exchange_entry p;
	const char *wrong;
	size_t n = 0;

	do {
		if (!take_policy(&words, room, &p) || ++n > IMPORT_MAX)
			return "the request is damaged, or there is no memory for it";
		wrong = exchange_judge(&p, sts_clock_now());
		if (wrong != NULL)
			return wrong;
	} while (control_has_more(&words));
	return control_is_over(&words) ? NULL : "the request is damaged";
}

static void
finish_import(struct errand *e)
{
	struct control_guest *g = e->guest;
	struct sts_buf *to;

	log_act(g, "import", STS_STR_NONE);
	log_number("stored", e->stored);
	log_number("kept", e->kept);
	log_number("expired", e->expired);
	log_end();
	if (e->err != STS_OK) {
		refuse_err(g, e->err);
	} else {
		to = control_begin(g, "ok");
		control_put_number(to, e->stored);
		control_put_number(to, e->kept);
		control_put_number(to, e->expired);
		control_answer(g);
	}
	errand_free(e);
}

static void
on_stored(void *arg, enum sts_err err)
{
	struct errand *e = arg;

	if (err != STS_OK)
		e->err = err;
	if (--e->waiting == 0)
		finish_import(e);
}

/* What is known else of the domain stays; the record is looked at before it counts. */
static void
merge(struct sts_entry *entry, const struct exchange_entry *p, int64_t now)
{
	struct sts_policy policy;

	if (sts_policy_parse(p->policy, &policy, NULL, NULL) != STS_OK)
		return; /* it was looked at before */
	entry->fetched = p->fetched;
	entry->max_age = p->max_age;
	entry->mode = policy.mode;
	entry->id = p->id;
	entry->policy = p->policy;
	entry->failures = 0;
	if (entry->tried < p->fetched)
		entry->tried = p->fetched;
	if (entry->asked < p->asked)
		entry->asked = p->asked < now ? p->asked : now;
}

static void
import_one(struct control_desk *desk, struct errand *e, const struct exchange_entry *p)
{
	struct sts_entry entry = { .fetched = 0 };
	int64_t now = sts_clock_now();
	struct sts_str bytes;
	enum sts_err err;

	if (p->fetched + p->max_age <= now) {
		e->expired++;
		return;
	}
	err = sts_cache_get(desk->config.cache, p->domain, &bytes);
	if (err == STS_OK && sts_entry_read(bytes, &entry) != STS_OK)
		err = STS_ERR_CACHE_ENTRY;
	if (err != STS_OK && err != STS_ERR_CACHE_NONE) {
		e->err = err;
		return;
	}
	if (entry.fetched >= p->fetched) {
		e->kept++;
		return;
	}
	merge(&entry, p, now);
	err = sts_engine_put(desk->config.engine, p->domain, &entry, on_stored, e);
	if (err != STS_OK) {
		e->err = err;
		return;
	}
	sts_engine_changed(desk->config.engine, p->domain);
	e->stored++;
	e->waiting++;
}

static void
import_policies(struct control_desk *desk, struct control_guest *g,
    struct control_words *words)
{
	struct sts_buf room = { .limit = STS_POLICY_MAX };
	const char *wrong = judge_all(*words, &room);
	struct exchange_entry p;
	struct errand *e;

	if (wrong != NULL) {
		control_refuse(g, wrong);
	} else if ((e = errand_new(desk, g)) != NULL) {
		while (control_has_more(words) && e->err == STS_OK &&
		    take_policy(words, &room, &p))
			import_one(desk, e, &p);
		sts_cache_pause(desk->config.cache);
		if (e->waiting == 0)
			finish_import(e);
		else
			control_keep(g, on_gone, e);
	}
	sts_buf_done(&room);
}

/*
 * The desk.
 */
static const struct verb {
	const char *name;
	void (*serve)(struct control_desk *desk, struct control_guest *g,
	    struct control_words *words);
} verbs[] = {
	{ "hello", hello },
	{ "stats", stats },
	{ "list", list },
	{ "show", show },
	{ "refresh", refresh },
	{ "forget", forget },
	{ "overrides", overrides },
	{ "export", export_policies },
	{ "import", import_policies },
};

void
control_desk_serve(void *arg, struct control_guest *g, struct sts_str verb,
    struct control_words *words)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (sts_str_eq(verb, sts_str_of(verbs[i].name))) {
			verbs[i].serve(arg, g, words);
			return;
		}
	control_refuse(g, "there is no such verb");
}

struct control_desk *
control_desk_new(const struct control_desk_config *config)
{
	struct control_desk *desk = calloc(1, sizeof(*desk));

	if (desk != NULL)
		desk->config = *config;
	return desk;
}

void
control_desk_free(struct control_desk *desk)
{
	if (desk == NULL)
		return;
	assert(desk->errands == NULL); /* their guests have left before */
	free(desk);
}
