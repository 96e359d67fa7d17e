/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <string.h>

#include "test.h"

int test_failed;

#define NOW 1800000000

/* version: STSv1, mode: enforce, mx: *.a.example, max_age: 604800 */
#define ENFORCE                                                                          \
 "dmVyc2lvbjogU1RTdjEKbW9kZTogZW5mb3JjZQpteDogKi5hLmV4YW1wbGUKbWF4X2FnZTogNjA0ODAwCg=="
/* The same with max_age: 5. */
#define SHORT                                                                            \
 "dmVyc2lvbjogU1RTdjEKbW9kZTogZW5mb3JjZQpteDogKi5hLmV4YW1wbGUKbWF4X2FnZTogNQo="

#define FIRST "stsd-export 1\n"
#define ROW "a.example\t20260101T1\t1799000000\t604800\t1799990000\t" ENFORCE "\n"

static const struct {
	const char *name, *text;
	const char *says; /* "": all is well, as many times ROW as count says */
	size_t count;
} cases[] = {
	{ "nothing in it", FIRST "end 0\n", "", 0 },
	{ "one", FIRST ROW "end 1\n", "", 1 },
	{ "two", FIRST ROW ROW "end 2\n", "", 2 },
	{ "no line end at the end", FIRST ROW "end 1", "", 1 },
	{ "CR LF", "stsd-export 1\r\nend 0\r\n", "", 0 },
	{ "never asked, without an id",
	    FIRST "a.example\t-\t1799000000\t604800\t0\t" ENFORCE "\nend 1\n", "", 1 },
	{ "shorter than a minute counts as one",
	    FIRST "a.example\t1\t1799000000\t60\t0\t" SHORT "\nend 1\n", "", 1 },
	{ "fetched now",
	    FIRST "a.example\t1\t1800000000\t604800\t0\t" ENFORCE "\nend 1\n", "", 1 },

	{ "empty", "", "f:1: no export of stsd: the first line is not \"stsd-export 1\"",
	    0 },
	{ "something else", "hello\n",
	    "f:1: no export of stsd: the first line is not \"stsd-export 1\"", 0 },
	{ "another version", "stsd-export 2\nend 0\n",
	    "f:1: this is an export of another version of stsd; it is not \"stsd-export "
	    "1\"",
	    0 },
	{ "cut off after the first line", FIRST,
	    "f:2: the last line, \"end N\", is missing: the text was cut off", 0 },
	{ "cut off after a policy", FIRST ROW,
	    "f:3: the last line, \"end N\", is missing: the text was cut off", 0 },
	{ "one too few", FIRST ROW "end 2\n",
	    "f:3: the last line counts other policies than there are", 0 },
	{ "no number", FIRST "end x\n",
	    "f:2: the last line counts other policies than there are", 0 },
	{ "more after the end", FIRST "end 0\n" ROW,
	    "f:2: something follows the last line", 0 },
	{ "five fields", FIRST "a.example\t1\t1799000000\t604800\t0\nend 1\n",
	    "f:2: a line has 6 fields with one TAB between them: domain, id, fetched, "
	    "max_age, asked, policy",
	    0 },
	{ "seven fields",
	    FIRST "a.example\t1\t1799000000\t604800\t0\t" ENFORCE "\tx\nend 1\n",
	    "f:2: a line has 6 fields with one TAB between them: domain, id, fetched, "
	    "max_age, asked, policy",
	    0 },
	{ "a blank line", FIRST "\nend 1\n",
	    "f:2: a line has 6 fields with one TAB between them: domain, id, fetched, "
	    "max_age, asked, policy",
	    0 },
	{ "no seconds", FIRST "a.example\t1\tyesterday\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: fetched, max_age and asked are seconds, in digits", 0 },
	{ "a max_age no policy has",
	    FIRST "a.example\t1\t1799000000\t31557601\t0\t" ENFORCE "\nend 1\n",
	    "f:2: fetched, max_age and asked are seconds, in digits", 0 },
	{ "asked before time began",
	    FIRST "a.example\t1\t1799000000\t604800\t-1\t" ENFORCE "\nend 1\n",
	    "f:2: fetched, max_age and asked are seconds, in digits", 0 },
	{ "no base64", FIRST "a.example\t1\t1799000000\t604800\t0\thello\nend 1\n",
	    "f:2: the policy is no base64", 0 },
	{ "upper case", FIRST "A.example\t1\t1799000000\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: not a domain in lower case that can have a policy", 0 },
	{ "a single label", FIRST "a\t1\t1799000000\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: not a domain in lower case that can have a policy", 0 },
	{ "not an id",
	    FIRST "a.example\t1-2\t1799000000\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: the id is not 1 to 32 letters and digits, or -", 0 },
	{ "never fetched", FIRST "a.example\t1\t0\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: the time of the fetch is missing", 0 },
	{ "in the future",
	    FIRST "a.example\t1\t1800000001\t604800\t0\t" ENFORCE "\nend 1\n",
	    "f:2: fetched in the future", 0 },
	{ "a policy that is none",
	    FIRST "a.example\t1\t1799000000\t604800\t0\taGVsbG8K\nend 1\n",
	    "f:2: the policy is invalid; decode it, and see stsd-query --lint-policy",
	    0 },
	{ "another max_age",
	    FIRST "a.example\t1\t1799000000\t604801\t0\t" ENFORCE "\nend 1\n",
	    "f:2: max_age is not that of the policy, or 60 where that is less", 0 },
	{ "the first of two is wrong",
	    FIRST "a.example\t1\t1799000000\t604800\t0\thello\n" ROW "end 2\n",
	    "f:2: the policy is no base64", 0 },
	{ "both are",
	    FIRST "a.example\t1\t1799000000\t604800\t0\thello\n"
		  "a\t1\t1799000000\t604800\t0\t" ENFORCE "\nend 2\n",
	    "f:2: the policy is no base64|f:3: not a domain in lower case that can have "
	    "a policy",
	    0 },
};

static bool
on_entry(void *arg, const struct exchange_entry *e)
{
	exchange_put_entry(arg, e);
	return true;
}

static void
put_errors(struct sts_buf *to, const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		if (i > 0)
			sts_put_char(to, '|');
		sts_put_text(to, errors->lines[i]);
	}
}

/* What is well is the same when it is written again, but for its line ends. */
static bool
comes_back(const char *text, size_t count, const struct sts_buf *rows)
{
	struct sts_buf again = { 0 };
	bool same;

	exchange_put_start(&again);
	sts_put(&again, sts_buf_str(rows));
	exchange_put_end(&again, count);
	same = strchr(text, '\r') != NULL ||
	    sts_str_starts(sts_buf_str(&again), sts_str_of(text));
	sts_buf_done(&again);
	return same;
}

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = { 0 }, none = { 0 };
		struct sts_buf says = { 0 }, rows = { 0 };
		struct sts_str text = sts_str_of(cases[i].text);
		bool good = exchange_read(text, "f", NOW, NULL, NULL, &errors);

		put_errors(&says, &errors);
		if (!sts_str_eq(sts_buf_str(&says), sts_str_of(cases[i].says)) ||
		    good != (*cases[i].says == '\0')) {
			printf("%s: %.*s\n", cases[i].name, (int)says.n, says.p);
			test_failed = 1;
		}
		if (good) {
			CHECK(cases[i].name,
			    exchange_read(text, "f", NOW, on_entry, &rows, &none));
			CHECK(cases[i].name,
			    comes_back(cases[i].text, cases[i].count, &rows));
		}
		config_errors_done(&errors);
		sts_buf_done(&says);
		sts_buf_done(&rows);
	}
}

static void
test_many_errors(void)
{
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };

	sts_put_text(&text, FIRST);
	for (int i = 0; i < 1000; i++)
		sts_put_text(&text, "\n");
	CHECK("many errors",
	    !exchange_read(sts_buf_str(&text), "a\nb", NOW, NULL, NULL, &errors));
	CHECK("many errors", errors.count == EXCHANGE_ERRORS_MAX);
	CHECK("a name is escaped",
	    errors.count > 0 && strncmp(errors.lines[0], "a\\x0ab:2: ", 10) == 0);
	config_errors_done(&errors);
	sts_buf_done(&text);
}

int
main(void)
{
	test_cases();
	test_many_errors();
	return test_failed;
}
