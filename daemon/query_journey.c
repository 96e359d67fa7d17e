/* SPDX-License-Identifier: MIT */
#include "query_journey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine.h"
#include "idn.h"
#include "query_exit.h"
#include "query_json.h"
#include "query_lint.h"
#include "role.h"
#include "rules.h"
#include "tls.h"
#include "tlsa.h"

/* A journey asks DNS for the MX, for the addresses of its hosts, whether a host is an
 * alias, for TLSA at the end of the chain and at its beginning, and how far the resolver
 * can be trusted, one after the other; and a name's CNAME may have to be asked for. */
#define LOOKUPS 10

struct journeys;

/* One domain. */
struct journey {
	struct journeys *all;
	struct sts_wait *wait;
	struct query_report report;
	int64_t began_ms;
	bool begun, ended;
};

struct journeys {
	const struct query_options *options;
	const struct site *site;
	struct sts_rules rules;
	struct pf_reply_style style;
	struct overrides *overrides;
	struct sts_trust trust; /* as of the last self-test; all-zero before one */

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

static struct sts_target
target_of(const struct journey *j)
{
	return (struct sts_target){ j->report.key.brackets, j->report.key.port };
}

/* Can Postfix use this TLSA record? */
static bool
is_usable(struct sts_str rdata)
{
	switch (sts_tlsa_judge(rdata)) {
	case STS_TLSA_USABLE:
		return true;
	case STS_TLSA_CERTIFICATE:
		return sts_tls_is_certificate(sts_tlsa_data(rdata));
	case STS_TLSA_KEY:
		return sts_tls_is_key(sts_tlsa_data(rdata));
	case STS_TLSA_UNUSABLE:
		break;
	}
	return false;
}

static void
tell_report(struct query_report *r, const struct sts_event *event)
{
	switch (event->what) {
	case STS_EVENT_FACT:
		query_report_fact(r, event->need, event->fact, event->ms);
		break;
	case STS_EVENT_FETCHED:
		query_report_fetched(r, event->fetched);
		break;
	case STS_EVENT_HOST:
		query_report_host(r, &event->lookup->dane, event->host, event->step,
		    event->answer, is_usable);
		break;
	case STS_EVENT_DONE:
		query_report_look(r, &event->lookup->dane);
		break;
	case STS_EVENT_POLICY:
	case STS_EVENT_TROUBLE:
	case STS_EVENT_TRUST:
		break;
	}
}

/* Two words may mean one domain, and then share one journey. */
static void
on_event(void *arg, const struct sts_event *event)
{
	struct journeys *all = arg;

	if (event->what == STS_EVENT_TRUST) {
		all->trust = *event->trust;
		return;
	}
	for (size_t i = 0; i < all->count; i++) {
		struct journey *j = &all->list[i];

		if (j->begun && !j->ended && sts_str_eq(domain_of(j), event->domain))
			tell_report(&j->report, event);
	}
}

static void
conclude(struct journey *j, enum sts_err err, enum sts_hope hope,
    const struct sts_entry *entry)
{
	struct journeys *all = j->all;
	int64_t now = sts_clock_now();
	struct query_context context = { .rules = &all->rules,
		.style = &all->style,
		.now = now,
		.servers = all->site->config->dns_servers,
		.culprit = all->trust.server,
		.distrusts = all->site->dnssec == CONFIG_OFF };

	j->ended = true;
	if (j->report.is_domain)
		context.override = overrides_find(all->overrides, domain_of(j), now);
	j->report.ms = sts_clock_now_ms() - j->began_ms;
	query_report_conclude(&j->report, err, hope, entry, &context);
	all->open--;
}

static void
on_outcome(void *arg, const struct sts_outcome *outcome)
{
	struct journey *j = arg;

	j->wait = NULL;
	conclude(j, outcome->err, outcome->hope, outcome->entry);
	if (j->all->open == 0)
		sts_loop_stop(j->all->loop);
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
start(struct journey *j)
{
	struct journeys *all = j->all;
	const struct config *c = all->site->config;
	int64_t wait_ms = LOOKUPS * c->dns_timeout_ms + c->fetch_timeout_ms;

	j->begun = true;
	all->open++;
	j->began_ms = sts_clock_now_ms();
	if (!j->report.is_domain) {
		conclude(j, STS_OK, STS_HOPE_DONE, NULL);
		return;
	}
	j->wait = sts_engine_ask(all->engine, domain_of(j), target_of(j), STS_START_FRESH,
	    wait_ms, on_outcome, j);
	if (j->wait == NULL)
		query_no_memory();
}

/* Is a journey under way to the same domain, for another target? The engine makes one a
 * domain, and this one's would not be a fresh look. */
static bool
must_wait(const struct journey *j)
{
	const struct journeys *all = j->all;

	for (size_t i = 0; i < all->count; i++) {
		const struct journey *other = &all->list[i];

		if (other->begun && !other->ended &&
		    sts_str_eq(domain_of(other), domain_of(j)) &&
		    !sts_target_eq(target_of(other), target_of(j)))
			return true;
	}
	return false;
}

/* All that can be made at once, until each of them is made. False: none was left. */
static bool
run_round(struct journeys *all, bool *failed)
{
	bool any = false;

	for (size_t i = 0; i < all->count; i++) {
		struct journey *j = &all->list[i];

		if (j->begun || must_wait(j))
			continue;
		start(j);
		any = true;
	}
	if (all->open > 0 && sts_loop_run(all->loop) == -1)
		*failed = true;
	return any && !*failed;
}

static void
complain(const char *name, const char *why)
{
	fprintf(stderr, "stsd-query: %s: %s\n", name, why);
}

static bool
open_store(struct journeys *all)
{
	char why[256];

	all->store = sts_tls_store_read(all->site->ca_fd, why, sizeof(why));
	if (all->store == NULL)
		complain("ca_file", why);
	return all->store != NULL;
}

/* Overrides are part of what Postfix is told. */
static bool
read_overrides(struct journeys *all)
{
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };

	if (all->site->overrides_fd == -1)
		return true;
	if (!role_read_fd(all->site->overrides_fd, &text))
		complain("overrides", "they cannot be read");
	else
		all->overrides = overrides_parse(sts_buf_str(&text),
		    all->site->config->overrides, sts_clock_now(), &errors, NULL);
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "%s\n", errors.lines[i]);
	config_errors_done(&errors);
	sts_buf_done(&text);
	return all->overrides != NULL;
}

static void
make_engine(struct journeys *all)
{
	const struct config *c = all->site->config;
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
	all->resolve = sts_resolve_new(all->loop, c->dns_servers, c->dns_timeout_ms);
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
			query_json_report(&out, r);
		} else {
			if (i > 0 && !look->quiet)
				sts_put_char(&out, '\n');
			query_text_report(&out, r, look);
		}
		status = query_exit_worse(status, r->exit);
	}
	return query_say(&out, status);
}

static void
make_list(struct journeys *all)
{
	const struct query_options *o = all->options;

	all->count = (size_t)o->count;
	if ((all->list = calloc(all->count, sizeof(*all->list))) == NULL)
		query_no_memory();
	for (size_t i = 0; i < all->count; i++) {
		struct journey *j = &all->list[i];

		j->all = all;
		query_report_start(&j->report, o->words[i], sts_clock_now());
		read_key(&j->report, o->words[i]);
	}
}

int
query_domains(const struct query_options *o, const struct site *site,
    const struct query_look *look)
{
	struct journeys all = { .options = o,
		.site = site,
		.rules = rules_of(site->config),
		.style = style_of(site->config) };
	int status = QUERY_EXIT_CONFIG;
	bool failed = false;

	if (!open_store(&all) || !read_overrides(&all))
		goto done;
	make_engine(&all);
	make_list(&all);
	while (run_round(&all, &failed))
		continue;
	status = QUERY_EXIT_INTERNAL;
	if (failed)
		complain("event loop", "it failed");
	else
		status = tell(&all, look);
done:
	end(&all);
	return status;
}
