/* SPDX-License-Identifier: MIT */
#ifndef STS_TLSA_H
#define STS_TLSA_H

#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "str.h"

/*
 * TLSA records (RFC 6698 section 2.1), as far as the choice between DANE and MTA-STS
 * needs them: RFC 7672 section 3.1 says which of them SMTP can use, and Postfix
 * (tls_dane.c) what it drops beyond that. Whether a certificate matches is Postfix's.
 */
enum sts_tlsa {
	STS_TLSA_UNUSABLE,
	STS_TLSA_USABLE,
	STS_TLSA_CERTIFICATE, /* a whole one: usable if it is one (DER) */
	STS_TLSA_KEY,	      /* the same with a SubjectPublicKeyInfo */
};

/* rdata as it stood. Usable: usage DANE-TA(2) or DANE-EE(3), selector 0 or 1, and
 * SHA2-256 or SHA2-512 of the right length. */
enum sts_tlsa sts_tlsa_judge(struct sts_str rdata);

/* What follows the three numbers; empty when there is nothing. */
struct sts_str sts_tlsa_data(struct sts_str rdata);

/* "_25._tcp.host" (RFC 7672 section 2.2.3), NUL-terminated; its length, or 0 when that
 * is longer than a name can be: then there are no such records. */
size_t sts_tlsa_name(struct sts_str host, uint16_t port, char name[STS_NAME_MAX + 1]);

#endif
