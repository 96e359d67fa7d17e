# SPDX-License-Identifier: MIT
"""Pictures as SVG: a Grafana dashboard from its JSON and from what Prometheus answered, and
what a program wrote to a terminal. Not Grafana, and no terminal: the same facts."""
import math
import re
from xml.sax.saxutils import escape

COLORS = {"green": "#73bf69", "dark-green": "#37872d", "yellow": "#f2cc0c", "blue": "#5794f2",
          "orange": "#ff9830", "red": "#f2495c", "purple": "#b877d9"}
CLASSIC = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff9830", "#f2495c", "#5794f2", "#b877d9",
           "#705da0", "#37872d", "#fade2a", "#447ebc", "#c15c17")
PAPER, PANEL, EDGE, TEXT, FAINT = "#111217", "#181b1f", "#2c3235", "#ccccdc", "#8e8e99"
COLUMN, ROW, GAP, HEAD = 50, 30, 8, 46  # pixels: of a grid of 24 columns
LEFT, TOP, BOTTOM = 58, 30, 44  # inside a panel, around its graph
SCALES = {"reqps": ((1, " /s"),), "s": ((1, " s"), (1e-3, " ms"), (1e-6, " µs")),
          "bytes": ((1 << 20, " MiB"), (1 << 10, " KiB"), (1, " B")),
          "percentunit": ((0.01, " %"),), "short": ((1, ""),), "none": ((1, ""),)}


def shown(value, unit):
    size, name = next((scale for scale in SCALES[unit] if abs(value) >= scale[0]),
                      SCALES[unit][-1 if value else 0])
    text = f"{value / size:.3g}"
    return (text if "e" not in text else f"{value / size:.0f}") + name


def text_at(x, y, text, size=11, color=TEXT, anchor="start", more=""):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{color}" '
            f'text-anchor="{anchor}"{more}>{escape(text)}</text>')


# Panels.

def stat(panel, series, box):
    x, y, width, height = box
    defaults = panel["fieldConfig"]["defaults"]
    value = next(iter(series.values()))[-1][1]
    color = COLORS[next(step["color"] for step in reversed(defaults["thresholds"]["steps"])
                        if step["value"] is None or value >= step["value"])]
    names = {float(key): mapped["text"] for mapping in defaults.get("mappings", ())
             for key, mapped in mapping["options"].items()}
    text = names.get(value) or shown(value, defaults["unit"])
    return [text_at(x + width / 2, y + height / 2 + 24, text, 30, color, "middle",
                    ' font-weight="500"')]


def ticks(low, high, log):
    if log:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        step = max(1, (last - first) // 4)
        return [10.0 ** n for n in range(first, last + 1, step)]
    size = 10 ** math.floor(math.log10(high / 3))
    step = next(size * n for n in (1, 2, 5, 10) if high / (size * n) <= 4)
    return [n * step for n in range(int(math.ceil(high / step - 1e-9)) + 1)]


class Plot:
    """Where a moment and a value are in a panel."""

    def __init__(self, box, times, values, log, unit):
        x, y, width, height = box
        self.left, self.right = x + LEFT, x + width - 14
        self.top, self.bottom = y + TOP, y + height - BOTTOM
        self.begin, self.end = times
        positive = [value for value in values if value > 0] or [1]
        self.ticks = [unit * tick for tick in
                      ticks(min(positive) / unit, max(positive) / unit, log)]
        self.scale = math.log10 if log else float
        self.low, self.high = self.scale(self.ticks[0]), self.scale(self.ticks[-1])
        self.floor = self.ticks[0]

    def x(self, time):
        return self.left + (time - self.begin) / (self.end - self.begin) * (self.right - self.left)

    def y(self, value):
        part = (self.scale(max(value, self.floor)) - self.low) / (self.high - self.low)
        return self.bottom - part * (self.bottom - self.top)

    def path(self, points):
        """From point to point, as differences: they are short."""
        places = [(round(self.x(t)), round(self.y(v))) for t, v in points]
        steps = [f"{b[0] - a[0]} {b[1] - a[1]}" for a, b in zip(places, places[1:])]
        return f"M{places[0][0]} {places[0][1]}l" + " ".join(steps).replace(" -", "-")

    def area(self, lower, upper):
        back = [(t, v) for t, v in reversed(lower)]
        return self.path(upper + back) + "z"


def grid(plot, unit):
    made = []
    for value in plot.ticks:
        y = plot.y(value)
        made.append(f'<path d="M{plot.left:.0f} {y:.1f}H{plot.right:.0f}" stroke="{EDGE}"/>')
        made.append(text_at(plot.left - 6, y + 4, shown(value, unit), 10, FAINT, "end"))
    for minute in range(int((plot.end - plot.begin) // 60) + 1):
        made.append(text_at(plot.x(plot.begin + minute * 60), plot.bottom + 14,
                            f"{minute} min" if minute else "0", 10, FAINT, "middle"))
    return made


def stacked(series):
    """Each on top of those before it: (name, lower edge, upper edge)."""
    below = {t: 0 for t in sorted(t for points in series.values() for t, _ in points)}
    made = []
    for name, points in series.items():
        values, lower = dict(points), list(below.items())
        below = {t: value + values.get(t, 0) for t, value in lower}
        made.append((name, lower, list(below.items())))
    return made


def graph(panel, series, box, times):
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    log = custom["scaleDistribution"]["type"] == "log"
    layers = (stacked(series) if custom["stacking"]["mode"] == "normal" else
              [(name, [(t, 0) for t, _ in points], points) for name, points in series.items()])
    plot = Plot(box, times, [v for _, _, upper in layers for _, v in upper], log,
                1 << 20 if defaults["unit"] == "bytes" else 1)
    fixed = {one["matcher"]["options"]: COLORS[one["properties"][0]["value"]["fixedColor"]]
             for one in panel["fieldConfig"]["overrides"]}
    made, legend, at = grid(plot, defaults["unit"]), [], plot.left - 40
    for n, (name, lower, upper) in enumerate(layers):
        color = fixed.get(name) or CLASSIC[n % len(CLASSIC)]
        if custom["fillOpacity"]:
            made.append(f'<path d="{plot.area(lower, upper)}" fill="{color}" '
                        f'fill-opacity="{custom["fillOpacity"] / 100}"/>')
        made.append(f'<path d="{plot.path(upper)}" fill="none" stroke="{color}" '
                    f'stroke-width="1.5"/>')
        legend.append(f'<rect x="{at:.0f}" y="{plot.bottom + 26:.0f}" width="12" height="4" '
                      f'fill="{color}"/>')
        legend.append(text_at(at + 16, plot.bottom + 32, name, 10.5))
        at += 30 + 6.1 * len(name)
    return made + legend


def dashboard(board, answers, times):
    """answers: {panel's title: {series: [(time, value)]}}"""
    made, lowest = [], 0
    for panel in board["panels"]:
        at = panel["gridPos"]
        box = (at["x"] * COLUMN + GAP, at["y"] * ROW + HEAD, at["w"] * COLUMN - GAP,
               at["h"] * ROW - GAP)
        x, y, width, height = box
        lowest = max(lowest, y + height)
        made.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" '
                    f'fill="{PANEL}" stroke="{EDGE}"/>')
        made.append(text_at(x + 10, y + 19, panel["title"], 12.5, TEXT, more=' font-weight="500"'))
        series = answers[panel["title"]]
        if not any(series.values()):
            made.append(text_at(x + width / 2, y + height / 2, "No data", 14, FAINT, "middle"))
        elif panel["type"] == "stat":
            made += stat(panel, series, box)
        else:
            made += graph(panel, series, box, times)
    head = text_at(GAP + 2, 30, board["title"], 18, TEXT, more=' font-weight="500"')
    return page(24 * COLUMN + GAP, lowest + GAP, [head] + made, "Inter,Helvetica,Arial,sans-serif")


def page(width, height, parts, font):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="{font}">\n'
            f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


# Terminals.

INK = {"31": "#f2495c", "32": "#73bf69", "33": "#f2cc0c"}
CHARACTER, LINE, SIZE = 7.3, 17, 12


def terminal(text, columns):
    """What was written, with its colours; wrapped as a terminal does."""
    lines = [[]]
    style = ("", False)
    for part in re.findall(r"\x1b\[[\d;]*m|\n|[^\x1b\n]+", text):
        if part == "\n":
            lines.append([])
        elif part.startswith("\x1b"):
            codes = part[2:-1].split(";")
            style = (next((INK[c] for c in codes if c in INK), ""), "1" in codes)
        else:
            while part:
                room = columns - sum(len(run) for run, _ in lines[-1])
                lines[-1].append((part[:room], style))
                part = part[room:]
                if part:
                    lines.append([])
    while lines and not lines[-1]:
        lines.pop()
    parts = [_line(runs, 26 + n * LINE) for n, runs in enumerate(lines) if runs]
    return page(round(columns * CHARACTER) + 32, 26 + len(lines) * LINE, parts,
                "DejaVu Sans Mono,Menlo,Consolas,monospace")


def _line(runs, y):
    made, at = [], 0
    for run, (color, bold) in runs:
        words = len(run) - len(run.lstrip(" "))
        x = 16 + (at + words) * CHARACTER
        at += len(run)
        run = run[words:]
        if run:
            width = len(run.rstrip(" ")) * CHARACTER
            made.append(f'<text x="{x:.1f}" y="{y}" font-size="{SIZE}" xml:space="preserve" '
                        f'textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs" '
                        f'fill="{color or TEXT}"' + (' font-weight="bold"' if bold else "")
                        + f">{escape(run.rstrip(' '))}</text>")
    return "\n".join(made)
