/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <string.h>

#include "test.h"

int test_failed;

/* RFC 4648 section 10, and bytes that are no text. */
static const struct {
	const char *bytes;
	size_t n;
	const char *text;
} same[] = {
	{ "", 0, "" },
	{ "f", 1, "Zg==" },
	{ "fo", 2, "Zm8=" },
	{ "foo", 3, "Zm9v" },
	{ "foob", 4, "Zm9vYg==" },
	{ "fooba", 5, "Zm9vYmE=" },
	{ "foobar", 6, "Zm9vYmFy" },
	{ "\xff\xfe\xfd", 3, "//79" },
	{ "\xfb\xef\xbe", 3, "++++" },
	{ "\0\0", 2, "AAA=" },
};

static const struct {
	const char *name, *text;
} wrong[] = {
	{ "too short", "Zg=" },
	{ "no padding", "Zg" },
	{ "a blank", "Zm9v Zm9" },
	{ "a line end", "Zm9v\nZm9" },
	{ "of the other alphabet", "-_-_" },
	{ "padding in the middle", "Zg==Zm9v" },
	{ "padding before a digit", "Zg=v" },
	{ "nothing but padding", "====" },
	{ "one digit", "Z===" },
	{ "a second spelling of one byte", "Zh==" },
	{ "a second spelling of two bytes", "Zm9=" },
};

static void
test_same(void)
{
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct sts_str bytes = { same[i].bytes, same[i].n };
		struct sts_buf text = { 0 }, back = { 0 };

		base64_put(&text, bytes);
		CHECK(same[i].text,
		    sts_str_eq(sts_buf_str(&text), sts_str_of(same[i].text)));
		CHECK(same[i].text, base64_read(sts_buf_str(&text), &back));
		CHECK(same[i].text, sts_str_eq(sts_buf_str(&back), bytes));
		sts_buf_done(&text);
		sts_buf_done(&back);
	}
}

int
main(void)
{
	test_same();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sts_buf back = { 0 };

		if (base64_read(sts_str_of(wrong[i].text), &back)) {
			printf("%s: %s was read\n", wrong[i].name, wrong[i].text);
			test_failed = 1;
		}
		sts_buf_done(&back);
	}
	return test_failed;
}
