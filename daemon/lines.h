/* SPDX-License-Identifier: MIT */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "str.h"

/*
 * A text file of ours, line by line: what editors of all systems leave behind (a byte
 * order mark, CR LF, no line end after the last line) does no harm; '#' after a blank,
 * or at the start, begins a comment; what is left is trimmed, and blank lines are passed
 * over. A line that is too long or has control characters is complained about, and
 * passed over too.
 */
#define LINES_LENGTH_MAX 4096
/* Of a file's name, escaped: it must fit in a comment of "stsd -T". */
#define LINES_NAME_MAX 1000

struct lines {
	struct sts_str rest;
	size_t number; /* of the line given last, from 1 */
	struct config_errors *errors;
	char name[LINES_NAME_MAX + 1]; /* escaped, for "NAME:LINE: ..." */
};

/* name is copied. */
void lines_start(struct lines *l, struct sts_str text, const char *name,
    struct config_errors *errors);
bool lines_next(struct lines *l, struct sts_str *line);

/* A name for messages: escaped, cut. */
void lines_show_name(const char *name, char out[LINES_NAME_MAX + 1]);

/* Where a comment begins; text.n without one. */
size_t lines_comment(struct sts_str text);
/* Has a byte of 0x00-0x1F other than TAB, or 0x7F. */
bool lines_has_control(struct sts_str text);

#endif
