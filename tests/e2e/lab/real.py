# SPDX-License-Identifier: MIT
"""The real thing: nsd holds the zones, unbound resolves, nginx serves the policies."""
import os
import shutil
import socket
import subprocess

from . import dns, wait

NSD = "127.0.0.41"
UNBOUND = "127.0.0.42"
NGINX = "198.18.3.1"
ZONE = "real.example"

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
remote-control:
	control-enable: no
zone:
	name: {zone}
	zonefile: zone
zone:
	name: "."
	zonefile: root
"""

UNBOUND_CONF = """\
server:
	interface: {unbound}
	access-control: 127.0.0.0/8 allow
	directory: "{folder}"
	chroot: ""
	username: ""
	pidfile: "{folder}/unbound.pid"
	use-syslog: no
	logfile: "{folder}/unbound.log"
	do-not-query-localhost: no
	domain-insecure: {zone}
	module-config: "validator iterator"
	cache-max-negative-ttl: 1
	num-threads: 1
	ede: yes
remote-control:
	control-enable: no
stub-zone:
	name: "."
	stub-addr: {nsd}
"""

NGINX_CONF = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
	access_log {folder}/access.log;
	client_body_temp_path {folder};
	proxy_temp_path {folder};
	fastcgi_temp_path {folder};
	uwsgi_temp_path {folder};
	scgi_temp_path {folder};
	default_type application/octet-stream;
	types {{ text/plain txt; }}
	ssl_certificate {certificate};
	ssl_certificate_key {key};
	server {{
		listen {nginx}:443 ssl http2;
		root {folder}/www/$ssl_server_name;
	}}
}}
"""

ROOT_ZONE = """\
$TTL 60
. SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 30
. NS ns.{zone}.
{zone}. NS ns.{zone}.
ns.{zone}. A {nsd}
"""

ZONE_HEAD = """\
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 30
@ NS ns
ns A {nsd}
"""


def missing():
    """The first program that is not there, or None."""
    return next((name for name in ("nsd", "unbound", "nginx") if not shutil.which(name)), None)


class Real:
    """policies: {name below the zone: policy text}; lines: more lines of the zone."""

    def __init__(self, world, policies, lines):
        self.folder = world.new_folder("real")
        self._running = []
        names = [f"mta-sts.{name}.{ZONE}" for name in policies]
        values = {"folder": self.folder, "nsd": NSD, "unbound": UNBOUND, "nginx": NGINX,
                  "zone": ZONE, "certificate": world.pki.leaf(names), "key": world.pki.key}
        for name, text in policies.items():
            place = f"{self.folder}/www/mta-sts.{name}.{ZONE}/.well-known"
            os.makedirs(place)
            self._write(f"{place}/mta-sts.txt"[len(self.folder) + 1:], text)
        zone = ZONE_HEAD + "".join(f"mta-sts.{name} A {{nginx}}\n" for name in policies) + lines
        self._write("zone", zone.format(**values))
        self._write("root", ROOT_ZONE.format(**values))
        self._write("nsd.conf", NSD_CONF.format(**values))
        self._write("unbound.conf", UNBOUND_CONF.format(**values))
        self._write("nginx.conf", NGINX_CONF.format(**values))

    def _write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        for command in (["nsd", "-d", "-c", self.folder + "/nsd.conf"],
                        ["unbound", "-d", "-c", self.folder + "/unbound.conf"],
                        ["nginx", "-c", self.folder + "/nginx.conf"]):
            with open(f"{self.folder}/{command[0]}.out", "wb") as out:
                self._running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                                      stdout=out, stderr=out))
        wait.until(lambda: dns.ask(UNBOUND, "ns." + ZONE), "DNS is up")
        wait.until(self._nginx_is_up, "nginx is up")
        return self

    @staticmethod
    def _nginx_is_up():
        try:
            socket.create_connection((NGINX, 443), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
