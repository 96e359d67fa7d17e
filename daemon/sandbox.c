/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "landlock.h"
#include "log.h"
#include "privileges.h"
#include "seccomp.h"

/* Since Linux 6.3. */
#define SET_MDWE 65
#define GET_MDWE 66
#define MDWE_REFUSE_EXEC_GAIN 1ul

#define DNS_PORT 53

#define NOTES 128 /* two of them and what stands between fit in SANDBOX_SAID */

struct notes {
	char active[NOTES], lacking[NOTES];
};

static void
append(char *list, const char *text)
{
	size_t n = strlen(list);

	(void)snprintf(list + n, NOTES - n, "%s%s", n > 0 ? ", " : "", text);
}

static void
note(struct notes *notes, bool works, const char *what)
{
	char text[96];

	if (works) {
		append(notes->active, what);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s (%s)", what, strerror(errno));
	append(notes->lacking, text);
}

/* Whoever started us may have done it, with other flags, which nobody changes. */
static bool
refuse_writable_code(void)
{
	return prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0 ||
	    (errno == EPERM && prctl(GET_MDWE, 0, 0, 0, 0) > 0);
}

/* No process of their own, and no copy of what they know on a disk. The size of files
 * has no limit: the log may be one, of any size. */
static bool
set_limits(void)
{
	const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &none) == 0 &&
	    (SANDBOX_SANITIZED || setrlimit(RLIMIT_NPROC, &none) == 0);
}

static void
enter_landlock(const struct sandbox *s, struct notes *notes)
{
	char text[64] = "landlock";
	int abi = landlock_enter(s);

	if (abi > 0)
		(void)snprintf(text, sizeof(text), "landlock %d", abi);
	note(notes, abi > 0, text);
	errno = ENOSYS;
	if (abi > 0 && abi < LANDLOCK_ABI_TCP && s->role != SANDBOX_SUPERVISOR)
		note(notes, false, "landlock for TCP");
}

static void
enter_seccomp(const struct sandbox *s, struct notes *notes)
{
	if (SANDBOX_SANITIZED)
		append(notes->lacking, "seccomp (a sanitizer's build)");
	else
		note(notes, seccomp_enter(s) == 0, "seccomp");
}

void
sandbox_enter(const struct sandbox *s, char said[SANDBOX_SAID])
{
	struct notes notes = { "", "" };

	note(&notes, privileges_drop_capabilities(), "no capabilities");
	note(&notes, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
	note(&notes, refuse_writable_code(), "no writable code");
	if (s->role != SANDBOX_SUPERVISOR)
		note(&notes, set_limits(), "limits");
	enter_landlock(s, &notes);
	enter_seccomp(s, &notes); /* last: it knows nothing of how to do the others */
	(void)snprintf(said, SANDBOX_SAID, "%s%s%s", notes.active,
	    notes.lacking[0] != '\0' ? "; not to be had: " : "", notes.lacking);
}

void
sandbox_by_setting(bool wanted, const struct sandbox *s)
{
	char said[SANDBOX_SAID] = "off by setting";

	if (wanted)
		sandbox_enter(s, said);
	log_say(LOG_LEVEL_INFO, "sandbox", "%s", said);
}

/* The first header says where all of us lies in memory, another where the path is. */
bool
sandbox_loader(char *path, size_t path_n)
{
	const ElfW(Phdr) *headers = (const void *)getauxval(AT_PHDR); // NOLINT
	size_t count = getauxval(AT_PHNUM);
	const char *name = NULL;
	char found[PATH_MAX], *slash;
	uintptr_t at = 0;

	for (size_t i = 0; headers != NULL && i < count; i++) {
		if (headers[i].p_type == PT_PHDR)
			at = (uintptr_t)headers - headers[i].p_vaddr;
		else if (headers[i].p_type == PT_INTERP)
			name = (const char *)(at + headers[i].p_vaddr); // NOLINT
	}
	if (name == NULL || realpath(name, found) == NULL)
		return false;
	/* Its directory: with an upgrade of libc comes another file. */
	slash = strrchr(found, '/');
	if (slash == NULL || slash == found || (size_t)(slash - found) >= path_n)
		return false;
	*slash = '\0';
	(void)snprintf(path, path_n, "%s", found);
	return true;
}

static uint16_t
port_of(const char *server, size_t n)
{
	const char *bracket = memchr(server, ']', n), *colon = memchr(server, ':', n);

	if (bracket != NULL)
		colon = memchr(bracket, ':', n - (size_t)(bracket - server));
	else if (colon != NULL &&
	    memchr(colon + 1, ':', n - (size_t)(colon + 1 - server)) != NULL)
		colon = NULL; /* an address, of version 6 */
	return colon == NULL ? DNS_PORT : (uint16_t)strtoul(colon + 1, NULL, 10);
}

size_t
sandbox_dns_ports(const char *servers, uint16_t *ports, size_t max)
{
	size_t count = 0;

	while (count < max) {
		size_t n;

		servers += strspn(servers, " \t,");
		n = strcspn(servers, " \t,");
		if (n == 0)
			break;
		ports[count++] = port_of(servers, n);
		servers += n;
	}
	return count;
}
