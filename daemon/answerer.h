/* SPDX-License-Identifier: MIT */
#ifndef ANSWERER_H
#define ANSWERER_H

/*
 * The process that answers Postfix: netstring in, entry from the cache, sts_answer(),
 * netstring out. What the cache cannot answer it asks the resolver over a channel; it
 * opens no connection, writes no file, and goes on answering while the resolver is away.
 * Started by the supervisor with one end of a pair as ROLE_FD; returns the exit status.
 */
int answerer_main(void);

#endif
