/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *what, *text, *servers;
	bool trust_ad;
} cases[] = {
	{ "empty", "", "", false },
	{ "one", "nameserver 127.0.0.1\n", "127.0.0.1", false },
	{ "no line end", "nameserver 127.0.0.1", "127.0.0.1", false },
	{ "CR LF", "nameserver 127.0.0.1\r\nnameserver ::1\r\n", "127.0.0.1 [::1]",
	    false },
	{ "three of four",
	    "nameserver 192.0.2.1\nnameserver 2001:DB8::1\nnameserver\t192.0.2.3 x\n"
	    "nameserver 192.0.2.4\n",
	    "192.0.2.1 [2001:db8::1] 192.0.2.3", false },
	{ "comments",
	    "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n"
	    "nameserver 192.0.2.3 # here\n",
	    "192.0.2.3", false },
	{ "a zone, a name, nothing",
	    "nameserver fe80::1%eth0\nnameserver localhost\nnameserver\n"
	    "nameserver ::1\n",
	    "[::1]", false },
	{ "other words", "domain example.com\nsearch a b\nnameservers 192.0.2.1\n", "",
	    false },
	{ "trust-ad", "options edns0 trust-ad\nnameserver 192.0.2.1\n", "192.0.2.1",
	    true },
	{ "trust-ad, later", "options ndots:1\noptions rotate\toptions trust-ad\n", "",
	    true },
	{ "no trust-ad", "options no-trust-ad trust-ads\n#options trust-ad\n", "",
	    false },
	{ "trust-ad elsewhere", "search trust-ad\n", "", false },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct resolvconf r = { "left over", true };

		resolvconf_parse(sts_str_of(cases[i].text), &r);
		CHECK(cases[i].what, strcmp(r.servers, cases[i].servers) == 0);
		CHECK(cases[i].what, r.trust_ad == cases[i].trust_ad);
	}
	return test_failed;
}
