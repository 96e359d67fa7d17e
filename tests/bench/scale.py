# SPDX-License-Identifier: MIT
"""Many cached domains: answers, memory, start, file; their refreshing and expiry."""
import os
import subprocess
import json

import bed as beds
import storm
from table import Row
from warm import Echo

UNIFORM, HOT = 0.60, 0.80  # x echo
HOT_DOMAINS = 1000
START_MS = 100
FILE_BYTES = 600
GROWTH = 0.10  # "flat": of a process's memory, beyond that of the smallest cache
DAY = 86400
CORE = 0.02  # of a core, for a million domains a day
MILLION = 1000000


def sizes():
    return (1000, 100000, MILLION) + ((5 * MILLION,) if os.environ.get("BENCH") == "long" else ())


def measure(bed, _against):
    smallest = None
    for count in sizes():
        folder = bed.state([("-n", str(count))])
        rows, memory = size(bed, folder, count, smallest)
        yield from rows
        smallest = smallest or memory
    yield from behind(bed, "refresh", "due")
    yield from behind(bed, "expiry", "expired")
    yield from spread(bed)


def size(bed, folder, count, smallest):
    server = bed.stsd(state_directory=folder, cache_size="16G")
    rows = [start(bed, server, count), file(folder, count)]
    address = beds.addresses(server)["unix"]
    answerers = server.processes()["answerer"]
    # Each page of the file is mapped when it is first read; what that takes is no answer's.
    bed.load(address, "-c", 100, "-o", "-n", count, "-w", 0, "-s", 300)
    with Echo(bed, "unix", bed.reply(address)) as echo:
        rivals = {"echo": echo.rival, "stsd": (address, answerers)}
        for figure, asked, target in (("uniformly", count, UNIFORM),
                                      (f"a hot {HOT_DOMAINS:,}", HOT_DOMAINS, HOT)):
            told = beds.in_turn(bed, rivals, "-c", 100, "-n", asked, good="OK secure")
            ours = told["stsd"]
            rows.append(Row("scale", f"{count:,}, asked {figure}", f">= {target:.2f} x echo",
                            good=ours["ratio"] >= target and not ours["bad"], told=ours,
                            echo=told["echo"]))
    memory = {role: beds.private_dirty(pids) for role, pids in server.processes().items()}
    if smallest:
        growth = max(memory[role] / smallest[role] - 1 for role in memory)
        rows.append(Row("scale", f"{count:,}, memory of each process",
                        f"<= {GROWTH:.0%} more than with 1,000", f"{growth:+.0%} at most",
                        growth <= GROWTH))
    bed.stop(server)
    return rows, memory


def start(bed, server, count):
    address = beds.addresses(server)["unix"]
    began = beds.now()
    beds.on_cpu(beds.SERVER_CPU, server.launch)
    beds.until_answered(address)
    ms = (beds.now() - began) * 1000
    return Row("scale", f"{count:,}, start to first answer", f"<= {START_MS} ms", f"{ms:.0f} ms",
               ms <= START_MS)


def file(folder, count):
    each = os.stat(folder + "/cache.mdb").st_blocks * 512 / count
    return Row("scale", f"{count:,}, file",
               f"<= {FILE_BYTES} bytes a domain" if count >= 100000 else "",
               f"{each:.0f} bytes a domain", each <= FILE_BYTES if count >= 100000 else None)


def behind(bed, figure, age):
    """A million that the resolver must look at, behind a thousand that are asked for."""
    world = beds.World(bed)
    world.give_way()
    quiet_server = beds.start(bed.stsd([("-n", str(HOT_DOMAINS))], **world.settings))
    quiet = storm.rounds(bed, beds.addresses(quiet_server)["unix"], quiet_server)
    bed.stop(quiet_server)
    server = beds.start(bed.stsd([("-n", str(HOT_DOMAINS)),
                                  ("-k", "w", "-a", age, "-n", str(MILLION))],
                                 cache_size="16G", **world.settings))
    address, roles = beds.addresses(server)["unix"], server.processes()
    others = roles["resolver"] + roles["supervisor"]
    before, spent, began = world.asked(), beds.cpu_ns(others), beds.now()
    loud = storm.rounds(bed, address, server)
    after = world.asked()
    done, questions = (after[what] - before[what] for what in ("requests", "dns"))
    spent, seconds = beds.cpu_ns(others) - spent, beds.now() - began
    said = f"{done / seconds:,.0f} a second" if age == "due" else \
        f"{spent / seconds / 1e9:.1%} of a core"
    yield storm.row(f"{figure} of a million under way", quiet, loud, said)
    if age == "due" and done:
        each = spent / done / 1e9
        core = each * MILLION / DAY
        yield Row("scale", "refresh of a million a day", f"<= {CORE:.0%} of a core beside TLS",
                  f"{core:.1%}, with TLS ({each * 1000:.2f} ms each)", core <= CORE)
        yield Row("scale", "DNS questions of a refresh", "", f"{questions / done:.1f}")
    bed.stop(server)
    world.stop()


def spread(bed):
    for days in (1, 7, 30):
        done = subprocess.run([bed.tool("spread"), str(MILLION), str(days)], check=True,
                              stdout=subprocess.PIPE, text=True)
        told = json.loads(done.stdout)
        yield Row("scale", f"refresh, {days} days after a burst",
                  "", f"{told['most'] / 60:.0f}/s at most, {told['mean'] / 60:.1f} on average")
