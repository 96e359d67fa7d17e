/* SPDX-License-Identifier: MIT */
#include "settle.h"

#include <errno.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "maincf.h"
#include "value.h"

#define MAIN_CF_MAX ((size_t)4 << 20)

/* A main.cf that nobody may read may ask for more than "may", and for DANE. */
static void
assume_the_most(struct config *c, const char *path, struct config_errors *warnings)
{
	const char *why = strerror(errno);

	if (c->permissive_reply == CONFIG_REPLY_AUTO) {
		config_complain(warnings, "permissive_reply: notfound, because of %s: %s",
		    path, why);
		c->permissive_reply = CONFIG_REPLY_NOTFOUND;
	}
	if (c->dane == CONFIG_AUTO)
		config_complain(warnings, "dane: on, because of %s: %s", path, why);
}

static void
warn_of_no_dane(const char *path, struct sts_str main_cf, struct config_errors *warnings)
{
	char value[64], quoted[VALUE_QUOTED];
	bool set =
	    maincf_get(main_cf, CONFIG_DNS_SUPPORT, value, sizeof(value)) != MAINCF_NONE;

	config_complain(warnings,
	    "dane: off, because Postfix does no DNSSEC: " CONFIG_DNS_SUPPORT
	    " in %s is %s%s, "
	    "not 'dnssec'; set it there for DANE, or 'dane = off' here",
	    path, set ? "" : "not set",
	    set ? value_quote(sts_str_of(value), quoted) : "");
}

static bool
settle_by_text(struct config *c, const char *path, struct sts_str main_cf,
    struct config_errors *warnings)
{
	bool automatic = c->dane == CONFIG_AUTO, does = config_does_dane(c, main_cf);

	if (automatic && !does)
		warn_of_no_dane(path, main_cf, warnings);
	c->permissive_reply =
	    config_says_may(c, main_cf) ? CONFIG_REPLY_MAY : CONFIG_REPLY_NOTFOUND;
	c->dane = does ? CONFIG_ON : CONFIG_OFF;
	return does && (!automatic || main_cf.p != NULL);
}

bool
settle_by_postfix(struct config *c, struct config_errors *warnings)
{
	struct sts_buf path = { 0 }, text = { 0 };
	struct sts_str main_cf = STS_STR_NONE;
	const char *name = "main.cf";
	bool wanted;

	if (c->postfix_directory != NULL) {
		sts_put_text(&path, c->postfix_directory);
		sts_put(&path, (struct sts_str){ "/main.cf", sizeof("/main.cf") });
		if (!path.bad)
			name = path.p;
		if (!path.bad && file_read(name, MAIN_CF_MAX, &text) == 0)
			main_cf = text.n > 0 ? sts_buf_str(&text) : STS_STR("");
		else if (path.bad || (errno != ENOENT && errno != ENOTDIR))
			assume_the_most(c, name, warnings);
	}
	wanted = settle_by_text(c, name, main_cf, warnings);
	sts_buf_done(&path);
	sts_buf_done(&text);
	return wanted;
}
