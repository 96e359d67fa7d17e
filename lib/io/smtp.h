/* SPDX-License-Identifier: MIT */
#ifndef STS_SMTP_H
#define STS_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "loop.h"
#include "str.h"
#include "tls_chain.h"
#include "tls_client.h"

/*
 * A look at one address of a mail server: connect, greeting, EHLO, STARTTLS (RFC 3207),
 * handshake, EHLO, QUIT. No mail command is ever sent. Any certificate is taken; whether
 * it is good is asked afterwards (tls_chain.h).
 *
 * Each stage may take STS_SMTP_STAGE_MS and all together STS_SMTP_TOTAL_MS, however the
 * bytes drip; what is read is bounded (smtpreply.h, STS_SMTP_HANDSHAKE_MAX).
 */
#define STS_SMTP_STAGE_MS 10000
#define STS_SMTP_TOTAL_MS 20000
/* How long a server may take to say goodbye; nobody is told if it does not. */
#define STS_SMTP_QUIT_MS 1000
/* Bytes of a handshake: OpenSSL takes 100 KiB of certificates. */
#define STS_SMTP_HANDSHAKE_MAX ((size_t)256 * 1024)

enum sts_smtp_stage {
	STS_SMTP_CONNECT,
	STS_SMTP_GREETING,
	STS_SMTP_EHLO,
	STS_SMTP_STARTTLS,
	STS_SMTP_HANDSHAKE,
	STS_SMTP_AGAIN, /* EHLO, encrypted */
	STS_SMTP_DONE,
	STS_SMTP_STAGES
};

enum sts_smtp_err {
	STS_SMTP_OK,
	STS_SMTP_UNREACHABLE, /* no connection: see sys */
	STS_SMTP_TIMEOUT,
	STS_SMTP_CLOSED,   /* by the server, in the midst of it: see sys, if not 0 */
	STS_SMTP_REFUSED,  /* a reply that is no consent: see code, text */
	STS_SMTP_GARBAGE,  /* what came is no SMTP */
	STS_SMTP_FLOOD,	   /* it did not end */
	STS_SMTP_NO_OFFER, /* of STARTTLS in the EHLO reply */
	STS_SMTP_INJECTED, /* text behind the reply to STARTTLS: RFC 3207 section 6 */
	STS_SMTP_TLS,	   /* the handshake failed: see why */
	STS_SMTP_NOMEM,
	STS_SMTP_ERRS
};

struct sts_smtp_wish {
	struct sts_addr address;
	uint16_t port;
	struct sts_str helo; /* a host name; empty: the address literal of this end */
	struct sts_str server_name; /* SNI; empty: none */
	int64_t stage_ms, total_ms; /* 0: as above */
};

/* What was seen; views and why live for the length of the callback. */
struct sts_smtp_seen {
	enum sts_smtp_stage stage; /* in which it ended; DONE when err is OK */
	enum sts_smtp_err err;
	int sys;	       /* errno, or 0 */
	int code;	       /* of the last reply; 0: none came */
	struct sts_str text;   /* of its first line, or the line that is no reply. Raw */
	const char *why;       /* what went wrong, printable; "" when OK */
	struct sts_str banner; /* the greeting's first line. Raw */
	bool starttls;	       /* offered in the clear */
	bool requiretls;       /* offered when encrypted (RFC 8689 section 2) */
	bool encrypted; /* the handshake is complete: session and chain are valid */
	struct sts_tls_session session;
	struct sts_tls_chain *chain; /* may be taken: set it to NULL */
	int64_t
	    ms[STS_SMTP_STAGES]; /* each stage took; -1: it was not reached. DONE: all */
};
typedef void sts_on_smtp(void *arg, struct sts_smtp_seen *seen);

/* NULL: no memory. One callback, later, through the loop. */
struct sts_smtp;
struct sts_smtp *sts_smtp_start(struct sts_loop *loop, const struct sts_smtp_wish *wish,
    sts_on_smtp *on, void *arg);
/* Instead of the callback, never after it; NULL is nothing. */
void sts_smtp_cancel(struct sts_smtp *s);

#endif
