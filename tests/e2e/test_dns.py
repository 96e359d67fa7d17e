# SPDX-License-Identifier: MIT
"""DNS as it is: aliases, truncation, several servers, servers that come and go; and how
many questions a lookup may cost."""
import contextlib
import os
import signal
import threading
from time import monotonic

from lab import namespace, socketmap, wait
from lab.cases import Skip, case, same, table, within
from lab.dns import Trouble
from lab.world import WEB, WEB_SILENT

NOTFOUND = "NOTFOUND "


@table("record behind", [("one alias", 1), ("eight aliases", 8)])
def aliases(world, length):
    domain = world.domain()
    world.dns.remove(domain.record_name)
    names = [domain.record_name] + [f"alias{n}.{domain.name}" for n in range(length)]
    for name, target in zip(names, names[1:]):
        world.dns.add(name, "CNAME", target)
    world.dns.add(names[-1], "TXT", "v=STSv1; id=1;")
    same(world.stsd().start().ask(domain.name), domain.secure)


@case("record behind an alias that the server does not follow")
def bare_alias(world):
    domain = world.domain()
    world.dns.remove(domain.record_name)
    world.dns.add(domain.record_name, "CNAME", "there." + domain.name)
    world.dns.add("there." + domain.name, "TXT", "v=STSv1; id=1;")
    world.dns.fail(domain.record_name, "TXT", "bare")
    same(world.stsd().start().ask(domain.name), domain.secure)


@case("aliases in a circle")
def circle(world):
    domain = world.domain()
    world.dns.remove(domain.record_name)
    for name, target in (("", "b."), ("b.", "")):
        name = (name or "_mta-sts.") + domain.name
        world.dns.add(name, "CNAME", (target or "_mta-sts.") + domain.name)
        world.dns.fail(name, "TXT", "bare")
    same(world.stsd().start().ask(domain.name), NOTFOUND)
    within(world.dns.count(domain.record_name), 1, 20, "questions")


@table("over TCP", [("truncated", "truncate", 0), ("large", None, 40)])
def over_tcp(world, trouble, others):
    domain = world.domain()
    world.dns.add(domain.record_name, "TXT", *[f"{n} " + "x" * 200 for n in range(others)])
    if trouble:
        world.dns.fail(domain.record_name, "TXT", trouble)
    same(world.stsd().start().ask(domain.name), domain.secure)
    within(world.dns.over_tcp[(domain.record_name, "TXT")], 1, 2, "questions over TCP")


@table("first server", [("SERVFAIL", "servfail"), ("REFUSED", "refused"),
                        ("garbage", "garbage"), ("silent", "drop")])
def first_server(world, trouble):
    domain = world.domain()
    world.dns.trouble["127.0.0.2"] = Trouble(trouble)
    same(world.stsd(dns_servers="127.0.0.2 127.0.0.1").start().ask(domain.name), domain.secure)


@case("first server does not exist")
def no_first_server(world):
    domain = world.domain()
    same(world.stsd(dns_servers="127.0.0.9, 127.0.0.1:53").start().ask(domain.name),
         domain.secure)


@case("server over IPv6")
def server6(world):
    if not namespace.has_ipv6():
        raise Skip("no IPv6")
    domain = world.domain()
    same(world.stsd(dns_servers="[::1]:53").start().ask(domain.name), domain.secure)


@case("all servers silent: no policy, in time")
def silent(world):
    stsd = world.stsd(dns_servers="198.18.1.99 127.0.0.9", dns_timeout="2s").start()
    began = monotonic()
    same(stsd.ask(world.new_name()), NOTFOUND)
    within(monotonic() - began, 0, 4, "seconds")


@case("resolv.conf is followed, though the new resolver is killed before it works")
def resolv_conf_killed(world):
    try:
        stsd = world.stsd(dns_servers=None).start()
        before, asked = stsd.processes()["resolver"], world.dns.by_server["127.0.0.3"]
        namespace.write_atomically("/etc/resolv.conf", "nameserver 127.0.0.3\n")
        end = monotonic() + 10
        while not (new := set(stsd.processes()["resolver"]) - set(before)):
            within(monotonic(), 0, end, "time")  # it will work within milliseconds: no rest
        os.kill(new.pop(), signal.SIGKILL)
        wait.until(lambda: stsd.ask(world.new_name()) == NOTFOUND
                   and world.dns.by_server["127.0.0.3"] > asked, "the new server is asked")
    finally:
        namespace.write_atomically("/etc/resolv.conf", "nameserver 127.0.0.1\n")


@case("resolv.conf is followed, also when it is replaced by rename")
def resolv_conf(world):
    first, second = world.domain(), world.domain()
    try:
        stsd = world.stsd(dns_servers=None).start()
        same(stsd.ask(first.name), first.secure)
        before = world.dns.by_server["127.0.0.3"]
        namespace.write_atomically("/etc/resolv.conf", "nameserver 127.0.0.3\n")
        wait.until(lambda: stsd.ask(world.new_name()) == NOTFOUND
                   and world.dns.by_server["127.0.0.3"] > before, "the new server is asked")
        same(stsd.ask(second.name), second.secure)
        before = world.dns.by_server["127.0.0.2"]
        with open("/etc/resolv.conf", "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.2\n")
        wait.until(lambda: stsd.ask(world.new_name()) == NOTFOUND
                   and world.dns.by_server["127.0.0.2"] > before, "written in place")
    finally:
        namespace.write_atomically("/etc/resolv.conf", "nameserver 127.0.0.1\n")


# What else a resolver library would look at. Names are asked for as they are, and only DNS
# says where they are.

@table("search and ndots of resolv.conf: nothing is asked below", [
    ("a domain with a policy", True), ("a domain that does not exist", False)])
def search_list(world, has_policy):
    elsewhere = world.new_name("search")
    name = world.domain().name if has_policy else world.new_name()
    # Whoever searched would find a policy there.
    world.domain(name=f"{name}.{elsewhere}", mx=["mx.search.example"])
    text = (f"search {elsewhere}\ndomain {elsewhere}\noptions ndots:15 rotate\n"
            "nameserver 127.0.0.1\n")
    with world.resolv_conf(text):
        stsd = world.stsd(dns_servers=None)
        stsd.start(environment={"LOCALDOMAIN": elsewhere, "RES_OPTIONS": "ndots:15"})
        expected = f"OK secure match=mx.{name} servername=hostname" if has_policy else NOTFOUND
        same(stsd.ask(name), expected)
        same(stsd.ask("short"), NOTFOUND)
    same(world.dns.questions_below(elsewhere), {}, "questions")


@contextlib.contextmanager
def hosts(*lines):
    """/etc/hosts says so for a while."""
    with open("/etc/hosts", encoding="utf-8") as file:
        before = file.read()
    namespace.write_atomically("/etc/hosts", before + "".join(line + "\n" for line in lines))
    try:
        yield
    finally:
        namespace.write_atomically("/etc/hosts", before)


@case("/etc/hosts: a policy host is where DNS says")
def hosts_elsewhere(world):
    domain = world.domain()
    with hosts(f"{WEB_SILENT} {domain.policy_host} {domain.name} mx.{domain.name}"):
        before = world.https.connected[WEB_SILENT]
        same(world.stsd().start().ask(domain.name), domain.secure)
        same(world.https.connected[WEB_SILENT], before, "connections to where it says")


@case("/etc/hosts, HOSTALIASES: a policy host that DNS does not know is not found there")
def hosts_only(world):
    domain = world.domain(addresses=())
    aliases = world.new_folder("aliases") + "/aliases"
    namespace.write_atomically(aliases, f"{domain.policy_host} web.test.example\n")
    world.dns.replace("web.test.example", "A", WEB)
    with hosts(f"{WEB} {domain.policy_host}"):
        stsd = world.stsd()
        stsd.start(environment={"HOSTALIASES": aliases})
        same(stsd.ask(domain.name), NOTFOUND)
    same(domain.fetches(), 0, "fetches")


@case("/etc/hosts: an MX host is where DNS says, when DANE is looked for")
def hosts_dane(world):
    world.dns.validates = True
    domain = world.domain()
    world.dns.sign(domain.name)
    world.dns.add("mx." + domain.name, "A", "198.18.2.1")
    with hosts(f"192.0.2.77 mx.{domain.name}"):
        same(world.stsd(dane="on").start().ask(domain.name), domain.secure)
    within(world.dns.count("mx." + domain.name, "A"), 1, 2, "questions")


# What a lookup may cost (QUERY with dane = off).

@case("cost: a domain without MTA-STS is one question, and then none")
def cost_plain(world):
    name = world.plain_domain()
    stsd = world.stsd().start()
    for _ in range(20):
        same(stsd.ask(name), NOTFOUND)
    same(world.dns.questions_below(name), {("_mta-sts." + name, "TXT"): 1}, "questions")


@case("cost: a cold enforce domain is TXT, A, AAAA and MX, and one fetch; then nothing")
def cost_enforce(world):
    domain = world.domain()
    stsd = world.stsd().start()
    for _ in range(20):
        same(stsd.ask(domain.name), domain.secure)
    same(domain.questions(), {(domain.record_name, "TXT"): 1, (domain.policy_host, "A"): 1,
                              (domain.policy_host, "AAAA"): 1, (domain.name, "MX"): 1})
    same(domain.fetches(), 1, "fetches")


@case("cost: with wildcards = loose the MX hosts are not looked at")
def cost_loose(world):
    domain = world.domain()
    same(world.stsd(wildcards="loose").start().ask(domain.name), domain.secure)
    same(world.dns.count(domain.name, "MX"), 0, "MX questions")


@table("cost: no MX question for", [("testing", "testing"), ("none", "none")])
def cost_testing(world, mode):
    domain = world.domain(mode=mode)
    same(world.stsd().start().ask(domain.name), "OK may")
    same(world.dns.count(domain.name, "MX"), 0, "MX questions")


@case("cost: an enforce policy costs nothing after a restart either")
def cost_restart(world):
    domain = world.domain()
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), domain.secure)
    before = domain.questions()
    stsd.restart()
    same(stsd.ask(domain.name), domain.secure)
    same((domain.questions(), domain.fetches()), (before, 1))


@case("cost: a hundred questions at once for a new domain are one fetch")
def cost_hundred(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd().start()
    clients = [stsd.client() for _ in range(100)]
    for client in clients:
        client.send(socketmap.netstring("QUERY " + domain.name))
    wait.until(domain.fetches, "the fetch runs")
    gate.set()
    same({client.reply() for client in clients}, {domain.secure})
    for client in clients:
        client.sock.close()
    same(domain.fetches(), 1, "fetches")
    same(world.dns.count(domain.record_name, "TXT"), 1, "TXT questions")


@case("cost: a failed TXT lookup is not repeated at once")
def cost_failed(world):
    domain = world.domain()
    world.dns.fail(domain.record_name, "TXT", "servfail")
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), NOTFOUND)
    before = world.dns.count(domain.record_name, "TXT")
    for _ in range(20):
        same(stsd.ask(domain.name), NOTFOUND)
    same(world.dns.count(domain.record_name, "TXT"), before, "TXT questions")


@case("many policy hosts at one site: at most sixteen fetches at once")
def one_site(world):
    gate = threading.Event()
    domains = [world.domain(gate=gate, addresses=(WEB,)) for _ in range(24)]
    stsd = world.stsd(answer_timeout="20s").start()
    clients = [stsd.client() for _ in domains]
    for client, domain in zip(clients, domains):
        client.send(socketmap.netstring("QUERY " + domain.name))
    wait.until(lambda: sum(d.fetches() for d in domains) >= 16, "sixteen fetches")
    same(sum(d.fetches() for d in domains), 16, "fetches")
    gate.set()
    same([client.reply() for client in clients], [domain.secure for domain in domains])
    for client in clients:
        client.sock.close()


@case("max_fetches: more wait in order, inside their answer_timeout")
def max_fetches(world):
    gate = threading.Event()
    domains = [world.domain(gate=gate) for _ in range(6)]
    stsd = world.stsd(max_fetches="2", answer_timeout="20s").start()
    clients = [stsd.client() for _ in domains]
    for client, domain in zip(clients, domains):
        client.send(socketmap.netstring("QUERY " + domain.name))
    wait.until(lambda: sum(d.fetches() for d in domains) >= 2, "two fetches")
    same(sum(d.fetches() for d in domains), 2, "fetches")
    gate.set()
    same([client.reply() for client in clients], [domain.secure for domain in domains])
    for client in clients:
        client.sock.close()
