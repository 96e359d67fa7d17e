# SPDX-License-Identifier: MIT
"""Many cached domains: answers, memory, start, file."""
import os

import bed as beds
from table import Row

UNIFORM, HOT = 0.60, 0.80  # x echo
HOT_DOMAINS = 1000
START_MS = 100
FILE_BYTES = 600
GROWTH = 0.10  # "flat": of a process's memory, beyond that of the smallest cache
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


def size(bed, folder, count, smallest):
    server = bed.stsd(state_directory=folder, cache_size="16G")
    rows = [start(bed, server, count), file(folder, count)]
    address = beds.addresses(server)["unix"]
    answerers = server.processes()["answerer"]
    # Each page of the file is mapped when it is first read; what that takes is no answer's.
    bed.load(address, "-c", 100, "-o", "-n", count, "-w", 0, "-s", 300)
    with beds.Echo(bed, "unix", bed.reply(address)) as echo:
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
