/* SPDX-License-Identifier: MIT */
#include "query_visit.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "idn.h"
#include "query_beside.h"
#include "query_trace.h"
#include "tlsa.h"

/* A journey asks DNS for the MX, for the addresses of its hosts, whether a host is an
 * alias, for TLSA at the end of the chain and at its beginning, and how far the resolver
 * can be trusted, one after the other; and a name's CNAME may have to be asked for. */
#define LOOKUPS 10
/* The daemon is asked, and waited for, while the first questions are on their way. */
#define ASK_DAEMON_MS 1

struct query_visit {
	struct query_tools *tools;
	struct query_report report;
	query_on_visited *on;
	void *arg;
	int64_t began_ms;

	/* Each of these is NULL when it has ended, or is not wanted. */
	struct sts_wait *wait;
	struct query_beside *beside;
	struct sts_timer *daemon;
	struct query_probe *probe;

	/* What came of the journey */
	enum sts_err err;
	enum sts_hope hope;
	struct sts_buf bytes; /* that the entry's views point into */
	struct sts_entry entry;
	bool has_entry;

	struct query_cached cached;
	uint32_t probed; /* the MX hosts that are probed, by number */
	bool traveled, asked_daemon, concluded, has_probed;
};
_Static_assert(STS_MX_EXAMINED <= 32, "a bit for each host");

static struct sts_str
domain_of(const struct query_visit *v)
{
	return (struct sts_str){ v->report.key.domain, v->report.key.domain_n };
}

static struct sts_target
target_of(const struct query_visit *v)
{
	return (struct sts_target){ v->report.key.brackets, v->report.key.port };
}

/*
 * Beginning and ending.
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
		key->domain_n = r->is_domain ? strlen(ascii) : 0;
		if (!r->is_domain)
			return;
		memcpy(key->domain, ascii, key->domain_n + 1);
	}
	if (sts_idn_to_unicode((struct sts_str){ key->domain, key->domain_n }, r->unicode,
		sizeof(r->unicode)) != STS_OK ||
	    strncmp(r->unicode, key->domain, key->domain_n + 1) == 0)
		r->unicode[0] = '\0';
}

struct query_visit *
query_visit_new(struct query_tools *tools, const char *word)
{
	struct query_visit *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->tools = tools;
	query_report_start(&v->report, word, sts_clock_now());
	read_key(&v->report, word);
	return v;
}

void
query_visit_free(struct query_visit *v)
{
	if (v == NULL)
		return;
	sts_engine_forget(v->wait);
	query_beside_free(v->beside);
	sts_timer_free(v->daemon);
	query_probe_free(v->probe);
	query_report_done(&v->report);
	query_cached_done(&v->cached);
	sts_buf_done(&v->bytes);
	free(v);
}

bool
query_visit_is_same(const struct query_visit *a, const struct query_visit *b)
{
	return a->report.is_domain && b->report.is_domain &&
	    sts_str_eq(domain_of(a), domain_of(b));
}

const struct query_report *
query_visit_report(const struct query_visit *v)
{
	return &v->report;
}

const char *
query_visit_awaits(const struct query_visit *v)
{
	const struct query_report *r = &v->report;

	if (v->traveled)
		return v->concluded ? "the MX hosts" : "DNS";
	if (!r->has_record_fact)
		return "the _mta-sts record";
	if (!r->has_mx_fact && !r->key.brackets)
		return "the MX records";
	if (r->record_err == STS_OK && !r->has_host_fact && r->host_count == 0)
		return "the policy host's addresses";
	if (r->has_host_fact && r->host_err == STS_OK && !r->has_fetch)
		return "the policy host";
	return "what DNS says of the MX hosts";
}

/*
 * Telling, with -v.
 */
static void
say(struct query_visit *v, struct sts_buf *line)
{
	query_progress_say(v->tools->progress, sts_buf_str(line));
	sts_buf_done(line);
}

static void
begin_line(const struct query_visit *v, struct sts_buf *line)
{
	query_trace_begin(line, domain_of(v), sts_clock_now_ms() - v->began_ms);
}

/*
 * Concluding: when the journey has ended, what is asked beside it is answered, and the
 * daemon has been asked. What the MX hosts say is judged by the conclusion.
 */
static struct query_context
context_of(const struct query_visit *v)
{
	const struct query_tools *tools = v->tools;
	int64_t now = sts_clock_now();
	struct query_context context = { .rules = &tools->rules,
		.style = &tools->style,
		.now = now,
		.servers = tools->site->config->dns_servers,
		.culprit = tools->trust.server,
		.distrusts = tools->site->dnssec == CONFIG_OFF,
		.ca_file = tools->site->config->ca_file,
		.verbose = tools->options->verbose };

	if (context.ca_file == NULL)
		context.ca_file = file_ca_bundle();
	if (v->report.is_domain)
		context.override = overrides_find(tools->overrides, domain_of(v), now);
	return context;
}

static void
finish(struct query_visit *v)
{
	v->report.ms = sts_clock_now_ms() - v->began_ms;
	v->on(v->arg);
}

static void
judge_probe(struct query_visit *v)
{
	struct query_context context = context_of(v);
	const struct query_smtp *list;
	size_t count;

	list = query_probe_tell(v->probe, &v->report, &count);
	query_report_smtp(&v->report, list, count, &context);
}

/* Each that ends asks whether it was the last. */
static void
go_on(struct query_visit *v)
{
	struct query_context context;

	if (!v->concluded) {
		if (!v->traveled || !v->asked_daemon || !query_beside_is_done(v->beside))
			return;
		context = context_of(v);
		query_report_conclude(&v->report, v->err, v->hope,
		    v->has_entry ? &v->entry : NULL, &context);
		v->concluded = true;
	}
	if (v->probe != NULL && !v->has_probed)
		return;
	if (v->probe != NULL)
		judge_probe(v);
	finish(v);
}

/*
 * The MX hosts, as soon as it is known where they are.
 */
static void
on_probed(void *arg)
{
	struct query_visit *v = arg;
	struct sts_buf line = { 0 };

	begin_line(v, &line);
	sts_put_text(&line, "SMTP: all MX hosts were looked at");
	say(v, &line);
	v->has_probed = true;
	go_on(v);
}

/* An alias may have its TLSA records at either name, and Postfix asks for a certificate
 * of the one that has them. */
static bool
is_settled(const struct sts_dane_look *look, size_t n)
{
	const struct sts_dane_host *h = &look->hosts[n];

	return h->fact[STS_DANE_A].known && h->fact[STS_DANE_AAAA].known &&
	    (sts_str_eq_nocase(h->name, h->final) ||
		sts_dane_host_state(look, n) != STS_HOST_WAITS);
}

static void
probe_host(struct query_visit *v, size_t n)
{
	const struct query_host *h = &v->report.hosts[n];
	bool is_dane = h->state == STS_HOST_U && h->base.n > 0;

	v->probed |= UINT32_C(1) << n;
	if (h->address_count > 0)
		query_probe_host(v->probe, h->name, is_dane ? h->base : h->name,
		    h->addresses, h->address_count);
}

/* last: nothing more will be known of them. */
static void
probe_hosts(struct query_visit *v, const struct sts_dane_look *look, bool last)
{
	if (v->probe == NULL || look == NULL)
		return;
	for (size_t i = 0; i < look->host_count && i < v->report.host_count; i++)
		if ((v->probed >> i & 1) == 0 && (last || is_settled(look, i)))
			probe_host(v, i);
}

static void
end_probe(struct query_visit *v)
{
	if (v->probe == NULL || !v->traveled || !query_beside_is_done(v->beside))
		return;
	query_probe_end(v->probe, on_probed, v);
}

/*
 * What is asked beside the journey.
 */
static void
on_beside(void *arg)
{
	struct query_visit *v = arg;

	probe_hosts(v, query_beside_hosts(v->beside), query_beside_is_done(v->beside));
	end_probe(v);
	go_on(v);
}

/*
 * The daemon.
 */
static void
know(struct query_visit *v, enum query_control_err err, const char *why)
{
	bool has = err == QUERY_CONTROL_OK;
	struct sts_buf line = { 0 };

	query_report_known(&v->report,
	    &(struct query_known){ .asked = true,
		.err = err,
		.why = sts_str_of(why),
		.version = sts_str_of(v->cached.version),
		.entry = has ? &v->cached.entry : NULL,
		.now = v->cached.now,
		.refresh = v->cached.refresh });
	begin_line(v, &line);
	query_trace_daemon(&line, err, why);
	say(v, &line);
	v->asked_daemon = true;
}

/* Whoever was turned away once is not asked for the next domain. */
static void
ask_daemon(struct query_visit *v)
{
	struct query_tools *tools = v->tools;
	enum query_control_err err = tools->daemon_err;

	if (err == QUERY_CONTROL_OK) {
		tools->daemon_why[0] = '\0';
		err = query_control_show(tools->site->config, domain_of(v), &v->cached,
		    tools->daemon_why, sizeof(tools->daemon_why));
		if (err != QUERY_CONTROL_NONE)
			tools->daemon_err = err;
	}
	know(v, err, tools->daemon_why);
}

static void
on_daemon(void *arg)
{
	struct query_visit *v = arg;

	if (!v->report.is_domain) { /* nothing to be asked of anybody */
		finish(v);
		return;
	}
	ask_daemon(v);
	go_on(v);
}

/*
 * The journey.
 */

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
trace_event(struct query_visit *v, const struct sts_event *event)
{
	struct sts_buf line = { 0 };

	begin_line(v, &line);
	if (query_trace_event(&line, event))
		say(v, &line);
	sts_buf_done(&line);
}

static void
learn(struct query_visit *v, const struct sts_event *event)
{
	const struct sts_dane_look *look = &event->lookup->dane;
	struct query_report *r = &v->report;

	switch (event->what) {
	case STS_EVENT_FACT:
		query_report_fact(r, event->need, event->fact, event->ms);
		query_beside_fact(v->beside, event->need);
		break;
	case STS_EVENT_FETCHED:
		query_report_fetched(r, event->fetched);
		break;
	case STS_EVENT_HOST:
		query_report_host(r, look, event->host, event->step, event->answer,
		    is_usable);
		probe_hosts(v, look, false);
		break;
	case STS_EVENT_DONE:
		query_report_look(r, look);
		if (look->has_hosts)
			probe_hosts(v, look, true);
		break;
	case STS_EVENT_POLICY:
	case STS_EVENT_TROUBLE:
	case STS_EVENT_TRUST:
		break;
	}
}

void
query_visit_event(struct query_visit *v, const struct sts_event *event)
{
	if (v->wait == NULL || !sts_str_eq(domain_of(v), event->domain))
		return;
	if (query_progress_is_verbose(v->tools->progress))
		trace_event(v, event);
	learn(v, event);
}

/* The entry lives for this call; the rest of the look may take longer. */
static void
keep_entry(struct query_visit *v, const struct sts_entry *entry)
{
	sts_entry_write(entry, &v->bytes);
	if (v->bytes.bad)
		query_no_memory();
	v->has_entry = sts_entry_read(sts_buf_str(&v->bytes), &v->entry) == STS_OK;
	if (!v->has_entry)
		v->err = STS_ERR_INTERNAL;
}

static void
on_outcome(void *arg, const struct sts_outcome *outcome)
{
	struct query_visit *v = arg;

	v->wait = NULL;
	v->traveled = true;
	v->err = outcome->err;
	v->hope = outcome->hope;
	if (outcome->entry != NULL)
		keep_entry(v, outcome->entry);
	end_probe(v);
	go_on(v);
}

static void
travel(struct query_visit *v)
{
	struct query_tools *tools = v->tools;
	const struct config *c = tools->site->config;
	int64_t wait_ms = LOOKUPS * c->dns_timeout_ms + c->fetch_timeout_ms;

	v->wait = sts_engine_ask(tools->engine, domain_of(v), target_of(v),
	    STS_START_FRESH, wait_ms, on_outcome, v);
	v->beside = query_beside_new(tools, &v->report, on_beside, v);
	if (tools->probes != NULL)
		v->probe = query_probe_new(tools->probes, v->report.key.port);
	if (v->wait == NULL || v->beside == NULL ||
	    (tools->probes != NULL && v->probe == NULL))
		query_no_memory();
}

void
query_visit_start(struct query_visit *v, query_on_visited *on, void *arg)
{
	struct query_context context;

	v->on = on;
	v->arg = arg;
	v->report.started = sts_clock_now();
	v->began_ms = sts_clock_now_ms();
	v->daemon = sts_timer_new(v->tools->loop, on_daemon, v);
	if (v->daemon == NULL || sts_timer_set(v->daemon, ASK_DAEMON_MS) == -1)
		query_no_memory();
	if (v->report.is_domain) {
		travel(v);
		return;
	}
	context = context_of(v);
	query_report_conclude(&v->report, STS_OK, STS_HOPE_DONE, NULL, &context);
}
