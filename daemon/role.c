/* SPDX-License-Identifier: MIT */
#include "role.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "metrics.h"

/* No file that we hand to a role is larger: a million overrides fit. */
#define FILE_MAX (256ul * 1024 * 1024)

/* Corrections of less concern neither policies nor certificates. */
#define CLOCKS_APART 86400

static void
on_fault(int signo)
{
	if (sts_cache_is_inside())
		_exit(ROLE_EXIT_CACHE);
	(void)signal(signo, SIG_DFL); /* our own fault: die of it, with a core */
	(void)raise(signo);
}

bool
role_is_ours(void)
{
	struct stat st;

	return fstat(ROLE_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void
set_signals(void)
{
	static const int ignored[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1 };
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)sigaction(ignored[i], &action, NULL);
	action.sa_handler = on_fault;
	action.sa_flags = (int)SA_NODEFER;
	(void)sigaction(SIGBUS, &action, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool
role_begin(struct role *r, const char *name, ipc_on_message *on, void *arg)
{
	char title[16];

	*r = (struct role){ .name = name };
	set_signals();
	(void)snprintf(title, sizeof(title), "stsd-%s", name);
	(void)prctl(PR_SET_NAME, title); /* the executable may have another name */
	log_open(name, LOG_LEVEL_INFO, false, false);
	r->loop = sts_loop_new();
	if (r->loop != NULL)
		r->supervisor = ipc_new(r->loop, ROLE_FD, on, arg);
	if (r->supervisor == NULL)
		return false;
	(void)ipc_send(r->supervisor,
	    &(struct ipc_message){ .type = IPC_HELLO,
		.fd = -1,
		.text = STS_STR(STSD_VERSION) });
	return true;
}

void
role_share_cpu(int niceness, uint64_t slice_us)
{
	struct sched_attr attr = { .size = sizeof(attr),
		.sched_flags = SCHED_FLAG_KEEP_POLICY,
		.sched_runtime = slice_us * 1000 };

	(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + niceness);
	attr.sched_nice = getpriority(PRIO_PROCESS, 0);
	(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

int
role_exit_of(const struct config_errors *errors)
{
	return errors->ours ? ROLE_EXIT_INTERNAL : ROLE_EXIT_CONFIG;
}

void
role_run(struct role *r)
{
	if (sts_loop_run(r->loop) == -1)
		r->status = ROLE_EXIT_INTERNAL;
}

void
role_end(struct role *r)
{
	ipc_free(r->supervisor);
	config_free(r->config);
	sts_loop_free(r->loop);
}

void
role_leave(struct role *r, int status)
{
	if (r->status == 0) /* what comes after the first reason follows from it */
		r->status = status;
	sts_loop_stop(r->loop);
}

void
role_fail(struct role *r, int status, const char *why)
{
	log_say(LOG_LEVEL_ERROR, "role-failed", "%s", why);
	(void)ipc_send(r->supervisor,
	    &(struct ipc_message){ .type = IPC_FAILED,
		.fd = -1,
		.text = sts_str_of(why) });
	role_leave(r, status);
}

void
role_ready(struct role *r)
{
	(void)ipc_send(r->supervisor,
	    &(struct ipc_message){ .type = IPC_READY, .fd = -1 });
}

static void
take_config(struct role *r, int fd)
{
	struct config_errors errors = { 0 };
	struct sts_buf text = { 0 };

	if (r->config == NULL && role_read_fd(fd, &text))
		r->config = config_parse_text(sts_buf_str(&text), "settings", &errors);
	if (r->config != NULL)
		log_open(r->name, (enum log_level)r->config->log_level,
		    r->config->log_json, r->config->syslog);
	else
		role_fail(r, ROLE_EXIT_INTERNAL,
		    errors.count > 0 ? errors.lines[0] : "unreadable configuration");
	config_errors_done(&errors);
	sts_buf_done(&text);
}

bool
role_handle(struct role *r, const struct ipc_message *m)
{
	if (m->type == IPC_HELLO) {
		if (!sts_str_eq(m->text, STS_STR(STSD_VERSION)))
			role_fail(r, ROLE_EXIT_INTERNAL,
			    "the supervisor is another version");
	} else if (m->type == IPC_CONFIG) {
		take_config(r, m->fd);
	} else if (m->type == IPC_CLOCK) {
		if (m->text.n == sizeof(r->clock))
			memcpy(&r->clock, m->text.p, sizeof(r->clock));
	} else if (m->type == IPC_METRICS) {
		(void)metrics_attach(m->fd);
	} else if (m->type == IPC_PING) {
		metrics_beat();
		(void)ipc_send(r->supervisor,
		    &(struct ipc_message){ .type = IPC_PONG,
			.number = m->number,
			.fd = -1 });
	} else {
		return false;
	}
	return true;
}

struct role_cache_files
role_cache_files(const struct config *c)
{
	struct role_cache_files files;

	(void)snprintf(files.data, sizeof(files.data), "%s/cache.mdb",
	    c->state_directory);
	(void)snprintf(files.lock, sizeof(files.lock), "%s/cache.mdb-lock",
	    c->state_directory);
	return files;
}

/* Whoever looks for why nothing can be fetched, or why policies do not age, finds it here. */
static void
compare_clocks(void)
{
	int64_t wall = time(NULL), ours = sts_clock_now();

	if (ours - wall < CLOCKS_APART && wall - ours < CLOCKS_APART)
		return;
	log_begin(LOG_LEVEL_WARNING, "clock", STS_STR_NONE,
	    "the wall clock is not where it was when the cache was used last; policies "
	    "age by stsd's, and certificates are judged by the wall clock");
	log_time("wall", wall);
	log_time("stsd", ours);
	log_end();
}

struct sts_cache *
role_open_cache(struct role *r, bool writer)
{
	struct sts_cache *cache;
	struct sts_clock_mark mark;
	char path[4096], why[256] = "";
	enum sts_err err;

	(void)snprintf(path, sizeof(path), "%s/cache.mdb", r->config->state_directory);
	err = sts_cache_open(path, r->config->cache_size, writer, writer ? r->loop : NULL,
	    &cache, why, sizeof(why));
	if (err != STS_OK) {
		/* Want of memory or descriptors is no reason to move the file aside. */
		role_fail(r, err == STS_ERR_CACHE ? ROLE_EXIT_CACHE : ROLE_EXIT_INTERNAL,
		    why);
		return NULL;
	}
	sts_clock_set(&r->clock, sts_cache_mark(cache, &mark) == STS_OK ? &mark : NULL);
	sts_cache_pause(cache);
	if (writer)
		compare_clocks();
	return cache;
}

bool
role_read_fd(int fd, struct sts_buf *to)
{
	char chunk[16384];
	off_t at = 0;
	ssize_t n;

	to->limit = FILE_MAX;
	while ((n = pread(fd, chunk, sizeof(chunk), at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return false;
		sts_put(to, (struct sts_str){ chunk, (size_t)n });
		at += n;
	}
	return !to->bad;
}
