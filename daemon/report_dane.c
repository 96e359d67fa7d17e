/* SPDX-License-Identifier: MIT */
#include "report_dane.h"

#include <stdio.h>

#include "log.h"

/* What a finding says, for people. before: the last one. */
static void
explain(const struct sts_dane *f, const struct sts_dane *before, char *text, size_t n)
{
	static const char *const abouts[STS_ABOUTS] = {
		[STS_ABOUT_RECORD] = "record",
		[STS_ABOUT_MX] = "MX",
		[STS_ABOUT_ADDRESS] = "address",
		[STS_ABOUT_TLSA] = "TLSA",
	};
	const char *what = "";

	switch (f->state) {
	case STS_DANE_UNKNOWN:
		(void)snprintf(text, n, "DANE is unknown: %s lookup failed (%s)",
		    abouts[f->about], sts_err_rcode(f->err));
		return;
	case STS_DANE_ABSENT:
		(void)snprintf(text, n, "DANE does not apply%s%s",
		    before->applied ? " any more" : "",
		    f->mx_secure ? "" : ": the MX records are insecure");
		return;
	case STS_DANE_APPLIES:
		what = "DANE comes before the policy";
		break;
	case STS_DANE_OFF:
		what = "DANE is off: the resolver does not validate";
		break;
	case STS_DANE_DISTRUSTED:
		what = "DANE is off: the resolver is not believed";
		break;
	case STS_DANE_NONE:
	case STS_DANE_STATES:
		break;
	}
	(void)snprintf(text, n, "%s", what);
}

static bool
is_weighty(const struct sts_dane *f)
{
	return f->state == STS_DANE_APPLIES || f->state == STS_DANE_UNKNOWN;
}

/* Who searches the log for a domain looks for what became of its mail: that DANE comes
 * first, or went, or keeps mail waiting. Policies that ask for nothing keep none. */
static enum log_level
level_of(const struct sts_dane *before, const struct sts_dane *after, bool enforced)
{
	if (!enforced)
		return LOG_LEVEL_DEBUG;
	if (before->at == 0 && after->state == STS_DANE_APPLIES)
		return LOG_LEVEL_INFO;
	if (is_weighty(before) || is_weighty(after) || before->applied)
		return LOG_LEVEL_NOTICE;
	return LOG_LEVEL_DEBUG;
}

static void
log_target(struct sts_target target)
{
	if (sts_target_eq(target, STS_TARGET_PLAIN))
		return;
	log_text("brackets", target.brackets ? STS_STR("yes") : STS_STR("no"));
	log_number("port", target.port);
}

static void
log_finding(const struct sts_event *event, const struct sts_dane *before,
    const struct sts_dane *after)
{
	const struct sts_rules *rules = event->lookup->rules;
	bool enforced = sts_lookup_enforces(event->after, rules, after->at);
	char why[128];

	explain(after, before, why, sizeof(why));
	log_begin(level_of(before, after, enforced),
	    before->at == 0 ? "dane-found" : "dane-changed", event->domain, why);
	if (before->at != 0)
		log_text("old_dane", sts_str_of(sts_dane_text(before->state)));
	log_text("dane", sts_str_of(sts_dane_text(after->state)));
	if (after->host.n > 0)
		log_text("host", after->host);
	if (after->state == STS_DANE_UNKNOWN && after->ede >= 0)
		log_number("ede", after->ede);
	log_target(after->target);
	log_end();
}

void
report_finding(const struct sts_event *event)
{
	for (size_t i = 0; i < event->after->dane_count; i++) {
		const struct sts_dane *after = &event->after->dane[i];
		const struct sts_dane *before =
		    sts_entry_dane(&event->lookup->cached, after->target);

		if (before->state != after->state)
			log_finding(event, before, after);
	}
}

void
report_host(const struct sts_event *event)
{
	static const char *const steps[STS_DANE_STEPS] = {
		[STS_DANE_A] = "A",
		[STS_DANE_AAAA] = "AAAA",
		[STS_DANE_ALIAS] = "CNAME",
		[STS_DANE_TLSA] = "TLSA",
		[STS_DANE_TLSA_OWN] = "TLSA of the alias",
	};
	const struct sts_dns_answer *answer = event->answer;

	log_begin(LOG_LEVEL_DEBUG, "mx-host", event->domain, "");
	log_text("host", event->lookup->dane.hosts[event->host].name);
	log_text("question", sts_str_of(steps[event->step]));
	log_text("result", sts_str_of(sts_err_token(answer->err)));
	log_text("ad", answer->ad ? STS_STR("yes") : STS_STR("no"));
	if (answer->ede >= 0)
		log_number("ede", answer->ede);
	log_seconds("took", event->ms);
	log_end();
}
