/* SPDX-License-Identifier: MIT */
/*
 * Any text as a TXT record, and its lines as an RRset. Whatever is accepted has an id
 * of 1 to 32 letters and digits inside the text, and means the same when it is written
 * down plainly; whatever is refused says where.
 */
#include "record.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES 16

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void
check_id(struct sts_str id)
{
	must(id.n >= 1 && id.n <= STS_ID_MAX);
	for (size_t i = 0; i < id.n; i++)
		must(is_alnum(id.p[i]));
}

static void
check_plain(struct sts_str id)
{
	char plain[12 + STS_ID_MAX + 1] = "v=STSv1; id=";
	struct sts_str text = { plain, 12 + id.n }, again;

	memcpy(plain + 12, id.p, id.n);
	must(sts_record_parse(text, &again, NULL) == STS_OK && sts_str_eq(again, id));
}

static void
check_one(struct sts_str text)
{
	struct sts_str id = STS_STR_NONE, picked = STS_STR_NONE;
	struct sts_problem problem = { 0, NULL };
	enum sts_err err = sts_record_parse(text, &id, &problem);
	enum sts_err pick = sts_record_pick(&text, 1, &picked);

	if (err != STS_OK) {
		must(
		    err == STS_ERR_RECORD_SYNTAX && id.p == NULL && problem.text != NULL);
		must(problem.at <= text.n);
		must(pick == STS_ERR_RECORD_NONE || pick == STS_ERR_RECORD_SYNTAX);
		must(!sts_record_counts(text) || pick == STS_ERR_RECORD_SYNTAX);
		return;
	}
	must(problem.text == NULL);
	must(id.p >= text.p && id.p + id.n <= text.p + text.n);
	check_id(id);
	check_plain(id);
	must(pick == STS_OK && picked.p == id.p && picked.n == id.n);
}

/* Of several, only those that begin with the version count, and one must be left. */
static void
check_set(struct sts_str text)
{
	struct sts_str lines[LINES], id = STS_STR_NONE;
	size_t n = 0, counting = 0;
	enum sts_err err;
	bool more = true;

	while (more && n < LINES) {
		more = sts_str_cut(&text, '\n', &lines[n]);
		counting += sts_record_counts(lines[n++]) ? 1 : 0;
	}
	err = sts_record_pick(lines, n, &id);
	if (n > 1) {
		must((err == STS_ERR_RECORD_NONE) == (counting == 0));
		must((err == STS_ERR_RECORD_MANY) == (counting > 1));
	}
	if (err == STS_OK)
		check_id(id);
	else
		must(id.p == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str text = { (const char *)data, size };

	check_one(text);
	check_set(text);
	return 0;
}
