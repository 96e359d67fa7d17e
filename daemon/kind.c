/* SPDX-License-Identifier: MIT */
#include "kind.h"

#include <stdlib.h>
#include <string.h>

static char *
copy(struct sts_str text)
{
	char *p = malloc(text.n + 1);

	if (p == NULL)
		return NULL;
	memcpy(p, text.p, text.n);
	p[text.n] = '\0';
	return p;
}

static bool
quoted_problem(struct sts_str text, const char *problem, struct value_why *why)
{
	char quoted[VALUE_QUOTED];

	return value_wrong(why, "%s %s", value_quote(text, quoted), problem);
}

static bool
read_text(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	const char *problem = s->kind == SETTING_PATH ? value_path_problem(text)
						      : value_account_problem(text);

	if (problem != NULL)
		return quoted_problem(text, problem, why);
	*(char **)field = copy(text);
	return *(char **)field != NULL || value_no_memory(why);
}

static bool
put_text(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	const char *text = *(char *const *)field;

	(void)s;
	if (i > 0 || text == NULL)
		return false;
	sts_put_text(to, text);
	return true;
}

static void
clear_text(void *field)
{
	free(*(char **)field);
	*(char **)field = NULL;
}

static bool
read_listener(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	struct config_listen listen;
	char *item = copy(text);
	const char *problem;

	(void)s;
	if (item == NULL)
		return value_no_memory(why);
	problem = config_listen_parse(item, &listen);
	if (problem == NULL) {
		*(char **)field = item;
		return true;
	}
	free(item);
	return quoted_problem(text, problem, why);
}

static bool
read_listeners(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	struct config_list *list = field;
	char **more = reallocarray(list->items, list->count + 1, sizeof(*more));

	if (more == NULL)
		return value_no_memory(why);
	list->items = more;
	for (size_t i = 0; i < list->count; i++) {
		if (sts_str_eq(text, sts_str_of(list->items[i])))
			return quoted_problem(text, "stands here twice", why);
	}
	if (!read_listener(s, &list->items[list->count], text, why))
		return false;
	list->count++;
	return true;
}

static bool
put_listeners(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	const struct config_list *list = field;

	(void)s;
	if (i >= list->count)
		return false;
	sts_put_text(to, list->items[i]);
	return true;
}

static void
clear_listeners(void *field)
{
	struct config_list *list = field;

	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct config_list){ 0 };
}

static bool
read_net(const struct setting *s, void *field, struct sts_str text, struct value_why *why)
{
	struct config_nets *list = field;
	struct sts_net net;
	struct sts_net *more;

	(void)s;
	if (!sts_net_parse(text, &net))
		return quoted_problem(text,
		    "is no network: ADDRESS or ADDRESS/BITS, with nothing set beyond BITS",
		    why);
	more = reallocarray(list->nets, list->count + 1, sizeof(*more));
	if (more == NULL)
		return value_no_memory(why);
	more[list->count++] = net;
	list->nets = more;
	return true;
}

static bool
put_net(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	const struct config_nets *list = field;
	char text[STS_ADDR_TEXT];

	(void)s;
	if (i >= list->count)
		return false;
	(void)sts_addr_text(&list->nets[i].addr, text);
	sts_put_text(to, text);
	if (list->nets[i].bits != (list->nets[i].addr.v6 ? 128 : 32)) {
		sts_put_char(to, '/');
		sts_put_number(to, list->nets[i].bits);
	}
	return true;
}

static void
clear_nets(void *field)
{
	struct config_nets *list = field;

	free(list->nets);
	*list = (struct config_nets){ 0 };
}

/* As many as lib/io/resolve.c asks; nobody has more. */
#define SERVERS_MAX 16

static size_t
count_words(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, ' ')) != NULL) {
		text++;
		n++;
	}
	return n;
}

static bool
read_server(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	char **servers = field;
	struct sts_buf joined = { 0 };
	bool good;

	(void)s;
	if (*servers != NULL && count_words(*servers) == SERVERS_MAX)
		return value_wrong(why, "has more than %d servers", SERVERS_MAX);
	if (*servers != NULL) {
		sts_put_text(&joined, *servers);
		sts_put_char(&joined, ' ');
	}
	good = value_server(text, &joined, why);
	sts_put_char(&joined, '\0');
	if (good && joined.bad)
		good = value_no_memory(why);
	if (good) {
		free(*servers);
		*servers = joined.p;
	} else {
		sts_buf_done(&joined);
	}
	return good;
}

static bool
put_server(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	struct sts_str rest = sts_str_of(*(char *const *)field);
	struct sts_str server;

	(void)s;
	do {
		if (rest.n == 0)
			return false;
		(void)sts_str_cut(&rest, ' ', &server);
	} while (i-- > 0);
	sts_put(to, server);
	return true;
}

static bool
read_mode(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	(void)s;
	return value_mode(text, field, why);
}

static bool
put_mode(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	unsigned mode = *(const unsigned *)field;

	(void)s;
	if (i > 0)
		return false;
	sts_put_char(to, '0');
	for (unsigned shift = 9; shift > 0; shift -= 3)
		sts_put_char(to, (char)('0' + (mode >> (shift - 3)) % 8));
	return true;
}

static const struct value_unit *
units_of(const struct setting *s)
{
	if (s->kind == SETTING_NUMBER)
		return NULL;
	return s->kind == SETTING_SIZE ? value_bytes : value_seconds;
}

static bool
read_number(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	return value_number(text, units_of(s), s->min, s->max, field, why);
}

static bool
put_number(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	if (i > 0)
		return false;
	value_put_number(to, units_of(s), *(const uint64_t *)field);
	return true;
}

static bool
read_duration(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	uint64_t seconds;

	if (!value_number(text, units_of(s), s->min, s->max, &seconds, why))
		return false;
	*(int64_t *)field = (int64_t)(s->kind == SETTING_MS ? seconds * 1000 : seconds);
	return true;
}

static bool
put_duration(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	int64_t value = *(const int64_t *)field;

	if (i > 0)
		return false;
	value_put_number(to, units_of(s),
	    (uint64_t)(s->kind == SETTING_MS ? value / 1000 : value));
	return true;
}

static bool
read_boolean(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	(void)s;
	return value_boolean(text, field, why);
}

static bool
put_boolean(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	(void)s;
	if (i > 0)
		return false;
	sts_put_text(to, *(const bool *)field ? "yes" : "no");
	return true;
}

static bool
read_word(const struct setting *s, void *field, struct sts_str text,
    struct value_why *why)
{
	int value;

	if (!value_word(text, s->words, &value, why))
		return false;
	if (s->kind == SETTING_CHOICE)
		*(bool *)field = value != 0;
	else
		*(int *)field = value;
	return true;
}

static bool
put_word(const struct setting *s, const void *field, size_t i, struct sts_buf *to)
{
	int value =
	    s->kind == SETTING_CHOICE ? *(const bool *)field : *(const int *)field;
	const struct value_word *w = s->words;

	if (i > 0)
		return false;
	while (w->text != NULL && w->value != value)
		w++;
	sts_put_text(to, w->text);
	return true;
}

const struct kind setting_kinds[] = {
	[SETTING_LISTENERS] = { true, read_listeners, put_listeners, clear_listeners },
	[SETTING_LISTENER] = { false, read_listener, put_text, clear_text },
	[SETTING_NETS] = { true, read_net, put_net, clear_nets },
	[SETTING_SERVERS] = { true, read_server, put_server, clear_text },
	[SETTING_PATH] = { false, read_text, put_text, clear_text },
	[SETTING_ACCOUNT] = { false, read_text, put_text, clear_text },
	[SETTING_MODE] = { false, read_mode, put_mode, NULL },
	[SETTING_NUMBER] = { false, read_number, put_number, NULL },
	[SETTING_SIZE] = { false, read_number, put_number, NULL },
	[SETTING_SECONDS] = { false, read_duration, put_duration, NULL },
	[SETTING_MS] = { false, read_duration, put_duration, NULL },
	[SETTING_BOOLEAN] = { false, read_boolean, put_boolean, NULL },
	[SETTING_CHOICE] = { false, read_word, put_word, NULL },
	[SETTING_WORD] = { false, read_word, put_word, NULL },
};
