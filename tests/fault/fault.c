/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <stddef.h>

static struct {
	bool armed;
	enum fault_kind kind;
	unsigned long nth, length, calls;
	const char *struck;
} plan;

bool
fault_strikes(enum fault_kind kind, const char *call)
{
	if (!plan.armed || kind != plan.kind)
		return false;
	plan.calls++;
	if (plan.calls < plan.nth || plan.calls - plan.nth >= plan.length)
		return false;
	if (plan.struck == NULL)
		plan.struck = call;
	return true;
}

void
fault_arm(enum fault_kind kind, unsigned long nth, unsigned long length)
{
	plan.kind = kind;
	plan.nth = nth;
	plan.length = length;
	plan.calls = 0;
	plan.struck = NULL;
	plan.armed = true;
}

const char *
fault_disarm(void)
{
	plan.armed = false;
	return plan.struck;
}

unsigned long
fault_calls(void)
{
	return plan.calls;
}

bool
fault_struck(void)
{
	return plan.struck != NULL;
}
