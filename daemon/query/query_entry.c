/* SPDX-License-Identifier: MIT */
#include "query_entry.h"

#include <stdio.h>
#include <string.h>

#include "date.h"
#include "query_judge.h"
#include "query_section.h"
#include "query_writer.h"

/* --- For people --- */

/* "2026-11-22T10:00:00Z, 2 d 3 h ago" */
static void
put_when(struct sts_buf *to, const struct query_entry *e, int64_t at)
{
	query_put_time(to, at);
	sts_put_text(to, at > e->now ? ", in " : ", ");
	query_put_span(to, at > e->now ? at - e->now : e->now - at);
	if (at <= e->now)
		sts_put_text(to, " ago");
}

static void
put_line(struct sts_buf *to, const struct query_entry *e, const char *label, int64_t at,
    const char *never)
{
	query_put_label(to, label);
	if (at == 0)
		sts_put_text(to, never);
	else
		put_when(to, e, at);
	sts_put_char(to, '\n');
}

static void
put_id(struct sts_buf *to, struct sts_str id)
{
	if (id.n == 0) {
		sts_put_text(to, "without an id");
		return;
	}
	sts_put_text(to, "id ");
	sts_put_escaped(to, id);
}

/* ", as of 2026-11-22T10:00:00Z, 3 min ago, good for 5 min" */
static void
put_look(struct sts_buf *to, const struct query_entry *e, int64_t at, uint32_t ttl)
{
	sts_put_text(to, ", as of ");
	put_when(to, e, at);
	sts_put_text(to, ", good for ");
	query_put_span(to, ttl);
	if (at + (int64_t)ttl <= e->now)
		sts_put_text(to, " (over)");
}

static void
put_error(struct sts_buf *to, enum sts_err err, int ede)
{
	sts_put_text(to, sts_err_text(err));
	if (ede < 0)
		return;
	sts_put_text(to, ", EDE ");
	sts_put_number(to, (unsigned long long)ede);
}

static void
put_refresh(struct sts_buf *to, const struct query_entry *e)
{
	query_put_label(to, "refresh");
	if (e->running)
		sts_put_text(to, "it is being looked at just now");
	else if (e->refresh == INT64_MAX)
		sts_put_text(to, "never");
	else if (e->refresh <= e->now)
		sts_put_text(to, "due");
	else
		put_when(to, e, e->refresh);
	sts_put_char(to, '\n');
}

static void
put_policy_facts(struct sts_buf *to, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;

	query_put_label(to, "policy");
	if (k->fetched == 0) {
		sts_put_text(to, "none\n");
		return;
	}
	sts_put_text(to, sts_mode_text(k->mode));
	sts_put_text(to, ", ");
	put_id(to, k->id);
	sts_put_text(to, sts_entry_is_live(k, e->now) ? "\n" : ", EXPIRED\n");
	put_line(to, e, "fetched", k->fetched, "");
	put_line(to, e, "expires", sts_entry_expires(k), "");
}

static void
put_record(struct sts_buf *to, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;

	query_put_label(to, "_mta-sts");
	if (k->record_at == 0) {
		sts_put_text(to, "never looked at\n");
		return;
	}
	if (k->record_err == STS_OK)
		put_id(to, k->record_id);
	else
		put_error(to, k->record_err, k->record_ede);
	put_look(to, e, k->record_at, k->record_ttl);
	sts_put_char(to, '\n');
}

static void
put_failures(struct sts_buf *to, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;

	put_line(to, e, "last fetch", k->tried, "never tried");
	if (k->failed_at == 0)
		return;
	query_put_label(to, "failed");
	put_when(to, e, k->failed_at);
	sts_put_text(to, ", for ");
	put_id(to, k->failed_id);
	sts_put_text(to, ": ");
	sts_put_text(to, sts_err_text(k->failed_err));
	if (k->failures > 0) {
		sts_put_text(to, "; ");
		sts_put_number(to, k->failures);
		sts_put_text(to, " in a row");
	}
	sts_put_char(to, '\n');
	if (k->failures > 0 && k->failed_at + STS_FAILURE_GAP > e->now)
		put_line(to, e, "back-off", k->failed_at + STS_FAILURE_GAP, "");
}

static void
put_mx(struct sts_buf *to, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;

	query_put_label(to, "MX");
	if (k->mx_at == 0) {
		sts_put_text(to, "never looked at\n");
		return;
	}
	if (k->mx_err != STS_OK)
		put_error(to, k->mx_err, k->mx_ede);
	else if (k->mx_null)
		sts_put_text(to, "null MX: it takes no mail");
	else
		sts_put_number(to, k->mx_count);
	if (k->mx_err == STS_OK && !k->mx_null)
		sts_put_text(to, k->mx_count == 1 ? " host" : " hosts");
	put_look(to, e, k->mx_at, k->mx_ttl);
	sts_put_char(to, '\n');
	for (size_t i = 0; i < k->mx_count; i++) {
		query_put_label(to, "");
		sts_put_number(to, k->mx[i].preference);
		sts_put_char(to, ' ');
		sts_put_escaped(to, k->mx[i].host);
		if (k->mx[i].seen < k->mx_at) {
			sts_put_text(to, ", last seen ");
			query_put_span(to, e->now - k->mx[i].seen);
			sts_put_text(to, " ago");
		}
		sts_put_char(to, '\n');
	}
}

static void
put_target(struct sts_buf *to, struct sts_str domain, struct sts_target target)
{
	sts_put_text(to, target.brackets ? "[" : "");
	sts_put_escaped(to, domain);
	sts_put_text(to, target.brackets ? "]" : "");
	if (target.port == STS_TARGET_PLAIN.port)
		return;
	sts_put_char(to, ':');
	sts_put_number(to, target.port);
}

static const char *
about_text(enum sts_about about)
{
	switch (about) {
	case STS_ABOUT_RECORD:
		return "its record";
	case STS_ABOUT_MX:
		return "its MX";
	case STS_ABOUT_ADDRESS:
		return "the addresses of ";
	case STS_ABOUT_TLSA:
		return "the TLSA records of ";
	case STS_ABOUTS:
		break;
	}
	return "";
}

static void
put_dane(struct sts_buf *to, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;

	for (size_t i = 0; i < k->dane_count; i++) {
		const struct sts_dane *d = &k->dane[i];

		query_put_label(to, i == 0 ? "DANE" : "");
		if (!sts_target_eq(d->target, STS_TARGET_PLAIN)) {
			put_target(to, e->domain, d->target);
			sts_put_text(to, ": ");
		}
		sts_put_text(to, sts_dane_text(d->state));
		if (d->state == STS_DANE_UNKNOWN) {
			sts_put_text(to, ": ");
			sts_put_text(to, about_text(d->about));
			sts_put_escaped(to, d->host);
			sts_put_text(to, ": ");
			put_error(to, d->err, d->ede);
		}
		put_look(to, e, d->at, d->ttl);
		sts_put_char(to, '\n');
	}
}

static void
put_file(struct sts_buf *to, struct sts_str policy)
{
	struct sts_str line;
	char number[16];

	for (size_t n = 1; sts_policy_line(&policy, &line); n++) {
		(void)snprintf(number, sizeof(number), "  %3zu  ", n);
		sts_put_text(to, number);
		sts_put_escaped(to, line);
		sts_put_char(to, '\n');
	}
}

void
query_entry_text(struct sts_buf *to, const struct query_entry *e,
    const struct query_look *look)
{
	sts_put_text(to, look->color ? "\033[1m" : "");
	sts_put_escaped(to, e->domain);
	sts_put_text(to, look->color ? "\033[0m\n" : "\n");
	put_policy_facts(to, e);
	if (look->quiet)
		return;
	put_refresh(to, e);
	put_line(to, e, "asked for", e->entry->asked, "never");
	put_record(to, e);
	put_failures(to, e);
	put_mx(to, e);
	put_dane(to, e);
	put_file(to, e->entry->policy);
}

/* --- For machines --- */

/* "" is no id. */
static void
write_id(struct query_writer *w, const char *key, struct sts_str id)
{
	if (id.n == 0)
		query_null(w, key);
	else
		query_string(w, key, id);
}

static void
write_look(struct query_writer *w, int64_t at, uint32_t ttl, enum sts_err err, int ede)
{
	query_time(w, "time", at);
	query_number(w, "ttl", ttl);
	query_text(w, "error", err == STS_OK ? NULL : sts_err_token(err));
	if (ede >= 0)
		query_number(w, "ede", ede);
	else
		query_null(w, "ede");
}

static void
write_policy(struct query_writer *w, const struct query_entry *e)
{
	const struct sts_entry *k = e->entry;
	struct sts_str rest = k->policy, line;

	if (k->fetched == 0) {
		query_null(w, "policy");
		return;
	}
	query_open(w, "policy", '{');
	query_text(w, "mode", sts_mode_text(k->mode));
	write_id(w, "id", k->id);
	query_number(w, "max_age", k->max_age);
	query_time(w, "fetched", k->fetched);
	query_time(w, "expires", sts_entry_expires(k));
	query_bool(w, "live", sts_entry_is_live(k, e->now));
	query_open(w, "lines", '[');
	while (sts_policy_line(&rest, &line))
		query_string(w, NULL, line);
	query_close(w, ']');
	query_close(w, '}');
}

static void
write_record(struct query_writer *w, const struct sts_entry *k)
{
	if (k->record_at == 0) {
		query_null(w, "record");
		return;
	}
	query_open(w, "record", '{');
	write_id(w, "id", k->record_id);
	write_look(w, k->record_at, k->record_ttl, k->record_err, k->record_ede);
	query_close(w, '}');
}

static void
write_fetch(struct query_writer *w, const struct sts_entry *k)
{
	query_open(w, "fetch", '{');
	query_time(w, "last", k->tried);
	query_time(w, "failed", k->failed_at);
	query_text(w, "error", k->failed_at == 0 ? NULL : sts_err_token(k->failed_err));
	write_id(w, "failed_id", k->failed_id);
	query_number(w, "failures", k->failures);
	query_time(w, "backoff_until",
	    k->failures > 0 ? k->failed_at + STS_FAILURE_GAP : 0);
	query_close(w, '}');
}

static void
write_mx(struct query_writer *w, const struct sts_entry *k)
{
	if (k->mx_at == 0) {
		query_null(w, "mx");
		return;
	}
	query_open(w, "mx", '{');
	write_look(w, k->mx_at, k->mx_ttl, k->mx_err, k->mx_ede);
	query_bool(w, "null_mx", k->mx_null);
	query_open(w, "hosts", '[');
	for (size_t i = 0; i < k->mx_count; i++) {
		query_open(w, NULL, '{');
		query_number(w, "preference", k->mx[i].preference);
		query_string(w, "host", k->mx[i].host);
		query_time(w, "seen", k->mx[i].seen);
		query_close(w, '}');
	}
	query_close(w, ']');
	query_close(w, '}');
}

static void
write_dane(struct query_writer *w, const struct sts_entry *k)
{
	query_open(w, "dane", '[');
	for (size_t i = 0; i < k->dane_count; i++) {
		const struct sts_dane *d = &k->dane[i];

		query_open(w, NULL, '{');
		query_bool(w, "brackets", d->target.brackets);
		query_number(w, "port", d->target.port);
		query_text(w, "state", sts_dane_text(d->state));
		query_string(w, "host", d->host);
		write_look(w, d->at, d->ttl, d->err, d->ede);
		query_close(w, '}');
	}
	query_close(w, ']');
}

void
query_entry_json(struct sts_buf *to, const struct query_entry *e)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_text(&w, "schema", "stsd-show/1");
	query_string(&w, "domain", e->domain);
	query_text(&w, "daemon_version", e->version);
	query_time(&w, "time", e->now);
	write_policy(&w, e);
	query_time(&w, "refresh", e->refresh == INT64_MAX ? 0 : e->refresh);
	query_bool(&w, "running", e->running);
	query_time(&w, "asked", e->entry->asked);
	write_record(&w, e->entry);
	write_fetch(&w, e->entry);
	write_mx(&w, e->entry);
	write_dane(&w, e->entry);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}

/* --- Lists --- */

static void
put_field(struct sts_buf *to, struct sts_str text, char end)
{
	if (text.n == 0)
		sts_put_char(to, '-');
	sts_put_escaped(to, text);
	sts_put_char(to, end);
}

static void
put_time_field(struct sts_buf *to, int64_t at, char end)
{
	if (at == 0)
		sts_put_char(to, '-');
	else
		query_put_time(to, at);
	sts_put_char(to, end);
}

void
query_listed_text(struct sts_buf *to, const struct query_listed *l)
{
	put_field(to, l->domain, '\t');
	put_field(to, l->mode, '\t');
	put_field(to, l->id, '\t');
	put_time_field(to, l->fetched, '\t');
	put_time_field(to, l->expires, '\t');
	put_time_field(to, l->asked, '\n');
}

void
query_listed_json(struct sts_buf *to, const struct query_listed *l)
{
	struct query_writer w = { to, false };

	query_open(&w, NULL, '{');
	query_string(&w, "domain", l->domain);
	query_string(&w, "mode", l->mode);
	write_id(&w, "id", l->id);
	query_time(&w, "fetched", l->fetched);
	query_time(&w, "expires", l->expires);
	query_time(&w, "asked", l->asked);
	query_close(&w, '}');
	sts_put_char(to, '\n');
}
