/* SPDX-License-Identifier: MIT */
#include "settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

int test_failed;

static char directory[64], main_cf[80];

#define UNREADABLE "(a directory)" /* in place of the file: nobody can read it */

static const struct {
	const char *what, *settings, *main_cf; /* NULL: no file */
	int dane, reply;
	bool wanted;
	const char *warnings[3];
} cases[] = {
	{ "no file", "", NULL, CONFIG_ON, CONFIG_REPLY_MAY, false, { NULL } },
	{ "an empty file", "", "", CONFIG_OFF, CONFIG_REPLY_MAY, false,
	    { "dane: off, because Postfix does no DNSSEC: smtp_dns_support_level in " } },
	{ "not set", "", "myhostname = a\n", CONFIG_OFF, CONFIG_REPLY_MAY, false,
	    { "main.cf is not set, not 'dnssec'; set it there" } },
	{ "set to something else", "", "smtp_dns_support_level = enabled\n", CONFIG_OFF,
	    CONFIG_REPLY_MAY, false, { "main.cf is 'enabled', not 'dnssec'" } },
	{ "dnssec", "", "smtp_dns_support_level = dnssec\n", CONFIG_ON, CONFIG_REPLY_MAY,
	    true, { NULL } },
	{ "a reference", "", "smtp_dns_support_level = $a\n", CONFIG_ON, CONFIG_REPLY_MAY,
	    true, { NULL } },
	{ "on", "dane = on", "smtp_dns_support_level = enabled\n", CONFIG_ON,
	    CONFIG_REPLY_MAY, true, { NULL } },
	{ "off", "dane = off", "", CONFIG_OFF, CONFIG_REPLY_MAY, false, { NULL } },
	{ "a stronger level", "dane = off", "smtp_tls_security_level = encrypt\n",
	    CONFIG_OFF, CONFIG_REPLY_NOTFOUND, false, { NULL } },
	{ "set to may", "dane = off\npermissive_reply = may",
	    "smtp_tls_security_level = encrypt\n", CONFIG_OFF, CONFIG_REPLY_MAY, false,
	    { NULL } },
	{ "unreadable", "", UNREADABLE, CONFIG_ON, CONFIG_REPLY_NOTFOUND, false,
	    { "permissive_reply: notfound, because of ", "dane: on, because of " } },
	{ "unreadable, and nobody minds", "dane = off\npermissive_reply = may",
	    UNREADABLE, CONFIG_OFF, CONFIG_REPLY_MAY, false, { NULL } },
	{ "none", "postfix_directory = none", "smtp_dns_support_level = enabled\n",
	    CONFIG_ON, CONFIG_REPLY_MAY, false, { NULL } },
};

static void
place(const char *text)
{
	FILE *to;

	if (text == NULL)
		return;
	if (strcmp(text, UNREADABLE) == 0) {
		if (mkdir(main_cf, 0700) == -1)
			abort();
		return;
	}
	to = fopen(main_cf, "we");
	if (to == NULL || fputs(text, to) == EOF || fclose(to) != 0)
		abort();
}

static void
check(size_t i, struct config *c)
{
	const char *what = cases[i].what;
	struct config_errors warnings = { 0 };
	size_t count = 0;

	CHECK(what, settle_by_postfix(c, &warnings) == cases[i].wanted);
	CHECK(what, c->dane == cases[i].dane);
	CHECK(what, c->permissive_reply == cases[i].reply);
	while (cases[i].warnings[count] != NULL)
		count++;
	CHECK(what, warnings.count == count);
	for (size_t n = 0; n < warnings.count && n < count; n++)
		CHECK(warnings.lines[n],
		    strstr(warnings.lines[n], cases[i].warnings[n]) != NULL);
	config_errors_done(&warnings);
}

int
main(void)
{
	(void)snprintf(directory, sizeof(directory), "/tmp/test-settle-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	(void)snprintf(main_cf, sizeof(main_cf), "%s/main.cf", directory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = { 0 };
		char text[300];
		struct config *c;

		(void)snprintf(text, sizeof(text), "%s%s\n%s",
		    strstr(cases[i].settings, "postfix_directory") == NULL
			? "postfix_directory = "
			: "#",
		    directory, cases[i].settings);
		place(cases[i].main_cf);
		c = config_parse_text(sts_str_of(text), "t", &errors);
		CHECK(cases[i].what, c != NULL);
		if (c != NULL)
			check(i, c);
		config_free(c);
		config_errors_done(&errors);
		(void)remove(main_cf);
	}
	return rmdir(directory) == 0 ? test_failed : 1;
}
