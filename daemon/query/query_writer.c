/* SPDX-License-Identifier: MIT */
#include "query_writer.h"

#include <stddef.h>

#include "log.h"

static void
begin(struct query_writer *w, const char *key)
{
	if (w->comma)
		sts_put_char(w->to, ',');
	w->comma = true;
	if (key == NULL)
		return;
	sts_put_char(w->to, '"');
	sts_put_text(w->to, key);
	sts_put_text(w->to, "\":");
}

void
query_open(struct query_writer *w, const char *key, char bracket)
{
	begin(w, key);
	sts_put_char(w->to, bracket);
	w->comma = false;
}

void
query_close(struct query_writer *w, char bracket)
{
	sts_put_char(w->to, bracket);
	w->comma = true;
}

void
query_string(struct query_writer *w, const char *key, struct sts_str value)
{
	begin(w, key);
	sts_put_char(w->to, '"');
	sts_put_json(w->to, value);
	sts_put_char(w->to, '"');
}

void
query_text(struct query_writer *w, const char *key, const char *value)
{
	if (value == NULL)
		query_null(w, key);
	else
		query_string(w, key, sts_str_of(value));
}

void
query_number(struct query_writer *w, const char *key, int64_t value)
{
	begin(w, key);
	if (value < 0)
		sts_put_char(w->to, '-');
	sts_put_number(w->to, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void
query_bool(struct query_writer *w, const char *key, bool value)
{
	begin(w, key);
	sts_put_text(w->to, value ? "true" : "false");
}

void
query_null(struct query_writer *w, const char *key)
{
	begin(w, key);
	sts_put_text(w->to, "null");
}

void
query_string_or_null(struct query_writer *w, const char *key, struct sts_str value)
{
	if (value.n == 0)
		query_null(w, key);
	else
		query_string(w, key, value);
}

void
query_number_or_null(struct query_writer *w, const char *key, int64_t value)
{
	if (value < 0)
		query_null(w, key);
	else
		query_number(w, key, value);
}

void
query_made(struct query_writer *w, const char *key, struct sts_buf *b)
{
	w->to->bad |= b->bad;
	query_string_or_null(w, key, sts_buf_str(b));
	sts_buf_done(b);
}

void
query_address(struct query_writer *w, const char *key, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];

	query_string(w, key, (struct sts_str){ text, sts_addr_text(addr, text) });
}

void
query_time(struct query_writer *w, const char *key, int64_t seconds)
{
	char text[LOG_TIME_TEXT];

	if (seconds == 0) {
		query_null(w, key);
		return;
	}
	log_time_text(seconds, text);
	query_text(w, key, text);
}
