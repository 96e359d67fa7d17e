# SPDX-License-Identifier: MIT
"""What becomes of the mail: signed and unsigned zones under a root of ours, a validating
unbound, Postfix 3.7 with QUERY and Postfix 3.10 with QUERYwithTLSRPT, both with
smtp_tls_security_level = dane."""
from lab import mailroom, wait
from lab.cases import case, contains, same, table
from lab.mailroom import Host
from lab.tlsrpt import EXPIRED, MISMATCH, NO_POLICY, NO_STARTTLS, STS, TLSA, UNTRUSTED, UNVALIDATED

DANE = "OK dane-only"
TEMP = "TEMP {d}: "
NO_MATCH = "OK secure match=no-mx-matches-the-policy.invalid servername=hostname"
MX = "mx.{d}"
DEFERRED = ("deferred", None, None)


def secure(*names):
    return f"OK secure match={':'.join(names)} servername=hostname"


def sent(host=MX, level="Verified"):
    return ("sent", host, level)


# Name; zone, policy and mail hosts, and more for Mailroom.add(); stsd's answer to QUERY; what
# becomes of the mail with Postfix 3.7, and with 3.10 if not the same: (fate, where it
# arrives, how that connection was secured).
ROWS = [
    # DANE applies: whatever MTA-STS would say, TLSA records decide.
    ("matching TLSA", ("signed", [MX], [Host(tlsa="right", certificate="self")]),
     DANE, sent()),
    ("matching TLSA, certificate of another name", (
        "signed", [MX], [Host(tlsa="right", certificate="stranger", names=["x.example"])]),
     DANE, sent()),
    ("mismatching TLSA, certificate valid for MTA-STS", (
        "signed", [MX], [Host(tlsa="wrong")]), DANE, DEFERRED),
    ("matching TLSA, no STARTTLS", (
        "signed", [MX], [Host(tlsa="right", starttls=False)]), DANE, DEFERRED),
    ("matching TLSA, MX outside the policy", (
        "signed", ["other.{d}"], [Host(tlsa="right", certificate="self")]), DANE, sent()),
    ("TLSA by a secure alias", (
        "signed", [MX], [Host(tlsa="alias", certificate="self")]), DANE, sent()),
    ("MX host a secure alias, TLSA at its end", (
        "signed", [MX], [Host(alias="end.{d}", tlsa="right", at="end.{d}",
                              certificate="self")]), DANE, sent()),
    ("MX host a secure alias, TLSA at its name", (
        "signed", [MX], [Host(alias="end.{d}", tlsa="right", certificate="self")]),
     DANE, sent()),
    ("two hosts, the second with TLSA", (
        "signed", ["a.{d}", "b.{d}"], [Host("a.{d}"), Host("b.{d}", tlsa="right")]),
     DANE, sent("b.{d}")),
    ("two hosts, the first mismatching", (
        "signed", ["a.{d}", "b.{d}"], [Host("a.{d}", tlsa="wrong"), Host("b.{d}")]),
     DANE, DEFERRED),
    ("two hosts, TLSA of the second fails", (
        "signed", ["a.{d}", "b.{d}"],
        [Host("a.{d}", tlsa="right"), Host("b.{d}", tlsa="bogus")]), DANE, sent("a.{d}")),
    ("implicit MX with TLSA", (
        "signed", ["{d}"], [Host("{d}", tlsa="right", certificate="self")], []),
     DANE, sent("{d}")),

    # DANE does not apply: the policy decides.
    ("no TLSA, good certificate", ("signed", [MX], [Host()]), secure(MX), sent()),
    ("no TLSA, unknown authority", (
        "signed", [MX], [Host(certificate="stranger")]), secure(MX), DEFERRED),
    ("expired certificate", (
        "signed", [MX], [Host(certificate="expired")]), secure(MX), DEFERRED),
    ("unusable TLSA, good certificate", (
        "signed", [MX], [Host(tlsa="unusable")]), secure(MX), sent()),
    ("unusable TLSA, unknown authority", (
        "signed", [MX], [Host(tlsa="unusable", certificate="stranger")]), secure(MX), DEFERRED),
    ("TLSA by an insecure alias", (
        "signed", [MX], [Host(tlsa="insecure alias")]), secure(MX), sent()),
    ("MX host an insecure alias", (
        "signed", [MX], [Host(alias="end.{u}", tlsa="right", at="end.{u}")]),
     secure(MX), sent()),
    ("MX host insecure", (
        "signed", ["mx.{u}"], [Host("mx.{u}", tlsa="right")]),
     secure("mx.{u}"), sent("mx.{u}")),
    ("MX host insecure, its TLSA lame", (
        "signed", ["mx.{u}"], [Host("mx.{u}", tlsa="lame")]),
     secure("mx.{u}"), sent("mx.{u}")),
    ("MX insecure, TLSA mismatching", (
        "unsigned", ["mx.{s}"], [Host("mx.{s}", tlsa="wrong")]),
     secure("mx.{s}"), sent("mx.{s}")),
    ("MX insecure, its host's TLSA silent", (
        "unsigned", ["mx.{s}"], [Host("mx.{s}", tlsa="silent")]),
     secure("mx.{s}"), sent("mx.{s}")),
    ("implicit MX without TLSA", ("signed", ["{d}"], [Host("{d}")], []),
     secure("{d}"), sent("{d}")),
    ("null MX", ("signed", [MX], [], [""]), secure(MX), ("bounced", None, None)),

    # Nobody can tell: the mail waits.
    ("bogus TLSA", ("signed", [MX], [Host(tlsa="bogus")]),
     TEMP + "TLSA lookup failed for mx.{d} (SERVFAIL, EDE 6)", DEFERRED),
    ("lame TLSA", ("signed", [MX], [Host(tlsa="lame")]),
     TEMP + "TLSA lookup failed for mx.{d} (SERVFAIL)", DEFERRED),
    ("silent TLSA", ("signed", [MX], [Host(tlsa="silent")]),
     TEMP + "TLSA lookup failed for mx.{d} (timeout)", DEFERRED),
    ("no TLSA and bogus TLSA", (
        "signed", ["a.{d}", "b.{d}"], [Host("a.{d}"), Host("b.{d}", tlsa="bogus")]),
     TEMP + "TLSA lookup failed for b.{d} (SERVFAIL, EDE 6)", DEFERRED),

    # MX names (RFC 8461 section 4.1).
    ("spoofed first MX, itself with DANE", (
        "unsigned", [MX], [Host("evil.{s}", tlsa="right", certificate="self"), Host()]),
     secure(MX), sent()),
    ("spoofed first MX, certificate of its own", (
        "unsigned", [MX], [Host("evil.{s}"), Host()]), secure(MX), sent()),
    ("MX outside the policy", (
        "unsigned", [MX], [Host("evil.{s}")]), NO_MATCH, DEFERRED),
    ("MX outside the policy, certificate names an allowed host", (
        "unsigned", [MX], [Host("evil.{s}", names=["evil.{s}", MX])]), NO_MATCH, DEFERRED),
    # The one gap that Postfix leaves open before 3.10.5, and the manual says so.
    ("MX outside the policy, certificate names an allowed host, beside one that fits", (
        "unsigned", [MX], [Host("evil.{s}", names=["evil.{s}", MX]), Host(up=False)]),
     secure(MX), sent("evil.{s}"), DEFERRED),
    ("wildcard", ("unsigned", ["*.{d}"], [Host("a.{d}"), Host("b.{d}")]),
     secure("a.{d}", "b.{d}"), sent("a.{d}")),
    ("MX inside a wildcard by two labels", (
        "unsigned", ["*.{d}"], [Host("a.b.{d}")]), NO_MATCH, DEFERRED),
    ("MX inside a wildcard by two labels, beside one that fits", (
        "unsigned", ["*.{d}"], [Host("a.b.{d}"), Host("c.{d}")]), secure("c.{d}"), sent("c.{d}")),
    ("certificate with a wildcard", (
        "unsigned", ["*.{d}"], [Host("a.{d}", names=["*.{d}"])]), secure("a.{d}"), sent("a.{d}")),
    ("certificate with a wildcard above", (
        "unsigned", ["*.b.{d}"], [Host("a.b.{d}", names=["*.{d}"])]),
     secure("a.b.{d}"), DEFERRED),

    # Next hops.
    ("[host], TLSA", (
        "signed", ["{d}"], [Host("{d}", tlsa="right", certificate="self")], [], "enforce",
        "[{d}]"), DANE, sent("{d}")),
    ("[host], mismatching TLSA", (
        "signed", ["{d}"], [Host("{d}", tlsa="wrong")], [], "enforce", "[{d}]"),
     DANE, DEFERRED),
    ("[host], no TLSA", (
        "signed", ["{d}"], [Host("{d}")], [], "enforce", "[{d}]"), secure("{d}"), sent("{d}")),
    ("host:587, TLSA there", (
        "signed", [MX], [Host(tlsa="right", certificate="self", port=587)], None, "enforce",
        "{d}:587"), DANE, sent()),
    ("[host]:587, no TLSA there", (
        "signed", ["{d}"], [Host("{d}", port=587)], [], "enforce", "[{d}]:587"),
     secure("{d}"), sent("{d}")),

    # Testing and none weaken nothing.
    ("testing, no TLSA, self-signed", (
        "signed", [MX], [Host(certificate="self")], None, "testing"),
     "OK may", sent(level="Untrusted")),
    ("testing, no TLSA, no STARTTLS", (
        "signed", [MX], [Host(starttls=False)], None, "testing"), "OK may", sent(level=None)),
    ("testing, matching TLSA", (
        "signed", [MX], [Host(tlsa="right", certificate="self")], None, "testing"),
     "NOTFOUND ", sent()),
    ("testing, mismatching TLSA", (
        "signed", [MX], [Host(tlsa="wrong")], None, "testing"), "NOTFOUND ", DEFERRED),
    ("testing, MX insecure, mismatching TLSA", (
        "unsigned", ["mx.{s}"], [Host("mx.{s}", tlsa="wrong")], None, "testing"),
     "NOTFOUND ", None),
    ("testing, bogus TLSA", (
        "signed", [MX], [Host(tlsa="bogus")], None, "testing"), "NOTFOUND ", DEFERRED),
    ("none, mismatching TLSA", (
        "signed", [MX], [Host(tlsa="wrong")], None, "none"), "NOTFOUND ", DEFERRED),
]


# What Postfix 3.10 reports (RFC 8460) about mail that did not go; where it has not spoken to
# any mail host it reports nothing.
FAILURES = {
    "mismatching TLSA, certificate valid for MTA-STS": UNTRUSTED,
    "matching TLSA, no STARTTLS": NO_STARTTLS,
    "two hosts, the first mismatching": UNTRUSTED,
    "no TLSA, unknown authority": UNVALIDATED,
    "unusable TLSA, unknown authority": UNVALIDATED,
    "expired certificate": EXPIRED,
    "certificate with a wildcard above": MISMATCH,
    "[host], mismatching TLSA": UNTRUSTED,
    "testing, mismatching TLSA": UNTRUSTED,
    "none, mismatching TLSA": UNTRUSTED,
}

# Lines of a policy, and what of them is told to Postfix.
ODD_LINES = (
    ("version: STSv1", "version: STSv1"),
    ("mode:\tenforce", "mode: enforce"),
    ("mx: " + MX, "mx: " + MX),
    ("", None),
    ("x: } match=evil.example {", None),
    ("x: {", None),
    ("x: gr\u00fc\u00dfe", None),
    ("x: a, b = c", "x: a, b = c"),
    ("max_age: 86400 ", "max_age: 86400"),
)


def room(world):
    """All rows' domains, signed and served; made when the first case wants them."""
    if not hasattr(world, "mailroom"):
        made = mailroom.Mailroom(world)
        made.places = {title: made.add(f"c{number}", *what)
                       for number, (title, what, *_) in enumerate(ROWS)}
        odd = made.places["odd"] = made.add("odd", "signed", [MX], [Host()])
        odd.domain.web.policy = "".join(
            line.replace("{d}", odd.names["d"]) + "\n" for line, _ in ODD_LINES).encode()
        world.mailroom = made.start()
    return world.mailroom


def key_of(place, what):
    nexthop = what[5] if len(what) > 5 else None
    return place.text(nexthop or "{d}")


@table("answer", [(row[0], row) for row in ROWS])
def answer(world, row):
    made = room(world)
    place = made.places[row[0]]
    key, reply = key_of(place, row[1]), place.text(row[2])
    same(made.stsd.ask(key), reply)
    more = place.domain.reported if reply.startswith("OK secure") else ""
    same(made.stsd.ask(key, "QUERYwithTLSRPT"), reply + more)


def deliver(world, row, version):
    made = room(world)
    place = made.places[row[0]]
    fates = row[3:]
    expected = fates[-1] if version == "3.10" else fates[0]
    if expected is None:
        return
    fate, host, level = expected
    postfix = made.postfix(version)
    recipient = f"v{version.replace(' ', '-')}@{place.names['d']}"
    postfix.send(recipient)
    became = postfix.wait_for_fate(recipient)
    same(became[0], fate, became[1])
    arrived = [address for address, _, _ in world.smtp.received(recipient)]
    same(arrived, [place.address[place.text(host)]] if host else [], "where it arrived")
    if host:
        same(postfix.tls_of(place.text(host)), level, "TLS")
    if place.text(row[2]).startswith("TEMP"):
        contains(postfix.log(), place.text(row[2])[len("TEMP "):], "Postfix's log")


@table("3.7", [(row[0], row) for row in ROWS])
def postfix37(world, row):
    deliver(world, row, "3.7")


# With smtp_tls_security_level = may: what is found out for DANE protects all the same.
LEVEL_MAY = {
    "matching TLSA": sent(),
    "mismatching TLSA, certificate valid for MTA-STS": DEFERRED,
    "no TLSA, unknown authority": DEFERRED,
    "bogus TLSA": DEFERRED,
    "testing, mismatching TLSA": sent(level="Trusted"),
    "testing, no TLSA, self-signed": sent(level="Untrusted"),
}


@table("3.7, level may", [(row[0], row) for row in ROWS if row[0] in LEVEL_MAY])
def postfix37_may(world, row):
    deliver(world, (*row[:3], LEVEL_MAY[row[0]]), "3.7 may")


@table("3.10", [(row[0], row) for row in ROWS])
def postfix310(world, row):
    deliver(world, row, "3.10")
    title, _, reply, fate = row[0], row[1], row[2], row[-1]
    if fate is None:
        return
    place, postfix = room(world).places[title], room(world).postfix("3.10")
    if "outside" in title and reply != DANE:
        contains(postfix.log(), f"{place.text('evil.{s}')}' does not match STS MX pattern for "
                 f"'{place.names['d']}'", "Postfix's log")
    went = fate[0] == "sent"
    if title in FAILURES or (went and "no STARTTLS" not in title):
        report(world, place, kind_of(reply, title), None if went else FAILURES[title])
    else:
        same(room(world).report_about(place.names["d"]), None, "the report")


def kind_of(reply, title):
    if reply.startswith("OK secure"):
        return STS
    return TLSA if reply == DANE or " TLSA" in title and "no TLSA" not in title else NO_POLICY


def report(world, place, kind, failure):
    domain = place.domain
    told = wait.until(lambda: room(world).report_about(domain.name), "a report")
    same(len(told["policies"]), 1, "policies")
    policy = told["policies"][0]
    same(policy["policy-type"], kind, "the policy's type")
    same([one["c"] for one in policy.get("failure-details", ())],
         [] if failure is None else [failure], "failures")
    if kind == STS:
        same(policy["policy-domain"], domain.name)
        same(policy["mx-host"], domain.mx)
        same(policy["policy-string"], domain.policy().decode().splitlines())


@case("3.10: of odd policy lines those are reported that can be told")
def odd_lines(world):
    made = room(world)
    place, postfix = made.places["odd"], made.postfix("3.10")
    postfix.send("you@" + place.names["d"])
    same(postfix.wait_for_fate("you@" + place.names["d"])[0], "sent")
    told = wait.until(lambda: made.report_about(place.names["d"]), "a report")
    same(told["policies"][0]["policy-string"],
         [line.replace("{d}", place.names["d"]) for _, line in ODD_LINES if line is not None])
