/* SPDX-License-Identifier: MIT */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "str.h"

/*
 * Values as people write them in the configuration, and back. Each reader takes a
 * trimmed, non-empty text; on failure it leaves *value alone and says in why what is
 * wrong with it, in words that end a sentence beginning with the setting's name.
 */
#define VALUE_WHY 400
struct value_why {
	char text[VALUE_WHY];
	bool ours; /* want of memory: nothing is wrong with what was written */
};
bool value_wrong(struct value_why *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));   /* returns false */
bool value_no_memory(struct value_why *why); /* returns false */

/* What somebody wrote, for a message: escaped, cut, in single quotes. */
#define VALUE_QUOTED 200
const char *value_quote(struct sts_str text, char out[VALUE_QUOTED]);

/* A suffix and what it multiplies; smallest first. The table ends with factor 0. */
struct value_unit {
	char suffix;
	uint64_t factor;
	uint64_t from; /* smaller values are printed in a smaller unit */
};
extern const struct value_unit value_seconds[]; /* s m h d w */
extern const struct value_unit value_bytes[];	/* K M G */

/* units: NULL for a plain number. */
bool value_number(struct sts_str text, const struct value_unit *units, uint64_t min,
    uint64_t max, uint64_t *value, struct value_why *why);
void value_put_number(struct sts_buf *to, const struct value_unit *units, uint64_t value);

bool value_boolean(struct sts_str text, bool *value, struct value_why *why);
bool value_mode(struct sts_str text, unsigned *value, struct value_why *why);

/* A word of a list; the table ends with a NULL text. */
struct value_word {
	const char *text;
	int value;
};
bool value_word(struct sts_str text, const struct value_word *words, int *value,
    struct value_why *why);

/* Those that stay text: NULL, or what is wrong with it. */
const char *value_path_problem(struct sts_str text);
const char *value_account_problem(struct sts_str text);

/* "192.0.2.1", "192.0.2.1:53", "::1", "[::1]", "[::1]:53": appended as resolve.h wants
 * it, IPv6 in brackets, the port only where one was given. */
bool value_server(struct sts_str text, struct sts_buf *to, struct value_why *why);

/* How many letters differ: the distance between two names, for "did you mean". */
size_t value_distance(struct sts_str a, struct sts_str b);

#endif
