/* SPDX-License-Identifier: MIT */
#include "socketmap.h"

#include <stddef.h>

static const struct {
	const char *name;
	enum pf_map map;
} maps[] = {
	{ "QUERY", PF_MAP_QUERY },
	{ "QUERYwithTLSRPT", PF_MAP_QUERY_TLSRPT },
	/* What the manuals of older policy servers tell people to write in main.cf. */
	{ "postfix", PF_MAP_QUERY },
};

enum pf_map
pf_request_parse(struct sts_str payload, struct sts_str *key)
{
	struct sts_str name;

	/* Postfix quotes nothing: a key may hold blanks, a map name may not. */
	(void)sts_str_cut(&payload, ' ', &name);
	*key = payload;
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (sts_str_eq(name, sts_str_of(maps[i].name)))
			return maps[i].map;
	return PF_MAP_OTHER;
}

const char *
pf_map_text(enum pf_map map)
{
	switch (map) {
	case PF_MAP_QUERY:
		return "QUERY";
	case PF_MAP_QUERY_TLSRPT:
		return "QUERYwithTLSRPT";
	case PF_MAP_OTHER:
	case PF_MAPS:
		break;
	}
	return "other";
}
