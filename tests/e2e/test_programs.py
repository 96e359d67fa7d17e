# SPDX-License-Identifier: MIT
"""stsd-query, the metrics page and the log."""
import json
import re
import socket

from lab import daemon
from lab.cases import case, contains, same, table
from lab.world import WEB_SILENT

NOTFOUND = "NOTFOUND "


@table("stsd-query says", [
    # name, mode (None: no record), how the policy host behaves, status
    ("enforce", "enforce", "good", 0), ("testing", "testing", "good", 1),
    ("none", "none", "good", 1), ("no policy", None, "good", 1), ("404", "enforce", "404", 3),
    ("not a policy", "enforce", "not-a-policy", 3),
])
def query(world, mode, how, status):
    name = world.domain(mode=mode, how=how).name if mode else world.plain_domain()
    told = world.query(name)
    same(told.status, status, f"status ({told.out} {told.err})")
    contains(told.out, name)
    told = world.query("--json", name)
    same(told.status, status, "status with --json")
    lines = told.out.splitlines()
    same(len(lines), 1, "lines")
    same(json.loads(lines[0])["schema"], "stsd-query/1")


@case("stsd-query: record lookup fails")
def query_fails(world):
    domain = world.domain()
    world.dns.fail(domain.record_name, "TXT", "servfail")
    same(world.query(domain.name).status, 4, "status")


@case("stsd-query: of several domains the worst status counts")
def query_several(world):
    good, broken = world.domain(), world.domain(how="404")
    told = world.query("--json", good.name, broken.name)
    same(told.status, 3, "status")
    same(len(told.out.splitlines()), 2, "lines")


@case("stsd-query --reply gives the daemon's payload")
def query_reply(world):
    domain, plain = world.domain(), world.plain_domain()
    world.stsd().start()
    told = world.query("--reply", domain.name, plain)
    same((told.status, told.out), (0, f"{domain.secure}\nNOTFOUND \n"))
    told = world.query("--reply", "--server", "inet:127.0.0.1:8461", domain.name)
    same((told.status, told.out), (0, domain.secure + "\n"))


@case("stsd-query --reply: TEMP is status 4, no daemon 69")
def query_reply_fails(world):
    same(world.query("--reply", "x.test.example").status, 69, "status without a daemon")
    domain = world.domain(addresses=(WEB_SILENT,))
    world.stsd(answer_timeout="1s").start()
    same(world.query("--reply", domain.name).status, 4, "status")


@case("stsd-query --health")
def query_health(world):
    same(world.query("--health").status, 69, "status without a daemon")
    world.stsd().start()
    told = world.query("--health")
    same(told.status, 0, told.out + told.err)


@table("stsd-query --lint-policy", [
    ("good", "version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 86400\n", 0),
    ("no mx", "version: STSv1\nmode: enforce\nmax_age: 86400\n", 65),
    ("nothing", "", 65),
])
def lint_policy(world, text, status):
    for words in (["--lint-policy", "-"], ["--json", "--lint-policy", "-"]):
        told = world.query(*words, text=text)
        same(told.status, status, f"{words}: {told.out}{told.err}")
    same(json.loads(told.out)["valid"], status == 0)


@case("stsd-query --lint-policy: no such file")
def lint_missing(world):
    same(world.query("--lint-policy", "/nonexistent").status, 66, "status")


@table("stsd-query --lint-record", [
    ("good", ["v=STSv1; id=1;"], 0, "ok"), ("no id", ["v=STSv1;"], 65, "invalid"),
    ("two", ["v=STSv1; id=1;", "v=STSv1; id=2;"], 65, "multiple"),
    ("none", ["v=spf1 -all"], 65, "none"),
])
def lint_record(world, records, status, word):
    told = world.query("--json", "--lint-record", *records)
    same((told.status, json.loads(told.out)["status"]), (status, word))


@table("stsd-query --match", [
    ("same", "mx.a.example", "MX.a.example", 0), ("one label", "*.a.example", "x.a.example", 0),
    ("two labels", "*.a.example", "x.y.a.example", 1), ("itself", "*.a.example", "a.example", 1),
])
def match(world, pattern, host, status):
    same(world.query("--match", pattern, host).status, status, "status")


@table("stsd-query usage", [("nothing", []), ("unknown option", ["--nothing"]),
                            ("one word to --match", ["--match", "a.example"])])
def query_usage(world, words):
    same(daemon.run([world.programs + "/stsd-query", *words]).status, 64, "status")


@case("stsd-query: what strangers wrote is escaped")
def query_escapes(world):
    domain = world.domain()
    domain.web.policy = b"version: STSv1\nmode: \x1b[31menforce\nmax_age: 1\n"
    world.dns.add(domain.record_name, "TXT", "\x1b]0;title\x07")
    told = world.query(domain.name)
    same("\x1b" in told.out + told.err, False, "an escape character")


def get(path, port=8468, method="GET"):
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        whole = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    head, body = whole.split("\r\n\r\n", 1)
    return int(head.split(" ")[1]), body


def number(text, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


@case("metrics: lookups and fetches are counted")
def metrics(world):
    domain, plain = world.domain(), world.plain_domain()
    stsd = world.stsd(metrics_listen="inet:127.0.0.1:8468").start()
    for _ in range(3):
        stsd.ask(domain.name)
    stsd.ask(plain)
    text = daemon.wait.until(
        lambda: (lambda t: number(t, 'stsd_cache_policies{mode="enforce"}') == 1.0 and t)(
            get("/metrics")[1]), "the policy is counted", 20)
    same(number(text, 'stsd_lookups_total{map="QUERY",result="secure"}'), 3.0, "secure")
    same(number(text, 'stsd_policy_fetches_total{outcome="ok"}'), 1.0, "fetches")
    contains(text, "stsd_build_info{")
    same(domain.name in text, False, "a domain in a label")


@case("metrics: health, and nothing else")
def health(world):
    world.stsd(metrics_listen="inet:127.0.0.1:8468").start()
    daemon.wait.until(lambda: get("/health") == (200, "ok\n"), "good health")
    same(get("/")[0], 404)
    same(get("/metrics", method="POST")[0] in (405, 501), True)


@case("metrics: readable while lookups hang")
def metrics_busy(world):
    domain = world.domain(addresses=(WEB_SILENT,))
    stsd = world.stsd(metrics_listen="inet:127.0.0.1:8468").start()
    with stsd.client() as client:
        client.send(daemon.socketmap.netstring("QUERY " + domain.name))
        same(get("/metrics")[0], 200)


@case("metrics: counted on over a restart of a role")
def metrics_restart(world):
    domain = world.domain()
    stsd = world.stsd(metrics_listen="inet:127.0.0.1:8468").start()
    stsd.ask(domain.name)
    stsd.signal(9, "resolver")

    def restarts():
        return number(get("/metrics")[1], 'stsd_process_restarts_total{role="resolver"}')
    daemon.wait.until(lambda: restarts() == 1.0, "a restart is counted")
    same(number(get("/metrics")[1], 'stsd_policy_fetches_total{outcome="ok"}'), 1.0, "fetches")


@case("log: one JSON object a line")
def json_log(world):
    domain = world.domain(how="404")
    stsd = world.stsd(log_format="json").start()
    same(stsd.ask(domain.name), NOTFOUND)
    stsd.stop()
    events = [json.loads(line) for line in stsd.log().splitlines()]
    same(any(event.get("domain") == domain.name for event in events), True, "an event of it")


@case("log: a failed fetch names the domain and what must be mended")
def failed_log(world):
    domain = world.domain(certificate="expired")
    stsd = world.stsd(log_level="info").start()
    same(stsd.ask(domain.name), NOTFOUND)
    lines = [line for line in stsd.log().splitlines() if domain.name in line]
    same(any("expired" in line for line in lines), True, f"'expired' in {lines}")


@case("log: no line for a cached answer at info")
def quiet_log(world):
    domain = world.domain()
    stsd = world.stsd(log_level="info").start()
    stsd.ask(domain.name)
    before = len(stsd.log())
    for _ in range(50):
        stsd.ask(domain.name)
    same(stsd.log()[before:], "", "the log")


@case("log: what strangers wrote is escaped")
def escaped_log(world):
    domain = world.domain()
    domain.web.policy = b"version: STSv1\nmode: \x1b[31m\nmax_age: 1\n"
    stsd = world.stsd().start()
    stsd.ask(domain.name)
    stsd.ask(b"\x1b[31m.example\n2026-01-01 error fake")
    same("\x1b" in stsd.log() or "\n2026-01-01 error fake" in stsd.log(), False, "raw bytes")


@table("stsd -t with few descriptors", [
    # name, how many, settings, status: 78 only for what is to be mended in the settings
    ("none for the anchors", 4, {}, 70),
    ("none for the account", 5, {}, 70),
    ("enough", 20, {}, 0),
    ("enough, and a wrong setting", 20, {"workers": "none at all"}, 78),
])
def few_descriptors(world, count, settings, status):
    stsd = world.stsd(**settings)
    stsd.write_config()
    told = daemon.run(["prlimit", f"--nofile={count}", stsd.programs + "/stsd", "-t", "-c",
                       stsd.config_file])
    same(told.status, status, f"status ({told.err})")
