/* SPDX-License-Identifier: MIT */
/* Whether the resolver validates; see selftest.h. */
#include "selftest.h"

#include <stdlib.h>

#include "bounds.h"

/* How long the other servers may take once one has answered. */
#define OTHERS_MS 300

/* One server's part of a test. */
struct part {
	struct sts_selftest *test;
	struct sts_question *question; /* NULL: not asked, or answered */
	size_t server;
	bool answered, ad;
	enum sts_err err;
	int16_t ede;
};

struct sts_selftest {
	struct sts_loop *loop;
	struct sts_resolve *resolve;
	sts_on_trust *on;
	void *arg;
	struct sts_timer *patience, *next;
	bool running, known;
	struct sts_trust trust;
	int64_t ended_ms;
	size_t count;
	struct part parts[];
};

static bool
is_answer(enum sts_err err)
{
	return err == STS_OK || err == STS_ERR_DNS_NODATA || err == STS_ERR_DNS_NXDOMAIN;
}

static void
name_server(struct sts_selftest *s, const struct part *p)
{
	(void)sts_resolve_server_text(s->resolve, p->server, s->trust.server);
}

/* All parts as one: a server without AD decides, then any with, then why there is none. */
static void
sum_up(struct sts_selftest *s)
{
	const struct part *without = NULL, *silent = NULL;
	bool any = false;

	for (size_t i = s->count; i-- > 0;) {
		const struct part *p = &s->parts[i];

		if (p->answered)
			any = true;
		else
			silent = p;
		if (p->answered && !p->ad)
			without = p;
	}
	s->trust = (struct sts_trust){ .err = STS_OK, .ede = -1, .ad = without == NULL };
	if (without != NULL)
		name_server(s, without);
	else if (silent != NULL)
		name_server(s, silent);
	if (any)
		return;
	s->trust.err = STS_ERR_INTERNAL;
	s->trust.ad = false;
	if (silent != NULL) {
		s->trust.err = silent->err;
		s->trust.ede = silent->ede;
	}
}

static void
finish(struct sts_selftest *s)
{
	s->running = false;
	sts_timer_stop(s->patience);
	for (size_t i = 0; i < s->count; i++) {
		sts_resolve_forget(s->parts[i].question);
		s->parts[i].question = NULL;
	}
	sum_up(s);
	s->known = true;
	s->ended_ms = sts_loop_ms(s->loop);
	s->on(s->arg, &s->trust);
}

static void
on_patience(void *arg)
{
	finish(arg);
}

static bool
is_waiting(const struct sts_selftest *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->parts[i].question != NULL)
			return true;
	return false;
}

static void
on_answer(void *arg, const struct sts_dns_answer *answer, int64_t ms)
{
	struct part *p = arg;
	struct sts_selftest *s = p->test;

	(void)ms;
	p->question = NULL;
	p->err = answer->err;
	p->ede = (int16_t)answer->ede;
	p->answered = is_answer(answer->err);
	p->ad = answer->ad;
	if (!is_waiting(s))
		finish(s);
	else if (p->answered)
		(void)sts_timer_set(s->patience, p->ad ? OTHERS_MS : 0);
}

int
sts_selftest_begin(struct sts_selftest *s)
{
	if (s->running)
		return 0;
	for (size_t i = 0; i < s->count; i++) {
		struct part *p = &s->parts[i];

		*p = (struct part){ .test = s,
			.server = i,
			.err = STS_ERR_DNS_TIMEOUT,
			.ede = -1 };
		p->question = sts_resolve_ask_server(s->resolve, i, STS_STR("."),
		    STS_DNS_SOA, on_answer, p);
	}
	if (!is_waiting(s))
		return -1;
	s->running = true;
	return 0;
}

static void
on_next(void *arg)
{
	struct sts_selftest *s = arg;

	(void)sts_selftest_begin(s);
	(void)sts_timer_set(s->next, STS_SELFTEST_INTERVAL * INT64_C(1000));
}

int
sts_selftest_repeat(struct sts_selftest *s)
{
	return sts_timer_set(s->next, 0);
}

/* Trouble of our own says nothing about the servers, and is over before theirs. */
static bool
is_ours(enum sts_err err)
{
	return err >= STS_ERR_NOMEM;
}

const struct sts_trust *
sts_selftest_result(const struct sts_selftest *s)
{
	bool fresh = is_answer(s->trust.err) ||
	    (!is_ours(s->trust.err) &&
		sts_loop_ms(s->loop) - s->ended_ms < STS_FAILED_TTL * INT64_C(1000));

	return s->known && fresh ? &s->trust : NULL;
}

struct sts_selftest *
sts_selftest_new(struct sts_loop *loop, struct sts_resolve *resolve, sts_on_trust *on,
    void *arg)
{
	size_t count = sts_resolve_servers(resolve);
	struct sts_selftest *s = calloc(1, sizeof(*s) + count * sizeof(s->parts[0]));

	if (s == NULL)
		return NULL;
	s->loop = loop;
	s->resolve = resolve;
	s->on = on;
	s->arg = arg;
	s->count = count;
	s->patience = sts_timer_new(loop, on_patience, s);
	s->next = sts_timer_new(loop, on_next, s);
	if (s->patience == NULL || s->next == NULL) {
		sts_selftest_free(s);
		return NULL;
	}
	return s;
}

void
sts_selftest_free(struct sts_selftest *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		sts_resolve_forget(s->parts[i].question);
	sts_timer_free(s->patience);
	sts_timer_free(s->next);
	free(s);
}
