/* SPDX-License-Identifier: MIT */
/*
 * Plays scenarios: journeys and answers in a world made of text, where time is a number.
 * Each file holds scenarios; a line is a verb and what it says:
 *
 *	name TEXT		begins a scenario: an empty cache, time 0, default rules
 *	rules WORD...		strict, loose, defer, interval=N, unused=N, allow=NET
 *	at N			it is N seconds after the beginning
 *	record|mx|host|policy|stored FACT
 *				what will be found out from now on: an error's token, or
 *				[ttl=N] "TEXT" ..., PREFERENCE HOST ..., ADDRESS ...,
 *				"LINE" ..., ok
 *	ask|ask-host|refresh|forced|fresh
 *				a journey; ask-host is a key in brackets
 *	ask-until NEED		the time of who asks is up while NEED is being found out
 *	ask-alone		the resolver cannot be asked
 *	asks NEED...		what the journey asked for, "a+b" at once; "-" nothing
 *	gives WHEN VERDICT [WHY] [ede=N]
 *				WHEN: now, beside (and looks as well), first (only after)
 *	names A:B...		the names of the reply
 *	due A..B		seconds until the next refresh; "never"
 *	says FIELD=VALUE...	of the entry: mode, id, failures, expires (seconds), mx
 *	damage			the cached entry loses a bit
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "entry.h"
#include "lookup.h"
#include "match.h"
#include "refresh.h"

#define BEGINNING 1000000000
#define WORDS 80
#define DOMAIN STS_STR("example.com")

static const char *const need_names[STS_NEEDS] = { "record", "mx", "host", "policy",
	"stored" };

/* A fact of the world, with room for what it points to. */
struct told {
	struct sts_fact fact;
	struct sts_str texts[WORDS];
	uint16_t preferences[WORDS];
	struct sts_addr addresses[WORDS];
	char bytes[70000];
	long takes; /* seconds */
};

static struct {
	const char *file;
	int line;
	char name[200];
	struct sts_rules rules;
	struct sts_net allow;
	int64_t now;
	struct told facts[STS_NEEDS];
	struct sts_buf cached;
	bool has_entry;
	char asks[400], gives[320], names[2000];
	int failed, scenarios;
} world;

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: %s: ", world.file, world.line, world.name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	world.failed++;
}

/* Splits a line into words; "quoted words" may hold blanks. */
static size_t
split(char *line, char *words[WORDS])
{
	size_t n = 0;
	char *p = line;

	while (n < WORDS && (p += strspn(p, " \t"), *p != '\0')) {
		char end = *p == '"' ? '"' : ' ';

		if (end == '"')
			p++;
		words[n++] = p;
		while (*p != '\0' && *p != end && !(end == ' ' && *p == '\t'))
			p++;
		if (*p != '\0')
			*p++ = '\0';
	}
	return n;
}

static bool
err_of(const char *word, enum sts_err *err)
{
	for (int e = 0; e < STS_ERRS; e++)
		if (strcmp(word, sts_err_token((enum sts_err)e)) == 0) {
			*err = (enum sts_err)e;
			return true;
		}
	return false;
}

static struct sts_str
keep(struct told *t, size_t *used, const char *text)
{
	size_t n = strlen(text);
	struct sts_str s = { t->bytes + *used, n };

	memcpy(t->bytes + *used, text, n);
	*used += n;
	return s;
}

static void
learn(size_t need, char **words, size_t n)
{
	struct told *t = &world.facts[need];
	size_t used = 0, i = 0;

	memset(t, 0, sizeof(*t));
	t->fact = (struct sts_fact){ .ede = -1,
		.ttl = 300,
		.texts = t->texts,
		.preferences = t->preferences,
		.addresses = t->addresses };
	for (; i < n &&
	     (sscanf(words[i], "ttl=%" SCNu32, &t->fact.ttl) == 1 ||
		 sscanf(words[i], "ede=%" SCNd16, &t->fact.ede) == 1 ||
		 sscanf(words[i], "takes=%ld", &t->takes) == 1);
	     i++)
		;
	if (i < n && err_of(words[i], &t->fact.err)) {
		if (t->fact.err != STS_OK && need < 3 && t->fact.ttl == 300)
			t->fact.ttl = 0;
		return;
	}
	for (; i < n; i++) {
		size_t c = t->fact.count;

		if (need == 0) {
			t->texts[c] = keep(t, &used, words[i]);
		} else if (need == 1 && i + 1 < n) {
			t->preferences[c] = (uint16_t)atoi(words[i]);
			t->texts[c] = keep(t, &used,
			    strcmp(words[i + 1], ".") == 0 ? "" : words[i + 1]);
			i++;
		} else if (need == 2) {
			if (!sts_addr_parse(sts_str_of(words[i]), &t->addresses[c]))
				complain("no address: %s", words[i]);
		} else {
			(void)keep(t, &used, words[i]);
			(void)keep(t, &used, "\n");
		}
		t->fact.count++;
	}
	t->fact.body = (struct sts_str){ t->bytes, used };
}

static void
begin(const char *name)
{
	char ok[] = "ok";
	char *words[] = { ok };

	snprintf(world.name, sizeof(world.name), "%.199s", name);
	world.rules =
	    (struct sts_rules){ .refresh_interval = 86400, .refresh_unused = 30 * 86400 };
	world.now = BEGINNING;
	world.has_entry = false;
	sts_buf_clear(&world.cached);
	for (size_t i = 0; i < STS_NEEDS; i++)
		learn(i, words, 1);
	world.scenarios++;
}

static void
set_rules(char **words, size_t n)
{
	struct sts_rules *r = &world.rules;

	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], "strict") == 0)
			r->strict_testing = true;
		else if (strcmp(words[i], "loose") == 0)
			r->loose = true;
		else if (strcmp(words[i], "defer") == 0)
			r->defer_txt_error = true;
		else if (strncmp(words[i], "allow=", 6) == 0 &&
		    sts_net_parse(sts_str_of(words[i] + 6), &world.allow)) {
			r->allow = &world.allow;
			r->allow_count = 1;
		} else if (sscanf(words[i], "interval=%" SCNu32, &r->refresh_interval) !=
			1 &&
		    sscanf(words[i], "unused=%" SCNu32, &r->refresh_unused) != 1)
			complain("no rule: %s", words[i]);
}

static const struct sts_entry *
entry(struct sts_entry *e)
{
	if (!world.has_entry)
		return NULL;
	if (sts_entry_read(sts_buf_str(&world.cached), e) != STS_OK) {
		complain("the entry cannot be read back");
		return NULL;
	}
	return e;
}

static void
note_names(const struct sts_entry *e, bool host_only)
{
	struct sts_policy policy;
	struct sts_match m = { 0 };
	struct sts_buf out = { 0 };
	struct sts_str name;
	bool wildcard;

	if (sts_policy_parse(e->policy, &policy, NULL, NULL) != STS_OK) {
		complain("the entry holds no policy");
		return;
	}
	sts_match_start(&m, e, &policy, DOMAIN, host_only, world.now, !world.rules.loose);
	while (sts_match_next(&m, &name, &wildcard)) {
		if (out.n > 0)
			sts_put_char(&out, ':');
		if (wildcard)
			sts_put_char(&out, '.');
		sts_put_lower(&out, name);
	}
	sts_match_done(&m);
	snprintf(world.names, sizeof(world.names), "%.*s", (int)out.n, out.p);
	sts_buf_done(&out);
}

static void
note_answer(const struct sts_entry *e, bool host_only, const char *when,
    enum sts_hope hope)
{
	struct sts_answer a;

	sts_answer(e, DOMAIN, host_only, hope, world.now, &world.rules, &a);
	snprintf(world.gives, 300, "%s %s%s%s", when, sts_verdict_text(a.verdict),
	    a.why != STS_OK ? " " : "", a.why != STS_OK ? sts_err_token(a.why) : "");
	if (a.ede >= 0)
		snprintf(world.gives + strlen(world.gives), 20, " ede=%d", a.ede);
	world.names[0] = '\0';
	if (a.verdict == STS_VERDICT_SECURE)
		note_names(e, host_only);
}

static const char *
when_of(const struct sts_answer *a)
{
	return a->ask_first ? "first" : a->ask_beside ? "beside" : "now";
}

static void
note_asked(unsigned needs)
{
	size_t n = strlen(world.asks);

	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0) {
			n += (size_t)snprintf(world.asks + n, sizeof(world.asks) - n,
			    "%s%s", n > 0 && world.asks[n - 1] != ' ' ? "+" : "",
			    need_names[i]);
		}
	snprintf(world.asks + n, sizeof(world.asks) - n, " ");
}

/* Tells every fact that is needed; false when the one to stop at is among them. */
static bool
find_out(struct sts_lookup *l, unsigned needs, unsigned stop_at)
{
	note_asked(needs);
	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0 && (needs & stop_at) == 0)
			world.now += world.facts[i].takes;
	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0 && (1u << i & stop_at) == 0)
			sts_lookup_tell(l, (enum sts_need)(1u << i), &world.facts[i].fact,
			    world.now);
	return (needs & stop_at) == 0;
}

static void
journey(enum sts_start start, bool host_only, unsigned stop_at)
{
	static struct sts_lookup l;
	struct sts_entry e;
	const struct sts_entry *cached = entry(&e);
	struct sts_answer a;
	unsigned needs;
	enum sts_hope hope = STS_HOPE_DONE;

	world.asks[0] = '\0';
	sts_answer(cached, DOMAIN, host_only, STS_HOPE_OPEN, world.now, &world.rules, &a);
	if (start == STS_START_ASKED && !a.ask_first && !a.ask_beside) {
		note_answer(cached, host_only, "now", STS_HOPE_OPEN);
		return;
	}
	sts_lookup_start(&l, DOMAIN, cached, start, &world.rules);
	l.host_only = host_only;
	l.used = start == STS_START_ASKED;
	needs = sts_lookup_run(&l, world.now);
	if (start == STS_START_ASKED && cached != NULL &&
	    needs != sts_lookup_due(cached, DOMAIN, host_only, &world.rules, world.now))
		complain("sts_lookup_due and sts_lookup_run do not agree");
	for (int i = 0; needs != 0; i++) {
		if (i > STS_NEEDS) {
			complain("the journey does not end");
			return;
		}
		if (!find_out(&l, needs, stop_at)) {
			(void)sts_lookup_run(&l, world.now);
			hope = l.fetching ? STS_HOPE_RUNNING : STS_HOPE_LATE;
			break;
		}
		needs = sts_lookup_run(&l, world.now);
	}
	if (l.internal != STS_OK)
		snprintf(world.gives, sizeof(world.gives), "%s internal %s", when_of(&a),
		    sts_err_token(l.internal));
	else if (a.ask_beside)
		note_answer(cached, host_only, "beside", STS_HOPE_OPEN);
	else
		note_answer(&l.entry, host_only, when_of(&a), hope);
	if (hope == STS_HOPE_DONE && l.changed && l.internal == STS_OK) {
		struct sts_buf fresh = { 0 };

		sts_entry_write(&l.entry, &fresh);
		sts_buf_done(&world.cached);
		world.cached = fresh;
		world.has_entry = true;
	}
}

static void
check(const char *what, const char *want, const char *is)
{
	if (strcmp(want, is) != 0)
		complain("%s \"%s\", not \"%s\"", what, is, want);
}

static void
join(char **words, size_t n, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > 0 ? " " : "",
		    words[i]);
}

static void
check_due(const char *want)
{
	struct sts_entry e;
	const struct sts_entry *cached = entry(&e);
	int64_t due =
	    cached == NULL ? INT64_MAX : sts_refresh_due(cached, DOMAIN, &world.rules);
	long low = 0, high = 0;

	if (strcmp(want, "never") == 0) {
		if (due != INT64_MAX)
			complain("due in %ld", (long)(due - world.now));
	} else if (sscanf(want, "%ld..%ld", &low, &high) != 2 || due - world.now < low ||
	    due - world.now > high) {
		complain("due in %ld, not %s", (long)(due - world.now), want);
	}
	static const char *const whats[] = { "wait", "fetch", "drop" };

	if (cached != NULL && due <= world.now)
		snprintf(world.gives, sizeof(world.gives), "%s",
		    whats[sts_refresh_what(cached, DOMAIN, &world.rules, world.now)]);
}

static void
check_entry(char **words, size_t n)
{
	struct sts_entry e;
	char is[400];

	if (entry(&e) == NULL) {
		complain("there is no entry");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (strncmp(words[i], "mode=", 5) == 0)
			snprintf(is, sizeof(is), "mode=%s", sts_mode_text(e.mode));
		else if (strncmp(words[i], "id=", 3) == 0)
			snprintf(is, sizeof(is), "id=%.*s", (int)e.id.n,
			    e.id.n > 0 ? e.id.p : "");
		else if (strncmp(words[i], "failures=", 9) == 0)
			snprintf(is, sizeof(is), "failures=%u", e.failures);
		else if (strncmp(words[i], "expires=", 8) == 0)
			snprintf(is, sizeof(is), "expires=%ld",
			    (long)(sts_entry_expires(&e) - world.now));
		else if (strncmp(words[i], "record=", 7) == 0)
			snprintf(is, sizeof(is), "record=%ld",
			    (long)(e.record_at + e.record_ttl - world.now));
		else if (strncmp(words[i], "mxttl=", 6) == 0)
			snprintf(is, sizeof(is), "mxttl=%ld",
			    (long)(e.mx_at + e.mx_ttl - world.now));
		else if (strncmp(words[i], "asked=", 6) == 0)
			snprintf(is, sizeof(is), "asked=%ld",
			    (long)(world.now - e.asked));
		else
			snprintf(is, sizeof(is), "mx=%zu", e.mx_count);
		check("the entry says", words[i], is);
	}
}

static void
act(const char *verb, char **words, size_t n)
{
	char text[2400];

	join(words, n, text, sizeof(text));
	for (size_t i = 0; i < STS_NEEDS; i++)
		if (strcmp(verb, need_names[i]) == 0) {
			learn(i, words, n);
			return;
		}
	if (strcmp(verb, "name") == 0)
		begin(text);
	else if (strcmp(verb, "rules") == 0)
		set_rules(words, n);
	else if (strcmp(verb, "at") == 0)
		world.now = BEGINNING + atol(text);
	else if (strcmp(verb, "ask") == 0)
		journey(STS_START_ASKED, false, 0);
	else if (strcmp(verb, "ask-host") == 0)
		journey(STS_START_ASKED, true, 0);
	else if (strcmp(verb, "refresh") == 0)
		journey(STS_START_REFRESH, false, 0);
	else if (strcmp(verb, "forced") == 0)
		journey(STS_START_FORCED, false, 0);
	else if (strcmp(verb, "fresh") == 0)
		journey(STS_START_FRESH, false, 0);
	else if (strcmp(verb, "asks") == 0)
		check("it asked for", strcmp(text, "-") == 0 ? "" : strcat(text, " "),
		    world.asks);
	else if (strcmp(verb, "gives") == 0)
		check("it gave", text, world.gives);
	else if (strcmp(verb, "names") == 0)
		check("the names are", text, world.names);
	else if (strcmp(verb, "due") == 0)
		check_due(text);
	else if (strcmp(verb, "says") == 0)
		check_entry(words, n);
	else
		complain("no such verb: %s", verb);
}

/* Verbs whose work needs more than their words. */
static bool
act_specially(const char *verb, char **words, size_t n)
{
	struct sts_entry e;

	if (strcmp(verb, "ask-until") == 0 && n == 1) {
		for (size_t i = 0; i < STS_NEEDS; i++)
			if (strcmp(words[0], need_names[i]) == 0)
				journey(STS_START_ASKED, false, 1u << i);
		return true;
	}
	if (strcmp(verb, "ask-alone") == 0) {
		note_answer(entry(&e), false, "now", STS_HOPE_AWAY);
		return true;
	}
	if (strcmp(verb, "damage") == 0) {
		world.cached.p[world.cached.n / 2] ^= 1;
		if (sts_entry_read(sts_buf_str(&world.cached), &e) == STS_OK)
			complain("a damaged entry was read");
		world.cached.p[world.cached.n / 2] ^= 1;
		return true;
	}
	return false;
}

static void
play(FILE *f)
{
	static char line[70000];
	char *words[WORDS];
	size_t n;

	for (world.line = 1; fgets(line, sizeof(line), f) != NULL; world.line++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || (n = split(line, words)) == 0)
			continue;
		if (!act_specially(words[0], words + 1, n - 1))
			act(words[0], words + 1, n - 1);
	}
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "r");

		world.file = argv[i];
		if (f == NULL) {
			perror(argv[i]);
			return 1;
		}
		play(f);
		(void)fclose(f);
	}
	sts_buf_done(&world.cached);
	printf("%d scenarios, %d complaints\n", world.scenarios, world.failed);
	return world.failed != 0;
}
