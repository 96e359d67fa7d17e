/* SPDX-License-Identifier: MIT */
/*
 * The _mta-sts TXT record, RFC 8461 section 3.1:
 *
 *	record    = "v=STSv1" 1*(delim field) [delim]
 *	delim     = *WSP ";" *WSP
 *	field     = "id=" 1*32(ALPHA / DIGIT)  /  extension
 *	extension = name "=" value
 *	name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *	value     = 1*(%x21-3A / %x3C / %x3E-7E)
 *
 * The functions stand in the order of that grammar, and the first complaint is
 * kept. "If any non-repeated field is duplicated, all entries except for the first
 * SHALL be ignored" (section 3.2): a later id only has to be an extension.
 */
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME ALNUM "_-."
#define VALUE ALNUM "!\"#$%&'()*+,-./:<>?@[\\]^_`{|}~"

#define EXTENSION_NAME_MAX 32

#define VERSION STS_STR("v=STSv1")

struct parser {
	struct sts_cursor c;
	struct sts_str txt;
	struct sts_str id;
	struct sts_problem problem;
};

static void
complain(struct parser *p, const char *text)
{
	if (p->problem.text == NULL)
		p->problem = (struct sts_problem){ p->txt.n - p->c.rest.n, .text = text };
	p->c.bad = true;
}

static bool
at_end(const struct parser *p)
{
	return p->c.rest.n == 0;
}

/* A field ends where the text does, or where a delimiter begins. */
static bool
at_field_end(const struct parser *p)
{
	struct sts_cursor ahead = p->c;

	return at_end(p) || sts_eat_run(&ahead, "; \t", 0, 1).n > 0;
}

static void
version(struct parser *p)
{
	if (!sts_eat_if(&p->c, VERSION))
		complain(p, "the record must begin with v=STSv1");
	else if (at_end(p))
		complain(p, "the id is missing");
}

static void
delim(struct parser *p)
{
	sts_eat_blanks(&p->c);
	if (!sts_eat_if(&p->c, STS_STR(";")))
		complain(p,
		    at_end(p) ? "blanks at the end without a semicolon"
			      : "expected a semicolon");
	sts_eat_blanks(&p->c);
}

static void
id(struct parser *p)
{
	struct sts_str found = sts_eat_run(&p->c, ALNUM, 0, STS_ID_MAX);

	if (at_field_end(p) && found.n > 0)
		p->id = found;
	else if (found.n == STS_ID_MAX)
		complain(p, "the id is longer than 32 letters and digits");
	else
		complain(p,
		    found.n == 0 ? "the id is empty or not letters and digits"
				 : "the id may only have letters and digits");
}

static void
extension(struct parser *p)
{
	struct sts_cursor ahead = p->c;

	if (sts_eat_run(&ahead, ALNUM, 0, 1).n == 0)
		complain(p, "expected the name of a field");
	(void)sts_eat_run(&p->c, NAME, 0, EXTENSION_NAME_MAX);
	if (!sts_eat_if(&p->c, STS_STR("=")))
		complain(p, "expected name=value");
	else if (sts_eat_run(&p->c, VALUE, 0, SIZE_MAX).n == 0)
		complain(p, "the field has no value");
	else if (!at_field_end(p))
		complain(p, "a value cannot have this character");
}

static void
field(struct parser *p)
{
	if (p->id.n == 0 && sts_eat_if(&p->c, STS_STR("id=")))
		id(p);
	else
		extension(p);
}

enum sts_err
sts_record_parse(struct sts_str txt, struct sts_str *found, struct sts_problem *problem)
{
	struct parser p = { .c = { txt, false }, .txt = txt };

	version(&p);
	while (!p.c.bad && !at_end(&p)) {
		delim(&p);
		if (!p.c.bad && !at_end(&p))
			field(&p);
	}
	if (!p.c.bad && p.id.n == 0)
		complain(&p, "the id is missing");

	if (problem != NULL)
		*problem = p.problem;
	if (p.c.bad)
		return STS_ERR_RECORD_SYNTAX;
	*found = p.id;
	return STS_OK;
}

int
sts_record_counts(struct sts_str txt)
{
	return sts_str_starts(txt, STS_STR("v=STSv1;"));
}

/* Does it mean to be an MTA-STS record? A lone text that does not is another
 * record's, such as one that a wildcard answered with. */
static bool
is_meant(struct sts_str txt)
{
	struct sts_cursor c = { txt, false };

	sts_eat(&c, VERSION);
	return !c.bad && sts_eat_run(&c, ALNUM, 0, 1).n == 0;
}

enum sts_err
sts_record_pick(const struct sts_str *txts, size_t count, struct sts_str *found)
{
	const struct sts_str *record = NULL;

	if (count == 1) {
		if (!is_meant(txts[0]))
			return STS_ERR_RECORD_NONE;
		return sts_record_parse(txts[0], found, NULL);
	}
	for (size_t i = 0; i < count; i++) {
		if (!sts_record_counts(txts[i]))
			continue;
		if (record != NULL)
			return STS_ERR_RECORD_MANY;
		record = &txts[i];
	}
	if (record == NULL)
		return STS_ERR_RECORD_NONE;
	return sts_record_parse(*record, found, NULL);
}
