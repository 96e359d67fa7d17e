/* SPDX-License-Identifier: MIT */
/*
 * The policy file, RFC 8461 section 3.2, with the grammar of erratum 6253:
 *
 *	record    = field *WSP *(term field *WSP) [term]
 *	term      = LF / CRLF
 *	field     = version / mode / max-age / mx / extension
 *	version   = "version" delim "STSv1"
 *	mode      = "mode" delim ("testing" / "enforce" / "none")
 *	max-age   = "max_age" delim 1*10(DIGIT)
 *	mx        = "mx" delim ["*."] Domain
 *	extension = name delim value
 *	delim     = ":" *WSP
 *
 * One walk, line by line and in the order of that grammar, both decides and takes
 * notes. What is tolerated beyond the grammar stands in policy.h; it never touches
 * what the four fields say, because a line that was skipped there would change
 * which hosts may receive mail.
 */
#include "policy.h"

#include <string.h>

#include "addr.h"
#include "bounds.h"
#include "name.h"

/* RFC 8461 section 3.2: 1*10(DIGIT). */
#define MAX_AGE_DIGITS 10
#define EXTENSION_NAME_MAX 32
/* Some senders pass over a policy that lives less than a day. */
#define DAY 86400

#define BYTE_ORDER_MARK STS_STR("\xef\xbb\xbf")

enum field {
	FIELD_VERSION,
	FIELD_MODE,
	FIELD_MAX_AGE,
	FIELD_MX,
	FIELDS /* none of them: an extension */
};

static const struct sts_str field_names[FIELDS] = {
	[FIELD_VERSION] = { "version", 7 },
	[FIELD_MODE] = { "mode", 4 },
	[FIELD_MAX_AGE] = { "max_age", 7 },
	[FIELD_MX] = { "mx", 2 },
};

struct walk {
	sts_on_note *on_note;
	void *arg;
	size_t line; /* its number, from 1 */
	bool failed; /* an error was found */
	bool unread; /* a line was not even looked into: nothing is "missing" */
	bool seen[FIELDS];
	struct sts_policy policy;
};

static void
note(struct walk *w, enum sts_policy_note what, size_t line, struct sts_str text)
{
	if (what < STS_NOTE_FIRST_WARNING)
		w->failed = true;
	if (w->on_note != NULL)
		w->on_note(w->arg, what, line, text);
}

/* --- lines --- */

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static bool
begins(struct sts_str s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

static bool
ends(struct sts_str s, char c)
{
	return s.n > 0 && s.p[s.n - 1] == c;
}

/* The word at the start of a line, as long as it could be the name of a field. */
static struct sts_str
first_word(struct sts_str line)
{
	struct sts_str word = sts_str_head(line, 0);

	while (word.n < line.n && is_name_byte(line.p[word.n]))
		word.n++;
	return word;
}

static enum field
field_named(struct sts_str name)
{
	enum field f = FIELD_VERSION;

	while (f < FIELDS &&
	    (name.n != field_names[f].n || !sts_str_eq(name, field_names[f])))
		f++;
	return f;
}

/* Which field a line is, and what stands after its colon. */
static enum field
read_field(struct sts_str line, struct sts_str *value)
{
	struct sts_str name = first_word(line), rest = sts_str_from(line, name.n);
	enum field f = field_named(name);

	if (f == FIELDS || !begins(rest, ':'))
		return FIELDS;
	*value = sts_str_trim(sts_str_from(rest, 1));
	return f;
}

/* A line that begins with one of the four names and is not that field: blanks before
 * the name or the colon, or no colon. */
static enum field
damaged_field(struct sts_str line)
{
	return field_named(first_word(sts_str_trim(line)));
}

bool
sts_policy_line(struct sts_str *rest, struct sts_str *line)
{
	if (rest->n == 0)
		return false;
	if (sts_str_cut(rest, '\n', line) && ends(*line, '\r'))
		line->n--;
	return true;
}

/* --- mx --- */

/* Postfix reads "hostname" and "nexthop" in match= as keywords, and takes a numeric
 * top-level name for an address: neither can be answered with. */
static bool
is_usable(struct sts_str pattern)
{
	return !sts_name_is_single_label(pattern) && !sts_name_has_numeric_top(pattern);
}

static struct sts_str
without_dot(struct sts_str pattern)
{
	return ends(pattern, '.') ? sts_str_head(pattern, pattern.n - 1) : pattern;
}

static bool
has_upper(struct sts_str s)
{
	bool upper = false;

	for (size_t i = 0; i < s.n; i++)
		upper |= s.p[i] >= 'A' && s.p[i] <= 'Z';
	return upper;
}

static bool
has_any(struct sts_str s, struct sts_str bytes)
{
	struct sts_str head;

	for (size_t i = 0; i < bytes.n; i++) {
		struct sts_str rest = s;

		if (sts_str_cut(&rest, bytes.p[i], &head))
			return true;
	}
	return false;
}

static bool
is_address(struct sts_str s)
{
	struct sts_addr addr;

	if (begins(s, '[') && ends(s, ']') && s.n > 1)
		s = sts_str_head(sts_str_from(s, 1), s.n - 2);
	if (s.n > 5 && sts_str_eq_nocase(sts_str_head(s, 5), STS_STR("IPv6:")))
		s = sts_str_from(s, 5);
	return sts_addr_parse(s, &addr);
}

/* Why a value is no pattern. */
static enum sts_policy_note
mx_error(struct sts_str value)
{
	if (!sts_name_is_ascii(value))
		return STS_NOTE_MX_NON_ASCII;
	if (is_address(value))
		return STS_NOTE_MX_ADDRESS;
	if (has_any(value, STS_STR(" \t,;")))
		return STS_NOTE_MX_LIST;
	return STS_NOTE_MX_VALUE;
}

static void
read_unusable(struct walk *w, struct sts_str value, struct sts_str pattern)
{
	if (is_address(pattern))
		note(w, STS_NOTE_MX_ADDRESS, w->line, value);
	else if (sts_name_has_numeric_top(pattern))
		note(w, STS_NOTE_MX_NUMERIC, w->line, value);
	else
		note(w, STS_NOTE_MX_SINGLE_LABEL, w->line, value);
}

static void
read_mx(struct walk *w, struct sts_str value)
{
	struct sts_str pattern = without_dot(value);

	if (!sts_name_is_pattern(value)) {
		note(w, mx_error(value), w->line, value);
		return;
	}
	if (pattern.n < value.n)
		note(w, STS_NOTE_MX_DOT, w->line, value);
	if (w->on_note != NULL && has_upper(pattern))
		note(w, STS_NOTE_MX_CASE, w->line, value);
	if (is_usable(pattern))
		w->policy.mx_count++;
	else
		read_unusable(w, value, pattern);
}

/* --- the other fields --- */

static void
read_version(struct walk *w, struct sts_str value)
{
	if (!sts_str_eq(value, STS_STR("STSv1")))
		note(w, STS_NOTE_VERSION_VALUE, w->line, value);
}

static void
read_mode(struct walk *w, struct sts_str value)
{
	enum sts_mode mode = STS_MODE_NONE;

	while (mode <= STS_MODE_ENFORCE &&
	    !sts_str_eq(value, sts_str_of(sts_mode_text(mode))))
		mode++;
	if (mode > STS_MODE_ENFORCE)
		note(w, STS_NOTE_MODE_VALUE, w->line, value);
	else
		w->policy.mode = mode;
}

/* RFC 8461 section 3.2: at most 31557600, although its digits allow more (erratum
 * 7282); the maximum is what such a policy can have meant. */
static void
read_max_age(struct walk *w, struct sts_str value)
{
	unsigned long long seconds = 0;

	if (value.n > MAX_AGE_DIGITS || !sts_str_number(value, UINT64_MAX, &seconds)) {
		note(w, STS_NOTE_MAX_AGE_VALUE, w->line, value);
		return;
	}
	if (seconds > STS_MAX_AGE_MAX) {
		note(w, STS_NOTE_MAX_AGE_CLAMPED, w->line, value);
		seconds = STS_MAX_AGE_MAX;
	}
	if (seconds < DAY)
		note(w, STS_NOTE_MAX_AGE_SHORT, w->line, value);
	w->policy.max_age = (uint32_t)seconds;
}

/* value = vchar [*(SP / vchar) vchar], vchar printable or UTF-8 */
static bool
is_extension_value(struct sts_str value)
{
	uint32_t code = 0;

	if (value.n == 0)
		return false;
	while (value.n > 0) {
		size_t n = sts_str_utf8(value, &code);

		if (n == 0 || code < 0x20)
			return false;
		value = sts_str_from(value, n);
	}
	return true;
}

static bool
is_extension(struct sts_str line, struct sts_str *name)
{
	struct sts_str rest;
	char first;

	*name = first_word(line);
	if (name->n == 0 || name->n > EXTENSION_NAME_MAX)
		return false;
	first = name->p[0];
	rest = sts_str_from(line, name->n);
	return first != '_' && first != '-' && first != '.' && begins(rest, ':') &&
	    is_extension_value(sts_str_trim(sts_str_from(rest, 1)));
}

static bool
is_field_in_other_case(struct sts_str name)
{
	for (enum field f = FIELD_VERSION; f < FIELDS; f++)
		if (sts_str_eq_nocase(name, field_names[f]))
			return true;
	return false;
}

/* Unknown fields "SHALL be ignored" (section 3.2), malformed ones are too. */
static void
read_extension(struct walk *w, struct sts_str line)
{
	struct sts_str name;

	if (w->on_note == NULL)
		return;
	if (!is_extension(line, &name))
		note(w, STS_NOTE_LINE_MALFORMED, w->line, line);
	else if (is_field_in_other_case(name))
		note(w, STS_NOTE_KEY_CASE, w->line, line);
	else
		note(w, STS_NOTE_KEY_UNKNOWN, w->line, line);
}

/* --- the walk --- */

static void
read_damaged(struct walk *w, enum field f, struct sts_str line)
{
	static const enum sts_policy_note errors[FIELDS] = {
		[FIELD_VERSION] = STS_NOTE_VERSION_VALUE,
		[FIELD_MODE] = STS_NOTE_MODE_VALUE,
		[FIELD_MAX_AGE] = STS_NOTE_MAX_AGE_VALUE,
		[FIELD_MX] = STS_NOTE_MX_VALUE,
	};

	note(w, errors[f], w->line, line);
}

/*
 * Is there a byte below 0x20, or a DEL? Eight bytes at a time, as every byte of every
 * policy is asked: subtracting borrows into the top bit of a byte that was smaller.
 */
static bool
has_low_byte(struct sts_str s)
{
	const uint64_t ones = UINT64_MAX / 255, tops = ones << 7;
	uint64_t low = 0;

	for (size_t at = 0; at < s.n; at += sizeof(low)) {
		uint64_t eight = ones * ' ', del;

		if (s.n - at >= sizeof(eight))
			memcpy(&eight, s.p + at, sizeof(eight));
		else
			memcpy(&eight, s.p + at, s.n - at);
		del = eight ^ ones * 0x7f;
		low |= ((eight - ones * ' ') & ~eight) | ((del - ones) & ~del);
	}
	return (low & tops) != 0;
}

/* NUL and controls but TAB; a CR that ends no line is told apart, since it comes from
 * editors and not from an attack. */
static bool
has_control(struct walk *w, struct sts_str line)
{
	bool cr = false, other = false;

	if (!has_low_byte(line))
		return false;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c == '\r')
			cr = true;
		else if ((c < 0x20 && c != '\t') || c == 0x7f)
			other = true;
	}
	if (cr)
		note(w, STS_NOTE_BARE_CR, w->line, line);
	if (other)
		note(w, STS_NOTE_CONTROL_BYTE, w->line, line);
	return cr || other;
}

static void
read_line(struct walk *w, struct sts_str line)
{
	static void (*const readers[FIELDS])(struct walk *, struct sts_str) = {
		[FIELD_VERSION] = read_version,
		[FIELD_MODE] = read_mode,
		[FIELD_MAX_AGE] = read_max_age,
		[FIELD_MX] = read_mx,
	};
	struct sts_str value = STS_STR_NONE;
	enum field f;
	bool whole;

	if (has_control(w, line)) {
		w->unread = true;
		return;
	}
	if (line.n == 0 || sts_str_trim(line).n == 0) {
		note(w, STS_NOTE_BLANK_LINE, w->line, line);
		return;
	}
	f = read_field(line, &value);
	whole = f != FIELDS;
	if (!whole)
		f = damaged_field(line);
	if (f == FIELDS) {
		read_extension(w, line);
		return;
	}
	/* "all entries except for the first SHALL be ignored" (section 3.2). */
	if (f != FIELD_MX && w->seen[f]) {
		note(w, STS_NOTE_DUPLICATE, w->line, line);
		return;
	}
	w->seen[f] = true;
	if (whole)
		readers[f](w, value);
	else
		read_damaged(w, f, line);
}

static void
check_whole(struct walk *w)
{
	struct sts_str text = w->policy.text;

	if (!w->seen[FIELD_VERSION])
		note(w, STS_NOTE_VERSION_MISSING, 0, text);
	if (!w->seen[FIELD_MODE])
		note(w, STS_NOTE_MODE_MISSING, 0, text);
	if (!w->seen[FIELD_MAX_AGE])
		note(w, STS_NOTE_MAX_AGE_MISSING, 0, text);
	if (w->policy.mode == STS_MODE_NONE)
		return;
	if (!w->seen[FIELD_MX])
		note(w, STS_NOTE_MX_MISSING, 0, text);
	else if (!w->failed && w->policy.mx_count == 0)
		note(w, STS_NOTE_MX_NONE_LEFT, 0, text);
}

enum sts_err
sts_policy_parse(struct sts_str text, struct sts_policy *policy, sts_on_note *on_note,
    void *arg)
{
	struct walk w = { .on_note = on_note, .arg = arg };
	struct sts_str rest, line;

	if (text.n > STS_POLICY_MAX) {
		note(&w, STS_NOTE_TOO_BIG, 0, text);
		return STS_ERR_POLICY_SYNTAX;
	}
	rest = sts_policy_text(text);
	if (rest.n < text.n)
		note(&w, STS_NOTE_BYTE_ORDER_MARK, 1,
		    sts_str_head(text, text.n - rest.n));
	w.policy.text = rest;
	while ((!w.failed || on_note != NULL) && sts_policy_line(&rest, &line)) {
		w.line++;
		read_line(&w, line);
	}
	if (!w.unread)
		check_whole(&w);
	if (w.failed)
		return STS_ERR_POLICY_SYNTAX;
	*policy = w.policy;
	return STS_OK;
}

/* --- what a valid policy says --- */

struct sts_str
sts_policy_text(struct sts_str file)
{
	bool marked = sts_str_starts(file, BYTE_ORDER_MARK);

	return sts_str_from(file, marked ? BYTE_ORDER_MARK.n : 0);
}

bool
sts_policy_mx_all(struct sts_str *rest, struct sts_str *pattern)
{
	bool found = false;
	struct sts_str line;

	/* Of a valid policy's lines no other begins like that. */
	while (!found && rest->n > 0) {
		found = sts_str_starts(*rest, STS_STR("mx:"));
		(void)sts_policy_line(rest, &line);
	}
	if (found)
		*pattern = without_dot(sts_str_trim(sts_str_from(line, 3)));
	return found;
}

bool
sts_policy_mx(struct sts_str *rest, struct sts_str *pattern)
{
	struct sts_str next;

	while (sts_policy_mx_all(rest, &next)) {
		if (is_usable(next)) {
			*pattern = next;
			return true;
		}
	}
	return false;
}

/* --- words --- */

static const struct {
	const char *id;
	const char *text;
} notes[STS_NOTES] = {
	[STS_NOTE_VERSION_MISSING] = { "POL01",
	    "the version is missing: add \"version: STSv1\"" },
	[STS_NOTE_VERSION_VALUE] = { "POL01",
	    "the version must be exactly \"version: STSv1\"" },
	[STS_NOTE_MODE_MISSING] = { "POL02",
	    "the mode is missing: add \"mode: enforce\", \"testing\" or \"none\"" },
	[STS_NOTE_MODE_VALUE] = { "POL02", "the mode must be enforce, testing or none" },
	[STS_NOTE_MAX_AGE_MISSING] = { "POL03",
	    "max_age is missing: add \"max_age: 604800\"" },
	[STS_NOTE_MAX_AGE_VALUE] = { "POL03", "max_age must be 1 to 10 digits: seconds" },
	[STS_NOTE_MX_MISSING] = { "POL06",
	    "no mx: add one line \"mx: HOST\" for each MX host" },
	[STS_NOTE_MX_VALUE] = { "POL11",
	    "mx must be a host name, or \"*.\" and a host name" },
	[STS_NOTE_MX_LIST] = { "POL10",
	    "several names in one mx: give each a line of its own" },
	[STS_NOTE_MX_ADDRESS] = { "POL09",
	    "an mx cannot be an IP address: write the host name" },
	[STS_NOTE_MX_NON_ASCII] = { "POL12",
	    "an mx must be ASCII: write the A-label (xn--...)" },
	[STS_NOTE_MX_NONE_LEFT] = { "POL18",
	    "no mx is a full host name: no host can ever match" },
	[STS_NOTE_CONTROL_BYTE] = { "POL19",
	    "the line has a NUL or another control byte" },
	[STS_NOTE_BARE_CR] = { "POL14", "a CR without LF: lines must end in LF or CRLF" },
	[STS_NOTE_TOO_BIG] = { "POL20", "the policy is larger than 65536 bytes" },
	[STS_NOTE_KEY_CASE] = { "POL21",
	    "field names are lower case: this line is ignored" },
	[STS_NOTE_KEY_UNKNOWN] = { "POL07", "unknown field: this line is ignored" },
	[STS_NOTE_LINE_MALFORMED] = { "POL22",
	    "not \"name: value\": this line is ignored, and some senders refuse the policy" },
	[STS_NOTE_DUPLICATE] = { "POL08",
	    "the field was given before: the first one counts" },
	[STS_NOTE_MAX_AGE_CLAMPED] = { "POL04",
	    "max_age is above 31557600: it counts as that" },
	[STS_NOTE_MAX_AGE_SHORT] = { "POL05",
	    "max_age is below a day: some senders ignore such a policy" },
	[STS_NOTE_MX_DOT] = { "POL13", "a dot at the end of mx: remove it" },
	[STS_NOTE_MX_CASE] = { "POL23", "upper case in mx: write it in lower case" },
	[STS_NOTE_MX_SINGLE_LABEL] = { "POL24", "an mx of a single label is not used" },
	[STS_NOTE_MX_NUMERIC] = { "POL25",
	    "an mx with a numeric top-level name is not used" },
	[STS_NOTE_BYTE_ORDER_MARK] = { "POL14",
	    "a byte order mark at the start: some senders refuse the policy" },
	[STS_NOTE_BLANK_LINE] = { "POL14",
	    "a blank line: some senders refuse the policy" },
};

const char *
sts_policy_note_text(enum sts_policy_note what)
{
	return notes[what].text;
}

const char *
sts_policy_note_id(enum sts_policy_note what)
{
	return notes[what].id;
}

const char *
sts_mode_text(enum sts_mode mode)
{
	static const char *const texts[] = {
		[STS_MODE_NONE] = "none",
		[STS_MODE_TESTING] = "testing",
		[STS_MODE_ENFORCE] = "enforce",
	};

	return texts[mode];
}
