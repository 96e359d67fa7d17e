/* SPDX-License-Identifier: MIT */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "config.h"

/*
 * The process that was started as stsd: binds the sockets, gives up privileges, starts
 * the answerers and the resolver and starts again whichever ends, hands everything over
 * on a reload, moves a damaged cache aside, shows /metrics and /health. It reads nothing
 * that comes from beyond this host.
 */
struct supervisor_options {
	struct config_sources sources;
	unsigned verbose;
};

/* Runs until it is told to stop; returns the exit status (ROLE_EXIT_* of role.h, 0). */
int supervisor_main(const struct supervisor_options *options);

#endif
