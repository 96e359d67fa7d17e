/* SPDX-License-Identifier: MIT */
/* The table of all findings, see query_finding.h. */
#include "err.h"
#include "query_exit.h"
#include "query_finding.h"

#define E QUERY_ERROR
#define W QUERY_WARNING
#define I QUERY_INFO
#define S QUERY_SENDER
#define R QUERY_RECIPIENT
#define MEND QUERY_EXIT_WARNING
#define BROKEN QUERY_EXIT_BROKEN
#define LATER QUERY_EXIT_TEMPORARY

#define AGAIN_DOMAIN                                                                     \
 "try again; if it lasts, look at the DNS servers here, then at the domain's"
#define AGAIN_HOST                                                                       \
 "try again; if it lasts, look at the DNS servers here, then at the host's"
#define WRITE_RECORD "write v=STSv1; id=ID; with an ID of 1 to 32 letters and digits"
#define WRITE_TLSA "publish 3 1 1, or 2 1 1 (RFC 7672 section 3.1)"
#define WRITE_RPT                                                                        \
 "write v=TLSRPTv1; rua=mailto:ADDRESS at _smtp._tls.DOMAIN (RFC 8460 section 3)"

static const struct {
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
	[QUERY_ENV05] = { "ENV05", W, S, 0,
	    "the DNS server answers SERVFAIL without saying why",
	    "have it send Extended DNS Errors (unbound: ede: yes)" },
	[QUERY_ENV06] = { "ENV06", E, S, 0,
	    "the trust anchors cannot be read: no policy can be fetched",
	    "install ca-certificates, or set ca_file" },
	[QUERY_ENV07] = { "ENV07", W, S, 0,
	    "this machine's clock and the policy host's differ: what is said of dates may be "
	    "wrong",
	    "set this machine's clock by NTP" },
	[QUERY_ENV08] = { "ENV08", W, S, 0,
	    "the daemon was not asked: this is a fresh look, without what is cached",
	    "start stsd, or run this as root or as stsd's user" },
	[QUERY_ENV09] = { "ENV09", W, S, 0,
	    "the daemon that runs has another version than this program",
	    "restart stsd after an upgrade" },

	[QUERY_DOM01] = { "DOM01", E, R, 0, "the domain does not exist",
	    "look at how it is spelled" },
	[QUERY_DOM02] = { "DOM02", I, R, 0, "looked up by its A-labels", NULL },
	[QUERY_DOM03] = { "DOM03", W, R, 0,
	    "the domain is an alias: its mail hosts are those of another domain, its policy is "
	    "not",
	    "publish the record and the policy under DOMAIN, or MX records in place of the "
	    "CNAME" },
	[QUERY_DOM04] = { "DOM04", I, S, 0,
	    "not the name of a mail domain: answered without any lookup", NULL },

	[QUERY_MX01] = { "MX01", E, R, LATER, "the MX lookup failed", AGAIN_DOMAIN },
	[QUERY_MX02] = { "MX02", I, R, 0,
	    "the domain has no MX record and is its own mail host", NULL },
	[QUERY_MX03] = { "MX03", E, R, 0, "a null MX: the domain accepts no mail",
	    "publish MX records, if it should" },
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
	[QUERY_MX08] = { "MX08", I, R, 0, "DNSSEC of the MX records", NULL },
	[QUERY_MX09] = { "MX09", W, S, 0,
	    "more MX hosts than are examined: the first 32 by preference count",
	    "nothing here; the recipient should name fewer" },
	[QUERY_MX10] = { "MX10", W, R, 0, "this MX host has no public address",
	    "publish a public address; in a lab, set allow_addresses" },
	[QUERY_MX11] = { "MX11", E, R, MEND, "the address lookup of this MX host failed",
	    AGAIN_HOST },

	[QUERY_TXT01] = { "TXT01", I, R, 0,
	    "no MTA-STS record: the domain does not publish MTA-STS", NULL },
	[QUERY_TXT02] = { "TXT02", E, R, LATER, "the record lookup failed",
	    AGAIN_DOMAIN },
	[QUERY_TXT03] = { "TXT03", E, R, BROKEN,
	    "several MTA-STS records: senders must take that for none",
	    "leave exactly one record that begins with v=STSv1;" },
	[QUERY_TXT04] = { "TXT04", I, R, 0, "another TXT record is ignored", NULL },
	[QUERY_TXT05] = { "TXT05", W, R, 0,
	    "an SPF record at _mta-sts: probably a wildcard record answered",
	    "publish a TXT record for _mta-sts.DOMAIN itself" },
	[QUERY_TXT06] = { "TXT06", W, R, MEND,
	    "the MTA-STS record stands at the domain, where no sender looks",
	    "move it to _mta-sts.DOMAIN" },
	[QUERY_TXT07] = { "TXT07", E, R, BROKEN, "the record is malformed",
	    WRITE_RECORD },
	[QUERY_TXT08] = { "TXT08", E, R, BROKEN, "the record has no valid id",
	    WRITE_RECORD },
	[QUERY_TXT09] = { "TXT09", W, R, MEND,
	    "the policy has changed and the id has not: senders do not notice before they "
	    "refresh",
	    "change the id in DNS after each change of the policy" },
	[QUERY_TXT10] = { "TXT10", I, R, 0, "the record is an alias of another name's",
	    NULL },
	[QUERY_TXT11] = { "TXT11", W, R, MEND,
	    "the id has changed and the new policy cannot be fetched: senders keep the old one",
	    "mend the policy host" },
	[QUERY_TXT12] = { "TXT12", E, R, BROKEN, "capital letters count: v=STSv1",
	    WRITE_RECORD },

	[QUERY_HST01] = { "HST01", E, R, BROKEN, "the policy host has no address",
	    "publish A and AAAA records, or a CNAME, for mta-sts.DOMAIN" },
	[QUERY_HST02] = { "HST02", E, R, BROKEN,
	    "the policy host has no public address, and is not asked",
	    "publish a public address; in a lab, set allow_addresses" },
	[QUERY_HST03] = { "HST03", W, R, 0,
	    "the policy host has IPv6 addresses and answered over IPv4 alone: each fetch waits "
	    "for them",
	    "have the web server answer at each address, or take those out that it does not "
	    "have" },
	[QUERY_HST04] = { "HST04", E, R, LATER, "the policy host's address lookup failed",
	    AGAIN_DOMAIN },

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
	[QUERY_TLS07] = { "TLS07", E, R, BROKEN,
	    "the policy host speaks only TLS versions that are too old",
	    "offer TLS 1.2 or later (RFC 8461 section 3.3, RFC 8996)" },
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
	[QUERY_HTTP07] = { "HTTP07", I, R, 0, "how long the fetch took", NULL },
	[QUERY_HTTP08] = { "HTTP08", I, R, 0,
	    "there is a policy, but no record: senders never look at it", NULL },
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
	[QUERY_POL17] = { "POL17", W, R, 0,
	    "a wildcard stands for one label, and this MX host has more",
	    "add an mx line with the host's own name" },
	[QUERY_POL26] = { "POL26", I, R, 0,
	    "a policy that is enforced should live for two weeks or more", NULL },

	[QUERY_MXP01] = { "MXP01", E, R, BROKEN, "the policy allows none of the MX hosts",
	    "add an mx line for each host, then change the id in DNS" },
	[QUERY_MXP02] = { "MXP02", W, R, MEND, "the policy does not allow this MX host",
	    "add an mx line for it, then change the id in DNS" },
	[QUERY_MXP03] = { "MXP03", I, R, 0, "this pattern allows none of the MX hosts",
	    NULL },
	[QUERY_MXP04] = { "MXP04", I, R, 0, "the policy allows this MX host", NULL },
	[QUERY_MXP05] = { "MXP05", W, S, 0,
	    "the cached policy allows none of the MX hosts, and the one that is published does",
	    "stsd-query --refresh DOMAIN" },

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
	    "a TLSA record of this MX host cannot be used for mail", WRITE_TLSA },
	[QUERY_DAN07] = { "DAN07", W, R, MEND,
	    "none of this MX host's TLSA records can be used: nothing authenticates it",
	    WRITE_TLSA },
	[QUERY_DAN08] = { "DAN08", W, R, MEND,
	    "DANE comes first, and Postfix does not send to this MX host",
	    "publish signed TLSA records for each MX host" },
	[QUERY_DAN09] = { "DAN09", I, R, 0,
	    "where this MX host's TLSA records stand, and which name the server's certificate "
	    "may have",
	    NULL },
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

	[QUERY_RPT01] = { "RPT01", I, R, 0,
	    "no TLSRPT record: the domain does not hear of failures", NULL },
	[QUERY_RPT02] = { "RPT02", W, R, MEND,
	    "several TLSRPT records: senders must take that for none",
	    "leave exactly one record that begins with v=TLSRPTv1;" },
	[QUERY_RPT03] = { "RPT03", W, R, MEND, "the TLSRPT record is malformed",
	    WRITE_RPT },
	[QUERY_RPT04] = { "RPT04", I, R, 0, "reports of failures go to", NULL },
	[QUERY_RPT05] = { "RPT05", W, R, MEND, "no report can be sent there",
	    "write a mailto: or an https: address" },
	[QUERY_RPT07] = { "RPT07", I, R, 0, "the TLSRPT lookup failed", NULL },

	[QUERY_SMT01] = { "SMT01", E, R, LATER, "the mail server cannot be connected to",
	    "open port 25 of the server; where no server anywhere can be reached, ask this "
	    "machine's provider about outgoing port 25" },
	[QUERY_SMT02] = { "SMT02", E, R, LATER, "the mail server does not greet",
	    "look into the mail server's log" },
	[QUERY_SMT03] = { "SMT03", E, R, BROKEN, "the mail server does not do STARTTLS",
	    "give the mail server a certificate, and offer STARTTLS" },
	[QUERY_SMT04] = { "SMT04", E, R, BROKEN,
	    "the TLS handshake with the mail server failed",
	    "offer TLS 1.2 or later, and look into the mail server's log" },
	[QUERY_SMT05] = { "SMT05", I, R, 0, "encrypted", NULL },
	[QUERY_SMT06] = { "SMT06", E, R, BROKEN,
	    "the mail server's certificate is for another name",
	    "get a certificate with the MX host's DNS name" },
	[QUERY_SMT07] = { "SMT07", E, R, BROKEN,
	    "the mail server's certificate has expired, or does not hold yet",
	    "renew it, and have the mail server read it" },
	[QUERY_SMT08] = { "SMT08", E, R, BROKEN,
	    "the mail server's certificate is not trusted",
	    "get a certificate of a public certification authority, and send the intermediate "
	    "ones too" },
	[QUERY_SMT09] = { "SMT09", E, R, BROKEN,
	    "no TLSA record vouches for the mail server's certificate",
	    "publish the TLSA record of the key that the server has" },
	[QUERY_SMT10] = { "SMT10", W, R, 0, "the mail server's certificate expires soon",
	    "renew it, and have the mail server read it" },
	[QUERY_SMT11] = { "SMT11", W, R, 0,
	    "the mail server has another certificate for those who do not name it (SNI)",
	    "have it send the certificate of its MX name in any case" },
	[QUERY_SMT12] = { "SMT12", W, R, 0,
	    "the mail server's addresses have different certificates",
	    "install the same certificate everywhere" },
	[QUERY_SMT13] = { "SMT13", I, R, 0, "the mail server offers REQUIRETLS", NULL },
	[QUERY_SMT14] = { "SMT14", W, R, MEND,
	    "the mail server speaks only TLS versions that are too old",
	    "offer TLS 1.2 or later (RFC 8996)" },
	[QUERY_SMT15] = { "SMT15", I, S, 0,
	    "the mail server was not looked at: its address is not a public one", NULL },

	[QUERY_CAC01] = { "CAC01", I, S, 0, "a policy is cached", NULL },
	[QUERY_CAC02] = { "CAC02", W, S, 0,
	    "the daemon does not fetch the policy again for now",
	    "when it is mended: stsd-query --refresh DOMAIN" },
	[QUERY_CAC03] = { "CAC03", W, R, MEND,
	    "the last refreshes of the cached policy have failed: when it expires, the domain is "
	    "not protected any more",
	    "mend the policy host" },
	[QUERY_CAC04] = { "CAC04", E, R, 0,
	    "the cached policy has expired, and does not count any more",
	    "mend the policy host" },
	[QUERY_CAC05] = { "CAC05", W, S, 0,
	    "the cached policy differs from the one that is published",
	    "stsd-query --refresh DOMAIN; by itself the daemon looks when the id changes" },
	[QUERY_CAC06] = { "CAC06", I, S, 0,
	    "an override decides what Postfix is told about this domain", NULL },
	[QUERY_CAC08] = { "CAC08", I, S, 0,
	    "a cached policy stays in force, although none was to be had now", NULL },

	[QUERY_VER01] = { "VER01", I, S, 0, "Postfix is told", NULL },
	[QUERY_VER02] = { "VER02", I, S, 0, "Postfix is told, if it asks QUERYwithTLSRPT",
	    NULL },
	[QUERY_VER03] = { "VER03", I, S, 0, "Postfix and this MX host", NULL },
	[QUERY_VER04] = { "VER04", I, S, 0, "what it means", NULL },
	[QUERY_VER05] = { "VER05", I, S, 0, "what shows it", NULL },
	[QUERY_VER06] = { "VER06", I, S, 0, "what Postfix logs", NULL },
	[QUERY_VER07] = { "VER07", E, S, LATER, "the question could not be answered now",
	    "try again" },
};

/* By note: what the domain's owner should write instead. */
static const char *const note_fixes[STS_NOTES] = {
	[STS_NOTE_VERSION_MISSING] = "write version: STSv1 as the first line",
	[STS_NOTE_VERSION_VALUE] = "write version: STSv1",
	[STS_NOTE_MODE_MISSING] = "write mode: enforce, testing or none",
	[STS_NOTE_MODE_VALUE] = "write mode: enforce, testing or none",
	[STS_NOTE_MAX_AGE_MISSING] =
	    "write max_age: and seconds, such as 1209600 (two weeks)",
	[STS_NOTE_MAX_AGE_VALUE] =
	    "write max_age: and seconds, such as 1209600 (two weeks)",
	[STS_NOTE_MX_MISSING] = "write one line mx: NAME for each MX host",
	[STS_NOTE_MX_VALUE] = "write a host name, or *. and a host name",
	[STS_NOTE_MX_LIST] = "write one line mx: NAME for each name",
	[STS_NOTE_MX_ADDRESS] = "write the name of the MX host, not its address",
	[STS_NOTE_MX_NON_ASCII] = "write the name in A-labels (xn--...)",
	[STS_NOTE_MX_NONE_LEFT] = "write the full names of the MX hosts",
	[STS_NOTE_CONTROL_BYTE] = "write plain text only",
	[STS_NOTE_BARE_CR] = "end lines with LF, or CR LF",
	[STS_NOTE_TOO_BIG] = "keep the policy below 64 KiB",
	[STS_NOTE_KEY_CASE] = "write the field's name in lower case",
	[STS_NOTE_KEY_UNKNOWN] = "take the line out, if it was not meant as an extension",
	[STS_NOTE_LINE_MALFORMED] = "write NAME: VALUE, or take the line out",
	[STS_NOTE_DUPLICATE] = "leave one line of the two",
	[STS_NOTE_MAX_AGE_CLAMPED] = "write 31557600 or less",
	[STS_NOTE_MAX_AGE_SHORT] =
	    "write 1209600 (two weeks) or more: below a day, some senders ignore it",
	[STS_NOTE_MX_DOT] = "take the final dot out",
	[STS_NOTE_MX_CASE] = "write the name in lower case",
	[STS_NOTE_MX_SINGLE_LABEL] = "write the full name of the MX host",
	[STS_NOTE_MX_NUMERIC] = "write the full name of the MX host",
	[STS_NOTE_BYTE_ORDER_MARK] = "save the file without a byte order mark",
	[STS_NOTE_BLANK_LINE] = "take the line out",
};

struct query_finding
query_row(enum query_id id)
{
	return (struct query_finding){ .id = rows[id].id,
		.severity = rows[id].severity,
		.audience = rows[id].audience,
		.exit = rows[id].exit,
		.text = rows[id].text,
		.fix = rows[id].fix };
}

/* An error makes the policy invalid; the rest is for its owner to mend as well, not a
 * matter of taste. */
struct query_finding
query_note_row(enum sts_policy_note note)
{
	bool is_error = note < STS_NOTE_FIRST_WARNING;

	return (struct query_finding){ .id = sts_policy_note_id(note),
		.severity = is_error ? E : W,
		.audience = R,
		.exit = is_error ? BROKEN : MEND,
		.text = sts_policy_note_text(note),
		.fix = note_fixes[note],
		.tlsrpt = is_error ? sts_err_tlsrpt(STS_ERR_POLICY_SYNTAX) : NULL };
}

const char *
query_id_text(enum query_id id)
{
	return rows[id].id;
}
