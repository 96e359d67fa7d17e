/* SPDX-License-Identifier: MIT */
/*
 * What else stands on the machine, any text as each of it:
 *
 *	resolv.conf(5): three servers at most, such as the setting dns_servers takes;
 *	main.cf(5): one parameter, whole, and one that refers to no other;
 *	what postconf(1) prints: names, services, items of lists, tables, sockets, all of
 *	them views of the text; and a word in quotes is one word for the shell.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "maincf.h"
#include "postconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sts_str whole;

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
inside(struct sts_str s)
{
	must(s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n));
}

/* All of it for each line of it would cost a square. */
static struct sts_str
head_of(struct sts_str text)
{
	return sts_str_head(text, text.n < 400 ? text.n : 400);
}

static void
check_resolvconf(void)
{
	struct config_errors errors = { 0 };
	struct resolvconf found;
	struct sts_buf line = { 0 };
	struct config *c;
	size_t blanks = 0;

	resolvconf_parse(whole, &found);
	if (found.servers[0] == '\0')
		return;
	must(strlen(found.servers) < sizeof(found.servers));
	for (const char *p = found.servers; *p != '\0'; p++)
		blanks += *p == ' ';
	must(blanks < 3);
	sts_put_text(&line, "dns_servers = ");
	sts_put_text(&line, found.servers);
	c = config_parse_text(sts_buf_str(&line), "fuzz", &errors);
	must(c != NULL && errors.count == 0);
	config_free(c);
	config_errors_done(&errors);
	sts_buf_done(&line);
}

static void
check_maincf(void)
{
	char value[32], longer[4096];
	enum maincf_value found = maincf_get(whole, "p", value, sizeof(value));
	enum maincf_value more = maincf_get(whole, "p", longer, sizeof(longer));

	must((found == MAINCF_NONE) == (more == MAINCF_NONE));
	must(found != MAINCF_FOUND || (more == found && strcmp(value, longer) == 0));
	must(found == MAINCF_FOUND || value[0] == '\0');
	must(more == MAINCF_FOUND || longer[0] == '\0');
	must(strpbrk(longer, "$\n") == NULL);
	must(memchr(value, '\0', sizeof(value)) != NULL);
}

/* What a shell makes of it. */
static void
check_quoted(struct sts_str word)
{
	struct sts_buf quoted = { 0 }, back = { 0 };
	struct sts_str s;
	bool in = false;

	if (!pf_postconf_quote(&quoted, word)) {
		must(quoted.n == 0);
		return;
	}
	for (s = sts_buf_str(&quoted); s.n > 0; s = sts_str_from(s, 1)) {
		if (s.p[0] == '\'') {
			in = !in;
		} else if (in) {
			sts_put_char(&back, s.p[0]);
		} else {
			must(sts_str_starts(s, STS_STR("\\'")));
			sts_put_char(&back, '\'');
			s = sts_str_from(s, 1);
		}
	}
	must(!in && sts_str_eq(sts_buf_str(&back), word));
	sts_buf_done(&quoted);
	sts_buf_done(&back);
}

static void
check_socketmap(struct sts_str name)
{
	struct pf_socketmap s;

	if (!pf_postconf_socketmap(name, &s))
		return;
	inside(s.endpoint);
	inside(s.map);
	must(s.map.n > 0 && s.endpoint.n + 1 + s.map.n == name.n);
	if (s.is_unix) {
		inside(s.path);
		must(s.path.n > 0);
	} else {
		inside(s.host);
		inside(s.port);
		must(s.host.n > 0 && s.port.n > 0);
	}
}

static void
check_list(struct sts_str list)
{
	struct sts_str item;

	while (list.n > 0) {
		size_t before = list.n;
		struct pf_table table;

		if (!pf_postconf_next_item(&list, &item))
			return;
		inside(item);
		must(item.n > 0 && list.n < before);
		table = pf_postconf_table(item);
		inside(table.type);
		inside(table.name);
		must(sts_str_eq(table.whole, item));
		check_socketmap(table.name);
	}
}

static void
check_settings(void)
{
	struct sts_str text = whole, name, value, last;

	while (pf_postconf_next(&text, &name, &value)) {
		inside(name);
		inside(value);
		if (pf_postconf_get(head_of(text), name, &last))
			inside(last);
		check_list(value);
		check_quoted(value);
		(void)pf_postconf_version(value);
	}
}

static void
check_services(void)
{
	struct sts_str text = whole, value;
	struct pf_service s;

	while (pf_postconf_next_service(&text, &s)) {
		inside(s.name);
		inside(s.type);
		inside(s.chroot);
		inside(s.command);
		must(s.name.n > 0 && s.command.n > 0);
		if (pf_postconf_service_get(head_of(whole), &s, STS_STR("p"), &value))
			inside(value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	whole = (struct sts_str){ (const char *)data, size };
	check_resolvconf();
	check_maincf();
	check_settings();
	check_services();
	check_list(whole);
	check_quoted(whole);
	return 0;
}
