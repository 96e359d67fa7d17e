/* SPDX-License-Identifier: MIT */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The account that stsd works as, once it has bound its sockets. */
struct account {
	char name[64]; /* "": it stays who it is */
	uid_t uid;
	gid_t gid;
};

/* -1 with a sentence in why: there is no such user, or group. */
int account_find(const char *user, struct account *account, char *why, size_t why_n);
int group_find(const char *group, gid_t *gid, char *why, size_t why_n);

/*
 * Becomes the account for good: groups, ids, ambient and bounding capabilities; looks
 * whether it is true afterwards. With no_new_privileges also nothing that is executed
 * can gain any. -1 with a sentence in why: the process must end.
 */
int privileges_drop(const struct account *account, bool no_new_privileges, char *why,
    size_t why_n);

/* All of them, those that a program executed later might get as well. False: one is left
 * in force, errno says why. */
bool privileges_drop_capabilities(void);

#endif
