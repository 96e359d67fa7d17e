# SPDX-License-Identifier: MIT
"""What Postfix is told, row by row of the table in stsd(8), and why when it is TEMP."""
import threading
from time import monotonic

from lab import socketmap, wait
from lab.cases import case, contains, same, table, within
from lab.world import WEB_SILENT

NOTFOUND = "NOTFOUND "


@table("mode", [
    # name, mode, settings, reply (%: what enforce leads to)
    ("enforce", "enforce", {}, "%"),
    ("testing", "testing", {}, "OK may"),
    ("none", "none", {}, "OK may"),
    ("testing, strict", "testing", {"strict_testing": "yes"}, "%"),
    ("none, strict", "none", {"strict_testing": "yes"}, "OK may"),
    ("testing, not found", "testing", {"permissive_reply": "notfound"}, NOTFOUND),
    ("none, not found", "none", {"permissive_reply": "notfound"}, NOTFOUND),
    ("testing, may", "testing", {"permissive_reply": "may"}, "OK may"),
])
def mode(world, kind, settings, reply):
    domain = world.domain(mode=kind)
    stsd = world.stsd(**settings).start()
    for name in ("QUERY", "postfix"):
        same(stsd.ask(domain.name, name), reply.replace("%", domain.secure), name)
    # Testing and none carry no attributes; Postfix would report a bad certificate as good.
    answer = stsd.ask(domain.name, "QUERYwithTLSRPT")
    same(answer[:len(reply.replace("%", domain.secure))], reply.replace("%", domain.secure))


@table("main.cf says", [
    ("may", "may", "OK may"),
    ("nothing", None, "OK may"),
    ("dane", "dane", "OK may"),
    ("encrypt", "encrypt", NOTFOUND),
    ("verify", "verify", NOTFOUND),
    ("secure", "secure", NOTFOUND),
    ("fingerprint", "fingerprint", NOTFOUND),
    ("dane-only", "dane-only", NOTFOUND),
    ("the last of two", "may\nsmtp_tls_security_level = encrypt", NOTFOUND),
])
def main_cf(world, level, reply):
    domain = world.domain(mode="testing")
    stsd = world.stsd()
    with open(stsd.folder + "/main.cf", "w", encoding="utf-8") as file:
        file.write("myhostname = x.test\n"
                   + (f"smtp_tls_security_level = {level}\n" if level else ""))
    same(stsd.start().ask(domain.name), reply)


@table("no policy", [
    # name, TXT records (None: no name at all)
    ("no record", None),
    ("another record", ["v=spf1 -all"]),
    ("two records", ["v=STSv1; id=1;", "v=STSv1; id=2;"]),
    ("no id", ["v=STSv1;"]),
    ("empty id", ["v=STSv1; id=;"]),
    ("bad id", ["v=STSv1; id=a-b;"]),
    ("long id", ["v=STSv1; id=" + "1" * 33 + ";"]),
    ("another version", ["v=STSv2; id=1;"]),
    ("lower case version", ["v=stsv1; id=1;"]),
    ("version not first", ["id=1; v=STSv1;"]),
])
def no_policy(world, records):
    domain = world.domain()
    world.dns.remove(domain.record_name, "TXT")
    if records:
        world.dns.add(domain.record_name, "TXT", *records)
    same(world.stsd().start().ask(domain.name), NOTFOUND)
    same(domain.fetches(), 0, "fetches")


@table("good record", [
    ("longest id", ["v=STSv1; id=" + "a1" * 16 + ";"]),
    ("several strings", [("v=STSv1; id=2", "026; x=", "y;")]),
    ("beside others", ["v=spf1 -all", "v=STSv1; id=1;", "v=STSv10; id=1;"]),
    ("no last semicolon", ["v=STSv1; id=1"]),
    ("blanks", ["v=STSv1 ;\tid=1 ; "]),
    ("extension", ["v=STSv1; id=1; foo=bar;"]),
])
def good_record(world, records):
    domain = world.domain()
    world.dns.replace(domain.record_name, "TXT", *records)
    same(world.stsd().start().ask(domain.name), domain.secure)


@table("record lookup", [
    # name, what goes wrong, settings, reply (%: the domain)
    ("SERVFAIL", "servfail", None, {}, NOTFOUND),
    ("REFUSED", "refused", None, {}, NOTFOUND),
    ("time-out", "drop", None, {"dns_timeout": "1s"}, NOTFOUND),
    ("SERVFAIL, defer", "servfail", None, {"txt_error": "defer"},
     "TEMP %: record lookup failed (SERVFAIL)"),
    ("REFUSED, defer", "refused", None, {"txt_error": "defer"},
     "TEMP %: record lookup failed (REFUSED)"),
    ("EDE, defer", "servfail", 6, {"txt_error": "defer"},
     "TEMP %: record lookup failed (SERVFAIL, EDE 6)"),
    ("time-out, defer", "drop", None, {"txt_error": "defer", "dns_timeout": "1s"},
     "TEMP %: record lookup failed (timeout)"),
])
def record_lookup(world, trouble, ede, settings, reply):
    domain = world.domain()
    world.dns.fail(domain.record_name, "TXT", trouble, ede=ede)
    same(world.stsd(**settings).start().ask(domain.name), reply.replace("%", domain.name))


@table("wildcards", [
    # name, settings, mx of the policy, MX hosts (None: none; "": null MX), match (None: the
    # invalid name). In names, @ is the domain.
    ("covered hosts", {}, ["*.@"], ["a.@", "b.@"], "a.@:b.@"),
    ("literals stay", {}, ["m.other.example", "*.@"], ["a.@"], "m.other.example:a.@"),
    ("one label only", {}, ["*.@"], ["a.@", "b.c.@"], "a.@"),
    ("no repeats", {}, ["a.@", "*.@"], ["a.@", "b.@"], "a.@:b.@"),
    ("upper case", {}, ["A.@", "*.@"], ["B.@"], "a.@:b.@"),
    ("no host fits", {}, ["*.@"], ["a.other.example"], None),
    ("no host fits literals", {}, ["a.@"], ["b.@"], None),
    ("null MX", {}, ["*.@"], [""], ".@"),
    ("no MX, itself", {}, ["*.test.example"], None, "@"),
    ("loose", {"wildcards": "loose"}, ["*.@", "m.other.example"], ["a.@"],
     ".@:m.other.example"),
    ("loose, no host fits", {"wildcards": "loose"}, ["*.@"], ["a.other.example"], ".@"),
])
def wildcards(world, settings, patterns, hosts, match):
    name = world.new_name()
    domain = world.domain(name=name, mx=[p.replace("@", name) for p in patterns])
    world.dns.remove(name, "MX")
    for preference, host in enumerate(hosts or []):
        world.dns.add(name, "MX", (preference, host.replace("@", name)))
    if not hosts:
        world.dns.add(name, "A", "198.18.2.1")
    expected = match.replace("@", name) if match else "no-mx-matches-the-policy.invalid"
    same(world.stsd(**settings).start().ask(domain.name),
         f"OK secure match={expected} servername=hostname")


@table("MX lookup fails", [("SERVFAIL", "servfail"), ("time-out", "drop")])
def mx_fails(world, trouble):
    name = world.new_name()
    world.domain(name=name, mx=["*." + name])
    world.dns.fail(name, "MX", trouble)
    stsd = world.stsd(dns_timeout="1s").start()
    same(stsd.ask(name), f"OK secure match=.{name} servername=hostname")


@case("single labels and numeric names are left out of match=")
def left_out(world):
    name = world.new_name()
    domain = world.domain(name=name, mx=["hostname", "mx." + name, "nexthop", "mx.1"])
    world.dns.replace(name, "MX", (10, "mx." + name))
    same(world.stsd().start().ask(domain.name),
         f"OK secure match=mx.{name} servername=hostname")


@case("nothing left for match= makes the policy invalid")
def nothing_left(world):
    domain = world.domain(mx=["hostname"])
    same(world.stsd().start().ask(domain.name), NOTFOUND)


@case("servername = no")
def no_servername(world):
    domain = world.domain()
    same(world.stsd(servername="no").start().ask(domain.name), f"OK secure match={domain.mx[0]}")


@case("QUERYwithTLSRPT of an enforce policy begins like QUERY")
def tlsrpt(world):
    domain = world.domain()
    answer = world.stsd().start().ask(domain.name, "QUERYwithTLSRPT")
    same(answer[:len(domain.secure)], domain.secure)


@case("TEMP: policy fetch in progress; NOTFOUND once it has failed")
def fetch_in_progress(world):
    domain = world.domain(addresses=(WEB_SILENT,))
    stsd = world.stsd(answer_timeout="2s", fetch_timeout="4s").start()
    same(stsd.ask(world.plain_domain()), NOTFOUND)  # what a start takes is not of that time
    same(stsd.ask(domain.name), f"TEMP {domain.name}: policy fetch in progress")
    wait.until(lambda: stsd.ask(domain.name) == NOTFOUND, "the fetch has failed")


@case("fetch in progress, but one failed before: NOTFOUND")
def fetch_after_failure(world):
    domain = world.domain(how="404")
    stsd = world.stsd(answer_timeout="1s").start()
    same(stsd.ask(domain.name), NOTFOUND)
    domain.publish(id="2")
    domain.web.how = "mute"
    stsd.restart(later=400)
    same(stsd.ask(domain.name), NOTFOUND)
    same(domain.fetches(), 2, "fetches")


@case("TEMP: policy fetch in progress comes within answer_timeout, and the policy later")
def slow_host(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd(answer_timeout="1s").start()
    began = monotonic()
    same(stsd.ask(domain.name), f"TEMP {domain.name}: policy fetch in progress")
    within(monotonic() - began, 0.5, 2.0, "seconds")
    gate.set()
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the policy is there")
    same(domain.fetches(), 1, "fetches")


@case("TEMP: overloaded")
def overloaded(world):
    gate = threading.Event()
    slow, other, known = world.domain(gate=gate), world.domain(), world.domain()
    stsd = world.stsd(max_lookups="1", answer_timeout="20s").start()
    same(stsd.ask(known.name), known.secure)
    with stsd.client() as client:
        client.send(socketmap.netstring("QUERY " + slow.name))
        wait.until(slow.fetches, "the first fetch runs")
        same(stsd.ask(other.name), f"TEMP {other.name}: overloaded")
        same(stsd.ask(known.name), known.secure)
        gate.set()
        same(client.reply(), slow.secure)
    same(stsd.ask(other.name), other.secure)


@case("TEMP: overloaded by a fetch that nobody waits for any more, and logged")
def overloaded_beside(world):
    gate = threading.Event()
    slow, other = world.domain(gate=gate), world.domain()
    stsd = world.stsd(max_lookups="1", answer_timeout="1s").start()
    same(stsd.ask(slow.name), f"TEMP {slow.name}: policy fetch in progress")
    same(stsd.ask(other.name), f"TEMP {other.name}: overloaded")
    contains(stsd.log(), " overloaded ")
    gate.set()


@case("TEMP: reply too long")
def too_long(world):
    name = world.new_name()
    domain = world.domain(name=name, mx=[f"a-rather-long-name-{n}.{name}" for n in range(200)])
    world.dns.replace(name, "MX", (1, domain.mx[0]))
    same(world.stsd(max_reply="4096").start().ask(name), f"TEMP {name}: reply too long")


@case("TEMP names at most the last 100 bytes of a long domain")
def long_domain(world):
    name = ".".join(["a" * 60] * 3) + "." + world.new_name()
    domain = world.domain(name=name)
    world.dns.fail(domain.record_name, "TXT", "servfail")
    same(world.stsd(txt_error="defer").start().ask(name),
         f"TEMP {name[-100:]}: record lookup failed (SERVFAIL)")


OVERRIDES = """\
# a comment
not.o.example notfound
later.o.example temp
may.o.example may # because
crypt.o.example encrypt
pinned.o.example secure match=mx.o.example:mx2.o.example servername=mx.o.example
verified.o.example verify match=mx.o.example
.below.o.example encrypt
near.below.o.example may
old.o.example encrypt until 2020-01-01
future.o.example encrypt until 2099-12-31
"""


@table("override", [
    ("notfound", "not.o.example", NOTFOUND),
    ("may", "may.o.example", "OK may"),
    ("encrypt", "crypt.o.example", "OK encrypt"),
    ("secure", "pinned.o.example",
     "OK secure match=mx.o.example:mx2.o.example servername=mx.o.example"),
    ("verify", "verified.o.example", "OK verify match=mx.o.example"),
    ("below", "a.b.below.o.example", "OK encrypt"),
    ("longest wins", "near.below.o.example", "OK may"),
    ("not itself", "below.o.example", NOTFOUND),
    ("over", "old.o.example", NOTFOUND),
    ("not yet over", "future.o.example", "OK encrypt"),
    ("brackets and port", "[may.o.example]:587", "OK may"),
    ("case and dot", "May.O.Example.", "OK may"),
])
def override(world, key, reply):
    stsd = world.stsd()
    with open(stsd.folder + "/overrides", "w", encoding="utf-8") as file:
        file.write(OVERRIDES)
    stsd.settings["overrides"] = stsd.folder + "/overrides"
    stsd.start()
    same(stsd.ask(key), reply)
    same(stsd.ask(key, "QUERYwithTLSRPT"), reply)


@case("override temp")
def override_temp(world):
    stsd = world.stsd()
    with open(stsd.folder + "/overrides", "w", encoding="utf-8") as file:
        file.write(OVERRIDES)
    stsd.settings["overrides"] = stsd.folder + "/overrides"
    same(stsd.start().ask("later.o.example")[:5], "TEMP ")
