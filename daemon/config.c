/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "lines.h"
#include "maincf.h"
#include "setting.h"
#include "value.h"

/* Far more than anybody writes, and little enough to be read by mistake. */
#define FILE_BYTES_MAX (1 << 20)
#define PLACE_MAX (LINES_NAME_MAX + 64)
/* Where a long list goes on in another line. */
#define PRINT_COLUMNS 80

/*
 * A source while it is read: a file, the environment or the options. Inside one source a
 * list may be given in pieces and anything else once; the first piece puts away what the
 * sources before have said.
 */
struct source {
	struct config *config;
	struct config_errors *errors;
	bool given[SETTINGS];
	bool filled[SETTINGS]; /* a list has items, or is "none" */
	bool none[SETTINGS];
};

static void
complain_memory(struct config_errors *errors)
{
	config_complain_errno(errors, "configuration", ENOMEM);
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < SETTINGS; i++) {
		setting_clear(c, &settings[i]);
		if (c->origins != NULL)
			free(c->origins[i]);
	}
	free(c->origins);
	free(c);
}

static struct config *
config_new(struct config_errors *errors)
{
	struct config *c = calloc(1, sizeof(*c));
	struct value_why why;

	if (c != NULL)
		c->origins = calloc(SETTINGS, sizeof(*c->origins));
	if (c == NULL || c->origins == NULL) {
		complain_memory(errors);
		config_free(c);
		return NULL;
	}
	for (size_t i = 0; i < SETTINGS; i++) {
		if (setting_preset(c, &settings[i], &why))
			continue;
		config_complain(errors, "default of %s: %s", settings[i].name, why.text);
		errors->ours |= why.ours;
		config_free(c);
		return NULL;
	}
	return c;
}

/* --- One assignment --- */

static bool
may_give(const struct source *s, size_t i, bool none, struct value_why *why)
{
	if (s->given[i] && !setting_is_list(&settings[i]))
		return value_wrong(why, "was set already (%s)", s->config->origins[i]);
	if (none && !settings[i].may_be_none)
		return value_wrong(why, "cannot be none");
	if (s->none[i] || (none && s->filled[i]))
		return value_wrong(why, "is none and something else");
	return true;
}

/* What the file cannot hold is refused of every source: a role gets its settings as a
 * file's text. */
static bool
can_be_written(const struct setting *setting, struct sts_str value, struct value_why *why)
{
	bool tab = value.n > 0 && memchr(value.p, '\t', value.n) != NULL;

	if (lines_has_control(value) || (tab && !setting_is_list(setting)))
		return value_wrong(why, "has control characters");
	if (lines_comment(value) < value.n)
		return value_wrong(why, "has a '#' that begins a comment");
	return true;
}

static bool
begin_giving(struct source *s, size_t i, const char *origin, struct value_why *why)
{
	char *text;

	if (s->given[i])
		return true;
	text = strdup(origin);
	if (text == NULL)
		return value_no_memory(why);
	free(s->config->origins[i]);
	s->config->origins[i] = text;
	s->given[i] = true;
	setting_clear(s->config, &settings[i]);
	return true;
}

static bool
give(struct source *s, size_t i, struct sts_str value, const char *origin,
    struct value_why *why)
{
	const struct setting *setting = &settings[i];
	bool none = sts_str_eq(value, STS_STR("none"));

	if (!may_give(s, i, none, why) || !can_be_written(setting, value, why) ||
	    !begin_giving(s, i, origin, why))
		return false;
	if (setting_is_empty(setting, value))
		return setting_is_list(setting) ||
		    setting_preset(s->config, setting, why);
	s->none[i] = none;
	s->filled[i] = true;
	return none || setting_add(s->config, setting, value, why);
}

/* origin: for "stsd -T"; subject: what an error begins with. */
static void
assign(struct source *s, const struct setting *setting, struct sts_str value,
    const char *origin, const char *subject)
{
	struct value_why why;

	if (give(s, (size_t)(setting - settings), sts_str_trim(value), origin, &why))
		return;
	config_complain(s->errors, "%s: %s", subject, why.text);
	s->errors->ours |= why.ours;
}

/* A list of which nothing was said but that it is empty has its default. */
static void
end_source(struct source *s)
{
	struct value_why why;

	for (size_t i = 0; i < SETTINGS; i++) {
		if (!s->given[i] || s->filled[i] || !setting_is_list(&settings[i]))
			continue;
		if (!setting_preset(s->config, &settings[i], &why))
			complain_memory(s->errors);
	}
}

static void
complain_unknown(struct config_errors *errors, const char *place, struct sts_str name,
    const char *consequence)
{
	const struct setting *near = setting_near(name);
	char quoted[VALUE_QUOTED];

	config_complain(errors, "%s: no setting is called %s%s%s%s%s", place,
	    value_quote(name, quoted), near != NULL ? ", did you mean '" : "",
	    near != NULL ? near->name : "", near != NULL ? "'?" : "", consequence);
}

/* --- The sources --- */

static void
read_line(struct source *s, const char *place, struct sts_str line)
{
	const struct setting *setting;
	char subject[PLACE_MAX + 64];
	char quoted[VALUE_QUOTED];
	struct sts_str name;

	if (!sts_str_cut(&line, '=', &name)) {
		config_complain(s->errors, "%s: %s has no '='", place,
		    value_quote(name, quoted));
		return;
	}
	name = sts_str_trim(name);
	setting = setting_find(name);
	if (setting == NULL) {
		complain_unknown(s->errors, place, name, "");
		return;
	}
	(void)snprintf(subject, sizeof(subject), "%s: %s", place, setting->name);
	assign(s, setting, line, place, subject);
}

static void
read_text(struct config *c, struct sts_str text, const char *name,
    struct config_errors *errors)
{
	struct source s = { .config = c, .errors = errors };
	struct lines lines;
	struct sts_str line;
	char place[PLACE_MAX];

	lines_start(&lines, text, name, errors);
	while (lines_next(&lines, &line)) {
		(void)snprintf(place, sizeof(place), "%s:%zu", lines.name, lines.number);
		read_line(&s, place, line);
	}
	end_source(&s);
}

static void
read_file(struct config *c, const char *path, struct config_errors *errors)
{
	bool optional = path == NULL;
	char shown[LINES_NAME_MAX + 1], place[sizeof(shown) + 20];
	struct sts_buf text = { 0 };

	if (optional)
		path = STSD_CONFIG;
	lines_show_name(path, shown);
	if (file_read(path, FILE_BYTES_MAX, &text) == 0)
		read_text(c, sts_buf_str(&text), path, errors);
	else if (!optional || errno != ENOENT) {
		int error = errno;

		(void)snprintf(place, sizeof(place), "%s: cannot be read", shown);
		config_complain_errno(errors, place, error);
	}
	sts_buf_done(&text);
}

static const struct setting *
find_upper(struct sts_str name)
{
	char lower[64];

	if (name.n > sizeof(lower))
		return NULL;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c >= 'a' && c <= 'z')
			return NULL;
		lower[i] = sts_lower(c);
	}
	return setting_find((struct sts_str){ lower, name.n });
}

static void
read_environment(struct config *c, char *const *environment, struct config_errors *errors,
    struct config_errors *notices)
{
	struct source s = { .config = c, .errors = errors };
	struct sts_str prefix = STS_STR("STSD_");

	for (; environment != NULL && *environment != NULL; environment++) {
		struct sts_str value = sts_str_of(*environment);
		const struct setting *setting;
		struct sts_str name;
		char origin[128];

		if (!sts_str_starts(value, prefix) || !sts_str_cut(&value, '=', &name))
			continue;
		setting = find_upper(sts_str_from(name, prefix.n));
		if (setting == NULL) {
			complain_unknown(notices, "environment",
			    sts_str_from(name, prefix.n), "; STSD_ variable ignored");
			continue;
		}
		(void)snprintf(origin, sizeof(origin), "%.*s", (int)name.n, name.p);
		assign(&s, setting, value, origin, origin);
	}
	end_source(&s);
}

static void
read_options(struct config *c, char *const *options, struct config_errors *errors)
{
	struct source s = { .config = c, .errors = errors };

	for (; options != NULL && *options != NULL; options++) {
		struct sts_str value = sts_str_of(*options);
		const struct setting *setting;
		char quoted[VALUE_QUOTED];
		char subject[128];
		struct sts_str name;

		if (!sts_str_cut(&value, '=', &name)) {
			config_complain(errors, "-o %s: has no '='",
			    value_quote(name, quoted));
			continue;
		}
		setting = setting_find(sts_str_trim(name));
		if (setting == NULL) {
			complain_unknown(errors, "-o", sts_str_trim(name), "");
			continue;
		}
		(void)snprintf(subject, sizeof(subject), "-o %s", setting->name);
		assign(&s, setting, value, "-o", subject);
	}
	end_source(&s);
}

/* --- What no setting can know alone --- */

/* The place of a setting, for an error that names two. */
static const char *
place_of(const struct config *c, const char *name)
{
	const struct setting *s = setting_find(sts_str_of(name));
	const char *origin = c->origins[s - settings];

	return origin != NULL ? origin : "default";
}

bool
config_is_default(const struct config *c, const char *name)
{
	return c->origins[setting_find(sts_str_of(name)) - settings] == NULL;
}

static bool
is_same_socket(const char *spec, const char *path)
{
	struct config_listen listen;

	return config_listen_parse(spec, &listen) == NULL &&
	    listen.kind == CONFIG_LISTEN_UNIX && strcmp(listen.path, path) == 0;
}

/* A path that is too long for a socket is found before anything is done. */
static void
check_control(const struct config *c, struct config_errors *errors)
{
	struct config_listen listen;
	char spec[5 + 4096];
	const char *wrong;

	if (c->control_socket == NULL)
		return;
	(void)snprintf(spec, sizeof(spec), "unix:%s", c->control_socket);
	wrong = config_listen_parse(spec, &listen);
	if (wrong != NULL)
		config_complain(errors, "%s: control_socket: %s",
		    place_of(c, "control_socket"), wrong);
}

static void
check_sockets(const struct config *c, struct config_errors *errors)
{
	for (size_t i = 0; i < c->listen.count; i++) {
		const char *item = c->listen.items[i];

		if (c->metrics_listen != NULL && strcmp(item, c->metrics_listen) == 0)
			config_complain(errors,
			    "%s: metrics_listen: stands in listen, too",
			    place_of(c, "metrics_listen"));
		if (c->control_socket != NULL && is_same_socket(item, c->control_socket))
			config_complain(errors,
			    "%s: control_socket: stands in listen, too",
			    place_of(c, "control_socket"));
	}
	if (c->metrics_listen != NULL && c->control_socket != NULL &&
	    is_same_socket(c->metrics_listen, c->control_socket))
		config_complain(errors, "%s: control_socket: is metrics_listen, too",
		    place_of(c, "control_socket"));
}

static struct config *
finish(struct config *c, size_t errors_before, struct config_errors *errors)
{
	check_control(c, errors);
	check_sockets(c, errors);
	if (errors->made == errors_before)
		return c;
	config_free(c);
	return NULL;
}

struct config *
config_load(const struct config_sources *sources, struct config_errors *errors,
    struct config_errors *notices)
{
	size_t before = errors->made;
	struct config *c = config_new(errors);

	if (c == NULL)
		return NULL;
	read_file(c, sources->file, errors);
	read_environment(c, sources->environment, errors, notices);
	read_options(c, sources->options, errors);
	return finish(c, before, errors);
}

struct config *
config_parse_text(struct sts_str text, const char *name, struct config_errors *errors)
{
	size_t before = errors->made;
	struct config *c = config_new(errors);

	if (c == NULL)
		return NULL;
	read_text(c, text, name, errors);
	return finish(c, before, errors);
}

/* --- And back to text --- */

static void
print_origin(const struct config *c, size_t i, FILE *to)
{
	if (c->origins[i] != NULL)
		fprintf(to, "  # %s", c->origins[i]);
	else if (settings[i].unset != NULL)
		fprintf(to, "  # default: %s", settings[i].unset);
	else
		fputs("  # default", to);
}

static void
print_line(const struct config *c, size_t i, const struct sts_buf *items, FILE *to,
    bool origins)
{
	fprintf(to, "%s =%.*s", settings[i].name, (int)items->n, items->p);
	if (origins)
		print_origin(c, i, to);
	fputc('\n', to);
}

/* A long list goes on under its name once more; no line becomes too long to be read. */
static bool
print_setting(const struct config *c, size_t i, FILE *to, bool origins)
{
	struct sts_buf line = { 0 };
	struct sts_buf item = { 0 };
	bool good;
	size_t n;

	for (n = 0; setting_item(c, &settings[i], n, &item); n++) {
		if (line.n > 0 && line.n + item.n > PRINT_COLUMNS) {
			print_line(c, i, &line, to, origins);
			sts_buf_clear(&line);
		}
		sts_put_char(&line, ' ');
		sts_put(&line, sts_buf_str(&item));
		if (item.bad || line.bad)
			break;
		sts_buf_clear(&item);
	}
	if (n == 0 && settings[i].preset[0] != '\0')
		sts_put_text(&line, " none");
	good = !item.bad && !line.bad;
	if (good)
		print_line(c, i, &line, to, origins);
	sts_buf_done(&line);
	sts_buf_done(&item);
	return good;
}

bool
config_print(const struct config *c, FILE *to, bool origins)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (!print_setting(c, i, to, origins))
			return false;
	return fflush(to) == 0 && ferror(to) == 0;
}

/* --- What an "auto" stands for --- */

/* Is it one of these? Postfix's words are case-insensitive. */
static bool
is_among(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sts_str_eq_nocase(sts_str_of(text), sts_str_of(words[i])))
			return true;
	return false;
}

bool
config_says_may(const struct config *c, struct sts_str main_cf)
{
	/* Levels that "may" would weaken. */
	static const char *const stronger[] = { "encrypt", "verify", "secure",
		"fingerprint", "dane-only" };
	char level[32];

	if (c->permissive_reply != CONFIG_REPLY_AUTO)
		return c->permissive_reply == CONFIG_REPLY_MAY;
	switch (maincf_get(main_cf, "smtp_tls_security_level", level, sizeof(level))) {
	case MAINCF_NONE:
		return true;
	case MAINCF_UNKNOWN:
		return false; /* "not found" weakens nothing, whatever it is */
	case MAINCF_FOUND:
		break;
	}
	return !is_among(level, stronger, sizeof(stronger) / sizeof(stronger[0]));
}

bool
config_does_dane(const struct config *c, struct sts_str main_cf)
{
	static const char *const dnssec[] = { "dnssec" };
	char support[32];

	if (c->dane != CONFIG_AUTO)
		return c->dane == CONFIG_ON;
	if (main_cf.p == NULL)
		return true;
	switch (maincf_get(main_cf, CONFIG_DNS_SUPPORT, support, sizeof(support))) {
	case MAINCF_NONE:
		return false; /* Postfix's own default */
	case MAINCF_UNKNOWN:
		return true; /* or "secure" could take the place of a failing DANE */
	case MAINCF_FOUND:
		break;
	}
	return is_among(support, dnssec, 1);
}

/* RFC 7672 section 2.1.1: AD counts from a resolver that nobody can speak in place of. */
static bool
is_on_this_machine(struct sts_str server)
{
	static const struct sts_net loopback = { { { 127 }, false }, 8 },
				    docker = { { { 127, 0, 0, 11 }, false }, 32 };
	static const struct sts_addr one = { { [15] = 1 }, true };
	struct sts_str host = server;
	struct sts_addr addr;

	if (sts_str_starts(server, STS_STR("["))) {
		server = sts_str_from(server, 1);
		(void)sts_str_cut(&server, ']', &host);
	} else if (!sts_addr_parse(server, &addr)) {
		(void)sts_str_cut(&server, ':', &host);
	}
	if (!sts_addr_parse(host, &addr))
		return false;
	return sts_addr_eq(&addr, &one) ||
	    (sts_net_has(&loopback, &addr) && !sts_net_has(&docker, &addr));
}

bool
config_believes_ad(const struct config *c)
{
	struct sts_str servers = sts_str_of(c->dns_servers), server;

	if (c->dnssec != CONFIG_AUTO)
		return c->dnssec == CONFIG_ON;
	while (servers.n > 0) {
		(void)sts_str_cut(&servers, ' ', &server);
		if (server.n > 0 && !is_on_this_machine(server))
			return false;
	}
	return true; /* without any, it is the one on this machine */
}
