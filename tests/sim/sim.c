/* SPDX-License-Identifier: MIT */
/*
 * Plays scenarios: journeys and answers in a world made of text, where time is a number.
 * Each file holds scenarios; a line is a verb and what it says:
 *
 *	name TEXT		begins a scenario: an empty cache, time 0, default rules
 *	rules WORD...		strict, loose, defer, may, dane, believe (may and believe
 *				are on; no-WORD: off), interval=N, unused=N, allow=NET
 *	at N			it is N seconds after the beginning
 *	record|mx|host|policy|stored|trust|trust-now FACT
 *				what will be found out from now on: an error's token, or
 *				[ttl=N] [secure] "TEXT" ..., PREFERENCE HOST ...,
 *				ADDRESS ..., "LINE" ..., ok; of trust: ad (it validates)
 *				or plain
 *	publishes MODE		a record, and a policy of that mode for *.example.com
 *	a|aaaa HOST [secure] FACT [final=NAME]
 *				FACT: an address or a token; final: the end of the chain.
 *				Of an aaaa that was not told: none, secure if a is
 *	cname HOST secure|insecure|ERROR
 *	tlsa HOST [port=N] [secure] usable|unusable|ERROR
 *	are LETTER HOST...	the same in short: U X N F as in stsd(8), L has no address
 *				because the lookup failed
 *	ask|ask-host|refresh|forced|fresh|fresh-host [PORT]
 *				a journey; -host: a key in brackets
 *	ask-until NEED		the time of who asks is up while NEED is being found out
 *	ask-alone		the resolver cannot be asked
 *	asks NEED...		what the journey asked for, "a+b" at once; "-" nothing;
 *				questions about hosts are TYPE:NAME, without .example.com
 *	gives WHEN VERDICT [WHY] [about [HOST]] [ede=N]
 *				WHEN: now, beside (and looks as well), first (only after)
 *	names A:B...		the names of the reply
 *	due A..B		seconds until the next refresh; "never"
 *	says FIELD=VALUE...	of the entry: mode, id, failures, expires (seconds), mx,
 *				findings (how many), dane (of the last target: state, life
 *				left, then mx, applied, plain, whole, or what failed)
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
#define WORDS 160
#define RECORDS 400
#define QUESTIONS (STS_MX_EXAMINED * STS_DANE_STEPS)
#define ROUNDS (STS_NEEDS + STS_DANE_STEPS) /* a journey's */
#define DOMAIN STS_STR("example.com")

/* Needs, as they are counted. */
enum { RECORD, MX, HOST, POLICY, TRUST = 5, HOSTS = 7 };
static const char *const need_names[STS_NEEDS] = { "record", "mx", "host", "policy",
	"stored", "trust", "trust-now", "hosts" };
static const char *const about_names[STS_ABOUTS] = { "record", "mx", "address", "tlsa" };

/* A fact of the world, with room for what it points to. */
struct told {
	struct sts_fact fact;
	struct sts_str texts[WORDS];
	uint16_t preferences[WORDS];
	struct sts_addr addresses[WORDS];
	char bytes[70000];
	long takes; /* seconds */
};

/* What DNS says of one of the domain's hosts. */
struct record {
	enum sts_dns_type type;
	char name[STS_NAME_MAX + 1], final[STS_NAME_MAX + 1];
	struct sts_dane_fact fact;
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
	struct record records[RECORDS];
	size_t record_count;
	struct sts_target target; /* of the last journey */
	struct sts_buf cached;
	bool has_entry;
	char asks[16000], gives[400], names[2000];
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

static bool
is_word(const char *word, const char *known, bool *is)
{
	if (strcmp(word, known) != 0)
		return false;
	*is = true;
	return true;
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
		 sscanf(words[i], "takes=%ld", &t->takes) == 1 ||
		 is_word(words[i], "secure", &t->fact.ad));
	     i++)
		;
	if (i < n && err_of(words[i], &t->fact.err)) {
		if (t->fact.err != STS_OK && need <= HOST && t->fact.ttl == 300)
			t->fact.ttl = 0;
		return;
	}
	if (need >= TRUST) {
		t->fact.ad = strcmp(words[i], "ad") == 0;
		return;
	}
	for (; i < n; i++) {
		size_t c = t->fact.count;

		if (need == RECORD) {
			t->texts[c] = keep(t, &used, words[i]);
		} else if (need == MX && i + 1 < n) {
			t->preferences[c] = (uint16_t)atoi(words[i]);
			t->texts[c] = keep(t, &used,
			    strcmp(words[i + 1], ".") == 0 ? "" : words[i + 1]);
			i++;
		} else if (need == HOST) {
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

/* The record for a name, or room for one. */
static struct record *
find_record(enum sts_dns_type type, const char *name, bool make)
{
	struct record *r = world.records;

	while (r < world.records + world.record_count &&
	    (r->type != type || strcmp(r->name, name) != 0))
		r++;
	if (r < world.records + world.record_count)
		return r;
	if (!make)
		return NULL;
	if (world.record_count == RECORDS) {
		complain("too many hosts");
		return world.records;
	}
	world.record_count++;
	r->type = type;
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

/* HOST [port=N] [secure] [ttl=N] [ede=N] [takes=N] FACT [final=NAME] */
static void
learn_host(enum sts_dns_type type, char **words, size_t n)
{
	struct sts_dane_fact fact = { .known = true, .ede = -1, .ttl = 300 };
	struct record *r;
	char name[300];
	bool insecure;
	int port = 25;
	long takes = 0;
	size_t i = 1;

	for (; i < n &&
	     (sscanf(words[i], "ttl=%" SCNu32, &fact.ttl) == 1 ||
		 sscanf(words[i], "ede=%" SCNd16, &fact.ede) == 1 ||
		 sscanf(words[i], "takes=%ld", &takes) == 1 ||
		 sscanf(words[i], "port=%d", &port) == 1 ||
		 is_word(words[i], "secure", &fact.ad) ||
		 is_word(words[i], "insecure", &insecure));
	     i++)
		;
	if (type == STS_DNS_TLSA)
		snprintf(name, sizeof(name), "_%d._tcp.%s", port, words[0]);
	else
		snprintf(name, sizeof(name), "%s", words[0]);
	if (i < n && !err_of(words[i], &fact.err))
		fact.usable = strcmp(words[i], "usable") == 0;
	r = find_record(type, name, true);
	r->fact = fact;
	r->takes = takes;
	snprintf(r->final, sizeof(r->final), "%s", words[0]);
	if (n > 1 && strncmp(words[n - 1], "final=", 6) == 0)
		snprintf(r->final, sizeof(r->final), "%s", words[n - 1] + 6);
}

/* A host as the letters of stsd(8) name it. */
static void
learn_letter(char letter, char *host)
{
	static char secure[] = "secure", address[] = "192.0.9.1",
		    failed[] = "dns-servfail", usable[] = "usable",
		    unusable[] = "unusable", none[] = "dns-nodata";
	char *plain[] = { host, address }, *signed_[] = { host, secure, address },
	     *nothing[] = { host, failed };
	char *of_tlsa = letter == 'U' ? usable
	    : letter == 'X'	      ? unusable
	    : letter == 'F'	      ? failed
				      : none;
	char *tlsa[] = { host, secure, of_tlsa };

	learn_host(STS_DNS_AAAA, (char *[]){ host, secure, none }, 3);
	learn_host(STS_DNS_TLSA, tlsa, 3);
	learn_host(STS_DNS_A, signed_, 3);
	if (letter == 'N') {
		learn_host(STS_DNS_A, plain, 2);
		learn_host(STS_DNS_AAAA, (char *[]){ host, none }, 2);
	}
	if (letter == 'L') {
		learn_host(STS_DNS_A, nothing, 2);
		learn_host(STS_DNS_AAAA, nothing, 2);
	}
}

static void
begin(const char *name)
{
	static char validates[] = "ad", nothing[] = "dns-nodata", fine[] = "ok";
	char *ad[] = { validates }, *none[] = { nothing }, *ok[] = { fine };

	snprintf(world.name, sizeof(world.name), "%.199s", name);
	world.rules = (struct sts_rules){ .may = true,
		.believe = true,
		.refresh_interval = 86400,
		.refresh_unused = 30 * 86400 };
	world.now = BEGINNING;
	world.has_entry = false;
	sts_buf_clear(&world.cached);
	world.record_count = 0;
	for (size_t i = 0; i < STS_NEEDS; i++)
		learn(i, i == MX ? none : i < TRUST ? ok : ad, 1);
	world.scenarios++;
}

/* A word, or no-word. */
static bool
set_flag(const char *word)
{
	struct sts_rules *r = &world.rules;
	const struct {
		const char *word;
		bool *flag;
	} flags[] = { { "strict", &r->strict_testing }, { "loose", &r->loose },
		{ "defer", &r->defer_txt_error }, { "may", &r->may },
		{ "dane", &r->dane }, { "believe", &r->believe } };
	bool no = strncmp(word, "no-", 3) == 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(no ? word + 3 : word, flags[i].word) == 0) {
			*flags[i].flag = !no;
			return true;
		}
	return false;
}

static void
set_rules(char **words, size_t n)
{
	struct sts_rules *r = &world.rules;

	for (size_t i = 0; i < n; i++)
		if (strncmp(words[i], "allow=", 6) == 0 &&
		    sts_net_parse(sts_str_of(words[i] + 6), &world.allow)) {
			r->allow = &world.allow;
			r->allow_count = 1;
		} else if (!set_flag(words[i]) &&
		    sscanf(words[i], "interval=%" SCNu32, &r->refresh_interval) != 1 &&
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
note_names(const struct sts_entry *e)
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
	sts_match_start(&m, e, policy.text, DOMAIN, world.target.brackets, world.now,
	    !world.rules.loose);
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
note_answer(const struct sts_entry *e, const char *when, enum sts_hope hope)
{
	struct sts_answer a;
	int n;

	sts_answer(e, DOMAIN, world.target, hope, world.now, &world.rules, &a);
	n = snprintf(world.gives, sizeof(world.gives), "%s %s%s%s", when,
	    sts_verdict_text(a.verdict), a.why != STS_OK ? " " : "",
	    a.why != STS_OK ? sts_err_token(a.why) : "");
	if (a.about != STS_ABOUT_RECORD)
		n += snprintf(world.gives + n, 300, " %s%s%.*s", about_names[a.about],
		    a.host.n > 0 ? " " : "", (int)a.host.n, a.host.p);
	if (a.ede >= 0)
		snprintf(world.gives + n, 20, " ede=%d", a.ede);
	world.names[0] = '\0';
	if (a.verdict == STS_VERDICT_SECURE)
		note_names(e);
}

static const char *
when_of(const struct sts_answer *a)
{
	return a->ask_first ? "first" : a->ask_beside ? "beside" : "now";
}

/* name: of a question about a host; the domain at its end goes without saying. */
static void
note_asked(const char *what, struct sts_str name)
{
	struct sts_str asked = { world.asks, strlen(world.asks) };
	struct sts_str end = STS_STR(".example.com");
	bool again = asked.n > 0 && !sts_str_ends(asked, STS_STR(" "));

	if (sts_str_ends(name, end) && !sts_str_ends(name, STS_STR("_tcp.example.com")))
		name.n -= end.n;
	snprintf(world.asks + asked.n, sizeof(world.asks) - asked.n, "%s%s%s%.*s",
	    again ? "+" : "", what, name.n > 0 ? ":" : "", (int)name.n, name.p);
}

static struct record
answer_of(const struct sts_dane_question *q)
{
	const struct record *r = find_record(q->type, q->name, false), *a;
	struct record none = { .fact = { true, STS_ERR_DNS_NODATA, -1, 300, false,
				   false } };

	if (r != NULL)
		return *r;
	a = find_record(STS_DNS_A, q->name, false);
	if (q->type == STS_DNS_AAAA && a != NULL) {
		none.fact.ad = a->fact.ad;
		none.takes = a->takes;
		snprintf(none.final, sizeof(none.final), "%s", a->final);
	} else {
		complain("nobody said what %s %s is", sts_dns_type_text(q->type),
		    q->name);
	}
	return none;
}

/* Asks everything about the hosts that can be asked at once; answers unless stopped. */
static void
find_out_hosts(struct sts_lookup *l, bool stop)
{
	static const char *const types[] = { "a", "aaaa", "cname", "tlsa", "tlsa" };
	static struct record answers[STS_MX_EXAMINED][STS_DANE_STEPS];
	static struct sts_dane_question q[QUESTIONS];
	size_t n = 0;
	long takes = 0;

	while (n < QUESTIONS && sts_dane_ask(&l->dane, &q[n])) {
		note_asked(types[q[n].step], (struct sts_str){ q[n].name, q[n].name_n });
		n++;
	}
	if (n == 0)
		complain("HOSTS are needed, and nothing is asked of them");
	for (size_t i = 0; i < n && !stop; i++) {
		struct record *answer = &answers[q[i].host][q[i].step];

		*answer = answer_of(&q[i]);
		if (answer->takes > takes)
			takes = answer->takes;
	}
	world.now += takes;
	for (size_t i = 0; i < n && !stop; i++) {
		const struct record *answer = &answers[q[i].host][q[i].step];

		sts_dane_tell(&l->dane, q[i].host, q[i].step, &answer->fact,
		    sts_str_of(answer->final));
	}
}

/* Tells every fact that is needed; false when the one to stop at is among them. */
static bool
find_out(struct sts_lookup *l, unsigned needs, unsigned stop_at)
{
	bool stop = (needs & stop_at) != 0;

	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0 && i != HOSTS)
			note_asked(need_names[i], STS_STR_NONE);
	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0 && !stop)
			world.now += world.facts[i].takes;
	for (size_t i = 0; i < STS_NEEDS; i++)
		if ((needs >> i & 1) != 0 && (1u << i & stop_at) == 0 && i != HOSTS)
			sts_lookup_tell(l, (enum sts_need)(1u << i), &world.facts[i].fact,
			    world.now);
	if ((needs & STS_NEED_HOSTS) != 0)
		find_out_hosts(l, (stop_at & STS_NEED_HOSTS) != 0);
	snprintf(world.asks + strlen(world.asks), 2, " ");
	return !stop;
}

/* Finds out whatever is needed; what may be hoped for when it is over, or the time is. */
static enum sts_hope
drive(struct sts_lookup *l, unsigned stop_at)
{
	unsigned needs = sts_lookup_run(l, world.now);

	for (int i = 0; needs != 0; i++) {
		if (i > ROUNDS) {
			complain("the journey does not end");
			return STS_HOPE_DONE;
		}
		if (!find_out(l, needs, stop_at)) {
			(void)sts_lookup_run(l, world.now);
			return l->fetching ? STS_HOPE_RUNNING : STS_HOPE_LATE;
		}
		needs = sts_lookup_run(l, world.now);
	}
	return STS_HOPE_DONE;
}

static void
keep_entry(const struct sts_entry *e)
{
	struct sts_buf fresh = { 0 };

	sts_entry_write(e, &fresh);
	sts_buf_done(&world.cached);
	world.cached = fresh;
	world.has_entry = true;
}

static void
journey(enum sts_start start, struct sts_target target, unsigned stop_at)
{
	static struct sts_lookup l;
	struct sts_entry e;
	const struct sts_entry *cached = entry(&e);
	struct sts_answer a;
	enum sts_hope hope;

	world.target = target;
	world.asks[0] = '\0';
	sts_answer(cached, DOMAIN, target, STS_HOPE_OPEN, world.now, &world.rules, &a);
	if (start == STS_START_ASKED && !a.ask_first && !a.ask_beside) {
		note_answer(cached, "now", STS_HOPE_OPEN);
		return;
	}
	sts_lookup_start(&l, DOMAIN, cached, start, &world.rules);
	l.target = target;
	l.used = start == STS_START_ASKED;
	if (start == STS_START_ASKED && cached != NULL &&
	    sts_lookup_run(&l, world.now) !=
		sts_lookup_due(cached, DOMAIN, target, &world.rules, world.now))
		complain("sts_lookup_due and sts_lookup_run do not agree");
	l.early = start == STS_START_ASKED && a.ask_beside;
	hope = drive(&l, stop_at);
	if (l.internal != STS_OK)
		snprintf(world.gives, sizeof(world.gives), "%s internal %s", when_of(&a),
		    sts_err_token(l.internal));
	else if (a.ask_beside)
		note_answer(cached, "beside", STS_HOPE_OPEN);
	else
		note_answer(&l.entry, when_of(&a), hope);
	if (hope == STS_HOPE_DONE && l.changed && l.internal == STS_OK)
		keep_entry(&l.entry);
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

/* STATE,LIFE[,mx][,applied][,plain][,whole][,ABOUT[:HOST],ERROR] */
static void
dane_text(const struct sts_entry *e, char *text, size_t size)
{
	const struct sts_dane *f = sts_entry_dane(e, world.target);
	int n;

	n = snprintf(text, size, "dane=%s", sts_dane_text(f->state));
	if (f->at == 0)
		return;
	n += snprintf(text + n, size - (size_t)n, ",%ld%s%s%s%s",
	    (long)(f->at + f->ttl - world.now), f->mx_secure ? ",mx" : "",
	    f->applied ? ",applied" : "", f->plain ? ",plain" : "",
	    f->whole ? ",whole" : "");
	if (f->state == STS_DANE_UNKNOWN)
		snprintf(text + n, size - (size_t)n, ",%s%s%.*s,%s",
		    about_names[f->about], f->host.n > 0 ? ":" : "", (int)f->host.n,
		    f->host.p, sts_err_token(f->err));
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
		else if (strncmp(words[i], "dane=", 5) == 0)
			dane_text(&e, is, sizeof(is));
		else if (strncmp(words[i], "findings=", 9) == 0)
			snprintf(is, sizeof(is), "findings=%zu", e.dane_count);
		else
			snprintf(is, sizeof(is), "mx=%zu", e.mx_count);
		check("the entry says", words[i], is);
	}
}

/* The verbs that begin a journey; each may name a port. */
static bool
travel(const char *verb, const char *port)
{
	static const struct {
		const char *verb;
		enum sts_start start;
		bool brackets;
	} starts[] = { { "ask", STS_START_ASKED, false },
		{ "ask-host", STS_START_ASKED, true },
		{ "refresh", STS_START_REFRESH, false },
		{ "forced", STS_START_FORCED, false },
		{ "fresh", STS_START_FRESH, false },
		{ "fresh-host", STS_START_FRESH, true } };
	struct sts_target target = STS_TARGET_PLAIN;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strcmp(verb, starts[i].verb) == 0) {
			target.brackets = starts[i].brackets;
			if (port[0] != '\0')
				target.port = (uint16_t)atoi(port);
			journey(starts[i].start, target, 0);
			return true;
		}
	return false;
}

/* A domain with nothing special about its policy. */
static void
publish(const char *mode)
{
	static char record[] = "v=STSv1; id=1", address[] = "192.0.9.1",
		    version[] = "version: STSv1", mx[] = "mx: *.example.com",
		    age[] = "max_age: 604800";
	char line[40];

	snprintf(line, sizeof(line), "mode: %s", mode);
	learn(RECORD, (char *[]){ record }, 1);
	learn(HOST, (char *[]){ address }, 1);
	learn(POLICY, (char *[]){ version, line, mx, age }, 4);
}

/* Learns a fact; false: it is none. */
static bool
hear(const char *verb, char **words, size_t n)
{
	static const struct {
		const char *verb;
		enum sts_dns_type type;
	} types[] = { { "a", STS_DNS_A }, { "aaaa", STS_DNS_AAAA },
		{ "cname", STS_DNS_CNAME }, { "tlsa", STS_DNS_TLSA } };

	if (n == 0)
		return false;
	for (size_t i = 0; i < HOSTS; i++)
		if (strcmp(verb, need_names[i]) == 0) {
			learn(i, words, n);
			return true;
		}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(verb, types[i].verb) == 0) {
			learn_host(types[i].type, words, n);
			return true;
		}
	if (strcmp(verb, "publishes") == 0) {
		publish(words[0]);
		return true;
	}
	if (strcmp(verb, "are") != 0)
		return false;
	for (size_t i = 1; i < n; i++)
		learn_letter(words[0][0], words[i]);
	return true;
}

/* Holds what happened against what should have; false: the verb is none of these. */
static bool
compare(const char *verb, char **words, size_t n)
{
	static char text[sizeof(world.asks)];

	join(words, n, text, sizeof(text) - 1);
	if (strcmp(verb, "asks") == 0)
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
		return false;
	return true;
}

static void
act(const char *verb, char **words, size_t n)
{
	struct sts_entry e;
	char text[400];

	join(words, n, text, sizeof(text));
	if (strcmp(verb, "name") == 0) {
		begin(text);
	} else if (strcmp(verb, "rules") == 0) {
		set_rules(words, n);
	} else if (strcmp(verb, "at") == 0) {
		world.now = BEGINNING + atol(text);
	} else if (strcmp(verb, "ask-until") == 0) {
		for (size_t i = 0; i < STS_NEEDS; i++)
			if (strcmp(text, need_names[i]) == 0)
				journey(STS_START_ASKED, STS_TARGET_PLAIN, 1u << i);
	} else if (strcmp(verb, "ask-alone") == 0) {
		world.target = STS_TARGET_PLAIN;
		note_answer(entry(&e), "now", STS_HOPE_AWAY);
	} else if (strcmp(verb, "damage") == 0) {
		world.cached.p[world.cached.n / 2] ^= 1;
		if (sts_entry_read(sts_buf_str(&world.cached), &e) == STS_OK)
			complain("a damaged entry was read");
		world.cached.p[world.cached.n / 2] ^= 1;
	} else if (!travel(verb, text)) {
		complain("no such verb: %s", verb);
	}
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
		if (!hear(words[0], words + 1, n - 1) &&
		    !compare(words[0], words + 1, n - 1))
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
