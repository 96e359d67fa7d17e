/* SPDX-License-Identifier: MIT */
#include "doctor_report.h"

#define WIDTH 90
#define INDENT "                 " /* below the words of a finding */

static size_t
count(const struct doctor *d, enum query_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		n += d->findings[i].severity == severity;
	return n;
}

static bool
has_lines(const struct doctor *d, enum doctor_where where)
{
	for (size_t i = 0; i < d->line_count; i++)
		if (d->lines[i].where == where)
			return true;
	return false;
}

/* After main.cf or master.cf have changed. */
static void
put_reload(struct sts_buf *to, const struct doctor *d)
{
	if (d->postfix->is_default) {
		sts_put_text(to, "postfix reload");
		return;
	}
	sts_put_text(to, "postfix -c ");
	(void)pf_postconf_quote(to, d->postfix->directory);
	sts_put_text(to, " reload");
}

/* --- For people --- */

static void
put_plural(struct sts_buf *to, size_t n, const char *word)
{
	sts_put_number(to, n);
	sts_put_char(to, ' ');
	sts_put_text(to, word);
	if (n != 1)
		sts_put_char(to, 's');
}

static void
put_verdict(struct sts_buf *to, const struct doctor *d)
{
	size_t errors = count(d, QUERY_ERROR), warnings = count(d, QUERY_WARNING);

	sts_put_escaped(to, d->postfix->directory);
	sts_put_text(to, ": Postfix ");
	sts_put_escaped(to, d->version_text);
	sts_put_text(to, ": ");
	if (errors > 0)
		put_plural(to, errors, "error");
	if (errors > 0 && warnings > 0)
		sts_put_text(to, ", ");
	if (warnings > 0)
		put_plural(to, warnings, "warning");
	if (errors == 0 && warnings == 0)
		sts_put_text(to, "fine");
	sts_put_char(to, '\n');
}

static void
put_wrapped(struct sts_buf *to, const char *text)
{
	struct sts_str rest = sts_str_of(text), word;
	size_t column = sizeof(INDENT) - 1;

	sts_put_text(to, INDENT);
	for (bool is_first = true; rest.n > 0; is_first = false) {
		(void)sts_str_cut(&rest, ' ', &word);
		if (!is_first && column + 1 + word.n > WIDTH) {
			sts_put_text(to, "\n" INDENT);
			column = sizeof(INDENT) - 1;
		} else if (!is_first) {
			sts_put_char(to, ' ');
			column++;
		}
		sts_put(to, word);
		column += word.n;
	}
	sts_put_char(to, '\n');
}

static void
put_finding(struct sts_buf *to, const struct doctor_finding *f)
{
	static const char *const words[] = { [QUERY_INFO] = "  info     ",
		[QUERY_WARNING] = "  warning  ",
		[QUERY_ERROR] = "  error    " };

	sts_put_text(to, words[f->severity]);
	sts_put_text(to, f->id);
	sts_put_char(to, ' ');
	sts_put_text(to, f->text);
	if (f->detail.n > 0) {
		sts_put_text(to, ": ");
		sts_put_escaped(to, f->detail);
	}
	sts_put_char(to, '\n');
	if (f->setting.n > 0) {
		sts_put_text(to, INDENT);
		sts_put_escaped(to, f->place);
		sts_put_text(to, ": ");
		sts_put(to, f->setting);
		sts_put_text(to, f->value.n > 0 ? " = " : " is empty");
		sts_put_escaped(to, f->value);
		sts_put_char(to, '\n');
	}
	put_wrapped(to, f->why);
}

static void
put_lines(struct sts_buf *to, const struct doctor *d, enum doctor_where where)
{
	for (size_t i = 0; i < d->line_count; i++) {
		if (d->lines[i].where != where)
			continue;
		sts_put_text(to, "    ");
		sts_put(to, d->lines[i].text);
		sts_put_char(to, '\n');
	}
}

void
doctor_put_text(struct sts_buf *to, const struct doctor *d, bool quiet)
{
	put_verdict(to, d);
	if (quiet)
		return;
	for (int severity = QUERY_ERROR; severity >= QUERY_INFO; severity--)
		for (size_t i = 0; i < d->count; i++)
			if ((int)d->findings[i].severity == severity)
				put_finding(to, &d->findings[i]);
	if (has_lines(d, DOCTOR_SHELL)) {
		sts_put_text(to, "  To paste, as root:\n");
		put_lines(to, d, DOCTOR_SHELL);
		sts_put_text(to, "    ");
		put_reload(to, d);
		sts_put_char(to, '\n');
	}
	if (has_lines(d, DOCTOR_CONF)) {
		sts_put_text(to, "  To set in ");
		sts_put_escaped(to, sts_str_of(d->stsd->config_name));
		sts_put_text(to, ", before a restart of stsd:\n");
		put_lines(to, d, DOCTOR_CONF);
	}
}

/* --- For machines --- */

static void
write_finding(struct query_writer *w, const struct doctor *d,
    const struct doctor_finding *f)
{
	query_open(w, NULL, '{');
	query_text(w, "id", f->id);
	query_text(w, "severity", query_severity_text(f->severity));
	query_text(w, "text", f->text);
	query_text(w, "why", f->why);
	query_string(w, "place", f->place);
	if (f->setting.n > 0) {
		query_string(w, "setting", f->setting);
		query_string(w, "value", f->value);
	}
	if (f->detail.n > 0)
		query_string(w, "detail", f->detail);
	query_open(w, "fix", '[');
	for (size_t i = 0; i < f->line_count; i++)
		query_string(w, NULL, d->lines[f->lines[i]].text);
	query_close(w, ']');
	query_close(w, '}');
}

static void
write_lines(struct query_writer *w, const struct doctor *d, const char *key,
    enum doctor_where where)
{
	struct sts_buf reload = { 0 };

	query_open(w, key, '[');
	for (size_t i = 0; i < d->line_count; i++)
		if (d->lines[i].where == where)
			query_string(w, NULL, d->lines[i].text);
	if (where == DOCTOR_SHELL && has_lines(d, where)) {
		put_reload(&reload, d);
		w->to->bad |= reload.bad;
		query_string(w, NULL, sts_buf_str(&reload));
	}
	query_close(w, ']');
	sts_buf_done(&reload);
}

void
doctor_put_json(struct query_writer *w, const struct doctor *d)
{
	query_open(w, NULL, '{');
	query_string(w, "directory", d->postfix->directory);
	query_string(w, "version", d->version_text);
	query_bool(w, "fine", doctor_is_content(d));
	query_open(w, "findings", '[');
	for (size_t i = 0; i < d->count; i++)
		write_finding(w, d, &d->findings[i]);
	query_close(w, ']');
	write_lines(w, d, "commands", DOCTOR_SHELL);
	write_lines(w, d, "stsd_conf", DOCTOR_CONF);
	query_close(w, '}');
}
