/* SPDX-License-Identifier: MIT */
#ifndef STS_DANE_H
#define STS_DANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "dns.h"
#include "err.h"
#include "str.h"

/*
 * Does DANE (RFC 7672) come before the domain's MTA-STS policy? RFC 8461 section 2:
 * MTA-STS must not "override a failing DANE validation", so this is found out before an
 * enforce policy is answered, and before "may" is said for another one. Only whether
 * Postfix will validate is decided here; it validates by itself.
 */

/* What Postfix asks about: a finding belongs to (host, brackets, port). */
struct sts_target {
	bool brackets; /* [host]: no MX */
	uint16_t port;
};
#define STS_TARGET_PLAIN ((struct sts_target){ false, 25 })

static inline bool
sts_target_eq(struct sts_target a, struct sts_target b)
{
	return a.brackets == b.brackets && a.port == b.port;
}

enum sts_dane_state {	     /* stored in the cache: append only */
	STS_DANE_NONE,	     /* never looked at */
	STS_DANE_OFF,	     /* the resolver does not validate: nobody could see DANE */
	STS_DANE_DISTRUSTED, /* it says so, but its word does not count (dnssec) */
	STS_DANE_APPLIES,    /* MX secure, and a host has usable secure TLSA records */
	STS_DANE_UNKNOWN, /* a lookup failed, or the self-test; see about, err, ede, host */
	STS_DANE_ABSENT,
	STS_DANE_STATES
};
const char *sts_dane_text(enum sts_dane_state state);

/* What a lookup that failed was about. */
enum sts_about {
	STS_ABOUT_RECORD,
	STS_ABOUT_MX,
	STS_ABOUT_ADDRESS, /* of host */
	STS_ABOUT_TLSA,	   /* of host */
	STS_ABOUTS
};

/* A finding, kept in the entry. at 0: none. */
struct sts_dane {
	struct sts_target target;
	int64_t at;
	uint32_t ttl; /* already inside the bounds of bounds.h */
	enum sts_dane_state state;
	/* As last known; a lookup that fails, or a resolver that no longer validates, does
	 * not forget them. */
	bool mx_secure;
	bool applied;
	bool plain; /* every host is insecure or securely without TLSA */
	bool whole; /* the hosts were looked at, though an insecure MX decides alone */
	enum sts_about about;
	enum sts_err err;
	int16_t ede;
	struct sts_str host;
};

/*
 * One look. Like the journey (lookup.h), which drives it: facts are told, and
 * sts_dane_run() says what else is needed.
 */
enum sts_dane_step {
	STS_DANE_A,
	STS_DANE_AAAA,
	STS_DANE_ALIAS,	   /* CNAME of a host whose addresses are insecure: is it? */
	STS_DANE_TLSA,	   /* at the end of the host's CNAME chain, or the host itself */
	STS_DANE_TLSA_OWN, /* at the host's own name, where it is an alias */
	STS_DANE_STEPS
};

struct sts_dane_fact {
	bool known;
	enum sts_err err; /* STS_OK, NODATA, NXDOMAIN, or a failure */
	int16_t ede;
	uint32_t ttl;
	bool ad;     /* as it came */
	bool usable; /* TLSA: one record at least is (tlsa.h) */
};

struct sts_dane_host {
	struct sts_str name;
	struct sts_str final; /* where its addresses are; name when it is no alias */
	unsigned asked;	      /* set of 1 << enum sts_dane_step */
	struct sts_dane_fact fact[STS_DANE_STEPS];
};

enum sts_host_state {	   /* the letters of stsd(8) */
	STS_HOST_WAITS,	   /* not all is known yet */
	STS_HOST_U,	   /* secure TLSA, one usable */
	STS_HOST_X,	   /* secure TLSA, none usable */
	STS_HOST_N,	   /* address or TLSA insecure, or securely absent */
	STS_HOST_F,	   /* a lookup failed, or its answer was bogus */
	STS_HOST_LEFT_OUT, /* no address, because the lookup failed */
};

struct sts_fact; /* lookup.h */

struct sts_dane_look {
	struct sts_str domain;
	struct sts_target target;
	bool believe; /* AD counts (dnssec) */
	bool whole;   /* look at the hosts even where the MX is insecure */
	bool every;   /* and at all of them, whatever the first one says (stsd-query) */
	bool has_hosts;
	size_t host_count;
	struct sts_dane_host hosts[STS_MX_EXAMINED];
	struct sts_dane finding; /* the result; UNKNOWN (a timeout) until there is one */
};

struct sts_dane_question {
	size_t host;
	enum sts_dane_step step;
	enum sts_dns_type type;
	char name[STS_NAME_MAX + 1];
	size_t name_n;
};

/*
 * before: the last finding for this target (at 0: none). trust, again: what the
 * resolver's self-test said, at most STS_SELFTEST_INTERVAL ago, and just now; mx: NULL
 * what was not told yet. Gives the needs to go on; 0: finding is the result.
 */
unsigned sts_dane_run(struct sts_dane_look *d, const struct sts_dane *before,
    const struct sts_fact *trust, const struct sts_fact *again, const struct sts_fact *mx,
    int64_t now);

/* The next question of the hosts that can be asked now and was not yet; false: none.
 * For as long as sts_dane_run needs STS_NEED_TLSA. */
bool sts_dane_ask(struct sts_dane_look *d, struct sts_dane_question *q);

/* final: of an address answer, where its CNAME chain ended; must stay. */
void sts_dane_tell(struct sts_dane_look *d, size_t host, enum sts_dane_step step,
    const struct sts_dane_fact *fact, struct sts_str final);

enum sts_host_state sts_dane_host_state(const struct sts_dane_look *d, size_t host);

/* Does the finding still count, by its age, and by what the AD bit is worth now? */
struct sts_rules;
bool sts_dane_is_live(const struct sts_dane *f, const struct sts_rules *rules,
    int64_t now);

#endif
