/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
file_read_fd(int fd, size_t max, struct sts_buf *to)
{
	char chunk[16384];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		total += (size_t)n;
		if (total > max) {
			errno = EFBIG;
			return -1;
		}
		sts_put(to, (struct sts_str){ chunk, (size_t)n });
	}
	if (to->bad) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

int
file_read(const char *path, size_t max, struct sts_buf *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int saved;
	int result;

	if (fd == -1)
		return -1;
	result = file_read_fd(fd, max, to);
	saved = errno;
	(void)close(fd);
	errno = saved;
	return result;
}

const char *
file_ca_bundle(void)
{
	static const char *const bundles[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Alpine, Arch */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",	      /* SUSE */
		"/etc/ssl/cert.pem",		      /* BSD */
	};

	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++)
		if (access(bundles[i], R_OK) == 0)
			return bundles[i];
	return NULL;
}
