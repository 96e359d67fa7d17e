/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_WORLD_H
#define DOCTOR_WORLD_H

#include "doctor.h"

/*
 * The world as it is: files, sockets, and tables by way of postmap(1). Nothing is written
 * anywhere. Who is not root may see less, and is told so (DOCTOR_HIDDEN).
 */
struct doctor_senses {
	const char *postmap;   /* its path */
	const char *directory; /* of the instance's main.cf */
	struct query_keep keep;
};

/* senses must outlive it. */
struct doctor_world doctor_world(struct doctor_senses *senses);
void doctor_senses_done(struct doctor_senses *senses);

#endif
