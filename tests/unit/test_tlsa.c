/* SPDX-License-Identifier: MIT */
#include "tlsa.h"

#include <string.h>

#include "test.h"

int test_failed;

#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }
#define D31 "0123456789abcdef0123456789abcde"
#define D32 D31 "f"
#define D64 D32 D32
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
	const char *what;
	struct sts_str rdata;
	enum sts_tlsa judged;
} CASES[] = {
	{ "3 1 1", S("\3\1\1" D32), STS_TLSA_USABLE },
	{ "3 0 1", S("\3\0\1" D32), STS_TLSA_USABLE },
	{ "2 0 1", S("\2\0\1" D32), STS_TLSA_USABLE },
	{ "2 1 1", S("\2\1\1" D32), STS_TLSA_USABLE },
	{ "3 1 2", S("\3\1\2" D64), STS_TLSA_USABLE },
	{ "2 0 2", S("\2\0\2" D64), STS_TLSA_USABLE },

	{ "3 0 0", S("\3\0\0x"), STS_TLSA_CERTIFICATE },
	{ "2 0 0", S("\2\0\0" D64), STS_TLSA_CERTIFICATE },
	{ "3 1 0", S("\3\1\0" D32), STS_TLSA_KEY },
	{ "2 1 0", S("\2\1\0x"), STS_TLSA_KEY },
	{ "no certificate", S("\3\0\0"), STS_TLSA_UNUSABLE },
	{ "no key", S("\3\1\0"), STS_TLSA_UNUSABLE },

	{ "PKIX-TA", S("\0\1\1" D32), STS_TLSA_UNUSABLE },
	{ "PKIX-EE", S("\1\1\1" D32), STS_TLSA_UNUSABLE },
	{ "PKIX-EE, a whole certificate", S("\1\0\0x"), STS_TLSA_UNUSABLE },
	{ "another usage", S("\4\1\1" D32), STS_TLSA_UNUSABLE },
	{ "a usage with its top bit set", S("\x83\1\1" D32), STS_TLSA_UNUSABLE },
	{ "a private usage", S("\xff\1\1" D32), STS_TLSA_UNUSABLE },
	{ "another selector", S("\3\2\1" D32), STS_TLSA_UNUSABLE },
	{ "another selector of something whole", S("\3\2\0" D32), STS_TLSA_UNUSABLE },
	{ "a private selector", S("\3\xff\1" D32), STS_TLSA_UNUSABLE },
	{ "another matching type", S("\3\1\3" D32), STS_TLSA_UNUSABLE },
	{ "a private matching type", S("\3\1\xff" D64), STS_TLSA_UNUSABLE },

	{ "SHA2-256, a byte short", S("\3\1\1" D31), STS_TLSA_UNUSABLE },
	{ "SHA2-256, a byte long", S("\3\1\1" D32 "x"), STS_TLSA_UNUSABLE },
	{ "SHA2-256 of 64 bytes", S("\3\1\1" D64), STS_TLSA_UNUSABLE },
	{ "SHA2-512 of 32 bytes", S("\3\1\2" D32), STS_TLSA_UNUSABLE },
	{ "SHA2-512, a byte short", S("\3\1\2" D32 D31), STS_TLSA_UNUSABLE },
	{ "SHA2-512, a byte long", S("\3\1\2" D64 "x"), STS_TLSA_UNUSABLE },
	{ "SHA2-256 without data", S("\3\1\1"), STS_TLSA_UNUSABLE },
	{ "two numbers", S("\3\1"), STS_TLSA_UNUSABLE },
	{ "nothing", S(""), STS_TLSA_UNUSABLE },
	{ "no bytes at all", { NULL, 0 }, STS_TLSA_UNUSABLE },
};

static const struct {
	const char *what;
	struct sts_str rdata, data;
} DATA[] = {
	{ "data", S("\3\1\1abc"), S("abc") },
	{ "data with a NUL", S("\3\1\1\0b"), S("\0b") },
	{ "three numbers", S("\3\1\1"), S("") },
	{ "two", S("\3\1"), S("") },
	{ "none", { NULL, 0 }, S("") },
};

/* Of the 253 bytes of a name, "_25._tcp." leaves 244, and "_65535._tcp." leaves 241. */
#define L60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define H241                                                                             \
 L60 "." L60 "." L60 "."                                                                 \
     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct {
	const char *what;
	struct sts_str host;
	uint16_t port;
	const char *name; /* NULL: none */
} NAMES[] = {
	{ "SMTP", S("mx.example"), 25, "_25._tcp.mx.example" },
	{ "another port", S("mx.example"), 587, "_587._tcp.mx.example" },
	{ "the last port", S("mx.example"), 65535, "_65535._tcp.mx.example" },
	{ "the first port", S("mx.example"), 1, "_1._tcp.mx.example" },
	{ "zeros inside", S("mx.example"), 1000, "_1000._tcp.mx.example" },
	{ "no port", S("mx.example"), 0, "_0._tcp.mx.example" },
	{ "a single label", S("mx"), 25, "_25._tcp.mx" },
	{ "a name with an underscore", S("a_b.example"), 25, "_25._tcp.a_b.example" },
	{ "the longest", S(H241 "bbb"), 25, "_25._tcp." H241 "bbb" },
	{ "a byte longer", S(H241 "bbbb"), 25, NULL },
	{ "the longest with a long port", S(H241), 65535, "_65535._tcp." H241 },
	{ "a byte longer with a long port", S(H241 "b"), 65535, NULL },
	{ "no host", S(""), 25, NULL },
	{ "no bytes at all", { NULL, 0 }, 25, NULL },
};

static void
test_names(void)
{
	for (size_t i = 0; i < COUNT(NAMES); i++) {
		const char *want = NAMES[i].name;
		char name[STS_NAME_MAX + 1 + 1];
		size_t n;

		memset(name, 0x5a, sizeof(name));
		n = sts_tlsa_name(NAMES[i].host, NAMES[i].port, name);
		CHECK(NAMES[i].what, n == (want == NULL ? 0 : strlen(want)));
		if (n != 0 && want != NULL)
			CHECK(NAMES[i].what, strcmp(name, want) == 0);
		CHECK(NAMES[i].what, name[STS_NAME_MAX + 1] == 0x5a);
	}
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(CASES); i++)
		CHECK(CASES[i].what, sts_tlsa_judge(CASES[i].rdata) == CASES[i].judged);
	for (size_t i = 0; i < COUNT(DATA); i++)
		CHECK(DATA[i].what,
		    sts_str_eq(sts_tlsa_data(DATA[i].rdata), DATA[i].data));
	test_names();
	return test_failed;
}
