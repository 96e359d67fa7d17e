/* SPDX-License-Identifier: MIT */
#include "postconf.h"

#include <string.h>

#include "test.h"

int test_failed;

static const struct {
	const char *what, *text, *name, *value; /* NULL: there is none */
} settings[] = {
	{ "plain", "a = 1\nb = 2\n", "b", "2" },
	{ "no line end", "a = 1", "a", "1" },
	{ "empty", "a =\nb = 2\n", "a", "" },
	{ "empty, with a blank", "a = \n", "a", "" },
	{ "an equals sign in it", "a = b=c = d\n", "a", "b=c = d" },
	{ "none", "aa = 1\n", "a", NULL },
	{ "a warning between", "postconf: warning: x=1\na = 1\n", "a", "1" },
	{ "the last counts", "a = 1\na = 2\n", "a", "2" },
	{ "nothing at all", "", "a", NULL },
	{ "references stay", "a = $b, ${c?d}\n", "a", "$b, ${c?d}" },
};

static const struct {
	const char *what, *text;
	const char *name, *type, *chroot, *command; /* of the last */
	size_t count;
} services[] = {
	{ "plain", "smtp       unix  -       -       y       -       -       smtp\n",
	    "smtp", "unix", "y", "smtp", 1 },
	{ "with options",
	    "relay unix - - n - - smtp -o syslog_name=postfix/$service_name\n", "relay",
	    "unix", "n", "smtp", 1 },
	{ "several",
	    "smtp inet n - y - - smtpd\n"
	    "maildrop unix - n n - - pipe flags=DRXhu argv=/usr/bin/maildrop -d ${u}\n"
	    "smtp unix - - - - - smtp\n",
	    "smtp", "unix", "-", "smtp", 3 },
	{ "a folder in front", "x unix - - - - - /opt/lib/smtp\n", "x", "unix", "-",
	    "smtp", 1 },
	{ "a folder alone", "x unix - - - - - /opt/lib/\n", NULL, NULL, NULL, NULL, 0 },
	{ "too short", "smtp unix - - n - -\nx unix - - n - - lmtp\n", "x", "unix", "n",
	    "lmtp", 1 },
	{ "a continuation and a comment", "# a b c d e f g h\n  -o a=b c d e f g h\n",
	    NULL, NULL, NULL, NULL, 0 },
};

static const struct {
	const char *what, *text, *name, *value;
} own[] = {
	{ "its own", "relay/unix/a = 1\n", "a", "1" },
	{ "another's", "relays/unix/a = 1\nrelay/inet/a = 2\n", "a", NULL },
	{ "another name", "relay/unix/aa = 1\n", "a", NULL },
	{ "with a blank", "relay/unix/a = x y, z\n", "a", "x y, z" },
};

static const struct {
	const char *what, *text, *items; /* each in [] */
} lists[] = {
	{ "empty", "", "" },
	{ "blanks", " , \t,", "" },
	{ "one", "hash:/a", "[hash:/a]" },
	{ "commas and blanks", "hash:/a,regexp:/b  ,\tc:d", "[hash:/a][regexp:/b][c:d]" },
	{ "braces", "inline:{ { a = b }, c=d }, x", "[inline:{ { a = b }, c=d }][x]" },
	{ "an open brace", "a:{ b, c", "[a:{ b, c]" },
	{ "one brace too many", "a}, b", "[a}][b]" },
	{ "a reference", "$maps, ${x? {a, b}}", "[$maps][${x? {a, b}}]" },
};

static const struct {
	const char *item, *type, *name;
	bool proxied;
} tables[] = {
	{ "hash:/etc/postfix/x", "hash", "/etc/postfix/x", false },
	{ "proxy:socketmap:inet:a:1:Q", "socketmap", "inet:a:1:Q", true },
	{ "static:may", "static", "may", false },
	{ "/etc/postfix/x", "/etc/postfix/x", "", false },
};

static const struct {
	const char *name, *endpoint, *first, *second, *map; /* endpoint NULL: invalid */
} socketmaps[] = {
	{ "inet:127.0.0.1:8461:QUERY", "inet:127.0.0.1:8461", "127.0.0.1", "8461",
	    "QUERY" },
	{ "inet:[::1]:8461:QUERY", "inet:[::1]:8461", "::1", "8461", "QUERY" },
	{ "inet:localhost:smtp:a", "inet:localhost:smtp", "localhost", "smtp", "a" },
	{ "unix:/run/stsd/s:QUERY", "unix:/run/stsd/s", "/run/stsd/s", NULL, "QUERY" },
	{ "unix:stsd/s:x", "unix:stsd/s", "stsd/s", NULL, "x" },
	{ "127.0.0.1:8461:QUERY", NULL, NULL, NULL, NULL },
	{ "inet:127.0.0.1:8461:", NULL, NULL, NULL, NULL },
	{ "inet:8461:QUERY", NULL, NULL, NULL, NULL },
	{ "inet::8461:QUERY", NULL, NULL, NULL, NULL },
	{ "unix::QUERY", NULL, NULL, NULL, NULL },
	{ "inet:a::QUERY", NULL, NULL, NULL, NULL },
	{ "QUERY", NULL, NULL, NULL, NULL },
	{ "", NULL, NULL, NULL, NULL },
};

static const struct {
	const char *text;
	unsigned long version;
} versions[] = {
	{ "3.7.11", PF_VERSION(3, 7, 11) },
	{ "3.10.0", PF_VERSION(3, 10, 0) },
	{ "3.10.0-RC1", PF_VERSION(3, 10, 0) },
	{ "3.12-20260401", PF_VERSION(3, 12, 0) },
	{ "3.12-20260401-nonprod", PF_VERSION(3, 12, 0) },
	{ "2.11.3", PF_VERSION(2, 11, 3) },
	{ "", 0 },
	{ "three", 0 },
	{ "3.x", 0 },
};

static const struct {
	const char *word, *quoted; /* NULL: not to be pasted */
} quotes[] = {
	{ "a = b", "'a = b'" },
	{ "", "''" },
	{ "it's", "'it'\\''s'" },
	{ "$x `y` \\ \"z\" !", "'$x `y` \\ \"z\" !'" },
	{ "\xc3\xbc", "'\xc3\xbc'" },
	{ "a\nb", NULL },
	{ "a\x1b[2J", NULL },
	{ "\x7f", NULL },
};

static bool
is(struct sts_str s, const char *text)
{
	return sts_str_eq(s, sts_str_of(text));
}

static void
check_settings(void)
{
	const struct pf_service relay = { .name = STS_STR("relay"),
		.type = STS_STR("unix") };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct sts_str value = STS_STR("untouched");
		bool found = pf_postconf_get(sts_str_of(settings[i].text),
		    sts_str_of(settings[i].name), &value);

		CHECK(settings[i].what, found == (settings[i].value != NULL));
		CHECK(settings[i].what,
		    is(value, found ? settings[i].value : "untouched"));
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct sts_str value = STS_STR("untouched");
		bool found = pf_postconf_service_get(sts_str_of(own[i].text), &relay,
		    sts_str_of(own[i].name), &value);

		CHECK(own[i].what, found == (own[i].value != NULL));
		CHECK(own[i].what, is(value, found ? own[i].value : "untouched"));
	}
}

static void
check_services(void)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		struct sts_str text = sts_str_of(services[i].text);
		struct pf_service s = { 0 };
		size_t count = 0;

		while (pf_postconf_next_service(&text, &s))
			count++;
		CHECK(services[i].what, count == services[i].count);
		CHECK(services[i].what, is(s.name, services[i].name));
		CHECK(services[i].what, is(s.type, services[i].type));
		CHECK(services[i].what, is(s.chroot, services[i].chroot));
		CHECK(services[i].what, is(s.command, services[i].command));
	}
}

static void
check_lists(void)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct sts_str text = sts_str_of(lists[i].text), item;
		struct sts_buf b = { 0 };

		while (pf_postconf_next_item(&text, &item)) {
			sts_put_char(&b, '[');
			sts_put(&b, item);
			sts_put_char(&b, ']');
		}
		CHECK(lists[i].what, is(sts_buf_str(&b), lists[i].items));
		sts_buf_done(&b);
	}
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		struct pf_table t = pf_postconf_table(sts_str_of(tables[i].item));

		CHECK(tables[i].item, is(t.whole, tables[i].item));
		CHECK(tables[i].item, is(t.type, tables[i].type));
		CHECK(tables[i].item, is(t.name, tables[i].name));
		CHECK(tables[i].item, t.proxied == tables[i].proxied);
	}
}

static void
check_socketmaps(void)
{
	for (size_t i = 0; i < sizeof(socketmaps) / sizeof(socketmaps[0]); i++) {
		const char *what = socketmaps[i].name;
		struct pf_socketmap s = { .map = STS_STR("untouched") };
		bool good = pf_postconf_socketmap(sts_str_of(what), &s);

		CHECK(what, good == (socketmaps[i].endpoint != NULL));
		CHECK(what, is(s.map, good ? socketmaps[i].map : "untouched"));
		CHECK(what, is(s.endpoint, socketmaps[i].endpoint));
		CHECK(what, s.is_unix == (good && socketmaps[i].second == NULL));
		CHECK(what, is(s.is_unix ? s.path : s.host, socketmaps[i].first));
		CHECK(what, is(s.port, socketmaps[i].second));
	}
}

static void
check_quotes(void)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
		struct sts_buf b = { 0 };

		CHECK(quotes[i].word,
		    pf_postconf_quote(&b, sts_str_of(quotes[i].word)) ==
			(quotes[i].quoted != NULL));
		CHECK(quotes[i].word, is(sts_buf_str(&b), quotes[i].quoted));
		sts_buf_done(&b);
	}
}

int
main(void)
{
	check_settings();
	check_services();
	check_lists();
	check_socketmaps();
	check_quotes();
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		CHECK(versions[i].text,
		    pf_postconf_version(sts_str_of(versions[i].text)) ==
			versions[i].version);
	return test_failed;
}
