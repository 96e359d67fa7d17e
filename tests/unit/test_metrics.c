/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

int test_failed;

static bool
has_line(const struct sts_buf *text, const char *line)
{
	size_t n = strlen(line);
	struct sts_str rest = sts_buf_str(text), one;

	while (rest.n > 0) {
		(void)sts_str_cut(&rest, '\n', &one);
		if (one.n == n && memcmp(one.p, line, n) == 0)
			return true;
	}
	return false;
}

static bool
has(const struct sts_buf *text, const char *part)
{
	return memmem(text->p, text->n, part, strlen(part)) != NULL;
}

/* What is counted, and the line that must come of it. */
static void
count_everything(void)
{
	metrics_lookup(PF_MAP_QUERY, RESULT_SECURE, 99);
	metrics_lookup(PF_MAP_QUERY_TLSRPT, RESULT_DANE_ONLY, 100);
	metrics_lookup(PF_MAP_OTHER, RESULT_PERM, 101);
	metrics_lookup(PF_MAP_QUERY, RESULT_TEMP, 61000000);
	metrics_cache(CACHE_STALE);
	metrics_fetch("certificate", 250);
	metrics_fetch("no such outcome", 1);
	metrics_dns(STS_DNS_TXT, STS_OK);
	metrics_dns(STS_DNS_MX, STS_ERR_DNS_OTHER);
	metrics_dns(STS_DNS_MX, STS_ERR_NOMEM);
	metrics_dns(STS_DNS_TLSA, STS_ERR_DNS_SERVFAIL);
	metrics_dns(STS_DNS_CNAME, STS_ERR_DNS_NODATA);
	metrics_dns(STS_DNS_SOA, STS_ERR_DNS_TIMEOUT);
	metrics_refresh(1);
	metrics_refresh(0);
	metrics_restart("resolver");
	metrics_set_connections(7);
	metrics_set_lookups(3);
	metrics_set_reload_ok(0);
	metrics_set_dane_wanted(1);
}

static const char *const counted[] = {
	"stsd_build_info{version=\"" STSD_VERSION "\"} 1",
	"stsd_lookups_total{map=\"QUERY\",result=\"secure\"} 1",
	"stsd_lookups_total{map=\"QUERYwithTLSRPT\",result=\"dane_only\"} 1",
	"stsd_lookups_total{map=\"other\",result=\"perm\"} 1",
	"stsd_lookups_total{map=\"other\",result=\"override\"} 0",
	"stsd_lookup_duration_seconds_bucket{le=\"0.0001\"} 2",
	"stsd_lookup_duration_seconds_bucket{le=\"0.0005\"} 3",
	"stsd_lookup_duration_seconds_bucket{le=\"60\"} 3",
	"stsd_lookup_duration_seconds_bucket{le=\"+Inf\"} 4",
	"stsd_lookup_duration_seconds_sum 61.000300",
	"stsd_lookup_duration_seconds_count 4",
	"stsd_cache_requests_total{outcome=\"hit\"} 0",
	"stsd_cache_requests_total{outcome=\"stale\"} 1",
	"stsd_policy_fetches_total{outcome=\"certificate\"} 1",
	"stsd_policy_fetch_duration_seconds_bucket{le=\"0.1\"} 0",
	"stsd_policy_fetch_duration_seconds_bucket{le=\"0.25\"} 1",
	"stsd_policy_fetch_duration_seconds_count 1",
	"stsd_dns_queries_total{type=\"TXT\",outcome=\"answer\"} 1",
	"stsd_dns_queries_total{type=\"MX\",outcome=\"servfail\"} 1",
	"stsd_dns_queries_total{type=\"TLSA\",outcome=\"servfail\"} 1",
	"stsd_dns_queries_total{type=\"CNAME\",outcome=\"nodata\"} 1",
	"stsd_dns_queries_total{type=\"SOA\",outcome=\"timeout\"} 1",
	"stsd_refreshes_total{outcome=\"ok\"} 1",
	"stsd_refreshes_total{outcome=\"failed\"} 1",
	"stsd_process_restarts_total{role=\"resolver\"} 1",
	"stsd_connections 7",
	"stsd_lookups_in_flight 3",
	"stsd_config_reload_ok 0",
	"stsd_dane_wanted 1",
	"# TYPE stsd_lookup_duration_seconds histogram",
	"# TYPE stsd_lookups_total counter",
	"# TYPE stsd_connections gauge",
};

static void
test_printed(void)
{
	struct sts_buf text = { 0 };

	count_everything();
	metrics_print(&text, NULL, 0);
	CHECK("print", !text.bad);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		CHECK(counted[i], has_line(&text, counted[i]));
	CHECK("no self-test yet", metrics_dnssec_ok(NULL, 0) == -1);
	/* What nobody has measured is not shown as if it were zero. */
	CHECK("unknown gauge", !has(&text, "\nstsd_dnssec_ok "));
	CHECK("unknown gauge", !has(&text, "\nstsd_cache_policies{"));
	CHECK("process", has(&text, "\nprocess_resident_memory_bytes "));
	sts_buf_done(&text);
}

/* Another process counts into its page; we read it while it lives and keep its counters,
 * not its gauges, when it has ended. */
static void
test_pages(void)
{
	static const struct sts_cache_stats stats = { .policies = { 1, 2, 3 },
		.failing = 4,
		.bytes = 5,
		.limit = 6 };
	struct sts_buf text = { 0 };
	struct metrics_page *pages[1];
	int fd = -1, status = -1;
	pid_t pid;

	pages[0] = metrics_page_new(&fd);
	CHECK("page", pages[0] != NULL && fd != -1);
	if (pages[0] == NULL)
		return;
	CHECK("sealed: cannot be cut off", ftruncate(fd, 0) == -1);
	pid = fork();
	if (pid == 0) {
		if (metrics_attach(fd) == -1)
			_exit(1);
		metrics_lookup(PF_MAP_QUERY, RESULT_SECURE, 99);
		metrics_set_connections(30);
		metrics_set_cache(&stats);
		metrics_set_dnssec_ok(0);
		metrics_beat();
		_exit(0);
	}
	CHECK("child", waitpid(pid, &status, 0) == pid && status == 0);

	metrics_print(&text, pages, 1);
	CHECK("sum of both",
	    has_line(&text, "stsd_lookups_total{map=\"QUERY\",result=\"secure\"} 2"));
	CHECK("gauges add up", has_line(&text, "stsd_connections 37"));
	CHECK("theirs", has_line(&text, "stsd_cache_policies{mode=\"enforce\"} 3"));
	CHECK("theirs", has_line(&text, "stsd_refresh_failing 4"));
	CHECK("theirs", has_line(&text, "stsd_cache_bytes 5"));
	CHECK("theirs", has_line(&text, "stsd_cache_limit_bytes 6"));
	CHECK("theirs", has_line(&text, "stsd_dnssec_ok 0"));
	CHECK("theirs", metrics_dnssec_ok(pages, 1) == 0);

	metrics_page_end(pages[0]);
	sts_buf_clear(&text);
	metrics_print(&text, NULL, 0);
	CHECK("counters stay",
	    has_line(&text, "stsd_lookups_total{map=\"QUERY\",result=\"secure\"} 2"));
	CHECK("histograms stay", has_line(&text, "stsd_lookup_duration_seconds_count 5"));
	CHECK("gauges go", has_line(&text, "stsd_connections 7"));
	CHECK("but not what is told until somebody knows better",
	    has_line(&text, "stsd_cache_bytes 5"));
	CHECK("nor is what the self-test said", metrics_dnssec_ok(NULL, 0) == 0);
	metrics_set_dnssec_ok(1);
	CHECK("until the next one", metrics_dnssec_ok(NULL, 0) == 1);
	sts_buf_done(&text);
	close(fd);
}

static void
test_foreign_page(void)
{
	int fds[2];

	if (pipe(fds) == -1)
		return;
	CHECK("a pipe is no page", metrics_attach(fds[0]) == -1);
	close(fds[0]);
	close(fds[1]);
}

/* Every family that is printed is described, by name and help. */
static void
test_described(void)
{
	struct sts_buf described = { 0 }, printed = { 0 };
	struct sts_str rest, line, name;

	metrics_describe(&described);
	metrics_print(&printed, NULL, 0);
	rest = sts_buf_str(&printed);
	while (rest.n > 0) {
		struct sts_buf want = { 0 };

		(void)sts_str_cut(&rest, '\n', &line);
		if (!sts_str_starts(line, STS_STR("# HELP ")))
			continue;
		line = sts_str_from(line, 7);
		(void)sts_str_cut(&line, ' ', &name);
		sts_put(&want, name);
		sts_put_char(&want, '\t');
		sts_put(&want, line);
		sts_put(&want, (struct sts_str){ "\n", 2 });
		CHECK("memory", !want.bad);
		CHECK(want.p, has(&described, want.p));
		sts_buf_done(&want);
	}
	sts_buf_done(&described);
	sts_buf_done(&printed);
}

int
main(void)
{
	test_printed();
	test_pages();
	test_foreign_page();
	test_described();
	return test_failed;
}
