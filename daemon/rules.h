/* SPDX-License-Identifier: MIT */
#ifndef RULES_H
#define RULES_H

#include <stdint.h>

#include "config.h"
#include "lookup.h"
#include "reply.h"

/*
 * What the settings mean to the rules and to the text of replies; both point into the
 * configuration. What is still auto in it is taken as what weakens nothing: no "may", and
 * DANE comes first. Who wants to know better settles it first (settle.h).
 */
struct sts_rules rules_of(const struct config *c);

/*
 * Those about DANE: an answerer goes by the rules of the resolver it asks, whose settings
 * may be younger (a reload) or whose servers may be others (resolv.conf). By its own it
 * would defer mail for a finding that nobody looks for; for the same reason it enforces a
 * testing policy only where its resolver does, too.
 */
uint32_t rules_pack(const struct sts_rules *rules);
void rules_unpack(struct sts_rules *rules, uint32_t packed);

struct pf_reply_style style_of(const struct config *c);

#endif
