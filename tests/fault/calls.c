/* SPDX-License-Identifier: MIT */
/* System calls that are refused, each for a reason that it may really give. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "fault.h"

static bool
is_refused(enum fault_kind kind, const char *call, int error)
{
	if (!fault_strikes(kind, call))
		return false;
	errno = error;
	return true;
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t
__wrap_write(int fd, const void *bytes, size_t n)
{
	return is_refused(FAULT_WRITE, "write", ENOSPC) ? -1 : __real_write(fd, bytes, n);
}

ssize_t __real_send(int fd, const void *bytes, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t n, int flags);
ssize_t
__wrap_send(int fd, const void *bytes, size_t n, int flags)
{
	return is_refused(FAULT_WRITE, "send", ENOBUFS)
	    ? -1
	    : __real_send(fd, bytes, n, flags);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return is_refused(FAULT_WRITE, "sendmsg", ENOBUFS)
	    ? -1
	    : __real_sendmsg(fd, message, flags);
}

void *__real_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from);
void *
__wrap_mmap(void *at, size_t n, int protection, int flags, int fd, off_t from)
{
	return is_refused(FAULT_MAP, "mmap", ENOMEM)
	    ? MAP_FAILED
	    : __real_mmap(at, n, protection, flags, fd, from);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t
__wrap_fork(void)
{
	return is_refused(FAULT_FORK, "fork", EAGAIN) ? -1 : __real_fork();
}

int __real_accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags);
int
__wrap_accept4(int fd, struct sockaddr *peer, socklen_t *n, int flags)
{
	return is_refused(FAULT_ACCEPT, "accept4", EMFILE)
	    ? -1
	    : __real_accept4(fd, peer, n, flags);
}

ssize_t __real_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);
ssize_t
__wrap_getrandom(void *to, size_t n, unsigned flags)
{
	return is_refused(FAULT_RANDOM, "getrandom", EINTR)
	    ? -1
	    : __real_getrandom(to, n, flags);
}

/* Without O_CREAT there is no mode, and an argument that is not there is not looked at. */
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int
__wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if ((flags & O_CREAT) != 0) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return is_refused(FAULT_DESCRIPTOR, "open", EMFILE)
	    ? -1
	    : __real_open(path, flags, mode);
}

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int
__wrap_socket(int family, int type, int protocol)
{
	return is_refused(FAULT_DESCRIPTOR, "socket", EMFILE)
	    ? -1
	    : __real_socket(family, type, protocol);
}

int __real_socketpair(int family, int type, int protocol, int fds[2]);
int __wrap_socketpair(int family, int type, int protocol, int fds[2]);
int
__wrap_socketpair(int family, int type, int protocol, int fds[2])
{
	return is_refused(FAULT_DESCRIPTOR, "socketpair", EMFILE)
	    ? -1
	    : __real_socketpair(family, type, protocol, fds);
}

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
int
__wrap_pipe2(int fds[2], int flags)
{
	return is_refused(FAULT_DESCRIPTOR, "pipe2", ENFILE) ? -1
							     : __real_pipe2(fds, flags);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int
__wrap_memfd_create(const char *name, unsigned flags)
{
	return is_refused(FAULT_DESCRIPTOR, "memfd_create", ENFILE)
	    ? -1
	    : __real_memfd_create(name, flags);
}
