# SPDX-License-Identifier: MIT
"""Fetching a policy from hosts good and hostile: with nothing cached a failure means "no
policy", with a live policy it changes nothing."""
import socket
import ssl
from time import monotonic

from lab import control, daemon, namespace, wait
from lab.cases import Skip, case, contains, same, table, within
from lab.https import HOWS, resumes
from lab.world import DEAD4, DEAD6, WEB, WEB6, WEB_NOBODY, WEB_PRIVATE, WEB_SILENT

NOTFOUND = "NOTFOUND "
LATER = 90  # seconds: past the minute in which no domain is fetched twice
GOOD = ("good", "charset", "chunked", "interim", "full", "extended", "late-clock")
BAD = [how for how in HOWS if how not in GOOD]
CERTIFICATES = ("expired", "early", "stranger", "self", "cn-only", "client")


@table("accepted", [(how, how) for how in GOOD])
def accepted(world, how):
    domain = world.domain(how=how)
    same(world.stsd().start().ask(domain.name), domain.secure)


# Hostile hosts: how they behave, or what is wrong with them.
FAILURES = [(how, {"how": how}) for how in BAD]
FAILURES += [(f"certificate {kind}", {"certificate": kind}) for kind in CERTIFICATES]
FAILURES += [
    ("certificate for another name", {"names": ["mta-sts.other.example"]}),
    ("certificate for the parent", {"names": ["test.example"]}),
    ("partial wildcard", {"names": ["mta-*.@"]}),
    ("wildcard too high", {"names": ["*.test.example"]}),
    ("no address", {"addresses": []}),
    ("nobody listens", {"addresses": [WEB_NOBODY]}),
    ("never a handshake", {"addresses": [WEB_SILENT]}),
    ("never a connection", {"addresses": [DEAD4]}),
    ("loopback", {"addresses": [WEB_PRIVATE[0]]}),
    ("RFC 1918", {"addresses": [WEB_PRIVATE[1]]}),
    ("IPv6 loopback", {"addresses": ["::1"]}),
    ("mapped loopback", {"addresses": ["::ffff:127.0.0.1"]}),
    ("mapped RFC 1918", {"addresses": ["::ffff:10.9.0.1"]}),
    ("NAT64 of RFC 1918", {"addresses": ["64:ff9b::a09:1"]}),
    ("unspecified", {"addresses": ["0.0.0.0"]}),
    ("address lookup SERVFAIL", {"dns": "servfail"}),
    ("address lookup REFUSED", {"dns": "refused"}),
    ("address lookup unanswered", {"dns": "drop"}),
]
# Those at which only a time limit helps.
SETTINGS = {"fetch_timeout": "1s", "dns_timeout": "1s"}


def turn_bad(world, domain, how="good", certificate="good", names=None, addresses=None,
             dns=None):
    host = domain.web
    host.how, host.certificate = how, certificate
    host.names = names and [name.replace("@", domain.name) for name in names]
    if addresses is not None:
        world.dns.remove(domain.policy_host)
        for address in addresses:
            world.dns.add(domain.policy_host, "AAAA" if ":" in address else "A", address)
    if dns is not None:
        world.dns.fail(domain.policy_host, None, dns)


@table("nothing cached", FAILURES)
def nothing_cached(world, trouble):
    if trouble.get("addresses") == [DEAD4] and not namespace.has_nowhere():
        raise Skip("no tunnel device")
    domain = world.domain()
    turn_bad(world, domain, **trouble)
    stsd = world.stsd(**SETTINGS).start()
    began = monotonic()
    same(stsd.ask(domain.name), NOTFOUND)
    within(monotonic() - began, 0, 6, "seconds")
    # RFC 8461 section 3.3: not again for five minutes.
    before = domain.fetches(), world.https.connected[WEB_SILENT]
    for _ in range(20):
        same(stsd.ask(domain.name), NOTFOUND)
    same((domain.fetches(), world.https.connected[WEB_SILENT]), before, "fetches")


@table("live policy cached", FAILURES)
def live_policy(world, trouble):
    if trouble.get("addresses") == [DEAD4] and not namespace.has_nowhere():
        raise Skip("no tunnel device")
    domain = world.domain()
    stsd = world.stsd(**SETTINGS).start()
    same(stsd.ask(domain.name), domain.secure)
    turn_bad(world, domain, **trouble)
    world.dns.replace(domain.record_name, "TXT", "v=STSv1; id=2;")
    stsd.restart(later=LATER + 300)
    asked = world.dns.count(domain.policy_host)
    same(stsd.ask(domain.name), domain.secure)
    wait.until(lambda: world.dns.count(domain.policy_host) > asked, "a fetch was tried")
    for _ in range(20):
        same(stsd.ask(domain.name), domain.secure)
    # A lookup may ask a server that fails more than once, but there is only one lookup.
    within(world.dns.count(domain.policy_host) - asked, 1, 16 if trouble.get("dns") else 2,
           "questions for the host")


@table("guarded", [("loopback", WEB_PRIVATE[0]), ("RFC 1918", WEB_PRIVATE[1]),
                   ("mapped", "::ffff:10.9.0.1")])
def guarded(world, address):
    domain = world.domain(addresses=(address,))
    before = sum(world.https.connected[a] for a in WEB_PRIVATE)
    same(world.stsd().start().ask(domain.name), NOTFOUND)
    same(sum(world.https.connected[a] for a in WEB_PRIVATE) - before, 0, "connections")


@case("allow_addresses lets a private network through")
def allowed(world):
    domain = world.domain(addresses=("10.9.0.1",))
    same(world.stsd(allow_addresses="10.9.0.0/16").start().ask(domain.name), domain.secure)


@case("without allow_addresses the whole lab is refused")
def not_allowed(world):
    domain = world.domain()
    same(world.stsd(allow_addresses="none").start().ask(domain.name), NOTFOUND)
    same(domain.fetches(), 0, "fetches")


@table("certificate accepted", [
    ("wildcard", ["*.@"]),
    ("one of several", ["other.example", "mta-sts.@", "www.@"]),
    ("upper case", ["MTA-STS.@"]),
])
def certificate_accepted(world, names):
    domain = world.domain()
    domain.web.names = [name.replace("@", domain.name) for name in names]
    same(world.stsd().start().ask(domain.name), domain.secure)


@case("policy host behind a CNAME keeps its name")
def behind_cname(world):
    domain = world.domain(addresses=())
    world.dns.add(domain.policy_host, "CNAME", "policies.provider.example")
    world.dns.replace("policies.provider.example", "A", WEB)
    same(world.stsd().start().ask(domain.name), domain.secure)


@table("one address is dead", [
    ("IPv6 dead, IPv4 good", (DEAD6, WEB)),
    ("IPv4 dead, IPv6 good", (DEAD4, WEB6)),
    ("IPv4 silent, IPv6 good", (WEB_SILENT, WEB6)),
    ("IPv4 refuses, IPv6 good", (WEB_NOBODY, WEB6)),
    ("IPv6 private, IPv4 good", ("::1", WEB)),
])
def one_dead(world, addresses):
    if not namespace.has_ipv6() or not namespace.has_nowhere():
        raise Skip("no IPv6, or no tunnel device")
    domain = world.domain(addresses=addresses)
    stsd = world.stsd().start()
    began = monotonic()
    same(stsd.ask(domain.name), domain.secure)
    within(monotonic() - began, 0, 6, "seconds")


@case("a dead policy host fails inside the default answer_timeout")
def dead(world):
    if not namespace.has_nowhere():
        raise Skip("no tunnel device")
    domain = world.domain(addresses=(DEAD4,))
    stsd = world.stsd().start()
    began = monotonic()
    same(stsd.ask(domain.name), NOTFOUND)
    within(monotonic() - began, 7, 10, "seconds")


@case("the request is what RFC 8461 wants, and nothing more")
def request(world):
    domain = world.domain()
    stsd = world.stsd()
    stsd.start(environment={"https_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9",
                            "SSL_CERT_FILE": "/nonexistent", "CURL_CA_BUNDLE": "/nonexistent"})
    same(stsd.ask(domain.name), domain.secure)
    head = world.https.heads[domain.policy_host]
    same(head.split("\r\n")[0], "GET /.well-known/mta-sts.txt HTTP/1.1")
    contains(head, f"\r\nHost: {domain.policy_host}\r\n")
    for unwanted in ("accept-encoding", "cookie", "if-none-match", "if-modified-since",
                     "authorization"):
        if "\r\n" + unwanted in head.lower():
            raise AssertionError(f"{unwanted} was sent: {head}")


def resume(world, name):
    """As a client that keeps sessions would come again; the hellos that it sent."""
    context = ssl.create_default_context(cafile=world.pki.ca_file)
    session = None
    for _ in range(2):
        with socket.create_connection((WEB, 443)) as raw, \
                context.wrap_socket(raw, server_hostname=name, session=session) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            while sock.recv(4096):
                pass
            session = sock.session
    return world.https.hellos.pop(name)


@case("no fetch tells of an earlier one: no TLS session is resumed, no certificate is shown")
def nothing_resumed(world):
    domain, other = world.domain(), world.domain()
    same([resumes(hello) for hello in resume(world, domain.policy_host)], [False, True])
    stsd = control.daemon_with_socket(world).start()
    same(stsd.ask(domain.name), domain.secure)
    same(stsd.ask(other.name), other.secure)
    for _ in range(3):
        same(control.tell(stsd, "--refresh", domain.name).status, 0, "status")
    hellos = world.https.hellos[domain.policy_host] + world.https.hellos[other.policy_host]
    same([resumes(hello) for hello in hellos], [False] * 5)
    same(world.https.client_certificates, 0, "certificates of clients")
    version = daemon.run([stsd.programs + "/stsd", "-V"]).out.split()[1]
    agent = f"\r\nUser-Agent: stsd/{version}\r\n"
    contains(world.https.heads[domain.policy_host], agent)
    contains(world.https.heads[other.policy_host], agent)


@table("policy file", [
    # name, text (@: the domain), reply (%: what enforce leads to)
    ("LF", "version: STSv1\nmode: enforce\nmx: mx.@\nmax_age: 86400\n", "%"),
    ("no last newline", "version: STSv1\nmode: enforce\nmx: mx.@\nmax_age: 86400", "%"),
    ("any order", "max_age: 86400\nmx: mx.@\nmode: enforce\nversion: STSv1\n", "%"),
    ("first of two modes",
     "version: STSv1\nmode: enforce\nmode: none\nmx: mx.@\nmax_age: 86400\n", "%"),
    ("no mx", "version: STSv1\nmode: enforce\nmax_age: 86400\n", NOTFOUND),
    ("no mx needed", "version: STSv1\nmode: none\nmax_age: 86400\n", "OK may"),
    ("no max_age", "version: STSv1\nmode: enforce\nmx: mx.@\n", NOTFOUND),
    ("no version", "mode: enforce\nmx: mx.@\nmax_age: 86400\n", NOTFOUND),
    ("version 2", "version: STSv2\nmode: enforce\nmx: mx.@\nmax_age: 86400\n", NOTFOUND),
    ("another mode", "version: STSv1\nmode: report\nmx: mx.@\nmax_age: 86400\n", NOTFOUND),
    ("upper case key", "version: STSv1\nMode: enforce\nmx: mx.@\nmax_age: 86400\n", NOTFOUND),
    ("max_age of words", "version: STSv1\nmode: enforce\nmx: mx.@\nmax_age: long\n", NOTFOUND),
    ("huge max_age", "version: STSv1\nmode: enforce\nmx: mx.@\nmax_age: 9999999999\n", "%"),
    ("one bad mx", "version: STSv1\nmode: enforce\nmx: mx.@\nmx: *foo.@\nmax_age: 86400\n",
     NOTFOUND),
    ("mx and injected words",
     "version: STSv1\nmode: enforce\nmx: mx.@ servername=x\nmax_age: 86400\n", NOTFOUND),
    ("mx with a colon", "version: STSv1\nmode: enforce\nmx: mx.@:nexthop\nmax_age: 86400\n",
     NOTFOUND),
])
def policy_file(world, text, reply):
    domain = world.domain()
    domain.web.policy = text.replace("@", domain.name).encode()
    same(world.stsd().start().ask(domain.name), reply.replace("%", domain.secure))


@table("ca_file refused at the start", [
    ("without a certificate", ""),
    ("with one that is none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
])
def wrong_ca(world, text):
    stsd = world.stsd()
    with open(stsd.folder + "/wrong.pem", "w", encoding="utf-8") as file:
        file.write(text)
    stsd.settings["ca_file"] = stsd.folder + "/wrong.pem"
    stsd.launch()
    same(stsd.wait(), 78, "status")
    contains(stsd.log(), "ca_file")
