/* SPDX-License-Identifier: MIT */
/*
 * The floor of a fetch: fetch -n COUNT CA_FILE PORT. One policy after the other over HTTPS,
 * each from a host that it has not met, with the chain and the name verified; no DNS, no
 * rules, no cache. What OpenSSL and the kernel take for it, stsd pays too. Writes the CPU
 * time of each, and the median of how long each took, in milliseconds, as JSON.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "domain.h"

#define FIRST 0x40000000u /* nobody else asks for these */

static double
now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
connect_to(in_port_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd == -1 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		err(1, "port %d", port);
	return fd;
}

/* What it says, until it ends; asks for the policy first. */
static size_t
converse(SSL *ssl, const char *host, char *answer, size_t room)
{
	char request[256];
	int asked = snprintf(request, sizeof(request),
	    "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	size_t got = 0;
	int n;

	if (SSL_connect(ssl) != 1 || SSL_write(ssl, request, asked) != asked)
		errx(1, "%s: no TLS", host);
	while ((n = SSL_read(ssl, answer + got, (int)(room - 1 - got))) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	(void)SSL_shutdown(ssl);
	return got;
}

static void
fetch(SSL_CTX *context, in_port_t port, uint32_t number)
{
	char domain[DOMAIN_N + 1], host[DOMAIN_N + 16], answer[4096], policy[256];
	SSL *ssl = SSL_new(context);
	int fd = connect_to(port);
	size_t got, n;

	domain_name(domain, DOMAIN_ENFORCE, number);
	(void)snprintf(host, sizeof(host), "mta-sts.%s", domain);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(ssl, host) != 1 || SSL_set1_host(ssl, host) != 1)
		errx(1, "out of memory");
	got = converse(ssl, host, answer, sizeof(answer));
	n = domain_policy(policy, sizeof(policy), domain);
	if (got < n || memcmp(answer + got - n, policy, n) != 0)
		errx(1, "%s: not its policy", host);
	SSL_free(ssl);
	(void)close(fd);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	uint32_t count = argc == 5 ? (uint32_t)atoi(argv[2]) : 0;
	double *took = calloc(count, sizeof(*took)), cpu;

	if (count == 0 || strcmp(argv[1], "-n") != 0)
		errx(64, "usage: fetch -n COUNT CA_FILE PORT");
	if (context == NULL || took == NULL ||
	    SSL_CTX_load_verify_locations(context, argv[3], NULL) != 1)
		errx(1, "%s: no authorities", argv[3]);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < count; i++) {
		took[i] = now_ms(CLOCK_MONOTONIC);
		fetch(context, (in_port_t)atoi(argv[4]), FIRST + i);
		took[i] = now_ms(CLOCK_MONOTONIC) - took[i];
	}
	cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	qsort(took, count, sizeof(*took), compare);
	(void)printf("{\"cpu_ms\": %.3f, \"ms\": %.3f}\n", cpu / count, took[count / 2]);
	free(took);
	SSL_CTX_free(context);
	return 0;
}
