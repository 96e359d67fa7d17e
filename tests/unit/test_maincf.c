/* SPDX-License-Identifier: MIT */
#include "maincf.h"

#include <string.h>

#include "config.h"
#include "test.h"

int test_failed;

static const struct {
	const char *what, *text;
	enum maincf_value found;
	const char *value;
} cases[] = {
	{ "empty", "", MAINCF_NONE, "" },
	{ "plain", "p = dane\n", MAINCF_FOUND, "dane" },
	{ "tight, no line end", "p=dane", MAINCF_FOUND, "dane" },
	{ "CR LF", "p = dane\r\n", MAINCF_FOUND, "dane" },
	{ "empty value", "p =\n", MAINCF_FOUND, "" },
	{ "another name", "pp = a\nxp = b\np.q = c\n", MAINCF_NONE, "" },
	{ "a comment", "#p = a\n  # p = b\n", MAINCF_NONE, "" },
	{ "no comment behind", "p = a # b\n", MAINCF_FOUND, "a # b" },
	{ "last assignment", "p = a\nq = b\np = c\n", MAINCF_FOUND, "c" },
	{ "continued", "p =\n  a\n\tb\nq = c\n", MAINCF_FOUND, "a b" },
	{ "continued over a comment", "p = a\n# why\n\n  b\n", MAINCF_FOUND, "a b" },
	{ "another's continuation", "q = a\n  p = b\n", MAINCF_NONE, "" },
	{ "a continuation of nothing", "  p = a\n", MAINCF_NONE, "" },
	{ "no equals sign", "p\n a\n", MAINCF_NONE, "" },
	{ "a reference", "p = $q\n", MAINCF_UNKNOWN, "" },
	{ "a reference in a continuation", "p = a\n ${q}\n", MAINCF_UNKNOWN, "" },
	{ "a reference that is overridden", "p = $q\np = a\n", MAINCF_FOUND, "a" },
	{ "fits", "p = 123456789012345\n", MAINCF_FOUND, "123456789012345" },
	{ "does not fit", "p = 1234567890123456\n", MAINCF_UNKNOWN, "" },
	{ "does not fit in pieces", "p = 12345678\n 12345678\n", MAINCF_UNKNOWN, "" },
};

static const struct {
	const char *what, *settings, *main_cf; /* NULL: no file */
	bool may;
} replies[] = {
	{ "no file", "", NULL, true },
	{ "nothing said", "", "myhostname = a\n", true },
	{ "may", "", "smtp_tls_security_level = may\n", true },
	{ "dane", "", "smtp_tls_security_level = dane\n", true },
	{ "empty", "", "smtp_tls_security_level =\n", true },
	{ "encrypt", "", "smtp_tls_security_level = encrypt\n", false },
	{ "verify", "", "smtp_tls_security_level = verify\n", false },
	{ "secure", "", "smtp_tls_security_level=secure\n", false },
	{ "fingerprint", "", "smtp_tls_security_level = fingerprint\n", false },
	{ "dane-only", "", "smtp_tls_security_level = DANE-only\n", false },
	{ "of smtpd", "", "smtpd_tls_security_level = encrypt\n", true },
	{ "a reference", "", "smtp_tls_security_level = $x\n", false },
	{ "set to may", "permissive_reply = may", "smtp_tls_security_level = encrypt",
	    true },
	{ "set to notfound", "permissive_reply = notfound", NULL, false },
};

static const struct {
	const char *what, *settings, *main_cf; /* NULL: no file */
	bool dane;
} danes[] = {
	{ "no file", "", NULL, true },
	{ "an empty file", "", "", false },
	{ "nothing said", "", "myhostname = a\n", false },
	{ "dnssec", "", "smtp_dns_support_level = dnssec\n", true },
	{ "in capitals", "", "smtp_dns_support_level=DNSSEC\n", true },
	{ "enabled", "", "smtp_dns_support_level = enabled\n", false },
	{ "empty", "", "smtp_dns_support_level =\n", false },
	{ "no such level", "", "smtp_dns_support_level = dnssecs\n", false },
	{ "a reference", "", "smtp_dns_support_level = ${x?dnssec}\n", true },
	{ "last assignment", "",
	    "smtp_dns_support_level = enabled\nsmtp_dns_support_level = dnssec\n", true },
	{ "last assignment, too", "",
	    "smtp_dns_support_level = dnssec\nsmtp_dns_support_level = enabled\n",
	    false },
	{ "a comment", "", "#smtp_dns_support_level = dnssec\n", false },
	{ "of lmtp", "", "lmtp_dns_support_level = dnssec\n", false },
	{ "set to on", "dane = on", "smtp_dns_support_level = enabled\n", true },
	{ "set to off", "dane = off", "smtp_dns_support_level = dnssec\n", false },
	{ "set to off, no file", "dane = off", NULL, false },
};

static struct config *
parse(const char *what, const char *settings)
{
	struct config_errors errors = { 0 };
	struct config *c = config_parse_text(sts_str_of(settings), "t", &errors);

	CHECK(what, c != NULL);
	config_errors_done(&errors);
	return c;
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char value[16] = "left over";

		CHECK(cases[i].what,
		    maincf_get(sts_str_of(cases[i].text), "p", value, sizeof(value)) ==
			cases[i].found);
		CHECK(cases[i].what, strcmp(value, cases[i].value) == 0);
	}
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		struct config *c = parse(replies[i].what, replies[i].settings);

		if (c != NULL)
			CHECK(replies[i].what,
			    config_says_may(c, sts_str_of(replies[i].main_cf)) ==
				replies[i].may);
		config_free(c);
	}
	for (size_t i = 0; i < sizeof(danes) / sizeof(danes[0]); i++) {
		struct config *c = parse(danes[i].what, danes[i].settings);

		if (c != NULL)
			CHECK(danes[i].what,
			    config_does_dane(c, sts_str_of(danes[i].main_cf)) ==
				danes[i].dane);
		config_free(c);
	}
	return test_failed;
}
