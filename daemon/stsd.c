/* SPDX-License-Identifier: MIT */
/*
 * stsd(8): sender-side MTA-STS for Postfix. This executable is two of the three roles:
 * the supervisor, which people start, and the answerer, which the supervisor starts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answerer.h"
#include "cache.h"
#include "child.h"
#include "loop.h"
#include "role.h"
#include "site.h"
#include "supervisor.h"

/* More than any command line has room for in earnest. */
#define OPTIONS_MAX 256

static const char usage[] =
    "usage: stsd [-c FILE] [-o name=value]... [-t] [-T] [-v]... [-V] [-h]\n"
    "  -c FILE        configuration, instead of " STSD_CONFIG "\n"
    "  -o name=value  one setting, over the file and the environment\n"
    "  -t             check the configuration and exit\n"
    "  -T             print every setting, with where it came from, and exit\n"
    "  -v             log more; twice: even more\n"
    "  -V             print the version, with those of the libraries, and exit\n"
    "  -h             print this and exit\n"
    "Stays in the foreground and logs to stderr; see stsd(8) and stsd.conf(5).\n";

/* What the resolver, which is linked with all libraries, says after its own name. */
static bool
print_libraries(void)
{
	struct programs programs;
	char line[256], why[256];
	bool first = true, said = false;
	int pipe_fds[2];
	FILE *from;

	if (programs_open(&programs, why, sizeof(why)) == -1 || pipe(pipe_fds) == -1)
		return false;
	if (fork() == 0) {
		char *const argv[] = { (char *)"stsd-resolver", (char *)"-V", NULL };
		char *const none[] = { NULL };

		if (dup2(pipe_fds[1], STDOUT_FILENO) != -1)
			(void)fexecve(programs.resolver, argv, none);
		_exit(CHILD_NO_EXEC);
	}
	close(pipe_fds[1]);
	from = fdopen(pipe_fds[0], "r");
	while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
		if (!first)
			said = fputs(line, stdout) != EOF;
		first = false;
	}
	if (from != NULL)
		(void)fclose(from);
	return said;
}

static int
print_version(void)
{
	(void)printf("stsd %s\n", STSD_VERSION);
	(void)fflush(stdout);
	if (!print_libraries()) /* without it: those of this executable */
		(void)printf("libevent %s\nLMDB %s\n", sts_loop_version(),
		    sts_cache_version());
	return 0;
}

static void
print_lines(const struct config_errors *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		(void)fprintf(stderr, "%s\n", lines->lines[i]);
}

static int
print_settings(const struct config_sources *sources)
{
	struct config_errors errors = { 0 };
	struct config *c = config_load(sources, &errors, NULL);
	int status = role_exit_of(&errors);

	print_lines(&errors);
	config_errors_done(&errors);
	if (c == NULL)
		return status;
	status = 0;
	if (!config_print(c, stdout, true)) {
		fputs("stsd: the settings cannot be printed\n", stderr);
		status = ROLE_EXIT_INTERNAL;
	}
	config_free(c);
	return status;
}

static int
check_settings(const struct config_sources *sources)
{
	struct site_said said = { 0 };
	struct site *site = site_load(sources, 0, &said);
	struct account account;
	struct listen_style style;
	char why[256];
	bool good = site != NULL;
	int status = role_exit_of(&said.errors);

	errno = 0;
	/* What a start would refuse, too. */
	if (good &&
	    (site_account(site->config, &account, why, sizeof(why)) == -1 ||
		site_style(site->config, &style, why, sizeof(why)) == -1)) {
		if (config_is_ours(errno))
			status = ROLE_EXIT_INTERNAL;
		config_complain(&said.errors, "%s", why);
		good = false;
	}
	print_lines(&said.errors);
	print_lines(&said.warnings);
	print_lines(&said.notices);
	site_said_done(&said);
	site_free(site, NULL);
	return good ? 0 : status;
}

int
main(int argc, char **argv)
{
	char *options[OPTIONS_MAX + 1] = { NULL };
	struct supervisor_options what = { .sources = { .environment = environ,
					       .options = options } };
	enum { RUN, CHECK, PRINT } mode = RUN;
	size_t count = 0;
	int option;

	if (argc == 1 && strcmp(argv[0], CHILD_ANSWERER_NAME) == 0 && role_is_ours())
		return answerer_main();
	while ((option = getopt(argc, argv, "c:o:tTvVh")) != -1) {
		switch (option) {
		case 'c':
			what.sources.file = optarg;
			break;
		case 'o':
			if (count == OPTIONS_MAX) {
				(void)fprintf(stderr, "stsd: more than %d times -o\n",
				    OPTIONS_MAX);
				return ROLE_EXIT_USAGE;
			}
			options[count++] = optarg;
			break;
		case 't':
			mode = CHECK;
			break;
		case 'T':
			mode = PRINT;
			break;
		case 'v':
			what.verbose++;
			break;
		case 'V':
			return print_version();
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		default:
			(void)fputs(usage, stderr);
			return ROLE_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "stsd: unexpected argument '%s'\n%s", argv[optind],
		    usage);
		return ROLE_EXIT_USAGE;
	}
	switch (mode) {
	case CHECK:
		return check_settings(&what.sources);
	case PRINT:
		return print_settings(&what.sources);
	case RUN:
		break;
	}
	return supervisor_main(&what);
}
