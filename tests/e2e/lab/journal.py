# SPDX-License-Identifier: MIT
"""systemd's journal and a syslog daemon, as far as one who writes to them can tell."""
import os
import shutil
import socket
import subprocess
import threading

from . import daemon, namespace, wait

JOURNALD = "/lib/systemd/systemd-journald"
SETTINGS = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n"
JOURNAL = "/run/systemd/journal/socket"

# A /dev with a log, for one process: sh -c OTHER_DEV sh PLACE SOCKET COMMAND...
OTHER_DEV = """
mkdir "$1" && mount -t tmpfs dev "$1" && ln -s "$2" "$1/log" || exit 1
for name in null zero random urandom; do
    touch "$1/$name" && mount --bind "/dev/$name" "$1/$name" || exit 1
done
mount --rbind "$1" /dev && shift 2 && exec "$@"
"""


class Datagrams:
    """What came to a socket."""

    def __init__(self, path):
        self.path = path
        self.got = []
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while data := self._sock.recv(65536):
            self.got.append(data.decode())

    def close(self):
        os.unlink(self.path)
        self._sock.shutdown(socket.SHUT_RD)
        self._sock.close()

    def entries(self):
        """As the journal's native protocol has it: {field: value}."""
        return [dict(line.split("=", 1) for line in data.splitlines()) for data in self.got]


def stream_of(file):
    """The environment of one whose stderr is this file, and the journal."""
    status = os.stat(file)
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


class Journald:
    """The real one, with a journal of its own."""

    def __init__(self):
        os.makedirs("/etc/systemd", exist_ok=True)
        namespace.write_atomically("/etc/systemd/journald.conf", SETTINGS)
        namespace.write_atomically("/etc/machine-id", "5" * 32 + "\n")
        self._run = subprocess.Popen([JOURNALD], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait.until(lambda: os.path.exists(JOURNAL), "the journal's socket")

    @staticmethod
    def missing():
        return not os.path.exists(JOURNALD) or not shutil.which("journalctl")

    @staticmethod
    def find(*words):
        """Entries as journalctl finds them, as JSON, a line each."""
        return daemon.run(["journalctl", "--no-pager", "-D", "/run/log/journal", "-o", "json",
                           *words]).out.splitlines()

    def stop(self):
        self._run.kill()
        self._run.wait()
        shutil.rmtree("/run/systemd/journal")
