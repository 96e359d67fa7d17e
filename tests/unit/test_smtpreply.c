/* SPDX-License-Identifier: MIT */
#include "smtpreply.h"
#include "test.h"

#include <string.h>

int test_failed;

#define MORE STS_SMTPREPLY_MORE
#define WHOLE STS_SMTPREPLY_WHOLE
#define GARBAGE STS_SMTPREPLY_GARBAGE

static const struct row {
	const char *name, *bytes;
	enum sts_smtpreply_state state;
	int code;
	const char *first, *rest; /* the first line of the text; what is left */
	bool starttls;
} ROWS[] = {
	{ "one line", "220 mx ESMTP\r\n", WHOLE, 220, "mx ESMTP", "", false },
	{ "LF alone", "220 mx ESMTP\n", WHOLE, 220, "mx ESMTP", "", false },
	{ "no text", "220\r\n", WHOLE, 220, "", "", false },
	{ "a blank", "220 \r\n", WHOLE, 220, "", "", false },
	{ "several lines", "250-a\r\n250-b\r\n250 c\r\n", WHOLE, 250, "a", "", false },
	{ "hyphen and no text", "250-\r\n250\r\n", WHOLE, 250, "", "", false },
	{ "the last code counts", "220-a\r\n554 b\r\n", WHOLE, 554, "a", "", false },
	{ "what is behind", "220 a\r\n250 b\r\n", WHOLE, 220, "a", "250 b\r\n", false },
	{ "a CR inside", "220 a\rb\r\n", WHOLE, 220, "a\rb", "", false },
	{ "two CR", "220 a\r\r\n", WHOLE, 220, "a\r", "", false },
	{ "low code", "200 a\r\n", WHOLE, 200, "a", "", false },
	{ "high code", "599 a\r\n", WHOLE, 599, "a", "", false },

	{ "nothing yet", "", MORE, 0, "", "", false },
	{ "half a line", "220 mx", MORE, 0, "220 mx", "", false },
	{ "a CR is no end", "220 mx\r", MORE, 0, "220 mx\r", "", false },
	{ "half a reply", "250-a\r\n25", MORE, 250, "a", "", false },

	{ "empty line", "\r\n", GARBAGE, 0, "", "", false },
	{ "LF", "\n", GARBAGE, 0, "", "", false },
	{ "two digits", "22 a\r\n", GARBAGE, 0, "22 a", "", false },
	{ "four digits", "2200 a\r\n", GARBAGE, 0, "2200 a", "", false },
	{ "TAB behind the code", "220\ta\r\n", GARBAGE, 0, "220\ta", "", false },
	{ "no code", "hello\r\n", GARBAGE, 0, "hello", "", false },
	{ "a blank first", " 220 a\r\n", GARBAGE, 0, " 220 a", "", false },
	{ "1yz", "150 a\r\n", GARBAGE, 0, "150 a", "", false },
	{ "6yz", "600 a\r\n", GARBAGE, 0, "600 a", "", false },
	{ "a sign", "+20 a\r\n", GARBAGE, 0, "+20 a", "", false },
	{ "letters", "2a0 a\r\n", GARBAGE, 0, "2a0 a", "", false },
	{ "garbage behind", "250-a\r\nb\r\n250 c\r\n", GARBAGE, 250, "b", "250 c\r\n",
	    false },

	{ "offered", "250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n", WHOLE, 250, "mx", "",
	    true },
	{ "in any case", "250-mx\r\n250-StartTLS\r\n250 X\r\n", WHOLE, 250, "mx", "",
	    true },
	{ "with a parameter", "250-mx\r\n250 STARTTLS x\r\n", WHOLE, 250, "mx", "",
	    true },
	{ "the greeting's word", "250-STARTTLS\r\n250 X\r\n", WHOLE, 250, "STARTTLS", "",
	    false },
	{ "the only line", "250 STARTTLS\r\n", WHOLE, 250, "STARTTLS", "", false },
	{ "another word", "250-mx\r\n250 STARTTLSX\r\n", WHOLE, 250, "mx", "", false },
	{ "half the word", "250-mx\r\n250 STARTTL\r\n", WHOLE, 250, "mx", "", false },
	{ "a parameter of another", "250-mx\r\n250 X STARTTLS\r\n", WHOLE, 250, "mx", "",
	    false },
};

static void
check_row(const struct row *row, size_t step)
{
	struct sts_smtpreply r = { .state = MORE };
	struct sts_str rest = sts_str_of(row->bytes);

	while (rest.n > 0 && r.state == MORE) {
		size_t n = rest.n < step ? rest.n : step;
		size_t eaten = sts_smtpreply_eat(&r, sts_str_head(rest, n));

		CHECK(row->name, eaten <= n && (eaten == n || r.state != MORE));
		rest = sts_str_from(rest, eaten);
	}
	CHECK(row->name, r.state == row->state);
	CHECK(row->name, r.code == row->code);
	CHECK(row->name, sts_str_eq(rest, sts_str_of(row->rest)));
	if (r.state != MORE || r.lines > 0)
		CHECK(row->name,
		    sts_str_eq(sts_smtpreply_first(&r), sts_str_of(row->first)));
	CHECK(row->name, sts_smtpreply_offers(&r, STS_STR("STARTTLS")) == row->starttls);
	/* What is decided stays so, until the next reply. */
	if (r.state != MORE)
		CHECK(row->name, sts_smtpreply_eat(&r, STS_STR("250 x\r\n")) == 0);
	sts_smtpreply_clear(&r);
	CHECK(row->name, sts_smtpreply_eat(&r, STS_STR("354 go\r\nx")) == 8);
	CHECK(row->name, r.state == WHOLE && r.code == 354 && r.lines == 1);
	CHECK(row->name, sts_str_eq(sts_smtpreply_first(&r), STS_STR("go")));
	sts_smtpreply_done(&r);
	sts_smtpreply_done(&r);
}

static void
check_bounds(void)
{
	static char line[STS_SMTPREPLY_LINE_MAX + 2];
	struct sts_smtpreply r = { .state = MORE };

	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	line[STS_SMTPREPLY_LINE_MAX] = '\n';
	(void)sts_smtpreply_eat(&r, (struct sts_str){ line, sizeof(line) });
	CHECK("longest line", r.state == WHOLE);
	sts_smtpreply_clear(&r);
	line[STS_SMTPREPLY_LINE_MAX] = 'x';
	(void)sts_smtpreply_eat(&r, (struct sts_str){ line, sizeof(line) });
	CHECK("longer line", r.state == STS_SMTPREPLY_FLOOD);

	sts_smtpreply_clear(&r);
	for (int i = 1; i < STS_SMTPREPLY_LINES_MAX; i++)
		(void)sts_smtpreply_eat(&r, STS_STR("250-x\r\n"));
	CHECK("many lines", r.state == MORE);
	(void)sts_smtpreply_eat(&r, STS_STR("250 x\r\n"));
	CHECK("most lines", r.state == WHOLE && r.lines == STS_SMTPREPLY_LINES_MAX);
	sts_smtpreply_clear(&r);
	for (int i = 0; i < STS_SMTPREPLY_LINES_MAX; i++)
		(void)sts_smtpreply_eat(&r, STS_STR("250-x\r\n"));
	CHECK("too many lines", r.state == STS_SMTPREPLY_FLOOD);
	sts_smtpreply_done(&r);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		for (size_t step = 1; step < 40; step += step < 4 ? 1 : 35)
			check_row(&ROWS[i], step);
	check_bounds();
	return test_failed;
}
