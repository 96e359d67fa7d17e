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
 * The settings: one table in config.c gives each its name, kind, limits, default and
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

struct config {
	struct config_list listen;
	unsigned socket_mode;
	char *socket_group; /* NULL: none */
	struct config_nets allow_clients;
	uint64_t max_connections;
	uint64_t workers;
	char *state_directory;
	uint64_t cache_size;
	char *user;	   /* NULL: _stsd when root, else stay */
	char *dns_servers; /* NULL: resolv.conf's */
	int64_t dns_timeout_ms;
	int dnssec; /* auto, trust, off: see config.c */
	int dane;
	char *postfix_directory;
	int permissive_reply; /* CONFIG_REPLY_* */
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
	int log_level;	/* LOG_LEVEL_* of log.h */
	bool log_json;
	bool syslog;
};
enum { CONFIG_REPLY_AUTO, CONFIG_REPLY_MAY, CONFIG_REPLY_NOTFOUND };

/* Errors are collected, each as "FILE:LINE: message" or "STSD_X: ..." or "-o x: ...",
 * and all are shown; one error makes the whole configuration bad. */
struct config_errors {
	char **lines;
	size_t count;
};

struct config_sources {
	const char *file; /* NULL: /etc/stsd/stsd.conf, which may be missing */
	char *const *environment; /* "NAME=value", NULL-terminated; NULL: none */
	char *const *options;	  /* "name=value" of -o, NULL-terminated; NULL: none */
};

/* NULL when there is any error. notices (may be NULL) gets what is ignored, such as
 * STSD_ names that are no setting. */
struct config *config_load(const struct config_sources *sources,
    struct config_errors *errors, struct config_errors *notices);
void config_free(struct config *c);
void config_errors_done(struct config_errors *e);

/* "name = value" of every setting; with origins as a comment (stsd -T). The output of
 * it is a valid file: this is also how a role gets its settings from the supervisor. */
void config_print(const struct config *c, FILE *to, bool origins);
struct config *config_parse_text(struct sts_str text, const char *name,
    struct config_errors *errors);

/* Overrides: one file, "DOMAIN REPLY [until YYYY-MM-DD] [# why]". */
struct overrides;
struct overrides *overrides_parse(struct sts_str text, const char *name, int64_t now,
    struct config_errors *errors, struct config_errors *notices);
void overrides_free(struct overrides *o);
/* The payload for a domain ("OK secure match=...", "NOTFOUND ", "TEMP ..."), or an empty
 * view: none matches. NULL overrides match nothing. */
struct sts_str overrides_find(const struct overrides *o, struct sts_str domain, int64_t now);

/* resolv.conf(5): servers as sts_resolve_new takes them, and "options trust-ad". */
struct resolvconf {
	char servers[512]; /* "" when none: then 127.0.0.1 */
	bool trust_ad;
};
void resolvconf_parse(struct sts_str text, struct resolvconf *out);

#endif
