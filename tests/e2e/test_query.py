# SPDX-License-Identifier: MIT
"""stsd-query DOMAIN: broken domains, each with what is said of it first and the exit status,
in both forms; and that Postfix is really told what stsd-query says that it is."""
import os
import re

from lab import diagnosis, namespace
from lab.cases import Skip, case, contains, same, table
from lab.world import DEAD6, WEB, WEB_NOBODY, WEB_PRIVATE, WEB_SILENT
from test_dane import UNUSABLE, USABLE, add_host

MAIL = "198.18.2.1"
TWO_WEEKS = 1209600
REMOTE_RESOLVER = "198.18.0.55"
DAEMON_PORT = 8481
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"  # a copy, that is the lab's own
SPF = "v=spf1 -all"


def healthy(world, **more):
    """A domain of which nothing bad can be said, but that it does without DNSSEC."""
    domain = world.domain(**{"max_age": TWO_WEEKS, **more})
    for host in domain.mx:
        world.dns.add(host, "A", MAIL)
    world.dns.add("_smtp._tls." + domain.name, "TXT", "v=TLSRPTv1; rua=mailto:x@test.example")
    return domain


# What is done to it. Each takes the world and the domain.

def record(*texts):
    return lambda w, d: w.dns.replace(d.record_name, "TXT", *texts)


def fail(kind, how="servfail", below="@", ede=6):
    return lambda w, d: w.dns.fail(below.replace("@", d.name), kind, how, ede=ede)


def mx(*records):
    """@ is the domain."""
    return lambda w, d: w.dns.replace(d.name, "MX", *[(preference, host.replace("@", d.name))
                                                     for preference, host in records])


def addresses(*values, host="mta-sts.@"):
    def change(w, d):
        name = host.replace("@", d.name)
        w.dns.remove(name)
        for value in values:
            w.dns.add(name, "AAAA" if ":" in value else "A", value)
    return change


def web(how="good", certificate="good", names=None):
    def change(w, d):
        w.https.hosts[d.policy_host] = type(d.web)(d.policy(), how, certificate, names)
    return change


def policy(change):
    """change: the policy's text to the broken text."""
    def serve(_w, d):
        d.web.policy = change(d.policy().decode()).encode()
    return serve


def field(name, line):
    """Another line in the field's place."""
    return policy(lambda text: re.sub(rf"(?m)^{name}:.*?\r\n", line, text))


def also(line):
    return policy(lambda text: text + line)


def reports(*texts):
    return lambda w, d: w.dns.replace("_smtp._tls." + d.name, "TXT", *texts)


def host(kind, signed=True):
    """The one mail host becomes one of test_dane's kinds, the domain is signed."""
    def change(w, d):
        w.dns.remove(d.mx[0])
        w.dns.sign(d.name, signed=signed)
        add_host(w, d.mx[0], kind)
    return change


def one_tlsa(w, d):
    host("n")(w, d)
    w.dns.add("_25._tcp." + d.mx[0], "TLSA", USABLE)


def tlsa(*records, signed=True):
    def change(w, d):
        w.dns.sign(d.name, signed=signed)
        w.dns.add("_25._tcp." + d.mx[0], "TLSA", *records)
    return change


def several(*changes):
    def change(w, d):
        for one in changes:
            one(w, d)
    return change


def alias_of_other(w, d):
    """The domain is an alias, its record and policy are its own."""
    other = w.new_name("other")
    w.dns.add(other, "MX", (10, d.mx[0]))
    w.dns.remove(d.name)
    w.dns.add(d.name, "CNAME", other)


def record_elsewhere(w, d):
    w.dns.remove(d.record_name)
    w.dns.add(d.record_name, "CNAME", "kept." + d.name)
    w.dns.add("kept." + d.name, "TXT", "v=STSv1; id=1;")


def record_misplaced(w, d):
    w.dns.remove(d.record_name)
    w.dns.add(d.name, "TXT", "v=STSv1; id=1;")


def policy_only(w, d):
    w.dns.remove(d.record_name)


def own_mail_host(w, d):
    d.mx = [d.name]
    d.web.policy = d.policy()
    w.dns.remove(d.name, "MX")
    w.dns.add(d.name, "A", MAIL)


def gone(w, d):
    for name in (d.name, d.record_name, d.policy_host, "_smtp._tls." + d.name, d.mx[0]):
        w.dns.remove(name)


def second_host_without_tlsa(w, d):
    one_tlsa(w, d)
    mx((10, "mx.@"), (20, "mx2.@"))(w, d)
    w.dns.add("mx2." + d.name, "A", MAIL)
    d.mx.append("mx2." + d.name)
    d.web.policy = d.policy()


def many_hosts(w, d):
    d.mx = [f"mx{n}.{d.name}" for n in range(33)]
    w.dns.replace(d.name, "MX", *[(10, name) for name in d.mx])
    for name in d.mx:
        w.dns.add(name, "A", MAIL)
    d.web.policy = d.policy()


def aliased_host(w, d):
    w.dns.remove(d.mx[0])
    w.dns.add(d.mx[0], "CNAME", "real." + d.name)
    w.dns.add("real." + d.name, "A", MAIL)


def wildcard_too_deep(w, d):
    d.mx = ["*." + d.name]
    d.web.policy = d.policy()
    mx((10, "a.b.@"), (20, "c.@"))(w, d)
    for name in ("a.b.", "c."):
        w.dns.add(name + d.name, "A", MAIL)


def host_fails(ede):
    return several(fail("A", below="mx.@", ede=ede), fail("AAAA", below="mx.@", ede=ede))


def resolver_fails(w, _d):
    w.dns.fail("", "SOA", "servfail", ede=6)


def resolver_lazy(w, _d):
    w.dns.validates = False


def resolver_elsewhere(w, _d):
    if not hasattr(w, "remote_resolver"):
        w.dns.listen(REMOTE_RESOLVER)
        w.remote_resolver = True


# Settings for what never answers, and for what the running daemon must not be asked.
NOWHERE = {"dns_timeout": "1s"}
HURRY = {"fetch_timeout": "1s"}
ALONE = {"dns_timeout": "5s"}

DNS = [
    # name, what is wrong, what is said first, exit status, settings
    ("nothing is wrong", several(), None, 0),
    ("MX fails", fail("MX"), "MX01", 3),
    ("MX fails, nobody says why", fail("MX", ede=None), "MX01", 3),
    ("MX times out", fail("MX", "drop"), "MX01", 3, NOWHERE),
    ("no MX", own_mail_host, "MX02", 0),
    ("null MX", mx((0, "")), "MX03", 0),
    ("null MX beside another", mx((0, ""), (10, "mx.@")), "MX04", 2),
    ("a host without address", addresses(host="mx.@"), "MX05", 0),
    ("a host is an alias", aliased_host, "MX06", 0),
    ("a host is no host name", mx((10, "mx.@"), (20, "m_x.@")), "MX07", 2),
    ("33 hosts", many_hosts, "MX09", 0),
    ("a host has a private address", addresses("10.9.9.9", host="mx.@"), "MX10", 0),
    ("MX fails, mode testing", several(field("mode", "mode: testing\n"), fail("MX")), "MX01", 4),
    ("addresses of a host are bogus", several(host("n"), host_fails(6)), "DAN12", 3),
    ("addresses of a host cannot be had", several(host("n"), host_fails(22)), "MX11", 3),
    ("does not exist", gone, "DOM01", 1),
    ("is an alias", alias_of_other, "DOM03", 0),
    ("clocks differ", web("late-clock"), "ENV07", 0),
    ("self-test fails", resolver_fails, "ENV01", 4, ALONE),
    ("resolver does not validate", resolver_lazy, "ENV02", 0, ALONE),
    ("resolver is elsewhere", resolver_elsewhere, "ENV04", 0,
     {"dns_servers": REMOTE_RESOLVER}),
]

RECORD = [
    ("no record", policy_only, "TXT01", 1),
    ("lookup fails", fail("TXT", below="_mta-sts.@"), "TXT02", 4),
    ("two records", record("v=STSv1; id=1;", "v=STSv1; id=2;"), "TXT03", 3),
    ("another text beside it", record("v=STSv1; id=1;", "hello"), "TXT04", 0),
    ("SPF of a wildcard", record(SPF), "TXT05", 1),
    ("at the domain", record_misplaced, "TXT06", 2),
    ("a comma", record("v=STSv1, id=1"), "TXT07", 3),
    ("no blank before =", record("v=STSv1; id = 1;"), "TXT07", 3),
    ("id missing", record("v=STSv1;"), "TXT08", 3),
    ("id with a hyphen", record("v=STSv1; id=2026-11-01;"), "TXT08", 3),
    ("id too long", record("v=STSv1; id=" + "1" * 33 + ";"), "TXT08", 3),
    ("lower-case version", record("v=stsv1; id=1;"), "TXT12", 3),
]

POLICY_HOST = [
    ("no address", addresses(), "HST01", 3),
    ("private address", addresses("10.1.2.3"), "HST02", 3),
    ("IPv6 is dead", addresses(DEAD6, WEB), "HST03", 0),
    ("address lookup fails", several(fail("A", below="mta-sts.@"),
                                     fail("AAAA", below="mta-sts.@")), "HST04", 4),
    ("unrecognized name", web("alert"), "TLS01", 3),
    ("hangs up", web("hang-up"), "HTTP10", 3),
    ("certificate of another", web(names=["www.test.example"]), "TLS02", 3),
    ("common name only", web(certificate="cn-only"), "TLS02", 3),
    ("expired", web(certificate="expired"), "TLS03", 3),
    ("expires in ten days", web(certificate="soon"), "TLS04", 0),
    ("whole chain", web(certificate="chain"), None, 0),
    ("incomplete chain", web(certificate="incomplete"), "TLS05", 3),
    ("unknown authority", web(certificate="stranger"), "TLS05", 3),
    ("self-signed", web(certificate="self"), "TLS06", 3),
    ("TLS 1.1 only", web("tls1.1"), "TLS07", 3),
    ("not yet valid", web(certificate="early"), "TLS08", 3),
    ("for clients only", web(certificate="client"), "TLS08", 3),
    ("404", web("404"), "HTTP01", 3),
    ("503", web("503"), "HTTP01", 3),
    ("redirect", web("302"), "HTTP02", 3),
    ("policy as text/html", web("html"), "HTTP04", 3),
    ("policy as binary data", web("binary"), "HTTP03", 3),
    ("no media type", web("no-type"), "HTTP03", 3),
    ("a web page", web("page"), "HTTP04", 3),
    ("too big", web("too-big"), "HTTP05", 3),
    ("endless headers", web("endless-headers"), "HTTP05", 3),
    ("says nothing", web("mute"), "HTTP06", 3, HURRY),
    ("drips", web("drip"), "HTTP06", 3, HURRY),
    ("nobody listens", addresses(WEB_NOBODY), "HTTP09", 3),
    ("no handshake", addresses(WEB_SILENT), "HTTP06", 3, HURRY),
    ("compressed", web("gzip"), "HTTP10", 3),
    ("cut off", web("short"), "HTTP10", 3),
    ("no HTTP", web("not-http"), "HTTP10", 3),
]

POLICY = [
    ("version missing", field("version", ""), "POL01", 3),
    ("version unknown", field("version", "version: STSv2\n"), "POL01", 3),
    ("mode missing", field("mode", ""), "POL02", 3),
    ("mode misspelled", field("mode", "mode: enforced\n"), "POL02", 3),
    ("max_age missing", field("max_age", ""), "POL03", 3),
    ("max_age in words", field("max_age", "max_age: one week\n"), "POL03", 3),
    ("max_age too long", field("max_age", "max_age: 99999999\n"), "POL04", 2),
    ("max_age of an hour", field("max_age", "max_age: 3600\n"), "POL05", 2),
    ("no mx", field("mx", ""), "POL06", 3),
    ("nmx", field("mx", "nmx: mx.test.example\n"), "POL06", 3),
    ("a field nobody knows", also("max_aeg: 1\n"), "POL07", 2),
    ("mode twice", also("mode: testing\n"), "POL08", 2),
    ("mx is an address", also("mx: 192.0.2.1\n"), "POL09", 3),
    ("two names in a line", also("mx: a.test.example, b.test.example\n"), "POL10", 3),
    ("a wildcard in the middle", also("mx: a.*.example\n"), "POL11", 3),
    ("letters of no host name", also("mx: m\u00fcller.example\n"), "POL12", 3),
    ("a dot at the end", field("mx", "mx: mx.@.\n"), "POL13", 2),
    ("byte order mark", policy(lambda text: "\ufeff" + text), "POL14", 2),
    ("blank line", also("\n"), "POL14", 2),
    ("CR alone", policy(lambda text: text.replace("\r\n", "\r")), "POL14", 3),
    ("mode testing", field("mode", "mode: testing\n"), "POL15", 1),
    ("mode none", field("mode", "mode: none\n"), "POL16", 1),
    ("no policy at all", policy(lambda _: "hello\n"), "POL01", 3),
    ("empty", policy(lambda _: ""), "POL01", 3),
    ("only single labels", field("mx", "mx: hostname\n"), "POL18", 3),
    ("an escape character", also("x: \x1b[2J\n"), "POL19", 3),
    ("no host fits", mx((10, "mx.elsewhere.example")), "MXP01", 3),
    ("a host does not fit", mx((10, "mx.@"), (20, "backup.elsewhere.example")), "MXP02", 2),
    ("a pattern without host", also("mx: old.test.example\n"), "MXP03", 0),
    ("a wildcard is for one label", wildcard_too_deep, "MXP02", 2),
]

DANE = [
    ("one record", one_tlsa, "DAN10", 0),
    ("two records", several(one_tlsa, tlsa((3, 1, 1, bytes(31) + b"1"))), None, 0),
    ("MX insecure", several(one_tlsa, lambda w, d: w.dns.sign(d.name, signed=False)),
     "DAN01", 0),
    ("address insecure", host("N"), "DAN02", 0),
    ("TLSA lookup fails", host("F"), "DAN03", 3),
    ("no TLSA", host("n"), "DAN04", 0),
    ("TLSA unsigned", host("i"), "DAN05", 2),
    ("none is of use", host("X"), "DAN06", 2),
    ("one is of no use", several(host("n"), tlsa(USABLE, UNUSABLE)), "DAN06", 0),
    ("a host has none", second_host_without_tlsa, "DAN08", 2),
    ("in mode testing", several(one_tlsa, field("mode", "mode: testing\n")), "POL15", 1),
    ("for a host that is an alias", host("D"), "MX06", 0),
]

REPORTS = [
    ("no record", reports(), "RPT01", 0),
    ("two records", reports("v=TLSRPTv1; rua=mailto:a@b.example",
                            "v=TLSRPTv1; rua=mailto:c@d.example"), "RPT02", 2),
    ("no rua", reports("v=TLSRPTv1;"), "RPT03", 2),
    ("an address without mailto:", reports("v=TLSRPTv1; rua=a@b.example"), "RPT03", 2),
    ("http:", reports("v=TLSRPTv1; rua=http://b.example/"), "RPT05", 2),
    ("lookup fails", fail("TXT", below="_smtp._tls.@"), "RPT07", 0),
]


def first_in_text(text):
    found = re.search(r"^  (?:error|warning|info) +([A-Z]+[0-9]{2}) ", text, re.MULTILINE)
    return found.group(1) if found else None


def look(world, domain, *options, **more):
    """Both forms say the same."""
    seen = diagnosis.Seen(world, domain.name, *options, **more)
    same(seen.text.status, seen.status, "status of the text")
    same(seen.json["exit_code"], seen.status, "exit_code")
    shown = [i for i in seen.ids if i in seen.text.out]
    same(shown, seen.ids, "findings in the text")
    same(first_in_text(seen.text.out), seen.ids[0] if seen.ids else None, "first in the text")
    contains(seen.text.out, "\n  " + seen.json["postfix"]["query"])
    same(diagnosis.unprintable(seen.text.out + str(seen.json)), [], "unprintable")
    for finding in seen.json["findings"]:
        if finding["severity"] != "info":
            same(bool(finding["fix"]), True, f"a fix for {finding['id']}")
    return seen


def running(world):
    """A daemon that stays, to be asked for what it really says."""
    if not hasattr(world, "diagnosed"):
        world.diagnosed = world.lasting(world.stsd(listen=f"inet:127.0.0.1:{DAEMON_PORT}",
                                                   dane="on"))
        world.diagnosed.start()
    return world.diagnosed


def broken(world, change, first, status, settings=None):
    if DEAD6 in str(change.__closure__) and not namespace.has_ipv6():
        raise Skip("no IPv6")
    world.dns.validates = True
    daemon = running(world)
    domain = healthy(world)
    change(world, domain)
    domain.web.policy = domain.web.policy.replace(b"@", domain.name.encode())
    seen = look(world, domain, settings={"dane": "on", **(settings or {})})
    got = [i for i in seen.ids if i not in ("ENV08",)]
    same((got[0] if got else None, seen.status), (first, status),
         f"first finding and status ({seen.ids})")
    if not settings:
        same(daemon.ask(domain.name), seen.json["postfix"]["query"], "what Postfix is told")
        same(daemon.ask(domain.name, "QUERYwithTLSRPT"),
             seen.json["postfix"]["query_with_tlsrpt"], "what it is told with attributes")


VERBOSE = [
    ("a policy without a record", policy_only, "HTTP08", 1),
    ("kept by somebody else", record_elsewhere, "TXT10", 0),
    ("short for enforce", field("max_age", "max_age: 604800\n"), "POL26", 0),
    ("how long it took", several(), "HTTP07", 0),
    ("which pattern allows which host", several(), "MXP04", 0),
    ("where TLSA records are", host("U"), "DAN09", 0),
    ("TLSA at the end of an alias", host("D"), "DAN11", 0),
    ("where reports go", several(), "RPT04", 0),
    ("MX is signed", host("U"), "MX08", 0),
    ("the reply", several(), "VER01", 0),
    ("the other reply", several(), "VER02", 0),
    ("what becomes of a host", several(), "VER03", 0),
    ("what it means", several(), "VER04", 0),
    ("how to prove it", several(), "VER05", 0),
    ("what Postfix logs", host("F"), "VER06", 3),
]

@table("with -v", VERBOSE)
def verbose(world, change, name, status):
    """What is shown anyway is a finding, too."""
    world.dns.validates = True
    domain = healthy(world)
    quiet = look(world, domain).ids
    change(world, domain)
    seen = look(world, domain, "-v", settings={"dane": "on"})
    same(name in quiet, False, f"{name} without -v")
    same((name in seen.ids, seen.status), (True, status), f"{name} in {seen.ids}, and status")


table("DNS", DNS)(broken)
table("record", RECORD)(broken)
table("policy host", POLICY_HOST)(broken)
table("policy", POLICY)(broken)
table("DANE", DANE)(broken)
table("TLSRPT", REPORTS)(broken)


@table("no trust anchors", [("those of the system", None),
                            ("a file that is not there", "/nonexistent"),
                            ("a file that holds none", "/etc/passwd")])
def no_anchors(world, file):
    os.rename(BUNDLE, BUNDLE + ".away")
    try:
        told = world.query(world.plain_domain(), settings={"ca_file": file})
    finally:
        os.rename(BUNDLE + ".away", BUNDLE)
    same((told.status, told.out), (78, ""))
    contains(told.err, "ca_file: ")


@case("JSON is held against its schema")
def schema(_world):
    if diagnosis.VALIDATOR is None:
        raise Skip("python3-jsonschema is not installed")


@table("no domain", [
    # name, as typed, first finding, exit status
    ("a single label", "localhost", "DOM04", 1), ("an address", "[192.0.2.1]", "DOM04", 1),
    ("a parent", ".test.example", "DOM04", 1), ("nothing", "", "DOM04", 1),
    ("blanks", "not a name", "DOM04", 1),
])
def no_domain(world, typed, first, status):
    told = world.query("--json", typed)
    seen = diagnosis.read(told.out)
    same((seen["findings"][0]["id"], told.status), (first, status))
    same(seen["postfix"]["query"], "NOTFOUND ")


@table("a name of other letters", [("U-label", "m\u00fcll%.example"),
                                   ("A-label", "xn--mll%-kva.example")])
def idn(world, typed):
    number = str(world.new_name()).split(".", 1)[0][1:]
    typed = typed.replace("%", number)
    ascii_name = ("m\u00fcll" + number).encode("idna").decode() + ".example"
    if typed.isascii():
        typed = ascii_name
    world.domain(name=ascii_name)
    seen = diagnosis.read(world.query("--json", typed).out)
    same(seen["domain"]["ascii"], ascii_name)
    same(seen["domain"]["unicode"], f"m\u00fcll{number}.example")
    same("DOM02" in [f["id"] for f in seen["findings"]], True, "DOM02")
    same(seen["verdict"], "sts-enforce")
