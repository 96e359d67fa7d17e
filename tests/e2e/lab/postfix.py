# SPDX-License-Identifier: MIT
"""Debian's Postfix, with a configuration, queue and log of its own."""
import os
import pwd
import re
import subprocess

from . import wait

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
smtp unix - - n - - smtp
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


class Postfix:
    def __init__(self, folder, ca_file, socketmap="127.0.0.1:8461", name="QUERY", **settings):
        self.folder = folder
        self.log_file = folder + "/log"
        self._run = None
        for part in ("", "/etc", "/queue", "/data"):
            os.makedirs(folder + part, exist_ok=True)
        account = pwd.getpwnam("postfix")
        os.chown(folder + "/data", account.pw_uid, account.pw_gid)
        main = {
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
        main.update(settings)
        with open(folder + "/etc/main.cf", "w", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in main.items())
        with open(folder + "/etc/master.cf", "w", encoding="utf-8") as file:
            file.write(MASTER)

    def start(self):
        self._run = subprocess.Popen(["postfix", "-c", self.folder + "/etc", "start-fg"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
        wait.until(lambda: "daemon started" in self.log(), "Postfix starts", 20)

    def stop(self):
        subprocess.run(["postfix", "-c", self.folder + "/etc", "stop"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if self._run is not None:
            self._run.wait(20)

    def log(self):
        try:
            with open(self.log_file, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def send(self, recipient):
        """Hands a mail over; Postfix does the rest."""
        subprocess.run(["sendmail", "-C", self.folder + "/etc", "-f", "sender@sender.test",
                        recipient], input=b"Subject: test\n\nHello\n", check=True)

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
