# SPDX-License-Identifier: MIT
"""stsd-query DOMAIN beside a daemon: what is cached, held against what is published."""
from lab import diagnosis, wait
from lab.cases import case, contains, same, table
from lab.control import daemon_with_socket, tell
from test_query import healthy

DAY = 86400


class Both:
    """A daemon that has looked at a domain once, and stsd-query beside it."""

    def __init__(self, world, **more):
        world.dns.validates = True
        self.world = world
        self.domain = healthy(world, **more)
        self.stsd = daemon_with_socket(world).start()
        self.stsd.ask(self.domain.name)

    def later(self, seconds):
        """Starts the daemon again with its clock set forward."""
        self.stsd.restart(later=seconds)
        return self

    def look(self, *options):
        told = tell(self.stsd, "--json", *options, self.domain.name)
        seen = diagnosis.read(told.out)
        text = tell(self.stsd, *options, self.domain.name)
        same((text.status, seen["exit_code"]), (told.status, told.status), "statuses")
        seen["ids"] = [finding["id"] for finding in seen["findings"]]
        for name in seen["ids"]:
            contains(text.out, name)
        seen["text"] = text.out
        return seen


@case("nothing has changed")
def unchanged(world):
    both = Both(world)
    seen = both.look("-v")
    same((seen["tool"]["mode"], seen["tool"]["daemon_error"]), ("daemon", None))
    same(seen["tool"]["version"], seen["tool"]["daemon_version"], "versions")
    cache = seen["cache"]
    same((cache["id"], cache["mode"], cache["live"], cache["differs_from_live"],
          cache["decides"], cache["failures"], cache["last_result"]),
         ("1", "enforce", True, False, False, 0, "ok"))
    same(cache["backoff_until"], None)
    contains(str(seen["ids"]), "CAC01")
    same([i for i in seen["ids"] if i.startswith("CAC") and i != "CAC01"], [])
    contains(seen["text"], "Cache      id 1, enforce, fetched ")


@case("nothing is cached of it")
def not_cached(world):
    both = Both(world)
    tell(both.stsd, "--forget", both.domain.name)
    seen = both.look()
    same((seen["cache"], seen["tool"]["mode"]), (None, "daemon"))


@case("asking stsd-query does not change what the daemon does")
def no_use(world):
    both = Both(world)
    before = both.domain.fetches()
    shown = tell(both.stsd, "--json", "--list").out
    both.look()
    same(both.domain.fetches() - before, 2, "fetches of two looks")
    same(tell(both.stsd, "--json", "--list").out, shown)
    both.world.dns.asked.clear()
    both.stsd.ask(both.domain.name)
    same(both.domain.questions(), {}, "questions for a cached answer")


def changed_policy(both):
    """Under the same id."""
    both.domain.mx = [both.domain.mx[0], "mx2." + both.domain.name]
    both.domain.web.policy = both.domain.policy()


def changed_id(both):
    changed_policy(both)
    both.domain.publish(id="2")


def changed_id_only(both):
    both.domain.publish(id="2")


def unreachable(both):
    both.domain.publish(id="2")
    both.domain.web.how = "404"


def withdrawn(both):
    both.world.dns.remove(both.domain.record_name)


def record_fails(both):
    both.world.dns.fail(both.domain.record_name, "TXT", "servfail", ede=22)


def moved(both):
    both.domain.mx = ["new." + both.domain.name]
    both.world.dns.add(both.domain.mx[0], "A", "198.18.2.1")
    both.world.dns.replace(both.domain.name, "MX", (1, both.domain.mx[0]))
    both.domain.publish(id="2")


@table("since then", [
    # name, what has changed, what is said of it, exit status, does the cached one decide?
    ("the policy, under the same id", changed_policy, ["TXT09", "CAC05"], 2, False),
    ("the policy and its id", changed_id, ["CAC05"], 0, False),
    ("the policy host is broken", unreachable, ["TXT11", "CAC08"], 3, True),
    ("the record is gone", withdrawn, ["CAC08"], None, True),
    ("the record lookup fails", record_fails, ["CAC08"], None, True),
    ("the mail hosts, and the policy with them", moved, ["CAC05", "MXP05"], 0, False),
])
def since(world, change, expected, status, decides):
    both = Both(world)
    change(both)
    seen = both.look()
    got = [i for i in expected if i in seen["ids"]]
    same(got, expected, f"what is said ({seen['ids']})")
    if status is not None:
        same(seen["exit_code"], status, f"exit status ({seen['ids']})")
    same(seen["cache"]["decides"], decides, "decides")
    same(seen["postfix"]["query"][:9], "OK secure", "the reply")


@case("what it foretells is what the daemon answers, once it has looked again")
def foretold(world):
    both = Both(world)
    changed_id(both)
    seen = both.look()
    both.later(400)  # the record's TTL is over, and the minute without a second fetch
    wait.until(lambda: both.stsd.ask(both.domain.name) == seen["postfix"]["query"],
               "the same reply")


@case("a fetch has failed: back-off, and what ends it")
def back_off(world):
    both = Both(world)
    unreachable(both)
    both.later(400)
    same(both.stsd.ask(both.domain.name)[:9], "OK secure")
    seen = both.look()
    contains(str(seen["ids"]), "CAC02")
    same(seen["cache"]["failures"], 1, "failures")
    same(bool(seen["cache"]["backoff_until"]), True, "until when")
    both.domain.web.how = "good"
    same(tell(both.stsd, "--refresh", both.domain.name).status, 0, "status of --refresh")
    seen = both.look()
    same(("CAC02" in seen["ids"], seen["cache"]["failures"]), (False, 0))


@case("the cached policy has expired, and there is no other")
def expired(world):
    both = Both(world, max_age=2 * DAY)
    both.domain.web.how = "404"
    both.later(3 * DAY)
    seen = both.look()
    same((seen["cache"]["live"], seen["postfix"]["query"]), (False, "NOTFOUND "))
    same(both.stsd.ask(both.domain.name), "NOTFOUND ")


@case("refreshes have failed for days")
def failing(world):
    both = Both(world)
    both.domain.web.how = "404"
    both.later(2 * DAY)
    wait.until(lambda: both.domain.fetches() >= 2, "a refresh is tried", 20)
    wait.until(lambda: "CAC03" in both.look()["ids"], "it is told", 10)


@case("no daemon: said, and gone on without")
def no_daemon(world):
    both = Both(world)
    both.stsd.kill()
    seen = both.look()
    same((seen["tool"]["mode"], seen["cache"], seen["exit_code"]), ("direct", None, 0))
    same(seen["ids"], ["ENV08"])
    contains(seen["tool"]["daemon_error"], "no stsd listens there")
