/* SPDX-License-Identifier: MIT */
#include "addr.h"

#include <string.h>

#include "test.h"

int test_failed;

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* text NULL: no address. */
static const struct {
	const char *in, *text;
} addresses[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "0.0.0.0", "0.0.0.0" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "10.20.30.40", "10.20.30.40" },
	{ "100.99.10.9", "100.99.10.9" },
	{ "256.0.2.1", NULL },
	{ "1.2.3", NULL },
	{ "1.2.3.4.5", NULL },
	{ "1.2.3.", NULL },
	{ ".1.2.3", NULL },
	{ "1..2.3", NULL },
	{ "01.2.3.4", NULL },
	{ "1.2.3.04", NULL },
	{ "0x7f.0.0.1", NULL },
	{ "1.2.3.4 ", NULL },
	{ "+1.2.3.4", NULL },
	{ "1.2.3.4/8", NULL },
	{ "1.2.3.4:25", NULL },
	{ "16909060", NULL },
	{ "", NULL },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "2001:db8::1", "2001:db8::1" },
	{ "2001:DB8:0:0:0:0:0:ABCD", "2001:db8::abcd" },
	{ "::AF:0:af:90", "::af:0:af:90" },
	{ "::G", NULL },
	{ "::`", NULL },
	{ "::@", NULL },
	{ "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1" },
	{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" },
	{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
	{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
	{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
	{ "1:0:0:2:0:0:3:4", "1::2:0:0:3:4" },
	{ "1:2:3:4:5:6:0:0", "1:2:3:4:5:6::" },
	{ "0:0:3:4:5:6:0:0", "::3:4:5:6:0:0" },
	{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
	{ "::ffff:c000:201", "::ffff:192.0.2.1" },
	{ "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
	{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "1:2:3:4:5:6:7:1.2.3.4", NULL },
	{ "1.2.3.4::", NULL },
	{ "::1.2.3.4:1", NULL },
	{ "::1.2.3", NULL },
	{ "1:2:3:4:5:6:7", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "1:2:3:4:5:6:7::8", NULL },
	{ "1::2::3", NULL },
	{ ":::", NULL },
	{ ":", NULL },
	{ ":1", NULL },
	{ "1:", NULL },
	{ ":1::", NULL },
	{ "::1:", NULL },
	{ "12345::", NULL },
	{ "g::", NULL },
	{ "fe80::1%eth0", NULL },
	{ "[::1]", NULL },
	{ " ::1", NULL },
};

static void
test_text(void)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const char *in = addresses[i].in, *want = addresses[i].text;
		struct sts_addr addr, again;
		char text[STS_ADDR_TEXT];
		bool ok = sts_addr_parse(sts_str_of(in), &addr);

		CHECK(in, ok == (want != NULL));
		if (!ok || want == NULL)
			continue;
		CHECK(in, addr.v6 == (strchr(in, ':') != NULL));
		CHECK(in, sts_addr_text(&addr, text) == strlen(want));
		CHECK(in, strcmp(text, want) == 0);
		CHECK(in,
		    sts_addr_parse(sts_str_of(text), &again) &&
			sts_addr_eq(&addr, &again));
	}
	CHECK("NUL in a group",
	    !sts_addr_parse(STS_STR("::\0"), &(struct sts_addr){ 0 }));
}

static struct sts_addr
addr_of(const char *text)
{
	struct sts_addr addr = { .v6 = false };

	CHECK(text, sts_addr_parse(sts_str_of(text), &addr));
	return addr;
}

/* For each range: the address before it, its first, its last, the one after. Public
 * or not is said of those outside; none inside is. NULL: there is none. */
static const struct {
	const char *before, *first, *last, *after;
	bool public_before, public_after;
} ranges[] = {
	{ NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0", false, true },
	{ "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", true, true },
	{ "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", true, true },
	{ "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", true, true },
	{ "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", true,
	    true },
	{ "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", true, true },
	{ "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", true, true },
	{ "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", true, true },
	{ "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", true, true },
	{ "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", true,
	    true },
	{ "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", true, true },
	{ "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", true, true },
	{ "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", true, true },
	{ "223.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", true, false },
	{ "239.255.255.255", "240.0.0.0", "255.255.255.255", NULL, false, false },

	{ NULL, "::", "::1", "::2", false, false },
	{ "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2001::", "2001:1ff:ffff::", "2001:200::", false, true },
	{ "2000:ffff::", "2001::", "2001:0:ffff::", "2001:1::", true,
	    false }, /* Teredo */
	{ "2001:1:ffff::", "2001:2::", "2001:2:0:ffff::", "2001:2:1::", false, false },
	{ "2001:f:ffff::", "2001:10::", "2001:1f:ffff::", "2001:20::", false, false },
	{ "2001:db7:ffff::", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	    "2001:db9::", true, true },
	{ "3ffe:ffff::", "3fff::", "3fff:fff:ffff::", "3fff:1000::", true, true },
	{ "3fff:ffff::", "4000::", "5eff::", "5f00::", true, false },
	{ "5eff::", "5f00::", "5f00:ffff::", "5f01::", false, false },
	{ NULL, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:808:808", "64:ff9b:2::808:808",
	    false, false },
	{ "ff::", "100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::", false, false },
	{ "fbff::", "fc00::", "fdff:ffff::", "fe00::", false, false },
	{ "fe7f::", "fe80::", "febf:ffff::", "fec0::", false, false },
	{ "fec0::", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, false,
	    false },
};

static void
check_public(const char *text, bool want)
{
	struct sts_addr addr;

	if (text == NULL)
		return;
	addr = addr_of(text);
	CHECK(text, sts_addr_is_public(&addr) == want);
}

/* What embeds an IPv4 address is as public as that one. */
static void
check_embedded(const char *inside, bool want)
{
	static const char *const forms[] = { "::ffff:0:0", "::", "64:ff9b::", "2002::" };
	struct sts_addr v4 = addr_of(inside);

	for (size_t i = 0; i < COUNT(forms); i++) {
		struct sts_addr addr = addr_of(forms[i]);

		memcpy(addr.bytes + (addr.bytes[0] == 0x20 ? 2 : 12), v4.bytes, 4);
		CHECK(inside, sts_addr_is_public(&addr) == want);
	}
}

static void
test_public(void)
{
	for (size_t i = 0; i < COUNT(ranges); i++) {
		check_public(ranges[i].before, ranges[i].public_before);
		check_public(ranges[i].first, false);
		check_public(ranges[i].last, false);
		check_public(ranges[i].after, ranges[i].public_after);
		if (strchr(ranges[i].first, ':') != NULL)
			continue;
		check_embedded(ranges[i].first, false);
		check_embedded(ranges[i].last, false);
		if (ranges[i].after != NULL)
			check_embedded(ranges[i].after, ranges[i].public_after);
	}
	check_public("8.8.8.8", true);
	check_public("2606:4700::1111", true);
	check_public("2a00::", true);
	check_public("64:ff9b::1:808:808", false); /* not in the /96 */
	check_public("2001:0:808:808::", false);
}

static const struct {
	const char *net, *addr;
	bool has;
} nets[] = {
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.0", false },
	{ "192.0.2.1/32", "192.0.2.1", true },
	{ "0.0.0.0/0", "255.1.2.3", true },
	{ "0.0.0.0/0", "::1", false },
	{ "128.0.0.0/1", "128.0.0.0", true },
	{ "128.0.0.0/1", "127.255.255.255", false },
	{ "172.16.0.0/12", "172.31.255.255", true },
	{ "172.16.0.0/12", "172.32.0.0", false },
	{ "fc00::/7", "fdff::1", true },
	{ "fc00::/7", "fe00::", false },
	{ "::1", "::1", true },
	{ "::/0", "::1", true },
	{ "::/0", "192.0.2.1", false },
	{ "::/0", "::ffff:192.0.2.1", false },
	{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
	{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
	{ "::ffff:192.0.2.0/120", "192.0.3.9", false },
	{ "::ffff:0:0/96", "1.2.3.4", true },
	{ "2001:db8::/127", "2001:db8::1", true },
	{ "2001:db8::/127", "2001:db8::2", false },
	{ "::ff:fffe/127", "::ff:ffff", true },
	{ "::ff:fffe/127", "::ff:fffd", false },
	{ "::fe00/119", "::ffff", true },
	{ "::fe00/119", "::fd00", false },
	{ "::fe00/119", "::1:fe00", false },
	{ "::fe00/119", "::fe01", true },
};

static const char *const bad_nets[] = { "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/",
	"192.0.2.0/-1", "192.0.2.0/024", "192.0.2.0/24/8", "/24", "", "example.com/8",
	"::/129", "2001:db8::1/64", "fe00::/6", "128.0.0.0/0", "10.0.0.0/ 8" };

static void
test_nets(void)
{
	for (size_t i = 0; i < COUNT(nets); i++) {
		struct sts_net net = { .bits = 0 };
		struct sts_addr addr = addr_of(nets[i].addr);

		CHECK(nets[i].net, sts_net_parse(sts_str_of(nets[i].net), &net));
		CHECK(nets[i].net, sts_net_has(&net, &addr) == nets[i].has);
		CHECK(nets[i].net, sts_nets_have(&net, 1, &addr) == nets[i].has);
		CHECK(nets[i].net, !sts_nets_have(&net, 0, &addr));
	}
	for (size_t i = 0; i < COUNT(bad_nets); i++) {
		struct sts_net net = { .bits = 77 };

		CHECK(bad_nets[i], !sts_net_parse(sts_str_of(bad_nets[i]), &net));
		CHECK(bad_nets[i], net.bits == 77);
	}
}

static const struct {
	const char *a, *b;
	bool same, eq;
} sites[] = {
	{ "192.0.2.1", "192.0.2.1", true, true },
	{ "192.0.2.0", "192.0.2.255", true, false },
	{ "192.0.2.255", "192.0.3.0", false, false },
	{ "2001:db8:1::", "2001:db8:1:ffff::", true, false },
	{ "2001:db8:1::", "2001:db8:2::", false, false },
	{ "::ffff:192.0.2.1", "192.0.2.7", true, false },
	{ "::ffff:192.0.2.1", "192.0.2.1", true, false },
	{ "1.2.3.4", "102:304::", false, false },
	{ "::1", "::1", true, true },
	{ "::1", "::2", true, false },
};

int
main(void)
{
	test_text();
	test_public();
	test_nets();
	for (size_t i = 0; i < COUNT(sites); i++) {
		struct sts_addr a = addr_of(sites[i].a), b = addr_of(sites[i].b);

		CHECK(sites[i].a, sts_addr_same_site(&a, &b) == sites[i].same);
		CHECK(sites[i].a, sts_addr_same_site(&b, &a) == sites[i].same);
		CHECK(sites[i].a, sts_addr_eq(&a, &b) == sites[i].eq);
	}
	return test_failed;
}
