/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "control_line.h"
#include "test.h"

int test_failed;

#define OK "stsd-control/1 "

static const struct {
	const char *name, *received;
	enum control_take take;
	const char *line; /* of a whole one */
} takes[] = {
	{ "nothing", "", CONTROL_PARTIAL, NULL },
	{ "half a line", "stsd-contr", CONTROL_PARTIAL, NULL },
	{ "a line", "a b\n", CONTROL_WHOLE, "a b" },
	{ "an empty line", "\n", CONTROL_WHOLE, "" },
	{ "the first of two", "a\nb\n", CONTROL_WHOLE, "a" },
	{ "CR LF", "a\r\n", CONTROL_BROKEN, NULL },
	{ "a TAB", "a\tb\n", CONTROL_BROKEN, NULL },
	{ "a byte that is not ASCII", "a\x80\n", CONTROL_BROKEN, NULL },
};

static const struct {
	const char *name, *line;
	enum control_greeting greeting;
	const char *first;
} greetings[] = {
	{ "ours", OK "hello", CONTROL_OURS, "hello" },
	{ "with words", OK "show a.example", CONTROL_OURS, "show" },
	{ "the next version", "stsd-control/2 hello", CONTROL_OTHER, NULL },
	{ "one that begins like ours", "stsd-control/10 hello", CONTROL_OTHER, NULL },
	{ "no version", "stsd-control hello", CONTROL_FOREIGN, NULL },
	{ "a netstring", "13:QUERY .health,", CONTROL_FOREIGN, NULL },
	{ "HTTP", "GET / HTTP/1.1", CONTROL_FOREIGN, NULL },
	{ "no verb", "stsd-control/1", CONTROL_FOREIGN, NULL },
	{ "a blank for a verb", OK, CONTROL_FOREIGN, NULL },
	{ "two blanks", OK " hello", CONTROL_FOREIGN, NULL },
	{ "a verb that is left out", OK "-", CONTROL_FOREIGN, NULL },
	{ "nothing", "", CONTROL_FOREIGN, NULL },
};

/* What words say, read as w: word, n: number, b: bytes. */
static const struct {
	const char *name, *words, *as;
	bool good;
	const char *says;
} readings[] = {
	{ "words", "a.example -", "ww", true, "[a.example][]" },
	{ "numbers", "0 12 -3 9223372036854775807", "nnnn", true,
	    "[0][12][-3][9223372036854775807]" },
	{ "bytes", "Zm9v =", "bb", true, "[foo][]" },
	{ "too few", "a", "ww", false, "[a][]" },
	{ "too many", "a b", "w", false, "[a]" },
	{ "a blank at the end", "a ", "w", false, "[]" },
	{ "two blanks", "a  b", "ww", false, "[a][]" },
	{ "a number too large", "9223372036854775808", "n", false, "[0]" },
	{ "no number", "1x", "n", false, "[0]" },
	{ "only a sign", "-", "n", false, "[0]" },
	{ "no base64", "Zm9", "b", false, "[]" },
	{ "once bad, bad for ever", "x 1 a", "nnw", false, "[0][0][]" },
};

static void
put_reading(struct sts_buf *to, struct control_words *w, char as)
{
	struct sts_buf bytes = { 0 };
	char number[32];

	sts_put_char(to, '[');
	if (as == 'w') {
		sts_put(to, control_take_word(w));
	} else if (as == 'n') {
		(void)snprintf(number, sizeof(number), "%lld",
		    (long long)control_take_number(w));
		sts_put_text(to, number);
	} else {
		control_take_bytes(w, &bytes);
		if (!w->bad)
			sts_put(to, sts_buf_str(&bytes));
	}
	sts_put_char(to, ']');
	sts_buf_done(&bytes);
}

static void
test_readings(void)
{
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
		struct control_words w = { sts_str_of(readings[i].words), false };
		struct sts_buf says = { 0 };

		for (const char *as = readings[i].as; *as != '\0'; as++)
			put_reading(&says, &w, *as);
		if (control_is_over(&w) != readings[i].good ||
		    !sts_str_eq(sts_buf_str(&says), sts_str_of(readings[i].says))) {
			printf("%s: %.*s\n", readings[i].name, (int)says.n, says.p);
			test_failed = 1;
		}
		sts_buf_done(&says);
	}
}

static void
test_takes(void)
{
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		struct sts_str line = STS_STR_NONE;
		size_t used = 0;
		enum control_take take =
		    control_take_line(sts_str_of(takes[i].received), &line, &used);

		if (take != takes[i].take ||
		    (takes[i].line != NULL &&
			(!sts_str_eq(line, sts_str_of(takes[i].line)) ||
			    used != line.n + 1))) {
			printf("%s: wrongly taken\n", takes[i].name);
			test_failed = 1;
		}
	}
}

static void
test_greetings(void)
{
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct control_words w;
		struct sts_str first = STS_STR_NONE;
		enum control_greeting greeting =
		    control_read(sts_str_of(greetings[i].line), &w, &first);

		if (greeting != greetings[i].greeting ||
		    (greetings[i].first != NULL &&
			!sts_str_eq(first, sts_str_of(greetings[i].first)))) {
			printf("%s: wrongly greeted\n", greetings[i].name);
			test_failed = 1;
		}
	}
}

static void
test_bounds(void)
{
	static char long_line[CONTROL_LINE_MAX + 1];
	struct sts_str line = STS_STR_NONE;
	size_t used = 0;

	memset(long_line, 'a', sizeof(long_line));
	CHECK("bounds",
	    control_take_line((struct sts_str){ long_line, CONTROL_LINE_MAX - 1 }, &line,
		&used) == CONTROL_PARTIAL);
	CHECK("bounds",
	    control_take_line((struct sts_str){ long_line, CONTROL_LINE_MAX }, &line,
		&used) == CONTROL_BROKEN);
	long_line[CONTROL_LINE_MAX] = '\n';
	CHECK("bounds",
	    control_take_line((struct sts_str){ long_line, CONTROL_LINE_MAX + 1 }, &line,
		&used) == CONTROL_BROKEN);
	long_line[CONTROL_LINE_MAX - 1] = '\n';
	CHECK("bounds",
	    control_take_line((struct sts_str){ long_line, CONTROL_LINE_MAX + 1 }, &line,
		&used) == CONTROL_WHOLE &&
		used == CONTROL_LINE_MAX);
}

static void
test_writing(void)
{
	struct sts_buf b = { 0 };

	control_put_start(&b, "ok");
	control_put_word(&b, STS_STR("a.example"));
	control_put_word(&b, STS_STR_NONE);
	control_put_number(&b, 0);
	control_put_number(&b, INT64_MAX);
	control_put_number(&b, -7);
	control_put_bytes(&b, STS_STR("foo"));
	control_put_bytes(&b, STS_STR_NONE);
	control_put_end(&b);
	CHECK("written",
	    !b.bad &&
		sts_str_eq(sts_buf_str(&b),
		    STS_STR("stsd-control/1 ok a.example - 0 9223372036854775807 -7 Zm9v "
			    "=\n")));
	sts_buf_done(&b);

	static const char *const words[] = { "a b", "a\n", "\x7f", "\xc3\xa4" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		control_put_word(&b, sts_str_of(words[i]));
		CHECK(words[i], b.bad);
		sts_buf_done(&b);
	}
}

int
main(void)
{
	test_takes();
	test_greetings();
	test_readings();
	test_bounds();
	test_writing();
	return test_failed;
}
