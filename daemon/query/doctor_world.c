/* SPDX-License-Identifier: MIT */
#include "doctor_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "file.h"
#include "netstring.h"

#define ASK_SECONDS 3
#define CA_FILE_MAX ((size_t)4 << 20)
#define RESOLV_CONF_MAX ((size_t)64 << 10)
#define TABLE_MAX ((size_t)1 << 20)
#define GROUPS_MAX 64
#define REPLY_MAX 1000

static const char *
text_of(struct doctor_senses *s, struct sts_str view)
{
	return query_keep(&s->keep, view).p;
}

/* --- Permissions of an account --- */

struct who {
	uid_t uid;
	gid_t groups[GROUPS_MAX];
	int group_count;
};

/* False: there is no such account, and what it may do cannot be said. */
static bool
find_account(const char *name, struct who *who)
{
	struct passwd *account;

	who->uid = 0;
	who->group_count = 0;
	if (*name == '\0')
		return true;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	if ((account = getpwnam(name)) == NULL)
		return false;
	who->uid = account->pw_uid;
	who->group_count = GROUPS_MAX;
	if (getgrouplist(name, account->pw_gid, who->groups, &who->group_count) == -1)
		who->group_count = GROUPS_MAX;
	return true;
}

static bool
is_member(const struct who *who, gid_t group)
{
	for (int i = 0; i < who->group_count; i++)
		if (who->groups[i] == group)
			return true;
	return false;
}

/* wanted: of 04 read, 02 write, 01 search. Access control lists are not looked at. */
static bool
may(const struct who *who, const struct stat *st, unsigned wanted)
{
	unsigned mode = st->st_mode;

	if (who->uid == 0)
		return true;
	if (st->st_uid == who->uid)
		mode >>= 6;
	else if (is_member(who, st->st_gid))
		mode >>= 3;
	return (mode & wanted) == wanted;
}

/* --- Paths as seen from a root --- */

/* Absolute symbolic links stay inside, as they do in a chroot. Kernels before 5.6 cannot
 * do that, and get the path as it is. */
static int
open_inside(int root, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd == -1 && errno == ENOSYS) {
		while (*path == '/')
			path++;
		fd = openat(root, *path != '\0' ? path : ".",
		    (int)flags | O_CLOEXEC | O_NOCTTY);
	}
	return fd;
}

static enum doctor_sight
sight_of(int error)
{
	return error == EACCES || error == EPERM ? DOCTOR_HIDDEN : DOCTOR_MISSING;
}

/* Each folder on the way must be searchable; *fd gets what is at the end, with O_PATH. */
static enum doctor_sight
walk(int root, const struct who *who, char *path, int *fd, struct stat *st)
{
	for (char *slash = path; slash != NULL;) {
		char kept = '\0';
		int step;

		slash = strchr(slash + 1, '/');
		if (slash != NULL) {
			kept = *slash;
			*slash = '\0';
		}
		step = open_inside(root, path, O_PATH);
		if (slash != NULL)
			*slash = kept;
		if (step == -1 || fstat(step, st) == -1) {
			enum doctor_sight sight = sight_of(errno);

			if (step != -1)
				(void)close(step);
			return sight;
		}
		if (slash == NULL) {
			*fd = step;
			return DOCTOR_FINE;
		}
		(void)close(step);
		if (!may(who, st, 01))
			return DOCTOR_DENIED;
	}
	return DOCTOR_MISSING;
}

static enum doctor_sight
open_path(struct doctor_senses *s, const struct doctor_place *at, struct who *who,
    int *fd, struct stat *st)
{
	const char *root_path = at->root.n > 0 ? text_of(s, at->root) : "/";
	char *path = query_room(&s->keep, at->path.n);
	int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	enum doctor_sight sight;

	if (root == -1)
		return sight_of(errno);
	if (!find_account(text_of(s, at->account), who)) {
		(void)close(root);
		return DOCTOR_HIDDEN;
	}
	memcpy(path, at->path.p, at->path.n);
	sight = walk(root, who, path, fd, st);
	(void)close(root);
	return sight;
}

static enum doctor_sight
look_at_socket(struct doctor_senses *s, const struct doctor_place *at)
{
	struct who who;
	struct stat st;
	int fd;
	enum doctor_sight sight = open_path(s, at, &who, &fd, &st);

	if (sight != DOCTOR_FINE)
		return sight;
	(void)close(fd);
	if (!S_ISSOCK(st.st_mode))
		return DOCTOR_WRONG;
	return may(&who, &st, 02) ? DOCTOR_FINE : DOCTOR_DENIED;
}

/* --- Certificates --- */

static enum doctor_sight
look_at_bundle(struct doctor_senses *s, const struct doctor_place *at)
{
	static const char mark[] = "CERTIFICATE-----";
	struct sts_buf text = { 0 };
	bool has_one;

	if (file_read(text_of(s, at->path), CA_FILE_MAX, &text) == -1 && errno != EFBIG) {
		enum doctor_sight sight = sight_of(errno);

		sts_buf_done(&text);
		return sight;
	}
	has_one = text.n > 0 && memmem(text.p, text.n, mark, sizeof(mark) - 1) != NULL;
	sts_buf_done(&text);
	return has_one ? DOCTOR_FINE : DOCTOR_WRONG;
}

/* "5ad8a5d6.0" */
static bool
is_hash_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' &&
	    name[9] >= '0' && name[9] <= '9';
}

/* A link that leads out of the chroot leads nowhere. */
static bool
can_read_one(int root, const char *folder, const struct who *who, DIR *entries)
{
	const struct dirent *e;
	char path[4096];

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while ((e = readdir(entries)) != NULL) {
		struct stat st;
		bool good;
		int fd;

		if (!is_hash_name(e->d_name))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if ((fd = open_inside(root, path, O_PATH)) == -1)
			continue;
		good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && may(who, &st, 04);
		(void)close(fd);
		if (good)
			return true;
	}
	return false;
}

static enum doctor_sight
look_at_folder(struct doctor_senses *s, const struct doctor_place *at)
{
	const char *root_path = at->root.n > 0 ? text_of(s, at->root) : "/";
	enum doctor_sight sight;
	struct who who;
	struct stat st;
	DIR *entries = NULL;
	int fd, root = -1, folder;

	if ((sight = open_path(s, at, &who, &fd, &st)) != DOCTOR_FINE)
		return sight;
	if (!S_ISDIR(st.st_mode))
		sight = DOCTOR_WRONG;
	else if (!may(&who, &st, 05))
		sight = DOCTOR_DENIED;
	if (sight != DOCTOR_FINE)
		goto done;
	sight = DOCTOR_HIDDEN;
	if ((root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1 ||
	    (folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		goto done;
	if ((entries = fdopendir(folder)) == NULL) {
		(void)close(folder);
		goto done;
	}
	sight = can_read_one(root, text_of(s, at->path), &who, entries) ? DOCTOR_FINE
									: DOCTOR_WRONG;
done:
	if (entries != NULL)
		(void)closedir(entries);
	if (root != -1)
		(void)close(root);
	(void)close(fd);
	return sight;
}

static enum doctor_sight
look(void *arg, enum doctor_thing thing, const struct doctor_place *at)
{
	switch (thing) {
	case DOCTOR_SOCKET:
		return look_at_socket(arg, at);
	case DOCTOR_CA_FILE:
		return look_at_bundle(arg, at);
	case DOCTOR_CA_FOLDER:
		break;
	}
	return look_at_folder(arg, at);
}

/* --- Sockets --- */

/* Linux counts a connect as sending. */
static bool
connect_fd(int fd, const struct sockaddr *address, socklen_t size)
{
	struct timeval limit = { .tv_sec = ASK_SECONDS };

	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(fd, address, size) == 0;
}

static int
open_connection(const struct sockaddr *address, socklen_t size)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd != -1 && !connect_fd(fd, address, size)) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

static int
connect_inet(struct doctor_senses *s, const struct pf_socketmap *whom)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	int fd = -1;

	if (getaddrinfo(text_of(s, whom->host), text_of(s, whom->port), &hints, &list) !=
	    0)
		return -1;
	for (const struct addrinfo *a = list; a != NULL && fd == -1; a = a->ai_next)
		fd = open_connection(a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
	return fd;
}

/* By way of its descriptor: the path may be longer than an address holds, and is seen
 * from another root. */
static int
connect_unix(struct doctor_senses *s, const struct doctor_place *at)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct who who;
	struct stat st;
	int there, fd;

	if (open_path(s, at, &who, &there, &st) != DOCTOR_FINE)
		return -1;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d",
	    there);
	fd = open_connection((const struct sockaddr *)&address, sizeof(address));
	(void)close(there);
	return fd;
}

/* Does it answer so? *answered is left alone when it says nothing at all. */
static bool
says(int fd, struct sts_str question, struct sts_str expected, bool *answered)
{
	struct sts_buf request = { 0 }, reply = { 0 };
	enum pf_netstring state = PF_NETSTRING_PARTIAL;
	struct sts_str payload = STS_STR_NONE;
	char chunk[512];
	size_t used;
	ssize_t n;

	pf_netstring_put(&request, question);
	if (request.bad)
		query_no_memory();
	n = send(fd, request.p, request.n, MSG_NOSIGNAL);
	while (n > 0 && state == PF_NETSTRING_PARTIAL) {
		if ((n = recv(fd, chunk, sizeof(chunk), 0)) <= 0)
			break;
		*answered = true;
		sts_put(&reply, (struct sts_str){ chunk, (size_t)n });
		state =
		    pf_netstring_take(sts_buf_str(&reply), REPLY_MAX, &payload, &used);
	}
	sts_buf_done(&request);
	used = state == PF_NETSTRING_WHOLE && sts_str_eq(payload, expected);
	sts_buf_done(&reply);
	return used != 0;
}

/* Other services of this kind answer to any map name. */
static enum doctor_voice
ask(void *arg, const struct pf_socketmap *whom, const struct doctor_place *at)
{
	int fd = at != NULL ? connect_unix(arg, at) : connect_inet(arg, whom);
	bool answered = false, is_stsd;

	if (fd == -1)
		return DOCTOR_NOBODY;
	is_stsd = says(fd, STS_STR("QUERY .health"), STS_STR("NOTFOUND "), &answered) &&
	    says(fd, STS_STR("stsd-query .health"), STS_STR("PERM unknown map name"),
		&answered);
	(void)close(fd);
	if (is_stsd)
		return DOCTOR_STSD;
	return answered ? DOCTOR_SOMEBODY : DOCTOR_NOBODY;
}

/* --- The rest --- */

static bool
same_resolver(void *arg, struct sts_str root)
{
	struct doctor_senses *s = arg;
	char path[4096];
	struct sts_buf ours = { 0 }, theirs = { 0 };
	bool same = true;

	(void)snprintf(path, sizeof(path), "%s/etc/resolv.conf", text_of(s, root));
	if (file_read("/etc/resolv.conf", RESOLV_CONF_MAX, &ours) == 0)
		same = file_read(path, RESOLV_CONF_MAX, &theirs) == 0
		    ? sts_str_eq(sts_buf_str(&ours), sts_buf_str(&theirs))
		    : errno == EACCES;
	sts_buf_done(&ours);
	sts_buf_done(&theirs);
	return same;
}

static bool
answers(void *arg, struct sts_str table, const char *key)
{
	struct doctor_senses *s = arg;
	const char *words[] = { s->postmap, "-c", s->directory, "-q", key,
		text_of(s, table), NULL };
	struct sts_buf out = { 0 }, err = { 0 };
	bool found = command_run(words, TABLE_MAX, &out, &err) == 0 && out.n > 0;

	sts_buf_done(&out);
	sts_buf_done(&err);
	return found;
}

/* Others could be remote, or slow, or have no list at all. */
static bool
is_local(struct sts_str table)
{
	static const char *const types[] = { "hash:", "btree:", "lmdb:", "cdb:", "dbm:",
		"sdbm:", "texthash:", "inline:" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (sts_str_starts(table, sts_str_of(types[i])))
			return true;
	return false;
}

static struct sts_str
entries(void *arg, struct sts_str table)
{
	struct doctor_senses *s = arg;
	const char *words[] = { s->postmap, "-c", s->directory, "-s", text_of(s, table),
		NULL };
	struct sts_buf out = { 0 }, err = { 0 };
	struct sts_str kept = STS_STR_NONE;

	if (is_local(table) && command_run(words, TABLE_MAX, &out, &err) == 0)
		kept = query_keep(&s->keep, sts_buf_str(&out));
	sts_buf_done(&out);
	sts_buf_done(&err);
	return kept;
}

struct doctor_world
doctor_world(struct doctor_senses *senses)
{
	return (struct doctor_world){
		.look = look,
		.ask = ask,
		.same_resolver = same_resolver,
		.answers = answers,
		.entries = entries,
		.arg = senses,
	};
}

void
doctor_senses_done(struct doctor_senses *senses)
{
	query_keep_done(&senses->keep);
}
