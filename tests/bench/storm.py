# SPDX-License-Identifier: MIT
"""Cached answers while the resolver has more to do than it likes; and what its work behind
the scenes costs."""
import json
import subprocess

import bed as beds
from lab import wait
from table import Row

RATE = 10000  # questions a second: a large site's; each has its time, whatever happens
SECONDS, WARM = 0.5, 0.05
ROUNDS = 5  # of both: together less than a dead host hangs
COUNTS = 1  # of these, sorted: the second best, quiet and loud, for others only make it worse
TIMES = 2.0  # of the quiet p99
HANGING = 1000
FETCHES = 64
HOT = 1000
MILLION = 1000000
BARE = 200
DAY = 86400
CORE = 0.02  # of a core, for refreshing a million domains a day
CONNECT_SECONDS = 8  # STS_CONNECT_MS: then a dead host hangs no more


def measure(bed, _against):
    yield from hanging(bed)
    cost = []
    yield from behind(bed, "refresh", "due", cost)
    yield from behind(bed, "expiry", "expired", cost)
    yield from cost
    yield from spread(bed)


def hanging(bed):
    world = beds.World(bed)
    server = beds.start(bed.stsd([("-n", HOT)], max_lookups=2048, max_fetches=1200,
                                 answer_timeout="60s", **world.settings))
    address = beds.addresses(server)["unix"]
    quiet = rounds(bed, server)
    finish = storm(bed, world, address)
    loud = rounds(bed, server)
    yield row(f"{HANGING:,} lookups hang, {FETCHES} fetch", quiet, loud, finish())
    bed.stop(server)
    world.stop()


def paced(bed, address, pids):
    words = [word for pid in pids for word in ("-p", pid)]
    load = bed.start_load(address, "-c", 16, "-n", HOT, "-r", RATE, "-s", SECONDS, "-w", WARM,
                          "-e", "OK secure", *words)
    beds.keep_others_off([load.pid])
    return bed.result(load)


def rounds(bed, server):
    """Of stsd, and of a bare echo on the same CPU: what that suffers is not our doing alone."""
    ours = beds.addresses(server)["unix"], server.processes()["answerer"]
    with beds.Echo(bed, "unix", bed.reply(ours[0], "-n", HOT)) as echo:
        told = [(paced(bed, *ours), paced(bed, *echo.rival)) for _ in range(ROUNDS)]
    return [beds.with_wrong(sorted(some, key=lambda one: one["p99"])[COUNTS], some)
            for some in zip(*told)]


def row(figure, quiet, loud, said):
    before, told = quiet[0]["p99"], loud[0]
    ratio, echo = (after["p99"] / was["p99"] for was, after in zip(quiet, loud))
    return Row("isolation", figure, f"p99 <= {TIMES:.0f} x {before:,.0f} us, quiet",
               f"{ratio:.1f} x (an echo: {echo:.1f} x), {said}",
               ratio <= TIMES and not told["bad"], told)


def storm(bed, world, address):
    began = beds.now()
    hung = [bed.start_load(address, "-c", HANGING // 2, "-o", "-n", HANGING // 2, "-k", kind,
                              "-w", 0, "-s", 120) for kind in "xy"]
    wait.until(lambda: world.asked()["open"] >= HANGING // 2, "dripping hosts are visited", 60)
    world.give_way()
    fetching = bed.start_load(address, "-c", FETCHES, "-o", "-n", 1000000, "-f", 1000000,
                              "-w", 0, "-s", 120)
    before, then = world.asked()["requests"], beds.now()

    def finish():
        ended = beds.now()
        fetches = (world.asked()["requests"] - before) / (ended - then)
        for load in [fetching] + hung:
            bed.stop(load)
        late = ", dead hosts given up" if ended - began > CONNECT_SECONDS else ""
        return f"{fetches:,.0f} fetches/s{late}"
    return finish


def behind(bed, figure, age, cost):
    """A million that the resolver must look at, behind a thousand that are asked for. Rows
    about what that costs are added to cost."""
    world = beds.World(bed)
    world.give_way()
    quiet_server = beds.start(bed.stsd([("-n", str(HOT))], **world.settings))
    quiet = rounds(bed, quiet_server)
    bed.stop(quiet_server)
    server = beds.start(bed.stsd([("-n", str(HOT)),
                                  ("-k", "w", "-a", age, "-n", str(MILLION))],
                                 cache_size="16G", **world.settings))
    roles = server.processes()
    others = roles["resolver"] + roles["supervisor"]
    before, spent, began = world.asked(), beds.cpu_ns(others), beds.now()
    loud = rounds(bed, server)
    after = world.asked()
    done, questions = (after[what] - before[what] for what in ("requests", "dns"))
    spent, seconds = beds.cpu_ns(others) - spent, beds.now() - began
    said = f"{done / seconds:,.0f} a second" if done else f"{spent / seconds / 1e9:.1%} of a core"
    yield row(f"{figure} of a million under way", quiet, loud, said)
    if done:
        bare = world.bare_fetch(BARE)["cpu_ms"]
        cost.extend(cost_of(spent / done / 1e6, bare, questions / done))
    bed.stop(server)
    world.stop()


def cost_of(ms, bare, questions):
    """bare: of a fetch that is nothing else."""
    core, beside = (each / 1000 * MILLION / DAY for each in (ms, ms - bare))
    yield Row("refreshing", "a million domains a day", f"<= {CORE:.0%} of a core beside TLS",
              f"{beside:.1%}, with TLS {core:.1%} ({ms:.2f} ms each, bare fetch {bare:.2f})",
              beside <= CORE)
    yield Row("refreshing", "DNS questions each", "", f"{questions:.1f}")


def spread(bed):
    for days in (1, 7, 30):
        done = subprocess.run([bed.tool("spread"), str(MILLION), str(days)], check=True,
                              stdout=subprocess.PIPE, text=True)
        told = json.loads(done.stdout)
        yield Row("refreshing", f"{days} days after a burst",
                  "", f"{told['most'] / 60:.0f}/s at most, {told['mean'] / 60:.1f} on average")
