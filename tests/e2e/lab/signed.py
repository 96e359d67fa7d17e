# SPDX-License-Identifier: MIT
"""DNSSEC as it is: nsd holds a signed root, a signed zone below it and an unsigned one;
unbound validates against a trust anchor of ours, or does not.

    .  example.  SIGNED (all signed)  UNSIGNED (a delegation without DS)
"""
import os
import shutil
import socket
import subprocess

from . import dns, wait

NSD = "127.0.0.43"
VALIDATING = "127.0.0.44"
OBLIVIOUS = "127.0.0.45"  # the same without validation
LAME = "127.0.0.46"  # what is delegated there is refused
SILENT = "127.0.0.47"  # and there nobody answers
SIGNED = "signed.example"
UNSIGNED = "unsigned.example"
TOOLS = ("nsd", "unbound", "ldns-keygen", "ldns-signzone")

# What a tampered record says before it is signed, and after.
HONEST, TAMPERED = "aa" * 32, "bb" * 32

NSD_CONF = """\
server:
	ip-address: {nsd}
	username: ""
	zonesdir: "{folder}"
	database: ""
	xfrdfile: "{folder}/xfrd.state"
	zonelistfile: "{folder}/zone.list"
	pidfile: "{folder}/nsd.pid"
	server-count: 1
	rrl-ratelimit: 0
remote-control:
	control-enable: no
"""

UNBOUND_CONF = """\
server:
	interface: {address}
	access-control: 127.0.0.0/8 allow
	access-control: 10.9.0.0/16 allow
	directory: "{folder}"
	chroot: ""
	username: ""
	pidfile: "{folder}/unbound-{address}.pid"
	use-syslog: no
	logfile: "{folder}/unbound-{address}.log"
	do-not-query-localhost: no
	trust-anchor-file: "{folder}/root.ds"
	module-config: "{modules}"
	cache-max-negative-ttl: 1
	num-threads: 1
	so-reuseport: no
	ede: yes
	minimal-responses: yes
	hide-trustanchor: yes
remote-control:
	control-enable: no
stub-zone:
	name: "."
	stub-addr: {nsd}
"""

HEAD = """\
$ORIGIN {origin}
$TTL 300
@ SOA ns.example. hostmaster.example. 1 3600 600 86400 30
@ NS ns.example.
"""


def missing():
    """The first program that is not there, or None."""
    return next((name for name in TOOLS if not shutil.which(name)), None)


class Signed:
    """Records are added first; start() signs them. Names are whole, without trailing dot."""

    def __init__(self, folder):
        self.folder = folder
        self._zones = {"": [], "example": [], SIGNED: [], UNSIGNED: []}
        self._running = {}
        self._nobody = []
        self.add("ns.example", "A", NSD)
        self.add("lame.example", "A", LAME)
        self.add("silent.example", "A", SILENT)
        for zone in ("example", SIGNED, UNSIGNED):
            self._zones[zone.partition(".")[2]].append(f"{zone}. NS ns.example.")

    def zone_of(self, name):
        """The longest of ours that ends the name."""
        while name not in self._zones:
            name = name.partition(".")[2]
        return name

    def add(self, name, kind, data):
        self._zones[self.zone_of(name)].append(f"{name}. {kind} {data}")

    def delegate(self, name, server):
        """A name, and all below it, to "lame" or "silent"."""
        self.add(name, "NS", server + ".example.")

    # How it is made.

    def start(self):
        anchor = None
        conf = NSD_CONF.format(folder=self.folder, nsd=NSD)
        for zone in sorted(self._zones, key=lambda z: -len(z)):  # a DS before its parent
            file = self._write_zone(zone)
            if zone != UNSIGNED:
                file, anchor = self._sign(zone, file)
                if zone:
                    self._zones[zone.partition(".")[2]].append(anchor)
            conf += f'zone:\n\tname: "{zone or "."}"\n\tzonefile: "{file}"\n'
        self._write("root.ds", anchor + "\n")
        self._write("nsd.conf", conf)
        self._listen_for_nothing()
        self._run("nsd", ["nsd", "-d", "-c", self.folder + "/nsd.conf"])
        self.start_unbound(VALIDATING)
        self.start_unbound(OBLIVIOUS, validate=False)
        return self

    def start_unbound(self, address, validate=True):
        """Again with another configuration, if one runs there."""
        self.stop_unbound(address)
        conf = f"unbound-{address}.conf"
        self._write(conf, UNBOUND_CONF.format(
            folder=self.folder, address=address, nsd=NSD,
            modules="validator iterator" if validate else "iterator"))
        self._run(address, ["unbound", "-d", "-c", f"{self.folder}/{conf}"])
        wait.until(lambda: dns.ask(address, "ns.example"), f"unbound answers at {address}", 20)

    @staticmethod
    def lie(address):
        """A resolver there that does not validate and says it does."""
        return dns.Relay(address, OBLIVIOUS)

    def stop_unbound(self, address):
        process = self._running.pop(address, None)
        if process:
            process.terminate()
            process.wait(10)

    def stop(self):
        for process in self._running.values():
            process.terminate()
            process.wait(10)
        for sock in self._nobody:
            sock.close()

    def _listen_for_nothing(self):
        """SILENT has its port open and says nothing; nsd does not listen at LAME, so what
        a dns.Dns there refuses is all that is said."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((SILENT, 53))
        self._nobody.append(sock)
        dns.Dns([LAME]).fail_server(LAME, "refused")

    def _run(self, name, command):
        with open(f"{self.folder}/{name}.out", "wb") as out:
            self._running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                   stdout=out, stderr=out)

    def _write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def _write_zone(self, zone):
        file = f"{zone or 'root'}.zone"
        self._write(file, HEAD.format(origin=zone + ".") + "\n".join(self._zones[zone]) + "\n")
        return file

    def _sign(self, zone, file):
        """(the signed file, the DS record of its key)"""
        def tool(*words):
            return subprocess.run(words, cwd=self.folder, check=True, stdout=subprocess.PIPE,
                                  text=True).stdout.strip()
        key = tool("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone + ".")
        tool("ldns-signzone", "-o", zone + ".", "-f", file + ".signed", file, key)
        with open(f"{self.folder}/{file}.signed", encoding="utf-8") as signed:
            text = signed.read()
        self._write(file + ".signed", text.replace(HONEST, TAMPERED))
        with open(f"{self.folder}/{key}.ds", encoding="utf-8") as record:
            return file + ".signed", record.read().split(";")[0].strip()


def make(folder):
    os.makedirs(folder)
    return Signed(folder)
