/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <string.h>

#include "buf.h"

void
lines_show_name(const char *name, char out[LINES_NAME_MAX + 1])
{
	struct sts_buf shown = { .limit = LINES_NAME_MAX };

	for (const char *c = name; *c != '\0' && !shown.bad; c++)
		sts_put_escaped(&shown, (struct sts_str){ c, 1 });
	if (shown.n > 0)
		memcpy(out, shown.p, shown.n);
	out[shown.n] = '\0';
	sts_buf_done(&shown);
}

void
lines_start(struct lines *l, struct sts_str text, const char *name,
    struct config_errors *errors)
{
	struct sts_str mark = STS_STR("\xef\xbb\xbf");

	*l = (struct lines){ .rest = text, .errors = errors };
	lines_show_name(name, l->name);
	if (sts_str_starts(text, mark))
		l->rest = sts_str_from(text, mark.n);
}

size_t
lines_comment(struct sts_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '#' &&
		    (i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\t'))
			return i;
	}
	return text.n;
}

bool
lines_has_control(struct sts_str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

bool
lines_next(struct lines *l, struct sts_str *line)
{
	while (l->rest.n > 0) {
		struct sts_str raw;

		(void)sts_str_cut(&l->rest, '\n', &raw);
		l->number++;
		if (sts_str_ends(raw, STS_STR("\r")))
			raw = sts_str_head(raw, raw.n - 1);
		if (raw.n > LINES_LENGTH_MAX) {
			config_complain(l->errors, "%s:%zu: longer than %d bytes",
			    l->name, l->number, LINES_LENGTH_MAX);
			continue;
		}
		if (lines_has_control(raw)) {
			config_complain(l->errors, "%s:%zu: has control characters",
			    l->name, l->number);
			continue;
		}
		*line = sts_str_trim(sts_str_head(raw, lines_comment(raw)));
		if (line->n > 0)
			return true;
	}
	return false;
}
