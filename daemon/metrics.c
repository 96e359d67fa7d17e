/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

/*
 * A page is an array of slots; the table of families below says which slots are whose.
 * Everything that walks slots (printing, adding up, describing) walks that table.
 */
static const char *const maps[] = { "QUERY", "QUERYwithTLSRPT", "other" };
static const char *const results[] = { "secure", "dane_only", "may", "notfound", "temp",
	"perm", "override" };
static const char *const cache_outcomes[] = { "hit", "stale", "miss" };
static const char *const modes[] = { "none", "testing", "enforce" };
static const char *const fetch_outcomes[] = { "ok", "unchanged", "dns", "blocked_address",
	"connect", "tls", "certificate", "http_status", "media_type", "too_big",
	"timeout", "syntax" };
static const char *const dns_types[] = { "TXT", "MX", "A", "AAAA", "TLSA", "SOA",
	"CNAME" };
static const char *const dns_outcomes[] = { "answer", "nodata", "nxdomain", "servfail",
	"refused", "timeout", "malformed" };
static const char *const refresh_outcomes[] = { "ok", "failed" };
static const char *const roles[] = { "answerer", "resolver" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Upper bounds of the buckets in microseconds, and as they are printed. The first is
 * where a cached answer lies, the last is the longest answer_timeout. */
static const struct {
	int64_t us;
	const char *text;
} buckets[] = {
	{ 100, "0.0001" },
	{ 500, "0.0005" },
	{ 1000, "0.001" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 5000000, "5" },
	{ 10000000, "10" },
	{ 30000000, "30" },
	{ 60000000, "60" },
};
/* One slot a bucket, one for what lies above, one for the sum in microseconds. */
#define HISTOGRAM (COUNT(buckets) + 2)

enum {
	LOOKUPS = 0,
	LOOKUP_TIME = LOOKUPS + PF_MAPS * RESULTS,
	CACHE = LOOKUP_TIME + HISTOGRAM,
	CACHE_POLICIES = CACHE + CACHE_OUTCOMES,
	CACHE_BYTES = CACHE_POLICIES + COUNT(modes),
	CACHE_LIMIT,
	FETCHES,
	FETCH_TIME = FETCHES + COUNT(fetch_outcomes),
	DNS = FETCH_TIME + HISTOGRAM,
	REFRESHES = DNS + COUNT(dns_types) * COUNT(dns_outcomes),
	REFRESH_FAILING = REFRESHES + COUNT(refresh_outcomes),
	DNSSEC_OK,
	DANE_WANTED,
	CONNECTIONS,
	IN_FLIGHT,
	RESTARTS,
	RELOAD_OK = RESTARTS + COUNT(roles),
	CPU_US,
	SLOTS
};

enum kind {
	COUNTER, /* added up over all processes, kept when one ends */
	SUM,	 /* a gauge that each process has its share of */
	LATEST,	 /* a gauge of one process: the youngest that set it; stored plus one */
	HISTOGRAMS, /* HISTOGRAM slots */
	SECONDS,    /* a counter of microseconds */
};

struct label {
	const char *name;
	const char *const *values;
	size_t count;
};
#define LABEL(name, values)                                                              \
 {                                                                                       \
  name, values, COUNT(values)                                                            \
 }

static const struct family {
	const char *name;
	const char *help;
	enum kind kind;
	size_t at;
	struct label labels[2];
} families[] = {
	{ "stsd_lookups_total", "Requests answered, by map and result.", COUNTER, LOOKUPS,
	    { LABEL("map", maps), LABEL("result", results) } },
	{ "stsd_lookup_duration_seconds", "From a whole request to its reply.",
	    HISTOGRAMS, LOOKUP_TIME, { { 0 } } },
	{ "stsd_cache_requests_total",
	    "Requests answered from the entry alone (hit), with a look at DNS due (stale), or "
	    "after a journey (miss).",
	    COUNTER, CACHE, { LABEL("outcome", cache_outcomes) } },
	{ "stsd_cache_policies", "Policies in the cache.", LATEST, CACHE_POLICIES,
	    { LABEL("mode", modes) } },
	{ "stsd_cache_bytes", "Bytes of the cache file in use.", LATEST, CACHE_BYTES,
	    { { 0 } } },
	{ "stsd_cache_limit_bytes", "What they may become (cache_size).", LATEST,
	    CACHE_LIMIT, { { 0 } } },
	{ "stsd_policy_fetches_total", "Policy fetches over HTTPS, by outcome.", COUNTER,
	    FETCHES, { LABEL("outcome", fetch_outcomes) } },
	{ "stsd_policy_fetch_duration_seconds", "How long policy fetches took.",
	    HISTOGRAMS, FETCH_TIME, { { 0 } } },
	{ "stsd_dns_queries_total", "Questions put to DNS servers, by outcome.", COUNTER,
	    DNS, { LABEL("type", dns_types), LABEL("outcome", dns_outcomes) } },
	{ "stsd_refreshes_total", "Background refreshes of policies in use.", COUNTER,
	    REFRESHES, { LABEL("outcome", refresh_outcomes) } },
	{ "stsd_refresh_failing", "Live policies whose last refresh failed.", LATEST,
	    REFRESH_FAILING, { { 0 } } },
	{ "stsd_dnssec_ok", "Whether the DNSSEC self-test of the resolver passed.",
	    LATEST, DNSSEC_OK, { { 0 } } },
	{ "stsd_dane_wanted", "Whether DANE is to come first where it applies.", LATEST,
	    DANE_WANTED, { { 0 } } },
	{ "stsd_connections", "Open client connections.", SUM, CONNECTIONS, { { 0 } } },
	{ "stsd_lookups_in_flight", "Domains that are being looked up.", SUM, IN_FLIGHT,
	    { { 0 } } },
	{ "stsd_process_restarts_total", "Processes started again after they ended.",
	    COUNTER, RESTARTS, { LABEL("role", roles) } },
	{ "stsd_config_reload_ok", "Whether the last reload took effect.", LATEST,
	    RELOAD_OK, { { 0 } } },
	{ "process_cpu_seconds_total",
	    "CPU time of all processes, as of their last beat.", SECONDS, CPU_US,
	    { { 0 } } },
};

struct metrics_page {
	_Atomic uint64_t pid;
	_Atomic uint64_t slot[SLOTS];
};

/* Until there is a page of the supervisor's, and for the supervisor itself. */
static struct metrics_page private_page;
static struct metrics_page *page = &private_page;

/* When this process first counted anything, seconds since 1970. */
static uint64_t started;

/* One writer a page: load and store, not an atomic add, which costs ten times that. */
static uint64_t
get(const struct metrics_page *from, size_t slot)
{
	return atomic_load_explicit(&from->slot[slot], memory_order_relaxed);
}

static void
set(size_t slot, uint64_t value)
{
	atomic_store_explicit(&page->slot[slot], value, memory_order_relaxed);
}

static void
add(size_t slot, uint64_t n)
{
	set(slot, get(page, slot) + n);
}

static void
observe(size_t at, int64_t us)
{
	size_t b = 0;

	if (us < 0)
		us = 0;
	while (b < COUNT(buckets) && us > buckets[b].us)
		b++;
	add(at + b, 1);
	add(at + COUNT(buckets) + 1, (uint64_t)us);
}

/* Where text stands in a list; its length when it does not. */
static size_t
find(const char *text, const char *const *list, size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(list[i], text) != 0)
		i++;
	return i;
}

void
metrics_lookup(enum pf_map map, enum metrics_result result, int64_t us)
{
	add(LOOKUPS + (size_t)map * RESULTS + (size_t)result, 1);
	observe(LOOKUP_TIME, us);
}

void
metrics_cache(enum metrics_cache outcome)
{
	add(CACHE + (size_t)outcome, 1);
}

void
metrics_fetch(const char *outcome, int64_t ms)
{
	size_t i = find(outcome, fetch_outcomes, COUNT(fetch_outcomes));

	if (i == COUNT(fetch_outcomes))
		return;
	add(FETCHES + i, 1);
	observe(FETCH_TIME, ms * 1000);
}

/* An rcode of its own kind (FORMERR, NOTIMP ...) is a server that fails, as Postfix
 * sees it. */
static const struct {
	enum sts_err err;
	const char *outcome;
} dns_errors[] = {
	{ STS_OK, "answer" },
	{ STS_ERR_DNS_NODATA, "nodata" },
	{ STS_ERR_DNS_NXDOMAIN, "nxdomain" },
	{ STS_ERR_DNS_SERVFAIL, "servfail" },
	{ STS_ERR_DNS_OTHER, "servfail" },
	{ STS_ERR_DNS_REFUSED, "refused" },
	{ STS_ERR_DNS_TIMEOUT, "timeout" },
	{ STS_ERR_DNS_MALFORMED, "malformed" },
};

void
metrics_dns(enum sts_dns_type type, enum sts_err err)
{
	size_t t = find(sts_dns_type_text(type), dns_types, COUNT(dns_types));
	size_t e = 0;

	while (e < COUNT(dns_errors) && dns_errors[e].err != err)
		e++;
	if (t == COUNT(dns_types) || e == COUNT(dns_errors))
		return;
	e = find(dns_errors[e].outcome, dns_outcomes, COUNT(dns_outcomes));
	add(DNS + t * COUNT(dns_outcomes) + e, 1);
}

void
metrics_refresh(int ok)
{
	add(REFRESHES + (ok ? 0 : 1), 1);
}

void
metrics_restart(const char *role)
{
	size_t i = find(role, roles, COUNT(roles));

	if (i < COUNT(roles))
		add(RESTARTS + i, 1);
}

void
metrics_set_cache(const struct sts_cache_stats *stats)
{
	for (size_t mode = 0; mode < COUNT(modes); mode++)
		set(CACHE_POLICIES + mode, stats->policies[mode] + 1);
	set(CACHE_BYTES, stats->bytes + 1);
	set(CACHE_LIMIT, stats->limit + 1);
	set(REFRESH_FAILING, stats->failing + 1);
}

void
metrics_set_connections(uint64_t n)
{
	set(CONNECTIONS, n);
}

void
metrics_set_lookups(uint64_t in_flight)
{
	set(IN_FLIGHT, in_flight);
}

void
metrics_set_dnssec_ok(int ok)
{
	set(DNSSEC_OK, ok ? 2 : 1);
}

void
metrics_set_dane_wanted(int wanted)
{
	set(DANE_WANTED, wanted ? 2 : 1);
}

void
metrics_set_reload_ok(int ok)
{
	set(RELOAD_OK, ok ? 2 : 1);
}

void
metrics_beat(void)
{
	struct timespec now;
	struct rusage used;

	if (started == 0 && clock_gettime(CLOCK_REALTIME, &now) == 0)
		started = (uint64_t)now.tv_sec;
	if (getrusage(RUSAGE_SELF, &used) == 0) {
		int64_t us =
		    ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
		    used.ru_utime.tv_usec + used.ru_stime.tv_usec;
		/* The supervisor's own slot also holds what ended processes used. */
		static int64_t counted_us;

		add(CPU_US, (uint64_t)(us - counted_us));
		counted_us = us;
	}
	atomic_store_explicit(&page->pid, (uint64_t)getpid(), memory_order_relaxed);
}

size_t
metrics_page_size(void)
{
	size_t unit = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct metrics_page) + unit - 1) / unit * unit;
}

int
metrics_attach(int fd)
{
	struct metrics_page *shared = shared_attach(fd, metrics_page_size());

	if (shared == NULL)
		return -1;
	page = shared;
	metrics_beat();
	return 0;
}

struct metrics_page *
metrics_page_new(int *fd)
{
	return shared_new("stsd-metrics", metrics_page_size(), fd);
}

static size_t
family_slots(const struct family *f)
{
	size_t slots = f->kind == HISTOGRAMS ? HISTOGRAM : 1;

	for (size_t l = 0; l < COUNT(f->labels); l++)
		if (f->labels[l].name != NULL)
			slots *= f->labels[l].count;
	return slots;
}

static bool
is_kept(enum kind kind)
{
	return kind == COUNTER || kind == HISTOGRAMS || kind == SECONDS;
}

void
metrics_page_end(struct metrics_page *ended)
{
	if (ended == NULL)
		return;
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];

		for (size_t s = f->at; s < f->at + family_slots(f); s++)
			if (is_kept(f->kind))
				add(s, get(ended, s));
			else if (f->kind == LATEST && get(ended, s) != 0)
				set(s, get(ended, s));
	}
	shared_end(ended, metrics_page_size());
}

/* Our page and those of the children, oldest first. */
struct pages {
	struct metrics_page *const *children;
	size_t count;
};

static const struct metrics_page *
page_at(const struct pages *all, size_t i)
{
	return i == 0 ? page : all->children[i - 1];
}

static uint64_t
total(const struct pages *all, enum kind kind, size_t slot)
{
	uint64_t value = 0;

	for (size_t i = 0; i <= all->count; i++) {
		uint64_t one = get(page_at(all, i), slot);

		if (kind != LATEST)
			value += one;
		else if (one != 0)
			value = one;
	}
	return value;
}

int
metrics_dnssec_ok(struct metrics_page *const *pages, size_t count)
{
	struct pages all = { pages, count };

	return (int)total(&all, LATEST, DNSSEC_OK) - 1;
}

static void
put_seconds(struct sts_buf *to, uint64_t us)
{
	uint64_t fraction = us % 1000000;

	sts_put_number(to, us / 1000000);
	if (fraction == 0)
		return;
	sts_put_char(to, '.');
	for (uint64_t unit = 100000; unit > 0; unit /= 10)
		sts_put_char(to, (char)('0' + fraction / unit % 10));
}

static void
put_head(struct sts_buf *to, const char *name, const char *help, const char *type)
{
	sts_put_text(to, "# HELP ");
	sts_put_text(to, name);
	sts_put_char(to, ' ');
	sts_put_text(to, help);
	sts_put_text(to, "\n# TYPE ");
	sts_put_text(to, name);
	sts_put_char(to, ' ');
	sts_put_text(to, type);
	sts_put_char(to, '\n');
}

static const char *
type_text(enum kind kind)
{
	switch (kind) {
	case COUNTER:
	case SECONDS:
		return "counter";
	case HISTOGRAMS:
		return "histogram";
	case SUM:
	case LATEST:
		break;
	}
	return "gauge";
}

static void
put_label(struct sts_buf *to, const struct label *label, size_t value)
{
	sts_put_text(to, label->name);
	sts_put_text(to, "=\"");
	sts_put_text(to, label->values[value]);
	sts_put_char(to, '"');
}

/* index: of the sample in its family, the last label running fastest. */
static void
put_labels(struct sts_buf *to, const struct family *f, size_t index)
{
	const struct label *first = &f->labels[0], *second = &f->labels[1];

	if (first->name == NULL)
		return;
	sts_put_char(to, '{');
	if (second->name == NULL) {
		put_label(to, first, index);
	} else {
		put_label(to, first, index / second->count);
		sts_put_char(to, ',');
		put_label(to, second, index % second->count);
	}
	sts_put_char(to, '}');
}

static void
put_samples(struct sts_buf *to, const struct pages *all, const struct family *f)
{
	for (size_t i = 0; i < family_slots(f); i++) {
		uint64_t value = total(all, f->kind, f->at + i);

		if (f->kind == LATEST && value == 0)
			continue; /* nobody knows: better no sample than a wrong one */
		if (f->kind == LATEST)
			value--;
		sts_put_text(to, f->name);
		put_labels(to, f, i);
		sts_put_char(to, ' ');
		if (f->kind == SECONDS)
			put_seconds(to, value);
		else
			sts_put_number(to, value);
		sts_put_char(to, '\n');
	}
}

static void
put_histogram(struct sts_buf *to, const struct pages *all, const struct family *f)
{
	uint64_t count = 0;

	for (size_t b = 0; b <= COUNT(buckets); b++) {
		count += total(all, f->kind, f->at + b);
		sts_put_text(to, f->name);
		sts_put_text(to, "_bucket{le=\"");
		sts_put_text(to, b < COUNT(buckets) ? buckets[b].text : "+Inf");
		sts_put_text(to, "\"} ");
		sts_put_number(to, count);
		sts_put_char(to, '\n');
	}
	sts_put_text(to, f->name);
	sts_put_text(to, "_sum ");
	put_seconds(to, total(all, f->kind, f->at + COUNT(buckets) + 1));
	sts_put_char(to, '\n');
	sts_put_text(to, f->name);
	sts_put_text(to, "_count ");
	sts_put_number(to, count);
	sts_put_char(to, '\n');
}

/* What /proc says about one process; nothing is added when it says nothing. */
struct process {
	uint64_t resident, virtual, fds;
	bool fds_known;
};

static uint64_t
count_fds(const char *path)
{
	uint64_t n = 0;
	DIR *dir = opendir(path);

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n > 2 ? n - 2 : 0; /* "." and ".." */
}

static void
add_process(struct process *p, uint64_t pid)
{
	char path[64];
	unsigned long long pages, resident;
	uint64_t unit = (uint64_t)sysconf(_SC_PAGESIZE), fds;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%llu/statm", (unsigned long long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, "%llu %llu", &pages, &resident) == 2) { // NOLINT(cert-err34-c)
		p->virtual += pages * unit;
		p->resident += resident * unit;
	}
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%llu/fd", (unsigned long long)pid);
	fds = count_fds(path);
	if (fds == 0)
		p->fds_known = false;
	p->fds += fds;
}

static const struct {
	const char *name, *help;
} process_gauges[] = {
	{ "process_resident_memory_bytes",
	    "Resident memory of all processes, shared pages counted in each." },
	{ "process_virtual_memory_bytes", "Virtual memory of all processes." },
	{ "process_open_fds", "Open file descriptors of all processes." },
	{ "process_max_fds", "Open file descriptors one process may have." },
	{ "process_start_time_seconds", "When stsd was started, in seconds since 1970." },
};

static void
put_processes(struct sts_buf *to, const struct pages *all)
{
	struct process p = { .fds_known = true };
	struct rlimit limit = { 0 };
	uint64_t values[COUNT(process_gauges)];

	add_process(&p, (uint64_t)getpid());
	for (size_t i = 0; i < all->count; i++)
		add_process(&p,
		    atomic_load_explicit(&all->children[i]->pid, memory_order_relaxed));
	getrlimit(RLIMIT_NOFILE, &limit);
	values[0] = p.resident;
	values[1] = p.virtual;
	values[2] = p.fds_known ? p.fds : 0;
	values[3] = limit.rlim_cur;
	values[4] = started;
	for (size_t i = 0; i < COUNT(process_gauges); i++) {
		if (values[i] == 0)
			continue;
		put_head(to, process_gauges[i].name, process_gauges[i].help, "gauge");
		sts_put_text(to, process_gauges[i].name);
		sts_put_char(to, ' ');
		sts_put_number(to, values[i]);
		sts_put_char(to, '\n');
	}
}

#define BUILD_INFO "stsd_build_info"
#define BUILD_HELP "The version that runs."

void
metrics_print(struct sts_buf *to, struct metrics_page *const *pages, size_t count)
{
	struct pages all = { pages, count };

	put_head(to, BUILD_INFO, BUILD_HELP, "gauge");
	sts_put_text(to, BUILD_INFO "{version=\"" STSD_VERSION "\"} 1\n");
	for (size_t i = 0; i < COUNT(families); i++) {
		const struct family *f = &families[i];

		put_head(to, f->name, f->help, type_text(f->kind));
		if (f->kind == HISTOGRAMS)
			put_histogram(to, &all, f);
		else
			put_samples(to, &all, f);
	}
	put_processes(to, &all);
}

static void
describe(struct sts_buf *to, const char *name, const char *help)
{
	sts_put_text(to, name);
	sts_put_char(to, '\t');
	sts_put_text(to, help);
	sts_put_char(to, '\n');
}

void
metrics_describe(struct sts_buf *to)
{
	describe(to, BUILD_INFO, BUILD_HELP);
	for (size_t i = 0; i < COUNT(families); i++)
		describe(to, families[i].name, families[i].help);
	for (size_t i = 0; i < COUNT(process_gauges); i++)
		describe(to, process_gauges[i].name, process_gauges[i].help);
}
