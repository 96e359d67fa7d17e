#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts instructions: count.py [--write]

What an answer and a journey take, by callgrind: of our own code and LMDB, without libc,
whose functions differ from CPU to CPU. Holds them against count.txt; --write writes it anew.
Where it was built otherwise than what the numbers are of, there is nothing to compare: it says
so. Status 77: this machine cannot count."""
import collections
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
KEPT = os.path.join(HERE, "count.txt")
PROGRAM = os.path.join(ROOT, os.environ.get("B", "build"), "tests/bench/count")
TIMES = 200  # as in count.c
TOLERANCE = 0.03
OURS = ("count", "liblmdb")  # what object files' names begin with
HEAD = """\
# Instructions of each answer and each journey, see count.py; "make count-write" writes them
# anew. More than 3 % beyond them is a failure, less is a reason to write them anew.
"""


def skip(reason):
    print(reason)
    sys.exit(77)


def cost_of(path):
    """(what was counted, instructions of our own)."""
    name, total, ours, names = None, 0, False, {}
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = iter(file)
        for line in lines:
            if line.startswith("desc: Trigger: Client Request: "):
                name = line.split(": ", 3)[3].strip()
            elif line.startswith("ob="):
                number, path = re.fullmatch(r"ob=(\(\d+\))(?: (.*))?", line.strip()).groups()
                names.setdefault(number, os.path.basename(path or ""))
                ours = names[number].startswith(OURS)
            elif line.startswith("cob="):
                number, path = re.fullmatch(r"cob=(\(\d+\))(?: (.*))?", line.strip()).groups()
                if path:
                    names[number] = os.path.basename(path)
            elif line.startswith("calls="):
                next(lines)  # what the callee took is counted with it
            elif ours and line[:1] in "0123456789+-*":
                total += int(line.split()[1])
    return name, total


def measure():
    folder = tempfile.mkdtemp(prefix="stsd-count-")
    try:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--collect-atstart=no",
             f"--callgrind-out-file={folder}/out", PROGRAM, folder], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"count: {done.stdout}")
        costs = collections.OrderedDict()
        for path in sorted(glob.glob(folder + "/out.*"), key=lambda p: int(p.split(".")[-1])):
            name, total = cost_of(path)
            if name:
                costs[name] = round(total / TIMES)
        return costs
    finally:
        shutil.rmtree(folder)


def built():
    done = subprocess.run([PROGRAM, "-b"], check=True, stdout=subprocess.PIPE, text=True)
    return f"{platform.machine()}, {done.stdout.strip()}"


def read():
    with open(KEPT, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return lines[0], {name: int(number) for name, number in
                      (line.rsplit(None, 1) for line in lines[1:])}


def write(by, costs):
    with open(KEPT, "w", encoding="utf-8") as file:
        file.write(HEAD + by + "\n")
        file.writelines(f"{name:<18}{number:>8}\n" for name, number in costs.items())
    print(f"wrote {os.path.relpath(KEPT)}: read the difference")


def compare(kept, costs):
    failed = 0
    for name in sorted(set(kept) | set(costs)):
        was, now = kept.get(name), costs.get(name)
        if was is None or now is None:
            print(f"failed  {name}: {was} was written down, {now} counted")
            failed += 1
        elif now > was * (1 + TOLERANCE):
            print(f"failed  {name}: {now} instructions, not {was} (+{now / was - 1:.1%})")
            failed += 1
        elif now < was * (1 - TOLERANCE):
            print(f"{name}: {now} instructions, down from {was}: write it down (make count-write)")
    print(f"{len(costs) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    if not shutil.which("valgrind"):
        skip("valgrind is not installed")
    by = built()
    if "--write" in sys.argv[1:]:
        write(by, measure())
        return 0
    kept_by, kept = read()
    if by != kept_by:
        print(f"skipped count: this is built by {by}; the numbers are of {kept_by}")
        print("0 passed, 0 failed")
        return 0
    costs = measure()
    if not costs:
        skip("it was built without valgrind's headers")
    return compare(kept, costs)


if __name__ == "__main__":
    sys.exit(main())
