/* SPDX-License-Identifier: MIT */
/*
 * What stsd keeps, through its control socket. --list and --show go on without it: the
 * cache can be read beside a daemon that runs, and where none does. Whatever changes
 * something is the running daemon's to do, since it alone writes.
 */
#include "query_cache.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "idn.h"
#include "name.h"
#include "query_asking.h"
#include "query_entry.h"
#include "query_exit.h"
#include "query_keep.h"
#include "query_lint.h"
#include "refresh.h"
#include "rules.h"

static void
put_listed(struct query_asking *a, const struct query_listed *l)
{
	if (a->o->json)
		query_listed_json(&a->out, l);
	else
		query_listed_text(&a->out, l);
}

static bool
take_listed(struct query_asking *a, struct control_words *words)
{
	struct query_listed l;

	l.domain = control_take_word(words);
	l.mode = control_take_word(words);
	l.id = control_take_word(words);
	l.fetched = control_take_number(words);
	l.expires = control_take_number(words);
	l.asked = control_take_number(words);
	if (words->bad)
		return asking_fail_words(a);
	put_listed(a, &l);
	return true;
}

static bool
on_cached(void *arg, struct sts_str domain, struct sts_str bytes)
{
	struct query_asking *a = arg;
	struct sts_entry e;

	if (sts_entry_read(bytes, &e) == STS_OK && e.fetched != 0)
		put_listed(a,
		    &(struct query_listed){ domain, sts_str_of(sts_mode_text(e.mode)),
			e.id, e.fetched, sts_entry_expires(&e), e.asked });
	return asking_flush(a);
}

static void
list(struct query_asking *a)
{
	enum sts_err err;

	if (a->control != NULL) {
		(void)asking_walk(a, "list", take_listed);
		return;
	}
	err = sts_cache_each(a->cache, STS_STR_NONE, on_cached, a);
	if (err != STS_OK && a->status == 0)
		a->status = asking_say("the cache", sts_err_text(err));
}

/*
 * What is asked about one domain.
 */

/* A word of the command line as the cache's key. */
static bool
read_domain(const char *word, char domain[STS_NAME_MAX + 1])
{
	struct sts_key key;

	if (sts_key_parse(sts_str_of(word), &key) != STS_OK)
		return false;
	memcpy(domain, key.domain, key.domain_n);
	domain[key.domain_n] = '\0';
	if (!key.ascii &&
	    sts_idn_to_ascii((struct sts_str){ key.domain, key.domain_n }, domain) !=
		STS_OK)
		return false;
	return sts_name_is_policy_domain(sts_str_of(domain));
}

static void
say_no_domain(const char *word)
{
	struct sts_buf shown = { 0 };

	sts_put_escaped(&shown, sts_str_of(word));
	sts_put_char(&shown, '\0');
	if (shown.bad)
		query_no_memory();
	(void)asking_say(shown.p, "no domain that can have a policy");
	sts_buf_done(&shown);
}

static void
put_kept(struct query_asking *a, struct sts_str domain, const struct query_cached *cached)
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
read_entry(struct query_asking *a, struct sts_str domain, struct query_cached *cached)
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
		a->status = asking_say("the cache", sts_err_text(err));
		return QUERY_CONTROL_TROUBLE;
	}
	cached->now = sts_clock_now();
	cached->refresh = sts_refresh_due(&cached->entry, domain, &rules);
	return QUERY_CONTROL_OK;
}

static bool
show(struct query_asking *a, struct sts_str domain)
{
	struct query_cached cached = { .now = 0 };
	enum query_control_err err = a->control != NULL
	    ? query_control_entry(a->control, domain, &cached)
	    : read_entry(a, domain, &cached);

	if (err == QUERY_CONTROL_OK)
		put_kept(a, domain, &cached);
	else if (err == QUERY_CONTROL_NONE)
		asking_say_none(a, domain, "nothing is kept of it");
	else if (a->control != NULL)
		(void)asking_fail(a);
	query_cached_done(&cached);
	return err == QUERY_CONTROL_OK || err == QUERY_CONTROL_NONE;
}

static void
each_domain(struct query_asking *a,
    bool (*one)(struct query_asking *a, struct sts_str domain))
{
	char domain[STS_NAME_MAX + 1];
	bool good = true;

	for (int i = 0; i < a->o->count && good; i++) {
		if (read_domain(a->o->words[i], domain)) {
			good = one(a, sts_str_of(domain)) && asking_flush(a);
			continue;
		}
		say_no_domain(a->o->words[i]);
		a->status = query_exit_worse(a->status, QUERY_EXIT_NO_POLICY);
	}
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
open_cache(struct query_asking *a)
{
	struct sigaction faults = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sts_clock_start start;
	struct sts_clock_mark mark;
	char path[4096], why[256] = "";

	(void)sigaction(SIGBUS, &faults, NULL);
	(void)sigaction(SIGSEGV, &faults, NULL);
	(void)snprintf(path, sizeof(path), "%s/cache.mdb", a->config->state_directory);
	if (sts_cache_open(path, a->config->cache_size, false, NULL, &a->cache, why,
		sizeof(why)) != STS_OK) {
		a->status = asking_say("the cache cannot be read either", why);
		return false;
	}
	sts_clock_read_start(&start);
	sts_clock_set(&start, sts_cache_mark(a->cache, &mark) == STS_OK ? &mark : NULL);
	return true;
}

/* Who only wants to read goes on without the daemon; what else there is, it is told. */
static bool
open_source(struct query_asking *a)
{
	bool reads = a->o->what == QUERY_LIST || a->o->what == QUERY_SHOW;
	enum query_control_err err;
	char why[512];

	a->control = query_control_open(a->config, &err, why, sizeof(why));
	if (a->control != NULL)
		return true;
	if (!reads) {
		a->status = asking_say("", why);
		return false;
	}
	if (!a->look->quiet)
		(void)asking_say("", why);
	return open_cache(a);
}

static void
run(struct query_asking *a)
{
	switch (a->o->what) {
	case QUERY_LIST:
		list(a);
		break;
	case QUERY_SHOW:
		each_domain(a, show);
		break;
	case QUERY_REFRESH:
		each_domain(a, query_refresh);
		break;
	case QUERY_FORGET:
		each_domain(a, query_forget);
		break;
	case QUERY_STATS:
		query_stats(a);
		break;
	case QUERY_OVERRIDES:
		query_overrides(a);
		break;
	case QUERY_EXPORT:
		query_export(a);
		break;
	case QUERY_IMPORT:
		query_import(a);
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
	struct query_asking a = { .o = o, .config = config, .look = look };

	if (open_source(&a))
		run(&a);
	query_control_close(a.control);
	sts_cache_close(a.cache);
	return query_say(&a.out, a.status);
}
