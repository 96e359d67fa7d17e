# SPDX-License-Identifier: MIT
"""The small Internet: DNS, policy hosts, mail hosts, and the daemons that use them."""
import contextlib
import os
import shutil
import threading

from . import daemon, dns, https, namespace, pki, postfix, smtp

WEEK = 604800
DNS_ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "::1")
WEB = "198.18.1.1"
WEB6 = "2001:2::11"
WEB_SILENT = "198.18.1.2"
WEB_PRIVATE = ("127.0.0.1", "10.9.0.1")
WEB_NOBODY = "198.18.1.99"  # nobody listens there
DEAD4 = "198.19.0.7"  # what is sent there is never answered
DEAD6 = "2001:2:dead::7"
ALLOWED = "198.18.0.0/15 2001:2::/32"


class Domain:
    """A mail domain with a policy, and everything that a sender looks at."""

    def __init__(self, world, name, mode, record_id, max_age, mx):
        self.world = world
        self.name = name
        self.mode = mode
        self.id = record_id
        self.max_age = max_age
        self.mx = mx
        self.policy_host = "mta-sts." + name
        self.record_name = "_mta-sts." + name

    @property
    def secure(self):
        """The reply that an enforce policy without wildcards leads to."""
        return f"OK secure match={':'.join(self.mx)} servername=hostname"

    @property
    def reported(self):
        """What QUERYwithTLSRPT adds to it."""
        return (f" policy_type=sts policy_domain={self.name}"
                + "".join(f" mx_host_pattern={mx}" for mx in self.mx)
                + "".join(f" {{ policy_string = {line} }}"
                          for line in self.policy().decode().splitlines()))

    def policy(self):
        lines = ["version: STSv1", "mode: " + self.mode]
        lines += ["mx: " + mx for mx in self.mx] + [f"max_age: {self.max_age}"]
        return "".join(line + "\r\n" for line in lines).encode()

    def publish(self, **changes):
        """A new policy under a new id."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.world.dns.replace(self.record_name, "TXT", f"v=STSv1; id={self.id};")
        self.web.policy = self.policy()

    @property
    def web(self):
        return self.world.https.hosts[self.policy_host]

    def fetches(self):
        return self.world.https.asked[self.policy_host]

    def questions(self):
        return self.world.dns.questions_below(self.name)


class World:
    def __init__(self, build, folder=namespace.HOME):
        self.folder = folder
        self.build = build
        self.programs = daemon.copy_programs(build, folder + "/bin") if build else None
        self.pki = pki.Pki(folder + "/pki")
        addresses = [a for a in DNS_ADDRESSES if namespace.has_ipv6() or ":" not in a]
        self.dns = dns.Dns(addresses)
        self.https = https.Https(self.pki)
        self.https.listen(WEB, *WEB_PRIVATE, *([WEB6, "::1"] if namespace.has_ipv6() else []))
        self.https.listen(WEB_SILENT, silent=True)
        self.smtp = smtp.Smtp(self.pki)
        self._count = 0
        self._daemons = []
        self._postfixes = []
        self._lasting = []
        self._lock = threading.Lock()

    def _number(self):
        with self._lock:
            self._count += 1
            return self._count

    def new_folder(self, name):
        folder = f"{self.folder}/{name}{self._number()}"
        os.makedirs(folder)
        return folder

    def new_name(self, word="d"):
        return f"{word}{self._number()}.test.example"

    # pylint: disable=too-many-arguments
    def domain(self, mode="enforce", record_id="1", max_age=WEEK, mx=None, name=None,
               how="good", certificate="good", addresses=(WEB,), ttl=300, gate=None):
        name = name or self.new_name()
        made = Domain(self, name, mode, record_id, max_age, mx or ["mx." + name])
        self.https.hosts[made.policy_host] = https.Host(made.policy(), how, certificate,
                                                       gate=gate)
        self.pki.leaf([made.policy_host], certificate)  # not while somebody waits
        self.dns.add(made.record_name, "TXT", f"v=STSv1; id={record_id};", ttl=ttl)
        for address in addresses:
            self.dns.add(made.policy_host, "AAAA" if ":" in address else "A", address)
        exchanges = [m for m in made.mx if not m.startswith("*")] or ["mx." + name]
        self.dns.add(name, "MX", *[(10 * (n + 1), host) for n, host in enumerate(exchanges)])
        return made

    def plain_domain(self, name=None):
        """A domain that knows nothing of MTA-STS."""
        name = name or self.new_name("plain")
        self.dns.add(name, "MX", (10, "mx." + name))
        return name

    def stsd(self, programs=None, **settings):
        """A daemon that is not yet started. programs: others than the usual ones."""
        folder = self.new_folder("stsd")
        known = {
            "listen": f"inet:127.0.0.1:{daemon.PORT}",
            "dns_servers": "127.0.0.1",
            "ca_file": self.pki.ca_file,
            "allow_addresses": ALLOWED,
            "control_socket": "none",
            "postfix_directory": folder,
            "log_level": "debug",
        }
        known.update(settings)
        made = daemon.Stsd(programs or self.programs, folder, known)
        self._daemons.append(made)
        return made

    @contextlib.contextmanager
    def resolv_conf(self, text):
        """Says so for a while."""
        namespace.write_atomically("/etc/resolv.conf", text)
        try:
            yield
        finally:
            namespace.write_atomically("/etc/resolv.conf", "nameserver 127.0.0.1\n")

    def query(self, *words, settings=None, before=(), **more):
        """Runs stsd-query. settings: as of stsd(); before: the program that starts it."""
        known = {"dns_servers": "127.0.0.1", "ca_file": self.pki.ca_file,
                 "allow_addresses": ALLOWED, "control_socket": "none"}
        known.update(settings or {})
        options = [word for name, value in known.items() if value is not None
                   for word in ("-o", f"{name}={value}")]
        return daemon.run([*before, self.programs + "/stsd-query", *options, *words], **more)

    def postfix(self, **settings):
        made = postfix.Postfix(self.new_folder("postfix"), self.pki.ca_file, **settings)
        self._postfixes.append(made)
        return made

    def lasting(self, server):
        """A daemon or a Postfix that stays for all cases."""
        for servers in (self._daemons, self._postfixes):
            if server in servers:
                servers.remove(server)
        self._lasting.append(server)
        return server

    def end_case(self, keep_logs=None):
        """Ends what a case left running; its logs go to keep_logs."""
        for server in self._daemons:
            server.kill()
        for server in self._postfixes:
            server.stop()
        if keep_logs:
            self._keep(keep_logs)
        for server in self._daemons + self._postfixes:
            shutil.rmtree(server.folder, ignore_errors=True)
        self._daemons, self._postfixes = [], []
        namespace.reap()
        self.dns.trouble.clear()
        self.dns.negative_ttl = 300
        self.dns.validates = False
        self.dns.plain_servers.clear()

    def _keep(self, target):
        for server in self._daemons + self._postfixes + self._lasting:
            os.makedirs(target, exist_ok=True)
            if os.path.exists(server.log_file):
                shutil.copy(server.log_file, f"{target}/{os.path.basename(server.folder)}.log")
