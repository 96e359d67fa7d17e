/* SPDX-License-Identifier: MIT */
#ifndef SECCOMP_H
#define SECCOMP_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox.h"

struct sock_filter;

/* More instructions than any role's program has. */
#define SECCOMP_PROGRAM_MAX 1024

/*
 * The program that judges each system call of a role. What stands in the table is
 * allowed, what nobody here has a use for ends the process, and what is not known fails
 * with ENOSYS: a library that tries something new must find its old way, not an end.
 * program has room for SECCOMP_PROGRAM_MAX. How many instructions; 0: there is no table
 * for this architecture.
 */
size_t seccomp_program(const struct sandbox *s, struct sock_filter *program);

/* From now on for all threads of the process and for what it executes; without a way
 * back. Wants no-new-privileges. -1 with errno; ENOSYS: no table, or no such kernel. */
int seccomp_enter(const struct sandbox *s);

#endif
