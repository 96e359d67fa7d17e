/* SPDX-License-Identifier: MIT */
#include "memo.h"

#include <stdlib.h>
#include <string.h>

/* About a thousand replies, of any kind; a quarter of them while fewer than one in five
 * questions is known: then more would only be memory. */
#define ROOM (512u * 1024)
#define ROOM_AT_FIRST (ROOM / 4)
#define WORTH 4	    /* unknown ones for each that is known */
#define SLOTS 4096u /* a power of two */
#define WAYS 4u	    /* slots in which a question may be, side by side */

/* At `at` of the room: this, the question, the reply. */
struct kept {
	uint32_t question_n, reply_n;
	uint8_t tag;
};

struct slot {
	uint32_t turn; /* of another turn, it is free */
	uint32_t at;
};

struct memo {
	int64_t second;
	uint64_t commit;
	uint32_t turn;		/* from 1 on */
	uint32_t used;		/* bytes of the room */
	uint64_t found, missed; /* questions of this turn */
	struct slot slots[SLOTS];
	char room[ROOM];
};

struct memo *
memo_new(void)
{
	struct memo *m = calloc(1, sizeof(*m));

	if (m != NULL)
		m->turn = 1;
	return m;
}

void
memo_free(struct memo *m)
{
	free(m);
}

void
memo_forget(struct memo *m)
{
	m->used = 0;
	m->found = m->missed = 0;
	if (++m->turn != 0)
		return;
	/* After four billion turns: none of the first may be taken for one of these. */
	memset(m->slots, 0, sizeof(m->slots));
	m->turn = 1;
}

void
memo_turn(struct memo *m, int64_t second, uint64_t commit)
{
	if (second == m->second && commit == m->commit)
		return;
	m->second = second;
	m->commit = commit;
	memo_forget(m);
}

static uint64_t
mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* Who finds questions that collide makes his own ones slower. */
static uint32_t
hash_of(struct sts_str s)
{
	uint64_t hash = s.n, word;

	for (; s.n >= sizeof(word); s = sts_str_from(s, sizeof(word))) {
		memcpy(&word, s.p, sizeof(word));
		hash = mix(hash, word);
	}
	word = 0;
	memcpy(&word, s.p, s.n);
	return (uint32_t)(mix(hash, word) >> 32);
}

static uint32_t
first_slot(struct sts_str question)
{
	return hash_of(question) % SLOTS / WAYS * WAYS;
}

bool
memo_find(struct memo *m, struct sts_str question, struct sts_str *reply, uint8_t *tag)
{
	const struct slot *slot = &m->slots[first_slot(question)];

	for (uint32_t i = 0; i < WAYS && slot[i].turn == m->turn; i++) {
		const char *at = m->room + slot[i].at;
		struct kept kept;

		memcpy(&kept, at, sizeof(kept));
		at += sizeof(kept);
		if (!sts_str_eq((struct sts_str){ at, kept.question_n }, question))
			continue;
		*reply = (struct sts_str){ at + kept.question_n, kept.reply_n };
		*tag = kept.tag;
		m->found++;
		return true;
	}
	m->missed++;
	return false;
}

void
memo_keep(struct memo *m, struct sts_str question, struct sts_str reply, uint8_t tag)
{
	struct slot *slot = &m->slots[first_slot(question)];
	struct kept kept = { .tag = tag };
	uint32_t whole = m->found * WORTH >= m->missed ? ROOM : ROOM_AT_FIRST, i = 0;
	size_t room = whole > m->used ? whole - m->used : 0;
	char *at = m->room + m->used;

	while (i < WAYS && slot[i].turn == m->turn)
		i++;
	if (i == WAYS || question.n > room || reply.n > room ||
	    sizeof(kept) + question.n + reply.n > room)
		return;
	slot[i] = (struct slot){ m->turn, m->used };
	kept.question_n = (uint32_t)question.n;
	kept.reply_n = (uint32_t)reply.n;
	memcpy(at, &kept, sizeof(kept));
	memcpy(at + sizeof(kept), question.p, question.n);
	memcpy(at + sizeof(kept) + question.n, reply.p, reply.n);
	m->used += (uint32_t)(sizeof(kept) + question.n + reply.n);
}
