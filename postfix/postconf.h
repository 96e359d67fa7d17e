/* SPDX-License-Identifier: MIT */
#ifndef PF_POSTCONF_H
#define PF_POSTCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "str.h"

/*
 * What postconf(1) prints, taken apart; and what it takes, put together. Views point into
 * the text that was given. Nothing here is expanded: "postconf -x" does that.
 */

/* "name = value" lines, of postconf, -n, -d, -x and -P. A line without " =" is passed
 * over. False: there are no more. */
bool pf_postconf_next(struct sts_str *text, struct sts_str *name, struct sts_str *value);
/* The last of that name; false, and *value untouched: there is none. */
bool pf_postconf_get(struct sts_str text, struct sts_str name, struct sts_str *value);

/* The lines of "postconf -M". */
struct pf_service {
	struct sts_str name, type; /* "relay", "unix" */
	struct sts_str chroot;	   /* "y", "n", or "-": by compatibility_level */
	struct sts_str command;	   /* "smtp", without any folder in front */
};
bool pf_postconf_next_service(struct sts_str *text, struct pf_service *service);
/* One of its own settings, out of "postconf -P": "relay/unix/NAME = value". */
bool pf_postconf_service_get(struct sts_str text, const struct pf_service *service,
    struct sts_str name, struct sts_str *value);

/* The items of a list, between commas and blanks, but for those in braces. */
bool pf_postconf_next_item(struct sts_str *list, struct sts_str *item);

/* An item that names a table: "proxy:hash:/etc/postfix/x". */
struct pf_table {
	struct sts_str whole;
	struct sts_str type; /* without "proxy:" */
	struct sts_str name; /* what follows the type's colon; may be empty */
	bool proxied;
};
struct pf_table pf_postconf_table(struct sts_str item);

/* The name of a socketmap: "inet:HOST:PORT:MAP" or "unix:PATH:MAP". */
struct pf_socketmap {
	struct sts_str endpoint; /* "inet:HOST:PORT", "unix:PATH" */
	struct sts_str host;	 /* inet, without brackets */
	struct sts_str port;	 /* inet */
	struct sts_str path;	 /* unix; may be relative to the queue directory */
	struct sts_str map;
	bool is_unix;
};
/* False: Postfix would not take it. */
bool pf_postconf_socketmap(struct sts_str name, struct pf_socketmap *socketmap);

/* "3.7.11", and of snapshots and candidates ("3.12-20260401", "3.10.0-RC1") what stands
 * before the hyphen. Comparable numbers: PF_VERSION(3, 7, 11). 0: no version. */
#define PF_VERSION(major, minor, patch) ((major)*1000000UL + (minor)*1000UL + (patch))
unsigned long pf_postconf_version(struct sts_str text);

/* A word for the shell, in single quotes. False: it has control characters, which no
 * line to paste should carry; nothing was written. */
bool pf_postconf_quote(struct sts_buf *to, struct sts_str word);

#endif
