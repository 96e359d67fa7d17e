/* SPDX-License-Identifier: MIT */
#include "postconf.h"

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
separates(char c)
{
	return c == ',' || is_blank(c);
}

static bool
next_line(struct sts_str *text, struct sts_str *line)
{
	while (text->n > 0) {
		(void)sts_str_cut(text, '\n', line);
		if (line->n > 0)
			return true;
	}
	return false;
}

/* A name has no blank and no '='; an empty value may be printed without the last blank. */
bool
pf_postconf_next(struct sts_str *text, struct sts_str *name, struct sts_str *value)
{
	struct sts_str line, head;

	while (next_line(text, &line)) {
		struct sts_str rest = line;

		if (!sts_str_cut(&rest, '=', &head) || head.n < 2 ||
		    head.p[head.n - 1] != ' ')
			continue;
		*name = sts_str_trim(head);
		*value = sts_str_trim(rest);
		return true;
	}
	return false;
}

bool
pf_postconf_get(struct sts_str text, struct sts_str name, struct sts_str *value)
{
	struct sts_str each, content;
	bool found = false;

	while (pf_postconf_next(&text, &each, &content)) {
		if (!sts_str_eq(each, name))
			continue;
		*value = content;
		found = true;
	}
	return found;
}

static struct sts_str
next_word(struct sts_str *line)
{
	size_t n = 0;
	struct sts_str word;

	while (line->n > 0 && is_blank(line->p[0]))
		*line = sts_str_from(*line, 1);
	while (n < line->n && !is_blank(line->p[n]))
		n++;
	word = sts_str_head(*line, n);
	*line = sts_str_from(*line, n);
	return word;
}

static struct sts_str
without_folder(struct sts_str path)
{
	for (size_t i = path.n; i > 0; i--)
		if (path.p[i - 1] == '/')
			return sts_str_from(path, i);
	return path;
}

/* service type private unpriv chroot wakeup maxproc command + args */
bool
pf_postconf_next_service(struct sts_str *text, struct pf_service *service)
{
	struct sts_str line;

	while (next_line(text, &line)) {
		struct pf_service s = { 0 };

		if (is_blank(line.p[0]) || line.p[0] == '#')
			continue;
		s.name = next_word(&line);
		s.type = next_word(&line);
		(void)next_word(&line);
		(void)next_word(&line);
		s.chroot = next_word(&line);
		(void)next_word(&line);
		(void)next_word(&line);
		s.command = without_folder(next_word(&line));
		if (s.command.n == 0)
			continue;
		*service = s;
		return true;
	}
	return false;
}

static bool
eat(struct sts_str *s, struct sts_str prefix)
{
	if (!sts_str_starts(*s, prefix))
		return false;
	*s = sts_str_from(*s, prefix.n);
	return true;
}

bool
pf_postconf_service_get(struct sts_str text, const struct pf_service *service,
    struct sts_str name, struct sts_str *value)
{
	struct sts_str each, content, slash = STS_STR("/");
	bool found = false;

	while (pf_postconf_next(&text, &each, &content)) {
		if (!eat(&each, service->name) || !eat(&each, slash) ||
		    !eat(&each, service->type) || !eat(&each, slash) ||
		    !sts_str_eq(each, name))
			continue;
		*value = content;
		found = true;
	}
	return found;
}

bool
pf_postconf_next_item(struct sts_str *list, struct sts_str *item)
{
	size_t depth = 0, n = 0;

	while (list->n > 0 && separates(list->p[0]))
		*list = sts_str_from(*list, 1);
	while (n < list->n && (depth > 0 || !separates(list->p[n]))) {
		if (list->p[n] == '{')
			depth++;
		else if (list->p[n] == '}' && depth > 0)
			depth--;
		n++;
	}
	*item = sts_str_head(*list, n);
	*list = sts_str_from(*list, n);
	return n > 0;
}

struct pf_table
pf_postconf_table(struct sts_str item)
{
	struct pf_table t = { .whole = item };

	t.proxied = eat(&item, STS_STR("proxy:"));
	(void)sts_str_cut(&item, ':', &t.type);
	t.name = item;
	return t;
}

static bool
cut_last(struct sts_str s, struct sts_str *head, struct sts_str *tail)
{
	for (size_t i = s.n; i > 0; i--) {
		if (s.p[i - 1] != ':')
			continue;
		*head = sts_str_head(s, i - 1);
		*tail = sts_str_from(s, i);
		return true;
	}
	return false;
}

bool
pf_postconf_socketmap(struct sts_str name, struct pf_socketmap *socketmap)
{
	struct pf_socketmap s = { 0 };
	struct sts_str address;

	if (!cut_last(name, &s.endpoint, &s.map) || s.map.n == 0)
		return false;
	address = s.endpoint;
	if (eat(&address, STS_STR("unix:"))) {
		s.is_unix = true;
		s.path = address;
	} else if (!eat(&address, STS_STR("inet:")) ||
	    !cut_last(address, &s.host, &s.port) || s.port.n == 0) {
		return false;
	}
	if (s.host.n > 1 && s.host.p[0] == '[' && s.host.p[s.host.n - 1] == ']')
		s.host = sts_str_head(sts_str_from(s.host, 1), s.host.n - 2);
	if ((s.is_unix ? s.path.n : s.host.n) == 0)
		return false;
	*socketmap = s;
	return true;
}

unsigned long
pf_postconf_version(struct sts_str text)
{
	unsigned long long parts[3] = { 0 };
	struct sts_str part;

	(void)sts_str_cut(&text, '-', &part);
	text = part;
	for (size_t i = 0; i < 3; i++) {
		bool last = !sts_str_cut(&text, '.', &part);

		if (!sts_str_number(part, 999, &parts[i]))
			return 0;
		if (last)
			break;
	}
	return PF_VERSION((unsigned long)parts[0], (unsigned long)parts[1],
	    (unsigned long)parts[2]);
}

bool
pf_postconf_quote(struct sts_buf *to, struct sts_str word)
{
	for (size_t i = 0; i < word.n; i++)
		if ((unsigned char)word.p[i] < 0x20 || word.p[i] == 0x7f)
			return false;
	sts_put_char(to, '\'');
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '\'')
			sts_put_text(to, "'\\''");
		else
			sts_put_char(to, word.p[i]);
	}
	sts_put_char(to, '\'');
	return true;
}
