/* SPDX-License-Identifier: MIT */
/*
 * Every journey of every scenario again (tests/sim), while something of ours fails in it:
 *
 *	an allocation, alone or with all that follow;
 *	the finding out of a fact: there was no memory, no process, no room to ask.
 *
 * Postfix is then told what it would have been told, or TEMP, or what the cached policy
 * says; never that there is no policy, nor that TLS may be left out, where one counts or
 * might. And what the cache has of the domain is what it had, or would have had.
 */
#include "fault.h"

#include "dane.h"
#include "lookup.h"

/* The scenarios' world is all there, and only whoever tells it facts is another. */
static void tell_or_not(struct sts_lookup *l, enum sts_need need,
    const struct sts_fact *fact, int64_t now);
static void tell_dane_or_not(struct sts_dane_look *d, size_t host,
    enum sts_dane_step step, const struct sts_dane_fact *fact, struct sts_str final);
int sim_main(int argc, char **argv);
#define sts_lookup_tell tell_or_not
#define sts_dane_tell tell_dane_or_not
#define main sim_main
#include "../sim/sim.c"
#undef sts_lookup_tell
#undef sts_dane_tell
#undef main

/* Which fact is not found out, from 1 on; 0: none. And why. */
static unsigned long silent, told;
static enum sts_err because;

static bool
is_silent(void)
{
	return ++told == silent;
}

static void
tell_or_not(struct sts_lookup *l, enum sts_need need, const struct sts_fact *fact,
    int64_t now)
{
	const struct sts_fact nothing = { .err = because, .ede = -1 };

	sts_lookup_tell(l, need, is_silent() ? &nothing : fact, now);
}

static void
tell_dane_or_not(struct sts_dane_look *d, size_t host, enum sts_dane_step step,
    const struct sts_dane_fact *fact, struct sts_str final)
{
	const struct sts_dane_fact nothing = { .known = true, .err = because, .ede = -1 };
	bool is = is_silent();

	sts_dane_tell(d, host, step, is ? &nothing : fact, is ? STS_STR_NONE : final);
}

/* What a journey changes. */
struct state {
	char alone[sizeof(world.gives)]; /* what a live policy in the cache says */
	int64_t now;
	struct sts_target target;
	char *cached;
	size_t cached_n;
	bool has_entry;
	char asks[sizeof(world.asks)], gives[sizeof(world.gives)];
	char names[sizeof(world.names)];
};

static void
save(struct state *s)
{
	s->now = world.now;
	s->target = world.target;
	s->cached_n = world.cached.n;
	s->cached = malloc(world.cached.n + 1);
	if (s->cached == NULL)
		abort();
	if (world.cached.n > 0)
		memcpy(s->cached, world.cached.p, world.cached.n);
	s->has_entry = world.has_entry;
	memcpy(s->asks, world.asks, sizeof(s->asks));
	memcpy(s->gives, world.gives, sizeof(s->gives));
	memcpy(s->names, world.names, sizeof(s->names));
}

static void
restore(const struct state *s)
{
	world.now = s->now;
	world.target = s->target;
	sts_buf_clear(&world.cached);
	sts_put(&world.cached, (struct sts_str){ s->cached, s->cached_n });
	world.has_entry = s->has_entry;
	memcpy(world.asks, s->asks, sizeof(s->asks));
	memcpy(world.gives, s->gives, sizeof(s->gives));
	memcpy(world.names, s->names, sizeof(s->names));
}

static bool
says(const char *gives, enum sts_verdict verdict)
{
	const char *word = strchr(gives, ' ');
	const char *text = sts_verdict_text(verdict);
	size_t n = strlen(text);

	return word != NULL && strncmp(word + 1, text, n) == 0 &&
	    (word[n + 1] == ' ' || word[n + 1] == '\0');
}

/* Is it no weaker than what would have been told? Nor is anything in place of DANE, which
 * comes first (RFC 8461 section 2). alone: what the cache says by itself. */
static bool
is_sound(const char *gives, const char *whole, const char *alone)
{
	static const enum sts_verdict verdicts[] = { STS_VERDICT_NOTFOUND,
		STS_VERDICT_PERMIT, STS_VERDICT_SECURE, STS_VERDICT_DANE };

	if (says(gives, STS_VERDICT_TEMP) || strstr(gives, " internal ") != NULL ||
	    (says(gives, STS_VERDICT_NOTFOUND) && says(whole, STS_VERDICT_PERMIT)))
		return true;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (says(gives, verdicts[i]))
			return says(whole, verdicts[i]) || says(alone, verdicts[i]);
	return strcmp(gives, whole) == 0;
}

static unsigned long tried;

static void
judge(const struct state *was, const char *fault, unsigned long n)
{
	tried++;
	if (!is_sound(world.gives, was->gives, was->alone))
		complain("gave \"%s\", not \"%s\", when %s %lu failed", world.gives,
		    was->gives, fault, n);
}

/* The entry is whole, or the buffer says that it is not. */
static void
judge_entry(const char *fault, unsigned long n)
{
	struct sts_entry e;

	if (world.has_entry && !world.cached.bad &&
	    sts_entry_read(sts_buf_str(&world.cached), &e) != STS_OK)
		complain("half an entry would be kept, when %s %lu failed", fault, n);
}

static void
starve(const char *verb, char **words, size_t n, const struct state *before,
    const struct state *was, unsigned long length)
{
	bool struck = true;

	for (unsigned long i = 1; struck; i++) {
		restore(before);
		fault_arm(FAULT_MEMORY, i, length);
		act(verb, words, n);
		struck = fault_disarm() != NULL;
		judge(was, "allocation", i);
		judge_entry("allocation", i);
	}
}

static void
keep_silent(const char *verb, char **words, size_t n, const struct state *before,
    const struct state *was)
{
	static const enum sts_err reasons[] = { STS_ERR_NOMEM, STS_ERR_OVERLOADED,
		STS_ERR_INTERNAL };

	for (size_t r = 0; r < sizeof(reasons) / sizeof(reasons[0]); r++) {
		because = reasons[r];
		told = silent = 0;
		do {
			restore(before);
			told = 0;
			silent++;
			act(verb, words, n);
			judge(was, sts_err_token(because), silent);
			judge_entry(sts_err_token(because), silent);
		} while (told >= silent);
		silent = 0;
	}
}

/* What is said where the cached policy is all there is. */
static void
note_alone(const struct state *before, struct sts_target target, char *alone)
{
	struct sts_entry e;
	const struct sts_entry *cached;

	restore(before);
	world.target = target;
	cached = entry(&e);
	alone[0] = '\0';
	if (cached == NULL || !sts_entry_is_live(cached, world.now))
		return;
	note_answer(cached, "now", STS_HOPE_DONE);
	memcpy(alone, world.gives, sizeof(world.gives));
}

/* A journey that goes another way may ask of hosts that the scenario does not need. */
static void
tell_all_hosts(void)
{
	static char domain[] = "example.com";
	const struct sts_fact *mx = &world.facts[MX].fact;
	char name[STS_NAME_MAX + 1];

	if (find_record(STS_DNS_A, domain, false) == NULL)
		learn_letter('F', domain);
	for (size_t i = 0; mx->err == STS_OK && i < mx->count; i++) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)mx->texts[i].n,
		    mx->texts[i].p);
		if (mx->texts[i].n > 0 && find_record(STS_DNS_A, name, false) == NULL)
			learn_letter('F', name);
	}
}

/* Makes the journey, and makes it again in every way in which something fails. */
static void
suffer(const char *verb, char **words, size_t n)
{
	static struct state before, was;

	save(&before);
	act(verb, words, n);
	save(&was);
	note_alone(&before, was.target, was.alone);
	tell_all_hosts();
	starve(verb, words, n, &before, &was, 1);
	starve(verb, words, n, &before, &was, FAULT_FOREVER);
	keep_silent(verb, words, n, &before, &was);
	restore(&was);
	free(before.cached);
	free(was.cached);
}

static bool
is_journey(const char *verb)
{
	static const char *const verbs[] = { "ask", "ask-host", "ask-until", "refresh",
		"forced", "fresh", "fresh-host", "ask-alone" };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verb, verbs[i]) == 0)
			return true;
	return false;
}

static void
play_badly(FILE *f)
{
	static char line[70000];
	char *words[WORDS];
	size_t n;

	for (world.line = 1; fgets(line, sizeof(line), f) != NULL; world.line++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || (n = split(line, words)) == 0 ||
		    hear(words[0], words + 1, n - 1) ||
		    compare(words[0], words + 1, n - 1))
			continue;
		if (is_journey(words[0]))
			suffer(words[0], words + 1, n - 1);
		else
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
		play_badly(f);
		(void)fclose(f);
	}
	sts_buf_done(&world.cached);
	printf("%d scenarios, %lu journeys with a fault, %d complaints\n",
	    world.scenarios, tried, world.failed);
	return world.failed != 0;
}
