/* SPDX-License-Identifier: MIT */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "buf.h"
#include "loop.h"
#include "str.h"

/*
 * The connections of Postfix: netstrings in, netstrings out, in order. A connection that
 * waits for its answer is not read, so it has at most one open request. Nobody is closed
 * for being idle but to make room; who sends what is no netstring, or keeps half a
 * request or an unread reply for CLIENT_PATIENCE_MS, is closed without a word.
 *
 * A quiet connection costs its struct and its watch; input is kept only while a request
 * is incomplete, output only while the client does not read it.
 */
#define CLIENT_PATIENCE_MS 60000

struct clients;
struct client;
struct shares;

/*
 * A whole request. True: its reply was appended to `reply`. False: client_reply() will
 * be called later, once, unless on_gone comes first. payload lives for the length of the
 * call.
 */
typedef bool clients_on_request(void *arg, struct client *c, struct sts_str payload,
    struct sts_buf *reply);
/* A client that waits for client_reply is being closed. */
typedef void clients_on_gone(void *arg, struct client *c);
/* What one turn of the loop brought for one client is done: let go of the cache. */
typedef void clients_on_rest(void *arg);
/* No more accepting, and nobody is connected any more. */
typedef void clients_on_empty(void *arg);

struct clients_config {
	struct sts_loop *loop;
	size_t max;
	const struct sts_net *allow; /* who may come over inet; must outlive us */
	size_t allow_count;
	clients_on_request *on_request;
	clients_on_gone *on_gone;
	clients_on_rest *on_rest;
	clients_on_empty *on_empty;
	void *arg;
};

struct clients *clients_new(const struct clients_config *config); /* NULL: no memory */
void clients_free(struct clients *all);

/* Accepts from a listening socket, once clients_start was called, and owns it. -1: no
 * memory. */
int clients_listen(struct clients *all, int fd, bool inet);
/* Others accept there, too: how many each has stands in shares, ours at this place. The
 * memory must outlive us. */
void clients_share(struct clients *all, struct shares *shares, size_t worker);
void clients_start(struct clients *all);
void clients_stop_listening(struct clients *all);

/* No more accepting; what came whole is answered, everybody else is closed. */
void clients_finish(struct clients *all);

size_t clients_count(const struct clients *all);

void client_reply(struct client *c, struct sts_str payload);
/* In place of a reply that there is no memory for: Postfix asks again. */
void client_hang_up(struct client *c);
/* For whoever answers later: what belongs to this client. */
void client_set_ticket(struct client *c, void *ticket);
void *client_ticket(const struct client *c);

#endif
