/* SPDX-License-Identifier: MIT */
#include "query_finding.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "query_exit.h"
#include "query_keep.h"
#include "record.h"

/* A policy may repeat one mistake on nine thousand lines. */
#define NOTES_LISTED 20
#define OBJECT_MAX 200

static struct query_finding *
add(struct query_findings *f, struct query_finding row)
{
	if (f->count == f->size) {
		size_t size = f->size == 0 ? 16 : 2 * f->size;
		struct query_finding *list = realloc(f->list, size * sizeof(*list));

		if (list == NULL)
			query_no_memory();
		f->list = list;
		f->size = size;
	}
	f->list[f->count] = row;
	return &f->list[f->count++];
}

struct query_finding *
query_find(struct query_findings *f, enum query_id id, struct sts_str object,
    struct sts_str detail)
{
	struct query_finding *new = add(f, query_row(id));

	new->object = object;
	new->detail = detail;
	return new;
}

/*
 * "Did you mean": the word that a letter or two make of what was written.
 */
#define WORD_MAX 16 /* none of ours is longer */
#define TYPOS_MAX 2

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Letters to be changed, added or taken out (Levenshtein), case aside; both words have
 * at most WORD_MAX. */
static size_t
typos(struct sts_str a, struct sts_str b)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		size_t corner = i;

		row[0] = i + 1;
		for (size_t j = 0; j < b.n; j++) {
			size_t same = sts_lower(a.p[i]) == sts_lower(b.p[j]) ? 0 : 1;
			size_t best = least(corner + same, least(row[j], row[j + 1]) + 1);

			corner = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[b.n];
}

static const struct word {
	struct sts_str word, hint;
} fields[] = {
	{ STS_STR("version"), STS_STR("did you mean version?") },
	{ STS_STR("mode"), STS_STR("did you mean mode?") },
	{ STS_STR("max_age"), STS_STR("did you mean max_age?") },
	{ STS_STR("mx"), STS_STR("did you mean mx?") },
}, modes[] = {
	{ STS_STR("enforce"), STS_STR("did you mean enforce?") },
	{ STS_STR("testing"), STS_STR("did you mean testing?") },
	{ STS_STR("none"), STS_STR("did you mean none?") },
};

/* A word of two letters is like many others: there, one typo is enough. */
static struct sts_str
hint_of(const struct word *words, size_t count, struct sts_str written)
{
	struct sts_str hint = STS_STR_NONE;
	size_t best = TYPOS_MAX + 1;

	if (written.n == 0 || written.n > WORD_MAX)
		return hint;
	for (size_t i = 0; i < count; i++) {
		size_t n = typos(written, words[i].word);

		if (n < best && n < words[i].word.n) {
			best = n;
			hint = words[i].hint;
		}
	}
	return hint;
}

static struct sts_str
hint_for(enum sts_policy_note note, struct sts_str text)
{
	struct sts_str name = text;

	if (note == STS_NOTE_MODE_VALUE)
		return hint_of(modes, sizeof(modes) / sizeof(modes[0]), text);
	if (note != STS_NOTE_KEY_UNKNOWN && note != STS_NOTE_LINE_MALFORMED)
		return STS_STR_NONE;
	(void)sts_str_cut(&text, ':', &name);
	return hint_of(fields, sizeof(fields) / sizeof(fields[0]), sts_str_trim(name));
}

/* Where in its line the text begins; 0: it is not of the policy that is judged. */
static size_t
column_of(struct sts_str judged, struct sts_str text)
{
	size_t at, column = 1;

	if (text.p == NULL || judged.p == NULL || text.p < judged.p ||
	    text.p > judged.p + judged.n)
		return 0;
	at = (size_t)(text.p - judged.p);
	while (column <= at && judged.p[at - column] != '\n')
		column++;
	return column;
}

void
query_find_note(void *arg, enum sts_policy_note note, size_t line, struct sts_str text)
{
	struct query_findings *f = arg;
	struct query_finding *new;

	if (f->notes[note]++ >= NOTES_LISTED)
		return;
	new = add(f, query_note_row(note));
	new->line = line;
	if (line == 0)
		return;
	new->at = column_of(f->judged, text);
	new->detail = hint_for(note, text);
	/* A line may be as long as the file: its beginning tells which it is. */
	new->object = sts_str_head(text, text.n < OBJECT_MAX ? text.n : OBJECT_MAX);
}

static bool
starts_nocase(struct sts_str s, struct sts_str prefix)
{
	return s.n >= prefix.n && sts_str_eq_nocase(sts_str_head(s, prefix.n), prefix);
}

/* Texts beside the record, or in place of it. */
static void
judge_other(struct query_findings *f, struct sts_str text, bool alone)
{
	if (starts_nocase(text, STS_STR("v=spf1")))
		query_find(f, QUERY_TXT05, text, STS_STR_NONE);
	else if (alone && starts_nocase(text, STS_STR("v=STSv1")))
		query_find(f, QUERY_TXT12, text, STS_STR_NONE);
	else
		query_find(f, QUERY_TXT04, text, STS_STR_NONE);
}

static void
judge_syntax(struct query_findings *f, struct sts_str text)
{
	struct sts_problem problem = { 0, NULL };
	struct query_finding *new;
	struct sts_str id, why;

	if (sts_record_parse(text, &id, &problem) == STS_OK)
		return;
	why = sts_str_of(problem.text);
	new = query_find(f,
	    sts_str_starts(why, STS_STR("the id")) ? QUERY_TXT08 : QUERY_TXT07, text,
	    why);
	new->at = problem.at + 1;
}

enum sts_err
query_judge_record(struct query_findings *f, const struct sts_str *texts, size_t count,
    struct sts_str *id)
{
	enum sts_err err = sts_record_pick(texts, count, id);
	bool alone = err == STS_ERR_RECORD_NONE;

	if (alone)
		query_find(f, QUERY_TXT01, STS_STR_NONE, STS_STR_NONE);
	if (err == STS_ERR_RECORD_MANY)
		query_find(f, QUERY_TXT03, STS_STR_NONE, STS_STR_NONE);
	for (size_t i = 0; i < count; i++) {
		if (sts_record_counts(texts[i]) || (count == 1 && !alone))
			judge_syntax(f, texts[i]);
		else
			judge_other(f, texts[i], alone);
	}
	return err;
}

enum sts_err
query_judge_policy(struct query_findings *f, struct sts_str text,
    struct sts_policy *policy)
{
	enum sts_err err;

	f->judged = text;
	err = sts_policy_parse(text, policy, query_find_note, f);
	if (err != STS_OK)
		return err;
	switch (policy->mode) {
	case STS_MODE_TESTING:
		query_find(f, QUERY_POL15, STS_STR_NONE, STS_STR_NONE);
		break;
	case STS_MODE_NONE:
		query_find(f, QUERY_POL16, STS_STR_NONE, STS_STR_NONE);
		break;
	case STS_MODE_ENFORCE:
		break;
	}
	return STS_OK;
}

void
query_findings_drop(struct query_findings *f, enum query_id first, enum query_id last)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		bool drop = false;

		for (enum query_id id = first; id <= last; id++)
			drop |= strcmp(f->list[i].id, query_id_text(id)) == 0;
		if (!drop)
			f->list[kept++] = f->list[i];
	}
	f->count = kept;
}

void
query_findings_sort(struct query_findings *f)
{
	/* As many as are listed are few: each moves up past those that weigh less. */
	for (size_t i = 1; i < f->count; i++) {
		struct query_finding moved = f->list[i];
		size_t j = i;

		for (; j > 0 && f->list[j - 1].severity < moved.severity; j--)
			f->list[j] = f->list[j - 1];
		f->list[j] = moved;
	}
}

size_t
query_count(const struct query_findings *f, enum query_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->list[i].severity == severity;
	return n;
}

int
query_exit_worse(int a, int b)
{
	static const int order[] = { QUERY_EXIT_BROKEN, QUERY_EXIT_TEMPORARY,
		QUERY_EXIT_WARNING, QUERY_EXIT_NO_POLICY };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return QUERY_EXIT_PROTECTED;
}

int
query_worst(const struct query_findings *f, int base)
{
	for (size_t i = 0; i < f->count; i++)
		base = query_exit_worse(base, f->list[i].exit);
	return base;
}

void
query_findings_done(struct query_findings *f)
{
	free(f->list);
	*f = (struct query_findings){ 0 };
}

const char *
query_severity_text(enum query_severity severity)
{
	switch (severity) {
	case QUERY_INFO:
		return "info";
	case QUERY_WARNING:
		return "warning";
	case QUERY_ERROR:
		break;
	}
	return "error";
}

const char *
query_audience_text(enum query_audience audience)
{
	return audience == QUERY_SENDER ? "sender" : "recipient";
}
