# SPDX-License-Identifier: MIT
"""Images and containers without a registry and without a daemon: buildah builds them on the
tree that tests/debian made, podman and runc run them in the lab of tests/e2e.

main() builds what a test wants, while there is a network, and then runs it where there is
none. An image that is made stays in build/containers until what it is made of changes."""
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, ROOT + "/tests/e2e")

from lab import cases, daemon, debian13, namespace, socketmap, wait  # noqa: E402  pylint: disable=wrong-import-position

TOOLS = ("buildah", "podman", "runc", "ip", "mount", "unshare")
SOURCES = ("Makefile", "daemon", "lib", "postfix", "docker/Dockerfile", "docker/rootfs",
           "docker/unbound.conf")
KEPT = ROOT + "/build/containers"
TREE = "13"  # of Debian
COMPOSE = debian13.TREE + "/usr/libexec/docker/cli-plugins/docker-compose"
# Without CAP_SYS_RESOURCE no limit can be raised.
LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024")


class Unavailable(Exception):
    """This computer cannot do it; the message says what is missing."""


def tree(*packages):
    """build/debian13, with these packages."""
    done = subprocess.run([ROOT + "/tests/debian", TREE, *packages], check=False,
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Unavailable(done.stdout.strip())


# Images: before the network goes.

def _buildah(*words, **more):
    return subprocess.run(["buildah", "--root", KEPT + "/root", "--runroot", KEPT + "/run",
                           "--storage-driver", "overlay", *words], check=True, text=True, **more)


def _said(*words):
    return _buildah(*words, stdout=subprocess.PIPE).stdout.strip()


def _base(arch):
    """A Debian as others have it from a registry. It says which architecture it is for, and
    is of this one: buildah looks for that, and docker is told by --platform."""
    debian = f"{ROOT}/build/debian{TREE}.base"
    name = f"localhost/debian{arch}:{int(os.stat(debian).st_mtime)}"
    if not _said("images", "--quiet", "--filter", "reference=" + name):
        container = _said("from", "scratch")
        _said("add", "--quiet", container, debian, "/")
        if arch:
            _buildah("config", "--arch", arch, container)
        _said("commit", "--quiet", "--rm", container, name)
    return name


def _key(arch, target):
    """Another one for each change of what an image is made of."""
    digest = hashlib.sha256(f"{arch} {target}".encode())
    for source in SOURCES:
        path = f"{ROOT}/{source}"
        files = [path] if os.path.isfile(path) else sorted(
            f"{folder}/{name}" for folder, _, names in os.walk(path) for name in names)
        for file in files:
            digest.update(file[len(ROOT):].encode() + b"\0")
            with open(file, "rb") as content:
                digest.update(content.read())
    return digest.hexdigest()[:16]


def image(name, arch="", target="stsd"):
    """The file with an image. What it takes to build it stays in the store as well."""
    kind = name + ("-" + arch if arch else "")
    file = f"{KEPT}/{kind}_{_key(arch, target)}.tar"
    if os.path.exists(file):
        return file
    os.makedirs(KEPT, exist_ok=True)
    for old in glob.glob(f"{KEPT}/{kind}_*.tar"):
        os.remove(old)
    platform = ["--platform", "linux/" + arch] if arch else []
    with open(f"{KEPT}/{kind}.log", "w", encoding="utf-8") as log:
        try:
            _buildah("bud", "--isolation", "chroot", "--format", "docker", "--layers=true",
                     "--pull-never", *platform, "--build-arg", "BASE=" + _base(arch),
                     "--build-arg", "REVISION=test", "--target", target, "--tag", kind,
                     "--file", ROOT + "/docker/Dockerfile", ROOT, stdout=log, stderr=log)
        except subprocess.CalledProcessError as failed:
            with open(log.name, encoding="utf-8") as said:
                lacking = re.search("^.*(?:Failed to fetch|Unable to fetch).*", said.read(), re.M)
            if lacking:
                raise Unavailable(lacking[0]) from failed
            raise AssertionError(f"an image cannot be built: see {log.name}") from failed
    _buildah("push", "--quiet", kind, f"docker-archive:{file}.new:{name}:local")
    os.rename(file + ".new", file)
    return file


# Containers: inside the lab.

def podman(*words, check=True):
    store = namespace.HOME + "/containers"
    done = daemon.run(["podman", "--root", store + "/root", "--runroot", store + "/run",
                       "--tmpdir", store + "/tmp", "--storage-driver", "vfs",
                       "--cgroup-manager", "cgroupfs", "--runtime", "runc",
                       "--events-backend", "file", *words])
    if check and done.status != 0:
        raise AssertionError(f"podman {' '.join(words)}: status {done.status}: {done.err}")
    return done


def load(file, name):
    """As NAME:local, whatever is said inside."""
    loaded = podman("load", "--quiet", "--input", file).out.split()[-1]
    podman("tag", loaded, f"localhost/{name}:local")


class Container:
    """One, in the lab's network. It is hardened as our compose files say."""
    HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL",
                "--security-opt", "no-new-privileges", "--pids-limit", "64",
                "--memory", "256m")

    # pylint: disable=too-many-arguments
    def __init__(self, name, what="stsd:local", environment=None, options=(), words=(),
                 hardened=HARDENED):
        self.name = name
        # At first none is there to be told about.
        podman("rm", "--force", "--ignore", name, check=False)
        given = [word for key, value in (environment or {}).items()
                 for word in ("--env", f"{key}={value}")]
        self._command = ["run", "--detach", "--name", name, "--network", "host", *LIMITS,
                         *hardened, *given, *options, "localhost/" + what, *words]

    def start(self):
        podman(*self._command)
        return self

    def log(self):
        told = podman("logs", self.name)
        return told.out + told.err

    def answers(self, address):
        if not self.inspect()["State"]["Running"]:
            raise AssertionError(f"{self.name} has ended: {self.log()}")
        try:
            return socketmap.ask(".health", address=address, timeout=5) == "NOTFOUND "
        except (OSError, socketmap.Closed):
            return False

    def start_and_wait(self, address):
        self.start()
        wait.until(lambda: self.answers(address), f"{self.name} answers at {address}", 20)
        return self

    def run(self, *words):
        """A program inside."""
        return podman("exec", self.name, *words, check=False)

    def is_healthy(self):
        return podman("healthcheck", "run", self.name, check=False).status == 0

    def inspect(self):
        return json.loads(podman("inspect", self.name).out)[0]

    def pid(self):
        """Of its first process, as seen by us."""
        return self.inspect()["State"]["Pid"]

    def stop(self):
        """By SIGTERM, with ten seconds of patience: (how long it took, its exit status)."""
        began = time.monotonic()
        podman("stop", "--time", "10", self.name)
        return time.monotonic() - began, self.inspect()["State"]["ExitCode"]

    def start_again(self):
        podman("start", self.name)

    def remove(self):
        podman("rm", "--force", "--ignore", "--volumes", self.name)


# Compose.

def compose(*files, **environment):
    """What docker-compose makes of some files together; None if it refuses them."""
    words = [word for file in files for word in ("--file", file)]
    done = daemon.run([COMPOSE, "--project-name", "test", *words, "config", "--quiet"],
                      environment)
    if done.status != 0 or done.err:
        raise AssertionError(f"{files}: {done.err}")
    done = daemon.run([COMPOSE, "--project-name", "test", *words, "config", "--format",
                       "json"], environment)
    return json.loads(done.out)


def of_service(name, service, options=(), **environment):
    """A container as a service of a compose file describes it; networks and who waits for
    whom are left out. environment: instead of what stands there."""
    known = {"image", "build", "pull_policy", "restart", "environment", "volumes", "tmpfs",
             "read_only", "cap_drop", "security_opt", "pids_limit", "mem_limit", "networks",
             "depends_on", "command", "entrypoint", "dns", "ports", "sysctls"}
    unknown = set(service) - known
    if unknown or service.get("entrypoint"):
        raise AssertionError(f"{name}: not known how to run: {unknown}")
    hardened = ["--read-only-tmpfs=false"] + ["--read-only"] * bool(service.get("read_only"))
    for key, option in (("cap_drop", "--cap-drop"), ("security_opt", "--security-opt"),
                        ("tmpfs", "--tmpfs")):
        hardened += [word for value in service.get(key, ()) for word in (option, value)]
    for key, option in (("pids_limit", "--pids-limit"), ("mem_limit", "--memory")):
        hardened += [option, str(service[key])] if key in service else []
    for volume in service.get("volumes", ()):
        mode = ":ro" if volume.get("read_only") else ""
        owner = name + "_" if volume["type"] == "volume" else ""
        hardened += ["--volume", f"{owner}{volume['source']}:{volume['target']}{mode}"]
    return Container(name, service["image"], {**service.get("environment", {}), **environment},
                     options, service.get("command") or (), hardened)


# A test program.

def main(title, images, files=None, build=None):
    """images: as keyword arguments of image(); files: there they are listed; build: programs
    that are not in images."""
    try:
        if os.environ.get(namespace.INSIDE) != "1":
            for tool in TOOLS:
                if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                    raise Unavailable(tool + " is not installed")
            namespace.check(TOOLS)
            tree("postfix", "docker-compose")
            for wanted in images:
                image(**wanted)
        namespace.enter(TOOLS)
    except (Unavailable, namespace.Unavailable) as reason:
        print(reason)
        sys.exit(77)
    except AssertionError as reason:
        print(f"failed  {title}: {reason}\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
    from lab import world  # pylint: disable=import-outside-toplevel
    here = world.World(build)
    for wanted in images:
        file = image(**wanted)
        if files is not None:
            files.append(file)
        if "arch" not in wanted:
            load(file, wanted["name"])
    some = [(name.replace("__main__", title), function) for name, function in cases.CASES
            if not sys.argv[1:] or sys.argv[1] in name]
    counts = cases.run(here, some, os.environ.get("V") == "1", ROOT + "/build/e2e")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    sys.stdout.flush()
    os._exit(1 if counts["failed"] else 0)  # the kernel ends all that runs in this namespace
