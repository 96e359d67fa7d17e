/* SPDX-License-Identifier: MIT */
/*
 * Everything pure that allocates, while its n-th allocation fails, or that and all after
 * it: what comes out is what would have come out, or a plain refusal; never less that
 * looks whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "config.h"
#include "control_line.h"
#include "entry.h"
#include "exchange.h"
#include "fault.h"
#include "match.h"
#include "metrics.h"
#include "nameset.h"
#include "netstring.h"
#include "reply.h"
#include "smtpreply.h"
#include "test.h"

int test_failed;

#define NOW 1800000000
#define NAMES 60
#define ENDLESS 100000
#define POLICY_HEAD "version: STSv1\nmode: enforce\nmax_age: 604800\n"

/* What a subject said: not from memory that fails. */
static char said[1 << 18];
static size_t said_n;

static void
say(struct sts_str s)
{
	if (s.n > sizeof(said) - said_n)
		abort();
	if (s.n > 0)
		memcpy(said + said_n, s.p, s.n);
	said_n += s.n;
}

/*
 * The subjects. Each says what came out and returns true; or false: it was refused. Where
 * not to be refused would be wrong, it looks itself.
 */
static bool
buffers(void)
{
	static char long_text[3000];
	struct sts_buf b = { 0 };
	struct sts_str text = { long_text, sizeof(long_text) };
	bool good;

	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = (char)(i % 251);
	sts_put_text(&b, "text");
	sts_put_lower(&b, text);
	sts_put_number(&b, 18446744073709551615ull);
	sts_put_escaped(&b, text);
	sts_put_json(&b, text);
	sts_put_u64(&b, 1);
	base64_put(&b, text);
	pf_netstring_put(&b, text);
	good = !b.bad;
	CHECK("want of memory is not a limit", !b.full);
	if (good)
		say(sts_buf_str(&b));
	sts_buf_done(&b);
	return good;
}

static bool
names(void)
{
	static char text[300][8];
	struct sts_nameset set = { 0 };
	bool good;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < 300; i++) {
			(void)snprintf(text[i], sizeof(text[i]), "n%zu", i);
			if (sts_nameset_add(&set, sts_str_of(text[i])))
				say(sts_str_of(text[i]));
		}
	good = !set.bad;
	CHECK("names", !good || set.count == 300);
	sts_nameset_done(&set);
	return good;
}

/* An enforce policy with many names, and the MX hosts of its wildcard. */
static char policy_text[8192];
static char hosts[NAMES][40];
static struct sts_entry entry;

static void
make_entry(bool few)
{
	size_t n = (size_t)snprintf(policy_text, sizeof(policy_text), "%s", POLICY_HEAD);

	for (int i = 0; i < (few ? 2 : NAMES); i++)
		n += (size_t)snprintf(policy_text + n, sizeof(policy_text) - n,
		    "mx: mx%d.example.org\n", i);
	n += (size_t)snprintf(policy_text + n, sizeof(policy_text) - n,
	    "mx: *.example.com\n");
	memset(&entry, 0, sizeof(entry));
	entry.mode = STS_MODE_ENFORCE;
	entry.fetched = NOW;
	entry.max_age = 604800;
	entry.id = STS_STR("1");
	entry.policy = (struct sts_str){ policy_text, n };
	entry.mx_at = NOW;
	entry.mx_ttl = 300;
	entry.mx_count = few ? 1 : NAMES;
	for (size_t i = 0; i < entry.mx_count; i++) {
		(void)snprintf(hosts[i], sizeof(hosts[i]), "host%zu.example.com", i);
		entry.mx[i] = (struct sts_mx_seen){ NOW, 10, sts_str_of(hosts[i]) };
	}
}

static bool
entries(void)
{
	struct sts_buf bytes = { 0 };
	struct sts_entry back;
	bool good;

	make_entry(false);
	sts_entry_write(&entry, &bytes);
	good = !bytes.bad;
	if (good) {
		CHECK("read back",
		    sts_entry_read(sts_buf_str(&bytes), &back) == STS_OK &&
			back.mx_count == NAMES);
		say(sts_buf_str(&bytes));
	} else {
		CHECK("half an entry is none",
		    sts_entry_read(sts_buf_str(&bytes), &back) == STS_ERR_CACHE);
	}
	sts_buf_done(&bytes);
	return good;
}

static bool
matches(void)
{
	struct sts_match m = { 0 };
	struct sts_policy policy;
	struct sts_str name;
	bool wildcard, good;

	make_entry(false);
	CHECK("policy", sts_policy_parse(entry.policy, &policy, NULL, NULL) == STS_OK);
	sts_match_start(&m, &entry, policy.text, STS_STR("example.com"), false, NOW,
	    true);
	while (sts_match_next(&m, &name, &wildcard))
		say(name);
	good = !m.bad;
	sts_match_done(&m);
	return good;
}

/* Whole; or TEMP, for memory; or not at all. Never without some of the names. */
static bool
reply(const struct sts_answer *answer, enum pf_map map, size_t max)
{
	const struct pf_reply_style style = { true, true, max };
	struct sts_buf out = { 0 };
	enum sts_verdict verdict = pf_reply_put(&out, answer, &entry,
	    STS_STR("example.com"), false, map, NOW, &style);
	bool temp = sts_str_eq(sts_buf_str(&out),
	    STS_STR("TEMP example.com: out of "
		    "memory"));
	bool good = !out.bad && !temp;

	if (good)
		say(sts_buf_str(&out));
	else
		CHECK("no answer counts as TEMP", verdict == STS_VERDICT_TEMP);
	CHECK("TEMP is one", !temp || verdict == STS_VERDICT_TEMP);
	sts_buf_done(&out);
	return good;
}

static bool
replies(bool few, enum pf_map map)
{
	static const enum sts_verdict verdicts[] = { STS_VERDICT_SECURE, STS_VERDICT_DANE,
		STS_VERDICT_PERMIT, STS_VERDICT_NOTFOUND };
	bool good = true;

	make_entry(few);
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct sts_answer answer = { .verdict = verdicts[i], .ede = -1 };

		good &= reply(&answer, map, 65536);
		good &= reply(&answer, map, 700);
	}
	return good;
}

static bool
few_names(void)
{
	return replies(true, PF_MAP_QUERY);
}

static bool
many_names(void)
{
	return replies(false, PF_MAP_QUERY);
}

static bool
with_tlsrpt(void)
{
	return replies(false, PF_MAP_QUERY_TLSRPT);
}

/* Into memory of our own. */
static bool
say_config(const struct config *c)
{
	FILE *to = fmemopen(said + said_n, sizeof(said) - said_n, "w");
	bool good;

	if (to == NULL)
		abort();
	good = config_print(c, to, false);
	said_n += (size_t)ftell(to);
	(void)fclose(to);
	return good;
}

static const char config_text[] =
    "listen = inet:127.0.0.1:8461, inet:[::1]:8462\nlisten = unix:/run/x\n"
    "allow_clients = 192.0.2.0/24 2001:db8::/32\nuser = nobody\n"
    "dns_servers = 127.0.0.1 [::1]:5353\nmetrics_listen = inet:*:9\nmax_reply = 1000\n";
static char *variables[] = { (char *)"STSD_WORKERS=2", (char *)"STSD_PORT=1",
	(char *)"STSD_ALLOW_ADDRESSES=10.0.0.0/8 10.1.0.0/16", NULL };
static char *options[] = { (char *)"log_level=debug", (char *)"cache_size=2G",
	(char *)"listen=unix:/run/y unix:/run/z", NULL };

static bool
configuration(void)
{
	const struct config_sources sources = { "daemon/stsd.conf", variables, options };
	struct config_errors errors = { 0 }, notices = { 0 };
	struct config *c = config_load(&sources, &errors, &notices);
	bool good = c != NULL && say_config(c);

	config_free(c);
	config_errors_done(&errors);
	config_errors_done(&notices);
	return good;
}

static bool
settings_of_a_role(void)
{
	struct config_errors errors = { 0 };
	struct config *c = config_parse_text(STS_STR(config_text), "settings", &errors);
	bool good = c != NULL && say_config(c);

	config_free(c);
	config_errors_done(&errors);
	return good;
}

static bool
wrong_configuration(void)
{
	struct config_errors errors = { 0 };
	struct config *c =
	    config_parse_text(STS_STR("listen = inet:127.0.0.1:8461\nwildcard = loose\n"
				      "allow_clients = nobody\n"),
		"settings", &errors);

	CHECK("never taken for a good one", c == NULL);
	config_free(c);
	config_errors_done(&errors);
	return true;
}

static const char overrides_text[] =
    "a.example secure match=mx.a.example:.b.example\n.example may\n"
    "b.example temp until 2030-01-01 # why\nold.example may until 2020-01-01\n";

static bool
overriding(void)
{
	static const char *const domains[] = { "a.example", "b.example", "c.example",
		"old.example", "d.test" };
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", overrides_text);
	struct config_errors errors = { 0 }, notices = { 0 };
	struct overrides *o;
	bool good;

	for (int i = 0; i < 40; i++)
		n +=
		    (size_t)snprintf(text + n, sizeof(text) - n, "n%d.test encrypt\n", i);
	o = overrides_parse((struct sts_str){ text, n }, "f", NOW, &errors, &notices);
	good = o != NULL;
	for (size_t i = 0; good && i < sizeof(domains) / sizeof(domains[0]); i++)
		say(overrides_find(o, sts_str_of(domains[i]), NOW));
	CHECK("overrides", !good || overrides_count(o) == 43);
	overrides_free(o);
	config_errors_done(&errors);
	config_errors_done(&notices);
	return good;
}

static bool
wrong_overrides(void)
{
	struct config_errors errors = { 0 };
	struct overrides *o = overrides_parse(STS_STR("a.example may\nb.example secure\n"
						      "a.example encrypt\n"),
	    "f", NOW, &errors, NULL);

	CHECK("never taken for good ones", o == NULL);
	overrides_free(o);
	config_errors_done(&errors);
	return true;
}

static bool
say_exchanged(void *arg, const struct exchange_entry *e)
{
	(void)arg;
	say(e->domain);
	say(e->policy);
	return true;
}

/* Out and in again. */
static bool
exchange(void)
{
	const struct exchange_entry e = { STS_STR("a.example"), STS_STR("1"), NOW - 60,
		NOW, 604800, STS_STR(POLICY_HEAD "mx: a.example\n") };
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };
	bool good;

	exchange_put_start(&text);
	for (int i = 0; i < 20; i++)
		exchange_put_entry(&text, &e);
	exchange_put_end(&text, 20);
	good = !text.bad &&
	    exchange_read(sts_buf_str(&text), "f", NOW, say_exchanged, NULL, &errors);
	config_errors_done(&errors);
	sts_buf_done(&text);
	return good;
}

static bool
wrong_exchange(void)
{
	struct config_errors errors = { 0 };

	CHECK("never taken for a whole one",
	    !exchange_read(STS_STR("stsd-export 1\na\tb\nend 1\n"), "f", NOW, NULL, NULL,
		&errors));
	config_errors_done(&errors);
	return true;
}

static bool
control_lines(void)
{
	struct sts_buf line = { 0 }, bytes = { 0 };
	struct control_words words;
	struct sts_str one, verb = STS_STR_NONE;
	size_t used;
	bool good;

	control_put_start(&line, "put");
	control_put_word(&line, STS_STR("a.example"));
	control_put_number(&line, 42);
	control_put_bytes(&line, STS_STR(config_text));
	control_put_end(&line);
	good = !line.bad;
	if (good) {
		CHECK("whole",
		    control_take_line(sts_buf_str(&line), &one, &used) == CONTROL_WHOLE &&
			control_read(one, &words, &verb) == CONTROL_OURS);
		say(verb);
		say(control_take_word(&words));
		CHECK("number", control_take_number(&words) == 42);
		control_take_bytes(&words, &bytes);
		good = !bytes.bad;
		CHECK("words", !good || control_is_over(&words));
		if (good)
			say(sts_buf_str(&bytes));
	}
	sts_buf_done(&bytes);
	sts_buf_done(&line);
	return good;
}

static bool
metrics(void)
{
	struct sts_buf out = { 0 };
	bool good;

	metrics_print(&out, NULL, 0);
	metrics_describe(&out);
	good = !out.bad;
	CHECK("metrics", !good || out.n > 1000);
	sts_buf_done(&out);
	return good;
}

/* What a stranger sends grows here, too. */
static bool
mail_hosts(void)
{
	static const char text[] =
	    "250-mx.example greets\r\n250-SIZE\r\n250 STARTTLS\r\n";
	struct sts_smtpreply r = { 0 };
	bool good;

	(void)sts_smtpreply_eat(&r, STS_STR(text));
	good = r.state == STS_SMTPREPLY_WHOLE;
	CHECK("state", good || r.state == STS_SMTPREPLY_NOMEM);
	if (good)
		say(sts_buf_str(&r.text));
	sts_smtpreply_done(&r);
	return good;
}

static const struct {
	const char *name;
	bool (*run)(void);
} subjects[] = {
	{ "buffers", buffers },
	{ "names", names },
	{ "entries", entries },
	{ "matches", matches },
	{ "replies of a few names", few_names },
	{ "replies of many", many_names },
	{ "replies with policy lines", with_tlsrpt },
	{ "configuration", configuration },
	{ "settings of a role", settings_of_a_role },
	{ "wrong configuration", wrong_configuration },
	{ "overrides", overriding },
	{ "wrong overrides", wrong_overrides },
	{ "exchange", exchange },
	{ "wrong exchange", wrong_exchange },
	{ "control lines", control_lines },
	{ "metrics", metrics },
	{ "mail hosts", mail_hosts },
};

static void
starve(const char *name, bool (*run)(void), unsigned long length)
{
	static char whole[sizeof(said)];
	size_t whole_n;
	bool good;

	said_n = 0;
	CHECK(name, run());
	memcpy(whole, said, said_n);
	whole_n = said_n;
	for (unsigned long n = 1; n < ENDLESS; n++) {
		char what[160];
		const char *call;
		int before = test_failed;

		said_n = 0;
		test_failed = 0;
		fault_arm(FAULT_MEMORY, n, length);
		good = run();
		call = fault_disarm();
		if (call == NULL) {
			test_failed |= before;
			return;
		}
		(void)snprintf(what, sizeof(what), "%s: allocation %lu (%s)%s", name, n,
		    call, length > 1 ? " and all after it" : "");
		CHECK(what, test_failed == 0);
		CHECK(what,
		    !good || (said_n == whole_n && memcmp(said, whole, whole_n) == 0));
		test_failed |= before;
	}
	CHECK("there is no end of allocations", false);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		starve(subjects[i].name, subjects[i].run, 1);
		starve(subjects[i].name, subjects[i].run, FAULT_FOREVER);
	}
	return test_failed;
}
