/* SPDX-License-Identifier: MIT */
/* Reports about DANE: what the resolver, the MX and its hosts come to, in both texts. */
#include "query_dane.h"

#include <stdlib.h>
#include <string.h>

#include "query_json.h"
#include "query_text.h"
#include "test.h"
#include "tlsa.h"

int test_failed;

#define NOW 1000000
#define ENFORCE "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: *.dom.example\n"
#define TESTING "version: STSv1\nmode: testing\nmax_age: 604800\nmx: *.dom.example\n"
#define LABEL "  "

/* What one question gets. */
struct got {
	enum sts_err err;
	int ede; /* 0: none */
	bool ad;
};
#define SIGNED                                                                           \
 {                                                                                       \
  STS_OK, 0, true                                                                        \
 }
#define UNSIGNED                                                                         \
 {                                                                                       \
  STS_OK, 0, false                                                                       \
 }
#define NONE                                                                             \
 {                                                                                       \
  STS_ERR_DNS_NODATA, 0, true                                                            \
 }
#define BOGUS                                                                            \
 {                                                                                       \
  STS_ERR_DNS_SERVFAIL, 6, false                                                         \
 }
#define SILENT                                                                           \
 {                                                                                       \
  STS_ERR_DNS_TIMEOUT, 0, false                                                          \
 }

/* A host: its addresses, and its TLSA records ("311", each with a digest). */
struct host {
	const char *name;
	struct got address;
	struct got tlsa;
	const char *records[3];
	const char *final;  /* NULL: no alias; the records are there */
	struct got alias;   /* is it one? */
	struct got own;	    /* TLSA at the alias itself, without final: no matter */
	const char *at_own; /* the one record there */
	bool has_six;	    /* else there is no IPv6, or what happens to IPv4 */
	struct got six;
};
#define HOST(n, a, t) .name = (n), .address = a, .tlsa = t
#define GOOD(n)                                                                          \
 {                                                                                       \
  HOST(n, SIGNED, SIGNED), .records = { "311", "211" }                                   \
 }

static const struct {
	const char *what;
	const char *key;    /* NULL: dom.example */
	const char *policy; /* NULL: no record */
	bool record_fails;  /* with txt_error = defer */
	struct got trust;
	bool distrusted, off; /* by dnssec = off */
	bool without_dane;    /* dane = off */
	const char *culprit;
	struct got mx;
	struct host hosts[3];
	enum query_verdict verdict;
	int exit;
	const char *ids;
	const char *reply;
	const char *text; /* stands in the report */
	const char *json;
} cases[] = {
	{ .what = "applies",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK dane-only",
	    .text = "DANE       applies: signed MX records, and signed TLSA records that "
		    "can be used\n" LABEL "MX records  secure\n" LABEL
		    "a.dom.example  192.0.2.7  secure  2 TLSA: 3 1 1, 2 1 1\n"
		    "Reply      to QUERY and QUERYwithTLSRPT\n  OK dane-only\n"
		    "Try        posttls-finger -c -l dane dom.example\n",
	    .json =
		"\"addresses\":[\"192.0.2.7\"],\"dnssec\":\"secure\",\"alias_of\":null,"
		"\"error\":null,\"tlsa\":{\"status\":\"usable\","
		"\"base\":\"a.dom.example\",\"records\":[{\"usage\":3,\"selector\":1,"
		"\"mtype\":1,\"data\":\"4444444444444444444444444444444444444444444444444"
		"444444444444444\",\"usable\":true},{\"usage\":2,\"selector\":1," },
	{ .what = "applies, without MTA-STS",
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_NONE,
	    .exit = 1,
	    .ids = "TXT01 DAN13",
	    .reply = "NOTFOUND ",
	    .text = "DANE       applies: signed MX",
	    .json = "\"dane\":{\"status\":\"applies\",\"comes_first\":true,"
		    "\"mx\":\"secure\"," },
	{ .what = "applies, and is switched off",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .without_dane = true,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "that can be used; it does not come first here (setting dane)\n",
	    .json = "\"dane\":{\"status\":\"applies\",\"comes_first\":false," },
	{ .what = "one record",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED), .records = { "311" } } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "DAN10",
	    .reply = "OK dane-only",
	    .text = "secure  1 TLSA: 3 1 1\n",
	    .json = "\"dane\":\"usable\"" },
	{ .what = "applies, at some hosts",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example"), { HOST("b.dom.example", UNSIGNED, NONE) },
		{ HOST("c.dom.example", SIGNED, NONE) } },
	    .verdict = QUERY_DANE,
	    .exit = 2,
	    .ids = "DAN08 DAN08",
	    .reply = "OK dane-only",
	    .text = LABEL "b.dom.example  192.0.2.7  insecure\n" LABEL
			  "c.dom.example  192.0.2.7  secure  no TLSA\n",
	    .json = "\"dnssec\":\"insecure\",\"alias_of\":null,\"error\":null,\"tlsa\":{"
		    "\"status\":\"not-queried\",\"base\":null,\"records\":[],\"error\":"
		    "null},\"dane\":\"absent\"" },
	{ .what = "applies, one lookup fails",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example"), { HOST("b.dom.example", SIGNED, SILENT) },
		{ HOST("c.dom.example", SILENT, NONE) } },
	    .verdict = QUERY_DANE,
	    .exit = 2,
	    .ids = "DAN03 MX11",
	    .reply = "OK dane-only",
	    .text = LABEL "b.dom.example  192.0.2.7  secure  TLSA timeout\n" LABEL
			  "c.dom.example  timeout, left out\n",
	    .json = "\"dnssec\":\"indeterminate\",\"alias_of\":null,"
		    "\"error\":\"timeout\",\"tlsa\":{\"status\":\"not-queried\"" },
	{ .what = "applies, behind an alias",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED),
		.records = { "311", "211" }, .final = "b.dom.example" } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "MX06 DAN11",
	    .reply = "OK dane-only",
	    .text = LABEL "a.dom.example -> b.dom.example  192.0.2.7  secure  2 TLSA:",
	    .json = "\"alias_of\":\"b.dom.example\",\"error\":null,\"tlsa\":{\"status\":"
		    "\"usable\",\"base\":\"b.dom.example\"" },
	{ .what = "applies, for brackets",
	    .key = "[a.dom.example]:587",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = BOGUS,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK dane-only",
	    .text = "DANE       applies: signed TLSA records that can be used\n" LABEL
		    "a.dom.example  192.0.2.7  secure  2 TLSA: 3 1 1, 2 1 1\n",
	    .json = "\"posttls_finger\":\"posttls-finger -c -l dane "
		    "'[a.dom.example]:587'\"" },
	{ .what = "some unusable",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED),
		.records = { "311", "311", "011" } } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "DAN06",
	    .reply = "OK dane-only",
	    .text = "3 TLSA: 3 1 1, 3 1 1, 0 1 1 (unusable)\n",
	    .json = "\"usage\":0,\"selector\":1,\"mtype\":1,\"data\":\"4444" },
	{ .what = "unusable",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED), .records = { "111" } } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 2,
	    .ids = "DAN06 DAN07",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "DANE       absent: no mail host has signed TLSA records that "
		    "can be used\n" LABEL "MX records  secure\n" LABEL
		    "a.dom.example  192.0.2.7  secure  1 TLSA: 1 1 1 (unusable)\n",
	    .json = "\"usable\":false}],\"error\":null},\"dane\":\"unusable\"" },
	{ .what = "a stump of a record",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED), .records = { "3" } } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 2,
	    .ids = "DAN06 DAN07",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "secure  1 TLSA: 3 (unusable)\n",
	    .json = "{\"usage\":3,\"selector\":null,\"mtype\":null,\"data\":\"\","
		    "\"usable\":false}" },
	{ .what = "bogus TLSA",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, BOGUS) } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "DAN12",
	    .reply = "TEMP dom.example: TLSA lookup failed for a.dom.example (SERVFAIL, "
		     "EDE 6)",
	    .text = "DANE       unknown: the TLSA lookup failed for "
		    "a.dom.example: SERVFAIL, EDE 6 (DNSSEC Bogus)\n" LABEL
		    "MX records  secure\n" LABEL
		    "a.dom.example  192.0.2.7  secure  TLSA SERVFAIL, EDE 6 (DNSSEC "
		    "Bogus)\nReply ",
	    .json = "\"tlsa\":{\"status\":\"lookup-failed\",\"base\":null,\"records\":[],"
		    "\"error\":\"SERVFAIL, EDE 6 (DNSSEC Bogus)\"},\"dane\":\"failed\"" },
	{ .what = "bogus address",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", BOGUS, NONE) } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "DAN12",
	    .reply =
		"TEMP dom.example: address lookup failed for a.dom.example (SERVFAIL, "
		"EDE 6)",
	    .text = LABEL "a.dom.example  SERVFAIL, EDE 6 (DNSSEC Bogus)\n",
	    .json = "\"addresses\":[],\"dnssec\":\"bogus\"" },
	{ .what = "bogus MX",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = BOGUS,
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "MX01",
	    .reply = "TEMP dom.example: MX lookup failed (SERVFAIL, EDE 6)",
	    .text = "DANE       unknown: the MX lookup failed: SERVFAIL, EDE 6 "
		    "(DNSSEC Bogus)\n",
	    .json = "\"mx\":[],\"dane\":{\"status\":\"unknown\",\"comes_first\":false,"
		    "\"mx\":\"bogus\"," },
	{ .what = "TLSA lookup not answered",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SILENT) } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "DAN03",
	    .reply = "TEMP dom.example: TLSA lookup failed for a.dom.example (timeout)",
	    .text = "MAIL WILL BE DEFERRED: whether DANE comes first cannot be found out",
	    .json = "\"verdict\":\"deferred\",\"exit_code\":3," },
	{ .what = "insecure MX",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = UNSIGNED,
	    .hosts = { GOOD("a.dom.example"), { HOST("b.dom.example", UNSIGNED, NONE) } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "DAN01",
	    .reply = "OK secure match=a.dom.example:b.dom.example servername=hostname",
	    .text = "DANE       absent: the MX records are not signed\n" LABEL
		    "MX records  insecure\n" LABEL
		    "a.dom.example  192.0.2.7  secure  2 TLSA: 3 1 1, 2 1 1\n" LABEL
		    "b.dom.example  192.0.2.7  insecure\nReply ",
	    .json = "\"dane\":{\"status\":\"absent\",\"comes_first\":false,\"mx\":"
		    "\"insecure\",\"reason\":\"the MX records are not signed\"}" },
	{ .what = "nothing is signed",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = UNSIGNED,
	    .hosts = { { HOST("a.dom.example", UNSIGNED, NONE) } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "DNS        192.0.2.53  validates DNSSEC\n",
	    .json =
		"\"resolver\":{\"address\":\"192.0.2.53\",\"dnssec\":\"validating\","
		"\"loopback\":false,\"believed\":true,\"culprit\":null,\"error\":null}" },
	{ .what = "hosts without TLSA, addresses, signatures",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, NONE) },
		{ HOST("b.dom.example", UNSIGNED, NONE) },
		{ HOST("c.dom.example", NONE, NONE) } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "MX05 DAN04 DAN02",
	    .reply = "OK secure match=a.dom.example:b.dom.example:c.dom.example "
		     "servername=hostname",
	    .text = LABEL "c.dom.example  no address, secure\n",
	    .json = "\"status\":\"absent\",\"base\":null" },
	{ .what = "unsigned TLSA",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, UNSIGNED),
		.records = { "311" } } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 2,
	    .ids = "DAN05",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "secure  unsigned, ignored: 1 TLSA: 3 1 1\n",
	    .json = "\"query_with_tlsrpt\":\"OK secure match=a.dom.example "
		    "servername=hostname policy_type=sts " },
	{ .what = "resolver without AD",
	    .policy = ENFORCE,
	    .trust = UNSIGNED,
	    .mx = UNSIGNED,
	    .hosts = { { HOST("a.dom.example", UNSIGNED, NONE) } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "ENV02",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "DANE       off: the DNS server does not validate DNSSEC\n"
		    "Reply ",
	    .json =
		"\"dnssec\":\"not-validating\",\"loopback\":false,\"believed\":true" },
	{ .what = "resolver without AD, and DANE off",
	    .policy = ENFORCE,
	    .trust = UNSIGNED,
	    .without_dane = true,
	    .mx = UNSIGNED,
	    .hosts = { { HOST("a.dom.example", UNSIGNED, NONE) } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "DNS        192.0.2.53  does not validate DNSSEC\n",
	    .json = "\"dane\":{\"status\":\"off\"" },
	{ .what = "resolver not believed",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .distrusted = true,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "ENV04",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "DANE       distrusted: what the DNS server says of DNSSEC is "
		    "not believed (setting dnssec)\nReply ",
	    .json = "\"dane\":{\"status\":\"distrusted\",\"comes_first\":false,\"mx\":"
		    "\"indeterminate\"" },
	{ .what = "resolver not believed, and it is meant",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .distrusted = true,
	    .off = true,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "192.0.2.53  validates DNSSEC, and is not believed\n",
	    .json = "\"dnssec\":\"validating\",\"loopback\":false,\"believed\":false" },
	{ .what = "self-test not answered",
	    .policy = ENFORCE,
	    .trust = SILENT,
	    .mx = UNSIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_UNKNOWN,
	    .exit = 4,
	    .ids = "ENV01 VER07",
	    .reply = "TEMP dom.example: MX lookup failed (timeout)",
	    .text = "DANE       unknown: the DNS server's self-test failed: timeout\n",
	    .json =
		"\"dnssec\":\"unknown\",\"loopback\":false,\"believed\":true,\"culprit\":null,"
		"\"error\":\"timeout\"" },
	{ .what = "self-test not answered, and yet signed",
	    .policy = ENFORCE,
	    .trust = SILENT,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example"), { HOST("b.dom.example", UNSIGNED, NONE) } },
	    .verdict = QUERY_DANE,
	    .exit = 2,
	    .ids = "ENV01 DAN08",
	    .reply = "OK dane-only",
	    .text = LABEL "MX records  secure\n" LABEL
			  "a.dom.example  192.0.2.7  secure  2 TLSA: 3 1 1, 2 1 1\n" LABEL
			  "b.dom.example  192.0.2.7  indeterminate\n",
	    .json =
		"\"dane\":{\"status\":\"applies\",\"comes_first\":true,\"mx\":\"secure\"" },
	{ .what = "testing with TLSA",
	    .policy = TESTING,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_TESTING,
	    .exit = 1,
	    .ids = "POL15 DAN13",
	    .reply = "NOTFOUND ",
	    .text = "Reply      to QUERY and QUERYwithTLSRPT\n  NOTFOUND \n",
	    .json = "\"verdict\":\"sts-testing\",\"exit_code\":1," },
	{ .what = "testing with TLSA that cannot be used",
	    .policy = TESTING,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED), .records = { "011" } } },
	    .verdict = QUERY_TESTING,
	    .exit = 2,
	    .ids = "DAN06 DAN07 POL15",
	    .reply = "NOTFOUND ",
	    .text = "absent: no mail host",
	    .json = "\"dane\":\"unusable\"" },
	{ .what = "testing without TLSA",
	    .policy = TESTING,
	    .trust = SIGNED,
	    .mx = UNSIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, NONE) } },
	    .verdict = QUERY_TESTING,
	    .exit = 1,
	    .ids = "POL15",
	    .reply = "OK may",
	    .text = "secure  no TLSA\n",
	    .json = "\"query\":\"OK may\",\"query_with_tlsrpt\":\"OK may\"" },
	{ .what = "testing, a lookup fails",
	    .policy = TESTING,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, BOGUS) } },
	    .verdict = QUERY_TESTING,
	    .exit = 2,
	    .ids = "DAN12 POL15",
	    .reply = "NOTFOUND ",
	    .text = "unknown: the TLSA lookup failed",
	    .json = "\"verdict\":\"sts-testing\",\"exit_code\":2," },
	{ .what = "one family signed",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED),
			   .records = { "311", "211" }, .has_six = true,
			   .six = UNSIGNED },
		{ HOST("b.dom.example", UNSIGNED, SIGNED), .records = { "311", "211" },
		    .has_six = true, .six = SIGNED } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK dane-only",
	    .text = LABEL "a.dom.example  192.0.2.7 2001:db8::7  secure  2 TLSA: 3 1 1, "
			  "2 1 1\n" LABEL
			  "b.dom.example  192.0.2.7 2001:db8::7  secure  2 TLSA: ",
	    .json =
		"\"addresses\":[\"192.0.2.7\",\"2001:db8::7\"],\"dnssec\":\"secure\"" },
	{ .what = "one family fails",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, SIGNED),
			   .records = { "311", "211" }, .has_six = true, .six = BOGUS },
		{ HOST("b.dom.example", BOGUS, SIGNED), .records = { "311", "211" },
		    .has_six = true, .six = SIGNED } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK dane-only",
	    .text = LABEL "a.dom.example  192.0.2.7  secure  2 TLSA: 3 1 1, 2 1 1\n" LABEL
			  "b.dom.example  2001:db8::7  secure  2 TLSA: 3 1 1, 2 1 1\n",
	    .json = "\"addresses\":[\"2001:db8::7\"],\"dnssec\":\"secure\",\"alias_of\":"
		    "null,\"error\":null" },
	{ .what = "one family fails, without the other",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SILENT, NONE), .has_six = true,
		.six = BOGUS } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "DAN12",
	    .reply =
		"TEMP dom.example: address lookup failed for a.dom.example (SERVFAIL, "
		"EDE 6)",
	    .text = LABEL "a.dom.example  SERVFAIL, EDE 6 (DNSSEC Bogus)\n",
	    .json =
		"\"dnssec\":\"indeterminate\",\"alias_of\":null,\"error\":\"SERVFAIL, "
		"EDE 6 (DNSSEC Bogus)\"" },
	{ .what = "no address of one family, no answer for the other",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", NONE, NONE), .has_six = true,
		.six = BOGUS } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "DAN12",
	    .reply =
		"TEMP dom.example: address lookup failed for a.dom.example (SERVFAIL, "
		"EDE 6)",
	    .text = LABEL "a.dom.example  SERVFAIL, EDE 6 (DNSSEC Bogus)\n",
	    .json = "\"addresses\":[],\"dnssec\":\"bogus\"" },
	{ .what = "an alias that is none a moment later",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", UNSIGNED, NONE), .final = "b.example",
		.alias = NONE } },
	    .verdict = QUERY_DEFERRED,
	    .exit = 3,
	    .ids = "MX11 MX06",
	    .reply =
		"TEMP dom.example: TLSA lookup failed for a.dom.example (another rcode)",
	    .text = "a.dom.example -> b.example  192.0.2.7  NODATA\n",
	    .json = "\"alias_of\":\"b.example\",\"error\":\"NODATA\"" },
	{ .what = "TLSA at the alias itself",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, UNSIGNED), .records = { "111" },
		.final = "b.dom.example", .own = SIGNED, .at_own = "311" } },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "MX06 DAN10",
	    .reply = "OK dane-only",
	    .text = "  192.0.2.7  secure  1 TLSA: 3 1 1\n",
	    .json = "\"status\":\"usable\",\"base\":\"a.dom.example\"" },
	{ .what = "TLSA at both ends, unsigned",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { HOST("a.dom.example", SIGNED, UNSIGNED), .records = { "111" },
		.final = "b.dom.example", .own = UNSIGNED, .at_own = "311" } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 2,
	    .ids = "MX06 DAN05",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "secure  unsigned, ignored: 1 TLSA: 1 1 1 (unusable)\n",
	    .json = "\"status\":\"unsigned\",\"base\":\"b.dom.example\"" },
	{ .what = "one of several servers without AD",
	    .policy = ENFORCE,
	    .trust = UNSIGNED,
	    .culprit = "192.0.2.54",
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "ENV02",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "192.0.2.53  does not validate DNSSEC  (192.0.2.54)\n",
	    .json =
		"DANE cannot be seen\",\"fix\":\"use one that does, such as unbound on "
		"this machine\",\"object\":\"192.0.2.54\"" },
	{ .what = "one of several servers silent",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .culprit = "192.0.2.54",
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_DANE,
	    .exit = 0,
	    .ids = "",
	    .reply = "OK dane-only",
	    .text = "192.0.2.53  validates DNSSEC  (192.0.2.54 did not answer)\n",
	    .json = "\"culprit\":\"192.0.2.54\"" },
	{ .what = "the only server, without AD and not believed",
	    .policy = ENFORCE,
	    .trust = UNSIGNED,
	    .distrusted = true,
	    .culprit = "192.0.2.53",
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "ENV02",
	    .reply = "OK secure match=a.dom.example servername=hostname",
	    .text = "192.0.2.53  does not validate DNSSEC\n",
	    .json = "\"believed\":false" },
	{ .what = "a null MX",
	    .policy = ENFORCE,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { { .name = "" } },
	    .verdict = QUERY_ENFORCE,
	    .exit = 0,
	    .ids = "MX03",
	    .reply = "OK secure match=.dom.example servername=hostname",
	    .text = "DANE       absent: the domain has no mail host\n",
	    .json = "\"mx\":[],\"dane\":{\"status\":\"absent\"" },
	{ .what = "bogus MX, and records unseen",
	    .policy = TESTING,
	    .trust = SIGNED,
	    .mx = BOGUS,
	    .verdict = QUERY_TESTING,
	    .exit = 4,
	    .ids = "MX01 POL15",
	    .reply = "NOTFOUND ",
	    .text = "DANE       unknown: the MX lookup failed: SERVFAIL",
	    .json = "\"verdict\":\"sts-testing\"" },
	{ .what = "record lookup fails, and that defers",
	    .record_fails = true,
	    .trust = SIGNED,
	    .mx = SIGNED,
	    .hosts = { GOOD("a.dom.example") },
	    .verdict = QUERY_UNKNOWN,
	    .exit = 4,
	    .ids = "TXT02 VER07 ENV05",
	    .reply = "TEMP dom.example: record lookup failed (SERVFAIL)",
	    .text = "  _mta-sts       SERVFAIL",
	    .json = "\"verdict\":\"unknown\",\"exit_code\":4" },
	{ .what = "no host",
	    .policy = NULL,
	    .trust = SIGNED,
	    .mx = { STS_ERR_DNS_NXDOMAIN, 0, true },
	    .verdict = QUERY_NONE,
	    .exit = 1,
	    .ids = "DOM01 TXT01",
	    .reply = "NOTFOUND ",
	    .text = "DANE       absent: the domain does not exist\n",
	    .json = "\"reason\":\"the domain does not exist\"" },
};

#define HOSTS(i) (sizeof(cases[i].hosts) / sizeof(cases[i].hosts[0]))

static struct sts_str
bytes_of(const char *record, char rdata[3 + 32])
{
	size_t n = strlen(record);

	for (size_t i = 0; i < n; i++)
		rdata[i] = (char)(record[i] - '0');
	if (n < 3)
		return (struct sts_str){ rdata, n };
	memset(rdata + n, 'D', 32);
	return (struct sts_str){ rdata, n + 32 };
}

static bool
is_usable(struct sts_str rdata)
{
	return sts_tlsa_judge(rdata) == STS_TLSA_USABLE;
}

static int16_t
ede_of(struct got got)
{
	return (int16_t)(got.ede > 0 ? got.ede : -1);
}

static struct got
got_six(const struct host *host)
{
	struct got got = host->has_six ? host->six : host->address;

	if (!host->has_six && got.err == STS_OK)
		got.err = STS_ERR_DNS_NODATA;
	return got;
}

static struct got
got_at(const struct host *host, enum sts_dane_step step)
{
	switch (step) {
	case STS_DANE_A:
		return host->address;
	case STS_DANE_AAAA:
		return got_six(host);
	case STS_DANE_ALIAS:
		return host->alias;
	case STS_DANE_TLSA:
		return host->tlsa;
	case STS_DANE_TLSA_OWN:
	case STS_DANE_STEPS:
		break;
	}
	return host->own;
}

/* What the question of one step gets. */
static void
make_answer(const struct host *host, enum sts_dane_step step, struct sts_dns_answer *a)
{
	static char rdata[3][3 + 32];
	struct got got = got_at(host, step);

	*a = (struct sts_dns_answer){ .err = got.err, .ede = ede_of(got), .ad = got.ad };
	if (got.err != STS_OK)
		return;
	if (step == STS_DANE_A)
		a->rr[a->count++].data = STS_STR("\xc0\0\2\7");
	if (step == STS_DANE_AAAA)
		a->rr[a->count++].data =
		    (struct sts_str){ "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16 };
	if (step == STS_DANE_TLSA_OWN && host->at_own != NULL)
		a->rr[a->count++].data = bytes_of(host->at_own, rdata[0]);
	for (size_t i = 0; step == STS_DANE_TLSA && i < 3 && host->records[i] != NULL;
	     i++)
		a->rr[a->count++].data = bytes_of(host->records[i], rdata[i]);
}

static void
answer_question(size_t i, struct sts_dane_look *look, const struct sts_dane_question *q,
    struct query_report *r)
{
	static struct sts_dns_answer answer;
	const struct host *host = &cases[i].hosts[q->host];
	struct sts_dane_fact fact;

	make_answer(host, q->step, &answer);
	fact = (struct sts_dane_fact){ .err = answer.err,
		.ede = (int16_t)answer.ede,
		.ttl = 300,
		.ad = answer.ad };
	for (size_t n = 0; q->type == STS_DNS_TLSA && n < answer.count; n++)
		fact.usable |= is_usable(answer.rr[n].data);
	sts_dane_tell(look, q->host, q->step, &fact, sts_str_of(host->final));
	query_report_host(r, look, q->host, q->step, &answer, is_usable);
}

/* All that can be asked is asked before the first answer comes. */
static void
answer_questions(size_t i, struct sts_dane_look *look, struct query_report *r)
{
	struct sts_dane_question open[8];
	size_t count = 0;

	while (count < 8 && sts_dane_ask(look, &open[count]))
		count++;
	for (size_t n = 0; n < count; n++)
		answer_question(i, look, &open[n], r);
}

/* The whole look, as the journey makes it. */
static void
look_at_dane(size_t i, struct query_report *r, const struct sts_rules *rules,
    struct sts_entry *e)
{
	static const uint16_t preferences[] = { 10, 20, 30 };
	static struct sts_dane_look look;
	struct sts_fact trust = { .err = cases[i].trust.err,
		.ede = ede_of(cases[i].trust),
		.at = NOW,
		.ad = cases[i].trust.ad };
	struct sts_str names[3];
	struct sts_fact mx = { .err = cases[i].mx.err,
		.ede = ede_of(cases[i].mx),
		.at = NOW,
		.ad = cases[i].mx.ad,
		.ttl = 300,
		.texts = names,
		.preferences = preferences };
	static const struct sts_dane nothing;

	while (mx.count < HOSTS(i) && cases[i].hosts[mx.count].name != NULL) {
		struct sts_str name = sts_str_of(cases[i].hosts[mx.count].name);

		e->mx_null = name.n == 0;
		if (!e->mx_null)
			e->mx[e->mx_count++] =
			    (struct sts_mx_seen){ NOW, preferences[mx.count], name };
		names[mx.count++] = name;
	}
	e->mx_err = mx.err;
	query_report_fact(r, STS_NEED_TRUST, &trust, 1);
	query_report_fact(r, STS_NEED_MX, &mx, 1);
	query_report_fact(r, STS_NEED_MX, &mx, 1); /* told once more, it is the same */
	look = (struct sts_dane_look){ .domain = { r->key.domain, r->key.domain_n },
		.target = { r->key.brackets, r->key.port },
		.believe = rules->believe,
		.every = true,
		.whole = true };
	while (sts_dane_run(&look, &nothing, &trust, NULL, &mx, NOW) != 0)
		answer_questions(i, &look, r);
	query_report_look(r, &look);
	sts_entry_put_dane(e, &look.finding);
}

static void
look_at_policy(size_t i, struct query_report *r, struct sts_entry *e)
{
	struct sts_str record = STS_STR("v=STSv1; id=1;");
	struct sts_fact fact = { .texts = &record, .count = 1, .ede = -1, .ttl = 300 };
	struct sts_policy policy;

	if (cases[i].policy == NULL) {
		e->record_err =
		    cases[i].record_fails ? STS_ERR_DNS_SERVFAIL : STS_ERR_DNS_NXDOMAIN;
		fact = (struct sts_fact){ .err = e->record_err, .ede = -1 };
		query_report_fact(r, STS_NEED_RECORD, &fact, 1);
		return;
	}
	query_report_fact(r, STS_NEED_RECORD, &fact, 1);
	fact = (struct sts_fact){ .body = sts_str_of(cases[i].policy), .ede = -1 };
	query_report_fact(r, STS_NEED_POLICY, &fact, 1);
	e->policy = fact.body;
	e->fetched = NOW;
	if (sts_policy_parse(e->policy, &policy, NULL, NULL) == STS_OK) {
		e->max_age = policy.max_age;
		e->mode = policy.mode;
	}
}

static void
check_ids(const char *what, const struct query_report *r, const char *want)
{
	struct sts_buf got = { 0 };

	for (size_t i = 0; i < r->findings.count; i++) {
		sts_put_text(&got, i > 0 ? " " : "");
		sts_put_text(&got, r->findings.list[i].id);
	}
	CHECK(what, sts_str_eq(sts_buf_str(&got), sts_str_of(want)));
	if (!sts_str_eq(sts_buf_str(&got), sts_str_of(want)))
		fprintf(stderr, "  got %.*s\n", (int)got.n, got.p);
	sts_buf_done(&got);
}

static const char *
find(const struct sts_buf *whole, const char *part)
{
	return memmem(whole->p, whole->n, part, strlen(part));
}

static void
check_part(const char *what, struct sts_buf *whole, const char *part)
{
	bool found;

	found = !whole->bad && find(whole, part) != NULL;
	CHECK(what, found);
	if (!found)
		fprintf(stderr, "  no '%s' in\n%.*s\n", part, (int)whole->n, whole->p);
	sts_buf_done(whole);
}

static void
check(size_t i, const struct query_report *r)
{
	static const struct query_look look = { false, false, false };
	const char *what = cases[i].what;
	struct sts_buf text = { 0 }, json = { 0 };
	struct sts_str want = sts_str_of(cases[i].reply);

	CHECK(what, r->verdict == cases[i].verdict);
	CHECK(what, r->exit == cases[i].exit);
	CHECK(what, sts_str_eq(r->reply, want));
	/* TLSRPT adds to "secure", and to nothing else. */
	CHECK(what, sts_str_starts(r->reply_tlsrpt, want));
	CHECK(what,
	    (r->reply_tlsrpt.n > want.n) == sts_str_starts(want, STS_STR("OK secure")));
	check_ids(what, r, cases[i].ids);
	query_text_report(&text, r, &look);
	CHECK(what,
	    (find(&text, "to QUERYwithTLSRPT\n  OK secure") != NULL) ==
		(r->reply_tlsrpt.n > want.n));
	check_part(what, &text, cases[i].text);
	query_json_report(&json, r);
	check_part(what, &json, cases[i].json);
}

int
main(void)
{
	static const struct pf_reply_style style = { true, true, 65536 };
	static const struct sts_net documentation[] = { { { { 192, 0, 2, 0 }, false },
							    24 },
		{ { { 0x20, 0x01, 0x0d, 0xb8 }, true }, 32 } };
	static struct sts_entry entry;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *key = cases[i].key != NULL ? cases[i].key : "dom.example";
		struct sts_rules rules = { .refresh_interval = 86400,
			.allow = documentation,
			.allow_count = 2,
			.may = true,
			.defer_txt_error = cases[i].record_fails,
			.dane = !cases[i].without_dane,
			.believe = !cases[i].distrusted };
		struct query_context context = { .rules = &rules,
			.style = &style,
			.now = NOW,
			.servers = "192.0.2.53",
			.culprit = cases[i].culprit,
			.distrusts = cases[i].off };
		struct query_report r;

		entry = (struct sts_entry){ .record_at = NOW,
			.record_ttl = 300,
			.record_ede = -1,
			.mx_at = NOW,
			.mx_ttl = 300 };
		query_report_start(&r, key, NOW);
		r.is_domain = sts_key_parse(sts_str_of(key), &r.key) == STS_OK;
		look_at_dane(i, &r, &rules, &entry);
		look_at_policy(i, &r, &entry);
		query_report_conclude(&r, STS_OK, STS_HOPE_DONE, &entry, &context);
		check(i, &r);
		query_report_done(&r);
	}
	return test_failed;
}
