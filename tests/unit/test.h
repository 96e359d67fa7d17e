/* SPDX-License-Identifier: MIT */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>

/* A test program defines this, and returns it from main. */
extern int test_failed;

/* Reports and goes on: one run shows every case that fails, not just the first. */
#define CHECK(what, condition)                                                           \
 do {                                                                                    \
  if (!(condition)) {                                                                    \
   fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, (what), #condition);           \
   test_failed = 1;                                                                      \
  }                                                                                      \
 } while (0)

#endif
