/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>
#include <sys/un.h>

#include "value.h"

/* "ADDRESS", "[V6]", "localhost" or "*". No name is looked up: a resolver is what stsd
 * waits for, not what its start may wait for. */
static const char *
host_problem(struct sts_str host, struct config_listen *out)
{
	struct sts_str inside = host;
	bool brackets = sts_str_starts(host, STS_STR("["));

	if (brackets) {
		inside = sts_str_from(inside, 1);
		if (!sts_str_ends(inside, STS_STR("]")))
			return "has no ']' after its IPv6 address";
		inside = sts_str_head(inside, inside.n - 1);
	} else if (sts_str_eq(host, STS_STR("*"))) {
		out->kind = CONFIG_LISTEN_ANY;
		return NULL;
	} else if (sts_str_eq(host, STS_STR("localhost"))) {
		inside = STS_STR("127.0.0.1");
	}
	if (!sts_addr_parse(inside, &out->addr))
		return "needs an address, localhost or * (no other name is looked up)";
	if (out->addr.v6 != brackets)
		return brackets ? "has brackets around what is no IPv6 address"
				: "needs [ and ] around its IPv6 address";
	return NULL;
}

static const char *
inet_problem(struct sts_str text, struct config_listen *out)
{
	struct sts_str host = text;
	unsigned long long port;

	while (host.n > 0 && host.p[host.n - 1] != ':')
		host.n--;
	if (host.n == 0)
		return "has no port: inet:HOST:PORT";
	if (!sts_str_number(sts_str_from(text, host.n), 65535, &port) || port == 0)
		return "has no port from 1 to 65535";
	out->port = (uint16_t)port;
	return host_problem(sts_str_head(host, host.n - 1), out);
}

static const char *
unix_problem(struct sts_str path, struct config_listen *out)
{
	const struct sockaddr_un un;

	if (value_path_problem(path) != NULL)
		return value_path_problem(path);
	if (path.n >= sizeof(un.sun_path))
		return "is too long a path for a socket (107 bytes)";
	out->path = path.p;
	return NULL;
}

const char *
config_listen_parse(const char *text, struct config_listen *out)
{
	struct sts_str all = sts_str_of(text);
	struct config_listen found = { 0 };
	const char *problem = "is neither inet:HOST:PORT nor unix:PATH";

	if (sts_str_starts(all, STS_STR("inet:"))) {
		found.kind = CONFIG_LISTEN_INET;
		problem = inet_problem(sts_str_from(all, strlen("inet:")), &found);
	} else if (sts_str_starts(all, STS_STR("unix:"))) {
		found.kind = CONFIG_LISTEN_UNIX;
		problem = unix_problem(sts_str_from(all, strlen("unix:")), &found);
	}
	if (problem == NULL)
		*out = found;
	return problem;
}
