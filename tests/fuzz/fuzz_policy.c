/* SPDX-License-Identifier: MIT */
/*
 * Any text as a policy file. Whatever is accepted can be answered with: a bounded
 * max_age, patterns that are host names inside the text, at least one of them unless
 * the mode is none. Taking notes changes nothing, and an error is never silent.
 */
#include "policy.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "bounds.h"
#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static bool
is_inside(struct sts_str view, struct sts_str text)
{
	return view.p >= text.p && view.p + view.n <= text.p + text.n;
}

struct notes {
	struct sts_str text;
	size_t errors;
	size_t line; /* of the last note */
	size_t lines;
};

static void
on_note(void *arg, enum sts_policy_note note, size_t line, struct sts_str text)
{
	struct notes *n = arg;

	must(note < STS_NOTES);
	must(
	    sts_policy_note_text(note)[0] != '\0' && sts_policy_note_id(note)[0] != '\0');
	must(is_inside(text, n->text));
	must(line == 0 || (line >= n->line && line <= n->lines));
	if (line != 0)
		n->line = line;
	if (note < STS_NOTE_FIRST_WARNING)
		n->errors++;
}

static size_t
count_lines(struct sts_str rest)
{
	struct sts_str line;
	size_t n = 0;

	while (sts_policy_line(&rest, &line)) {
		must(line.n == 0 || memchr(line.p, '\n', line.n) == NULL);
		n++;
	}
	return n;
}

static void
check_pattern(struct sts_str pattern, struct sts_str text)
{
	struct sts_addr addr;

	must(is_inside(pattern, text));
	must(sts_name_is_pattern(pattern) && !sts_name_is_single_label(pattern));
	must(!sts_name_has_numeric_top(pattern) && !sts_addr_parse(pattern, &addr));
	must(!sts_str_ends(pattern, STS_STR(".")));
}

static void
check_accepted(const struct sts_policy *policy, struct sts_str text)
{
	struct sts_str rest = policy->text, pattern;
	size_t usable = 0, all = 0;

	must(text.n <= STS_POLICY_MAX && is_inside(policy->text, text));
	must(policy->max_age <= STS_MAX_AGE_MAX);
	must(sts_mode_text(policy->mode)[0] != '\0');
	while (sts_policy_mx(&rest, &pattern)) {
		check_pattern(pattern, policy->text);
		usable++;
	}
	for (rest = policy->text; sts_policy_mx_all(&rest, &pattern); all++)
		must(sts_name_is_pattern(pattern));
	must(usable == policy->mx_count && usable <= all);
	must(usable > 0 || policy->mode == STS_MODE_NONE);
}

/* A valid policy stays what it is when a field is said again, differently. */
static void
check_first_wins(const struct sts_policy *policy, struct sts_str text)
{
	static const char again[] = "\nversion: 9\nmode: none\nmode\nmax_age: 1\nfoo\n";
	static char longer[STS_POLICY_MAX + sizeof(again)];
	struct sts_policy same;

	if (text.n + sizeof(again) > STS_POLICY_MAX)
		return;
	memcpy(longer, text.p, text.n);
	memcpy(longer + text.n, again, sizeof(again) - 1);
	must(sts_policy_parse((struct sts_str){ longer, text.n + sizeof(again) - 1 },
		 &same, NULL, NULL) == STS_OK);
	must(same.mode == policy->mode && same.max_age == policy->max_age &&
	    same.mx_count == policy->mx_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str text = { (const char *)data, size };
	struct sts_policy quiet = { .max_age = 77 }, noted = { .max_age = 77 };
	struct notes notes = { .text = text, .lines = count_lines(text) };
	enum sts_err err = sts_policy_parse(text, &quiet, NULL, NULL);

	must(err == STS_OK || err == STS_ERR_POLICY_SYNTAX);
	must(sts_policy_parse(text, &noted, on_note, &notes) == err);
	must((notes.errors == 0) == (err == STS_OK));
	must(quiet.mode == noted.mode && quiet.max_age == noted.max_age &&
	    quiet.mx_count == noted.mx_count && quiet.text.p == noted.text.p &&
	    quiet.text.n == noted.text.n);
	if (err != STS_OK) {
		must(quiet.text.p == NULL && quiet.max_age == 77);
		return 0;
	}
	check_accepted(&quiet, text);
	check_first_wins(&quiet, text);
	return 0;
}
