/* SPDX-License-Identifier: MIT */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture. */
#define CALL_CREATE 444
#define CALL_ADD 445
#define CALL_RESTRICT 446

#define CREATE_VERSION 1u
#define RULE_BENEATH 1
#define RULE_PORT 2

/* The kernel's names for what is done to files. */
#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define FS_OF_A_FILE                                                                     \
 (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct port_rule {
	uint64_t access, port;
};

/* All that an ABI knows about files. */
static uint64_t
fs_known(int abi)
{
	static const int rights[] = { 13, 14, 15, 15, 16 }; /* of ABI 1 to 5 */
	int bits = rights[abi < 5 ? abi - 1 : 4];

	return (UINT64_C(1) << bits) - 1;
}

static uint64_t
fs_of(enum sandbox_use use)
{
	switch (use) {
	case SANDBOX_READ:
		return FS_READ_FILE | FS_READ_DIR;
	case SANDBOX_CHANGE:
		return FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	case SANDBOX_KEEP:
		return FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE |
		    FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_DIR | FS_REMOVE_FILE;
	case SANDBOX_EXECUTE:
		break;
	}
	return FS_READ_FILE | FS_EXECUTE;
}

/* A place that is not there, or that no rule can name, as a pipe, is not allowed: that
 * is no reason to allow all others. */
static void
add_place(int ruleset, const struct sandbox_place *place, uint64_t known)
{
	struct beneath rule = { fs_of(place->use) & known, place->fd };
	struct stat st;

	if (place->path != NULL)
		rule.fd = open(place->path, O_PATH | O_CLOEXEC);
	if (rule.fd == -1)
		return;
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.access &= FS_OF_A_FILE;
	(void)syscall(CALL_ADD, ruleset, RULE_BENEATH, &rule, 0);
	if (place->path != NULL)
		(void)close(rule.fd);
}

int
landlock_abi(void)
{
	long abi = syscall(CALL_CREATE, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static size_t
ruleset_size(int abi)
{
	if (abi >= LANDLOCK_ABI_SCOPE)
		return sizeof(struct ruleset);
	return abi >= LANDLOCK_ABI_TCP ? offsetof(struct ruleset, scoped)
				       : offsetof(struct ruleset, net);
}

int
landlock_enter(const struct sandbox *s)
{
	int abi = landlock_abi(), fd, saved;
	struct ruleset r = { 0 };
	long result;

	if (abi == 0)
		return -1;
	r.fs = fs_known(abi);
	/* The supervisor's children are bound by what binds it, also those of another
	 * generation with other ports. */
	if (s->role != SANDBOX_SUPERVISOR) {
		r.net = NET_BIND_TCP | NET_CONNECT_TCP;
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	}
	fd = (int)syscall(CALL_CREATE, &r, ruleset_size(abi), 0);
	if (fd == -1)
		return -1;
	for (size_t i = 0; i < s->place_count; i++)
		add_place(fd, &s->places[i], r.fs);
	if (SANDBOX_SANITIZED) /* how leaks are looked for at the end */
		add_place(fd, &(struct sandbox_place){ "/proc", -1, SANDBOX_READ }, r.fs);
	for (size_t i = 0; i < s->port_count && abi >= LANDLOCK_ABI_TCP; i++) {
		struct port_rule rule = { NET_CONNECT_TCP, s->ports[i] };

		(void)syscall(CALL_ADD, fd, RULE_PORT, &rule, 0);
	}
	result = syscall(CALL_RESTRICT, fd, 0);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return result == -1 ? -1 : abi;
}
