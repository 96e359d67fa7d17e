/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "shared.h"
#include "shares.h"

#define RESTART_MS 100
#define RESTART_MAX_MS 10000
/* Who has lived this long did not die of being started. */
#define PROVEN_MS 30000

struct slot {
	struct crew *crew;
	enum child_role role;
	struct child *child; /* NULL: vacant */
	struct sts_timer *restart;
	int64_t delay_ms;
};

struct crew {
	struct crew_config config;
	struct site *site;
	struct shares *shares; /* NULL: there is one answerer */
	size_t count;
	struct slot slots[]; /* the resolver, then the answerers */
};

/* An answerer's, in the shares. */
static uint32_t
place_of(const struct slot *slot)
{
	return (uint32_t)(slot - slot->crew->slots) - 1;
}

static void
slot_start(struct slot *slot)
{
	struct crew *crew = slot->crew;
	struct child *resolver = crew->slots[0].child;

	slot->child = child_new(&crew->config.start, slot->role, place_of(slot));
	if (slot->child == NULL) {
		log_say(LOG_LEVEL_ERROR, "start-failed", "%s: %s",
		    child_role_text(slot->role), strerror(errno));
		slot->delay_ms = RESTART_MAX_MS;
		(void)sts_timer_set(slot->restart, slot->delay_ms);
		return;
	}
	/* Before the resolver works: questions wait in the channel, so that nothing is
	 * answered without the look that is due. */
	if (slot->role == CHILD_ANSWERER && resolver != NULL)
		(void)child_connect(slot->child, resolver);
	crew->config.on_started(crew->config.arg, slot->child);
}

static void
on_restart(void *arg)
{
	slot_start(arg);
}

static bool
make_shares(struct crew *crew)
{
	struct shares *shares =
	    shared_new("stsd-shares", sizeof(*shares), &crew->config.start.shares_fd);

	crew->shares = shares;
	for (size_t i = 0; shares != NULL && i < SHARES_MAX; i++)
		shares_set(shares, i, SHARES_NOBODY);
	return shares != NULL;
}

struct crew *
crew_new(const struct crew_config *config, struct site *site)
{
	size_t count = 1 + site->config->workers;
	struct crew *crew = calloc(1, sizeof(*crew) + count * sizeof(crew->slots[0]));

	if (crew == NULL)
		return NULL;
	crew->config = *config;
	crew->config.start.site = site;
	crew->config.start.shares_fd = -1;
	if (site->config->workers > 1 && !make_shares(crew)) {
		crew_free(crew, NULL);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		struct slot *slot = &crew->slots[i];

		slot->crew = crew;
		slot->role = i == 0 ? CHILD_RESOLVER : CHILD_ANSWERER;
		slot->delay_ms = RESTART_MS;
		slot->restart = sts_timer_new(config->start.loop, on_restart, slot);
		if (slot->restart == NULL) {
			crew_free(crew, NULL);
			return NULL;
		}
		crew->count++;
	}
	crew->site = site;
	return crew;
}

void
crew_free(struct crew *crew, const struct site *kept)
{
	if (crew == NULL)
		return;
	for (size_t i = 0; i < crew->count; i++)
		sts_timer_free(crew->slots[i].restart);
	if (crew->shares != NULL)
		close(crew->config.start.shares_fd);
	shared_end(crew->shares, sizeof(*crew->shares));
	site_free(crew->site, kept);
	free(crew);
}

struct site *
crew_site(const struct crew *crew)
{
	return crew->site;
}

void
crew_start_resolver(struct crew *crew)
{
	slot_start(&crew->slots[0]);
}

void
crew_start_answerers(struct crew *crew)
{
	for (size_t i = 1; i < crew->count; i++)
		slot_start(&crew->slots[i]);
}

void
crew_pause(struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		sts_timer_stop(crew->slots[i].restart);
}

static struct slot *
slot_of(struct crew *crew, const struct child *c)
{
	for (size_t i = 0; crew != NULL && i < crew->count; i++)
		if (crew->slots[i].child == c)
			return &crew->slots[i];
	return NULL;
}

bool
crew_has(const struct crew *crew, const struct child *c)
{
	for (size_t i = 0; crew != NULL && i < crew->count; i++)
		if (crew->slots[i].child == c)
			return true;
	return false;
}

struct child *
crew_resolver(const struct crew *crew)
{
	struct child *c = crew->slots[0].child;

	return c != NULL && c->state == CHILD_READY ? c : NULL;
}

void
crew_replace_resolver(struct crew *crew, struct child *c)
{
	crew->slots[0].child = c;
	crew->slots[0].delay_ms = RESTART_MS;
	sts_timer_stop(crew->slots[0].restart);
}

size_t
crew_workers(const struct crew *crew)
{
	return crew->count - 1;
}

bool
crew_is_ready(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->slots[i].child == NULL ||
		    crew->slots[i].child->state != CHILD_READY)
			return false;
	return true;
}

void
crew_lost(struct crew *crew, const struct child *c)
{
	struct slot *slot = slot_of(crew, c);

	if (slot == NULL)
		return;
	if (slot->role == CHILD_ANSWERER && crew->shares != NULL)
		shares_set(crew->shares, place_of(slot), SHARES_NOBODY);
	if (sts_loop_ms(crew->config.start.loop) - c->started_ms >= PROVEN_MS)
		slot->delay_ms = RESTART_MS;
	slot->child = NULL;
	(void)sts_timer_set(slot->restart, slot->delay_ms);
	slot->delay_ms *= 2;
	if (slot->delay_ms > RESTART_MAX_MS)
		slot->delay_ms = RESTART_MAX_MS;
}

void
crew_forget(struct crew *crew, const struct child *c)
{
	struct slot *slot = slot_of(crew, c);

	if (slot != NULL)
		slot->child = NULL;
}
