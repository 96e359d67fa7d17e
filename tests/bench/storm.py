# SPDX-License-Identifier: MIT
"""Cached answers while the resolver has more to do than it likes."""
import bed as beds
from lab import wait
from table import Row

RATE = 10000  # questions a second: a large site's; each has its time, whatever happens
SECONDS = 1.5
ROUNDS = 3  # the middle one counts
TIMES = 2.0  # of the quiet p99
HANGING = 1000
FETCHES = 64
HOT = 1000
CONNECT_SECONDS = 8  # STS_CONNECT_MS: then a dead host hangs no more


def measure(bed, _against):
    world = beds.World(bed)
    server = beds.start(bed.stsd([("-n", HOT)], max_lookups=2048, max_fetches=1200,
                                 answer_timeout="60s", **world.settings))
    address = beds.addresses(server)["unix"]
    yield from compare(bed, f"{HANGING:,} lookups hang, {FETCHES} fetch", address, server,
                       lambda: storm(bed, world, address))
    bed.stop(server)
    world.stop()


def paced(bed, address, server):
    pids = [word for pid in server.processes()["answerer"] for word in ("-p", pid)]
    return bed.load(address, "-c", 16, "-n", HOT, "-r", RATE, "-s", SECONDS, "-e", "OK secure",
                    *pids)


def rounds(bed, address, server):
    return [paced(bed, address, server) for _ in range(ROUNDS)]


def compare(bed, figure, address, server, begin):
    """begin() starts the trouble, and returns what ends it and says what there was."""
    quiet = rounds(bed, address, server)
    finish = begin()
    loud = rounds(bed, address, server)
    yield row(figure, quiet, loud, finish())


def row(figure, quiet, loud, said):
    before, told = (sorted(some, key=lambda one: one["p99"])[ROUNDS // 2]
                    for some in (quiet, loud))
    before = before["p99"]
    ratio = told["p99"] / before
    return Row("isolation", figure, f"p99 <= {TIMES:.0f} x {before:,.0f} us, quiet",
               f"{ratio:.1f} x, {said}", ratio <= TIMES and not told["bad"], told)


def storm(bed, world, address):
    began = beds.now()
    hanging = [bed.start_load(address, "-c", HANGING // 2, "-o", "-n", HANGING // 2, "-k", kind,
                              "-w", 0, "-s", 120) for kind in "xy"]
    wait.until(lambda: world.asked()["open"] >= HANGING // 2, "dripping hosts are visited", 60)
    world.give_way()
    fetching = bed.start_load(address, "-c", FETCHES, "-o", "-n", 1000000, "-f", 1000000,
                              "-w", 0, "-s", 120)
    before, then = world.asked()["requests"], beds.now()

    def finish():
        ended = beds.now()
        fetches = (world.asked()["requests"] - before) / (ended - then)
        for load in [fetching] + hanging:
            bed.stop(load)
        late = ", dead hosts given up" if ended - began > CONNECT_SECONDS else ""
        return f"{fetches:,.0f} fetches/s{late}"
    return finish
