/* SPDX-License-Identifier: MIT */
/* From the entry to the answer; see answer.h. */
#include "answer.h"

static const char *const verdicts[] = {
	[STS_VERDICT_NOTFOUND] = "notfound",
	[STS_VERDICT_PERMIT] = "permit",
	[STS_VERDICT_SECURE] = "secure",
	[STS_VERDICT_DANE] = "dane",
	[STS_VERDICT_TEMP] = "temp",
};

const char *
sts_verdict_text(enum sts_verdict verdict)
{
	return verdicts[verdict];
}

static void
give(struct sts_answer *a, enum sts_verdict verdict, enum sts_err why, int16_t ede)
{
	a->verdict = verdict;
	a->why = why;
	a->ede = ede;
	a->about = STS_ABOUT_RECORD;
	a->host = STS_STR_NONE;
}

/* DNS did not say whether there is a record: by default that is no policy, since an
 * attacker who can silence DNS can as well deny the record. */
static void
give_lookup_failure(struct sts_answer *a, enum sts_err why, int16_t ede,
    const struct sts_rules *rules)
{
	give(a, rules->defer_txt_error ? STS_VERDICT_TEMP : STS_VERDICT_NOTFOUND, why,
	    ede);
}

static bool
failed_lately(const struct sts_entry *e, int64_t now)
{
	return e->failed_at != 0 && now - e->failed_at < STS_FAILURE_MEMORY;
}

/* A valid record, and no policy that counts (RFC 8461 section 3.3). */
static void
answer_without_policy(const struct sts_entry *e, enum sts_hope hope, int64_t now,
    struct sts_answer *a)
{
	/* A fetch that failed lately will hardly do better now; but a first one may, and
	 * then this mail must not have gone out unprotected. */
	bool may_do_better = !failed_lately(e, now);

	if (may_do_better && (hope == STS_HOPE_RUNNING || hope == STS_HOPE_LATE))
		give(a, STS_VERDICT_TEMP, STS_ERR_FETCH_RUNNING, -1);
	else if (may_do_better && hope == STS_HOPE_AWAY)
		give(a, STS_VERDICT_TEMP, STS_ERR_INTERNAL, -1);
	else
		give(a, STS_VERDICT_NOTFOUND, e->failed_err, -1);
}

/* No policy counts: what is known of the record decides. */
static void
answer_by_record(const struct sts_entry *e, enum sts_hope hope, int64_t now,
    const struct sts_rules *rules, struct sts_answer *a)
{
	if (hope == STS_HOPE_LATE && sts_lookup_record_is_due(e, now))
		give_lookup_failure(a, STS_ERR_DNS_TIMEOUT, -1, rules);
	else if (e->record_at == 0 ||
	    (hope == STS_HOPE_AWAY && now - e->record_at > STS_ALONE_MEMORY))
		give(a, STS_VERDICT_TEMP, STS_ERR_INTERNAL, -1);
	else if (e->record_err == STS_OK)
		answer_without_policy(e, hope, now, a);
	else if (sts_err_is_dns_failure(e->record_err))
		give_lookup_failure(a, e->record_err, e->record_ede, rules);
	else
		give(a, STS_VERDICT_NOTFOUND, e->record_err, -1);
}

/* What failed, as the finding says it. */
static void
give_unknown(struct sts_answer *a, const struct sts_dane *f)
{
	give(a, STS_VERDICT_TEMP, f->err, f->ede);
	a->about = f->about;
	a->host = f->host;
}

/* A policy that must be kept to (RFC 8461 section 5), unless DANE comes first (section 2);
 * and where that is not known, no answer but "come again" lets neither down. */
static void
answer_enforced(const struct sts_dane *f, enum sts_hope hope,
    const struct sts_rules *rules, int64_t now, struct sts_answer *a)
{
	enum sts_dane_state state =
	    sts_dane_is_live(f, rules, now) ? f->state : STS_DANE_NONE;

	if (!rules->dane)
		state = STS_DANE_OFF;
	switch (state) {
	case STS_DANE_OFF:
	case STS_DANE_DISTRUSTED:
	case STS_DANE_ABSENT:
		give(a, STS_VERDICT_SECURE, STS_OK, -1);
		return;
	case STS_DANE_APPLIES:
		give(a, STS_VERDICT_DANE, STS_OK, -1);
		return;
	case STS_DANE_UNKNOWN:
		give_unknown(a, f);
		return;
	case STS_DANE_NONE:
	case STS_DANE_STATES:
		break;
	}
	if (hope == STS_HOPE_RUNNING || hope == STS_HOPE_LATE) {
		give(a, STS_VERDICT_TEMP, STS_ERR_DNS_TIMEOUT, -1);
		a->about = STS_ABOUT_MX;
	} else {
		give(a, STS_VERDICT_TEMP, STS_ERR_INTERNAL, -1);
	}
}

/* Testing and none ask for nothing. "may" says so, and overrides what Postfix would do by
 * itself: only where that can be neither DANE nor anything an administrator wants. */
static void
answer_permitted(const struct sts_dane *f, const struct sts_rules *rules, int64_t now,
    struct sts_answer *a)
{
	bool plain = !rules->dane ||
	    (sts_dane_is_live(f, rules, now) &&
		(f->state == STS_DANE_OFF ||
		    (f->state == STS_DANE_ABSENT && f->whole && f->plain)));

	give(a, rules->may && plain ? STS_VERDICT_PERMIT : STS_VERDICT_NOTFOUND, STS_OK,
	    -1);
}

void
sts_answer(const struct sts_entry *e, struct sts_str domain, struct sts_target target,
    enum sts_hope hope, int64_t now, const struct sts_rules *rules,
    struct sts_answer *answer)
{
	static const struct sts_entry nothing = { 0 };
	const struct sts_dane *f;
	bool live, enforces, due, soon;

	if (e == NULL)
		e = &nothing;
	f = sts_entry_dane(e, target);
	live = sts_entry_is_live(e, now);
	enforces = sts_lookup_enforces(e, rules, now);
	due = hope == STS_HOPE_OPEN && sts_lookup_due(e, domain, target, rules, now) != 0;
	soon = hope == STS_HOPE_OPEN && sts_lookup_due_soon(e, target, rules, now);

	if (enforces)
		answer_enforced(f, hope, rules, now, answer);
	else if (live)
		answer_permitted(f, rules, now, answer);
	else
		answer_by_record(e, hope, now, rules, answer);

	/* What is due comes before the answer (RFC 8461 section 5), as far as time allows;
	 * but a mode that asks for nothing need not wait for its record, only for DANE. */
	answer->ask_first =
	    due && (!live || enforces || sts_lookup_dane_is_due(e, target, rules, now));
	answer->ask_beside = !answer->ask_first && (due || soon);
}
