# SPDX-License-Identifier: MIT
"""Resolvers as there are: an unbound that validates, one that does not, one that ceases to,
and one elsewhere whose word nobody can check. The zones are those of test_mail."""
from lab import signed, wait
from lab.cases import case, same, table
from test_dane import metric, need_time_namespace
from test_mail import DANE, room

CHANGING = "127.0.0.48"  # an unbound that is started again with another configuration
LIAR = "198.18.0.54"  # not on loopback
METRICS = "inet:127.0.0.1:8468"

MATCHING = "matching TLSA"
PLAIN = "no TLSA, good certificate"
BOGUS = "bogus TLSA"
INSECURE = "MX insecure, TLSA mismatching"
TESTING = "testing, mismatching TLSA"
PERMITTED = "testing, no TLSA, self-signed"

# With a resolver that validates and is believed, with one that does not validate, with one
# that is not believed: % is what the policy alone leads to.
ANSWERS = {
    MATCHING: (DANE, "%", "%"),
    PLAIN: ("%", "%", "%"),
    BOGUS: ("TEMP", "%", "%"),
    INSECURE: ("%", "%", "%"),
    TESTING: ("NOTFOUND ", "OK may", "NOTFOUND "),
    PERMITTED: ("OK may", "OK may", "NOTFOUND "),
}
BELIEVED, OBLIVIOUS, DISTRUSTED = range(3)


def start(world, server, **settings):
    return world.stsd(dns_servers=server, metrics_listen=METRICS, **settings).start()


def check(world, stsd, column, titles=None):
    for title in titles or ANSWERS:
        place = room(world).places[title]
        expected = ANSWERS[title][column].replace("%", place.domain.secure)
        reply = stsd.ask(place.names["d"])
        same(reply[:4] if expected == "TEMP" else reply, expected, title)


def told(stsd, level, *words):
    """The last that the log says of the resolver."""
    def said():
        lines = [line for line in stsd.log().splitlines() if " dnssec " in line]
        return lines and all(word in lines[-1] for word in (f" {level} ", *words))
    wait.until(said, f"{level} in the log, and {words}")


@table("resolver", [
    # name, server, settings, answers, stsd_dnssec_ok, what the log says
    ("validates", signed.VALIDATING, {}, BELIEVED, 1.0, "info"),
    ("does not validate", signed.OBLIVIOUS, {}, OBLIVIOUS, 0.0, "warning"),
    ("one of two does not validate", f"{signed.VALIDATING} {signed.OBLIVIOUS}", {}, OBLIVIOUS,
     0.0, "warning"),
    ("validates, dnssec = off", signed.VALIDATING, {"dnssec": "off"}, DISTRUSTED, 0.0,
     "info"),
])
def resolver(world, server, settings, column, value, level):
    room(world)
    stsd = start(world, server, **settings)
    check(world, stsd, column)
    same(metric("stsd_dnssec_ok"), value, "the metric")
    told(stsd, level, server.split()[-1])


@table("resolver elsewhere sets AD on everything", [
    ("dnssec = auto", "auto", DISTRUSTED, 0.0, "warning"),
    ("dnssec = off", "off", DISTRUSTED, 0.0, "info"),
    ("dnssec = trust", "trust", BELIEVED, 1.0, "info"),
])
def liar(world, setting, column, value, level):  # pylint: disable=too-many-arguments
    """It takes the answers of a resolver that does not validate, and says AD."""
    made = room(world)
    if not hasattr(world, "liar"):
        world.liar = made.dns.lie(LIAR)
    stsd = start(world, LIAR, dnssec=setting)
    # That bogus records look good is what trust means.
    check(world, stsd, column, [MATCHING, TESTING])
    same(metric("stsd_dnssec_ok"), value, "the metric")
    told(stsd, level, LIAR)


@case("resolver ceases to validate, and begins again: nobody loses DANE in silence")
def ceases(world):
    need_time_namespace()
    made = room(world)
    made.dns.start_unbound(CHANGING)
    stsd = start(world, CHANGING)
    check(world, stsd, BELIEVED)
    told(stsd, "info", CHANGING)

    made.dns.start_unbound(CHANGING, validate=False)
    stsd.restart(20)
    # What was found before counts for as long as it lives.
    check(world, stsd, BELIEVED, [MATCHING, TESTING])
    told(stsd, "warning", CHANGING)
    wait.until(lambda: metric("stsd_dnssec_ok") == 0.0, "the metric says so")
    stsd.restart(400)
    check(world, stsd, OBLIVIOUS)
    told(stsd, "warning", CHANGING)

    made.dns.start_unbound(CHANGING)
    stsd.restart(1100)  # the self-test of before counted for ten minutes
    check(world, stsd, BELIEVED)
    told(stsd, "info", CHANGING)
    wait.until(lambda: metric("stsd_dnssec_ok") == 1.0, "the metric says so")


@case("resolver ceases to validate while stsd runs: seen before DANE is given up")
def ceases_running(world):
    need_time_namespace()
    made = room(world)
    made.dns.start_unbound(CHANGING)
    stsd = start(world, CHANGING)
    check(world, stsd, BELIEVED, [MATCHING])
    stsd.restart(400)
    wait.until(lambda: metric("stsd_dnssec_ok") == 1.0, "it has passed again")
    made.dns.start_unbound(CHANGING, validate=False)
    check(world, stsd, OBLIVIOUS, [MATCHING])
    wait.until(lambda: metric("stsd_dnssec_ok") == 0.0, "the metric says so")
    told(stsd, "warning", CHANGING)


@case("resolver dies while stsd runs: what is found counts, then the mail waits")
def dies(world):
    need_time_namespace()
    made = room(world)
    made.dns.start_unbound(CHANGING)
    stsd = start(world, CHANGING, dns_timeout="1s")
    check(world, stsd, BELIEVED, [MATCHING, PLAIN])
    made.dns.stop_unbound(CHANGING)
    check(world, stsd, BELIEVED, [MATCHING, PLAIN])
    stsd.restart(400)
    for title in (MATCHING, PLAIN):
        name = made.places[title].names["d"]
        same(stsd.ask(name)[:5], "TEMP ", title)
    same(stsd.ask(made.places[TESTING].names["d"]), "NOTFOUND ")
