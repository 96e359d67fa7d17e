#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The images of docker/Dockerfile: what is in them, and what they do without a root to write
to, without capabilities, as the first process. test_container.py [PART OF A NAME]"""
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile

import containers
from containers import Container
from lab import daemon, dns, namespace, signed, socketmap, wait
from lab.cases import Skip, case, contains, same, within
from lab.world import ALLOWED

IMAGES = [{"name": "stsd"}, {"name": "stsd-unbound", "target": "unbound"},
          {"name": "stsd", "arch": "arm64"}]
BYTES_MAX = 30_000_000  # unpacked
ACCOUNT = 8461
ELSEWHERE = ("10.9.0.1", 8461)  # as another container sees it
RESOLVER = "127.0.0.48"
STATE = "/var/lib/stsd"
SECONDS_TO_STOP = 6


def settings(world, **more):
    """What the lab needs, as an administrator would say it."""
    said = {"STSD_DNS_SERVERS": "127.0.0.1", "STSD_ALLOW_ADDRESSES": ALLOWED}
    said.update(("STSD_" + name.upper(), value) for name, value in more.items())
    mounts = ("--volume", world.pki.ca_file + ":/etc/ssl/certs/ca-certificates.crt:ro")
    return {"environment": said, "options": mounts}


class Running:
    """A container while it answers."""

    def __init__(self, world, options=(), words=(), address=ELSEWHERE, **more):
        known = settings(world, **more)
        self.address = address
        self.container = Container("stsd", environment=known["environment"], words=words,
                                   options=(*known["options"], *options))

    def __enter__(self):
        return self.container.start_and_wait(self.address)

    def __exit__(self, *_):
        self.container.remove()


def configuration(name="stsd"):
    return json.loads(containers.podman("image", "inspect", f"localhost/{name}:local").out)[0]


def unpacked(file, folder):
    """The files of an image."""
    os.makedirs(folder)
    with tarfile.open(file) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))[0]
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(layer)) as inner:
                inner.extractall(folder)  # made by ourselves
    return folder


def files(folder):
    return [f"{place}/{name}" for place, _, names in os.walk(folder) for name in names]


def processes(container):
    first = container.pid()
    with open(f"/proc/{first}/task/{first}/children", encoding="ascii") as file:
        return [first] + [int(pid) for pid in file.read().split()]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@case("an image is small, and has nothing but programs, libraries and trust anchors")
def small(world):
    for name in ("stsd", "stsd-unbound"):
        folder = unpacked(next(f for f in FILES if os.path.basename(f).startswith(name + "_")),
                          world.new_folder("image") + "/root")
        found = files(folder)
        total = sum(os.lstat(file).st_size for file in found)
        print(f"{name}: {total} bytes in {len(found)} files")
        within(total, 1_000_000, BYTES_MAX, "bytes of " + name)
        kinds = {os.path.relpath(file, folder).split("/")[0] for file in found}
        same(kinds - {"etc", "lib", "lib64", "usr"}, set(), "top level")
        same([file for file in found if os.path.basename(file) in ("sh", "bash", "dpkg")], [])
        same([file for file in found if os.lstat(file).st_mode & 0o6000], [], "set-id files")
        same([file for file in found if os.lstat(file).st_uid != 0], [], "not root's")


@case("what an image says of itself")
def labels(world):
    image = configuration()
    same(image["Config"]["User"], "8461:8461")
    same(image["Config"]["Entrypoint"], ["/usr/sbin/stsd"])
    same(list(image["Config"]["Volumes"]), [STATE])
    said = image["Labels"]
    version = daemon.run([containers.ROOT + "/build/stsd", "-V"]).out.split("\n")[0]
    same("stsd " + said["org.opencontainers.image.version"], version)
    same(said["org.opencontainers.image.licenses"], "MIT")
    same(said["org.opencontainers.image.revision"], "test")
    with Running(world) as stsd:
        same(stsd.run("/usr/sbin/stsd", "-V").out.split("\n")[0], version)


@case("other containers ask it, and so does the health check")
def asked(world):
    domain, plain = world.domain(), world.plain_domain()
    with Running(world) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        same(socketmap.ask(domain.name, "QUERYwithTLSRPT", ELSEWHERE),
             domain.secure + domain.reported)
        same(socketmap.ask(plain, "QUERY", ELSEWHERE), "NOTFOUND ")
        if namespace.has_ipv6():
            same(socketmap.ask(domain.name, "QUERY", ("::1", 8461)), domain.secure)
        same(stsd.is_healthy(), True)
        contains(stsd.run("stsd-query", domain.name).out, domain.name + "  PROTECTED")


@case("Postfix's settings cannot be seen: testing and none are not found, unless said")
def testing(world):
    domain = world.domain(mode="testing")
    with Running(world):
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), "NOTFOUND ")
    with Running(world, permissive_reply="may"):
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), "OK may")


def has_landlock():
    """Asks the kernel for the version."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


@case("without rights: numeric account, no capability, no new privileges, root read-only")
def rights(world):
    with Running(world) as stsd:
        pids = processes(stsd)
        same(len(pids), 3)
        for pid in pids:
            status = status_of(pid)
            same(status["Uid"].split(), [str(ACCOUNT)] * 4)
            same(status["Gid"].split(), [str(ACCOUNT)] * 4)
            same(int(status["CapBnd"], 16) | int(status["CapPrm"], 16), 0, "capabilities")
            same((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        with open(f"/proc/{pids[0]}/mountinfo", encoding="ascii") as file:
            root = next(line for line in file if line.split()[4] == "/")
        contains(root.split()[5].split(","), "ro", "the root's mount options")
        said = re.findall(r'sandbox reason="([^"]*)" role=(\w+)', stsd.log())
        same(sorted(role for _, role in said), ["answerer", "resolver", "supervisor"])
        for text, role in said:
            contains(text, "seccomp", role)
            same("landlock" in text.partition(";")[0], has_landlock(), "landlock of " + role)


@case("settings come by STSD_: others of that name are ignored, wrong ones refused")
def configured(world):
    there = ("10.9.0.1", 8500)
    with Running(world, listen="inet:10.9.0.1:8500", log_format="json", port="tcp://10.9.0.2",
                 address=there) as stsd:
        same(stsd.is_healthy(), True)
        same({"role", "event"} - set(json.loads(stsd.log().splitlines()[-1])), set())
        contains(stsd.log(), "STSD_ variable ignored")
    wrong = Container("stsd", environment={"STSD_DNSSEC": "perhaps"}).start()
    wait.until(lambda: not wrong.inspect()["State"]["Running"], "it has ended")
    same(wrong.inspect()["State"]["ExitCode"], 78)
    contains(wrong.log(), "STSD_DNSSEC")
    wrong.remove()


@case("as the first process: SIGTERM ends it at once with status 0, orphans are reaped")
def first(world):
    with Running(world) as stsd:
        first_pid = stsd.pid()
        same(status_of(first_pid)["NSpid"].split()[-1], "1")
        # Its parent ends before it.
        subprocess.run(["nsenter", "--target", str(first_pid), "--pid", "sh", "-c",
                        "sleep 1 >/dev/null 2>&1 &"], check=True)
        wait.until(lambda: len(processes(stsd)) == 4, "the orphan is its child")
        wait.until(lambda: len(processes(stsd)) == 3, "the orphan is reaped")
        seconds, status = stsd.stop()
        same(status, 0)
        within(seconds, 0, SECONDS_TO_STOP, "seconds to stop")
        contains(stsd.log(), "stopped")


@case("unhealthy when nobody answers")
def unhealthy(world):
    with Running(world) as stsd:
        same(stsd.is_healthy(), True)
        pids = processes(stsd)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        same(stsd.is_healthy(), False)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@case("what it has learned is in the volume, for another container")
def kept(world):
    domain = world.domain()
    volume = ("--volume", "kept:" + STATE)
    with Running(world, volume) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        same(stsd.stop()[1], 0)
    world.dns.remove(domain.record_name)
    domain.web.how = "404"
    with Running(world, volume):
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
    same(domain.fetches(), 1)
    containers.podman("volume", "rm", "kept")


@case("killed, it starts again with what it had answered")
def killed(world):
    domain = world.domain()
    with Running(world) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        containers.podman("kill", "--signal", "KILL", "stsd")
        wait.until(lambda: not stsd.inspect()["State"]["Running"], "it has ended")
        domain.web.how = "404"
        stsd.start_again()
        wait.until(lambda: stsd.answers(ELSEWHERE), "stsd answers again", 20)
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)


@case("stsd-query reaches it through a tmpfs; without one it works all the same")
def control(world):
    domain = world.domain()
    with Running(world, ("--tmpfs", "/run/stsd")) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        contains(stsd.run("stsd-query", "--list").out, domain.name)
        same(stsd.run("stsd-query", "--refresh", domain.name).status, 0)
    with Running(world) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        contains(stsd.log(), "control-off")
        contains(stsd.run("stsd-query", "--list").out, domain.name)


@case("a volume that it cannot write to: status 69, and it says which")
def unwritable(world):
    known = settings(world)
    folder = world.new_folder("state")
    stsd = Container("stsd", environment=known["environment"],
                     options=(*known["options"], "--volume", f"{folder}:{STATE}")).start()
    wait.until(lambda: not stsd.inspect()["State"]["Running"], "it has ended")
    same(stsd.inspect()["State"]["ExitCode"], 69)
    contains(stsd.log(), STATE)
    stsd.remove()


@case("any account will do where the volume is its own")
def other_account(world):
    domain = world.domain()
    folder = world.new_folder("state")
    os.chown(folder, 4711, 0)
    with Running(world, ("--user", "4711:0", "--volume", f"{folder}:{STATE}",
                         "--tmpfs", "/run/stsd")) as stsd:
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), domain.secure)
        contains(stsd.run("stsd-query", "--list").out, domain.name)


@case("the unbound beside it validates, and then DANE comes first")
def unbound(world):
    if signed.missing():
        raise Skip(signed.missing() + " is not installed")
    domain = world.domain(name="d." + signed.SIGNED, mx=["mx.d." + signed.SIGNED])
    folder = world.new_folder("signed")
    zones = signed.make(folder + "/dns")
    zones.add(domain.policy_host, "A", "198.18.1.1")
    zones.add(domain.record_name, "TXT", '"v=STSv1; id=1;"')
    zones.add(domain.name, "MX", f"10 mx.{domain.name}.")
    zones.add("mx." + domain.name, "A", "198.18.2.1")
    zones.add("_25._tcp.mx." + domain.name, "TLSA", "3 1 1 " + "ab" * 32)
    zones.start()
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as f:
            f.write("0")
        with_unbound(world, folder, domain)
    finally:
        zones.stop()


def with_unbound(world, folder, domain):
    """Its configuration, but for the address, and for what it takes for the root's servers."""
    with open(containers.ROOT + "/docker/unbound.conf", encoding="utf-8") as file:
        text = file.read()
    text = text.replace("interface: ::\n", "do-not-query-localhost: no\n")
    namespace.write_atomically(folder + "/conf", text.replace(
        "interface: 0.0.0.0\n", f"interface: {RESOLVER}\n"))
    namespace.write_atomically(folder + "/hints", ". NS ns.example.\n"
                               f"ns.example. A {signed.NSD}\n")
    mounts = [(folder + "/conf", "/etc/unbound/unbound.conf"),
              (folder + "/hints", "/usr/share/dns/root.hints"),
              (folder + "/dns/root.ds", "/usr/share/dns/root.key")]
    resolver = Container("unbound", "stsd-unbound:local", options=[
        "--tmpfs", "/run/unbound", *(word for here, there in mounts
                                     for word in ("--volume", f"{here}:{there}:ro"))])
    resolver.start()
    wait.until(lambda: dns.ask(RESOLVER, "mx." + domain.name), "unbound answers", 20)
    same(resolver.is_healthy(), True)
    with Running(world, dns_servers=RESOLVER, dnssec="trust"):
        same(socketmap.ask(domain.name, "QUERY", ELSEWHERE), "OK dane-only")
    seconds, status = resolver.stop()
    same(status, 0)
    within(seconds, 0, SECONDS_TO_STOP, "seconds to stop")
    resolver.remove()


@case("arm64, of the same Dockerfile: everything is of that architecture, and runs")
def arm64(world):
    folder = unpacked(next(f for f in FILES if "arm64" in f), world.new_folder("arm") + "/root")
    found = [file for file in files(folder) if not os.path.islink(file)
             and open(file, "rb").read(4) == b"\x7fELF"]
    within(len(found), 30, 60, "programs and libraries")
    for file in found:
        with open(file, "rb") as program:
            same(int.from_bytes(program.read(20)[18:20], "little"), 183, file)  # EM_AARCH64
    if not shutil.which("qemu-aarch64-static"):
        raise Skip("qemu-aarch64-static is not installed")
    for name in ("libexec/stsd/stsd-resolver", "bin/stsd-query"):
        told = daemon.run(["qemu-aarch64-static", "-L", folder, f"{folder}/usr/{name}", "-V"])
        contains(told.out, "stsd", name + told.err)
    same(daemon.run(["qemu-aarch64-static", "-L", folder, f"{folder}/usr/bin/stsd-query",
                     "--match", "*.example.com", "mx.example.com"]).status, 0)


FILES = []

if __name__ == "__main__":
    containers.main("container", IMAGES, FILES)
