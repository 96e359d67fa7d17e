#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The dashboard and the alert rules of docker/monitoring, by a real Prometheus that scrapes
a real stsd; and what promtool has to say."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import monitoring as m  # noqa: E402  pylint: disable=wrong-import-position
from lab import cases, namespace, wait  # noqa: E402  pylint: disable=wrong-import-position
from lab.cases import case, same  # noqa: E402  pylint: disable=wrong-import-position

# What each series of the dashboard must come to in the traffic of monitoring.py: bounds, and
# where a query gives several, the value of their label: all of these and no other.
ANY = (0, 1e18)
SOME = (1e-9, 1e18)
RATIO = (1e-9, 1)
OUTCOMES = "hit stale miss"
EXPECTED = {
    ("stsd", ""): (1, 1),
    ("DNSSEC", ""): (1, 1),
    ("Policies in force", ""): (5, 1e4),
    ("From the cache", ""): RATIO,
    ("Put off", ""): RATIO,
    ("99 % answered within", ""): (1e-4, 10),
    ("Answers", "{{result}}"): {"secure": SOME, "dane_only": SOME, "may": SOME,
                                "notfound": SOME, "temp": SOME, "perm": (0, 0),
                                "override": (0, 0)},
    ("How long an answer takes", "half"): (1e-6, 0.1),
    ("How long an answer takes", "90 %"): (1e-6, 10),
    ("How long an answer takes", "99 %"): (1e-4, 10),
    ("Entry or journey", "{{outcome}}"): {"hit": SOME, "stale": ANY, "miss": SOME},
    ("Policies by mode", "{{mode}}"): {"enforce": (2, 1e4), "testing": (1, 1e4),
                                       "none": (1, 1e4)},
    ("Policies by mode", "cannot be refreshed"): (0, 0),
    ("Cache file", "{{instance}}"): {m.STSD: RATIO},
    ("Policy fetches", "{{outcome}}"): {"ok": SOME, "http_status": SOME, "certificate": SOME,
                                        "timeout": SOME},
    ("How long a fetch takes", "half"): (1e-4, 1),
    ("How long a fetch takes", "99 %"): (1e-4, 10),
    ("Refreshes", "{{outcome}}"): {"ok": (0, 0), "failed": (0, 0)},
    ("DNS questions", "{{type}}"): {"TXT": SOME, "MX": SOME, "A": SOME, "AAAA": SOME,
                                    "TLSA": SOME, "SOA": ANY, "CNAME": ANY},
    ("DNS questions that failed", "{{outcome}}"): {"servfail": SOME, "refused": (0, 0),
                                                   "timeout": (0, 0), "malformed": (0, 0)},
    ("Connections", "connections"): (6, 6),
    ("Connections", "lookups in flight"): (0, 6),
    ("Processes", "{{role}}"): {"answerer": (0, 0), "resolver": (0, 0)},
    ("Processes", "reload refused"): (0, 0),
    ("CPU", "{{instance}}"): {m.STSD: (1e-6, 4)},
    ("Memory", "{{instance}}"): {m.STSD: (1 << 20, 1 << 30)},
}

# Alert, what happens to these series (a promtool expression each), after how long, is it
# told? One that is not there is none. In "a+bxN" a is where it starts and b what comes
# every minute.
UP = {'up{job="stsd",instance="x"}': "1x600"}
LABELS = 'job="stsd",instance="x"'
ALERTS = [
    ("StsdDown", "down for one minute", {f"up{{{LABELS}}}": "1 0 0"}, "2m", False),
    ("StsdDown", "down for three", {f"up{{{LABELS}}}": "1 0 0 0 0"}, "4m", True),
    ("StsdDown", "another job", {'up{job="node",instance="x"}': "0x9"}, "8m", False),
    ("StsdTempHigh", "2 %", {"temp": "0+2x60", "secure": "0+98x60"}, "1h", False),
    ("StsdTempHigh", "10 %", {"temp": "0+10x60", "secure": "0+90x60"}, "1h", True),
    ("StsdTempHigh", "10 %, for ten minutes", {"temp": "0x10 0+10x10", "secure": "0+90x20"},
     "20m", False),
    ("StsdTempHigh", "all of few", {"temp": "0x4 1x4 2x4 3x4 4x4 5x4 6x4 7x4", "secure": "0x40"},
     "39m", False),
    ("StsdNoDnssec", "not wanted", {"stsd_dane_wanted": "0x60", "stsd_dnssec_ok": "0x60"},
     "1h", False),
    ("StsdNoDnssec", "wanted, and there", {"stsd_dane_wanted": "1x60", "stsd_dnssec_ok": "1x60"},
     "1h", False),
    ("StsdNoDnssec", "wanted", {"stsd_dane_wanted": "1x60", "stsd_dnssec_ok": "0x60"}, "1h",
     True),
    ("StsdNoDnssec", "wanted, and back", {"stsd_dane_wanted": "1x60",
                                          "stsd_dnssec_ok": "1x9 0x9 1x60"}, "1h", False),
    ("StsdRefreshesFailing", "half of 100", {"stsd_refresh_failing": "50x600",
                                             "policies": "100x600"}, "8h", True),
    ("StsdRefreshesFailing", "half of 100, for an hour",
     {"stsd_refresh_failing": "0x420 50x60", "policies": "100x600"}, "8h", False),
    ("StsdRefreshesFailing", "six in a hundred", {"stsd_refresh_failing": "6x600",
                                                   "policies": "100x600"}, "8h", False),
    ("StsdRefreshesFailing", "two of two", {"stsd_refresh_failing": "2x600",
                                            "policies": "2x600"}, "8h", False),
    ("StsdFetchesFailing", "all", {"connect": "0+1x300", "ok": "0x300"}, "3h", True),
    ("StsdFetchesFailing", "a third", {"connect": "0+1x300", "ok": "0+2x300"}, "3h", False),
    ("StsdFetchesFailing", "unchanged is none", {"unchanged": "0+4x300", "connect": "0+1x300"},
     "3h", False),
    ("StsdFetchesFailing", "all of few", {"connect": "0x100 1 2 3 3x300", "ok": "0x300"}, "3h",
     False),
    ("StsdSlow", "one of ten takes ten seconds", {"quick": "0+90x120", "all": "0+100x120"},
     "2h", True),
    ("StsdSlow", "one of a thousand", {"quick": "0+999x120", "all": "0+1000x120"}, "2h", False),
    ("StsdSlow", "all of few", {"quick": "0x120", "all": "0+1x120"}, "2h", False),
    ("StsdRestarted", "once", {"restarts": "0x60 1x60"}, "70m", True),
    ("StsdRestarted", "two hours ago", {"restarts": "0x60 1x180"}, "4h", False),
    ("StsdRestarted", "never", {"restarts": "0x60"}, "1h", False),
    ("StsdReloadFailed", "refused", {"stsd_config_reload_ok": "1x9 0x60"}, "1h", True),
    ("StsdReloadFailed", "refused, and mended", {"stsd_config_reload_ok": "0x3 1x60"}, "1h",
     False),
    ("StsdCacheNearlyFull", "half", {"stsd_cache_bytes": "500x60",
                                     "stsd_cache_limit_bytes": "1000x60"}, "1h", False),
    ("StsdCacheNearlyFull", "four fifths", {"stsd_cache_bytes": "800x60",
                                            "stsd_cache_limit_bytes": "1000x60"}, "1h", True),
    ("StsdNotAsked", "asked until yesterday", {"secure": "0+1x1380 1380x2000"}, "2940m", True),
    ("StsdNotAsked", "never asked", {"secure": "0x3000"}, "2940m", False),
    ("StsdNotAsked", "asked", {"secure": "0+1x3000"}, "2940m", False),
]
SHORT = {
    "temp": f'stsd_lookups_total{{{LABELS},map="QUERY",result="temp"}}',
    "secure": f'stsd_lookups_total{{{LABELS},map="QUERY",result="secure"}}',
    "policies": f'stsd_cache_policies{{{LABELS},mode="enforce"}}',
    "restarts": f'stsd_process_restarts_total{{{LABELS},role="resolver"}}',
    "all": f'stsd_lookup_duration_seconds_count{{{LABELS}}}',
    **{name: f'stsd_policy_fetches_total{{{LABELS},outcome="{name}"}}'
       for name in ("ok", "unchanged", "connect")},
}


def written(name, values):
    """One or several series, as promtool reads them."""
    if name == "quick":  # the histogram beside "all", which is slow in the rest
        return [(f'stsd_lookup_duration_seconds_bucket{{{LABELS},le="{le}"}}', values)
                for le in ("0.1", "5")]
    if name == "all":
        return [(SHORT[name], values)] + [
            (f'stsd_lookup_duration_seconds_bucket{{{LABELS},le="{le}"}}', values)
            for le in ("10", "+Inf")]
    plain = name if "{" in name else f"{name}{{{LABELS}}}"
    return [(SHORT.get(name, plain), values)]


def rule_tests(folder):
    """A file for promtool: whether ALERTS has each alert firing."""
    path = folder + "/alerts.test.yml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"rule_files: [{m.FILES}/alerts.yml]\nevaluation_interval: 1m\ntests:\n")
        for alert, what, series, after, fires in ALERTS:
            file.write(f"- interval: 1m\n  name: '{alert}: {what}'\n  input_series:\n")
            for name, values in (pair for one in series.items() for pair in written(*one)):
                file.write(f"  - series: '{name}'\n    values: '{values}'\n")
            file.write("  promql_expr_test:\n  - expr: count(ALERTS{alertname="
                       f"\"{alert}\",alertstate=\"firing\"}})\n    eval_time: {after}\n"
                       "    exp_samples: " + ("[{labels: '{}', value: 1}]" if fires else "[]")
                       + "\n")
    return path


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *words], input=text, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise AssertionError(done.stdout)
    return done.stdout


@case("promtool check config, check rules")
def checked(_world):
    promtool("check", "config", m.FILES + "/prometheus.yml")
    promtool("check", "rules", m.FILES + "/alerts.yml")


@case("promtool test rules: each alert fires when it should, and not when it should not")
def rules(world):
    promtool("test", "rules", rule_tests(world.new_folder("rules")))


@case("the dashboard: places, names, variables")
def well_made(_world):
    board = m.dashboard()
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        same(taken & cells, set(), f"{panel['title']}: overlap")
        same(max(x for x, _ in cells) < 24, True, f"{panel['title']}: inside")
        taken |= cells
    same(len({panel["id"] for panel in board["panels"]}), len(board["panels"]), "ids")
    same([v["name"] for v in board["templating"]["list"]], ["datasource", "job", "instance"])
    for title, legend, query in m.queries(board):
        same("$" in m.filled(query), False, f"{title} {legend}: a variable that is left")
        for metric in m.METRIC.findall(query):
            same(query.count(metric) == query.count(metric + '{job=~"$job"'), True,
                 f"{title} {legend}: {metric} of the chosen job")


def within_bounds(title, legend, found):
    """What is wrong with what a query came to; None: nothing."""
    expected = EXPECTED[title, legend]
    if isinstance(expected, tuple):
        if len(found) != 1:
            return f"{len(found)} series, not one: {found}"
        value, = found.values()
        return None if expected[0] <= value <= expected[1] else f"{value}, not in {expected}"
    label = legend.strip("{}")
    got = {dict(labels)[label]: value for labels, value in found.items()}
    if set(got) != set(expected):
        return f"{sorted(got)}, not {sorted(expected)}"
    wrong = {name: value for name, value in got.items()
             if not expected[name][0] <= value <= expected[name][1]}
    return f"{wrong}, not in bounds" if wrong else None


def telling():
    """Alerts whose condition holds now, however briefly."""
    return {name for name, query in m.alerts().items() if m.now(query)}


@case("real output: promtool check metrics; every query of dashboard and alerts")
def real(world):
    stsd = m.start_stsd(world)
    prometheus = m.start_prometheus(world.new_folder("prometheus"))
    traffic = m.Traffic(world, stsd).start()
    try:
        healthy(stsd)
        broken(world, stsd, traffic)
    finally:
        traffic.stop()
        prometheus.kill()
        prometheus.wait()


def page():
    with m.urllib.request.urlopen(f"http://{m.STSD}/metrics", timeout=10) as answer:
        same(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return answer.read().decode()


def healthy(stsd):
    board = m.queries(m.dashboard())
    same(sorted({(title, legend) for title, legend, _ in board}), sorted(EXPECTED), "series")
    problems = {}

    def all_plausible():
        problems.clear()
        for title, legend, query in board:
            wrong = within_bounds(title, legend, m.now(query))
            if wrong:
                problems[title, legend] = wrong
        return not problems
    try:
        wait.until(all_plausible, "the whole dashboard is plausible", 60)
    except wait.TooLate:
        raise AssertionError(f"{problems}\n{stsd.log()[-500:]}") from None
    same(promtool("check", "metrics", text=page()), "", "promtool's complaints")
    there = m.known_metrics()
    for query in [query for _, _, query in board] + list(m.alerts().values()):
        same(set(m.METRIC.findall(query)) - there, set(), f"metrics nobody has ({query})")
    same(telling(), set(), "alerts while all is well")


def broken(world, stsd, traffic):
    world.dns.validates = False
    stsd.signal(1)  # asks the self-test again
    wait.until(lambda: telling() == {"StsdNoDnssec"}, "no DNSSEC is told", 20)
    stsd.write_config(workers="none")
    stsd.signal(1)
    wait.until(lambda: "StsdReloadFailed" in telling(), "a reload that failed is told", 20)
    stsd.signal(9, "resolver")
    wait.until(lambda: "StsdRestarted" in telling(), "a restart is told", 20)
    traffic.stop()
    stsd.stop()
    wait.until(lambda: "StsdDown" in telling(), "the end is told", 20)


def main():
    try:
        namespace.enter(m.TOOLS)
    except namespace.Unavailable as reason:
        print(reason)
        return 77
    from lab import world as worlds  # pylint: disable=import-outside-toplevel
    world = worlds.World(os.path.join(m.ROOT, os.environ.get("B", "build")))
    own = [one for one in cases.CASES if one[0].startswith("__main__/")]
    counts = cases.run(world, own, os.environ.get("V") == "1", m.ROOT + "/build/monitoring")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for the threads of servers
