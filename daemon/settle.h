/* SPDX-License-Identifier: MIT */
#ifndef SETTLE_H
#define SETTLE_H

#include <stdbool.h>

#include "config.h"

/*
 * Settles what "auto" stands for on this machine, by the main.cf in postfix_directory:
 * afterwards permissive_reply is may or notfound, and dane on or off. warnings gets what
 * an administrator would not expect: that DANE is off, or that main.cf could not be read,
 * and then what weakens nothing is assumed.
 *
 * True: DANE is wanted, by the setting or by Postfix's own; it is not merely assumed for
 * want of a main.cf.
 */
bool settle_by_postfix(struct config *c, struct config_errors *warnings);

#endif
