/* SPDX-License-Identifier: MIT */
/* The text of --import. One that is taken is taken twice alike, holds nothing but policies
 * that may be kept, and written again is taken again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "policy.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

struct copy {
	struct sts_buf text;
	size_t count;
};

static bool
on_entry(void *arg, const struct exchange_entry *e)
{
	struct copy *copy = arg;
	struct sts_policy policy;

	require(exchange_judge(e, NOW) == NULL);
	require(sts_policy_parse(e->policy, &policy, NULL, NULL) == STS_OK);
	require(e->fetched > 0 && e->fetched <= NOW && e->asked >= 0);
	exchange_put_entry(&copy->text, e);
	copy->count++;
	return true;
}

static struct copy
copy_of(struct sts_str text)
{
	struct config_errors errors = { 0 };
	struct copy copy = { .count = 0 };

	exchange_put_start(&copy.text);
	require(exchange_read(text, "again", NOW, on_entry, &copy, &errors));
	exchange_put_end(&copy.text, copy.count);
	config_errors_done(&errors);
	return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sts_str text = { (const char *)data, n };
	struct config_errors errors = { 0 };
	struct copy first, second;
	bool good = exchange_read(text, "input", NOW, NULL, NULL, &errors);

	require(good == (errors.count == 0));
	require(errors.count <= EXCHANGE_ERRORS_MAX);
	config_errors_done(&errors);
	if (!good)
		return 0;
	first = copy_of(text);
	second = copy_of(sts_buf_str(&first.text));
	require(first.count == second.count &&
	    sts_str_eq(sts_buf_str(&first.text), sts_buf_str(&second.text)));
	sts_buf_done(&first.text);
	sts_buf_done(&second.text);
	return 0;
}
