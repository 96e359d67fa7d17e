/* SPDX-License-Identifier: MIT */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>

#include "buf.h"

/* Appends a whole file (or pipe) of at most max bytes. 0, or -1 with errno: EFBIG when
 * there is more, ENOMEM; what was read until then stays in the buffer. */
int file_read(const char *path, size_t max, struct sts_buf *to);
/* The same of what is open already, from where it stands. */
int file_read_fd(int fd, size_t max, struct sts_buf *to);

/* The system's bundle of trust anchors, where there is one at a usual place; else NULL. */
const char *file_ca_bundle(void);

#endif
