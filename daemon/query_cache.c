/* SPDX-License-Identifier: MIT */
/*
 * What stsd keeps, through its control socket. --list and --show go on without it: the
 * cache can be read beside a daemon that runs, and where none does. Whatever changes
 * something is the running daemon's to do, since it alone writes.
 */
#include "query_cache.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "clock.h"
#include "exchange.h"
#include "file.h"
#include "idn.h"
#include "name.h"
#include "query_control.h"
#include "query_entry.h"
#include "query_exit.h"
#include "query_judge.h"
#include "query_keep.h"
#include "query_lint.h"
#include "query_writer.h"
#include "refresh.h"
#include "rules.h"

/* A commit may take a while on a slow disk; a full list, too, beside many fetches. */
#define COMMIT_WAIT_MS 60000
#define LIST_WAIT_MS 10000
/* What a refresh may take beyond what the daemon waits for it. */
#define REFRESH_SLACK_MS 5000
#define OUT_PIECE 65536
/* A text that is read whole, since all of it is checked before any is taken. */
#define IMPORT_MAX ((size_t)2 << 30)
/* Of one request: what fits, with room for one more policy of any size, in a line. */
#define IMPORT_LINE 24576
/* As the daemon takes at once (control_desk.c). */
#define IMPORT_BATCH 512

struct asking {
	const struct query_options *o;
	const struct config *config;
	const struct query_look *look;
	struct query_control *control; /* NULL: without the daemon */
	struct sts_cache *cache;       /* then */
	struct sts_buf out;
	size_t count; /* of what was exported or imported */
	int status;
};

static int
say_line(const char *what, const char *why)
{
	fprintf(stderr, "stsd-query: %s%s%s\n", what, *what == '\0' ? "" : ": ", why);
	return QUERY_EXIT_UNAVAILABLE;
}

/* A long list goes out piece by piece. */
static bool
flush(struct asking *a)
{
	if (a->out.n < OUT_PIECE && !a->out.bad)
		return true;
	a->status = query_say(&a->out, a->status);
	return a->status != QUERY_EXIT_INTERNAL;
}

static bool
fail_control(struct asking *a)
{
	a->status = say_line("", query_control_why(a->control));
	return false;
}

static bool
fail_words(struct asking *a)
{
	a->status = say_line(a->config->control_socket,
	    "stsd answers in words that are not known");
	return false;
}

/* True: the answer is in words. */
static bool
ask(struct asking *a, struct sts_buf *request, int64_t wait_ms,
    struct control_words *words)
{
	switch (query_control_ask(a->control, request, wait_ms, words)) {
	case QUERY_CONTROL_OK:
		return true;
	case QUERY_CONTROL_NONE:
		a->status = QUERY_EXIT_NO_POLICY;
		return false;
	case QUERY_CONTROL_OFF:
	case QUERY_CONTROL_AWAY:
	case QUERY_CONTROL_DENIED:
	case QUERY_CONTROL_VERSION:
	case QUERY_CONTROL_TROUBLE:
		break;
	}
	return fail_control(a);
}

/*
 * --list and --export: piece by piece.
 */
typedef bool take_tuple(struct asking *a, struct control_words *words);

static bool
walk(struct asking *a, const char *verb, take_tuple *take)
{
	struct sts_buf request = { 0 };
	char after[STS_NAME_MAX + 1] = "";
	bool good = true;

	do {
		struct control_words words;
		struct sts_str next;

		control_put_start(&request, verb);
		control_put_word(&request, sts_str_of(after));
		good = ask(a, &request, LIST_WAIT_MS, &words);
		if (!good)
			break;
		next = control_take_word(&words);
		if (next.n < sizeof(after)) {
			memcpy(after, next.p, next.n);
			after[next.n] = '\0';
		}
		while (good && control_has_more(&words))
			good = take(a, &words);
		if (good && !control_is_over(&words))
			good = fail_words(a);
		good = good && flush(a);
	} while (good && after[0] != '\0');
	sts_buf_done(&request);
	return good;
}

static void
put_listed(struct asking *a, const struct query_listed *l)
{
	if (a->o->json)
		query_listed_json(&a->out, l);
	else
		query_listed_text(&a->out, l);
}

static bool
take_listed(struct asking *a, struct control_words *words)
{
	struct query_listed l;

	l.domain = control_take_word(words);
	l.mode = control_take_word(words);
	l.id = control_take_word(words);
	l.fetched = control_take_number(words);
	l.expires = control_take_number(words);
	l.asked = control_take_number(words);
	if (words->bad)
		return fail_words(a);
	put_listed(a, &l);
	return true;
}

static bool
on_cached(void *arg, struct sts_str domain, struct sts_str bytes)
{
	struct asking *a = arg;
	struct sts_entry e;

	if (sts_entry_read(bytes, &e) == STS_OK && e.fetched != 0)
		put_listed(a,
		    &(struct query_listed){ domain, sts_str_of(sts_mode_text(e.mode)),
			e.id, e.fetched, sts_entry_expires(&e), e.asked });
	return flush(a);
}

static void
list(struct asking *a)
{
	enum sts_err err;

	if (a->control != NULL) {
		(void)walk(a, "list", take_listed);
		return;
	}
	err = sts_cache_each(a->cache, STS_STR_NONE, on_cached, a);
	if (err != STS_OK && a->status == 0)
		a->status = say_line("the cache", sts_err_text(err));
}

static bool
take_exported(struct asking *a, struct control_words *words)
{
	struct sts_buf policy = { .limit = STS_POLICY_MAX };
	struct exchange_entry e;

	e.domain = control_take_word(words);
	e.id = control_take_word(words);
	e.fetched = control_take_number(words);
	e.max_age = (uint32_t)control_take_number(words);
	e.asked = control_take_number(words);
	control_take_bytes(words, &policy);
	e.policy = sts_buf_str(&policy);
	if (!words->bad)
		exchange_put_entry(&a->out, &e);
	a->count++;
	sts_buf_done(&policy);
	return !words->bad || fail_words(a);
}

static void export(struct asking *a)
{
	exchange_put_start(&a->out);
	if (walk(a, "export", take_exported))
		exchange_put_end(&a->out, a->count);
}

/*
 * What is asked about one domain.
 */

/* A word of the command line as the cache's key. False: it was said why not. */
static bool
canonical(const char *word, char ascii[STS_NAME_MAX + 1], struct sts_str *domain)
{
	struct sts_buf shown = { 0 };
	struct sts_key key;

	if (sts_key_parse(sts_str_of(word), &key) == STS_OK) {
		*domain = (struct sts_str){ key.domain, key.domain_n };
		if (key.ascii || sts_idn_to_ascii(*domain, ascii) == STS_OK) {
			if (key.ascii) {
				memcpy(ascii, key.domain, key.domain_n);
				ascii[key.domain_n] = '\0';
			}
			*domain = sts_str_of(ascii);
			if (sts_name_is_policy_domain(*domain))
				return true;
		}
	}
	for (size_t i = 0; word[i] != '\0'; i++)
		sts_put_escaped(&shown, (struct sts_str){ word + i, 1 });
	sts_put_char(&shown, '\0');
	if (shown.bad)
		query_no_memory();
	(void)say_line(shown.p, "no domain that can have a policy");
	sts_buf_done(&shown);
	return false;
}

static void
say_none(struct asking *a, struct sts_str domain, const char *what)
{
	fprintf(stderr, "stsd-query: %.*s: %s\n", (int)domain.n, domain.p, what);
	a->status = query_exit_worse(a->status, QUERY_EXIT_NO_POLICY);
}

static void
put_kept(struct asking *a, struct sts_str domain, const struct query_cached *cached)
{
	struct query_entry e = { .domain = domain,
		.entry = &cached->entry,
		.now = cached->now,
		.refresh = cached->refresh,
		.running = cached->running,
		.version = cached->version[0] == '\0' ? NULL : cached->version };

	if (a->o->json) {
		query_entry_json(&a->out, &e);
		return;
	}
	if (a->count++ > 0)
		sts_put_char(&a->out, '\n');
	query_entry_text(&a->out, &e, a->look);
}

/* From the file, as query_control_entry from the daemon. */
static enum query_control_err
read_entry(struct asking *a, struct sts_str domain, struct query_cached *cached)
{
	struct sts_rules rules = rules_of(a->config);
	struct sts_str bytes;
	enum sts_err err = sts_cache_get(a->cache, domain, &bytes);

	if (err == STS_ERR_CACHE_NONE)
		return QUERY_CONTROL_NONE;
	if (err == STS_OK) {
		sts_put(&cached->bytes, bytes);
		if (cached->bytes.bad)
			query_no_memory();
		err = sts_entry_read(sts_buf_str(&cached->bytes), &cached->entry);
	}
	if (err != STS_OK) {
		a->status = say_line("the cache", sts_err_text(err));
		return QUERY_CONTROL_TROUBLE;
	}
	cached->now = sts_clock_now();
	cached->refresh = sts_refresh_due(&cached->entry, domain, &rules);
	return QUERY_CONTROL_OK;
}

static bool
show(struct asking *a, struct sts_str domain)
{
	struct query_cached cached = { .now = 0 };
	enum query_control_err err = a->control != NULL
	    ? query_control_entry(a->control, domain, &cached)
	    : read_entry(a, domain, &cached);

	if (err == QUERY_CONTROL_OK)
		put_kept(a, domain, &cached);
	else if (err == QUERY_CONTROL_NONE)
		say_none(a, domain, "nothing is kept of it");
	else if (a->control != NULL)
		(void)fail_control(a);
	query_cached_done(&cached);
	return err == QUERY_CONTROL_OK || err == QUERY_CONTROL_NONE;
}

/* What came of a fetch that an administrator wanted. */
static void
put_refreshed(struct asking *a, struct sts_str domain, bool done,
    const struct query_cached *cached, int64_t asked_at)
{
	const struct sts_entry *e = &cached->entry;
	int status = 0;

	sts_put_escaped(&a->out, domain);
	sts_put_text(&a->out, ": ");
	if (!done) {
		sts_put_text(&a->out,
		    "it goes on; --show tells what will have come of it\n");
		status = QUERY_EXIT_TEMPORARY;
	} else if (e->fetched >= asked_at) {
		sts_put_text(&a->out, "fetched, ");
		sts_put_text(&a->out, sts_mode_text(e->mode));
		sts_put_text(&a->out, ", id ");
		sts_put_escaped(&a->out, e->id.n > 0 ? e->id : STS_STR("-"));
		sts_put_text(&a->out, ", until ");
		query_put_time(&a->out, sts_entry_expires(e));
		sts_put_char(&a->out, '\n');
	} else {
		sts_put_text(&a->out, "not fetched: ");
		sts_put_text(&a->out,
		    sts_err_text(
			e->failed_at >= asked_at ? e->failed_err : e->record_err));
		if (sts_entry_is_live(e, cached->now)) {
			sts_put_text(&a->out, "; what is kept counts until ");
			query_put_time(&a->out, sts_entry_expires(e));
		}
		sts_put_char(&a->out, '\n');
		status = QUERY_EXIT_NO_POLICY;
	}
	a->status = query_exit_worse(a->status, status);
}

/* Times are told in whole seconds of the daemon's clock: what it says first is not after
 * what comes of the request. */
static bool
refresh(struct asking *a, struct sts_str domain)
{
	struct query_cached cached = { .now = 0 };
	struct sts_buf request = { 0 };
	struct control_words words;
	struct sts_str state;
	int64_t asked_at;
	bool good, done;

	control_put_start(&request, "hello");
	good = ask(a, &request, QUERY_CONTROL_WAIT_MS, &words);
	if (good) {
		(void)control_take_word(&words);
		asked_at = control_take_number(&words);
		control_put_start(&request, "refresh");
		control_put_word(&request, domain);
		good = ask(a, &request, a->config->answer_timeout_ms + REFRESH_SLACK_MS,
		    &words);
	}
	if (good) {
		state = control_take_word(&words);
		done = sts_str_eq(state, STS_STR("done"));
		good = query_control_take_entry(a->control, &words, &cached) ==
		    QUERY_CONTROL_OK;
		if (good)
			put_refreshed(a, domain, done, &cached, asked_at);
		else
			(void)fail_control(a);
	}
	sts_buf_done(&request);
	query_cached_done(&cached);
	return good;
}

static bool
forget(struct asking *a, struct sts_str domain)
{
	struct sts_buf request = { 0 };
	struct control_words words;
	enum query_control_err err;

	control_put_start(&request, "forget");
	control_put_word(&request, domain);
	err = query_control_ask(a->control, &request, COMMIT_WAIT_MS, &words);
	sts_buf_done(&request);
	if (err == QUERY_CONTROL_NONE)
		say_none(a, domain, "nothing is kept of it");
	else if (err != QUERY_CONTROL_OK)
		return fail_control(a);
	return true;
}

static void
each_domain(struct asking *a, bool (*one)(struct asking *a, struct sts_str domain))
{
	char ascii[STS_NAME_MAX + 1];
	struct sts_str domain;
	bool good = true;

	for (int i = 0; i < a->o->count && good; i++) {
		if (!canonical(a->o->words[i], ascii, &domain))
			a->status = query_exit_worse(a->status, QUERY_EXIT_NO_POLICY);
		else
			good = one(a, domain) && flush(a);
	}
}

/*
 * --stats.
 */
static const char *const stats_names[] = { "uptime", "policies_enforce",
	"policies_testing", "policies_none", "refresh_failing", "without_policy",
	"unsaved", "cache_bytes", "cache_limit", "lookups", "fetches",
	"fetches_waiting" };

#define STATS (sizeof(stats_names) / sizeof(stats_names[0]))

/* "stsd_lookups_total{map="QUERY",...} 12": the name is what stands before the last
 * blank. */
static void
write_metrics(struct query_writer *w, struct sts_str text)
{
	struct sts_str line, name;
	struct sts_buf key = { 0 };

	query_open(w, "metrics", '{');
	while (text.n > 0) {
		(void)sts_str_cut(&text, '\n', &line);
		name = line;
		while (name.n > 0 && name.p[name.n - 1] != ' ')
			name.n--;
		if (name.n == 0)
			continue;
		sts_buf_clear(&key);
		sts_put_json(&key, sts_str_head(name, name.n - 1));
		sts_put_char(&key, '\0');
		if (key.bad)
			query_no_memory();
		query_string(w, key.p, sts_str_from(line, name.n));
	}
	query_close(w, '}');
	sts_buf_done(&key);
}

static void
put_stats_json(struct asking *a, const int64_t *numbers, struct sts_str metrics)
{
	struct query_writer w = { &a->out, false };

	query_open(&w, NULL, '{');
	query_text(&w, "schema", "stsd-stats/1");
	query_text(&w, "version", query_control_version(a->control));
	query_time(&w, "time", query_control_now(a->control));
	for (size_t i = 0; i < STATS; i++)
		query_number(&w, stats_names[i], numbers[i]);
	write_metrics(&w, metrics);
	query_close(&w, '}');
	sts_put_char(&a->out, '\n');
}

static void
put_stats(struct asking *a, const int64_t *numbers, struct sts_str metrics)
{
	sts_put_text(&a->out, "version ");
	sts_put_escaped(&a->out, sts_str_of(query_control_version(a->control)));
	sts_put_text(&a->out, "\ntime ");
	query_put_time(&a->out, query_control_now(a->control));
	sts_put_char(&a->out, '\n');
	for (size_t i = 0; i < STATS; i++) {
		sts_put_text(&a->out, stats_names[i]);
		sts_put_char(&a->out, ' ');
		sts_put_number(&a->out, (uint64_t)numbers[i]);
		sts_put_char(&a->out, '\n');
	}
	if (!a->look->quiet)
		sts_put(&a->out, metrics); /* a line each, ours */
}

static void
stats(struct asking *a)
{
	struct sts_buf request = { 0 }, metrics = { 0 };
	struct control_words words;
	int64_t numbers[STATS];

	control_put_start(&request, "stats");
	if (!ask(a, &request, LIST_WAIT_MS, &words))
		goto done;
	for (size_t i = 0; i < STATS; i++)
		numbers[i] = control_take_number(&words);
	control_take_bytes(&words, &metrics);
	if (!control_is_over(&words))
		(void)fail_words(a);
	else if (a->o->json)
		put_stats_json(a, numbers, sts_buf_str(&metrics));
	else
		put_stats(a, numbers, sts_buf_str(&metrics));
done:
	sts_buf_done(&request);
	sts_buf_done(&metrics);
}

/*
 * --overrides: the file as it is in force, which need not be the one on the disk.
 */
static void
overrides(struct asking *a)
{
	struct sts_buf request = { 0 };
	int64_t offset = 0, total;
	bool good;

	do {
		struct control_words words;
		size_t before = a->out.n;

		control_put_start(&request, "overrides");
		control_put_number(&request, offset);
		good = ask(a, &request, LIST_WAIT_MS, &words);
		if (!good)
			break;
		total = control_take_number(&words);
		control_take_bytes(&words, &a->out);
		if (!control_is_over(&words))
			good = fail_words(a);
		offset += (int64_t)(a->out.n - before);
		/* It is an administrator's own text: as it is. */
		good = good && flush(a) && (a->out.n == 0 || a->out.n > before);
	} while (good && offset < total);
	sts_buf_done(&request);
	if (a->status == QUERY_EXIT_NO_POLICY) {
		(void)say_line("overrides", "there are none");
		a->status = 0;
	}
}

/*
 * --import.
 */
struct importing {
	struct asking *a;
	struct sts_buf request;
	size_t batched;
	int64_t stored, kept, expired;
};

static bool
send_batch(struct importing *i)
{
	struct control_words words;

	if (i->batched == 0)
		return true;
	i->batched = 0;
	if (!ask(i->a, &i->request, COMMIT_WAIT_MS, &words))
		return false;
	i->stored += control_take_number(&words);
	i->kept += control_take_number(&words);
	i->expired += control_take_number(&words);
	return control_is_over(&words) || fail_words(i->a);
}

static bool
on_import(void *arg, const struct exchange_entry *e)
{
	struct importing *i = arg;

	if (i->batched == 0)
		control_put_start(&i->request, "import");
	control_put_word(&i->request, e->domain);
	control_put_word(&i->request, e->id);
	control_put_number(&i->request, e->fetched);
	control_put_number(&i->request, e->max_age);
	control_put_number(&i->request, e->asked);
	control_put_bytes(&i->request, e->policy);
	i->batched++;
	return (i->batched < IMPORT_BATCH && i->request.n < IMPORT_LINE) || send_batch(i);
}

static void
take_in(struct asking *a, const char *name, struct sts_str text)
{
	struct config_errors errors = { 0 };
	int64_t now = query_control_now(a->control);
	struct importing i = { .a = a };

	if (!exchange_read(text, name, now, NULL, NULL, &errors)) {
		for (size_t n = 0; n < errors.count; n++)
			fprintf(stderr, "%s\n", errors.lines[n]);
		if (errors.count == 0)
			query_no_memory();
		a->status = QUERY_EXIT_DATA;
	} else {
		(void)exchange_read(text, name, now, on_import, &i, &errors);
		if (a->status == 0)
			(void)send_batch(&i);
	}
	if (a->status == 0 && !a->look->quiet) {
		sts_put_number(&a->out, (uint64_t)i.stored);
		sts_put_text(&a->out, " stored, ");
		sts_put_number(&a->out, (uint64_t)i.kept);
		sts_put_text(&a->out, " kept as they were, ");
		sts_put_number(&a->out, (uint64_t)i.expired);
		sts_put_text(&a->out, " expired\n");
	}
	config_errors_done(&errors);
	sts_buf_done(&i.request);
}

static void
import(struct asking *a)
{
	const char *name = a->o->words[0];
	bool input = strcmp(name, "-") == 0;
	struct sts_buf text = { 0 };

	if (file_read(input ? "/dev/stdin" : name, IMPORT_MAX, &text) == -1) {
		fprintf(stderr, "stsd-query: %s: %s\n", name, strerror(errno));
		a->status = errno == EFBIG ? QUERY_EXIT_DATA : QUERY_EXIT_NO_INPUT;
	} else {
		take_in(a, input ? "<stdin>" : name, sts_buf_str(&text));
	}
	sts_buf_done(&text);
}

/*
 * Without the daemon.
 */

/* A file that was cut off is met as SIGBUS, damage as SIGSEGV: nothing that a person
 * should have to read a core for. */
static void
on_fault(int signo)
{
	static const char text[] = "stsd-query: the cache file is damaged\n";

	if (sts_cache_is_inside()) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(QUERY_EXIT_UNAVAILABLE);
	}
	(void)signal(signo, SIG_DFL);
	(void)raise(signo);
}

static bool
open_cache(struct asking *a)
{
	struct sts_clock_start start;
	struct sts_clock_mark mark;
	char path[4096], why[256] = "";

	(void)signal(SIGBUS, on_fault);
	(void)signal(SIGSEGV, on_fault);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", a->config->state_directory);
	if (sts_cache_open(path, a->config->cache_size, false, NULL, &a->cache, why,
		sizeof(why)) != STS_OK) {
		a->status = say_line("the cache cannot be read either", why);
		return false;
	}
	sts_clock_read_start(&start);
	sts_clock_set(&start, sts_cache_mark(a->cache, &mark) == STS_OK ? &mark : NULL);
	return true;
}

/* Who only wants to read goes on without the daemon; what else there is, it is told. */
static bool
open_source(struct asking *a)
{
	bool reads = a->o->what == QUERY_LIST || a->o->what == QUERY_SHOW;
	enum query_control_err err;
	char why[512];

	a->control = query_control_open(a->config, &err, why, sizeof(why));
	if (a->control != NULL)
		return true;
	if (!reads) {
		a->status = say_line("", why);
		return false;
	}
	if (!a->look->quiet)
		(void)say_line(why, "so it is read from the cache itself");
	return open_cache(a);
}

static void
run(struct asking *a)
{
	switch (a->o->what) {
	case QUERY_LIST:
		list(a);
		break;
	case QUERY_SHOW:
		each_domain(a, show);
		break;
	case QUERY_REFRESH:
		each_domain(a, refresh);
		break;
	case QUERY_FORGET:
		each_domain(a, forget);
		break;
	case QUERY_STATS:
		stats(a);
		break;
	case QUERY_OVERRIDES:
		overrides(a);
		break;
	case QUERY_EXPORT:
		export(a);
		break;
	case QUERY_IMPORT:
		import(a);
		break;
	case QUERY_DOMAINS:
	case QUERY_REPLY:
	case QUERY_HEALTH:
	case QUERY_LINT_POLICY:
	case QUERY_LINT_RECORD:
	case QUERY_MATCH:
	case QUERY_POSTFIX:
	case QUERY_VERSION:
	case QUERY_HELP:
		a->status = QUERY_EXIT_INTERNAL;
		break;
	}
}

int
query_cache(const struct query_options *o, const struct config *config,
    const struct query_look *look)
{
	struct asking a = { .o = o, .config = config, .look = look };

	if (open_source(&a))
		run(&a);
	query_control_close(a.control);
	sts_cache_close(a.cache);
	return query_say(&a.out, a.status);
}
