/* SPDX-License-Identifier: MIT */
#ifndef ROLE_H
#define ROLE_H

#include <stdbool.h>

#include "buf.h"

/*
 * What the answerer and the resolver begin with, and how they end. A role is started by
 * the supervisor with fd 3 alone; it ignores the signals that are meant for the
 * supervisor, dies with it, and leaves with ROLE_EXIT_CACHE when the cache file faults
 * under it (a truncated file is SIGBUS, garbage is SIGSEGV).
 */
#define ROLE_FD 3

#define ROLE_EXIT_USAGE 64
#define ROLE_EXIT_UNAVAILABLE 69
#define ROLE_EXIT_INTERNAL 70
#define ROLE_EXIT_CACHE 75
#define ROLE_EXIT_CONFIG 78

/* Is fd 3 a socket: was this process started by the supervisor? */
bool role_is_ours(void);
void role_begin(void);

/* Everything a file descriptor holds, from its start; false: it cannot be read. */
bool role_read_fd(int fd, struct sts_buf *to);

#endif
