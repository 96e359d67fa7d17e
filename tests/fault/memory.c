/* SPDX-License-Identifier: MIT */
/* Memory that runs out. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"

static bool
is_out(const char *call)
{
	if (!fault_strikes(FAULT_MEMORY, call))
		return false;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *
__wrap_malloc(size_t n)
{
	return is_out("malloc") ? NULL : __real_malloc(n);
}

void *__real_calloc(size_t count, size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *
__wrap_calloc(size_t count, size_t n)
{
	return is_out("calloc") ? NULL : __real_calloc(count, n);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *
__wrap_realloc(void *p, size_t n)
{
	return is_out("realloc") ? NULL : __real_realloc(p, n);
}

void *__real_reallocarray(void *p, size_t count, size_t n);
void *__wrap_reallocarray(void *p, size_t count, size_t n);
void *
__wrap_reallocarray(void *p, size_t count, size_t n)
{
	return is_out("reallocarray") ? NULL : __real_reallocarray(p, count, n);
}

char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);
char *
__wrap_strdup(const char *s)
{
	return is_out("strdup") ? NULL : __real_strdup(s);
}

char *__real_strndup(const char *s, size_t n);
char *__wrap_strndup(const char *s, size_t n);
char *
__wrap_strndup(const char *s, size_t n)
{
	return is_out("strndup") ? NULL : __real_strndup(s, n);
}

/* As the compiler's checks have it, and without them. */
int __real_vasprintf(char **to, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **to, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
int
__wrap_vasprintf(char **to, const char *format, va_list args)
{
	return is_out("vasprintf") ? -1 : __real_vasprintf(to, format, args);
}

int __real___vasprintf_chk(char **to, int flag, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
int __wrap___vasprintf_chk(char **to, int flag, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
int
__wrap___vasprintf_chk(char **to, int flag, const char *format, va_list args)
{
	return is_out("vasprintf") ? -1 : __real___vasprintf_chk(to, flag, format, args);
}

FILE *__real_open_memstream(char **to, size_t *n);
FILE *__wrap_open_memstream(char **to, size_t *n);
FILE *
__wrap_open_memstream(char **to, size_t *n)
{
	return is_out("open_memstream") ? NULL : __real_open_memstream(to, n);
}
