#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""End-to-end tests: run.py [-k PART OF NAME] [-v] [-l] [-j WORKERS] [--build FOLDER]

Most of their time goes by in waiting, so some workers share the modules (test_X.py), each
with a small Internet of its own: they draw the next module's name from a pipe."""
import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, HERE)

from lab import cases, namespace  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "unshare")
TIME_LIMIT = 1200  # seconds for everything; then something hangs, and we say so
WORKERS = min(6, (os.cpu_count() or 1) + 2)
FIRST = ("doctor", "dane", "crashes", "watching", "signals", "fetch", "mail", "events")  # since they take longest
RECORD = 64  # bytes of a name in the pipe: short reads never tear one


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", default="", metavar="PART", help="only cases with this in the name")
    parser.add_argument("-v", action="store_true", help="a line for each case")
    parser.add_argument("-l", action="store_true", help="list the cases")
    parser.add_argument("-j", type=int, default=WORKERS, metavar="WORKERS")
    parser.add_argument("--build", default=os.path.join(ROOT, os.environ.get("B", "build")))
    parser.add_argument("--queue", type=int, help=argparse.SUPPRESS)  # we are a worker
    return parser.parse_args()


def load():
    for file in sorted(os.listdir(HERE)):
        if file.startswith("test_") and file.endswith(".py"):
            importlib.import_module(file[:-3])


def totals(counts):
    return "{passed} passed, {failed} failed, {skipped} skipped".format(**counts)


def skipped(reason):
    print(f"skipped e2e: {reason}")
    print(totals({"passed": 0, "failed": 0, "skipped": 1}))
    return 1 if os.environ.get("REQUIRE_ALL") == "1" else 0


def in_time(give_up):
    limit = threading.Timer(TIME_LIMIT, give_up)
    limit.daemon = True
    limit.start()


# A worker.

def drawn(queue):
    while name := os.read(queue, RECORD):
        yield name.decode().strip()


def work(wanted, logs):
    namespace.enter(TOOLS)
    from lab import world  # pylint: disable=import-outside-toplevel
    modules, here, counts = cases.chosen(wanted.k), world.World(wanted.build), {}
    for name in drawn(wanted.queue):
        for what, number in cases.run(here, modules[name], wanted.v, logs).items():
            counts[what] = counts.get(what, 0) + number
    print(totals({"passed": 0, "failed": 0, "skipped": 0, **counts}), flush=True)
    return 0


# The one who shares out.

def fill(modules):
    ours, theirs = os.pipe()
    for name in sorted(modules, key=lambda name: FIRST.index(name) if name in FIRST else 99):
        os.write(theirs, name.encode().ljust(RECORD))
    os.close(theirs)
    return ours


def listen(worker, counts, lock):
    """Passes on what a worker says; its totals are added up."""
    ended = None
    for line in worker.stdout:
        found = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped\n", line)
        with lock:
            if found:
                ended = dict(zip(("passed", "failed", "skipped"), map(int, found.groups())))
            else:
                print(line, end="", flush=True)
    with lock:
        for what, number in (ended or {"failed": 1}).items():
            counts[what] += number
        if ended is None:
            print(f"failed  a worker of e2e ended early: status {worker.wait()}", flush=True)


def share(wanted):
    modules = cases.chosen(wanted.k)
    queue = fill(modules)
    command = [sys.executable, *sys.argv, "--queue", str(queue)]
    workers = [subprocess.Popen(command, pass_fds=[queue], stdout=subprocess.PIPE, text=True)
               for _ in range(max(1, min(wanted.j, len(modules))))]
    counts, lock = {"passed": 0, "failed": 0, "skipped": 0}, threading.Lock()

    def give_up():
        print(f"e2e: not done after {TIME_LIMIT} s", flush=True)
        for worker in workers:
            worker.kill()
    in_time(give_up)
    listeners = [threading.Thread(target=listen, args=(worker, counts, lock))
                 for worker in workers]
    try:
        for listener in listeners:
            listener.start()
        for listener in listeners:
            listener.join()
    finally:
        for worker in workers:
            worker.kill()  # with all that it started
    return counts


def main():
    wanted = arguments()
    load()
    if wanted.l:
        print("\n".join(name for name, _ in cases.CASES))
        return 0
    logs = os.path.join(wanted.build, "e2e")
    if wanted.queue is not None:
        return work(wanted, logs)
    try:
        namespace.check(TOOLS)
    except namespace.Unavailable as reason:
        return skipped(reason)
    shutil.rmtree(logs, ignore_errors=True)
    counts = share(wanted)
    if counts["failed"]:
        print(f"logs: {os.path.relpath(logs)}")
    print(totals(counts), flush=True)
    required = os.environ.get("REQUIRE_ALL") == "1" and counts["skipped"]
    return 1 if counts["failed"] or required else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for the threads of servers
