/* SPDX-License-Identifier: MIT */
/*
 * Many domains. Each has a place in a line, which is its order: pump() fills the line at
 * its end with words, starts visits while there is room, and tells and removes what has
 * ended at the head. Whoever ends behind a slow one waits as text, no longer as a report.
 */
#include "query_journey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "query_exit.h"
#include "query_json.h"
#include "query_keep.h"
#include "query_visit.h"
#include "query_words.h"
#include "role.h"
#include "rules.h"

/* Places in the line; a power of two. A policy host may be silent for a minute, in which
 * others go on. */
#define PLACES 1024
/* Those that wait for another visit to the same domain. */
#define WAITING_MAX 64
/* Text that waits to be told. */
#define UNTOLD_MAX ((size_t)16 * 1024 * 1024)

enum state { STATE_WAITS, STATE_RUNS, STATE_ENDED };

struct journeys;

struct place {
	struct journeys *all;
	enum state state;
	struct query_visit *visit; /* NULL once it has ended */
	struct sts_buf text;
	int exit;
};

struct journeys {
	struct query_tools tools;
	const struct query_look *look;
	struct query_words *words;
	struct sts_timer *pump;
	struct place *line; /* of PLACES; the first is at head */
	size_t head, count;
	size_t running, waiting, untold;
	uint64_t told;
	bool no_more; /* words */
	bool failed;
	int status;
};

static struct place *
place_of(const struct journeys *all, size_t i)
{
	return &all->line[(all->head + i) % PLACES];
}

static void
complain(const char *name, const char *why)
{
	fprintf(stderr, "stsd-query: %s: %s\n", name, why);
}

/* Nothing more can be done. */
static void
fail(struct journeys *all, int status)
{
	all->failed = true;
	all->status = status;
	sts_loop_stop(all->tools.loop);
}

/*
 * Telling.
 */
static void
render(struct journeys *all, struct place *p)
{
	const struct query_report *r = query_visit_report(p->visit);

	if (all->tools.options->json)
		query_json_report(&p->text, r);
	else
		query_text_report(&p->text, r, all->look);
	if (p->text.bad)
		query_no_memory();
	p->exit = r->exit;
	all->untold += p->text.n;
}

static bool
tell(struct journeys *all, struct place *p)
{
	bool is_apart = all->told > 0 && !all->look->quiet && !all->tools.options->json;
	int before = all->told > 0 ? all->status : p->exit;

	query_progress_hide(all->tools.progress);
	if (is_apart)
		fputc('\n', stdout);
	fwrite(p->text.p, 1, p->text.n, stdout);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		complain("standard output", strerror(errno));
		fail(all, QUERY_EXIT_INTERNAL);
		return false;
	}
	all->status = query_exit_worse(before, p->exit);
	all->told++;
	all->untold -= p->text.n;
	sts_buf_done(&p->text);
	return true;
}

static void
tell_head(struct journeys *all)
{
	while (all->count > 0 && place_of(all, 0)->state == STATE_ENDED &&
	    tell(all, place_of(all, 0))) {
		all->head = (all->head + 1) % PLACES;
		all->count--;
	}
}

/*
 * Starting.
 */

/* The journey is deep in calls of its own: what follows is done from the loop. */
static void
on_visited(void *arg)
{
	struct place *p = arg;

	p->state = STATE_ENDED;
	p->all->running--;
	(void)sts_timer_set(p->all->pump, 0);
}

/* Visits that have ended become text. */
static void
reap(struct journeys *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct place *p = place_of(all, i);

		if (p->state != STATE_ENDED || p->visit == NULL)
			continue;
		render(all, p);
		query_visit_free(p->visit);
		p->visit = NULL;
	}
}

static bool
must_wait(const struct journeys *all, const struct place *p)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct place *other = place_of(all, i);

		if (other->state == STATE_RUNS &&
		    query_visit_is_same(other->visit, p->visit))
			return true;
	}
	return false;
}

static void
start(struct journeys *all, struct place *p)
{
	all->waiting--;
	all->running++;
	p->state = STATE_RUNS;
	query_visit_start(p->visit, on_visited, p);
}

static void
start_all(struct journeys *all)
{
	for (size_t i = 0; i < all->count && all->waiting > 0; i++) {
		struct place *p = place_of(all, i);

		if (all->running >= QUERY_AT_ONCE)
			return;
		if (p->state == STATE_WAITS && !must_wait(all, p))
			start(all, p);
	}
}

static void
queue(struct journeys *all, const char *word)
{
	struct place *p = place_of(all, all->count++);

	*p = (struct place){ .all = all, .state = STATE_WAITS };
	if ((p->visit = query_visit_new(&all->tools, word)) == NULL)
		query_no_memory();
	all->waiting++;
}

static bool
has_room(const struct journeys *all)
{
	return !all->no_more && !all->failed && all->running < QUERY_AT_ONCE &&
	    all->waiting < WAITING_MAX && all->count < PLACES && all->untold < UNTOLD_MAX;
}

/* False: no word now. */
static bool
take_word(struct journeys *all)
{
	const char *word;

	switch (query_words_next(all->words, &word)) {
	case QUERY_WORD:
		queue(all, word);
		return true;
	case QUERY_WORD_LATER:
		return false;
	case QUERY_WORD_END:
		break;
	case QUERY_WORD_FAILED:
		complain("standard input", strerror(errno));
		fail(all, QUERY_EXIT_NO_INPUT);
		break;
	}
	all->no_more = true;
	return false;
}

static void
pump(void *arg)
{
	struct journeys *all = arg;

	reap(all);
	tell_head(all);
	start_all(all);
	while (has_room(all) && take_word(all))
		start_all(all);
	if (all->no_more && all->count == 0)
		sts_loop_stop(all->tools.loop);
}

static void
on_word(void *arg)
{
	pump(arg);
}

/*
 * What the engine sees on the way.
 */
static void
on_event(void *arg, const struct sts_event *event)
{
	struct journeys *all = arg;

	if (event->what == STS_EVENT_TRUST) {
		all->tools.trust = *event->trust;
		return;
	}
	for (size_t i = 0; i < all->count; i++)
		if (place_of(all, i)->state == STATE_RUNS)
			query_visit_event(place_of(all, i)->visit, event);
}

/* "12 of 40", or what the only one waits for. */
static void
put_progress(void *arg, struct sts_buf *to)
{
	const struct journeys *all = arg;
	const struct query_visit *only;

	if (all->told == 0 && all->count == 1 && all->no_more &&
	    place_of(all, 0)->state == STATE_RUNS) {
		only = place_of(all, 0)->visit;
		sts_put_escaped(to, query_visit_report(only)->queried);
		sts_put_text(to, ": waiting for ");
		sts_put_text(to, query_visit_awaits(only));
		return;
	}
	sts_put_number(to, all->told);
	if (all->no_more || query_words_count(all->words) > 0) {
		sts_put_text(to, " of ");
		sts_put_number(to,
		    all->no_more ? all->told + all->count
				 : query_words_count(all->words));
	}
	sts_put_text(to, " domains");
}

/*
 * Making what all of it needs, and ending.
 */
static bool
open_store(struct query_tools *tools)
{
	char why[256];

	tools->store = sts_tls_store_read(tools->site->ca_fd, why, sizeof(why));
	if (tools->store == NULL)
		complain("ca_file", why);
	return tools->store != NULL;
}

/* Overrides are part of what Postfix is told. */
static bool
read_overrides(struct query_tools *tools)
{
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };

	if (tools->site->overrides_fd == -1)
		return true;
	if (!role_read_fd(tools->site->overrides_fd, &text))
		complain("overrides", "they cannot be read");
	else
		tools->overrides = overrides_parse(sts_buf_str(&text),
		    tools->site->config->overrides, sts_clock_now(), &errors, NULL);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_done(&errors);
	sts_buf_done(&text);
	return tools->overrides != NULL;
}

static void
make_engine(struct journeys *all)
{
	struct query_tools *tools = &all->tools;
	const struct config *c = tools->site->config;
	struct sts_fetcher_config fetcher = { .timeout_ms = c->fetch_timeout_ms,
		.port = (uint16_t)c->https_port,
		.allow = tools->rules.allow,
		.allow_count = tools->rules.allow_count,
		.store = tools->store };
	struct sts_engine_config engine = { .rules = &tools->rules,
		.max_lookups = QUERY_AT_ONCE,
		.max_fetches = (unsigned)c->max_fetches,
		.answer_ms = c->answer_timeout_ms };

	if ((engine.loop = tools->loop = sts_loop_new()) == NULL)
		query_no_memory();
	tools->resolve = sts_resolve_new(tools->loop, c->dns_servers, c->dns_timeout_ms);
	tools->fetcher = sts_fetcher_new(tools->loop, &fetcher);
	if (tools->resolve == NULL || tools->fetcher == NULL)
		query_no_memory();
	engine.resolve = tools->resolve;
	engine.fetcher = tools->fetcher;
	if ((tools->engine = sts_engine_new(&engine, on_event, all)) == NULL)
		query_no_memory();
}

static void
make_probes(struct query_tools *tools)
{
	struct query_probes_config config = { .loop = tools->loop,
		.store = tools->store,
		.allow = tools->rules.allow,
		.allow_count = tools->rules.allow_count };

	if (!tools->options->smtp)
		return;
	if ((tools->probes = query_probes_new(&config)) == NULL)
		query_no_memory();
}

static void
make_line(struct journeys *all)
{
	struct query_tools *tools = &all->tools;
	const struct query_options *o = tools->options;
	bool seen = query_progress_is_seen() && !o->quiet;

	tools->progress =
	    query_progress_new(tools->loop, o->verbose, seen ? put_progress : NULL, all);
	all->line = calloc(PLACES, sizeof(*all->line));
	all->words =
	    query_words_new(tools->loop, o->words, o->count, STDIN_FILENO, on_word, all);
	all->pump = sts_timer_new(tools->loop, pump, all);
	if (tools->progress == NULL || all->line == NULL || all->words == NULL ||
	    all->pump == NULL || sts_timer_set(all->pump, 0) == -1)
		query_no_memory();
}

static void
end(struct journeys *all)
{
	struct query_tools *tools = &all->tools;

	for (size_t i = 0; all->line != NULL && i < all->count; i++) {
		query_visit_free(place_of(all, i)->visit);
		sts_buf_done(&place_of(all, i)->text);
	}
	free(all->line);
	query_words_free(all->words);
	sts_timer_free(all->pump);
	query_progress_free(tools->progress);
	query_probes_free(tools->probes);
	sts_engine_free(tools->engine);
	sts_fetcher_free(tools->fetcher);
	sts_resolve_free(tools->resolve);
	sts_tls_store_free(tools->store);
	sts_loop_free(tools->loop);
	overrides_free(tools->overrides);
}

int
query_domains(const struct query_options *o, const struct site *site,
    const struct query_look *look)
{
	struct journeys all = { .look = look,
		.status = QUERY_EXIT_PROTECTED,
		.tools = { .options = o,
		    .site = site,
		    .rules = rules_of(site->config),
		    .style = style_of(site->config) } };

	if (!open_store(&all.tools) || !read_overrides(&all.tools)) {
		all.status = QUERY_EXIT_CONFIG;
		goto done;
	}
	make_engine(&all);
	make_probes(&all.tools);
	make_line(&all);
	if (sts_loop_run(all.tools.loop) == -1) {
		complain("event loop", "it failed");
		all.status = QUERY_EXIT_INTERNAL;
	}
done:
	end(&all);
	return all.status;
}
