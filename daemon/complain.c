/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
config_complain(struct config_errors *e, const char *format, ...)
{
	char **more;
	char *line;
	va_list args;
	int n;

	if (e == NULL)
		return;
	e->made++;
	va_start(args, format);
	n = vasprintf(&line, format, args);
	va_end(args);
	if (n == -1) {
		e->ours = true;
		return;
	}
	more = reallocarray(e->lines, e->count + 1, sizeof(*more));
	if (more == NULL) {
		e->ours = true;
		free(line);
		return;
	}
	e->lines = more;
	e->lines[e->count++] = line;
}

bool
config_is_ours(int error)
{
	return error == ENOMEM || error == ENOSPC || error == EMFILE || error == ENFILE;
}

void
config_complain_errno(struct config_errors *e, const char *place, int error)
{
	config_complain(e, "%s: %s", place, strerror(error));
	if (e != NULL && config_is_ours(error))
		e->ours = true;
}

void
config_errors_done(struct config_errors *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->lines[i]);
	free(e->lines);
	*e = (struct config_errors){ 0 };
}
