/* SPDX-License-Identifier: MIT */
#ifndef STS_CACHEFILE_H
#define STS_CACHEFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * The cache file as seen from outside, before LMDB maps it: LMDB trusts its file, and a
 * page that is not there is SIGBUS. Needs no lock, and may look while another process
 * writes.
 */

/* STS_OK: LMDB may open it. STS_ERR_CACHE_NONE: there is none, or nothing in it yet.
 * STS_ERR_CACHE: not LMDB's, cut off, or it cannot be read. STS_ERR_INTERNAL: it cannot
 * be looked at now, which says nothing about it. *why gets a sentence that follows the
 * file's name, unless OK. */
enum sts_err sts_cachefile_check(const char *path, const char **why);

/* Is this errno about us or the system, and not about the file? */
bool sts_cachefile_is_want(int error);

/* Makes a new file's name as durable as its contents. */
void sts_cachefile_sync_directory(const char *path);

#endif
