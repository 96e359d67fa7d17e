/* SPDX-License-Identifier: MIT */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Calls that fail when a test wants them to. What is under test is linked with memory.c,
 * calls.c or store.c and -Wl,@ the .wrap file beside it, so that its calls (not those of
 * the libraries) come here; each asks fault_strikes() whether it is the one to fail.
 */
enum fault_kind {
	FAULT_MEMORY,
	FAULT_WRITE, /* also send(2) and sendmsg(2): no room */
	FAULT_MAP,   /* mmap(2) */
	FAULT_FORK,
	FAULT_ACCEPT,
	FAULT_RANDOM,
	FAULT_DESCRIPTOR, /* whatever makes one: there are too many */
	FAULT_STORE,	  /* LMDB's calls */
	FAULT_DISK,	  /* what LMDB itself writes and syncs */
	FAULTS
};

/* Counts the call; true: it shall fail. errno is untouched. */
bool fault_strikes(enum fault_kind kind, const char *call);

/* A page that a test has laid beside the program, shared by all its processes (page.c);
 * NULL: there is none of that name. */
void *fault_page_beside(const char *name, size_t n);

/*
 * The plan of a test (fault.c): of this kind the nth call fails, from 1 on, and those after
 * it up to length in all; FAULT_FOREVER: there is no more. Disarmed, nothing fails.
 */
#define FAULT_FOREVER (~0UL)
void fault_arm(enum fault_kind kind, unsigned long nth, unsigned long length);
/* The name of the first call that failed since fault_arm; NULL: none was asked for. */
const char *fault_disarm(void);
/* Calls of that kind since fault_arm. */
unsigned long fault_calls(void);
/* Has one failed since fault_arm? */
bool fault_struck(void);

#endif
