/* SPDX-License-Identifier: MIT */
#ifndef MEMO_H
#define MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/*
 * Replies that have just been given, for who asks the same again. A reply from the cache is
 * a pure function of the question, the entry, the second and the settings: as long as the
 * last three are the same, so is the reply. A memo therefore holds for one turn, which
 * ends with the second, with a commit to the cache, or when it is told to forget; and
 * nothing has to be known here of when an answer may change.
 *
 * Pure: it is told the time. Its memory is fixed, half a megabyte, and touched only as it
 * fills: to a quarter, unless what is kept is asked for again. What has no room is not
 * kept.
 */
struct memo;

struct memo *memo_new(void); /* NULL: no memory */
void memo_free(struct memo *m);

/* What is true now: whatever was kept when it was not is forgotten. commit:
 * sts_cache_commit(). */
void memo_turn(struct memo *m, int64_t second, uint64_t commit);
/* The settings have changed. */
void memo_forget(struct memo *m);

/* The reply, lent until the next memo_keep, and what was kept with it. False: unknown. */
bool memo_find(struct memo *m, struct sts_str question, struct sts_str *reply,
    uint8_t *tag);
void memo_keep(struct memo *m, struct sts_str question, struct sts_str reply,
    uint8_t tag);

#endif
