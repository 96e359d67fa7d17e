# SPDX-License-Identifier: MIT
"""Processes that hang, and do not end: whoever is silent for half a minute is replaced, and
where nobody answers any more the service manager hears nothing either. The half minute
passes in steps, since a pause of everybody is forgiven."""
import os
import signal
import socket
import threading

from lab import clocks, wait
from lab.cases import case, contains, same, table, within
from test_programs import get

SILENCE = 30  # seconds, after which a process is taken to hang
STEPS = 60  # of a second, at most, until it is replaced
METRICS = 8462
WATCHDOG_US = 4000000  # half of it is how often the service manager wants to hear


def health():
    """The status, and what it says. The supervisor looks at its clock, too."""
    return get("/health", METRICS)


def second(clock):
    """Passes, and everybody who can has answered whom he had to answer."""
    clock.pass_time(1)
    health()
    threading.Event().wait(0.02)


def launch(world, environment=None, **settings):
    clock = clocks.Clocks(world)
    stsd = world.stsd(programs=clock.programs, sandbox="no", metrics_listen=f"inet:127.0.0.1:{METRICS}",
                      **settings)
    return clock, stsd.start(environment=environment)


@table("stopped", [("one of two answerers", "answerer"), ("the resolver", "resolver")])
def stopped(world, role):
    """The others answer meanwhile; then there is a new one."""
    known, new = world.domain(), world.domain()
    clock, stsd = launch(world, workers="2")
    same(stsd.ask(known.name), known.secure)
    hung = stsd.processes()[role][0]
    os.kill(hung, signal.SIGSTOP)
    for passed in range(STEPS):
        if hung not in stsd.processes()[role]:
            break
        same(stsd.ask(known.name), known.secure)
        second(clock)
    within(passed, SILENCE, SILENCE + 10, "seconds until it was ended")
    contains(stsd.log(), " process-hangs ")
    wait.until(lambda: health() == (200, "ok\n"), "all is well")
    same(stsd.ask(new.name), new.secure)
    same(stsd.stop(), 0, "status")


@case("stopped: the only answerer, and no other can start: the service manager hears nothing")
def watchdog(world):
    folder = world.new_folder("notify")
    os.chmod(folder, 0o777)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(folder + "/socket")
        os.chmod(folder + "/socket", 0o666)
        manager.setblocking(False)
        clock, stsd = launch(world, {"NOTIFY_SOCKET": folder + "/socket",
                                     "WATCHDOG_USEC": str(WATCHDOG_US)})

        def heard(seconds):
            """Signs of life in so many seconds."""
            for _ in range(seconds):
                second(clock)
            words = []
            try:
                while True:
                    words.append(manager.recv(4096))
            except BlockingIOError:
                return words.count(b"WATCHDOG=1")
        within(heard(10), 4, 6, "words of one who is well")
        os.chmod(stsd.programs + "/stsd", 0o644)
        stsd.signal(signal.SIGSTOP, "answerer")
        heard(SILENCE + 10)
        same(heard(20), 0, "words while nobody answers")
        same(health()[0], 503, "health")
        os.chmod(stsd.programs + "/stsd", 0o755)
        heard(10)  # as long as it may wait before it tries again
        domain = world.domain()
        wait.until(lambda: health() == (200, "ok\n"), "all is well")
        same(stsd.ask(domain.name), domain.secure)
        within(heard(10), 4, 6, "words again")
        same(stsd.stop(), 0, "status")
