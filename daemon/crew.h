/* SPDX-License-Identifier: MIT */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "child.h"
#include "site.h"

/*
 * The processes of one generation: a resolver and `workers` answerers, all working by
 * one site. A place whose process ended is filled again, after 0.1 s at first, and after
 * up to 10 s when what is started keeps ending. The list of all processes is kept by
 * whoever owns the crew, since those of an earlier generation may outlive it.
 */
struct crew;

struct crew_config {
	struct child_start start;   /* site is filled in by the crew */
	child_on_event *on_started; /* a new process: put it on the list */
	void *arg;
};

/* Takes the site. NULL: no memory; the site is still the caller's. */
struct crew *crew_new(const struct crew_config *config, struct site *site);
/* The processes live on; kept: a site whose sockets do too. */
void crew_free(struct crew *crew, const struct site *kept);

struct site *crew_site(const struct crew *crew);

void crew_start_resolver(struct crew *crew);
void crew_start_answerers(struct crew *crew);
/* Fills no place any more. */
void crew_pause(struct crew *crew);

bool crew_has(const struct crew *crew, const struct child *c);
/* The resolver, once it works; NULL: away. */
struct child *crew_resolver(const struct crew *crew);
/* Another process takes the resolver's place; the one before has none. */
void crew_replace_resolver(struct crew *crew, struct child *c);

size_t crew_workers(const struct crew *crew);
bool crew_is_ready(const struct crew *crew); /* every one of them works */

/* A process of this crew has ended: its place is filled again in a while. */
void crew_lost(struct crew *crew, const struct child *c);
void crew_forget(struct crew *crew, const struct child *c); /* or not */

#endif
