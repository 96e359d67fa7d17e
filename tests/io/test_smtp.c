/* SPDX-License-Identifier: MIT */
/*
 * Looks at mail servers that misbehave as smtp.json says, all at once on one loop; and what
 * their certificates are worth. Takes about three seconds, for those who say nothing.
 */
#include "smtp.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "smtp_servers.h"

int test_failed;

#define HOST "mx.smtp.test"
/* For those who keep silent. */
#define STAGE_MS 1500
#define TOTAL_MS 4000

static const struct row {
	const char *server;
	enum sts_smtp_stage stage;
	enum sts_smtp_err err;
	int code;
	const char *text; /* a part of it */
	const char *why;
} ROWS[] = {
	{ "good", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "good-lf", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "tls12", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "tls11", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "tls10", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "no-requiretls", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "lower-case", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "multiline", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "names", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "common-name", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "expired", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "early", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "wrong", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "self", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "client", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "complete", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "whole", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "incomplete", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "stranger", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "stranger-expired", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "expired-whole", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "partial", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },
	{ "bare", STS_SMTP_DONE, STS_SMTP_OK, 250, HOST, "" },

	{ "no-starttls", STS_SMTP_EHLO, STS_SMTP_NO_OFFER, 250, HOST, "not offered" },
	{ "first-line", STS_SMTP_EHLO, STS_SMTP_NO_OFFER, 250, "STARTTLS",
	    "not offered" },
	{ "refused", STS_SMTP_STARTTLS, STS_SMTP_REFUSED, 454,
	    "4.7.0 TLS not available due to local problem", "STARTTLS is refused" },
	{ "unknown", STS_SMTP_STARTTLS, STS_SMTP_REFUSED, 502, "5.5.2 what?",
	    "STARTTLS is refused" },
	{ "rude", STS_SMTP_GREETING, STS_SMTP_REFUSED, 554,
	    "5.7.1 no access from \x1b[31mhere", "greeting is a refusal" },
	{ "busy", STS_SMTP_GREETING, STS_SMTP_REFUSED, 421, "all servers busy",
	    "greeting is a refusal" },
	{ "no-ehlo", STS_SMTP_EHLO, STS_SMTP_REFUSED, 500, "what?", "EHLO is refused" },
	{ "no-again", STS_SMTP_AGAIN, STS_SMTP_REFUSED, 421, "full",
	    "EHLO is refused once encrypted" },
	{ "garbage", STS_SMTP_GREETING, STS_SMTP_GARBAGE, 0, "SSH-2.0-OpenSSH_9.2",
	    "no reply of SMTP" },
	{ "http", STS_SMTP_GREETING, STS_SMTP_GARBAGE, 0, "HTTP/1.1 400", "no reply" },
	{ "blank", STS_SMTP_GREETING, STS_SMTP_GARBAGE, 0, "", "no reply" },
	{ "long-line", STS_SMTP_GREETING, STS_SMTP_FLOOD, 0, "", "too long" },
	{ "long-reply", STS_SMTP_EHLO, STS_SMTP_FLOOD, 0, "", "too long" },
	{ "injected", STS_SMTP_STARTTLS, STS_SMTP_INJECTED, 220, "go ahead",
	    "more text behind the reply to STARTTLS" },

	{ "mute", STS_SMTP_GREETING, STS_SMTP_TIMEOUT, 0, "", "in time" },
	{ "mute-ehlo", STS_SMTP_EHLO, STS_SMTP_TIMEOUT, 220, "", "in time" },
	{ "mute-starttls", STS_SMTP_STARTTLS, STS_SMTP_TIMEOUT, 250, "", "in time" },
	{ "mute-handshake", STS_SMTP_HANDSHAKE, STS_SMTP_TIMEOUT, 220, "", "in time" },
	{ "mute-again", STS_SMTP_AGAIN, STS_SMTP_TIMEOUT, 220, "", "in time" },
	{ "drip", STS_SMTP_EHLO, STS_SMTP_TIMEOUT, 220, "", "in time" },

	{ "close", STS_SMTP_GREETING, STS_SMTP_CLOSED, 0, "", "closed the connection" },
	{ "close-ehlo", STS_SMTP_EHLO, STS_SMTP_CLOSED, 220, "", "closed" },
	{ "close-starttls", STS_SMTP_STARTTLS, STS_SMTP_CLOSED, 250, "", "closed" },
	{ "close-handshake", STS_SMTP_HANDSHAKE, STS_SMTP_CLOSED, 220, "", "" },
	{ "reset-handshake", STS_SMTP_HANDSHAKE, STS_SMTP_CLOSED, 220, "", "" },
	{ "close-again", STS_SMTP_AGAIN, STS_SMTP_CLOSED, 220, "", "" },
	{ "plain", STS_SMTP_HANDSHAKE, STS_SMTP_TLS, 220, "", "does not speak TLS" },
	{ "alert", STS_SMTP_HANDSHAKE, STS_SMTP_TLS, 220, "",
	    "refuses the handshake: handshake failure" },
	{ "endless-handshake", STS_SMTP_HANDSHAKE, STS_SMTP_TLS, 220, "", "" },
	{ "nobody", STS_SMTP_CONNECT, STS_SMTP_UNREACHABLE, 0, "", "refused" },
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

/* What PKIX makes of the certificates, and whom they are for. */
static const struct trust {
	const char *server;
	enum sts_tls_pkix pkix;
	const char *why; /* a part of it */
	size_t chain;
	const char *names;	     /* as the certificate has them */
	bool fits_host, fits_suffix; /* HOST, and .smtp.test */
} TRUST[] = {
	{ "good", STS_TLS_PKIX_OK, "", 1, HOST, true, true },
	{ "names", STS_TLS_PKIX_OK, "", 1, "*.smtp.test other.test", true, true },
	{ "common-name", STS_TLS_PKIX_OK, "", 1, HOST, true, true },
	{ "expired", STS_TLS_PKIX_EXPIRED, "the certificate expired 20", 1, HOST, true,
	    true },
	{ "early", STS_TLS_PKIX_EARLY, "the certificate is not valid before 20", 1, HOST,
	    true, true },
	{ "wrong", STS_TLS_PKIX_OK, "", 1, "a.example b.example", false, false },
	{ "self", STS_TLS_PKIX_SELF_SIGNED, "self-signed", 1, HOST, true, true },
	{ "client", STS_TLS_PKIX_PURPOSE, "not one for a server", 1, HOST, true, true },
	{ "complete", STS_TLS_PKIX_OK, "", 2, HOST, true, true },
	{ "whole", STS_TLS_PKIX_OK, "", 3, HOST, true, true },
	{ "incomplete", STS_TLS_PKIX_INCOMPLETE,
	    "does not send the certificate of the issuer CN=Test sub", 1, HOST, true,
	    true },
	{ "stranger", STS_TLS_PKIX_UNTRUSTED, "the CA CN=Test other is not trusted", 2,
	    HOST, true, true },
	/* What is nearest to the server is said. */
	{ "stranger-expired", STS_TLS_PKIX_EXPIRED, "the certificate expired 20", 2, HOST,
	    true, true },
	{ "partial", STS_TLS_PKIX_OK, "", 1, "m*.smtp.test", false, true },
	{ "bare", STS_TLS_PKIX_OK, "", 1, HOST, true, true },
};

/* TLSA records made of what was served. */
enum made { OF_NOTHING, WHOLE_256, WHOLE_512, KEY_256, KEY_512 };
static const struct dane {
	const char *name, *server;
	uint8_t usage;
	enum made made;
	size_t of;	   /* certificate of the chain */
	const char *names; /* to look for, separated by a blank */
	enum sts_tls_dane dane;
	int depth;
} DANE[] = {
	{ "3 1 1", "good", 3, KEY_256, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 0 1", "good", 3, WHOLE_256, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 1 2", "good", 3, KEY_512, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 0 2", "good", 3, WHOLE_512, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 1 1, expired", "expired", 3, KEY_256, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 1 1, wrong names", "wrong", 3, KEY_256, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 1 1, self-signed", "self", 3, KEY_256, 0, HOST, STS_TLS_DANE_MATCH, 0 },
	{ "3 1 1 of another", "good", 3, OF_NOTHING, 0, HOST, STS_TLS_DANE_NO_MATCH, -1 },
	{ "3 1 1 of the CA", "whole", 3, KEY_256, 1, HOST, STS_TLS_DANE_NO_MATCH, -1 },
	{ "2 1 1", "complete", 2, KEY_256, 1, HOST, STS_TLS_DANE_MATCH, 1 },
	{ "2 0 1", "whole", 2, WHOLE_256, 2, HOST, STS_TLS_DANE_MATCH, 2 },
	{ "2 0 1, a stranger's CA", "stranger", 2, WHOLE_256, 1, HOST, STS_TLS_DANE_MATCH,
	    1 },
	{ "2 0 1, base domain", "whole", 2, WHOLE_256, 1, "base.example " HOST,
	    STS_TLS_DANE_MATCH, 1 },
	{ "2 0 1, no name", "whole", 2, WHOLE_256, 1, "base.example smtp.test",
	    STS_TLS_DANE_NO_NAME, -1 },
	{ "2 0 1, expired", "expired-whole", 2, WHOLE_256, 1, HOST, STS_TLS_DANE_INVALID,
	    -1 },
	{ "2 0 1 of another", "whole", 2, OF_NOTHING, 0, HOST, STS_TLS_DANE_NO_MATCH,
	    -1 },
	{ "1 1 1", "good", 1, KEY_256, 0, HOST, STS_TLS_DANE_UNUSABLE, -1 },
	{ "0 0 1", "whole", 0, WHOLE_256, 1, HOST, STS_TLS_DANE_UNUSABLE, -1 },
};

static struct sts_loop *loop;
static struct sts_tls_store *store;
static size_t answered;
static int answers[ROW_COUNT];

static const struct trust *
trust_of(const char *server)
{
	for (size_t i = 0; i < sizeof(TRUST) / sizeof(TRUST[0]); i++)
		if (strcmp(TRUST[i].server, server) == 0)
			return &TRUST[i];
	return NULL;
}

static void
check_names(const char *what, const char *names, const struct sts_tls_chain *chain)
{
	struct sts_str rest = sts_str_of(names), one, found = STS_STR_NONE;
	size_t i = 0;

	while (rest.n > 0) {
		(void)sts_str_cut(&rest, ' ', &one);
		CHECK(what, sts_tls_chain_name(chain, i++, &found));
		CHECK(what, sts_str_eq(one, found));
	}
	CHECK(what, !sts_tls_chain_name(chain, i, &found));
	CHECK(what,
	    sts_tls_chain_has_dns_names(chain) == (strcmp(what, "common-name") != 0));
}

static void
check_trust(const struct trust *t, const struct sts_tls_chain *chain)
{
	struct sts_tls_cert cert = { .not_after = 0 };
	char why[256] = "x";
	enum sts_tls_pkix pkix = sts_tls_chain_pkix(chain, store, why, sizeof(why));

	CHECK(t->server, pkix == t->pkix);
	CHECK(why, strstr(why, t->why) != NULL);
	CHECK(t->server, (why[0] == '\0') == (t->pkix == STS_TLS_PKIX_OK));
	CHECK(t->server, sts_tls_chain_count(chain) == t->chain);
	CHECK(t->server, sts_tls_chain_fits(chain, STS_STR(HOST)) == t->fits_host);
	CHECK(t->server,
	    sts_tls_chain_fits(chain, STS_STR(".smtp.test")) == t->fits_suffix);
	CHECK(t->server, !sts_tls_chain_fits(chain, STS_STR("smtp.test")));
	CHECK(t->server, !sts_tls_chain_fits(chain, STS_STR_NONE));
	CHECK(t->server, !sts_tls_chain_fits(chain, STS_STR(HOST "\0.example")));
	CHECK(t->server, sts_tls_chain_cert(chain, 0, &cert));
	CHECK(t->server,
	    cert.not_before > 1600000000 && cert.not_after > cert.not_before);
	CHECK(t->server, strncmp(cert.subject, "CN=", 3) == 0);
	CHECK(t->server, cert.self_issued == (pkix == STS_TLS_PKIX_SELF_SIGNED));
	check_names(t->server, t->names, chain);
}

static struct sts_str
make_record(const struct dane *d, const struct sts_tls_cert *cert, char room[128])
{
	static const uint8_t nothing[STS_SHA256] = { 1 };
	const uint8_t *data = nothing;
	size_t n = STS_SHA256;
	uint8_t selector = 1, matching = 1;

	switch (d->made) {
	case OF_NOTHING:
		break;
	case WHOLE_256:
		selector = 0;
		data = cert->whole.sha256;
		break;
	case WHOLE_512:
		selector = 0;
		data = cert->whole.sha512;
		break;
	case KEY_256:
		data = cert->key.sha256;
		break;
	case KEY_512:
		data = cert->key.sha512;
		break;
	}
	if (d->made == WHOLE_512 || d->made == KEY_512) {
		matching = 2;
		n = STS_SHA512;
	}
	room[0] = (char)d->usage;
	room[1] = (char)selector;
	room[2] = (char)matching;
	memcpy(room + 3, data, n);
	return (struct sts_str){ room, 3 + n };
}

static void
check_dane(const struct dane *d, const struct sts_tls_chain *chain)
{
	/* Of no use, and no help: a PKIX usage, a digest cut off, no data at all. */
	struct sts_str records[4] = { STS_STR("\1\1\1"
					      "01234567890123456789012345678901"),
		STS_STR("\3\1\1"
			"0123"),
		STS_STR("\3\1") };
	struct sts_str names[4], rest = sts_str_of(d->names);
	struct sts_tls_dane_match match = { -2, 9, 9, 9 };
	struct sts_tls_cert cert;
	char room[128], why[256] = "x";
	size_t name_count = 0;
	enum sts_tls_dane dane;

	CHECK(d->name, sts_tls_chain_cert(chain, d->of, &cert));
	records[3] = make_record(d, &cert, room);
	while (rest.n > 0)
		(void)sts_str_cut(&rest, ' ', &names[name_count++]);
	dane = sts_tls_chain_dane(chain, records, 4, names, name_count, &match, why,
	    sizeof(why));
	CHECK(d->name, dane == d->dane);
	CHECK(why, (why[0] == '\0') == (d->dane == STS_TLS_DANE_MATCH));
	if (d->dane == STS_TLS_DANE_MATCH) {
		CHECK(d->name, match.depth == d->depth);
		CHECK(d->name, match.usage == d->usage && match.selector == room[1]);
		CHECK(d->name, match.matching == room[2]);
	} else
		CHECK(d->name, match.depth == -2 && match.usage == 9);
}

static void
check_session(const struct row *row, const struct sts_smtp_seen *seen)
{
	bool tls11 = strcmp(row->server, "tls11") == 0;
	bool tls10 = strcmp(row->server, "tls10") == 0;

	CHECK(row->server, seen->starttls);
	CHECK(row->server, seen->session.outdated == (tls11 || tls10));
	CHECK(row->server, seen->session.cipher[0] != '\0');
	CHECK(row->server, seen->session.group[0] != '\0');
	if (tls11)
		CHECK(row->server, strcmp(seen->session.protocol, "TLSv1.1") == 0);
	else if (tls10)
		CHECK(row->server, strcmp(seen->session.protocol, "TLSv1") == 0);
	else
		CHECK(row->server,
		    strcmp(seen->session.protocol,
			strcmp(row->server, "tls12") == 0 ? "TLSv1.2" : "TLSv1.3") == 0);
	if (row->err == STS_SMTP_OK)
		CHECK(row->server,
		    seen->requiretls == (strcmp(row->server, "no-requiretls") != 0));
}

static void
check_chain(const struct row *row, const struct sts_tls_chain *chain)
{
	const struct trust *t = trust_of(row->server);

	CHECK(row->server, chain != NULL);
	if (chain == NULL)
		return;
	if (t != NULL)
		check_trust(t, chain);
	for (size_t i = 0; i < sizeof(DANE) / sizeof(DANE[0]); i++)
		if (strcmp(DANE[i].server, row->server) == 0)
			check_dane(&DANE[i], chain);
}

static void
check_times(const struct row *row, const struct sts_smtp_seen *seen)
{
	int64_t sum = 0, slack = 0;

	for (int i = 0; i < STS_SMTP_DONE; i++) {
		CHECK(row->server, (seen->ms[i] >= 0) == (i <= (int)row->stage));
		if (seen->ms[i] >= 0)
			sum += seen->ms[i];
	}
	slack = seen->ms[STS_SMTP_DONE] - sum;
	CHECK(row->server, slack >= 0 && slack <= 10);
	if (row->err == STS_SMTP_TIMEOUT) {
		CHECK(row->server, seen->ms[row->stage] >= STAGE_MS);
		CHECK(row->server, seen->ms[row->stage] < STAGE_MS + 1000);
	} else
		CHECK(row->server, seen->ms[STS_SMTP_DONE] < TOTAL_MS);
}

static bool
has(struct sts_str text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++)
		if (n == 0 || memcmp(text.p + i, part, n) == 0)
			return true;
	return n == 0;
}

static void
on_seen(void *arg, struct sts_smtp_seen *seen)
{
	size_t i = (size_t)((const int *)arg - answers);
	const struct row *row = &ROWS[i];

	CHECK(row->server, ++answers[i] == 1);
	CHECK(row->server, seen->stage == row->stage);
	CHECK(row->server, seen->err == row->err);
	CHECK(row->server, seen->code == row->code);
	CHECK(row->server, has(seen->text, row->text));
	CHECK(row->server, strstr(seen->why, row->why) != NULL);
	CHECK(row->server, (seen->why[0] == '\0') == (seen->err == STS_SMTP_OK));
	CHECK(row->server, seen->encrypted == (row->stage >= STS_SMTP_AGAIN));
	CHECK(row->server, seen->encrypted == (seen->chain != NULL));
	if (seen->err != row->err || seen->stage != row->stage ||
	    strstr(seen->why, row->why) == NULL || getenv("VERBOSE") != NULL)
		fprintf(stderr, "\t%s: stage %d err %d code %d %.*s, %s\n", row->server,
		    (int)seen->stage, (int)seen->err, seen->code, (int)seen->text.n,
		    seen->text.p, seen->why);
	check_times(row, seen);
	if (seen->encrypted) {
		check_session(row, seen);
		check_chain(row, seen->chain);
	}
	if (++answered == ROW_COUNT)
		sts_loop_stop(loop);
}

static void
on_never(void *arg, struct sts_smtp_seen *seen)
{
	CHECK((const char *)arg, seen == NULL);
}

static struct sts_smtp_wish
wish_of(const char *server)
{
	return (struct sts_smtp_wish){ .address = { { 127, 0, 0, 1 }, false },
		.port = port_of(server),
		.helo = STS_STR("client.test"),
		.server_name = STS_STR(HOST),
		.stage_ms = STAGE_MS,
		.total_ms = TOTAL_MS };
}

static void
start_all(void)
{
	struct sts_smtp_wish wish;
	struct sts_smtp *left;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		wish = wish_of(ROWS[i].server);
		CHECK(ROWS[i].server,
		    sts_smtp_start(loop, &wish, on_seen, &answers[i]) != NULL);
	}
	/* Given up before it begins. */
	wish = wish_of("good");
	left = sts_smtp_start(loop, &wish, on_never, "cancelled");
	sts_smtp_cancel(left);
	sts_smtp_cancel(NULL);
}

static void
on_too_long(void *arg)
{
	(void)arg;
	CHECK("all rows in time", answered == ROW_COUNT);
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (answers[i] == 0)
			fprintf(stderr, "\tno answer: %s\n", ROWS[i].server);
	sts_loop_stop(loop);
}

/* One look by itself. */
static struct sts_smtp_seen alone;
static struct sts_tls_chain *alone_chain;

static void
on_alone(void *arg, struct sts_smtp_seen *seen)
{
	(void)arg;
	alone = *seen;
	alone_chain = seen->chain;
	seen->chain = NULL;
	sts_loop_stop(loop);
}

static void
look(const char *what, const struct sts_smtp_wish *wish)
{
	CHECK(what, sts_smtp_start(loop, wish, on_alone, NULL) != NULL);
	CHECK(what, sts_loop_run(loop) == 0);
}

/* Without SNI, from a client without a name; the chain outlives the look. */
static void
check_bare(void)
{
	struct sts_smtp_wish wish = wish_of("bare");

	wish.server_name = wish.helo = STS_STR_NONE;
	look("bare", &wish);
	CHECK("bare", alone.err == STS_SMTP_OK && alone_chain != NULL);
	if (alone_chain != NULL)
		check_names("bare", "default.example", alone_chain);
	sts_tls_chain_free(alone_chain);
	sts_tls_chain_free(NULL);
}

/* The whole look has its limit too, whatever the stages would allow. */
static void
check_total(void)
{
	struct sts_smtp_wish wish = wish_of("drip");

	wish.stage_ms = 60000;
	wish.total_ms = 300;
	look("total", &wish);
	CHECK("total", alone.err == STS_SMTP_TIMEOUT && alone.stage == STS_SMTP_EHLO);
	CHECK("total", alone.ms[STS_SMTP_DONE] >= 300 && alone.ms[STS_SMTP_DONE] < 1300);
}

/* Given up in the midst of it. */
static void
on_enough(void *arg)
{
	sts_smtp_cancel(arg);
	sts_loop_stop(loop);
}

static void
check_cancel(void)
{
	static const char *const cases[] = { "drip", "mute", "mute-handshake",
		"mute-again" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sts_smtp_wish wish = wish_of(cases[i]);
		struct sts_smtp *s = sts_smtp_start(loop, &wish, on_never, NULL);
		struct sts_timer *timer = sts_timer_new(loop, on_enough, s);

		sts_timer_set(timer, 150);
		CHECK(cases[i], sts_loop_run(loop) == 0);
		sts_timer_free(timer);
	}
}

/* What was said to the servers: never a command about mail, STARTTLS in the clear alone,
 * and a goodbye wherever there was somebody to hear it. */
static void
check_said(void)
{
	static const char *const verbs[] = { "EHLO client.test", "EHLO [127.0.0.1]",
		"STARTTLS", "QUIT" };
	char path[sizeof(directory) + 16], line[1024];
	size_t lines = 0, quits = 0, bare = 0;
	FILE *said;

	(void)snprintf(path, sizeof(path), "%s/said", directory);
	said = fopen(path, "re");
	CHECK("said", said != NULL);
	while (said != NULL && fgets(line, sizeof(line), said) != NULL) {
		bool known = false;

		for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
			char part[64];

			(void)snprintf(part, sizeof(part), "\"said\": \"%s\"", verbs[i]);
			known = known || strstr(line, part) != NULL;
		}
		CHECK(line, known);
		lines++;
		quits += strstr(line, "QUIT") != NULL ? 1 : 0;
		bare += strstr(line, "EHLO [127.0.0.1]") != NULL ? 1 : 0;
	}
	CHECK("lines", lines > 100);
	CHECK("goodbyes", quits >= 30);
	CHECK("without a name", bare == 2);
	if (said != NULL)
		(void)fclose(said);
}

static void
run(void)
{
	struct sts_timer *limit = NULL;

	loop = sts_loop_new();
	store = read_store();
	if (store == NULL || loop == NULL) {
		CHECK("start", false);
		return;
	}
	limit = sts_timer_new(loop, on_too_long, NULL);
	sts_timer_set(limit, 10000);
	start_all();
	CHECK("loop", sts_loop_run(loop) == 0);
	sts_timer_stop(limit);
	check_bare();
	check_total();
	check_cancel();
	check_said();
	sts_timer_free(limit);
	sts_loop_free(loop);
	sts_tls_store_free(store);
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
