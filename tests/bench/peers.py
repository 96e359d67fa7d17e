#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Other servers that tell Postfix of MTA-STS, beside stsd: peers.py [-n DOMAINS] NAME=COMMAND...

Each COMMAND is called with an address and a port, and stays in the foreground. It finds a DNS
server in /etc/resolv.conf, policy hosts at port 443, and their authority in $SSL_CERT_FILE. As
root, for all of this is in namespaces of its own; nothing of it leaves the machine."""
import argparse
import os
import subprocess
import sys
from statistics import median

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import bed as beds  # noqa: E402
import bench  # noqa: E402
import memory  # noqa: E402
import table  # noqa: E402
from lab import namespace  # noqa: E402

TURNS, COLD = 7, 300  # so many times so many domains
WARM = 1000  # the last of these: some servers look again after a minute
AT_ONCE, CONNECTIONS = 32, 100
BARE = 200
GOOD = "OK secure "


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10000, metavar="DOMAINS", help="cached, for memory")
    parser.add_argument("peers", nargs="+", metavar="NAME=COMMAND")
    parser.add_argument("--build", default=os.path.join(bench.ROOT, os.environ.get("B", "build")))
    return parser.parse_args()


def begin(bed, world, peers):
    """{name: (address, pids)}, stsd first."""
    server = beds.start(bed.stsd(**world.settings))
    rivals = {"stsd": (beds.addresses(server)["tcp"], beds.all_pids(server))}
    for name, command in (peer.split("=", 1) for peer in peers):
        port = beds.free_port()
        made = bed.spawn([command, "127.0.0.1", str(port)], cpu=beds.SERVER_CPU,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL,
                         env={**os.environ, "SSL_CERT_FILE": world.settings["ca_file"]})
        address = f"inet:127.0.0.1:{port}"
        beds.wait.until(lambda to=address: beds.is_listening(to), f"{name} listens", 10)
        rivals[name] = (address, [made.pid])
    return rivals


def all_threads(pids):
    return [thread for pid in pids for thread in beds.threads(pid)]


def look_up(bed, address, first, count):
    return bed.load(address, "-c", AT_ONCE, "-o", "-f", first, "-n", count, "-w", 0, "-s", 600,
                    "-e", GOOD)


def cold(bed, world, rivals):
    """In turn, again and again: of each the median."""
    costs, rates = {name: [] for name in rivals}, {name: [] for name in rivals}
    bare = []
    for turn in range(TURNS):
        bare.append(world.bare_fetch(BARE)["cpu_ms"])
        for name, (address, pids) in rivals.items():
            before = beds.cpu_ns(all_threads(pids))
            told = look_up(bed, address, turn * COLD, COLD)
            costs[name].append((beds.cpu_ns(all_threads(pids)) - before) / COLD / 1e6)
            rates[name].append(told["rate"])
            if told["bad"]:
                raise RuntimeError(f"{name}: {told['bad_reply']}")
    for name in rivals:
        ratio = median(cost / floor for cost, floor in zip(costs[name], bare))
        yield table.Row(f"new enforce domains, {AT_ONCE} at once", name, "",
                        f"{median(rates[name]):,.0f}/s, {median(costs[name]):.2f} ms of CPU, "
                        f"{ratio:.2f} x a bare fetch ({median(bare):.2f})")


def warm(bed, rivals):
    address, first = rivals["stsd"][0], TURNS * COLD - WARM
    with beds.Echo(bed, "tcp", bed.reply(address, "-f", first, "-n", WARM)) as echo:
        told = beds.in_turn(bed, {"echo": echo.rival,
                                  **{name: (address, all_threads(pids))
                                     for name, (address, pids) in rivals.items()}},
                            "-c", CONNECTIONS, "-f", first, "-n", WARM, good=GOOD)
    for name in rivals:
        yield table.Row(f"cached enforce domains, tcp, {CONNECTIONS} connections", name,
                        told=told[name], echo=told["echo"])


def cached(bed, rivals, count):
    for name, (address, pids) in rivals.items():
        look_up(bed, address, TURNS * COLD, count - TURNS * COLD)
        yield table.Row(f"memory, {count:,} cached", name, "",
                        f"{memory.least(pids):.1f} MB")


def main():
    wanted = arguments()
    namespace.enter(("ip", "mount", "unshare"))
    print("{cpus} x {cpu}, Linux {kernel}, {date}".format(**bench.machine()))
    beds.stop_on_signals()
    bed, shown = beds.Bed(wanted.build), table.Table()
    try:
        world = beds.World(bed, standard=True)
        rivals = begin(bed, world, wanted.peers)
        for rows in (cold(bed, world, rivals), warm(bed, rivals), cached(bed, rivals, wanted.n)):
            for row in rows:
                shown.add(row)
    finally:
        bed.end()


if __name__ == "__main__":
    main()
