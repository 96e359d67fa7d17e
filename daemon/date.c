/* SPDX-License-Identifier: MIT */
#include "date.h"

/*
 * The calendar repeats every 400 years of 146097 days. Years are counted from March, so
 * that the day that comes and goes is the last of its year.
 */
#define DAYS_400Y 146097
#define DAYS_100Y 36524
#define DAYS_4Y 1461
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

/* Day of such a year on which month m (0 is March) begins: 0, 31, 61, 92 ... */
static int64_t
month_start(int64_t m)
{
	return (153 * m + 2) / 5;
}

struct date
date_of(int64_t days)
{
	int64_t from_march = days + DAYS_TO_1970;
	int64_t era =
	    (from_march >= 0 ? from_march : from_march - (DAYS_400Y - 1)) / DAYS_400Y;
	int64_t day = from_march - era * DAYS_400Y; /* 0..146096 */
	int64_t year =
	    (day - day / (DAYS_4Y - 1) + day / DAYS_100Y - day / (DAYS_400Y - 1)) / 365;
	int64_t m;

	day -= 365 * year + year / 4 - year / 100;
	m = (5 * day + 2) / 153;
	return (struct date){
		.year = era * 400 + year + (m >= 10),
		.month = (unsigned)(m < 10 ? m + 3 : m - 9),
		.day = (unsigned)(day - month_start(m) + 1),
	};
}

int64_t
date_days(struct date date)
{
	int64_t m = date.month > 2 ? (int64_t)date.month - 3 : (int64_t)date.month + 9;
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t in_era = year - era * 400;

	return era * DAYS_400Y + in_era * 365 + in_era / 4 - in_era / 100 +
	    month_start(m) + date.day - 1 - DAYS_TO_1970;
}

/* Exactly n digits. */
static unsigned
eat_number(struct sts_cursor *c, size_t n)
{
	struct sts_str digits = sts_eat_run(c, "0123456789", n, n);
	unsigned number = 0;

	for (size_t i = 0; i < digits.n; i++)
		number = number * 10 + (unsigned)(digits.p[i] - '0');
	return number;
}

bool
date_parse(struct sts_str text, int64_t *days)
{
	struct sts_cursor c = { text, false };
	struct date date;

	date.year = eat_number(&c, 4);
	sts_eat(&c, STS_STR("-"));
	date.month = eat_number(&c, 2);
	sts_eat(&c, STS_STR("-"));
	date.day = eat_number(&c, 2);
	if (c.bad || c.rest.n > 0 || date.year < 1970 || date.month < 1 ||
	    date.month > 12)
		return false;
	/* A day that does not exist comes back as one of the next month. */
	if (date_of(date_days(date)).day != date.day)
		return false;
	*days = date_days(date);
	return true;
}
