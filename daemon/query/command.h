/* SPDX-License-Identifier: MIT */
#ifndef COMMAND_H
#define COMMAND_H

#include <stddef.h>

#include "buf.h"

/*
 * Runs a program and collects what it says: no shell, nothing on its input, an
 * environment of PATH and LC_ALL alone, COMMAND_SECONDS at most.
 */
#define COMMAND_SECONDS 10

/* words: the program's absolute path first, NULL at the end. out and err get at most max
 * bytes each; the rest is dropped. The exit status; -1 with errno: it could not be run,
 * had to be killed (ETIMEDOUT), or was (ECHILD). */
int command_run(const char *const *words, size_t max, struct sts_buf *out,
    struct sts_buf *err);

#endif
