/* SPDX-License-Identifier: MIT */
#include "query_postfix.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "doctor_report.h"
#include "doctor_world.h"
#include "file.h"
#include "query_exit.h"
#include "query_lint.h"
#include "settle.h"

/* All settings of Postfix are about 40,000 bytes. */
#define TEXT_MAX ((size_t)4 << 20)

/* Where distributions, FreeBSD's ports and builds from source put postconf and postmap. */
static const char *const folders[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin",
	"/usr/local/bin", "/opt/postfix/sbin", "/opt/postfix/bin" };

struct examination {
	const char *postconf, *postmap;
	struct sts_str standard; /* the directory that commands go to without -c */
	struct doctor_stsd stsd;
	struct query_keep keep;
	bool quiet;
	struct sts_buf out;
	struct query_writer *writer; /* NULL: for people */
	size_t examined;
	int status;
};

static const char *
find_program(struct query_keep *keep, const char *name)
{
	char path[64];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return query_keep(keep, sts_str_of(path)).p;
	}
	return NULL;
}

/* Warnings about unused settings are the administrator's business, not ours. */
static void
say_why(const char *name, int status, struct sts_str said)
{
	struct sts_buf b = { 0 };
	struct sts_str line = STS_STR("");

	while (said.n > 0 && memmem(line.p, line.n, "fatal", 5) == NULL)
		(void)sts_str_cut(&said, '\n', &line);
	sts_put_escaped(&b, line.n > 0 ? line : sts_str_of(strerror(errno)));
	fprintf(stderr, "stsd-query: %s: %.*s\n", name, (int)b.n, b.n > 0 ? b.p : "");
	if (status > 0 && line.n == 0)
		fprintf(stderr, "stsd-query: %s ended with %d\n", name, status);
	sts_buf_done(&b);
}

/* What one call of postconf prints. False with a sentence printed: it failed. */
static bool
postconf(struct examination *x, const char *directory, const char *const *more,
    struct sts_str *text)
{
	const char *words[8] = { x->postconf };
	size_t n = 1;
	struct sts_buf out = { 0 }, err = { 0 };
	int status;

	if (directory != NULL) {
		words[n++] = "-c";
		words[n++] = directory;
	}
	while (*more != NULL)
		words[n++] = *more++;
	status = command_run(words, TEXT_MAX, &out, &err);
	if (status == 0)
		*text = query_keep(&x->keep, sts_buf_str(&out));
	else
		say_why(x->postconf, status, sts_buf_str(&err));
	if (out.bad || err.bad)
		query_no_memory();
	sts_buf_done(&out);
	sts_buf_done(&err);
	return status == 0;
}

static bool
read_texts(struct examination *x, const char *directory, struct doctor_postfix *p)
{
	static const char *const settings[] = { "-x", NULL },
				 *const written[] = { "-n", NULL };
	static const char *const services[] = { "-M", NULL },
				 *const own[] = { "-P", "-x", NULL };
	static const char *const own_written[] = { "-P", NULL };

	return postconf(x, directory, settings, &p->settings) &&
	    postconf(x, directory, written, &p->written) &&
	    postconf(x, directory, services, &p->services) &&
	    postconf(x, directory, own, &p->own) &&
	    postconf(x, directory, own_written, &p->own_written);
}

static void
report(struct examination *x, const struct doctor *d)
{
	if (x->writer != NULL) {
		doctor_put_json(x->writer, d);
		return;
	}
	if (x->examined > 0 && !x->quiet)
		sts_put_char(&x->out, '\n');
	doctor_put_text(&x->out, d, x->quiet);
}

static void
examine(struct examination *x, const char *directory)
{
	char resolved[PATH_MAX];
	struct doctor_postfix p = { 0 };
	struct doctor_senses senses = { 0 };
	struct doctor_world world = doctor_world(&senses);
	struct doctor d = { 0 };

	if (realpath(directory, resolved) != NULL)
		directory = resolved;
	if (!read_texts(x, directory, &p)) {
		x->status = QUERY_EXIT_WARNING;
		return;
	}
	p.directory = sts_str_of(directory);
	p.is_default = sts_str_eq(p.directory, x->standard);
	senses.postmap = x->postmap;
	senses.directory = directory;
	doctor_examine(&d, &p, &x->stsd, &world);
	report(x, &d);
	if (!doctor_is_content(&d))
		x->status = QUERY_EXIT_WARNING;
	x->examined++;
	doctor_done(&d);
	doctor_senses_done(&senses);
}

static struct sts_str
first_line(struct sts_str text)
{
	struct sts_str line;

	(void)sts_str_cut(&text, '\n', &line);
	return line;
}

/* The one that was named; or the usual one, and those that it manages (postmulti(1)). */
static void
examine_all(struct examination *x, const char *named)
{
	static const char *const managed[] = { "-hx", "multi_instance_directories",
		NULL };
	const char *usual;
	struct sts_str list = STS_STR_NONE, word;

	if (named != NULL) {
		examine(x, named);
		return;
	}
	usual = query_keep(&x->keep, x->standard).p;
	examine(x, usual);
	if (x->examined == 0 || !postconf(x, usual, managed, &list))
		return;
	list = first_line(list);
	while (pf_postconf_next_item(&list, &word))
		examine(x, query_keep(&x->keep, word).p);
}

static bool
find_postfix(struct examination *x)
{
	static const char *const where[] = { "-h", "config_directory", NULL };
	char resolved[PATH_MAX];

	x->postconf = find_program(&x->keep, "postconf");
	x->postmap = find_program(&x->keep, "postmap");
	if (x->postconf == NULL || x->postmap == NULL) {
		fprintf(stderr,
		    "stsd-query: no Postfix: there is no postconf and postmap "
		    "in the usual places\n");
		return false;
	}
	if (!postconf(x, NULL, where, &x->standard))
		return false;
	x->standard = query_keep(&x->keep, first_line(x->standard));
	if (realpath(x->standard.p, resolved) != NULL)
		x->standard = query_keep(&x->keep, sts_str_of(resolved));
	return true;
}

/* What "auto" comes to, without a change to what was given. */
static struct doctor_stsd
settings_of(const struct query_options *o, const struct config *config)
{
	struct config settled = *config;
	struct config_errors warnings = { 0 };

	(void)settle_by_postfix(&settled, &warnings);
	config_errors_done(&warnings);
	return (struct doctor_stsd){
		.config = config,
		.says_may = settled.permissive_reply == CONFIG_REPLY_MAY,
		.does_dane = settled.dane == CONFIG_ON,
		.ca_file = config->ca_file != NULL ? config->ca_file : file_ca_bundle(),
		.config_name = o->config != NULL ? o->config : STSD_CONFIG,
	};
}

int
query_postfix(const struct query_options *o, const struct config *config)
{
	struct examination x = { .quiet = o->quiet };
	struct query_writer writer = { &x.out, false };
	int status = QUERY_EXIT_UNAVAILABLE;

	x.stsd = settings_of(o, config);
	if (!find_postfix(&x))
		goto done;
	if (o->json) {
		x.writer = &writer;
		query_open(&writer, NULL, '{');
		query_text(&writer, "schema", "stsd-postfix/1");
		query_open(&writer, "instances", '[');
	}
	examine_all(&x, o->postfix);
	if (x.examined > 0)
		status = x.status;
	if (o->json) {
		query_close(&writer, ']');
		query_number(&writer, "exit_code", status);
		query_close(&writer, '}');
		sts_put_char(&x.out, '\n');
	}
done:
	query_keep_done(&x.keep);
	return query_say(&x.out, status);
}
