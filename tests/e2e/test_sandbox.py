# SPDX-License-Identifier: MIT
"""What each role has given up, seen from outside; that all works inside is what every
other case shows."""
import collections
import ctypes
import os
import signal
import struct
import time

from lab import daemon, wait
from lab.cases import case, contains, same, table

MACHINES = ("x86_64", "aarch64")  # whose system calls are known


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def has_seccomp(stsd):
    """Not where the table of calls is missing, nor beside a sanitizer."""
    return os.uname().machine in MACHINES and "a sanitizer's build" not in stsd.log()


Scheduling = collections.namedtuple("Scheduling", "nice slice_us")


def scheduling(pid):
    """A process's niceness, and its slice: 0 where the kernel (before 6.12) has none."""
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]  # sched_getattr
    attr = ctypes.create_string_buffer(56)
    same(ctypes.CDLL(None).syscall(number, pid, attr, len(attr), 0), 0, "sched_getattr")
    _size, _policy, _flags, nice, _priority, slice_ns = struct.unpack_from("IIQiIQ", attr)
    return Scheduling(nice, slice_ns // 1000)


def said(stsd, role):
    return [line for line in stsd.log().splitlines()
            if f" sandbox " in line and f"role={role}" in line]


@table("has given up", [(role, role) for role in ("supervisor", "answerer", "resolver")])
def given_up(world, role):
    stsd = world.stsd(log_level="info").start()
    wait.until(lambda: said(stsd, role), "it says so")
    for pid in stsd.processes()[role]:
        now = status(pid)
        same(now["NoNewPrivs"], "1", "no new privileges")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            same(int(now[name], 16), 0, name)
        same(int(now["Seccomp_filters"]) > int(status("self")["Seccomp_filters"]),
             has_seccomp(stsd),
             "seccomp is in force")
    same(len(said(stsd, role)), 1, "lines about it")


@case("whose turn it is: answers before lookups, both for short slices")
def slices(world):
    stsd = world.stsd(log_level="info").start()
    for role, nice, slice_us in (("answerer", 0, 100), ("resolver", 10, 300)):
        wait.until(lambda role=role: said(stsd, role), "it has begun")
        for pid in stsd.processes()[role]:
            now = scheduling(pid)
            same(now.nice, scheduling(0).nice + nice, f"{role}: niceness")
            if scheduling(0).slice_us:  # the kernel has them
                same(now.slice_us, slice_us, f"{role}: slice")


@case("sandbox=no: nothing is given up but the account, and the log says so")
def off(world):
    stsd = world.stsd(sandbox="no", log_level="info").start()
    ours = status("self")
    for role, pids in stsd.processes().items():
        wait.until(lambda role=role: said(stsd, role), "it says so")
        contains(said(stsd, role)[0], "off by setting", role)
        for pid in pids:
            now = status(pid)
            for name in ("NoNewPrivs", "Seccomp", "Seccomp_filters"):
                same(now[name], ours[name], f"{role}: {name}")


@case("a change of sandbox needs a restart")
def no_change(world):
    stsd = world.stsd().start()
    stsd.write_config(sandbox="no")
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "sandbox: a change needs a restart" in stsd.log(), "refused")


@case("programs replaced on the disk: those in memory are started again, in the sandbox")
def upgraded(world):
    domain = world.domain()
    stsd = world.stsd()
    stsd.programs = daemon.copy_programs(stsd.programs, stsd.folder + "/bin")
    os.chmod(stsd.folder, 0o755)
    stsd.start()
    same(stsd.ask(domain.name), domain.secure)
    for name in daemon.PROGRAMS:
        os.unlink(f"{stsd.programs}/{name}")
    before = [pid for role in ("answerer", "resolver") for pid in _children(stsd, role)]
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait.until(lambda: len(_children(stsd)) == 2 and not set(_children(stsd)) & set(before),
               "both are started again")
    other = world.domain()
    wait.until(lambda: answers(stsd, other), "it answers")


def answers(stsd, domain):
    try:
        return stsd.ask(domain.name) == domain.secure
    except (OSError, daemon.socketmap.Closed):
        time.sleep(0.05)
        return False


def _children(stsd, role=None):
    """Also of a program that is there no more."""
    found = []
    with open(f"/proc/{stsd.pid}/task/{stsd.pid}/children", encoding="ascii") as file:
        for pid in file.read().split():
            name = status(pid)["Name"]
            if role is None or name == "stsd-" + role:
                found.append(int(pid))
    return found
