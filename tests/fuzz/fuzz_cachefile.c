/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a cache file, before LMDB maps it: lib/io/cachefile.c as it is, with a file
 * of ours. Whatever it is, there is a sentence or it may be opened; and if it may, both
 * headers are there, and every page that they name lies in the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t fake_pread(void *to, size_t n, off_t at);
static int fake_fstat(struct stat *st);

#define pread(fd, to, n, at) ((void)(fd), fake_pread(to, n, at))
#define fstat(fd, st) ((void)(fd), fake_fstat(st))
#define poll(fds, n, ms) ((void)0)
#include "../../lib/io/cachefile.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *bytes;
static size_t bytes_n;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static ssize_t
fake_pread(void *to, size_t n, off_t at)
{
	must(at >= 0);
	if ((size_t)at >= bytes_n)
		return 0;
	n = n < bytes_n - (size_t)at ? n : bytes_n - (size_t)at;
	memcpy(to, bytes + at, n);
	return (ssize_t)n;
}

static int
fake_fstat(struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG;
	st->st_size = (off_t)bytes_n;
	return 0;
}

static void
check_sound(void)
{
	struct meta metas[2], *newer;
	size_t page_size;

	must(bytes_n >= sizeof(metas[0]));
	memcpy(&metas[0], bytes, sizeof(metas[0]));
	page_size = metas[0].trees[0].pad;
	must(bytes_n >= page_size + sizeof(metas[1]));
	memcpy(&metas[1], bytes + page_size, sizeof(metas[1]));
	newer = &metas[metas[1].transaction > metas[0].transaction];
	must(newer->last_page < bytes_n / page_size);
	for (size_t i = 0; i < 2; i++)
		must(newer->trees[i].root == SIZE_MAX ||
		    newer->trees[i].root <= newer->last_page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	enum sts_err err;

	bytes = data;
	bytes_n = size;
	err = look(0, &why);
	must((err == STS_OK) == (why == NULL));
	must((err == STS_ERR_CACHE_NONE) == (size == 0));
	if (err == STS_OK)
		check_sound();
	return 0;
}
