/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include "doctor.h"
#include "query_writer.h"

/* What the doctor found in one instance: for people, the verdict first, and at the end
 * the lines to paste; for machines. quiet: the verdict alone. */
void doctor_put_text(struct sts_buf *to, const struct doctor *d, bool quiet);
void doctor_put_json(struct query_writer *w, const struct doctor *d);

#endif
