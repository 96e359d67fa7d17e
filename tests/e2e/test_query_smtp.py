# SPDX-License-Identifier: MIT
"""stsd-query --smtp: what mail hosts really do, judged as Postfix would; and Postfix's own
tool comes to the same judgement by the command that stsd-query prints."""
import re
import shlex
import shutil
import threading
import time

from lab import daemon, diagnosis
from lab.cases import Skip, case, contains, same, table, within
from lab.smtp import Manners
from test_query import TWO_WEEKS, first_in_text

SMTP = {"dane": "on"}
FINGER = "posttls-finger"
BASE = "198.18.40."
PRIVATE = "10.9.7.7"


def new_address(world):
    world.mail_hosts = getattr(world, "mail_hosts", 0) + 1
    return BASE + str(world.mail_hosts)


def make(world, mode="enforce", hosts=1, name=None):
    name = name or world.new_name()
    return world.domain(name=name, mode=mode, max_age=TWO_WEEKS,
                        mx=[f"mx{n}.{name}" for n in range(hosts)])


def host(world, domain, number=0, names=None, listens=True, **more):
    """One more address of a mail host. @ is its name."""
    address = new_address(world)
    name = domain.mx[number]
    world.dns.add(name, "A", address)
    if listens:
        world.smtp.listen(address, [n.replace("@", name) for n in names or ["@"]], **more)
    return address


def look(world, domain, *options):
    world.dns.validates = True
    seen = diagnosis.Seen(world, domain.name, "--smtp", *options, settings=SMTP)
    same(seen.text.status, seen.status, "status of the text")
    same(first_in_text(seen.text.out), seen.ids[0] if seen.ids else None, "first in the text")
    return seen


def probes(seen):
    return [probe for mx in seen.json["mx"] for probe in mx["smtp"]]


def finger(world, seen, key="posttls_finger"):
    """Does Postfix's own tool find the server as it wants it? By the command printed."""
    if not shutil.which(FINGER, path=daemon.os.environ["PATH"] + ":/usr/sbin"):
        raise Skip(f"{FINGER} is not installed")
    command = shlex.split(seen.json["postfix"][key])
    told = daemon.run([shutil.which(command[0]) or "/usr/sbin/" + command[0], *command[1:]])
    text = told.out + told.err
    return bool(re.search(r"^posttls-finger: Verified TLS connection", text, re.M)), text


SECURE = [
    # name, how the host is, what is said first (None: nothing bad), exit status, stage,
    # pkix, does Postfix deliver?
    ("good", {}, None, 0, "done", "ok", True),
    ("a wildcard name", {"names": ["*.%"]}, None, 0, "done", "ok", True),
    ("whole chain", {"kind": "chain"}, None, 0, "done", "ok", True),
    ("expired", {"kind": "expired"}, "SMT07", 3, "verify", "expired", False),
    ("not yet valid", {"kind": "early"}, "SMT07", 3, "verify", "expired", False),
    ("wrong name", {"names": ["www.test.example"]}, "SMT06", 3, "verify", "name-mismatch", False),
    ("self-signed", {"kind": "self"}, "SMT08", 3, "verify", "untrusted", False),
    ("unknown authority", {"kind": "stranger"}, "SMT08", 3, "verify", "incomplete-chain", False),
    ("incomplete chain", {"kind": "incomplete"}, "SMT08", 3, "verify", "incomplete-chain",
     False),
    ("no STARTTLS", {"starttls": False}, "SMT03", 3, "ehlo", "not-checked", False),
    ("STARTTLS refused", {"manners": Manners(starttls="454 4.7.0 not now")}, "SMT03", 3,
     "starttls", "not-checked", False),
    ("greets with 554", {"manners": Manners(greeting="554 no")}, "SMT02", 4, "greeting",
     "not-checked", False),
    ("greets with 421", {"manners": Manners(greeting="421 later")}, "SMT02", 4, "greeting",
     "not-checked", False),
    ("speaks HTTP", {"manners": Manners(greeting="HTTP/1.1 400 Bad Request")}, "SMT02", 4,
     "greeting", "not-checked", False),
    ("TLS 1.1 only", {"manners": Manners(outdated=True)}, "SMT14", 3, "verify", "ok",
     False),
    ("nobody listens", {"listens": False}, "SMT01", 4, "connect", "not-checked", False),
    ("expires soon", {"kind": "soon"}, "SMT10", 0, "done", "ok", True),
    ("another certificate without SNI", {"manners": Manners(nameless=["www.test.example"])},
     None, 0, "done", "ok", True),
]


@table("secure", SECURE)
def secure(world, how, first, status, stage, pkix, delivers):
    domain = make(world)
    how = dict(how)
    if "names" in how:
        how["names"] = [name.replace("%", domain.name) for name in how["names"]]
    address = host(world, domain, **how)
    seen = look(world, domain)
    troubles = [i for i in seen.troubles if i not in ("ENV08",)]
    same((troubles[0] if troubles else None, seen.status), (first, status), str(seen.ids))
    probe, = probes(seen)
    same((probe["ip"], probe["stage"], probe["pkix"], probe["ok"]),
         (address, stage, pkix, delivers))
    said = set(world.smtp.verbs(address))
    same(said - {"EHLO", "STARTTLS", "QUIT"}, set(), "what was said to the mail host")
    verified, text = finger(world, seen)
    # Postfix 3.7 has no lower bound for TLS here but what OpenSSL has.
    same(verified, delivers, text[-1500:])


@table("DANE", [
    # name, TLSA (of which names and kind: None is a foreign key), the host's certificate,
    # SMT09, status, delivers
    ("3 1 1", (3, 1), {}, "info", 0, True),
    ("3 0 1", (3, 0), {}, "info", 0, True),
    ("2 0 1", (2, 0), {"kind": "rooted"}, "info", 0, True),
    ("3 1 1, expired", (3, 1), {"kind": "expired"}, "info", 0, True),
    ("3 1 1, self-signed", (3, 1), {"kind": "self"}, "info", 0, True),
    ("3 1 1, another name", (3, 1), {"names": ["www.test.example"]}, "info", 0, True),
    ("3 1 1 of another key", None, {}, "error", 3, False),
])
def dane(world, record, how, severity, status, delivers):
    domain = make(world)
    names = [n for n in how.get("names", domain.mx)]
    kind = how.get("kind", "good")
    world.dns.sign(domain.name)
    host(world, domain, **how)
    tlsa = (world.pki.tlsa(names, record[0], record[1], kind) if record
            else (3, 1, 1, b"x" * 32))
    world.dns.add("_25._tcp." + domain.mx[0], "TLSA", tlsa, (3, 1, 1, b"y" * 32))
    seen = look(world, domain, "-v")
    same(seen.json["postfix"]["query"], "OK dane-only")
    finding = seen.finding("SMT09")
    same((finding and finding["severity"], seen.status), (severity, status), str(seen.ids))
    probe, = probes(seen)
    same((probe["dane"], probe["ok"]), ("match" if delivers else "no-match", delivers))
    if not delivers:
        same(seen.troubles[0], "SMT09")
        real = world.pki.tlsa(names, 3, 1, kind)[3].hex()
        contains(seen.text.out, "3 1 1 " + real, "the record to publish")
    verified, text = finger(world, seen)
    same(verified, delivers, text[-1500:])


@table("no matter", [
    # name, mode, kind, exit status
    ("testing, expired", "testing", "expired", 2), ("none, expired", "none", "expired", 1),
    ("testing, good", "testing", "good", 1),
])
def no_matter(world, mode, kind, status):
    """Postfix delivers whatever the certificate, so no error it is."""
    domain = make(world, mode)
    host(world, domain, kind=kind)
    seen = look(world, domain)
    same(seen.status, status, str(seen.ids))
    same(probes(seen)[0]["ok"], True, "delivered")
    same([f["id"] for f in seen.json["findings"] if f["severity"] == "error"], [])


@case("no policy, no STARTTLS: in the clear, and no error")
def clear(world):
    name = world.plain_domain()
    address = new_address(world)
    world.dns.add("mx." + name, "A", address)
    world.smtp.listen(address, ["mx." + name], starttls=False)
    told = world.query("--json", "--smtp", name)
    seen = diagnosis.read(told.out)
    same((told.status, seen["verdict"]), (1, "none"))
    contains(str([f["id"] for f in seen["findings"]]), "SMT03")


@case("one good host of two is enough, and the other is told")
def one_of_two(world):
    domain = make(world, hosts=2)
    host(world, domain, 0, kind="expired")
    host(world, domain, 1)
    seen = look(world, domain)
    same([probe["ok"] for probe in probes(seen)], [False, True])
    contains(str(seen.troubles), "SMT07")
    same(seen.status in (0, 2), True, f"status {seen.status}")


@case("two addresses with different certificates")
def differs(world):
    domain = make(world)
    host(world, domain, names=["@"])
    host(world, domain, names=["@", "www.test.example"])
    seen = look(world, domain)
    same(len(probes(seen)), 2, "probes")
    contains(str(seen.ids), "SMT12")


@case("a host that the policy does not allow is judged as one that is not used")
def not_allowed(world):
    domain = make(world)
    host(world, domain)
    other = "backup." + domain.name
    address = new_address(world)
    world.dns.add(domain.name, "MX", (99, other))
    world.dns.add(other, "A", address)
    world.smtp.listen(address, [other], "expired")
    seen = look(world, domain)
    same((seen.troubles[0], seen.status), ("MXP02", 2), str(seen.ids))


@case("a private address is not asked")
def guarded(world):
    domain = make(world)
    world.dns.add(domain.mx[0], "A", PRIVATE)
    world.smtp.listen(PRIVATE, domain.mx)
    seen = look(world, domain)
    same(probes(seen)[0]["asked"], False, "asked")
    contains(str(seen.ids), "SMT15")
    same(world.smtp.verbs(PRIVATE), [], "what was said there")


@case("another certificate without SNI is told")
def without_sni(world):
    domain = make(world)
    host(world, domain, manners=Manners(nameless=["www.test.example"]))
    contains(str(look(world, domain).ids), "SMT11")


@case("REQUIRETLS is seen")
def requiretls(world):
    domain = make(world)
    host(world, domain, manners=Manners(extensions=["REQUIRETLS"]))
    seen = look(world, domain, "-v")
    same(probes(seen)[0]["requiretls"], True)
    contains(str(seen.ids), "SMT13")
    contains(str(seen.ids), "SMT05")


@case("hosts that hang cost their time once, not each")
def together(world):
    domain = make(world, hosts=6)
    gate = threading.Event()
    for number in range(6):
        host(world, domain, number, gate=gate)
    try:
        told = world.query("--json", "--smtp", domain.name, settings=SMTP)
    finally:
        gate.set()
    seen = diagnosis.read(told.out)
    same(told.status, 4, str([f["id"] for f in seen["findings"]]))
    within(seen["duration_ms"], 1000, 15000, "milliseconds")


@case("a certificate with more names than anybody has: no slower for it")
def many_names(world):
    domain = make(world, hosts=4)
    for number in range(4):
        host(world, domain, number, names=domain.mx + 28000 * ["a"])
    began = time.monotonic()
    told = world.query("--smtp", domain.name, settings=SMTP)
    within(time.monotonic() - began, 0, 5, "seconds")
    same(told.status, 0, told.out)


@table("a policy with more hosts than anybody has, and such a certificate", [
    # name, the certificate's names, the last pattern, exit status
    ("none fits", ["a"], "x.zz", 3), ("the last one fits", ["a", "%"], "%", 0),
    ("by a wildcard of the policy", ["a", "%"], "*.@", 0),
    ("by a wildcard of both", ["a", "*.@"], "*.@", 0),
    ("by a wildcard of the certificate", ["a", "*.@"], "%", 0),
    ("in other letters", ["a", "MX.@"], "%", 0),
    ("by a wildcard over two labels", ["a", "*.test.example"], "%", 3)])
def many_hosts(world, names, pattern, status):
    name = world.new_name()
    names = [n.replace("%", "mx.@").replace("@", name) for n in names]
    pattern = pattern.replace("%", "mx.@").replace("@", name)
    domain = world.domain(name=name, max_age=TWO_WEEKS,
                          mx=["mx." + name] + [f"{n:x}.zz" for n in range(3500)] + [pattern])
    domain.web.policy = domain.policy().replace(b"mx: mx." + name.encode() + b"\r\n", b"", 1)
    if status == 3:
        domain.web.policy = domain.policy()
    world.dns.replace(name, "MX", (10, "mx." + name))
    host(world, domain, names=28000 * [names[0]] + names[1:])
    began = time.monotonic()
    told = world.query("--smtp", name, settings=SMTP)
    within(time.monotonic() - began, 0, 5, "seconds")
    same(told.status, status, told.out[:2000])


@case("what a mail host says is escaped")
def hostile(world):
    domain = make(world)
    host(world, domain, manners=Manners(greeting="554 \x1b]0;you\x07 \x9b31m\u202e"))
    seen = look(world, domain, "-v")
    same(diagnosis.unprintable(seen.text.out + str(seen.json)), [], "unprintable")
    contains(seen.text.out, "554 ")
