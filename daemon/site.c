/* SPDX-License-Identifier: MIT */
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "log.h"
#include "settle.h"
#include "state.h"

/* What anybody may write into these files, and much more. */
#define RESOLV_CONF_MAX 65536
#define BUNDLE_MAX ((size_t)64 << 20)
#define OVERRIDES_MAX ((size_t)256 << 20)

/* resolv.conf(5): without any server, the one on this machine. */
#define DEFAULT_SERVER "127.0.0.1"

/* Bytes that nobody can change any more, as a file to hand on; -1 with errno. */
static int
sealed(const char *name, struct sts_str bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int saved;

	if (fd == -1)
		return -1;
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n == -1)
			goto failed;
		bytes = sts_str_from(bytes, (size_t)n);
	}
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
failed:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int
replace_fd(int *fd, int with)
{
	if (with == -1)
		return -1;
	if (*fd != -1)
		close(*fd);
	*fd = with;
	return 0;
}

/* The settings as every process will read them. */
static int
seal_config(struct site *s)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	int result = -1;
	bool whole;

	if (to == NULL)
		return -1;
	whole = config_print(s->config, to, false);
	if (fclose(to) == 0 && whole)
		result = replace_fd(&s->config_fd,
		    sealed("stsd-settings", (struct sts_str){ text, n }));
	free(text);
	return result;
}

/* Absent or unreadable says as much as an empty one. -1 with errno: nobody knows, for want
 * of memory or descriptors. */
static int
read_resolvconf(struct resolvconf *out)
{
	struct sts_buf text = { 0 };
	bool ours =
	    file_read(RESOLV_CONF, RESOLV_CONF_MAX, &text) == -1 && config_is_ours(errno);

	resolvconf_parse(sts_buf_str(&text), out);
	if (out->servers[0] == '\0')
		(void)snprintf(out->servers, sizeof(out->servers), "%s", DEFAULT_SERVER);
	sts_buf_done(&text);
	return ours ? -1 : 0;
}

static int
take_resolvconf(struct site *s, const struct resolvconf *found)
{
	char *servers = strdup(found->servers);

	if (servers == NULL)
		return -1;
	free(s->config->dns_servers);
	s->config->dns_servers = servers;
	s->config->dnssec =
	    s->dnssec == CONFIG_AUTO && found->trust_ad ? CONFIG_ON : s->dnssec;
	return 0;
}

int
site_follow(struct site *s)
{
	struct resolvconf found;
	int dnssec = s->config->dnssec;

	if (!s->follows)
		return 0;
	if (read_resolvconf(&found) == -1)
		return -1;
	if (!s->unsealed && strcmp(found.servers, s->config->dns_servers) == 0 &&
	    dnssec ==
		(s->dnssec == CONFIG_AUTO && found.trust_ad ? CONFIG_ON : s->dnssec))
		return 0;
	s->unsealed = true;
	if (take_resolvconf(s, &found) == -1 || seal_config(s) == -1)
		return -1;
	s->unsealed = false;
	return 1;
}

static void
complain_of_file(struct config_errors *errors, const char *setting, const char *path)
{
	int error = errno;
	struct sts_buf place = { 0 };

	sts_put_text(&place, setting);
	sts_put_text(&place, ": ");
	sts_put_text(&place, path);
	sts_put_char(&place, '\0');
	config_complain_errno(errors, place.bad ? setting : place.p, error);
	sts_buf_done(&place);
}

/* Who reads it closely is the resolver, and it tells only once it runs; this much can be
 * said while the administrator is still there. */
static void
check_bundle(const char *path, struct config_errors *errors)
{
	static const char mark[] = "CERTIFICATE-----";
	struct sts_buf text = { 0 };

	if (file_read(path, BUNDLE_MAX, &text) == -1)
		complain_of_file(errors, "ca_file", path);
	else if (text.n == 0 || memmem(text.p, text.n, mark, sizeof(mark) - 1) == NULL)
		config_complain(errors, "ca_file: %s: holds no certificate (PEM)", path);
	sts_buf_done(&text);
}

static void
open_bundle(struct site *s, struct config_errors *errors)
{
	const char *path = s->config->ca_file;

	if (path == NULL && (path = file_ca_bundle()) == NULL) {
		config_complain(errors,
		    "ca_file: the system has no bundle of certificates at any usual place");
		return;
	}
	s->ca_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (s->ca_fd == -1)
		complain_of_file(errors, "ca_file", path);
	else
		check_bundle(path, errors);
}

static void
read_overrides(struct site *s, struct site_said *said)
{
	const char *path = s->config->overrides;
	struct sts_buf text = { 0 };
	struct overrides *parsed;

	if (path == NULL)
		return;
	if (file_read(path, OVERRIDES_MAX, &text) == -1) {
		complain_of_file(&said->errors, "overrides", path);
		goto done;
	}
	parsed = overrides_parse(sts_buf_str(&text), path, time(NULL), &said->errors,
	    &said->notices);
	if (parsed == NULL)
		goto done;
	overrides_free(parsed);
	s->overrides_fd = sealed("stsd-overrides", sts_buf_str(&text));
	if (s->overrides_fd == -1)
		complain_of_file(&said->errors, "overrides", path);
done:
	sts_buf_done(&text);
}

static void
raise_level(struct config *c, unsigned verbose)
{
	while (verbose-- > 0 && c->log_level < LOG_LEVEL_DEBUG)
		c->log_level++;
}

struct site *
site_load(const struct config_sources *sources, unsigned verbose, struct site_said *said)
{
	struct site *s = calloc(1, sizeof(*s));
	struct config_errors *errors = &said->errors;
	struct resolvconf found;
	size_t before = errors->made;

	if (s == NULL) {
		config_complain_errno(errors, "configuration", ENOMEM);
		return NULL;
	}
	s->config_fd = s->overrides_fd = s->ca_fd = -1;
	s->config = config_load(sources, errors, &said->notices);
	if (s->config == NULL)
		goto failed;
	raise_level(s->config, verbose);
	s->wants_dane = settle_by_postfix(s->config, &said->warnings);
	open_bundle(s, errors);
	read_overrides(s, said);
	s->dnssec = s->config->dnssec;
	s->follows = s->config->dns_servers == NULL;
	if (s->follows) {
		if (read_resolvconf(&found) == -1 || take_resolvconf(s, &found) == -1)
			config_complain_errno(errors, "dns_servers", errno);
	}
	if (errors->made == before && seal_config(s) == -1)
		config_complain_errno(errors, "configuration", errno);
	if (errors->made == before)
		return s;
failed:
	site_free(s, NULL);
	return NULL;
}

void
site_said_done(struct site_said *said)
{
	config_errors_done(&said->errors);
	config_errors_done(&said->warnings);
	config_errors_done(&said->notices);
}

int
site_account(const struct config *c, struct account *account, char *why, size_t why_n)
{
	bool root = geteuid() == 0;

	if ((root || c->user != NULL) &&
	    account_find(c->user != NULL ? c->user : "_stsd", account, why, why_n) == -1)
		return -1;
	if (root)
		return 0;
	*account = (struct account){ .uid = geteuid(), .gid = getegid() };
	return 0;
}

int
site_style(const struct config *c, struct listen_style *style, char *why, size_t why_n)
{
	style->mode = (mode_t)c->socket_mode;
	style->group = (gid_t)-1;
	style->owner = (uid_t)-1;
	if (c->socket_group == NULL)
		return 0;
	return group_find(c->socket_group, &style->group, why, why_n);
}

static int
listen_at(struct listeners *to, const struct listeners *before, const char *spec,
    const struct listen_style *style, char *why, size_t why_n)
{
	int shared = before == NULL ? 0 : listen_share(to, before, spec);

	if (shared == -1) {
		(void)snprintf(why, why_n, "%s: %s", spec, strerror(errno));
		return -1;
	}
	return shared > 0 ? 0 : listen_open(to, spec, style, why, why_n);
}

static bool
are_adopted(const struct listeners *l)
{
	return l->count > 0 && strcmp(l->all[0].spec, LISTEN_ADOPTED) == 0;
}

/* Sockets that were handed over take the place of those in the settings. */
static bool
inherit(struct listeners *to, const struct listeners *before, const char **spec)
{
	if (are_adopted(to))
		return true;
	if (before == NULL || !are_adopted(before))
		return false;
	*spec = LISTEN_ADOPTED;
	return false;
}

int
site_listen(struct site *s, const struct site *before, const struct listen_style *style,
    char *why, size_t why_n)
{
	const struct listeners *had = before == NULL ? NULL : &before->listeners;
	const struct listeners *had_metrics = before == NULL ? NULL : &before->metrics;
	const struct config *c = s->config;
	const char *spec = NULL;

	if (!inherit(&s->listeners, had, &spec)) {
		size_t count = spec != NULL ? 1 : c->listen.count;

		for (size_t i = 0; i < count; i++)
			if (listen_at(&s->listeners, had,
				spec != NULL ? spec : c->listen.items[i], style, why,
				why_n) == -1)
				return -1;
	}
	spec = c->metrics_listen;
	if (!inherit(&s->metrics, had_metrics, &spec) && spec != NULL)
		return listen_at(&s->metrics, had_metrics, spec, style, why, why_n);
	return 0;
}

static int
open_control(struct site *s, const struct listeners *had, const struct account *owner,
    char *why, size_t why_n)
{
	const char *path = s->config->control_socket;
	struct listen_style style;
	char spec[256];

	if (site_style(s->config, &style, why, why_n) == -1)
		return -1;
	/* Without a group it is root's and stsd's own alone. */
	style.mode = style.group == (gid_t)-1 ? 0600 : 0660;
	style.owner = owner->uid;
	(void)snprintf(spec, sizeof(spec), "unix:%s", path);
	if (state_make_above(path, owner, why, why_n) == -1)
		return -1;
	return listen_at(&s->control, had, spec, &style, why, why_n);
}

int
site_listen_control(struct site *s, const struct site *before,
    const struct account *owner, char *why, size_t why_n)
{
	const struct listeners *had = before == NULL ? NULL : &before->control;
	const char *spec = NULL;

	if (inherit(&s->control, had, &spec))
		return 0;
	if (spec != NULL)
		return listen_at(&s->control, had, spec, NULL, why, why_n);
	if (s->config->control_socket == NULL)
		return 0;
	return open_control(s, had, owner, why, why_n);
}

void
site_free(struct site *s, const struct site *kept)
{
	int fds[3];

	if (s == NULL)
		return;
	listeners_done(&s->listeners, kept == NULL ? NULL : &kept->listeners);
	listeners_done(&s->metrics, kept == NULL ? NULL : &kept->metrics);
	listeners_done(&s->control, kept == NULL ? NULL : &kept->control);
	fds[0] = s->config_fd;
	fds[1] = s->overrides_fd;
	fds[2] = s->ca_fd;
	for (size_t i = 0; i < 3; i++)
		if (fds[i] != -1)
			close(fds[i]);
	config_free(s->config);
	free(s);
}
