/* SPDX-License-Identifier: MIT */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "control_line.h"
#include "loop.h"

/*
 * The side of the control socket that is asked: connections, lines, and who may. What a
 * verb does is the affair of control_desk.h.
 *
 * Root and the account this process runs as may always ask; others may when `others` is
 * set: then the mode of the socket's file has decided. Each guest asks one thing at a
 * time: what comes before its answer ends it. Few guests at once, each with a few seconds
 * to say or to take a line, and nothing here waits: the loop serves lookups.
 */
#define CONTROL_GUESTS_MAX 8
#define CONTROL_PATIENCE_MS 10000

struct control;
struct control_guest;

/* A request of a guest that may ask, in our version of the protocol. It is answered once,
 * now or later (control_keep). */
typedef void control_on_request(void *arg, struct control_guest *g, struct sts_str verb,
    struct control_words *words);

struct control_config {
	struct sts_loop *loop;
	bool others;
	int64_t patience_ms; /* 0: CONTROL_PATIENCE_MS */
	control_on_request *on;
	void *arg;
};

struct control *control_new(const struct control_config *config);
void control_free(struct control *c); /* those whose answer was to come are told of it */

/* One more listening socket; it is taken in any case. -1: no memory. */
int control_listen(struct control *c, int fd);
/* Nobody new is let in. */
void control_stop(struct control *c);

uid_t control_uid(const struct control_guest *g);

/* The answer, begun with "ok", "none" or "error": what follows is put into the buffer,
 * and control_answer ends and sends it; the guest may be gone after that. */
struct sts_buf *control_begin(struct control_guest *g, const char *state);
void control_answer(struct control_guest *g);
void control_refuse(struct control_guest *g, const char *why); /* an "error", whole */

/* The answer comes later. A guest that leaves before is gone when on_gone is called,
 * which may be at once. */
typedef void control_on_gone(void *arg);
void control_keep(struct control_guest *g, control_on_gone *on_gone, void *arg);

#endif
