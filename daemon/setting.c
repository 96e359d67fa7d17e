/* SPDX-License-Identifier: MIT */
#include "setting.h"

#include <string.h>

#include "bounds.h"
#include "kind.h"
#include "log.h"
#include "shares.h"

#define DAY UINT64_C(86400)

/* Postfix gives up on a socketmap after 100 s; a lookup that takes that long has cost
 * the delivery its connection already. */
#define ANSWER_SECONDS_MAX 60
/* Policy hosts should have answered within a minute (RFC 8461 section 3.3). Meanwhile mail to
 * a domain that is new is told TEMP: longer would only keep it waiting for one that drips. */
#define FETCH_SECONDS_MAX 60
/* The shortest reply that still has room for "TEMP ", a reason, and a few names. */
#define REPLY_MIN 512

static const struct value_word dnssec_words[] = { { "auto", CONFIG_AUTO },
	{ "trust", CONFIG_ON }, { "off", CONFIG_OFF }, { NULL, 0 } };
static const struct value_word dane_words[] = { { "auto", CONFIG_AUTO },
	{ "on", CONFIG_ON }, { "off", CONFIG_OFF }, { NULL, 0 } };
static const struct value_word reply_words[] = { { "auto", CONFIG_REPLY_AUTO },
	{ "may", CONFIG_REPLY_MAY }, { "notfound", CONFIG_REPLY_NOTFOUND }, { NULL, 0 } };
static const struct value_word wildcard_words[] = { { "exact", 0 }, { "loose", 1 },
	{ NULL, 0 } };
static const struct value_word txt_error_words[] = { { "pass", 0 }, { "defer", 1 },
	{ NULL, 0 } };
static const struct value_word level_words[] = { { "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING }, { "notice", LOG_LEVEL_NOTICE },
	{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG }, { NULL, 0 } };
static const struct value_word format_words[] = { { "text", 0 }, { "json", 1 },
	{ NULL, 0 } };

#define AT(field) .offset = offsetof(struct config, field)

const struct setting settings[SETTINGS] = {
	{ .name = "listen",
	    .kind = SETTING_LISTENERS,
	    AT(listen),
	    .preset = "inet:127.0.0.1:8461",
	    .text = "Where Postfix asks. A list of inet:ADDRESS:PORT, inet:[V6]:PORT, "
		    "inet:*:PORT (IPv6 and IPv4) and unix:PATH. Sockets handed over by "
		    "systemd replace it." },
	{ .name = "socket_mode",
	    .kind = SETTING_MODE,
	    AT(socket_mode),
	    .preset = "0660",
	    .text = "Mode of unix sockets, octal." },
	{ .name = "socket_group",
	    .kind = SETTING_ACCOUNT,
	    AT(socket_group),
	    .preset = "none",
	    .may_be_none = true,
	    .text = "Group of unix sockets: postfix, where Postfix is to use one." },
	{ .name = "allow_clients",
	    .kind = SETTING_NETS,
	    AT(allow_clients),
	    .preset = "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 "
		      "169.254.0.0/16 fe80::/10",
	    .may_be_none = true,
	    .text = "Who may connect over inet. A list of addresses and networks." },
	{ .name = "max_connections",
	    .kind = SETTING_NUMBER,
	    AT(max_connections),
	    .preset = "4096",
	    .min = 1,
	    .max = 1000000,
	    .text =
		"Connections of Postfix at once, to each worker. At the limit the longest "
		"idle one makes room." },
	{ .name = "workers",
	    .kind = SETTING_NUMBER,
	    AT(workers),
	    .preset = "1",
	    .min = 1,
	    .max = SHARES_MAX,
	    .text = "Processes that answer Postfix." },
	{ .name = "state_directory",
	    .kind = SETTING_PATH,
	    AT(state_directory),
	    .preset = "/var/lib/stsd",
	    .text = "The directory of the cache, cache.mdb. Made when missing." },
	{ .name = "cache_size",
	    .kind = SETTING_SIZE,
	    AT(cache_size),
	    .preset = "1G",
	    .min = 1 << 20,
	    .max = UINT64_C(1) << 40,
	    .text = "The cache file never grows beyond this." },
	{ .name = "user",
	    .kind = SETTING_ACCOUNT,
	    AT(user),
	    .preset = "",
	    .unset = "_stsd when started as root",
	    .text = "The unprivileged account that stsd runs as." },
	{ .name = "dns_servers",
	    .kind = SETTING_SERVERS,
	    AT(dns_servers),
	    .preset = "",
	    .unset = "those of /etc/resolv.conf",
	    .text = "A list of ADDRESS, ADDRESS:PORT and [V6]:PORT, tried in turn." },
	{ .name = "dns_timeout",
	    .kind = SETTING_MS,
	    AT(dns_timeout_ms),
	    .preset = "5s",
	    .min = 1,
	    .max = 60,
	    .text = "One DNS lookup, with all attempts at all servers." },
	{ .name = "dnssec",
	    .kind = SETTING_WORD,
	    AT(dnssec),
	    .preset = "auto",
	    .words = dnssec_words,
	    .text =
		"Whether to believe DNS servers that say they have validated: auto (only "
		"if all are on this host, or with 'options trust-ad' in resolv.conf), "
		"trust, off." },
	{ .name = "dane",
	    .kind = SETTING_WORD,
	    AT(dane),
	    .preset = "auto",
	    .words = dane_words,
	    .text = "Whether DANE comes before MTA-STS: auto (if Postfix does DNSSEC: "
		    "smtp_dns_support_level in main.cf), on, off." },
	{ .name = "postfix_directory",
	    .kind = SETTING_PATH,
	    AT(postfix_directory),
	    .preset = "/etc/postfix",
	    .may_be_none = true,
	    .text = "Where the main.cf is that settings of value auto look at." },
	{ .name = "permissive_reply",
	    .kind = SETTING_WORD,
	    AT(permissive_reply),
	    .preset = "auto",
	    .words = reply_words,
	    .text =
		"The answer for policies of mode testing and none: may, notfound, or "
		"auto (may, unless smtp_tls_security_level in main.cf asks for more)." },
	{ .name = "strict_testing",
	    .kind = SETTING_BOOLEAN,
	    AT(strict_testing),
	    .preset = "no",
	    .text = "Treat policies of mode testing as enforce." },
	{ .name = "wildcards",
	    .kind = SETTING_CHOICE,
	    AT(loose_wildcards),
	    .preset = "exact",
	    .words = wildcard_words,
	    .text =
		"How *.example.com of a policy is told to Postfix: exact (the MX hosts "
		"that it covers) or loose (.example.com)." },
	{ .name = "servername",
	    .kind = SETTING_BOOLEAN,
	    AT(servername),
	    .preset = "yes",
	    .text = "Add servername=hostname to answers. Postfix before 3.4 needs no." },
	{ .name = "txt_error",
	    .kind = SETTING_CHOICE,
	    AT(defer_txt_error),
	    .preset = "pass",
	    .words = txt_error_words,
	    .text =
		"When DNS cannot say whether a domain has a policy, and none is cached: "
		"pass (deliver as without MTA-STS) or defer." },
	{ .name = "answer_timeout",
	    .kind = SETTING_MS,
	    AT(answer_timeout_ms),
	    .preset = "10s",
	    .min = 1,
	    .max = ANSWER_SECONDS_MAX,
	    .text = "The longest that one lookup may keep Postfix waiting." },
	{ .name = "fetch_timeout",
	    .kind = SETTING_MS,
	    AT(fetch_timeout_ms),
	    .preset = "60s",
	    .min = 1,
	    .max = FETCH_SECONDS_MAX,
	    .text = "One HTTPS fetch of a policy, all included." },
	{ .name = "max_fetches",
	    .kind = SETTING_NUMBER,
	    AT(max_fetches),
	    .preset = "128",
	    .min = 1,
	    .max = 4096,
	    .text = "HTTPS fetches at once. More wait in a queue." },
	{ .name = "max_lookups",
	    .kind = SETTING_NUMBER,
	    AT(max_lookups),
	    .preset = "1024",
	    .min = 1,
	    .max = 100000,
	    .text = "Lookups of domains at once that the cache cannot answer." },
	{ .name = "ca_file",
	    .kind = SETTING_PATH,
	    AT(ca_file),
	    .preset = "",
	    .unset = "the system's bundle",
	    .text = "The certificate authorities trusted for policy hosts, in PEM." },
	{ .name = "allow_addresses",
	    .kind = SETTING_NETS,
	    AT(allow_addresses),
	    .preset = "none",
	    .may_be_none = true,
	    .text = "Networks that policies may be fetched from although they are not "
		    "public: for laboratories and split DNS." },
	{ .name = "https_port",
	    .kind = SETTING_NUMBER,
	    AT(https_port),
	    .preset = "443",
	    .min = 1,
	    .max = 65535,
	    .text =
		"The port of policy hosts. For tests only: RFC 8461 knows no other." },
	{ .name = "refresh_interval",
	    .kind = SETTING_SECONDS,
	    AT(refresh_interval),
	    .preset = "1d",
	    .min = STS_REFRESH_MIN,
	    .max = 366 * DAY,
	    .text = "How often each policy in use is fetched again in the background." },
	{ .name = "refresh_unused",
	    .kind = SETTING_SECONDS,
	    AT(refresh_unused),
	    .preset = "30d",
	    .min = STS_REFRESH_MIN,
	    .max = 3660 * DAY,
	    .text = "A policy that nobody asked for in this time is not fetched again." },
	{ .name = "max_reply",
	    .kind = SETTING_SIZE,
	    AT(max_reply),
	    .preset = "65536",
	    .min = REPLY_MIN,
	    .max = PF_REPLY_MAX,
	    .text = "Bytes of one reply. Not more than socketmap_max_reply_size in "
		    "main.cf." },
	{ .name = "overrides",
	    .kind = SETTING_PATH,
	    AT(overrides),
	    .preset = "none",
	    .may_be_none = true,
	    .text = "A file of answers that you give yourself." },
	{ .name = "metrics_listen",
	    .kind = SETTING_LISTENER,
	    AT(metrics_listen),
	    .preset = "none",
	    .may_be_none = true,
	    .text = "Where /metrics and /health are served over HTTP: one address, as in "
		    "listen." },
	{ .name = "control_socket",
	    .kind = SETTING_PATH,
	    AT(control_socket),
	    .preset = "/run/stsd/control",
	    .may_be_none = true,
	    .text = "The unix socket that stsd-query uses." },
	{ .name = "sandbox",
	    .kind = SETTING_BOOLEAN,
	    AT(sandbox),
	    .preset = "yes",
	    .text = "Give up everything that is not needed, as far as the kernel can." },
	{ .name = "log_level",
	    .kind = SETTING_WORD,
	    AT(log_level),
	    .preset = "info",
	    .words = level_words,
	    .text = "error, warning, notice, info or debug." },
	{ .name = "log_format",
	    .kind = SETTING_CHOICE,
	    AT(log_json),
	    .preset = "text",
	    .words = format_words,
	    .text = "text (key=value) or json (one object a line)." },
	{ .name = "syslog",
	    .kind = SETTING_BOOLEAN,
	    AT(syslog),
	    .preset = "no",
	    .text = "Log to syslog, facility mail, instead of standard error." },
};

const struct setting *
setting_find(struct sts_str name)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (sts_str_eq(name, sts_str_of(settings[i].name)))
			return &settings[i];
	}
	return NULL;
}

/* max-reply, Max_Reply: slips that no distance forgives. */
static struct sts_str
plain_name(struct sts_str name, char out[64])
{
	size_t n;

	for (n = 0; n < name.n && n < 64; n++) {
		char c = sts_lower(name.p[n]);

		out[n] = c;
		if (c == '-' || c == ' ' || c == '.')
			out[n] = '_';
	}
	return (struct sts_str){ out, n };
}

const struct setting *
setting_near(struct sts_str name)
{
	char plain[64];
	struct sts_str meant = plain_name(name, plain);
	const struct setting *best = NULL;
	size_t best_distance = SIZE_MAX;

	for (size_t i = 0; i < SETTINGS; i++) {
		size_t distance = value_distance(meant, sts_str_of(settings[i].name));

		if (distance < best_distance) {
			best = &settings[i];
			best_distance = distance;
		}
	}
	/* One letter in three may be wrong, or a guess is only a riddle more. */
	return best_distance <= meant.n / 3 ? best : NULL;
}

bool
setting_is_list(const struct setting *s)
{
	return setting_kinds[s->kind].list;
}

static void *
field_of(struct config *c, const struct setting *s)
{
	return (char *)c + s->offset;
}

void
setting_clear(struct config *c, const struct setting *s)
{
	if (setting_kinds[s->kind].clear != NULL)
		setting_kinds[s->kind].clear(field_of(c, s));
}

static bool
is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* Cuts the next item off, empty where two separators meet. */
static struct sts_str
cut_item(struct sts_str *rest)
{
	struct sts_str item = { rest->p, 0 };

	while (item.n < rest->n && !is_separator(rest->p[item.n]))
		item.n++;
	*rest = sts_str_from(*rest, item.n < rest->n ? item.n + 1 : item.n);
	return item;
}

bool
setting_is_empty(const struct setting *s, struct sts_str text)
{
	while (setting_kinds[s->kind].list && text.n > 0) {
		if (cut_item(&text).n > 0)
			return false;
	}
	return text.n == 0;
}

bool
setting_add(struct config *c, const struct setting *s, struct sts_str text,
    struct value_why *why)
{
	const struct kind *kind = &setting_kinds[s->kind];

	if (!kind->list)
		return kind->read(s, field_of(c, s), text, why);
	while (text.n > 0) {
		struct sts_str item = cut_item(&text);

		if (item.n > 0 && !kind->read(s, field_of(c, s), item, why))
			return false;
	}
	return true;
}

bool
setting_preset(struct config *c, const struct setting *s, struct value_why *why)
{
	setting_clear(c, s);
	if (s->preset[0] == '\0' || strcmp(s->preset, "none") == 0)
		return true;
	return setting_add(c, s, sts_str_of(s->preset), why);
}

bool
setting_item(const struct config *c, const struct setting *s, size_t i,
    struct sts_buf *to)
{
	return setting_kinds[s->kind].put(s, (const char *)c + s->offset, i, to);
}
