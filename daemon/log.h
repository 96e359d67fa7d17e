/* SPDX-License-Identifier: MIT */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/*
 * One event, one line: time level event domain reason, then the event's own key=value
 * pairs; text as Postfix writes, or JSON (one object a line). To stderr, or syslog's
 * mail facility. Everything of a stranger's is escaped, long values are cut ("..."), and
 * what does not fit in a line any more is left out.
 *
 *	2026-11-22T10:00:00Z notice policy-changed domain=example.org reason="..." role=resolver old_id=1
 *
 * A line is one write(2) of at most 4096 bytes, so that lines of several processes do
 * not mix in a pipe. A log that cannot take a line is not waited for: the line is
 * dropped, and after the next one that can be written comes "log-lost" with their
 * number. Where stderr is systemd's journal (JOURNAL_STREAM), an event is a datagram of
 * fields: PRIORITY, MESSAGE, the line without its time, and each key as STSD_KEY; see
 * logsink.h. syslog(3) is different: it may wait for a syslog daemon that is stuck.
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* role: "supervisor", "answerer", "resolver", "query" (a literal): says who writes. May
 * be called again. Ignores SIGPIPE: a log reader that ends must not end the mail. Before
 * the first call lines of up to info go to stderr as text. */
void log_open(const char *role, enum log_level level, bool json, bool to_syslog);
bool log_wants(enum log_level level);

/* Begin, add, end: nothing is written for a level that is not wanted. domain and reason
 * may be empty. One line at a time. */
void log_begin(enum log_level level, const char *event, struct sts_str domain,
    const char *reason);
void log_text(const char *key, struct sts_str value);
void log_number(const char *key, int64_t value);
void log_seconds(const char *key, int64_t ms);	 /* "0.214" */
void log_time(const char *key, int64_t seconds); /* RFC 3339 UTC; 0: "never" */
void log_end(void);

/* begin and end in one, with a reason made by printf. */
void log_say(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "2026-11-22T10:00:00Z" */
#define LOG_TIME_TEXT 32
void log_time_text(int64_t seconds, char out[LOG_TIME_TEXT]);

#endif
