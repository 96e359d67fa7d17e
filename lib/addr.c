/* SPDX-License-Identifier: MIT */
#include "addr.h"

#include <string.h>

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS 96 /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */
#define GROUPS 8

#define V4_SITE_BITS 24
#define V6_SITE_BITS 48

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
parse_v4(struct sts_str text, uint8_t bytes[4])
{
	for (size_t i = 0; i < 4; i++) {
		unsigned long long octet = 0;
		struct sts_str part;
		bool more = sts_str_cut(&text, '.', &part);

		/* A leading zero is octal to some and decimal to others. */
		if (more != (i < 3) || part.n > 3 || (part.n > 1 && part.p[0] == '0') ||
		    !sts_str_number(part, UINT8_MAX, &octet))
			return false;
		bytes[i] = (uint8_t)octet;
	}
	return true;
}

static bool
hex_digit(char c, unsigned *digit)
{
	if (c >= '0' && c <= '9')
		*digit = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*digit = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		*digit = (unsigned)(c - 'A') + 10;
	else
		return false;
	return true;
}

static bool
parse_group(struct sts_str text, uint8_t out[2])
{
	unsigned sum = 0, digit = 0;

	if (text.n == 0 || text.n > 4)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!hex_digit(text.p[i], &digit))
			return false;
		sum = sum << 4 | digit;
	}
	out[0] = (uint8_t)(sum >> 8);
	out[1] = (uint8_t)(sum & 0xff);
	return true;
}

/* Groups between colons, up to room bytes of them; at the end of an address the last
 * may be IPv4. Returns how many bytes they are, 0 when the text is no groups. */
static size_t
parse_groups(struct sts_str text, bool at_end, uint8_t *out, size_t room)
{
	size_t n = 0;
	bool more;

	do {
		struct sts_str part;

		more = sts_str_cut(&text, ':', &part);
		if (!more && at_end && n + 4 <= room && parse_v4(part, out + n))
			return n + 4;
		if (n + 2 > room || !parse_group(part, out + n))
			return 0;
		n += 2;
	} while (more);
	return n;
}

/* Where "::" stands; the length of the text without one. */
static size_t
find_gap(struct sts_str text)
{
	for (size_t i = 0; i + 1 < text.n; i++)
		if (text.p[i] == ':' && text.p[i + 1] == ':')
			return i;
	return text.n;
}

static bool
parse_v6(struct sts_str text, uint8_t bytes[16])
{
	size_t gap = find_gap(text), head_n, tail_n;
	struct sts_str head = sts_str_head(text, gap), tail;
	uint8_t end[16];

	if (gap == text.n)
		return parse_groups(text, true, bytes, 16) == 16;

	/* "::" stands for one group of zeros at least (RFC 4291 section 2.2). */
	tail = sts_str_from(text, gap + 2);
	head_n = parse_groups(head, false, bytes, 14);
	tail_n = parse_groups(tail, true, end, 14 - head_n);
	if ((head.n > 0 && head_n == 0) || (tail.n > 0 && tail_n == 0))
		return false;
	memset(bytes + head_n, 0, 16 - head_n);
	memcpy(bytes + 16 - tail_n, end, tail_n);
	return true;
}

bool
sts_addr_parse(struct sts_str text, struct sts_addr *addr)
{
	struct sts_addr found = { .v6 = false };

	if (!parse_v4(text, found.bytes)) {
		found = (struct sts_addr){ .v6 = true };
		if (!parse_v6(text, found.bytes))
			return false;
	}
	*addr = found;
	return true;
}

static bool
bit(const uint8_t *bytes, unsigned at)
{
	return (bytes[at / 8] >> (7 - at % 8) & 1) != 0;
}

bool
sts_net_parse(struct sts_str text, struct sts_net *net)
{
	struct sts_str addr;
	bool has_bits = sts_str_cut(&text, '/', &addr);
	struct sts_net found = { .bits = 0 };
	unsigned long long bits = 0;
	unsigned width;

	if (!sts_addr_parse(addr, &found.addr))
		return false;
	width = found.addr.v6 ? V6_BITS : V4_BITS;
	found.bits = width;
	if (has_bits) {
		if ((text.n > 1 && text.p[0] == '0') ||
		    !sts_str_number(text, width, &bits))
			return false;
		found.bits = (unsigned)bits;
	}
	for (unsigned i = found.bits; i < width; i++)
		if (bit(found.addr.bytes, i))
			return false;
	*net = found;
	return true;
}

static size_t
put_decimal(char *out, unsigned v)
{
	size_t n = 0;

	if (v >= 100)
		out[n++] = (char)('0' + v / 100);
	if (v >= 10)
		out[n++] = (char)('0' + v / 10 % 10);
	out[n++] = (char)('0' + v % 10);
	return n;
}

static size_t
put_v4(char *out, const uint8_t *bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			out[n++] = '.';
		n += put_decimal(out + n, bytes[i]);
	}
	return n;
}

static size_t
put_group(char *out, unsigned v)
{
	size_t n = 0;

	for (unsigned shift = 16; shift > 0; shift -= 4)
		if (v >> (shift - 4) != 0 || shift == 4)
			out[n++] = "0123456789abcdef"[v >> (shift - 4) & 15];
	return n;
}

static unsigned
group(const uint8_t *bytes, size_t i)
{
	return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of zero groups, the first of equals, of two at least (RFC 5952
 * section 4.2). */
static size_t
zero_run(const uint8_t *bytes, size_t *run)
{
	size_t best = GROUPS, n = 0;

	*run = 1;
	for (size_t i = 0; i < GROUPS; i++) {
		n = group(bytes, i) == 0 ? n + 1 : 0;
		if (n > *run) {
			*run = n;
			best = i + 1 - n;
		}
	}
	return best;
}

static size_t
put_v6(char *out, const uint8_t *bytes)
{
	const struct sts_str mapped = STS_STR("::ffff:"); /* RFC 5952 section 5 */
	size_t run, n = 0, gap = zero_run(bytes, &run);

	if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		while (n < mapped.n) {
			out[n] = mapped.p[n];
			n++;
		}
		return n + put_v4(out + n, bytes + sizeof(mapped_prefix));
	}
	for (size_t i = 0; i < GROUPS; i++) {
		if (i == gap) {
			out[n++] = ':';
			i += run - 1;
			if (i == GROUPS - 1)
				out[n++] = ':';
			continue;
		}
		if (i > 0)
			out[n++] = ':';
		n += put_group(out + n, group(bytes, i));
	}
	return n;
}

size_t
sts_addr_text(const struct sts_addr *addr, char out[STS_ADDR_TEXT])
{
	size_t n = addr->v6 ? put_v6(out, addr->bytes) : put_v4(out, addr->bytes);

	out[n] = '\0';
	return n;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 &&
	    (rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0);
}

bool
sts_addr_eq(const struct sts_addr *a, const struct sts_addr *b)
{
	return a->v6 == b->v6 && same_bits(a->bytes, b->bytes, a->v6 ? V6_BITS : V4_BITS);
}

static struct sts_addr
v4_at(const struct sts_addr *addr, size_t at)
{
	struct sts_addr inside = { .v6 = false };

	memcpy(inside.bytes, addr->bytes + at, 4);
	return inside;
}

static bool
is_mapped(const struct sts_addr *addr)
{
	return addr->v6 && same_bits(addr->bytes, mapped_prefix, MAPPED_BITS);
}

static struct sts_addr
unmapped(const struct sts_addr *addr)
{
	return is_mapped(addr) ? v4_at(addr, sizeof(mapped_prefix)) : *addr;
}

bool
sts_net_has(const struct sts_net *net, const struct sts_addr *addr)
{
	struct sts_addr inside = unmapped(addr), base = net->addr;
	unsigned bits = net->bits;

	if (bits >= MAPPED_BITS && is_mapped(&base)) {
		base = unmapped(&base);
		bits -= MAPPED_BITS;
	}
	return base.v6 == inside.v6 && same_bits(base.bytes, inside.bytes, bits);
}

bool
sts_nets_have(const struct sts_net *nets, size_t count, const struct sts_addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (sts_net_has(&nets[i], addr))
			return true;
	return false;
}

struct range {
	uint8_t prefix[8];
	unsigned bits;
};

static bool
in_range(const struct range *ranges, size_t count, const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++)
		if (same_bits(ranges[i].prefix, bytes, ranges[i].bits))
			return true;
	return false;
}

/* IANA IPv4 Special-Purpose Address Registry. The anycast services in it that are
 * globally reachable (AS112, AMT) serve no policies, but nobody's inside is there. */
static const struct range v4_special[] = {
	{ { 0 }, 8 },		  /* this network, RFC 791 */
	{ { 10 }, 8 },		  /* private, RFC 1918 */
	{ { 100, 64 }, 10 },	  /* shared by carriers, RFC 6598 */
	{ { 127 }, 8 },		  /* loopback, RFC 1122 */
	{ { 169, 254 }, 16 },	  /* link-local, RFC 3927 */
	{ { 172, 16 }, 12 },	  /* private */
	{ { 192, 0, 0 }, 24 },	  /* protocol assignments, RFC 6890 */
	{ { 192, 0, 2 }, 24 },	  /* documentation, RFC 5737 */
	{ { 192, 88, 99 }, 24 },  /* 6to4 relays, RFC 7526 */
	{ { 192, 168 }, 16 },	  /* private */
	{ { 198, 18 }, 15 },	  /* benchmarking, RFC 2544 */
	{ { 198, 51, 100 }, 24 }, /* documentation */
	{ { 203, 0, 113 }, 24 },  /* documentation */
	{ { 224 }, 4 },		  /* multicast, RFC 5771 */
	{ { 240 }, 4 },		  /* reserved and broadcast, RFC 1112, RFC 8190 */
};

/* Global unicast is 2000::/3 (RFC 4291 section 2.4); what is not, needs no row:
 * unspecified, loopback, discard-only, SRv6, ULA, link-local, site-local, multicast. */
static const struct range v6_unicast[] = { { { 0x20 }, 3 } };

/* IANA IPv6 Special-Purpose Address Registry, inside global unicast. */
static const struct range v6_special[] = {
	{ { 0x20, 0x01 }, 23 }, /* protocols: Teredo, benchmarking, ORCHID, RFC 2928 */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation, RFC 3849 */
	{ { 0x3f, 0xff }, 20 },		    /* documentation, RFC 9637 */
};

static const struct range v6_6to4 = { { 0x20, 0x02 }, 16 };		 /* RFC 3056 */
static const struct range v6_nat64 = { { 0x00, 0x64, 0xff, 0x9b }, 64 }; /* RFC 6052 */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool
is_zero(const uint8_t *bytes, size_t n)
{
	while (n > 0 && bytes[n - 1] == 0)
		n--;
	return n == 0;
}

/* Where an IPv4 address is embedded that the packets end up at; 0: none is. */
static size_t
embedded_at(const struct sts_addr *addr)
{
	const uint8_t *b = addr->bytes;

	if (is_mapped(addr) || is_zero(b, 12))
		return 12;
	if (in_range(&v6_nat64, 1, b) && is_zero(b + 8, 4))
		return 12;
	if (in_range(&v6_6to4, 1, b))
		return 2;
	return 0;
}

bool
sts_addr_is_public(const struct sts_addr *addr)
{
	struct sts_addr inside;
	size_t at;

	if (!addr->v6)
		return !in_range(v4_special, COUNT(v4_special), addr->bytes);
	at = embedded_at(addr);
	if (at != 0) {
		inside = v4_at(addr, at);
		return !in_range(v4_special, COUNT(v4_special), inside.bytes);
	}
	return in_range(v6_unicast, COUNT(v6_unicast), addr->bytes) &&
	    !in_range(v6_special, COUNT(v6_special), addr->bytes);
}

bool
sts_addr_same_site(const struct sts_addr *a, const struct sts_addr *b)
{
	struct sts_addr x = unmapped(a), y = unmapped(b);

	return x.v6 == y.v6 &&
	    same_bits(x.bytes, y.bytes, x.v6 ? V6_SITE_BITS : V4_SITE_BITS);
}
