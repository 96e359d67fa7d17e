/* SPDX-License-Identifier: MIT */
#ifndef STS_TLS_TEXT_H
#define STS_TLS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "str.h"

/* What certificates say, as text. For the tls*.c files, which know OpenSSL: a const void *
 * is an X509 *. Texts are printable, cut off, and end in NUL. */
void sts_tls_subject(const void *cert, char *out, size_t out_n);
void sts_tls_issuer(const void *cert, char *out, size_t out_n);

/* Seconds since 1970; 0: not readable. */
int64_t sts_tls_not_before(const void *cert);
int64_t sts_tls_not_after(const void *cert);

/* "2026-10-01", in UTC. */
#define STS_TLS_DAY_TEXT 16
void sts_tls_day(int64_t seconds, char out[STS_TLS_DAY_TEXT]);

/* Copies what a stranger wrote, escaped and cut off. */
void sts_tls_escape(struct sts_str from, char *out, size_t out_n);

#endif
