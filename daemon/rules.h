/* SPDX-License-Identifier: MIT */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>

#include "config.h"
#include "lookup.h"
#include "reply.h"

/*
 * What the settings mean to the rules and to the text of replies; both point into the
 * configuration. What is still auto in it is taken as what weakens nothing: no "may", and
 * DANE comes first. Who wants to know better settles it first (settle.h).
 */
struct sts_rules rules_of(const struct config *c);
struct pf_reply_style style_of(const struct config *c);

#endif
