/* SPDX-License-Identifier: MIT */
/* What an administrator tells the running daemon to do with a domain. */
#include <stdio.h>

#include "query_asking.h"
#include "query_exit.h"
#include "query_judge.h"

/* What a refresh may take beyond what the daemon waits for it. */
#define REFRESH_SLACK_MS 5000

/* In the same second there may have been another fetch before, with another end: after a
 * failure it is counted. */
static bool
is_fetched(const struct sts_entry *e, int64_t asked_at)
{
	return e->fetched >= asked_at && e->failures == 0;
}

/* What came of a fetch that an administrator wanted. */
static void
put_refreshed(struct query_asking *a, struct sts_str domain, bool done,
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
	} else if (is_fetched(e, asked_at)) {
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
bool
query_refresh(struct query_asking *a, struct sts_str domain)
{
	struct query_cached cached = { .now = 0 };
	struct sts_buf request = { 0 };
	struct control_words words;
	struct sts_str state;
	int64_t asked_at;
	bool good, done;

	control_put_start(&request, "hello");
	good = asking_ask(a, &request, QUERY_CONTROL_WAIT_MS, &words);
	if (good) {
		(void)control_take_word(&words);
		asked_at = control_take_number(&words);
		control_put_start(&request, "refresh");
		control_put_word(&request, domain);
		good = asking_ask(a, &request,
		    a->config->answer_timeout_ms + REFRESH_SLACK_MS, &words);
	}
	if (good) {
		state = control_take_word(&words);
		done = sts_str_eq(state, STS_STR("done"));
		good = query_control_take_entry(a->control, &words, &cached) ==
		    QUERY_CONTROL_OK;
		if (good)
			put_refreshed(a, domain, done, &cached, asked_at);
		else
			(void)asking_fail(a);
	}
	sts_buf_done(&request);
	query_cached_done(&cached);
	return good;
}

bool
query_forget(struct query_asking *a, struct sts_str domain)
{
	struct sts_buf request = { 0 };
	struct control_words words;
	enum query_control_err err;

	control_put_start(&request, "forget");
	control_put_word(&request, domain);
	err = query_control_ask(a->control, &request, QUERY_COMMIT_WAIT_MS, &words);
	sts_buf_done(&request);
	if (err == QUERY_CONTROL_NONE)
		asking_say_none(a, domain, "nothing is kept of it");
	else if (err != QUERY_CONTROL_OK)
		return asking_fail(a);
	return true;
}
