/* SPDX-License-Identifier: MIT */
#ifndef SMTP_SERVERS_H
#define SMTP_SERVERS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "tls.h"

/* The mail servers of smtp.json, for the length of a test; each test program has its own. */
static char directory[] = "/tmp/stsd-smtp-XXXXXX";
static struct {
	char name[32];
	uint16_t port;
} servers[128];
static size_t server_count;
static pid_t server_pid = -1;
static int server_input = -1;

/* Says why not. */
static bool
can_serve(void)
{
	if (system("python3 -c 'import ssl' && openssl version >/dev/null") == 0)
		return true;
	puts("python3 or openssl is not installed");
	return false;
}

static uint16_t
port_of(const char *server)
{
	for (size_t i = 0; i < server_count; i++)
		if (strcmp(servers[i].name, server) == 0)
			return servers[i].port;
	return 1; /* nobody */
}

/* Starts the servers; their standard input is a pipe that ends with us. */
static bool
start_servers(void)
{
	char line[256] = "";
	int in[2], out[2];
	FILE *from;

	if (mkdtemp(directory) == NULL || pipe2(in, O_CLOEXEC) == -1 ||
	    pipe2(out, O_CLOEXEC) == -1)
		return false;
	server_pid = fork();
	if (server_pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("python3", "python3", "-B", "tests/io/smtp_server.py",
		    "tests/io/smtp.json", directory, (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	server_input = in[1];
	from = fdopen(out[0], "r");
	while (from != NULL && fgets(line, sizeof(line), from) != NULL &&
	    strcmp(line, "ready\n") != 0) {
		char *blank = strchr(line, ' ');

		if (blank == NULL || server_count == sizeof(servers) / sizeof(servers[0]))
			break;
		*blank = '\0';
		(void)snprintf(servers[server_count].name, sizeof(servers[0].name),
		    "%.31s", line);
		servers[server_count++].port = (uint16_t)strtoul(blank + 1, NULL, 10);
	}
	if (from != NULL)
		(void)fclose(from);
	CHECK("servers", strcmp(line, "ready\n") == 0);
	return strcmp(line, "ready\n") == 0;
}

static struct sts_tls_store *
read_store(void)
{
	char path[sizeof(directory) + 16], why[128] = "";
	struct sts_tls_store *store;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/ca.pem", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	store = sts_tls_store_read(fd, why, sizeof(why));
	CHECK(why, store != NULL);
	close(fd);
	return store;
}

static void
end_servers(void)
{
	char command[sizeof(directory) + 16];

	close(server_input);
	if (server_pid > 0)
		(void)waitpid(server_pid, NULL, 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK("clean up", system(command) == 0);
}

#endif
