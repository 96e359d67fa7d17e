/* SPDX-License-Identifier: MIT */
/*
 * Looks at the MX hosts of domains, and judges them by reports made up for the purpose.
 */
#include "query_probe.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "smtp_servers.h"

int test_failed;

#define HOST "mx.smtp.test"
#define STAGE_MS 300

static struct sts_loop *loop;
static struct sts_tls_store *store;
static const struct sts_net loopback = { { { 127, 0, 0, 0 }, false }, 8 };
static const struct sts_addr server = { { 127, 0, 0, 1 }, false };
static const struct sts_addr nobody = { { 127, 0, 0, 2 }, false };
static const struct sts_addr private_one = { { 10, 0, 0, 1 }, false };

static struct query_probes *
make_probes(bool anchors)
{
	struct query_probes_config config = { .loop = loop,
		.store = anchors ? store : NULL,
		.allow = &loopback,
		.allow_count = 1,
		.stage_ms = STAGE_MS,
		.total_ms = 10 * STAGE_MS };

	return query_probes_new(&config);
}

static int ends;

static void
on_end(void *arg)
{
	(void)arg;
	ends++;
	sts_loop_stop(loop);
}

static void
wait_for(struct query_probe *p)
{
	ends = 0;
	query_probe_end(p, on_end, NULL);
	CHECK("not from inside the call", ends == 0);
	CHECK("loop", sts_loop_run(loop) == 0 && ends == 1);
}

/* What the report says of the one MX host. */
struct scene {
	const char *domain, *reply, *names;
	enum query_action action;
	int made; /* TLSA: 0 none; 1: of the served key; 2: of another */
};

static struct query_mx mx;
static struct query_host host;
static struct query_tlsa tlsa[2]; /* the second one is of no use */
static struct sts_str names[4];
static char record[35] = "\3\1\1", useless[35];

static void
make_report(struct query_report *r, const struct scene *scene)
{
	struct sts_str rest = sts_str_of(scene->names);

	r->key.domain_n = strlen(scene->domain);
	memcpy(r->key.domain, scene->domain, r->key.domain_n + 1);
	r->reply = sts_str_of(scene->reply);
	r->names = names;
	while (rest.n > 0)
		(void)sts_str_cut(&rest, ':', &names[r->name_count++]);
	mx = (struct query_mx){ .host = STS_STR("MX.smtp.test"),
		.advice = { .action = scene->action, .is_known = true } };
	r->mx = &mx;
	r->mx_count = 1;
	if (scene->made == 0)
		return;
	tlsa[0] = (struct query_tlsa){ { record, sizeof(record) }, true };
	tlsa[1] = (struct query_tlsa){ { useless, sizeof(useless) }, false };
	host = (struct query_host){ .name = STS_STR(HOST),
		.base = STS_STR(HOST),
		.tlsa = tlsa,
		.tlsa_count = 2,
		.state = STS_HOST_U };
	r->hosts = &host;
	r->host_count = 1;
}

static const struct row {
	const char *name, *server;
	struct scene scene;
	bool fine, used, fits_host, fits_match;
	const char *pkix, *dane;
} ROWS[] = {
	{ "good", "good",
	    { "smtp.test", "OK secure match=" HOST, HOST, QUERY_ACTION_USE, 0 }, true,
	    true, true, true, "ok", "not-checked" },
	{ "a suffix", "good",
	    { "smtp.test", "OK secure match=.smtp.test", ".smtp.test", QUERY_ACTION_USE,
		0 },
	    true, true, true, true, "ok", "not-checked" },
	{ "the second name", "good",
	    { "smtp.test", "OK secure match=a:b", "a:" HOST, QUERY_ACTION_USE, 0 }, true,
	    true, true, true, "ok", "not-checked" },
	{ "another host's certificate", "names",
	    { "smtp.test", "OK secure match=x", "other.test", QUERY_ACTION_USE, 0 }, true,
	    true, true, true, "ok", "not-checked" },
	{ "of no name", "good",
	    { "smtp.test", "OK secure match=x", "x.smtp.test", QUERY_ACTION_USE, 0 },
	    false, true, true, false, "name-mismatch", "not-checked" },
	{ "wrong", "wrong",
	    { "smtp.test", "OK secure match=" HOST, HOST, QUERY_ACTION_USE, 0 }, false,
	    true, false, false, "name-mismatch", "not-checked" },
	{ "wrong, not the host's", "wrong",
	    { "smtp.test", "OK secure match=b", "b.example", QUERY_ACTION_SKIP, 0 }, true,
	    false, false, true, "ok", "not-checked" },
	{ "hostname", "good",
	    { "smtp.test", "OK secure match=hostname", "hostname", QUERY_ACTION_USE, 0 },
	    true, true, true, true, "ok", "not-checked" },
	{ "nexthop", "good",
	    { "smtp.test", "OK secure match=nexthop", "nexthop", QUERY_ACTION_USE, 0 },
	    false, true, true, false, "name-mismatch", "not-checked" },
	{ "dot-nexthop", "good",
	    { "smtp.test", "OK secure match=dot-nexthop", "nexthop:dot-nexthop",
		QUERY_ACTION_USE, 0 },
	    true, true, true, true, "ok", "not-checked" },
	{ "no match list", "good", { "smtp.test", "OK may", "", QUERY_ACTION_USE, 0 },
	    true, true, true, true, "ok", "not-checked" },
	{ "incomplete", "incomplete",
	    { "smtp.test", "OK secure match=" HOST, HOST, QUERY_ACTION_USE, 0 }, false,
	    true, true, true, "incomplete-chain", "not-checked" },
	{ "TLSA", "self", { "smtp.test", "OK dane-only", "", QUERY_ACTION_USE, 1 }, true,
	    true, true, true, "untrusted", "match" },
	{ "TLSA of another", "good",
	    { "smtp.test", "OK dane-only", "", QUERY_ACTION_USE, 2 }, false, true, true,
	    true, "ok", "no-match" },
	{ "no TLSA", "good", { "smtp.test", "OK dane-only", "", QUERY_ACTION_SKIP, 0 },
	    false, false, true, true, "ok", "not-checked" },
};

/* The key that all servers share, as the last look showed it. */
static void
set_record(const struct query_smtp *seen, int made)
{
	memcpy(record + 3, seen->certs[0].key.sha256, STS_SHA256);
	memcpy(useless, record, sizeof(record));
	record[3] = (char)(record[3] + (made == 2 ? 1 : 0));
}

static void
check_row(struct query_probes *all, const struct row *row)
{
	struct query_probe *p = query_probe_new(all, port_of(row->server));
	struct query_report report = { .queried = STS_STR_NONE };
	const struct query_smtp *list;
	size_t count = 0;
	bool fine;

	query_probe_host(p, STS_STR(HOST), STS_STR(HOST), &server, 1);
	wait_for(p);
	make_report(&report, &row->scene);
	list = query_probe_tell(p, &report, &count);
	CHECK(row->name, count == 1 && list[0].cert_count >= 1);
	if (row->scene.made != 0) { /* once more, now that the key is known */
		set_record(&list[0], row->scene.made);
		list = query_probe_tell(p, &report, &count);
	}
	query_probe_free(p);
	fine = query_smtp_is_fine(&list[0],
	    query_smtp_level_of(sts_str_of(row->scene.reply), false));
	CHECK(row->name, fine == row->fine);
	CHECK(row->name, list[0].used == row->used);
	CHECK(row->name, list[0].fits_host == row->fits_host);
	CHECK(row->name, list[0].fits_match == row->fits_match);
	CHECK(row->name, strcmp(query_smtp_pkix(&list[0]), row->pkix) == 0);
	CHECK(row->name, strcmp(query_smtp_dane(&list[0]), row->dane) == 0);
	CHECK(row->name, list[0].bare.n == 0);
	CHECK(row->name, sts_str_eq(list[0].server_name, STS_STR(HOST)));
	query_keep_done(&report.keep);
}

static const struct scene plain = { "smtp.test", "OK secure match=" HOST, HOST,
	QUERY_ACTION_USE, 0 };

/* Each address is told, in its order: guarded, refused, good. */
static void
check_addresses(struct query_probes *all)
{
	struct sts_addr addresses[] = { private_one, nobody, server };
	struct query_probe *p = query_probe_new(all, port_of("bare"));
	struct query_report report = { .queried = STS_STR_NONE };
	const struct query_smtp *list;
	size_t count = 0;

	query_probe_host(p, STS_STR(HOST), STS_STR(HOST), addresses, 3);
	query_probe_host(p, STS_STR("mx2.smtp.test"), STS_STR(HOST), &server, 1);
	query_probe_host(p, STS_STR("mx3.smtp.test"), STS_STR_NONE, &server, 1);
	query_probe_host(p, STS_STR("mx4.smtp.test"), STS_STR_NONE, NULL, 0);
	wait_for(p);
	make_report(&report, &plain);
	list = query_probe_tell(p, &report, &count);
	CHECK("addresses", count == 5);
	CHECK("guarded", list[0].guarded && list[0].err == STS_SMTP_OK);
	CHECK("refused", !list[1].guarded && list[1].err == STS_SMTP_UNREACHABLE);
	CHECK("good", list[2].err == STS_SMTP_OK && list[2].encrypted);
	CHECK("the first address alone is looked at without SNI", list[2].bare.n == 0);
	CHECK("another certificate without SNI",
	    sts_str_eq(list[3].bare, STS_STR("CN=default.example")));
	CHECK("no SNI",
	    list[4].server_name.n == 0 && list[4].bare.n == 0 &&
		sts_str_eq(list[4].names[0], STS_STR("default.example")));
	query_probe_free(p);
	query_keep_done(&report.keep);
}

static void
check_no_anchors(void)
{
	struct query_probes *all = make_probes(false);
	struct query_probe *p = query_probe_new(all, port_of("self"));
	struct query_report report = { .queried = STS_STR_NONE };
	const struct query_smtp *list;
	size_t count = 0;

	query_probe_host(p, STS_STR(HOST), STS_STR(HOST), &server, 1);
	wait_for(p);
	make_report(&report, &plain);
	list = query_probe_tell(p, &report, &count);
	CHECK("no anchors", count == 1 && !list[0].has_pkix);
	query_probe_free(p);
	query_probes_free(all);
	query_keep_done(&report.keep);
}

/* However many are asked for, there is a bound on connections. */
static void
check_bound(struct query_probes *all)
{
	struct query_probe *p = query_probe_new(all, port_of("mute"));
	struct query_probe *left = query_probe_new(all, port_of("mute"));
	int64_t began = sts_loop_ms(loop), took;

	for (int i = 0; i < 2 * QUERY_PROBES_MAX + 1; i++)
		query_probe_host(p, STS_STR(HOST), STS_STR_NONE, &server, 1);
	/* Those that wait go without a word, as do those that run. */
	for (int i = 0; i < QUERY_PROBES_MAX; i++)
		query_probe_host(left, STS_STR(HOST), STS_STR_NONE, &server, 1);
	query_probe_free(left);
	query_probe_host(p, STS_STR(HOST), STS_STR_NONE, &server, 1);
	wait_for(p);
	took = sts_loop_ms(loop) - began;
	CHECK("three rounds", took >= 3 * STAGE_MS && took < 3 * STAGE_MS + 1500);
	query_probe_free(p);

	p = query_probe_new(all, port_of("mute"));
	for (int i = 0; i < QUERY_PROBES_MAX; i++)
		query_probe_host(p, STS_STR(HOST), STS_STR_NONE, &server, 1);
	left = query_probe_new(all, port_of("good"));
	query_probe_host(left, STS_STR(HOST), STS_STR_NONE, &server, 1);
	query_probe_free(p); /* makes room */
	began = sts_loop_ms(loop);
	wait_for(left);
	CHECK("room at once", sts_loop_ms(loop) - began < STAGE_MS);
	query_probe_free(left);
	query_probe_free(NULL);
}

static void
check_nothing(struct query_probes *all)
{
	struct query_probe *p = query_probe_new(all, 25);
	struct query_report report = { .queried = STS_STR_NONE };
	size_t count = 9;

	wait_for(p);
	make_report(&report, &plain);
	(void)query_probe_tell(p, &report, &count);
	CHECK("no hosts", count == 0);
	query_probe_free(p);
	query_keep_done(&report.keep);
}

static void
run(void)
{
	struct query_probes *all;

	loop = sts_loop_new();
	store = read_store();
	if (loop == NULL || store == NULL) {
		CHECK("start", false);
		return;
	}
	all = make_probes(true);
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		check_row(all, &ROWS[i]);
	check_addresses(all);
	check_no_anchors();
	check_bound(all);
	check_nothing(all);
	query_probes_free(all);
	sts_tls_store_free(store);
	sts_loop_free(loop);
}

int
main(void)
{
	if (!can_serve())
		return 77;
	if (start_servers())
		run();
	end_servers();
	return test_failed;
}
