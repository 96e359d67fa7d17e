/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More capabilities than any kernel knows: the first unknown one ends the loop. */
#define CAPABILITIES 64

int
account_find(const char *user, struct account *account, char *why, size_t why_n)
{
	const struct passwd *found;

	errno = 0;
	found = getpwnam(user);
	if (found == NULL) {
		(void)snprintf(why, why_n, "user: there is no user '%s'%s%s", user,
		    errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
		return -1;
	}
	(void)snprintf(account->name, sizeof(account->name), "%s", user);
	account->uid = found->pw_uid;
	account->gid = found->pw_gid;
	return 0;
}

int
group_find(const char *group, gid_t *gid, char *why, size_t why_n)
{
	const struct group *found = getgrnam(group);

	if (found == NULL) {
		(void)snprintf(why, why_n, "socket_group: there is no group '%s'", group);
		return -1;
	}
	*gid = found->gr_gid;
	return 0;
}

/* Needs a capability itself: before the change of ids. */
static void
drop_later_capabilities(void)
{
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned long c = 0; c < CAPABILITIES; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == -1)
			break;
}

bool
privileges_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	drop_later_capabilities();
	return syscall(SYS_capset, &header, none) == 0;
}

static bool
is_account(const struct account *account)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) == -1 ||
	    getresgid(&gid[0], &gid[1], &gid[2]) == -1)
		return false;
	for (int i = 0; i < 3; i++)
		if (uid[i] != account->uid || gid[i] != account->gid)
			return false;
	/* Nobody but root may become root again. */
	return account->uid == 0 || setuid(0) == -1;
}

int
privileges_drop(const struct account *account, bool no_new_privileges, char *why,
    size_t why_n)
{
	drop_later_capabilities();
	if (account->name[0] != '\0' &&
	    (initgroups(account->name, account->gid) == -1 ||
		setresgid(account->gid, account->gid, account->gid) == -1 ||
		setresuid(account->uid, account->uid, account->uid) == -1)) {
		(void)snprintf(why, why_n, "becoming user '%s': %s", account->name,
		    strerror(errno));
		return -1;
	}
	if (account->name[0] != '\0' && !is_account(account)) {
		(void)snprintf(why, why_n, "becoming user '%s': it did not last",
		    account->name);
		return -1;
	}
	if (no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		(void)snprintf(why, why_n, "no new privileges: %s", strerror(errno));
		return -1;
	}
	return 0;
}
