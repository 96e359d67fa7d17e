/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "addr.h"
#include "str.h"

/*
 * The settings: one table in setting.c gives each its name, kind, limits, default and
 * sentence; parsing, "stsd -T", stsd.conf(5)'s check and the example file follow it.
 * Sources, later ones win: defaults, the file, STSD_<NAME>, -o name=value.
 */
struct config_list {
	char **items;
	size_t count;
};
struct config_nets {
	struct sts_net *nets;
	size_t count;
};
enum config_tristate { CONFIG_AUTO, CONFIG_ON, CONFIG_OFF };
enum config_reply { CONFIG_REPLY_AUTO, CONFIG_REPLY_MAY, CONFIG_REPLY_NOTFOUND };

struct config {
	struct config_list
	    listen; /* at least one; config_listen_parse takes them apart */
	unsigned socket_mode;
	char *socket_group; /* NULL: none */
	struct config_nets allow_clients;
	uint64_t max_connections;
	uint64_t workers;
	char *state_directory;
	uint64_t cache_size;
	char *user;	   /* NULL: _stsd when root, else stay */
	char *dns_servers; /* "192.0.2.1 [2001:db8::1]:5353"; NULL: resolv.conf's */
	int64_t dns_timeout_ms;
	int dnssec;		 /* CONFIG_AUTO; CONFIG_ON: trust; CONFIG_OFF */
	int dane;		 /* CONFIG_*; config_does_dane decides what auto is */
	char *postfix_directory; /* NULL: none, as if it held no main.cf */
	int permissive_reply;	 /* CONFIG_REPLY_*; config_says_may decides */
	bool strict_testing;
	bool loose_wildcards;
	bool servername;
	bool defer_txt_error;
	int64_t answer_timeout_ms;
	int64_t fetch_timeout_ms;
	uint64_t max_fetches, max_lookups;
	char *ca_file; /* NULL: the system's */
	struct config_nets allow_addresses;
	uint64_t https_port;
	int64_t refresh_interval, refresh_unused; /* seconds */
	uint64_t max_reply;
	char *overrides;      /* NULL: none */
	char *metrics_listen; /* NULL: none */
	char *control_socket; /* NULL: none */
	bool sandbox;
	int log_level; /* LOG_LEVEL_* of log.h */
	bool log_json;
	bool syslog;

	char *
	    *origins; /* where each setting came from, by its place in the table; a NULL:
			 * it is the default. config_print alone reads it */
};

/* Errors are collected, each as "FILE:LINE: message" or "STSD_X: ..." or "-o x: ...",
 * and all are shown; one error makes the whole configuration bad. Nothing in a line
 * needs escaping. An all-zero struct is empty. */
struct config_errors {
	char **lines;
	size_t count;
	size_t
	    made; /* complaints; more than lines where there was no memory to keep one */
	bool
	    ours; /* one of them is want of memory or descriptors: nothing to mend there */
};
void config_complain(struct config_errors *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Want of memory, room or descriptors? */
bool config_is_ours(int error);
/* "PLACE: what the error number means". */
void config_complain_errno(struct config_errors *e, const char *place, int error);
void config_errors_done(struct config_errors *e);

/* Where a missing file is no error. */
#ifndef STSD_CONFIG
# define STSD_CONFIG "/etc/stsd/stsd.conf"
#endif

struct config_sources {
	const char *file;	  /* NULL: STSD_CONFIG, which may be missing */
	char *const *environment; /* "NAME=value", NULL-terminated; NULL: none */
	char *const *options;	  /* "name=value" of -o, NULL-terminated; NULL: none */
};

/* NULL when there is any error. notices (may be NULL) gets what is ignored, such as
 * STSD_ names that are no setting. */
struct config *config_load(const struct config_sources *sources,
    struct config_errors *errors, struct config_errors *notices);
void config_free(struct config *c);

/* Has nobody set it? For what is looked for, and may be missing, unless it was named. */
bool config_is_default(const struct config *c, const char *name);

/* "name = value" of every setting; with origins as a comment (stsd -T). The output of
 * it is a valid file: this is also how a role gets its settings from the supervisor.
 * False: it is not whole, for want of memory or room. */
bool config_print(const struct config *c, FILE *to, bool origins);
struct config *config_parse_text(struct sts_str text, const char *name,
    struct config_errors *errors);

/* An address to listen at, taken apart: an item of listen, or metrics_listen. */
enum config_listen_kind {
	CONFIG_LISTEN_INET, /* inet:ADDRESS:PORT, inet:[V6]:PORT, inet:localhost:PORT */
	CONFIG_LISTEN_ANY,  /* inet:*:PORT: IPv6 and IPv4, whichever exist */
	CONFIG_LISTEN_UNIX, /* unix:PATH */
};
struct config_listen {
	enum config_listen_kind kind;
	struct sts_addr addr; /* INET */
	uint16_t port;	      /* INET, ANY */
	const char *path;     /* UNIX: points into the text; fits sun_path */
};
/* NULL when text is well-formed, else a sentence that says what is wrong (static), and
 * *out is untouched. What struct config holds is well-formed. */
const char *config_listen_parse(const char *text, struct config_listen *out);

/* Is a policy of mode testing or none answered "OK may"? For permissive_reply = auto it
 * depends on the text of Postfix's main.cf; STS_STR_NONE: there is no such file. */
bool config_says_may(const struct config *c, struct sts_str main_cf);

/* Does DANE come before a policy? For dane = auto it depends on CONFIG_DNS_SUPPORT in
 * Postfix's main.cf; STS_STR_NONE: there is no such file, or nobody may read it. */
#define CONFIG_DNS_SUPPORT "smtp_dns_support_level"
bool config_does_dane(const struct config *c, struct sts_str main_cf);

/* Does the AD bit of the configured servers count? dnssec = auto: only when all of them
 * are on loopback, and none is 127.0.0.11, which forwards to who knows whom. */
bool config_believes_ad(const struct config *c);

/*
 * Overrides: one file, "DOMAIN REPLY [until YYYY-MM-DD] [# why]". text is copied. NULL
 * when there is any error; expired lines are skipped with a notice. now: the wall clock.
 */
struct overrides;
struct overrides *overrides_parse(struct sts_str text, const char *name, int64_t now,
    struct config_errors *errors, struct config_errors *notices);
void overrides_free(struct overrides *o);
size_t overrides_count(const struct overrides *o);
/* The payload for a domain ("OK secure match=...", "NOTFOUND ", "TEMP ..."), or an empty
 * view: none matches. NULL overrides match nothing. domain as sts_key_parse gives it.
 * A payload may be longer than max_reply: whoever sends it must look. */
struct sts_str overrides_find(const struct overrides *o, struct sts_str domain,
    int64_t now);

/* resolv.conf(5): servers as sts_resolve_new takes them, and "options trust-ad". */
struct resolvconf {
	char servers[512]; /* "" when none: then 127.0.0.1 */
	bool trust_ad;
};
void resolvconf_parse(struct sts_str text, struct resolvconf *out);

#endif
