# SPDX-License-Identifier: MIT
"""Policies that change, vanish and expire. Time passes by starting stsd again with its boot
clock set forward: it must count a policy's age by that clock."""
import shlex
import subprocess
from time import monotonic

from lab import wait
from lab.cases import Skip, case, same, table

NOTFOUND = "NOTFOUND "
LATER = 400  # seconds: the record is due again, and the domain may be fetched again


def learn(world, domain, expected=None, **settings):
    stsd = world.stsd(**settings).start()
    same(stsd.ask(domain.name), expected or domain.secure)
    probe = ["unshare", "--time", "--boottime", "1", "--fork", "true"]
    if subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip("no time namespaces")
    return stsd


@case("a new id brings the new policy")
def new_id(world):
    domain = world.domain()
    stsd = learn(world, domain)
    domain.publish(id="2", mx=["mx." + domain.name, "new." + domain.name])
    stsd.restart(LATER)
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 2, "fetches")


@case("a new id is seen after five minutes, however long the record's TTL")
def long_ttl(world):
    domain = world.domain(ttl=86400)
    stsd = learn(world, domain)
    domain.publish(id="2", mode="none")
    stsd.restart(310)
    same(stsd.ask(domain.name), "OK may")


@case("without a new id the cached policy counts, and nothing is fetched")
def same_id(world):
    domain = world.domain()
    stsd = learn(world, domain)
    before = domain.secure
    domain.web.policy = domain.policy().replace(b"enforce", b"none")
    stsd.restart(LATER)
    same(stsd.ask(domain.name), before)
    same(domain.fetches(), 1, "fetches")
    same(world.dns.count(domain.record_name, "TXT"), 2, "TXT questions")


@case("within a minute of a fetch a new id waits")
def too_early(world):
    domain = world.domain(ttl=10)
    stsd = learn(world, domain)
    domain.publish(id="2", mode="none")
    stsd.restart(30)
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 1, "fetches")
    stsd.restart(90)
    same(stsd.ask(domain.name), "OK may")


def told(stsd, domain):
    """What the log says of the change: its level, and all fields but those of every line."""
    line = wait.until(lambda: [line for line in stsd.log().splitlines()
                               if f" policy-changed domain={domain.name} " in line],
                      "a word about the change")[-1]
    words = shlex.split(line)
    fields = dict(word.split("=", 1) for word in words[3:])
    return words[1], {name: fields[name] for name in fields if name not in ("domain", "role")}


ENFORCED = "the policy is no longer enforced"
SHORTER = "max_age is shorter than before"
OTHER_MX = "the set of MX hosts has changed"


@table("the policy changes", [
    # name, mode and max_age and MX hosts before, after; reason (None: nobody need know)
    ("enforce to none", ("enforce", 604800, "a b"), ("none", 604800, "a b"), ENFORCED),
    ("enforce to testing", ("enforce", 604800, "a b"), ("testing", 604800, "a b"), ENFORCED),
    ("and all else", ("enforce", 604800, "a b"), ("testing", 86400, "c"), ENFORCED),
    ("shorter max_age", ("enforce", 604800, "a b"), ("enforce", 604799, "a b"), SHORTER),
    ("shorter, of testing", ("testing", 604800, "a b"), ("testing", 86400, "a b"), SHORTER),
    ("longer max_age", ("enforce", 86400, "a b"), ("enforce", 604800, "a b"), None),
    ("one more MX host", ("enforce", 604800, "a b"), ("enforce", 604800, "a b c"), OTHER_MX),
    ("one MX host less", ("enforce", 604800, "a b"), ("enforce", 604800, "a"), OTHER_MX),
    ("another MX host", ("enforce", 604800, "a b"), ("enforce", 604800, "a c"), OTHER_MX),
    ("MX hosts in another order", ("enforce", 604800, "a b"), ("enforce", 604800, "b A b"), None),
    ("testing to none", ("testing", 604800, "a b"), ("none", 604800, "a b"), None),
    ("testing to enforce", ("testing", 604800, "a b"), ("enforce", 604800, "a b"), None),
    ("a new id for the same", ("enforce", 604800, "a b"), ("enforce", 604800, "a b"), None),
])
def changes(world, before, after, reason):
    """Both ids, and all that has changed."""
    def values(which):
        return {"mode": which[0], "max_age": which[1],
                "mx": [mx + ".example" for mx in which[2].split()]}

    def fields(which, number, old=""):
        return {old + "id": str(number), old + "mode": which[0],
                old + "max_age": str(which[1]), old + "mx": ",".join(values(which)["mx"])}

    domain = world.domain(record_id="11", **values(before))
    world.dns.replace(domain.name, "MX", (1, "a.example"))
    stsd = learn(world, domain, domain.secure if domain.mode == "enforce" else "OK may")
    domain.publish(id="22", **values(after))
    stsd.restart(LATER)
    stsd.ask(domain.name)
    expected = {**fields(before, 11, "old_"), **fields(after, 22)}
    if reason:
        expected["reason"] = reason
    same(told(stsd, domain), ("notice" if reason else "info", expected))


@case("the policy changes: under the same id, which a refresh finds, is told too")
def same_id_weaker(world):
    domain = world.domain(record_id="11")
    stsd = learn(world, domain)
    domain.publish(mode="none")
    stsd.restart(2 * 86400)
    level, fields = told(stsd, domain)
    same((level, fields["reason"], fields["old_id"], fields["id"]),
         ("notice", ENFORCED, "11", "11"))


@table("mode changes, seen beside the answer", [
    ("none to enforce", "none"), ("testing to enforce", "testing"),
])
def strengthened(world, before):
    domain = world.domain(mode=before)
    stsd = learn(world, domain, "OK may")
    domain.publish(id="2", mode="enforce")
    stsd.restart(LATER)
    stsd.ask(domain.name)
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the new policy counts")


@table("the record", [
    # name, what is there instead (None: nothing), or what goes wrong
    ("is removed", None, None), ("is doubled", ["v=STSv1; id=2;", "v=STSv1; id=3;"], None),
    ("is broken", ["v=STSv1; id=?;"], None), ("is another", ["v=spf1 -all"], None),
    ("SERVFAIL", None, "servfail"), ("REFUSED", None, "refused"), ("time-out", None, "drop"),
    ("garbage", None, "garbage"),
])
def record(world, records, trouble):
    domain = world.domain()
    stsd = learn(world, domain, txt_error="defer")
    world.dns.remove(domain.record_name, "TXT")
    if records:
        world.dns.add(domain.record_name, "TXT", *records)
    if trouble:
        world.dns.fail(domain.record_name, "TXT", trouble)
    stsd.restart(LATER)
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 1, "fetches")


@case("removed record, silent DNS: a live policy waits two seconds at most")
def silent_dns(world):
    domain = world.domain()
    stsd = learn(world, domain)
    world.dns.fail(domain.record_name, "TXT", "drop")
    stsd.restart(LATER)
    began = monotonic()
    same(stsd.ask(domain.name), domain.secure)
    if not 1.5 <= monotonic() - began <= 3.5:
        raise AssertionError(f"answered after {monotonic() - began:.1f} s")


@case("expired, record gone: no policy")
def expired(world):
    domain = world.domain(max_age=3600)
    stsd = learn(world, domain)
    world.dns.remove(domain.record_name)
    domain.web.how = "404"
    stsd.restart(3700)
    same(stsd.ask(domain.name), NOTFOUND)


@case("expired, record there: fetched again")
def expired_again(world):
    domain = world.domain(max_age=3600)
    stsd = learn(world, domain)
    stsd.restart(3700)
    same(stsd.ask(domain.name), domain.secure)
    wait.until(lambda: domain.fetches() >= 2, "a second fetch")


@case("almost expired: the policy counts")
def almost_expired(world):
    domain = world.domain(max_age=3600)
    stsd = learn(world, domain)
    domain.web.how = "404"
    stsd.restart(3500)
    same(stsd.ask(domain.name), domain.secure)


@case("refreshed after a day, whatever TXT says; then max_age counts from there")
def refreshed(world):
    domain = world.domain(max_age=3 * 86400)
    stsd = learn(world, domain)
    world.dns.remove(domain.record_name)
    stsd.restart(2 * 86400)
    wait.until(lambda: domain.fetches() == 2, "a refresh")
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "still enforced")
    domain.web.how = "404"
    stsd.restart(4 * 86400)
    same(stsd.ask(domain.name), domain.secure)


@case("a failed refresh changes nothing")
def refresh_fails(world):
    domain = world.domain(max_age=30 * 86400)
    stsd = learn(world, domain)
    domain.web.how = "404"
    stsd.restart(2 * 86400)
    wait.until(lambda: domain.fetches() == 2, "a refresh")
    same(stsd.ask(domain.name), domain.secure)
    stsd.restart(29 * 86400)
    same(stsd.ask(domain.name), domain.secure)


@case("a policy that nobody asks for is refreshed no more, and counts until it expires")
def unused(world):
    domain = world.domain(max_age=300 * 86400)
    stsd = learn(world, domain, log_level="debug")
    stsd.restart(40 * 86400)  # due since the second day, when it was in use
    looked = " looked domain=" + domain.name
    wait.until(lambda: stsd.log().count(looked) == 2, "a last refresh, stored")
    same(domain.fetches(), 2, "fetches")
    stsd.restart(80 * 86400)
    stsd.restart(120 * 86400)
    same(domain.fetches(), 2, "fetches")
    same(stsd.ask(domain.name), domain.secure)


@case("failures are remembered over a restart")
def failure_kept(world):
    domain = world.domain(how="404")
    stsd = learn(world, domain, NOTFOUND)
    stsd.restart(200)
    same(stsd.ask(domain.name), NOTFOUND)
    same(domain.fetches(), 1, "fetches")
    domain.web.how = "good"
    stsd.restart(400)
    same(stsd.ask(domain.name), domain.secure)


@case("a domain that has moved: no host fits, so the policy is fetched once more")
def moved(world):
    domain = world.domain()
    stsd = learn(world, domain)
    domain.mx = ["mx.moved.example"]
    world.dns.replace(domain.name, "MX", (1, "mx.moved.example"))
    domain.web.policy = domain.policy()  # under the old id
    stsd.restart(2 * 3600)
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 2, "fetches")
