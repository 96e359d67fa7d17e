/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a key, as a pattern and host (apart at the first line end), as an
 * address. A key that is accepted is a lower-case domain and its own key; a pattern
 * allows what it says and nothing below or above; an address reads back from its text.
 */
#include "name.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
check_key(struct sts_str text)
{
	struct sts_key key = { .port = 77 }, again;
	enum sts_err err = sts_key_parse(text, &key);
	struct sts_str domain = { key.domain, key.domain_n };

	must(err == STS_OK || err == STS_ERR_NAME);
	if (err != STS_OK) {
		must(key.port == 77 && !sts_name_is_policy_domain(text));
		return;
	}
	must(domain.n > 0 && domain.n <= STS_NAME_MAX && domain.n <= text.n);
	must(strlen(key.domain) == domain.n && key.port > 0);
	must(key.brackets == sts_str_starts(text, STS_STR("[")));
	must(key.ascii == sts_name_is_ascii(domain));
	for (size_t i = 0; i < domain.n; i++)
		must(domain.p[i] == sts_lower(domain.p[i]));
	if (!key.ascii)
		return;
	must(sts_name_is_policy_domain(domain) && sts_name_is_host(domain));
	must(sts_key_parse(domain, &again) == STS_OK && !again.brackets &&
	    again.port == 25);
	must(sts_str_eq((struct sts_str){ again.domain, again.domain_n }, domain));
	must(sts_name_matches(domain, domain));
}

static struct sts_str
without_dot(struct sts_str name)
{
	return sts_str_ends(name, STS_STR(".")) ? sts_str_head(name, name.n - 1) : name;
}

static size_t
labels(struct sts_str name)
{
	size_t n = 1;

	for (size_t i = 0; i + 1 < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

static void
check_match(struct sts_str pattern, struct sts_str host)
{
	bool yes = sts_name_matches(pattern, host);
	struct sts_str pattern_first, host_first;

	if (sts_name_is_host(host))
		must(sts_name_matches(host, host));
	if (!yes)
		return;
	must(sts_name_is_pattern(pattern));
	/* As many labels, and the same but for a wildcard in the first. */
	must(labels(pattern) == labels(host));
	(void)sts_str_cut(&pattern, '.', &pattern_first);
	(void)sts_str_cut(&host, '.', &host_first);
	must(sts_str_eq(pattern_first, STS_STR("*")) ||
	    sts_str_eq_nocase(pattern_first, host_first));
	must(sts_str_eq_nocase(without_dot(pattern), without_dot(host)));
}

static void
check_addr(struct sts_str text)
{
	struct sts_addr addr, again;
	struct sts_net net;
	char out[STS_ADDR_TEXT];
	size_t n;

	if (sts_net_parse(text, &net))
		must(sts_net_has(&net, &net.addr));
	if (!sts_addr_parse(text, &addr))
		return;
	n = sts_addr_text(&addr, out);
	must(n < STS_ADDR_TEXT && strlen(out) == n);
	must(sts_addr_parse((struct sts_str){ out, n }, &again));
	must(sts_addr_eq(&addr, &again) && sts_addr_same_site(&addr, &again));
	must(sts_addr_is_public(&addr) == sts_addr_is_public(&again));
	must(sts_net_parse((struct sts_str){ out, n }, &net) && sts_net_has(&net, &addr));
}

/* What is shown of a stranger's bytes is printable. */
static void
check_escapes(struct sts_str text)
{
	struct sts_buf b = { .limit = 1 << 20 };
	uint32_t code = 0;
	struct sts_str rest;
	size_t n;

	sts_put_escaped(&b, text);
	for (size_t i = 0; i < b.n; i++)
		must(b.p[i] >= ' ' && b.p[i] <= '~');
	sts_buf_clear(&b);
	sts_put_json(&b, text);
	for (rest = sts_buf_str(&b); rest.n > 0; rest = sts_str_from(rest, n)) {
		n = sts_str_utf8(rest, &code);
		must(n > 0 && code >= ' ' && !(code >= 0x7f && code < 0xa0));
	}
	sts_buf_done(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_str text = { (const char *)data, size }, rest = text, first;

	check_key(text);
	check_addr(text);
	check_escapes(text);
	(void)sts_str_cut(&rest, '\n', &first);
	check_match(first, rest);
	return 0;
}
