/* SPDX-License-Identifier: MIT */
/*
 * IMF-fixdate, RFC 9110 section 5.6.7:
 *
 *	date = day-name "," SP 2DIGIT SP month SP 4DIGIT SP time SP "GMT"
 *	time = 2DIGIT ":" 2DIGIT ":" 2DIGIT
 */
#include "httpdate.h"

#include <stddef.h>

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define FIRST_YEAR 1970
#define DAY 86400

struct date {
	int64_t year, month, day, hour, minute, second; /* month: from 0 */
};

static int64_t
number(struct sts_cursor *c, size_t digits)
{
	struct sts_str found = sts_eat_run(c, DIGITS, digits, digits);
	unsigned long long n = 0;

	if (!c->bad)
		c->bad = !sts_str_number(found, 9999, &n);
	return (int64_t)n;
}

static int64_t
month(struct sts_cursor *c)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct sts_str found = sts_eat_run(c, LETTERS, 3, 3);

	for (int64_t m = 0; m < 12 && !c->bad; m++)
		if (sts_str_eq(found, (struct sts_str){ names + 3 * m, 3 }))
			return m;
	c->bad = true;
	return 0;
}

static bool
is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t
days_in(int64_t year, int64_t m)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[m] + (m == 1 && is_leap(year) ? 1 : 0);
}

/* A leap second counts as the one before. */
static bool
exists(const struct date *d)
{
	return d->year >= FIRST_YEAR && d->day >= 1 &&
	    d->day <= days_in(d->year, d->month) && d->hour < 24 && d->minute < 60 &&
	    d->second <= 60;
}

static int64_t
seconds_of(const struct date *d)
{
	int64_t years = d->year - 1, days;

	days = 365 * (d->year - FIRST_YEAR) + (years / 4 - years / 100 + years / 400) -
	    (1969 / 4 - 1969 / 100 + 1969 / 400);
	for (int64_t m = 0; m < d->month; m++)
		days += days_in(d->year, m);
	days += d->day - 1;
	return days * DAY + d->hour * 3600 + d->minute * 60 +
	    (d->second < 60 ? d->second : 59);
}

bool
sts_http_date(struct sts_str text, int64_t *seconds)
{
	struct sts_cursor c = { text, false };
	struct date d;

	(void)sts_eat_run(&c, LETTERS, 3, 3);
	sts_eat(&c, STS_STR(", "));
	d.day = number(&c, 2);
	sts_eat(&c, STS_STR(" "));
	d.month = month(&c);
	sts_eat(&c, STS_STR(" "));
	d.year = number(&c, 4);
	sts_eat(&c, STS_STR(" "));
	d.hour = number(&c, 2);
	sts_eat(&c, STS_STR(":"));
	d.minute = number(&c, 2);
	sts_eat(&c, STS_STR(":"));
	d.second = number(&c, 2);
	sts_eat(&c, STS_STR(" GMT"));
	if (c.bad || c.rest.n > 0 || !exists(&d))
		return false;
	*seconds = seconds_of(&d);
	return true;
}
