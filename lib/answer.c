/* SPDX-License-Identifier: MIT */
/* From the entry to the answer; see answer.h. */
#include "answer.h"

static const char *const verdicts[] = {
	[STS_VERDICT_NOTFOUND] = "notfound",
	[STS_VERDICT_PERMIT] = "permit",
	[STS_VERDICT_SECURE] = "secure",
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

	if (may_do_better && hope == STS_HOPE_RUNNING)
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

void
sts_answer(const struct sts_entry *e, struct sts_str domain, bool host_only,
    enum sts_hope hope, int64_t now, const struct sts_rules *rules,
    struct sts_answer *answer)
{
	static const struct sts_entry nothing = { 0 };
	bool enforces, due;

	if (e == NULL)
		e = &nothing;
	enforces = sts_lookup_enforces(e, rules, now);
	due = hope == STS_HOPE_OPEN &&
	    sts_lookup_due(e, domain, host_only, rules, now) != 0;

	if (enforces)
		give(answer, STS_VERDICT_SECURE, STS_OK, -1);
	else if (sts_entry_is_live(e, now))
		give(answer, STS_VERDICT_PERMIT, STS_OK, -1);
	else
		answer_by_record(e, hope, now, rules, answer);

	/* A mode that permits everything need not wait for the record; all else must,
	 * as far as time allows (RFC 8461 section 5). */
	answer->ask_beside = due && answer->verdict == STS_VERDICT_PERMIT;
	answer->ask_first = due && !answer->ask_beside;
}
