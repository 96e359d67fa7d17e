/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cache.h"
#include "cachefile.h"
#include "pending.h"

/*
 * Four tables, always changed in one transaction, numbers big-endian so that the order
 * of the keys is theirs:
 *
 *	entry	domain -> due, sequence, kind, the entry's bytes
 *	due	due, domain -> nothing; only what is ever due
 *	pool	sequence -> domain; only what holds no policy, oldest write first
 *	meta	"schema", "state" (counts, last sequence), "clock" (mark)
 *
 * A write waits in memory (pending.h) until the loop has handled what else is ready,
 * then one transaction takes up to STS_COMMIT_MAX of them. After a commit that failed
 * nothing is tried until RETRY_MS have passed: a full disk costs one attempt each time,
 * not one a write.
 *
 * A file that is full: pages that a transaction frees can be used again two transactions
 * later, so that even deleting needs free ones. A part of the file, RESERVE, is therefore
 * kept free; once no more is, commits are "tight": entries of the pool go first, and only
 * those writes are taken that need no more than went.
 */
#define SCHEMA 1
#define TABLES 4
#define READERS_MAX 254
/* A commit takes some hundred pages, twice that until it can use those it freed. */
#define RESERVE_MIN (UINT64_C(4) << 20)
#define RESERVE_MAX (UINT64_C(16) << 20)
#define SIZE_MIN (4 * RESERVE_MIN)
#define RETRY_MS 10000
#define MEND_TRIES 3
#define PAGE_STEP 4096 /* no page is smaller */

/* A policy domain with brackets and a port, with room to spare; LMDB ends at 511. */
#define DOMAIN_MAX 300

#define NUMBER ((size_t)8)	     /* bytes of one */
#define PREFIX (NUMBER + NUMBER + 1) /* before an entry's bytes */
#define STATE (NUMBER * 6)
#define BOOT sizeof((struct sts_clock_mark *)NULL)->boot
#define CLOCK (BOOT + NUMBER + NUMBER)

struct state {
	uint64_t policies[3];
	uint64_t failing;
	uint64_t pool;
	uint64_t sequence; /* given last */
};

struct sts_cache {
	MDB_env *env;
	MDB_dbi entry, due, pool, meta;
	MDB_txn *reading; /* kept for the next read */
	bool is_reading;  /* it is live */
	bool is_writer;
	bool is_damaged;
	uint64_t size;
	char *path;

	/* The writer's. */
	struct sts_pending pending;
	struct sts_timer *turn;	 /* when the loop has handled what else is ready */
	struct sts_timer *retry; /* after a commit that failed */
	enum sts_err failure;	 /* of the last commit */
	bool is_full;		 /* the last commit was tight */
	struct sts_waiter *told, **told_end; /* whose writes are decided */
	struct sts_cache_limits limits;
};

/* How deep this process is inside LMDB. */
static volatile sig_atomic_t inside;

bool
sts_cache_is_inside(void)
{
	return inside > 0;
}

static void
enter(void)
{
	inside++;
}

static void
leave(void)
{
	inside--;
}

/* ---- numbers and keys ---- */

static void
write_number(uint8_t *to, uint64_t n)
{
	for (size_t i = NUMBER; i-- > 0; n >>= 8)
		to[i] = (uint8_t)n;
}

static uint64_t
read_number(const void *from)
{
	const uint8_t *p = from;
	uint64_t n = 0;

	for (size_t i = 0; i < NUMBER; i++)
		n = n << 8 | p[i];
	return n;
}

static MDB_val
value_of(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} bytes = { p };

	return (MDB_val){ n, bytes.out };
}

static MDB_val
value_of_text(const char *text)
{
	return value_of(text, strlen(text));
}

static struct sts_str
str_of(MDB_val v)
{
	return (struct sts_str){ v.mv_data, v.mv_size };
}

static bool
is_domain(struct sts_str domain)
{
	return domain.n > 0 && domain.n <= DOMAIN_MAX;
}

struct due_key {
	uint8_t bytes[NUMBER + DOMAIN_MAX];
};

static MDB_val
due_key_of(struct due_key *key, uint64_t due, MDB_val domain)
{
	write_number(key->bytes, due);
	memcpy(key->bytes + NUMBER, domain.mv_data, domain.mv_size);
	return value_of(key->bytes, NUMBER + domain.mv_size);
}

/* ---- errors ---- */

static enum sts_err
err_of(struct sts_cache *c, int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return STS_OK;
	case MDB_NOTFOUND:
		return STS_ERR_CACHE_NONE;
	case ENOMEM:
		return STS_ERR_NOMEM;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return STS_ERR_CACHE_FULL;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
	case MDB_BAD_DBI:
	case MDB_BAD_TXN:
		c->is_damaged = true;
		return STS_ERR_CACHE;
	default:
		return STS_ERR_CACHE;
	}
}

bool
sts_cache_is_damaged(const struct sts_cache *c)
{
	return c->is_damaged;
}

/* ---- opening ---- */

struct why {
	char *text;
	size_t n;
};

static void
explain(struct why why, const char *path, const char *sentence)
{
	if (why.text != NULL && why.n > 0)
		snprintf(why.text, why.n, "%s %s", path, sentence);
}

static void
explain_code(struct why why, const char *path, int rc)
{
	if (why.text != NULL && why.n > 0)
		snprintf(why.text, why.n, "%s: %s", path, mdb_strerror(rc));
}

/* An eighth, inside the bounds. */
static uint64_t
reserve_of(uint64_t size)
{
	if (size / 8 < RESERVE_MIN)
		return RESERVE_MIN;
	return size / 8 < RESERVE_MAX ? size / 8 : RESERVE_MAX;
}

static int
open_tables(struct sts_cache *c, MDB_txn *txn, unsigned flags)
{
	const struct {
		const char *name;
		MDB_dbi *dbi;
	} tables[TABLES] = {
		{ "meta", &c->meta },
		{ "entry", &c->entry },
		{ "due", &c->due },
		{ "pool", &c->pool },
	};
	int rc = 0;

	for (size_t i = 0; i < TABLES && rc == 0; i++)
		rc = mdb_dbi_open(txn, tables[i].name, flags, tables[i].dbi);
	return rc;
}

static int
check_schema(struct sts_cache *c, MDB_txn *txn, bool *same)
{
	MDB_val key = value_of_text("schema"), value;
	int rc = mdb_get(txn, c->meta, &key, &value);

	*same =
	    rc == 0 && value.mv_size == NUMBER && read_number(value.mv_data) == SCHEMA;
	return rc;
}

/* The first transaction of a new file makes all tables: a file has all or none. */
static int
make_tables(struct sts_cache *c)
{
	uint8_t schema[NUMBER];
	MDB_val key = value_of_text("schema"), value = value_of(schema, sizeof schema);
	MDB_txn *txn;
	MDB_stat st;
	MDB_dbi names;
	int rc = mdb_txn_begin(c->env, NULL, 0, &txn);

	if (rc != 0)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &names);
	if (rc == 0)
		rc = mdb_stat(txn, names, &st);
	/* Another writer may have been faster; another program's file is not touched. */
	if (rc == 0)
		rc = open_tables(c, txn, st.ms_entries == 0 ? MDB_CREATE : 0);
	write_number(schema, SCHEMA);
	if (rc == 0 && st.ms_entries == 0)
		rc = mdb_put(txn, c->meta, &key, &value, 0);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* Handles live on when the transaction that opened them is committed, also one that
 * only reads. */
static int
find_tables(struct sts_cache *c, bool *same)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	rc = open_tables(c, txn, 0);
	if (rc == 0)
		rc = check_schema(c, txn, same);
	if (rc == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
open_map(struct sts_cache *c)
{
	unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (c->is_writer ? 0 : MDB_RDONLY);
	int rc = mdb_env_create(&c->env);
	mdb_filehandle_t fd;

	if (rc != 0) {
		c->env = NULL;
		return rc;
	}
	rc = mdb_env_set_maxdbs(c->env, TABLES);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(c->env, READERS_MAX);
	if (rc == 0)
		rc = mdb_env_set_mapsize(c->env, (size_t)(c->size & ~UINT64_C(0xffff)));
	if (rc == 0)
		rc = mdb_env_open(c->env, c->path, flags, 0600);
	if (rc == 0 && mdb_env_get_fd(c->env, &fd) == 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return rc;
}

static void
close_map(struct sts_cache *c)
{
	if (c->reading != NULL)
		mdb_txn_abort(c->reading);
	c->reading = NULL;
	c->is_reading = false;
	if (c->env != NULL)
		mdb_env_close(c->env);
	c->env = NULL;
}

static enum sts_err
open_checked(struct sts_cache *c, struct why why)
{
	const char *sentence = NULL;
	bool same = false;
	int rc, dead;

	enum sts_err err = sts_cachefile_check(c->path, &sentence);

	if (err == STS_ERR_CACHE_NONE && c->is_writer)
		err = STS_OK;
	if (err != STS_OK) {
		explain(why, c->path, sentence);
		return err == STS_ERR_CACHE_NONE ? STS_ERR_CACHE : err;
	}
	rc = open_map(c);
	if (rc == 0)
		mdb_reader_check(c->env, &dead);
	if (rc == 0)
		rc = find_tables(c, &same);
	if (rc == MDB_NOTFOUND && c->is_writer) {
		rc = make_tables(c);
		if (rc == 0)
			rc = find_tables(c, &same);
	}
	if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE || (rc == 0 && !same)) {
		explain(why, c->path,
		    rc == 0 ? "is a cache of another version" : "is not a cache of stsd");
		return STS_ERR_CACHE;
	}
	if (rc != 0)
		explain_code(why, c->path, rc);
	err = err_of(c, rc);
	/* Whoever hears STS_ERR_CACHE moves the file aside, with all policies. */
	if (err == STS_ERR_CACHE && (rc == MDB_READERS_FULL || sts_cachefile_is_want(rc)))
		return STS_ERR_INTERNAL;
	return err;
}

static enum sts_err
open_guarded(struct sts_cache *c, struct why why)
{
	enum sts_err err;

	enter();
	err = open_checked(c, why);
	if (err != STS_OK)
		close_map(c);
	leave();
	return err == STS_ERR_CACHE_NONE ? STS_ERR_CACHE : err;
}

static void on_turn(void *arg);
static void on_retry(void *arg);

static struct sts_cache *
new_cache(const char *path, uint64_t size, struct sts_loop *loop)
{
	struct sts_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->path = strdup(path);
	c->size = size < SIZE_MIN ? SIZE_MIN : size;
	c->told_end = &c->told;
	c->limits = (struct sts_cache_limits){
		.pool = STS_POOL_MAX,
		.commit = STS_COMMIT_MAX,
		.unsaved = STS_UNSAVED_MAX,
		.unsaved_bytes = STS_UNSAVED_BYTES,
		.retry_ms = RETRY_MS,
	};
	if (loop != NULL) {
		c->turn = sts_timer_new(loop, on_turn, c);
		c->retry = sts_timer_new(loop, on_retry, c);
	}
	if (c->path != NULL && (loop == NULL || (c->turn != NULL && c->retry != NULL)))
		return c;
	sts_cache_close(c);
	return NULL;
}

enum sts_err
sts_cache_prepare(const char *path, uint64_t size, char *why, size_t why_n)
{
	struct sts_cache *c = new_cache(path, size, NULL);
	enum sts_err err;

	if (c == NULL) {
		explain_code((struct why){ why, why_n }, path, ENOMEM);
		return STS_ERR_NOMEM;
	}
	c->is_writer = true;
	err = open_guarded(c, (struct why){ why, why_n });
	if (err == STS_OK)
		sts_cachefile_sync_directory(path);
	sts_cache_close(c);
	return err;
}

enum sts_err
sts_cache_open(const char *path, uint64_t size, bool writer, struct sts_loop *loop,
    struct sts_cache **cache, char *why, size_t why_n)
{
	struct sts_cache *c = new_cache(path, size, writer ? loop : NULL);
	enum sts_err err;

	if (c == NULL) {
		explain_code((struct why){ why, why_n }, path, ENOMEM);
		return STS_ERR_NOMEM;
	}
	c->is_writer = writer;
	err = open_guarded(c, (struct why){ why, why_n });
	if (err == STS_OK)
		*cache = c;
	else
		sts_cache_close(c);
	return err;
}

void
sts_cache_close(struct sts_cache *c)
{
	struct sts_waiter *w;

	if (c == NULL)
		return;
	if (c->env != NULL && c->pending.count > 0)
		sts_cache_flush(c);
	enter();
	close_map(c);
	leave();
	sts_pending_done(&c->pending);
	while ((w = c->told) != NULL) {
		c->told = w->next;
		free(w);
	}
	sts_timer_free(c->turn);
	sts_timer_free(c->retry);
	free(c->path);
	free(c);
}

void
sts_cache_set_limits(struct sts_cache *c, const struct sts_cache_limits *limits)
{
	c->limits = *limits;
}

/* ---- transactions ---- */

static bool
reopen(struct sts_cache *c)
{
	close_map(c);
	if (open_checked(c, (struct why){ NULL, 0 }) == STS_OK)
		return true;
	close_map(c);
	return false;
}

/* What may stand in the way of a transaction and can be helped; no transaction of this
 * process is live. */
static bool
mend(struct sts_cache *c, int rc)
{
	int dead = 0;

	switch (rc) {
	case MDB_MAP_RESIZED: /* another process has a larger cache_size */
		return mdb_env_set_mapsize(c->env, 0) == 0;
	case MDB_READERS_FULL:
		return mdb_reader_check(c->env, &dead) == 0 && dead > 0;
	case MDB_PANIC: /* the header could not be written; what it says is whole */
		return reopen(c);
	default:
		return false;
	}
}

static int
begin_reading(struct sts_cache *c)
{
	int rc = 0;

	for (int i = 0; i < MEND_TRIES && !c->is_reading; i++) {
		if (c->env == NULL && !reopen(c))
			return MDB_PANIC;
		if (c->reading == NULL)
			rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &c->reading);
		else
			rc = mdb_txn_renew(c->reading);
		c->is_reading = rc == 0;
		if (rc != 0 && !mend(c, rc))
			break;
	}
	return rc;
}

static void
end_reading(struct sts_cache *c)
{
	if (c->is_reading)
		mdb_txn_reset(c->reading);
	c->is_reading = false;
}

void
sts_cache_pause(struct sts_cache *c)
{
	enter();
	end_reading(c);
	leave();
}

static int
begin_writing(struct sts_cache *c, MDB_txn **txn)
{
	int rc = MDB_PANIC;

	end_reading(c);
	for (int i = 0; i < MEND_TRIES; i++) {
		if (c->env == NULL && !reopen(c))
			return MDB_PANIC;
		rc = mdb_txn_begin(c->env, NULL, 0, txn);
		if (rc == 0 || !mend(c, rc))
			break;
	}
	return rc;
}

/* ---- reading ---- */

/* Whoever is handed bytes of the map reads them outside of LMDB: a page that is not
 * there shall be met inside. */
static void
touch(MDB_val v)
{
	const volatile char *p = v.mv_data;

	for (size_t i = 0; i < v.mv_size; i += PAGE_STEP)
		(void)p[i];
	(void)p[v.mv_size - 1];
}

static int
get_entry(MDB_txn *txn, const struct sts_cache *c, MDB_val domain, MDB_val *value)
{
	int rc = mdb_get(txn, c->entry, &domain, value);

	return rc == 0 && value->mv_size < PREFIX ? MDB_CORRUPTED : rc;
}

static struct sts_str
bytes_of(MDB_val value)
{
	touch(value);
	return sts_str_from(str_of(value), PREFIX);
}

static enum sts_err
read_entry(struct sts_cache *c, struct sts_str domain, struct sts_str *bytes)
{
	MDB_val value;
	int rc;

	enter();
	rc = begin_reading(c);
	if (rc == 0)
		rc = get_entry(c->reading, c, value_of(domain.p, domain.n), &value);
	if (rc == 0)
		*bytes = bytes_of(value);
	leave();
	return err_of(c, rc);
}

uint64_t
sts_cache_commit(struct sts_cache *c)
{
	MDB_envinfo info = { 0 };
	uint64_t commit;

	enter();
	if (c->is_reading)
		commit = mdb_txn_id(c->reading);
	else
		commit = c->env != NULL && mdb_env_info(c->env, &info) == 0
		    ? info.me_last_txnid
		    : 0;
	leave();
	return commit;
}

enum sts_err
sts_cache_get(struct sts_cache *c, struct sts_str domain, struct sts_str *bytes)
{
	const struct sts_pending_item *item = sts_pending_find(&c->pending, domain);

	if (!is_domain(domain))
		return STS_ERR_CACHE_NONE;
	if (item == NULL)
		return read_entry(c, domain, bytes);
	if (item->drop)
		return STS_ERR_CACHE_NONE;
	*bytes = item->bytes;
	return STS_OK;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What is not committed is due by what it says, not by what the file still says. */
static size_t
pending_due(struct sts_cache *c, int64_t now, size_t max, sts_on_due *on, void *arg,
    int64_t *next)
{
	const struct sts_pending_item *item = sts_pending_first(&c->pending);
	size_t n = 0;

	for (; item != NULL; item = sts_pending_next(&c->pending, item)) {
		if (item->due <= now && n < max) {
			on(arg, item->domain);
			n++;
		} else {
			*next = sooner(*next, item->due);
		}
	}
	return n;
}

/* The domain is copied: the receiver's work is not LMDB's. */
static void
hand_due(sts_on_due *on, void *arg, struct sts_str domain)
{
	char copy[DOMAIN_MAX];

	memcpy(copy, domain.p, domain.n);
	leave();
	on(arg, (struct sts_str){ copy, domain.n });
	enter();
}

/* Empty: no key of ours. */
static struct sts_str
due_domain(MDB_val key)
{
	return key.mv_size < NUMBER ? STS_STR_NONE : sts_str_from(str_of(key), NUMBER);
}

static size_t
walk_due(struct sts_cache *c, MDB_cursor *cursor, int64_t now, size_t max, sts_on_due *on,
    void *arg, int64_t *next)
{
	size_t n = 0;
	MDB_val key, value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);

	for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct sts_str domain = due_domain(key);
		int64_t due;

		if (!is_domain(domain) || sts_pending_find(&c->pending, domain) != NULL)
			continue;
		due = (int64_t)read_number(key.mv_data);
		if (due > now || n == max) {
			*next = sooner(*next, due);
			break;
		}
		hand_due(on, arg, domain);
		n++;
	}
	err_of(c, rc);
	return n;
}

size_t
sts_cache_due(struct sts_cache *c, int64_t now, size_t max, sts_on_due *on, void *arg,
    int64_t *next)
{
	size_t n;
	MDB_cursor *cursor;

	*next = INT64_MAX;
	n = pending_due(c, now, max, on, arg, next);
	enter();
	if (begin_reading(c) == 0 && mdb_cursor_open(c->reading, c->due, &cursor) == 0) {
		n += walk_due(c, cursor, now, max - n, on, arg, next);
		mdb_cursor_close(cursor);
	}
	end_reading(c);
	leave();
	return n;
}

/* A walk over the names: the file's and, in the writer, those not committed, which
 * come instead of the file's. */
struct walk {
	struct sts_cache *c;
	const struct sts_pending_item **items; /* in the order of their names */
	size_t count, next;
	sts_on_entry *on;
	void *arg;
	bool ended;
};

static int
compare_items(const void *a, const void *b)
{
	const struct sts_pending_item *const *x = a, *const *y = b;

	return sts_str_cmp((*x)->domain, (*y)->domain);
}

static bool
sort_pending(struct walk *w, struct sts_str after)
{
	const struct sts_pending *p = &w->c->pending;
	const struct sts_pending_item *item = sts_pending_first(p);

	if (item == NULL)
		return true;
	w->items = calloc(p->count, sizeof(struct sts_pending_item *));
	if (w->items == NULL)
		return false;
	for (; item != NULL; item = sts_pending_next(p, item))
		if (sts_str_cmp(item->domain, after) > 0)
			w->items[w->count++] = item;
	qsort(w->items, w->count, sizeof(struct sts_pending_item *), compare_items);
	return true;
}

static void
hand_entry(struct walk *w, struct sts_str domain, struct sts_str bytes)
{
	leave();
	w->ended = !w->on(w->arg, domain, bytes);
	enter();
}

/* Hands out what is pending up to a name (NULL: all); true: that name was among it. */
static bool
hand_pending(struct walk *w, const struct sts_str *until)
{
	while (!w->ended && w->next < w->count) {
		const struct sts_pending_item *item = w->items[w->next];
		int order = until == NULL ? -1 : sts_str_cmp(item->domain, *until);

		if (order > 0)
			return false;
		w->next++;
		if (!item->drop)
			hand_entry(w, item->domain, item->bytes);
		if (order == 0)
			return true;
	}
	return false;
}

static int
walk_entries(struct walk *w, MDB_cursor *cursor, struct sts_str after)
{
	MDB_val key = value_of(after.p, after.n), value;
	MDB_cursor_op op = after.n == 0 ? MDB_FIRST : MDB_SET_RANGE;
	int rc = mdb_cursor_get(cursor, &key, &value, op);

	if (rc == 0 && sts_str_eq(str_of(key), after))
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	for (; rc == 0 && !w->ended;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		struct sts_str domain = str_of(key);

		if (value.mv_size < PREFIX)
			return MDB_CORRUPTED;
		if (!hand_pending(w, &domain) && !w->ended)
			hand_entry(w, domain, bytes_of(value));
	}
	if (rc == MDB_NOTFOUND) {
		hand_pending(w, NULL);
		rc = 0;
	}
	return rc;
}

enum sts_err
sts_cache_each(struct sts_cache *c, struct sts_str after, sts_on_entry *on, void *arg)
{
	struct walk w = { .c = c, .on = on, .arg = arg };
	MDB_cursor *cursor;
	int rc;

	if (!sort_pending(&w, after))
		return STS_ERR_NOMEM;
	if (after.n > DOMAIN_MAX)
		after.n = DOMAIN_MAX;
	enter();
	rc = begin_reading(c);
	if (rc == 0)
		rc = mdb_cursor_open(c->reading, c->entry, &cursor);
	if (rc == 0) {
		rc = walk_entries(&w, cursor, after);
		mdb_cursor_close(cursor);
	}
	end_reading(c);
	leave();
	free(w.items);
	return err_of(c, rc);
}

static int
read_state(MDB_txn *txn, const struct sts_cache *c, struct state *state)
{
	MDB_val key = value_of_text("state"), value;
	uint64_t n[STATE / NUMBER];
	int rc = mdb_get(txn, c->meta, &key, &value);

	memset(state, 0, sizeof *state);
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if (value.mv_size != STATE)
		return MDB_CORRUPTED;
	for (size_t i = 0; i < STATE / NUMBER; i++)
		n[i] = read_number((const uint8_t *)value.mv_data + i * NUMBER);
	*state = (struct state){ { n[0], n[1], n[2] }, n[3], n[4], n[5] };
	return 0;
}

/* Pages in use, not the length of the file: that never shrinks. */
static int
count_bytes(MDB_txn *txn, const struct sts_cache *c, uint64_t *bytes)
{
	const MDB_dbi tables[] = { 0, 1, c->entry, c->due, c->pool, c->meta };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		MDB_stat st;
		int rc = mdb_stat(txn, tables[i], &st);

		if (rc != 0)
			return rc;
		sum += (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) *
		    (uint64_t)st.ms_psize;
	}
	*bytes = sum;
	return 0;
}

enum sts_err
sts_cache_stats(struct sts_cache *c, struct sts_cache_stats *stats)
{
	struct state state;
	uint64_t bytes = 0;
	int rc;

	enter();
	rc = begin_reading(c);
	if (rc == 0)
		rc = read_state(c->reading, c, &state);
	if (rc == 0)
		rc = count_bytes(c->reading, c, &bytes);
	end_reading(c);
	leave();
	if (rc != 0)
		return err_of(c, rc);
	*stats = (struct sts_cache_stats){
		.policies = { state.policies[0], state.policies[1], state.policies[2] },
		.failing = state.failing,
		.pool = state.pool,
		.unsaved = c->failure == STS_OK ? 0 : c->pending.count,
		.bytes = bytes,
		.limit = c->size,
	};
	return STS_OK;
}

enum sts_err
sts_cache_mark(struct sts_cache *c, struct sts_clock_mark *mark)
{
	MDB_val key = value_of_text("clock"), value;
	int rc;

	enter();
	rc = begin_reading(c);
	if (rc == 0)
		rc = mdb_get(c->reading, c->meta, &key, &value);
	if (rc == 0 && value.mv_size != CLOCK)
		rc = MDB_CORRUPTED;
	if (rc == 0) {
		const uint8_t *p = value.mv_data;

		memcpy(mark->boot, p, BOOT);
		mark->boot[BOOT - 1] = '\0';
		mark->boot_ms = (int64_t)read_number(p + BOOT);
		mark->now = (int64_t)read_number(p + BOOT + NUMBER);
	}
	end_reading(c);
	leave();
	return err_of(c, rc);
}

void
sts_cache_check_readers(struct sts_cache *c)
{
	int dead;

	enter();
	if (c->env != NULL)
		mdb_reader_check(c->env, &dead);
	leave();
}

/* ---- writing ---- */

/* A transaction that remembers: after the first error nothing more is done. */
struct writing {
	struct sts_cache *c;
	MDB_txn *txn;
	struct state state;
	int rc;
	bool tight;
	int64_t grown; /* bytes of all entries, since the transaction began */
};

struct stored {
	bool exists;
	size_t n;
	uint64_t due, sequence;
	uint8_t kind;
};

/* One byte: 0 no policy, else its mode and 1; and whether its refresh fails. */
#define KIND_FAILING 0x80

static uint8_t
kind_byte(struct sts_cache_kind kind)
{
	uint8_t byte = kind.policy ? (uint8_t)(kind.mode + 1) : 0;

	return (uint8_t)(byte | (kind.failing ? KIND_FAILING : 0));
}

static void
count(struct writing *w, uint8_t kind, int by)
{
	unsigned mode = kind & ~(unsigned)KIND_FAILING;
	uint64_t n = (uint64_t)(int64_t)by;

	if (mode == 0)
		w->state.pool += n;
	else if (mode <= 3)
		w->state.policies[mode - 1] += n;
	if (kind & KIND_FAILING)
		w->state.failing += n;
}

static void
put(struct writing *w, MDB_dbi table, MDB_val key, MDB_val value)
{
	if (w->rc == 0)
		w->rc = mdb_put(w->txn, table, &key, &value, 0);
}

/* What is not there is as good as deleted. */
static void
del(struct writing *w, MDB_dbi table, MDB_val key)
{
	if (w->rc == 0)
		w->rc = mdb_del(w->txn, table, &key, NULL);
	if (w->rc == MDB_NOTFOUND)
		w->rc = 0;
}

static struct stored
look_up(struct writing *w, MDB_val domain)
{
	const uint8_t *p;
	MDB_val value;

	if (w->rc == 0)
		w->rc = get_entry(w->txn, w->c, domain, &value);
	if (w->rc != 0) {
		if (w->rc == MDB_NOTFOUND)
			w->rc = 0;
		return (struct stored){ .exists = false };
	}
	p = value.mv_data;
	return (struct stored){
		.exists = true,
		.n = value.mv_size,
		.due = read_number(p),
		.sequence = read_number(p + NUMBER),
		.kind = p[NUMBER + NUMBER],
	};
}

/* Takes an entry out of everything but the table of entries. */
static void
take_out(struct writing *w, MDB_val domain, const struct stored *old)
{
	struct due_key key;
	uint8_t sequence[NUMBER];

	if (!old->exists)
		return;
	if (old->due != INT64_MAX)
		del(w, w->c->due, due_key_of(&key, old->due, domain));
	if (old->sequence != 0) {
		write_number(sequence, old->sequence);
		del(w, w->c->pool, value_of(sequence, sizeof sequence));
	}
	count(w, old->kind, -1);
	w->grown -= (int64_t)old->n;
}

static void
store(struct writing *w, const struct sts_pending_item *item)
{
	MDB_val domain = value_of(item->domain.p, item->domain.n);
	MDB_val value = { PREFIX + item->bytes.n, NULL };
	uint64_t due = item->due < 0 ? 0 : (uint64_t)item->due;
	uint8_t sequence[NUMBER] = { 0 };
	struct due_key key;

	if (!item->kind.policy) {
		write_number(sequence, ++w->state.sequence);
		put(w, w->c->pool, value_of(sequence, sizeof sequence), domain);
	}
	if (due != INT64_MAX)
		put(w, w->c->due, due_key_of(&key, due, domain), value_of("", 0));
	if (w->rc == 0)
		w->rc = mdb_put(w->txn, w->c->entry, &domain, &value, MDB_RESERVE);
	if (w->rc != 0)
		return;
	write_number(value.mv_data, due);
	memcpy((uint8_t *)value.mv_data + NUMBER, sequence, sizeof sequence);
	((uint8_t *)value.mv_data)[NUMBER + NUMBER] = kind_byte(item->kind);
	if (item->bytes.n > 0)
		memcpy((uint8_t *)value.mv_data + PREFIX, item->bytes.p, item->bytes.n);
	count(w, kind_byte(item->kind), 1);
	w->grown += (int64_t)value.mv_size;
}

static size_t
size_of(const struct sts_pending_item *item)
{
	return item->drop ? 0 : PREFIX + item->bytes.n;
}

static void
apply(struct writing *w, struct sts_pending_item *item)
{
	MDB_val domain = value_of(item->domain.p, item->domain.n);
	size_t n = size_of(item);
	struct stored old;

	if (item->applied)
		return;
	old = look_up(w, domain);
	if (w->rc != 0)
		return;
	if (w->tight && w->grown + (int64_t)n - (int64_t)old.n > 0)
		return;
	take_out(w, domain, &old);
	if (!item->drop)
		store(w, item);
	else if (old.exists)
		del(w, w->c->entry, domain);
	item->applied = w->rc == 0;
}

/* false: the pool is empty. */
static bool
evict(struct writing *w)
{
	char copy[DOMAIN_MAX];
	uint8_t sequence[NUMBER];
	MDB_cursor *cursor;
	MDB_val key, domain;
	struct stored old;

	if (w->rc == 0)
		w->rc = mdb_cursor_open(w->txn, w->c->pool, &cursor);
	if (w->rc != 0)
		return false;
	w->rc = mdb_cursor_get(cursor, &key, &domain, MDB_FIRST);
	if (w->rc == 0 && (key.mv_size != NUMBER || domain.mv_size > DOMAIN_MAX))
		w->rc = MDB_CORRUPTED;
	/* What the cursor shows moves as soon as something is deleted. */
	if (w->rc == 0) {
		memcpy(copy, domain.mv_data, domain.mv_size);
		memcpy(sequence, key.mv_data, NUMBER);
	}
	mdb_cursor_close(cursor);
	if (w->rc != 0) {
		if (w->rc == MDB_NOTFOUND)
			w->rc = 0;
		return false;
	}
	domain.mv_data = copy;
	old = look_up(w, domain);
	take_out(w, domain, &old);
	del(w, w->c->entry, domain);
	del(w, w->c->pool, value_of(sequence, sizeof sequence));
	return w->rc == 0;
}

static void
write_state(struct writing *w)
{
	const struct state *s = &w->state;
	const uint64_t n[] = { s->policies[0], s->policies[1], s->policies[2], s->failing,
		s->pool, s->sequence };
	uint8_t state[STATE], clock[CLOCK];
	struct sts_clock_mark mark;

	for (size_t i = 0; i < STATE / NUMBER; i++)
		write_number(state + i * NUMBER, n[i]);
	put(w, w->c->meta, value_of_text("state"), value_of(state, sizeof state));
	memset(&mark, 0, sizeof mark);
	sts_clock_mark_now(&mark);
	memcpy(clock, mark.boot, BOOT);
	write_number(clock + BOOT, (uint64_t)mark.boot_ms);
	write_number(clock + BOOT + NUMBER, (uint64_t)mark.now);
	put(w, w->c->meta, value_of_text("clock"), value_of(clock, sizeof clock));
}

struct batch {
	struct sts_pending_item *items[STS_COMMIT_MAX];
	size_t count;
	bool tight;   /* the file was full */
	int64_t room; /* bytes of entries that had to go */
};

static void
take(struct batch *b, struct sts_pending_item *item, size_t max)
{
	for (; item != NULL && b->count < max; item = item->newer)
		b->items[b->count++] = item;
}

/* Policies first: they are what must not be lost. But what makes room when there is none
 * are the others. */
static struct batch
next_batch(const struct sts_cache *c)
{
	size_t max =
	    c->limits.commit < STS_COMMIT_MAX ? c->limits.commit : STS_COMMIT_MAX;
	struct batch b = { .count = 0 };

	if (c->is_full) {
		take(&b, c->pending.others.oldest, (max + 1) / 2);
		take(&b, c->pending.policies.oldest, max);
	} else {
		take(&b, c->pending.policies.oldest, max);
		take(&b, c->pending.others.oldest, max);
	}
	return b;
}

/* LMDB does not write a page that a transaction took and gave back; at the end of the
 * file such a page makes it shorter than its header says, as if it were cut off. */
static void
fill_to_last_page(struct sts_cache *c)
{
	MDB_envinfo info;
	MDB_stat st;
	struct stat file;
	mdb_filehandle_t fd;
	off_t end;

	if (mdb_env_info(c->env, &info) != 0 || mdb_env_stat(c->env, &st) != 0 ||
	    mdb_env_get_fd(c->env, &fd) != 0 || fstat(fd, &file) == -1)
		return;
	end = (off_t)((info.me_last_pgno + 1) * st.ms_psize);
	if (file.st_size < end && fallocate(fd, 0, file.st_size, end - file.st_size) == 0)
		fdatasync(fd);
}

static struct writing
begin(struct sts_cache *c)
{
	struct writing w = { .c = c };

	w.rc = begin_writing(c, &w.txn);
	if (w.rc == 0)
		w.rc = read_state(w.txn, c, &w.state);
	return w;
}

static int
end(struct writing *w)
{
	write_state(w);
	if (w->txn == NULL)
		return w->rc;
	if (w->rc != 0) {
		mdb_txn_abort(w->txn);
		return w->rc;
	}
	w->rc = mdb_txn_commit(w->txn);
	if (w->rc == 0)
		fill_to_last_page(w->c);
	return w->rc;
}

static bool
is_full(struct writing *w)
{
	uint64_t bytes = 0;

	if (w->rc == 0)
		w->rc = count_bytes(w->txn, w->c, &bytes);
	return bytes > w->c->size - reserve_of(w->c->size);
}

/* Evicts what the batch needs, or some of it: each entry that goes makes some pages
 * dirty, and the transaction must stay small. */
static void
make_room(struct writing *w, const struct batch *b)
{
	int64_t wanted = 0;

	for (size_t i = 0; i < b->count; i++)
		wanted += (int64_t)size_of(b->items[i]);
	for (size_t i = 0; i < 2 * b->count && wanted + w->grown > 0; i++)
		if (!evict(w))
			break;
}

/* Twice if tight: what did not fit may do so after what follows it has made room. */
static void
apply_batch(struct writing *w, const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		b->items[i]->applied = false;
	for (size_t i = 0; i < (w->tight ? 2 : 1) * b->count; i++)
		apply(w, b->items[i % b->count]);
	while (w->state.pool > w->c->limits.pool && evict(w))
		;
}

static int
write_batch(struct sts_cache *c, struct batch *b)
{
	struct writing w = begin(c);

	w.tight = is_full(&w);
	if (w.tight)
		make_room(&w, b);
	b->room = -w.grown;
	b->tight = w.tight;
	apply_batch(&w, b);
	return end(&w);
}

/* The reserve can be used up while a reader holds old pages. Half of the writes need
 * fewer; the others' turn comes. */
static int
write_what_fits(struct sts_cache *c, struct batch *b)
{
	int rc = write_batch(c, b);
	int dead;

	if (rc == MDB_MAP_FULL)
		mdb_reader_check(c->env, &dead);
	while (rc == MDB_MAP_FULL && b->count > 1) {
		b->count /= 2;
		rc = write_batch(c, b);
	}
	return rc;
}

static void
call_soon(struct sts_cache *c)
{
	if (c->turn != NULL && !sts_timer_is_set(c->turn))
		sts_timer_set(c->turn, 0);
}

static void
tell_later(struct sts_cache *c, struct sts_pending_item *item, enum sts_err err)
{
	struct sts_waiter *w = sts_pending_take_waiters(&c->pending, item);

	if (w == NULL)
		return;
	*c->told_end = w;
	for (;; w = w->next) {
		w->err = err;
		if (w->next == NULL)
			break;
	}
	c->told_end = &w->next;
	call_soon(c);
}

/* What was in the transaction has been synced and goes; the rest stays, behind what was
 * not tried yet. Returns how many went. */
static size_t
settle(struct sts_cache *c, const struct batch *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->items[i]->applied) {
			tell_later(c, b->items[i], STS_OK);
			sts_pending_remove(&c->pending, b->items[i]);
			n++;
		} else {
			sts_pending_postpone(&c->pending, b->items[i]);
		}
	}
	return n;
}

/* Full is only what got no further at all: else the next commit may. */
static enum sts_err
commit(struct sts_cache *c)
{
	struct batch b = next_batch(c);
	int rc;

	enter();
	rc = write_what_fits(c, &b);
	leave();
	c->is_full = rc == MDB_MAP_FULL || b.tight;
	if (rc != 0)
		return err_of(c, rc);
	return settle(c, &b) == 0 && b.room == 0 ? STS_ERR_CACHE_FULL : STS_OK;
}

static void
fail(struct sts_cache *c, enum sts_err err)
{
	struct sts_pending_item *item = sts_pending_first(&c->pending);

	c->failure = err;
	for (; c->pending.waiting > 0 && item != NULL;
	     item = sts_pending_next(&c->pending, item))
		tell_later(c, item, err);
	while (c->pending.count > c->limits.unsaved ||
	    c->pending.bytes > c->limits.unsaved_bytes) {
		item = sts_pending_victim(&c->pending);
		tell_later(c, item, err);
		sts_pending_remove(&c->pending, item);
	}
	if (c->retry != NULL && !sts_timer_is_set(c->retry))
		sts_timer_set(c->retry, c->limits.retry_ms);
}

static enum sts_err
commit_some(struct sts_cache *c)
{
	c->failure = STS_OK;
	if (c->pending.count > 0) {
		enum sts_err err = commit(c);

		if (err != STS_OK)
			fail(c, err);
	}
	return c->failure;
}

static void
tell(struct sts_cache *c)
{
	struct sts_waiter *w = c->told;

	c->told = w->next;
	if (c->told == NULL)
		c->told_end = &c->told;
	if (w->on != NULL)
		w->on(w->arg, w->err);
	free(w);
}

/* One commit a turn: many of them must not keep the loop from everything else. A
 * callback may queue more, so only those are called who are there now. */
static void
on_turn(void *arg)
{
	struct sts_cache *c = arg;
	size_t n = 0;

	if (c->failure == STS_OK)
		commit_some(c);
	else
		fail(c, c->failure);
	for (const struct sts_waiter *w = c->told; w != NULL; w = w->next)
		n++;
	while (n-- > 0 && c->told != NULL)
		tell(c);
	if (c->told != NULL || (c->failure == STS_OK && c->pending.count > 0))
		call_soon(c);
}

static void
on_retry(void *arg)
{
	struct sts_cache *c = arg;

	c->failure = STS_OK;
	on_turn(c);
}

static enum sts_err
queue(struct sts_cache *c, struct sts_pending_item *item, sts_on_stored *on, void *arg)
{
	if (item == NULL)
		return STS_ERR_NOMEM;
	call_soon(c);
	/* Without its waiter the write is still worth making. */
	if (on != NULL && !sts_pending_wait(&c->pending, item, on, arg))
		return STS_ERR_NOMEM;
	if (c->failure == STS_OK && c->pending.count >= c->limits.commit)
		commit_some(c);
	return STS_OK;
}

enum sts_err
sts_cache_put(struct sts_cache *c, struct sts_str domain, struct sts_str bytes,
    struct sts_cache_kind kind, int64_t due, sts_on_stored *on, void *arg)
{
	if (!is_domain(domain))
		return STS_ERR_NAME;
	return queue(c, sts_pending_put(&c->pending, domain, bytes, kind, due), on, arg);
}

enum sts_err
sts_cache_drop(struct sts_cache *c, struct sts_str domain)
{
	if (!is_domain(domain))
		return STS_ERR_NAME;
	return queue(c, sts_pending_drop(&c->pending, domain), NULL, NULL);
}

void
sts_cache_forget(struct sts_cache *c, void *arg)
{
	struct sts_waiter *w;

	sts_pending_forget(&c->pending, arg);
	for (w = c->told; w != NULL; w = w->next)
		if (w->arg == arg)
			w->on = NULL;
}

enum sts_err
sts_cache_flush(struct sts_cache *c)
{
	enum sts_err err = STS_OK;

	while (err == STS_OK && c->pending.count > 0)
		err = commit_some(c);
	return err;
}

const char *
sts_cache_version(void)
{
	return mdb_version(NULL, NULL, NULL);
}
