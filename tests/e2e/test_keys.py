# SPDX-License-Identifier: MIT
"""Keys as Postfix sends them, and as nobody should."""
from lab import socketmap
from lab.cases import same, table

NOTFOUND = "NOTFOUND "


@table("is the domain", [
    # @: the domain
    ("plain", "@"), ("dot at the end", "@."), ("port", "@:587"), ("port 1", "@:1"),
    ("port by name", "@:submission"), ("smtp", "@:smtp"), ("smtps", "@:smtps"),
    ("submissions", "@:submissions"), ("dot and port", "@.:25"),
])
def is_domain(world, key):
    domain = world.domain()
    same(world.stsd().start().ask(key.replace("@", domain.name)), domain.secure)


@table("is the host", [("brackets", "[@]"), ("brackets, port", "[@]:587"),
                       ("brackets, port by name", "[@]:submission")])
def is_host(world, key):
    # Without MX: the host itself is the host set, so it must fit the policy.
    name = world.new_name()
    world.domain(name=name, mx=[name])
    same(world.stsd().start().ask(key.replace("@", name)),
         f"OK secure match={name} servername=hostname")


@table("upper case", [("ASCII", str.upper), ("mixed", str.title)])
def upper_case(world, change):
    domain = world.domain()
    same(world.stsd().start().ask(change(domain.name)), domain.secure)


@table("international", [
    ("U-label", "grüße.test.example", "xn--gre-6ka8l.test.example"),
    ("upper case U-label", "GRÜSSE.test.example", "xn--grsse-lva.test.example"),
    ("not transitional", "straße.test.example", "xn--strae-oqa.test.example"),
    ("ideographic dot", "bücher。test.example", "xn--bcher-kva.test.example"),
    ("A-label", "xn--bcher-kva.test.example", "xn--bcher-kva.test.example"),
    ("brackets and port", "[bücher.test.example]:587", "xn--bcher-kva.test.example"),
])
def international(world, key, name):
    world.dns.remove(name)
    world.dns.remove("_mta-sts." + name)
    world.dns.remove("mta-sts." + name)
    world.domain(name=name, mx=[name])
    world.dns.replace(name, "MX", (1, name))
    same(world.stsd().start().ask(key), f"OK secure match={name} servername=hostname")


@table("no DNS", [
    ("empty", b""), ("one dot", b"."), ("parent", b".example.com"),
    ("IPv4", b"192.0.2.1"), ("IPv4 in brackets", b"[192.0.2.1]"),
    ("IPv4 with port", b"[192.0.2.1]:25"), ("IPv6", b"[IPv6:2001:db8::1]"),
    ("IPv6 without tag", b"[2001:db8::1]"), ("IPv6 with port", b"[2001:db8::1]:25"),
    ("bare IPv6", b"2001:db8::1"), ("single label", b"localhost"),
    ("single label in brackets", b"[mailhost]"), ("single label, dot", b"localhost."),
    ("numeric top level", b"a.example.1"), ("two dots at the end", b"example.com.."),
    ("empty label", b"a..example.com"), ("leading hyphen", b"-a.example.com"),
    ("trailing hyphen", b"a-.example.com"),
    ("long label", b"a" * 64 + b".example.com"),
    ("long name", b".".join([b"a" * 49] * 5)), ("path", b"/var/run/x"),
    ("slash", b"example.com/x"), ("blank", b"a b.example.com"),
    ("blank first", b" example.com"), ("blank last", b"example.com "),
    ("control byte", b"a\x01.example.com"), ("NUL", b"a\0.example.com"),
    ("newline", b"example.com\n"), ("bad UTF-8", b"\xff\xfe.example.com"),
    ("half UTF-8", b"a\xc3.example.com"), ("bad IDN", "a\u200d.example.com".encode()),
    ("port 0", b"example.com:0"), ("port 65536", b"example.com:65536"),
    ("unknown port", b"example.com:gopher"), ("empty port", b"example.com:"),
    ("two ports", b"example.com:25:25"), ("open bracket", b"[example.com"),
    ("close bracket", b"example.com]"), ("empty brackets", b"[]"),
    ("after brackets", b"[example.com]x"), ("at sign", b"a@example.com"),
    ("10,000 bytes", b"a." * 4990 + b"example.com"[:8]),
])
def no_dns(world, key):
    stsd = world.stsd().start()
    before = world.dns.total()
    same(stsd.ask(key), NOTFOUND)
    same(world.dns.total() - before, 0, "DNS questions")


@table("map name", [
    ("another", b"OTHER example.com"), ("lower case", b"query example.com"),
    ("empty", b" example.com"), ("upper case", b"POSTFIX example.com"),
    ("longer", b"QUERYx example.com"), ("administrative", b"PURGE"), ("dump", b"DUMP"),
    ("bytes", b"\xff\0 example.com"),
])
def map_name(world, payload):
    with world.stsd().start().client() as client:
        client.send(socketmap.netstring(payload))
        same(client.reply(), "PERM unknown map name")
        same(client.ask(""), NOTFOUND)


@table("without a blank", [("QUERY", b"QUERY"), ("postfix", b"postfix")])
def without_blank(world, payload):
    with world.stsd().start().client() as client:
        client.send(socketmap.netstring(payload))
        same(client.reply(), NOTFOUND)
