/* SPDX-License-Identifier: MIT */
#include "query_lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "name.h"
#include "query_exit.h"
#include "query_json.h"

/* What is larger than a policy may be is judged as such, not read to its end. */
#define READ_MAX (2 * (size_t)STS_POLICY_MAX)

int
query_say(struct sts_buf *b, int status)
{
	if (b->bad)
		query_no_memory();
	if ((b->n > 0 && fwrite(b->p, 1, b->n, stdout) != b->n) ||
	    fflush(stdout) == EOF) {
		fprintf(stderr, "stsd-query: standard output: %s\n", strerror(errno));
		status = QUERY_EXIT_INTERNAL;
	}
	sts_buf_done(b);
	return status;
}

static void
put_policy_json(struct sts_buf *to, const struct query_findings *f,
    const struct sts_policy *policy)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_bool(&w, "valid", policy != NULL);
	if (policy != NULL) {
		query_text(&w, "mode", sts_mode_text(policy->mode));
		query_number(&w, "max_age", policy->max_age);
		query_json_patterns(&w, policy);
	} else {
		query_null(&w, "mode");
		query_null(&w, "max_age");
		query_open(&w, "mx", '[');
		query_close(&w, ']');
	}
	query_json_findings(&w, f);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}

static void
put_policy_text(struct sts_buf *to, const char *name, const struct query_findings *f,
    const struct sts_policy *policy, const struct query_look *look)
{
	sts_put_escaped(to, sts_str_of(name));
	sts_put_text(to, policy != NULL ? ": valid, mode " : ": invalid\n");
	if (policy != NULL) {
		sts_put_text(to, sts_mode_text(policy->mode));
		sts_put_text(to, ", for ");
		sts_put_number(to, policy->max_age);
		sts_put_text(to, " seconds\n");
	}
	if (!look->quiet)
		query_text_findings(to, f, "  ", look);
}

/* Not /dev/stdin, which cannot be opened anew when it is a socket or another's terminal. */
static int
read_input(struct sts_buf *to)
{
	char chunk[4096];
	size_t n;

	while (to->n <= READ_MAX && (n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		sts_put(to, (struct sts_str){ chunk, n });
	if (to->bad)
		query_no_memory();
	return ferror(stdin) ? -1 : 0;
}

int
query_lint_policy(const struct query_options *o, const struct query_look *look)
{
	const char *name = o->words[0];
	bool is_input = strcmp(name, "-") == 0;
	struct query_findings f = { 0 };
	struct sts_buf text = { 0 }, out = { 0 };
	struct sts_policy policy;
	bool valid;
	int result = is_input ? read_input(&text) : file_read(name, READ_MAX, &text);

	if (result == -1 && errno != EFBIG) {
		fprintf(stderr, "stsd-query: %s: %s\n", name, strerror(errno));
		sts_buf_done(&text);
		return QUERY_EXIT_NO_INPUT;
	}
	valid = query_judge_policy(&f, sts_buf_str(&text), &policy) == STS_OK;
	if (o->json)
		put_policy_json(&out, &f, valid ? &policy : NULL);
	else
		put_policy_text(&out, is_input ? "standard input" : name, &f,
		    valid ? &policy : NULL, look);
	query_findings_done(&f);
	sts_buf_done(&text);
	return query_say(&out, valid ? 0 : QUERY_EXIT_DATA);
}

static void
put_record_json(struct sts_buf *to, const struct query_findings *f, enum sts_err err,
    struct sts_str id)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_text(&w, "status", query_record_status(err));
	if (err == STS_OK)
		query_string(&w, "id", id);
	else
		query_null(&w, "id");
	query_json_findings(&w, f);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}

static void
put_record_text(struct sts_buf *to, const struct query_findings *f, enum sts_err err,
    struct sts_str id, const struct query_look *look)
{
	sts_put_text(to, query_record_status(err));
	if (err == STS_OK) {
		sts_put_text(to, ", id ");
		sts_put(to, id);
	}
	sts_put_char(to, '\n');
	if (!look->quiet)
		query_text_findings(to, f, "  ", look);
}

int
query_lint_record(const struct query_options *o, const struct query_look *look)
{
	size_t count = (size_t)o->count;
	struct query_findings f = { 0 };
	struct query_keep keep = { NULL };
	struct sts_str *texts = query_room(&keep, count * sizeof(*texts));
	struct sts_str id = STS_STR_NONE;
	struct sts_buf out = { 0 };
	enum sts_err err;

	for (size_t i = 0; i < count; i++)
		texts[i] = sts_str_of(o->words[i]);
	err = query_judge_record(&f, texts, count, &id);
	if (o->json)
		put_record_json(&out, &f, err, id);
	else
		put_record_text(&out, &f, err, id, look);
	query_findings_done(&f);
	query_keep_done(&keep);
	return query_say(&out, err == STS_OK ? 0 : QUERY_EXIT_DATA);
}

int
query_match(const struct query_options *o)
{
	struct sts_str pattern = sts_str_of(o->words[0]), host = sts_str_of(o->words[1]);
	bool matches = sts_name_matches(pattern, host);
	struct sts_buf out = { 0 };

	if (!sts_name_is_pattern(pattern))
		fprintf(stderr, "stsd-query: no mx pattern of RFC 8461 section 3.2\n");
	if (!o->quiet)
		sts_put_text(&out, matches ? "yes\n" : "no\n");
	return query_say(&out, matches ? 0 : 1);
}
