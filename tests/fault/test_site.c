/* SPDX-License-Identifier: MIT */
/*
 * resolv.conf is read, and has changed when it is looked at again, while the n-th call of a
 * kind fails: memory, descriptors, room. A start has what it says, or is refused for want of
 * them; a look that fails changes nothing, and the next one makes up for it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "file.h"
#include "site.h"
#include "test.h"

int test_failed;

#define BEFORE "192.0.2.1"
#define AFTER "192.0.2.2"

static char directory[64], resolv_conf[96], settings[96], bundle[96];
static const char *what; /* the case, for CHECK */

/* The machine's own stays as it is. */
int __real_file_read(const char *path, size_t max, struct sts_buf *to);
int __wrap_file_read(const char *path, size_t max, struct sts_buf *to);
int
__wrap_file_read(const char *path, size_t max, struct sts_buf *to)
{
	return __real_file_read(strcmp(path, RESOLV_CONF) == 0 ? resolv_conf : path, max,
	    to);
}

static void
write_file(const char *path, const char *line, const char *value)
{
	FILE *to = fopen(path, "w");

	CHECK(path,
	    to != NULL && fprintf(to, "%s%s\n", line, value) > 0 && fclose(to) == 0);
}

static struct site *
load(struct site_said *said)
{
	struct config_sources sources = { .file = settings };

	write_file(resolv_conf, "nameserver ", BEFORE);
	return site_load(&sources, 0, said);
}

/* Do the processes get these servers, and is that what we believe? */
static bool
tells(const struct site *s, const char *servers)
{
	char text[16384], wanted[64];
	ssize_t n = pread(s->config_fd, text, sizeof(text) - 1, 0);

	(void)snprintf(wanted, sizeof(wanted), "\ndns_servers = %s\n", servers);
	text[n > 0 ? n : 0] = '\0';
	return strstr(text, wanted) != NULL &&
	    strcmp(s->config->dns_servers, servers) == 0;
}

static void
start(void)
{
	struct site_said said = { 0 };
	struct site *s = load(&said);

	(void)fault_disarm();
	if (s == NULL)
		CHECK(what, said.errors.made > 0 && said.errors.ours);
	else
		CHECK(what, tells(s, BEFORE));
	site_free(s, NULL);
	site_said_done(&said);
}

static void
follow(struct site *s)
{
	int said = site_follow(s);

	(void)fault_disarm();
	CHECK(what, said == 1 || (said == -1 && site_follow(s) == 1));
	CHECK(what, tells(s, AFTER) && site_follow(s) == 0);
}

/* False: the n-th call is beyond the end. */
static bool
suffer(enum fault_kind kind, unsigned long n, bool loaded)
{
	static const char *const kinds[FAULTS] = { [FAULT_MEMORY] = "allocation",
		[FAULT_DESCRIPTOR] = "descriptor",
		[FAULT_WRITE] = "write" };
	struct site_said said = { 0 };
	struct site *s = loaded ? load(&said) : NULL;
	char text[64];

	(void)snprintf(text, sizeof(text), "%s: %s %lu", loaded ? "a look" : "a start",
	    kinds[kind], n);
	what = text;
	if (loaded)
		write_file(resolv_conf, "nameserver ", AFTER);
	fault_arm(kind, n, 1);
	if (s != NULL)
		follow(s);
	else
		start();
	CHECK(what, s != NULL || !loaded);
	site_free(s, NULL);
	site_said_done(&said);
	return fault_struck();
}

int
main(void)
{
	static const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_DESCRIPTOR,
		FAULT_WRITE };
	unsigned long n, faults = 0;
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(directory, sizeof(directory), "%.40s/stsd-fault.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(directory) == NULL) {
		perror(directory);
		return 1;
	}
	(void)snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", directory);
	(void)snprintf(settings, sizeof(settings), "%s/stsd.conf", directory);
	(void)snprintf(bundle, sizeof(bundle), "%s/ca.pem", directory);
	write_file(bundle, "-----BEGIN CERTIFICATE-----", "");
	write_file(settings, "postfix_directory = none\nca_file = ", bundle);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (int loaded = 0; loaded < 2; loaded++)
			for (n = 1; suffer(kinds[i], n, loaded == 1); n++)
				faults++;
	(void)unlink(resolv_conf);
	(void)unlink(settings);
	(void)unlink(bundle);
	(void)rmdir(directory);
	printf("%lu faults\n", faults);
	return test_failed;
}
