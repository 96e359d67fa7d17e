/* SPDX-License-Identifier: MIT */
#include "dns.h"

#include <string.h>

#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define S(literal)                                                                       \
 {                                                                                       \
  (literal), sizeof(literal) - 1                                                         \
 }

/* Pieces of replies. The counts are of answer, authority and additional records. */
#define ID "\x12\x34"
#define OK_AD "\x81\xa0"
#define OK_ "\x81\x80"
#define COUNTS(an, ns, ar) "\0\1\0" an "\0" ns "\0" ar
#define Q_NAME "\7example\4test\0"
#define IN "\0\1"
#define Q(type) Q_NAME type IN
#define HEAD(flags, type, an, ns, ar) ID flags COUNTS(an, ns, ar) Q(type)

#define A_ "\0\1"
#define CNAME "\0\5"
#define SOA "\0\6"
#define MX "\0\17"
#define TXT "\0\20"
#define AAAA "\0\34"
#define TLSA "\0\64"

#define SELF "\xc0\x0c" /* the name asked: at 12 */
#define TEST "\xc0\x14" /* its top: at 20 */
#define TTL(n) "\0\0\0" n
#define RR(owner, type, ttl, n, rdata) owner type IN TTL(ttl) "\0" n rdata

#define SOA_DATA(minimum)                                                                \
 "\1a\0\1b\0"                                                                            \
 "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4" TTL(minimum)
#define SOA_RR(ttl, minimum) RR(SELF, SOA, ttl, "\x1a", SOA_DATA(minimum))
#define OPT(n, options) "\0\0\x29\x04\xd0\0\0\0\0\0" n options
#define EDE_22 "\0\17\0\2\0\26"

#define L61 "\75aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L63 "\77aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* rr: the records, each preference:data; with their bytes where they are no text. */
static const struct {
	const char *what;
	enum sts_dns_type type;
	struct sts_str wire;
	enum sts_err err;
	uint32_t ttl;
	struct sts_str rr[3];
	const char *final_name; /* NULL: the name asked */
	unsigned chain;
	bool ad, soa, truncated;
	int ede_1; /* the extended error plus one */
	uint8_t rcode;
} cases[] = {
	{ "one TXT", STS_DNS_TXT,
	    S(HEAD(OK_AD, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\4", "\3abc")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:abc") }, .ad = true },
	{ "strings are joined", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0")
		    RR(SELF, TXT, "\74", "\11", "\3v=S\0\3Ts;")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:v=STs;") } },
	{ "empty string", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\1", "\0")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:") } },
	{ "two records, smallest TTL", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\1a")
		    RR(SELF, TXT, "\36", "\2", "\1b")),
	    .err = STS_OK, .ttl = 30, .rr = { S("0:a"), S("0:b") } },
	{ "NUL and dots in a TXT", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\4", "\3.\0.")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:.\0.") } },
	{ "owner in other case", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0")
		    RR("\7EXAMPLE\4tesT\0", TXT, "\74", "\2", "\1a")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "question in other case", STS_DNS_TXT,
	    S(ID OK_ COUNTS("\1", "\0", "\0") "\7eXample\4test\0" TXT IN RR(SELF, TXT,
		"\74", "\2", "\1a")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "others' records are passed over", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\4", "\0", "\0") RR("\1x" SELF, TXT, "\1", "\2", "\1x")
		    RR(SELF, A_, "\1", "\4", "\1\2\3\4") SELF TXT
		"\0\3" TTL("\1") "\0\2\1c" RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "a dot inside a label is another name", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR("\14example.test\0", TXT, "\1", "\2",
		"\1x") RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "TTL with the top bit", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") SELF TXT IN "\x80\0\0\1"
							   "\0\2\1a"),
	    .err = STS_OK, .ttl = 0, .rr = { S("0:a") } },
	{ "bytes after the last record", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\1a") "junk"),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },

	{ "MX", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\2", "\0", "\0") RR(SELF, MX, "\74", "\7", "\0\12\2MX" SELF)
		    RR(SELF, MX, "\74", "\4", "\1\0" SELF)),
	    .err = STS_OK, .ttl = 60,
	    .rr = { S("10:mx.example.test"), S("256:example.test") } },
	{ "null MX", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\3", "\0\0\0")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:") } },
	{ "underscore in an MX", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\6",
		"\0\1\3a_b"
		"\0")),
	    .err = STS_ERR_DNS_MALFORMED }, /* one byte short */
	{ "underscore in a whole MX", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\7",
		"\0\1\3a_b"
		"\0")),
	    .err = STS_OK, .ttl = 60, .rr = { S("1:a_b") } },
	{ "dot inside an MX label", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\7", "\0\1\3a.b\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "NUL inside an MX label", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\7", "\0\1\3a\0b\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "blank inside an MX label", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\7", "\0\1\3a b\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "an MX that cannot be named hurts no other", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\3", "\0", "\0") RR(SELF, MX, "\74", "\7", "\0\1\3a b\0")
		    RR(SELF, MX, "\74", "\4", "\0\2" SELF)
			RR(SELF, MX, "\74", "\7", "\0\3\3a.b\0")),
	    .err = STS_OK, .ttl = 60, .rr = { S("2:example.test") } },
	{ "nor does it hide one that is damaged", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\2", "\0", "\0") RR(SELF, MX, "\74", "\10", "\0\1\3a b\0x")
		    RR(SELF, MX, "\74", "\4", "\0\2" SELF)),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "high byte inside an MX label", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\7",
		"\0\1\3a\xe4"
		"b\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "DEL inside an MX label", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\5", "\0\1\1\x7f\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "the outermost printable bytes", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\6", "\0\1\2!~\0")),
	    .err = STS_OK, .ttl = 60, .rr = { S("1:!~") } },
	{ "pointer beyond 256", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\3", "\0", "\0") RR(SELF, TXT, "\1", "\xc5",
		L63 L63 L63 "12345") RR(SELF, MX, "\74", "\22",
		"\0\2\3abc\5defgh\4test\0") RR(SELF, MX, "\74", "\4", "\0\3\xc1\x01")),
	    .err = STS_OK, .ttl = 60,
	    .rr = { S("2:abc.defgh.test"), S("3:defgh.test") } },
	{ "bytes after an MX", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0")
		    RR(SELF, MX, "\74", "\5", "\0\1" SELF "\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "MX of one byte", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0") RR(SELF, MX, "\74", "\1", "\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "longest name", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0")
		    SELF MX IN TTL("\74") "\1\1\0\1" L63 L63 L63 L61 "\0"),
	    .err = STS_OK, .ttl = 60, .rr = { { "1:", 255 } } },
	{ "name too long", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0")
		    SELF MX IN TTL("\74") "\1\3\0\1" L63 L63 L63 L63 "\0"),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "name too long by compression", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\1", "\0", "\0")
		    SELF MX IN TTL("\74") "\1\3\0\1" L63 L63 L63 L61 SELF),
	    .err = STS_ERR_DNS_MALFORMED },

	{ "A", STS_DNS_A,
	    S(HEAD(OK_, A_, "\1", "\0", "\0") RR(SELF, A_, "\74", "\4", "\x7f\0\0\1")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:\x7f\0\0\1") } },
	{ "A of three bytes", STS_DNS_A,
	    S(HEAD(OK_, A_, "\1", "\0", "\0") RR(SELF, A_, "\74", "\3", "\x7f\0\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "A of five bytes", STS_DNS_A,
	    S(HEAD(OK_, A_, "\1", "\0", "\0") RR(SELF, A_, "\74", "\5", "\x7f\0\0\1\1")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "AAAA", STS_DNS_AAAA,
	    S(HEAD(OK_, AAAA, "\1", "\0", "\0")
		    RR(SELF, AAAA, "\74", "\20", "0123456789abcdef")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:0123456789abcdef") } },
	{ "AAAA of four bytes", STS_DNS_AAAA,
	    S(HEAD(OK_, AAAA, "\1", "\0", "\0") RR(SELF, AAAA, "\74", "\4", "0123")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "TLSA", STS_DNS_TLSA,
	    S(HEAD(OK_, TLSA, "\1", "\0", "\0") RR(SELF, TLSA, "\74", "\5", "\3\1\1xy")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:\3\1\1xy") } },
	{ "TLSA without data", STS_DNS_TLSA,
	    S(HEAD(OK_, TLSA, "\1", "\0", "\0") RR(SELF, TLSA, "\74", "\3", "\3\1\1")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:\3\1\1") } },
	{ "TLSA of two bytes", STS_DNS_TLSA,
	    S(HEAD(OK_, TLSA, "\1", "\0", "\0") RR(SELF, TLSA, "\74", "\2", "\3\1")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:\3\1") } },
	{ "SOA", STS_DNS_SOA, S(HEAD(OK_AD, SOA, "\1", "\0", "\0") SOA_RR("\74", "\36")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:" SOA_DATA("\36")) }, .ad = true },
	{ "SOA cut short", STS_DNS_SOA,
	    S(HEAD(OK_, SOA, "\1", "\0", "\0")
		    RR(SELF, SOA, "\74", "\7", "\0\0\0\0\0\0\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "CNAME itself is asked for", STS_DNS_CNAME,
	    S(HEAD(OK_, CNAME, "\1", "\0", "\0")
		    RR(SELF, CNAME, "\74", "\4", "\1B" TEST)),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:b.test") } },

	{ "TXT without a string", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\0", "")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "string longer than its record", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\2a")
		    RR(SELF, TXT, "\74", "\2", "\1b")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "second string longer than its record", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\4", "\1a\2b")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "rdata longer than the reply", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\3", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "fewer records than counted", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "fewer additional records than counted", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },

	/* The chain. */
	{ "one CNAME", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR(SELF, CNAME, "\36", "\4", "\1B" TEST)
		    RR("\1b" TEST, TXT, "\74", "\2", "\1a")),
	    .err = STS_OK, .ttl = 30, .rr = { S("0:a") }, .final_name = "b.test",
	    .chain = 1 },
	{ "three CNAMEs, last first", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\4", "\0", "\0") RR("\1d" TEST, TXT, "\74", "\2",
		"\1a") RR("\1c" TEST, CNAME, "\24", "\4", "\1d" TEST) RR("\1b" TEST,
		CNAME, "\36", "\4", "\1c" TEST) RR(SELF, CNAME, "\50", "\4", "\1b" TEST)),
	    .err = STS_OK, .ttl = 20, .rr = { S("0:a") }, .final_name = "d.test",
	    .chain = 3 },
	{ "records beside the chain do not count", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\3", "\0", "\0") RR(SELF, CNAME, "\36", "\4", "\1b" TEST)
		    RR("\1c" TEST, TXT, "\74", "\2", "\1x")
			RR(SELF, TXT, "\74", "\2", "\1y")),
	    .err = STS_ERR_DNS_NODATA, .final_name = "b.test", .chain = 1 },
	{ "only a CNAME", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, CNAME, "\36", "\4", "\1b" TEST)),
	    .err = STS_ERR_DNS_NODATA, .final_name = "b.test", .chain = 1 },
	{ "CNAME to NXDOMAIN", STS_DNS_TXT,
	    S(HEAD("\x81\x83", TXT, "\1", "\1", "\0")
		    RR(SELF, CNAME, "\12", "\4", "\1b" TEST) SOA_RR("\74", "\36")),
	    .err = STS_ERR_DNS_NXDOMAIN, .rcode = 3, .ttl = 10, .final_name = "b.test",
	    .chain = 1, .soa = true },
	{ "CNAME to itself", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, CNAME, "\36", "\2", SELF)),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "a loop of two", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\2", "\0", "\0") RR(SELF, CNAME, "\36", "\4", "\1b" TEST)
		    RR("\1b" TEST, CNAME, "\36", "\2", SELF)),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "CNAME with a dot in a label", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR(SELF, CNAME, "\36", "\5",
		"\3b.c"
		"\0")),
	    .err = STS_ERR_DNS_MALFORMED },

	/* "No". */
	{ "NODATA, TTL of the SOA", STS_DNS_TXT,
	    S(HEAD(OK_AD, TXT, "\0", "\1", "\0") SOA_RR("\36", "\74")),
	    .err = STS_ERR_DNS_NODATA, .ttl = 30, .ad = true, .soa = true },
	{ "NXDOMAIN, minimum of the SOA", STS_DNS_TXT,
	    S(HEAD("\x81\x83", TXT, "\0", "\1", "\0") SOA_RR("\74", "\36")),
	    .err = STS_ERR_DNS_NXDOMAIN, .rcode = 3, .ttl = 30, .soa = true },
	{ "NODATA without SOA", STS_DNS_TXT, S(HEAD(OK_, TXT, "\0", "\0", "\0")),
	    .err = STS_ERR_DNS_NODATA },
	{ "SOA behind others", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\0", "\3", "\0") RR(SELF, "\0\2", "\1", "\2", SELF) SELF SOA
		"\0\3" TTL("\1") "\0\0" SOA_RR("\36", "\74")),
	    .err = STS_ERR_DNS_NODATA, .ttl = 30, .soa = true },
	{ "first SOA counts", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\0", "\2", "\0") SOA_RR("\36", "\74") SOA_RR("\1", "\1")),
	    .err = STS_ERR_DNS_NODATA, .ttl = 30, .soa = true },
	{ "SOA with a TTL that is none", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\0", "\1", "\0") SELF SOA IN
		"\xff\xff\xff\xff\0\x1a" SOA_DATA("\74")),
	    .err = STS_ERR_DNS_NODATA, .ttl = 0, .soa = true },
	{ "SOA with a bad length", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\0", "\1", "\0")
		    RR(SELF, SOA, "\74", "\33", SOA_DATA("\36") "x")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "NXDOMAIN and a record", STS_DNS_TXT,
	    S(HEAD("\x81\x83", TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED, .rcode = 3 },

	/* Failures. */
	{ "SERVFAIL with EDE", STS_DNS_TXT,
	    S(HEAD("\x81\x82", TXT, "\0", "\0", "\1") OPT("\6", EDE_22)),
	    .err = STS_ERR_DNS_SERVFAIL, .rcode = 2, .ede_1 = 23 },
	{ "EDE behind another option", STS_DNS_TXT,
	    S(HEAD("\x81\x82", TXT, "\0", "\0", "\1")
		    OPT("\20", "\0\12\0\6cookie" EDE_22)),
	    .err = STS_ERR_DNS_SERVFAIL, .rcode = 2, .ede_1 = 23 },
	{ "first EDE counts", STS_DNS_TXT,
	    S(HEAD("\x81\x82", TXT, "\0", "\0", "\1")
		    OPT("\16", "\0\17\0\4\0\6hi" EDE_22)),
	    .err = STS_ERR_DNS_SERVFAIL, .rcode = 2, .ede_1 = 7 },
	{ "EDE of an answer", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\6", EDE_22)),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") }, .ede_1 = 23 },
	{ "OPT without options", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\0", "")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "OPT among others, first counts", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\4") RR(SELF, TXT, "\74", "\2", "\1a") RR(SELF,
		A_, "\1", "\1", "\1") RR(SELF, "\0\51", "\1", "\6", "\0\17\0\2\0\1")
		    OPT("\6", EDE_22) OPT("\6", "\0\17\0\2\0\2")),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") }, .ede_1 = 23 },
	{ "first OPT counts even without EDE", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\2") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\0", "") OPT("\6", EDE_22)),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") } },
	{ "EDE 0 counts as one", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\14", "\0\17\0\2\0\0" EDE_22)),
	    .err = STS_OK, .ttl = 60, .rr = { S("0:a") }, .ede_1 = 1 },
	{ "option longer than the OPT", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\6", "\0\17\0\3\0\26")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "EDE of one byte", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\1") RR(SELF, TXT, "\74", "\2", "\1a")
		    OPT("\5", "\0\17\0\1\26")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "REFUSED", STS_DNS_TXT, S(HEAD("\x81\x85", TXT, "\0", "\0", "\0")),
	    .err = STS_ERR_DNS_REFUSED, .rcode = 5 },
	{ "REFUSED without a question", STS_DNS_TXT,
	    S(ID "\x81\x85"
		 "\0\0\0\0\0\0\0\0"),
	    .err = STS_ERR_DNS_REFUSED, .rcode = 5 },
	{ "REFUSED with two questions", STS_DNS_TXT,
	    S(ID "\x81\x85\0\2\0\0\0\0\0\0" Q(TXT) Q(TXT)), .err = STS_ERR_DNS_MALFORMED,
	    .rcode = 5 },
	{ "REFUSED of another question", STS_DNS_TXT,
	    S(HEAD("\x81\x85", MX, "\0", "\0", "\0")), .err = STS_ERR_DNS_MALFORMED,
	    .rcode = 5 },
	{ "FORMERR", STS_DNS_TXT,
	    S(ID "\x81\x81"
		 "\0\0\0\0\0\0\0\0"),
	    .err = STS_ERR_DNS_OTHER, .rcode = 1 },
	{ "extended rcode", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\0", "\0", "\1") "\0\0\x29\x04\xd0\1\0\0\0\0\0"),
	    .err = STS_ERR_DNS_OTHER, .rcode = 16 },
	{ "TC", STS_DNS_TXT,
	    S(HEAD("\x83\x80", TXT, "\1", "\0", "\0") RR(SELF, TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED, .truncated = true },

	/* No reply to this. */
	{ "empty", STS_DNS_TXT, S(""), .err = STS_ERR_DNS_MALFORMED },
	{ "no address", STS_DNS_TXT, { NULL, 0 }, .err = STS_ERR_DNS_MALFORMED },
	{ "half a header", STS_DNS_TXT, S(ID OK_ "\0\1"), .err = STS_ERR_DNS_MALFORMED },
	{ "a question", STS_DNS_TXT, S(HEAD("\1\0", TXT, "\0", "\0", "\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "another opcode", STS_DNS_TXT, S(HEAD("\x89\x80", TXT, "\0", "\0", "\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "another type asked", STS_DNS_TXT, S(HEAD(OK_, MX, "\0", "\0", "\0")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "another name asked", STS_DNS_TXT,
	    S(ID OK_ COUNTS("\0", "\0", "\0") "\7fxample\4test\0" TXT IN),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "another class asked", STS_DNS_TXT,
	    S(ID OK_ COUNTS("\0", "\0", "\0") Q_NAME TXT "\0\3"),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "no question", STS_DNS_TXT, S(ID OK_ "\0\0\0\0\0\0\0\0"),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "two questions", STS_DNS_TXT, S(ID OK_ "\0\2\0\0\0\0\0\0" Q(TXT) Q(TXT)),
	    .err = STS_ERR_DNS_MALFORMED },

	/* Compression. */
	{ "pointer to itself", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR("\xc0\x1e", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "pointer forward", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR("\xc0\x20", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "pointer to its own labels", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0")
		    RR("\1x\xc0\x1e", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "pointer into the header", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR("\xc0\x02", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "pointer beyond the reply", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") RR("\xff\xff", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "half a pointer", STS_DNS_TXT, S(HEAD(OK_, TXT, "\1", "\0", "\0") "\xc0"),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "label type 01", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0")
		    RR("\x41" L63 "\0", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "label type 10", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0")
		    RR("\x81" L63 L63 L63 "\0", TXT, "\74", "\2", "\1a")),
	    .err = STS_ERR_DNS_MALFORMED },
	{ "label beyond the reply", STS_DNS_TXT,
	    S(HEAD(OK_, TXT, "\1", "\0", "\0") "\7abc"), .err = STS_ERR_DNS_MALFORMED },
	{ "labels beyond the record", STS_DNS_MX,
	    S(HEAD(OK_, MX, "\2", "\0", "\0") RR(SELF, MX, "\74", "\4", "\0\1\1b")
		    RR(SELF, MX, "\74", "\4", "\0\1" SELF)),
	    .err = STS_ERR_DNS_MALFORMED },
};

static char store[STS_DNS_STORE(1024)];

static void
check_record(const char *what, const struct sts_dns_rr *rr, struct sts_str want)
{
	struct sts_str preference;
	unsigned long long n = 0;

	if (want.n == 255) { /* the longest name: too long to write down */
		CHECK(what, rr->data.n == 253 && rr->preference == 1);
		return;
	}
	CHECK(what,
	    sts_str_cut(&want, ':', &preference) &&
		sts_str_number(preference, 65535, &n));
	CHECK(what, rr->preference == n);
	CHECK(what, sts_str_eq(rr->data, want));
}

static void
test_parse(void)
{
	static struct sts_dns_answer answer;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *what = cases[i].what;
		const char *final_name = cases[i].final_name;
		size_t count = 0;

		memset(&answer, 0xa5, sizeof(answer));
		sts_dns_parse(cases[i].wire, STS_STR("Example.test"), cases[i].type,
		    store, sizeof(store), &answer);
		CHECK(what, answer.err == cases[i].err);
		CHECK(what, answer.ad == cases[i].ad);
		CHECK(what, answer.truncated == cases[i].truncated);
		CHECK(what, answer.has_soa == cases[i].soa);
		CHECK(what, answer.ttl == cases[i].ttl);
		CHECK(what, answer.chain == cases[i].chain);
		CHECK(what, answer.rcode == cases[i].rcode);
		CHECK(what, answer.ede == cases[i].ede_1 - 1);
		while (count < COUNT(cases[i].rr) && cases[i].rr[count].p != NULL)
			count++;
		CHECK(what, answer.count == count);
		for (size_t k = 0; k < count && k < answer.count; k++)
			check_record(what, &answer.rr[k], cases[i].rr[k]);
		if (final_name == NULL)
			final_name =
			    sts_err_is_dns_failure(cases[i].err) ? "" : "example.test";
		CHECK(what, sts_str_eq(answer.final_name, sts_str_of(final_name)));
	}
}

/* Every reply cut at every byte says nothing, except where only junk is cut off. */
static void
test_cuts(void)
{
	static struct sts_dns_answer answer;

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (sts_err_is_dns_failure(cases[i].err) ||
		    strcmp(cases[i].what, "bytes after the last record") == 0)
			continue;
		for (size_t n = 0; n < cases[i].wire.n; n++) {
			sts_dns_parse(sts_str_head(cases[i].wire, n),
			    STS_STR("example.test"), cases[i].type, store, sizeof(store),
			    &answer);
			CHECK(cases[i].what, answer.err == STS_ERR_DNS_MALFORMED);
		}
	}
}

static void
put(char *wire, size_t *n, struct sts_str bytes)
{
	memcpy(wire + *n, bytes.p, bytes.n);
	*n += bytes.n;
}

/* count records, all alike, in one reply. */
static size_t
many(char *wire, size_t count, struct sts_str head, struct sts_str record)
{
	size_t n = 0;

	put(wire, &n, head);
	wire[6] = (char)(count >> 8);
	wire[7] = (char)(count & 0xff);
	for (size_t i = 0; i < count; i++)
		put(wire, &n, record);
	return n;
}

#define OWN_MX S(RR(SELF, MX, "\74", "\4", "\0\1" SELF))
#define OTHER_MX S(RR(TEST, MX, "\74", "\4", "\0\1" SELF))

static void
test_many(void)
{
	static const struct {
		const char *what;
		struct sts_str record;
		size_t count;
		enum sts_err err;
	} counts[] = {
		{ "as many as there may be", OWN_MX, STS_DNS_RR_MAX, STS_OK },
		{ "one more", OWN_MX, STS_DNS_RR_MAX + 1, STS_ERR_DNS_MALFORMED },
		{ "as many others as there may be", OTHER_MX, 512, STS_ERR_DNS_NODATA },
		{ "one other more", OTHER_MX, 513, STS_ERR_DNS_MALFORMED },
	};
	static char wire[65536], names[STS_DNS_STORE(sizeof(wire))];
	static struct sts_dns_answer answer;

	for (size_t i = 0; i < COUNT(counts); i++) {
		struct sts_str reply = { wire,
			many(wire, counts[i].count,
			    STS_STR(HEAD(OK_, MX, "\0", "\0", "\0")), counts[i].record) };

		sts_dns_parse(reply, STS_STR("example.test"), STS_DNS_MX, names,
		    STS_DNS_STORE(reply.n), &answer);
		CHECK(counts[i].what, answer.err == counts[i].err);
		CHECK(counts[i].what,
		    answer.count == (answer.err == STS_OK ? counts[i].count : 0));
	}
}

/* n CNAMEs from the name asked: "aN.test", N in unary, so that each is another name. */
static struct sts_str
chain_of(char *wire, size_t links)
{
	size_t n = 0;

	put(wire, &n, STS_STR(HEAD(OK_, TXT, "\0", "\0", "\0")));
	wire[7] = (char)(links + 1);
	for (size_t i = 0; i <= links; i++) {
		char label[2] = { 1, (char)('a' + i - 1) },
		     next[2] = { 1, (char)('a' + i) };

		if (i == 0)
			put(wire, &n, STS_STR(SELF));
		else {
			put(wire, &n, (struct sts_str){ label, 2 });
			put(wire, &n, STS_STR(TEST));
		}
		if (i == links) {
			put(wire, &n, STS_STR(TXT IN TTL("\74") "\0\2\1a"));
			break;
		}
		put(wire, &n, STS_STR(CNAME IN TTL("\74") "\0\4"));
		put(wire, &n, (struct sts_str){ next, 2 });
		put(wire, &n, STS_STR(TEST));
	}
	return (struct sts_str){ wire, n };
}

static void
test_chain(void)
{
	static char wire[1024];
	static struct sts_dns_answer answer;

	for (size_t links = 0; links <= 20; links++) {
		sts_dns_parse(chain_of(wire, links), STS_STR("example.test"), STS_DNS_TXT,
		    store, sizeof(store), &answer);
		CHECK("chain",
		    answer.err == (links <= 16 ? STS_OK : STS_ERR_DNS_MALFORMED));
		CHECK("chain", answer.chain == (links <= 16 ? links : 0));
	}
}

#define N63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define N61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OPT_ASKED "\0\0\x29\x04\xd0\0\0\0\0\0\0"
#define ASKED(name, type) "\xab\xcd\1\x20\0\1\0\0\0\0\0\1" name type IN OPT_ASKED

static const struct {
	const char *what;
	struct sts_str name;
	enum sts_dns_type type;
	struct sts_str query; /* empty: no valid name */
} questions[] = {
	{ "TXT", S("_mta-sts.example.test"), STS_DNS_TXT,
	    S(ASKED("\10_mta-sts\7example\4test\0", TXT)) },
	{ "lower case", S("Example.TEST"), STS_DNS_MX, S(ASKED(Q_NAME, MX)) },
	{ "trailing dot", S("example.test."), STS_DNS_AAAA, S(ASKED(Q_NAME, AAAA)) },
	{ "port", S("_25._tcp.test"), STS_DNS_TLSA,
	    S(ASKED("\3_25\4_tcp\4test\0", TLSA)) },
	{ "host", S("_25._tcp.Example.test"), STS_DNS_TLSA,
	    S(ASKED("\3_25\4_tcp" Q_NAME, TLSA)) },
	{ "alias", S("example.test"), STS_DNS_CNAME, S(ASKED(Q_NAME, CNAME)) },
	{ "root", S("."), STS_DNS_SOA, S(ASKED("\0", SOA)) },
	{ "longest", S(N63 "." N63 "." N63 "." N61), STS_DNS_A,
	    S(ASKED(L63 L63 L63 L61 "\0", A_)) },
	{ "too long", S(N63 "." N63 "." N63 ".a" N61), STS_DNS_A, S("") },
	{ "label too long", S(N63 "a.test"), STS_DNS_A, S("") },
	{ "empty", S(""), STS_DNS_A, S("") },
	{ "two dots", S("a..test"), STS_DNS_A, S("") },
	{ "leading dot", S(".test"), STS_DNS_A, S("") },
	{ "only dots", S(".."), STS_DNS_A, S("") },
	{ "blank", S("a b.test"), STS_DNS_A, S("") },
	{ "NUL", S("a\0b.test"), STS_DNS_A, S("") },
	{ "not ASCII", S("\xc3\xa4.test"), STS_DNS_A, S("") },
};

static void
test_questions(void)
{
	for (size_t i = 0; i < COUNT(questions); i++) {
		uint8_t query[STS_DNS_QUERY_MAX];
		size_t n =
		    sts_dns_question(questions[i].name, questions[i].type, 0xabcd, query);

		CHECK(questions[i].what,
		    sts_str_eq((struct sts_str){ (char *)query, n }, questions[i].query));
	}
}

/* Names that DANE asks for, and where their answers lead to. */
#define TLSA_NAME "\3_25\4_tcp\2mx\4test\0"
#define TLSA_HEAD(an, ns) ID OK_AD COUNTS(an, ns, "\0") TLSA_NAME TLSA IN
#define MX_TEST "\xc0\x15" /* mx.test, of TLSA_NAME: at 21 */
#define ROOT_HEAD(flags, an) ID flags COUNTS(an, "\0", "\0") "\0" SOA IN

static const struct {
	const char *what, *name;
	enum sts_dns_type type;
	struct sts_str wire;
	enum sts_err err;
	const char *final_name;
	unsigned chain;
	uint32_t ttl;
	bool ad;
	size_t count;
	struct sts_str data; /* of the first record */
} answers[] = {
	{ "the root", ".", STS_DNS_SOA,
	    S(ROOT_HEAD(OK_AD, "\1") RR("\0", SOA, "\74", "\x1a", SOA_DATA("\36"))),
	    STS_OK, "", 0, 60, true, 1, S(SOA_DATA("\36")) },
	{ "the root, not secure", ".", STS_DNS_SOA,
	    S(ROOT_HEAD(OK_, "\1") RR("\0", SOA, "\74", "\x1a", SOA_DATA("\36"))), STS_OK,
	    "", 0, 60, false, 1, S(SOA_DATA("\36")) },
	{ "of the root, but another's record", ".", STS_DNS_SOA,
	    S(ROOT_HEAD(OK_AD, "\1") RR("\4test\0", SOA, "\74", "\x1a", SOA_DATA("\36"))),
	    STS_ERR_DNS_NODATA, "", 0, 0, true, 0, S("") },
	{ "TLSA", "_25._tcp.mx.test", STS_DNS_TLSA,
	    S(TLSA_HEAD("\2", "\0") RR(SELF, TLSA, "\74", "\4", "\3\1\1x")
		    RR(SELF, TLSA, "\36", "\4", "\2\0\1y")),
	    STS_OK, "_25._tcp.mx.test", 0, 30, true, 2, S("\3\1\1x") },
	{ "TLSA in other case", "_25._TCP.Mx.test", STS_DNS_TLSA,
	    S(TLSA_HEAD("\1", "\0")
		    RR("\3_25\4_Tcp\2MX\4test\0", TLSA, "\74", "\4", "\3\1\1x")),
	    STS_OK, "_25._tcp.mx.test", 0, 60, true, 1, S("\3\1\1x") },
	{ "TLSA elsewhere", "_25._tcp.mx.test", STS_DNS_TLSA,
	    S(TLSA_HEAD("\2", "\0") RR(SELF, CNAME, "\36", "\7", "\4_dan" MX_TEST)
		    RR("\4_dan" MX_TEST, TLSA, "\74", "\4", "\3\1\1x")),
	    STS_OK, "_dan.mx.test", 1, 30, true, 1, S("\3\1\1x") },
	{ "securely no TLSA", "_25._tcp.mx.test", STS_DNS_TLSA,
	    S(TLSA_HEAD("\0", "\1") RR(MX_TEST, SOA, "\74", "\x1a", SOA_DATA("\36"))),
	    STS_ERR_DNS_NODATA, "_25._tcp.mx.test", 0, 30, true, 0, S("") },
	{ "securely no such name", "_25._tcp.mx.test", STS_DNS_TLSA,
	    S(ID "\x81\xa3" COUNTS("\0", "\1", "\0")
		    TLSA_NAME TLSA IN RR(MX_TEST, SOA, "\36", "\x1a", SOA_DATA("\74"))),
	    STS_ERR_DNS_NXDOMAIN, "_25._tcp.mx.test", 0, 30, true, 0, S("") },
	{ "an address behind two CNAMEs", "example.test", STS_DNS_A,
	    S(HEAD(OK_AD, A_, "\3", "\0", "\0") RR(SELF, CNAME, "\74", "\4", "\1b" TEST)
		    RR("\1b" TEST, CNAME, "\36", "\6", "\3Mx1" TEST)
			RR("\3mx1" TEST, A_, "\74", "\4", "4444")),
	    STS_OK, "mx1.test", 2, 30, true, 1, S("4444") },
	{ "no address behind a CNAME", "example.test", STS_DNS_AAAA,
	    S(HEAD(OK_AD, AAAA, "\1", "\1", "\0") RR(SELF, CNAME, "\74", "\4", "\1b" TEST)
		    RR(TEST, SOA, "\74", "\x1a", SOA_DATA("\36"))),
	    STS_ERR_DNS_NODATA, "b.test", 1, 30, true, 0, S("") },
	{ "a CNAME and what is behind it", "example.test", STS_DNS_CNAME,
	    S(HEAD(OK_AD, CNAME, "\2", "\0", "\0") RR(SELF, CNAME, "\74", "\4",
		"\1b" TEST) RR("\1b" TEST, CNAME, "\36", "\4", "\1c" TEST)),
	    STS_OK, "example.test", 0, 60, true, 1, S("b.test") },
};

static void
test_answers(void)
{
	static struct sts_dns_answer answer;

	for (size_t i = 0; i < COUNT(answers); i++) {
		const char *what = answers[i].what;

		sts_dns_parse(answers[i].wire, sts_str_of(answers[i].name),
		    answers[i].type, store, sizeof(store), &answer);
		CHECK(what, answer.err == answers[i].err);
		CHECK(what,
		    sts_str_eq(answer.final_name, sts_str_of(answers[i].final_name)));
		CHECK(what, answer.chain == answers[i].chain);
		CHECK(what, answer.ttl == answers[i].ttl);
		CHECK(what, answer.ad == answers[i].ad);
		CHECK(what, answer.count == answers[i].count);
		if (answer.count != 0)
			CHECK(what, sts_str_eq(answer.rr[0].data, answers[i].data));
	}
}

static void
test_words(void)
{
	static struct sts_dns_answer answer;

	sts_dns_failed(STS_ERR_DNS_TIMEOUT, &answer);
	CHECK("failed", answer.err == STS_ERR_DNS_TIMEOUT && answer.ede == -1);
	CHECK("failed", answer.count == 0 && !answer.ad);
	CHECK("type", strcmp(sts_dns_type_text(STS_DNS_TLSA), "TLSA") == 0);
	CHECK("type", strcmp(sts_dns_type_text(STS_DNS_TXT), "TXT") == 0);

	sts_dns_parse(STS_STR(HEAD(OK_, TXT, "\0", "\0", "\0")),
	    STS_STR(N63 "." N63 "." N63 ".a" N61), STS_DNS_TXT, store, sizeof(store),
	    &answer);
	CHECK("a name that cannot be asked", answer.err == STS_ERR_DNS_MALFORMED);

	/* Too little room is no answer, and nothing is written beyond it. */
	sts_dns_parse(STS_STR(HEAD(OK_, MX, "\1", "\0", "\0")
			      RR(SELF, MX, "\74", "\4", "\0\1" SELF)),
	    STS_STR("example.test"), STS_DNS_MX, store, 11, &answer);
	CHECK("room", answer.err == STS_ERR_DNS_MALFORMED && answer.count == 0);
}

int
main(void)
{
	test_parse();
	test_cuts();
	test_many();
	test_chain();
	test_questions();
	test_answers();
	test_words();
	return test_failed;
}
