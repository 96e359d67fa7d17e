/* SPDX-License-Identifier: MIT */
/*
 * A TLSA record (RFC 6698 section 2.1):
 *
 *	usage:8 selector:8 matching-type:8 data
 */
#include "tlsa.h"

#include <string.h>

#define NUMBERS_SIZE 3

enum usage {
	USAGE_DANE_TA = 2,
	USAGE_DANE_EE = 3,
};

enum selector {
	SELECTOR_CERTIFICATE = 0,
	SELECTOR_KEY = 1,
};

enum matching {
	MATCHING_FULL = 0,
	MATCHING_SHA2_256 = 1,
	MATCHING_SHA2_512 = 2,
};

#define SHA2_256_SIZE 32
#define SHA2_512_SIZE 64

struct sts_str
sts_tlsa_data(struct sts_str rdata)
{
	return rdata.n < NUMBERS_SIZE ? STS_STR_NONE : sts_str_from(rdata, NUMBERS_SIZE);
}

static enum sts_tlsa
judge_data(int selector, int matching, size_t n)
{
	switch (matching) {
	case MATCHING_FULL:
		return selector == SELECTOR_KEY ? STS_TLSA_KEY : STS_TLSA_CERTIFICATE;
	case MATCHING_SHA2_256:
		return n == SHA2_256_SIZE ? STS_TLSA_USABLE : STS_TLSA_UNUSABLE;
	case MATCHING_SHA2_512:
		return n == SHA2_512_SIZE ? STS_TLSA_USABLE : STS_TLSA_UNUSABLE;
	default: /* a number of theirs, not an enum of ours */
		return STS_TLSA_UNUSABLE;
	}
}

enum sts_tlsa
sts_tlsa_judge(struct sts_str rdata)
{
	int usage, selector;

	if (rdata.n <= NUMBERS_SIZE)
		return STS_TLSA_UNUSABLE;
	usage = (unsigned char)rdata.p[0];
	selector = (unsigned char)rdata.p[1];
	/* RFC 7672 section 3.1.3: PKIX-TA(0) and PKIX-EE(1) "MUST" not be published for
	 * SMTP, and a client may take them for unusable. Postfix does. */
	if (usage != USAGE_DANE_TA && usage != USAGE_DANE_EE)
		return STS_TLSA_UNUSABLE;
	if (selector != SELECTOR_CERTIFICATE && selector != SELECTOR_KEY)
		return STS_TLSA_UNUSABLE;
	return judge_data(selector, (unsigned char)rdata.p[2], rdata.n - NUMBERS_SIZE);
}

/* Decimal digits of a port, the last one at the end of digits; how many. */
static size_t
print_port(uint16_t port, char digits[5])
{
	size_t n = 0;

	do {
		digits[5 - ++n] = (char)('0' + port % 10);
		port /= 10;
	} while (port != 0);
	return n;
}

static size_t
append(char *name, size_t at, struct sts_str s)
{
	memcpy(name + at, s.p, s.n);
	return at + s.n;
}

size_t
sts_tlsa_name(struct sts_str host, uint16_t port, char name[STS_NAME_MAX + 1])
{
	struct sts_str tcp = STS_STR("._tcp.");
	char digits[5];
	size_t port_n = print_port(port, digits), n = 0;

	if (host.n == 0 || 1 + port_n + tcp.n + host.n > STS_NAME_MAX)
		return 0;
	name[n++] = '_';
	n = append(name, n, (struct sts_str){ digits + sizeof(digits) - port_n, port_n });
	n = append(name, n, tcp);
	n = append(name, n, host);
	name[n] = '\0';
	return n;
}
