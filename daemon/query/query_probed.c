/* SPDX-License-Identifier: MIT */
/* What is to be said of the mail servers that --smtp looked at (query_smtp.h). */
#include "query_exit.h"
#include "query_judge.h"

/* By enum query_smtp_what. */
static const enum query_id ids[] = {
	[QUERY_SMTP_CONNECT] = QUERY_SMT01,
	[QUERY_SMTP_GREETING] = QUERY_SMT02,
	[QUERY_SMTP_STARTTLS] = QUERY_SMT03,
	[QUERY_SMTP_HANDSHAKE] = QUERY_SMT04,
	[QUERY_SMTP_SESSION] = QUERY_SMT05,
	[QUERY_SMTP_NAMES] = QUERY_SMT06,
	[QUERY_SMTP_DATES] = QUERY_SMT07,
	[QUERY_SMTP_CHAIN] = QUERY_SMT08,
	[QUERY_SMTP_TLSA] = QUERY_SMT09,
	[QUERY_SMTP_EXPIRES] = QUERY_SMT10,
	[QUERY_SMTP_SNI] = QUERY_SMT11,
	[QUERY_SMTP_DIFFERS] = QUERY_SMT12,
	[QUERY_SMTP_REQUIRETLS] = QUERY_SMT13,
	[QUERY_SMTP_OUTDATED] = QUERY_SMT14,
	[QUERY_SMTP_GUARDED] = QUERY_SMT15,
};

/* Where Postfix delivers all the same, it is nothing that breaks mail. */
static int
exit_of(int exit, enum query_severity severity)
{
	switch (severity) {
	case QUERY_ERROR:
		return exit;
	case QUERY_WARNING:
		return exit == QUERY_EXIT_BROKEN   ? QUERY_EXIT_WARNING
		    : exit == QUERY_EXIT_TEMPORARY ? 0
						   : exit;
	case QUERY_INFO:
		break;
	}
	return 0;
}

/* "publish _25._tcp.mx.example.org TLSA 3 1 1 ..." */
static const char *
tlsa_fix(struct query_report *r, const struct query_smtp *s)
{
	struct sts_str base = s->server_name.n > 0 ? s->server_name : s->host;
	struct sts_buf b = { 0 };

	sts_put_text(&b, "publish the record of the key that the server has: _");
	sts_put_number(&b, r->key.port);
	sts_put_text(&b, "._tcp.");
	sts_put(&b, base);
	sts_put_text(&b, " TLSA ");
	query_smtp_put_tlsa(&b, s);
	return query_kept(r, &b).p;
}

static void
on_note(void *arg, const struct query_smtp_note *note)
{
	struct query_report *r = arg;
	struct query_finding *new;
	struct sts_buf object = { 0 }, detail = { 0 };

	query_smtp_put_object(&object, note->about);
	query_smtp_put_detail(&detail, note);
	new = query_find(&r->findings, ids[note->what], query_kept(r, &object),
	    query_kept(r, &detail));
	new->severity = note->severity;
	new->exit = exit_of(new->exit, note->severity);
	if (note->what == QUERY_SMTP_CONNECT && note->nobody)
		new->audience = QUERY_SENDER;
	if (note->what != QUERY_SMTP_TLSA)
		return;
	if (note->severity == QUERY_INFO && note->about->dane == STS_TLS_DANE_MATCH) {
		new->text = "a TLSA record vouches for the mail server's certificate";
		new->fix = NULL;
	} else if (note->about->cert_count > 0) {
		new->fix = tlsa_fix(r, note->about);
	}
}

static bool
is_strict(enum query_smtp_level level)
{
	return level == QUERY_SMTP_ENCRYPT || level == QUERY_SMTP_SECURE ||
	    level == QUERY_SMTP_DANE;
}

/* Did all servers that Postfix would use answer, and is none of them good enough? One
 * that cannot be reached now may do tomorrow. */
static bool
is_deferred(const struct query_report *r, enum query_smtp_level level)
{
	size_t bad = 0;

	for (size_t i = 0; i < r->smtp_count; i++) {
		const struct query_smtp *s = &r->smtp[i];

		if (!s->used)
			continue;
		if (s->guarded || s->stage < STS_SMTP_STARTTLS ||
		    query_smtp_is_fine(s, level))
			return false;
		bad++;
	}
	return bad > 0;
}

void
query_report_smtp(struct query_report *r, const struct query_smtp *list, size_t count,
    const struct query_context *context)
{
	bool testing = r->verdict == QUERY_TESTING;
	enum query_smtp_level level = query_smtp_level_of(r->reply, testing);

	r->smtp = list;
	r->smtp_count = count;
	query_smtp_judge(list, count, level, context->now, on_note, r);
	if (is_strict(level) && is_deferred(r, level))
		r->verdict = QUERY_DEFERRED;
	query_report_end(r, context);
}
