/* SPDX-License-Identifier: MIT */
/* Policies from one host to another; see exchange.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange.h"
#include "file.h"
#include "query_asking.h"
#include "query_exit.h"
#include "query_keep.h"

/* A text that is read whole, since all of it is checked before any is taken. */
#define IMPORT_MAX ((size_t)2 << 30)
/* Of one request: what fits, with room for one more policy of any size, in a line. */
#define IMPORT_LINE 24576
/* As the daemon takes at once (control_desk.c). */
#define IMPORT_BATCH 512

static bool
take_exported(struct query_asking *a, struct control_words *words)
{
	struct sts_buf policy = { .limit = STS_POLICY_MAX };
	struct exchange_entry e;

	e.domain = control_take_word(words);
	e.id = control_take_word(words);
	e.fetched = control_take_number(words);
	e.max_age = (uint32_t)control_take_number(words);
	e.asked = control_take_number(words);
	control_take_bytes(words, &policy);
	e.policy = sts_buf_str(&policy);
	if (!words->bad)
		exchange_put_entry(&a->out, &e);
	a->count++;
	sts_buf_done(&policy);
	return !words->bad || asking_fail_words(a);
}

void
query_export(struct query_asking *a)
{
	exchange_put_start(&a->out);
	if (asking_walk(a, "export", take_exported))
		exchange_put_end(&a->out, a->count);
}

/*
 * --import.
 */
struct importing {
	struct query_asking *a;
	struct sts_buf request;
	size_t batched;
	int64_t stored, kept, expired;
};

static bool
send_batch(struct importing *i)
{
	struct control_words words;

	if (i->batched == 0)
		return true;
	i->batched = 0;
	if (!asking_ask(i->a, &i->request, QUERY_COMMIT_WAIT_MS, &words))
		return false;
	i->stored += control_take_number(&words);
	i->kept += control_take_number(&words);
	i->expired += control_take_number(&words);
	return control_is_over(&words) || asking_fail_words(i->a);
}

static bool
on_import(void *arg, const struct exchange_entry *e)
{
	struct importing *i = arg;

	if (i->batched == 0)
		control_put_start(&i->request, "import");
	control_put_word(&i->request, e->domain);
	control_put_word(&i->request, e->id);
	control_put_number(&i->request, e->fetched);
	control_put_number(&i->request, e->max_age);
	control_put_number(&i->request, e->asked);
	control_put_bytes(&i->request, e->policy);
	i->batched++;
	return (i->batched < IMPORT_BATCH && i->request.n < IMPORT_LINE) || send_batch(i);
}

static void
take_in(struct query_asking *a, const char *name, struct sts_str text)
{
	struct config_errors errors = { 0 };
	int64_t now = query_control_now(a->control);
	struct importing i = { .a = a };

	if (!exchange_read(text, name, now, NULL, NULL, &errors)) {
		for (size_t n = 0; n < errors.count; n++)
			fprintf(stderr, "%s\n", errors.lines[n]);
		if (errors.count == 0)
			query_no_memory();
		a->status = QUERY_EXIT_DATA;
	} else {
		(void)exchange_read(text, name, now, on_import, &i, &errors);
		if (a->status == 0)
			(void)send_batch(&i);
	}
	if (a->status == 0 && !a->look->quiet) {
		sts_put_number(&a->out, (uint64_t)i.stored);
		sts_put_text(&a->out, " stored, ");
		sts_put_number(&a->out, (uint64_t)i.kept);
		sts_put_text(&a->out, " kept as they were, ");
		sts_put_number(&a->out, (uint64_t)i.expired);
		sts_put_text(&a->out, " expired\n");
	}
	config_errors_done(&errors);
	sts_buf_done(&i.request);
}

void
query_import(struct query_asking *a)
{
	const char *name = a->o->words[0];
	bool input = strcmp(name, "-") == 0;
	struct sts_buf text = { 0 };
	int result;

	/* Not /dev/stdin, which cannot be opened anew when it is a socket, as of a remote
	 * shell, or another user's. */
	result = input ? file_read_fd(STDIN_FILENO, IMPORT_MAX, &text)
		       : file_read(name, IMPORT_MAX, &text);
	if (result == -1) {
		fprintf(stderr, "stsd-query: %s: %s\n", name, strerror(errno));
		a->status = errno == EFBIG ? QUERY_EXIT_DATA : QUERY_EXIT_NO_INPUT;
	} else {
		take_in(a, input ? "<stdin>" : name, sts_buf_str(&text));
	}
	sts_buf_done(&text);
}
