/* SPDX-License-Identifier: MIT */
#ifndef BENCH_DOMAIN_H
#define BENCH_DOMAIN_H

#include <stdint.h>
#include <stdio.h>

/*
 * The domains of all measurements: LETTER HEX .example, where the letter says what the
 * domain has, and the number is mixed, so that neighbours in time are none in the cache.
 */
enum domain_kind {
	DOMAIN_ENFORCE = 'e',  /* two MX hosts, both named */
	DOMAIN_WILDCARD = 'w', /* two MX hosts, one pattern for them */
	DOMAIN_NONE = 'n',     /* nothing of MTA-STS */
	DOMAIN_DEAD = 'x',     /* its policy host does not answer at all */
	DOMAIN_DRIP = 'y',     /* its policy host sends a byte now and then */
	DOMAIN_LATE = 'z',     /* its policy host takes some time, then answers */
};

#define DOMAIN_N 17
#define DOMAIN_MAX_AGE 604800

static inline void
domain_name(char to[DOMAIN_N + 1], char kind, uint32_t number)
{
	number ^= number >> 16; /* murmur3's end: no two numbers become one */
	number *= 0x85ebca6bu;
	number ^= number >> 13;
	number *= 0xc2b2ae35u;
	number ^= number >> 16;
	(void)snprintf(to, DOMAIN_N + 1, "%c%08x.example", kind, number);
}

/* The policy of such a domain; returns its length. */
static inline size_t
domain_policy(char *to, size_t n, const char *domain)
{
	const char *first = domain[0] == DOMAIN_WILDCARD ? "*." : "mx1.";
	int made;

	made = snprintf(to, n, "version: STSv1\r\nmode: enforce\r\nmx: %s%s\r\n", first,
	    domain);
	if (domain[0] != DOMAIN_WILDCARD)
		made += snprintf(to + made, n - (size_t)made, "mx: mx2.%s\r\n", domain);
	made += snprintf(to + made, n - (size_t)made, "max_age: %d\r\n", DOMAIN_MAX_AGE);
	return (size_t)made;
}

#endif
