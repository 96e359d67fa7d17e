/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdarg.h>
#include <stdlib.h>

void
config_complain(struct config_errors *e, const char *format, ...)
{
	char **more;
	char *line;
	va_list args;
	int n;

	if (e == NULL)
		return;
	va_start(args, format);
	n = vasprintf(&line, format, args);
	va_end(args);
	if (n == -1)
		return;
	more = reallocarray(e->lines, e->count + 1, sizeof(*more));
	if (more == NULL) {
		free(line);
		return;
	}
	e->lines = more;
	e->lines[e->count++] = line;
}

void
config_errors_done(struct config_errors *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->lines[i]);
	free(e->lines);
	*e = (struct config_errors){ 0 };
}
