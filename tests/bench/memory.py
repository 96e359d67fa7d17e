# SPDX-License-Identifier: MIT
"""Private dirty memory of all roles together (supervisor + answerer + resolver)."""
import bed as beds
from lab import wait
from table import Row

MB = 1 << 20
IDLE, STORM = 4.0, 5.0  # MB
CONNECTIONS, MORE = 4000, 1.5
SETTLE = 10  # seconds


def measure(bed, _against):
    world = beds.World(bed)
    try:
        yield from crowd(bed, world)
        yield from storm(bed, world)
    except PermissionError:
        yield Row("memory", "all roles", "", "not ours to see: root sees it")
    world.stop()


def stsd(bed, world):
    """One that has made a fetch: TLS takes memory once."""
    server = beds.start(bed.stsd([("-n", 1000)], **world.settings))
    address = beds.addresses(server)["unix"]
    bed.reply(address, "-f", 4999)
    return server, address


def crowd(bed, world):
    server, address = stsd(bed, world)
    idle = megabytes(server)
    yield Row("memory", "idle", f"<= {IDLE:.1f} MB", shown(server), idle <= IDLE)
    many = bed.start_load(address, "-c", CONNECTIONS, "-r", CONNECTIONS, "-n", 1000, "-w", 0,
                          "-s", 60)
    wait.until(lambda: beds.connections(server) >= CONNECTIONS, "all are connected", 30)
    more = megabytes(server) - idle
    yield Row("memory", f"+ {CONNECTIONS:,} connections", f"<= {MORE} MB", f"{more:.2f} MB",
              more <= MORE)
    bed.stop(many)
    wait.until(lambda: beds.connections(server) < 100, "all have gone", 30)
    yield Row("memory", "when they have gone", "", f"{megabytes(server) - idle:.2f} MB")
    bed.stop(server)


def storm(bed, world):
    server, address = stsd(bed, world)
    bed.load(address, "-c", 100, "-o", "-n", 2000, "-f", 5000, "-w", 0, "-s", 120)
    after = least(beds.all_pids(server), STORM)
    yield Row("memory", "after a storm of 2,000 fetches", f"<= {STORM:.1f} MB", shown(server),
              after <= STORM)
    bed.stop(server)


def megabytes(server):
    return beds.private_dirty(beds.all_pids(server)) / MB


def least(pids, enough=0):
    """What is left once they had time to give back what they took."""
    seen = []

    def look():
        seen.append(beds.private_dirty(pids) / MB)
        return seen[-1] <= enough
    try:
        wait.until(look, "memory is given back", SETTLE)
    except wait.TooLate:
        pass  # the figure says so
    return min(seen)


def shown(server):
    parts = [beds.private_dirty(pids) / MB for pids in server.processes().values()]
    return f"{sum(parts):.2f} MB (" + " + ".join(f"{part:.2f}" for part in parts) + ")"
