/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config.h"

/* Connections that wait while all answerers are busy; the kernel has a limit too. */
#define BACKLOG 4096

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static int
fail(char *why, size_t why_n, const char *spec, const char *what)
{
	(void)snprintf(why, why_n, "%s: %s", spec, what);
	return -1;
}

static int
append(struct listeners *to, int fd, bool inet, const char *spec, const char *path)
{
	struct listener *all = realloc(to->all, (to->count + 1) * sizeof(*all));
	struct listener *l;

	if (all == NULL)
		return -1;
	to->all = all;
	l = &all[to->count];
	l->fd = fd;
	l->inet = inet;
	l->spec = strdup(spec);
	l->path = path == NULL ? NULL : strdup(path);
	if (l->spec == NULL || (path != NULL && l->path == NULL)) {
		free(l->spec);
		free(l->path);
		return -1;
	}
	to->count++;
	return 0;
}

/* A listening inet socket, or -1 with errno. */
static int
bind_inet(const union address *a)
{
	bool v6 = a->any.sa_family == AF_INET6;
	socklen_t n = v6 ? sizeof(a->v6) : sizeof(a->v4);
	int one = 1, saved;
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    (!v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(fd, &a->any, n) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
append_inet(struct listeners *to, const union address *a, const char *spec)
{
	int fd = bind_inet(a);

	if (fd == -1)
		return -1;
	if (append(to, fd, true, spec, NULL) == -1) {
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* Every address of both families; a machine without one family has the other. */
static int
open_everywhere(struct listeners *to, const char *spec, in_port_t port)
{
	union address v6 = { .v6 = { .sin6_family = AF_INET6, .sin6_port = port } };
	union address v4 = { .v4 = { .sin_family = AF_INET, .sin_port = port } };
	bool had_v6 = append_inet(to, &v6, spec) == 0;

	if (!had_v6 && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
		return -1;
	if (append_inet(to, &v4, spec) == 0)
		return 0;
	return had_v6 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) ? 0 : -1;
}

static void
fill_address(const struct config_listen *where, union address *a)
{
	if (where->addr.v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(where->port);
		memcpy(&a->v6.sin6_addr, where->addr.bytes, 16);
	} else {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons(where->port);
		memcpy(&a->v4.sin_addr, where->addr.bytes, 4);
	}
}

static int
open_inet(struct listeners *to, const char *spec, const struct config_listen *where,
    char *why, size_t why_n)
{
	union address a = { 0 };
	size_t before = to->count;
	int result;

	if (where->kind == CONFIG_LISTEN_ANY) {
		result = open_everywhere(to, spec, htons(where->port));
	} else {
		fill_address(where, &a);
		result = append_inet(to, &a, spec);
	}
	if (result == -1) {
		fail(why, why_n, spec, strerror(errno));
		while (to->count > before) {
			struct listener *l = &to->all[--to->count];

			close(l->fd);
			free(l->spec);
		}
	}
	return result;
}

/* Does nobody answer at this socket any more? */
static bool
is_stale(const union address *a, socklen_t n)
{
	struct stat st;
	bool stale;
	int fd;

	if (lstat(a->local.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	stale = connect(fd, &a->any, n) == -1 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
bind_local(int fd, const union address *a, socklen_t n)
{
	/* Nobody may connect before mode and group are what was asked for. */
	mode_t mask = umask(0177);
	int result = bind(fd, &a->any, n);

	if (result == -1 && errno == EADDRINUSE) {
		if (is_stale(a, n) && unlink(a->local.sun_path) == 0)
			result = bind(fd, &a->any, n);
		else
			errno = EADDRINUSE;
	}
	umask(mask);
	return result;
}

static int
open_unix(struct listeners *to, const char *spec, const char *path,
    const struct listen_style *style, char *why, size_t why_n)
{
	size_t n = strlen(path);
	union address a = { .local = { .sun_family = AF_UNIX } };
	socklen_t a_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	bool bound = false;
	int fd;

	assert(n < sizeof(a.local.sun_path)); /* config_listen_parse looked */
	memcpy(a.local.sun_path, path, n + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return fail(why, why_n, spec, strerror(errno));
	bound = bind_local(fd, &a, a_n) == 0;
	if (!bound || chown(path, style->owner, style->group) == -1 ||
	    chmod(path, style->mode) == -1 || listen(fd, BACKLOG) == -1) {
		fail(why, why_n, spec,
		    errno == EADDRINUSE ? "something else is there" : strerror(errno));
		goto failed;
	}
	if (append(to, fd, false, spec, path) == 0)
		return 0;
	fail(why, why_n, spec, strerror(ENOMEM));
failed:
	if (bound)
		unlink(path);
	close(fd);
	return -1;
}

int
listen_open(struct listeners *to, const char *spec, const struct listen_style *style,
    char *why, size_t why_n)
{
	struct config_listen where;
	const char *problem = config_listen_parse(spec, &where);

	if (problem != NULL)
		return fail(why, why_n, spec, problem);
	if (where.kind == CONFIG_LISTEN_UNIX)
		return open_unix(to, spec, where.path, style, why, why_n);
	return open_inet(to, spec, &where, why, why_n);
}

const char *
listen_adopt(struct listeners *to, int fd, bool local)
{
	int type = 0, accepting = 0, domain = 0, flags;
	socklen_t n = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &n) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == -1)
		return strerror(errno);
	if (type != SOCK_STREAM || !accepting)
		return "not a listening stream socket";
	if (local && domain != AF_UNIX)
		return "not a unix socket";
	if (domain != AF_UNIX && domain != AF_INET && domain != AF_INET6)
		return "neither an inet nor a unix socket";
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    append(to, fd, domain != AF_UNIX, LISTEN_ADOPTED, NULL) == -1)
		return strerror(errno);
	return NULL;
}

int
listen_share(struct listeners *to, const struct listeners *from, const char *spec)
{
	int shared = 0;

	for (size_t i = 0; i < from->count; i++) {
		const struct listener *l = &from->all[i];
		int fd;

		if (strcmp(l->spec, spec) != 0)
			continue;
		fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
		if (fd == -1)
			return -1;
		if (append(to, fd, l->inet, spec, l->path) == -1) {
			close(fd);
			return -1;
		}
		shared++;
	}
	return shared;
}

void
listen_text(const struct listener *l, char *out, size_t out_n)
{
	union address a = { 0 };
	socklen_t n = sizeof(a);
	char host[INET6_ADDRSTRLEN];

	(void)snprintf(out, out_n, "%s", l->spec);
	if (getsockname(l->fd, &a.any, &n) == -1)
		return;
	if (a.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
		(void)snprintf(out, out_n, "inet:%s:%u", host, ntohs(a.v4.sin_port));
	} else if (a.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
		(void)snprintf(out, out_n, "inet:[%s]:%u", host, ntohs(a.v6.sin6_port));
	} else if (a.local.sun_path[0] != '\0') {
		(void)snprintf(out, out_n, "unix:%.107s", a.local.sun_path);
	}
}

static bool
has_path(const struct listeners *l, const char *path)
{
	for (size_t i = 0; l != NULL && i < l->count; i++)
		if (l->all[i].path != NULL && strcmp(l->all[i].path, path) == 0)
			return true;
	return false;
}

void
listeners_done(struct listeners *l, const struct listeners *kept)
{
	for (size_t i = 0; i < l->count; i++) {
		struct listener *one = &l->all[i];

		close(one->fd);
		if (one->path != NULL && !has_path(kept, one->path))
			unlink(one->path);
		free(one->spec);
		free(one->path);
	}
	free(l->all);
	*l = (struct listeners){ 0 };
}
