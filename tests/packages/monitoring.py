# SPDX-License-Identifier: MIT
"""docker/monitoring in a small Internet: a stsd that is asked for domains of all kinds, a
real Prometheus that scrapes it, and what the dashboard's queries come to there."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FILES = ROOT + "/docker/monitoring"
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, ROOT + "/tests/e2e")

from lab import wait  # noqa: E402  pylint: disable=wrong-import-position
from lab.world import WEB_SILENT  # noqa: E402  pylint: disable=wrong-import-position
from test_dane import make_domain  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("ip", "mount", "unshare", "prometheus", "promtool")
STSD = "127.0.0.1:9461"
PROMETHEUS = "127.0.0.1:9090"
WINDOW = "20s"  # of rates: twenty samples
# What Grafana puts in.
VARIABLES = {"$__rate_interval": WINDOW, "$job": "stsd", "$instance": ".*"}
METRIC = re.compile(r"\b(?:stsd|process)_[a-z_]+\b|\bup\b")


def read(name):
    with open(f"{FILES}/{name}", encoding="utf-8") as file:
        return file.read()


def dashboard():
    return json.loads(read("dashboard.json"))


def queries(board):
    """[(panel's title, name of the series, query)]"""
    return [(panel["title"], target["legendFormat"], target["expr"])
            for panel in board["panels"] for target in panel["targets"]]


def filled(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    return query


def alerts():
    """{name: query}. (YAML without a library: Prometheus reads it, and says them again.)"""
    groups = ask("rules")["groups"]
    return {rule["name"]: rule["query"] for group in groups for rule in group["rules"]}


def start_prometheus(folder):
    """With the files as they are, but for how often it looks."""
    for name in os.listdir(FILES):
        if name.endswith(".yml"):
            shutil.copy(f"{FILES}/{name}", folder)
    with open(folder + "/prometheus.yml", "a", encoding="utf-8") as file:
        file.write("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n"
                   "  evaluation_interval: 1s\n")
    with open(folder + "/prometheus.log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", "--config.file=" + folder + "/prometheus.yml",
             "--storage.tsdb.path=" + folder + "/data", "--web.listen-address=" + PROMETHEUS],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait.until(_is_ready, "Prometheus is ready", 30)
    return process


def _is_ready():
    try:
        return urllib.request.urlopen(f"http://{PROMETHEUS}/-/ready", timeout=5).status == 200
    except OSError:
        return False


def ask(what, **words):
    """Prometheus' API; what is wrong with a query becomes an exception."""
    url = f"http://{PROMETHEUS}/api/v1/{what}?{urllib.parse.urlencode(words)}"
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{words}: {error.read().decode()}") from None


def now(query):
    """{labels: value}, labels as Grafana would name the series."""
    return {tuple(sorted(row["metric"].items())): float(row["value"][1])
            for row in ask("query", query=filled(query))["result"]}


def known_metrics():
    return set(ask("label/__name__/values"))


# Somebody who asks.

class Traffic:
    """Lookups, about `rate` a second, that rise and fall; a few domains are asked for
    often, and new ones all the time."""

    # Kind: how often among new domains, and a function of the world that makes one.
    KINDS = (
        (6, lambda world: world.plain_domain()),
        (5, lambda world: make_domain(world, "N").name),
        (3, lambda world: make_domain(world, "UU").name),
        (2, lambda world: make_domain(world, "N", "testing").name),
        (1, lambda world: make_domain(world, "N", "none").name),
        (1, lambda world: make_domain(world, "F").name),
        (1, lambda world: world.domain(how="404").name),
        (1, lambda world: world.domain(certificate="expired").name),
        (1, lambda world: world.domain(addresses=(WEB_SILENT,)).name),
    )
    MAPS = ("QUERY", "QUERYwithTLSRPT")

    def __init__(self, world, stsd, rate=60, new=0.06, seed=1):
        self.world, self.stsd, self.rate, self.new = world, stsd, rate, new
        self.random = random.Random(seed)
        self.known = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(6)]
        self._lock = threading.Lock()

    def learn(self):
        """Some of each kind, so that nothing is left to chance; the first are asked for
        most."""
        self.known = [make(self.world) for weight, make in self.KINDS for _ in range(weight)]

    def start(self):
        self.learn()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _next(self):
        with self._lock:
            if self.random.random() < self.new:
                weights = [weight for weight, _ in self.KINDS]
                make = self.random.choices(self.KINDS, weights)[0][1]
                self.known.append(make(self.world))
                return self.known[-1]
            place = min(int(self.random.expovariate(1 / 9)), len(self.known) - 1)
            return self.known[place]

    def _ask(self):
        with self.stsd.client() as client:
            while not self._end.is_set():
                client.ask(self._next(), self.random.choice(self.MAPS))
                wave = 1 + 0.5 * self.random.random()
                self._end.wait(wave * len(self._threads) / self.rate)


def start_stsd(world, **settings):
    world.dns.validates = True
    return world.stsd(metrics_listen="inet:" + STSD, log_level="info", dane="on",
                      answer_timeout="3s", fetch_timeout="5s", **settings).start()
