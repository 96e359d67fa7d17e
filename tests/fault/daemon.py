#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A whole stsd, started, asked and stopped again and again, while each time another call of
one of its processes fails: daemon.py [-n RUNS] [-k PART] [--build FOLDER]

Where page.c, memory.c, calls.c, store.c and disk.c are linked in, the n-th call of a kind
fails as the page beside the programs says: once, or five times in a row. At worst that
costs one TEMP, or one lost connection; or stsd says cleanly that it cannot start, and can
the next time. Nobody is ever told anything wrong, nothing that was kept is lost, and what
did not work works when it is asked for again."""
import argparse
import mmap
import os
import shutil
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, ROOT + "/tests/e2e")

from lab import namespace, socketmap, wait  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "unshare")
ROLES = ("supervisor", "answerer", "resolver")
KINDS = ("memory", "write", "map", "fork", "accept", "random", "descriptor", "store", "disk")
PAGE = struct.Struct("=IIQQQ32s" + f"{len(ROLES) * len(KINDS)}Q")  # page.c
IN_A_ROW = 5
NOTFOUND = "NOTFOUND "
START_SECONDS = 30
RIGHT_SECONDS = 75  # what could not be looked up is asked for again after 30, or 60
STOP_SECONDS = 15
CANNOT_START = (69, 70)  # never 78: there is nothing to mend in the settings


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, metavar="RUNS")
    parser.add_argument("-k", default="", metavar="PART", help="only faults with this in the name")
    parser.add_argument("-v", action="store_true", help="a line for each run")
    parser.add_argument("--build", default=os.path.join(ROOT, os.environ.get("B", "build")))
    return parser.parse_args()


class Page:
    def __init__(self, path):
        with open(path, "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self.bytes = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        os.chmod(path, 0o666)

    def plan(self, fault):
        """None: nothing fails."""
        role, kind, nth, length = fault or (0, 0, 0, 0)
        self.bytes[:PAGE.size] = PAGE.pack(role, kind, nth, length, 0, b"",
                                           *[0] * len(ROLES) * len(KINDS))

    def struck(self):
        """(how often, the call that failed first)"""
        told = PAGE.unpack(self.bytes[:PAGE.size])
        return told[4], told[5].rstrip(b"\0").decode()

    def calls(self):
        """{(role, kind): how many}"""
        told = PAGE.unpack(self.bytes[:PAGE.size])[6:]
        return {divmod(i, len(KINDS)): count for i, count in enumerate(told) if count}


def spread(calls, runs):
    """That many faults, rare calls all, of frequent ones some from the first to the last."""
    faults = []
    for left, (place, count) in enumerate(sorted(calls.items(), key=lambda item: item[1])):
        share = max(1, min(count, (runs - len(faults)) // (len(calls) - left)))
        faults += [(*place, 1 + (count - 1) * i // max(1, share - 1), 1) for i in range(share)]
    return [(role, kind, nth, IN_A_ROW if i % 3 == 2 else 1)
            for i, (role, kind, nth, _) in enumerate(faults)]


def name_of(fault):
    role, kind, nth, length = fault
    return f"{ROLES[role]} {KINDS[kind]} {nth}" + (f" to {nth + length - 1}" if length > 1 else "")


def is_mute(fault):
    """Is there nothing left to say why with?"""
    return fault[3] > 1 and KINDS[fault[1]] in ("memory", "write")


class Wrong(AssertionError):
    pass


class Ended(Exception):
    """While it was asked."""


class Smoke:
    def __init__(self, world):
        self.world = world
        self.page = Page(world.programs + "/fault.page")
        self.page.plan(None)
        folder = world.new_folder("fault")
        overrides = folder + "/overrides"
        with open(overrides, "w", encoding="utf-8") as file:
            file.write("over.example encrypt\n")
        self.kept, self.cold = world.domain(), world.domain()
        testing = world.domain(mode="testing")
        self.stsd = world.stsd(state_directory=folder + "/state", overrides=overrides,
                               sandbox="no", metrics_listen="inet:127.0.0.1:8462")
        self.start()
        if self.stsd.ask(self.kept.name) != self.kept.secure:
            raise Wrong("it does not work without any fault")
        self.stop()
        self.saved = folder + "/saved"
        shutil.copytree(self.stsd.state, self.saved)
        # From now on only what was kept can answer for it.
        world.dns.fail(self.kept.record_name, "TXT", "servfail")
        self.kept.web.how = "500"
        # Where main.cf cannot be read, "may" is not said.
        self.questions = [(self.kept.name, [self.kept.secure]),
                          ("over.example", ["OK encrypt"]),
                          (self.cold.name, [self.cold.secure]),
                          (world.plain_domain(), [NOTFOUND]),
                          (testing.name, ["OK may", NOTFOUND])]

    def start(self):
        """False: it ended by itself."""
        self.stsd.launch()
        wait.until(self._is_decided, "stsd answers or ends", START_SECONDS)
        return self.stsd.is_running()

    def _is_decided(self):
        return not self.stsd.is_running() or self.ask(".health") == NOTFOUND

    def stop(self):
        self.stsd.signal(15)
        status = self.stsd.wait(STOP_SECONDS)
        if status != 0:
            raise Wrong(f"it stops with {status}")

    def ask(self, key):
        """None: no connection, or no longer."""
        try:
            return self.stsd.ask(key, timeout=RIGHT_SECONDS)
        except (OSError, socketmap.Closed):
            return None

    def restore(self):
        status = os.stat(self.stsd.state)
        shutil.rmtree(self.stsd.state)
        shutil.copytree(self.saved, self.stsd.state)
        for path in [self.stsd.state] + [self.stsd.state + "/" + name
                                         for name in os.listdir(self.stsd.state)]:
            os.chown(path, status.st_uid, status.st_gid)
        if os.path.exists(self.stsd.log_file):
            os.unlink(self.stsd.log_file)

    def is_right(self, key, right, misses):
        reply = self.ask(key)
        if reply in right:
            return True
        if reply is not None and not reply.startswith("TEMP "):
            raise Wrong(f"{key} is told {reply!r}")
        misses.add(key)
        if not self.stsd.is_running():
            raise Ended
        return False

    def ask_all(self):
        """What could not be said at once."""
        misses = set()
        for key, right in self.questions:
            wait.until(lambda key=key, right=right: self.is_right(key, right, misses),
                       f"the right answer for {key}", RIGHT_SECONDS)
        return misses

    def check_kept(self):
        aside = [name for name in os.listdir(self.stsd.state) if "damaged" in name]
        if aside:
            raise Wrong(f"a sound cache was moved aside: {aside}")

    def check_life(self, fault):
        """Starts, asks, stops. What it cost."""
        if not self.start():
            raise Ended
        misses = self.ask_all()
        log = self.stsd.log()
        restarts = log.count(" process-ended ") + log.count(" start-failed ")
        if fault and fault[3] == 1 and not restarts and len(misses) > 1:
            raise Wrong(f"more than one question was not answered at once: {misses}")
        self.stop()
        return f"{len(misses)} answers, {restarts} processes" if misses or restarts else "nothing"

    def check_end(self, fault):
        """It could not start, and says so."""
        status = self.stsd.wait(STOP_SECONDS)
        if status not in CANNOT_START or not (self.stsd.log() or is_mute(fault)):
            raise Wrong(f"it ends with {status} and does not say why")
        return f"the start: {status}"

    def run(self, fault):
        """What it cost: a sentence."""
        self.restore()
        self.page.plan(fault)
        try:
            cost = self.check_life(fault)
        except Ended:
            cost = self.check_end(fault)
        self.check_kept()
        if fault:
            self.page.plan(None)
            if not self.start() or self.ask(self.kept.name) != self.kept.secure:
                raise Wrong("the next start is not as if nothing had been")
            self.stop()
        return cost


def attempt(smoke, fault, logs, verbose):
    try:
        smoke.page.plan(None)
        cost = smoke.run(fault)
        if verbose:
            print(f"passed {name_of(fault)}: it cost {cost}", flush=True)
        return True
    except AssertionError as why:
        times, call = smoke.page.struck()
        print(f"failed {name_of(fault)} ({call}, {times} times): {why}", flush=True)
        os.makedirs(logs, exist_ok=True)
        shutil.copy(smoke.stsd.log_file, f"{logs}/{name_of(fault).replace(' ', '-')}.log")
        smoke.stsd.kill()
        return False
    finally:
        namespace.reap()


def skipped(reason):
    print(f"skipped fault/daemon: {reason}")
    print("0 passed, 0 failed, 1 skipped")
    return 1 if os.environ.get("REQUIRE_ALL") == "1" else 0


def give_up():
    print("fault/daemon: it hangs", flush=True)
    os._exit(1)


def main():
    wanted = arguments()
    try:
        namespace.enter(TOOLS)
    except namespace.Unavailable as reason:
        return skipped(reason)
    from lab import world  # pylint: disable=import-outside-toplevel
    limit = threading.Timer(300 + 30 * wanted.n, give_up)
    limit.daemon = True
    limit.start()
    smoke = Smoke(world.World(wanted.build + "/tests/fault/bin"))
    smoke.run(None)
    faults = [fault for fault in spread(smoke.page.calls(), wanted.n)
              if wanted.k in name_of(fault)]
    results = [attempt(smoke, fault, wanted.build + "/tests/fault/logs", wanted.v)
               for fault in faults]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    os._exit(ended)  # without waiting for the threads of servers
