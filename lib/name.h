/* SPDX-License-Identifier: MIT */
#ifndef STS_NAME_H
#define STS_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "str.h"

/*
 * Host names, keys as Postfix writes them, and MX patterns. Pure syntax: no DNS.
 *
 * A host name here is letters, digits and hyphens in labels of 1 to 63 bytes, no
 * hyphen at either end of a label, at most STS_NAME_MAX bytes, no trailing dot
 * (RFC 5321 section 4.1.2 Domain, RFC 1123).
 */
bool sts_name_is_host(struct sts_str s);
bool sts_name_is_single_label(struct sts_str s); /* no dot */
bool sts_name_has_numeric_top(struct sts_str s); /* last label all digits */
bool sts_name_is_ascii(struct sts_str s);

/* A key, taken apart (contract of the socketmap: brackets and port come off). */
struct sts_key {
	char domain[STS_NAME_MAX + 1]; /* lower-case host name; or UTF-8, see ascii */
	size_t domain_n;
	uint16_t port; /* 25 where the key names none */
	bool brackets; /* [host]: no MX lookup */
	bool ascii;    /* false: domain holds U-labels for libidn2, not yet a name */
};

/*
 * Reads a key as Postfix sends it: "Example.COM.", "[mail.example.com]",
 * "example.com:587", "[host]:submission". Port: a number 1..65535 or one of smtp,
 * submission, submissions, smtps. ASCII is lower-cased, one trailing dot dropped.
 *
 * STS_OK, or STS_ERR_NAME for everything that is no policy domain at all and is
 * answered "not found" without any work: a leading dot, an address literal, a
 * single label, a numeric top-level name, a name longer than STS_DOMAIN_MAX, an
 * unknown port, an empty key, anything that is no host name. A key with bytes
 * >= 0x80 must be valid UTF-8 without blanks and controls; its domain is returned
 * as it is, with ascii = false.
 */
#include "err.h"
enum sts_err sts_key_parse(struct sts_str text, struct sts_key *key);

/* Is this a policy domain: host name, two labels or more, top not numeric, not
 * longer than STS_DOMAIN_MAX? What sts_key_parse guarantees for ASCII keys, and
 * what must be asked again after libidn2. */
bool sts_name_is_policy_domain(struct sts_str s);

/* RFC 8461 section 3.2, mx = ["*."] Domain: is it well-formed? One trailing dot
 * is tolerated. */
bool sts_name_is_pattern(struct sts_str pattern);

/* RFC 8461 section 4.1: "*.example.com" matches "mail.example.com", and neither
 * "example.com" nor "a.b.example.com". ASCII case and one trailing dot on either
 * side do not matter. Invalid patterns and empty labels match nothing. */
bool sts_name_matches(struct sts_str pattern, struct sts_str host);

#endif
