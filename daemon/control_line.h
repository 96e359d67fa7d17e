/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_LINE_H
#define CONTROL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"

/*
 * What stsd-query and the resolver say to each other over the control socket: one line
 * each way, words with one blank between them, the protocol's name and version first.
 *
 *	line  = protocol 1*( SP word ) LF
 *	word  = 1*%x21-7E
 *
 *	stsd-control/1 VERB ARGUMENT...
 *	stsd-control/1 ok WORD...
 *	stsd-control/1 none			there is no such thing
 *	stsd-control/1 denied			this user may not ask
 *	stsd-control/1 error BYTES		a sentence that says why
 *
 * Words are names, decimal numbers, or bytes in base64: nothing needs escaping. Pure; a
 * line that cannot be written makes the buffer bad, one that cannot be read makes the
 * words bad, and both stay so: ask once, at the end. The protocol is private: both sides
 * are of one version of stsd, and another version is refused by name.
 */
#define CONTROL_PROTOCOL "stsd-control/1"
/* Either way, with its LF: room for any entry, and for a sentence beside it. */
#define CONTROL_LINE_MAX 131072

void control_put_start(struct sts_buf *to, const char *word); /* the verb, or the state */
/* "-" in place of an empty one. What is no word makes the buffer bad. */
void control_put_word(struct sts_buf *to, struct sts_str word);
void control_put_number(struct sts_buf *to, int64_t number);
void control_put_bytes(struct sts_buf *to, struct sts_str bytes); /* "=": none */
void control_put_end(struct sts_buf *to);

enum control_take {
	CONTROL_PARTIAL,
	CONTROL_WHOLE,
	CONTROL_BROKEN, /* longer than may be, or bytes that no line has */
};

/* The first line of what was received so far, without its LF; used: with it. */
enum control_take control_take_line(struct sts_str received, struct sts_str *line,
    size_t *used);

struct control_words {
	struct sts_str rest;
	bool bad;
};

enum control_greeting {
	CONTROL_OURS,
	CONTROL_OTHER,	 /* another version of the protocol */
	CONTROL_FOREIGN, /* something else altogether */
};

/* Begins to read a line; *first: the verb, or the state. */
enum control_greeting control_read(struct sts_str line, struct control_words *words,
    struct sts_str *first);

/* Each takes the next word; bad words give empty views, 0 and nothing. */
struct sts_str control_take_word(struct control_words *words); /* "-" is empty */
int64_t control_take_number(struct control_words *words);
void control_take_bytes(struct control_words *words, struct sts_buf *to);
bool control_has_more(const struct control_words *words);
/* Was all well, and is nothing left? */
bool control_is_over(const struct control_words *words);

#endif
