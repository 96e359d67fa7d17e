/* SPDX-License-Identifier: MIT */
#ifndef STS_ENTRY_H
#define STS_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "dane.h"
#include "err.h"
#include "policy.h"
#include "str.h"

/*
 * All that is known about one domain. The cache keeps it as bytes, a small
 * versioned, checksummed header and the policy text exactly as received; the
 * answer and the journey work on this struct, whose views point into those bytes
 * (or into whatever told a newer fact). It is a value: no destructor exists.
 *
 * Times are seconds of stsd's clock (lib/io/clock.h); 0 means never.
 */
struct sts_mx_seen {
	int64_t seen; /* when an MX answer last had it */
	uint16_t preference;
	struct sts_str host; /* lower case, no trailing dot */
};

struct sts_entry {
	/* The policy, as of its last authenticated fetch. */
	int64_t fetched; /* 0: none is stored */
	uint32_t max_age;
	enum sts_mode mode;
	struct sts_str id;     /* of the record it was fetched for; may be empty */
	struct sts_str policy; /* the file */

	/* The record, as of the last look. */
	int64_t record_at;
	uint32_t record_ttl;	 /* already inside the bounds of bounds.h */
	enum sts_err record_err; /* STS_OK: record_id is valid */
	int16_t record_ede;
	struct sts_str record_id;

	/* Fetching. */
	int64_t tried;	   /* when the last attempt ended, either way */
	int64_t failed_at; /* when one last failed; a success clears it not */
	enum sts_err failed_err;
	struct sts_str failed_id;
	uint16_t failures; /* in a row, since the last success */

	/* The MX hosts, as of the last look. */
	int64_t mx_at;
	uint32_t mx_ttl;
	enum sts_err
	    mx_err; /* STS_OK, DNS_NODATA (implicit MX), DNS_NXDOMAIN, failures */
	int16_t mx_ede;
	bool mx_null; /* a null MX (RFC 7505) */

	int64_t asked; /* when Postfix last asked, to the day */

	/* What is known of DANE, for each way in which Postfix asks. */
	size_t dane_count;
	struct sts_dane dane[STS_DANE_TARGETS];

	size_t mx_count;
	struct sts_mx_seen mx[STS_MX_MAX]; /* by preference, also names seen in the last
					    * hour; only mx_count are ever set or read */
};

/* Copies an entry, of mx only what is set. */
void sts_entry_copy(struct sts_entry *to, const struct sts_entry *from);

/* The finding for a target; one that was never looked at, when there is none. */
const struct sts_dane *sts_entry_dane(const struct sts_entry *e,
    struct sts_target target);
/* Puts it in place of the last one for its target, or of the oldest of another target, the
 * plain domain's excepted. */
void sts_entry_put_dane(struct sts_entry *e, const struct sts_dane *finding);

/* Room for the largest entry's bytes. */
#define STS_ENTRY_MAX                                                                    \
 (STS_POLICY_MAX + 256 + 3 * (STS_ID_MAX + 1) + STS_MX_MAX * (STS_NAME_MAX + 11) +       \
     STS_DANE_TARGETS * (STS_NAME_MAX + 32))

/* Appends the entry's bytes; a buffer that went bad says so itself. */
void sts_entry_write(const struct sts_entry *e, struct sts_buf *to);

/*
 * Reads an entry; its views point into bytes. STS_ERR_CACHE when the checksum, the
 * version or a length is wrong: the entry is damaged or foreign, and must be
 * treated as "cannot be read", never as "no policy". *e holds nothing usable then.
 */
enum sts_err sts_entry_read(struct sts_str bytes, struct sts_entry *e);

/* Does the stored policy count now (RFC 8461 section 3.2: from its last fetch)? */
bool sts_entry_is_live(const struct sts_entry *e, int64_t now);
int64_t sts_entry_expires(const struct sts_entry *e); /* 0: no policy */

/* CRC-32C (Castagnoli), the checksum. */
uint32_t sts_crc32c(struct sts_str bytes);

#endif
