/* SPDX-License-Identifier: MIT */
/*
 * A stream of requests, whatever it holds and however it is cut into pieces:
 *
 *	- a frame that is whole has nothing but partial beginnings: it cannot be read
 *	  differently when its bytes come one by one;
 *	- its payload lies inside, is not longer than allowed, and written again gives the
 *	  same bytes;
 *	- once bad, more bytes do not mend it;
 *	- the key of a request lies inside its payload.
 */
#include <stdint.h>
#include <stdlib.h>

#include "bounds.h"
#include "netstring.h"
#include "socketmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int condition)
{
	if (!condition)
		abort();
}

static int
is_inside(struct sts_str part, struct sts_str whole)
{
	return part.p >= whole.p && part.p + part.n <= whole.p + whole.n;
}

static void
check_frame(struct sts_str bytes, struct sts_str payload, size_t used, size_t max)
{
	struct sts_buf again = { 0 };
	struct sts_str beginning, key;
	size_t n;

	check(used <= bytes.n && payload.n <= max && is_inside(payload, bytes));
	pf_netstring_put(&again, payload);
	check(sts_str_eq(sts_buf_str(&again), sts_str_head(bytes, used)));
	sts_buf_done(&again);
	for (size_t i = 0; i < used; i++)
		check(pf_netstring_take(sts_str_head(bytes, i), max, &beginning, &n) ==
		    PF_NETSTRING_PARTIAL);
	if (pf_request_parse(payload, &key) != PF_MAP_OTHER)
		check(key.n == 0 || (is_inside(key, payload) && key.n < payload.n));
}

/* The first state that is not partial, byte by byte, is the one of all bytes at once. */
static void
check_end(struct sts_str bytes, enum pf_netstring state, size_t max)
{
	struct sts_str payload;
	size_t used;
	enum pf_netstring now = PF_NETSTRING_PARTIAL;

	for (size_t i = 0; i <= bytes.n && now == PF_NETSTRING_PARTIAL; i++)
		now = pf_netstring_take(sts_str_head(bytes, i), max, &payload, &used);
	check(now == state);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str rest = { (const char *)data, size }, payload;
	enum pf_netstring state;
	size_t used, max = PF_REQUEST_MAX;

	if (size > 0 && data[0] == 0xff) { /* small limits are interesting as well */
		max = size > 1 ? data[1] : 0;
		rest = sts_str_from(rest, size > 1 ? 2 : 1);
	}
	while ((state = pf_netstring_take(rest, max, &payload, &used)) ==
	    PF_NETSTRING_WHOLE) {
		check_frame(rest, payload, used, max);
		rest = sts_str_from(rest, used);
	}
	check_end(rest, state, max);
	return 0;
}
