/* SPDX-License-Identifier: MIT */
#ifndef STS_IDN_H
#define STS_IDN_H

#include <stddef.h>

#include "bounds.h"
#include "err.h"
#include "str.h"

/*
 * Internationalised names (libidn2, known to idn.c alone): UTS 46, non-transitional,
 * as Postfix maps them. STS_OK with the A-label form, lower case, NUL-terminated, or
 * STS_ERR_NAME / STS_ERR_NOMEM with out untouched.
 */
enum sts_err sts_idn_to_ascii(struct sts_str name, char out[STS_NAME_MAX + 1]);
/* The U-label form for people; the name itself where it has none. Unescaped UTF-8. */
enum sts_err sts_idn_to_unicode(struct sts_str name, char *out, size_t out_n);

const char *sts_idn_version(void); /* libidn2's */

#endif
