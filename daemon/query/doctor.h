/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "postconf.h"
#include "query_finding.h"
#include "query_keep.h"
#include "str.h"

/*
 * Judges how a Postfix is set up for use with stsd, and writes the lines that mend it. It
 * runs nothing and opens nothing: it knows what postconf printed and how stsd is set,
 * and asks a struct doctor_world for what files, sockets and tables say. Nothing is
 * changed, ever.
 *
 * smtp(8) may be in master.cf many times, with settings of its own each time (-o): each
 * such service is judged by what it really gets. What comes out of main.cf is said once.
 */

/* One instance, as postconf prints it. */
struct doctor_postfix {
	struct sts_str directory;   /* of main.cf */
	bool is_default;	    /* commands find it without -c */
	struct sts_str settings;    /* -x: all, expanded */
	struct sts_str written;	    /* -n: what main.cf says, not expanded */
	struct sts_str services;    /* -M */
	struct sts_str own;	    /* -P -x: what master.cf's -o say, expanded */
	struct sts_str own_written; /* -P */
};

struct doctor_stsd {
	const struct config *config;
	bool says_may;		 /* what permissive_reply comes to on this machine */
	bool does_dane;		 /* and dane */
	const char *ca_file;	 /* trust anchors to recommend; NULL: none were found */
	const char *config_name; /* of the file to change */
};

/* What smtp(8), working as an account and seeing root as "/", finds at a path. */
enum doctor_sight {
	DOCTOR_FINE,
	DOCTOR_MISSING,
	DOCTOR_DENIED, /* that account may not use it */
	DOCTOR_WRONG,  /* it is something else: no socket, without certificates */
	DOCTOR_HIDDEN, /* we may not look ourselves */
};
enum doctor_thing {
	DOCTOR_SOCKET,	  /* to connect to */
	DOCTOR_CA_FILE,	  /* read before privileges and root are given up */
	DOCTOR_CA_FOLDER, /* of certificates named by their hashes */
};
struct doctor_place {
	struct sts_str account; /* smtp(8)'s; empty: that of root */
	struct sts_str root;	/* empty: the system's own */
	struct sts_str path;	/* absolute, below root */
};

/* Who answers a socketmap question. */
enum doctor_voice { DOCTOR_STSD, DOCTOR_SOMEBODY, DOCTOR_NOBODY };

struct doctor_world {
	enum doctor_sight (
	    *look)(void *arg, enum doctor_thing thing, const struct doctor_place *at);
	/* HOST and PORT; or a socket, at is NULL otherwise. */
	enum doctor_voice (*ask)(void *arg, const struct pf_socketmap *whom,
	    const struct doctor_place *at);
	/* Is etc/resolv.conf there the same as that of the system? */
	bool (*same_resolver)(void *arg, struct sts_str root);
	/* Has a table (of the instance) an answer to a key? */
	bool (*answers)(void *arg, struct sts_str table, const char *key);
	/* All entries of a local table, "key TAB value" lines; empty: they cannot be had.
	 * The view lives as long as the world. */
	struct sts_str (*entries)(void *arg, struct sts_str table);
	void *arg;
};

/* A line that mends something. */
enum doctor_where {
	DOCTOR_SHELL, /* for root's shell */
	DOCTOR_CONF,  /* for stsd.conf */
};
struct doctor_line {
	enum doctor_where where;
	struct sts_str subject; /* what it sets; two lines never set the same */
	struct sts_str text;
};

#define DOCTOR_FIXES 3

struct doctor_finding {
	const char *id; /* "PFX01": stable, never reused */
	enum query_severity severity;
	const char *text;	    /* what is wrong */
	const char *why;	    /* what comes of it */
	struct sts_str place;	    /* "main.cf", "master.cf relay/unix" */
	struct sts_str setting;	    /* a name; may be empty */
	struct sts_str value;	    /* what was found there */
	struct sts_str detail;	    /* of this very case; may be empty */
	size_t lines[DOCTOR_FIXES]; /* into the doctor's; for line_count */
	size_t line_count;
};

struct doctor_view;

struct doctor {
	const struct doctor_postfix *postfix;
	const struct doctor_stsd *stsd;
	const struct doctor_world *world;
	struct query_keep keep;
	struct sts_str version_text;
	unsigned long version;
	struct doctor_view *views; /* one for each smtp(8) */
	size_t view_count;
	struct doctor_finding *findings;
	size_t count, size;
	struct doctor_line *lines;
	size_t line_count, line_size;
};

/* What is given must live as long as the findings do. */
void doctor_examine(struct doctor *d, const struct doctor_postfix *postfix,
    const struct doctor_stsd *stsd, const struct doctor_world *world);
void doctor_done(struct doctor *d);

/* Is there anything to do? Hints are not. */
bool doctor_is_content(const struct doctor *d);
/* Every id, from 0 on, for the manual's check and the tests; NULL at the end. */
const char *doctor_id_text(size_t i);

#endif
