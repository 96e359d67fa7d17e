/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include "base64.h"
#include "bounds.h"
#include "lines.h"
#include "name.h"
#include "policy.h"

#define FIRST_LINE "stsd-export 1"
#define FAMILY "stsd-export "
#define FIELDS 6

void
exchange_put_start(struct sts_buf *to)
{
	sts_put_text(to, FIRST_LINE "\n");
}

void
exchange_put_entry(struct sts_buf *to, const struct exchange_entry *e)
{
	sts_put(to, e->domain);
	sts_put_char(to, '\t');
	sts_put(to, e->id.n > 0 ? e->id : STS_STR("-"));
	sts_put_char(to, '\t');
	sts_put_number(to, (uint64_t)e->fetched);
	sts_put_char(to, '\t');
	sts_put_number(to, e->max_age);
	sts_put_char(to, '\t');
	sts_put_number(to, (uint64_t)e->asked);
	sts_put_char(to, '\t');
	base64_put(to, e->policy);
	sts_put_char(to, '\n');
}

void
exchange_put_end(struct sts_buf *to, size_t count)
{
	sts_put_text(to, "end ");
	sts_put_number(to, count);
	sts_put_char(to, '\n');
}

/* Lower case, so that each domain has one key. */
static bool
is_domain(struct sts_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (sts_lower(s.p[i]) != s.p[i])
			return false;
	return sts_name_is_policy_domain(s);
}

/* id = 1*32(ALPHA / DIGIT), RFC 8461 section 3.1. */
static bool
is_id(struct sts_str s)
{
	struct sts_cursor c = { s, false };

	(void)sts_eat_run(&c,
	    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 1,
	    STS_ID_MAX);
	return !c.bad && c.rest.n == 0;
}

const char *
exchange_judge(const struct exchange_entry *e, int64_t now)
{
	struct sts_policy policy;

	if (!is_domain(e->domain))
		return "not a domain in lower case that can have a policy";
	if (e->id.n > 0 && !is_id(e->id))
		return "the id is not 1 to 32 letters and digits, or -";
	if (e->fetched <= 0)
		return "the time of the fetch is missing";
	if (e->fetched > now)
		return "fetched in the future";
	if (e->asked < 0)
		return "the time of the last question is no time";
	if (sts_policy_parse(e->policy, &policy, NULL, NULL) != STS_OK)
		return "the policy is invalid; decode it, and see stsd-query "
		       "--lint-policy";
	if (e->max_age !=
	    (policy.max_age > STS_MAX_AGE_MIN ? policy.max_age : STS_MAX_AGE_MIN))
		return "max_age is not that of the policy, or 60 where that is less";
	return NULL;
}

struct reading {
	struct sts_str rest;
	const char *name;
	size_t line, count;
	int64_t now;
	exchange_on_entry *on;
	void *arg;
	struct config_errors *errors;
	size_t wrong; /* how many lines; without memory the complaints may be fewer */
	struct sts_buf policy;
	char shown[LINES_NAME_MAX + 1];
};

static void
complain(struct reading *r, const char *what)
{
	r->wrong++;
	config_complain(r->errors, "%s:%zu: %s", r->shown, r->line, what);
}

/* Lines may have come over a system that ends them with CR LF. */
static bool
next_line(struct reading *r, struct sts_str *line)
{
	if (r->rest.n == 0)
		return false;
	r->line++;
	(void)sts_str_cut(&r->rest, '\n', line);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static bool
read_seconds(struct sts_str text, int64_t *seconds)
{
	unsigned long long number;

	if (!sts_str_number(text, INT64_MAX, &number))
		return false;
	*seconds = (int64_t)number;
	return true;
}

/* NULL, or what is wrong. */
static const char *
read_fields(struct reading *r, struct sts_str line, struct exchange_entry *e)
{
	struct sts_str field[FIELDS];
	unsigned long long max_age;
	size_t n = 0;
	bool more;

	do {
		more = sts_str_cut(&line, '\t', &field[n++]);
	} while (more && n < FIELDS);
	if (more || n != FIELDS)
		return "a line has 6 fields with one TAB between them: domain, id, "
		       "fetched, max_age, asked, policy";
	if (!read_seconds(field[2], &e->fetched) || !read_seconds(field[4], &e->asked) ||
	    !sts_str_number(field[3], STS_MAX_AGE_MAX, &max_age))
		return "fetched, max_age and asked are seconds, in digits";
	sts_buf_clear(&r->policy);
	if (!base64_read(field[5], &r->policy))
		return "the policy is no base64";
	if (r->policy.bad)
		return r->policy.full ? "the policy is too long" : "out of memory";
	e->domain = field[0];
	e->id = sts_str_eq(field[1], STS_STR("-")) ? STS_STR_NONE : field[1];
	e->max_age = (uint32_t)max_age;
	e->policy = sts_buf_str(&r->policy);
	return exchange_judge(e, r->now);
}

static bool
read_entry(struct reading *r, struct sts_str line)
{
	struct exchange_entry e = { .fetched = 0 };
	const char *wrong = read_fields(r, line, &e);

	r->count++;
	if (wrong == NULL)
		return r->on == NULL || r->on(r->arg, &e);
	complain(r, wrong);
	return r->wrong < EXCHANGE_ERRORS_MAX;
}

static void
read_end(struct reading *r, struct sts_str number)
{
	unsigned long long count;

	if (!sts_str_number(number, SIZE_MAX, &count) || count != r->count)
		complain(r, "the last line counts other policies than there are");
	else if (r->rest.n > 0)
		complain(r, "something follows the last line");
}

static bool
read_first(struct reading *r)
{
	struct sts_str line = STS_STR_NONE;

	if (!next_line(r, &line))
		r->line = 1;
	if (sts_str_eq(line, STS_STR(FIRST_LINE)))
		return true;
	complain(r,
	    sts_str_starts(line, STS_STR(FAMILY))
		? "this is an export of another version of stsd; it is not \"" FIRST_LINE
		  "\""
		: "no export of stsd: the first line is not \"" FIRST_LINE "\"");
	return false;
}

static void
read_rest(struct reading *r)
{
	struct sts_str line;

	while (next_line(r, &line)) {
		if (sts_str_starts(line, STS_STR("end "))) {
			read_end(r, sts_str_from(line, 4));
			return;
		}
		if (!read_entry(r, line))
			return;
	}
	r->line++;
	complain(r, "the last line, \"end N\", is missing: the text was cut off");
}

bool
exchange_read(struct sts_str text, const char *name, int64_t now, exchange_on_entry *on,
    void *arg, struct config_errors *errors)
{
	struct reading r = { .rest = text,
		.now = now,
		.on = on,
		.arg = arg,
		.errors = errors,
		.policy = { .limit = STS_POLICY_MAX } };

	lines_show_name(name, r.shown);
	if (read_first(&r))
		read_rest(&r);
	sts_buf_done(&r.policy);
	return r.wrong == 0;
}
