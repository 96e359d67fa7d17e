/* SPDX-License-Identifier: MIT */
#ifndef SETTING_H
#define SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "config.h"
#include "str.h"
#include "value.h"

/*
 * Every setting stands once, in the table in setting.c: what reads the configuration,
 * what prints it, the manual's check and the example file walk it. The files that know
 * where a setting comes from (config.c) know nothing of its kind, and this one nothing
 * of files.
 */
enum setting_kind {
	SETTING_LISTENERS, /* struct config_list */
	SETTING_LISTENER,  /* char * */
	SETTING_NETS,	   /* struct config_nets */
	SETTING_SERVERS,   /* char *, separated by one blank */
	SETTING_PATH,	   /* char * */
	SETTING_ACCOUNT,   /* char * */
	SETTING_MODE,	   /* unsigned */
	SETTING_NUMBER,	   /* uint64_t */
	SETTING_SIZE,	   /* uint64_t, bytes */
	SETTING_SECONDS,   /* int64_t */
	SETTING_MS,	   /* int64_t, milliseconds; written in seconds and more */
	SETTING_BOOLEAN,   /* bool */
	SETTING_CHOICE,	   /* bool: the second of two words is true */
	SETTING_WORD,	   /* int: the word's value */
};

struct setting {
	const char *name;
	const char *preset; /* the default; "": it is found out later, see unset */
	const char *unset;  /* what an empty preset stands for */
	const char *text;   /* for the example file */
	const struct value_word *words;
	uint64_t min, max; /* numbers, sizes, durations in seconds */
	size_t offset;	   /* into struct config */
	enum setting_kind kind;
	bool may_be_none;
};

#define SETTINGS 36
extern const struct setting settings[SETTINGS];

const struct setting *setting_find(struct sts_str name);
/* The one that was probably meant; NULL: none is near. */
const struct setting *setting_near(struct sts_str name);
bool setting_is_list(const struct setting *s);
/* Does a trimmed text say nothing: is it empty, or a list without items? */
bool setting_is_empty(const struct setting *s, struct sts_str text);

/* Forgets the value: none, no items. Numbers keep theirs. */
void setting_clear(struct config *c, const struct setting *s);
/* Takes a value (lists: adds items; a scalar must have been cleared). text is trimmed,
 * not empty, not "none". */
bool setting_add(struct config *c, const struct setting *s, struct sts_str text,
    struct value_why *why);
bool setting_preset(struct config *c, const struct setting *s, struct value_why *why);
/* Appends item i as it would be written; scalars have one item, or none. */
bool setting_item(const struct config *c, const struct setting *s, size_t i,
    struct sts_buf *to);

#endif
