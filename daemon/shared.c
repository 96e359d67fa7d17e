/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *
map(int fd, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void *
shared_new(const char *name, size_t size, int *fd)
{
	void *at = NULL;
	int made = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (made == -1)
		return NULL;
	if (ftruncate(made, (off_t)size) == 0 &&
	    fcntl(made, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		at = map(made, size);
	if (at == NULL) {
		int saved = errno;

		close(made);
		errno = saved;
		return NULL;
	}
	*fd = made;
	return at;
}

void *
shared_attach(int fd, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return NULL;
	if ((size_t)st.st_size != size) {
		errno = EINVAL;
		return NULL;
	}
	return map(fd, size);
}

void
shared_end(void *at, size_t size)
{
	if (at != NULL)
		munmap(at, size);
}
