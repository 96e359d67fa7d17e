# SPDX-License-Identifier: MIT
"""Domains that nothing is known of: what they cost, and how long they take."""
import bed as beds
from table import Row

DOMAINS = 2000
BARE = 500
CPU_MS = 1.2
MANY = 10000
TRIP_MS = 20
OVERHEAD_MS = 5
# One after the other: TXT; A and AAAA; the handshake; the request; MX.
TRIPS = 5
BARE_TRIPS = 2  # the handshake; the request


def measure(bed, _against):
    yield from cost(bed)
    yield from questions(bed)
    yield from coalescing(bed)
    yield from latency(bed)


def stsd(bed, world, **settings):
    server = beds.start(bed.stsd(**world.settings, **settings))
    address = beds.addresses(server)["unix"]
    bed.reply(address, "-k", "e", "-f", 99999)  # everything has been used once
    return server, address


def cost(bed):
    world = beds.World(bed)
    bare = world.bare_fetch(BARE)["cpu_ms"]
    server, address = stsd(bed, world)
    roles = server.processes()
    before = {role: beds.cpu_ns(pids) for role, pids in roles.items()}
    told = bed.load(address, "-c", 32, "-o", "-n", DOMAINS, "-w", 0, "-s", 300, "-e", "OK secure")
    ms = {role: (beds.cpu_ns(pids) - before[role]) / DOMAINS / 1e6
          for role, pids in roles.items()}
    each = sum(ms.values())
    yield Row("cold lookups", f"CPU of {DOMAINS:,} enforce domains, 32 at once",
              f"<= {CPU_MS} ms each, all roles",
              f"{each:.2f} ms (resolver {ms['resolver']:.2f}, bare fetch {bare:.2f})",
              each <= CPU_MS and not told["bad"], told)
    bed.stop(server)
    world.stop()


def questions(bed):
    world = beds.World(bed)
    server, address = stsd(bed, world)
    for figure, letter, expected in (("without MTA-STS", "n", (1, 0)), ("enforce", "e", (4, 1)),
                                     ("cached", "e", (0, 0))):
        before = world.asked()
        bed.reply(address, "-k", letter)
        after = world.asked()
        got = (after["dns"] - before["dns"], after["requests"] - before["requests"])
        yield Row("cold lookups", f"DNS and HTTPS requests, {figure}",
                  "{} and {}".format(*expected), "{} and {}".format(*got), got == expected)
    bed.stop(server)
    world.stop()


def coalescing(bed):
    world = beds.World(bed)
    server, address = stsd(bed, world, max_connections=MANY, max_lookups=MANY)
    room = beds.descriptors() - 100
    before = world.asked()["requests"]
    told = bed.load(address, "-c", min(MANY, room), "-o", "-t", MANY, "-k", "z", "-w", 0,
                    "-s", 60, "-e", "OK secure")
    fetches = world.asked()["requests"] - before
    yield Row("cold lookups", f"{MANY:,} questions for one new domain", "one fetch",
              f"{fetches} fetch{'es' if fetches != 1 else ''}, {told['answers']:,} answers",
              fetches == 1 and told["answers"] == MANY and not told["bad"])
    bed.stop(server)
    world.stop()


def latency(bed):
    world = beds.World(bed, TRIP_MS)
    server, address = stsd(bed, world)
    beds.keep_others_off(beds.all_pids(server) + [world.pid])
    bare = world.bare_fetch(50)["ms"] - BARE_TRIPS * TRIP_MS
    told = bed.load(address, "-o", "-n", 50, "-w", 0, "-s", 60, "-e", "OK secure")
    over = told["p50"] / 1000 - TRIPS * TRIP_MS
    yield Row("cold lookups", f"latency, {TRIPS} round trips of {TRIP_MS} ms",
              f"<= {TRIPS * TRIP_MS} + {OVERHEAD_MS} ms",
              f"{TRIPS * TRIP_MS} + {over:.1f} ms (bare fetch + {bare:.1f})",
              over <= OVERHEAD_MS and not told["bad"], told)
    bed.stop(server)
    world.stop()
