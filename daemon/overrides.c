/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "date.h"
#include "lines.h"
#include "name.h"
#include "value.h"

/*
 * A file of overrides becomes one hash table whose keys are the domains as written:
 * "example.com", or ".example.com" for all names below it. A domain is looked up with
 * the hashes of all its tails, which one walk from its last byte to its first computes;
 * the longest tail that is a key wins.
 */
struct override {
	size_t key, key_n; /* in the text */
	size_t reply, reply_n;
	int64_t last_day; /* DAY_NEVER: no end */
	size_t line;	  /* of the file, for the error about a second one */
};
#define DAY_NEVER INT64_MAX

struct overrides {
	struct sts_buf text; /* all keys and replies */
	struct override *all;
	size_t count, room;
	size_t *slots; /* 1 + place in all; 0: free */
	size_t mask;
};

/* --- The table --- */

/* FNV-1a, from the end: the hash of a tail is a step on the way to that of the whole. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)

static uint64_t
hash_step(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)c) * HASH_PRIME;
}

static uint64_t
hash_of(struct sts_str key)
{
	uint64_t hash = HASH_START;

	for (size_t i = key.n; i > 0; i--)
		hash = hash_step(hash, key.p[i - 1]);
	return hash;
}

static struct sts_str
key_of(const struct overrides *o, const struct override *v)
{
	return (struct sts_str){ o->text.p + v->key, v->key_n };
}

static size_t *
slot_of(const struct overrides *o, struct sts_str key, uint64_t hash)
{
	size_t i = (size_t)(hash ^ (hash >> 32)) & o->mask;

	while (o->slots[i] != 0 && !sts_str_eq(key_of(o, &o->all[o->slots[i] - 1]), key))
		i = (i + 1) & o->mask;
	return &o->slots[i];
}

/* Room for twice as many; at most half the slots are in use. */
static bool
grow(struct overrides *o)
{
	size_t room = o->room > 0 ? 2 * o->room : 16;
	struct override *all = reallocarray(o->all, room, sizeof(*all));
	size_t *slots = calloc(2 * room, sizeof(*slots));

	if (all != NULL)
		o->all = all;
	if (all == NULL || slots == NULL) {
		free(slots);
		return false;
	}
	free(o->slots);
	o->slots = slots;
	o->room = room;
	o->mask = 2 * room - 1;
	for (size_t i = 0; i < o->count; i++) {
		struct sts_str key = key_of(o, &o->all[i]);

		*slot_of(o, key, hash_of(key)) = i + 1;
	}
	return true;
}

/* --- One line: DOMAIN REPLY [until YYYY-MM-DD] --- */

struct line {
	struct sts_str domain; /* without its dot */
	bool below;	       /* it had one */
	struct sts_str level;
	struct sts_str match; /* empty: none */
	struct sts_str servername;
	int64_t last_day;
};

static struct sts_str
next_word(struct sts_str *rest)
{
	struct sts_str word;

	*rest = sts_str_trim(*rest);
	word = (struct sts_str){ rest->p, 0 };
	while (word.n < rest->n && rest->p[word.n] != ' ' && rest->p[word.n] != '\t')
		word.n++;
	*rest = sts_str_trim(sts_str_from(*rest, word.n));
	return word;
}

static bool
is_name(struct sts_str s)
{
	return sts_name_is_host(s) && !sts_name_has_numeric_top(s);
}

static const char *
domain_problem(struct sts_str word, struct line *line)
{
	line->below = sts_str_starts(word, STS_STR("."));
	line->domain = sts_str_from(word, line->below ? 1 : 0);
	if (sts_str_ends(line->domain, STS_STR(".")))
		line->domain.n--;
	if (!sts_name_is_ascii(word))
		return "is not ASCII: write its A-label form (xn--...)";
	if (memchr(word.p, '[', word.n) != NULL || memchr(word.p, ':', word.n) != NULL)
		return "has brackets or a port: write the domain alone, they are dropped "
		       "before it is compared";
	if (!is_name(line->domain))
		return "is no domain";
	if (!line->below && !sts_name_is_policy_domain(line->domain))
		return "is no domain that Postfix's question could match: too long, or a "
		       "single label";
	return NULL;
}

/* NAME[:NAME]...; "hostname" and "nexthop", Postfix's keywords, are single labels. */
static const char *
match_problem(struct sts_str names)
{
	struct sts_str name;
	bool more;

	do {
		more = sts_str_cut(&names, ':', &name);
		if (sts_str_starts(name, STS_STR(".")))
			name = sts_str_from(name, 1);
		if (!is_name(name) || sts_name_is_single_label(name))
			return "needs match=NAME[:NAME]..., each a host name or .DOMAIN";
	} while (more);
	return NULL;
}

static const char *
attribute_problem(struct sts_str word, struct line *line)
{
	struct sts_str value = word;
	struct sts_str name;

	if (!sts_str_cut(&value, '=', &name))
		return "is followed by neither match=, servername= nor until";
	if (sts_str_eq(name, STS_STR("match"))) {
		if (line->match.n > 0)
			return "has two match=";
		line->match = value;
		return match_problem(value);
	}
	if (!sts_str_eq(name, STS_STR("servername")))
		return "takes no attributes but match= and servername=";
	if (line->servername.n > 0)
		return "has two servername=";
	line->servername = value;
	if (!sts_str_eq(value, STS_STR("hostname")) &&
	    (!is_name(value) || sts_name_is_single_label(value)))
		return "needs a host name in servername=";
	return NULL;
}

static const char *
end_problem(struct sts_str rest, struct line *line)
{
	struct sts_str day = next_word(&rest);

	if (!date_parse(day, &line->last_day))
		return "needs a day that exists after until: YYYY-MM-DD";
	return rest.n > 0 ? "has more after its last day" : NULL;
}

static bool
is_one_of(struct sts_str word, const char *const *words)
{
	while (*words != NULL && !sts_str_eq(word, sts_str_of(*words)))
		words++;
	return *words != NULL;
}

static const char *
reply_problem(struct sts_str rest, struct line *line)
{
	static const char *const plain[] = { "notfound", "temp", "may", "encrypt", "dane",
		"dane-only", NULL };
	static const char *const checked[] = { "secure", "verify", NULL };
	const char *problem = NULL;
	bool attributes;

	line->level = next_word(&rest);
	attributes = is_one_of(line->level, checked);
	if (!attributes && !is_one_of(line->level, plain))
		return "needs a reply: notfound, temp, may, encrypt, dane, dane-only, secure "
		       "or verify";
	while (problem == NULL && rest.n > 0) {
		struct sts_str word = next_word(&rest);

		if (sts_str_eq(word, STS_STR("until"))) {
			problem = end_problem(rest, line);
			break;
		}
		problem = attributes ? attribute_problem(word, line)
				     : "takes nothing but until YYYY-MM-DD";
	}
	if (problem == NULL && attributes && line->match.n == 0)
		problem = "needs match=NAME[:NAME]...";
	return problem;
}

/* --- From lines to the table --- */

static void
put_reply(struct sts_buf *to, const struct line *line)
{
	struct sts_str domain = line->domain;

	if (sts_str_eq(line->level, STS_STR("notfound"))) {
		sts_put_text(to, "NOTFOUND ");
	} else if (sts_str_eq(line->level, STS_STR("temp"))) {
		if (domain.n > PF_REASON_DOMAIN_MAX)
			domain = sts_str_from(domain, domain.n - PF_REASON_DOMAIN_MAX);
		sts_put_text(to, "TEMP ");
		sts_put_lower(to, domain);
		sts_put_text(to, ": override");
	} else {
		sts_put_text(to, "OK ");
		sts_put(to, line->level);
	}
	if (line->match.n > 0) {
		sts_put_text(to, " match=");
		sts_put_lower(to, line->match);
	}
	if (line->servername.n > 0) {
		sts_put_text(to, " servername=");
		sts_put_lower(to, line->servername);
	}
}

/* False: out of memory. *earlier: the line that has this domain already, 0 without. */
static bool
add(struct overrides *o, const struct line *line, size_t number, size_t *earlier)
{
	struct override v = { .key = o->text.n,
		.last_day = line->last_day,
		.line = number };
	struct sts_str key;
	size_t *slot;

	*earlier = 0;
	if (o->count == o->room && !grow(o))
		return false;
	sts_put_text(&o->text, line->below ? "." : "");
	sts_put_lower(&o->text, line->domain);
	if (o->text.bad)
		return false;
	v.key_n = o->text.n - v.key;
	key = key_of(o, &v);
	slot = slot_of(o, key, hash_of(key));
	if (*slot != 0) {
		*earlier = o->all[*slot - 1].line;
		return true;
	}
	v.reply = o->text.n;
	put_reply(&o->text, line);
	if (o->text.bad)
		return false;
	v.reply_n = o->text.n - v.reply;
	o->all[o->count++] = v;
	*slot = o->count;
	return true;
}

static void
read_line(struct overrides *o, struct sts_str text, const struct lines *at, int64_t today,
    struct config_errors *notices)
{
	struct line line = { .last_day = DAY_NEVER };
	struct sts_str word = next_word(&text);
	const char *problem = domain_problem(word, &line);
	char quoted[VALUE_QUOTED];
	size_t earlier = 0;

	(void)value_quote(word, quoted);
	if (problem == NULL)
		problem = reply_problem(text, &line);
	if (problem != NULL) {
		config_complain(at->errors, "%s:%zu: %s %s", at->name, at->number, quoted,
		    problem);
	} else if (line.last_day < today) {
		config_complain(notices,
		    "%s:%zu: the override of %s has expired, skipped", at->name,
		    at->number, quoted);
	} else if (!add(o, &line, at->number, &earlier)) {
		config_complain_errno(at->errors, at->name, ENOMEM);
	} else if (earlier != 0) {
		config_complain(at->errors, "%s:%zu: %s stands in line %zu already",
		    at->name, at->number, quoted, earlier);
	}
}

static int64_t
day_of(int64_t now)
{
	return now / DATE_SECONDS;
}

struct overrides *
overrides_parse(struct sts_str text, const char *name, int64_t now,
    struct config_errors *errors, struct config_errors *notices)
{
	struct overrides *o = calloc(1, sizeof(*o));
	size_t before = errors->made;
	struct lines lines;
	struct sts_str line;

	if (o == NULL || !grow(o)) {
		config_complain_errno(errors, "overrides", ENOMEM);
		overrides_free(o);
		return NULL;
	}
	lines_start(&lines, text, name, errors);
	while (lines_next(&lines, &line))
		read_line(o, line, &lines, day_of(now), notices);
	if (errors->made == before)
		return o;
	overrides_free(o);
	return NULL;
}

void
overrides_free(struct overrides *o)
{
	if (o == NULL)
		return;
	sts_buf_done(&o->text);
	free(o->all);
	free(o->slots);
	free(o);
}

size_t
overrides_count(const struct overrides *o)
{
	return o != NULL ? o->count : 0;
}

/* --- The question --- */

struct sts_str
overrides_find(const struct overrides *o, struct sts_str domain, int64_t now)
{
	const struct override *best = NULL;
	uint64_t hash = HASH_START;

	if (o == NULL || o->count == 0)
		return STS_STR_NONE;
	for (size_t i = domain.n; i > 0; i--) {
		size_t at = i - 1;
		size_t slot;

		hash = hash_step(hash, domain.p[at]);
		/* Keys are ".example.com", and the whole domain. */
		if (at > 0 && domain.p[at] != '.')
			continue;
		slot = *slot_of(o, sts_str_from(domain, at), hash);
		if (slot != 0 && o->all[slot - 1].last_day >= day_of(now))
			best = &o->all[slot - 1];
	}
	if (best == NULL)
		return STS_STR_NONE;
	return (struct sts_str){ o->text.p + best->reply, best->reply_n };
}
