/* SPDX-License-Identifier: MIT */
#include "query_text.h"

#include <string.h>

#include "query_section.h"
#include "query_try.h"

#define BOLD "1"
#define RED "1;31"
#define YELLOW "1;33"
#define GREEN "1;32"

static void
put_colored(struct sts_buf *to, const struct query_look *look, const char *color,
    const char *text)
{
	if (look->color) {
		sts_put_text(to, "\033[");
		sts_put_text(to, color);
		sts_put_char(to, 'm');
	}
	sts_put_text(to, text);
	if (look->color)
		sts_put_text(to, "\033[0m");
}

/*
 * The verdict, and what Postfix will do.
 */
static void
put_count(struct sts_buf *to, size_t n, const char *one, const char *many)
{
	if (n == 0)
		return;
	sts_put_text(to, "  ");
	sts_put_number(to, n);
	sts_put_char(to, ' ');
	sts_put_text(to, n == 1 ? one : many);
}

static void
put_verdict(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	static const char *const colors[] = { [QUERY_DANE] = GREEN,
		[QUERY_ENFORCE] = GREEN,
		[QUERY_TESTING] = YELLOW,
		[QUERY_NONE] = BOLD,
		[QUERY_DEFERRED] = RED,
		[QUERY_UNKNOWN] = YELLOW };

	sts_put_escaped(to, r->queried);
	sts_put_text(to, "  ");
	put_colored(to, look, colors[r->verdict], query_summary(r));
	put_count(to, query_count(&r->findings, QUERY_ERROR), "error", "errors");
	put_count(to, query_count(&r->findings, QUERY_WARNING), "warning", "warnings");
	if (look->verbose) {
		sts_put_text(to, "  ");
		sts_put_number(to, (unsigned long long)r->ms);
		sts_put_text(to, " ms");
	}
	sts_put_char(to, '\n');
}

static size_t
count_used(const struct query_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->mx_count; i++)
		n += r->mx[i].advice.action == QUERY_ACTION_USE;
	return n;
}

static size_t
widest(const struct query_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->mx_count; i++)
		if (r->mx[i].host.n > n)
			n = r->mx[i].host.n;
	return n < 40 ? n : 40;
}

static void
put_action(struct sts_buf *to, const struct query_mx *mx, size_t width,
    const struct query_look *look)
{
	static const char *const colors[] = { [QUERY_ACTION_USE] = GREEN,
		[QUERY_ACTION_SKIP] = YELLOW,
		[QUERY_ACTION_DEFER] = RED };
	size_t before;

	sts_put_text(to, "    ");
	before = to->n;
	sts_put_escaped(to, mx->host);
	query_put_gap(to, to->n - before, width + 2);
	put_colored(to, look, colors[mx->advice.action],
	    query_action_text(mx->advice.action));
	sts_put_text(to, ", ");
	sts_put_text(to, mx->advice.why);
	sts_put_char(to, '\n');
}

/* What goes without saying is not said of each host. */
static void
put_actions(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	size_t used = count_used(r), width = widest(r);
	bool late = false;

	sts_put_text(to, "  ");
	sts_put_text(to, r->risk);
	sts_put_char(to, '\n');
	if (r->mx_count == 0 || sts_str_starts(r->reply, STS_STR("TEMP")))
		return;
	sts_put_text(to, "  Postfix uses ");
	sts_put_number(to, used);
	sts_put_text(to, " of ");
	sts_put_number(to, r->mx_count);
	sts_put_text(to, r->mx_count == 1 ? " MX host" : " MX hosts");
	if (strcmp(r->mx[0].advice.level, "default") != 0) {
		sts_put_text(to, ", at level ");
		sts_put_text(to, r->mx[0].advice.level);
	}
	sts_put_char(to, '\n');
	for (size_t i = 0; i < r->mx_count; i++) {
		put_action(to, &r->mx[i], width, look);
		late |= r->mx[i].advice.skipped_late;
	}
	if (late)
		sts_put_text(to,
		    "    (before Postfix 3.10.5, or asking QUERY: tried as well, and used if "
		    "its certificate has a name of match=)\n");
}

/*
 * Findings.
 */
#define FINDING_WIDTH 17 /* of what stands before the sentence, indent aside */
#define BEFORE 60	 /* shown of a text before the place where it is wrong */
#define BEHIND 20

static void
put_indent(struct sts_buf *to, const char *indent)
{
	sts_put_text(to, indent);
	for (size_t n = 0; n < FINDING_WIDTH; n++)
		sts_put_char(to, ' ');
}

static void
put_fix(struct sts_buf *to, const struct query_finding *f, const char *indent)
{
	if (f->fix == NULL)
		return;
	put_indent(to, indent);
	sts_put_text(to, "fix (");
	sts_put_text(to, query_audience_text(f->audience));
	sts_put_text(to, "): ");
	sts_put_escaped(to, sts_str_of(f->fix));
	sts_put_char(to, '\n');
}

/* The text, and under it a mark at the place: as much of it as fits a line. */
static void
put_place(struct sts_buf *to, const struct query_finding *f, const char *indent)
{
	size_t at = f->at - 1 < f->object.n ? f->at - 1 : f->object.n;
	size_t from = at > BEFORE ? at - BEFORE : 0, before, marks;
	struct sts_str shown = sts_str_from(f->object, from);
	bool cut = shown.n > BEFORE + BEHIND;

	put_indent(to, indent);
	before = to->n;
	sts_put_text(to, from > 0 ? "..." : "");
	sts_put_escaped(to, sts_str_head(shown, at - from));
	marks = to->n - before;
	sts_put_escaped(to,
	    sts_str_from(cut ? sts_str_head(shown, BEFORE + BEHIND) : shown, at - from));
	sts_put_text(to, cut ? "...\n" : "\n");
	put_indent(to, indent);
	for (size_t n = 0; n < marks; n++)
		sts_put_char(to, ' ');
	sts_put_text(to, "^\n");
}

/* Hosts and addresses stand in front of what is said of them, texts behind. */
static bool
is_about_text(const struct query_finding *f)
{
	struct sts_str id = sts_str_of(f->id);

	return f->line > 0 || f->at > 0 || sts_str_starts(id, STS_STR("TXT")) ||
	    sts_str_starts(id, STS_STR("RPT")) || sts_str_starts(id, STS_STR("CAC"));
}

static void
put_line(struct sts_buf *to, const struct query_finding *f)
{
	if (f->line == 0)
		return;
	sts_put_text(to, "line ");
	sts_put_number(to, f->line);
	if (f->at > 0) {
		sts_put_text(to, ", column ");
		sts_put_number(to, f->at);
	}
	sts_put_text(to, ": ");
}

static void
put_sentence(struct sts_buf *to, const struct query_finding *f, bool of_record)
{
	bool behind = is_about_text(f);

	put_line(to, f);
	if (f->object.n > 0 && !behind) {
		sts_put_escaped(to, f->object);
		sts_put_text(to, ": ");
	}
	sts_put_text(to, f->text);
	if (of_record) {
		sts_put_text(to, ", at character ");
		sts_put_number(to, f->at);
	}
	if (f->detail.n > 0) {
		sts_put_text(to, ": ");
		sts_put_escaped(to, f->detail);
	}
	if (f->object.n > 0 && behind && !of_record) {
		sts_put_text(to, " [");
		sts_put_escaped(to, f->object);
		sts_put_char(to, ']');
	}
	sts_put_char(to, '\n');
}

static void
put_finding(struct sts_buf *to, const struct query_finding *f, const char *indent,
    const struct query_look *look)
{
	static const char *const colors
	    [] = { [QUERY_INFO] = BOLD, [QUERY_WARNING] = YELLOW, [QUERY_ERROR] = RED };
	const char *severity = query_severity_text(f->severity);
	bool of_record = f->line == 0 && f->at > 0;

	sts_put_text(to, indent);
	put_colored(to, look, colors[f->severity], severity);
	query_put_gap(to, strlen(severity), 9);
	sts_put_text(to, f->id);
	query_put_gap(to, strlen(f->id), 8);
	put_sentence(to, f, of_record);
	if (of_record)
		put_place(to, f, indent);
	put_fix(to, f, indent);
}

void
query_text_findings(struct sts_buf *to, const struct query_findings *findings,
    const char *indent, const struct query_look *look)
{
	for (size_t i = 0; i < findings->count; i++)
		put_finding(to, &findings->list[i], indent, look);
}

/*
 * The end.
 */
static void
put_reply(struct sts_buf *to, const struct query_report *r)
{
	bool same = sts_str_eq(r->reply, r->reply_tlsrpt);

	query_put_section(to, "Reply");
	sts_put_text(to, same ? "to QUERY and QUERYwithTLSRPT\n  " : "to QUERY\n  ");
	sts_put_escaped(to, r->reply);
	if (!same) {
		sts_put_text(to, "\n           to QUERYwithTLSRPT\n  ");
		sts_put_escaped(to, r->reply_tlsrpt);
	}
	if (r->reply_cached.n > 0) {
		sts_put_text(to, "\n           to QUERY, from the cache as it is\n  ");
		sts_put_escaped(to, r->reply_cached);
	}
	sts_put_char(to, '\n');
}

static void
put_proof(struct sts_buf *to, const struct query_report *r)
{
	if (r->proof.n == 0)
		return;
	query_put_section(to, "Try");
	sts_put(to, r->proof);
	sts_put_char(to, '\n');
	if (r->proof_by_host.n == 0)
		return;
	query_put_section(to, "");
	sts_put(to, r->proof_by_host);
	sts_put_text(to, "  (as Postfix 3.10.5 and later)\n");
}

void
query_text_report(struct sts_buf *to, const struct query_report *r,
    const struct query_look *look)
{
	put_verdict(to, r, look);
	if (look->quiet)
		return;
	put_actions(to, r, look);
	query_text_findings(to, &r->findings, "  ", look);
	query_section_dns(to, r, look);
	query_section_policy(to, r, look);
	query_section_dane(to, r, look);
	query_section_smtp(to, r, look);
	query_section_cache(to, r);
	put_reply(to, r);
	put_proof(to, r);
}
