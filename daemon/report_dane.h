/* SPDX-License-Identifier: MIT */
#ifndef REPORT_DANE_H
#define REPORT_DANE_H

#include "engine.h"

/* A part of report.h: what DANE comes to for a domain, whenever that changes (of a journey
 * that ended), and each answer about an MX host, for those who debug. */
void report_finding(const struct sts_event *event);
void report_host(const struct sts_event *event);

#endif
