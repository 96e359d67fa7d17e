# SPDX-License-Identifier: MIT
"""README.md, Troubleshooting: every line that is quoted there is one that Postfix or stsd
really writes, for the reason that is given."""
import os
import re

from lab import debian13
from lab.control import daemon_with_socket
from lab.cases import Skip, case, contains, same, table
from lab.world import WEB_SILENT
from test_dane import add_host
from test_events import STORIES
from test_postfix import mail_host, postfix_and_stsd

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# After 100 seconds, seen by hand: nobody waits for that here.
UNTRIED = {"lookup error: time limit exceeded"}


def enforced(world, host="mx.{}", **more):
    """A domain; its MX record says host, where the policy has mx."""
    domain = world.domain()
    host = host.format(domain.name)
    world.dns.replace(domain.name, "MX", (10, host))
    mail_host(world, host.partition(".")[2], **more)
    return domain


def signed(world, kind):
    """A signed domain; its mail host is one of those of test_dane."""
    world.dns.validates = True
    domain = world.domain()
    host = "mx." + domain.name
    world.dns.sign(domain.name, host)
    add_host(world, host, kind)
    mail_host(world, domain.name)
    return domain


def policy_maps(value):
    return {"smtp_tls_policy_maps": value}


def late(world):
    domain = world.domain(addresses=(WEB_SILENT,))
    mail_host(world, domain.name)
    return domain


DNSSEC = {"smtp_dns_support_level": "dnssec"}
NO_ANCHORS = {"smtp_tls_CAfile": ""}
ROWS = [
    # name, what is quoted, domain, Postfix's settings, stsd's (None: it does not run)
    ("no STARTTLS", ["TLS is required, but was not offered by host mx.example.org"],
     lambda world: enforced(world, starttls=False), {}, {}),
    ("unknown authority", ["certificate verification failed for mx.example.org",
                           "untrusted issuer"],
     lambda world: enforced(world, kind="stranger"), {}, {}),
    ("self-signed", ["certificate verification failed for mx.example.org",
                     "self-signed certificate"],
     lambda world: enforced(world, kind="self"), {}, {}),
    ("no anchors", ["untrusted issuer"], enforced, NO_ANCHORS, {}),
    ("expired", ["certificate has expired"],
     lambda world: enforced(world, kind="expired"), {}, {}),
    ("another name", ["num=62:hostname mismatch", "Server certificate not verified"],
     lambda world: enforced(world, names=["mx.other.example"]), {}, {}),
    ("MX outside the policy", ["num=62:hostname mismatch", "Server certificate not verified"],
     lambda world: enforced(world, host="mx.elsewhere.{}"), {}, {}),
    ("TLSA of another key", ["num=65:no matching DANE TLSA records"],
     lambda world: signed(world, "U"), DNSSEC, {"dane": "on"}),
    ("Postfix does no DNSSEC", ["dane-only configured with dnssec lookups disabled"],
     lambda world: signed(world, "U"), {}, {"dane": "on"}),
    ("TLSA lookup fails", ["socketmap server temporary error: example.org: TLSA lookup failed "
                           "for mx.example.org (SERVFAIL)"],
     lambda world: signed(world, "F"), DNSSEC, {"dane": "on"}),
    ("a slow policy host",
     ["socketmap server temporary error: example.org: policy fetch in progress"],
     late, {}, {"answer_timeout": "1s"}),
    ("stsd does not run",
     ["table socketmap:inet:127.0.0.1:8461:QUERY lookup error: Connection refused"],
     enforced, {}, None),
    ("no such socket", ["lookup error: No such file or directory"], enforced,
     policy_maps("socketmap:unix:/run/stsd/none:QUERY"), None),
    ("not allowed", ["lookup error: unexpected disconnect"], enforced,
     policy_maps("socketmap:inet:198.18.0.1:8461:QUERY"),
     {"listen": "inet:*:8461", "allow_clients": "127.0.0.0/8"}),
    ("unknown map", ["socketmap server permanent error: unknown map name"], enforced,
     policy_maps("socketmap:inet:127.0.0.1:8461:postifx"), {}),
    ("another Postfix's map", ['invalid attribute name: "policy_type"'], enforced,
     policy_maps("socketmap:inet:127.0.0.1:8461:QUERYwithTLSRPT"), {}),
]
OTHER_RESOLVER = "non DNSSEC destination"
OUTSIDE = "MX name 'mx.elsewhere.example.org' does not match STS MX pattern for 'example.org'"


def holds(postfix, domain, quotes):
    """Sends a mail, and looks for the quotes in what Postfix says of it."""
    postfix.send("you@" + domain.name)
    became = postfix.wait_for_fate("you@" + domain.name)
    same(became[0], "deferred", became[1])
    for quote in quotes:
        contains(postfix.log().replace(domain.name, "example.org"), quote, "Postfix's log")


@table("Postfix logs", ROWS)
def postfix_logs(world, quotes, make, settings, stsd_settings):
    domain = make(world)
    postfix, stsd = postfix_and_stsd(world, settings, **(stsd_settings or {}))
    if stsd_settings is None:
        stsd.stop()
    holds(postfix, domain, quotes)


@case("Postfix logs: another resolver than stsd's, which does not validate")
def another_resolver(world):
    domain = signed(world, "U")
    world.dns.plain_servers.add("127.0.0.2")
    postfix, _ = postfix_and_stsd(world, {**DNSSEC, "resolver": "127.0.0.2"}, dane="on")
    holds(postfix, domain, [OTHER_RESOLVER])


@case("Postfix 3.10 logs: MX outside the policy")
def outside(world):
    if debian13.missing():
        raise Skip(debian13.missing())
    domain = enforced(world, host="mx.elsewhere.{}")
    world.stsd().start()
    postfix = world.postfix(root=debian13.enter(), name="QUERYwithTLSRPT").start()
    holds(postfix, domain, [OUTSIDE])


@case("an MX host outside the policy is told by the reply")
def reply(world):
    domain = enforced(world, host="mx.elsewhere.{}")
    contains(world.stsd().start().ask(domain.name), "no-mx-matches-the-policy.invalid")


def quoted(heading):
    """What stands in the first column of a table of README.md, and what is said of it."""
    with open(ROOT + "/README.md", encoding="utf-8") as file:
        rows = file.read().split(heading)[1].split("\n\n")[0].splitlines()[2:]
    return {quote for row in rows for quote in re.findall(r"`([^`]*)`", row.split(" | ")[0])}


@case("README.md: all that Postfix is said to log is provoked here")
def all_provoked(_world):
    provoked = {quote for row in ROWS for quote in row[1]} | {OTHER_RESOLVER, OUTSIDE}
    same(quoted("| Postfix logs "), provoked | UNTRIED)


@case("README.md: stsd logs these, at these levels")
def stsd_logs(world):
    wanted = quoted("| stsd logs ")
    same(len(wanted) >= 10, True, "a table")
    for quote in sorted(wanted - {"error process-hangs"}):  # half a minute: test_events has it
        stories = [story for events, story in STORIES if quote.split(" ")[1] in events]
        same(any(f" {quote} " in told(world, story) for story in stories), True, quote)


def told(world, story):
    """All that stsd logs of it."""
    made = []

    def stsd(**settings):
        made.append(daemon_with_socket(world, **settings))
        return made[-1]
    story(world, stsd)
    for one in made:
        one.kill()
    return "".join(one.log() for one in made)
