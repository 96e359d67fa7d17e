/* SPDX-License-Identifier: MIT */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>

#include "buf.h"
#include "str.h"

/* Base64 (RFC 4648 section 4) as we write it ourselves: one line, padded, and each text
 * has one spelling only, so that what is read back and written again is the same. */
void base64_put(struct sts_buf *to, struct sts_str bytes);
/* Appends the bytes; false: it is no base64, and what was appended counts for nothing. A
 * buffer that goes bad says so itself. */
bool base64_read(struct sts_str text, struct sts_buf *to);

#endif
