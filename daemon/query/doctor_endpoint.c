/* SPDX-License-Identifier: MIT */
#include "doctor_endpoint.h"

#include <string.h>

#include "addr.h"

/* --- Sockets: Postfix names them as it sees them --- */

static struct sts_str
queue_of(const struct doctor_view *v)
{
	return doctor_value(v, "queue_directory");
}

/* Its working directory is the queue directory, which is also where "/" is in a chroot. */
static struct sts_str
seen_path(const struct doctor_view *v, struct sts_str path)
{
	if (path.n > 0 && path.p[0] == '/')
		return path;
	if (v->any_chrooted)
		return doctor_format(v->doctor, "/%.*s", DOCTOR_S(path));
	return doctor_format(v->doctor, "%.*s/%.*s", DOCTOR_S(queue_of(v)),
	    DOCTOR_S(path));
}

static struct sts_str
real_path(const struct doctor_view *v, struct sts_str seen)
{
	if (!v->any_chrooted)
		return seen;
	return doctor_format(v->doctor, "%.*s%.*s", DOCTOR_S(queue_of(v)),
	    DOCTOR_S(seen));
}

/* "/a//b" is "/a/b". */
static bool
same_path(struct sts_str a, struct sts_str b)
{
	size_t i = 0, j = 0;

	while (i < a.n && j < b.n && a.p[i] == b.p[j]) {
		bool slash = a.p[i] == '/';

		do
			i++;
		while (slash && i < a.n && a.p[i] == '/');
		do
			j++;
		while (slash && j < b.n && b.p[j] == '/');
	}
	return i == a.n && j == b.n;
}

static bool
listens_at_path(const struct doctor_view *v, struct sts_str path)
{
	const struct config_list *listen = &v->doctor->stsd->config->listen;
	struct config_listen l;

	for (size_t i = 0; i < listen->count; i++)
		if (config_listen_parse(listen->items[i], &l) == NULL &&
		    l.kind == CONFIG_LISTEN_UNIX && same_path(sts_str_of(l.path), path))
			return true;
	return false;
}

static enum doctor_reach
reach_socket(const struct doctor_view *v, const struct pf_socketmap *whom)
{
	const struct doctor_world *world = v->doctor->world;
	struct doctor_place at = { .account = doctor_value(v, "mail_owner"),
		.root = v->any_chrooted ? queue_of(v) : STS_STR_NONE,
		.path = seen_path(v, whom->path) };
	bool is_ours = listens_at_path(v, real_path(v, at.path));
	enum doctor_voice voice;

	switch (world->look(world->arg, DOCTOR_SOCKET, &at)) {
	case DOCTOR_DENIED:
		return DOCTOR_NOT_ALLOWED;
	case DOCTOR_MISSING:
	case DOCTOR_WRONG:
		if (is_ours)
			return DOCTOR_SILENT;
		return listens_at_path(v, whom->path) ? DOCTOR_OUT_OF_REACH : DOCTOR_LOST;
	case DOCTOR_HIDDEN:
		return is_ours ? DOCTOR_REACHED : DOCTOR_OTHER;
	case DOCTOR_FINE:
		break;
	}
	voice = world->ask(world->arg, whom, &at);
	if (voice == DOCTOR_STSD)
		return DOCTOR_REACHED;
	if (voice == DOCTOR_SOMEBODY)
		return is_ours ? DOCTOR_TAKEN : DOCTOR_OTHER;
	return is_ours ? DOCTOR_SILENT : DOCTOR_LOST;
}

/* --- Addresses --- */

static bool
is_port(struct sts_str text, uint16_t port)
{
	unsigned long long number;

	return sts_str_number(text, 65535, &number) && number == port;
}

static bool
is_any(const struct sts_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->bytes, zeros, addr->v6 ? 16 : 4) == 0;
}

static bool
is_loopback(const struct sts_addr *addr)
{
	struct sts_addr v6 = { .bytes = { [15] = 1 }, .v6 = true };

	return addr->v6 ? sts_addr_eq(addr, &v6) : addr->bytes[0] == 127;
}

static bool
is_host(struct sts_str host, const struct config_listen *l)
{
	struct sts_addr addr;
	bool any = l->kind == CONFIG_LISTEN_ANY || is_any(&l->addr);

	if (sts_str_eq_nocase(host, STS_STR("localhost")))
		return any || is_loopback(&l->addr);
	if (!sts_addr_parse(host, &addr))
		return false;
	return any ? is_loopback(&addr) : sts_addr_eq(&addr, &l->addr);
}

static bool
listens_at_address(const struct doctor_view *v, const struct pf_socketmap *whom)
{
	const struct config_list *listen = &v->doctor->stsd->config->listen;
	struct config_listen l;

	for (size_t i = 0; i < listen->count; i++)
		if (config_listen_parse(listen->items[i], &l) == NULL &&
		    l.kind != CONFIG_LISTEN_UNIX && is_port(whom->port, l.port) &&
		    is_host(whom->host, &l))
			return true;
	return false;
}

enum doctor_reach
doctor_reach(const struct doctor_view *v, const struct pf_socketmap *whom)
{
	const struct doctor_world *world = v->doctor->world;
	bool is_ours;

	if (whom->is_unix)
		return reach_socket(v, whom);
	is_ours = listens_at_address(v, whom);
	switch (world->ask(world->arg, whom, NULL)) {
	case DOCTOR_STSD:
		return DOCTOR_REACHED;
	case DOCTOR_SOMEBODY:
		return is_ours ? DOCTOR_TAKEN : DOCTOR_OTHER;
	case DOCTOR_NOBODY:
		break;
	}
	return is_ours ? DOCTOR_SILENT : DOCTOR_LOST;
}

/* --- Choosing --- */

static struct sts_str
inet_text(const struct doctor_view *v, const struct config_listen *l)
{
	char text[STS_ADDR_TEXT];

	if (l->kind == CONFIG_LISTEN_ANY || (is_any(&l->addr) && !l->addr.v6))
		return doctor_format(v->doctor, "inet:127.0.0.1:%u", l->port);
	if (is_any(&l->addr))
		return doctor_format(v->doctor, "inet:[::1]:%u", l->port);
	(void)sts_addr_text(&l->addr, text);
	return doctor_format(v->doctor, l->addr.v6 ? "inet:[%s]:%u" : "inet:%s:%u", text,
	    l->port);
}

/* Below the queue directory: relative, which is right in a chroot and out of it. */
static struct sts_str
unix_text(const struct doctor_view *v, struct sts_str path)
{
	struct sts_str queue = queue_of(v);

	if (queue.n > 0 && path.n > queue.n + 1 && sts_str_starts(path, queue) &&
	    path.p[queue.n] == '/')
		return doctor_format(v->doctor, "unix:%.*s",
		    DOCTOR_S(sts_str_from(path, queue.n + 1)));
	if (v->any_chrooted)
		return STS_STR_NONE;
	return doctor_format(v->doctor, "unix:%.*s", DOCTOR_S(path));
}

static struct sts_str
endpoint_text(const struct doctor_view *v, const char *item)
{
	struct config_listen l;

	if (config_listen_parse(item, &l) != NULL)
		return STS_STR_NONE;
	if (l.kind == CONFIG_LISTEN_UNIX)
		return unix_text(v, sts_str_of(l.path));
	return inet_text(v, &l);
}

static enum doctor_reach
reach_endpoint(const struct doctor_view *v, struct sts_str endpoint)
{
	struct pf_socketmap s;

	if (endpoint.n == 0 ||
	    !pf_postconf_socketmap(
		doctor_format(v->doctor, "%.*s:QUERY", DOCTOR_S(endpoint)), &s))
		return DOCTOR_OUT_OF_REACH;
	return doctor_reach(v, &s);
}

struct sts_str
doctor_choose(const struct doctor_view *v, bool *is_silent)
{
	const struct config_list *listen = &v->doctor->stsd->config->listen;
	struct sts_str second = STS_STR_NONE;

	for (size_t i = 0; i < listen->count; i++) {
		struct sts_str endpoint = endpoint_text(v, listen->items[i]);
		enum doctor_reach reach = reach_endpoint(v, endpoint);

		if (reach == DOCTOR_REACHED)
			return endpoint;
		if (reach == DOCTOR_SILENT && second.n == 0)
			second = endpoint;
	}
	*is_silent = second.n > 0;
	return second;
}

struct sts_str
doctor_listen_text(const struct doctor_view *v)
{
	const struct config_list *listen = &v->doctor->stsd->config->listen;
	struct sts_str all = STS_STR("");

	for (size_t i = 0; i < listen->count; i++)
		all = doctor_format(v->doctor, "%.*s%s%s", DOCTOR_S(all),
		    all.n > 0 ? " " : "", listen->items[i]);
	return all;
}
