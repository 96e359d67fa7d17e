/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setting.h"
#include "test.h"

int test_failed;

/* The defaults that the manual promises. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "listen", "inet:127.0.0.1:8461" },
	{ "socket_mode", "0660" },
	{ "socket_group", "none" },
	{ "allow_clients",
	    "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 "
	    "169.254.0.0/16 fe80::/10" },
	{ "max_connections", "4096" },
	{ "workers", "1" },
	{ "state_directory", "/var/lib/stsd" },
	{ "cache_size", "1G" },
	{ "user", "" },
	{ "dns_servers", "" },
	{ "dns_timeout", "5s" },
	{ "dnssec", "auto" },
	{ "dane", "auto" },
	{ "postfix_directory", "/etc/postfix" },
	{ "permissive_reply", "auto" },
	{ "strict_testing", "no" },
	{ "wildcards", "exact" },
	{ "servername", "yes" },
	{ "txt_error", "pass" },
	{ "answer_timeout", "10s" },
	{ "fetch_timeout", "60s" },
	{ "max_fetches", "128" },
	{ "max_lookups", "1024" },
	{ "ca_file", "" },
	{ "allow_addresses", "none" },
	{ "https_port", "443" },
	{ "refresh_interval", "1d" },
	{ "refresh_unused", "30d" },
	{ "max_reply", "65536" },
	{ "overrides", "none" },
	{ "metrics_listen", "none" },
	{ "control_socket", "/run/stsd/control" },
	{ "sandbox", "yes" },
	{ "log_level", "info" },
	{ "log_format", "text" },
	{ "syslog", "no" },
};

/* A file's text, and the value of one setting that comes of it; or a part of the one
 * error, which begins with "t:LINE: ". */
static const struct {
	const char *what, *text, *setting, *value, *error;
} cases[] = {
	{ "nothing", "", "workers", "1", NULL },
	{ "plain", "workers = 2\n", "workers", "2", NULL },
	{ "no blanks, no line end", "workers=2", "workers", "2", NULL },
	{ "CR LF", "workers = 2\r\nsyslog = yes\r\n", "workers", "2", NULL },
	{ "byte order mark", "\xef\xbb\xbfworkers = 2\n", "workers", "2", NULL },
	{ "a comment", "# workers = 2\n  # 3\n\n\t\n", "workers", "1", NULL },
	{ "a comment behind", "workers = 2 # two\n", "workers", "2", NULL },
	{ "a comment behind TAB", "workers = 2\t# two\n", "workers", "2", NULL },
	{ "a '#' inside", "state_directory = /a#b\n", "state_directory", "/a#b", NULL },
	{ "empty is the default", "workers =\n", "workers", "1", NULL },
	{ "empty but for a comment", "workers = # two\n", "workers", "1", NULL },
	{ "a blank in a path", "state_directory = /a b/c\n", "state_directory", "/a b/c",
	    NULL },
	{ "an equals sign in a path", "overrides = /a=b\n", "overrides", "/a=b", NULL },
	{ "UTF-8 in a path", "overrides = /\xc3\xa4\n", "overrides", "/\xc3\xa4", NULL },

	{ "none", "control_socket = none\n", "control_socket", "none", NULL },
	{ "an empty list of networks", "allow_clients = none\n", "allow_clients", "none",
	    NULL },
	{ "commas and blanks", "allow_clients = 10.0.0.0/8,,::1 ,\t192.0.2.1\n",
	    "allow_clients", "10.0.0.0/8 ::1 192.0.2.1", NULL },
	{ "a list in pieces", "listen = unix:/a\nlisten = inet:*:1\n", "listen",
	    "unix:/a inet:*:1", NULL },
	{ "an empty piece", "listen =\nlisten = unix:/a\n", "listen", "unix:/a", NULL },
	{ "an empty list", "listen = ,\n", "listen", "inet:127.0.0.1:8461", NULL },
	{ "listeners", "listen = inet:[::1]:8461 inet:localhost:2 inet:0.0.0.0:3\n",
	    "listen", "inet:[::1]:8461 inet:localhost:2 inet:0.0.0.0:3", NULL },
	{ "servers", "dns_servers = 127.0.0.1, ::1 [::1]:5353 192.0.2.1:53\n",
	    "dns_servers", "127.0.0.1 [::1] [::1]:5353 192.0.2.1:53", NULL },

	{ "seconds", "answer_timeout = 7\n", "answer_timeout", "7s", NULL },
	{ "minutes", "refresh_interval = 5m\n", "refresh_interval", "5m", NULL },
	{ "a day in hours", "refresh_interval = 24h\n", "refresh_interval", "1d", NULL },
	{ "weeks", "refresh_unused = 2w\n", "refresh_unused", "2w", NULL },
	{ "bytes", "cache_size = 3000000\n", "cache_size", "3000000", NULL },
	{ "kilobytes", "cache_size = 3000K\n", "cache_size", "3000K", NULL },
	{ "mode", "socket_mode = 666\n", "socket_mode", "0666", NULL },
	{ "mode zero", "socket_mode = 0\n", "socket_mode", "0000", NULL },
	{ "word", "wildcards = loose\n", "wildcards", "loose", NULL },
	{ "level", "log_level = debug\n", "log_level", "debug", NULL },
	{ "DANE", "dane = on\n", "dane", "on", NULL },
	{ "no DANE", "dane = off\n", "dane", "off", NULL },
	{ "trust", "dnssec = trust\n", "dnssec", "trust", NULL },
	{ "longest answer", "answer_timeout = 60\n", "answer_timeout", "60s", NULL },
	{ "longest fetch", "fetch_timeout = 1m\n", "fetch_timeout", "60s", NULL },
	{ "longest reply", "max_reply = 100000\n", "max_reply", "100000", NULL },

	{ "no equals sign", "\nworkers 2\n", NULL, NULL, "t:2: 'workers 2' has no '='" },
	{ "unknown", "workres = 2\n", NULL, NULL,
	    "t:1: no setting is called 'workres', did you mean 'workers'?" },
	{ "hyphen for underscore", "Max-Reply = 2\n", NULL, NULL, "'max_reply'?" },
	{ "nothing like it", "colour = red\n", NULL, NULL,
	    "no setting is called 'colour'" },
	{ "unprintable name", "w\xc3\xb6rkers = 2\n", NULL, NULL, "'w\\xc3\\xb6rkers'" },
	{ "twice", "workers = 2\n\nworkers = 3\n", NULL, NULL,
	    "t:3: workers: was set already (t:1)" },
	{ "a control character", "overrides = /a\x01z\n", NULL, NULL,
	    "t:1: has control characters" },
	{ "DEL", "overrides = /a\x7f\n", NULL, NULL, "t:1: has control characters" },
	{ "the last control", "overrides = /a\x1f\n", NULL, NULL,
	    "t:1: has control characters" },
	{ "TAB in a path", "overrides = /a\tb\n", NULL, NULL,
	    "t:1: overrides: has control characters" },
	{ "no number", "workers = two\n", NULL, NULL,
	    "t:1: workers: 'two' is no number" },
	{ "negative", "workers = -1\n", NULL, NULL, "'-1' is no number" },
	{ "no workers", "workers = 0\n", NULL, NULL, "workers: must be from 1 to 64" },
	{ "two units", "answer_timeout = 1m30s\n", NULL, NULL, "'1m30s' is no duration" },
	{ "a foreign unit", "answer_timeout = 100ms\n", NULL, NULL, "is no duration" },
	{ "upper case", "answer_timeout = 5S\n", NULL, NULL, "is no duration" },
	{ "too long", "answer_timeout = 61s\n", NULL, NULL, "must be from 1s to 60s" },
	{ "a fetch too long", "fetch_timeout = 61s\n", NULL, NULL,
	    "must be from 1s to 60s" },
	{ "overflow", "refresh_unused = 18446744073709551615w\n", NULL, NULL,
	    "must be from 60s to 3660d" },
	{ "overflow into the range", "cache_size = 18014398509483008K\n", NULL, NULL,
	    "must be from 1M to 1024G" },
	{ "reply too long", "max_reply = 100001\n", NULL, NULL,
	    "must be from 512 to 100000" },
	{ "lower-case size", "cache_size = 1g\n", NULL, NULL, "is no size" },
	{ "true is no boolean", "syslog = true\n", NULL, NULL, "neither yes nor no" },
	{ "mode with a 9", "socket_mode = 0690\n", NULL, NULL, "is no mode" },
	{ "setuid", "socket_mode = 4660\n", NULL, NULL, "is no mode" },
	{ "unknown word", "wildcards = all\n", NULL, NULL,
	    "'all' is not known; what is: exact, loose" },
	{ "no way to do DANE", "dane = yes\n", NULL, NULL,
	    "dane: 'yes' is not known; what is: auto, on, off" },
	{ "on is not trust", "dnssec = on\n", NULL, NULL,
	    "dnssec: 'on' is not known; what is: auto, trust, off" },
	{ "relative path", "state_directory = var\n", NULL, NULL, "is no absolute path" },
	{ "cannot be none", "workers = none\n", NULL, NULL, "workers: cannot be none" },
	{ "none and more", "allow_clients = none\nallow_clients = ::1\n", NULL, NULL,
	    "t:2: allow_clients: is none and something else" },
	{ "more and none", "allow_clients = ::1\nallow_clients = none\n", NULL, NULL,
	    "t:2: allow_clients: is none and something else" },
	{ "none among items", "allow_clients = ::1 none\n", NULL, NULL,
	    "'none' is no network" },
	{ "bits beyond the prefix", "allow_clients = 10.0.0.1/8\n", NULL, NULL,
	    "'10.0.0.1/8' is no network" },
	{ "no listener", "listen = none\n", NULL, NULL, "listen: cannot be none" },
	{ "a listener twice", "listen = unix:/a, unix:/a\n", NULL, NULL,
	    "'unix:/a' stands here twice" },
	{ "a listener of no kind", "listen = 127.0.0.1:8461\n", NULL, NULL,
	    "is neither inet:HOST:PORT nor unix:PATH" },
	{ "a name", "listen = inet:mail.example.com:1\n", NULL, NULL,
	    "needs an address" },
	{ "no port", "listen = inet:127.0.0.1\n", NULL, NULL, "has no port" },
	{ "port 0", "listen = inet:*:0\n", NULL, NULL, "has no port from 1 to 65535" },
	{ "port 65536", "listen = inet:*:65536\n", NULL, NULL, "has no port from 1" },
	{ "IPv6 without brackets", "listen = inet:::1:8461\n", NULL, NULL,
	    "needs [ and ]" },
	{ "IPv4 in brackets", "listen = inet:[127.0.0.1]:1\n", NULL, NULL,
	    "brackets around what is no IPv6" },
	{ "half a bracket", "listen = inet:[::1:1\n", NULL, NULL, "has no ']'" },
	{ "a relative socket", "metrics_listen = unix:a\n", NULL, NULL,
	    "'unix:a' is no absolute path" },
	{ "metrics at two places", "metrics_listen = inet:*:1 inet:*:2\n", NULL, NULL,
	    "'inet:*:1 inet:*:2' needs an address" },
	{ "a server's name", "dns_servers = localhost\n", NULL, NULL,
	    "'localhost' is no DNS server" },
	{ "a server's port", "dns_servers = [::1]:0\n", NULL, NULL, "is no DNS server" },
	{ "an open bracket", "dns_servers = [::1\n", NULL, NULL, "is no DNS server" },
	{ "17 servers",
	    "dns_servers = ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1\n"
	    "dns_servers = ::1 ::1 ::1 ::1 ::1 ::1 ::1 ::1\n"
	    "dns_servers = ::1\n",
	    NULL, NULL, "t:3: dns_servers: has more than 16 servers" },
	{ "an option as account", "user = -r\n", NULL, NULL, "is no name of an account" },
	{ "an account", "user = a b\n", NULL, NULL, "is no name of an account" },
	{ "metrics in listen", "listen = inet:*:1\nmetrics_listen = inet:*:1\n", NULL,
	    NULL, "t:2: metrics_listen: stands in listen" },
	{ "control in listen", "listen = unix:/run/stsd/control\n", NULL, NULL,
	    "default: control_socket: stands in listen" },
	{ "control in metrics", "control_socket = /a\nmetrics_listen = unix:/a\n", NULL,
	    NULL, "t:1: control_socket: is metrics_listen" },
	{ "a control socket with too long a path",
	    "control_socket = /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	    NULL, NULL,
	    "t:1: control_socket: is too long a path for a socket (107 bytes)" },
};

static char *
printed(const struct config *c, bool origins)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	if (to == NULL)
		abort();
	if (!config_print(c, to, origins) || fclose(to) != 0)
		abort();
	return text;
}

/* The values of one setting in a printed text, lines joined by a blank. */
static const char *
value_in(const char *text, const char *name)
{
	static char value[65536];
	size_t n = 0;
	size_t label = strlen(name);

	value[0] = '\0';
	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		size_t length = strcspn(line, "\n");

		if (length < label + 2 || strncmp(line, name, label) != 0 ||
		    strncmp(line + label, " =", 2) != 0)
			continue;
		line += label + 2;
		length -= label + 2;
		if (n == 0 && length > 0) {
			line++;
			length--;
		}
		if (n + length >= sizeof(value))
			abort();
		memcpy(value + n, line, length);
		n += length;
		value[n] = '\0';
	}
	return value;
}

/* Whatever is good reads back as the same, also with its origins. */
static void
check_round_trip(const char *what, const struct config *c)
{
	for (int origins = 0; origins < 2; origins++) {
		struct config_errors errors = { 0 };
		char *once = printed(c, false);
		char *text = printed(c, origins == 1);
		struct config *back =
		    config_parse_text(sts_str_of(text), "printed", &errors);

		CHECK(what, back != NULL && errors.count == 0);
		if (back != NULL) {
			char *twice = printed(back, false);

			CHECK(what, strcmp(once, twice) == 0);
			free(twice);
		}
		config_free(back);
		config_errors_done(&errors);
		free(text);
		free(once);
	}
}

static void
check_value(const char *what, const struct config *c, const char *setting,
    const char *value)
{
	char *text = printed(c, false);
	const char *got = value_in(text, setting);

	CHECK(what, strcmp(got, value) == 0);
	if (strcmp(got, value) != 0)
		fprintf(stderr, "\t%s = '%s', not '%s'\n", setting, got, value);
	free(text);
}

static void
check_error(const char *what, const struct config_errors *errors, const char *part)
{
	CHECK(what, errors->count == 1);
	if (errors->count == 0)
		return;
	CHECK(what, strstr(errors->lines[0], part) != NULL);
	if (strstr(errors->lines[0], part) == NULL)
		fprintf(stderr, "\tgot: %s\n", errors->lines[0]);
}

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_errors errors = { 0 };
		struct config *c =
		    config_parse_text(sts_str_of(cases[i].text), "t", &errors);

		CHECK(cases[i].what, (c == NULL) == (cases[i].error != NULL));
		CHECK(cases[i].what, (c == NULL) == (errors.count > 0));
		if (c != NULL && cases[i].value != NULL) {
			check_value(cases[i].what, c, cases[i].setting, cases[i].value);
			check_round_trip(cases[i].what, c);
		}
		if (cases[i].error != NULL)
			check_error(cases[i].what, &errors, cases[i].error);
		config_free(c);
		config_errors_done(&errors);
	}
}

static void
test_defaults(void)
{
	struct config_errors errors = { 0 };
	struct config *c = config_parse_text(STS_STR_NONE, "t", &errors);

	CHECK("defaults", c != NULL && errors.count == 0);
	if (c == NULL)
		return;
	CHECK("every setting has a default here",
	    sizeof(defaults) / sizeof(defaults[0]) == SETTINGS);
	for (size_t i = 0; i < SETTINGS; i++) {
		CHECK(settings[i].name, strcmp(settings[i].name, defaults[i].name) == 0);
		CHECK(settings[i].name, settings[i].text != NULL);
		CHECK(settings[i].name,
		    (settings[i].preset[0] == '\0') == (settings[i].unset != NULL));
		check_value("default", c, defaults[i].name, defaults[i].value);
	}
	CHECK("milliseconds", c->answer_timeout_ms == 10000 && c->dns_timeout_ms == 5000);
	CHECK("seconds", c->refresh_interval == 86400);
	CHECK("bytes", c->cache_size == 1u << 30);
	CHECK("networks", c->allow_clients.count == 8);
	CHECK("words", c->dnssec == CONFIG_AUTO && c->dane == CONFIG_AUTO);
	CHECK("NULL", c->user == NULL && c->ca_file == NULL && c->overrides == NULL);
	check_round_trip("defaults", c);
	config_free(c);
}

/* --- Whose AD bit counts --- */

static const struct {
	const char *what, *settings;
	bool believes;
} servers[] = {
	{ "resolv.conf without a server", "", true },
	{ "loopback", "dns_servers = 127.0.0.1", true },
	{ "all of 127/8", "dns_servers = 127.0.0.53", true },
	{ "its last address", "dns_servers = 127.255.255.255", true },
	{ "beyond it", "dns_servers = 128.0.0.1", false },
	{ "before it", "dns_servers = 126.255.255.255", false },
	{ "with a port", "dns_servers = 127.0.0.1:5353", true },
	{ "Docker's forwarder", "dns_servers = 127.0.0.11", false },
	{ "with a port, too", "dns_servers = 127.0.0.11:53", false },
	{ "its neighbours", "dns_servers = 127.0.0.10 127.0.0.12", true },
	{ "IPv6", "dns_servers = ::1", true },
	{ "IPv6 with a port", "dns_servers = [::1]:5353", true },
	{ "its neighbour", "dns_servers = ::2", false },
	{ "the unspecified one", "dns_servers = ::", false },
	{ "mapped", "dns_servers = ::ffff:127.0.0.1", true },
	{ "mapped with a port", "dns_servers = [::ffff:127.0.0.1]:5353", true },
	{ "Docker's, mapped", "dns_servers = ::ffff:127.0.0.11", false },
	{ "compatible is not mapped", "dns_servers = ::127.0.0.1", false },
	{ "another host", "dns_servers = 192.0.2.1", false },
	{ "another host by IPv6", "dns_servers = [2001:db8::1]:53", false },
	{ "loopback and another", "dns_servers = 127.0.0.1 192.0.2.1", false },
	{ "another and loopback", "dns_servers = 192.0.2.1 127.0.0.1", false },
	{ "two on loopback", "dns_servers = 127.0.0.1 ::1", true },
	{ "link-local", "dns_servers = fe80::1", false },
	{ "trust", "dnssec = trust\ndns_servers = 192.0.2.1", true },
	{ "off", "dnssec = off\ndns_servers = 127.0.0.1", false },
};

static void
test_believed(void)
{
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		struct config_errors errors = { 0 };
		struct config *c =
		    config_parse_text(sts_str_of(servers[i].settings), "t", &errors);

		CHECK(servers[i].what, c != NULL);
		if (c != NULL)
			CHECK(servers[i].what,
			    config_believes_ad(c) == servers[i].believes);
		config_free(c);
		config_errors_done(&errors);
	}
}

/* --- Sources: what wins, and what replaces what --- */

struct source_case {
	const char *what;
	const char *file; /* its text */
	char *environment[4];
	char *options[4];
	const char *setting, *value; /* NULL: an error */
	const char *says;	     /* part of the error, or of the notice */
};

static struct source_case sources[] = {
	{ "the file", "workers = 2", { NULL }, { NULL }, "workers", "2", NULL },
	{ "environment over file", "workers = 2", { "STSD_WORKERS=3" }, { NULL },
	    "workers", "3", NULL },
	{ "option over environment", "workers = 2", { "STSD_WORKERS=3" },
	    { "workers = 4" }, "workers", "4", NULL },
	{ "a later list replaces", "listen = unix:/a\nlisten = unix:/b",
	    { "STSD_LISTEN=unix:/c unix:/d" }, { NULL }, "listen", "unix:/c unix:/d",
	    NULL },
	{ "options append", "listen = unix:/a", { NULL },
	    { "listen=unix:/b", "listen=unix:/c" }, "listen", "unix:/b unix:/c", NULL },
	{ "an empty list is the default again", "listen = unix:/a", { "STSD_LISTEN=" },
	    { NULL }, "listen", "inet:127.0.0.1:8461", NULL },
	{ "an empty value is the default again", "workers = 2", { NULL }, { "workers=" },
	    "workers", "1", NULL },
	{ "none takes a list away", "allow_addresses = ::1", { NULL },
	    { "allow_addresses=none" }, "allow_addresses", "none", NULL },
	{ "a list after none", "allow_addresses = none", { NULL },
	    { "allow_addresses=::1" }, "allow_addresses", "::1", NULL },
	{ "other variables", "", { "WORKERS=3", "XSTSD_WORKERS=4", "STSD_" }, { NULL },
	    "workers", "1", NULL },
	{ "Kubernetes", "", { "STSD_PORT=tcp://10.0.0.1:8461" }, { NULL }, "workers", "1",
	    "environment: no setting is called 'PORT'; STSD_ variable ignored" },
	{ "a slip in the environment", "", { "STSD_WORKER=3" }, { NULL }, "workers", "1",
	    "did you mean 'workers'?" },
	{ "lower case", "", { "STSD_workers=3" }, { NULL }, "workers", "1", "'workers'" },
	{ "wrong variable", "", { "STSD_WORKERS=x" }, { NULL }, NULL, NULL,
	    "STSD_WORKERS: 'x' is no number" },
	{ "wrong option", "", { NULL }, { "workers=x" }, NULL, NULL,
	    "-o workers: 'x' is no number" },
	{ "unknown option", "", { NULL }, { "worker=1" }, NULL, NULL,
	    "-o: no setting is called 'worker', did you mean 'workers'?" },
	{ "option without a value", "", { NULL }, { "workers" }, NULL, NULL,
	    "-o 'workers': has no '='" },
	{ "option twice", "", { NULL }, { "workers=1", "workers=2" }, NULL, NULL,
	    "-o workers: was set already (-o)" },
	{ "a line end in a variable", "", { "STSD_USER=a\nworkers = 3" }, { NULL }, NULL,
	    NULL, "STSD_USER: has control characters" },
	{ "a comment in an option", "", { NULL }, { "overrides=/a #b" }, NULL, NULL,
	    "-o overrides: has a '#' that begins a comment" },
	{ "a wrong value that is overridden", "workers = x", { NULL }, { "workers=1" },
	    NULL, NULL, ":1: workers: 'x' is no number" },
};

static void
write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		abort();
	(void)close(fd);
}

static void
test_source(struct source_case *s)
{
	char path[] = "/tmp/test_config.XXXXXX";
	struct config_sources from = { path, s->environment, s->options };
	struct config_errors errors = { 0 };
	struct config_errors notices = { 0 };
	struct config *c;

	write_file(path, s->file);
	c = config_load(&from, &errors, &notices);
	CHECK(s->what, (c != NULL) == (s->value != NULL));
	if (c != NULL && s->value != NULL) {
		check_value(s->what, c, s->setting, s->value);
		check_round_trip(s->what, c);
	}
	if (s->value == NULL)
		check_error(s->what, &errors, s->says);
	else if (s->says != NULL)
		check_error(s->what, &notices, s->says);
	else
		CHECK(s->what, notices.count == 0);
	config_free(c);
	config_errors_done(&errors);
	config_errors_done(&notices);
	(void)unlink(path);
}

static void
test_origins(void)
{
	char path[] = "/tmp/test_config.XXXXXX";
	char *environment[] = { "STSD_SYSLOG=yes", NULL };
	char *options[] = { "sandbox=no", NULL };
	struct config_sources from = { path, environment, options };
	struct config_errors errors = { 0 };
	struct config *c;
	char *text;
	char line[128];

	write_file(path, "\nworkers = 2\n");
	c = config_load(&from, &errors, NULL);
	CHECK("origins", c != NULL);
	if (c != NULL) {
		text = printed(c, true);
		(void)snprintf(line, sizeof(line), "workers = 2  # %s:2\n", path);
		CHECK("of the file", strstr(text, line) != NULL);
		CHECK("of the environment",
		    strstr(text, "syslog = yes  # STSD_SYSLOG\n") != NULL);
		CHECK("of an option", strstr(text, "sandbox = no  # -o\n") != NULL);
		CHECK("of nothing",
		    strstr(text, "max_fetches = 128  # default\n") != NULL);
		CHECK("found out later",
		    strstr(text, "ca_file =  # default: the system's bundle\n") != NULL);
		free(text);
	}
	config_free(c);
	(void)unlink(path);
}

static void
test_files(void)
{
	struct config_sources missing = { .file = "/nonexistent/stsd\n.conf" };
	struct config_sources folder = { .file = "/tmp" };
	struct config_sources usual = { .file = NULL };
	struct config_errors errors = { 0 };
	struct config *c;

	if (access(STSD_CONFIG, F_OK) == -1 && errno == ENOENT) {
		c = config_load(&usual, &errors, NULL);
		CHECK("the usual file may be missing", c != NULL && errors.count == 0);
		config_free(c);
	}

	CHECK("missing file", config_load(&missing, &errors, NULL) == NULL);
	check_error("missing file", &errors,
	    "/nonexistent/stsd\\x0a.conf: cannot be read: No such file");
	config_errors_done(&errors);
	CHECK("a folder", config_load(&folder, &errors, NULL) == NULL);
	check_error("a folder", &errors, "/tmp: cannot be read: Is a directory");
	config_errors_done(&errors);
}

static void
test_all_errors(void)
{
	struct config_errors errors = { 0 };

	CHECK("errors",
	    config_parse_text(STS_STR("a\nworkers = x\nsyslog = yes\nb = 1\n"), "t",
		&errors) == NULL);
	CHECK("all of them", errors.count == 3);
	config_errors_done(&errors);
}

/* Want of memory or descriptors is nothing to mend in the settings. */
static void
test_ours(void)
{
	static const struct {
		int error;
		bool ours;
	} ROWS[] = { { ENOENT, false }, { EACCES, false }, { ENOMEM, true },
		{ ENOSPC, true }, { EMFILE, true }, { ENFILE, true } };

	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct config_errors errors = { 0 };

		config_complain(&errors, "something else");
		config_complain_errno(&errors, "here", ROWS[i].error);
		CHECK(errors.lines[1], errors.count == 2 && errors.made == 2);
		CHECK(errors.lines[1], errors.ours == ROWS[i].ours);
		config_errors_done(&errors);
		CHECK("nothing is left", errors.made == 0 && !errors.ours);
	}
}

/* Lines as long as allowed, one longer; NUL bytes. */
static void
test_lengths(void)
{
	static char text[5000];
	struct config_errors errors = { 0 };
	struct config *c;

	memset(text, '#', sizeof(text));
	c = config_parse_text((struct sts_str){ text, 4096 }, "t", &errors);
	CHECK("4096 bytes", c != NULL);
	config_free(c);
	CHECK("4097 bytes",
	    config_parse_text((struct sts_str){ text, 4097 }, "t", &errors) == NULL);
	check_error("4097 bytes", &errors, "t:1: longer than 4096 bytes");
	config_errors_done(&errors);
	CHECK("NUL", config_parse_text(STS_STR("workers = 1\0"), "t", &errors) == NULL);
	check_error("NUL", &errors, "t:1: has control characters");
	config_errors_done(&errors);
}

/* A list much longer than a line may be. */
static void
test_long_list(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	struct config_errors errors = { 0 };
	struct config *c;

	if (to == NULL)
		abort();
	for (int i = 0; i < 2000; i++)
		fprintf(to, "allow_addresses = 10.%d.%d.0/24\n", i / 256, i % 256);
	if (fclose(to) != 0)
		abort();
	c = config_parse_text(sts_str_of(text), "t", &errors);
	CHECK("long list", c != NULL && c->allow_addresses.count == 2000);
	if (c != NULL)
		check_round_trip("long list", c);
	config_free(c);
	free(text);
}

static void
test_listen(void)
{
	struct config_listen l;

	CHECK("v4",
	    config_listen_parse("inet:192.0.2.1:25", &l) == NULL &&
		l.kind == CONFIG_LISTEN_INET && !l.addr.v6 && l.port == 25);
	CHECK("v6",
	    config_listen_parse("inet:[::1]:65535", &l) == NULL &&
		l.kind == CONFIG_LISTEN_INET && l.addr.v6 && l.port == 65535);
	CHECK("any",
	    config_listen_parse("inet:*:1", &l) == NULL && l.kind == CONFIG_LISTEN_ANY &&
		l.port == 1);
	CHECK("unix",
	    config_listen_parse("unix:/run/x", &l) == NULL &&
		l.kind == CONFIG_LISTEN_UNIX && strcmp(l.path, "/run/x") == 0);
	CHECK("wrong leaves it alone",
	    config_listen_parse("inet:x:1", &l) != NULL && l.kind == CONFIG_LISTEN_UNIX);
	CHECK("107 bytes",
	    config_listen_parse(
		"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		&l) == NULL &&
		strlen(l.path) == 107);
	CHECK("108 bytes",
	    config_listen_parse(
		"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		&l) != NULL);
}

/* --- The example file is what the table says --- */

static void
print_sentence(const char *text, FILE *to)
{
	while (*text != '\0') {
		size_t n = strlen(text);

		if (n > 76) {
			n = 76;
			while (text[n] != ' ')
				n--;
		}
		fprintf(to, "# %.*s\n", (int)n, text);
		text += n + (text[n] == ' ');
	}
}

static void
print_example(FILE *to)
{
	fputs(
	    "# Configuration of stsd(8). Every setting stands here with its default; see\n"
	    "# stsd.conf(5) for all there is to say. Durations take one unit of s m h d w,\n"
	    "# sizes K M G; lists are separated by blanks or commas, and a list may go on\n"
	    "# under its name once more. \"stsd -t\" checks this file, \"stsd -T\" shows what\n"
	    "# is in effect.\n",
	    to);
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *s = &settings[i];

		fputc('\n', to);
		print_sentence(s->text, to);
		if (s->unset != NULL)
			fprintf(to, "# Default: %s.\n#%s =\n", s->unset, s->name);
		else
			fprintf(to, "#%s = %s\n", s->name, s->preset);
	}
}

static void
test_example(void)
{
	FILE *file = fopen("daemon/stsd.conf", "r");
	char *want = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&want, &n);
	static char have[65536];

	if (to == NULL)
		abort();
	print_example(to);
	if (fclose(to) != 0)
		abort();
	CHECK("daemon/stsd.conf is there (run this in the top folder)", file != NULL);
	if (file != NULL) {
		have[fread(have, 1, sizeof(have) - 1, file)] = '\0';
		(void)fclose(file);
		CHECK("daemon/stsd.conf is up to date: test_config --example writes it",
		    strcmp(have, want) == 0);
	}
	free(want);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--example") == 0) {
		print_example(stdout);
		return 0;
	}
	test_cases();
	test_believed();
	test_defaults();
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		test_source(&sources[i]);
	test_origins();
	test_files();
	test_all_errors();
	test_ours();
	test_lengths();
	test_long_list();
	test_listen();
	test_example();
	return test_failed;
}
