# SPDX-License-Identifier: MIT
"""What an operator watches: the metrics page, /health, the journal, syslog."""
import json
import os
import re
import signal
import socket
import threading

from lab import journal, wait
from lab.cases import Skip, case, contains, same, table
from test_programs import get, number

NOTFOUND = "NOTFOUND "
PORT = 8468
ROLES = ("supervisor", "answerer", "resolver")

# Every family of the page, its type, its labels and their values: dashboards rest on them.
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
FAMILIES = {
    "stsd_build_info": (GAUGE, {"version": None}),
    "stsd_lookups_total": (COUNTER, {
        "map": "QUERY QUERYwithTLSRPT other",
        "result": "secure dane_only may notfound temp perm override"}),
    "stsd_lookup_duration_seconds": (HISTOGRAM, {}),
    "stsd_cache_requests_total": (COUNTER, {"outcome": "hit stale miss"}),
    "stsd_cache_policies": (GAUGE, {"mode": "none testing enforce"}),
    "stsd_cache_bytes": (GAUGE, {}),
    "stsd_cache_limit_bytes": (GAUGE, {}),
    "stsd_policy_fetches_total": (COUNTER, {
        "outcome": "ok unchanged dns blocked_address connect tls certificate http_status "
                   "media_type too_big timeout syntax"}),
    "stsd_policy_fetch_duration_seconds": (HISTOGRAM, {}),
    "stsd_dns_queries_total": (COUNTER, {
        "type": "TXT MX A AAAA TLSA SOA CNAME",
        "outcome": "answer nodata nxdomain servfail refused timeout malformed"}),
    "stsd_refreshes_total": (COUNTER, {"outcome": "ok failed"}),
    "stsd_refresh_failing": (GAUGE, {}),
    "stsd_dnssec_ok": (GAUGE, {}),
    "stsd_dane_wanted": (GAUGE, {}),
    "stsd_connections": (GAUGE, {}),
    "stsd_lookups_in_flight": (GAUGE, {}),
    "stsd_process_restarts_total": (COUNTER, {"role": "answerer resolver"}),
    "stsd_config_reload_ok": (GAUGE, {}),
    "process_cpu_seconds_total": (COUNTER, {}),
    "process_resident_memory_bytes": (GAUGE, {}),
    "process_virtual_memory_bytes": (GAUGE, {}),
    "process_open_fds": (GAUGE, {}),
    "process_max_fds": (GAUGE, {}),
    "process_start_time_seconds": (GAUGE, {}),
}
BUCKETS = "0.0001 0.0005 0.001 0.005 0.01 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 +Inf"


def watched(world, **settings):
    return world.stsd(metrics_listen=f"inet:127.0.0.1:{PORT}", **settings).start()


def said(request, port=PORT):
    """The whole answer to a whole request: status, headers (lower-case), body."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(request)
        whole = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    head, body = whole.split("\r\n\r\n", 1)
    first, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, body


def families(text):
    """{family: (type, {label: its values in order})} of a page."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            found[name] = (kind, {})
        elif not line.startswith("#"):
            sample = re.fullmatch(r'(\w+?)(_bucket|_sum|_count)?(?:\{(.*)\})? [0-9.]+', line)
            family = sample[1] if sample[1] in found else sample[1] + (sample[2] or "")
            for label, value in re.findall(r'(\w+)="([^"]*)"', sample[3] or ""):
                values = found[family][1].setdefault(label, [])
                if value not in values:
                    values.append(value)
    return found


@case("metrics: names, types, labels and their values, all from the start")
def names(world):
    watched(world)
    text = wait.until(lambda: (lambda t: "\nstsd_dnssec_ok " in t and
                               "\nstsd_cache_bytes " in t and t)(get("/metrics")[1]),
                      "everything is known")
    found = families(text)
    same(sorted(found), sorted(FAMILIES), "families")
    for name, (kind, labels) in FAMILIES.items():
        same(found[name][0], kind, f"type of {name}")
        expected = {label: values and values.split() for label, values in labels.items()}
        if kind == HISTOGRAM:
            expected["le"] = BUCKETS.split()
        got = {label: values if expected.get(label) else None
               for label, values in found[name][1].items()}
        same(got, expected, f"labels of {name}")
        contains(text, f"# HELP {name} ")


@case("metrics: the limit of the cache is the setting, whether DANE is wanted too")
def limits(world):
    stsd = watched(world, cache_size="64M", dane="on")
    wait.until(lambda: number(get("/metrics")[1], "stsd_cache_limit_bytes") == 64 << 20,
               "the limit")
    same(number(get("/metrics")[1], "stsd_dane_wanted"), 1.0, "DANE is wanted")
    wait.until(lambda: get("/health")[1].startswith("degraded: DANE is wanted"), "it is missed")
    stsd.write_config(dane="off")
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: number(get("/metrics")[1], "stsd_dane_wanted") == 0.0, "no more")
    same(get("/health"), (200, "ok\n"))


TEXT = "text/plain; charset=utf-8"
PAGE = "text/plain; version=0.0.4; charset=utf-8"


@table("the page is asked", [
    # name, request, status, media type, has the answer a body?
    ("GET /metrics", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, PAGE, True),
    ("HEAD /metrics", b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, PAGE, False),
    ("HTTP/1.0", b"GET /metrics HTTP/1.0\r\n\r\n", 200, PAGE, True),
    ("bare line ends", b"GET /metrics HTTP/1.0\n\n", 200, PAGE, True),
    ("a query", b"GET /metrics?name[]=x HTTP/1.1\r\nHost: x\r\n\r\n", 200, PAGE, True),
    ("as Prometheus asks", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:8468\r\n"
     b"User-Agent: Prometheus/2.42.0\r\nAccept: application/openmetrics-text;version=1.0.0,"
     b"application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
     b"*/*;q=0.1\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n",
     200, PAGE, True),
    ("GET /health", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 200, TEXT, True),
    ("HEAD /health", b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", 200, TEXT, False),
    ("another path", b"GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, TEXT, True),
    ("another method", b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405, TEXT, True),
    ("no HTTP", b"QUERY example.org\r\n\r\n", 400, TEXT, True),
    ("a long head", b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 5000, 431, TEXT, True),
    ("two requests", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2, 200, TEXT, True),
])
def asked(world, request, status, media_type, has_body):
    watched(world)
    got, headers, body = said(request)
    same(got, status, f"status ({body})")
    same(headers["content-type"], media_type, "media type")
    same(headers["connection"], "close", "connection")
    same(bool(body), has_body, "a body")
    if has_body:
        same(int(headers["content-length"]), len(body), "length")
    if status == 405:
        same(headers["allow"], "get, head", "allow")


@case("metrics: slow clients take their places for five seconds, and nothing else")
def slow(world):
    domain = world.domain()
    stsd = watched(world)
    slow_ones = [socket.create_connection(("127.0.0.1", PORT), 20) for _ in range(20)]  # all places, and some that wait
    for sock in slow_ones:
        sock.sendall(b"GET /metrics HTT")
    same(stsd.ask(domain.name), domain.secure, "Postfix")
    same(get("/metrics")[0], 200, "who comes after them")
    for sock in slow_ones:
        sock.close()


@case("metrics: a client that does not read is left, and others are served")
def unread(world):
    watched(world)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.connect(("127.0.0.1", PORT))
    sock.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    same(get("/metrics")[0], 200)
    sock.settimeout(20)
    wait.until(lambda: not _is_open(PORT, sock), "it is closed", 15)


def _is_open(port, sock):
    """Has the other end of a connection still an owner?"""
    ours = "%04X" % sock.getsockname()[1]
    with open("/proc/net/tcp", encoding="ascii") as file:
        ends = [line.split() for line in file.readlines()[1:]]
    return any(end[1].endswith(":%04X" % port) and end[2].endswith(":" + ours)
               and end[9] != "0" for end in ends)


@case("metrics: a hundred clients at once are all served")
def many(world):
    watched(world)
    results = []

    def one():
        results.append(get("/metrics")[0])
    threads = [threading.Thread(target=one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(results, [200] * 100)


@case("health: an answerer that is gone is 503 when it was the only one, else degraded")
def answerers(world):
    for workers, status in (("1", 503), ("2", 200)):
        stsd = watched(world, workers=workers)
        wait.until(lambda: get("/health") == (200, "ok\n"), "good health")
        seen = []
        stsd.signal(signal.SIGSTOP, "resolver")  # who is started again waits for it
        os.kill(stsd.processes()["answerer"][0], signal.SIGKILL)
        wait.until(lambda: seen.append(get("/health")) or seen[-1][1] != "ok\n", "it is missed")
        same(get("/metrics")[0], 200, "the page")
        same(seen[-1][0], status, f"with {workers}: {seen[-1]}")
        stsd.signal(signal.SIGCONT, "resolver")
        wait.until(lambda: get("/health") == (200, "ok\n"), "good health again")
        stsd.kill()


@case("health: a resolver that is dead for half a minute is 503; answers and the page go on")
def no_resolver(world):
    domain = world.domain()
    stsd = watched(world)
    same(stsd.ask(domain.name), domain.secure)
    wait.until(lambda: get("/health") == (200, "ok\n"), "good health")
    states = []

    def look():
        stsd.signal(signal.SIGKILL, "resolver")
        status, text = get("/health")
        same(get("/metrics")[0], 200, "the page")
        states.append((status, text.split(":")[0]))
        return status == 503
    wait.until(look, "503", 150)  # one that was quick to be ready starts the count again
    same(states[-1], (503, "failed"))
    contains(states, (200, "degraded"))
    same(stsd.ask(domain.name), domain.secure, "from the cache")
    wait.until(lambda: get("/health") == (200, "ok\n"), "good health again", 30)


def events(journal_, name):
    return [entry for entry in journal_.entries() if entry["STSD_EVENT"] == name]


@case("journal: fields of every role, also after a reload and a restart, in the sandbox")
def fields(world):
    domain, dead = world.domain(), world.domain(how="404")
    there = journal.Datagrams(journal.JOURNAL)
    stsd = world.stsd(log_level="info")
    open(stsd.log_file, "wb").close()
    try:
        stsd.start(environment=journal.stream_of(stsd.log_file))
        stsd.ask(domain.name)
        stsd.ask(dead.name)
        wait.until(lambda: events(there, "policy-fetch-failed"), "a failed fetch")
        stsd.signal(signal.SIGHUP)
        wait.until(lambda: events(there, "reloaded"), "a reload")
        stsd.signal(signal.SIGKILL, "resolver")
        wait.until(lambda: events(there, "process-ended"), "an end")
        stsd.stop()
        wait.until(lambda: events(there, "stopped"), "its last word")
        same({entry["STSD_ROLE"] for entry in there.entries()}, set(ROLES), "roles")
        same({entry["SYSLOG_IDENTIFIER"] for entry in there.entries()}, {"stsd"}, "identifier")
        new, = [e for e in events(there, "policy-new") if e["STSD_DOMAIN"] == domain.name]
        same((new["PRIORITY"], new["STSD_MODE"]), ("6", "enforce"), "of the policy")
        failed, = events(there, "policy-fetch-failed")
        same(failed["STSD_DOMAIN"], dead.name, "domain")
        same(failed["MESSAGE"].split(" ")[1:3], ["policy-fetch-failed", f"domain={dead.name}"])
        same(stsd.log(), "", "stderr")
    finally:
        there.close()


@case("journal: it goes away, then its stream is written to, with priorities")
def gone(world):
    there = journal.Datagrams(journal.JOURNAL)
    stsd = world.stsd(log_level="info")
    open(stsd.log_file, "wb").close()
    try:
        stsd.start(environment=journal.stream_of(stsd.log_file))
        wait.until(lambda: events(there, "ready"), "it is ready")
    finally:
        there.close()
    for _ in range(2):  # the first finds out
        stsd.ask(world.domain(how="404").name)
    wait.until(lambda: "<6>" in stsd.log() and "log-lost role=resolver lines=1" in stsd.log(),
               "lines with a priority")
    same(stsd.stop(), 0, "status")


@case("journal: systemd's own takes the fields, and finds by them")
def journald(world):
    if journal.Journald.missing():
        raise Skip("systemd-journald is not installed")
    there = journal.Journald()
    domain, other = world.domain(), world.domain(how="404")
    stsd = world.stsd(log_level="info")
    open(stsd.log_file, "wb").close()
    try:
        stsd.start(environment=journal.stream_of(stsd.log_file))
        stsd.ask(domain.name)
        stsd.ask(other.name)
        stsd.stop()
        wait.until(lambda: there.find("-t", "stsd", "STSD_EVENT=stopped"), "its last word")
        found = [json.loads(line) for line in there.find("STSD_DOMAIN=" + domain.name)]
        same([(e["STSD_EVENT"], e["STSD_ROLE"], e["_COMM"], e["PRIORITY"]) for e in found],
             [("policy-new", "resolver", "stsd-resolver", "6")])
        same(len(there.find("-t", "stsd", "STSD_EVENT=policy-fetch-failed")), 1, "failures")
        same(stsd.log(), "", "stderr")
    finally:
        there.stop()


@case("syslog: facility mail, by role and level, in the sandbox")
def syslog(world):
    stsd = world.stsd(syslog="yes", log_level="info")
    there = journal.Datagrams(stsd.folder + "/syslog")
    os.chmod(stsd.folder, 0o755)
    domain = world.domain(certificate="expired")
    try:
        stsd.start(before=("unshare", "--mount", "sh", "-c", journal.OTHER_DEV, "sh",
                           stsd.folder + "/dev", there.path))
        same(stsd.ask(domain.name), NOTFOUND)
        same(stsd.stop(), 0, "status")
        wait.until(lambda: any(" stopped " in line for line in there.got), "its last word")
    finally:
        there.close()
    found = [re.match(r"<(\d+)>\w+ +\d+ [\d:]+ (?:\S+ )?stsd/(\w+)\[\d+\]: (\w+) ", line)
             for line in there.got]
    same(all(found), True, f"lines like {there.got[:1]}")
    levels = {"error": 3, "warning": 4, "notice": 5, "info": 6}
    for line in found:
        same(int(line[1]), 2 * 8 + levels[line[3]], "facility mail and level")
    same({line[2] for line in found}, set(ROLES), "roles")
    same(any("policy-fetch-failed domain=" + domain.name in line for line in there.got), True)
    same(stsd.log(), "", "stderr")
