/* SPDX-License-Identifier: MIT */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Listening sockets, as the settings name them (config_listen_parse). A unix socket that
 * nobody answers at is a leftover and is replaced; one that answers belongs to somebody
 * and is left alone. All are non-blocking and close-on-exec.
 */
struct listener {
	int fd;
	bool inet;
	char *spec; /* as configured, or LISTEN_ADOPTED */
	char *path; /* a unix socket to remove at the end, NULL: none */
};

#define LISTEN_ADOPTED "socket handed over"

struct listeners {
	struct listener *all;
	size_t count;
};

struct listen_style {
	mode_t mode; /* of unix sockets */
	gid_t group; /* of unix sockets; (gid_t)-1: as it comes */
	uid_t owner; /* of unix sockets; (uid_t)-1: as it comes */
};

/* Appends what spec names. 0, or -1 with a sentence in why and nothing appended. */
int listen_open(struct listeners *to, const char *spec, const struct listen_style *style,
    char *why, size_t why_n);

/* Appends a socket that was handed over, and takes it. NULL, or why not: it is no listening
 * stream socket, inet (unless local) or unix, or errno says ENOMEM; it is still the caller's
 * then. */
const char *listen_adopt(struct listeners *to, int fd, bool local);

/* Appends duplicates of another's sockets of the same spec; how many there were, or -1:
 * no memory or descriptors. */
int listen_share(struct listeners *to, const struct listeners *from, const char *spec);

/* Where it really listens ("inet:127.0.0.1:8461"), for the log. */
void listen_text(const struct listener *l, char *out, size_t out_n);

/* Closes all, and removes the unix sockets that were made here, but for those that kept
 * (may be NULL) has as well. */
void listeners_done(struct listeners *l, const struct listeners *kept);

#endif
