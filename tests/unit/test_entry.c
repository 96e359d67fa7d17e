/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *text;
	uint32_t crc;
} sums[] = {
	{ "", 0 },
	{ "123456789", 0xe3069283 }, /* the check value of CRC-32C */
	{ "a", 0xc1d04330 },
	{ "The quick brown fox jumps over the lazy dog", 0x22620404 },
};

static struct sts_entry
full(void)
{
	struct sts_entry e = { .fetched = 0x1122334455667788,
		.max_age = 31557600,
		.mode = STS_MODE_ENFORCE,
		.id = STS_STR("abc"),
		.policy = STS_STR("version: STSv1\n"),
		.record_at = INT64_MAX,
		.record_ttl = UINT32_MAX,
		.record_err = STS_ERR_DNS_TIMEOUT,
		.record_ede = -1,
		.record_id = STS_STR("12345678901234567890123456789012"),
		.tried = -5,
		.failed_at = 77,
		.failed_err = STS_ERR_FETCH_CERT,
		.failed_id = STS_STR("x"),
		.failures = 65535,
		.mx_at = 9,
		.mx_ttl = 8,
		.mx_err = STS_ERR_DNS_NXDOMAIN,
		.mx_ede = 22,
		.mx_null = true,
		.asked = 123,
		.mx_count = 2,
		.mx = { { 1, 10, STS_STR("a.example") }, { 2, 65535, STS_STR("b") } } };

	return e;
}

static void
check_same(const char *what, const struct sts_entry *a, const struct sts_entry *b)
{
	struct sts_buf x = { 0 }, y = { 0 };

	sts_entry_write(a, &x);
	sts_entry_write(b, &y);
	CHECK(what, !x.bad && !y.bad && sts_str_eq(sts_buf_str(&x), sts_buf_str(&y)));
	sts_buf_done(&x);
	sts_buf_done(&y);
}

/* Every single flipped bit and every cut must be noticed. */
static void
test_damage(const struct sts_entry *e)
{
	struct sts_buf bytes = { 0 };
	struct sts_entry out = { .asked = 4711 };

	sts_entry_write(e, &bytes);
	for (size_t bit = 0; bit < 8 * bytes.n; bit++) {
		bytes.p[bit / 8] = (char)(bytes.p[bit / 8] ^ (1 << bit % 8));
		CHECK("a flipped bit",
		    sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
		bytes.p[bit / 8] = (char)(bytes.p[bit / 8] ^ (1 << bit % 8));
	}
	for (size_t n = 0; n < bytes.n; n++)
		CHECK("a cut",
		    sts_entry_read((struct sts_str){ bytes.p, n }, &out) ==
			STS_ERR_CACHE);
	CHECK("untouched on failure", out.asked == 4711);
	sts_put_char(&bytes, 'x');
	CHECK("a byte too many",
	    sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
	sts_buf_done(&bytes);
}

/* Bytes with a good checksum that hold what no writer of ours writes. */
static void
test_lies(const struct sts_entry *e, size_t at, unsigned char byte, const char *what)
{
	struct sts_buf bytes = { 0 };
	struct sts_entry out;
	uint32_t crc;

	sts_entry_write(e, &bytes);
	bytes.p[at] = (char)byte;
	crc = sts_crc32c((struct sts_str){ bytes.p + 8, bytes.n - 8 });
	for (size_t i = 0; i < 4; i++)
		bytes.p[4 + i] = (char)(crc >> (8 * i));
	CHECK(what, sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
	sts_buf_done(&bytes);
}

int
main(void)
{
	struct sts_entry e = full(), nothing = { 0 }, out;
	struct sts_buf bytes = { 0 };

	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		CHECK(sums[i].text, sts_crc32c(sts_str_of(sums[i].text)) == sums[i].crc);

	sts_put_text(&bytes, "before");
	sts_entry_write(&e, &bytes);
	CHECK("a full entry",
	    sts_entry_read(sts_str_from(sts_buf_str(&bytes), 6), &out) == STS_OK);
	check_same("round trip", &e, &out);
	CHECK("numbers",
	    out.fetched == e.fetched && out.tried == -5 && out.record_ede == -1 &&
		out.mx[1].preference == 65535 && out.mx_null &&
		out.mx_err == STS_ERR_DNS_NXDOMAIN);
	sts_buf_clear(&bytes);
	sts_entry_write(&nothing, &bytes);
	CHECK("an empty entry", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	check_same("empty round trip", &nothing, &out);
	sts_buf_done(&bytes);

	test_damage(&e);
	test_lies(&nothing, 8 + 12, 3, "no such mode");
	test_lies(&nothing, 8 + 78, 1, "an id that is not there");
	test_lies(&nothing, 8 + 78, 33, "an id too long");

	CHECK("nothing is not live", !sts_entry_is_live(&nothing, 0));
	e.fetched = 100;
	e.max_age = 60;
	CHECK("live until its last second", sts_entry_is_live(&e, 159));
	CHECK("and no longer", !sts_entry_is_live(&e, 160));
	CHECK("expires", sts_entry_expires(&e) == 160);
	return test_failed;
}
