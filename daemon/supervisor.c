/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "clock.h"
#include "crew.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "privileges.h"
#include "role.h"
#include "sandbox.h"
#include "site.h"
#include "state.h"

#define TICK_MS 1000
#define PING_TICKS 5
#define FOLLOW_TICKS 2

/* Who does not answer for this long hangs. */
#define SILENCE_MS 30000

/* A process that was told to stop has five seconds, and one to get there. */
#define STOP_MS 6000

/* A new resolver reads its CA bundle in a fraction of a second. */
#define RELOAD_MS 20000

/* Two crashes inside LMDB's reach so close together: perhaps the cache's doing. */
#define CRASHES_MS 60000

/* A cache that faults again at once is renewed less and less often. */
#define RENEW_MS 100
#define RENEW_MAX_MS 10000
#define RENEW_PROVEN_MS 30000
/* If a new one does not help, the cache is not to blame. */
#define RENEWALS_AT_START 2

#define WHY 512

/* Of the sandbox: sockets' directories, and what is always among them. */
#define SOCKETS_MAX 64
#define PLACES_ALWAYS 6
#define PLACES_MAX (SOCKETS_MAX + PLACES_ALWAYS)

struct supervisor {
	struct sts_loop *loop;
	struct supervisor_options options;
	struct programs programs;
	struct sts_clock_start clock;
	struct account account;
	struct crew *crew;	 /* in force */
	struct crew *next;	 /* a reload that is under way; NULL: none */
	struct child *candidate; /* a resolver for the new resolv.conf; NULL: none */
	struct child *children;	 /* all, oldest first */
	struct http *http;
	struct sts_timer *tick, *reload_timer, *renew_timer, *watchdog;
	struct sts_signal *signals[5];
	unsigned ticks;
	int64_t ticked_ms;	  /* when time passed last */
	int64_t resolver_seen_ms; /* when any resolver last answered */
	int64_t crashed_ms;	  /* the last crash; 0: none */
	int64_t stopping_ms;	  /* when we were told to stop */
	int64_t renewed_ms, renew_delay_ms;
	unsigned renewals; /* before anything worked */
	bool announced;	   /* all worked once: the service manager knows */
	bool follow_again; /* a candidate failed: the new resolv.conf is not in force */
	bool reload_again;
	bool reload_failed;
	bool renewing; /* all processes end, because the cache goes aside */
	bool stopping;
	int status;
};

static void begin_stop(struct supervisor *s, int status);
static void reload(struct supervisor *s);

/*
 * All processes.
 */
static struct child *
child_of(struct supervisor *s, pid_t pid)
{
	struct child *c = s->children;

	while (c != NULL && c->pid != pid)
		c = c->next;
	return c;
}

static void
unlist(struct supervisor *s, const struct child *c)
{
	struct child **at = &s->children;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

/* Every answerer that asks the resolver of a crew: its own, and those of generations
 * that only serve whom they have. */
static void
connect_all(struct supervisor *s, struct crew *crew, struct child *resolver)
{
	for (struct child *c = s->children; c != NULL; c = c->next) {
		if (c->role != CHILD_ANSWERER || c->state == CHILD_STOPPING)
			continue;
		if (crew_has(crew, c) || (crew == s->crew && c->state == CHILD_DRAINING))
			(void)child_connect(c, resolver);
	}
}

static void
on_started(void *arg, struct child *c)
{
	struct supervisor *s = arg;
	struct child **at = &s->children;

	while (*at != NULL)
		at = &(*at)->next;
	*at = c;
	if (c->role == CHILD_RESOLVER && crew_has(s->crew, c))
		connect_all(s, s->crew, c);
}

static size_t
count_role(const struct supervisor *s, enum child_role role)
{
	size_t n = 0;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		n += c->role == role;
	return n;
}

/*
 * Monitoring.
 */
static bool
answers(const struct supervisor *s, const struct child *c)
{
	return c->state == CHILD_READY && sts_loop_ms(s->loop) - c->seen_ms < SILENCE_MS;
}

static size_t
count_answering(const struct supervisor *s)
{
	size_t n = 0;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		n += c->role == CHILD_ANSWERER && crew_has(s->crew, c) && answers(s, c);
	return n;
}

/* The pages of all children, oldest first; NULL: no memory. */
static struct metrics_page **
collect_pages(const struct supervisor *s, size_t *count)
{
	size_t n = count_role(s, CHILD_ANSWERER) + count_role(s, CHILD_RESOLVER);
	struct metrics_page **pages = calloc(n + 1, sizeof(struct metrics_page *));

	*count = 0;
	for (const struct child *c = s->children; pages != NULL && c != NULL; c = c->next)
		pages[(*count)++] = c->page;
	return pages;
}

/* Is DANE wanted, and does the resolver not validate? */
static bool
lacks_dnssec(const struct supervisor *s)
{
	size_t count;
	struct metrics_page **pages = collect_pages(s, &count);
	bool lacks = crew_site(s->crew)->wants_dane && pages != NULL &&
	    metrics_dnssec_ok(pages, count) == 0;

	free(pages);
	return lacks;
}

/* Contract of /health: 503 only when Postfix is not, or hardly, served. */
static int
put_health(const struct supervisor *s, struct sts_buf *body)
{
	size_t answering = count_answering(s);
	const struct child *resolver = crew_resolver(s->crew);

	if (answering == 0) {
		sts_put_text(body, "failed: no answerer answers\n");
		return 503;
	}
	if (sts_loop_ms(s->loop) - s->resolver_seen_ms > SILENCE_MS) {
		sts_put_text(body,
		    "failed: the resolver has not answered for 30 seconds\n");
		return 503;
	}
	if (resolver == NULL || !answers(s, resolver))
		sts_put_text(body,
		    "degraded: the resolver is away, answers come from the "
		    "cache alone\n");
	else if (answering < crew_workers(s->crew))
		sts_put_text(body, "degraded: an answerer is being started again\n");
	else if (s->reload_failed)
		sts_put_text(body,
		    "degraded: the last reload was refused, see the log\n");
	else if (lacks_dnssec(s))
		sts_put_text(body,
		    "degraded: DANE is wanted, and the DNS servers are not known to "
		    "validate, see the log (dnssec)\n");
	else
		sts_put_text(body, "ok\n");
	return 200;
}

static void
put_metrics(const struct supervisor *s, struct sts_buf *body)
{
	size_t count;
	struct metrics_page **pages = collect_pages(s, &count);

	if (pages == NULL) {
		body->bad = true;
		return;
	}
	metrics_print(body, pages, count);
	free(pages);
}

static int
on_http(void *arg, struct sts_str path, struct sts_buf *body, const char **content_type)
{
	if (sts_str_eq(path, STS_STR("/health")))
		return put_health(arg, body);
	if (!sts_str_eq(path, STS_STR("/metrics")))
		return 404;
	*content_type = "text/plain; version=0.0.4; charset=utf-8";
	put_metrics(arg, body);
	return 200;
}

/* Shows the pages at the sockets of the crew in force. */
static void
open_http(struct supervisor *s)
{
	const struct listeners *at = &crew_site(s->crew)->metrics;

	http_free(s->http);
	s->http = NULL;
	if (at->count == 0)
		return;
	s->http = http_new(s->loop, at, on_http, s);
	if (s->http == NULL)
		log_say(LOG_LEVEL_ERROR, "metrics-failed", "%s", strerror(ENOMEM));
}

/* The next line of a counter that has counted. */
static bool
next_counted(struct sts_str *rest, struct sts_str *line)
{
	while (rest->n > 0) {
		(void)sts_str_cut(rest, '\n', line);
		if (!sts_str_starts(*line, STS_STR("#")) &&
		    !sts_str_ends(*line, STS_STR(" 0")) &&
		    memmem(line->p, line->n, "_bucket{", 8) == NULL)
			return true;
	}
	return false;
}

/* The resolver asks, for stsd-query. */
static void
on_numbers(void *arg, struct child *c)
{
	struct sts_buf text = { 0 }, counted = { 0 };
	struct sts_str rest, line;

	(void)put_health(arg, &counted);
	put_metrics(arg, &text);
	rest = sts_buf_str(&text);
	while (next_counted(&rest, &line)) {
		sts_put(&counted, line);
		sts_put_char(&counted, '\n');
	}
	child_tell_numbers(c, sts_buf_str(&counted));
	sts_buf_done(&text);
	sts_buf_done(&counted);
}

/* Every counter that has counted, one a line. */
static void
show_statistics(struct supervisor *s)
{
	struct sts_buf text = { 0 };
	struct sts_str rest, line;

	put_metrics(s, &text);
	rest = sts_buf_str(&text);
	while (next_counted(&rest, &line)) {
		log_begin(LOG_LEVEL_INFO, "statistics", STS_STR_NONE, "");
		log_text("metric", line);
		log_end();
	}
	sts_buf_done(&text);
	for (struct child *c = s->children; c != NULL; c = c->next)
		child_show_statistics(c);
}

/*
 * A damaged cache: all processes end, data and lock go aside, all start. One that stayed
 * would find an empty tree through the old lock file, and answer "no policy".
 */
static void
on_renew(void *arg)
{
	struct supervisor *s = arg;
	const struct config *c = crew_site(s->crew)->config;
	char why[WHY] = "";

	s->renewing = false;
	s->renewed_ms = sts_loop_ms(s->loop);
	if (!s->announced && ++s->renewals > RENEWALS_AT_START) {
		begin_stop(s, ROLE_EXIT_UNAVAILABLE);
		return;
	}
	if (state_renew(c->state_directory, c->cache_size, why, sizeof(why)) == -1) {
		log_say(LOG_LEVEL_ERROR, "cache-failed", "%s", why);
		begin_stop(s, ROLE_EXIT_UNAVAILABLE);
		return;
	}
	crew_start_resolver(s->crew);
	crew_start_answerers(s->crew);
	if (s->reload_again)
		reload(s);
}

static void
renew_when_alone(struct supervisor *s)
{
	int64_t now = sts_loop_ms(s->loop);

	if (s->children != NULL || sts_timer_is_set(s->renew_timer))
		return;
	if (s->renewed_ms == 0 || now - s->renewed_ms > RENEW_PROVEN_MS)
		s->renew_delay_ms = 0;
	(void)sts_timer_set(s->renew_timer, s->renew_delay_ms);
	s->renew_delay_ms = s->renew_delay_ms == 0 ? RENEW_MS : s->renew_delay_ms * 2;
	if (s->renew_delay_ms > RENEW_MAX_MS)
		s->renew_delay_ms = RENEW_MAX_MS;
}

static void refuse_reload(struct supervisor *s, const char *why);

static void
begin_renewal(struct supervisor *s)
{
	if (s->renewing || s->stopping)
		return;
	log_say(LOG_LEVEL_ERROR, "cache-fault",
	    "the cache cannot be used; all processes end, and it goes aside");
	s->renewing = true;
	if (s->next != NULL) {
		refuse_reload(s, "the cache has failed meanwhile");
		s->reload_again = true;
	}
	crew_pause(s->crew);
	for (struct child *c = s->children; c != NULL; c = c->next)
		child_kill(c);
}

/*
 * Reloading: a new generation is started beside the old one, and takes over when all of
 * it works. Whatever fails leaves the old one in place.
 */
static void
end_reload(struct supervisor *s, bool ok)
{
	sts_timer_stop(s->reload_timer);
	s->reload_failed = !ok;
	metrics_set_reload_ok(ok);
	notify_send("READY=1\nSTATUS=%s", ok ? "answering" : "answering; reload refused");
	if (s->reload_again)
		reload(s);
}

static void
refuse_reload(struct supervisor *s, const char *why)
{
	struct child *resolver = crew_resolver(s->crew);
	struct crew *next = s->next;

	log_say(LOG_LEVEL_ERROR, "reload-refused", "%s", why);
	s->next = NULL;
	for (struct child *c = s->children; next != NULL && c != NULL; c = c->next) {
		if (!crew_has(next, c))
			continue;
		/* An answerer may have clients already: they stay, and are served. */
		if (c->role == CHILD_ANSWERER && c->state == CHILD_READY &&
		    resolver != NULL) {
			(void)child_connect(c, resolver);
			child_drain(c);
		} else {
			child_kill(c);
		}
	}
	crew_free(next, crew_site(s->crew));
	end_reload(s, false);
}

static void
on_reload_late(void *arg)
{
	refuse_reload(arg, "the new processes were not ready in time");
}

static void
drop_candidate(struct supervisor *s)
{
	if (s->candidate != NULL)
		child_kill(s->candidate);
	s->candidate = NULL;
}

/* The new generation works: it takes over. */
static void
commit_reload(struct supervisor *s)
{
	struct crew *old = s->crew;
	struct child *resolver = crew_resolver(s->next);
	const struct config *c = crew_site(s->next)->config;

	s->crew = s->next;
	s->next = NULL;
	s->follow_again = false;
	drop_candidate(s);
	for (struct child *one = s->children; one != NULL; one = one->next) {
		if (one->state == CHILD_STOPPING || crew_has(s->crew, one))
			continue;
		if (one->role == CHILD_RESOLVER) {
			child_stop(one);
			continue;
		}
		(void)child_connect(one, resolver);
		child_drain(one);
	}
	/* Before the old sockets are closed: the doors are duplicates of the new ones. */
	open_http(s);
	crew_free(old, crew_site(s->crew));
	log_open("supervisor", (enum log_level)c->log_level, c->log_json, c->syslog);
	metrics_set_dane_wanted(crew_site(s->crew)->wants_dane);
	log_say(LOG_LEVEL_NOTICE, "reloaded", "the new configuration is in force");
	end_reload(s, true);
}

static bool
has_unix(const struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->all[i].path != NULL)
			return true;
	return false;
}

static bool
is_same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* What was given away at the start cannot be changed any more. */
static const char *
needs_restart(const struct site *old, const struct config *now)
{
	const struct config *was = old->config;
	bool sockets = has_unix(&old->listeners) || has_unix(&old->metrics);
	bool grouped = sockets || has_unix(&old->control);

	if (strcmp(was->state_directory, now->state_directory) != 0)
		return "state_directory: a change needs a restart";
	if (!is_same_text(was->user, now->user))
		return "user: a change needs a restart";
	if (was->sandbox != now->sandbox)
		return "sandbox: a change needs a restart";
	if (sockets && was->socket_mode != now->socket_mode)
		return "socket_mode: a change needs a restart";
	if (grouped && !is_same_text(was->socket_group, now->socket_group))
		return "socket_group: a change needs a restart";
	return NULL;
}

static void
log_lines(enum log_level level, const struct config_errors *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		log_say(level, "configuration", "%s", lines->lines[i]);
}

/* stsd-query's door. Where nobody named it, answering mail without it is better than not
 * at all. */
static int
open_control(const struct supervisor *s, struct site *site, const struct site *before,
    char *why, size_t why_n)
{
	if (site_listen_control(site, before, &s->account, why, why_n) == 0)
		return 0;
	if (!config_is_default(site->config, "control_socket"))
		return -1;
	log_say(LOG_LEVEL_NOTICE, "control-off", "%s; stsd-query works without it", why);
	return 0;
}

static struct site *
load_next(struct supervisor *s, char *why, size_t why_n)
{
	const struct site *was = crew_site(s->crew);
	struct site_said said = { 0 };
	struct listen_style style;
	struct site *site = site_load(&s->options.sources, s->options.verbose, &said);
	const char *cannot = NULL;

	log_lines(LOG_LEVEL_ERROR, &said.errors);
	log_lines(LOG_LEVEL_WARNING, &said.warnings);
	log_lines(LOG_LEVEL_NOTICE, &said.notices);
	site_said_done(&said);
	if (site == NULL) {
		(void)snprintf(why, why_n, "the configuration is wrong");
		return NULL;
	}
	cannot = needs_restart(was, site->config);
	if (cannot != NULL)
		(void)snprintf(why, why_n, "%s", cannot);
	else if (site_style(site->config, &style, why, why_n) == 0 &&
	    site_listen(site, was, &style, why, why_n) == 0 &&
	    open_control(s, site, was, why, why_n) == 0)
		return site;
	site_free(site, was);
	return NULL;
}

static void on_child_ready(void *arg, struct child *c);

static struct crew *
make_crew(struct supervisor *s, struct site *site)
{
	struct crew_config config = { .start = { .loop = s->loop,
					  .programs = &s->programs,
					  .clock = &s->clock,
					  .on_ready = on_child_ready,
					  .on_numbers = on_numbers,
					  .arg = s },
		.on_started = on_started,
		.arg = s };

	return crew_new(&config, site);
}

static void
reload(struct supervisor *s)
{
	char why[WHY] = "";
	struct site *site;

	s->reload_again = s->next != NULL || s->renewing;
	if (s->reload_again || s->stopping)
		return;
	log_say(LOG_LEVEL_NOTICE, "reloading", "%s",
	    s->options.sources.file != NULL ? s->options.sources.file : STSD_CONFIG);
	notify_reloading();
	site = load_next(s, why, sizeof(why));
	if (site == NULL) {
		refuse_reload(s, why);
		return;
	}
	s->next = make_crew(s, site);
	if (s->next == NULL) {
		site_free(site, crew_site(s->crew));
		refuse_reload(s, strerror(ENOMEM));
		return;
	}
	(void)sts_timer_set(s->reload_timer, RELOAD_MS);
	crew_start_resolver(s->next);
}

/*
 * resolv.conf: other servers mean another resolver, and nothing else.
 */
static void
start_candidate(struct supervisor *s)
{
	struct child_start start = { .loop = s->loop,
		.programs = &s->programs,
		.site = crew_site(s->crew),
		.clock = &s->clock,
		.shares_fd = -1,
		.on_ready = on_child_ready,
		.on_numbers = on_numbers,
		.arg = s };

	log_say(LOG_LEVEL_NOTICE, "dns-servers", "%s",
	    crew_site(s->crew)->config->dns_servers);
	drop_candidate(s);
	s->candidate = child_new(&start, CHILD_RESOLVER, 0);
	s->follow_again = s->candidate == NULL;
	if (s->candidate == NULL)
		log_say(LOG_LEVEL_ERROR, "start-failed", "resolver: %s", strerror(errno));
	else
		on_started(s, s->candidate);
}

static void
promote_candidate(struct supervisor *s)
{
	struct child *resolver = s->candidate;

	s->candidate = NULL;
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == CHILD_RESOLVER && crew_has(s->crew, c))
			child_stop(c);
	crew_replace_resolver(s->crew, resolver);
	connect_all(s, s->crew, resolver);
}

static void
follow_resolvconf(struct supervisor *s)
{
	/* A reload reads it anyway. */
	if (s->next != NULL || s->renewing || s->stopping)
		return;
	if (site_follow(crew_site(s->crew)) == 1 || s->follow_again)
		start_candidate(s);
}

/*
 * Processes that begin to work, and those that end.
 */
static void
announce(struct supervisor *s)
{
	s->announced = true;
	log_say(LOG_LEVEL_NOTICE, "ready", "stsd %s answers", STSD_VERSION);
	notify_send("READY=1\nSTATUS=answering");
}

static void
on_child_ready(void *arg, struct child *c)
{
	struct supervisor *s = arg;

	if (c->role == CHILD_RESOLVER)
		s->resolver_seen_ms = c->seen_ms;
	if (s->stopping)
		return; /* nobody new begins: he would not be told to end */
	if (c == s->candidate) {
		promote_candidate(s);
	} else if (crew_has(s->next, c)) {
		if (c->role == CHILD_RESOLVER)
			crew_start_answerers(s->next);
		if (crew_is_ready(s->next))
			commit_reload(s);
	}
	/* What was begun first may never get there: a reload can be faster. */
	if (!s->announced && crew_has(s->crew, c) && crew_is_ready(s->crew))
		announce(s);
}

static void
log_ended(const struct child *c, int status)
{
	bool expected = (c->state == CHILD_STOPPING || c->state == CHILD_DRAINING) &&
	    !(WIFEXITED(status) && WEXITSTATUS(status) != 0);

	log_begin(expected ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "process-ended",
	    STS_STR_NONE, c->failed);
	log_text("process", sts_str_of(child_role_text(c->role)));
	log_number("pid", c->pid);
	if (WIFSIGNALED(status))
		log_number("signal", WTERMSIG(status));
	else
		log_number("status", WEXITSTATUS(status));
	log_end();
}

/* Did it die of the cache? What maps a file that was cut off dies of SIGBUS; a crash is
 * ours, but two in a row might be what garbage in the file leads to. Not so the resolver's,
 * which reads what strangers send: whoever made it crash would be rid of all policies. */
static bool
is_cache_fault(struct supervisor *s, const struct child *c, int status)
{
	int64_t now = sts_loop_ms(s->loop), before = s->crashed_ms;

	if (WIFEXITED(status))
		return WEXITSTATUS(status) == ROLE_EXIT_CACHE;
	if (WTERMSIG(status) == SIGBUS)
		return true;
	if (WTERMSIG(status) != SIGSEGV || c->role == CHILD_RESOLVER)
		return false;
	s->crashed_ms = now;
	return before != 0 && now - before < CRASHES_MS;
}

/* It could not begin, and nothing has worked before: whoever starts us must know. */
static void
give_up(struct supervisor *s, const struct child *c, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : ROLE_EXIT_INTERNAL;

	log_say(LOG_LEVEL_ERROR, "start-failed", "%s: %s", child_role_text(c->role),
	    c->failed[0] != '\0' ? c->failed : "it cannot be executed");
	begin_stop(s,
	    code == ROLE_EXIT_CONFIG || code == ROLE_EXIT_UNAVAILABLE
		? code
		: ROLE_EXIT_INTERNAL);
}

static void
vacate(struct supervisor *s, struct child *c, int status)
{
	bool cannot_begin = c->failed[0] != '\0' ||
	    (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_NO_EXEC);

	if (c == s->candidate) {
		s->candidate = NULL;
		s->follow_again = !s->renewing;
	} else if (s->stopping && crew_has(s->next, c)) {
		crew_forget(s->next, c);
	} else if (crew_has(s->next, c)) {
		char why[WHY];

		(void)snprintf(why, sizeof(why), "%s: %s", child_role_text(c->role),
		    c->failed[0] != '\0' ? c->failed : "ended before it was ready");
		crew_forget(s->next, c);
		refuse_reload(s, why);
	} else if (crew_has(s->crew, c) && (s->stopping || s->renewing)) {
		crew_forget(s->crew, c);
	} else if (crew_has(s->crew, c)) {
		crew_lost(s->crew, c);
		metrics_restart(child_role_text(c->role));
		if (!s->announced && cannot_begin)
			give_up(s, c, status);
	}
}

static void
stop_resolvers(struct supervisor *s)
{
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == CHILD_RESOLVER)
			child_stop(c);
}

static void
on_ended(struct supervisor *s, struct child *c, int status)
{
	log_ended(c, status);
	unlist(s, c);
	if (is_cache_fault(s, c, status))
		begin_renewal(s);
	vacate(s, c, status);
	child_free(c);
	if (s->stopping && s->children == NULL)
		sts_loop_stop(s->loop);
	else if (s->stopping && count_role(s, CHILD_ANSWERER) == 0)
		stop_resolvers(s);
	else if (s->renewing)
		renew_when_alone(s);
}

static void
reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = child_of(s, pid);

		if (c != NULL) /* else an orphan: we may be process 1 of a container */
			on_ended(s, c, status);
	}
}

/*
 * The end.
 */
static void
close_listeners(struct crew *crew)
{
	if (crew == NULL)
		return;
	listeners_done(&crew_site(crew)->listeners, NULL);
	listeners_done(&crew_site(crew)->control, NULL);
}

static void
begin_stop(struct supervisor *s, int status)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->stopping_ms = sts_loop_ms(s->loop);
	s->status = status;
	log_say(LOG_LEVEL_NOTICE, "stopping", "answering what is in flight");
	notify_send("STOPPING=1");
	close_listeners(s->crew);
	close_listeners(s->next);
	crew_pause(s->crew);
	if (s->next != NULL)
		crew_pause(s->next);
	sts_timer_stop(s->reload_timer);
	sts_timer_stop(s->renew_timer);
	/* What they ask is answered: the resolvers stop after the answerers. */
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (c->role == CHILD_ANSWERER)
			child_stop(c);
	if (count_role(s, CHILD_ANSWERER) == 0)
		stop_resolvers(s);
	if (s->children == NULL)
		sts_loop_stop(s->loop);
}

static void
stop_at_once(struct supervisor *s)
{
	for (struct child *c = s->children; c != NULL; c = c->next)
		child_kill(c);
	sts_loop_stop(s->loop);
}

static void
on_signal(void *arg, int signo)
{
	struct supervisor *s = arg;

	switch (signo) {
	case SIGCHLD:
		reap(s);
		break;
	case SIGHUP:
		reload(s);
		break;
	case SIGUSR1:
		show_statistics(s);
		break;
	case SIGTERM:
	case SIGINT:
		if (s->stopping)
			stop_at_once(s);
		else
			begin_stop(s, 0);
		break;
	}
}

/*
 * Time passes.
 */
static void
check_child(struct supervisor *s, struct child *c)
{
	int64_t now = sts_loop_ms(s->loop);

	if (s->stopping || c->state == CHILD_STOPPING) {
		if (now - (s->stopping ? s->stopping_ms : c->stopping_ms) > STOP_MS)
			child_kill(c);
		return;
	}
	if (c->role == CHILD_RESOLVER && c->state == CHILD_READY &&
	    c->seen_ms > s->resolver_seen_ms)
		s->resolver_seen_ms = c->seen_ms;
	if (now - c->seen_ms > SILENCE_MS) {
		log_begin(LOG_LEVEL_ERROR, "process-hangs", STS_STR_NONE,
		    "no answer for 30 seconds");
		log_text("process", sts_str_of(child_role_text(c->role)));
		log_number("pid", c->pid);
		log_end();
		child_kill(c);
	} else if (s->ticks % PING_TICKS == 0) {
		child_ping(c);
	}
}

/* Where all of us were paused, as a container is, nobody was asked: the time that we
 * missed ourselves is no silence of theirs. */
static void
forgive_pause(struct supervisor *s)
{
	int64_t now = sts_loop_ms(s->loop), late = now - s->ticked_ms - TICK_MS;

	s->ticked_ms = now;
	if (late <= TICK_MS)
		return;
	for (struct child *c = s->children; c != NULL; c = c->next)
		c->seen_ms = c->seen_ms + late < now ? c->seen_ms + late : now;
	s->resolver_seen_ms =
	    s->resolver_seen_ms + late < now ? s->resolver_seen_ms + late : now;
}

static void
on_tick(void *arg)
{
	struct supervisor *s = arg;

	forgive_pause(s);
	for (struct child *c = s->children; c != NULL; c = c->next)
		check_child(s, c);
	if (s->ticks % PING_TICKS == 0)
		metrics_beat();
	if (s->ticks % FOLLOW_TICKS == 0)
		follow_resolvconf(s);
	s->ticks++;
	(void)sts_timer_set(s->tick, TICK_MS);
}

/* Where nobody has answered Postfix for long, we cannot help: the service manager starts
 * all of us again. */
static void
on_watchdog(void *arg)
{
	struct supervisor *s = arg;
	int64_t wait_ms = notify_watchdog_ms() / 2;

	if (s->announced && !s->stopping && count_answering(s) == 0)
		wait_ms = wait_ms < TICK_MS ? wait_ms : TICK_MS;
	else
		notify_send("WATCHDOG=1");
	(void)sts_timer_set(s->watchdog, wait_ms);
}

/*
 * The beginning, in the order in which privileges are given up.
 */
static int
cannot_start(int status, const char *why)
{
	log_say(LOG_LEVEL_ERROR, "start-failed", "%s", why);
	return status;
}

/* 0, 1 and 2 are taken: a socket there would be written to as if it were the log. */
static void
fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* Whoever started us may have blocked or ignored what we live by. What would only end us as
 * long as nobody handles it waits until somebody does. */
static void
reset_signals(void)
{
	sigset_t later;

	sigemptyset(&later);
	sigaddset(&later, SIGHUP);
	sigaddset(&later, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &later, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
}

static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* NULL, or why it cannot be. */
static const char *
adopt_socket(struct site *site, const struct notify_fd *given)
{
	if (!given->open)
		return "not open";
	if (strcmp(given->name, "socketmap") == 0)
		return listen_adopt(&site->listeners, given->fd, false);
	if (strcmp(given->name, "metrics") == 0)
		return listen_adopt(&site->metrics, given->fd, false);
	if (strcmp(given->name, "control") == 0)
		return listen_adopt(&site->control, given->fd, true);
	log_say(LOG_LEVEL_WARNING, "socket-ignored",
	    "handed over as '%s': not socketmap, metrics or control", given->name);
	close(given->fd);
	return NULL;
}

/* 0, or the status to end with. */
static int
adopt_sockets(struct site *site)
{
	const struct notify_fd *given;
	int count = notify_listen_fds(&given), status = 0;

	if (count == -1)
		return cannot_start(ROLE_EXIT_UNAVAILABLE,
		    "LISTEN_FDS: not a number up to 64");
	for (int i = 0; i < count; i++) {
		const char *problem;

		errno = 0;
		problem = adopt_socket(site, &given[i]);
		if (problem == NULL)
			continue;
		status =
		    config_is_ours(errno) ? ROLE_EXIT_INTERNAL : ROLE_EXIT_UNAVAILABLE;
		log_say(LOG_LEVEL_ERROR, "start-failed",
		    "LISTEN_FDS: descriptor %d (%s): %s", given[i].fd, given[i].name,
		    problem);
	}
	return status;
}

static void
log_listeners(const struct listeners *all, const char *event)
{
	char text[160];

	for (size_t i = 0; i < all->count; i++) {
		listen_text(&all->all[i], text, sizeof(text));
		log_begin(LOG_LEVEL_NOTICE, event, STS_STR_NONE, "");
		log_text("address", sts_str_of(text));
		log_end();
	}
}

struct places {
	struct sandbox_place all[PLACES_MAX];
	size_t count;
};

static void
add_place(struct places *to, const char *path, int fd, enum sandbox_use use)
{
	to->all[to->count++] =
	    (struct sandbox_place){ .path = path, .fd = fd, .use = use };
}

/* Where a unix socket is, it is removed, and another may be made at a reload. */
static void
add_sockets(struct places *to, const struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++) {
		char path[256], *slash;
		int fd;

		if (l->all[i].path == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s", l->all[i].path);
		slash = strrchr(path, '/');
		if (slash != NULL)
			slash[slash == path] = '\0';
		fd = to->count < SOCKETS_MAX
		    ? open(slash != NULL ? path : ".", O_PATH | O_CLOEXEC)
		    : -1;
		if (fd != -1)
			add_place(to, NULL, fd, SANDBOX_KEEP);
	}
}

/*
 * A reload may name any file, so that it reads what its account may; it changes the state
 * alone, and executes the two programs that it holds open and their loader.
 */
static void
enter_sandbox(const struct supervisor *s, const struct site *site)
{
	struct places places = { .count = 0 };
	char loader[4096];
	size_t mine;

	add_sockets(&places, &site->listeners);
	add_sockets(&places, &site->metrics);
	add_sockets(&places, &site->control);
	mine = places.count;
	add_place(&places, "/", -1, SANDBOX_READ);
	add_place(&places, site->config->state_directory, -1, SANDBOX_KEEP);
	add_place(&places, "/proc/self/fd/2", -1, SANDBOX_CHANGE); /* a terminal */
	add_place(&places, NULL, s->programs.stsd, SANDBOX_EXECUTE);
	add_place(&places, NULL, s->programs.resolver, SANDBOX_EXECUTE);
	if (sandbox_loader(loader, sizeof(loader)))
		add_place(&places, loader, -1, SANDBOX_EXECUTE);
	sandbox_by_setting(site->config->sandbox,
	    &(struct sandbox){ .role = SANDBOX_SUPERVISOR,
		.syslog = site->config->syslog,
		.places = places.all,
		.place_count = places.count });
	for (size_t i = 0; i < mine; i++)
		close(places.all[i].fd);
}

/* Sockets, state, account: what only the one who started us may be allowed to do. */
static int
take_resources(struct supervisor *s, struct site *site)
{
	const struct config *c = site->config;
	struct listen_style style;
	char why[WHY] = "";
	int status;

	errno = 0;
	if (site_account(c, &s->account, why, sizeof(why)) == -1 ||
	    site_style(c, &style, why, sizeof(why)) == -1)
		return cannot_start(
		    config_is_ours(errno) ? ROLE_EXIT_INTERNAL : ROLE_EXIT_CONFIG, why);
	if (programs_open(&s->programs, why, sizeof(why)) == -1)
		return cannot_start(ROLE_EXIT_INTERNAL, why);
	status = adopt_sockets(site);
	if (status != 0)
		return status;
	if (site_listen(site, NULL, &style, why, sizeof(why)) == -1 ||
	    open_control(s, site, NULL, why, sizeof(why)) == -1 ||
	    state_make(c->state_directory, &s->account, why, sizeof(why)) == -1)
		return cannot_start(ROLE_EXIT_UNAVAILABLE, why);
	if (privileges_drop(&s->account, c->sandbox, why, sizeof(why)) == -1)
		return cannot_start(ROLE_EXIT_INTERNAL, why);
	if (state_lock(c->state_directory, why, sizeof(why)) == -1 ||
	    state_prepare(c->state_directory, c->cache_size, why, sizeof(why)) == -1)
		return cannot_start(ROLE_EXIT_UNAVAILABLE, why);
	log_listeners(&site->listeners, "listening");
	log_listeners(&site->metrics, "metrics-listening");
	log_listeners(&site->control, "control-listening");
	enter_sandbox(s, site);
	return 0;
}

static bool
prepare_loop(struct supervisor *s)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGUSR1, SIGTERM, SIGINT };
	sigset_t none;

	sigemptyset(&none);
	(void)signal(SIGPIPE, SIG_IGN);
	s->loop = sts_loop_new();
	if (s->loop == NULL)
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		s->signals[i] = sts_signal_new(s->loop, signals[i], on_signal, s);
		if (s->signals[i] == NULL)
			return false;
	}
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	s->tick = sts_timer_new(s->loop, on_tick, s);
	s->reload_timer = sts_timer_new(s->loop, on_reload_late, s);
	s->renew_timer = sts_timer_new(s->loop, on_renew, s);
	s->watchdog = sts_timer_new(s->loop, on_watchdog, s);
	return s->tick != NULL && s->reload_timer != NULL && s->renew_timer != NULL &&
	    s->watchdog != NULL && sts_timer_set(s->tick, TICK_MS) == 0;
}

static void
end(struct supervisor *s)
{
	/* Those that did not end in time were killed: nothing of them stays behind. */
	while (s->children != NULL) {
		struct child *c = s->children;

		s->children = c->next;
		child_free(c);
	}
	http_free(s->http);
	crew_free(s->next, NULL);
	crew_free(s->crew, NULL);
	for (size_t i = 0; i < sizeof(s->signals) / sizeof(s->signals[0]); i++)
		sts_signal_free(s->signals[i]);
	sts_timer_free(s->tick);
	sts_timer_free(s->reload_timer);
	sts_timer_free(s->renew_timer);
	sts_timer_free(s->watchdog);
	sts_loop_free(s->loop);
}

static int
run(struct supervisor *s, struct site *site)
{
	if (!prepare_loop(s))
		return cannot_start(ROLE_EXIT_INTERNAL, strerror(ENOMEM));
	s->crew = make_crew(s, site);
	if (s->crew == NULL)
		return cannot_start(ROLE_EXIT_INTERNAL, strerror(ENOMEM));
	s->resolver_seen_ms = s->ticked_ms = sts_loop_ms(s->loop);
	open_http(s);
	metrics_set_reload_ok(1);
	metrics_set_dane_wanted(crew_site(s->crew)->wants_dane);
	metrics_beat();
	crew_start_resolver(s->crew);
	crew_start_answerers(s->crew);
	if (notify_watchdog_ms() > 0)
		on_watchdog(s);
	if (sts_loop_run(s->loop) == -1)
		s->status = ROLE_EXIT_INTERNAL;
	log_say(LOG_LEVEL_NOTICE, "stopped", "status %d", s->status);
	return s->status;
}

int
supervisor_main(const struct supervisor_options *options)
{
	struct supervisor s = { .options = *options };
	struct site_said said = { 0 };
	struct site *site;
	int status;

	fill_standard_fds();
	reset_signals();
	notify_open();
	raise_descriptors();
	site = site_load(&options->sources, options->verbose, &said);
	for (size_t i = 0; i < said.errors.count; i++)
		(void)fprintf(stderr, "%s\n", said.errors.lines[i]);
	if (site != NULL) {
		const struct config *c = site->config;

		log_open("supervisor", (enum log_level)c->log_level, c->log_json,
		    c->syslog);
		log_lines(LOG_LEVEL_WARNING, &said.warnings);
		log_lines(LOG_LEVEL_NOTICE, &said.notices);
	}
	status = role_exit_of(&said.errors);
	site_said_done(&said);
	if (site == NULL)
		return status;
	sts_clock_read_start(&s.clock);
	status = take_resources(&s, site);
	if (status == 0)
		status = run(&s, site);
	if (s.crew == NULL)
		site_free(site, NULL);
	end(&s);
	return status;
}
