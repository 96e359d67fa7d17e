/* SPDX-License-Identifier: MIT */
#ifndef STS_POLICY_H
#define STS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "str.h"

/*
 * The policy file, RFC 8461 section 3.2 with erratum 6253 (LF or CRLF). A policy
 * is views into its text: whoever holds the text holds everything.
 *
 * Tolerated although outside the grammar: a UTF-8 byte order mark, blank lines,
 * upper case and one trailing dot in mx, a max_age above the maximum (it is
 * clamped), unknown or malformed extension lines. Never tolerated: damage to
 * version, mode, max_age or mx; NUL and other control bytes but TAB; a bare CR.
 * Of a repeated field the first counts (mx alone repeats).
 */
enum sts_mode {
	STS_MODE_NONE = 0,
	STS_MODE_TESTING,
	STS_MODE_ENFORCE,
};

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age; /* as published, clamped to STS_MAX_AGE_MAX */
	size_t mx_count;  /* usable patterns, repeats included; see sts_policy_mx */
	struct sts_str text;
};

/* Everything worth saying about a policy, for stsd-query and the linter. The same
 * walk that decides finds them; a policy is invalid when one is an error. */
enum sts_policy_note {
	STS_NOTE_VERSION_MISSING, /* errors first ... */
	STS_NOTE_VERSION_VALUE,
	STS_NOTE_MODE_MISSING,
	STS_NOTE_MODE_VALUE,
	STS_NOTE_MAX_AGE_MISSING,
	STS_NOTE_MAX_AGE_VALUE,
	STS_NOTE_MX_MISSING,
	STS_NOTE_MX_VALUE,     /* not ["*."] and a host name */
	STS_NOTE_MX_LIST,      /* several names on one line */
	STS_NOTE_MX_ADDRESS,   /* an IP address */
	STS_NOTE_MX_NON_ASCII, /* U-label: the RFC wants A-labels */
	STS_NOTE_MX_NONE_LEFT, /* only single labels or numeric names */
	STS_NOTE_CONTROL_BYTE,
	STS_NOTE_BARE_CR,
	STS_NOTE_TOO_BIG,
	STS_NOTE_FIRST_WARNING, /* ... then what is tolerated */
	STS_NOTE_KEY_CASE = STS_NOTE_FIRST_WARNING,
	STS_NOTE_KEY_UNKNOWN,
	STS_NOTE_LINE_MALFORMED,
	STS_NOTE_DUPLICATE,
	STS_NOTE_MAX_AGE_CLAMPED,
	STS_NOTE_MAX_AGE_SHORT, /* below a day */
	STS_NOTE_MX_DOT,
	STS_NOTE_MX_CASE,
	STS_NOTE_MX_SINGLE_LABEL,
	STS_NOTE_MX_NUMERIC,
	STS_NOTE_BYTE_ORDER_MARK,
	STS_NOTE_BLANK_LINE,
	STS_NOTES
};

/* Called for each note in the order of the text; line counts from 1, 0 means the
 * whole file; text is the line or value concerned (a stranger's bytes: escape). */
typedef void sts_on_note(void *arg, enum sts_policy_note note, size_t line,
    struct sts_str text);

/*
 * STS_OK fills *policy; STS_ERR_POLICY_SYNTAX leaves it alone. note may be NULL;
 * with a note, the walk goes on after an error to find all of them.
 */
enum sts_err sts_policy_parse(struct sts_str text, struct sts_policy *policy,
    sts_on_note *note, void *arg);

/* The note's sentence and stable id ("POL01" ... of stsd-query). */
const char *sts_policy_note_text(enum sts_policy_note note);
const char *sts_policy_note_id(enum sts_policy_note note);

/* What sts_policy_parse would say is the policy's text, of a file that it has once found
 * valid: it is not judged again. */
struct sts_str sts_policy_text(struct sts_str file);

/*
 * Walks what a *valid* policy says. Start with *rest = policy.text. Patterns come
 * in the order of the policy, as written but for one trailing dot; those that are
 * valid and unusable in a reply (single labels: "hostname" and "nexthop" are
 * keywords of Postfix; numeric top-level names) are passed over.
 */
bool sts_policy_mx(struct sts_str *rest, struct sts_str *pattern);
/* The same with the unusable ones: what the domain published. */
bool sts_policy_mx_all(struct sts_str *rest, struct sts_str *pattern);
/* Each line without its line end, blank ones too. */
bool sts_policy_line(struct sts_str *rest, struct sts_str *line);

const char *sts_mode_text(enum sts_mode mode);

#endif
