/* SPDX-License-Identifier: MIT */
/*
 * Any text: either errors that name a place, or a configuration that is printed, with
 * its origins or without, as a text that reads back as the same one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
printed(const struct config *c, bool origins, size_t *n)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, n);

	if (to == NULL)
		abort();
	if (!config_print(c, to, origins) || fclose(to) != 0)
		abort();
	return text;
}

static void
check_back(const struct config *c, bool origins)
{
	struct config_errors errors = { 0 };
	size_t once_n;
	size_t text_n;
	size_t twice_n;
	char *once = printed(c, false, &once_n);
	char *text = printed(c, origins, &text_n);
	struct config *back =
	    config_parse_text((struct sts_str){ text, text_n }, "printed", &errors);
	char *twice;

	if (back == NULL || errors.count > 0)
		abort();
	twice = printed(back, false, &twice_n);
	if (once_n != twice_n || memcmp(once, twice, once_n) != 0)
		abort();
	free(twice);
	config_free(back);
	free(text);
	free(once);
}

static void
check_errors(const struct config_errors *errors)
{
	if (errors->count == 0)
		abort();
	for (size_t i = 0; i < errors->count; i++) {
		const char *line = errors->lines[i];

		/* The place is the text's, or that of a default it clashes with. */
		if (strncmp(line, "fuzz:", 5) != 0 && strncmp(line, "default: ", 9) != 0)
			abort();
		for (; *line != '\0'; line++) {
			if (*line < ' ' || *line > '~')
				abort();
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str text = { (const char *)data, size };
	struct config_errors errors = { 0 };
	struct config *c = config_parse_text(text, "fuzz", &errors);

	if (c != NULL) {
		if (errors.count > 0 || c->listen.count == 0)
			abort();
		check_back(c, false);
		check_back(c, true);
	} else {
		check_errors(&errors);
	}
	config_free(c);
	config_errors_done(&errors);
	return 0;
}
