/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "addr.h"

const struct value_unit value_seconds[] = {
	{ 's', 1, 0 },
	{ 'm', 60, 120 }, /* people say 60s, not 1m, of a time-out */
	{ 'h', 3600, 3600 },
	{ 'd', 86400, 86400 },
	{ 'w', 604800, 604800 },
	{ '\0', 0, 0 },
};
const struct value_unit value_bytes[] = {
	{ 'K', 1 << 10, 1 << 20 }, /* and 65536 of a reply's bytes */
	{ 'M', 1 << 20, 1 << 20 },
	{ 'G', 1 << 30, 1 << 30 },
	{ '\0', 0, 0 },
};

bool
value_wrong(struct value_why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	why->ours = false;
	return false;
}

bool
value_no_memory(struct value_why *why)
{
	(void)value_wrong(why, "out of memory");
	why->ours = true;
	return false;
}

static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c <= '~' && c != '\\';
}

const char *
value_quote(struct sts_str text, char out[VALUE_QUOTED])
{
	static const char hex[] = "0123456789abcdef";
	const size_t room = VALUE_QUOTED - sizeof("\\xff...'");
	size_t n = 0;
	size_t i;

	out[n++] = '\'';
	for (i = 0; i < text.n && n < room; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_plain(c)) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	(void)snprintf(out + n, VALUE_QUOTED - n, "%s'", i < text.n ? "..." : "");
	return out;
}

static const struct value_unit *
find_unit(const struct value_unit *units, char suffix)
{
	for (; units->factor != 0; units++) {
		if (units->suffix == suffix)
			return units;
	}
	return NULL;
}

static bool
not_a_number(struct sts_str text, const struct value_unit *units, struct value_why *why)
{
	char quoted[VALUE_QUOTED];

	(void)value_quote(text, quoted);
	if (units == value_seconds)
		return value_wrong(why,
		    "%s is no duration: a number and one unit of s, m, h, d, w", quoted);
	if (units == value_bytes)
		return value_wrong(why, "%s is no size: a number, and K, M, G or nothing",
		    quoted);
	return value_wrong(why, "%s is no number", quoted);
}

bool
value_number(struct sts_str text, const struct value_unit *units, uint64_t min,
    uint64_t max, uint64_t *value, struct value_why *why)
{
	const struct value_unit *unit = NULL;
	struct sts_str digits = text;
	struct sts_buf limits = { .limit = 64 };
	unsigned long long n;

	if (units != NULL && text.n > 0)
		unit = find_unit(units, text.p[text.n - 1]);
	if (unit != NULL)
		digits.n--;
	if (!sts_str_number(digits, UINT64_MAX, &n))
		return not_a_number(text, units, why);
	if (unit != NULL && n > UINT64_MAX / unit->factor)
		n = UINT64_MAX; /* out of any range, and so said below */
	else if (unit != NULL)
		n *= unit->factor;
	if (n >= min && n <= max) {
		*value = n;
		return true;
	}
	value_put_number(&limits, units, min);
	sts_put_text(&limits, " to ");
	value_put_number(&limits, units, max);
	sts_put_char(&limits, '\0');
	if (limits.bad)
		(void)value_no_memory(why);
	else
		(void)value_wrong(why, "must be from %s", limits.p);
	sts_buf_done(&limits);
	return false;
}

void
value_put_number(struct sts_buf *to, const struct value_unit *units, uint64_t value)
{
	const struct value_unit *best = NULL;

	for (const struct value_unit *u = units; u != NULL && u->factor != 0; u++) {
		if (value != 0 && value % u->factor == 0 && value >= u->from)
			best = u;
	}
	sts_put_number(to, best != NULL ? value / best->factor : value);
	if (best != NULL)
		sts_put_char(to, best->suffix);
}

bool
value_boolean(struct sts_str text, bool *value, struct value_why *why)
{
	char quoted[VALUE_QUOTED];

	if (sts_str_eq(text, STS_STR("yes")))
		*value = true;
	else if (sts_str_eq(text, STS_STR("no")))
		*value = false;
	else
		return value_wrong(why, "%s is neither yes nor no",
		    value_quote(text, quoted));
	return true;
}

bool
value_mode(struct sts_str text, unsigned *value, struct value_why *why)
{
	char quoted[VALUE_QUOTED];
	struct sts_cursor c = { text, false };
	struct sts_str digits = sts_eat_run(&c, "01234567", 1, 4);
	unsigned mode = 0;

	for (size_t i = 0; i < digits.n; i++)
		mode = mode * 8 + (unsigned)(digits.p[i] - '0');
	if (c.bad || c.rest.n > 0 || mode > 0777)
		return value_wrong(why, "%s is no mode: octal, 0000 to 0777",
		    value_quote(text, quoted));
	*value = mode;
	return true;
}

static void
list_words(const struct value_word *words, char *list, size_t size)
{
	size_t n = 0;

	list[0] = '\0';
	for (const struct value_word *w = words; w->text != NULL && n < size; w++)
		n += (size_t)snprintf(list + n, size - n, "%s%s", w == words ? "" : ", ",
		    w->text);
}

bool
value_word(struct sts_str text, const struct value_word *words, int *value,
    struct value_why *why)
{
	char quoted[VALUE_QUOTED];
	char list[100];

	for (const struct value_word *w = words; w->text != NULL; w++) {
		if (sts_str_eq(text, sts_str_of(w->text))) {
			*value = w->value;
			return true;
		}
	}
	list_words(words, list, sizeof(list));
	return value_wrong(why, "%s is not known; what is: %s", value_quote(text, quoted),
	    list);
}

/* Half of what Linux takes: a setting must fit in one line of the file, and be shown. */
#define PATH_LENGTH_MAX 2047

const char *
value_path_problem(struct sts_str text)
{
	if (text.n == 0 || text.p[0] != '/')
		return "is no absolute path: it must begin with /";
	if (text.n > PATH_LENGTH_MAX)
		return "is too long a path";
	return NULL;
}

const char *
value_account_problem(struct sts_str text)
{
	struct sts_cursor c = { text, false };

	(void)sts_eat_run(&c,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-@$", 1,
	    255);
	if (c.bad || c.rest.n > 0 || text.p[0] == '-')
		return "is no name of an account";
	return NULL;
}

static bool
is_v6(struct sts_str text, struct sts_addr *addr)
{
	return sts_addr_parse(text, addr) && addr->v6;
}

bool
value_server(struct sts_str text, struct sts_buf *to, struct value_why *why)
{
	char shown[STS_ADDR_TEXT];
	char quoted[VALUE_QUOTED];
	struct sts_addr addr;
	struct sts_str rest = text;
	struct sts_str host;
	unsigned long long port = 0;
	bool has_port = false;
	bool good;

	if (sts_addr_parse(text, &addr)) {
		good = true;
	} else if (sts_str_starts(text, STS_STR("["))) {
		rest = sts_str_from(rest, 1);
		good = sts_str_cut(&rest, ']', &host) && is_v6(host, &addr);
		has_port = rest.n > 0;
		good = good && (!has_port || rest.p[0] == ':');
		if (good && has_port)
			rest = sts_str_from(rest, 1);
	} else {
		has_port = sts_str_cut(&rest, ':', &host);
		good = has_port && sts_addr_parse(host, &addr) && !addr.v6;
	}
	if (good && has_port)
		good = sts_str_number(rest, 65535, &port) && port > 0;
	if (!good)
		return value_wrong(why,
		    "%s is no DNS server: ADDRESS, ADDRESS:PORT or [V6]:PORT",
		    value_quote(text, quoted));

	(void)sts_addr_text(&addr, shown);
	sts_put_text(to, addr.v6 ? "[" : "");
	sts_put_text(to, shown);
	sts_put_text(to, addr.v6 ? "]" : "");
	if (has_port) {
		sts_put_char(to, ':');
		sts_put_number(to, port);
	}
	return !to->bad || value_no_memory(why);
}

/* Longer names are nobody's typing slip. */
#define DISTANCE_MAX 40

static size_t
least(size_t a, size_t b, size_t c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

size_t
value_distance(struct sts_str a, struct sts_str b)
{
	size_t
	    row[DISTANCE_MAX + 1]; /* of Levenshtein's matrix, the one for a's byte i */

	if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			size_t swap = diagonal + (a.p[i - 1] != b.p[j - 1]);

			diagonal = row[j];
			row[j] = least(swap, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[b.n];
}
