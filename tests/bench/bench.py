#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures stsd: bench.py [-k PART] [--against inet:ADDRESS:PORT|unix:PATH] [--build FOLDER]

Prints one table. Everything happens on loopback addresses of this machine, unprivileged."""
import argparse
import os
import platform
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import bed as beds  # noqa: E402
import cold  # noqa: E402
import memory  # noqa: E402
import scale  # noqa: E402
import storm  # noqa: E402
import table  # noqa: E402
import warm  # noqa: E402

PARTS = {"cached": warm, "cold": cold, "isolation": storm, "scale": scale, "memory": memory}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", default="", metavar="PART", help="only parts with this in the name: "
                        + ", ".join(PARTS))
    parser.add_argument("--against", metavar="ADDRESS", help="another socketmap server, beside")
    parser.add_argument("--build", default=os.path.join(ROOT, os.environ.get("B", "build")))
    return parser.parse_args()


def machine():
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for text in file:
            if text.startswith("model name"):
                model = text.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def run(bed, name, part, against, shown):
    """Whether all of it could be measured."""
    try:
        for row in part.measure(bed, against):
            shown.add(row)
        return True
    except BrokenPipeError:
        raise  # nobody reads what we print
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as reason:
        print(f"{name}: cannot be measured: {reason}")
        bed.stop_all()
        return False


def main():
    wanted = arguments()
    about = machine()
    print("{cpus} x {cpu}, Linux {kernel}, {date}".format(**about))
    if beds.SERVER_CPU == beds.LOAD_CPU:
        print("one CPU only: servers and load share it")
    beds.stop_on_signals()
    bed = beds.Bed(wanted.build)
    shown = table.Table()
    began = time.monotonic()
    try:
        done = [run(bed, name, part, wanted.against, shown) for name, part in PARTS.items()
                if wanted.k in name]
    finally:
        bed.end()
    about["seconds"] = round(time.monotonic() - began, 1)
    if shown.is_disturbed():
        print("~ others had the CPUs for more than 5 % of the time: measure on a quiet machine")
    print(f"{shown.summary()}, in {about['seconds']:.0f} s")
    if os.environ.get("BENCH_JSON"):
        shown.write(os.environ["BENCH_JSON"], about)
    return 0 if all(done) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
