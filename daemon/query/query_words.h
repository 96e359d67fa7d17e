/* SPDX-License-Identifier: MIT */
#ifndef QUERY_WORDS_H
#define QUERY_WORDS_H

#include <stddef.h>

#include "loop.h"

/*
 * The domains that stsd-query is to look at, one after the other: its arguments, and in
 * place of the argument "-" the lines of the standard input, without blanks around them;
 * empty ones and those that begin with # are passed over. Lines are read as they are
 * wanted, so that any number of them costs no memory.
 */
enum query_word {
	QUERY_WORD,
	QUERY_WORD_LATER,  /* the input is silent; on will be called */
	QUERY_WORD_END,	   /* that was all */
	QUERY_WORD_FAILED, /* errno says why; nothing more comes */
};

struct query_words;
typedef void query_on_word(void *arg);

/* fd: the standard input. on: it is worth asking again. NULL: no memory. */
struct query_words *query_words_new(struct sts_loop *loop, char **words, int count,
    int fd, query_on_word *on, void *arg);
void query_words_free(struct query_words *w);

/* The word lives until the next call. A line too long for any domain is cut off, and a
 * NUL in it becomes a question mark. */
enum query_word query_words_next(struct query_words *w, const char **word);
/* How many there are; 0: nobody knows before the input ends. */
size_t query_words_count(const struct query_words *w);

#endif
