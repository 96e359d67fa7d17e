/* SPDX-License-Identifier: MIT */
/*
 * What each role can no longer do, and what it still can: every case is a process that
 * enters the sandbox of a role and tries.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "landlock.h"
#include "seccomp.h"
#include "test.h"

int test_failed;

/* How a case ended, when not with an errno. */
enum { WORKS = 0, KILLED = -1 };
/* Of a process that a case started. */
#define NOT_EXECUTED 126

static char directory[] = "/tmp/stsd-sandbox-XXXXXX";
static struct {
	char state[64], cache[80], lock[80], other[80], moved[80], sock[80];
} path;
static struct sockaddr_in open_port, closed_port;

/* ---- what is tried: 0 or errno ---- */

static int
outcome(long result)
{
	return result == -1 ? errno : WORKS;
}

static int
opens(const char *file, int flags)
{
	return outcome(open(file, flags | O_CLOEXEC, 0600));
}

static int
reads_cache(void)
{
	return opens(path.cache, O_RDONLY);
}

static int
writes_cache(void)
{
	return opens(path.cache, O_RDWR);
}

static int
writes_lock(void)
{
	return opens(path.lock, O_RDWR);
}

static int
reads_other(void)
{
	return opens(path.other, O_RDONLY);
}

static int
reads_passwd(void)
{
	return opens("/etc/passwd", O_RDONLY);
}

static int
lists_root(void)
{
	return opens("/", O_RDONLY | O_DIRECTORY);
}

static int
makes_state_file(void)
{
	return opens(path.moved, O_WRONLY | O_CREAT);
}

static int
makes_file(void)
{
	char file[100];

	(void)snprintf(file, sizeof(file), "%s/new", directory);
	return opens(file, O_WRONLY | O_CREAT);
}

static int
moves_cache(void)
{
	int failed = outcome(rename(path.cache, path.moved));

	return failed != 0 ? failed : outcome(rename(path.moved, path.cache));
}

static int
removes_other(void)
{
	return outcome(unlink(path.other));
}

static int
connects(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd == -1 ? errno
			: outcome(connect(fd, (const struct sockaddr *)to, sizeof(*to)));
}

static int
connects_to_open_port(void)
{
	return connects(&open_port);
}

static int
connects_elsewhere(void)
{
	return connects(&closed_port);
}

static int
sends_by_udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd == -1
	    ? errno
	    : outcome(sendto(fd, "x", 1, 0, (const struct sockaddr *)&closed_port,
		  sizeof(closed_port)));
}

static int
listens(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) == -1)
		return errno;
	return outcome(listen(fd, 1));
}

static int
makes_unix_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), failed;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path.sock);
	failed = fd == -1 ? errno
			  : outcome(bind(fd, (const struct sockaddr *)&to, sizeof(to)));
	(void)unlink(path.sock);
	return failed;
}

static int
makes_local_socket(void)
{
	return outcome(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int
asks_the_kernel(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int
sniffs(void)
{
	return outcome(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

/* Also in a process of its own, as the supervisor does: in which a kill is one. */
static int
executes(const char *program)
{
	char *const argv[] = { (char *)program, (char *)"-c", (char *)":", NULL };
	char *const none[] = { NULL };

	(void)execve(program, argv, none);
	return errno;
}

static int
executes_own(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(executes("/bin/sh") == EACCES ? NOT_EXECUTED : 1);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return errno;
	if (!WIFEXITED(status))
		return KILLED;
	return WEXITSTATUS(status) == NOT_EXECUTED ? EACCES : WEXITSTATUS(status);
}

static int
executes_other(void)
{
	return executes("/usr/bin/env");
}

static int
forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int
traces(void)
{
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
looks_into_another(void)
{
	return outcome(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}

static int
mounts(void)
{
	return outcome(mount("none", directory, "tmpfs", 0, NULL));
}

static int
becomes_root(void)
{
	return outcome(syscall(SYS_setuid, 0));
}

static int
takes_bpf(void)
{
	return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int
loads_module(void)
{
	return outcome(syscall(SYS_finit_module, -1, "", 0));
}

static int
takes_namespace(void)
{
	return outcome(syscall(SYS_unshare, CLONE_NEWUSER));
}

static int
clones_into_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return outcome(pid);
}

static int
calls_what_nobody_knows(void)
{
	return outcome(syscall(9999));
}

static int
signals_another(void)
{
	return outcome(syscall(SYS_kill, getppid(), 0));
}

static int
signals_itself(void)
{
	return outcome(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

static int
maps_code(void)
{
	void *at =
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno : WORKS;
}

static int
makes_code(void)
{
	void *at =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? errno
				: outcome(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

/* What a loop lives on; each of these is in the table, or all would be in vain. */
static int
lives(void)
{
	char *grown = malloc(1 << 20);
	struct timespec t, nap = { 0, 1000 };
	int pair = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t one = 1;
	bool works = grown != NULL && pair != -1 && write(pair, &one, 8) == 8 &&
	    read(pair, &one, 8) == 8 && clock_gettime(CLOCK_BOOTTIME, &t) == 0 &&
	    nanosleep(&nap, NULL) == 0 && fcntl(pair, F_GETFL) != -1 && getpid() > 0;

	free(grown);
	return works ? WORKS : errno;
}

static int
dumps_core(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? EPERM : WORKS;
}

/* ---- how it goes ---- */

enum wants { NOTHING, SECCOMP, LANDLOCK, TCP, BOTH };

static const struct {
	const char *what;
	int (*try)(void);
	enum wants wants; /* to be told from a process without a sandbox */
	int supervisor, answerer, resolver;
} cases[] = {
	{ "lives", lives, NOTHING, WORKS, WORKS, WORKS },
	{ "reads the cache", reads_cache, NOTHING, WORKS, WORKS, WORKS },
	{ "writes the cache", writes_cache, LANDLOCK, WORKS, EACCES, WORKS },
	{ "writes the lock", writes_lock, NOTHING, WORKS, WORKS, WORKS },
	{ "reads another file", reads_other, LANDLOCK, WORKS, EACCES, EACCES },
	{ "reads passwd", reads_passwd, LANDLOCK, WORKS, EACCES, EACCES },
	{ "lists /", lists_root, LANDLOCK, WORKS, EACCES, EACCES },
	{ "makes a file in the state", makes_state_file, LANDLOCK, WORKS, EACCES,
	    EACCES },
	{ "makes a file elsewhere", makes_file, LANDLOCK, EACCES, EACCES, EACCES },
	{ "moves the cache", moves_cache, SECCOMP, WORKS, ENOSYS, ENOSYS },
	{ "removes another file", removes_other, BOTH, EACCES, ENOSYS, ENOSYS },
	{ "connects to a policy host", connects_to_open_port, SECCOMP, WORKS,
	    EAFNOSUPPORT, WORKS },
	{ "connects elsewhere", connects_elsewhere, TCP, ECONNREFUSED, EAFNOSUPPORT,
	    EACCES },
	{ "sends by UDP", sends_by_udp, SECCOMP, WORKS, EAFNOSUPPORT, WORKS },
	{ "listens", listens, BOTH, WORKS, EAFNOSUPPORT, EACCES },
	{ "makes a unix socket", makes_unix_socket, BOTH, WORKS, EAFNOSUPPORT, EACCES },
	{ "local socket", makes_local_socket, SECCOMP, WORKS, EAFNOSUPPORT, WORKS },
	{ "asks the kernel", asks_the_kernel, SECCOMP, WORKS, EAFNOSUPPORT,
	    EAFNOSUPPORT },
	{ "sniffs", sniffs, SECCOMP, KILLED, KILLED, KILLED },
	{ "executes its own", executes_own, SECCOMP, WORKS, ENOSYS, ENOSYS },
	{ "executes another", executes_other, BOTH, EACCES, KILLED, KILLED },
	{ "forks", forks, SECCOMP, WORKS, ENOSYS, ENOSYS },
	{ "traces", traces, SECCOMP, KILLED, KILLED, KILLED },
	{ "looks into another", looks_into_another, SECCOMP, KILLED, KILLED, KILLED },
	{ "mounts", mounts, SECCOMP, KILLED, KILLED, KILLED },
	{ "becomes root", becomes_root, SECCOMP, KILLED, KILLED, KILLED },
	{ "bpf", takes_bpf, SECCOMP, KILLED, KILLED, KILLED },
	{ "loads a module", loads_module, SECCOMP, KILLED, KILLED, KILLED },
	{ "takes a namespace", takes_namespace, SECCOMP, KILLED, KILLED, KILLED },
	{ "clones into one", clones_into_namespace, SECCOMP, EPERM, ENOSYS, ENOSYS },
	{ "an unknown call", calls_what_nobody_knows, NOTHING, ENOSYS, ENOSYS, ENOSYS },
	{ "signals another", signals_another, SECCOMP, WORKS, ENOSYS, ENOSYS },
	{ "signals itself", signals_itself, NOTHING, WORKS, WORKS, WORKS },
	{ "maps code", maps_code, SECCOMP, WORKS, EACCES, EACCES },
	{ "makes code", makes_code, SECCOMP, EACCES, EACCES, EACCES },
	{ "dumps core", dumps_core, NOTHING, WORKS, EPERM, EPERM },
};

static void
enter(enum sandbox_role role)
{
	char loader[4096] = "", said[SANDBOX_SAID];
	struct sandbox_place places[8];
	struct sandbox s = { .role = role, .places = places };
	uint16_t port = ntohs(open_port.sin_port);

	if (role == SANDBOX_SUPERVISOR) {
		CHECK("loader", sandbox_loader(loader, sizeof(loader)));
		places[s.place_count++] =
		    (struct sandbox_place){ .path = "/", .use = SANDBOX_READ };
		places[s.place_count++] =
		    (struct sandbox_place){ .path = path.state, .use = SANDBOX_KEEP };
		places[s.place_count++] =
		    (struct sandbox_place){ .path = "/bin/sh", .use = SANDBOX_EXECUTE };
		places[s.place_count++] =
		    (struct sandbox_place){ .path = loader, .use = SANDBOX_EXECUTE };
	} else {
		places[s.place_count++] = (struct sandbox_place){ .path = path.cache,
			.use = role == SANDBOX_ANSWERER ? SANDBOX_READ : SANDBOX_CHANGE };
		places[s.place_count++] =
		    (struct sandbox_place){ .path = path.lock, .use = SANDBOX_CHANGE };
	}
	if (role == SANDBOX_RESOLVER) {
		s.ports = &port;
		s.port_count = 1;
	}
	sandbox_enter(&s, said);
}

/* An outcome in a byte: errno is small. */
static int
try_in(enum sandbox_role role, int (*what)(void))
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int result;

		if (what != dumps_core)
			(void)setrlimit(RLIMIT_CORE, &none);
		enter(role);
		result = what();
		_exit(result == KILLED ? 255 : result);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		abort();
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : 1000 + WTERMSIG(status);
	return WEXITSTATUS(status) == 255 ? KILLED : WEXITSTATUS(status);
}

static bool
has(enum wants wants)
{
	struct sandbox s = { .role = SANDBOX_ANSWERER };
	struct sock_filter program[SECCOMP_PROGRAM_MAX];
	bool seccomp = !SANDBOX_SANITIZED && seccomp_program(&s, program) > 0;
	int abi = landlock_abi();

	switch (wants) {
	case NOTHING:
		return true;
	case SECCOMP:
		return seccomp;
	case LANDLOCK:
		return abi >= LANDLOCK_ABI_TRUNCATE;
	case TCP:
	case BOTH:
		break;
	}
	return seccomp && abi >= LANDLOCK_ABI_TCP;
}

static void
run_role(enum sandbox_role role, const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int expected = role == SANDBOX_SUPERVISOR ? cases[i].supervisor
		    : role == SANDBOX_ANSWERER		  ? cases[i].answerer
							  : cases[i].resolver;
		char what[160];
		int got;

		if (!has(cases[i].wants))
			continue;
		got = try_in(role, cases[i].try);
		(void)snprintf(what, sizeof(what), "%s %s: %d (%s), expected %d", name,
		    cases[i].what, got, got > 0 ? strerror(got) : "", expected);
		CHECK(what, got == expected);
	}
}

/* With syslog the answerer must be able to find its log again, and nothing else. */
static int
connects_to_log(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/nowhere" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return errno;
	if (socket(AF_INET, SOCK_STREAM, 0) != -1 || errno != EAFNOSUPPORT)
		return 254;
	return outcome(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

static void
run_syslog(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char said[SANDBOX_SAID];

		sandbox_enter(
		    &(struct sandbox){ .role = SANDBOX_ANSWERER, .syslog = true }, said);
		_exit(connects_to_log());
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		abort();
	CHECK("connects to the log", WIFEXITED(status));
	CHECK("connects to the log",
	    WEXITSTATUS(status) == ENOENT || WEXITSTATUS(status) == EACCES);
}

static const struct {
	const char *servers;
	size_t count;
	uint16_t ports[3];
} dns[] = {
	{ "", 0, { 0 } },
	{ "127.0.0.1", 1, { 53 } },
	{ "127.0.0.1:5353 ::1", 2, { 5353, 53 } },
	{ " [2001:db8::1] [::1]:54 192.0.2.1:55", 3, { 53, 54, 55 } },
	{ "2001:db8::5353 fe80::1", 2, { 53, 53 } },
	{ "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", 3, { 53, 53, 53 } },
};

static void
run_dns(void)
{
	for (size_t i = 0; i < sizeof(dns) / sizeof(dns[0]); i++) {
		uint16_t ports[3] = { 0 };

		CHECK(dns[i].servers,
		    sandbox_dns_ports(dns[i].servers, ports, 3) == dns[i].count);
		CHECK(dns[i].servers, memcmp(ports, dns[i].ports, sizeof(ports)) == 0);
	}
}

/* A port that somebody listens at, and one that nobody does. */
static void
make_ports(void)
{
	struct sockaddr_in *ports[] = { &open_port, &closed_port };

	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		socklen_t n = sizeof(*ports[i]);

		*ports[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		if (fd == -1 || bind(fd, (struct sockaddr *)ports[i], n) == -1 ||
		    getsockname(fd, (struct sockaddr *)ports[i], &n) == -1 ||
		    (i == 0 && listen(fd, 64) == -1))
			abort();
	}
}

static void
make_file(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		abort();
	(void)close(fd);
}

static void
make_files(void)
{
	if (mkdtemp(directory) == NULL)
		abort();
	(void)snprintf(path.state, sizeof(path.state), "%s/state", directory);
	(void)snprintf(path.cache, sizeof(path.cache), "%s/cache.mdb", path.state);
	(void)snprintf(path.lock, sizeof(path.lock), "%s/cache.mdb-lock", path.state);
	(void)snprintf(path.moved, sizeof(path.moved), "%s/moved", path.state);
	(void)snprintf(path.sock, sizeof(path.sock), "%s/socket", path.state);
	(void)snprintf(path.other, sizeof(path.other), "%s/other", directory);
	if (mkdir(path.state, 0700) == -1)
		abort();
	make_file(path.cache);
	make_file(path.lock);
	make_file(path.other);
}

static void
remove_files(void)
{
	(void)unlink(path.cache);
	(void)unlink(path.lock);
	(void)unlink(path.moved);
	(void)unlink(path.other);
	(void)rmdir(path.state);
	(void)rmdir(directory);
}

int
main(void)
{
	make_files();
	make_ports();
	run_role(SANDBOX_SUPERVISOR, "the supervisor");
	run_role(SANDBOX_ANSWERER, "the answerer");
	run_role(SANDBOX_RESOLVER, "the resolver");
	if (has(SECCOMP))
		run_syslog();
	run_dns();
	remove_files();
	if (test_failed == 0 && !has(BOTH) && !SANDBOX_SANITIZED) {
		puts("this kernel has no Landlock for TCP, or no seccomp here");
		return 77;
	}
	return test_failed;
}
