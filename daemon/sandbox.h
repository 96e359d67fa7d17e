/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a process gives up for good once all that it works with is open: so that whoever
 * takes it over by what he sends it (Postfix's peer, a DNS server, a policy host) has
 * nothing but what the role needs anyway.
 *
 * Whatever the kernel lacks is left out and said: mail is answered on old kernels too.
 */
enum sandbox_role { SANDBOX_SUPERVISOR, SANDBOX_ANSWERER, SANDBOX_RESOLVER };

enum sandbox_use {
	SANDBOX_READ,	 /* a file, or all below a directory */
	SANDBOX_CHANGE,	 /* a file that exists, also to read it */
	SANDBOX_KEEP,	 /* a directory: make, change and remove files and sockets */
	SANDBOX_EXECUTE, /* a file, or all below a directory */
};

struct sandbox_place {
	const char *path; /* NULL: fd */
	int fd;
	enum sandbox_use use;
};

struct sandbox {
	enum sandbox_role role;
	bool syslog; /* it may have to connect to the log again */
	const struct sandbox_place *places;
	size_t place_count;
	const uint16_t *ports; /* to connect to by TCP; the supervisor: all */
	size_t port_count;
};

/* What is in force and what is lacking, in a sentence for the log. */
#define SANDBOX_SAID 320

/* Enters it. Cannot fail: what does is among what is lacking. */
void sandbox_enter(const struct sandbox *s, char said[SANDBOX_SAID]);

/* The same by the setting, and says so in the log. */
void sandbox_by_setting(bool wanted, const struct sandbox *s);

/* The place that whatever is executed here needs beside itself: the directory of the
 * loader. False: there is none, as in a static executable. */
bool sandbox_loader(char *path, size_t path_n);

/* The TCP ports of "192.0.2.1 [2001:db8::1]:5353"; how many, at most max. */
size_t sandbox_dns_ports(const char *servers, uint16_t *ports, size_t max);

/*
 * A sanitizer's runtime reads /proc, starts a thread when it ends and allocates as it
 * likes: such a build, which is for tests, goes without what stands in its way.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||              \
     __has_feature(memory_sanitizer)
#  define SANDBOX_SANITIZED 1
# endif
#endif
#ifndef SANDBOX_SANITIZED
# define SANDBOX_SANITIZED 0
#endif

#endif
