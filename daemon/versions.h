/* SPDX-License-Identifier: MIT */
#ifndef VERSIONS_H
#define VERSIONS_H

#include <stdio.h>

/* "NAME 0.1.0", then one line for each library in use: for the -V of a program that is
 * linked with all of them. */
void versions_print(const char *program, FILE *to);

#endif
