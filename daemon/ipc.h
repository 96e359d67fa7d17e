/* SPDX-License-Identifier: MIT */
#ifndef IPC_H
#define IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "err.h"
#include "loop.h"
#include "str.h"

/*
 * Messages between the roles, over SOCK_SEQPACKET pairs: one message, at most one file
 * descriptor with it. A role inherits fd 3 alone, its pair to the supervisor; everything
 * else (settings, listeners, the page for its counters, the channel to the other role)
 * comes over it. The roles are one program version: the first message of each side is
 * IPC_HELLO with the version, and another version ends it.
 */
enum ipc_type {
	IPC_HELLO = 1, /* both ways; text: version */

	/* supervisor -> role */
	IPC_CONFIG,    /* fd: effective settings, as config_print writes them */
	IPC_OVERRIDES, /* fd: the overrides file as it was checked */
	IPC_CLOCK,     /* text: struct sts_clock_start */
	IPC_METRICS,   /* fd: page for this process's counters (metrics.h) */
	IPC_SHARES,   /* fd: who of the answerers has how many clients (shares.h); number:
			* the place of this one */
	IPC_LISTENER, /* fd: a bound, listening socket; number: 0 unix, 1 inet (answerer),
		       * or the control socket (resolver) */
	IPC_CHANNEL, /* fd: pair to the other role; replaces an earlier one, and flags says
		      * by which rules it looks for DANE (answerer) */
	IPC_CA,	     /* fd: the CA bundle, open for reading (resolver) */
	IPC_GO,	     /* everything was sent: open the cache, begin */
	IPC_DRAIN, /* no more accepting; serve what is connected; exit when none is left */
	IPC_STOP,  /* answer what is in flight within 5 s, then exit 0 */
	IPC_PING,  /* number: comes back in IPC_PONG */
	IPC_STATISTICS, /* write them to the log now */

	/* role -> supervisor */
	IPC_READY, /* working */
	IPC_PONG,
	IPC_FAILED, /* text: why it cannot begin */

	/* resolver -> supervisor: what do all processes count? And back, text: the health,
	 * then the metrics, a line each */
	IPC_NUMBERS,

	/* answerer <-> resolver, over a channel */
	IPC_ASK,  /* number: question; wait_ms; flags; domain: lower case, or UTF-8 */
	IPC_TOLD, /* number: question; err; hope; domain; text: the entry's bytes */
	IPC_VALIDATES, /* wait_ms: since when the resolver's servers do (seconds) */
};

#define IPC_ASK_BESIDE 1u /* look at it; no reply is wanted */
#define IPC_ASK_USED 2u	  /* and note that it is in use */
#define IPC_ASK_UTF8 4u	  /* the domain is not ASCII: convert it first */
#define IPC_ASK_HOST 8u	  /* the key was [domain]: its MX is not needed */
/* The upper half is the key's port. */
static inline uint32_t
ipc_ask_flags(struct sts_target t)
{
	return (t.brackets ? IPC_ASK_HOST : 0) | (uint32_t)t.port << 16;
}

static inline struct sts_target
ipc_ask_target(uint32_t flags)
{
	return (
	    struct sts_target){ (flags & IPC_ASK_HOST) != 0, (uint16_t)(flags >> 16) };
}

#define IPC_MESSAGE_MAX 131072

struct ipc_message {
	enum ipc_type type;
	uint32_t number;
	uint32_t flags;
	int64_t wait_ms;
	enum sts_err err;
	enum sts_hope hope;
	int fd;		       /* -1: none. The receiver owns it */
	struct sts_str domain; /* TOLD: the A-label form */
	struct sts_str text;   /* TOLD: the entry's bytes, empty: nothing is known */
};

/*
 * One end of a pair: never blocks, queues what cannot be sent. on is called for each
 * message (views live for the length of the call); a NULL message: the other side is
 * gone, or sent something that is no message; nothing more will come.
 */
struct ipc;
typedef void ipc_on_message(void *arg, const struct ipc_message *m);
struct ipc *ipc_new(struct sts_loop *loop, int fd, ipc_on_message *on, void *arg);
void ipc_free(struct ipc *i); /* closes fd */
int ipc_send(struct ipc *i,
    const struct ipc_message *m); /* fd is duplicated, not taken */
size_t ipc_queued(const struct ipc *i);
int ipc_pair(int fds[2]); /* close-on-exec SEQPACKET pair */

#endif
