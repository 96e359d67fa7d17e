/* SPDX-License-Identifier: MIT */
#include "trust.h"

#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *what, *settings;
	struct sts_trust selftest;
	enum trust trust;
	enum log_level level;
	const char *says, *says_too;
} cases[] = {
	{ "validates", "", { STS_OK, -1, true, "" }, TRUST_GOOD, LOG_LEVEL_INFO,
	    "the resolver 127.0.0.1 validates:", "DANE has precedence" },
	{ "two, of which one is silent", "dns_servers = ::1 127.0.0.2",
	    { STS_OK, -1, true, "127.0.0.2" }, TRUST_GOOD, LOG_LEVEL_INFO,
	    "the resolver [::1] 127.0.0.2 validates:", "DANE has precedence" },
	{ "validates for nothing", "dane = off", { STS_OK, -1, true, "" }, TRUST_GOOD,
	    LOG_LEVEL_INFO, "127.0.0.1 validates:", "DANE is off anyway" },
	{ "does not validate", "dns_servers = ::1 127.0.0.2",
	    { STS_OK, -1, false, "127.0.0.2" }, TRUST_INSECURE, LOG_LEVEL_WARNING,
	    "the resolver 127.0.0.2 does not validate (no AD for '. SOA'):",
	    "DANE precedence is off; use a validating resolver" },
	{ "does not, elsewhere", "dns_servers = 192.0.2.1",
	    { STS_OK, -1, false, "192.0.2.1" }, TRUST_INSECURE, LOG_LEVEL_WARNING,
	    "192.0.2.1 does not validate", "precedence is off" },
	{ "does not, and nobody minds", "dane = off", { STS_OK, -1, false, "127.0.0.1" },
	    TRUST_INSECURE, LOG_LEVEL_INFO, "does not validate", "DANE is off anyway" },
	{ "from elsewhere", "dns_servers = 192.0.2.1", { STS_OK, -1, true, "" },
	    TRUST_DISTRUSTED, LOG_LEVEL_WARNING,
	    "192.0.2.1 sets AD but is not on loopback", "dnssec = trust" },
	{ "from elsewhere, trusted", "dns_servers = 192.0.2.1\ndnssec = trust",
	    { STS_OK, -1, true, "" }, TRUST_GOOD, LOG_LEVEL_INFO,
	    "validates:", "DANE has precedence" },
	{ "not believed by setting", "dnssec = off", { STS_OK, -1, true, "" },
	    TRUST_DISTRUSTED, LOG_LEVEL_INFO, "is not believed", "dnssec = off" },
	{ "silent", "", { STS_ERR_DNS_TIMEOUT, -1, false, "127.0.0.1" }, TRUST_SILENT,
	    LOG_LEVEL_WARNING, "127.0.0.1 did not answer '. SOA' (timeout):", "waits" },
	{ "fails", "", { STS_ERR_DNS_SERVFAIL, 6, true, "127.0.0.1" }, TRUST_SILENT,
	    LOG_LEVEL_WARNING, "(SERVFAIL)", "waits" },
	{ "silent, and nobody minds", "dane = off",
	    { STS_ERR_DNS_TIMEOUT, -1, false, "127.0.0.1" }, TRUST_SILENT, LOG_LEVEL_INFO,
	    "did not answer", "DANE is off anyway" },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = { 0 };
		struct config *c =
		    config_parse_text(sts_str_of(cases[i].settings), "t", &errors);
		char text[512] = "";

		CHECK(cases[i].what, c != NULL);
		if (c == NULL)
			continue;
		CHECK(cases[i].what, trust_of(&cases[i].selftest, c) == cases[i].trust);
		CHECK(cases[i].what,
		    trust_explain(&cases[i].selftest, c, text, sizeof(text)) ==
			cases[i].level);
		CHECK(text, strstr(text, cases[i].says) != NULL);
		CHECK(text, strstr(text, cases[i].says_too) != NULL);
		config_free(c);
		config_errors_done(&errors);
	}
	return test_failed;
}
