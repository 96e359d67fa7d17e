/* SPDX-License-Identifier: MIT */
#include "query_journey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "engine.h"
#include "file.h"
#include "idn.h"
#include "query_exit.h"
#include "query_json.h"
#include "query_lint.h"
#include "rules.h"

#define FILE_MAX ((size_t)16 * 1024 * 1024)
/* A journey asks DNS for the record, the MX and the policy host, one after the other, and
 * a name's CNAME may have to be asked for. */
#define LOOKUPS 6

struct journeys;

/* One domain. */
struct journey {
	struct journeys *all;
	struct sts_wait *wait;
	struct query_report report;
	int64_t began_ms;
};

struct journeys {
	const struct query_options *options;
	const struct config *config;
	struct sts_rules rules;
	struct pf_reply_style style;
	struct overrides *overrides;
	char servers[512];

	struct sts_loop *loop;
	struct sts_resolve *resolve;
	struct sts_tls_store *store;
	struct sts_fetcher *fetcher;
	struct sts_engine *engine;
	struct journey *list;
	size_t count, open;
};

static struct sts_str
domain_of(const struct journey *j)
{
	return (struct sts_str){ j->report.key.domain, j->report.key.domain_n };
}

/*
 * What happens on the way.
 */

/* Two words may mean one domain, and then share one journey. */
static void
on_event(void *arg, const struct sts_event *event)
{
	struct journeys *all = arg;

	for (size_t i = 0; i < all->count; i++) {
		struct journey *j = &all->list[i];

		if (!j->report.is_domain || !sts_str_eq(domain_of(j), event->domain))
			continue;
		if (event->what == STS_EVENT_FACT)
			query_report_fact(&j->report, event->need, event->fact,
			    event->ms);
		else if (event->what == STS_EVENT_FETCHED)
			query_report_fetched(&j->report, event->fetched);
	}
}

static void
conclude(struct journey *j, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry)
{
	struct journeys *all = j->all;
	int64_t now = sts_clock_now();
	struct query_context context = { &all->rules, &all->style, STS_STR_NONE, now };

	if (j->report.is_domain)
		context.override = overrides_find(all->overrides, domain_of(j), now);
	j->report.ms = sts_clock_now_ms() - j->began_ms;
	query_report_conclude(&j->report, err, hope, entry, &context);
	if (--all->open == 0)
		sts_loop_stop(all->loop);
}

static void
on_outcome(void *arg, const struct sts_outcome *outcome)
{
	struct journey *j = arg;

	j->wait = NULL;
	conclude(j, outcome->err, outcome->hope, outcome->entry);
}

/*
 * Starting.
 */

/* A key as Postfix would ask it, with U-labels converted. */
static void
read_key(struct query_report *r, const char *word)
{
	char ascii[STS_NAME_MAX + 1];
	struct sts_key *key = &r->key;

	if (sts_key_parse(sts_str_of(word), key) != STS_OK) {
		key->domain_n = 0;
		return;
	}
	r->is_domain = true;
	if (!key->ascii) {
		struct sts_str name = { key->domain, key->domain_n };

		r->is_domain = sts_idn_to_ascii(name, ascii) == STS_OK &&
		    sts_name_is_policy_domain(sts_str_of(ascii));
		if (r->is_domain) {
			key->domain_n = strlen(ascii);
			memcpy(key->domain, ascii, key->domain_n + 1);
		} else {
			key->domain_n = 0;
			return;
		}
	}
	if (sts_idn_to_unicode((struct sts_str){ key->domain, key->domain_n }, r->unicode,
		sizeof(r->unicode)) != STS_OK ||
	    strncmp(r->unicode, key->domain, key->domain_n + 1) == 0)
		r->unicode[0] = '\0';
}

static void
start(struct journeys *all, struct journey *j, const char *word)
{
	const struct config *c = all->config;
	int64_t wait_ms = LOOKUPS * c->dns_timeout_ms + c->fetch_timeout_ms;

	j->all = all;
	j->began_ms = sts_clock_now_ms();
	query_report_start(&j->report, word, sts_clock_now());
	read_key(&j->report, word);
	if (!j->report.is_domain) {
		conclude(j, STS_OK, STS_HOPE_DONE, NULL);
		return;
	}
	j->wait = sts_engine_ask(all->engine, domain_of(j), j->report.key.brackets,
	    STS_START_FRESH, wait_ms, on_outcome, j);
	if (j->wait == NULL)
		query_no_memory();
}

static void
complain(const char *name, const char *why)
{
	fprintf(stderr, "stsd-query: %s: %s\n", name, why);
}

static bool
open_store(struct journeys *all)
{
	const char *path = all->config->ca_file;
	char why[256];
	int fd;

	if (path == NULL)
		path = file_ca_bundle();
	if (path == NULL) {
		complain("ca_file", "the system has no bundle of certificates");
		return false;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		complain(path, strerror(errno));
		return false;
	}
	all->store = sts_tls_store_read(fd, why, sizeof(why));
	(void)close(fd);
	if (all->store == NULL)
		complain(path, why);
	return all->store != NULL;
}

/* Overrides are part of what Postfix is told. */
static bool
read_overrides(struct journeys *all)
{
	const char *path = all->config->overrides;
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };
	bool ok = true;

	if (path == NULL)
		return true;
	if (file_read(path, FILE_MAX, &text) == -1) {
		complain(path, strerror(errno));
		ok = false;
	} else {
		all->overrides = overrides_parse(sts_buf_str(&text), path,
		    sts_clock_now(), &errors, NULL);
		ok = all->overrides != NULL;
	}
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_done(&errors);
	sts_buf_done(&text);
	return ok;
}

static void
find_servers(struct journeys *all)
{
	struct sts_buf text = { 0 };
	struct resolvconf found = { "", false };

	if (all->config->dns_servers == NULL &&
	    file_read("/etc/resolv.conf", FILE_MAX, &text) == 0)
		resolvconf_parse(sts_buf_str(&text), &found);
	(void)snprintf(all->servers, sizeof(all->servers), "%s",
	    all->config->dns_servers != NULL ? all->config->dns_servers
		: found.servers[0] != '\0'   ? found.servers
					     : "127.0.0.1");
	sts_buf_done(&text);
}

/* permissive_reply = auto depends on the local Postfix. */
static bool
says_may(const struct config *c)
{
	struct sts_buf text = { 0 };
	char path[4096];
	bool found = false, may;

	if (c->postfix_directory != NULL) {
		(void)snprintf(path, sizeof(path), "%s/main.cf", c->postfix_directory);
		found = file_read(path, FILE_MAX, &text) == 0;
	}
	may = config_says_may(c, found ? sts_buf_str(&text) : STS_STR_NONE);
	sts_buf_done(&text);
	return may;
}

static void
read_settings(struct journeys *all)
{
	const struct config *c = all->config;

	all->rules = rules_of(c);
	all->style = style_of(c, says_may(c));
}

static void
make_engine(struct journeys *all)
{
	const struct config *c = all->config;
	struct sts_fetcher_config fetcher = { .timeout_ms = c->fetch_timeout_ms,
		.port = (uint16_t)c->https_port,
		.allow = all->rules.allow,
		.allow_count = all->rules.allow_count,
		.store = all->store };
	struct sts_engine_config engine = { .rules = &all->rules,
		.max_lookups = (unsigned)c->max_lookups,
		.max_fetches = (unsigned)c->max_fetches,
		.answer_ms = c->answer_timeout_ms };

	if ((engine.loop = all->loop = sts_loop_new()) == NULL)
		query_no_memory();
	all->resolve = sts_resolve_new(all->loop, all->servers, c->dns_timeout_ms);
	all->fetcher = sts_fetcher_new(all->loop, &fetcher);
	if (all->resolve == NULL || all->fetcher == NULL)
		query_no_memory();
	engine.resolve = all->resolve;
	engine.fetcher = all->fetcher;
	if ((all->engine = sts_engine_new(&engine, on_event, all)) == NULL)
		query_no_memory();
}

static void
end(struct journeys *all)
{
	for (size_t i = 0; i < all->count; i++) {
		sts_engine_forget(all->list[i].wait);
		query_report_done(&all->list[i].report);
	}
	free(all->list);
	sts_engine_free(all->engine);
	sts_fetcher_free(all->fetcher);
	sts_resolve_free(all->resolve);
	sts_tls_store_free(all->store);
	sts_loop_free(all->loop);
	overrides_free(all->overrides);
}

/*
 * Telling.
 */
static int
tell(const struct journeys *all, const struct query_look *look)
{
	struct sts_buf out = { 0 };
	int status = QUERY_EXIT_PROTECTED;

	for (size_t i = 0; i < all->count; i++) {
		const struct query_report *r = &all->list[i].report;

		if (all->options->json) {
			query_json_report(&out, r, all->servers);
		} else {
			if (i > 0 && !look->quiet)
				sts_put_char(&out, '\n');
			query_text_report(&out, r, look);
		}
		status = query_exit_worse(status, r->exit);
	}
	return query_say(&out, status);
}

int
query_domains(const struct query_options *o, const struct config *config,
    const struct query_look *look)
{
	struct journeys all = { .options = o, .config = config };
	int status = QUERY_EXIT_CONFIG;

	read_settings(&all);
	find_servers(&all);
	if (!open_store(&all) || !read_overrides(&all))
		goto done;
	make_engine(&all);
	status = QUERY_EXIT_INTERNAL;
	all.count = all.open = (size_t)o->count;
	if ((all.list = calloc(all.count, sizeof(*all.list))) == NULL)
		query_no_memory();
	for (size_t i = 0; i < all.count; i++)
		start(&all, &all.list[i], o->words[i]);
	if (all.open > 0 && sts_loop_run(all.loop) == -1)
		complain("event loop", "it failed");
	else
		status = tell(&all, look);
done:
	end(&all);
	return status;
}
