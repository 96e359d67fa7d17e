/* SPDX-License-Identifier: MIT */
#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

/* Days of the Gregorian calendar in UTC, counted from 1970-01-01. No time zone, and so
 * no file behind our back (libc reads /etc/localtime even for UTC). */
struct date {
	int64_t year;
	unsigned month; /* 1..12 */
	unsigned day;	/* 1..31 */
};

#define DATE_SECONDS 86400

struct date date_of(int64_t days);
int64_t date_days(struct date date);
/* "YYYY-MM-DD" of a day that exists, 1970 or later; false leaves *days alone. */
bool date_parse(struct sts_str text, int64_t *days);

#endif
