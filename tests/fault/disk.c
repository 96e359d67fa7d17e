/* SPDX-License-Identifier: MIT */
/*
 * A disk that is full or fails, for LMDB itself: these take the place of the C library's
 * for everything in the program, libraries too.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault.h"

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	if (fault_strikes(FAULT_DISK, "pwrite")) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (fault_strikes(FAULT_DISK, "writev")) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_writev, fd, parts, count);
}

int
fdatasync(int fd)
{
	if (fault_strikes(FAULT_DISK, "fdatasync")) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int
msync(void *at, size_t n, int flags)
{
	if (fault_strikes(FAULT_DISK, "msync")) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_msync, at, n, flags);
}
