# SPDX-License-Identifier: MIT
"""DANE before MTA-STS: the table of stsd(8), row by row; what is kept for how long; what it
costs. The server of the lab plays a resolver that validates."""
import socket
import subprocess

from lab import wait
from lab.cases import Skip, case, contains, same, table

NOTFOUND = "NOTFOUND "
DANE = "OK dane-only"
MAY = "OK may"
USABLE = (3, 1, 1, bytes(32))
UNUSABLE = (0, 1, 1, bytes(32))
SIGNED_RESOLVER = "198.18.0.53"
DOCKER_RESOLVER = "127.0.0.11"
UNSIGNED = "unsigned.example"

# A host of each kind; what the letters say is in add_host().
KINDS = "UXDNnicFa"


def add_host(world, name, kind, port=25, ttl=300):
    """U secure TLSA, one usable · X none usable · N address insecure · n secure, no TLSA ·
    i TLSA records insecure, behind an alias · c alias to an insecure address ·
    D secure alias, TLSA at its end · F TLSA lookup fails · a address lookup fails"""
    service = f"_{port}._tcp.{name}"
    world.dns.sign(name, signed=kind != "N")
    if kind == "c":
        world.dns.add(name, "CNAME", f"{name}.{UNSIGNED}", ttl=ttl)
        world.dns.add(f"{name}.{UNSIGNED}", "A", "198.18.2.1", ttl=ttl)
        service = f"_{port}._tcp.{name}.{UNSIGNED}"
    elif kind == "D":
        world.dns.add(name, "CNAME", "end." + name, ttl=ttl)
        world.dns.add("end." + name, "A", "198.18.2.1", ttl=ttl)
        service = f"_{port}._tcp.end.{name}"
    else:
        world.dns.add(name, "A", "198.18.2.1", ttl=ttl)
    if kind in "UDNc":
        world.dns.add(service, "TLSA", USABLE, UNUSABLE, ttl=ttl)
    elif kind == "X":
        world.dns.add(service, "TLSA", UNUSABLE, ttl=ttl)
    elif kind == "i":
        world.dns.add(service, "CNAME", f"{service}.{UNSIGNED}", ttl=ttl)
        world.dns.add(f"{service}.{UNSIGNED}", "TLSA", USABLE, ttl=ttl)
    elif kind == "F":
        world.dns.fail(service, "TLSA", "servfail")
    elif kind == "a":
        world.dns.fail(name, "A", "servfail")
        world.dns.fail(name, "AAAA", "servfail")
    return name


def make_domain(world, kinds, mode="enforce", signed=True, name=None, **more):
    """A domain with a mail host of each kind; all of them are in its policy."""
    name = name or world.new_name()
    hosts = [f"mx{number}-{kind.lower()}.{name}" for number, kind in enumerate(kinds)]
    domain = world.domain(name=name, mode=mode, mx=hosts)
    world.dns.sign(name, signed=signed)
    for host, kind in zip(hosts, kinds):
        add_host(world, host, kind, **more)
    if "ttl" in more:
        world.dns.negative_ttl = more["ttl"]  # there is no AAAA
        world.dns.replace(name, "MX", *[(10 * n, host) for n, host in enumerate(hosts)],
                          ttl=more["ttl"])
    return domain


def validating(world, **settings):
    world.dns.validates = True
    return world.stsd(**settings).start()


def failed(domain, kind, why="SERVFAIL"):
    """The TEMP for the first host of a kind that fails."""
    host = next(mx for mx in domain.mx if f"-{kind.lower()}." in mx)
    what = {"F": "TLSA", "a": "address"}[kind]
    return f"TEMP {domain.name}: {what} lookup failed for {host} ({why})"


def expect(stsd, domain, letter):
    """D dane-only · S secure · M may · - not found · F, a: TEMP for a host of that kind"""
    reply = {"D": DANE, "S": domain.secure, "M": MAY, "-": NOTFOUND}.get(letter)
    if reply is None:
        reply = failed(domain, letter)
    kinds = " ".join(domain.mx)
    same(stsd.ask(domain.name), reply, kinds)
    more = domain.reported if letter == "S" else ""
    same(stsd.ask(domain.name, "QUERYwithTLSRPT"), reply + more, kinds)


# The answers, by a first and a second mail host: with enforce, and with testing or none.
# The first column is the first host's kind, the first letter is for that host alone, the
# others are for a second host of the kinds U X D N n i c F a.
ENFORCE = {
    "U": "D DDDDDDDDD",
    "X": "S DSDSSSSFS",
    "D": "D DDDDDDDDD",
    "N": "S DSDSSSSFS",
    "n": "S DSDSSSSFS",
    "i": "S DSDSSSSFS",
    "c": "S DSDSSSSFS",
    "F": "F DFDFFFFFF",
    "a": "a DSDSSSSFa",
}
PERMISSIVE = {
    "U": "- ---------",
    "X": "- ---------",
    "D": "- ---------",
    "N": "M ---MMMM-M",
    "n": "M ---MMMM-M",
    "i": "M ---MMMM-M",
    "c": "M ---MMMM-M",
    "F": "- ---------",
    "a": "- ---MMMM--",
}


def sets(first):
    """(mail hosts, position in the row), the first host alone and with each second one."""
    return [(first, 0)] + [(first + second, n + 2) for n, second in enumerate(KINDS)]


@table("MX secure, first host", [(kind, kind) for kind in KINDS])
def mx_secure(world, first):
    stsd = validating(world)
    strict = validating(world, strict_testing="yes", listen="inet:127.0.0.1:8462")
    for kinds, at in sets(first):
        for mode in ("enforce", "testing", "none"):
            domain = make_domain(world, kinds, mode)
            row = ENFORCE if mode == "enforce" else PERMISSIVE
            expect(stsd, domain, row[first][at])
            if mode == "testing":
                expect(strict, domain, ENFORCE[first][at])


@table("MX insecure, first host", [(kind, kind) for kind in KINDS])
def mx_insecure(world, first):
    stsd = validating(world)
    for kinds, at in sets(first):
        expect(stsd, make_domain(world, kinds, signed=False), "S")
        expect(stsd, make_domain(world, kinds, "testing", signed=False), PERMISSIVE[first][at])


@table("MX", [
    # name, what the MX lookup gives, signed?, the domain as a host, enforce, testing
    ("none, itself U", None, True, "U", "D", "-"),
    ("none, itself X", None, True, "X", "S", "-"),
    ("none, itself without TLSA", None, True, "n", "S", "M"),
    ("none, itself insecure", None, False, "N", "S", "M"),
    ("none, TLSA fails", None, True, "F", "TLSA", "-"),
    ("none, address fails", None, True, "a", "address", "-"),
    ("null", [(0, "")], True, "U", "S", "M"),
    ("null, insecure", [(0, "")], False, "N", "S", "M"),
    ("NXDOMAIN", "nxdomain", True, "U", "S", "M"),
    ("NXDOMAIN, insecure", "nxdomain", False, "N", "S", "M"),
    ("SERVFAIL", "servfail", True, "U", "SERVFAIL", "-"),
    ("SERVFAIL, insecure", "servfail", False, "N", "SERVFAIL", "-"),
    ("REFUSED", "refused", True, "U", "REFUSED", "-"),
    ("time-out", "drop", True, "U", "timeout", "-"),
    ("bogus", "bogus", True, "U", "SERVFAIL, EDE 6", "-"),
])
def mx(world, records, signed, itself, enforce, permissive):
    stsd = validating(world, dns_timeout="1s")
    for mode in ("enforce", "testing", "none"):
        name = world.new_name()
        domain = world.domain(name=name, mode=mode, mx=[name])
        world.dns.remove(name, "MX")
        world.dns.sign(name, signed=signed)
        add_host(world, name, itself)
        world.dns.sign(name, signed=signed)
        if isinstance(records, list):
            world.dns.add(name, "MX", *records)
        elif records:
            world.dns.fail(name, "MX", {"bogus": "servfail"}.get(records, records),
                           ede=6 if records == "bogus" else None)
        letter = enforce if mode == "enforce" else permissive
        if letter in ("TLSA", "address"):
            reply = f"TEMP {name}: {letter} lookup failed for {name} (SERVFAIL)"
        elif len(letter) > 1:
            reply = f"TEMP {name}: MX lookup failed ({letter})"
        else:
            reply = {"D": DANE, "S": domain.secure, "M": MAY, "-": NOTFOUND}[letter]
        same(stsd.ask(name), reply, mode)
        more = domain.reported if letter == "S" else ""
        same(stsd.ask(name, "QUERYwithTLSRPT"), reply + more, mode)


@table("lookup fails", [
    # name, what is asked for, trouble, EDE, what fails, why
    ("address, time-out", "A", "drop", None, "address", "timeout"),
    ("address, REFUSED", "A", "refused", None, "address", "REFUSED"),
    ("address, bogus", "A", "servfail", 6, "address", "SERVFAIL, EDE 6"),
    ("TLSA, time-out", "TLSA", "drop", None, "TLSA", "timeout"),
    ("TLSA, lame", "TLSA", "servfail", 22, "TLSA", "SERVFAIL, EDE 22"),
    ("TLSA, bogus", "TLSA", "servfail", 6, "TLSA", "SERVFAIL, EDE 6"),
])
def why(world, kind, trouble, ede, what, reason):
    domain = make_domain(world, "U")
    host = domain.mx[0]
    for name in ([host] if kind == "A" else ["_25._tcp." + host]):
        world.dns.fail(name, kind, trouble, ede=ede)
        if kind == "A":
            world.dns.fail(name, "AAAA", trouble, ede=ede)
    stsd = validating(world, dns_timeout="1s")
    same(stsd.ask(domain.name), f"TEMP {domain.name}: {what} lookup failed for {host} ({reason})")


@table("TLSA records", [
    # name, records, reply (D, S)
    ("3 1 1", [(3, 1, 1, bytes(32))], "D"),
    ("3 0 1", [(3, 0, 1, bytes(32))], "D"),
    ("2 1 1", [(2, 1, 1, bytes(32))], "D"),
    ("2 0 1", [(2, 0, 1, bytes(32))], "D"),
    ("3 1 2", [(3, 1, 2, bytes(64))], "D"),
    ("0 0 1", [(0, 0, 1, bytes(32))], "S"),
    ("1 1 1", [(1, 1, 1, bytes(32))], "S"),
    ("4 1 1", [(4, 1, 1, bytes(32))], "S"),
    ("255 1 1", [(255, 1, 1, bytes(32))], "S"),
    ("3 2 1", [(3, 2, 1, bytes(32))], "S"),
    ("3 1 3", [(3, 1, 3, bytes(32))], "S"),
    ("3 1 255", [(3, 1, 255, bytes(32))], "S"),
    ("3 1 1, short digest", [(3, 1, 1, bytes(31))], "S"),
    ("3 1 1, long digest", [(3, 1, 1, bytes(33))], "S"),
    ("3 1 2, digest of 1", [(3, 1, 2, bytes(32))], "S"),
    ("3 1 1, empty", [(3, 1, 1, b"")], "S"),
    ("3 1 0, no key", [(3, 1, 0, bytes(32))], "S"),
    ("3 0 0, no certificate", [(3, 0, 0, bytes(32))], "S"),
    ("one usable among others", [(1, 1, 1, bytes(32)), (3, 1, 1, bytes(32))], "D"),
])
def tlsa(world, records, letter):
    domain = make_domain(world, "n")
    world.dns.add("_25._tcp." + domain.mx[0], "TLSA", *records)
    expect(validating(world), domain, letter)


@table("TLSA record, whole", [("certificate", 0), ("key", 1)])
def tlsa_whole(world, selector):
    domain = make_domain(world, "n")
    der = world.pki.der(domain.mx) if selector == 0 else world.pki.der()
    world.dns.add("_25._tcp." + domain.mx[0], "TLSA", (3, selector, 0, der))
    expect(validating(world), domain, "D")


# Aliases (RFC 7672 section 2.2.2): the name at the end first, then the one in MX.

@table("mail host is an alias", [
    # name, is the alias secure, its end, TLSA at the end, TLSA at the name; reply
    ("all secure, TLSA at the end", True, True, "usable", None, "D"),
    ("all secure, TLSA at the name", True, True, None, "usable", "D"),
    ("all secure, the end first", True, True, "unusable", "usable", "S"),
    ("all secure, none", True, True, None, None, "S"),
    ("insecure alias", False, True, "usable", "usable", "S"),
    ("secure alias, insecure end: the name", True, False, "usable", "usable", "D"),
    ("secure alias, insecure end: no TLSA", True, False, "usable", None, "S"),
])
def alias(world, alias_secure, end_secure, at_end, at_name, letter):
    domain = make_domain(world, "n")
    host, end = domain.mx[0], "end." + world.new_name()
    world.dns.remove(host)
    world.dns.add(host, "CNAME", end)
    world.dns.add(end, "A", "198.18.2.1")
    world.dns.sign(host, signed=alias_secure)
    world.dns.sign(end, signed=end_secure)
    for name, which in ((end, at_end), (host, at_name)):
        if which:
            world.dns.add("_25._tcp." + name, "TLSA", USABLE if which == "usable" else UNUSABLE)
    expect(validating(world), domain, letter)


# Keys.

@table("key", [
    # name, key (@ the domain), whose TLSA records at which port, reply
    ("brackets", "[@]", "itself", 25, "D"),
    ("brackets and port", "[@]:587", "itself", 587, "D"),
    ("port", "@:587", "host", 587, "D"),
    ("port by name", "@:submission", "host", 587, "D"),
    ("submissions", "@:submissions", "host", 465, "D"),
    ("port 25", "@:25", "host", 25, "D"),
    ("brackets, TLSA of the MX host", "[@]", "host", 25, "S"),
    ("port, TLSA at another", "@:587", "host", 25, "S"),
    ("brackets and port, TLSA at another", "[@]:587", "itself", 25, "S"),
    ("plain, TLSA at another", "@", "host", 587, "S"),
])
def key(world, text, whose, port, letter):
    domain = make_domain(world, "n")
    name = domain.name
    domain.mx.append(name)
    domain.web.policy = domain.policy()
    world.dns.add(name, "A", "198.18.2.1")
    owner = name if whose == "itself" else domain.mx[0]
    world.dns.add(f"_{port}._tcp.{owner}", "TLSA", USABLE)
    stsd = validating(world)
    same(stsd.ask(text.replace("@", name)), DANE if letter == "D" else domain.secure)


@case("findings of one domain: plain, brackets and port stand side by side")
def side_by_side(world):
    domain = make_domain(world, "U")
    name = domain.name
    domain.mx.append(name)
    domain.web.policy = domain.policy()
    world.dns.add(name, "A", "198.18.2.1")
    stsd = validating(world)
    keys = {name: DANE, f"[{name}]": domain.secure, name + ":587": domain.secure,
            f"[{name}]:587": domain.secure}
    for _ in range(3):
        for one, reply in keys.items():
            same(stsd.ask(one), reply, one)
    same(domain.fetches(), 1, "fetches")
    same(world.dns.count(name, "MX"), 2, "MX questions")  # one for each port
    same(world.dns.count("_25._tcp." + domain.mx[0], "TLSA"), 1, "TLSA questions")


# Settings.

@table("dane", [
    # name, dane, main.cf (None: no such file), enforce, testing
    ("auto, no main.cf", "auto", None, "D", "-"),
    ("auto, dnssec", "auto", "smtp_dns_support_level = dnssec", "D", "-"),
    ("auto, enabled", "auto", "smtp_dns_support_level = enabled", "S", "M"),
    ("auto, disabled", "auto", "smtp_dns_support_level=disabled", "S", "M"),
    ("auto, nothing said", "auto", "myhostname = x.test", "S", "M"),
    ("auto, a variable", "auto", "smtp_dns_support_level = $x", "D", "-"),
    ("auto, last counts, dnssec", "auto",
     "smtp_dns_support_level = enabled\nsmtp_dns_support_level = dnssec", "D", "-"),
    ("auto, last counts, enabled", "auto",
     "smtp_dns_support_level = dnssec\nsmtp_dns_support_level = enabled", "S", "M"),
    ("on, whatever main.cf says", "on", "smtp_dns_support_level = enabled", "D", "-"),
    ("on, no main.cf", "on", None, "D", "-"),
    ("off", "off", "smtp_dns_support_level = dnssec", "S", "M"),
])
def dane(world, setting, main_cf, enforce, testing):
    world.dns.validates = True
    stsd = world.stsd(dane=setting)
    if main_cf is not None:
        with open(stsd.folder + "/main.cf", "w", encoding="utf-8") as file:
            file.write(main_cf + "\n")
    stsd.start()
    expect(stsd, make_domain(world, "U"), enforce)
    expect(stsd, make_domain(world, "U", "testing"), testing)
    warned = "warning" in stsd.log() and "smtp_dns_support_level" in stsd.log()
    same(warned, setting == "auto" and enforce == "S", "a warning")


@table("permissive_reply", [
    # name, its value, DANE, smtp_tls_security_level, mail host, reply for testing and none
    ("may, no TLSA", "may", True, None, "n", "M"),
    ("may, TLSA", "may", True, None, "U", "-"),
    ("may, over encrypt, no TLSA", "may", True, "encrypt", "n", "M"),
    ("may, DANE off, TLSA", "may", False, None, "U", "M"),
    ("notfound, no TLSA", "notfound", True, None, "n", "-"),
    ("notfound, DANE off", "notfound", False, None, "n", "-"),
    ("auto, level dane, no TLSA", "auto", True, "dane", "n", "M"),
    ("auto, level dane, TLSA", "auto", True, "dane", "U", "-"),
    ("auto, level encrypt", "auto", True, "encrypt", "n", "-"),
    ("auto, level dane-only, DANE off", "auto", False, "dane-only", "n", "-"),
])
def permissive(world, value, dane_on, level, kind, letter):
    world.dns.validates = True
    stsd = world.stsd(permissive_reply=value, dane="on" if dane_on else "off")
    if level:
        with open(stsd.folder + "/main.cf", "w", encoding="utf-8") as file:
            file.write(f"smtp_tls_security_level = {level}\n")
    stsd.start()
    for mode in ("testing", "none"):
        expect(stsd, make_domain(world, kind, mode), letter)


@table("dnssec", [
    # name, setting, server, more of resolv.conf (None: dns_servers is set), enforce, testing
    ("auto, loopback", "auto", "127.0.0.2", None, "D", "-"),
    ("trust, loopback", "trust", "127.0.0.2", None, "D", "-"),
    ("off, loopback", "off", "127.0.0.2", None, "S", "-"),
    ("auto, elsewhere", "auto", SIGNED_RESOLVER, None, "S", "-"),
    ("trust, elsewhere", "trust", SIGNED_RESOLVER, None, "D", "-"),
    ("off, elsewhere", "off", SIGNED_RESOLVER, None, "S", "-"),
    ("auto, Docker's", "auto", DOCKER_RESOLVER, None, "S", "-"),
    ("auto, one elsewhere", "auto", "127.0.0.2 " + SIGNED_RESOLVER, None, "S", "-"),
    ("auto, resolv.conf, elsewhere", "auto", SIGNED_RESOLVER, "", "S", "-"),
    ("auto, resolv.conf, trust-ad", "auto", SIGNED_RESOLVER, "options trust-ad\n", "D", "-"),
    ("off, resolv.conf, trust-ad", "off", SIGNED_RESOLVER, "options trust-ad\n", "S", "-"),
])
def dnssec(world, setting, server, options, enforce, testing):
    if not getattr(world, "resolvers_listen", False):
        world.dns.listen(SIGNED_RESOLVER)
        world.dns.listen(DOCKER_RESOLVER)
        world.resolvers_listen = True
    world.dns.validates = True
    with world.resolv_conf(f"nameserver {server.split()[0]}\n{options or ''}"):
        stsd = world.stsd(dnssec=setting, dns_servers=server if options is None else None)
        stsd.start()
        expect(stsd, make_domain(world, "U"), enforce)
        expect(stsd, make_domain(world, "U", "testing"), testing)
        expect(stsd, make_domain(world, "n", "testing"), "M" if enforce == "D" else "-")


# The self-test.

@table("self-test", [
    # name, servers, those that set no AD, those that are silent; enforce, testing
    ("passed", "127.0.0.1", [], [], "D", "-"),
    ("no AD", "127.0.0.1", ["127.0.0.1"], [], "S", "M"),
    ("first without AD", "127.0.0.1 127.0.0.2", ["127.0.0.1"], [], "S", "M"),
    ("second without AD", "127.0.0.1 127.0.0.2", ["127.0.0.2"], [], "S", "M"),
    ("first silent", "127.0.0.1 127.0.0.2", [], ["127.0.0.1"], "D", "-"),
    ("second silent", "127.0.0.1 127.0.0.2", [], ["127.0.0.2"], "D", "-"),
])
def self_test(world, servers, plain, silent, enforce, testing):
    world.dns.validates = True
    world.dns.plain_servers.update(plain)
    for server in silent:
        world.dns.fail_server(server, "drop")
    stsd = world.stsd(dns_servers=servers, dns_timeout="1s").start()
    expect(stsd, make_domain(world, "U"), enforce)
    expect(stsd, make_domain(world, "U", "testing"), testing)


@case("self-test: each server is asked once at start")
def self_test_cost(world):
    before = world.dns.count("", "SOA")
    stsd = validating(world, dns_servers="127.0.0.1 127.0.0.2")
    expect(stsd, make_domain(world, "U"), "D")
    expect(stsd, make_domain(world, "N"), "S")
    same(world.dns.count("", "SOA") - before, 2, "questions for . SOA")


@table("self-test unanswered", [("SERVFAIL", "servfail"), ("silent", "drop")])
def self_test_unanswered(world, trouble):
    """Who sets AD elsewhere validates; who does not may have stopped."""
    world.dns.fail("", "SOA", trouble)
    stsd = validating(world, dns_timeout="1s")
    expect(stsd, make_domain(world, "U"), "D")
    for kinds in ("n", "N", "X"):
        reply = stsd.ask(make_domain(world, kinds).name)
        same(reply[:5], "TEMP ", reply)
        same(stsd.ask(make_domain(world, kinds, "testing").name), NOTFOUND)


@case("self-test unanswered, and AD would not be believed")
def self_test_unanswered_distrusted(world):
    """Nobody knows whether it validates: no answer may take DANE away in silence."""
    world.dns.fail("", "SOA", "servfail")
    stsd = validating(world, dnssec="off")
    for kinds in ("U", "n", "N"):
        reply = stsd.ask(make_domain(world, kinds).name)
        same(reply[:5], "TEMP ", reply)
        same(stsd.ask(make_domain(world, kinds, "testing").name), NOTFOUND)


def metric(name, port=8468):
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    return next((float(line.split()[1]) for line in text.splitlines()
                 if line.startswith(name + " ")), None)


@table("self-test is told", [("validates", True, 1.0, "info"),
                             ("does not validate", False, 0.0, "warning")])
def self_test_told(world, validates, value, level):
    world.dns.validates = validates
    stsd = world.stsd(metrics_listen="inet:127.0.0.1:8468").start()
    wait.until(lambda: " dnssec " in stsd.log(), "a line in the log")
    line = next(line for line in stsd.log().splitlines() if " dnssec " in line)
    contains(line, level)
    wait.until(lambda: metric("stsd_dnssec_ok") == value, "the metric says so")


# How long a finding lives. Time passes by starting stsd again with its clock set forward.

def need_time_namespace():
    probe = ["unshare", "--time", "--boottime", "1", "--fork", "true"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip("no time namespaces")


def spent(world, domain):
    """Questions so far about MX, addresses of mail hosts and TLSA."""
    return sum(n for (name, kind), n in domain.questions().items()
               if kind in ("MX", "TLSA") or name.startswith("mx0"))


@table("finding", [
    # name, TTL, seconds later, is it looked at again
    ("counts for its TTL", 200, 140, False),
    ("counts no longer", 200, 210, True),
    ("lives a minute at least", 5, 40, False),
    ("and no longer then", 5, 70, True),
    ("lives an hour at most", 86400, 3700, True),
])
def lifetime(world, ttl, later, again):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=ttl)
    stsd = validating(world)
    expect(stsd, domain, "D")
    before = spent(world, domain)
    stsd.restart(later)
    expect(stsd, domain, "D")
    same(spent(world, domain) > before, again, "looked at again")
    if again:  # and the new one counts
        before = spent(world, domain)
        expect(stsd, domain, "D")
        same(spent(world, domain), before, "questions")


@case("finding: the smallest TTL of all that it rests on")
def smallest_ttl(world):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=3000)
    world.dns.replace("_25._tcp." + domain.mx[0], "TLSA", USABLE, ttl=100)
    stsd = validating(world)
    expect(stsd, domain, "D")
    world.dns.replace("_25._tcp." + domain.mx[0], "TLSA", UNUSABLE)
    stsd.restart(110)
    expect(stsd, domain, "S")


@case("finding: looked at again beside the answer when three quarters of it are over")
def early(world):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=1000)
    stsd = validating(world)
    expect(stsd, domain, "D")
    world.dns.replace("_25._tcp." + domain.mx[0], "TLSA", UNUSABLE, ttl=1000)
    stsd.restart(800)
    same(stsd.ask(domain.name), DANE)
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the new finding counts")


@case("finding: a look that fails leaves one that still counts")
def failed_look(world):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=1000)
    stsd = validating(world)
    expect(stsd, domain, "D")
    world.dns.fail("_25._tcp." + domain.mx[0], "TLSA", "servfail")
    stsd.restart(800)
    before = world.dns.count("_25._tcp." + domain.mx[0], "TLSA")
    wait.until(lambda: stsd.ask(domain.name) == DANE
               and world.dns.count("_25._tcp." + domain.mx[0], "TLSA") > before, "a look")
    wait.until(lambda: stsd.log().count(" looked domain=" + domain.name) >= 3, "its end")
    expect(stsd, domain, "D")
    stsd.restart(1010)
    same(stsd.ask(domain.name),
         f"TEMP {domain.name}: TLSA lookup failed for {domain.mx[0]} (SERVFAIL)")


@table("unknown", [("MX", "MX"), ("TLSA", "TLSA"), ("address", "A")])
def unknown(world, kind):
    """Not looked at again at once, but after half a minute."""
    need_time_namespace()
    domain = make_domain(world, "U")
    name = {"MX": domain.name, "TLSA": "_25._tcp." + domain.mx[0], "A": domain.mx[0]}[kind]
    kinds = ("A", "AAAA") if kind == "A" else (kind,)
    for one in kinds:
        world.dns.fail(name, one, "servfail")
    stsd = validating(world)
    for _ in range(3):
        same(stsd.ask(domain.name)[:5], "TEMP ")
    asked = world.dns.count(name, kind)
    stsd.restart(15)
    same(stsd.ask(domain.name)[:5], "TEMP ")
    same(world.dns.count(name, kind), asked, "questions")
    for one in kinds:
        world.dns.mend(name, one)
    stsd.restart(35)
    expect(stsd, domain, "D")


@case("silent DNS: an expired finding is looked at for answer_timeout, then TEMP")
def expired_silent(world):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=100)
    stsd = validating(world, answer_timeout="2s", dns_timeout="4s")
    expect(stsd, domain, "D")
    world.dns.fail("_25._tcp." + domain.mx[0], "TLSA", "drop")
    stsd.restart(110)
    reply = stsd.ask(domain.name)
    same(reply[:5], "TEMP ", reply)


@table("DANE ends", [
    # name, what changes; does the resolver still validate, its self-test anew; reply
    ("domain unsigned", "unsign", True, "S"),
    ("TLSA removed", "remove", True, "S"),
    ("TLSA unusable", "unusable", True, "S"),
    ("resolver validates no longer", None, False, "S"),
    ("self-test fails", "unsign", None, "TEMP"),
])
def ends(world, change, validates, letter):
    need_time_namespace()
    domain = make_domain(world, "U", ttl=100)
    stsd = validating(world, metrics_listen="inet:127.0.0.1:8468", dns_timeout="2s")
    expect(stsd, domain, "D")
    stsd.stop()
    stsd.start(later=110)  # its self-test passes
    wait.until(lambda: metric("stsd_dnssec_ok") == 1.0, "it is in order")
    asked = world.dns.count("", "SOA")
    if change == "unsign":
        world.dns.sign(domain.name, signed=False)
    elif change:
        world.dns.remove("_25._tcp." + domain.mx[0])
        if change == "unusable":
            world.dns.add("_25._tcp." + domain.mx[0], "TLSA", UNUSABLE)
    if validates is None:
        world.dns.fail("", "SOA", "servfail")
    world.dns.validates = validates is not False
    reply = stsd.ask(domain.name)
    if letter == "TEMP":
        same(reply[:5], "TEMP ", reply)
    else:
        same(reply, domain.secure)
    same(world.dns.count("", "SOA") - asked, 1, "questions for . SOA")
    if validates is False:  # nobody loses DANE in silence
        wait.until(lambda: metric("stsd_dnssec_ok") == 0.0, "the metric says so")
        lines = [line for line in stsd.log().splitlines() if " dnssec " in line]
        contains(lines[-1], "warning")


# What a lookup may cost.

def questions(domain, *more):
    """Of a cold lookup whose policy is fetched, and more: (name, type)."""
    known = [(domain.record_name, "TXT"), (domain.policy_host, "A"), (domain.policy_host, "AAAA")]
    return {question: 1 for question in known + list(more)}


def addresses(*names):
    return [(name, kind) for name in names for kind in ("A", "AAAA")]


@table("cost", [
    # name, mode, mail hosts, MX secure?, settings, what is asked besides the policy
    ("enforce, U", "enforce", "U", True, {}, "MX addresses TLSA"),
    ("enforce, X", "enforce", "X", True, {}, "MX addresses TLSA"),
    ("enforce, no TLSA", "enforce", "n", True, {}, "MX addresses TLSA"),
    ("enforce, host insecure", "enforce", "N", True, {}, "MX addresses"),
    ("enforce, MX insecure", "enforce", "U", False, {}, "MX"),
    ("enforce, loose", "enforce", "U", True, {"wildcards": "loose"}, "MX addresses TLSA"),
    ("enforce, DANE off", "enforce", "U", True, {"dane": "off"}, "MX"),
    ("enforce, DANE off, loose", "enforce", "U", True,
     {"dane": "off", "wildcards": "loose"}, ""),
    ("enforce, AD distrusted", "enforce", "U", True, {"dnssec": "off"}, "MX"),
    ("testing, U", "testing", "U", True, {}, "MX addresses TLSA"),
    ("testing, MX insecure", "testing", "N", False, {}, "MX addresses"),
    ("testing, not found", "testing", "U", True, {"permissive_reply": "notfound"}, ""),
    ("testing, DANE off", "testing", "U", True, {"dane": "off"}, ""),
    ("none, U", "none", "U", True, {}, "MX addresses TLSA"),
    ("none, not found", "none", "U", True, {"permissive_reply": "notfound"}, ""),
])
def cost(world, mode, kinds, signed, settings, asked):
    domain = make_domain(world, kinds, mode, signed)
    stsd = validating(world, **settings)
    for _ in range(5):
        stsd.ask(domain.name)
        stsd.ask(domain.name, "QUERYwithTLSRPT")
    host = domain.mx[0]
    more = {"": [], "MX": [(domain.name, "MX")], "addresses": addresses(host),
            "TLSA": [("_25._tcp." + host, "TLSA")]}
    same(domain.questions(), questions(domain, *[q for word in asked.split() for q in more[word]]))


@case("cost: without a policy DANE costs nothing")
def cost_plain(world):
    name = world.plain_domain()
    world.dns.sign(name)
    stsd = validating(world)
    for one in (name, f"[{name}]", name + ":587", f"[{name}]:587"):
        same(stsd.ask(one), NOTFOUND)
    same(world.dns.questions_below(name), {("_mta-sts." + name, "TXT"): 1}, "questions")


@case("cost: no MX question for brackets")
def cost_brackets(world):
    name = world.new_name()
    domain = world.domain(name=name, mx=[name])
    world.dns.sign(name)
    add_host(world, name, "U")
    stsd = validating(world)
    for _ in range(3):
        same(stsd.ask(f"[{name}]"), DANE)
    same(domain.questions(), questions(domain, *addresses(name), ("_25._tcp." + name, "TLSA")))


@table("cost, many hosts", [("32", 32, 32), ("33", 33, 32), ("100", 100, 32)])
def cost_many(world, count, examined):
    domain = make_domain(world, "n" * count)
    world.dns.replace(domain.name, "MX",
                      *[(10 * (n + 1), host) for n, host in enumerate(domain.mx)])
    # One that has DANE, just beyond those that are looked at.
    if count > examined:
        world.dns.add("_25._tcp." + domain.mx[examined], "TLSA", USABLE)
    stsd = validating(world)
    same(stsd.ask(domain.name), domain.secure)
    asked = domain.questions()
    looked = [host for host in domain.mx if (host, "A") in asked]
    same(looked, domain.mx[:examined], "hosts")
    del asked[(domain.name, "MX")]  # asked again over TCP
    same(sum(asked.values()), 3 + 3 * examined, "other questions")


@case("a hundred questions at once are one look")
def at_once(world):
    domain = make_domain(world, "U")
    stsd = validating(world)
    clients = [stsd.client() for _ in range(100)]
    for client in clients:
        client.send(b"%d:QUERY %s," % (len(domain.name) + 6, domain.name.encode()))
    same({client.reply() for client in clients}, {DANE})
    for client in clients:
        client.sock.close()
    host = domain.mx[0]
    same(domain.questions(), questions(domain, (domain.name, "MX"), *addresses(host),
                                       ("_25._tcp." + host, "TLSA")))
