# SPDX-License-Identifier: MIT
"""Debian's Postfix, with a configuration, queue and log of its own."""
import os
import re
import shutil
import subprocess
import time

from . import namespace, wait

MASTER = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - {smtp_processes} smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


# Runs a command with another /etc: sh -c OTHER_ETC sh ETC PLACE COMMAND...
OTHER_ETC = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Postfix:
    """root: of another system, in which it is started. resolver: its name server. hosts:
    {name: address} that no DNS knows. master: more for master.cf."""

    # pylint: disable=too-many-arguments
    def __init__(self, folder, ca_file, socketmap="127.0.0.1:8461", name="QUERY", root="",
                 resolver="127.0.0.1", smtp_processes="-", hosts=None, master="", **settings):
        self.folder = folder
        self.log_file = folder + "/log"
        self._run = None
        self._root = root
        self._there = ["chroot", root] if root else []
        self._resolver = resolver
        self._hosts = hosts or {}
        for part in ("", "/etc", "/queue", "/data"):
            os.makedirs(folder + part, exist_ok=True)
        os.chown(folder + "/data", *self._account(root))
        self._main = {
            "compatibility_level": "3.6",
            "queue_directory": folder + "/queue",
            "data_directory": folder + "/data",
            "maillog_file": self.log_file,
            "maillog_file_prefixes": folder,
            "myhostname": "sender.test",
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "minimal_backoff_time": "5s",
            "maximal_backoff_time": "5s",
            "queue_run_delay": "5s",
            "smtp_tls_security_level": "may",
            "smtp_tls_CAfile": ca_file,
            "smtp_tls_loglevel": "1",
            "smtp_tls_policy_maps": f"socketmap:inet:{socketmap}:{name}",
        }
        self.set(**settings)
        with open(folder + "/etc/master.cf", "w", encoding="utf-8") as file:
            file.write(MASTER.format(smtp_processes=smtp_processes) + master)

    def set(self, **settings):
        """More for main.cf."""
        self._main.update(settings)
        with open(self.folder + "/etc/main.cf", "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in self._main.items())
        # Postfix waits two seconds for what has just been written.
        os.utime(self.folder + "/etc/main.cf", (time.time() - 10,) * 2)

    @staticmethod
    def _account(root):
        with open(root + "/etc/passwd", encoding="utf-8") as file:
            line = next(line for line in file if line.startswith("postfix:"))
        return tuple(int(number) for number in line.split(":")[2:4])

    def start(self):
        etc = self.folder + "/other-etc"
        shutil.copytree(self._root + "/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
        namespace.write_atomically(etc + "/resolv.conf", f"nameserver {self._resolver}\n")
        with open(etc + "/hosts", "a", encoding="utf-8") as file:
            file.writelines(f"{address} {name}\n" for name, address in self._hosts.items())
        self._run = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", OTHER_ETC, "sh", etc, self._root + "/etc",
             *self._there, "postfix", "-c", self.folder + "/etc", "start-fg"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait.until(lambda: "daemon started" in self.log(), "Postfix starts", 20)
        return self

    def stop(self):
        if self._run is None:
            return
        subprocess.run([*self._there, "postfix", "-c", self.folder + "/etc", "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        self._run.wait(20)

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def send(self, recipient, sender="sender@sender.test"):
        """Hands a mail over; Postfix does the rest."""
        subprocess.run([*self._there, "sendmail", "-C", self.folder + "/etc", "-f", sender,
                        recipient], input=b"Subject: test\n\nHello\n", check=True,
                       stderr=subprocess.PIPE)

    def fate(self, recipient):
        """("sent" | "deferred" | "bounced", the reason), or None when nothing is known."""
        found = re.findall(rf"to=<{re.escape(recipient)}>.* status=(\w+) \((.*)\)", self.log())
        return found[-1] if found else None

    def wait_for_fate(self, recipient, seconds=30):
        return wait.until(lambda: self.fate(recipient), f"the fate of {recipient}", seconds)

    def tls_of(self, host):
        """"Verified", "Trusted", "Untrusted", or None: the connection to a mail host."""
        found = re.findall(rf"(\w+) TLS connection established to {re.escape(host)}\[",
                           self.log())
        return found[-1] if found else None
