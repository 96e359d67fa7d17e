# SPDX-License-Identifier: MIT
"""Cases: a name and a function of the world. Tables are the usual way to make them."""
import os
import time
import traceback

CASES = []


class Skip(Exception):
    """This machine cannot do it; the message says why."""


def case(name):
    def keep(function):
        CASES.append((_module(function) + name, function))
        return function
    return keep


def table(title, rows):
    """One case a row; the row without its first column, the name, goes to the function."""
    def keep(function):
        for row in rows:
            CASES.append((f"{_module(function)}{title}: {row[0]}",
                          lambda world, row=row: function(world, *row[1:])))
        return function
    return keep


def _module(function):
    return function.__module__.rsplit(".", 1)[-1].replace("test_", "", 1) + "/"


def same(got, expected, what="it"):
    if got != expected:
        raise AssertionError(f"{what} is\n    {got!r}\nand not\n    {expected!r}")


def within(value, low, high, what="it"):
    if not low <= value <= high:
        raise AssertionError(f"{what} is {value}, not between {low} and {high}")


def contains(text, part, what="it"):
    if part not in text:
        raise AssertionError(f"{what} has no {part!r}: {text[-1500:]!r}")


def chosen(pattern):
    """{module: its cases whose names contain the pattern}, in the order they were made."""
    modules = {}
    for name, function in CASES:
        if pattern in name:
            modules.setdefault(name.split("/")[0], []).append((name, function))
    return modules


def run(world, some, verbose, logs):
    """Runs cases, with a line for each that did not pass. How many passed, failed, were
    skipped."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, function in some:
        began = time.monotonic()
        outcome, story = _run_one(world, function)
        kept = os.path.join(logs, name.replace("/", "_").replace(" ", "_"))
        try:
            world.end_case(kept if outcome == "failed" else None)
        except Exception:  # pylint: disable=broad-except
            outcome, story = "failed", traceback.format_exc()
        counts[outcome] += 1
        if verbose or outcome != "passed":
            print(f"{outcome:7} {time.monotonic() - began:6.2f} s  {name}"
                  + (f": {story}" if story else ""), flush=True)
    return counts


def _run_one(world, function):
    try:
        function(world)
    except Skip as reason:
        return "skipped", str(reason)
    except AssertionError as reason:
        where = traceback.extract_tb(reason.__traceback__)
        line = next((f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(where)
                     if os.path.basename(f.filename).startswith("test_")), "")
        return "failed", f"{line} {reason}"
    except Exception:  # pylint: disable=broad-except
        return "failed", traceback.format_exc()
    return "passed", ""
