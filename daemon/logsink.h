/* SPDX-License-Identifier: MIT */
#ifndef LOGSINK_H
#define LOGSINK_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

/*
 * Where log lines go, known to log.c alone: syslog, or systemd's journal if that is what
 * stderr is, or stderr; the last two without ever waiting.
 *
 * The journal takes an event as fields (systemd's "native protocol"): a datagram of
 * lines NAME=value to its socket. That is opened before the sandbox closes, and never
 * again by a process that may open none; when it is gone, or cannot be had, lines go to
 * stderr as the journal reads it there, with "<3>" to "<7>" before each. The line that
 * met the dead socket is lost (and counted, log.c).
 *
 * Not waiting for stderr takes a different call for each kind of file:
 *
 * - a socket (systemd's journal): send(2) with MSG_DONTWAIT;
 * - a pipe or terminal: O_NONBLOCK, but on an open file of our own, made through /proc,
 *   because the flag belongs to the open file that the shell and others share;
 * - where that cannot be had: poll(2) first. Between the poll and the write another
 *   process may fill the pipe, and then this one waits;
 * - a regular file never makes anybody wait.
 */
void logsink_open(const char *ident, bool to_syslog); /* ident: kept, not copied */

/* Where the journal listens. Tests have another one. */
extern const char *logsink_journal;

/* How lines are wanted: with a priority in front ("<6>"), without the time, or, beside
 * the line, as fields. */
bool logsink_wants_priority(void);
bool logsink_has_time(void);
bool logsink_wants_fields(void);

/* line ends with a line end. fields: the whole datagram, where they are wanted. False: it
 * could not be written now. */
bool logsink_write(int priority, struct sts_str line, struct sts_str fields);

#endif
