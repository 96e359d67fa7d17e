/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "date.h"
#include "logsink.h"

/* What a pipe takes whole or not at all (PIPE_BUF of Linux). */
#define LINE_BYTES_MAX 4096
/* "}" and the line end, for which there is always room. */
#define LINE_END_BYTES 2
/* Longer values are cut: two of them, each byte escaped as six, fit in a line. */
#define VALUE_BYTES_MAX 320

/* In the journal, of all roles: journalctl -t stsd */
#define IDENTIFIER "stsd"

static struct {
	const char *role;
	enum log_level level;
	bool json;
	char ident[32];

	bool writing;	     /* between begin and end, of a level that is wanted */
	enum log_level now;  /* of that line */
	struct sts_buf line; /* these keep their memory */
	struct sts_buf field;
	struct sts_buf entry; /* the event as the journal wants it */
	int64_t lost; /* lines that could not be written since the last that could */
} self = { .role = "stsd", .level = LOG_LEVEL_INFO };

static const struct {
	const char *text;
	int priority; /* of syslog(3) and sd-daemon(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARNING] = { "warning", 4 },
	[LOG_LEVEL_NOTICE] = { "notice", 5 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

void
log_time_text(int64_t seconds, char out[LOG_TIME_TEXT])
{
	int64_t days = seconds / DATE_SECONDS - (seconds % DATE_SECONDS < 0);
	int64_t second = seconds - days * DATE_SECONDS;
	struct date date = date_of(days);

	(void)snprintf(out, LOG_TIME_TEXT, "%04lld-%02u-%02uT%02d:%02d:%02dZ",
	    (long long)date.year, date.month, date.day, (int)(second / 3600),
	    (int)(second / 60 % 60), (int)(second % 60));
}

void
log_open(const char *role, enum log_level level, bool json, bool to_syslog)
{
	self.role = role;
	self.level = level;
	self.json = json;
	(void)snprintf(self.ident, sizeof(self.ident), "stsd/%s", role);
	logsink_open(self.ident, to_syslog);
}

bool
log_wants(enum log_level level)
{
	return level <= self.level;
}

/* --- For the journal: NAME=value, a line each; escaped, no value has another line --- */

static void
put_field_name(struct sts_buf *to, const char *key)
{
	sts_put_text(to, "STSD_");
	for (; *key != '\0'; key++) {
		char c = *key;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		sts_put_char(to, c);
	}
	sts_put_char(to, '=');
}

static void
add_to_entry(const char *key, struct sts_str value)
{
	if (!logsink_wants_fields())
		return;
	sts_buf_clear(&self.field);
	put_field_name(&self.field, key);
	sts_put_escaped(&self.field, value);
	sts_put_char(&self.field, '\n');
	if (!self.field.bad && self.entry.n + self.field.n <= LINE_BYTES_MAX)
		sts_put(&self.entry, sts_buf_str(&self.field));
}

static void
begin_entry(int priority, const char *event)
{
	sts_buf_clear(&self.entry);
	if (!logsink_wants_fields())
		return;
	sts_put_text(&self.entry, "SYSLOG_IDENTIFIER=" IDENTIFIER "\nPRIORITY=");
	sts_put_number(&self.entry, (unsigned)priority);
	sts_put_char(&self.entry, '\n');
	add_to_entry("event", sts_str_of(event));
}

static void
end_entry(void)
{
	if (!logsink_wants_fields())
		return;
	sts_put_text(&self.entry, "MESSAGE=");
	sts_put(&self.entry, sts_buf_str(&self.line));
}

/* --- Fields: each goes into the line as a whole, or not at all --- */

static void
begin_field(const char *key)
{
	sts_buf_clear(&self.field);
	sts_put_text(&self.field, self.json ? ",\"" : " ");
	sts_put_text(&self.field, key);
	sts_put_text(&self.field, self.json ? "\":" : "=");
}

static void
end_field(void)
{
	if (!self.field.bad &&
	    self.line.n + self.field.n + LINE_END_BYTES <= LINE_BYTES_MAX)
		sts_put(&self.line, sts_buf_str(&self.field));
}

/* Not in the middle of a UTF-8 character, which would then be no character at all. */
static struct sts_str
cut(struct sts_str value)
{
	size_t n = VALUE_BYTES_MAX;

	if (value.n <= n)
		return value;
	while (n > VALUE_BYTES_MAX - 3 && ((unsigned char)value.p[n] & 0xc0) == 0x80)
		n--;
	return sts_str_head(value, n);
}

static bool
is_bare(struct sts_str value)
{
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return value.n > 0;
}

static void
put_value(struct sts_buf *to, struct sts_str value)
{
	struct sts_str shown = cut(value);
	const char *rest = shown.n < value.n ? "..." : "";

	if (!self.json && is_bare(shown)) {
		sts_put(to, shown);
		sts_put_text(to, rest);
		return;
	}
	sts_put_char(to, '"');
	if (self.json)
		sts_put_json(to, shown);
	for (size_t i = 0; !self.json && i < shown.n; i++) {
		if (shown.p[i] == '"')
			sts_put_char(to, '\\');
		sts_put_escaped(to, (struct sts_str){ shown.p + i, 1 });
	}
	sts_put_text(to, rest);
	sts_put_char(to, '"');
}

static void
put_text(const char *key, struct sts_str value)
{
	begin_field(key);
	put_value(&self.field, value);
	end_field();
}

static void
add_text(const char *key, struct sts_str value)
{
	put_text(key, value);
	add_to_entry(key, cut(value));
}

/* Digits and what belongs to them: not quoted in either format. */
static void
add_bare(const char *key, const char *text)
{
	begin_field(key);
	sts_put_text(&self.field, text);
	end_field();
	add_to_entry(key, sts_str_of(text));
}

/* --- Lines --- */

static void
begin_line(enum log_level level, const char *event)
{
	struct timespec now = { 0 };
	char time_text[LOG_TIME_TEXT];
	struct sts_buf *line = &self.line;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	log_time_text(now.tv_sec, time_text);
	begin_entry(levels[level].priority, event);
	sts_buf_clear(line);
	if (logsink_wants_priority()) {
		sts_put_char(line, '<');
		sts_put_number(line, (unsigned)levels[level].priority);
		sts_put_char(line, '>');
	}
	if (self.json) {
		sts_put_text(line, "{\"time\":\"");
		sts_put_text(line, time_text);
		sts_put_char(line, '"');
		put_text("level", sts_str_of(levels[level].text));
		put_text("event", sts_str_of(event));
		return;
	}
	if (!logsink_has_time()) {
		sts_put_text(line, time_text);
		sts_put_char(line, ' ');
	}
	sts_put_text(line, levels[level].text);
	sts_put_char(line, ' ');
	sts_put_text(line, event);
}

static bool
end_line(enum log_level level)
{
	sts_put_text(&self.line, self.json ? "}\n" : "\n");
	end_entry();
	return !self.line.bad && !self.entry.bad &&
	    logsink_write(levels[level].priority, sts_buf_str(&self.line),
		sts_buf_str(&self.entry));
}

/* Comes after the line that could be written, of which it reports the predecessors: only
 * then is it known that there is room. */
static void
report_lost(void)
{
	int64_t lost = self.lost;

	begin_line(LOG_LEVEL_WARNING, "log-lost");
	add_text("role", sts_str_of(self.role));
	log_number("lines", lost);
	if (end_line(LOG_LEVEL_WARNING))
		self.lost -= lost;
}

void
log_begin(enum log_level level, const char *event, struct sts_str domain,
    const char *reason)
{
	self.writing = false;
	if (!log_wants(level))
		return;
	self.writing = true;
	self.now = level;
	begin_line(level, event);
	if (domain.n > 0)
		log_text("domain", domain);
	if (reason != NULL && reason[0] != '\0')
		log_text("reason", sts_str_of(reason));
	log_text("role", sts_str_of(self.role));
}

void
log_text(const char *key, struct sts_str value)
{
	if (self.writing)
		add_text(key, value);
}

void
log_number(const char *key, int64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	if (self.writing)
		add_bare(key, text);
}

void
log_seconds(const char *key, int64_t ms)
{
	char text[40];
	uint64_t size = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;

	(void)snprintf(text, sizeof(text), "%s%llu.%03u", ms < 0 ? "-" : "",
	    (unsigned long long)(size / 1000), (unsigned)(size % 1000));
	if (self.writing)
		add_bare(key, text);
}

void
log_time(const char *key, int64_t seconds)
{
	char text[LOG_TIME_TEXT] = "never";

	if (seconds != 0)
		log_time_text(seconds, text);
	log_text(key, sts_str_of(text));
}

void
log_end(void)
{
	if (!self.writing)
		return;
	if (!end_line(self.now))
		self.lost++;
	else if (self.lost > 0)
		report_lost();
	self.writing = false;
}

void
log_say(enum log_level level, const char *event, const char *format, ...)
{
	char reason[VALUE_BYTES_MAX + 16]; /* longer than what is cut */
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	(void)vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	log_begin(level, event, STS_STR_NONE, reason);
	log_end();
}
