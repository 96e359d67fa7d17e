/* SPDX-License-Identifier: MIT */
#include "query_probe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "nameset.h"
#include "smtp.h"

/* One look at one address. */
struct task {
	struct query_probe *probe;
	struct task *next;	/* of the probe, in the order named */
	struct task *next_idle; /* of all that wait for a connection */
	struct task *bare;	/* the same without SNI; NULL: none */
	struct sts_smtp *run;	/* NULL: waits, or has ended */
	struct query_smtp seen;
	struct sts_tls_chain *chain; /* when encrypted; may be NULL even then */
	bool is_bare;		     /* no look of its own: another one's bare */
};

struct query_probes {
	struct query_probes_config config;
	char helo[STS_NAME_MAX + 1];
	unsigned running;
	struct task *idle, **last_idle;
};

struct query_probe {
	struct query_probes *all;
	struct query_keep keep;
	uint16_t port;
	struct task *tasks, **last;
	size_t count; /* of those that are looks of their own */
	size_t open;
	struct sts_timer *timer; /* to tell that all have ended */
	query_on_probed *on;
	void *arg;
};

/* A mail server may insist on a name that it could look up (RFC 5321 section 4.1.4). */
static void
find_own_name(struct query_probes *all)
{
	struct sts_str name;

	if (gethostname(all->helo, sizeof(all->helo)) == -1)
		all->helo[0] = '\0';
	all->helo[sizeof(all->helo) - 1] = '\0';
	name = sts_str_of(all->helo);
	if (!sts_name_is_host(name) || sts_name_is_single_label(name))
		all->helo[0] = '\0';
}

struct query_probes *
query_probes_new(const struct query_probes_config *config)
{
	struct query_probes *all = calloc(1, sizeof(*all));

	if (all == NULL)
		query_no_memory();
	all->config = *config;
	all->last_idle = &all->idle;
	find_own_name(all);
	return all;
}

void
query_probes_free(struct query_probes *all)
{
	free(all);
}

/*
 * Connections, when there is room for them.
 */
static void on_seen(void *arg, struct sts_smtp_seen *seen);

static void
run_next(struct query_probes *all)
{
	struct task *t;

	while (all->running < QUERY_PROBES_MAX && (t = all->idle) != NULL) {
		struct sts_smtp_wish wish = { .address = t->seen.address,
			.port = t->probe->port,
			.helo = sts_str_of(all->helo),
			.server_name = t->seen.server_name,
			.stage_ms = all->config.stage_ms,
			.total_ms = all->config.total_ms };

		if ((all->idle = t->next_idle) == NULL)
			all->last_idle = &all->idle;
		t->run = sts_smtp_start(all->config.loop, &wish, on_seen, t);
		if (t->run == NULL)
			query_no_memory();
		all->running++;
	}
}

static void
wait_for_room(struct task *t)
{
	struct query_probes *all = t->probe->all;

	t->next_idle = NULL;
	*all->last_idle = t;
	all->last_idle = &t->next_idle;
	t->probe->open++;
	run_next(all);
}

static void
drop_idle(struct query_probes *all, const struct query_probe *p)
{
	struct task **link = &all->idle;

	while (*link != NULL)
		if ((*link)->probe == p)
			*link = (*link)->next_idle;
		else
			link = &(*link)->next_idle;
	all->last_idle = link;
}

static void
on_all_ended(void *arg)
{
	struct query_probe *p = arg;

	p->on(p->arg);
}

static void
look_whether_all_ended(struct query_probe *p)
{
	if (p->open == 0 && p->on != NULL && sts_timer_set(p->timer, 0) == -1)
		query_no_memory();
}

static void
on_seen(void *arg, struct sts_smtp_seen *seen)
{
	struct task *t = arg;
	struct query_probe *p = t->probe;

	if (seen->err == STS_SMTP_NOMEM)
		query_no_memory();
	t->run = NULL;
	t->chain = seen->chain;
	seen->chain = NULL;
	t->seen.stage = seen->stage;
	t->seen.err = seen->err;
	t->seen.sys = seen->sys;
	t->seen.code = seen->code;
	t->seen.text = query_keep(&p->keep, seen->text);
	t->seen.banner = query_keep(&p->keep, seen->banner);
	t->seen.why = query_keep(&p->keep, sts_str_of(seen->why));
	t->seen.starttls = seen->starttls;
	t->seen.requiretls = seen->requiretls;
	t->seen.encrypted = seen->encrypted;
	t->seen.session = seen->session;
	memcpy(t->seen.ms, seen->ms, sizeof(t->seen.ms));
	p->all->running--;
	p->open--;
	run_next(p->all);
	look_whether_all_ended(p);
}

/*
 * A domain's.
 */
struct query_probe *
query_probe_new(struct query_probes *all, uint16_t port)
{
	struct query_probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		query_no_memory();
	p->all = all;
	p->port = port;
	p->last = &p->tasks;
	p->timer = sts_timer_new(all->config.loop, on_all_ended, p);
	if (p->timer == NULL)
		query_no_memory();
	return p;
}

void
query_probe_free(struct query_probe *p)
{
	struct task *t;

	if (p == NULL)
		return;
	drop_idle(p->all, p);
	while ((t = p->tasks) != NULL) {
		p->tasks = t->next;
		if (t->run != NULL)
			p->all->running--;
		sts_smtp_cancel(t->run);
		sts_tls_chain_free(t->chain);
		free(t);
	}
	sts_timer_free(p->timer);
	query_keep_done(&p->keep);
	run_next(p->all);
	free(p);
}

static struct task *
task_new(struct query_probe *p, struct sts_str host, const struct sts_addr *address)
{
	struct task *t = calloc(1, sizeof(*t));

	if (t == NULL)
		query_no_memory();
	t->probe = p;
	t->seen.host = host;
	t->seen.address = *address;
	for (int i = 0; i < STS_SMTP_STAGES; i++)
		t->seen.ms[i] = -1;
	*p->last = t;
	p->last = &t->next;
	return t;
}

static bool
is_guarded(const struct query_probes *all, const struct sts_addr *address)
{
	return !sts_addr_is_public(address) &&
	    !sts_nets_have(all->config.allow, all->config.allow_count, address);
}

void
query_probe_host(struct query_probe *p, struct sts_str host, struct sts_str server_name,
    const struct sts_addr *addresses, size_t count)
{
	struct sts_str kept = query_keep(&p->keep, host);
	struct sts_str sni = query_keep(&p->keep, server_name);
	bool first = true;

	for (size_t i = 0; i < count && i < STS_ADDRESSES_MAX; i++) {
		struct task *t = task_new(p, kept, &addresses[i]);

		p->count++;
		t->seen.guarded = is_guarded(p->all, &addresses[i]);
		if (t->seen.guarded)
			continue;
		t->seen.server_name = sni;
		wait_for_room(t);
		if (first && sni.n > 0) {
			t->bare = task_new(p, kept, &addresses[i]);
			t->bare->is_bare = true;
			wait_for_room(t->bare);
		}
		first = false;
	}
}

void
query_probe_end(struct query_probe *p, query_on_probed *on, void *arg)
{
	p->on = on;
	p->arg = arg;
	look_whether_all_ended(p);
}

/*
 * What it comes to.
 */
static const struct query_mx *
find_mx(const struct query_report *r, struct sts_str host)
{
	for (size_t i = 0; i < r->mx_count; i++)
		if (sts_str_eq_nocase(r->mx[i].host, host))
			return &r->mx[i];
	return NULL;
}

static const struct query_host *
find_host(const struct query_report *r, struct sts_str host)
{
	for (size_t i = 0; i < r->host_count; i++)
		if (sts_str_eq_nocase(r->hosts[i].name, host))
			return &r->hosts[i];
	return NULL;
}

static void
tell_certificates(struct query_smtp *s, const struct sts_tls_chain *chain,
    struct query_keep *keep)
{
	size_t count = sts_tls_chain_count(chain);
	struct sts_tls_cert *certs = query_room(keep, count * sizeof(*certs));
	struct sts_str name, *names;

	for (size_t i = 0; i < count; i++)
		if (!sts_tls_chain_cert(chain, i, &certs[i]))
			query_no_memory();
	s->certs = certs;
	s->cert_count = count;
	s->has_dns_names = sts_tls_chain_has_dns_names(chain);
	while (sts_tls_chain_name(chain, s->name_count, &name))
		s->name_count++;
	names = query_room(keep, s->name_count * sizeof(*names));
	for (size_t i = 0; i < s->name_count; i++)
		if (sts_tls_chain_name(chain, i, &name))
			names[i] = query_keep(keep, name);
	s->names = names;
}

/* What Postfix takes for words where an override has them. */
static struct sts_str
match_name(const struct query_report *r, struct sts_str name, struct sts_str host,
    char room[STS_NAME_MAX + 2])
{
	if (sts_str_eq_nocase(name, STS_STR("hostname")))
		return host;
	if (sts_str_eq_nocase(name, STS_STR("nexthop")))
		return (struct sts_str){ r->key.domain, r->key.domain_n };
	if (!sts_str_eq_nocase(name, STS_STR("dot-nexthop")))
		return name;
	room[0] = '.';
	memcpy(room + 1, r->key.domain, r->key.domain_n);
	return (struct sts_str){ room, r->key.domain_n + 1 };
}

/* A certificate may have tens of thousands of names, and match= thousands: OpenSSL would
 * read the certificate anew for each. Those that cannot fit are left out before: of a
 * certified mx.example.org, itself, .example.org and .org are looked for. */
static void
add_certified(struct sts_nameset *certified, const struct query_smtp *s)
{
	for (size_t i = 0; i < s->name_count; i++) {
		struct sts_str name = s->names[i];

		if (name.n == 0 || memchr(name.p, '\0', name.n) != NULL)
			continue; /* which fits nothing */
		(void)sts_nameset_add(certified, name);
		for (size_t at = 1; at < name.n; at++)
			if (name.p[at] == '.')
				(void)sts_nameset_add(certified, sts_str_from(name, at));
	}
}

/* By itself, or by "*" and what follows its first label. */
static bool
may_fit(const struct sts_nameset *certified, struct sts_str name)
{
	const char *dot = name.n == 0 ? NULL : memchr(name.p, '.', name.n);
	struct sts_buf wildcard = { 0 };
	bool fits = sts_nameset_has(certified, name);

	if (fits || dot == NULL || dot == name.p)
		return fits;
	sts_put_char(&wildcard, '*');
	sts_put(&wildcard, sts_str_from(name, (size_t)(dot - name.p)));
	if (wildcard.bad)
		query_no_memory();
	fits = sts_nameset_has(certified, sts_buf_str(&wildcard));
	sts_buf_done(&wildcard);
	return fits;
}

static void
judge_names(struct query_smtp *s, const struct sts_tls_chain *chain,
    const struct query_report *r)
{
	struct sts_nameset certified = { .count = 0 };
	char room[STS_NAME_MAX + 2];

	if (s->has_dns_names)
		add_certified(&certified, s);
	s->fits_host = sts_tls_chain_fits(chain, s->host);
	s->fits_match = r->name_count == 0 && s->fits_host;
	for (size_t i = 0; i < r->name_count && !s->fits_match; i++) {
		struct sts_str name = match_name(r, r->names[i], s->host, room);

		s->fits_match = (!s->has_dns_names || may_fit(&certified, name)) &&
		    sts_tls_chain_fits(chain, name);
	}
	sts_nameset_done(&certified);
}

static void
judge_pkix(struct query_smtp *s, const struct sts_tls_chain *chain,
    struct sts_tls_store *store, struct query_keep *keep)
{
	char why[512];

	if (store == NULL)
		return;
	s->has_pkix = true;
	s->pkix = sts_tls_chain_pkix(chain, store, why, sizeof(why));
	s->pkix_why = query_keep(keep, sts_str_of(why));
}

/* RFC 7672 section 3.2.2: the TLSA base domain, and the domain that mail is for. */
static void
judge_dane(struct query_smtp *s, const struct sts_tls_chain *chain,
    const struct query_host *host, struct query_report *r)
{
	struct sts_str names[] = { host->base, { r->key.domain, r->key.domain_n } };
	struct sts_str *records =
	    query_room(&r->keep, host->tlsa_count * sizeof(*records));
	char why[512];
	size_t n = 0;

	for (size_t i = 0; i < host->tlsa_count; i++)
		if (host->tlsa[i].usable)
			records[n++] = host->tlsa[i].rdata;
	s->dane =
	    sts_tls_chain_dane(chain, records, n, names, 2, &s->match, why, sizeof(why));
	s->dane_why = query_keep(&r->keep, sts_str_of(why));
}

/* Whose certificate those get who send no SNI, where it is another one. */
static void
compare_bare(struct query_smtp *s, const struct task *bare, struct query_keep *keep)
{
	struct sts_tls_cert cert;

	if (bare == NULL || bare->chain == NULL || s->cert_count == 0)
		return;
	if (!sts_tls_chain_cert(bare->chain, 0, &cert))
		query_no_memory();
	if (memcmp(&cert.whole, &s->certs[0].whole, sizeof(cert.whole)) != 0)
		s->bare = query_keep(keep, sts_str_of(cert.subject));
}

static void
judge(struct query_smtp *s, const struct task *t, struct query_report *r)
{
	const struct query_host *host = find_host(r, s->host);
	const struct query_mx *mx = find_mx(r, s->host);

	s->host = query_keep(&r->keep, s->host);
	s->server_name = query_keep(&r->keep, s->server_name);
	s->text = query_keep(&r->keep, s->text);
	s->banner = query_keep(&r->keep, s->banner);
	s->why = query_keep(&r->keep, s->why);
	s->used =
	    mx == NULL || !mx->advice.is_known || mx->advice.action != QUERY_ACTION_SKIP;
	if (t->chain == NULL)
		return;
	tell_certificates(s, t->chain, &r->keep);
	judge_names(s, t->chain, r);
	judge_pkix(s, t->chain, t->probe->all->config.store, &r->keep);
	s->has_tlsa = host != NULL && host->state == STS_HOST_U;
	if (s->has_tlsa)
		judge_dane(s, t->chain, host, r);
	compare_bare(s, t->bare, &r->keep);
}

const struct query_smtp *
query_probe_tell(struct query_probe *p, struct query_report *r, size_t *count)
{
	struct query_smtp *list = query_room(&r->keep, p->count * sizeof(*list));
	size_t n = 0;

	for (const struct task *t = p->tasks; t != NULL; t = t->next) {
		if (t->is_bare)
			continue;
		list[n] = t->seen;
		judge(&list[n++], t, r);
	}
	*count = n;
	return list;
}
