/* SPDX-License-Identifier: MIT */
/* What a policy host says beside its policy. */
#include "response.h"

#include "test.h"

int test_failed;

static const struct {
	const char *header;
	int64_t date;
} cases[] = {
	{ "Date: Sun, 22 Nov 2026 00:00:00 GMT\r\n", 1795305600 },
	{ "date: Sun, 22 Nov 2026 00:00:00 GMT\n", 1795305600 },
	{ "DATE:\tSun, 22 Nov 2026 00:00:00 GMT \r\n", 1795305600 },
	{ "Date: yesterday\r\n", 0 },
	{ "Date:\r\n", 0 },
	{ "X-Date: Sun, 22 Nov 2026 00:00:00 GMT\r\n", 0 },
	{ "Last-Modified: Sun, 22 Nov 2026 00:00:00 GMT\r\n", 0 },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sts_response r = { 0 };

		(void)sts_response_header(&r, STS_STR("HTTP/1.1 200 OK\r\n"));
		(void)sts_response_header(&r, sts_str_of(cases[i].header));
		(void)sts_response_header(&r, STS_STR("Content-Type: text/plain\r\n"));
		CHECK(cases[i].header,
		    sts_response_header(&r, STS_STR("\r\n")) == STS_OK);
		CHECK(cases[i].header, r.date == cases[i].date);
		sts_response_done(&r);
	}
	return test_failed;
}
