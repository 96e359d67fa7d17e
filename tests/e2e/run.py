#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""End-to-end tests: run.py [-k PART OF NAME] [-v] [-l] [--build FOLDER]"""
import argparse
import importlib
import os
import shutil
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, HERE)

from lab import cases, namespace  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "openssl", "unshare")
TIME_LIMIT = 1200  # seconds for everything; then something hangs, and we say so


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", default="", metavar="PART", help="only cases with this in the name")
    parser.add_argument("-v", action="store_true", help="a line for each case")
    parser.add_argument("-l", action="store_true", help="list the cases")
    parser.add_argument("--build", default=os.path.join(ROOT, os.environ.get("B", "build")))
    return parser.parse_args()


def load():
    for file in sorted(os.listdir(HERE)):
        if file.startswith("test_") and file.endswith(".py"):
            importlib.import_module(file[:-3])


def skipped(reason):
    print(f"skipped e2e: {reason}")
    print("0 passed, 0 failed, 1 skipped")
    return 1 if os.environ.get("REQUIRE_ALL") == "1" else 0


def give_up():
    print(f"e2e: not done after {TIME_LIMIT} s", flush=True)
    os._exit(1)


def main():
    wanted = arguments()
    load()
    if wanted.l:
        print("\n".join(name for name, _ in cases.CASES))
        return 0
    try:
        namespace.enter(TOOLS)
    except namespace.Unavailable as reason:
        return skipped(reason)
    from lab import world  # pylint: disable=import-outside-toplevel
    limit = threading.Timer(TIME_LIMIT, give_up)
    limit.daemon = True
    limit.start()
    logs = os.path.join(wanted.build, "e2e")
    shutil.rmtree(logs, ignore_errors=True)
    counts = cases.run(world.World(wanted.build), wanted.k, wanted.v, logs)
    if counts["failed"]:
        print(f"logs: {os.path.relpath(logs)}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts), flush=True)
    required = os.environ.get("REQUIRE_ALL") == "1" and counts["skipped"]
    return 1 if counts["failed"] or required else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for the threads of servers
