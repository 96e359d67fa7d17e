/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#include "doctor_report.h"
#include "test.h"

/*
 * Each case is a Postfix that works with stsd but for what it says itself: it must lead
 * to these findings and to these lines. What people and machines read is kept of each
 * finding once, in tests/golden/doctor.txt; after a change that is meant: test_doctor -u.
 */
#define GOLDEN "tests/golden/doctor.txt"

int test_failed;

#define MAPS "smtp_tls_policy_maps"
#define STSD "socketmap:inet:127.0.0.1:8461:"
#define WITH STSD "QUERYwithTLSRPT"
#define SMTP "smtp unix - - n - - smtp\n"
#define JAIL "smtp unix - - y - - smtp\n"
#define SET(text) "postconf -e '" text "'\n"
#define MANY(x)                                                                          \
 x("a") x("b") x("c") x("d") x("e") x("f") x("g") x("h") x("i") x("j") x("k") x("l")     \
     x("m") x("n") x("o") x("p") x("q")
#define SERVICE(name) name " unix - - n - - smtp\n"
#define WITHOUT(name) name "/unix/" MAPS " =\n"
#define FOUND(name) " PFX17"
#define SOCKET "unix:/var/spool/postfix/stsd/s"

/* Of every case, unless it says otherwise. */
static const char common[] = "mail_owner = postfix\n"
			     "queue_directory = /var/spool/postfix\n"
			     "compatibility_level = 3.6\n"
			     "smtp_tls_security_level = may\n"
			     "smtp_tls_CAfile = /ca.pem\n"
			     "smtp_dns_support_level =\n"
			     "smtp_host_lookup = dns\n"
			     "smtp_tlsrpt_enable = yes\n"
			     "smtp_tls_dane_insecure_mx_policy = dane\n"
			     "smtp_tls_enforce_sts_mx_patterns = yes\n"
			     "socketmap_max_reply_size = 100000\n";

static const struct test {
	const char *what;
	const char *version;  /* NULL: 3.10.13 */
	const char *main_cf;  /* NULL: stsd is asked as is best */
	const char *written;  /* NULL: the same, without $names */
	const char *services; /* NULL: one, without a chroot */
	const char *own;
	const char *stsd;  /* its settings */
	const char *world; /* "SUBJECT FACT;"; see below */
	bool dane;	   /* stsd does DANE */
	bool shows;	   /* kept, even if nothing in it is new */
	bool other_place;  /* than where commands go to by themselves */
	const char *finds, *lines;
	const char *says; /* of next hops, ";" between; NULL: not looked at */
} tests[] = {
	{ .what = "all is well", .finds = "PFX28" },
	{ .what = "all is well with DANE",
	    .main_cf = MAPS " = " WITH "\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_security_level = dane\n",
	    .dane = true,
	    .finds = "" },
	{ .what = "all is well in 3.7",
	    .version = "3.7.11",
	    .main_cf = MAPS " = " STSD "QUERY\n",
	    .finds = "PFX28" },
	{ .what = "the map's other name",
	    .version = "3.7.11",
	    .main_cf = MAPS " = " STSD "postfix\n",
	    .finds = "PFX28" },
	{ .what = "localhost is loopback",
	    .main_cf = MAPS " = socketmap:inet:localhost:8461:QUERYwithTLSRPT\n",
	    .world = "inet:localhost:8461 stsd;",
	    .finds = "PFX28" },

	/* The table. */
	{ .what = "no table at all",
	    .main_cf = "a = b\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "no table at all in 3.7, stsd down",
	    .version = "3.7.11",
	    .main_cf = MAPS " =\n",
	    .world = ";",
	    .finds = "PFX01 PFX06 PFX28",
	    .lines = SET(MAPS " = " STSD "QUERY") },
	{ .what = "tables of one's own stay first",
	    .main_cf = MAPS " = hash:/a, regexp:/b\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = hash:/a, regexp:/b, " WITH) },
	{ .what = "what answers for all goes last",
	    .main_cf = MAPS " = hash:/a static:may\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH ", static:may") },
	{ .what = "a pattern that fits all goes last",
	    .main_cf = MAPS " = regexp:/few, pcre:/all\n",
	    .world = "inet:127.0.0.1:8461 stsd;pcre:/all answers;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = regexp:/few, " WITH ", pcre:/all") },
	{ .what = "another service goes after",
	    .main_cf = MAPS " = socketmap:inet:127.0.0.1:8642:QUERY\n",
	    .world = "inet:127.0.0.1:8461 stsd;inet:127.0.0.1:8642 other;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH ", socketmap:inet:127.0.0.1:8642:QUERY") },
	{ .what = "a table in a $name stays there",
	    .main_cf = MAPS " = hash:/a, inline:{ b=c }\n",
	    .written = MAPS " = $mine\nmine = hash:/a, inline:{ b=c }\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = $mine, " WITH) },
	{ .what = "stsd itself is in a $name",
	    .main_cf = MAPS " = hash:/a, " STSD "QUERY\n",
	    .written = MAPS " = $mine\nmine = hash:/a, " STSD "QUERY\n",
	    .finds = "PFX04 PFX14 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH) },
	{ .what = "tables by default",
	    .main_cf = MAPS " = hash:/default\n",
	    .written = "a = b\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = hash:/default, " WITH) },
	{ .what = "quotes in a table",
	    .main_cf = MAPS " = inline:{ { a = it's } }\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = inline:{ { a = it'\\''s } }, " WITH) },
	{ .what = "another instance",
	    .main_cf = MAPS " =\n",
	    .other_place = true,
	    .finds = "PFX43 PFX01 PFX28",
	    .lines = "postconf -c '/etc/postfix two' -e '" MAPS " = " WITH "'\n" },
	{ .what = "another instance, one thing automatic",
	    .stsd = "permissive_reply = notfound",
	    .other_place = true,
	    .finds = "PFX43 PFX28" },
	{ .what = "another instance, the other thing automatic",
	    .stsd = "dane = off",
	    .other_place = true,
	    .finds = "PFX43 PFX28" },
	{ .what = "another instance, nothing automatic",
	    .stsd = "permissive_reply = may\ndane = off",
	    .other_place = true,
	    .finds = "PFX28" },
	{ .what = "QUERYwithTLSRPT in 3.9",
	    .version = "3.9.1",
	    .finds = "PFX02 PFX28",
	    .lines = SET(MAPS " = " STSD "QUERY") },
	{ .what = "QUERYwithTLSRPT in 3.10.3",
	    .version = "3.10.3",
	    .main_cf = MAPS " = " WITH "\nsmtp_tlsrpt_enable = no\n",
	    .finds = "PFX03 PFX28",
	    .lines = SET(MAPS " = " STSD "QUERY") },
	{ .what = "QUERYwithTLSRPT in 3.10.4, for reports",
	    .version = "3.10.4",
	    .shows = true,
	    .finds = "PFX03 PFX28" },
	{ .what = "QUERYwithTLSRPT in 3.10.5", .version = "3.10.5", .finds = "PFX28" },
	{ .what = "QUERY in 3.10.5",
	    .version = "3.10.5",
	    .main_cf = MAPS " = hash:/a, " STSD "QUERY\n",
	    .finds = "PFX04 PFX14 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH) },
	{ .what = "QUERY in 3.10.4",
	    .version = "3.10.4",
	    .main_cf = MAPS " = " STSD "QUERY\nsmtp_tlsrpt_enable = no\n",
	    .finds = "PFX28" },
	{ .what = "QUERY and reports in 3.10.4",
	    .version = "3.10.4",
	    .main_cf = MAPS " = " STSD "QUERY\n",
	    .finds = "PFX41 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "QUERY in 3.10.5, no reports",
	    .version = "3.10.5",
	    .main_cf = MAPS " = " STSD "QUERY\nsmtp_tlsrpt_enable = no\n",
	    .finds = "PFX04 PFX28 PFX42",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "QUERYwithTLSRPT in 3.10.0, for reports",
	    .version = "3.10.0",
	    .finds = "PFX03 PFX28" },
	{ .what = "the map's other name stays, the proxy goes",
	    .version = "3.7.11",
	    .main_cf = MAPS " = proxy:" STSD "postfix\n",
	    .finds = "PFX08 PFX28",
	    .lines = SET(MAPS " = " STSD "postfix") },
	{ .what = "stsd is in a $name, what comes first is not",
	    .main_cf = MAPS " = static:may, hash:/a, " WITH "\n",
	    .written = MAPS " = static:may, $mine\n",
	    .finds = "PFX12 PFX14 PFX28",
	    .lines = SET(MAPS " = " WITH ", static:may, hash:/a") },
	{ .what = "what comes first is in a $name, stsd is not",
	    .main_cf = MAPS " = static:may, hash:/a, " WITH "\n",
	    .written = MAPS " = $mine, " WITH "\n",
	    .finds = "PFX12 PFX14 PFX28",
	    .lines = SET(MAPS " = " WITH ", static:may, hash:/a") },
	{ .what = "a map of another name",
	    .main_cf = MAPS " = " STSD "query\n",
	    .finds = "PFX05 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "stsd is down", .world = ";", .finds = "PFX06 PFX28" },
	{ .what = "another service has taken the address",
	    .world = "inet:127.0.0.1:8461 other;",
	    .finds = "PFX06 PFX28" },
	{ .what = "another port",
	    .main_cf = MAPS " = hash:/a, socketmap:inet:127.0.0.1:8641:QUERY, hash:/b\n",
	    .finds = "PFX04 PFX07 PFX14 PFX15 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH ", hash:/b") },
	{ .what = "another address, where stsd answers all the same",
	    .main_cf = MAPS " = socketmap:inet:stsd:8461:QUERYwithTLSRPT\n",
	    .world = "inet:stsd:8461 stsd;",
	    .finds = "PFX28" },
	{ .what = "another port of IPv6",
	    .main_cf = MAPS " = socketmap:inet:[::1]:9:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:[::1]:8461",
	    .world = "inet:[::1]:8461 stsd;",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = socketmap:inet:[::1]:8461:QUERYwithTLSRPT") },
	{ .what = "stsd listens everywhere",
	    .main_cf = MAPS " = socketmap:inet:127.0.0.1:9:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:*:8461",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a proxy",
	    .main_cf = MAPS " = proxy:" WITH "\n",
	    .finds = "PFX08 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "inet: is missing",
	    .main_cf = MAPS " = hash:/a, socketmap:127.0.0.1:8461:QUERY\n",
	    .finds = "PFX09 PFX14 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH) },
	{ .what = "asked twice",
	    .main_cf = MAPS " = " STSD "QUERY, hash:/a, " WITH "\n",
	    .finds = "PFX04 PFX15 PFX16 PFX28",
	    .lines = SET(MAPS " = " WITH ", hash:/a") },
	{ .what = "a table for all comes first",
	    .main_cf = MAPS " = hash:/a, static:encrypt, hash:/b, " WITH "\n",
	    .finds = "PFX12 PFX14 PFX28",
	    .lines = SET(MAPS " = hash:/a, " WITH ", static:encrypt, hash:/b") },
	{ .what = "another service comes first",
	    .main_cf = MAPS " = tcp:127.0.0.1:9, " WITH "\n",
	    .finds = "PFX13 PFX28",
	    .lines = SET(MAPS " = " WITH ", tcp:127.0.0.1:9") },
	{ .what = "a dead socketmap before is not taken for stsd",
	    .main_cf = MAPS " = socketmap:inet:127.0.0.1:9:QUERY, " WITH "\n",
	    .finds = "PFX13 PFX28",
	    .lines = SET(MAPS " = " WITH ", socketmap:inet:127.0.0.1:9:QUERY") },
	{ .what = "per_site is left over",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_per_site = hash:/old\n",
	    .finds = "PFX18 PFX28" },

	/* Sockets. */
	{ .what = "a socket below the queue directory",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT\n",
	    .services = JAIL "relay unix - - y - - smtp\n",
	    .stsd = "listen = " SOCKET,
	    .world = "/var/spool/postfix /stsd/s stsd;",
	    .finds = "PFX28" },
	{ .what = "the same without a chroot",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = " SOCKET,
	    .world = " /var/spool/postfix/stsd/s stsd;",
	    .finds = "PFX28" },
	{ .what = "the path as seen from outside",
	    .main_cf =
		MAPS " = socketmap:unix:/var/spool/postfix/stsd/s:QUERYwithTLSRPT\n",
	    .services = JAIL,
	    .stsd = "listen = " SOCKET,
	    .world = "/var/spool/postfix /stsd/s stsd;",
	    .finds = "PFX10 PFX28",
	    .lines = SET(MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT") },
	{ .what = "a socket outside of the chroot, and an address",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .services = JAIL,
	    .stsd = "listen = unix:/run/stsd/s inet:127.0.0.1:8461",
	    .finds = "PFX10 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a socket outside of the chroot, and nothing else",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .services = JAIL,
	    .stsd = "listen = unix:/run/stsd/s",
	    .finds = "PFX10 PFX28",
	    .lines =
		SET(MAPS " = " WITH) "listen = unix:/run/stsd/s inet:127.0.0.1:8461\n" },
	{ .what = "one of two is in a chroot",
	    .main_cf = MAPS " =\n",
	    .services = SMTP "relay unix - - y - - smtp\n",
	    .stsd = "listen = unix:/run/stsd/s " SOCKET,
	    .world = "/var/spool/postfix /stsd/s stsd; /run/stsd/s stsd;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT") },
	{ .what = "none is in a chroot",
	    .main_cf = MAPS " =\n",
	    .stsd = "listen = unix:/run/stsd/s",
	    .world = " /run/stsd/s stsd;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT") },
	{ .what = "a socket that its account may not use",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/s\nsocket_mode = 0600",
	    .world = " /run/stsd/s denied;",
	    .finds = "PFX11 PFX28",
	    .lines = "socket_group = postfix\nsocket_mode = 0660\n" },
	{ .what = "the same, and an address",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/s, inet:127.0.0.1:8461",
	    .world = " /run/stsd/s denied;inet:127.0.0.1:8461 stsd;",
	    .finds = "PFX11 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a socket of a stsd that is down",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT\n",
	    .services = JAIL,
	    .stsd = "listen = unix:/var/spool/postfix//stsd/s",
	    .finds = "PFX06 PFX28" },
	{ .what = "a socket that is nobody's",
	    .main_cf = MAPS " = socketmap:unix:/run/x:QUERYwithTLSRPT\n",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a socket that we may not look at",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/s",
	    .world = " /run/stsd/s hidden;",
	    .finds = "PFX28" },
	{ .what = "chroot by default, as it was once",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT\n"
			    "compatibility_level = 0\n",
	    .services = "smtp unix - - - - - smtp\n",
	    .stsd = "listen = " SOCKET,
	    .world = "/var/spool/postfix /stsd/s stsd;",
	    .finds = "PFX28" },

	/* Which address is whose, told apart while nobody answers. */
	{ .what = "everywhere: loopback by name",
	    .main_cf = MAPS " = socketmap:inet:localhost:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:*:8461",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "everywhere: loopback",
	    .stsd = "listen = inet:*:8461",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "everywhere: another host",
	    .main_cf = MAPS " = socketmap:inet:192.0.2.1:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:*:8461",
	    .world = ";",
	    .finds = "PFX07 PFX06 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "everywhere: another host by name",
	    .main_cf = MAPS " = socketmap:inet:stsd:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:*:8461",
	    .world = ";",
	    .finds = "PFX07 PFX06 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "every IPv4 address",
	    .stsd = "listen = inet:0.0.0.0:8461",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "every IPv4 address, to be chosen",
	    .main_cf = MAPS " =\n",
	    .stsd = "listen = inet:0.0.0.0:8461",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "every IPv6 address",
	    .main_cf = MAPS " = socketmap:inet:localhost:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:[::]:8461",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "every IPv6 address, to be chosen",
	    .main_cf = MAPS " =\n",
	    .stsd = "listen = inet:[::]:8461",
	    .world = "inet:[::1]:8461 stsd;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = socketmap:inet:[::1]:8461:QUERYwithTLSRPT") },
	{ .what = "IPv6 loopback by name",
	    .main_cf = MAPS " = socketmap:inet:localhost:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:[::1]:8461",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "IPv4 loopback by name",
	    .main_cf = MAPS " = socketmap:inet:LocalHost:8461:QUERYwithTLSRPT\n",
	    .world = ";",
	    .finds = "PFX06 PFX28" },
	{ .what = "an address that is not loopback",
	    .main_cf = MAPS " = socketmap:inet:localhost:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:192.0.2.5:8461",
	    .world = "inet:192.0.2.5:8461 stsd;",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = socketmap:inet:192.0.2.5:8461:QUERYwithTLSRPT") },
	{ .what = "another address than that",
	    .main_cf = MAPS " = socketmap:inet:192.0.2.6:8461:QUERYwithTLSRPT\n",
	    .stsd = "listen = inet:192.0.2.5:8461",
	    .world = "inet:192.0.2.5:8461 stsd;",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = socketmap:inet:192.0.2.5:8461:QUERYwithTLSRPT") },
	{ .what = "the one that answers is chosen",
	    .main_cf = MAPS " =\n",
	    .stsd = "listen = inet:127.0.0.1:1 inet:127.0.0.1:8461",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "the first is chosen where none does",
	    .main_cf = MAPS " =\n",
	    .stsd = "listen = inet:127.0.0.1:8461 inet:127.0.0.1:1",
	    .world = ";",
	    .finds = "PFX01 PFX06 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a socket whose name begins the same",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/socketmap:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/socket inet:127.0.0.1:8461",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "a socket whose name ends too early",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/socket inet:127.0.0.1:8461",
	    .finds = "PFX07 PFX28",
	    .lines = SET(MAPS " = " WITH) },
	{ .what = "another service has taken the socket",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .stsd = "listen = unix:/run/stsd/s",
	    .world = " /run/stsd/s other;",
	    .finds = "PFX06 PFX28" },
	{ .what = "a socket of another service",
	    .main_cf = MAPS " = socketmap:unix:/run/other:QUERY\n",
	    .world = " /run/other other;inet:127.0.0.1:8461 stsd;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH ", socketmap:unix:/run/other:QUERY") },
	{ .what = "a folder whose name begins the same as the queue directory",
	    .main_cf = MAPS " =\n",
	    .services = JAIL,
	    .stsd = "listen = unix:/var/spool/postfix2/s",
	    .world = " /var/spool/postfix2/s stsd;",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS
		" = " WITH) "listen = unix:/var/spool/postfix2/s inet:127.0.0.1:8461\n" },
	{ .what = "no chroot by default since compatibility_level 1",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERYwithTLSRPT\n"
			    "compatibility_level = 1\n",
	    .services = "smtp unix - - - - - smtp\n",
	    .stsd = "listen = " SOCKET,
	    .world = " /var/spool/postfix/stsd/s stsd;",
	    .finds = "PFX28" },
	{ .what = "chroot by default before Postfix 3.0",
	    .version = "2.11.3",
	    .main_cf = MAPS " = socketmap:unix:stsd/s:QUERY\n",
	    .services = "smtp unix - - - - - smtp\n",
	    .stsd = "listen = " SOCKET "\nservername = no",
	    .world = "/var/spool/postfix /stsd/s stsd;",
	    .finds = "PFX28" },
	{ .what = "a chroot of lmtp(8) is not ours to mind",
	    .main_cf = MAPS " = socketmap:unix:/run/stsd/s:QUERYwithTLSRPT\n",
	    .services = SMTP "lmtp unix - - y - - lmtp\nsmtp inet n - y - - smtp\n",
	    .stsd = "listen = unix:/run/stsd/s",
	    .world = " /run/stsd/s stsd;",
	    .finds = "PFX28" },

	/* Services with settings of their own. */
	{ .what = "a service without stsd",
	    .services = SMTP "local-in unix - - n - - smtp\n",
	    .own = "local-in/unix/" MAPS " =\n"
		   "local-in/unix/smtp_tls_security_level = encrypt\n",
	    .finds = "PFX28 PFX17" },
	{ .what = "a service that asks in its own way",
	    .services = SMTP "bulk-out unix - - n - - smtp\n",
	    .own = "bulk-out/unix/" MAPS " = hash:/a, " STSD "QUERY\n",
	    .finds = "PFX28 PFX04 PFX14",
	    .lines = "postconf -P 'bulk-out/unix/" MAPS "=hash:/a," WITH "'\n" },
	{ .what = "a service with blanks in a table",
	    .services = SMTP "bulk-out unix - - n - - smtp\n",
	    .own = "bulk-out/unix/" MAPS " = inline:{ a=b }, " STSD "QUERY\n",
	    .finds = "PFX28 PFX04 PFX14",
	    .lines = SET("bulk_out_" MAPS
			 " = inline:{ a=b }," WITH) "postconf -P 'bulk-out/unix/" MAPS
						    "=$bulk_out_" MAPS "'\n" },
	{ .what = "a service whose name is no name of a setting",
	    .services = SMTP "a0z9-Z unix - - n - - smtp\n",
	    .own = "a0z9-Z/unix/" MAPS " = inline:{ a=b }, " STSD "QUERY\n",
	    .finds = "PFX28 PFX04 PFX14",
	    .lines = SET(
		"a0z9_Z_" MAPS " = inline:{ a=b }," WITH) "postconf -P 'a0z9-Z/unix/" MAPS
							  "=$a0z9_Z_" MAPS "'\n" },
	{ .what = "many services, each with another finding",
	    .services = SMTP MANY(SERVICE),
	    .own = MANY(WITHOUT),
	    .finds = "PFX28" MANY(FOUND) },
	{ .what = "a service with a stronger level",
	    .services = SMTP "bank unix - - n - - smtp\n",
	    .own = "bank/unix/smtp_tls_security_level = verify\n",
	    .finds = "PFX28 PFX20",
	    .lines = "permissive_reply = notfound\n" },
	{ .what = "a service without DNSSEC, and one without TLS",
	    .main_cf = MAPS " = " WITH "\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_security_level = dane\n",
	    .services = SMTP "a unix - - n - - smtp\nb unix - - n - - smtp\n",
	    .own = "a/unix/smtp_dns_support_level = enabled\n"
		   "b/unix/smtp_tls_security_level = none\n",
	    .dane = true,
	    .finds = "PFX21 PFX27 PFX19",
	    .lines = "postconf -P 'a/unix/smtp_dns_support_level=dnssec'\n"
		     "postconf -P 'b/unix/smtp_tls_security_level=dane'\n" },
	{ .what = "no smtp(8) at all",
	    .services = "smtp inet n - n - - smtpd\n",
	    .main_cf = MAPS " =\n",
	    .finds = "PFX01 PFX28",
	    .lines = SET(MAPS " = " WITH) },

	/* Levels. */
	{ .what = "an empty level",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level =\n",
	    .finds = "PFX19 PFX28",
	    .lines = SET("smtp_tls_security_level = may") },
	{ .what = "level none, DNSSEC",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = none\n"
			    "smtp_dns_support_level = dnssec\n",
	    .dane = true,
	    .finds = "PFX19",
	    .lines = SET("smtp_tls_security_level = dane") },
	{ .what = "an old name of may",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level =\n"
			    "smtp_use_tls = yes\n",
	    .finds = "PFX28" },
	{ .what = "an old name of verify",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level =\n"
			    "smtp_enforce_tls = yes\nsmtp_tls_enforce_peername = yes\n",
	    .finds = "PFX20 PFX28",
	    .lines = "permissive_reply = notfound\n" },
	{ .what = "encrypt, and stsd answers may",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = encrypt\n",
	    .finds = "PFX20 PFX28",
	    .lines = "permissive_reply = notfound\n" },
	{ .what = "encrypt, and stsd answers notfound",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = Encrypt\n",
	    .stsd = "permissive_reply = notfound",
	    .finds = "PFX28" },
	{ .what = "dane without DNSSEC",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = dane\n",
	    .finds = "PFX21 PFX28",
	    .lines = SET("smtp_dns_support_level = dnssec") },
	{ .what = "dane without DNS",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = dane\n"
			    "smtp_dns_support_level = dnssec\nsmtp_host_lookup = native\n"
			    "ignore_mx_lookup_error = yes\n",
	    .finds = "PFX21 PFX28",
	    .lines = SET("smtp_host_lookup = dns") SET("ignore_mx_lookup_error = no") },
	{ .what = "dane-only without DNSSEC",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = dane-only\n",
	    .stsd = "permissive_reply = notfound",
	    .finds = "PFX22 PFX28",
	    .lines = SET("smtp_dns_support_level = dnssec") },
	{ .what = "no such level",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = maybe\n",
	    .finds = "PFX23 PFX28",
	    .lines = SET("smtp_tls_security_level = may") },

	/* Trust anchors. */
	{ .what = "no anchors",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_CAfile =\n"
			    "tls_append_default_CA = yes\n",
	    .finds = "PFX24 PFX28",
	    .lines = SET("smtp_tls_CAfile = /system.pem") },
	{ .what = "a file that is not there",
	    .world = "inet:127.0.0.1:8461 stsd; /ca.pem missing;",
	    .finds = "PFX25 PFX28",
	    .lines = SET("smtp_tls_CAfile = /system.pem") },
	{ .what = "a file without any",
	    .world = "inet:127.0.0.1:8461 stsd; /ca.pem wrong;",
	    .finds = "PFX25 PFX28",
	    .lines = SET("smtp_tls_CAfile = /system.pem") },
	{ .what = "a file that we may not read",
	    .world = "inet:127.0.0.1:8461 stsd; /ca.pem hidden;",
	    .finds = "PFX28" },
	{ .what = "a folder that is not in the chroot",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_CAfile =\nsmtp_tls_CApath = /certs\n",
	    .services = JAIL,
	    .world = "inet:127.0.0.1:8461 stsd;/var/spool/postfix /certs missing;",
	    .finds = "PFX26 PFX28",
	    .lines = SET("smtp_tls_CAfile = /system.pem") },
	{ .what = "a folder, no chroot",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_CAfile =\nsmtp_tls_CApath = /certs\n",
	    .world = "inet:127.0.0.1:8461 stsd; /certs fine;",
	    .finds = "PFX28" },

	/* DANE. */
	{ .what = "stsd does DANE, Postfix does not",
	    .stsd = "dane = on",
	    .dane = true,
	    .finds = "PFX27",
	    .lines = SET("smtp_dns_support_level = dnssec") },
	{ .what = "Postfix does DANE, stsd does not",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_security_level = dane\n"
			    "smtp_dns_support_level = dnssec\n",
	    .stsd = "dane = off",
	    .finds = "PFX29",
	    .lines = "dane = on\n" },
	{ .what = "another resolver in the chroot",
	    .main_cf = MAPS " = " WITH "\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_security_level = dane\n",
	    .services = JAIL,
	    .world = "inet:127.0.0.1:8461 stsd;/var/spool/postfix differs;",
	    .dane = true,
	    .finds = "PFX30",
	    .lines = "install -D -m 644 /etc/resolv.conf "
		     "'/var/spool/postfix/etc/resolv.conf'\n" },
	{ .what = "dane means may",
	    .version = "3.7.12",
	    .main_cf = MAPS " = " STSD "QUERY\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_dane_insecure_mx_policy = may\n",
	    .dane = true,
	    .finds = "PFX31",
	    .lines = SET("smtp_tls_dane_insecure_mx_policy = dane") },
	{ .what = "dane means may from 3.9.0 on",
	    .version = "3.9.0",
	    .main_cf = MAPS " = " STSD "QUERY\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_dane_insecure_mx_policy = may\n",
	    .dane = true,
	    .finds = "PFX31",
	    .lines = SET("smtp_tls_dane_insecure_mx_policy = dane") },
	{ .what = "no chroot, no other resolver",
	    .main_cf = MAPS " = " WITH "\nsmtp_dns_support_level = dnssec\n",
	    .world = "inet:127.0.0.1:8461 stsd; differs;",
	    .dane = true,
	    .finds = "" },
	{ .what = "dane means dane again",
	    .version = "3.7.13",
	    .main_cf = MAPS " = " STSD "QUERY\nsmtp_dns_support_level = dnssec\n"
			    "smtp_tls_dane_insecure_mx_policy = may\n",
	    .dane = true,
	    .finds = "" },

	/* What else changes the meaning of an answer. */
	{ .what = "patterns are off",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_enforce_sts_mx_patterns = no\n",
	    .finds = "PFX32 PFX28",
	    .lines = SET("smtp_tls_enforce_sts_mx_patterns = yes") },
	{ .what = "short replies",
	    .main_cf = MAPS " = " WITH "\nsocketmap_max_reply_size = 65535\n",
	    .finds = "PFX28 PFX33",
	    .lines = SET("socketmap_max_reply_size = 100000") },
	{ .what = "replies that are just long enough",
	    .main_cf = MAPS " = " WITH "\nsocketmap_max_reply_size = 65536\n",
	    .finds = "PFX28" },
	{ .what = "a name for all, and stsd names none",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_servername = a.example\n",
	    .stsd = "servername = no",
	    .finds = "PFX28 PFX34",
	    .lines = SET("smtp_tls_servername = hostname") },
	{ .what = "a name for all, and stsd names the host",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_servername = a.example\n",
	    .finds = "PFX28" },
	{ .what = "no name at all, by default",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_servername =\n",
	    .stsd = "servername = no",
	    .finds = "PFX28" },
	{ .what = "servername= in 3.4",
	    .version = "3.4.0",
	    .main_cf = MAPS " = " STSD "QUERY\n",
	    .finds = "PFX28" },
	{ .what = "patterns are off in 3.10.5",
	    .version = "3.10.5",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_enforce_sts_mx_patterns = no\n",
	    .finds = "PFX32 PFX28",
	    .lines = SET("smtp_tls_enforce_sts_mx_patterns = yes") },
	{ .what = "patterns are unknown in 3.10.4",
	    .version = "3.10.4",
	    .main_cf = MAPS " = " WITH "\nsmtp_tls_enforce_sts_mx_patterns = no\n",
	    .finds = "PFX03 PFX28" },
	{ .what = "short replies in 3.10.0",
	    .version = "3.10.0",
	    .main_cf = MAPS " = " WITH "\nsocketmap_max_reply_size = 1\n",
	    .finds = "PFX03 PFX28 PFX33",
	    .lines = SET("socketmap_max_reply_size = 100000") },
	{ .what = "servername= in 3.3",
	    .version = "3.3.22",
	    .main_cf = MAPS " = " STSD "QUERY\n",
	    .finds = "PFX28 PFX35",
	    .lines = "servername = no\n" },
	{ .what = "ends of aliases, and no MX",
	    .main_cf = MAPS " = " WITH "\nsmtp_cname_overrides_servername = yes\n"
			    "disable_dns_lookups = yes\n"
			    "smtp_dns_support_level = disabled\n",
	    .finds = "PFX36 PFX37 PFX37 PFX28",
	    .lines = SET("smtp_cname_overrides_servername = no")
		SET("disable_dns_lookups = no") SET("smtp_dns_support_level = enabled") },
	{ .what = "no MX, and stsd does DANE: one line for both",
	    .main_cf = MAPS " = " WITH "\nsmtp_dns_support_level = disabled\n",
	    .dane = true,
	    .finds = "PFX37 PFX27",
	    .lines = SET("smtp_dns_support_level = dnssec") },
	{ .what = "too old for all of it", .version = "2.9.6", .finds = "PFX38" },
	{ .what = "a relay",
	    .main_cf = MAPS " = " WITH "\nrelayhost = [Relay.Example.com]:587\n"
			    "default_transport = smtp:[192.0.2.1]\n"
			    "smtp_fallback_relay = a.example b.example a.example\n",
	    .finds = "PFX28 PFX39 PFX39" },
	{ .what = "one knows socketmaps since 2.10",
	    .version = "2.10.0",
	    .main_cf = MAPS " = " STSD "QUERY\n",
	    .stsd = "servername = no",
	    .finds = "PFX28" },
	{ .what = "transports that are smtp(8), and others",
	    .main_cf = MAPS " = " WITH "\ndefault_transport = relay:[a.example]:25\n"
			    "relay_transport = lmtp:b.example\n"
			    "sender_dependent_default_transport_maps = hash:/t\n",
	    .services = SMTP "relay unix - - n - - smtp\n",
	    .world = "inet:127.0.0.1:8461 stsd;hash:/t entries;",
	    .finds = "PFX28 PFX39 PFX39",
	    .says = "a.example;one.example, two.example, three.example" },
	{ .what = "a transport that is smtp(8)",
	    .main_cf = MAPS " = " WITH "\nrelay_transport = smtp:[b.example]:25\n",
	    .finds = "PFX28 PFX39",
	    .says = "b.example" },
	{ .what = "many transports",
	    .main_cf = MAPS " = " WITH "\ntransport_maps = hash:/t\n",
	    .world = "inet:127.0.0.1:8461 stsd;hash:/t many;",
	    .finds = "PFX28 PFX39",
	    .says = "a.example, b.example, c.example, d.example, e.example, f.example, "
		    "g.example, h.example, i.example, j.example, k.example, l.example, "
		    "m.example, n.example, o.example, p.example, q.example, r.example, "
		    "s.example, t.example, ..." },
	{ .what = "transports",
	    .main_cf = MAPS " = " WITH "\ntransport_maps = hash:/t, ldap:/t\n"
			    "sender_dependent_relayhost_maps = hash:/s\n",
	    .world = "inet:127.0.0.1:8461 stsd;hash:/t entries;hash:/s relay;",
	    .finds = "PFX28 PFX39 PFX40 PFX39" },
	{ .what = "no reports",
	    .main_cf = MAPS " = " WITH "\nsmtp_tlsrpt_enable = no\n",
	    .finds = "PFX28 PFX42" },
	{ .what = "control characters are not for pasting",
	    .main_cf = MAPS " = hash:/a\x1b[2J\n",
	    .finds = "PFX01 PFX28" },
};

/* --- The world of a case: "ROOT PATH WORD;" for files and sockets, "ENDPOINT WORD;" for
 * addresses, "TABLE WORD;" for tables --- */

static bool
world_says(const char *world, struct sts_str subject, const char *word)
{
	struct sts_str rest = sts_str_of(world), fact;

	while (rest.n > 0) {
		(void)sts_str_cut(&rest, ';', &fact);
		if (sts_str_starts(fact, subject) &&
		    fact.n == subject.n + 1 + strlen(word) &&
		    sts_str_ends(fact, sts_str_of(word)))
			return true;
	}
	return false;
}

static bool
place_says(const char *world, const struct doctor_place *at, const char *word)
{
	struct sts_buf b = { 0 };
	bool said;

	sts_put(&b, at->root);
	sts_put_char(&b, ' ');
	sts_put(&b, at->path);
	said = world_says(world, sts_buf_str(&b), word);
	sts_buf_done(&b);
	return said;
}

static enum doctor_sight
look(void *arg, enum doctor_thing thing, const struct doctor_place *at)
{
	static const struct {
		const char *word;
		enum doctor_sight sight;
	} words[] = { { "stsd", DOCTOR_FINE }, { "other", DOCTOR_FINE },
		{ "fine", DOCTOR_FINE }, { "missing", DOCTOR_MISSING },
		{ "denied", DOCTOR_DENIED }, { "wrong", DOCTOR_WRONG },
		{ "hidden", DOCTOR_HIDDEN } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (place_says(arg, at, words[i].word))
			return words[i].sight;
	CHECK("whose eyes", (thing == DOCTOR_CA_FILE) == (at->account.n == 0));
	return thing == DOCTOR_CA_FILE ? DOCTOR_FINE : DOCTOR_MISSING;
}

static enum doctor_voice
ask(void *arg, const struct pf_socketmap *whom, const struct doctor_place *at)
{
	if (at != NULL && place_says(arg, at, "other"))
		return DOCTOR_SOMEBODY;
	if (at != NULL)
		return place_says(arg, at, "stsd") ? DOCTOR_STSD : DOCTOR_NOBODY;
	if (world_says(arg, whom->endpoint, "stsd"))
		return DOCTOR_STSD;
	return world_says(arg, whom->endpoint, "other") ? DOCTOR_SOMEBODY : DOCTOR_NOBODY;
}

static bool
same_resolver(void *arg, struct sts_str root)
{
	return !world_says(arg, root, "differs");
}

static bool
answers(void *arg, struct sts_str table, const char *key)
{
	CHECK("a name that nobody has", strcmp(key, "no-such-domain.invalid") == 0);
	return world_says(arg, table, "answers");
}

static struct sts_str
entries(void *arg, struct sts_str table)
{
	if (world_says(arg, table, "entries"))
		return STS_STR(
		    "a.example\tsmtp:[one.example]:25\nb.example\t:two.example\n"
		    "c.example\tlmtp:unix:/x\nd.example\t:\ne.example\tlocal\n"
		    "f.example\tsmtp:two.example\ng.example\t:three.example\n");
	if (world_says(arg, table, "many"))
		return STS_STR(
		    "1\tsmtp:a.example,b.example,c.example,d.example,e.example\n"
		    "2\tsmtp:f.example,g.example,h.example,i.example,j.example\n"
		    "3\tsmtp:k.example,l.example,m.example,n.example,o.example\n"
		    "4\tsmtp:p.example,q.example,r.example,s.example,t.example\n"
		    "5\tsmtp:u.example\n");
	return world_says(arg, table, "relay") ? STS_STR("@a.example\t[relay.example]\n")
					       : STS_STR_NONE;
}

/* --- One case --- */

static struct sts_str
put_texts(struct sts_buf *b, const struct test *t)
{
	sts_put_text(b, "mail_version = ");
	sts_put_text(b, t->version != NULL ? t->version : "3.10.13");
	sts_put_char(b, '\n');
	sts_put_text(b, common);
	sts_put_text(b, t->main_cf != NULL ? t->main_cf : MAPS " = " WITH "\n");
	return sts_buf_str(b);
}

static void
check_findings(const struct test *t, const struct doctor *d)
{
	struct sts_buf b = { 0 };

	for (size_t i = 0; i < d->count; i++) {
		if (b.n > 0)
			sts_put_char(&b, ' ');
		sts_put_text(&b, d->findings[i].id);
	}
	if (!sts_str_eq(sts_buf_str(&b), sts_str_of(t->finds)))
		fprintf(stderr, "found: %.*s\n", (int)b.n, b.n > 0 ? b.p : "");
	CHECK(t->what, sts_str_eq(sts_buf_str(&b), sts_str_of(t->finds)));
	sts_buf_clear(&b);
	for (size_t i = 0; i < d->line_count; i++) {
		sts_put(&b, d->lines[i].text);
		sts_put_char(&b, '\n');
	}
	if (!sts_str_eq(sts_buf_str(&b), sts_str_of(t->lines)))
		fprintf(stderr, "lines: %.*s\n", (int)b.n, b.n > 0 ? b.p : "");
	CHECK(t->what, sts_str_eq(sts_buf_str(&b), sts_str_of(t->lines)));
	sts_buf_clear(&b);
	for (size_t i = 0; t->says != NULL && i < d->count; i++) {
		if (strcmp(d->findings[i].id, "PFX39") != 0)
			continue;
		if (b.n > 0)
			sts_put_char(&b, ';');
		sts_put(&b, d->findings[i].detail);
	}
	CHECK(t->what, sts_str_eq(sts_buf_str(&b), sts_str_of(t->says)));
	sts_buf_done(&b);
}

static bool
has(struct sts_str text, const char *part)
{
	size_t at = 0, n = strlen(part);

	while (at + n <= text.n && memcmp(text.p + at, part, n) != 0)
		at++;
	return at + n <= text.n;
}

/* Cases that show nothing new are not kept. */
static void
put_golden(const struct test *t, const struct doctor *d, struct sts_buf *golden)
{
	struct query_writer w = { golden, false };
	bool is_new = t->shows || golden->n == 0;

	for (size_t i = 0; i < d->count; i++)
		is_new |= !has(sts_buf_str(golden), d->findings[i].id);
	if (!is_new)
		return;
	sts_put_text(golden, "# ");
	sts_put_text(golden, t->what);
	sts_put_char(golden, '\n');
	doctor_put_text(golden, d, false);
	doctor_put_json(&w, d);
	sts_put_char(golden, '\n');
}

static void
run(const struct test *t, struct sts_buf *golden)
{
	struct config_errors errors = { 0 };
	struct sts_buf settings = { 0 };
	struct config *c = config_parse_text(sts_str_of(t->stsd), "t", &errors);
	struct doctor_world world = { look, ask, same_resolver, answers, entries,
		(void *)(uintptr_t)(t->world != NULL ? t->world
						     : "inet:127.0.0.1:8461 stsd;") };
	struct doctor_stsd stsd = { .config = c,
		.does_dane = t->dane,
		.ca_file = "/system.pem",
		.config_name = "/etc/stsd/stsd.conf" };
	struct doctor_postfix p = { .directory =
					sts_str_of(t->other_place ? "/etc/postfix two"
								  : "/etc/postfix"),
		.is_default = !t->other_place,
		.services = sts_str_of(t->services != NULL ? t->services : SMTP),
		.own = sts_str_of(t->own),
		.own_written = sts_str_of(t->own) };
	struct doctor d = { 0 };

	CHECK(t->what, c != NULL);
	config_errors_done(&errors);
	if (c == NULL)
		return;
	stsd.says_may = c->permissive_reply != CONFIG_REPLY_NOTFOUND;
	p.settings = put_texts(&settings, t);
	p.written = t->written != NULL ? sts_str_of(t->written) : p.settings;
	doctor_examine(&d, &p, &stsd, &world);
	check_findings(t, &d);
	put_golden(t, &d, golden);
	doctor_done(&d);
	sts_buf_done(&settings);
	config_free(c);
}

/* Of every id an output is kept. */
static void
check_ids(struct sts_str golden)
{
	const char *id;

	for (size_t i = 0; (id = doctor_id_text(i)) != NULL; i++) {
		for (size_t j = 0; j < i; j++)
			CHECK(id, strcmp(doctor_id_text(j), id) != 0);
		CHECK(id, has(golden, id));
	}
}

static void
keep(struct sts_str golden)
{
	FILE *file = fopen(GOLDEN, "w");

	CHECK(GOLDEN, file != NULL);
	if (file == NULL)
		return;
	CHECK(GOLDEN, fwrite(golden.p, 1, golden.n, file) == golden.n);
	CHECK(GOLDEN, fclose(file) == 0);
}

static void
compare(struct sts_str golden)
{
	FILE *file = fopen(GOLDEN, "r");
	char *kept = calloc(1, golden.n + 2);
	size_t n = 0, same = 0, line = 1;

	CHECK(GOLDEN, file != NULL && kept != NULL);
	if (file != NULL && kept != NULL)
		n = fread(kept, 1, golden.n + 1, file);
	while (same < n && same < golden.n && kept[same] == golden.p[same])
		line += kept[same++] == '\n';
	if (same != golden.n || n != golden.n)
		fprintf(stderr, "%s:%zu is not what is said now\n", GOLDEN, line);
	CHECK(GOLDEN, same == golden.n && n == golden.n);
	if (file != NULL)
		(void)fclose(file);
	free(kept);
}

int
main(int argc, char **argv)
{
	struct sts_buf golden = { 0 };

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		run(&tests[i], &golden);
	CHECK("memory", !golden.bad);
	check_ids(sts_buf_str(&golden));
	if (argc > 1 && strcmp(argv[1], "-u") == 0)
		keep(sts_buf_str(&golden));
	else
		compare(sts_buf_str(&golden));
	sts_buf_done(&golden);
	return test_failed;
}
