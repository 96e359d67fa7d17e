/* SPDX-License-Identifier: MIT */
/*
 * The resolver: the one process of stsd that faces the Internet. It runs journeys
 * (lib/io/engine.h) for the answerers, one channel each, writes the cache and refreshes
 * it. It holds no socket that Postfix can reach. Started by stsd alone, with one end of
 * a pair as fd 3; everything else arrives over it (ipc.h).
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "control.h"
#include "control_desk.h"
#include "engine.h"
#include "idn.h"
#include "ipc.h"
#include "log.h"
#include "metrics.h"
#include "name.h"
#include "report.h"
#include "role.h"
#include "rules.h"
#include "sandbox.h"
#include "versions.h"

#define TICK_MS 1000
#define CACHE_STATS_TICKS 10
#define READERS_TICKS 60
/* While lookups go on, for it takes some milliseconds. */
#define TRIM_TICKS 10
/* Until then so much stays ours, which is what some seventy fetches at once take and give
 * back: to have the kernel clear those pages each time took a quarter of a fetch's time. */
#define TRIM_BYTES (16 << 20)
#define STOP_MS 5000
/* Cold lookups may wait for a time slice; answers from the cache must not. */
#define NICENESS 10
#define SLICE_US 300
/* Control sockets: one, or as many as were handed over. */
#define DOORS_MAX 4
/* At which DNS servers are asked by TCP: more servers than are taken from a list. */
#define DNS_PORTS_MAX 32

struct resolver;

/* One answerer. */
struct channel {
	struct resolver *resolver;
	struct channel *next;
	struct ipc *ipc;
	struct asked *asked;
};

/* One of its questions. */
struct asked {
	struct channel *channel;
	struct asked *next;
	struct sts_wait *wait;
	uint32_t number;
	size_t domain_n;
	char domain[STS_NAME_MAX + 1];
};

struct resolver {
	struct role role;
	struct sts_tls_store *store;
	struct sts_resolve *resolve;
	struct sts_fetcher *fetcher;
	struct sts_cache *cache;
	struct sts_engine *engine;
	struct sts_rules rules;
	struct channel *channels;
	struct control *control;
	struct control_desk *desk;
	int doors[DOORS_MAX]; /* until there is somebody at the desk */
	size_t door_count;
	int overrides; /* the file; -1: none */
	struct sts_timer *tick, *stop;
	struct report report;
	unsigned ticks;
	bool asked_lately; /* memory of lookups is worth giving back */
	bool validates;	   /* as of the last self-test */
	bool stopping;
};

/*
 * Answerers.
 */
static void
asked_free(struct asked *a)
{
	struct asked **at = &a->channel->asked;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	sts_engine_forget(a->wait);
	free(a);
}

static void
tell(struct channel *c, uint32_t number, struct sts_str domain,
    const struct sts_outcome *outcome)
{
	struct ipc_message m = { .type = IPC_TOLD,
		.number = number,
		.err = outcome->err,
		.hope = outcome->hope,
		.fd = -1,
		.domain = domain };
	struct sts_buf bytes = { .limit = STS_ENTRY_MAX };
	const struct sts_entry *e = outcome->entry;

	if (e != NULL && (e->record_at != 0 || e->fetched != 0))
		sts_entry_write(e, &bytes);
	if (bytes.bad)
		m.err = STS_ERR_NOMEM;
	else
		m.text = sts_buf_str(&bytes);
	(void)ipc_send(c->ipc, &m);
	sts_buf_done(&bytes);
}

static void
tell_err(struct channel *c, uint32_t number, struct sts_str domain, enum sts_err err)
{
	tell(c, number, domain, &(struct sts_outcome){ err, STS_HOPE_AWAY, NULL });
}

static void
on_outcome(void *arg, const struct sts_outcome *outcome)
{
	struct asked *a = arg;

	a->wait = NULL;
	tell(a->channel, a->number, (struct sts_str){ a->domain, a->domain_n }, outcome);
	asked_free(a);
}

/* A key that is not ASCII becomes one here: the answerer knows no libidn2. */
static enum sts_err
canonical(const struct ipc_message *m, char ascii[STS_NAME_MAX + 1],
    struct sts_str *domain)
{
	enum sts_err err;

	*domain = m->domain;
	if ((m->flags & IPC_ASK_UTF8) != 0) {
		if ((err = sts_idn_to_ascii(m->domain, ascii)) != STS_OK)
			return err;
		*domain = sts_str_of(ascii);
	}
	return sts_name_is_policy_domain(*domain) ? STS_OK : STS_ERR_NAME;
}

static void
start(struct channel *c, const struct ipc_message *m, struct sts_str domain)
{
	struct resolver *r = c->resolver;
	struct asked *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		tell_err(c, m->number, domain, STS_ERR_NOMEM);
		return;
	}
	a->channel = c;
	a->number = m->number;
	a->domain_n = domain.n;
	memcpy(a->domain, domain.p, domain.n);
	a->next = c->asked;
	c->asked = a;
	a->wait = sts_engine_ask(r->engine, domain, ipc_ask_target(m->flags),
	    STS_START_ASKED, m->wait_ms, on_outcome, a);
	if (a->wait == NULL) {
		tell_err(c, m->number, domain, STS_ERR_NOMEM);
		asked_free(a);
	}
}

static void
on_ask(struct channel *c, const struct ipc_message *m)
{
	char ascii[STS_NAME_MAX + 1];
	struct sts_str domain;
	enum sts_err err = canonical(m, ascii, &domain);

	if ((m->flags & IPC_ASK_BESIDE) != 0) {
		if (err == STS_OK)
			sts_engine_look(c->resolver->engine, domain,
			    ipc_ask_target(m->flags));
	} else if (err != STS_OK) {
		tell_err(c, m->number, m->domain, err);
	} else {
		start(c, m, domain);
	}
}

static void
channel_free(struct channel *c)
{
	for (struct asked *a = c->asked, *next; a != NULL; a = next) {
		next = a->next;
		sts_engine_forget(a->wait);
		free(a);
	}
	ipc_free(c->ipc);
	free(c);
}

static void
leave_channel(struct channel *c)
{
	struct channel **at = &c->resolver->channels;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	channel_free(c);
}

static void
on_answerer(void *arg, const struct ipc_message *m)
{
	struct channel *c = arg;

	if (m == NULL)
		leave_channel(c);
	else if (m->type == IPC_ASK && c->resolver->engine != NULL)
		on_ask(c, m);
	if (m != NULL && m->fd != -1)
		(void)close(m->fd);
}

/* What was found for want of AD must not outlive the want. */
static void
tell_validates(const struct channel *c)
{
	(void)ipc_send(c->ipc,
	    &(struct ipc_message){ .type = IPC_VALIDATES,
		.wait_ms = c->resolver->rules.validates,
		.fd = -1 });
}

static void
learn_trust(struct resolver *r, const struct sts_trust *trust)
{
	bool validates = trust->err == STS_OK && trust->ad;

	if (trust->err == STS_OK && validates != r->validates) {
		r->rules.validates = validates ? sts_clock_now() : 0;
		for (const struct channel *c = r->channels; c != NULL; c = c->next)
			tell_validates(c);
	}
	if (trust->err == STS_OK)
		r->validates = validates;
}

static void
add_channel(struct resolver *r, int fd)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->resolver = r;
		c->ipc = ipc_new(r->role.loop, fd, on_answerer, c);
	}
	if (c == NULL || c->ipc == NULL) {
		(void)close(fd);
		free(c);
		/* The next one of us is connected to all answerers. */
		role_fail(&r->role, ROLE_EXIT_INTERNAL, "out of memory");
		return;
	}
	c->next = r->channels;
	r->channels = c;
	tell_validates(c);
	/* An answerer that is new has perhaps replaced one that was killed. */
	if (r->cache != NULL)
		sts_cache_check_readers(r->cache);
}

/*
 * The journey's events.
 */
static void
on_event(void *arg, const struct sts_event *event)
{
	struct resolver *r = arg;

	report_event(&r->report, event);
	if (event->what == STS_EVENT_TRUST)
		learn_trust(r, event->trust);
	/* A damaged file is never served from: the supervisor moves it aside. */
	if (event->what == STS_EVENT_TROUBLE &&
	    (event->err == STS_ERR_CACHE_ENTRY || sts_cache_is_damaged(r->cache)))
		role_leave(&r->role, ROLE_EXIT_CACHE);
}

static void
on_asked(void *arg, enum sts_dns_type type, enum sts_err err)
{
	struct resolver *r = arg;

	metrics_dns(type, err);
	r->asked_lately = true;
}

static bool
is_idle(const struct resolver *r)
{
	for (const struct channel *c = r->channels; c != NULL; c = c->next)
		if (c->asked != NULL || ipc_queued(c->ipc) > 0)
			return false;
	return true;
}

static void
show_cache(struct resolver *r)
{
	struct sts_cache_stats stats;

	if (sts_cache_stats(r->cache, &stats) != STS_OK)
		return;
	metrics_set_cache(&stats);
	report_unsaved(&r->report, &stats);
	sts_cache_pause(r->cache);
}

static void
on_tick(void *arg)
{
	struct resolver *r = arg;
	struct sts_engine_stats stats;

	metrics_beat();
	sts_engine_stats(r->engine, &stats);
	metrics_set_lookups(stats.lookups);
	if (r->ticks % CACHE_STATS_TICKS == 0)
		show_cache(r);
	if (r->ticks % READERS_TICKS == 0)
		sts_cache_check_readers(r->cache);
	if (r->asked_lately && (stats.lookups == 0 || r->ticks % TRIM_TICKS == 0)) {
		/* glibc keeps what a storm of lookups took, unless it is told. */
		(void)malloc_trim(0);
		r->asked_lately = stats.lookups > 0;
	}
	r->ticks++;
	if (r->stopping && is_idle(r))
		role_leave(&r->role, 0);
	(void)sts_timer_set(r->tick, TICK_MS);
}

static void
write_statistics(struct resolver *r)
{
	struct sts_engine_stats engine;
	struct sts_cache_stats cache;

	if (r->engine == NULL)
		return;
	sts_engine_stats(r->engine, &engine);
	memset(&cache, 0, sizeof(cache));
	(void)sts_cache_stats(r->cache, &cache);
	sts_cache_pause(r->cache);
	log_begin(LOG_LEVEL_INFO, "statistics", STS_STR_NONE, "");
	log_number("lookups", engine.lookups);
	log_number("fetches", engine.fetches);
	log_number("fetches_waiting", engine.fetches_waiting);
	log_number("enforce", (int64_t)cache.policies[STS_MODE_ENFORCE]);
	log_number("testing", (int64_t)cache.policies[STS_MODE_TESTING]);
	log_number("none", (int64_t)cache.policies[STS_MODE_NONE]);
	log_number("refresh_failing", (int64_t)cache.failing);
	log_number("without_policy", (int64_t)cache.pool);
	log_number("cache_bytes", (int64_t)cache.bytes);
	log_end();
}

/*
 * Beginning.
 */
static bool
make_engine(struct resolver *r)
{
	const struct config *c = r->role.config;
	struct sts_fetcher_config fetcher = { .timeout_ms = c->fetch_timeout_ms,
		.port = (uint16_t)c->https_port,
		.allow = r->rules.allow,
		.allow_count = r->rules.allow_count,
		.store = r->store };
	struct sts_engine_config engine = { .loop = r->role.loop,
		.cache = r->cache,
		.rules = &r->rules,
		.max_lookups = (unsigned)c->max_lookups,
		.max_fetches = (unsigned)c->max_fetches,
		.answer_ms = c->answer_timeout_ms };

	r->resolve = sts_resolve_new(r->role.loop,
	    c->dns_servers != NULL ? c->dns_servers : "127.0.0.1", c->dns_timeout_ms);
	r->fetcher = sts_fetcher_new(r->role.loop, &fetcher);
	if (r->resolve == NULL || r->fetcher == NULL)
		return false;
	sts_resolve_observe(r->resolve, on_asked, r);
	engine.resolve = r->resolve;
	engine.fetcher = r->fetcher;
	r->engine = sts_engine_new(&engine, on_event, r);
	r->tick = sts_timer_new(r->role.loop, on_tick, r);
	return r->engine != NULL && r->tick != NULL &&
	    sts_engine_refresh(r->engine) == 0 && sts_engine_selftest(r->engine) == 0;
}

static void
ask_metrics(void *arg)
{
	const struct resolver *r = arg;

	(void)ipc_send(r->role.supervisor,
	    &(struct ipc_message){ .type = IPC_NUMBERS, .fd = -1 });
}

static bool
open_control(struct resolver *r)
{
	struct control_desk_config desk = { .engine = r->engine,
		.cache = r->cache,
		.rules = &r->rules,
		.wait_ms = r->role.config->answer_timeout_ms,
		.began_ms = r->role.clock.boot_ms,
		.overrides = r->overrides,
		.ask_metrics = ask_metrics,
		.arg = r };
	struct control_config control = { .loop = r->role.loop,
		.others = r->role.config->socket_group != NULL,
		.on = control_desk_serve };

	r->desk = control.arg = control_desk_new(&desk);
	r->control = control_new(&control);
	if (r->desk == NULL || r->control == NULL)
		return false;
	while (r->door_count > 0)
		if (control_listen(r->control, r->doors[--r->door_count]) == -1)
			return false;
	return true;
}

/* It writes the cache and no other file, and connects where policies and DNS are. */
static void
enter_sandbox(const struct config *c)
{
	struct role_cache_files files = role_cache_files(c);
	const struct sandbox_place places[] = {
		{ .path = files.data, .use = SANDBOX_CHANGE },
		{ .path = files.lock, .use = SANDBOX_CHANGE },
	};
	uint16_t ports[1 + DNS_PORTS_MAX] = { (uint16_t)c->https_port };
	size_t count = c->dns_servers == NULL
	    ? 0
	    : sandbox_dns_ports(c->dns_servers, ports + 1, DNS_PORTS_MAX);

	sandbox_by_setting(c->sandbox,
	    &(struct sandbox){ .role = SANDBOX_RESOLVER,
		.syslog = c->syslog,
		.places = places,
		.place_count = sizeof(places) / sizeof(places[0]),
		.ports = ports,
		.port_count = 1 + count });
}

static void
go(struct resolver *r)
{
	if (r->role.config == NULL || r->store == NULL) {
		role_fail(&r->role, ROLE_EXIT_INTERNAL,
		    "no configuration or no trust anchors");
		return;
	}
	r->rules = rules_of(r->role.config);
	r->report.config = r->role.config;
	r->cache = role_open_cache(&r->role, true);
	if (r->cache == NULL)
		return;
	if (!make_engine(r) || !open_control(r)) {
		role_fail(&r->role, ROLE_EXIT_INTERNAL, "out of memory");
		return;
	}
	enter_sandbox(r->role.config);
	on_tick(r);
	role_ready(&r->role);
}

static void
on_stop(void *arg)
{
	struct resolver *r = arg;

	role_leave(&r->role, 0);
}

static void
stop(struct resolver *r)
{
	r->stopping = true;
	control_stop(r->control);
	r->stop = sts_timer_new(r->role.loop, on_stop, r);
	if (r->stop == NULL || r->engine == NULL || is_idle(r))
		role_leave(&r->role, 0);
	else
		(void)sts_timer_set(r->stop, STOP_MS);
}

static void
take_anchors(struct resolver *r, int fd)
{
	char why[256] = "", text[300];
	bool ours;

	r->store = sts_tls_store_read(fd, why, sizeof(why));
	if (r->store != NULL)
		return;
	ours = config_is_ours(errno);
	(void)snprintf(text, sizeof(text), "ca_file: %s", why);
	role_fail(&r->role, ours ? ROLE_EXIT_INTERNAL : ROLE_EXIT_CONFIG, text);
}

/* Does the message bring a file descriptor that stays? */
static bool
take_fd(struct resolver *r, const struct ipc_message *m)
{
	if (m->type == IPC_CHANNEL) {
		add_channel(r, m->fd);
		return true;
	}
	if (m->type == IPC_OVERRIDES && r->overrides == -1) {
		r->overrides = m->fd;
		return true;
	}
	if (m->type == IPC_LISTENER && r->door_count < DOORS_MAX) {
		r->doors[r->door_count++] = m->fd;
		return true;
	}
	return false;
}

/* A message from the supervisor; false when its file descriptor was taken. */
static bool
handle(struct resolver *r, const struct ipc_message *m)
{
	if (m->fd != -1 && take_fd(r, m))
		return false;
	if (role_handle(&r->role, m))
		return true;
	if (m->type == IPC_CA)
		take_anchors(r, m->fd);
	else if (m->type == IPC_GO)
		go(r);
	else if (m->type == IPC_DRAIN || m->type == IPC_STOP)
		stop(r);
	else if (m->type == IPC_STATISTICS)
		write_statistics(r);
	else if (m->type == IPC_NUMBERS && r->desk != NULL)
		control_desk_metrics(r->desk, m->text);
	return true;
}

static void
on_supervisor(void *arg, const struct ipc_message *m)
{
	struct resolver *r = arg;

	if (m == NULL) /* nobody is left who would hand us questions */
		role_leave(&r->role, 0);
	else if (handle(r, m) && m->fd != -1)
		(void)close(m->fd);
}

static void
end(struct resolver *r)
{
	for (struct channel *c = r->channels, *next; c != NULL; c = next) {
		next = c->next;
		channel_free(c);
	}
	control_free(r->control);
	control_desk_free(r->desk);
	while (r->door_count > 0)
		(void)close(r->doors[--r->door_count]);
	if (r->overrides != -1)
		(void)close(r->overrides);
	sts_engine_free(r->engine);
	sts_fetcher_free(r->fetcher);
	sts_resolve_free(r->resolve);
	if (r->role.status != ROLE_EXIT_CACHE)
		sts_cache_close(r->cache);
	sts_tls_store_free(r->store);
	sts_timer_free(r->tick);
	sts_timer_free(r->stop);
	role_end(&r->role);
}

int
main(int argc, char **argv)
{
	struct resolver r = { .overrides = -1 };

	if (argc == 2 && strcmp(argv[1], "-V") == 0) {
		versions_print("stsd-resolver", stdout);
		return 0;
	}
	if (argc != 1 || !role_is_ours()) {
		fputs("stsd-resolver: a part of stsd(8), which starts it\n", stderr);
		return ROLE_EXIT_USAGE;
	}
	if (role_begin(&r.role, "resolver", on_supervisor, &r)) {
		role_share_cpu(NICENESS, SLICE_US);
		(void)mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
		role_run(&r.role);
	} else {
		r.role.status = ROLE_EXIT_INTERNAL;
	}
	end(&r);
	return r.role.status;
}
