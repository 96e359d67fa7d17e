/* SPDX-License-Identifier: MIT */
#ifndef QUERY_EXIT_H
#define QUERY_EXIT_H

/* How stsd-query ends (stsd-query(1), EXIT STATUS). */
#define QUERY_EXIT_PROTECTED 0
#define QUERY_EXIT_NO_POLICY 1 /* testing, none, or no policy */
#define QUERY_EXIT_WARNING 2   /* something the recipient must mend */
#define QUERY_EXIT_BROKEN 3    /* mail is deferred, or the policy is broken */
#define QUERY_EXIT_TEMPORARY 4
#define QUERY_EXIT_USAGE 64
#define QUERY_EXIT_DATA 65
#define QUERY_EXIT_NO_INPUT 66
#define QUERY_EXIT_UNAVAILABLE 69
#define QUERY_EXIT_INTERNAL 70
#define QUERY_EXIT_CONFIG 78

/* Of several: the first of 3, 4, 2, 1, 0 that occurs. */
int query_exit_worse(int a, int b);

#endif
