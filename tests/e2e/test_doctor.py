# SPDX-License-Identifier: MIT
"""stsd-query --postfix: Postfix trees of two versions, set up wrongly; what is printed is
pasted, exactly, and then all is well and a lookup, or a mail, goes through."""
import itertools
import json
import os
import re
import shutil
import subprocess

from lab import daemon, debian13, namespace
from lab.cases import Skip, case, contains, same, table

ADDRESSES = (f"198.18.9.{number}" for number in itertools.count(1))
LIBRARIES = namespace.HOME + "/libraries"
STSD = "socketmap:inet:127.0.0.1:8461:"
WITH = STSD + "QUERYwithTLSRPT"


def root_of(version):
    if not shutil.which("postfix"):
        raise Skip("postfix is not installed")
    if version == "3.7":
        return ""
    if debian13.missing():
        raise Skip(debian13.missing())
    return debian13.enter()


def with_libraries(program):
    """Words that run it in any root: with the libraries it has here, in a folder that all
    roots share."""
    said = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True, text=True)
    os.makedirs(LIBRARIES, exist_ok=True)
    for path in re.findall(r"(/\S+) \(0x", said.stdout):
        if not os.path.exists(f"{LIBRARIES}/{os.path.basename(path)}"):
            shutil.copy(path, LIBRARIES)
    loader = next(name for name in os.listdir(LIBRARIES) if name.startswith("ld-"))
    return [f"{LIBRARIES}/{loader}", "--library-path", LIBRARIES, program]


class Ward:
    """A Postfix and a stsd, and who looks at them."""

    def __init__(self, world, version, settings=None, services=None, stsd=None):
        self.world = world
        self.root = root_of(version)
        self.postfix = world.postfix(root=self.root)
        self.etc = self.postfix.folder + "/etc"
        self.fill({"smtp_tlsrpt_enable": "yes", **(settings or {})})
        with open(self.etc + "/master.cf", "a", encoding="utf-8") as file:
            file.write(self.fill_text(services or ""))
        more = {name: self.fill_text(value) for name, value in (stsd or {}).items()}
        self.stsd = world.stsd(postfix_directory=self.etc, **more).start()

    def fill_text(self, text):
        """{q}: the queue directory; {f}: a folder of this Postfix."""
        return text.replace("{q}", self.postfix.folder + "/queue").replace(
            "{f}", self.postfix.folder)

    def fill(self, settings):
        self.postfix.set(**{name: self.fill_text(value) for name, value in settings.items()})

    def there(self, *words, folder="/"):
        """Runs something where this Postfix is."""
        inside = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder, *words]
        return daemon.run((["chroot", self.root] if self.root else []) + inside)

    def look(self, *words):
        program = self.world.programs + "/stsd-query"
        command = with_libraries(program) if self.root else [program]
        return self.there(*command, "-c", self.stsd.config_file, "--postfix=" + self.etc, *words)

    def findings(self):
        """The ids of what is to be mended."""
        return sorted(set(re.findall(r"^  (?:error|warning) +(PFX\d\d) ", self.look().out, re.M)))

    def paste(self, text):
        """What stands under the two headlines goes where they say."""
        pasted = 0
        for headline, lines in re.findall(r"^  To (paste|set).*\n((?:    .*\n)+)", text, re.M):
            if headline == "paste":
                self.there("sh", "-c", lines)
            else:
                self.stsd.write_config(**dict(
                    line.strip().split(" = ", 1) for line in lines.splitlines()))
                self.stsd.restart()
            pasted += 1
        return pasted

    def table_that_asks(self, service="smtp/unix"):
        words = ["postconf", "-c", self.etc, "-hx", "smtp_tls_policy_maps"]
        own = self.there("postconf", "-c", self.etc, "-Px", service + "/smtp_tls_policy_maps")
        value = own.out.split(" = ", 1)[1] if " = " in own.out else self.there(*words).out
        return re.search(r"socketmap:\S*:(QUERY|QUERYwithTLSRPT)(?=[,\s]|$)", value).group(0)

    def is_mended(self, service="smtp/unix"):
        """Nothing is left to do, and a lookup goes through, as the account that asks."""
        told = self.look()
        same((told.status, told.err), (0, ""), told.out)
        domain = self.world.domain()
        asked = self.there(
            "setpriv", "--reuid=postfix", "--regid=postfix", "--init-groups", "postmap", "-c",
            self.etc, "-q", domain.name, self.table_that_asks(service),
            folder=self.postfix.folder + "/queue")
        contains(asked.out, domain.secure.removeprefix("OK "), asked.err)


JAILED = "jailed unix - - y - - smtp\n"


@table("mended by what was printed", [
    # name, version, main.cf, master.cf, stsd.conf, findings
    ("stsd is not asked, nobody is trusted, no TLS", "3.7",
     {"smtp_tls_policy_maps": "", "smtp_tls_CAfile": "", "smtp_tls_security_level": ""},
     "", {}, ["PFX01", "PFX19", "PFX24"]),
    ("tables of one's own", "3.7",
     {"mine": "inline:{ { a.example = it's }, b.example=may }",
      "smtp_tls_policy_maps": "$mine, regexp:{f}/few regexp:{f}/all"}, "", {}, ["PFX01"]),
    ("QUERYwithTLSRPT", "3.7", {"smtp_tls_policy_maps": WITH}, "", {}, ["PFX02"]),
    ("a map that is none", "3.7", {"smtp_tls_policy_maps": STSD + "query"}, "", {}, ["PFX05"]),
    ("another port", "3.7", {"smtp_tls_policy_maps": "socketmap:inet:127.0.0.1:8641:QUERY"},
     "", {}, ["PFX07"]),
    ("proxymap", "3.7", {"smtp_tls_policy_maps": "proxy:" + STSD + "QUERY"}, "", {}, ["PFX08"]),
    ("no inet:", "3.7", {"smtp_tls_policy_maps": "socketmap:127.0.0.1:8461:QUERY"}, "", {},
     ["PFX09"]),
    ("a socket outside of the chroot, an address beside", "3.7",
     {"smtp_tls_policy_maps": "socketmap:unix:{f}/socketmap:QUERY"}, JAILED,
     {"listen": "unix:{f}/socketmap inet:127.0.0.1:8461"}, ["PFX10"]),
    ("a socket outside of the chroot", "3.7",
     {"smtp_tls_policy_maps": "socketmap:unix:{f}/socketmap:QUERY"}, JAILED,
     {"listen": "unix:{f}/socketmap"}, ["PFX10"]),
    ("a socket that Postfix may not use", "3.7",
     {"smtp_tls_policy_maps": "socketmap:unix:{f}/socketmap:QUERY"}, "",
     {"listen": "unix:{f}/socketmap", "socket_mode": "0600"}, ["PFX11"]),
    ("static first", "3.7", {"smtp_tls_policy_maps": "static:may, " + STSD + "QUERY"}, "", {},
     ["PFX12"]),
    ("a pattern for all first", "3.7",
     {"smtp_tls_policy_maps": "regexp:{f}/all, regexp:{f}/few, " + STSD + "QUERY"}, "", {},
     ["PFX12"]),
    ("encrypt for one service", "3.7", {},
     "bank unix - - n - - smtp -o smtp_tls_security_level=encrypt\n", {}, ["PFX20"]),
    ("dane without DNSSEC", "3.7", {"smtp_tls_security_level": "dane"}, "", {}, ["PFX21"]),
    ("no such CA file", "3.7", {"smtp_tls_CAfile": "{f}/none"}, "", {}, ["PFX25"]),
    ("a CA folder out of reach", "3.7",
     {"smtp_tls_CAfile": "", "smtp_tls_CApath": "/etc/ssl/certs"}, JAILED, {}, ["PFX26"]),
    ("stsd does DANE, Postfix does not", "3.7", {}, "", {"dane": "on"}, ["PFX27"]),
    ("another resolver in the chroot", "3.7",
     {"smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane"}, JAILED, {},
     ["PFX30"]),
    ("no TLS but for policies", "3.10", {"smtp_tls_security_level": "none"}, "", {},
     ["PFX04", "PFX19"]),
    ("QUERY", "3.10", {"smtp_tls_policy_maps": "regexp:{f}/few, " + STSD + "QUERY, static:may"},
     "", {}, ["PFX04"]),
    ("stsd is not asked, nobody is trusted", "3.10",
     {"smtp_tls_policy_maps": "static:may", "smtp_tls_CAfile": "",
      "tls_append_default_CA": "yes"}, "", {}, ["PFX01", "PFX24"]),
    ("patterns off, replies short", "3.10",
     {"smtp_tls_policy_maps": WITH, "smtp_tls_enforce_sts_mx_patterns": "no",
      "socketmap_max_reply_size": "20000"}, "", {}, ["PFX32", "PFX33"]),
    ("a socket below the queue directory, as seen from outside", "3.10",
     {"smtp_tls_policy_maps": "socketmap:unix:{q}/socketmap:QUERYwithTLSRPT"}, JAILED,
     {"listen": "unix:{q}/socketmap", "socket_group": "postfix"}, ["PFX10"]),
    ("DANE overruled, aliases followed", "3.10",
     {"smtp_tls_policy_maps": WITH, "smtp_tls_security_level": "dane",
      "smtp_dns_support_level": "dnssec", "smtp_cname_overrides_servername": "yes"}, "",
     {"dane": "off"}, ["PFX29", "PFX36"]),
    ("a name for all", "3.10",
     {"smtp_tls_policy_maps": WITH, "smtp_tls_servername": "a.example"}, "",
     {"servername": "no"}, ["PFX34"]),
    ("nothing but mistakes", "3.10",
     {"smtp_tls_policy_maps": "static:may, proxy:socketmap:inet:localhost:1:QUERY",
      "smtp_tls_security_level": "perhaps", "smtp_tls_CAfile": "{f}/none",
      "disable_dns_lookups": "yes", "smtp_dns_support_level": "disabled"}, "", {},
     ["PFX04", "PFX07", "PFX08", "PFX12", "PFX23", "PFX25", "PFX37"]),
])
def mended(world, version, settings, services, stsd, findings):
    ward = Ward(world, version, settings, services, stsd)
    for name, pattern in (("few", "/^few[.]example$/ may\n"), ("all", "/./ may\n")):
        with open(f"{ward.postfix.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(pattern)
    same(ward.findings(), findings)
    told = ward.look()
    same((told.status, told.err), (2, ""), told.out)
    same(ward.paste(told.out) > 0, True, told.out)
    if stsd.get("servername") == "no":
        same(ward.look().status, 0)
    else:
        ward.is_mended()


@table("mended for one service", [
    ("a list", "bulk unix - - n - - smtp -o smtp_tls_policy_maps=static:may," + WITH + "\n",
     ["PFX12"]),
    ("blanks", "bulk unix - - n - - smtp\n"
     "  -o { smtp_tls_policy_maps = inline:{ a.example=may }, " + STSD + "QUERY }\n", ["PFX04"]),
])
def service(world, services, findings):
    ward = Ward(world, "3.10", {"smtp_tls_policy_maps": WITH}, services)
    same(ward.findings(), findings)
    ward.paste(ward.look().out)
    ward.is_mended("bulk/unix")


@table("mail", [
    # name, version, main.cf, what becomes of the mail at first
    ("QUERYwithTLSRPT", "3.7", {"smtp_tls_policy_maps": WITH}, "deferred"),
    ("no trust", "3.7", {"smtp_tls_CAfile": ""}, "deferred"),
    ("no such map", "3.10", {"smtp_tls_policy_maps": STSD + "query"}, "deferred"),
    ("another port", "3.10", {"smtp_tls_policy_maps": "socketmap:inet:127.0.0.1:1:QUERY"},
     "deferred"),
])
def mail(world, version, settings, fate):
    ward = Ward(world, version, settings)
    domain = world.domain()
    address = next(ADDRESSES)
    world.dns.replace("mx." + domain.name, "A", address)
    world.smtp.listen(address, ["mx." + domain.name])
    ward.postfix.start()
    ward.postfix.send("one@" + domain.name)
    same(ward.postfix.wait_for_fate("one@" + domain.name)[0], fate)
    ward.paste(ward.look().out)
    ward.is_mended()
    ward.postfix.send("two@" + domain.name)
    became = ward.postfix.wait_for_fate("two@" + domain.name)
    same(became[0], "sent", became[1])
    same(ward.postfix.tls_of("mx." + domain.name), "Verified")


@case("several instances: a section each")
def instances(world):
    one = Ward(world, "3.7")
    two = world.postfix(smtp_tls_policy_maps="", multi_instance_name="postfix-two")
    with open("/etc/postfix/main.cf", "a+", encoding="utf-8") as file:
        file.seek(0)
        before = file.read()
        file.write(f"multi_instance_directories = {one.etc} {two.folder}/etc\n")
    try:
        told = daemon.run([world.programs + "/stsd-query", "-c", one.stsd.config_file,
                           "--postfix"])
    finally:
        with open("/etc/postfix/main.cf", "w", encoding="utf-8") as file:
            file.write(before)
    same(told.status, 2, told.err)
    sections = re.findall(r"^(/\S*): Postfix \S+: (fine|\d+ error)", told.out, re.M)
    same(sections, [("/etc/postfix", "2 error"), (one.etc, "fine"),
                    (two.folder + "/etc", "1 error")], told.out)
    contains(told.out, "\n    postconf -e 'smtp_tls_policy_maps = " + STSD)
    contains(told.out,
             f"\n    postconf -c '{two.folder}/etc' -e 'smtp_tls_policy_maps = " + STSD)


@case("the same for machines")
def data(world):
    ward = Ward(world, "3.7", {"smtp_tls_policy_maps": WITH})
    told = ward.look("--json")
    found = json.loads(told.out)
    same((told.status, found["exit_code"], found["schema"]), (2, 2, "stsd-postfix/1"))
    instance = found["instances"][0]
    same((instance["directory"], instance["fine"]), (ward.etc, False))
    wrong = [f for f in instance["findings"] if f["severity"] != "info"]
    same([(f["id"], f["place"], f["setting"], f["value"], f["fix"]) for f in wrong],
         [("PFX02", "main.cf", "smtp_tls_policy_maps", WITH, instance["commands"][:1])])
    same(instance["commands"],
         [f"postconf -c '{ward.etc}' -e 'smtp_tls_policy_maps = {STSD}QUERY'",
          f"postfix -c '{ward.etc}' reload"])


@case("next hops are named")
def hops(world):
    ward = Ward(world, "3.7", {"relayhost": "[relay.example.com]:587",
                               "transport_maps": "texthash:{f}/transport"})
    with open(ward.postfix.folder + "/transport", "w", encoding="utf-8") as file:
        file.write("a.example smtp:[hub.example.org]\nb.example smtp:[192.0.2.1]\n")
    told = ward.look()
    same(told.status, 0, told.out)
    contains(told.out, "next hop: relay.example.com")
    contains(told.out, "next hop: hub.example.org")


@case("nothing is changed by looking, not even by root")
def unchanged(world):
    ward = Ward(world, "3.7", {"smtp_tls_policy_maps": ""})

    def state():
        return {path: os.stat(path).st_mtime_ns
                for folder, _, files in os.walk(ward.postfix.folder)
                for path in [folder] + [os.path.join(folder, name) for name in files]}
    before = state()
    same(ward.look().status, 2)
    same(state(), before)


@case("who is not root sees as much as he may, and says nothing wrong")
def unprivileged(world):
    ward = Ward(world, "3.7", {})
    told = ward.there("setpriv", "--reuid=_stsd", "--regid=_stsd", "--clear-groups",
                      world.programs + "/stsd-query", "-c", ward.stsd.config_file,
                      "--postfix=" + ward.etc, "-q")
    same((told.status, told.err, told.out),
         (0, "", f"{ward.etc}: Postfix {told.out.split()[2].rstrip(':')}: fine\n"))


@case("no Postfix")
def no_postfix(world):
    told = world.query("--postfix=/nowhere")
    same((told.status, told.out), (69, ""))
    contains(told.err, "/nowhere")


@case("a stsd that is down")
def silent(world):
    ward = Ward(world, "3.7", {})
    ward.stsd.stop()
    same(ward.findings(), ["PFX06"])
    contains(ward.look().out, "Start stsd")
