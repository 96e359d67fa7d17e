/* SPDX-License-Identifier: MIT */
#ifndef MAINCF_H
#define MAINCF_H

#include <stddef.h>

#include "str.h"

/*
 * Postfix's main.cf, as far as one parameter of it: postconf(5) syntax with comments,
 * continuation lines, and the last assignment winning. Pure. Nothing is expanded, and
 * master.cf, which may say otherwise for one service, is not looked at.
 */
enum maincf_value {
	MAINCF_NONE,	/* not set there */
	MAINCF_FOUND,	/* value is what stands there; may be empty */
	MAINCF_UNKNOWN, /* it depends on other parameters ('$'), or does not fit in value */
};

/* value gets a NUL-terminated text, "" unless MAINCF_FOUND. size > 0. */
enum maincf_value maincf_get(struct sts_str text, const char *name, char *value,
    size_t size);

#endif
