/* SPDX-License-Identifier: MIT */
/*
 * The plan of a whole daemon: a page that the test (daemon.py) has laid beside the program
 * as fault.page, shared by all its processes, so that the n-th call of a role fails once,
 * however often its process is started again. Without the page nothing fails.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"

#define PAGE_NAME_MAX 32

enum role { SUPERVISOR, ANSWERER, RESOLVER, ROLES };

/* As daemon.py writes and reads it. */
static struct page {
	uint32_t role, kind;
	uint64_t nth, length;
	uint64_t struck; /* how often */
	char call[32];	 /* the first that failed */
	uint64_t calls[ROLES][FAULTS];
} * page;
static enum role role;

bool
fault_strikes(enum fault_kind kind, const char *call)
{
	uint64_t n;

	if (page == NULL)
		return false;
	n = __atomic_add_fetch(&page->calls[role][kind], 1, __ATOMIC_RELAXED);
	if (role != page->role || kind != page->kind || n < page->nth ||
	    n - page->nth >= page->length)
		return false;
	if (__atomic_add_fetch(&page->struck, 1, __ATOMIC_RELAXED) == 1)
		(void)snprintf(page->call, sizeof(page->call), "%s", call);
	return true;
}

void *
fault_page_beside(const char *name, size_t n)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - PAGE_NAME_MAX);
	void *found;
	int fd;

	if (length == -1)
		return NULL;
	path[length] = '\0';
	(void)snprintf(strrchr(path, '/') + 1, PAGE_NAME_MAX, "%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return NULL;
	found = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	return found == MAP_FAILED ? NULL : found;
}

/* glibc hands constructors what it hands main. */
__attribute__((constructor)) static void
look_for_page(int argc, char **argv)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n == -1 || argc == 0)
		return;
	path[n] = '\0';
	role = strcmp(strrchr(path, '/'), "/stsd-resolver") == 0 ? RESOLVER
	    : strcmp(argv[0], "stsd-answerer") == 0		 ? ANSWERER
								 : SUPERVISOR;
	page = fault_page_beside("fault.page", sizeof(*page));
}
