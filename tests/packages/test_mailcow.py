#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docker/mailcow: what its compose files make of mailcow's, and what becomes of the mail when
a Postfix with mailcow's settings asks stsd as it is started there.
test_mailcow.py [PART OF A NAME]"""
import re
import socket

import containers
from containers import ROOT
from lab import debian13, mailroom, namespace
from lab.cases import contains, same, table
from lab.mailroom import Host
from lab.world import ALLOWED

FOLDER = ROOT + "/docker/mailcow/"
MAILCOW = ROOT + "/tests/packages/mailcow.yml"
NETWORK = "10.9.0"  # IPV4_NETWORK in mailcow.conf
RESOLVER = NETWORK + ".254"
HERE = NETWORK + ".1"
ENVIRONMENT = {"IPV4_NETWORK": NETWORK, "TZ": "UTC", "REDISPASS": "secret"}
# The folder; the service that is stsd, its alias and port.
WAYS = {"beside": ("stsd-mailcow", "stsd", 8461),
        "in-place": ("postfix-tlspol-mailcow", "postfix-tlspol", 8642)}
# Of mailcow's main.cf and master.cf, what decides about TLS to others.
SETTINGS = {"smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane",
            "smtp_tls_mandatory_protocols": ">=TLSv1.2", "smtp_tls_protocols": ">=TLSv1.2",
            "smtp_address_preference": "any"}
UNCHANGED = "socketmap:inet:postfix-tlspol:8642:QUERY"
MASTER = "smtp_enforced_tls unix - - n - - smtp\n\t-o smtp_tls_security_level=encrypt\n"
DEMANDING = "demanding@sender.test"  # a mailbox that enforces TLS for what it sends

MX = "mx.{d}"
DEFERRED = ("deferred", None)
SIGNED, UNSIGNED = "signed", "unsigned"

# Name; zone, policy, hosts and mode of Mailroom.add(); does the sender demand TLS?; what
# becomes of the mail, and how the connection to the first host was secured.
ROWS = [
    ("enforce", (UNSIGNED, [MX], [Host()]), False, ("sent", "Verified")),
    ("enforce, of an unknown authority", (
        UNSIGNED, [MX], [Host(certificate="stranger")]), False, DEFERRED),
    ("enforce, no STARTTLS", (UNSIGNED, [MX], [Host(starttls=False)]), False, DEFERRED),
    ("enforce, DANE matches", (
        SIGNED, [MX], [Host(tlsa="right", certificate="self")]), False, ("sent", "Verified")),
    ("enforce, DANE does not match", (SIGNED, [MX], [Host(tlsa="wrong")]), False, DEFERRED),
    ("testing, DANE does not match", (
        SIGNED, [MX], [Host(tlsa="wrong")], None, "testing"), False, DEFERRED),
    ("none, DANE does not match", (
        SIGNED, [MX], [Host(tlsa="wrong")], None, "none"), False, DEFERRED),
    ("testing, DANE matches", (
        SIGNED, [MX], [Host(tlsa="right", certificate="self")], None, "testing"), False,
     ("sent", "Verified")),
    ("testing, no STARTTLS", (
        UNSIGNED, [MX], [Host(starttls=False)], None, "testing"), False, ("sent", None)),
    ("testing, of an unknown authority", (
        UNSIGNED, [MX], [Host(certificate="stranger")], None, "testing"), False,
     ("sent", "Untrusted")),
    ("testing, no STARTTLS, the sender demands TLS", (
        UNSIGNED, [MX], [Host(starttls=False)], None, "testing"), True, DEFERRED),
    ("none, no STARTTLS, the sender demands TLS", (
        UNSIGNED, [MX], [Host(starttls=False)], None, "none"), True, DEFERRED),
    ("testing, of an unknown authority, the sender demands TLS", (
        UNSIGNED, [MX], [Host(certificate="stranger")], None, "testing"), True,
     ("sent", "Untrusted")),
    ("enforce, the sender demands TLS", (UNSIGNED, [MX], [Host()]), True, ("sent", "Verified")),
    ("enforce, of an unknown authority, the sender demands TLS", (
        UNSIGNED, [MX], [Host(certificate="stranger")]), True, DEFERRED),
    ("enforce, of an unknown authority, an entry of the administrator's says encrypt", (
        UNSIGNED, [MX], [Host(certificate="stranger")]), False, ("sent", "Untrusted")),
    ("enforce, an entry of the administrator's is for all names above it", (
        UNSIGNED, [MX], [Host()]), False, ("sent", "Verified")),
]
OUTSIDE = ("enforce, MX outside the policy, its certificate names an allowed host", (
    UNSIGNED, [MX], [Host("evil.{d}", names=["evil.{d}", MX]), Host(up=False)]))


def merged(way, *more, **changes):
    return containers.compose(MAILCOW, f"{FOLDER}{way}/docker-compose.override.yml", *more,
                              **{**ENVIRONMENT, **changes})


def extra_cf(way):
    """Its one line: (name, value)."""
    with open(f"{FOLDER}{way}/extra.cf", encoding="utf-8") as file:
        name, value = file.read().strip().split(" = ")
    return name, value


class Place:
    """mailcow with stsd, one way: made once."""

    def __init__(self, world, room, way):
        service, alias, self.port = WAYS[way]
        self.room = room
        self.stsd = containers.of_service(
            service, merged(way)["services"][service],
            ("--volume", world.pki.ca_file + ":/etc/ssl/certs/ca-certificates.crt:ro"),
            STSD_ALLOW_ADDRESSES=ALLOWED).start_and_wait((HERE, self.port))
        self.alias = alias
        self.postfix = self.new_postfix(world, extra_cf(way)[1]).start()

    def new_postfix(self, world, maps):
        """maps: with mailcow's table in MySQL, for which another stands here."""
        postfix = world.lasting(world.postfix(
            root=debian13.enter(), resolver=RESOLVER, hosts={self.alias: HERE}, master=MASTER,
            minimal_backoff_time="1h", maximal_backoff_time="1h", smtp_connect_timeout="3s",
            **SETTINGS))
        etc = postfix.folder + "/etc"
        namespace.write_atomically(etc + "/tls_policy", self.room.entries)
        namespace.write_atomically(etc + "/senders", DEMANDING + " smtp_enforced_tls:\n")
        postfix.set(smtp_tls_policy_maps=re.sub(r"proxy:mysql:\S+",
                                                f"texthash:{etc}/tls_policy", maps),
                    sender_dependent_default_transport_maps=f"texthash:{etc}/senders")
        return postfix


class Room(mailroom.Mailroom):
    """All domains of the rows, mailcow's unbound, and both ways of stsd."""

    def __init__(self, world):
        super().__init__(world)
        self.rows = {}
        self.entries = ""
        for row in [*ROWS, OUTSIDE]:
            self.rows[row[0]] = self.add(f"sub.r{len(self.rows)}", *row[1])
            name = self.rows[row[0]].names["d"]
            if "says encrypt" in row[0]:
                self.entries += f"{name} encrypt\n"
            if "above it" in row[0]:
                self.entries += f".{name.partition('.')[2]} none\n"
        self.dns.start()
        self.dns.start_unbound(RESOLVER)
        self.ways = {way: Place(world, self, way) for way in WAYS}


def room(world):
    if not MADE:
        MADE.append(None)  # once: if it fails, then for all
        MADE[0] = Room(world)
    if MADE[0] is None:
        raise AssertionError("the room could not be made")
    return MADE[0]


MADE = []


def fate(postfix, place, demanding, tag):
    """("sent" ..., how the connection to the first host was secured)"""
    recipient = f"{tag}@{place.names['d']}"
    postfix.send(recipient, *[DEMANDING] * demanding)
    became = postfix.wait_for_fate(recipient)[0]
    return became, postfix.tls_of(next(iter(place.address))) if became == "sent" else None


def deliver(world, way, title, demanding, expected):
    made = room(world)
    postfix, place = made.ways[way].postfix, made.rows[title]
    same(fate(postfix, place, demanding, "you"), expected, "the mail's fate")


@table("beside", [(row[0], row) for row in ROWS])
def beside(world, row):
    deliver(world, "beside", row[0], *row[2:])


@table("in place", [(row[0], row) for row in ROWS])
def in_place(world, row):
    deliver(world, "in-place", row[0], *row[2:])


@table("MX outside the policy, its certificate names an allowed host", [
    ("beside", "beside", None, "deferred"), ("in place", "in-place", None, "deferred"),
    # With QUERY Postfix cannot know: why the page wants the line in extra.cf.
    ("in place, without a line in extra.cf", "in-place", UNCHANGED, "sent")])
def outside_the_policy(world, way, maps, expected):
    made = room(world)
    place, postfix = made.rows[OUTSIDE[0]], made.ways[way].postfix
    if maps:
        postfix = made.ways[way].new_postfix(world, maps).start()
    same(fate(postfix, place, False, "they")[0], expected)
    if expected == "deferred":
        contains(postfix.log(), "does not match STS MX pattern")


@table("the compose files merged with mailcow's", [(way, way) for way in WAYS])
def files(_world, way):
    mailcow = containers.compose(MAILCOW, **ENVIRONMENT)["services"]
    services = merged(way)["services"]
    ours, alias, _ = WAYS[way]
    for name, service in mailcow.items():
        if name != ours:
            same(services.pop(name), service, name)  # nothing of it changes, or starts again
    same(list(services), [ours])
    stsd = services[ours]
    same((stsd["image"], stsd["pull_policy"], stsd["restart"]),
         ("stsd:local", "never", "always"))
    same(stsd["networks"], {"mailcow-network": {"aliases": [alias]}})
    same([stsd.get(key) for key in ("ports", "command", "entrypoint", "healthcheck")], [None] * 4)
    same((stsd["read_only"], stsd["cap_drop"], stsd["security_opt"]),
         (True, ["ALL"], ["no-new-privileges:true"]))
    same(stsd["depends_on"]["unbound-mailcow"]["condition"], "service_healthy")
    wanted = {"STSD_DNS_SERVERS": RESOLVER, "STSD_DNSSEC": "trust",
              "STSD_PERMISSIVE_REPLY": "notfound"}
    same({name: stsd["environment"].get(name) for name in wanted}, wanted)
    same([v["source"] for v in stsd["volumes"] if v["target"] == "/var/lib/stsd"],
         ["stsd-vol-1"])
    # The network may be another, or left out.
    other = merged(way, IPV4_NETWORK="172.30.9")["services"][ours]
    same(other["environment"]["STSD_DNS_SERVERS"], "172.30.9.254")
    del ENVIRONMENT["IPV4_NETWORK"]
    try:
        same(merged(way)["services"][ours]["environment"]["STSD_DNS_SERVERS"], "172.22.1.254")
    finally:
        ENVIRONMENT["IPV4_NETWORK"] = NETWORK


@table("the line of extra.cf names what the compose file makes", [(way, way) for way in WAYS])
def line(_world, way):
    _, alias, port = WAYS[way]
    name, value = extra_cf(way)
    same(name, "smtp_tls_policy_maps")
    same(value.split()[0],
         "proxy:mysql:/opt/postfix/conf/sql/mysql_tls_policy_override_maps.cf")
    same(value.split()[1:], [f"socketmap:inet:{alias}:{port}:QUERYwithTLSRPT"])


@table("healthy, and mailcow's watchdog leaves no trace", [(way, way) for way in WAYS])
def watched(world, way):
    made = room(world).ways[way]
    same(made.stsd.is_healthy(), True)
    for _ in range(5):
        socket.create_connection((HERE, made.port), 5).close()
    same(made.stsd.answers((HERE, made.port)), True)
    same([one for one in made.stsd.log().splitlines()
          if " warning " in one and "max-connections" not in one], [])


if __name__ == "__main__":
    containers.main("mailcow", [{"name": "stsd"}])
