/* SPDX-License-Identifier: MIT */
#ifndef LOGSINK_H
#define LOGSINK_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/*
 * Where log lines go, known to log.c alone: syslog, or stderr without ever waiting for
 * it. Not waiting takes a different call for each kind of file:
 *
 * - a socket (systemd's journal): send(2) with MSG_DONTWAIT;
 * - a pipe or terminal: O_NONBLOCK, but on an open file of our own, made through /proc,
 *   because the flag belongs to the open file that the shell and others share;
 * - where that cannot be had: poll(2) first. Between the poll and the write another
 *   process may fill the pipe, and then this one waits;
 * - a regular file never makes anybody wait.
 */
void logsink_open(const char *ident, bool to_syslog); /* ident: kept, not copied */

/* Does stderr want priorities ("<6>"), being systemd's journal? */
bool logsink_wants_priority(void);
bool logsink_is_syslog(void);

/* line ends with a line end. False: it could not be written now. */
bool logsink_write(int priority, struct sts_str line);

#endif
