# SPDX-License-Identifier: MIT
"""Cached answers: how many, beside a bare echo of the same frames."""
import bed as beds
from table import Row

KINDS = (  # name, letter of the domains, map, what a good reply begins with
    ("NOTFOUND", "n", "QUERY", "NOTFOUND "),
    ("enforce", "e", "QUERY", "OK secure match=mx1."),
    ("wildcard", "w", "QUERY", "OK secure match=mx1."),
    ("TLSRPT", "e", "QUERYwithTLSRPT", "OK secure match=mx1."),
)
DOMAINS = 1000
CONNECTIONS = (1, 16, 100)
RATIO = 0.90
CPU = 3.3  # microseconds, on a unix socket


def stsd(bed, **settings):
    fills = [("-k", kind, "-n", str(DOMAINS)) for kind in "new"]
    return beds.start(bed.stsd(fills, **settings))


def measure(bed, against):
    server = stsd(bed)
    answerers = server.processes()["answerer"]
    for transport, address in beds.addresses(server).items():
        for name, letter, wanted_map, good in KINDS:
            options = ("-k", letter, "-n", DOMAINS, "-m", wanted_map)
            reply = bed.reply(address, *options)
            where = f"unix:{bed.folder}/echo" if transport == "unix" \
                else f"inet:127.0.0.1:{beds.free_port()}"
            echo = bed.echo(where, reply)
            rivals = {"echo": (where, [echo.pid]), "stsd": (address, answerers)}
            if against and against.startswith("unix") == (transport == "unix"):
                rivals["other"] = (against, [])
            for count in CONNECTIONS:
                told = beds.in_turn(bed, rivals, "-c", count, *options,
                                    **{"good": good})
                yield from rows(f"{name}, {transport}, {count}", transport, count, told)
            bed.stop(echo)
            if transport == "unix":
                beds.os.unlink(where[5:])
    bed.stop(server)


def rows(figure, transport, count, told):
    yield Row("cached", "echo: " + figure, told=told["echo"])
    ours = told["stsd"]
    judged = count > 1
    good = ours["ratio"] >= RATIO and ours["bad"] == 0
    target = f">= {RATIO:.2f} x echo"
    if transport == "unix":
        target += f", <= {CPU} us"
        good = good and ours["cpu"] <= CPU
    yield Row("cached", "stsd: " + figure, target if judged else "", told=ours,
              good=good if judged else None)
    if "other" in told:
        yield Row("cached", "other: " + figure, told=told["other"])
