/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include "doctor_view.h"

/* "-" is what it was before compatibility_level 1: yes. */
static bool
is_chrooted(const struct doctor *d, struct sts_str word)
{
	struct sts_str level = STS_STR_NONE, major;
	unsigned long long number = 0;

	if (!sts_str_eq(word, STS_STR("-")))
		return sts_str_eq(word, STS_STR("y"));
	if (d->version < PF_VERSION(3, 0, 0))
		return true;
	(void)pf_postconf_get(d->postfix->settings, STS_STR("compatibility_level"),
	    &level);
	(void)sts_str_cut(&level, '.', &major);
	return sts_str_number(major, 999, &number) && number < 1;
}

static bool
delivers(const struct pf_service *s)
{
	return sts_str_eq(s->command, STS_STR("smtp")) &&
	    sts_str_eq(s->type, STS_STR("unix"));
}

static void
list_views(struct doctor *d)
{
	struct sts_str text = d->postfix->services;
	struct pf_service service;
	bool any = false;
	size_t count = 0;

	while (pf_postconf_next_service(&text, &service))
		count += delivers(&service);
	d->views = query_room(&d->keep, (count + 1) * sizeof(*d->views));
	text = d->postfix->services;
	while (pf_postconf_next_service(&text, &service)) {
		struct doctor_view *v = &d->views[d->view_count];

		if (!delivers(&service))
			continue;
		*v = (struct doctor_view){ .doctor = d, .service = service };
		v->is_chrooted = is_chrooted(d, service.chroot);
		any |= v->is_chrooted && !doctor_is_own(v, "smtp_tls_policy_maps");
		d->view_count++;
	}
	if (d->view_count == 0)
		d->views[d->view_count++].doctor = d;
	for (size_t i = 0; i < d->view_count; i++)
		d->views[i].any_chrooted =
		    doctor_is_own(&d->views[i], "smtp_tls_policy_maps")
		    ? d->views[i].is_chrooted
		    : any;
}

static void
judge_directory(struct doctor_view *v)
{
	const struct config *c = v->doctor->stsd->config;
	bool is_automatic =
	    c->permissive_reply == CONFIG_REPLY_AUTO || c->dane == CONFIG_AUTO;

	if (is_automatic && c->postfix_directory != NULL &&
	    !sts_str_eq(sts_str_of(c->postfix_directory), v->doctor->postfix->directory))
		(void)doctor_find(v, PFX_ELSEWHERE_READ, NULL,
		    doctor_format(v->doctor, "postfix_directory is %s",
			c->postfix_directory));
}

void
doctor_examine(struct doctor *d, const struct doctor_postfix *postfix,
    const struct doctor_stsd *stsd, const struct doctor_world *world)
{
	*d = (struct doctor){ .postfix = postfix, .stsd = stsd, .world = world };
	(void)pf_postconf_get(postfix->settings, STS_STR("mail_version"),
	    &d->version_text);
	d->version = pf_postconf_version(d->version_text);
	list_views(d);
	if (d->version < PF_VERSION(2, 10, 0)) {
		(void)doctor_find(&d->views[0], PFX_TOO_OLD, NULL, STS_STR_NONE);
		return;
	}
	judge_directory(&d->views[0]);
	for (size_t i = 0; i < d->view_count; i++)
		if (doctor_judge_maps(&d->views[i]))
			doctor_judge_settings(&d->views[i]);
	doctor_judge_hops(&d->views[0]);
}

void
doctor_done(struct doctor *d)
{
	query_keep_done(&d->keep);
	*d = (struct doctor){ 0 };
}

bool
doctor_is_content(const struct doctor *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->findings[i].severity != QUERY_INFO)
			return false;
	return true;
}
