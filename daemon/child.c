/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc.h"
#include "log.h"
#include "role.h"
#include "rules.h"

#ifndef STSD_LIBEXEC
# define STSD_LIBEXEC "/usr/local/libexec/stsd"
#endif

/* Out of the way of 0, 1, 2 and ROLE_FD, which a child gets. */
#define FD_HIGH 10

const char *
child_role_text(enum child_role role)
{
	switch (role) {
	case CHILD_ANSWERER:
		return "answerer";
	case CHILD_RESOLVER:
		break;
	}
	return "resolver";
}

static int
open_program(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), high;

	if (fd == -1)
		return -1;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	close(fd);
	return high;
}

int
programs_open(struct programs *p, char *why, size_t why_n)
{
	char path[4096 + sizeof("/stsd-resolver")];
	ssize_t n = readlink("/proc/self/exe", path, 4095);
	char *slash;

	p->resolver = -1;
	p->stsd = open_program("/proc/self/exe");
	if (n == -1 || p->stsd == -1) {
		(void)snprintf(why, why_n, "/proc/self/exe: %s", strerror(errno));
		return -1;
	}
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL) {
		memcpy(slash, "/stsd-resolver", sizeof("/stsd-resolver"));
		p->resolver = open_program(path);
	}
	if (p->resolver == -1)
		p->resolver = open_program(STSD_LIBEXEC "/stsd-resolver");
	if (p->resolver != -1)
		return 0;
	(void)snprintf(why, why_n, "stsd-resolver is neither beside stsd nor in %s: %s",
	    STSD_LIBEXEC, strerror(errno));
	return -1;
}

/* In the new process, between fork and exec: only what is safe there. */
_Noreturn static void
become(int program, const char *name, int fd)
{
	char *const argv[] = { (char *)name, NULL };
	const char *stream = getenv("JOURNAL_STREAM");
	char journal[80];
	/* Libraries of libcurl's that nobody asked for would read files and keep memory.
	 * glibc would keep the last few freed blocks of each size at hand, and with each of
	 * them a page: after a storm of fetches, which leaves them all over the heap, most
	 * of what could be given back. A handshake is none the slower without. */
	char *environment[] = { (char *)"GNUTLS_NO_IMPLICIT_INIT=1",
		(char *)"LDAPNOINIT=1",
		(char *)"GLIBC_TUNABLES=glibc.malloc.tcache_count=0", NULL, NULL };

	/* Its log goes where ours goes (logsink.c). */
	if (stream != NULL &&
	    (size_t)snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s", stream) <
		sizeof(journal))
		environment[3] = journal;

	if (fd == ROLE_FD)
		(void)fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, ROLE_FD) == -1)
		_exit(CHILD_NO_EXEC);
	/* Also what whoever started us has left open. */
	(void)close_range(ROLE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	(void)fexecve(program, argv, environment);
	log_say(LOG_LEVEL_ERROR, "exec-failed", "%s: %s", name, strerror(errno));
	_exit(CHILD_NO_EXEC);
}

static void
on_message(void *arg, const struct ipc_message *m)
{
	struct child *c = arg;

	if (m == NULL)
		return; /* its end is seen by waitpid(2) */
	if (m->fd != -1)
		close(m->fd);
	c->seen_ms = sts_loop_ms(c->loop);
	if (m->type == IPC_FAILED &&
	    c->failed[0] == '\0') { /* what follows follows from it */
		(void)snprintf(c->failed, sizeof(c->failed), "%.*s",
		    (int)(m->text.n < sizeof(c->failed) ? m->text.n : sizeof(c->failed)),
		    m->text.p);
	} else if (m->type == IPC_READY && c->state == CHILD_STARTING) {
		c->state = CHILD_READY;
		c->on_ready(c->arg, c);
	} else if (m->type == IPC_NUMBERS) {
		c->on_numbers(c->arg, c);
	}
}

static void
tell(struct child *c, enum ipc_type type, uint32_t number, int fd)
{
	(void)ipc_send(c->ipc,
	    &(struct ipc_message){ .type = type, .number = number, .fd = fd });
}

static void
give(const struct child *c, const struct ipc_message *m)
{
	if (ipc_send(c->ipc, m) == -1)
		(void)kill(c->pid, SIGKILL);
}

static void
give_fd(const struct child *c, enum ipc_type type, uint32_t number, int fd)
{
	give(c, &(struct ipc_message){ .type = type, .number = number, .fd = fd });
}

/* Whatever it works by. What it missed (an override, a socket) it would miss for as long
 * as it lives, and might not know: it is started again. */
static void
equip(struct child *c, const struct child_start *start, uint32_t worker, int page_fd)
{
	const struct site *s = start->site;
	struct ipc_message m = { .type = IPC_HELLO,
		.fd = -1,
		.text = STS_STR(STSD_VERSION) };

	give(c, &m);
	m.type = IPC_CLOCK;
	m.text = (struct sts_str){ (const char *)start->clock, sizeof(*start->clock) };
	give(c, &m);
	give_fd(c, IPC_METRICS, 0, page_fd);
	give_fd(c, IPC_CONFIG, 0, s->config_fd);
	if (s->overrides_fd != -1)
		give_fd(c, IPC_OVERRIDES, 0, s->overrides_fd);
	if (c->role == CHILD_RESOLVER) {
		give_fd(c, IPC_CA, 0, s->ca_fd);
		for (size_t i = 0; i < s->control.count; i++)
			give_fd(c, IPC_LISTENER, 0, s->control.all[i].fd);
	} else {
		if (start->shares_fd != -1)
			give_fd(c, IPC_SHARES, worker, start->shares_fd);
		for (size_t i = 0; i < s->listeners.count; i++)
			give_fd(c, IPC_LISTENER, s->listeners.all[i].inet,
			    s->listeners.all[i].fd);
	}
	give_fd(c, IPC_GO, 0, -1);
}

struct child *
child_new(const struct child_start *start, enum child_role role, uint32_t worker)
{
	struct child *c = calloc(1, sizeof(*c));
	struct sts_rules rules = rules_of(start->site->config);
	int pair[2] = { -1, -1 }, page_fd = -1;

	if (c == NULL)
		return NULL;
	c->role = role;
	c->loop = start->loop;
	c->on_ready = start->on_ready;
	c->on_numbers = start->on_numbers;
	c->arg = start->arg;
	c->rules = rules_pack(&rules);
	c->started_ms = c->seen_ms = sts_loop_ms(start->loop);
	c->page = metrics_page_new(&page_fd);
	if (c->page == NULL || ipc_pair(pair) == -1)
		goto failed;
	c->ipc = ipc_new(start->loop, pair[0], on_message, c);
	if (c->ipc == NULL) {
		close(pair[0]);
		goto failed;
	}
	c->pid = fork();
	if (c->pid == -1)
		goto failed;
	if (c->pid == 0 && role == CHILD_ANSWERER)
		become(start->programs->stsd, CHILD_ANSWERER_NAME, pair[1]);
	if (c->pid == 0)
		become(start->programs->resolver, "stsd-resolver", pair[1]);
	close(pair[1]);
	equip(c, start, worker, page_fd);
	close(page_fd);
	log_begin(LOG_LEVEL_INFO, "process-started", STS_STR_NONE, "");
	log_text("process", sts_str_of(child_role_text(role)));
	log_number("pid", c->pid);
	log_end();
	return c;

failed:
	if (pair[1] != -1)
		close(pair[1]);
	if (page_fd != -1)
		close(page_fd);
	child_free(c);
	return NULL;
}

void
child_free(struct child *c)
{
	if (c == NULL)
		return;
	ipc_free(c->ipc);
	metrics_page_end(c->page);
	free(c);
}

int
child_connect(struct child *answerer, struct child *resolver)
{
	struct ipc_message m = { .type = IPC_CHANNEL, .flags = resolver->rules };
	struct child *deaf = resolver;
	int pair[2];

	if (ipc_pair(pair) == 0) {
		m.fd = pair[0];
		if (ipc_send(resolver->ipc, &m) == 0) {
			m.fd = pair[1];
			deaf = ipc_send(answerer->ipc, &m) == 0 ? NULL : answerer;
		}
		close(pair[0]);
		close(pair[1]);
	}
	if (deaf == NULL)
		return 0;
	/* Else nothing new could be looked up: the next one is connected again. */
	(void)kill(deaf->pid, SIGKILL);
	return -1;
}

void
child_drain(struct child *c)
{
	if (c->state == CHILD_STOPPING)
		return;
	tell(c, IPC_DRAIN, 0, -1);
	c->state = CHILD_DRAINING;
}

void
child_stop(struct child *c)
{
	if (c->state == CHILD_STOPPING)
		return;
	tell(c, IPC_STOP, 0, -1);
	c->state = CHILD_STOPPING;
	c->stopping_ms = sts_loop_ms(c->loop);
}

void
child_kill(struct child *c)
{
	if (c->state != CHILD_STOPPING)
		c->stopping_ms = sts_loop_ms(c->loop);
	c->state = CHILD_STOPPING;
	(void)kill(c->pid, SIGKILL);
}

void
child_ping(struct child *c)
{
	tell(c, IPC_PING, 0, -1);
}

void
child_show_statistics(struct child *c)
{
	tell(c, IPC_STATISTICS, 0, -1);
}

void
child_tell_numbers(struct child *c, struct sts_str text)
{
	(void)ipc_send(c->ipc,
	    &(struct ipc_message){ .type = IPC_NUMBERS, .fd = -1, .text = text });
}
