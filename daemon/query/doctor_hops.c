/* SPDX-License-Identifier: MIT */
#include "doctor_view.h"
#include "name.h"

/*
 * Next hops other than the recipient's domain: each is what stsd is asked about (RFC 8461
 * section 3.4), and people do not expect it.
 */

/* More of one table are not listed. */
#define HOPS_MAX 20

static const struct {
	const char *name;
	bool is_table;
	bool has_transport; /* TRANSPORT:NEXTHOP, not NEXTHOP alone */
} settings_with_hops[] = {
	{ "relayhost", false, false },
	{ "default_transport", false, true },
	{ "relay_transport", false, true },
	{ "smtp_fallback_relay", false, false },
	{ "transport_maps", true, true },
	{ "sender_dependent_relayhost_maps", true, false },
	{ "sender_dependent_default_transport_maps", true, true },
};

static bool
is_smtp(const struct doctor *d, struct sts_str transport)
{
	for (size_t i = 0; i < d->view_count; i++)
		if (sts_str_eq(d->views[i].service.name, transport))
			return true;
	return false;
}

/* Without a transport in front, ":host" is the usual one. */
static struct sts_str
hop_of(const struct doctor *d, struct sts_str value, bool has_transport)
{
	struct sts_str transport = STS_STR_NONE;

	if (!has_transport)
		return value;
	(void)sts_str_cut(&value, ':', &transport);
	return transport.n == 0 || is_smtp(d, transport) ? value : STS_STR_NONE;
}

static bool
has_word(struct sts_str list, struct sts_str wanted)
{
	struct sts_str word;

	while (pf_postconf_next_item(&list, &word))
		if (sts_str_eq(word, wanted))
			return true;
	return false;
}

/* Adds what stsd makes of the hops in a value; addresses never have a policy. */
static size_t
add_hops(struct doctor *d, struct sts_str hops, struct sts_str *list)
{
	struct sts_key key;
	struct sts_str word;
	size_t added = 0;

	while (pf_postconf_next_item(&hops, &word)) {
		struct sts_str domain;

		if (sts_key_parse(word, &key) != STS_OK)
			continue;
		domain = (struct sts_str){ key.domain, key.domain_n };
		if (has_word(*list, domain))
			continue;
		*list = doctor_format(d, "%.*s%s%.*s", DOCTOR_S(*list),
		    list->n > 0 ? ", " : "", DOCTOR_S(domain));
		added++;
	}
	return added;
}

static void
say_hops(struct doctor_view *v, const char *setting, struct sts_str list)
{
	if (list.n > 0)
		(void)doctor_find(v, PFX_NEXT_HOPS, setting, list);
}

static void
judge_table(struct doctor_view *v, size_t row, struct sts_str table)
{
	const struct doctor_world *world = v->doctor->world;
	struct sts_str entries = world->entries(world->arg, table), line, key;
	struct sts_str list = STS_STR("");
	size_t count = 0;

	if (entries.n == 0) {
		(void)doctor_find(v, PFX_HOP_TABLE, settings_with_hops[row].name, table);
		return;
	}
	while (entries.n > 0 && count < HOPS_MAX) {
		(void)sts_str_cut(&entries, '\n', &line);
		if (!sts_str_cut(&line, '\t', &key))
			continue;
		count += add_hops(v->doctor,
		    hop_of(v->doctor, line, settings_with_hops[row].has_transport),
		    &list);
	}
	if (entries.n > 0)
		list = doctor_format(v->doctor, "%.*s, ...", DOCTOR_S(list));
	say_hops(v, settings_with_hops[row].name, list);
}

static void
judge_value(struct doctor_view *v, size_t row, struct sts_str value)
{
	struct sts_str list = STS_STR("");

	(void)add_hops(v->doctor,
	    hop_of(v->doctor, value, settings_with_hops[row].has_transport), &list);
	say_hops(v, settings_with_hops[row].name, list);
}

void
doctor_judge_hops(struct doctor_view *v)
{
	for (size_t i = 0; i < sizeof(settings_with_hops) / sizeof(settings_with_hops[0]);
	     i++) {
		struct sts_str value = doctor_value(v, settings_with_hops[i].name);
		struct sts_str table;

		if (!settings_with_hops[i].is_table)
			judge_value(v, i, value);
		while (settings_with_hops[i].is_table &&
		    pf_postconf_next_item(&value, &table))
			judge_table(v, i, table);
	}
}
