/* SPDX-License-Identifier: MIT */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>

#include "buf.h"
#include "listen.h"
#include "loop.h"
#include "str.h"

/*
 * A page or two over HTTP for monitoring: GET and HEAD, one request a connection, at
 * most 4 KiB of it, 5 seconds for all, 16 connections at once. Nothing a client sends
 * is kept, echoed or acted on but the path.
 */
struct http;

/* Writes the body for a path and returns the status: 200, 404, 503. */
typedef int http_on_request(void *arg, struct sts_str path, struct sts_buf *body,
    const char **content_type);

/* Duplicates the listeners' descriptors. NULL: no memory or descriptors. */
struct http *http_new(struct sts_loop *loop, const struct listeners *listeners,
    http_on_request *on, void *arg);
void http_free(struct http *h);

#endif
