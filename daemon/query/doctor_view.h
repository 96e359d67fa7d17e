/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_VIEW_H
#define DOCTOR_VIEW_H

#include "doctor.h"

/*
 * What the parts of the doctor share: one smtp(8) and the settings that it gets, and how
 * a finding and the lines that mend it are written down.
 */
struct doctor_view {
	struct doctor *doctor;
	struct pf_service
	    service; /* name.n 0: master.cf has none, main.cf alone counts */
	bool is_chrooted;
	bool any_chrooted; /* of those that get their policy maps from main.cf */
};

enum doctor_id {
	PFX_NOT_ASKED,
	PFX_WITH_TOO_OLD,
	PFX_WITH_NOT_ENFORCED,
	PFX_WITHOUT,
	PFX_UNKNOWN_MAP,
	PFX_SILENT,
	PFX_ELSEWHERE,
	PFX_PROXY,
	PFX_MALFORMED,
	PFX_OUT_OF_REACH,
	PFX_DENIED,
	PFX_SHADOWED,
	PFX_OTHER_FIRST,
	PFX_TABLES_FIRST,
	PFX_TABLES_LAST,
	PFX_TWICE,
	PFX_OWN_MAPS,
	PFX_PER_SITE,
	PFX_NO_TLS,
	PFX_UNDERCUT,
	PFX_DANE_LEVEL,
	PFX_DANE_ONLY_LEVEL,
	PFX_NO_LEVEL,
	PFX_NO_ANCHORS,
	PFX_BAD_ANCHORS,
	PFX_FOLDER_ANCHORS,
	PFX_NO_DANE_HERE,
	PFX_DANE_OFF,
	PFX_DANE_OVERRULED,
	PFX_RESOLVER,
	PFX_INSECURE_MX,
	PFX_PATTERNS_OFF,
	PFX_REPLY_SIZE,
	PFX_SNI,
	PFX_SERVERNAME,
	PFX_CNAME,
	PFX_NO_MX,
	PFX_TOO_OLD,
	PFX_NEXT_HOPS,
	PFX_HOP_TABLE,
	PFX_REPORTS_BARE,
	PFX_REPORTS_OFF,
	PFX_ELSEWHERE_READ,
	PFX_IDS
};

/* What this smtp(8) gets; empty where nothing is said. */
struct sts_str doctor_value(const struct doctor_view *v, const char *name);
/* The same as it is written, with $names. */
struct sts_str doctor_written(const struct doctor_view *v, const char *name);
/* Does it say so itself, in master.cf? */
bool doctor_is_own(const struct doctor_view *v, const char *name);
bool doctor_says_yes(const struct doctor_view *v, const char *name);
/* Where Postfix sees "/"; empty: the system's own. */
struct sts_str doctor_root(const struct doctor_view *v);

/* A finding about a setting (NULL: about none). The same one from another service is the
 * same finding: the one there was is given back. */
struct doctor_finding *doctor_find(struct doctor_view *v, enum doctor_id id,
    const char *setting, struct sts_str detail);

/* Each adds a line that mends it, in place of one that set the same. */
void doctor_set(struct doctor_view *v, struct doctor_finding *f, const char *name,
    struct sts_str value);
void doctor_set_stsd(struct doctor_view *v, struct doctor_finding *f, const char *name,
    struct sts_str value);
void doctor_run(struct doctor_view *v, struct doctor_finding *f, struct sts_str subject,
    struct sts_str command);

struct sts_str doctor_format(struct doctor *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A view for "%.*s". */
#define DOCTOR_S(s) (int)(s).n, (s).p

/* The table of policies: does this smtp(8) ask stsd, or is it about to? Only then the rest
 * matters. */
bool doctor_judge_maps(struct doctor_view *v);
void doctor_judge_settings(struct doctor_view *v);
/* Next hops, once for the whole Postfix. */
void doctor_judge_hops(struct doctor_view *v);

/* The level that counts where no policy does, whichever settings it comes from. */
struct sts_str doctor_level(const struct doctor_view *v);
/* Does this smtp(8) look for DANE when it is told to? */
bool doctor_can_dane(const struct doctor_view *v);

#endif
