/* SPDX-License-Identifier: MIT */
#include "memo.h"

#include <string.h>

#include "test.h"

int test_failed;

static struct memo *memo;

/*
 * Stories: one step after the other, on one memo.
 */
enum does { TURN, KEEP, FIND, MISS, FORGET };

static const struct {
	const char *what;
	enum does does;
	int64_t second; /* TURN */
	uint64_t commit;
	const char *question, *reply;
	uint8_t tag;
} steps[] = {
#define TURN_TO(second, commit) TURN, (second), (commit), "", "", 0
#define WITH(does, question, reply, tag) (does), 0, 0, (question), (reply), (tag)
	{ "begin", TURN_TO(10, 7) },
	{ "nothing is kept yet", WITH(MISS, "QUERY a", "", 0) },
	{ "keep one", WITH(KEEP, "QUERY a", "NOTFOUND ", 3) },
	{ "it is found", WITH(FIND, "QUERY a", "NOTFOUND ", 3) },
	{ "and again", WITH(FIND, "QUERY a", "NOTFOUND ", 3) },
	{ "not another one", WITH(MISS, "QUERY b", "", 0) },
	{ "not by another map", WITH(MISS, "QUERYwithTLSRPT a", "", 0) },
	{ "not in capitals", WITH(MISS, "QUERY A", "", 0) },
	{ "not its beginning", WITH(MISS, "QUERY ", "", 0) },
	{ "not something longer", WITH(MISS, "QUERY aa", "", 0) },
	{ "the same turn", TURN_TO(10, 7) },
	{ "ends nothing", WITH(FIND, "QUERY a", "NOTFOUND ", 3) },
	{ "keep a second one", WITH(KEEP, "QUERY b", "OK secure match=mx.b", 0) },
	{ "both are found", WITH(FIND, "QUERY a", "NOTFOUND ", 3) },
	{ "both are found", WITH(FIND, "QUERY b", "OK secure match=mx.b", 0) },
	{ "the next second", TURN_TO(11, 7) },
	{ "knows nothing", WITH(MISS, "QUERY a", "", 0) },
	{ "knows nothing", WITH(MISS, "QUERY b", "", 0) },
	{ "keep another reply", WITH(KEEP, "QUERY a", "OK may", 2) },
	{ "that one is found", WITH(FIND, "QUERY a", "OK may", 2) },
	{ "the next commit", TURN_TO(11, 8) },
	{ "knows nothing", WITH(MISS, "QUERY a", "", 0) },
	{ "keep", WITH(KEEP, "QUERY a", "OK may", 2) },
	{ "an earlier commit", TURN_TO(11, 7) },
	{ "knows nothing", WITH(MISS, "QUERY a", "", 0) },
	{ "keep", WITH(KEEP, "QUERY a", "OK may", 2) },
	{ "an earlier second", TURN_TO(10, 7) },
	{ "knows nothing", WITH(MISS, "QUERY a", "", 0) },
	{ "keep", WITH(KEEP, "QUERY a", "OK may", 2) },
	{ "the settings change", WITH(FORGET, "", "", 0) },
	{ "nothing is known", WITH(MISS, "QUERY a", "", 0) },
	{ "nor in the same turn", TURN_TO(10, 7) },
	{ "nothing is known", WITH(MISS, "QUERY a", "", 0) },
	{ "an empty question", WITH(KEEP, "", "PERM", 5) },
	{ "is one, too", WITH(FIND, "", "PERM", 5) },
	{ "an empty reply", WITH(KEEP, "QUERY e", "", 1) },
	{ "is one, too", WITH(FIND, "QUERY e", "", 1) },
};

static void
check_found(const char *what, const char *question, struct sts_str expected, uint8_t tag)
{
	struct sts_str reply = STS_STR_NONE;
	uint8_t got = 255;

	CHECK(what, memo_find(memo, sts_str_of(question), &reply, &got));
	CHECK(what, sts_str_eq(reply, expected));
	CHECK(what, got == tag);
}

static void
tell_story(void)
{
	struct sts_str reply;
	uint8_t tag;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const char *what = steps[i].what, *question = steps[i].question;
		struct sts_str expected = sts_str_of(steps[i].reply);

		switch (steps[i].does) {
		case TURN:
			memo_turn(memo, steps[i].second, steps[i].commit);
			break;
		case KEEP:
			memo_keep(memo, sts_str_of(question), expected, steps[i].tag);
			break;
		case FIND:
			check_found(what, question, expected, steps[i].tag);
			break;
		case MISS:
			CHECK(what, !memo_find(memo, sts_str_of(question), &reply, &tag));
			break;
		case FORGET:
			memo_forget(memo);
			break;
		}
	}
}

/*
 * Many: more than it has room for, turn after turn. What is found is what was kept in this
 * turn; and of a thousand replies of the usual size nearly all are.
 */
#define MANY 3000
#define HOT 1000
#define TURNS 40

static char question_room[64], reply_room[200];

static struct sts_str
question_of(unsigned number)
{
	return (struct sts_str){ question_room,
		(size_t)snprintf(question_room, sizeof(question_room),
		    "QUERY d%06u.example", number) };
}

static struct sts_str
reply_of(unsigned number, unsigned turn)
{
	return (struct sts_str){ reply_room,
		(size_t)snprintf(reply_room, sizeof(reply_room),
		    "OK secure match=mx1.d%06u.example servername=hostname %u", number,
		    turn) };
}

static unsigned
find_many(unsigned turn)
{
	unsigned found = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct sts_str reply;
		uint8_t tag;

		if (!memo_find(memo, question_of(i), &reply, &tag))
			continue;
		found++;
		CHECK("the reply of this question and turn",
		    sts_str_eq(reply, reply_of(i, turn)));
		CHECK("its tag", tag == (uint8_t)(i + turn));
	}
	return found;
}

static void
keep_many(void)
{
	for (unsigned turn = 1; turn <= TURNS; turn++) {
		memo_turn(memo, turn, 1);
		CHECK("all is forgotten", find_many(turn) == 0);
		for (unsigned i = 0; i < MANY; i++) {
			memo_keep(memo, question_of(i), reply_of(i, turn),
			    (uint8_t)(i + turn));
			if (i == HOT)
				CHECK("nearly all of a thousand",
				    find_many(turn) > HOT - HOT / 20);
		}
		CHECK("not more than there is room for", find_many(turn) < MANY);
	}
}

/* A quarter of the room, and all of it while one of five questions is known. */
#define QUARTER (128 * 1024)
#define HEAD 12 /* of each reply that is kept */
static char large[4 * QUARTER];

static const struct {
	const char *what; /* NULL: another turn */
	size_t n;	  /* of the reply to something new */
	bool kept;
	unsigned again; /* how often it is then asked for */
} sizes[] = {
	{ "exactly a quarter", QUARTER - HEAD - 1, true, 0 },
	{ "nothing more", 0, false, 0 },
	{ NULL, 0, false, 0 },
	{ "one byte too many", QUARTER - HEAD, false, 0 },
	{ "leaves all of it", QUARTER - HEAD - 1, true, 0 },
	{ NULL, 0, false, 0 },
	{ "one", QUARTER / 2, true, 1 },
	{ "one of three: all of the room is there", QUARTER * 3 / 2, true, 0 },
	{ "one of four", 1, true, 0 },
	{ "one of five", 1, true, 0 },
	{ "one of six", 1, false, 0 },
	{ NULL, 0, false, 0 },
	{ "one", 1, true, 2 },
	{ "exactly the room", 4 * QUARTER - 2 * (HEAD + 1) - 1, true, 0 },
	{ "no room at all", 0, false, 0 },
	{ NULL, 0, false, 0 },
	{ "one", 1, true, 2 },
	{ "one byte more than the room", 4 * QUARTER - 2 * (HEAD + 1), false, 0 },
};

static void
keep_large(void)
{
	int64_t second = 1000;
	struct sts_str reply;
	uint8_t tag;

	memo_turn(memo, second, 1);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char question[2] = { (char)('a' + i), '\0' };
		struct sts_str asked = sts_str_of(question);
		const char *what = sizes[i].what;

		if (what == NULL) {
			memo_turn(memo, ++second, 1);
			continue;
		}
		CHECK(what, !memo_find(memo, asked, &reply, &tag));
		memo_keep(memo, asked, (struct sts_str){ large, sizes[i].n }, 1);
		if (!sizes[i].kept)
			CHECK(what, !memo_find(memo, asked, &reply, &tag));
		for (unsigned n = 0; n < sizes[i].again; n++)
			CHECK(what, memo_find(memo, asked, &reply, &tag));
	}
}

int
main(void)
{
	memo = memo_new();
	CHECK("memory", memo != NULL);
	if (memo == NULL)
		return test_failed;
	tell_story();
	keep_many();
	keep_large();
	memo_free(memo);
	memo_free(NULL);
	return test_failed;
}
