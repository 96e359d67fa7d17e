/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_ENDPOINT_H
#define DOCTOR_ENDPOINT_H

#include "doctor_view.h"

/* Where stsd listens, as Postfix would write it, and whether one smtp(8) gets there. */
enum doctor_reach {
	DOCTOR_REACHED,
	DOCTOR_SILENT,	     /* an address of stsd, and nobody answers */
	DOCTOR_TAKEN,	     /* an address of stsd, and somebody else answers */
	DOCTOR_OTHER,	     /* another service's address */
	DOCTOR_LOST,	     /* nobody's address */
	DOCTOR_OUT_OF_REACH, /* a socket outside of the chroot */
	DOCTOR_NOT_ALLOWED,
};
enum doctor_reach doctor_reach(const struct doctor_view *v,
    const struct pf_socketmap *whom);

/* The best there is for this service, "inet:127.0.0.1:8461": one that answers, else one
 * that would, were stsd running, with *is_silent set; empty: stsd listens nowhere that it
 * can get to. */
struct sts_str doctor_choose(const struct doctor_view *v, bool *is_silent);
/* All of listen, in one line. */
struct sts_str doctor_listen_text(const struct doctor_view *v);

#endif
