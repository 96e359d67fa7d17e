# SPDX-License-Identifier: MIT
"""Cached answers: how many, beside a bare echo of the same frames."""
import bed as beds
from table import Row

KINDS = (  # name, letter of the domains, map, what a good reply begins with
    ("NOTFOUND", "n", "QUERY", "NOTFOUND "),
    ("enforce", "e", "QUERY", "OK secure match=mx1."),
    ("enforce, wildcard", "w", "QUERY", "OK secure match=mx1."),
    ("enforce, TLSRPT", "e", "QUERYwithTLSRPT", "OK secure match=mx1."),
)
DOMAINS = 1000
CONNECTIONS = (1, 16, 100)
RATIO = 0.90
CPU = 3.3  # microseconds, on a unix socket, where the echo does not take more
EVEN = 0.40  # of two workers, the one with less to do


def measure(bed, against):
    server = beds.start(bed.stsd(small()))
    answerers = server.processes()["answerer"]
    for transport, address in beds.addresses(server).items():
        for kind in KINDS:
            yield from compare(bed, transport, kind, (address, answerers), against)
    bed.stop(server)
    yield from shared(bed)


def small():
    return [("-k", kind, "-n", str(DOMAINS)) for kind in "new"]


def compare(bed, transport, kind, ours, against):
    name, letter, map_name, good = kind
    options = ("-k", letter, "-n", DOMAINS, "-m", map_name)
    with beds.Echo(bed, transport, bed.reply(ours[0], *options)) as echo:
        rivals = {"echo": echo.rival, "stsd": ours}
        # Another server knows none of these domains: it can say so as fast as it can.
        if against and against.startswith("unix:") == (transport == "unix") and letter == "n":
            bed.load(against, "-o", *options, "-s", 60)
            rivals["other"] = (against, [])
        for count in CONNECTIONS:
            told = beds.in_turn(bed, rivals, "-c", count, *options, good=good)
            figure = f"{name}, {transport}, {count}"
            yield judge(figure, transport, count, told)
            if "other" in told:
                yield Row("cached answers", f"{figure}: {against}", told=told["other"])


def judge(figure, transport, count, told):
    ours, good, target = told["stsd"], None, ""
    if count > 1:
        good = ours["ratio"] >= RATIO and not ours["bad"]
        target = f">= {RATIO:.2f} x echo"
        if transport == "unix" and told["echo"]["cpu"] > CPU:
            target += f", {CPU} us: slow CPU"
        elif transport == "unix":
            target += f", <= {CPU} us"
            good = good and ours["cpu"] <= CPU
    return Row("cached answers", figure, target, good=good, told=ours, echo=told["echo"])


def shared(bed):
    """Two workers, on all CPUs."""
    server = bed.stsd(small(), workers=2, log_level="notice").start()
    beds.wait.until(lambda: " ready " in server.log(), "both work")
    answerers = server.processes()["answerer"]
    for transport, address in beds.addresses(server).items():
        parts, told = [], []
        for _ in range(3):
            before = [beds.cpu_ns([pid]) for pid in answerers]
            told.append(bed.load(address, "-c", 100, "-n", DOMAINS, "-s", 1))
            took = [beds.cpu_ns([pid]) - was for pid, was in zip(answerers, before)]
            parts.append(min(took) / sum(took))
        yield Row("cached answers", f"workers = 2, {transport}, 100",
                  f">= {EVEN:.0%} of the CPU each", f"at least {min(parts):.0%}",
                  min(parts) >= EVEN, beds.calmest(told))
    bed.stop(server)
