#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A new user's way through README.md, on a Debian 12 as it comes: its commands as they stand
there, each of which must work. The Internet is the small one, where gmail.com is one of its
domains.

The second command, that runs all tests, is not run whole: most of its packages are only
tried (apt-get --simulate), and of the tests the quick ones are run. .ci/run has the rest."""
import os
import re
import sys

import machine
from machine import ROOT, Disk, Machine
from lab import wait
from lab.cases import CASES, case, contains, run, same

PLACE = "/root/stsd"
DOMAIN = "gmail.com"
REPLY = f"secure match=mx.{DOMAIN} servername=hostname"


def section(title):
    with open(ROOT + "/README.md", encoding="utf-8") as file:
        return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S).group(1)


def blocks(title):
    """Its indented blocks of commands; those that begin with a prompt show what is printed."""
    found = re.findall(r"(?:^    .*\n)+", section(title), re.M)
    return [[line[4:] for line in block.splitlines()] for block in found
            if not block.startswith("    $")]


class World:
    def __init__(self):
        self.clean = machine.tree("12-clean", "systemd", "systemd-sysv", "dbus")
        self.machine = Machine(self.clean, "readme")
        self.machine.copy_project(PLACE)

    def end_case(self, keep):
        if keep and self.machine.pid is not None:
            with open(keep + ".log", "w", encoding="utf-8") as file:
                file.write(self.machine.run("journalctl -b --no-pager", None))

    def chroot(self, command):
        return self.machine.chroot(f"cd {PLACE} && export MAKEFLAGS=-j2; {command}", packages="12")

    def shell(self, command, status=0):
        return self.machine.run(f"cd {PLACE} && {command}", status)


@case("See it work: the demonstration")
def demonstration(world):
    (command,), _ = blocks("See it work")
    contains(world.chroot(command), "as expected     yes")


@case("See it work: the tests")
def tests(world):
    _, (command,) = blocks("See it work")
    install = "apt-get install -y --no-install-recommends $(make -s deps deps-check)"
    contains(command, install)
    contains(command, "REQUIRE_ALL=1 make check")
    command = command.replace(install, install + " --simulate")
    said = world.chroot("export STAGES='unit sim replay'; " + command)
    contains(said.splitlines()[-1], " 0 failed, 0 skipped")


@case("Install: as a package")
def package(world):
    disk = Disk(world.clean, "package")
    disk.copy_project(PLACE)
    commands, _ = blocks("Install")
    # Who has seen it work has make. The package's own tests are run by debian.py.
    disk.chroot(f"cd {PLACE}; apt-get update && apt-get install -y make; "
                f"export DEB_BUILD_OPTIONS=nocheck; set -e; {'; '.join(commands)}", packages="12")
    contains(disk.chroot("stsd -V && dpkg -s stsd"), "Status: install ok installed")


@case("Install from source, use it: each command")
def use(world):
    # What a small Internet needs that the large one does not.
    world.machine.write("/etc/stsd/stsd.conf", "allow_addresses = 198.18.0.0/15\n")
    world.machine.chroot("postconf -e inet_interfaces=loopback-only")
    world.machine.boot()
    trusted = world.machine.start_internet(DOMAIN)
    with open(trusted, encoding="ascii") as ours, \
            open(world.machine.root + "/etc/ssl/certs/ca-certificates.crt", "a",
                 encoding="ascii") as theirs:
        theirs.write(ours.read())
    for command in blocks("Install")[1] + blocks("Use it")[0]:
        world.shell(command)


@case("Use it: Postfix asks, and the mail goes over verified TLS")
def works(world):
    command = f"postmap -q {DOMAIN} socketmap:inet:127.0.0.1:8461:QUERY"
    contains(section("Use it"), f"`{command}`")
    same(world.shell(command).strip(), REPLY)
    command = "postconf -e 'smtp_tls_loglevel = 1'"
    contains(section("Use it"), f"`{command}`")
    world.shell(command + "; postfix reload")
    world.shell(f"echo hello | sendmail -f root@localhost.example you@{DOMAIN}")
    wait.until(lambda: f"relay=mx.{DOMAIN}" in world.shell("journalctl -b -t postfix/smtp", None),
               "the mail is delivered", 60)
    contains(world.shell("journalctl -b -t postfix/smtp"), "Verified TLS connection established")


@case("Use it: the other commands")
def others(world):
    _, *rest = blocks("Use it")
    for block in rest:
        for command in block:
            world.shell(command)
    contains(section("Use it"), "`stsd-query --postfix`")
    contains(world.shell("stsd-query --postfix"), "fine")


@case("taken away again: make uninstall leaves the settings and the cache")
def uninstall(world):
    world.shell("systemctl disable --now stsd.socket stsd; make uninstall PREFIX=/usr")
    left = world.shell("find / -xdev -name '*stsd*' -not -path '/root/*' -not -path '/proc/*' "
                       "-not -path '/sys/*' -not -path '/tmp/*'").split()
    same(sorted(left), ["/etc/stsd", "/etc/stsd/stsd.conf", "/var/lib/stsd"], "what is left")


def main():
    machine.enter()
    try:
        world = World()
    except machine.Unavailable as reason:
        print(reason)
        return 77
    logs = f"{ROOT}/build/packages"
    os.makedirs(logs, exist_ok=True)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        for one in CASES:
            for what, count in run(world, [one], os.environ.get("V") == "1" or "-v" in sys.argv,
                                   logs).items():
                counts[what] += count
            if counts["failed"]:
                break
    finally:
        world.machine.halt()
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
