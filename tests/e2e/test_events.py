# SPDX-License-Identifier: MIT
"""Every event of stsd(8), LOGS, provoked, in text and in JSON; and no other, ever."""
import json
import os
import re
import signal
import sys
import threading

from lab import clocks, control, socketmap, wait
from lab.cases import case, same
from test_dane import make_domain
from test_crashes import answers, cache_file, fill, large_domains, overwrite, small_disk

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORT = "inet:127.0.0.1:8468"
DAY = 86400
LEVELS = ("error", "warning", "notice", "info", "debug")
VALUE = r'(?:[^\s"\\=]+|"(?:[^"\\]|\\.)*")(?:\.\.\.)?'
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (" + "|".join(LEVELS) + r") ([a-z-]+)"
                  rf"(?: [a-z_]+={VALUE})*")

# What other tests provoke, and how.
ELSEWHERE = {
    "exec-failed": "a program that is there and cannot be executed: fault/daemon",
    "log-lost": "unit test_log; journal: it goes away",
    "metrics-failed": "no memory: fault/daemon",
    "policy-not-stored": "no memory: fault/daemon",
    "role-failed": "no memory, no descriptors: fault/daemon",
}
STORIES = []


def story(*events):
    """What is done to stsd, and what it must say of it."""
    def keep(function):
        STORIES.append((events, function))
        name = function.__name__.replace("_", " ")
        for style in ("text", "json"):
            case(f"{name}, {style}")(
                lambda world, style=style: run(world, events, function, style))
        return function
    return keep


def run(world, events, function, style):
    made = []

    def stsd(**settings):
        made.append(control.daemon_with_socket(world, log_format=style, **settings))
        return made[-1]
    function(world, stsd)
    seen = set()
    for one in made:
        one.kill()
        # A damaged cache is not closed any more; a sanitizer has a word to say about that.
        for line in one.log().split("\n\n=====")[0].splitlines():
            if not line.startswith("unshare: "):  # which sets the clock
                seen.add(event_of(line, style))
    same(set(events) - seen, set(), "what was not said")
    same(seen - documented(), set(), "what stsd(8) does not know")


def event_of(line, style):
    if style == "json":
        event = json.loads(line)
        same(list(event)[:3], ["time", "level", "event"], line)
        return event["event"]
    found = LINE.fullmatch(line)
    if not found:
        raise AssertionError(f"no line of the log: {line}")
    return found[2]


def documented():
    with open(ROOT + "/daemon/stsd.8", encoding="utf-8") as file:
        logs = file.read().split(".Sh LOGS\n")[1].split(".Sh METRICS\n")[0]
    lists = re.findall(r"^\.It Li (.*)$", logs, re.MULTILINE)
    return {event for one in lists for event in one.split(" , ")}


def said(stsd, *words):
    """Waits until a line has all these words."""
    wait.until(lambda: any(all(word in line for word in words)
                           for line in stsd.log().splitlines()), f"{words} in the log", 40)


@case("the manual's events are those that are provoked")
def all_of_them(_world):
    provoked = {event for events, _ in STORIES for event in events}
    same(documented(), provoked | set(ELSEWHERE))
    same(provoked & set(ELSEWHERE), set(), "provoked and not")


@story("listening", "metrics-listening", "control-listening", "sandbox", "process-started",
       "ready", "dnssec", "answer", "looked", "policy-new", "statistics", "process-ended",
       "stopping", "stopped")
def a_life(world, make):
    stsd = make(metrics_listen=PORT).start()
    stsd.ask(world.domain().name)
    said(stsd, "ready")
    said(stsd, "looked")
    said(stsd, "dnssec")
    stsd.signal(signal.SIGUSR1)
    said(stsd, "statistics", "resolver")
    stsd.stop()


@story("policy-new", "policy-fetch-failed", "policy-unchanged", "policy-changed", "record-gone",
       "refresh", "forget", "import")
def policies(world, make):
    stsd = make().start()
    domain = world.domain()
    stsd.ask(domain.name)
    control.tell(stsd, "--refresh", domain.name)
    domain.publish(record_id="2", mode="testing")
    domain.web.how = "404"
    said(stsd, "policy-unchanged")
    wait.until(lambda: control.tell(stsd, "--refresh", domain.name).status == 1, "it fails")
    said(stsd, "policy-fetch-failed", domain.name)
    domain.web.how = "good"
    wait.until(lambda: control.tell(stsd, "--refresh", domain.name).status == 0, "it is back")
    world.dns.remove(domain.record_name, "TXT")
    stsd.restart(later=400)
    wait.until(lambda: stsd.ask(domain.name) and "record-gone" in stsd.log(), "it is missed")
    control.tell(stsd, "--forget", domain.name)
    control.tell(stsd, "--import", "-", text=control.exported(control.line("a.example")))


@story("clock")
def a_wall_clock_that_jumped(world, make):
    clock = clocks.Clocks(world)
    stsd = make(programs=clock.programs, sandbox="no").start()
    learned(world, stsd)
    clock.set_wall(-2 * DAY)
    stsd.restart()
    said(stsd, "clock", "resolver")


@story("reloading", "reloaded", "reload-refused", "configuration")
def reloads(_world, make):
    stsd = make()
    with open(stsd.folder + "/main.cf", "w", encoding="utf-8") as file:
        file.write("# no smtp_dns_support_level\n")
    stsd.start(environment={"STSD_SOMETHING": "x"})
    stsd.signal(signal.SIGHUP)
    said(stsd, "reloaded")
    stsd.write_config(workers="none")
    stsd.signal(signal.SIGHUP)
    said(stsd, "reload-refused")


@story("dns-servers")
def other_dns_servers(world, make):
    stsd = make(dns_servers=None).start()
    with world.resolv_conf("nameserver 127.0.0.2\n"):
        said(stsd, "dns-servers")


@story("dane-found", "dane-changed", "mx-host")
def dane(world, make):
    world.dns.validates = True
    stsd = make().start()
    domain = make_domain(world, "F")
    stsd.ask(domain.name)
    said(stsd, "dane-found", domain.name)
    world.dns.trouble.clear()
    stsd.restart(later=60)
    wait.until(lambda: stsd.ask(domain.name) and "dane-changed" in stsd.log(), "a change")


@story("overloaded")
def too_many_lookups(world, make):
    gate = threading.Event()
    slow = world.domain(gate=gate)
    stsd = make(max_lookups="1", answer_timeout="20s").start()
    with stsd.client() as client:
        client.send(socketmap.netstring("QUERY " + slow.name))
        wait.until(slow.fetches, "the first fetch runs")
        stsd.ask(world.domain().name)
        gate.set()
        client.reply()


@story("client-refused", "max-connections")
def clients(_world, make):
    stsd = make(listen="inet:*:8461", allow_clients="127.0.0.0/8", max_connections="100000")
    stsd.start(before=("prlimit", "--nofile=256"))
    with socketmap.Client(("198.18.0.1", 8461)) as client:
        same(client.is_closed(), True, "closed")


@story("resolver-away", "process-ended")
def no_resolver(_world, make):
    stsd = make().start()
    stsd.signal(signal.SIGKILL, "resolver")
    said(stsd, "resolver-away")
    said(stsd, "process-ended", "signal")


@case("process-hangs, text and JSON")
def hangs(world):
    stsds = [world.stsd(log_format=style, listen=f"inet:127.0.0.1:{port}").start()
             for style, port in (("text", 8461), ("json", 8462))]
    for stsd in stsds:
        stsd.signal(signal.SIGSTOP, "answerer")
    for stsd, style in zip(stsds, ("text", "json")):
        said(stsd, "process-hangs", "30 seconds")
        same("process-hangs" in [event_of(line, style) for line in stsd.log().splitlines()], True)


STORIES.append((("process-hangs",), hangs))


@story("control-off")
def no_control_socket(_world, make):
    open("/run/stsd", "wb").close()
    try:
        stsd = make()
        stsd.settings["control_socket"] = None
        stsd.start()
        said(stsd, "control-off")
    finally:
        os.unlink("/run/stsd")


@story("start-failed")
def taken(world, make):
    first = world.stsd().start()
    stsd = make().launch()
    same(stsd.wait(), 69, "status")
    first.kill()


HAND_OVER_ANOTHER = """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 8470))
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)  # it may have been 3 already
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="ftp")
os.execv(sys.argv[1], sys.argv[1:])
"""


@story("socket-ignored")
def a_socket_of_another_kind(_world, make):
    make().start(before=(sys.executable, "-c", HAND_OVER_ANOTHER))


def learned(world, stsd):
    domain = world.domain()
    stsd.ask(domain.name)
    said(stsd, "looked", domain.name)
    return domain


@story("cache-moved-aside")
def a_foreign_cache(world, make):
    stsd = make().start()
    learned(world, stsd)
    stsd.stop()
    overwrite(cache_file(stsd), 0, b"SQLite format 3\0" * 512)
    stsd.start()


@story("cache-failed", "cache-fault")
def a_cache_that_cannot_be_renewed(world, make):
    stsd = make().start()
    domain = learned(world, stsd)
    os.chown(stsd.state, 0, 0)
    os.chmod(stsd.state, 0o555)
    os.truncate(cache_file(stsd), 4096)
    answers(stsd, domain.name)
    same(stsd.wait(), 69, "status")


def lose_a_bit(stsd, domain):
    """Of the policy, in its entry."""
    with open(cache_file(stsd), "rb") as file:
        data = file.read()
    places = [found.start() for found in re.finditer(re.escape(domain.policy()[:20]), data)]
    same(bool(places), True, "the policy is in the file")
    for place in places:
        overwrite(cache_file(stsd), place + 10, b"2")


@story("cache-fault", "cache-damaged", "cache-moved-aside")
def an_entry_that_lost_a_bit(world, make):
    stsd = make().start()
    domain = learned(world, stsd)
    lose_a_bit(stsd, domain)
    wait.until(lambda: answers(stsd, domain.name) == domain.secure
               and "cache-moved-aside" in stsd.log(), "the policy, anew", 20)


@story("cache-unreadable")
def an_entry_that_the_resolver_cannot_read(world, make):
    stsd = make().start()
    domain = learned(world, stsd)
    lose_a_bit(stsd, domain)
    control.tell(stsd, "--refresh", domain.name)
    said(stsd, "cache-unreadable", domain.name)


@story("cache-unwritable")
def a_full_disk(world, make):
    with small_disk(world) as folder:
        stsd = make(state_directory=folder + "/state", cache_size="16M").start()
        try:
            fill(folder)
            for domain in large_domains(world, 40):
                stsd.ask(domain.name)
            said(stsd, "cache-unwritable")
        finally:
            stsd.kill()
