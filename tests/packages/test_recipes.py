#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docker/recipes.md and the compose files: the very lines of the pages, by a real Postfix and
by docker-compose. test_recipes.py [PART OF A NAME]"""
import os
import re
import shlex
import shutil
import subprocess
import urllib.request

import containers
from containers import ROOT
from lab import debian13, mailroom, namespace, signed, socketmap
from lab.cases import Skip, case, contains, same, table
from lab.mailroom import Host
from lab.world import ALLOWED

PAGE = ROOT + "/docker/recipes.md"
SPOOL = "/var/spool/postfix"
CHROOTED = "smtp unix - - y - - smtp"
CA = "/etc/ssl/certs/ca-certificates.crt"
HERE = "10.9.0.1"
MX = "mx.{d}"
# What each of these systems is before the recipe: its network, and Postfix's settings.
COMPOSE = {
    "docker-mailserver": """\
services:
  mailserver:
    image: example/docker-mailserver
    hostname: mail.example.com
""",
    "Mailu": """\
services:
  resolver:
    image: example/unbound
    networks:
      default:
        ipv4_address: 192.168.203.254
  smtp:
    image: example/postfix
    depends_on: [resolver]
    dns: [192.168.203.254]
networks:
  default:
    driver: bridge
    ipam:
      driver: default
      config:
        - subnet: 192.168.203.0/24
"""}
BEFORE = {
    "Debian's Postfix": {"smtp_tls_security_level": ""},
    "From postfix-tlspol": {"smtp_tls_security_level": "dane",
                            "smtp_dns_support_level": "dnssec"},
    "Mailu": {"smtp_tls_security_level": "dane", "smtp_dns_support_level": "dnssec"},
}
# (zone, policy, hosts, mode; what becomes of the mail, and how the connection was secured)
MAILS = [
    ("unsigned", [MX], [Host()], "enforce", ("sent", "Verified")),
    ("unsigned", [MX], [Host(certificate="stranger")], "enforce", ("deferred", None)),
    ("unsigned", [MX], [Host(certificate="stranger")], "testing", ("sent", "Untrusted")),
]
SECURE = [  # where Postfix does DANE
    ("signed", [MX], [Host(tlsa="right", certificate="self")], "enforce", ("sent", "Verified")),
    ("signed", [MX], [Host(tlsa="wrong")], "enforce", ("deferred", None)),
    ("signed", [MX], [Host(tlsa="wrong")], "testing", ("deferred", None)),
]


def blocks():
    """{heading: [(kind, text)]} of the page."""
    with open(PAGE, encoding="utf-8") as file:
        sections = re.split(r"^## ", file.read(), flags=re.M)[1:]
    return {section.split("\n", 1)[0]: re.findall(r"^```(\S+)\n(.*?)^```$", section, re.M | re.S)
            for section in sections}


RECIPES = blocks()


def settings_of(heading, count=None):
    """What its lines make of main.cf. count: only the first blocks with such."""
    found = {}
    texts = [text for kind, text in RECIPES[heading] if kind in ("sh", "main.cf")]
    for text in texts[:count]:
        for one in text.splitlines():
            if one.startswith("install "):
                continue
            name, value = re.fullmatch(r"(?:postconf -e ')?(\w+) = ([^']*)'?", one).groups()
            found[name] = value
    return found


def yaml_of(world, heading):
    """Its snippets, with what they are added to, as files."""
    folder = world.new_folder("compose")
    parts = [COMPOSE[heading.split(" ")[0]]]
    parts += [text for kind, text in RECIPES[heading] if kind == "yaml"]
    return [written(f"{folder}/{number}.yml", text) for number, text in enumerate(parts)]


def written(path, text):
    namespace.write_atomically(path, text)
    return path


class Room(mailroom.Mailroom):
    """All domains."""

    def __init__(self, world):
        super().__init__(world)
        self.mails = [(self.add(f"r{number}", zone, policy, hosts, None, mode), fate)
                      for number, (zone, policy, hosts, mode, fate)
                      in enumerate(MAILS + SECURE)]
        self.dns.start()
        self.count = 0


def room(world):
    if not MADE:
        MADE.append(Room(world))
    return MADE[0]


MADE = []


def deliver(world, postfix, with_dane):
    """All mails find the fate that they should."""
    made = room(world)
    made.count += 1
    for place, expected in made.mails[:len(MAILS + SECURE) if with_dane else len(MAILS)]:
        recipient = f"you{made.count}@{place.names['d']}"
        postfix.send(recipient)
        became = postfix.wait_for_fate(recipient)[0]
        host = next(iter(place.address))
        same((became, postfix.tls_of(host) if became == "sent" else None), expected, host)


# pylint: disable=too-many-arguments
def start_postfix(world, settings, before, hosts=None, chroot=False, root=None):
    """With a recipe's settings over those that were there before. root: whose Postfix, if
    not Debian 13's; "": this machine's."""
    postfix = world.postfix(root=debian13.enter() if root is None else root, resolver=signed.VALIDATING, hosts=hosts,
                            minimal_backoff_time="1h", maximal_backoff_time="1h")
    if chroot:
        put_into_chroot(postfix)
    known = {"smtp_tls_policy_maps": "", **before, **settings}
    # Its own authority, where the system's are named.
    known["smtp_tls_CAfile"] = known.get("smtp_tls_CAfile", CA).replace(CA, world.pki.ca_file)
    if known["smtp_tls_policy_maps"].startswith("lmdb:"):  # none of the domains is in it
        first, rest = known["smtp_tls_policy_maps"].split(", ")
        same(first, "lmdb:/etc/postfix/tls_policy.map")
        known["smtp_tls_policy_maps"] = rest
    postfix.set(**known)
    return postfix


def put_into_chroot(postfix):
    """As Debian's script at start does."""
    etc = postfix.folder + "/etc"
    with open(etc + "/master.cf", encoding="utf-8") as file:
        text = file.read()
    changed = re.sub(r"^smtp unix - - n - - smtp$", CHROOTED, text, flags=re.M)
    contains(changed, CHROOTED)
    written(etc + "/master.cf", changed)
    os.makedirs(postfix.folder + "/queue/etc", exist_ok=True)
    for name in ("hosts", "services", "nsswitch.conf"):
        shutil.copy("/etc/" + name, postfix.folder + "/queue/etc/")
    written(postfix.folder + "/queue/etc/resolv.conf", f"nameserver {signed.VALIDATING}\n")


# pylint: disable=too-many-arguments
def on_the_host(world, heading, extra=None, dane=False, chroot=False, count=None, settings=None,
                root=None):
    """A recipe for a machine with stsd on it."""
    postfix = start_postfix(world, settings or settings_of(heading, count),
                            BEFORE.get(heading, {}), chroot=chroot, root=root)
    conf = dict(line.split(" = ") for kind, text in RECIPES[heading] if kind == "stsd.conf"
                for line in text.splitlines()) if extra is None else extra
    spool = postfix.folder + "/queue"
    conf = {name: value.replace(SPOOL, spool) for name, value in conf.items()}
    for one in re.findall("^install .*", "".join(text for _, text in RECIPES[heading]), re.M):
        subprocess.run(one.replace(SPOOL, spool).split(), check=True)
    world.stsd(dns_servers=signed.VALIDATING, postfix_directory=postfix.folder + "/etc",
               **conf).start()
    postfix.start()
    deliver(world, postfix, dane)


def need_postfix():
    if not shutil.which("postfix"):
        raise Skip("postfix is not installed")


@table("Debian's Postfix, chrooted", [
    ("over loopback", 1, False, None), ("over loopback, with DANE", 2, True, None),
    ("over loopback, this machine's", 2, True, "")])
def debian(world, count, dane, root):
    room(world)
    if root is not None:
        need_postfix()
    on_the_host(world, "Debian's Postfix", dane=dane, chroot=True, count=count, root=root)


@case("Debian's Postfix, by a unix socket")
def debian_unix(world):
    room(world)
    need_postfix()  # whose group owns the socket
    on_the_host(world, "Debian's Postfix, by a unix socket", chroot=True, root="")


@case("From postfix-tlspol: another port in main.cf")
def from_tlspol(world):
    room(world)
    on_the_host(world, "From postfix-tlspol", extra={}, dane=True)


@case("From postfix-tlspol: main.cf unchanged")
def from_tlspol_unchanged(world):
    room(world)
    on_the_host(world, "From postfix-tlspol", dane=True, settings={
        "smtp_tls_policy_maps": "socketmap:inet:127.0.0.1:8642:QUERY",
        "smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane"})


@case("From postfix-mta-sts-resolver: main.cf unchanged")
def from_resolver(world):
    room(world)
    on_the_host(world, "From postfix-mta-sts-resolver")


@table("stsd and Postfix in containers", [
    ("docker-mailserver", "docker-mailserver", "docker-mailserver", False),
    ("docker-mailserver with DANE", "docker-mailserver", "docker-mailserver with DANE", True),
    ("Mailu", "Mailu", "Mailu", True)])
def sidecar(world, service_of, heading, dane):
    files = yaml_of(world, service_of)
    if "with DANE" in heading:
        files += [ROOT + "/docker/compose.unbound.yml", *yaml_of(world, heading)[1:]]
    merged = containers.compose(*files)
    service = merged["services"]["stsd"]
    same(service["image"], "stsd:local")
    if dane:  # it asks the resolver that Postfix asks
        postfix = merged["services"]["smtp" if service_of == "Mailu" else "mailserver"]
        same(service["environment"]["STSD_DNS_SERVERS"], postfix["dns"][0])
        service["environment"]["STSD_DNS_SERVERS"] = signed.VALIDATING
    else:
        service.setdefault("environment", {})["STSD_DNS_SERVERS"] = signed.VALIDATING
        service["environment"]["STSD_DNSSEC"] = "off"  # as with Docker's own resolver
    room(world)
    stsd = containers.of_service(
        "stsd", service, ("--volume", f"{world.pki.ca_file}:{CA}:ro"),
        STSD_ALLOW_ADDRESSES=ALLOWED).start_and_wait((HERE, 8461))
    try:
        deliver(world, start_postfix(world, settings_of(heading), BEFORE.get(heading, {}),
                                     hosts={"stsd": HERE}).start(), dane)
    finally:
        stsd.remove()


@table("docker/README.md: a container in the host's network", [
    ("sees Postfix's level", "dane", "OK may"),
    ("sees that Postfix asks for more", "encrypt", "NOTFOUND ")])
def host_network(world, level, testing):
    with open(ROOT + "/docker/README.md", encoding="utf-8") as file:
        words = shlex.split(re.search(r"^ +(docker run .*)$", file.read(), re.M)[1])
    same(words[:9], "docker run -d --name stsd --restart always --network host".split())
    room(world)
    postfix = start_postfix(world, {"smtp_tls_policy_maps": "socketmap:inet:127.0.0.1:8461:QUERY",
                                    "smtp_dns_support_level": "dnssec",
                                    "smtp_tls_security_level": level}, {})
    options = [word.replace("/etc/postfix:", postfix.folder + "/etc:", 1) for word in words[9:-1]]
    same(words[-1], "stsd:local")
    stsd = containers.Container("stsd", hardened=["--read-only-tmpfs=false", *options], environment={
        "STSD_DNS_SERVERS": signed.VALIDATING, "STSD_ALLOW_ADDRESSES": ALLOWED}, options=(
            "--volume", f"{world.pki.ca_file}:{CA}:ro"))
    stsd.start_and_wait(("127.0.0.1", 8461))
    try:
        same(socketmap.ask(room(world).mails[2][0].names["d"]), testing)
        same(socketmap.ask(room(world).mails[3][0].names["d"]), "OK dane-only")
        same(stsd.run("stsd-query", "--health").status, 0)
    finally:
        stsd.remove()


@table("compose files", [
    ("alone", ["compose.yml"], {}), ("with metrics", ["compose.yml"],
                                     {"STSD_METRICS_LISTEN": "inet:*:9461"}),
    ("with unbound", ["compose.yml", "compose.unbound.yml"], {}),
    ("with unbound, another network", ["compose.yml", "compose.unbound.yml"],
     {"STSD_NETWORK": "10.11.12"})])
def files_of(_world, names, environment):
    services = containers.compose(*[f"{ROOT}/docker/{name}" for name in names],
                                  **environment)["services"]
    for name, service in services.items():
        same((service["read_only"], service["cap_drop"], service["security_opt"],
              service["restart"]), (True, ["ALL"], ["no-new-privileges:true"], "always"), name)
        same({port["host_ip"] for port in service.get("ports", ())} - {"127.0.0.1"}, set())
        same(os.path.realpath(service["build"]["context"]), ROOT)
    stsd = services["stsd"]
    same(stsd["environment"]["STSD_METRICS_LISTEN"],
         environment.get("STSD_METRICS_LISTEN", "none"))
    if "unbound" in services:
        same(stsd["environment"]["STSD_DNS_SERVERS"],
             services["unbound"]["networks"]["default"]["ipv4_address"])


@case("compose.yml as it is, with metrics")
def metrics(world):
    service = containers.compose(f"{ROOT}/docker/compose.yml",
                                 STSD_METRICS_LISTEN="inet:*:9461")["services"]["stsd"]
    stsd = containers.of_service("stsd", service, STSD_DNS_SERVERS="127.0.0.1")
    stsd.start_and_wait((HERE, 8461))
    try:
        with urllib.request.urlopen(f"http://{HERE}:9461/metrics", timeout=10) as page:
            contains(page.read().decode(), "stsd_lookups_total")
        contains(stsd.run("/usr/bin/stsd-query", "--stats").out, "stsd_")
    finally:
        stsd.remove()


if __name__ == "__main__":
    containers.main("recipes", [{"name": "stsd"}], build=ROOT + "/" + os.environ.get("B", "build"))
