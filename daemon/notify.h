/* SPDX-License-Identifier: MIT */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a service manager and we say to each other (sd_notify(3), sd_listen_fds(3)): a
 * few lines each, so that no library of it is needed. Without a manager all of it does
 * nothing.
 */

/* Takes NOTIFY_SOCKET, WATCHDOG_* and LISTEN_* out of the environment: they are meant
 * for this process alone. Call it once, before anything else here, and before any
 * descriptor is opened that stays: it could be taken for one of LISTEN_FDS. */
void notify_open(void);

/* One datagram, such as "READY=1\nSTATUS=answering". Never blocks. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(void); /* with the MONOTONIC_USEC that Type=notify-reload wants */

/* How often the manager wants WATCHDOG=1, in milliseconds; 0: it does not. */
int64_t notify_watchdog_ms(void);

/* A descriptor handed over, close-on-exec; name: FileDescriptorName=, "socketmap" when the
 * manager gives none at all. */
struct notify_fd {
	int fd;
	bool
	    open; /* was it, when we began? Else it is nobody's, or somebody else's by now */
	char name[32];
};
#define NOTIFY_FDS_MAX 64
/* How many; those that are open belong to the caller. -1: LISTEN_FDS is no number, or too
 * large a one. */
int notify_listen_fds(const struct notify_fd **fds);

#endif
