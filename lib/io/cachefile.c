/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "cachefile.h"

/*
 * LMDB 0.9's layout (data format 1, in the machine's own byte order and word size):
 * pages 0 and 1 are meta pages, written in turn; the one with the larger transaction
 * number counts. Each names the roots of two trees: free pages and named databases.
 */
struct page {
	size_t number;
	uint16_t pad;
	uint16_t flags;
	uint32_t extent;
};

struct tree {
	uint32_t pad; /* of the first tree: the page size */
	uint16_t flags;
	uint16_t depth;
	size_t branch_pages, leaf_pages, overflow_pages;
	size_t entries;
	size_t root;
};

struct meta {
	struct page page;
	uint32_t magic;
	uint32_t version;
	void *address;
	size_t map_size;
	struct tree trees[2];
	size_t last_page;
	size_t transaction;
};

#define PATH_SIZE 4096 /* of the system's names (PATH_MAX) */

#define PAGE_BRANCH 0x01
#define PAGE_LEAF 0x02
#define PAGE_META 0x08
#define MAGIC 0xBEEFC0DEu
#define VERSION 1
#define NO_ROOT SIZE_MAX
#define PAGE_SIZE_MIN 512
#define PAGE_SIZE_MAX 65536

#define LOOK_AGAIN 3
#define LOOK_AGAIN_MS 5

static const char *
look_at_meta(int fd, size_t at, struct meta *meta)
{
	if (pread(fd, meta, sizeof *meta, (off_t)at) != (ssize_t)sizeof *meta)
		return "is cut off: too short for a cache";
	if (meta->magic != MAGIC || !(meta->page.flags & PAGE_META))
		return "is not a cache: it has no LMDB header";
	if (meta->version != VERSION)
		return "is not a cache of this version: another LMDB data format";
	return NULL;
}

static bool
is_page_size(size_t size)
{
	return size >= PAGE_SIZE_MIN && size <= PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

static bool
is_root(int fd, size_t page_size, const struct meta *meta, size_t root)
{
	struct page page;

	if (root == NO_ROOT)
		return true;
	if (root > meta->last_page ||
	    pread(fd, &page, sizeof page, (off_t)(root * page_size)) !=
		(ssize_t)sizeof page)
		return false;
	return page.number == root && (page.flags & (PAGE_BRANCH | PAGE_LEAF)) != 0;
}

/* A last page that is only half there is none of LMDB's: a write that met a full disk
 * leaves one behind the last page that counts. */
static const char *
look_at_pages(int fd, size_t page_size, const struct meta *meta)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if (meta->last_page >= SIZE_MAX / 2 / page_size ||
	    st.st_size < (off_t)((meta->last_page + 1) * page_size))
		return "is cut off: pages are missing at its end";
	for (size_t i = 0; i < 2; i++)
		if (!is_root(fd, page_size, meta, meta->trees[i].root))
			return "is damaged: a page holds something else";
	return NULL;
}

static const char *
look_inside(int fd)
{
	struct meta metas[2];
	const char *why;
	size_t page_size;

	why = look_at_meta(fd, 0, &metas[0]);
	if (why != NULL)
		return why;
	page_size = metas[0].trees[0].pad;
	if (!is_page_size(page_size))
		return "is damaged: its page size is none";
	why = look_at_meta(fd, page_size, &metas[1]);
	if (why != NULL)
		return why;
	return look_at_pages(fd, page_size,
	    &metas[metas[1].transaction > metas[0].transaction]);
}

static enum sts_err
look(int fd, const char **why)
{
	const char *found;
	struct stat st;

	if (fstat(fd, &st) == -1) {
		*why = strerror(errno);
		return STS_ERR_CACHE;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "is not a plain file";
		return STS_ERR_CACHE;
	}
	if (st.st_size == 0) {
		*why = "is empty";
		return STS_ERR_CACHE_NONE;
	}
	found = look_inside(fd);
	/* A writer may be at work between two of our reads. */
	for (int again = 0; found != NULL && again < LOOK_AGAIN; again++) {
		poll(NULL, 0, LOOK_AGAIN_MS);
		found = look_inside(fd);
	}
	if (found == NULL)
		return STS_OK;
	*why = found;
	return STS_ERR_CACHE;
}

bool
sts_cachefile_is_want(int error)
{
	switch (error) {
	case EACCES:
	case EAGAIN:
	case EBUSY:
	case EINTR:
	case EMFILE:
	case ENFILE:
	case ENOLCK:
	case ENOMEM:
	case EPERM:
	case EROFS:
		return true;
	default:
		return false;
	}
}

enum sts_err
sts_cachefile_check(const char *path, const char **why)
{
	/* No waiting for the other end of a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum sts_err err;

	if (fd == -1) {
		int error = errno;

		*why = error == ELOOP ? "is a symbolic link, not a plain file"
				      : strerror(error);
		if (sts_cachefile_is_want(error))
			return STS_ERR_INTERNAL;
		return error == ENOENT ? STS_ERR_CACHE_NONE : STS_ERR_CACHE;
	}
	err = look(fd, why);
	close(fd);
	return err;
}

void
sts_cachefile_sync_directory(const char *path)
{
	char copy[PATH_SIZE];
	int fd;

	if (strlen(path) >= sizeof copy)
		return;
	memcpy(copy, path, strlen(path) + 1);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	fsync(fd);
	close(fd);
}

/* Never over an earlier one: it may be the only trace of what happened. */
#define ASIDE_TRIES 100

static int
rename_to_free(const char *path, int64_t now, char *to, size_t to_n)
{
	for (int i = 0; i < ASIDE_TRIES; i++) {
		int n = snprintf(to, to_n, "%s.damaged-%" PRId64, path, now + i);

		if (n < 0 || (size_t)n >= to_n) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
			return 0;
		/* Some file systems know no such flag. */
		if (errno == EINVAL && access(to, F_OK) == -1)
			return rename(path, to);
		if (errno != EEXIST && errno != EINVAL)
			return -1;
	}
	return -1;
}

int
sts_cache_move_aside(const char *path, int64_t now, char *to, size_t to_n)
{
	char lock[PATH_SIZE], lock_to[PATH_SIZE];

	if (snprintf(lock, sizeof lock, "%s-lock", path) >= (int)sizeof lock) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Somebody may have removed it. */
	if (rename_to_free(path, now, to, to_n) == -1 && errno != ENOENT)
		return -1;
	if (snprintf(lock_to, sizeof lock_to, "%s-lock", to) >= (int)sizeof lock_to) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* A lock file that stays behind would hold the old file's readers. */
	if (rename(lock, lock_to) == -1 && errno != ENOENT)
		return -1;
	sts_cachefile_sync_directory(path);
	return 0;
}
