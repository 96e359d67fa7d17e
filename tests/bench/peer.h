/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* "unix:PATH" or "inet:ADDRESS:PORT" (IPv4), as Postfix and stsd write it. */
struct peer {
	socklen_t n;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_un un;
	} to;
};

static inline bool
peer_parse(const char *text, struct peer *peer)
{
	const char *colon = strrchr(text, ':');
	char address[64] = "";

	memset(peer, 0, sizeof(*peer));
	if (strncmp(text, "unix:", 5) == 0 &&
	    strlen(text + 5) < sizeof(peer->to.un.sun_path)) {
		peer->to.un.sun_family = AF_UNIX;
		strcpy(peer->to.un.sun_path, text + 5);
		peer->n = sizeof(peer->to.un);
		return true;
	}
	if (strncmp(text, "inet:", 5) != 0 || colon < text + 5 ||
	    (size_t)(colon - text - 5) >= sizeof(address))
		return false;
	memcpy(address, text + 5, (size_t)(colon - text - 5));
	peer->to.in.sin_family = AF_INET;
	peer->to.in.sin_port = htons((uint16_t)atoi(colon + 1));
	peer->n = sizeof(peer->to.in);
	return inet_pton(AF_INET, address, &peer->to.in.sin_addr) == 1;
}

#endif
