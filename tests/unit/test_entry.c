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
		.dane_count = 2,
		.dane = { { .target = { true, 65535 },
			      .at = 12345678901,
			      .ttl = UINT32_MAX,
			      .state = STS_DANE_UNKNOWN,
			      .applied = true,
			      .whole = true,
			      .about = STS_ABOUT_TLSA,
			      .err = STS_ERR_DNS_SERVFAIL,
			      .ede = -1,
			      .host = STS_STR("mx.example") },
		    { .target = STS_TARGET_PLAIN,
			.at = 7,
			.state = STS_DANE_ABSENT,
			.mx_secure = true,
			.plain = true } },
		.mx_count = 2,
		.mx = { { 1, 10, STS_STR("a.example") }, { 2, 65535, STS_STR("b") } } };

	return e;
}

/* For those who then change its bytes. */
static void
write_entry(const struct sts_entry *e, struct sts_buf *to)
{
	sts_entry_write(e, to);
	CHECK("written", !to->bad);
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
	struct sts_entry out;

	write_entry(e, &bytes);
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
	sts_put_char(&bytes, 'x');
	CHECK("a byte too many",
	    sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
	sts_buf_done(&bytes);
}

/* Where things stand behind the prefix, in an entry without ids. */
enum place {
	AT_MODE = 12,
	AT_ID_LENGTH = 71,
	AT_RECORD_ID_LENGTH,
	AT_FAILED_ID_LENGTH,
	AT_MX_COUNT,
	AT_POLICY_LENGTH,
	AT_DANE_COUNT = AT_POLICY_LENGTH + 4,
	AT_DANE_FLAGS,
	AT_DANE_STATE = AT_DANE_FLAGS + 15,
	AT_DANE_ABOUT,
	AT_DANE_HOST_LENGTH = AT_DANE_ABOUT + 4,
};

/* One finding, and a policy whose zeroes can be read as anything else. */
static const char ZEROES[1024];
static const struct sts_entry ONE = { .dane_count = 1,
	.dane = { { .target = STS_TARGET_PLAIN, .at = 1 } },
	.policy = { ZEROES, sizeof(ZEROES) } };

/* Bytes with a good checksum that hold what no writer of ours writes; or, where they
 * may be, that the place is the right one. */
static const struct {
	const char *what;
	enum place at;
	unsigned char byte;
	enum sts_err err;
} LIES[] = {
	{ "the last mode", AT_MODE, STS_MODE_ENFORCE, STS_OK },
	{ "no such mode", AT_MODE, STS_MODE_ENFORCE + 1, STS_ERR_CACHE },
	{ "an id that is not there", AT_ID_LENGTH, 1, STS_ERR_CACHE },
	{ "an MX host that is not there", AT_MX_COUNT, 1, STS_ERR_CACHE },
	{ "a policy too long", AT_POLICY_LENGTH + 3, 1, STS_ERR_CACHE },
	{ "a finding that is not told", AT_DANE_COUNT, 0, STS_ERR_CACHE },
	{ "a finding that is not there", AT_DANE_COUNT, 2, STS_ERR_CACHE },
	{ "all that may be true of a finding", AT_DANE_FLAGS, 0x1f, STS_OK },
	{ "more than may be", AT_DANE_FLAGS, 0x20, STS_ERR_CACHE },
	{ "the last state", AT_DANE_STATE, STS_DANE_STATES - 1, STS_OK },
	{ "no such state", AT_DANE_STATE, STS_DANE_STATES, STS_ERR_CACHE },
	{ "the last thing looked up", AT_DANE_ABOUT, STS_ABOUTS - 1, STS_OK },
	{ "no such thing", AT_DANE_ABOUT, STS_ABOUTS, STS_ERR_CACHE },
	{ "a host that is not there", AT_DANE_HOST_LENGTH, 1, STS_ERR_CACHE },
};

static void
mend(struct sts_buf *bytes)
{
	uint32_t crc = sts_crc32c((struct sts_str){ bytes->p + 8, bytes->n - 8 });

	for (size_t i = 0; i < 4; i++)
		bytes->p[4 + i] = (char)(crc >> (8 * i));
}

static void
test_lies(void)
{
	for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
		struct sts_buf bytes = { 0 };
		struct sts_entry out;

		write_entry(&ONE, &bytes);
		bytes.p[8 + LIES[i].at] = (char)LIES[i].byte;
		mend(&bytes);
		CHECK(LIES[i].what,
		    sts_entry_read(sts_buf_str(&bytes), &out) == LIES[i].err);
		sts_buf_done(&bytes);
	}
}

/* How many there may be of each, and that one more is too much although it is there: at
 * the cost of the policy. */
static const struct {
	const char *what;
	enum place at;
	size_t most;
	size_t size; /* of one */
	size_t there;
} LENGTHS[] = {
	{ "id", AT_ID_LENGTH, STS_ID_MAX, 1, 0 },
	{ "record's id", AT_RECORD_ID_LENGTH, STS_ID_MAX, 1, 0 },
	{ "failed id", AT_FAILED_ID_LENGTH, STS_ID_MAX, 1, 0 },
	{ "MX hosts", AT_MX_COUNT, STS_MX_MAX, 11, 0 },
	{ "findings", AT_DANE_COUNT, STS_DANE_TARGETS, 21, 1 },
	{ "host", AT_DANE_HOST_LENGTH, STS_NAME_MAX, 1, 0 },
};

static enum sts_err
read_length(enum place at, size_t n, size_t taken)
{
	struct sts_buf bytes = { 0 };
	struct sts_entry out;
	size_t left = sizeof(ZEROES) - taken;
	enum sts_err err;

	write_entry(&ONE, &bytes);
	bytes.p[8 + at] = (char)n;
	bytes.p[8 + AT_POLICY_LENGTH] = (char)(left & 0xff);
	bytes.p[8 + AT_POLICY_LENGTH + 1] = (char)(left >> 8);
	mend(&bytes);
	err = sts_entry_read(sts_buf_str(&bytes), &out);
	sts_buf_done(&bytes);
	return err;
}

static void
test_lengths(void)
{
	for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
		size_t n = LENGTHS[i].most, size = LENGTHS[i].size,
		       there = LENGTHS[i].there;

		CHECK(LENGTHS[i].what,
		    read_length(LENGTHS[i].at, n, (n - there) * size) == STS_OK);
		n++;
		CHECK(LENGTHS[i].what,
		    read_length(LENGTHS[i].at, n, (n - there) * size) == STS_ERR_CACHE);
	}
}

static void
test_findings(const struct sts_entry *e)
{
	struct sts_buf bytes = { 0 };
	struct sts_entry out = { 0 };
	const struct sts_dane *f;

	sts_entry_write(e, &bytes);
	CHECK("findings", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	CHECK("findings", out.dane_count == 2);
	f = sts_entry_dane(&out, (struct sts_target){ true, 65535 });
	CHECK("numbers of a finding",
	    f->target.brackets && f->target.port == 65535 && f->at == 12345678901 &&
		f->ttl == UINT32_MAX && f->state == STS_DANE_UNKNOWN &&
		f->about == STS_ABOUT_TLSA && f->err == STS_ERR_DNS_SERVFAIL &&
		f->ede == -1 && sts_str_eq(f->host, STS_STR("mx.example")));
	CHECK("what is true of it", !f->mx_secure && f->applied && !f->plain && f->whole);
	f = sts_entry_dane(&out, STS_TARGET_PLAIN);
	CHECK("the other one",
	    f == &out.dane[1] && f->at == 7 && f->state == STS_DANE_ABSENT &&
		f->host.n == 0);
	CHECK("what is true of that",
	    f->mx_secure && !f->applied && f->plain && !f->whole);
	f = sts_entry_dane(&out, (struct sts_target){ true, 25 });
	CHECK("none", f != NULL && f->state == STS_DANE_NONE && f->at == 0);
	f = sts_entry_dane(&out, (struct sts_target){ false, 587 });
	CHECK("none", f != NULL && f->state == STS_DANE_NONE && f->at == 0);
	sts_buf_done(&bytes);
}

/* Each finding put, and which times stand in which place then; 0: none does. */
struct put {
	const char *what;
	struct sts_dane finding;
	int64_t at[STS_DANE_TARGETS];
};

static const struct put PUTS[] = {
	{ "the first", { .target = { false, 25 }, .at = 50 }, { 50 } },
	{ "a port", { .target = { false, 587 }, .at = 40 }, { 50, 40 } },
	{ "brackets", { .target = { true, 25 }, .at = 60 }, { 50, 40, 60 } },
	{ "the same again", { .target = { false, 587 }, .at = 45 }, { 50, 45, 60 } },
	{ "both", { .target = { true, 587 }, .at = 70 }, { 50, 45, 60, 70 } },
	{ "the oldest goes", { .target = { true, 26 }, .at = 80 }, { 50, 80, 60, 70 } },
	{ "but never the plain domain's", { .target = { true, 27 }, .at = 81 },
	    { 50, 80, 81, 70 } },
	{ "and not when the same is there", { .target = { true, 587 }, .at = 90 },
	    { 50, 80, 81, 90 } },
};

/* Whoever asks in many ways keeps the plain domain from nothing. */
static const struct put OTHERS[] = {
	{ "a port", { .target = { false, 1 }, .at = 10 }, { 10 } },
	{ "a second", { .target = { false, 2 }, .at = 20 }, { 10, 20 } },
	{ "a third", { .target = { false, 3 }, .at = 30 }, { 10, 20, 30 } },
	{ "a fourth", { .target = { false, 4 }, .at = 40 }, { 10, 20, 30, 40 } },
	{ "also in the first place", { .target = { false, 25 }, .at = 50 },
	    { 50, 20, 30, 40 } },
	{ "where it stays", { .target = { false, 5 }, .at = 60 }, { 50, 60, 30, 40 } },
};

static void
test_put_dane(const struct put *puts, size_t count)
{
	struct sts_entry e = { 0 };

	CHECK("nothing there",
	    sts_entry_dane(&e, STS_TARGET_PLAIN)->state == STS_DANE_NONE);
	for (size_t i = 0; i < count; i++) {
		sts_entry_put_dane(&e, &puts[i].finding);
		for (size_t k = 0; k < STS_DANE_TARGETS; k++)
			CHECK(puts[i].what,
			    puts[i].at[k] ==
				(k < e.dane_count ? e.dane[k].at : (int64_t)0));
		CHECK(puts[i].what,
		    sts_entry_dane(&e, puts[i].finding.target)->at == puts[i].finding.at);
	}
}

/* What is no name is not kept, and takes nothing else with it. */
static void
test_long_host(size_t n)
{
	struct sts_entry e = { .dane_count = 2,
		.dane = { { .target = STS_TARGET_PLAIN, .host = { ZEROES, n } },
		    { .target = { true, 25 }, .host = STS_STR("b") } } },
			 out;
	struct sts_buf bytes = { 0 };

	sts_entry_write(&e, &bytes);
	CHECK("a host too long", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	CHECK("a host too long",
	    out.dane[0].host.n == 0 && sts_str_eq(out.dane[1].host, STS_STR("b")));
	sts_buf_done(&bytes);
}

/* Only what is set is copied. */
static void
test_copy(void)
{
	struct sts_entry from = full(), to;

	memset(&to, 0x5a, sizeof(to));
	sts_entry_copy(&to, &from);
	check_same("a copy", &from, &to);
	CHECK("no finding more", to.dane[2].at == 0x5a5a5a5a5a5a5a5a);
	CHECK("no host more", to.mx[2].seen == 0x5a5a5a5a5a5a5a5a);
}

/* The largest entry has room in STS_ENTRY_MAX, whose use is that nobody counts. */
static void
test_largest(void)
{
	static const char policy[STS_POLICY_MAX + 1];
	static struct sts_entry e, out;
	struct sts_str host = { ZEROES, STS_NAME_MAX }, id = { ZEROES, STS_ID_MAX };
	struct sts_buf bytes = { .limit = STS_ENTRY_MAX };

	e.policy = (struct sts_str){ policy, STS_POLICY_MAX };
	e.id = e.record_id = e.failed_id = id;
	for (e.mx_count = 0; e.mx_count < STS_MX_MAX; e.mx_count++)
		e.mx[e.mx_count].host = host;
	for (e.dane_count = 0; e.dane_count < STS_DANE_TARGETS; e.dane_count++)
		e.dane[e.dane_count].host = host;
	sts_entry_write(&e, &bytes);
	CHECK("the largest", !bytes.bad);
	CHECK("the largest", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	check_same("the largest", &e, &out);
	sts_buf_clear(&bytes);
	e.policy.n++;
	sts_entry_write(&e, &bytes);
	CHECK("a policy too long",
	    sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
	sts_buf_done(&bytes);
}

/* As version 1, which knew no findings, left it in the cache. */
static const char BEFORE[] =
    "STE\001\x5f\xbd\xce\x0b"
    "\x00\xf1\x53\x65\0\0\0\0\x80\x3a\x09\0\x02"		 /* the policy's */
    "\x2c\xf2\x53\x65\0\0\0\0\x2c\x01\0\0\0\xff\xff"		 /* the record's */
    "\x01\xf1\x53\x65\0\0\0\0\x80\x5a\xbb\x64\0\0\0\0\x0f\x03\0" /* fetching */
    "\x2c\xf2\x53\x65\0\0\0\0\x10\x0e\0\0\0\xff\xff\0"		 /* the MX hosts' */
    "\x80\xb8\x52\x65\0\0\0\0"					 /* asked */
    "\x08\x08\x01\x01\x42\0\0\0"				 /* lengths */
    "20240101"
    "20240101"
    "x"
    "\x2c\xf2\x53\x65\0\0\0\0\x0a\0\x10mail.example.org"
    "version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 604800\n";

static void
test_before(void)
{
	struct sts_str bytes = { BEFORE, sizeof(BEFORE) - 1 };
	struct sts_buf again = { 0 };
	struct sts_entry e, out;

	memset(&e, 0x5a, sizeof(e));
	CHECK("version 1", sts_entry_read(bytes, &e) == STS_OK);
	CHECK("version 1",
	    e.fetched == 1700000000 && e.max_age == 604800 &&
		e.mode == STS_MODE_ENFORCE && e.failed_err == STS_ERR_FETCH_CERT &&
		e.failures == 3 && e.asked == 1699920000 &&
		sts_str_eq(e.id, STS_STR("20240101")) &&
		sts_str_starts(e.policy, STS_STR("version: STSv1\n")) &&
		e.policy.n == 66 && e.mx_count == 1 &&
		sts_str_eq(e.mx[0].host, STS_STR("mail.example.org")));
	CHECK("version 1 knows no DANE",
	    e.dane_count == 0 &&
		sts_entry_dane(&e, STS_TARGET_PLAIN)->state == STS_DANE_NONE);

	write_entry(&e, &again);
	CHECK("is written as version 4",
	    again.n == bytes.n + 1 - e.id.n && again.p[3] == 4 &&
		sts_entry_read(sts_buf_str(&again), &out) == STS_OK);
	check_same("and is the same", &e, &out);
	for (int version = 0; version < 256; version++) {
		again.p[3] = (char)version;
		CHECK("versions",
		    (sts_entry_read(sts_buf_str(&again), &out) == STS_OK) ==
			(version == 4));
	}
	sts_buf_done(&again);
}

/* Version 2 wrote the record's id also where it was the policy's: as two that differ are
 * written still. */
static void
test_same_id(void)
{
	struct sts_entry e = { .id = STS_STR("20240101"),
		.record_id = STS_STR("20240102"),
		.failed_id = STS_STR("x"),
		.policy = STS_STR("p") },
			 out;
	struct sts_buf bytes = { 0 };
	char *last;
	size_t n;

	sts_entry_write(&e, &bytes);
	n = bytes.n;
	last = memchr(bytes.p, '2', bytes.n);
	CHECK("both ids", last != NULL && memcmp(last + 7, "120240102x", 10) == 0);
	bytes.p[3] = 2;
	last[15] = '1';
	mend(&bytes);
	CHECK("version 2", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	e.record_id = e.id;
	check_same("version 2", &e, &out);
	sts_buf_clear(&bytes);
	sts_entry_write(&e, &bytes);
	CHECK("one id", bytes.n == n - e.id.n);
	CHECK("one id", sts_entry_read(sts_buf_str(&bytes), &out) == STS_OK);
	check_same("one id", &e, &out);
	bytes.p[3] = 2;
	CHECK("no version 2", sts_entry_read(sts_buf_str(&bytes), &out) == STS_ERR_CACHE);
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
	write_entry(&e, &bytes);
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
	test_lies();
	test_lengths();
	test_findings(&e);
	test_put_dane(PUTS, sizeof(PUTS) / sizeof(PUTS[0]));
	test_put_dane(OTHERS, sizeof(OTHERS) / sizeof(OTHERS[0]));
	test_long_host(STS_NAME_MAX + 1);
	test_long_host(UINT8_MAX + 1);
	test_copy();
	test_largest();
	test_before();
	test_same_id();

	CHECK("nothing is not live", !sts_entry_is_live(&nothing, 0));
	e.fetched = 100;
	e.max_age = 60;
	CHECK("live until its last second", sts_entry_is_live(&e, 159));
	CHECK("and no longer", !sts_entry_is_live(&e, 160));
	CHECK("expires", sts_entry_expires(&e) == 160);
	return test_failed;
}
