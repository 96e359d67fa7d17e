/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a mail server says. However they are cut into pieces, the replies are
 * the same; each that is whole has a code of 200 to 599 and as many lines as LFs were
 * eaten; nothing behind it is touched, and no bound is passed.
 */
#include "smtpreply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static size_t
eat_in_pieces(struct sts_smtpreply *r, struct sts_str bytes, size_t step)
{
	size_t eaten = 0;

	while (eaten < bytes.n && r->state == STS_SMTPREPLY_MORE) {
		struct sts_str rest = sts_str_from(bytes, eaten);

		eaten += sts_smtpreply_eat(r,
		    sts_str_head(rest, rest.n < step ? rest.n : step));
	}
	return eaten;
}

static size_t
lines_of(struct sts_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n' ? 1 : 0;
	return n;
}

static void
check_state(const struct sts_smtpreply *r, struct sts_str eaten, size_t all)
{
	size_t lines = lines_of(eaten);

	must(r->lines <= STS_SMTPREPLY_LINES_MAX);
	must(r->text.n <= (STS_SMTPREPLY_LINES_MAX + 1) * (STS_SMTPREPLY_LINE_MAX + 1));
	must(r->code == 0 || (r->code >= 200 && r->code <= 599));
	must((r->code == 0) == (r->lines == 0));
	switch (r->state) {
	case STS_SMTPREPLY_MORE:
		must(eaten.n == all && r->lines == lines);
		break;
	case STS_SMTPREPLY_WHOLE:
		must(r->lines == lines && eaten.p[eaten.n - 1] == '\n');
		must(lines_of(sts_buf_str(&r->text)) == lines);
		break;
	case STS_SMTPREPLY_GARBAGE:
		must(r->lines + 1 == lines && eaten.p[eaten.n - 1] == '\n');
		break;
	case STS_SMTPREPLY_FLOOD:
	case STS_SMTPREPLY_NOMEM:
		break;
	}
}

static void
check_same(const struct sts_smtpreply *a, const struct sts_smtpreply *b)
{
	must(a->state == b->state && a->code == b->code && a->lines == b->lines);
	must(sts_str_eq(sts_buf_str(&a->text), sts_buf_str(&b->text)));
	must(sts_str_eq(sts_smtpreply_first(a), sts_smtpreply_first(b)));
	must(sts_smtpreply_offers(a, STS_STR("STARTTLS")) ==
	    sts_smtpreply_offers(b, STS_STR("starttls")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str rest = { (const char *)data, size };
	struct sts_smtpreply whole = { .code = 0 }, pieces = { .code = 0 };

	do {
		size_t n = sts_smtpreply_eat(&whole, rest);

		must(n <= rest.n && n == eat_in_pieces(&pieces, rest, 1 + size % 7));
		check_state(&whole, sts_str_head(rest, n), rest.n);
		check_same(&whole, &pieces);
		rest = sts_str_from(rest, n);
		if (whole.state != STS_SMTPREPLY_WHOLE)
			break;
		sts_smtpreply_clear(&whole);
		sts_smtpreply_clear(&pieces);
	} while (rest.n > 0);
	sts_smtpreply_done(&whole);
	sts_smtpreply_done(&pieces);
	return 0;
}
