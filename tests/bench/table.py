# SPDX-License-Identifier: MIT
"""One table of all figures, and the same as JSON."""
import dataclasses
import json
import typing

HEAD = ("figure", "target", "measured", "", "x echo", "CPU us", "p50 us", "p99 us", "p99.9 us")
WIDTHS = (38, 33, 32, 5, 6, 11, 8, 8, 8)
DISTURBED = 0.05  # of the time: others had the CPUs
WORDS = 4  # columns to the left; numbers are to the right


@dataclasses.dataclass
class Row:
    """good: None where there is no target. told, echo: of a load, see bed.in_turn."""
    group: str
    figure: str
    target: str = ""
    measured: str = ""
    good: typing.Optional[bool] = None
    told: dict = dataclasses.field(default_factory=dict)
    echo: dict = dataclasses.field(default_factory=dict)

    def is_disturbed(self):
        return max(self.told.get("waited", 0), self.echo.get("waited", 0)) > DISTURBED

    def cells(self):
        told, echo = self.told, self.echo
        measured = self.measured
        if not measured and told:
            measured = f"{told['rate']:,.0f}/s"
            if echo:
                measured += f" (echo {echo['rate']:,.0f})"
        if told.get("bad"):
            measured += f" {told['bad']:.0f} BAD"
        cpu = number(told.get("cpu"), 2)
        if echo and cpu:
            cpu += f" ({number(echo['cpu'], 2)})"
        verdict = {None: "", True: "ok", False: "miss"}[self.good]
        if self.is_disturbed():
            verdict += "~"
        return (self.figure, self.target, measured, verdict,
                number(told.get("ratio"), 2), cpu, number(told.get("p50"), 0),
                number(told.get("p99"), 0), number(told.get("p999"), 0))


def number(value, digits):
    return "" if not value else f"{value:,.{digits}f}"


def line(cells):
    return "  ".join(cell.ljust(width) if at < WORDS else cell.rjust(width)
                     for at, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip()


class Table:
    """Prints each row as soon as it is known."""

    def __init__(self):
        self.rows = []
        print(line(HEAD), flush=True)

    def add(self, row):
        if not self.rows or self.rows[-1].group != row.group:
            print(row.group, flush=True)
        self.rows.append(row)
        print(line(row.cells()), flush=True)

    def write(self, path, about):
        rows = [dataclasses.asdict(row) for row in self.rows]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schema": "stsd-bench/1", **about, "rows": rows}, file, indent=1)
            file.write("\n")

    def is_disturbed(self):
        return any(row.is_disturbed() for row in self.rows)

    def summary(self):
        judged = [row for row in self.rows if row.good is not None]
        missed = [row for row in judged if not row.good]
        return f"{len(judged) - len(missed)} of {len(judged)} targets reached"
