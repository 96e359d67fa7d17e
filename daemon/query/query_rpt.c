/* SPDX-License-Identifier: MIT */
/*
 * The TLSRPT record, RFC 8460 section 3:
 *
 *	record    = "v=TLSRPTv1" 1*(delim field) [delim]
 *	delim     = *WSP ";" *WSP
 *	field     = rua / extension
 *	rua       = "rua=" uri *(*WSP "," *WSP uri)
 *	uri       = as in RFC 3986, with "!", "," and ";" encoded
 *	extension = name "=" value
 *	name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *	value     = 1*(%x21-3A / %x3C / %x3E-7E)
 *
 * The functions stand in the order of that grammar, and the first complaint is kept.
 */
#include "query_rpt.h"

#include <stdint.h>

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define NAME ALNUM "_-."
#define VALUE ALNUM "!\"#$%&'()*+,-./:<>?@[\\]^_`{|}~"
/* RFC 3986 section 2, without the three. */
#define URI ALNUM "-._~:/?#[]@$&'()*+=%"

#define EXTENSION_NAME_MAX 32

#define VERSION STS_STR("v=TLSRPTv1")

struct parser {
	struct sts_cursor c;
	struct query_rpt *rpt;
};

static void
complain(struct parser *p, const char *text)
{
	if (p->rpt->problem.text == NULL)
		p->rpt->problem =
		    (struct sts_problem){ p->rpt->text.n - p->c.rest.n, text };
	p->c.bad = true;
}

static bool
at_end(const struct parser *p)
{
	return p->c.rest.n == 0;
}

static bool
at(const struct parser *p, const char *set)
{
	struct sts_cursor ahead = p->c;

	return sts_eat_run(&ahead, set, 0, 1).n > 0;
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

static bool
has_scheme(struct sts_str uri)
{
	struct sts_str head;

	return sts_str_cut(&uri, ':', &head) && head.n > 0 && uri.n > 0;
}

static void
uri(struct parser *p)
{
	struct parser before = *p;
	struct sts_str found = sts_eat_run(&p->c, URI, 0, SIZE_MAX);

	if (!at_end(p) && !at(p, ",; \t"))
		complain(p, "an address cannot have this character");
	else if (!has_scheme(found))
		complain(&before, "expected mailto: or https: and an address");
	p->c.bad |= before.c.bad;
	if (!p->c.bad && p->rpt->rua_count < QUERY_RUA_MAX)
		p->rpt->rua[p->rpt->rua_count++] = found;
}

/* Blanks belong to the comma, if one follows, and else to the delimiter. */
static bool
comma(struct parser *p)
{
	struct sts_cursor ahead = p->c;

	sts_eat_blanks(&ahead);
	if (p->c.bad || !sts_eat_if(&ahead, STS_STR(",")))
		return false;
	sts_eat_blanks(&ahead);
	p->c = ahead;
	return true;
}

static void
rua(struct parser *p)
{
	do
		uri(p);
	while (comma(p));
}

static void
extension(struct parser *p)
{
	if (!at(p, ALNUM))
		complain(p, "expected the name of a field");
	(void)sts_eat_run(&p->c, NAME, 0, EXTENSION_NAME_MAX);
	if (!sts_eat_if(&p->c, STS_STR("=")))
		complain(p, "expected name=value");
	else if (sts_eat_run(&p->c, VALUE, 0, SIZE_MAX).n == 0)
		complain(p, "the field has no value");
	else if (!at_end(p) && !at(p, "; \t"))
		complain(p, "a value cannot have this character");
}

/* Of a field that is repeated the first counts, as in the record of MTA-STS. */
static void
field(struct parser *p)
{
	if (p->rpt->rua_count == 0 && sts_eat_if(&p->c, STS_STR("rua=")))
		rua(p);
	else
		extension(p);
}

enum sts_err
query_rpt_parse(struct sts_str text, struct query_rpt *rpt)
{
	struct parser p = { .c = { text, false }, .rpt = rpt };

	*rpt = (struct query_rpt){ .text = text };
	if (!sts_eat_if(&p.c, VERSION))
		complain(&p, "the record must begin with v=TLSRPTv1");
	while (!p.c.bad && !at_end(&p)) {
		delim(&p);
		if (!p.c.bad && !at_end(&p))
			field(&p);
	}
	if (!p.c.bad && rpt->rua_count == 0)
		complain(&p, "the rua is missing");
	rpt->err = p.c.bad ? STS_ERR_RECORD_SYNTAX : STS_OK;
	return rpt->err;
}

static bool
counts(struct sts_str text)
{
	return sts_str_starts(text, STS_STR("v=TLSRPTv1;"));
}

void
query_rpt_pick(const struct sts_str *texts, size_t count, struct query_rpt *rpt)
{
	const struct sts_str *record = NULL;
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		/* Alone, it may be one that was meant: "v=TLSRPTv1 ;", or without a rua. */
		if (!counts(texts[i]) &&
		    (count > 1 || !sts_str_starts(texts[i], VERSION)))
			continue;
		record = &texts[i];
		found++;
	}
	*rpt = (struct query_rpt){ .err = found == 0 ? STS_ERR_RECORD_NONE
						     : STS_ERR_RECORD_MANY };
	if (found == 1)
		(void)query_rpt_parse(*record, rpt);
}

static bool
starts_nocase(struct sts_str s, struct sts_str prefix)
{
	return s.n > prefix.n && sts_str_eq_nocase(sts_str_head(s, prefix.n), prefix);
}

bool
query_rua_is_usable(struct sts_str uri_text)
{
	return starts_nocase(uri_text, STS_STR("mailto:")) ||
	    starts_nocase(uri_text, STS_STR("https:"));
}
