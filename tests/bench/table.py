# SPDX-License-Identifier: MIT
"""One table of all figures, and the same as JSON."""
import dataclasses
import json
import typing

HEAD = ("figure", "target", "measured", "", "x echo", "CPU us", "p50 us", "p99 us", "p99.9 us")
WIDTHS = (44, 22, 20, 4, 6, 7, 8, 8, 9)


@dataclasses.dataclass
class Row:
    """good: None where no target was set. told: of a load, see bed.in_turn."""
    group: str
    figure: str
    target: str = ""
    measured: str = ""
    good: typing.Optional[bool] = None
    told: dict = dataclasses.field(default_factory=dict)

    def cells(self):
        told = self.told
        measured = self.measured
        if not measured and "rate" in told:
            measured = f"{told['rate']:,.0f}/s"
        if told.get("bad"):
            measured += f" {told['bad']:.0f} BAD"
        verdict = {None: "", True: "ok", False: "miss"}[self.good]
        return (self.figure, self.target, measured, verdict, number(told.get("ratio"), 2),
                number(told.get("cpu"), 2), number(told.get("p50"), 0),
                number(told.get("p99"), 0), number(told.get("p999"), 0))


def number(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def line(cells):
    return "  ".join(cell.ljust(width) if at < 4 else cell.rjust(width)
                     for at, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip()


class Table:
    """Prints each row as soon as it is known."""

    def __init__(self):
        self.rows = []
        print(line(HEAD), flush=True)

    def add(self, row):
        if not self.rows or self.rows[-1].group != row.group:
            print(f"-- {row.group}", flush=True)
        self.rows.append(row)
        print(line(row.cells()), flush=True)

    def write(self, path, about):
        rows = [dict(dataclasses.asdict(row)) for row in self.rows]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schema": "stsd-bench/1", **about, "rows": rows}, file, indent=1)
            file.write("\n")

    def summary(self):
        judged = [row for row in self.rows if row.good is not None]
        missed = [row for row in judged if not row.good]
        return f"{len(judged) - len(missed)} of {len(judged)} targets reached"
