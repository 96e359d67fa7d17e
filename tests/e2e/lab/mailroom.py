# SPDX-License-Identifier: MIT
"""Real mail in signed zones: domains with mail hosts, a validating unbound, one stsd, and a
Postfix of each version that is there. Made once, for many cases."""
import hashlib
import itertools

from . import debian13, signed, tlsrpt
from .cases import Skip
from .world import WEB

LISTEN = "127.0.0.1:8471"
STRANGE = "cc" * 32  # a digest of no key
VERSIONS = {  # its name in tables: (map, level, does it report?)
    "3.7": ("QUERY", "dane", False),
    "3.7 may": ("QUERY", "may", False),
    "3.10": ("QUERYwithTLSRPT", "dane", True),
}


class Host:
    """A mail host. tlsa: what its records say (see Mailroom.add_tlsa), at=: elsewhere;
    alias: what it is another name of, which gets the address; certificate, names: of
    pki.Pki; up: does anybody listen?"""

    # pylint: disable=too-many-arguments
    def __init__(self, name="mx.{d}", tlsa=None, at=None, alias=None, certificate="good",
                 names=None, starttls=True, up=True, port=25):
        self.name = name
        self.tlsa = tlsa
        self.at = at
        self.alias = alias
        self.certificate = certificate
        self.names = names
        self.starttls = starttls
        self.up = up
        self.port = port


class Place:
    """A row of a table, made real: where its domain is, and what its names stand for."""

    def __init__(self, label, zone):
        self.names = {"s": f"{label}.{signed.SIGNED}", "u": f"{label}.{signed.UNSIGNED}"}
        self.names["d"] = self.names["s" if zone == "signed" else "u"]
        self.domain = None
        self.address = {}  # host -> address

    def text(self, pattern):
        return pattern.format(**self.names)


class Mailroom:
    def __init__(self, world):
        lacking = signed.missing()
        if lacking:
            raise Skip(lacking + " is not installed")
        self.world = world
        self.dns = signed.make(world.new_folder("mailroom") + "/dns")
        self._addresses = (f"198.18.{6 + n // 250}.{1 + n % 250}" for n in itertools.count())
        self._key = hashlib.sha256(self.world.pki.der()).hexdigest()
        self._transports = []
        self._postfixes = {}
        self._collector = None
        self.stsd = None

    # What there is, before it starts.

    # pylint: disable=too-many-arguments
    def add(self, label, zone, policy, hosts, mx=None, mode="enforce", nexthop=None):
        """A domain. mx: the MX records, if not the hosts in their order; []: none."""
        place = Place(label, zone)
        name = place.names["d"]
        place.domain = self.world.domain(name=name, mode=mode,
                                         mx=[place.text(one) for one in policy])
        self.dns.add(place.domain.policy_host, "A", WEB)
        self.dns.add(place.domain.record_name, "TXT", '"v=STSv1; id=1;"')
        self.dns.add("_smtp._tls." + name, "TXT", '"v=TLSRPTv1; rua=mailto:tls@sender.test"')
        for preference, host in enumerate([host.name for host in hosts] if mx is None else mx):
            self.dns.add(name, "MX", f"{preference} {place.text(host)}.")
        for host in hosts:
            self._add_host(place, host)
        if nexthop:
            self._transports.append(f"{name} smtp:{place.text(nexthop)}\n")
        return place

    def _add_host(self, place, host):
        name = place.text(host.name)
        address = place.address[name] = next(self._addresses)
        if host.alias:
            self.dns.add(name, "CNAME", place.text(host.alias) + ".")
        self.dns.add(place.text(host.alias or host.name), "A", address)
        if host.tlsa:
            self._add_tlsa(place, place.text(host.at or host.name), host.tlsa, host.port)
        if host.up:
            names = [place.text(one) for one in host.names or [host.name]]
            self.world.smtp.listen(address, names, host.certificate, host.starttls, host.port)

    def _add_tlsa(self, place, name, what, port):
        owner = f"_{port}._tcp.{name}"
        right = f"3 1 1 {self._key}"
        if what in ("lame", "silent"):
            self.dns.delegate("_tcp." + name, what)
        elif what in ("alias", "insecure alias"):
            end = f"tlsa.{place.names['s' if what == 'alias' else 'u']}"
            self.dns.add(owner, "CNAME", end + ".")
            self.dns.add(end, "TLSA", right)
        else:
            self.dns.add(owner, "TLSA", {
                "right": right, "wrong": f"3 1 1 {STRANGE}", "unusable": f"0 0 1 {STRANGE}",
                "bogus": f"3 1 1 {signed.HONEST}"}[what])

    def start(self):
        self.dns.start()
        self.stsd = self.world.lasting(self.world.stsd(
            listen="inet:" + LISTEN, dns_servers=signed.VALIDATING, dane="on",
            dns_timeout="3s", permissive_reply="may")).start()
        return self

    # Who sends.

    def postfix(self, version):
        if version not in self._postfixes:
            self._postfixes[version] = self._start_postfix(version)
        return self._postfixes[version]

    def _start_postfix(self, version):
        query, level, reports = VERSIONS[version]
        if reports and debian13.missing():
            raise Skip(debian13.missing())
        postfix = self.world.lasting(self.world.postfix(
            socketmap=LISTEN, name=query, smtp_dns_support_level="dnssec",
            smtp_tls_security_level=level, minimal_backoff_time="1h", maximal_backoff_time="1h",
            smtp_connect_timeout="3s", resolver=signed.VALIDATING,
            root=debian13.enter() if reports else ""))
        with open(postfix.folder + "/etc/transport", "w", encoding="utf-8") as file:
            file.writelines(self._transports)
        postfix.set(transport_maps=f"texthash:{postfix.folder}/etc/transport")
        if reports:
            self._collector = tlsrpt.Collector(postfix.folder + "/tlsrpt")
            postfix.set(smtp_tlsrpt_enable="yes",
                        smtp_tlsrpt_socket_name=postfix.folder + "/tlsrpt")
        return postfix.start()

    def report_about(self, domain):
        return self._collector.about(domain)
