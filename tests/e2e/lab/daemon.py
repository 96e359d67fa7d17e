# SPDX-License-Identifier: MIT
"""stsd under test: started, watched, asked, killed."""
import os
import re
import shutil
import signal
import subprocess
import sys

from . import socketmap, wait

PROGRAMS = ("stsd", "stsd-resolver", "stsd-query")
START_SECONDS = 20  # a sanitizer build on a busy machine
PORT = 8461
KEPT_ENVIRONMENT = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")

HAND_OVER = """
import fcntl, os, sys
given = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for n, fd in enumerate(given):
    os.dup2(fd, 3 + n)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(given)),
                  LISTEN_FDNAMES=":".join(["socketmap"] * len(given)))
os.execv(sys.argv[2], sys.argv[2:])
"""


def copy_programs(build, folder):
    """Out of a checkout that the unprivileged account may be unable to enter."""
    os.makedirs(folder)
    for name in PROGRAMS:
        shutil.copy(os.path.join(build, name), folder)
    return folder


def _environment(extra):
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    kept.update(extra or {})
    return kept


def _children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def alive(pid):
    """A zombie is not: orphans are left to the first process here, which does not reap."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


class Stsd:
    """One daemon with a folder of its own: settings, state, log. Settings given are added
    to those that suit the lab; None takes one of these away."""

    def __init__(self, programs, folder, settings):
        self.programs = programs
        self.folder = folder
        self.log_file = folder + "/log"
        self.state = settings.get("state_directory") or folder + "/state"
        self.config_file = folder + "/stsd.conf"
        self.settings = dict(settings)
        self.settings.setdefault("state_directory", self.state)
        self._run = None
        self._wrapped = False
        os.makedirs(folder, exist_ok=True)

    # Life.

    def write_config(self, **changes):
        self.settings.update(changes)
        with open(self.config_file + ".new", "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self.settings.items()
                            if value is not None)
        os.replace(self.config_file + ".new", self.config_file)

    def launch(self, later=0, arguments=(), environment=None, before=()):
        """Starts it, without waiting. later: its boot clock is ahead by so many seconds.
        before: words of a command that becomes it."""
        self.write_config()
        command = [*before, self.programs + "/stsd", "-c", self.config_file, *arguments]
        self._wrapped = later > 0
        if self._wrapped:
            command = ["unshare", "--time", "--boottime", str(later), "--fork",
                       "--kill-child"] + command
        with open(self.log_file, "ab") as log:
            self._run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                         stderr=log, env=_environment(environment))
        return self

    def launch_with(self, *listeners):
        """As systemd does with sockets of its own, from file descriptor 3 on."""
        self.write_config()
        fds = [listener.fileno() for listener in listeners]
        with open(self.log_file, "ab") as log:
            self._run = subprocess.Popen(
                [sys.executable, "-c", HAND_OVER, ",".join(map(str, fds)),
                 self.programs + "/stsd", "-c", self.config_file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds,
                env=_environment(None))

    def start(self, later=0, **how):
        self.launch(later, **how)
        wait.until(self._answers, "stsd answers", START_SECONDS)
        return self

    def _answers(self):
        if self._run.poll() is not None:
            raise AssertionError(f"stsd ended with {self._run.returncode}: {self.log()[-2000:]}")
        try:
            return socketmap.ask(".health", address=self.address(), timeout=5) == "NOTFOUND "
        except (OSError, socketmap.Closed):
            return False

    def address(self):
        listen = self.settings.get("listen") or f"inet:127.0.0.1:{PORT}"
        first = re.split(r"[\s,]+", listen)[0]
        if first.startswith("unix:"):
            return first[len("unix:"):]
        host, port = first[len("inet:"):].rsplit(":", 1)
        host = host.strip("[]")
        return ("127.0.0.1" if host == "*" else host, int(port))

    @property
    def pid(self):
        """Of the supervisor; where unshare has ended with it, of unshare."""
        children = self._wrapped and wait.until(
            lambda: _children(self._run.pid) or self._run.poll() is not None,
            "unshare has a child")
        return children[0] if isinstance(children, list) else self._run.pid

    def processes(self):
        """{"supervisor": [pid], "answerer": [...], "resolver": [...]}: those that live."""
        children = [pid for pid in _children(self.pid) if alive(pid)]
        names = {pid: _program(pid) for pid in children}
        return {"supervisor": [self.pid],
                "answerer": [pid for pid in children if names[pid] == "stsd"],
                "resolver": [pid for pid in children if names[pid] == "stsd-resolver"]}

    def signal(self, signo, role="supervisor"):
        for pid in self.processes()[role]:
            try:
                os.kill(pid, signo)
            except ProcessLookupError:
                pass  # it ended meanwhile

    def wait(self, seconds=15):
        """The exit status."""
        try:
            return self._run.wait(seconds)
        except subprocess.TimeoutExpired:
            raise wait.TooLate(f"stsd still runs after {seconds} s") from None

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()

    def restart(self, later=0):
        self.stop()
        return self.start(later)

    def kill(self):
        """Everything, at once."""
        if self._run is None or self._run.poll() is not None:
            return
        pids = [pid for pids in self.processes().values() for pid in pids]
        for pid in pids + [self._run.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended meanwhile
        self._run.wait(10)
        wait.until(lambda: not any(alive(pid) for pid in pids), "all roles are gone")

    def is_running(self):
        return self._run is not None and self._run.poll() is None

    # What it says.

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def ask(self, key, name="QUERY", timeout=30):
        return socketmap.ask(key, name, self.address(), timeout)

    def client(self, timeout=30):
        return socketmap.Client(self.address(), timeout)


class Told:
    """What a program said and how it ended."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr


def run(command, environment=None, text=None, seconds=60):
    return Told(subprocess.run(command, env=_environment(environment), input=text,
                               stdin=None if text is not None else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", timeout=seconds, check=False))
