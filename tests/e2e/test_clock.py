# SPDX-License-Identifier: MIT
"""Clocks that jump: a policy's age is counted on the boot clock, so that a wrong wall clock,
or one that is put right, neither expires a policy nor prolongs it. Certificates are judged
by the wall clock, as everybody judges them: while it is wrong nothing can be fetched."""
import os
import signal
from time import gmtime, monotonic

from lab import clocks, control, wait
from lab.cases import case, contains, same, table, within

NOTFOUND = "NOTFOUND "
YEARS = 50 * clocks.YEAR
DAY = 86400
MAX_AGE = 5 * DAY
LATER = 400  # seconds: the record is due again, and the domain may be fetched again
WATCHED = 1.5  # seconds for which CPU time is counted: each role's timers run once a second
BUSY = 0.3  # seconds of CPU time in them that are too many

JUMPS = [("50 years ahead", YEARS), ("50 years behind", -YEARS), ("at 1970", None)]


def jump(clock, seconds):
    if seconds is None:
        clock.set_wall_to(1)
    else:
        clock.set_wall(seconds)


class Site:
    """An stsd with one cached policy, and what it knows of it."""

    def __init__(self, world):
        self.clock = clocks.Clocks(world)
        self.domain = world.domain(max_age=MAX_AGE)
        self.stsd = control.daemon_with_socket(world, programs=self.clock.programs,
                                               sandbox="no")
        self.dns = world.dns
        self.start()
        wait.until(lambda: self.stsd.ask(self.domain.name) == self.domain.secure, "a policy")
        self.known = self.listed()

    def start(self):
        """Until what is asked at a start has its answer: time that passes ends its time."""
        asked = self.dns.count("", "SOA")
        self.stsd.start()
        wait.until(lambda: self.dns.count("", "SOA") > asked, "whether the resolver validates")
        self.listed()  # and what had come by now was read

    def ask(self):
        same(self.stsd.ask(self.domain.name), self.domain.secure)

    def listed(self):
        """Domain, mode, id, fetched, expires: not when it was asked for."""
        return control.tell(self.stsd, "--list").out.split("\t")[:5]

    def stays(self):
        """It is answered as before, without a fetch; nobody is busy."""
        for _ in range(50):
            self.ask()
        same(self.listed(), self.known, "the entry")
        same(self.domain.fetches(), 1, "fetches")

    def expires_in_time(self, fetched=0):
        """Neither early nor late; from the last fetch on the policy host is away."""
        self.domain.web.how = "500"
        self.clock.pass_time(fetched + MAX_AGE - 60 - self.clock.passed)
        self.ask()
        self.clock.pass_time(120)
        same(self.stsd.ask(self.domain.name), NOTFOUND)


def cpu_seconds(stsd):
    ticks = 0
    for pids in stsd.processes().values():
        for pid in pids:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


@table("under a running stsd the wall clock is suddenly", JUMPS)
def running(world, seconds):
    site = Site(world)
    jump(site.clock, seconds)
    before, end = cpu_seconds(site.stsd), monotonic() + WATCHED
    site.stays()
    wait.until(lambda: monotonic() > end, "the time is over")
    within(cpu_seconds(site.stsd) - before, 0, BUSY, "seconds of CPU time")
    site.clock.pass_time(LATER)
    site.ask()
    wait.until(lambda: world.dns.count(site.domain.record_name, "TXT") == 2, "a look beside")
    site.stays()
    site.expires_in_time()


@case("within one second what is committed is answered at once, and before it what was")
def one_second(world):
    site = Site(world)
    site.clock.stop()
    for number in range(2, 5):
        old = site.domain.secure
        site.ask()
        site.domain.publish(id=str(number), mx=["mx." + site.domain.name, f"n{number}.example"])
        same(site.stsd.ask(site.domain.name), old, "nobody has looked")
        told = control.tell(site.stsd, "--refresh", site.domain.name)
        same(told.status, 0, told.out + told.err)
        wait.until(lambda: site.stsd.ask(site.domain.name) == site.domain.secure, "the new one")
        site.ask()


@case("a wall clock that jumps to and fro while stsd answers")
def to_and_fro(world):
    site = Site(world)
    for turn in range(20):
        jump(site.clock, JUMPS[turn % 3][1])
        site.ask()
    site.stays()


@table("no certificate is valid, so a refresh fails until it is right again: the wall clock is",
       JUMPS[:2])
def refreshed(world, seconds):
    site = Site(world)
    jump(site.clock, seconds)
    site.clock.pass_time(1.5 * DAY)
    failed = f" policy-fetch-failed domain={site.domain.name} "
    wait.until(lambda: failed in site.stsd.log(), "a refresh fails")
    contains(site.stsd.log(), " result=sts-webpki-invalid ")
    same(site.listed(), site.known, "the entry")
    site.ask()
    site.clock.set_wall(site.clock.passed)
    site.clock.pass_time(LATER)
    fetched = site.clock.passed
    wait.until(lambda: site.domain.fetches() == 2, "a refresh")
    wait.until(lambda: site.listed() != site.known, "it is kept")
    same(site.stsd.log().count(failed), 1, "refreshes that failed")
    site.expires_in_time(fetched)


@table("a policy that was never fetched has to wait until it is right: the wall clock is",
       JUMPS[:2])
def never_fetched(world, seconds):
    site = Site(world)
    domain = world.domain()
    jump(site.clock, seconds)
    same(site.stsd.ask(domain.name), NOTFOUND)
    site.clock.set_wall(0)
    site.clock.pass_time(LATER)
    same(site.stsd.ask(domain.name), domain.secure)


@table("a process is started again while the wall clock is", [
    (f"{when}: {role}", seconds, role)
    for when, seconds in JUMPS[:2] for role in ("answerer", "resolver")])
def role_again(world, seconds, role):
    site = Site(world)
    jump(site.clock, seconds)
    before = site.stsd.processes()[role]
    site.stsd.signal(signal.SIGKILL, role)
    wait.until(lambda: site.stsd.processes()[role] not in ([], before), f"a new {role}")
    wait.until(lambda: site.listed() == site.known, "the entry, through the new one")
    site.stays()


@table("a process is started again, and an override has a date; the wall clock is", [
    # name, seconds, the file
    ("50 years ahead", YEARS, "o.example encrypt until {year}-12-31\n"),
    ("50 years behind", -YEARS, "o.example may until 2001-12-31\no.example encrypt\n"),
])
def dated(world, seconds, text):
    clock = clocks.Clocks(world)
    stsd = world.stsd(programs=clock.programs, sandbox="no")
    path = stsd.folder + "/overrides"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.format(year=gmtime().tm_year + 1))
    stsd.settings["overrides"] = path
    stsd.start()
    domain = world.domain()
    same(stsd.ask(domain.name), domain.secure)  # the cache knows the time now
    same(stsd.ask("o.example"), "OK encrypt")
    clock.set_wall(seconds)
    before = stsd.processes()["answerer"]
    stsd.signal(signal.SIGKILL, "answerer")
    wait.until(lambda: stsd.processes()["answerer"] not in ([], before), "a new answerer")
    same(stsd.ask("o.example"), "OK encrypt")


@table("stsd is started again, and the wall clock is", JUMPS)
def started_again(world, seconds):
    site = Site(world)
    site.stsd.stop()
    jump(site.clock, seconds)
    site.start()
    site.stays()
    contains(site.stsd.log(), " warning clock ")
    site.expires_in_time()


@table("the machine is started again, and the wall clock is", [
    ("right", 0), JUMPS[1], JUMPS[2]])
def rebooted(world, seconds):
    site = Site(world)
    site.clock.pass_time(DAY / 2)
    site.ask()
    site.stsd.stop()
    with site.clock.rebooted():
        jump(site.clock, DAY / 2 if seconds == 0 else seconds)
        site.start()
        site.stays()
        same(" warning clock " in site.stsd.log(), seconds != 0, "a warning")
        site.expires_in_time()


@case("the machine is started again, and the wall clock is 50 years ahead: all has expired")
def rebooted_ahead(world):
    site = Site(world)
    site.stsd.stop()
    with site.clock.rebooted():
        site.clock.set_wall(YEARS)
        site.start()
        same(site.stsd.ask(site.domain.name), NOTFOUND)
        site.stsd.stop()


@case("the machine slept: that time counts")
def slept(world):
    site = Site(world)
    site.clock.suspend(1.5 * DAY)
    site.clock.pass_time(61)  # what is due is looked for once a minute, at least
    wait.until(lambda: site.domain.fetches() == 2, "a refresh")
    wait.until(lambda: site.listed() != site.known, "it is kept")
    site.domain.web.how = "500"
    site.clock.suspend(MAX_AGE - 60)
    site.ask()
    site.clock.suspend(120)
    same(site.stsd.ask(site.domain.name), NOTFOUND)
