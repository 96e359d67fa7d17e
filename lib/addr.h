/* SPDX-License-Identifier: MIT */
#ifndef STS_ADDR_H
#define STS_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

/*
 * IP addresses and networks as bytes, and the address guard: which hosts a policy
 * may be fetched from (no one may point us at the inside of somebody's network).
 */
struct sts_addr {
	uint8_t bytes[16]; /* IPv4 in the first four */
	bool v6;
};

struct sts_net {
	struct sts_addr addr;
	unsigned bits;
};

#define STS_ADDR_TEXT 48

/* "192.0.2.1" or "2001:db8::1"; no brackets, no port, no zone, no leading zeros. */
bool sts_addr_parse(struct sts_str text, struct sts_addr *addr);
/* An address, or address/bits; bits beyond the prefix must be zero. */
bool sts_net_parse(struct sts_str text, struct sts_net *net);
/* RFC 5952 text, NUL-terminated; returns its length. */
size_t sts_addr_text(const struct sts_addr *addr, char out[STS_ADDR_TEXT]);

bool sts_addr_eq(const struct sts_addr *a, const struct sts_addr *b);
/* IPv4-mapped addresses are compared as the IPv4 address inside. */
bool sts_net_has(const struct sts_net *net, const struct sts_addr *addr);
bool sts_nets_have(const struct sts_net *nets, size_t count, const struct sts_addr *addr);

/*
 * Globally reachable unicast (IANA special-purpose registries): not loopback,
 * private, shared (100.64/10), link-local, ULA, multicast, unspecified, broadcast,
 * documentation, benchmarking, reserved, discard-only, ORCHID; and of addresses that
 * embed IPv4 (mapped, compatible, NAT64 64:ff9b::/96, 6to4, Teredo) neither what
 * embeds such an address nor, for local NAT64 (64:ff9b:1::/48) and Teredo, any.
 */
bool sts_addr_is_public(const struct sts_addr *addr);

/* Are both in one /24 (IPv4) or /48 (IPv6)? */
bool sts_addr_same_site(const struct sts_addr *a, const struct sts_addr *b);

#endif
