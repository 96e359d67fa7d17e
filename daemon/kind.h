/* SPDX-License-Identifier: MIT */
#ifndef KIND_H
#define KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "setting.h"

/* What the settings of one kind have in common: how they are read into their field of
 * struct config, written and forgotten. For setting.c alone; by enum setting_kind. */
struct kind {
	bool list;
	/* Lists: adds one item. Text fields must be NULL before. */
	bool (*read)(const struct setting *s, void *field, struct sts_str text,
	    struct value_why *why);
	/* Appends item i; false: there is none. */
	bool (*put)(const struct setting *s, const void *field, size_t i,
	    struct sts_buf *to);
	void (*clear)(void *field); /* NULL: nothing is owned */
};
extern const struct kind setting_kinds[];

#endif
