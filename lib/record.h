/* SPDX-License-Identifier: MIT */
#ifndef STS_RECORD_H
#define STS_RECORD_H

#include <stddef.h>

#include "err.h"
#include "str.h"

/* Where and why a text is wrong, for people: what stsd-query points at. */
struct sts_problem {
	size_t at;	  /* byte offset into the text; its length: the end */
	const char *text; /* a static sentence, lower case, no full stop; NULL: none */
};

/*
 * Reads one TXT record (its strings already joined without blanks) by the grammar
 * of RFC 8461 section 3.1 and gives a view of its id, 1 to 32 letters and digits.
 * STS_ERR_RECORD_SYNTAX: *id is untouched and *problem (may be NULL) says where.
 */
enum sts_err sts_record_parse(struct sts_str txt, struct sts_str *id,
    struct sts_problem *problem);

/*
 * Picks the record of an RRset (RFC 8461 section 3.1, erratum 6285): a lone record
 * is judged by the grammar, so "v=STSv1 ;" is fine; of several, those that do not
 * begin with "v=STSv1;" are discarded and exactly one must remain.
 * STS_OK, STS_ERR_RECORD_NONE, _MANY or _SYNTAX.
 */
enum sts_err sts_record_pick(const struct sts_str *txts, size_t count,
    struct sts_str *id);

/* Does this text begin with "v=STSv1;": is it counted among several? */
int sts_record_counts(struct sts_str txt);

#endif
