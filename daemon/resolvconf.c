/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "buf.h"
#include "value.h"

/* As many as libc looks at (resolv.conf(5)): a longer list would give another order of
 * trial than the rest of the system has. */
#define SERVERS_MAX 3

static bool
next_word(struct sts_str *line, struct sts_str *word)
{
	while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		*line = sts_str_from(*line, 1);
	*word = (struct sts_str){ line->p, 0 };
	while (word->n < line->n && line->p[word->n] != ' ' && line->p[word->n] != '\t' &&
	    line->p[word->n] != '\r')
		word->n++;
	*line = sts_str_from(*line, word->n);
	return word->n > 0;
}

/* An address with a zone (fe80::1%eth0) is passed over, as is anything else that is no
 * address: what is left is better than nothing. */
static bool
add_server(struct sts_str word, struct resolvconf *out)
{
	struct sts_addr addr;
	char text[STS_ADDR_TEXT];
	size_t n = strlen(out->servers);
	size_t length;

	if (!sts_addr_parse(word, &addr))
		return false;
	length = sts_addr_text(&addr, text);
	if (n + length + sizeof(" []") > sizeof(out->servers))
		return false;
	if (n > 0)
		out->servers[n++] = ' ';
	if (addr.v6)
		out->servers[n++] = '[';
	memcpy(out->servers + n, text, length);
	n += length;
	if (addr.v6)
		out->servers[n++] = ']';
	out->servers[n] = '\0';
	return true;
}

void
resolvconf_parse(struct sts_str text, struct resolvconf *out)
{
	struct sts_str line;
	struct sts_str word;
	size_t servers = 0;

	*out = (struct resolvconf){ 0 };
	while (text.n > 0) {
		(void)sts_str_cut(&text, '\n', &line);
		if (!next_word(&line, &word))
			continue;
		if (sts_str_eq(word, STS_STR("nameserver"))) {
			if (servers < SERVERS_MAX && next_word(&line, &word))
				servers += add_server(word, out);
		} else if (sts_str_eq(word, STS_STR("options"))) {
			while (next_word(&line, &word)) {
				if (sts_str_eq(word, STS_STR("trust-ad")))
					out->trust_ad = true;
			}
		}
	}
}
