/* SPDX-License-Identifier: MIT */
/*
 * Any text: either errors, or a table in which every answer is one that Postfix may be
 * given: a known status, printable, and no brace, comma or tab that its grammar knows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795341600)

static void
check_reply(struct sts_str reply)
{
	if (!sts_str_starts(reply, STS_STR("OK ")) &&
	    !sts_str_starts(reply, STS_STR("TEMP ")) &&
	    !sts_str_eq(reply, STS_STR("NOTFOUND ")))
		abort();
	for (size_t i = 0; i < reply.n; i++) {
		if (reply.p[i] < ' ' || reply.p[i] > '~' ||
		    memchr("{},;\\\"", reply.p[i], 6) != NULL)
			abort();
	}
}

static size_t
ask(const struct overrides *o, struct sts_str text)
{
	struct sts_key key;
	struct sts_str reply;

	if (sts_key_parse(text, &key) != STS_OK)
		return 0;
	reply = overrides_find(o, (struct sts_str){ key.domain, key.domain_n }, NOW);
	if (reply.n == 0)
		return 0;
	check_reply(reply);
	return 1;
}

/* Each line's first word, and a name below it, as Postfix would ask. */
static void
ask_all(const struct overrides *o, struct sts_str text)
{
	struct sts_str line;
	size_t found = 0;

	while (text.n > 0) {
		char below[2 + STS_NAME_MAX] = "a.";
		struct sts_str word;
		size_t at;

		(void)sts_str_cut(&text, '\n', &line);
		line = sts_str_trim(line);
		for (word = (struct sts_str){ line.p, 0 }; word.n < line.n; word.n++) {
			if (line.p[word.n] == ' ' || line.p[word.n] == '\t')
				break;
		}
		if (word.n == 0 || word.n > STS_NAME_MAX)
			continue;
		at = word.p[0] == '.' ? 1 : 2;
		memcpy(below + at, word.p, word.n);
		found += ask(o, word) + ask(o, (struct sts_str){ below, at + word.n });
	}
	if (overrides_count(o) == 0 && found > 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str text = { (const char *)data, size };
	struct config_errors errors = { 0 };
	struct overrides *o = overrides_parse(text, "fuzz", NOW, &errors, NULL);

	if ((o == NULL) != (errors.count > 0))
		abort();
	if (o != NULL)
		ask_all(o, text);
	overrides_free(o);
	config_errors_done(&errors);
	return 0;
}
