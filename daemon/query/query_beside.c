/* SPDX-License-Identifier: MIT */
#include "query_beside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "query_trace.h"

enum about {
	ABOUT_ASIDE, /* what */
	ABOUT_HOST,  /* host, step */
	ABOUT_STRAY, /* the addresses of a policy host that no record announces */
};

/* A question that is open. */
struct asking {
	struct asking *next;
	struct query_beside *beside;
	struct sts_question *dns;
	enum about about;
	enum query_aside what;
	size_t host;
	enum sts_dane_step step;
	enum sts_dns_type type;
	char name[STS_NAME_MAX + 1];
};

struct query_beside {
	struct query_tools *tools;
	struct query_report *report;
	query_on_beside *on;
	void *arg;
	int64_t began_ms;
	struct asking *open;

	/* The MX hosts */
	bool has_hosts;
	struct sts_dane_look hosts;
	struct sts_fact mx;

	/* A policy without a record */
	unsigned stray_open; /* address families that were not told yet */
	struct sts_fetch *fetch;
	struct sts_addr addresses[2 * STS_ADDRESSES_MAX];
	size_t address_count;
};

static struct sts_str
domain_of(const struct query_beside *b)
{
	return (struct sts_str){ b->report->key.domain, b->report->key.domain_n };
}

/*
 * Asking.
 */
static void
end(struct asking *a)
{
	struct asking **at = &a->beside->open;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	sts_resolve_forget(a->dns);
	free(a);
}

static void
trace(struct query_beside *b, const struct asking *a, const struct sts_dns_answer *answer)
{
	struct sts_buf line = { 0 };

	if (query_progress_is_verbose(b->tools->progress)) {
		query_trace_begin(&line, domain_of(b), sts_clock_now_ms() - b->began_ms);
		query_trace_answer(&line, a->name, a->type, answer);
		query_progress_say(b->tools->progress, sts_buf_str(&line));
	}
	sts_buf_done(&line);
}

static void on_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms);

/* prefix in front of a name, which may be too long for it: then there is no such name,
 * and nothing to ask. */
static struct asking *
ask(struct query_beside *b, enum about about, const char *prefix, struct sts_str name,
    enum sts_dns_type type)
{
	struct asking *a = calloc(1, sizeof(*a));
	int n;

	if (a == NULL)
		query_no_memory();
	a->beside = b;
	a->about = about;
	a->type = type;
	a->next = b->open;
	b->open = a;
	n = snprintf(a->name, sizeof(a->name), "%s%.*s", prefix, (int)name.n, name.p);
	if (n < 0 || (size_t)n >= sizeof(a->name)) {
		end(a);
		return NULL;
	}
	a->dns =
	    sts_resolve_ask(b->tools->resolve, sts_str_of(a->name), type, on_answer, a);
	if (a->dns == NULL)
		query_no_memory();
	return a;
}

static void
ask_aside(struct query_beside *b, enum query_aside what, const char *prefix,
    enum sts_dns_type type)
{
	struct asking *a = ask(b, ABOUT_ASIDE, prefix, domain_of(b), type);

	if (a != NULL)
		a->what = what;
}

/*
 * The MX hosts, by the rules of DANE for hosts of which nothing is signed.
 */
static void
ask_hosts(struct query_beside *b)
{
	struct sts_dane_question question;

	while (sts_dane_ask(&b->hosts, &question)) {
		struct asking *a = ask(b, ABOUT_HOST, "",
		    (struct sts_str){ question.name, question.name_n }, question.type);

		if (a == NULL)
			continue;
		a->host = question.host;
		a->step = question.step;
	}
}

static void
learn_host(struct query_beside *b, const struct asking *a,
    const struct sts_dns_answer *answer)
{
	struct query_report *r = b->report;
	struct sts_dane_fact fact = { .err = answer->err,
		.ede = (int16_t)answer->ede,
		.ttl = answer->ttl };
	struct sts_str final = STS_STR_NONE;

	if (answer->chain > 0)
		final = query_keep(&r->keep, answer->final_name);
	sts_dane_tell(&b->hosts, a->host, a->step, &fact, final);
	query_report_host(r, &b->hosts, a->host, a->step, answer, NULL);
	/* What these questions cannot say anything about. */
	for (size_t i = 0; i < r->host_count; i++)
		r->hosts[i].state = STS_HOST_WAITS;
	ask_hosts(b);
}

/* The MX as the report keeps it; nothing in it is signed. */
static void
set_mx(struct query_beside *b)
{
	struct query_report *r = b->report;
	struct sts_str *names = query_room(&r->keep, r->mx_count * sizeof(*names));
	uint16_t *preferences = query_room(&r->keep, r->mx_count * sizeof(*preferences));

	for (size_t i = 0; i < r->mx_count; i++) {
		names[i] = r->mx[i].host;
		preferences[i] = r->mx[i].preference;
	}
	b->mx = (struct sts_fact){ .err = r->mx_err,
		.ede = -1,
		.texts = names,
		.preferences = preferences,
		.count = r->mx_count };
}

/* Where the resolver does not validate, or is not believed, the journey ends there. */
static bool
is_left_alone(const struct query_beside *b)
{
	const struct query_report *r = b->report;
	bool validates = r->trust_err != STS_OK || r->trust_ad;

	return r->has_trust_fact && (!validates || !b->tools->rules.believe) &&
	    (r->has_mx_fact || r->key.brackets);
}

static void
look_at_hosts(struct query_beside *b)
{
	static const struct sts_dane nothing = { 0 };
	static const struct sts_fact trust = { .ede = -1, .ad = true };
	const struct query_report *r = b->report;

	if (b->has_hosts || !is_left_alone(b))
		return;
	b->has_hosts = true;
	set_mx(b);
	b->hosts = (struct sts_dane_look){ .domain = domain_of(b),
		.target = { r->key.brackets, r->key.port },
		.believe = true,
		.whole = true,
		.every = true };
	if ((sts_dane_run(&b->hosts, &nothing, &trust, &trust,
		 r->key.brackets ? NULL : &b->mx, sts_clock_now()) &
		STS_NEED_HOSTS) != 0)
		ask_hosts(b);
}

/*
 * A policy without a record: senders never look.
 */
static void
on_fetched(void *arg, const struct sts_fetched *fetched)
{
	struct query_beside *b = arg;

	b->fetch = NULL;
	query_report_stray(b->report, fetched);
	b->on(b->arg);
}

static bool
is_let_through(const struct query_beside *b, const struct sts_addr *address)
{
	const struct sts_rules *rules = &b->tools->rules;

	return sts_addr_is_public(address) ||
	    sts_nets_have(rules->allow, rules->allow_count, address);
}

static void
fetch_stray(struct query_beside *b)
{
	char host[16 + STS_NAME_MAX + 1];

	if (b->address_count == 0)
		return;
	(void)snprintf(host, sizeof(host), "mta-sts.%s", b->report->key.domain);
	b->fetch = sts_fetch_start(b->tools->fetcher, sts_str_of(host), b->addresses,
	    b->address_count, on_fetched, b);
	if (b->fetch == NULL)
		query_no_memory();
}

static void
learn_stray(struct query_beside *b, const struct asking *a,
    const struct sts_dns_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		struct sts_addr address = { .v6 = a->type == STS_DNS_AAAA };

		memcpy(address.bytes, answer->rr[i].data.p, address.v6 ? 16 : 4);
		if (is_let_through(b, &address) && b->address_count < STS_ADDRESSES_MAX)
			b->addresses[b->address_count++] = address;
	}
	if (--b->stray_open == 0)
		fetch_stray(b);
}

static void
look_for_stray(struct query_beside *b)
{
	const struct query_report *r = b->report;
	bool none =
	    r->record_err == STS_ERR_DNS_NODATA || r->record_err == STS_ERR_DNS_NXDOMAIN;

	if (!b->tools->options->verbose || !none)
		return;
	b->stray_open += ask(b, ABOUT_STRAY, "mta-sts.", domain_of(b), STS_DNS_A) != NULL;
	b->stray_open +=
	    ask(b, ABOUT_STRAY, "mta-sts.", domain_of(b), STS_DNS_AAAA) != NULL;
}

/*
 * The whole.
 */
static void
on_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms)
{
	struct asking *a = arg;
	struct query_beside *b = a->beside;

	a->dns = NULL;
	trace(b, a, answer);
	switch (a->about) {
	case ABOUT_ASIDE:
		query_report_aside(b->report, a->what, answer, ms);
		break;
	case ABOUT_HOST:
		learn_host(b, a, answer);
		break;
	case ABOUT_STRAY:
		learn_stray(b, a, answer);
		break;
	}
	end(a);
	b->on(b->arg);
}

struct query_beside *
query_beside_new(struct query_tools *tools, struct query_report *r, query_on_beside *on,
    void *arg)
{
	struct query_beside *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->tools = tools;
	b->report = r;
	b->on = on;
	b->arg = arg;
	b->began_ms = sts_clock_now_ms();
	ask_aside(b, QUERY_ASIDE_TLSRPT, "_smtp._tls.", STS_DNS_TXT);
	ask_aside(b, QUERY_ASIDE_DOMAIN, "", STS_DNS_TXT);
	ask_aside(b, QUERY_ASIDE_RECORD, "_mta-sts.", STS_DNS_CNAME);
	return b;
}

void
query_beside_free(struct query_beside *b)
{
	if (b == NULL)
		return;
	while (b->open != NULL)
		end(b->open);
	sts_fetch_cancel(b->fetch);
	free(b);
}

void
query_beside_fact(struct query_beside *b, enum sts_need need)
{
	switch (need) {
	case STS_NEED_RECORD:
		look_for_stray(b);
		break;
	case STS_NEED_MX:
	case STS_NEED_TRUST:
	case STS_NEED_TRUST_NOW:
		look_at_hosts(b);
		break;
	case STS_NEED_HOST:
	case STS_NEED_POLICY:
	case STS_NEED_STORED:
	case STS_NEED_HOSTS:
		break;
	}
}

bool
query_beside_is_done(const struct query_beside *b)
{
	return b->open == NULL && b->fetch == NULL;
}

const struct sts_dane_look *
query_beside_hosts(const struct query_beside *b)
{
	return b->has_hosts ? &b->hosts : NULL;
}
