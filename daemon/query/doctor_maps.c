/* SPDX-License-Identifier: MIT */
#include "doctor_endpoint.h"
#include "doctor_view.h"

/*
 * smtp_tls_policy_maps: is stsd among the tables, under the right name, at an address
 * that answers, and does a lookup get that far? The list that would be right is made
 * first; each finding then points to it.
 */
#define MAPS "smtp_tls_policy_maps"
/* No table of exceptions has this domain (RFC 2606): whoever answers, answers for all. */
#define NOBODY "no-such-domain.invalid"

enum role {
	PLAIN,	   /* answers for the domains in it */
	CATCH_ALL, /* answers for every domain */
	OTHER,	   /* some other service */
	MALFORMED, /* a socketmap that Postfix cannot open */
	LOST,	   /* nobody's address, asked as stsd is */
	OURS,
};

struct item {
	struct pf_table table;
	struct pf_socketmap whom; /* of OURS and LOST */
	enum doctor_reach reach;
	enum role role;
};

struct list {
	struct item *items;
	size_t count;
};

struct plan {
	struct list list;
	size_t ours;		/* list.count: none */
	size_t before;		/* the first that keeps lookups from stsd; count: none */
	struct sts_str map;	/* the name that is right here */
	struct sts_str fresh;	/* the item that is right */
	struct sts_str desired; /* the whole list */
	bool needs_listener;	/* stsd listens nowhere that smtp(8) can get to */
	bool is_silent;		/* where it ought to be asked nobody answers */
};

/* --- Which table is what --- */

static bool
is_type(const struct item *item, const char *type)
{
	return sts_str_eq(item->table.type, sts_str_of(type));
}

static bool
is_known_map(struct sts_str map)
{
	return sts_str_eq(map, STS_STR("QUERY")) ||
	    sts_str_eq(map, STS_STR("QUERYwithTLSRPT")) ||
	    sts_str_eq(map, STS_STR("postfix"));
}

static enum role
role_of_socketmap(const struct doctor_view *v, struct item *item)
{
	if (!pf_postconf_socketmap(item->table.name, &item->whom))
		return MALFORMED;
	item->reach = doctor_reach(v, &item->whom);
	if (item->reach == DOCTOR_OTHER)
		return OTHER;
	if (item->reach == DOCTOR_LOST)
		return is_known_map(item->whom.map) ? LOST : OTHER;
	return OURS;
}

static enum role
role_of(const struct doctor_view *v, struct item *item)
{
	const struct doctor_world *world = v->doctor->world;

	if (is_type(item, "socketmap"))
		return role_of_socketmap(v, item);
	if (is_type(item, "tcp"))
		return OTHER;
	if (is_type(item, "static"))
		return CATCH_ALL;
	if ((is_type(item, "regexp") || is_type(item, "pcre")) &&
	    world->answers(world->arg, item->table.whole, NOBODY))
		return CATCH_ALL;
	return PLAIN;
}

static struct list
read_list(const struct doctor_view *v, struct sts_str text)
{
	struct sts_str rest = text, word;
	struct list l = { 0 };

	while (pf_postconf_next_item(&rest, &word))
		l.count++;
	l.items = query_room(&v->doctor->keep, (l.count + 1) * sizeof(*l.items));
	for (size_t i = 0; i < l.count && pf_postconf_next_item(&text, &word); i++) {
		l.items[i].table = pf_postconf_table(word);
		l.items[i].role = role_of(v, &l.items[i]);
	}
	return l;
}

static size_t
find_role(const struct list *l, enum role role)
{
	size_t i = 0;

	while (i < l->count && l->items[i].role != role)
		i++;
	return i;
}

/* Without stsd among them, whoever was meant to be it; others are others. */
static size_t
settle_ours(struct list *l)
{
	size_t ours = find_role(l, OURS);

	if (ours == l->count)
		ours = find_role(l, LOST);
	if (ours == l->count)
		ours = find_role(l, MALFORMED);
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].role == LOST && i != ours)
			l->items[i].role = OTHER;
	return ours;
}

static size_t
find_obstacle(const struct list *l, size_t ours)
{
	for (size_t i = 0; i < ours; i++)
		if (l->items[i].role == CATCH_ALL || l->items[i].role == OTHER)
			return i;
	return l->count;
}

/* --- The list that would be right --- */

static struct sts_str
right_map(const struct doctor_view *v)
{
	unsigned long version = v->doctor->version;

	if (version >= PF_VERSION(3, 10, 5) ||
	    (version >= PF_VERSION(3, 10, 0) && doctor_says_yes(v, "smtp_tlsrpt_enable")))
		return STS_STR("QUERYwithTLSRPT");
	return STS_STR("QUERY");
}

static bool
is_right_map(const struct plan *p, struct sts_str map)
{
	return sts_str_eq(map, p->map) ||
	    (sts_str_eq(p->map, STS_STR("QUERY")) && sts_str_eq(map, STS_STR("postfix")));
}

static const struct item *
our_item(const struct plan *p)
{
	return p->ours < p->list.count ? &p->list.items[p->ours] : NULL;
}

static const struct item *
obstacle(const struct plan *p)
{
	return p->before < p->list.count ? &p->list.items[p->before] : NULL;
}

/* What works stays, even if another address of stsd would do as well. */
static struct sts_str
right_endpoint(const struct doctor_view *v, struct plan *p)
{
	const struct item *item = our_item(p);
	bool named = item != NULL && item->role != MALFORMED;
	struct sts_str chosen;

	if (named &&
	    (item->reach == DOCTOR_REACHED || item->reach == DOCTOR_SILENT ||
		item->reach == DOCTOR_TAKEN))
		return item->whom.endpoint;
	chosen = doctor_choose(v, &p->is_silent);
	if (chosen.n > 0)
		return chosen;
	if (named && item->reach == DOCTOR_NOT_ALLOWED)
		return item->whom.endpoint;
	p->needs_listener = true;
	return STS_STR("inet:127.0.0.1:8461");
}

/* "postconf -P" takes no blanks. */
static void
append(const struct doctor_view *v, struct sts_str *list, struct sts_str item)
{
	const char *between = doctor_is_own(v, MAPS) ? "," : ", ";

	*list = doctor_format(v->doctor, "%.*s%s%.*s", DOCTOR_S(*list),
	    list->n > 0 ? between : "", DOCTOR_S(item));
}

/* With what is asked twice. */
static size_t
count_ours(const struct plan *p, struct sts_str word)
{
	size_t count = 0;

	for (size_t i = 0; i < p->list.count; i++) {
		const struct item *item = &p->list.items[i];

		count += (item->role == OURS || i == p->ours) &&
		    (word.p == NULL || sts_str_eq(word, item->table.whole));
	}
	return count;
}

/* The same list with the right item, once, in its place: where it was, before what would
 * answer first, or at the end. False: a part of it cannot be found in text, because it is
 * in a $name. */
static bool
rewrite(const struct doctor_view *v, const struct plan *p, struct sts_str text,
    struct sts_str *out)
{
	const struct item *in_the_way = obstacle(p);
	bool done = false;
	size_t left = count_ours(p, STS_STR_NONE);
	struct sts_str word;

	*out = STS_STR("");
	while (pf_postconf_next_item(&text, &word)) {
		bool is_ours = count_ours(p, word) > 0;
		bool is_here = in_the_way != NULL
		    ? sts_str_eq(word, in_the_way->table.whole)
		    : is_ours;

		if (is_here && !done) {
			append(v, out, p->fresh);
			done = true;
		}
		if (!is_ours)
			append(v, out, word);
		else if (left > 0)
			left--;
	}
	if (!done && in_the_way == NULL && our_item(p) == NULL) {
		append(v, out, p->fresh);
		done = true;
	}
	return done && left == 0;
}

static struct plan
make_plan(const struct doctor_view *v)
{
	struct sts_str expanded = doctor_value(v, MAPS);
	struct plan p = { .list = read_list(v, expanded) };
	const struct item *item;
	struct sts_str map;

	p.ours = settle_ours(&p.list);
	p.before = find_obstacle(&p.list, p.ours);
	p.map = right_map(v);
	item = our_item(&p);
	map = item != NULL && item->role != MALFORMED && is_right_map(&p, item->whom.map)
	    ? item->whom.map
	    : p.map;
	p.fresh = doctor_format(v->doctor, "socketmap:%.*s:%.*s",
	    DOCTOR_S(right_endpoint(v, &p)), DOCTOR_S(map));
	if (!rewrite(v, &p, doctor_written(v, MAPS), &p.desired))
		(void)rewrite(v, &p, expanded, &p.desired);
	return p;
}

/* --- What is wrong with the one there is --- */

static struct doctor_finding *
find(struct doctor_view *v, enum doctor_id id, struct sts_str item, struct sts_str detail)
{
	struct doctor_finding *f = doctor_find(v, id, MAPS, detail);

	if (item.n > 0)
		f->value = item;
	return f;
}

/* One that the right list mends. */
static struct doctor_finding *
find_mended(struct doctor_view *v, const struct plan *p, enum doctor_id id,
    struct sts_str item, struct sts_str detail)
{
	struct doctor_finding *f = find(v, id, item, detail);

	doctor_set(v, f, MAPS, p->desired);
	if (p->needs_listener)
		doctor_set_stsd(v, f, "listen",
		    doctor_format(v->doctor, "%.*s inet:127.0.0.1:8461",
			DOCTOR_S(doctor_listen_text(v))));
	return f;
}

static void
judge_map(struct doctor_view *v, const struct plan *p, const struct item *item)
{
	unsigned long version = v->doctor->version;
	struct sts_str map = item->whom.map;
	bool with = sts_str_eq(map, STS_STR("QUERYwithTLSRPT"));

	if (!is_known_map(map)) {
		(void)find_mended(v, p, PFX_UNKNOWN_MAP, item->table.whole, STS_STR_NONE);
	} else if (with && version < PF_VERSION(3, 10, 0)) {
		(void)find_mended(v, p, PFX_WITH_TOO_OLD, item->table.whole,
		    STS_STR_NONE);
	} else if (with && version < PF_VERSION(3, 10, 5)) {
		struct doctor_finding *f;

		if (!is_right_map(p, map)) {
			(void)find_mended(v, p, PFX_WITH_NOT_ENFORCED, item->table.whole,
			    STS_STR_NONE);
			return;
		}
		f = find(v, PFX_WITH_NOT_ENFORCED, item->table.whole,
		    STS_STR("needed here for TLS reports"));
		f->severity = QUERY_INFO;
	} else if (!is_right_map(p, map)) {
		(void)find_mended(v, p,
		    version >= PF_VERSION(3, 10, 5) ? PFX_WITHOUT : PFX_REPORTS_BARE,
		    item->table.whole, STS_STR_NONE);
	}
}

/* The permissions of the socket are stsd's to give. */
static void
judge_permission(struct doctor_view *v, const struct plan *p, const struct item *item)
{
	struct sts_str owner = doctor_value(v, "mail_owner");
	const struct config *c = v->doctor->stsd->config;
	bool stays = sts_str_eq(p->fresh, item->table.whole);
	struct doctor_finding *f = find(v, PFX_DENIED, item->table.whole,
	    doctor_format(v->doctor, "its account is %.*s", DOCTOR_S(owner)));

	if (!stays) {
		doctor_set(v, f, MAPS, p->desired);
		return;
	}
	doctor_set_stsd(v, f, "socket_group", owner);
	if ((c->socket_mode & 0060) != 0060)
		doctor_set_stsd(v, f, "socket_mode", STS_STR("0660"));
}

static void
judge_reach(struct doctor_view *v, const struct plan *p, const struct item *item)
{
	struct sts_str whole = item->table.whole;

	switch (item->reach) {
	case DOCTOR_REACHED:
	case DOCTOR_OTHER:
		return;
	case DOCTOR_SILENT:
		(void)find(v, PFX_SILENT, whole, STS_STR_NONE);
		return;
	case DOCTOR_TAKEN:
		(void)find(v, PFX_SILENT, whole, STS_STR("somebody else answers there"));
		return;
	case DOCTOR_LOST:
		(void)find_mended(v, p, PFX_ELSEWHERE, whole,
		    doctor_format(v->doctor, "listen is %.*s",
			DOCTOR_S(doctor_listen_text(v))));
		return;
	case DOCTOR_OUT_OF_REACH:
		(void)find_mended(v, p, PFX_OUT_OF_REACH, whole,
		    doctor_format(v->doctor, "there its \"/\" is %.*s",
			DOCTOR_S(doctor_value(v, "queue_directory"))));
		return;
	case DOCTOR_NOT_ALLOWED:
		judge_permission(v, p, item);
		return;
	}
}

/* --- What stands before and after it --- */

static struct sts_str
names_of(const struct doctor_view *v, const struct plan *p, size_t from, size_t to)
{
	struct sts_str names = STS_STR("");

	for (size_t i = from; i < to; i++)
		if (p->list.items[i].role == PLAIN)
			append(v, &names, p->list.items[i].table.whole);
	return names;
}

static void
judge_order(struct doctor_view *v, const struct plan *p)
{
	struct sts_str first = names_of(v, p, 0, p->ours);
	struct sts_str last = names_of(v, p, p->ours + 1, p->list.count);
	const struct item *in_the_way = obstacle(p);

	if (in_the_way != NULL)
		(void)find_mended(v, p,
		    in_the_way->role == CATCH_ALL ? PFX_SHADOWED : PFX_OTHER_FIRST,
		    in_the_way->table.whole, STS_STR_NONE);
	if (first.n > 0)
		(void)find(v, PFX_TABLES_FIRST, first, STS_STR_NONE);
	if (last.n > 0)
		(void)find(v, PFX_TABLES_LAST, last, STS_STR_NONE);
	for (size_t i = p->ours + 1; i < p->list.count; i++)
		if (p->list.items[i].role == OURS)
			(void)find_mended(v, p, PFX_TWICE, p->list.items[i].table.whole,
			    STS_STR_NONE);
}

static bool
judge_missing(struct doctor_view *v, const struct plan *p)
{
	const struct item *in_the_way = obstacle(p);
	struct sts_str where = STS_STR_NONE;

	if (doctor_is_own(v, MAPS)) {
		(void)find(v, PFX_OWN_MAPS, STS_STR_NONE, STS_STR_NONE);
		return false;
	}
	if (in_the_way != NULL)
		where = doctor_format(v->doctor,
		    "it belongs before %.*s, which would answer first",
		    DOCTOR_S(in_the_way->table.whole));
	(void)find_mended(v, p, PFX_NOT_ASKED, STS_STR_NONE, where);
	return true;
}

static void
judge_item(struct doctor_view *v, const struct plan *p, const struct item *item)
{
	if (item->role == MALFORMED) {
		(void)find_mended(v, p, PFX_MALFORMED, item->table.whole, STS_STR_NONE);
	} else {
		judge_map(v, p, item);
		judge_reach(v, p, item);
	}
	if (item->table.proxied)
		(void)find_mended(v, p, PFX_PROXY, item->table.whole, STS_STR_NONE);
	judge_order(v, p);
}

bool
doctor_judge_maps(struct doctor_view *v)
{
	struct plan p = make_plan(v);
	const struct item *item = our_item(&p);
	bool asks = true;

	if (doctor_value(v, "smtp_tls_per_site").n > 0)
		(void)doctor_find(v, PFX_PER_SITE, "smtp_tls_per_site", STS_STR_NONE);
	if (item != NULL)
		judge_item(v, &p, item);
	else
		asks = judge_missing(v, &p);
	if (asks && p.is_silent)
		(void)find(v, PFX_SILENT, p.fresh,
		    STS_STR("start stsd before Postfix is told of it"));
	return asks;
}
