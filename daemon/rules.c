/* SPDX-License-Identifier: MIT */
#include "rules.h"

struct sts_rules
rules_of(const struct config *c)
{
	return (struct sts_rules){ .strict_testing = c->strict_testing,
		.loose = c->loose_wildcards,
		.defer_txt_error = c->defer_txt_error,
		.may = c->permissive_reply == CONFIG_REPLY_MAY,
		.dane = c->dane != CONFIG_OFF,
		.believe = config_believes_ad(c),
		.refresh_interval = (uint32_t)c->refresh_interval,
		.refresh_unused = (uint32_t)c->refresh_unused,
		.allow = c->allow_addresses.nets,
		.allow_count = c->allow_addresses.count };
}

enum { DANE = 1 << 0, BELIEVE = 1 << 1, STRICT = 1 << 2 };

uint32_t
rules_pack(const struct sts_rules *rules)
{
	return (rules->dane ? DANE : 0) | (rules->believe ? BELIEVE : 0) |
	    (rules->strict_testing ? STRICT : 0);
}

void
rules_unpack(struct sts_rules *rules, uint32_t packed)
{
	rules->dane = (packed & DANE) != 0;
	rules->believe = (packed & BELIEVE) != 0;
	/* What would be enforced needs DANE to be known, and nobody looks for it now. */
	rules->strict_testing = rules->strict_testing && (packed & STRICT) != 0;
}

struct pf_reply_style
style_of(const struct config *c)
{
	return (struct pf_reply_style){ .exact = !c->loose_wildcards,
		.servername = c->servername,
		.max_reply = (size_t)c->max_reply };
}
