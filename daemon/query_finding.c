/* SPDX-License-Identifier: MIT */
#include "query_finding.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "query_exit.h"
#include "query_keep.h"
#include "record.h"

#define E QUERY_ERROR
#define W QUERY_WARNING
#define I QUERY_INFO
#define S QUERY_SENDER
#define R QUERY_RECIPIENT
#define MEND QUERY_EXIT_WARNING
#define BROKEN QUERY_EXIT_BROKEN
#define LATER QUERY_EXIT_TEMPORARY

static const struct query_row {
	const char *id;
	enum query_severity severity;
	enum query_audience audience;
	int exit;
	const char *text;
	const char *fix;
} rows[QUERY_IDS] = {
	[QUERY_ENV01] = { "ENV01", E, S, 0,
	    "the DNS server fails the self-test: whether it validates DNSSEC is unknown",
	    "look at the DNS server, and at the setting dns_servers" },
	[QUERY_ENV02] = { "ENV02", W, S, 0,
	    "the DNS server does not validate DNSSEC: DANE cannot be seen",
	    "use one that does, such as unbound on this machine" },
	[QUERY_ENV04] = { "ENV04", W, S, 0,
	    "the DNS server says it validates DNSSEC, but not from this machine: anybody on "
	    "the way could say so, and it is not believed",
	    "use a validating one on loopback; or, if the way is safe, set dnssec = trust" },

	[QUERY_DOM01] = { "DOM01", E, R, 0, "the domain does not exist", NULL },
	[QUERY_DOM02] = { "DOM02", I, R, 0, "looked up by its A-labels", NULL },
	[QUERY_DOM04] = { "DOM04", I, S, 0,
	    "not the name of a mail domain: answered without any lookup", NULL },

	[QUERY_MX01] = { "MX01", E, R, LATER, "the MX lookup failed",
	    "try again; if it lasts, look at the DNS servers here, then at the domain's" },
	[QUERY_MX02] = { "MX02", I, R, 0,
	    "the domain has no MX record and is its own mail host", NULL },
	[QUERY_MX03] = { "MX03", E, R, 0, "a null MX: the domain accepts no mail", NULL },
	[QUERY_MX04] = { "MX04", W, R, MEND, "a null MX stands beside other MX records",
	    "remove one or the other (RFC 7505 section 3)" },
	[QUERY_MX05] = { "MX05", W, R, 0, "this MX host has no address",
	    "publish an address for it, or take it out of the MX records" },
	[QUERY_MX06] = { "MX06", W, R, 0,
	    "this MX host is an alias (RFC 2181 section 10.3)",
	    "name the host that it stands for" },
	[QUERY_MX07] = { "MX07", W, R, MEND,
	    "this MX is no host name, and no policy can allow it",
	    "name the host with letters, digits and hyphens" },
	[QUERY_MX09] = { "MX09", W, S, 0,
	    "more MX hosts than are examined: the first 32 by preference count", NULL },

	[QUERY_MX11] = { "MX11", E, R, MEND, "the address lookup of this MX host failed",
	    "try again; if it lasts, look at the DNS servers here, then at the host's" },

	[QUERY_TXT01] = { "TXT01", I, R, 0,
	    "no MTA-STS record: the domain does not publish MTA-STS", NULL },
	[QUERY_TXT02] = { "TXT02", E, R, LATER, "the record lookup failed",
	    "try again; if it lasts, look at the DNS servers here, then at the domain's" },
	[QUERY_TXT03] = { "TXT03", E, R, BROKEN,
	    "several MTA-STS records: senders must take that for none",
	    "leave exactly one record that begins with v=STSv1;" },
	[QUERY_TXT04] = { "TXT04", I, R, 0, "another TXT record is ignored", NULL },
	[QUERY_TXT05] = { "TXT05", W, R, 0,
	    "an SPF record at _mta-sts: probably a wildcard record answered", NULL },
	[QUERY_TXT07] = { "TXT07", E, R, BROKEN, "the record is malformed",
	    "write v=STSv1; id=ID; with an ID of 1 to 32 letters and digits" },
	[QUERY_TXT12] = { "TXT12", E, R, BROKEN, "capital letters count: v=STSv1",
	    "write v=STSv1; id=ID; with an ID of 1 to 32 letters and digits" },

	[QUERY_HST01] = { "HST01", E, R, BROKEN, "the policy host has no address",
	    "publish A and AAAA records, or a CNAME, for mta-sts.DOMAIN" },
	[QUERY_HST02] = { "HST02", E, R, BROKEN,
	    "the policy host has no public address, and is not asked",
	    "publish a public address; in a lab, set allow_addresses" },
	[QUERY_HST04] = { "HST04", E, R, LATER, "the policy host's address lookup failed",
	    "try again; if it lasts, look at the DNS servers here, then at the domain's" },

	[QUERY_TLS01] = { "TLS01", E, R, BROKEN,
	    "the TLS handshake with the policy host failed",
	    "offer TLS 1.2 or later and a certificate for mta-sts.DOMAIN" },
	[QUERY_TLS02] = { "TLS02", E, R, BROKEN,
	    "the policy host's certificate is for another name",
	    "get a certificate with the DNS name mta-sts.DOMAIN" },
	[QUERY_TLS03] = { "TLS03", E, R, BROKEN,
	    "the policy host's certificate has expired", "renew it" },
	[QUERY_TLS04] = { "TLS04", W, R, 0, /* MEND when it is really late */
	    "the policy host's certificate expires in less than 14 days", "renew it" },
	[QUERY_TLS05] = { "TLS05", E, R, BROKEN,
	    "the policy host does not send the whole certificate chain",
	    "send the intermediate certificates too: browsers hide this, senders do not" },
	[QUERY_TLS06] = { "TLS06", E, R, BROKEN,
	    "the policy host's certificate comes from nobody who is trusted",
	    "get a certificate of a public certification authority" },
	[QUERY_TLS08] = { "TLS08", E, R, BROKEN,
	    "the policy host's certificate is not valid",
	    "get a valid certificate for mta-sts.DOMAIN" },

	[QUERY_HTTP01] = { "HTTP01", E, R, BROKEN,
	    "the policy host does not answer with HTTP status 200",
	    "serve the file at /.well-known/mta-sts.txt" },
	[QUERY_HTTP02] = { "HTTP02", E, R, BROKEN,
	    "the policy host redirects, and senders must not follow",
	    "serve the file at /.well-known/mta-sts.txt itself" },
	[QUERY_HTTP03] = { "HTTP03", E, R, BROKEN,
	    "the policy is not served as text/plain",
	    "set its Content-Type to text/plain" },
	[QUERY_HTTP04] = { "HTTP04", E, R, BROKEN,
	    "the policy host sends a web page instead of the policy",
	    "serve the file at /.well-known/mta-sts.txt, as text/plain" },
	[QUERY_HTTP05] = { "HTTP05", E, R, BROKEN, "the policy host sends too much",
	    "keep the policy below 64 KiB, and the headers below 16 KiB" },
	[QUERY_HTTP06] = { "HTTP06", E, R, BROKEN, "the policy host is too slow",
	    "answer within seconds: senders do not wait for long" },
	[QUERY_HTTP09] = { "HTTP09", E, R, BROKEN,
	    "the policy host accepts no connection on port 443",
	    "let the web server listen there, and the firewall let senders in" },
	[QUERY_HTTP10] = { "HTTP10", E, R, BROKEN,
	    "the policy host does not send a complete, plain HTTP answer",
	    "answer in HTTP/1.1 or 2, whole, and without compression" },

	[QUERY_POL15] = { "POL15", I, R, 0,
	    "mode testing: mail is delivered even where the checks fail", NULL },
	[QUERY_POL16] = { "POL16", I, R, 0, "mode none: as if there were no policy",
	    NULL },

	[QUERY_MXP01] = { "MXP01", E, R, BROKEN, "the policy allows none of the MX hosts",
	    "add an mx line for each host, then change the id in DNS" },
	[QUERY_MXP02] = { "MXP02", W, R, MEND, "the policy does not allow this MX host",
	    "add an mx line for it, then change the id in DNS" },
	[QUERY_MXP03] = { "MXP03", I, R, 0, "this pattern allows none of the MX hosts",
	    NULL },

	[QUERY_DAN01] = { "DAN01", I, R, 0,
	    "the MX records are not signed: what is published for DANE protects nothing",
	    "sign the domain's zone with DNSSEC" },
	[QUERY_DAN02] = { "DAN02", I, R, 0,
	    "the addresses of this MX host are not signed: it cannot have DANE", NULL },
	[QUERY_DAN03] = { "DAN03", E, R, MEND, "the TLSA lookup of this MX host failed",
	    "have the host's name servers answer for TLSA, be it that there is none" },
	[QUERY_DAN04] = { "DAN04", I, R, 0, "this MX host has no TLSA records", NULL },
	[QUERY_DAN05] = { "DAN05", W, R, MEND,
	    "the TLSA records of this MX host are not signed, and are ignored",
	    "sign the zone that they stand in" },
	[QUERY_DAN06] = { "DAN06", W, R, 0,
	    "a TLSA record of this MX host cannot be used for mail",
	    "publish 3 1 1, or 2 1 1 (RFC 7672 section 3.1)" },
	[QUERY_DAN07] = { "DAN07", W, R, MEND,
	    "none of this MX host's TLSA records can be used: nothing authenticates it",
	    "publish 3 1 1, or 2 1 1 (RFC 7672 section 3.1)" },
	[QUERY_DAN08] = { "DAN08", W, R, MEND,
	    "DANE comes first, and Postfix does not send to this MX host",
	    "publish signed TLSA records for each MX host" },
	[QUERY_DAN10] = { "DAN10", I, R, 0,
	    "this MX host has one TLSA record: before its key changes, a second one must be "
	    "published",
	    NULL },
	[QUERY_DAN11] = { "DAN11", I, R, 0,
	    "the TLSA records of this MX host are those of the host it is an alias of",
	    NULL },
	[QUERY_DAN12] = { "DAN12", E, R, MEND,
	    "the signatures of this MX host do not hold", "mend the DNSSEC of the zone" },
	[QUERY_DAN13] = { "DAN13", I, S, 0,
	    "DANE is published, and used where Postfix's own level is dane or dane-only",
	    NULL },

	[QUERY_CAC06] = { "CAC06", I, S, 0,
	    "an override decides what Postfix is told about this domain", NULL },
	[QUERY_VER07] = { "VER07", E, S, LATER, "the question could not be answered now",
	    "try again" },
};

/* A policy may repeat one mistake on nine thousand lines. */
#define NOTES_LISTED 20

/* Which findings about a policy file are more than the recipient's matter of taste. */
static const struct query_row policy_error = { NULL, E, R, BROKEN, NULL, NULL };
static const struct query_row policy_warning = { NULL, W, R, MEND, NULL, NULL };

static struct query_finding *
add(struct query_findings *f, const struct query_row *row)
{
	if (f->count == f->size) {
		size_t size = f->size == 0 ? 16 : 2 * f->size;
		struct query_finding *list = realloc(f->list, size * sizeof(*list));

		if (list == NULL)
			query_no_memory();
		f->list = list;
		f->size = size;
	}
	f->list[f->count] = (struct query_finding){ .id = row->id,
		.severity = row->severity,
		.audience = row->audience,
		.exit = row->exit,
		.text = row->text,
		.fix = row->fix };
	return &f->list[f->count++];
}

struct query_finding *
query_find(struct query_findings *f, enum query_id id, struct sts_str object,
    struct sts_str detail)
{
	struct query_finding *new = add(f, &rows[id]);

	new->object = object;
	new->detail = detail;
	return new;
}

void
query_find_note(void *arg, enum sts_policy_note note, size_t line, struct sts_str text)
{
	bool is_error = note < STS_NOTE_FIRST_WARNING;
	struct query_findings *f = arg;
	struct query_finding *new;

	if (f->notes[note]++ >= NOTES_LISTED)
		return;
	new = add(f, is_error ? &policy_error : &policy_warning);
	new->id = sts_policy_note_id(note);
	new->text = sts_policy_note_text(note);
	new->line = line;
	/* A line may be as long as the file: its beginning tells which it is. */
	if (line > 0)
		new->object = sts_str_head(text, text.n < 200 ? text.n : 200);
	new->tlsrpt = is_error ? sts_err_tlsrpt(STS_ERR_POLICY_SYNTAX) : NULL;
}

static bool
starts_nocase(struct sts_str s, struct sts_str prefix)
{
	return s.n >= prefix.n && sts_str_eq_nocase(sts_str_head(s, prefix.n), prefix);
}

/* Texts beside the record, or in place of it. */
static void
judge_other(struct query_findings *f, struct sts_str text, bool alone)
{
	if (starts_nocase(text, STS_STR("v=spf1")))
		query_find(f, QUERY_TXT05, text, STS_STR_NONE);
	else if (alone && starts_nocase(text, STS_STR("v=STSv1")))
		query_find(f, QUERY_TXT12, text, STS_STR_NONE);
	else
		query_find(f, QUERY_TXT04, text, STS_STR_NONE);
}

static void
judge_syntax(struct query_findings *f, struct sts_str text)
{
	struct sts_problem problem = { 0, NULL };
	struct query_finding *new;
	struct sts_str id;

	if (sts_record_parse(text, &id, &problem) == STS_OK)
		return;
	new = query_find(f, QUERY_TXT07, text, sts_str_of(problem.text));
	new->at = problem.at + 1;
}

enum sts_err
query_judge_record(struct query_findings *f, const struct sts_str *texts, size_t count,
    struct sts_str *id)
{
	enum sts_err err = sts_record_pick(texts, count, id);
	bool alone = err == STS_ERR_RECORD_NONE;

	if (alone)
		query_find(f, QUERY_TXT01, STS_STR_NONE, STS_STR_NONE);
	if (err == STS_ERR_RECORD_MANY)
		query_find(f, QUERY_TXT03, STS_STR_NONE, STS_STR_NONE);
	for (size_t i = 0; i < count; i++) {
		if (sts_record_counts(texts[i]) || (count == 1 && !alone))
			judge_syntax(f, texts[i]);
		else
			judge_other(f, texts[i], alone);
	}
	return err;
}

enum sts_err
query_judge_policy(struct query_findings *f, struct sts_str text,
    struct sts_policy *policy)
{
	enum sts_err err = sts_policy_parse(text, policy, query_find_note, f);

	if (err != STS_OK)
		return err;
	switch (policy->mode) {
	case STS_MODE_TESTING:
		query_find(f, QUERY_POL15, STS_STR_NONE, STS_STR_NONE);
		break;
	case STS_MODE_NONE:
		query_find(f, QUERY_POL16, STS_STR_NONE, STS_STR_NONE);
		break;
	case STS_MODE_ENFORCE:
		break;
	}
	return STS_OK;
}

size_t
query_count(const struct query_findings *f, enum query_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->list[i].severity == severity;
	return n;
}

int
query_exit_worse(int a, int b)
{
	static const int order[] = { QUERY_EXIT_BROKEN, QUERY_EXIT_TEMPORARY,
		QUERY_EXIT_WARNING, QUERY_EXIT_NO_POLICY };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return QUERY_EXIT_PROTECTED;
}

int
query_worst(const struct query_findings *f, int base)
{
	for (size_t i = 0; i < f->count; i++)
		base = query_exit_worse(base, f->list[i].exit);
	return base;
}

void
query_findings_done(struct query_findings *f)
{
	free(f->list);
	*f = (struct query_findings){ 0 };
}

const char *
query_severity_text(enum query_severity severity)
{
	switch (severity) {
	case QUERY_INFO:
		return "info";
	case QUERY_WARNING:
		return "warning";
	case QUERY_ERROR:
		break;
	}
	return "error";
}

const char *
query_audience_text(enum query_audience audience)
{
	return audience == QUERY_SENDER ? "sender" : "recipient";
}

const char *
query_id_text(enum query_id id)
{
	return rows[id].id;
}
