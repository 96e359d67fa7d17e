#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian package: debian.py RELEASE [-v]

Built where no network is, looked at by lintian, and lived with in a machine of that release:
installed, asked, hung, killed, upgraded, removed. The cases follow on each other."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import machine
from machine import ROOT, Disk, Machine, Unavailable
from lab import wait
from lab.cases import CASES, Skip, case, contains, run, same

RUNNING = ("systemd", "systemd-sysv", "dbus", "postfix", "procps", "python3", "iproute2")
KEPT = "autopkgtest.example"  # of docker/debian/tests/answers
REPLY = f"OK secure match=mx.{KEPT} servername=hostname"
SOURCE = "/src/stsd"
PRIORITIES = {"error": "3", "warning": "4", "notice": "5", "info": "6", "debug": "7"}
# What a machine writes that has nothing to do with the package.
ELSEWHERE = re.compile(r"/(dev|proc|run|sys|tmp)/|/var/(log|tmp|cache|backups)/|"
                       r"/var/lib/(dpkg|apt|systemd/(timers|catalog|random-seed)|postfix)|"
                       r"/var/spool/postfix/(?!stsd)|"
                       r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|"
                       r"/etc/(\.pwd\.lock|\.updated|machine-id)$|/(root|packages)(/|$)")


class World:
    """One release: where it is built, and where it runs."""

    def __init__(self, release):
        self.release = release
        self.builder = self.machine = None
        self.before = set()
        self.asker = None

    def end_case(self, keep):
        if self.asker is not None:
            self.asker.kill()
            self.asker = None
        if keep and self.machine is not None and self.machine.pid is not None:
            with open(keep + ".log", "w", encoding="utf-8") as file:
                file.write(self.machine.run("journalctl -b --no-pager", None))

    def boot(self):
        # Port 25 elsewhere is for the mail hosts of the small Internet.
        self.machine.chroot("postconf -e inet_interfaces=loopback-only")
        self.machine.boot()
        trusted = self.machine.start_internet(KEPT)
        self.machine.copy(trusted, "/packages/ca.pem")

    def package(self, revision):
        """The path in the builder of what was built."""
        folder = place_of(revision) + "/build/deb"
        names = [name for name in os.listdir(self.builder.root + folder)
                 if name.startswith("stsd_") and name.endswith(".deb")]
        same(len(names), 1, "packages")
        return f"{folder}/{names[0]}"

    def hand_over(self, revision):
        """The same in the machine."""
        path = "/packages/" + os.path.basename(self.package(revision))
        self.machine.copy(self.builder.root + self.package(revision), path)
        return path

    def files(self):
        found = self.machine.run("find / -xdev -mindepth 1 -printf '%p %y %l\\n'")
        return {line for line in found.splitlines() if not ELSEWHERE.search(line.split(" ")[0])}

    def ask(self, key=KEPT):
        script = (f"import sys; sys.path.insert(0, '{machine.HERE}'); import machine; "
                  f"from lab import socketmap; print(socketmap.ask({key!r}))")
        done = subprocess.run(self.machine.on_its_network(sys.executable, "-c", script),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        return done.stdout.rstrip("\n") if done.returncode == 0 else done.stderr[-200:]

    def show(self, name, unit="stsd"):
        return self.machine.run(f"systemctl show -P {name} {unit}").strip()

    def events(self, name):
        """Lines of the log of this boot: [(priority, the rest)]"""
        lines = self.machine.run("journalctl -b -o json -u stsd --no-pager").splitlines()
        found = [json.loads(line) for line in lines]
        return [(line["PRIORITY"], line["MESSAGE"]) for line in found
                if f" {name} " in f" {line['MESSAGE']} "]

    @contextlib.contextmanager
    def asked_all_the_time(self):
        """Whatever is done meanwhile, everybody is answered."""
        command = self.machine.on_its_network(sys.executable, machine.HERE + "/asker.py", KEPT,
                                              REPLY)
        self.asker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        same(self.asker.stdout.readline(), "asking\n")
        yield
        wait.until(lambda: self.ask() == REPLY, "it answers", 30)
        self.asker.send_signal(signal.SIGTERM)
        happened = json.loads(self.asker.communicate(timeout=120)[0])
        same(happened["wrong"], [], "what was answered wrong, or not at all")
        print(f"        asked {happened['asked']} times, {happened['again']} once more", flush=True)


def tree(world, purpose, *packages):
    try:
        return machine.tree(f"{world.release}-{purpose}", *packages)
    except Unavailable as reason:
        raise Skip(str(reason)) from reason


def place_of(revision):
    """Another folder for the second one."""
    return SOURCE if revision == 1 else "/elsewhere/a/longer/name"


def make_deb(world, revision, options=""):
    if revision == 1:
        world.builder.copy_project(SOURCE)
    else:
        world.builder.chroot(f"mkdir -p {place_of(2)} && cd {SOURCE} && tar c --exclude=./build . "
                             f"| tar x -C {place_of(2)}")
    world.builder.chroot(f"cd {place_of(revision)} && SOURCE_DATE_EPOCH=1790000000 "
                         f"DEB_REVISION={revision} DEB_BUILD_OPTIONS='{options}' make deb")


@case("builds without a network, and its tests pass")
def build(world):
    packages = subprocess.run(["make", "-s", "-C", ROOT, "deps-deb"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split()
    world.builder = Disk(tree(world, "builder", *packages, "lintian", "apparmor"),
                         f"builder{world.release}")
    make_deb(world, 1)


@case("lintian finds no error and gives no warning")
def lintian(world):
    said = world.builder.chroot(f"cd {SOURCE}/build/deb && lintian --allow-root "
                                "--fail-on error,warning *.changes")
    same([line for line in said.splitlines() if line[:2] in ("E:", "W:")], [], "lintian")


@case("AppArmor's parser understands the profile")
def apparmor(world):
    world.builder.chroot(f"/sbin/apparmor_parser --skip-kernel-load --skip-cache "
                         f"{SOURCE}/docker/debian/usr.sbin.stsd")


@case("the same files come of another folder")
def reproducible(world):
    make_deb(world, 2, "nocheck")
    listed = []
    for revision in (1, 2):
        world.builder.chroot(f"rm -rf /x{revision}; mkdir /x{revision}; "
                             f"dpkg-deb -R {world.package(revision)} /x{revision}")
        world.builder.chroot(f"cd /x{revision} && rm usr/share/doc/stsd/changelog.Debian.gz "
                             "DEBIAN/md5sums && sed -i /^Version:/d DEBIAN/control")
        listed.append(world.builder.chroot(
            f"dpkg-deb -c {world.package(revision)} | grep -v changelog"))
    same(sorted(set(listed[1].splitlines()) ^ set(listed[0].splitlines())), [],
         "difference of names, sizes and times")
    same(world.builder.chroot("diff -r /x1 /x2", None), "", "difference")


@case("installs and runs, with its sockets")
def install(world):
    depends = world.builder.chroot(f"dpkg-deb -f {world.package(1)} Depends")
    needed = [re.split(r"[ |]", one.strip())[0] for one in depends.split(",")]
    world.machine = Machine(tree(world, "runner", *RUNNING, *needed), f"debian{world.release}")
    world.boot()
    world.before = world.files()
    world.machine.run(f"dpkg -i {world.hand_over(1)}")
    for unit, enabled in (("stsd.service", "enabled"), ("stsd.socket", "enabled"),
                          ("stsd-postfix.socket", "disabled")):
        same(world.machine.run(f"systemctl is-enabled {unit}", None).strip(), enabled, unit)
    same(world.show("ActiveState"), "active")
    same(world.show("User"), "_stsd")
    same(world.ask("no.example")[:9], "NOTFOUND ", "the answer about a domain without a policy")
    contains(world.machine.run("systemctl status stsd"), 'Status: "answering"')


@case("its exposure is 1.5 at most")
def exposure(world):
    world.machine.run("systemd-analyze security --no-pager --threshold=15 stsd.service")


@case("its sandbox is the same in the unit and out of it")
def sandbox(world):
    world.machine.run("mkdir -m 700 /tmp/state && chown _stsd /tmp/state")
    log = world.machine.run(
        "timeout -s TERM 3 runuser -u _stsd -- stsd -o state_directory=/tmp/state "
        "-o listen=inet:127.0.0.1:9999 -o control_socket=none", None)
    outside = {line.split(" sandbox ")[1] for line in log.splitlines() if " sandbox " in line}
    inside = {message.split(" sandbox ")[1] for _, message in world.events("sandbox")}

    def without_pid(lines):
        return sorted(re.sub(r" ?pid=\d+", "", line) for line in lines)
    same(len(outside), 3, "roles that say something")
    same(without_pid(inside), without_pid(outside), "what it says")


@case("autopkgtest: it keeps a policy, and Postfix is told")
def autopkgtest(world):
    world.machine.copy(f"{ROOT}/docker/debian/tests/answers", "/packages/answers")
    world.machine.run("sh /packages/answers")


@case("the journal has each line with its priority")
def priorities(world):
    for level in ("notice", "info"):
        events = [(priority, message) for priority, message in world.events(level)]
        if not events:
            raise AssertionError(f"no line of {level}")
        for priority, message in events:
            same(priority, PRIORITIES[level], message)
            if message.startswith("<"):
                raise AssertionError(f"a priority is left in the text: {message}")


@case("reload: a new configuration counts, a wrong one is refused and told")
def reload(world):
    before = world.show("MainPID")
    world.machine.run("echo 'log_level = debug' >>/etc/stsd/stsd.conf; systemctl reload stsd")
    world.ask()
    wait.until(lambda: world.events("answer"), "it logs what it answers")
    world.machine.run("echo nonsense >>/etc/stsd/stsd.conf; systemctl reload stsd", None)
    wait.until(lambda: world.events("reload-refused"), "it refuses")
    contains(world.machine.run("systemctl status stsd"), "reload refused")
    world.machine.run("sed -i -e /nonsense/d -e '/^log_level = debug/d' /etc/stsd/stsd.conf; "
                      "systemctl reload stsd")
    wait.until(lambda: world.show("StatusText") == "answering", "it is content again")
    same(world.show("MainPID"), before, "the process")
    same(world.ask(), REPLY)


@case("restarts refuse nobody")
def restarts(world):
    with world.asked_all_the_time():
        for _ in range(5):
            world.machine.run("systemctl restart stsd")


@case("killed: started again, and nobody is refused")
def killed(world):
    with world.asked_all_the_time():
        world.machine.run("systemctl kill -s KILL --kill-who=main stsd")
        wait.until(lambda: world.show("NRestarts") == "1", "it is started again", 30)


@case("hung: the watchdog has it started again")
def hung(world):
    world.machine.write("/etc/systemd/system/stsd.service.d/test.conf",
                        "[Service]\nWatchdogSec=2\n")
    world.machine.run("systemctl daemon-reload; systemctl restart stsd")
    before = world.show("MainPID")
    world.machine.run(f"kill -STOP {before}")
    wait.until(lambda: world.show("NRestarts") == "1", "it is started again", 60)
    wait.until(lambda: world.ask() == REPLY, "it answers", 30)
    contains(world.machine.journal(), "Watchdog timeout")
    world.machine.run("rm -r /etc/systemd/system/stsd.service.d; systemctl daemon-reload; "
                      "systemctl restart stsd")


@case("a wrong configuration keeps it down, until it is right")
def wrong(world):
    world.machine.run("systemctl stop stsd.socket stsd; echo nonsense >>/etc/stsd/stsd.conf")
    world.machine.run("systemctl start stsd", 1)
    wait.until(lambda: world.show("ActiveState") == "failed", "it is down")
    same(world.show("ExecMainStatus"), "78")
    world.machine.run("sed -i /nonsense/d /etc/stsd/stsd.conf; systemctl start stsd")
    same(world.ask(), REPLY)


@case("stopped with its socket it refuses; started it answers")
def stopped(world):
    world.machine.run("systemctl stop stsd.socket stsd")
    contains(world.ask(), "refused")
    world.machine.run("systemctl start stsd")
    same(world.show("ActiveState", "stsd.socket"), "active")
    same(world.ask(), REPLY)


@case("without stsd.socket, listen counts")
def no_socket(world):
    world.machine.run("systemctl mask --now stsd.socket; systemctl restart stsd")
    same(world.show("ActiveState"), "active")
    same(world.ask(), REPLY)
    world.machine.run("systemctl unmask stsd.socket; systemctl stop stsd; systemctl start stsd")
    same(world.show("ActiveState", "stsd.socket"), "active")


@case("stsd-postfix.socket without such a group: stsd runs without it")
def no_group(world):
    world.machine.write("/etc/systemd/system/stsd-postfix.socket.d/test.conf",
                        "[Socket]\nSocketGroup=nobody-has-this\n")
    world.machine.run("systemctl daemon-reload; systemctl stop stsd")
    world.machine.run("systemctl start stsd-postfix.socket", 1)
    world.machine.run("systemctl restart stsd")
    same(world.ask(), REPLY)
    world.machine.run("rm -r /etc/systemd/system/stsd-postfix.socket.d; "
                      "systemctl daemon-reload; systemctl reset-failed stsd-postfix.socket")


@case("stsd-postfix.socket: a chrooted smtp(8) asks by it")
def chrooted(world):
    run_there = world.machine.run
    run_there("systemctl stop stsd; systemctl enable --now stsd-postfix.socket; "
              "systemctl start stsd")
    same(run_there("stat -c '%U %G %a %F' /var/spool/postfix/stsd/socketmap").strip(),
         "root postfix 660 socket")
    same(run_there("postconf -F smtp/unix/chroot").strip(), "smtp/unix/chroot = y")
    run_there("postconf -e smtp_tls_security_level=may inet_protocols=ipv4 smtp_tls_loglevel=1 "
              "smtp_tls_policy_maps=socketmap:unix:stsd/socketmap:QUERY "
              "smtp_tls_CAfile=/packages/ca.pem; systemctl restart postfix")
    # In the chroot, and for whoever is in the queue directory, it is the same name.
    same(run_there(f"cd /var/spool/postfix && postmap -q {KEPT} "
                   "socketmap:unix:stsd/socketmap:QUERY").strip(), REPLY[3:])
    run_there(f"echo hello | sendmail -f root@localhost.example you@{KEPT}")
    wait.until(lambda: f"Verified TLS connection established to mx.{KEPT}"
               in run_there("journalctl -b --no-pager -t postfix/smtp", None),
               "the mail is delivered over verified TLS", 60)
    same(world.ask(), REPLY, "over TCP meanwhile")


@case("an upgrade loses no policy, refuses nobody, and keeps the settings")
def upgrade(world):
    kept = world.machine.run("stsd-query --export")
    before = world.show("MainPID")
    package = world.hand_over(2)
    with world.asked_all_the_time():
        world.machine.run(f"dpkg -i {package}")
    contains(world.machine.run("dpkg-query -W stsd"), "-2~debian" + world.release)
    if world.show("MainPID") == before:
        raise AssertionError("the old one still runs")
    same(world.machine.run("stsd-query --export"), kept, "what is kept")
    contains(world.machine.read("/etc/stsd/stsd.conf"), "dane = off")
    same(world.show("ActiveState", "stsd-postfix.socket"), "active")


@case("after a power cut it is there again, with what it kept")
def power_cut(world):
    world.machine.halt()
    world.boot()
    same(world.show("ActiveState"), "active")
    same(world.show("ActiveState", "stsd-postfix.socket"), "active")
    same(world.ask(), REPLY)


@case("removed, nothing listens; installed again, policies are still there")
def removed(world):
    world.machine.run("dpkg -r stsd")
    contains(world.ask(), "refused")
    for path in ("/usr/sbin/stsd", "/run/stsd", "/var/spool/postfix/stsd/socketmap"):
        same(os.path.lexists(f"/proc/{world.machine.pid}/root{path}"), False, path)
    same(world.machine.run("pgrep stsd", 1), "")
    world.machine.run(f"dpkg -i {world.hand_over(2)}")
    same(world.ask(), REPLY)


@case("purged, only its account is left")
def purged(world):
    world.machine.run("dpkg -P stsd")
    same(sorted(world.files() ^ world.before)[:20], [], "what is left, or gone")
    contains(world.machine.run("getent passwd _stsd"), ":/usr/sbin/nologin")
    same(world.machine.run("systemctl list-unit-files 'stsd*' --no-legend", None).strip(), "")


def main():
    release, verbose = sys.argv[1], "-v" in sys.argv or os.environ.get("V") == "1"
    machine.enter()
    world = World(release)
    logs = f"{ROOT}/build/packages"
    os.makedirs(logs, exist_ok=True)
    try:
        # Each rests on those before it: after one that fails the others would, too.
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        for number, one in enumerate(CASES):
            for what, count in run(world, [one], verbose, logs).items():
                counts[what] += count
            if counts["failed"] or counts["skipped"]:
                print(f"not tried: {len(CASES) - number - 1} cases")
                break
    finally:
        if world.machine is not None:
            world.machine.halt()
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
