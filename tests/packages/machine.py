# SPDX-License-Identifier: MIT
"""A Debian with a real systemd as its first process, in namespaces of its own.

enter() comes first: it runs this program again where mounts are its own, and where all
that it started ends with it. A machine's disk is what tests/debian made, under an overlay
in memory: what happens to it is forgotten. Nothing but loopback is its network; what is to
be installed from elsewhere goes into the tree before (tree())."""
import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True  # the checkout stays as it is
sys.path.insert(0, ROOT + "/tests/e2e")

from lab import wait  # noqa: E402  pylint: disable=wrong-import-position

INSIDE = "MACHINE_INSIDE"
HOME = "/run/machines"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 90
STOP_SECONDS = 20
TOLD = 3000  # characters, the last ones, of what a command that failed has said
# Of the kernel that we share with who started us; a machine has no business with them.
MASKED = ("proc-sys-fs-binfmt_misc.automount", "sys-kernel-debug.mount",
          "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
          "dev-hugepages.mount", "systemd-udevd.service", "systemd-modules-load.service",
          "systemd-sysctl.service", "systemd-logind.service", "console-getty.service",
          "getty.target", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
          "dpkg-db-backup.timer", "fstrim.timer")
# In the new namespaces, as its first process: mounts, then systemd.
BOOT = """
cd "$1"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
ip link set lo up
hostname "$2"
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH="$3" /lib/systemd/systemd
"""


class Unavailable(Exception):
    """This computer cannot do it; the message says what is missing."""


def enter():
    """Runs this program again inside; returns only there. Ends it, as skipped, where that
    cannot be."""
    if os.environ.get(INSIDE) == "1":
        # The first process of a pid namespace gets no signal that it has no handler for.
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, lambda *_: sys.exit(130))
        os.environ["PATH"] = PATH
        os.umask(0o022)
        _mount("tmpfs", "/run", "-o", "mode=755", source="tmpfs")
        os.mkdir(HOME)
        return
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        print("not root")
    elif subprocess.run([*unshare, "--cgroup", "--net", "true"], check=False,
                        stderr=subprocess.DEVNULL).returncode != 0:
        print("unshare: this system lets us make no namespaces")
    else:
        os.environ[INSIDE] = "1"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    sys.exit(77)


def _mount(kind, where, *options, source="none"):
    done = subprocess.run(["mount", "-t", kind, *options, source, where], check=False,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip())


def tree(name, *packages):
    """build/debianNAME, with these packages."""
    environment = {k: v for k, v in os.environ.items() if k != "DEBIAN_INSIDE"}
    done = subprocess.run([ROOT + "/tests/debian", name, *packages], env=environment,
                          check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Unavailable(done.stdout.strip())
    return f"{ROOT}/build/debian{name}"


class Failed(AssertionError):
    """A command did not end as it should have."""


def _ended(command, done, status):
    if status is not None and done.returncode != status:
        raise Failed(f"{command}: status {done.returncode}\n{done.stdout[-TOLD:]}")
    return done.stdout


class Disk:
    """A tree, under an overlay: what is changed is forgotten with it."""

    def __init__(self, below, name):
        self.name = name
        place = f"{HOME}/{name}"
        os.mkdir(place)
        _mount("tmpfs", place, source="tmpfs")
        for folder in ("up", "work", "root"):
            os.mkdir(f"{place}/{folder}")
        self.root = place + "/root"
        _mount("overlay", self.root, "-o",
               f"lowerdir={below},upperdir={place}/up,workdir={place}/work", source="overlay")
        _mount("tmpfs", self.root + "/dev", "-o", "mode=755", source="tmpfs")
        for device in ("null", "zero", "full", "random", "urandom", "tty"):
            open(f"{self.root}/dev/{device}", "w", encoding="ascii").close()
            subprocess.run(["mount", "--bind", "/dev/" + device,
                            f"{self.root}/dev/{device}"], check=True)
        for folder in ("pts", "shm"):
            os.mkdir(f"{self.root}/dev/{folder}")
        _mount("devpts", self.root + "/dev/pts", "-o", "newinstance,ptmxmode=0666,mode=620,gid=5")
        _mount("tmpfs", self.root + "/dev/shm", "-o", "mode=1777")
        os.symlink("pts/ptmx", self.root + "/dev/ptmx")
        for number, stream in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"{self.root}/dev/{stream}")
        os.symlink("/proc/self/fd", self.root + "/dev/fd")

    def read(self, path):
        with open(self.root + path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.root + path, mode)

    def copy(self, source, path):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        shutil.copy(source, self.root + path)

    def copy_project(self, path):
        """What a user has: the files of the checkout."""
        listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached",
                                 "--others", "--exclude-standard"], cwd=ROOT, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        files = [name for name in listed.stdout.decode().split("\0") if name]
        if listed.returncode != 0:  # an unpacked archive
            files = [os.path.relpath(os.path.join(folder, name), ROOT)
                     for folder, _, names in os.walk(ROOT) for name in names
                     if not os.path.relpath(folder, ROOT).startswith(("build", ".git"))]
        for name in files:
            if os.path.exists(f"{ROOT}/{name}"):
                self.copy(f"{ROOT}/{name}", f"{path}/{name}")

    def chroot(self, command, status=0, packages=None):
        """What a shell command prints that runs there while no systemd does. Offline, unless
        it installs packages: then of this release, out of what tests/debian has fetched, or
        from the mirror."""
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        prepare = "ip link set lo up"
        if packages is None:
            unshare.append("--net")
        else:
            prepare = (f'mount --bind "{ROOT}/build/debian{packages}.archives" '
                       '"$1/var/cache/apt/archives" && '
                       'mount --bind /etc/resolv.conf "$1/etc/resolv.conf"')
        inside = (f'mount -t proc proc "$1/proc" && {prepare} && '
                  'exec chroot "$1" env -i PATH="$3" HOME=/root LC_ALL=C.UTF-8 sh -c "$2"')
        done = subprocess.run([*unshare, "sh", "-c", inside, "sh", self.root, command, PATH],
                              check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        return _ended(command, done, status)


class Machine(Disk):
    def __init__(self, below, name):
        super().__init__(below, name)
        self._first = None  # the process outside that holds the namespaces
        self._internet = None
        self.pid = None  # of its systemd, as seen by us
        for unit in MASKED:
            self.write("/etc/systemd/system/" + unit, "")
            os.remove(f"{self.root}/etc/systemd/system/{unit}")
            os.symlink("/dev/null", f"{self.root}/etc/systemd/system/{unit}")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.write("/etc/hostname", name + "\n")
        self._groups = f"{HOME}/{name}.cgroup"
        os.mkdir(self._groups)
        _mount("cgroup2", self._groups, source="cgroup2")
        self._group = f"{self._groups}/stsd-{name}-{os.getpid()}-{os.stat('/proc/self/ns/pid').st_ino}"

    def __enter__(self):
        self.boot()
        return self

    def __exit__(self, *_):
        self.halt()

    def boot(self):
        if os.path.exists(self.root + "/usr/sbin/policy-rc.d"):
            os.remove(self.root + "/usr/sbin/policy-rc.d")
        os.mkdir(self._group)

        def join():
            with open(self._group + "/cgroup.procs", "w", encoding="ascii") as file:
                file.write("0")
        command = ["unshare", "-mpuinC", "--fork", "--kill-child", "sh", "-euc", BOOT, "sh",
                   self.root, self.name, PATH]
        with open(f"{HOME}/{self.name}/boot.log", "w", encoding="utf-8") as log:
            self._first = subprocess.Popen(command, preexec_fn=join, stdout=log, stderr=log,
                                           stdin=subprocess.DEVNULL)
        children = f"/proc/{self._first.pid}/task/{self._first.pid}/children"

        def child():
            with open(children, encoding="ascii") as file:
                return file.read().split()
        self.pid = int(wait.until(child, "its first process")[0])
        wait.until(lambda: self.run("systemctl is-system-running", None).strip()
                   in ("running", "degraded"), f"{self.name} has booted", BOOT_SECONDS)

    def inside(self, *command):
        """The words that start a command in the machine."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-C",
                "env", "-i", "PATH=" + PATH, "HOME=/root", "LC_ALL=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *command]

    def on_its_network(self, *command):
        """The words that start a command of ours that sees the machine's loopback."""
        return ["nsenter", "-t", str(self.pid), "-n", *command]

    def run(self, command, status=0, given=""):
        """What a shell command prints that is run as root in the machine."""
        done = subprocess.run(self.inside("sh", "-c", command), check=False, input=given,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=600)
        return _ended(command, done, status)

    def start_internet(self, *domains):
        """As internet.py has it; it ends with the machine. Where its authority's certificate
        is: for us, not for the machine."""
        folder = f"{HOME}/{self.name}.internet"
        shutil.rmtree(folder, ignore_errors=True)
        self._internet = subprocess.Popen(
            self.on_its_network(sys.executable, HERE + "/internet.py", folder, *domains),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self._internet.stdout.readline() != "ready\n":
            raise AssertionError("the small Internet did not start")
        return folder + "/pki/ca.pem"

    def journal(self, unit="stsd"):
        return self.run(f"journalctl -b --no-pager -o short-precise -u {unit}", None)

    def halt(self):
        """As when the power goes: nothing is asked."""
        if self._internet is not None:
            self._internet.kill()
            self._internet.wait()
            self._internet = None
        if self._first is None:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)
        except (ProcessLookupError, TypeError):
            pass  # it has not come so far
        self._first.wait()
        self._first = self.pid = None
        wait.until(self._is_empty, "its processes have ended", STOP_SECONDS)
        for folder, _, _ in os.walk(self._group, topdown=False):
            os.rmdir(folder)

    def _is_empty(self):
        with open(self._group + "/cgroup.events", encoding="ascii") as file:
            return "populated 0" in file.read()
