#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the pictures of README.md anew, from runs in a small Internet: pictures.py [SECONDS].

The dashboard is drawn from docker/monitoring/dashboard.json and what a real Prometheus
answered to its queries; halfway the resolver is killed, and later DNS fails for a while."""
import math
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import drawing  # noqa: E402  pylint: disable=wrong-import-position
import monitoring as m  # noqa: E402  pylint: disable=wrong-import-position
from lab import control, namespace, wait  # noqa: E402  pylint: disable=wrong-import-position

POINTS = 90
COLUMNS = 132
SERVER = "127.0.0.1"


def run(world, seconds):
    stsd = m.start_stsd(world)
    prometheus = m.start_prometheus(world.new_folder("prometheus"))
    traffic = m.Traffic(world, stsd, new=0.04).start()
    began = time.time()
    todo = [(0.5, lambda: stsd.signal(9, "resolver")),
            (0.65, lambda: world.dns.fail_server(SERVER, "servfail")),
            (0.75, world.dns.trouble.clear)]

    def pass_time():
        part = (time.time() - began) / seconds
        traffic.rate = 70 + 40 * math.sin(part * 9)
        while todo and part > todo[0][0]:
            todo.pop(0)[1]()
        return part > 1
    wait.until(pass_time, "the run is over", seconds + 60)
    answers = ask_all(began + 5, began + seconds)
    traffic.stop()
    stsd.stop()
    prometheus.kill()
    return drawing.dashboard(m.dashboard(), answers, (began + 5, began + seconds))


def ask_all(begin, end):
    answers = {}
    for title, legend, query in m.queries(m.dashboard()):
        data = m.ask("query_range", query=m.filled(query), start=begin, end=end,
                     step=(end - begin) / POINTS)
        for row in data["result"]:
            name = legend
            for label, value in row["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            points = [(float(t), float(v)) for t, v in row["values"] if v != "NaN"]
            answers.setdefault(title, {})[name] = points
        answers.setdefault(title, {})
    return answers


def look(world):
    """A domain with a good mail host, one that nobody takes care of, and a stranger's."""
    name = "example.org"
    domain = world.domain(name=name, mx=[f"mx1.{name}", f"mx2.{name}"])
    world.dns.validates = True
    hosts = {f"mx1.{name}": "good", f"mx2.{name}": "expired", "backup.example.net": "good"}
    world.dns.add(name, "MX", (30, "backup.example.net"))
    world.dns.add("_smtp._tls." + name, "TXT", "v=TLSRPTv1; rua=mailto:reports@" + name)
    for number, (host, certificate) in enumerate(hosts.items()):
        address = f"198.18.2.{number + 1}"
        world.dns.add(host, "A", address)
        world.smtp.listen(address, [host], certificate)
    stsd = control.daemon_with_socket(world).start()
    stsd.ask(domain.name)
    told = control.tell(stsd, "--color=always", "--smtp", name)
    stsd.stop()
    return drawing.terminal(f"\x1b[1m$ stsd-query --smtp {name}\x1b[0m\n" + told.out, COLUMNS)


def main():
    try:
        namespace.enter(m.TOOLS)
    except namespace.Unavailable as reason:
        print(f"pictures: {reason}")
        return 1
    from lab import world as worlds  # pylint: disable=import-outside-toplevel
    world = worlds.World(os.path.join(m.ROOT, os.environ.get("B", "build")))
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    for name, made in (("stsd-query", look(world)), ("dashboard", run(world, seconds))):
        path = f"{m.FILES}/{name}.svg"
        with open(path, "w", encoding="utf-8") as file:
            file.write(made)
        print(f"{path}: {len(made)} bytes")
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # without waiting for the threads of servers
