/* SPDX-License-Identifier: MIT */
#include "query_asking.h"

#include <stdio.h>

#include "bounds.h"
#include "query_exit.h"
#include "query_lint.h"

#define OUT_PIECE 65536

int
asking_say(const char *what, const char *why)
{
	fprintf(stderr, "stsd-query: %s%s%s\n", what, *what == '\0' ? "" : ": ", why);
	return QUERY_EXIT_UNAVAILABLE;
}

/* A long list goes out piece by piece. */
bool
asking_flush(struct query_asking *a)
{
	if (a->out.n < OUT_PIECE && !a->out.bad)
		return true;
	a->status = query_say(&a->out, a->status);
	return a->status != QUERY_EXIT_INTERNAL;
}

bool
asking_fail(struct query_asking *a)
{
	a->status = asking_say("", query_control_why(a->control));
	return false;
}

bool
asking_fail_words(struct query_asking *a)
{
	a->status = asking_say(a->config->control_socket,
	    "stsd answers in words that are not known");
	return false;
}

/* True: the answer is in words. */
bool
asking_ask(struct query_asking *a, struct sts_buf *request, int64_t wait_ms,
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
	return asking_fail(a);
}

void
asking_say_none(struct query_asking *a, struct sts_str domain, const char *what)
{
	fprintf(stderr, "stsd-query: %.*s: %s\n", (int)domain.n, domain.p, what);
	a->status = query_exit_worse(a->status, QUERY_EXIT_NO_POLICY);
}

bool
asking_walk(struct query_asking *a, const char *verb, asking_on_tuple *take)
{
	struct sts_buf request = { 0 };
	char after[STS_NAME_MAX + 1] = "";
	bool good = true;

	do {
		struct control_words words;
		struct sts_str next;

		control_put_start(&request, verb);
		control_put_word(&request, sts_str_of(after));
		good = asking_ask(a, &request, QUERY_LIST_WAIT_MS, &words);
		if (!good)
			break;
		next = control_take_word(&words);
		(void)snprintf(after, sizeof(after), "%.*s", (int)next.n,
		    next.n > 0 ? next.p : "");
		while (good && control_has_more(&words))
			good = take(a, &words);
		if (good && !control_is_over(&words))
			good = asking_fail_words(a);
		good = good && asking_flush(a);
	} while (good && after[0] != '\0');
	sts_buf_done(&request);
	return good;
}
