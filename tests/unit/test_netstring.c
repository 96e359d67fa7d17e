/* SPDX-License-Identifier: MIT */
#include "netstring.h"

#include <string.h>

#include "bounds.h"
#include "test.h"

int test_failed;

static const struct {
	const char *what;
	const char *bytes;
	size_t max;
	enum pf_netstring want;
	const char *payload; /* WHOLE */
	size_t used;
} cases[] = {
	{ "a request", "17:QUERY example.com,", 10000, PF_NETSTRING_WHOLE,
	    "QUERY example.com", 21 },
	{ "an empty one", "0:,", 10000, PF_NETSTRING_WHOLE, "", 3 },
	{ "two in a row", "1:a,1:b,", 10000, PF_NETSTRING_WHOLE, "a", 4 },
	{ "commas and colons inside", "4:,:,:,", 10000, PF_NETSTRING_WHOLE, ",:,:", 7 },
	{ "as long as allowed", "3:abc,", 3, PF_NETSTRING_WHOLE, "abc", 6 },
	{ "empty when nothing else is allowed", "0:,", 0, PF_NETSTRING_WHOLE, "", 3 },

	{ "nothing yet", "", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "only a length", "17", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "only a zero", "0", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "no payload yet", "17:", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "half a payload", "17:QUERY exa", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "no comma yet", "1:a", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },
	{ "the longest length", "10000", 10000, PF_NETSTRING_PARTIAL, NULL, 0 },

	{ "one byte too long", "4:", 3, PF_NETSTRING_BAD, NULL, 0 },
	{ "too long, seen before the colon", "10001", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "an endless length", "99999999999999999999999999", 10000, PF_NETSTRING_BAD,
	    NULL, 0 },
	{ "a length that wraps around", "18446744073709551617:a,", (size_t)-1,
	    PF_NETSTRING_BAD, NULL, 0 },
	{ "a leading zero", "01:a,", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "two zeros", "00", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "a sign", "+1:a,", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "a blank", " 1:a,", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "a blank before the colon", "1 :a,", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "no length", ":a,", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "HTTP", "GET / HTTP/1.1\r\n", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "no comma at the end", "1:ab", 10000, PF_NETSTRING_BAD, NULL, 0 },
	{ "a line end instead", "1:a\n", 10000, PF_NETSTRING_BAD, NULL, 0 },
};

static void
test_take(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *what = cases[i].what;
		struct sts_str payload = STS_STR("untouched");
		size_t used = 99;
		enum pf_netstring got = pf_netstring_take(sts_str_of(cases[i].bytes),
		    cases[i].max, &payload, &used);

		CHECK(what, got == cases[i].want);
		if (cases[i].want == PF_NETSTRING_WHOLE) {
			CHECK(what, sts_str_eq(payload, sts_str_of(cases[i].payload)));
			CHECK(what, used == cases[i].used);
		} else {
			CHECK(what, sts_str_eq(payload, STS_STR("untouched")));
			CHECK(what, used == 99);
		}
	}
}

/* What we write can be read, and every true beginning of it is only partial. */
static void
test_round_trip(void)
{
	static char bytes[PF_REQUEST_MAX + 1];
	static const size_t sizes[] = { 0, 1, 9, 10, 99, 100, 9999, PF_REQUEST_MAX };
	struct sts_buf b = { 0 };

	memset(bytes, ',', sizeof(bytes));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sts_str payload, wire, want = { bytes, sizes[i] };
		size_t used;

		sts_buf_clear(&b);
		pf_netstring_put(&b, want);
		wire = sts_buf_str(&b);
		CHECK("round trip",
		    pf_netstring_take(wire, PF_REQUEST_MAX, &payload, &used) ==
			PF_NETSTRING_WHOLE);
		CHECK("round trip", sts_str_eq(payload, want) && used == wire.n);
		for (size_t n = 0; n < wire.n; n++)
			CHECK("a beginning",
			    pf_netstring_take(sts_str_head(wire, n), PF_REQUEST_MAX,
				&payload, &used) == PF_NETSTRING_PARTIAL);
	}
	sts_buf_clear(&b);
	pf_netstring_put(&b, (struct sts_str){ bytes, sizeof(bytes) });
	{
		struct sts_str payload;
		size_t used;

		CHECK("one too long",
		    pf_netstring_take(sts_buf_str(&b), PF_REQUEST_MAX, &payload, &used) ==
			PF_NETSTRING_BAD);
	}
	sts_buf_done(&b);
}

int
main(void)
{
	test_take();
	test_round_trip();
	return test_failed;
}
