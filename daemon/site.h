/* SPDX-License-Identifier: MIT */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "listen.h"
#include "privileges.h"

/*
 * One generation of everything the processes work by: the settings with nothing left to
 * be found out (what resolv.conf, main.cf and the system say is filled in), the overrides
 * as they were checked, the CA bundle, the listening sockets. Files are read once and
 * handed on as bytes, so that a process started again next week works by the same ones.
 */
struct site {
	struct config *config;
	int config_fd;	  /* what config_print wrote */
	int overrides_fd; /* -1: none */
	int ca_fd;
	bool follows;	 /* dns_servers are those of resolv.conf */
	bool unsealed;	 /* ... which config_fd does not say yet */
	int dnssec;	 /* as configured, before resolv.conf's trust-ad */
	bool wants_dane; /* see settle.h: without it something is amiss */
	struct listeners listeners, metrics, control;
};

/* What there is to say about it, each in a line. */
struct site_said {
	struct config_errors errors, warnings, notices;
};
void site_said_done(struct site_said *said);

/* Everything but the sockets. verbose: steps of log_level more. NULL when anything is
 * wrong, with every reason among the errors. */
struct site *site_load(const struct config_sources *sources, unsigned verbose,
    struct site_said *said);

/*
 * Opens the sockets that the settings name; those that before (may be NULL) has too are
 * shared with it, and those that were handed over stay. -1 with a sentence in why.
 */
int site_listen(struct site *s, const struct site *before,
    const struct listen_style *style, char *why, size_t why_n);

/* The control socket, owned by who answers at it; its directory is made where it is
 * missing. As site_listen otherwise; without it stsd works, too. */
int site_listen_control(struct site *s, const struct site *before,
    const struct account *owner, char *why, size_t why_n);

/* The account that the settings name, or that of whoever started us; and how sockets are
 * made. -1 with a sentence in why: no such user, or group. */
int site_account(const struct config *c, struct account *account, char *why,
    size_t why_n);
int site_style(const struct config *c, struct listen_style *style, char *why,
    size_t why_n);

/* Reads resolv.conf once more. 1: it says something else now, and the settings follow;
 * 0: nothing new; -1: no memory or descriptors, the next time makes up for it. */
int site_follow(struct site *s);

/* Closes the sockets too, and removes what they leave behind; kept (may be NULL): but for
 * those that live on there. */
void site_free(struct site *s, const struct site *kept);

#define RESOLV_CONF "/etc/resolv.conf"

#endif
