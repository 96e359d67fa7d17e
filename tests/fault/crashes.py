#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All processes of an stsd are killed at random instants, while it learns and answers:
crashes.py [-n KILLS] [-s SEED] [--build FOLDER]

Whatever was answered once is answered for ever, though from then on only what was kept can
say it; a policy that changes never changes back; a domain with a policy is never told that
there is none; and the cache is never found damaged. Between two lives some minutes pass."""
import argparse
import os
import random
import shutil
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, ROOT + "/tests/e2e")

from lab import namespace, socketmap, wait  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "unshare")
DOMAINS = 48  # new ones for an empty cache; when all are known, it begins anew
ASKERS = 3
NEW = 2  # that an asker asks for in one life
ENDLESS = 1000000
LIFE_SECONDS = 0.25  # at most, after the answers were compared
YOUNG = 0.2  # so many are killed while they start
PAUSE = 400  # seconds: records are looked at again, and a policy may be fetched again
CHECKED = 6  # of all that was ever told; of the last life everything
RIGHT_SECONDS = 30


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=50, metavar="KILLS")
    parser.add_argument("-s", type=int, default=int(time.time()), metavar="SEED")
    parser.add_argument("--build", default=os.path.join(ROOT, os.environ.get("B", "build")))
    return parser.parse_args()


class Wrong(AssertionError):
    pass


class Changing:
    """A domain whose policy changes before each life."""

    def __init__(self, world):
        self.domain = world.domain()
        self.version = 0
        self.told = 0

    def change(self):
        self.version += 1
        self.domain.publish(id=str(self.version + 1),
                            mx=[f"mx{self.version}.{self.domain.name}"])

    def note(self, reply):
        """Any version but an older one than was told before."""
        if reply is None or reply.startswith("TEMP "):
            return
        for version in range(self.told, self.version + 1):
            host = f"mx{version}." if version else "mx."
            if reply == f"OK secure match={host}{self.domain.name} servername=hostname":
                self.told = version
                return
        raise Wrong(f"{self.domain.name} is told {reply!r}, after version {self.told}")


class Life:
    """The lives of one cache."""

    def __init__(self, world, domains, choice):
        self.world = world
        self.choice = choice
        self.domains = domains
        self.stsd = world.stsd(log_level="info", wildcards="loose")  # MX hosts do not matter
        self.lives = 0
        self.begin()

    def begin(self):
        """With an empty cache, in a world that is well."""
        shutil.rmtree(self.stsd.state, ignore_errors=True)
        self.world.dns.trouble.clear()
        for domain in self.domains:
            domain.web.how = "good"
        self.new = list(self.domains)
        self.told, self.lately = [], []
        self.victims, self.last = [], 0
        self.changing = Changing(self.world)

    def ask(self, name):
        """None: the connection was lost, or refused."""
        try:
            return self.stsd.ask(name, timeout=RIGHT_SECONDS)
        except (OSError, socketmap.Closed):
            return None

    def lose(self, domain):
        self.world.dns.fail(domain.record_name, "TXT", "servfail")
        domain.web.how = "500"

    def learn(self):
        """Asks for a domain that is new."""
        domain = self.new.pop()
        reply = self.ask(domain.name)
        if reply == domain.secure:
            self.lately.append(domain)
            if len(self.lately) == self.last:
                self.strike()
        elif reply is None or reply.startswith("TEMP "):
            self.new.insert(0, domain)
        else:
            raise Wrong(f"{domain.name}, never asked before, is told {reply!r}")

    def strike(self):
        """At once: what was answered just now must be safe already."""
        for pid in self.victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # all of them end with the first

    def ask_on(self, stop, wrong):
        """An asker's thread: some new domains, and others in between."""
        try:
            for left in range(NEW, -ENDLESS, -1):
                if stop.is_set():
                    return
                if left > 0 and self.new:
                    self.learn()
                elif self.told:
                    self.is_kept(self.told[left % len(self.told)])
                self.changing.note(self.ask(self.changing.domain.name))
        except IndexError:
            pass  # another one took the last
        except AssertionError as why:
            wrong.append(why)

    def is_kept(self, domain):
        reply = self.ask(domain.name)
        if reply not in (None, domain.secure) and not reply.startswith("TEMP "):
            raise Wrong(f"{domain.name} was told its policy, and now {reply!r}")
        return reply == domain.secure

    def compare(self):
        for domain in self.lately:
            self.lose(domain)
        wanted = self.lately + self.choice.sample(self.told, min(CHECKED, len(self.told)))
        self.told += self.lately
        self.lately = []
        for domain in wanted:
            wait.until(lambda domain=domain: self.is_kept(domain),
                       f"the policy of {domain.name}", RIGHT_SECONDS)
        aside = [name for name in os.listdir(self.stsd.state) if "damaged" in name]
        if aside:
            raise Wrong(f"the cache was found damaged: {aside}")

    def live(self):
        """One life, and its end."""
        self.lives += 1
        self.changing.change()
        self.stsd.launch(later=PAUSE * self.lives)
        if self.choice.random() < YOUNG:
            time.sleep(self.choice.random() * LIFE_SECONDS)  # the random instant
            self.stsd.kill()
            return
        wait.until(lambda: self.ask(".health") == "NOTFOUND ", "stsd answers", RIGHT_SECONDS)
        self.compare()
        roles = self.stsd.processes()
        self.victims = roles["resolver"] + roles["answerer"] + roles["supervisor"]
        self.last = self.choice.randint(1, 2 * ASKERS * NEW)  # often there are fewer
        stop, wrong = threading.Event(), []
        askers = [threading.Thread(target=self.ask_on, args=(stop, wrong))
                  for _ in range(ASKERS)]
        for asker in askers:
            asker.start()
        time.sleep(self.choice.random() * LIFE_SECONDS)  # the random instant
        stop.set()
        self.stsd.kill()
        for asker in askers:
            asker.join()
        if wrong:
            raise wrong[0]

    def check_all(self):
        """The last life of a cache: everything, after a long time."""
        self.lives += 1
        self.stsd.start(later=PAUSE * self.lives)
        self.told += self.lately
        for domain in self.lately:
            self.lose(domain)
        self.lately = []
        for domain in self.told:
            wait.until(lambda domain=domain: self.is_kept(domain),
                       f"the policy of {domain.name}", RIGHT_SECONDS)
        if self.stsd.stop() != 0:
            raise Wrong("it does not stop with 0")
        return len(self.told)


def skipped(reason):
    print(f"skipped fault/crashes: {reason}")
    print("0 passed, 0 failed, 1 skipped")
    return 1 if os.environ.get("REQUIRE_ALL") == "1" else 0


def give_up():
    print("fault/crashes: it hangs", flush=True)
    os._exit(1)


def main():
    wanted = arguments()
    try:
        namespace.enter(TOOLS)
    except namespace.Unavailable as reason:
        return skipped(reason)
    from lab import world as lab  # pylint: disable=import-outside-toplevel
    limit = threading.Timer(120 + 5 * wanted.n, give_up)
    limit.daemon = True
    limit.start()
    world = lab.World(wanted.build)
    life = Life(world, [world.domain() for _ in range(DOMAINS)], random.Random(wanted.s))
    kills = compared = 0
    try:
        while kills < wanted.n:
            life.live()
            kills += 1
            namespace.reap()
            if not life.new or kills == wanted.n:
                compared += life.check_all()
                life.begin()
    except AssertionError as why:
        print(f"failed after {kills} kills (-s {wanted.s}): {why}")
        print(life.stsd.log()[-4000:])
        life.stsd.kill()
        print(f"{kills} passed, 1 failed, 0 skipped", flush=True)
        return 1
    print(f"{compared} policies were kept")
    print(f"{kills} passed, 0 failed, 0 skipped", flush=True)
    return 0


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    os._exit(ended)  # without waiting for the threads of servers
