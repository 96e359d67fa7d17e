# SPDX-License-Identifier: MIT
"""How stsd-query is used: for many domains, on a terminal, by scripts; what it costs; and
that nothing a stranger wrote does anything to who reads it."""
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time

from lab import daemon, diagnosis
from lab.cases import case, contains, same, table, within
from lab.control import daemon_with_socket, tell
from lab.https import response
from lab.world import ALLOWED
from test_dane import USABLE
from test_query import MAIL, healthy, one_tlsa

AT_ONCE = 64


def is_sanitized(world):
    with open(world.programs + "/stsd-query", "rb") as file:
        return b"__asan_init" in file.read()


# Exit statuses, a row each.

STATUS = {
    0: lambda w: healthy(w).name,
    1: lambda w: w.plain_domain(),
    2: lambda w: spoiled(w, "twice"),
    3: lambda w: w.domain(how="404").name,
    4: lambda w: spoiled(w, "record fails"),
}


def spoiled(world, how):
    domain = healthy(world)
    if how == "twice":
        domain.web.policy += b"mode: testing\r\n"
    else:
        world.dns.fail(domain.record_name, "TXT", "servfail", ede=6)
    return domain.name


@table("exit status of several", [(",".join(map(str, kinds)), kinds, status) for kinds, status in (
    ([0], 0), ([1], 1), ([2], 2), ([3], 3), ([4], 4), ([0, 1], 1), ([1, 0], 1), ([1, 2], 2),
    ([2, 1], 2), ([4, 2], 4), ([2, 4], 4), ([0, 4, 1], 4), ([4, 3], 3), ([3, 4], 3),
    ([0, 1, 2, 3, 4], 3), ([0, 0, 0], 0))])
def several(world, kinds, status):
    world.dns.validates = True
    names = [STATUS[kind](world) for kind in kinds]
    told = world.query(*names)
    same(told.status, status, told.out + told.err)
    told = world.query("--json", *names)
    same(told.status, status, "status with --json")
    objects = [diagnosis.read(line) for line in told.out.splitlines()]
    same([o["domain"]["queried"] for o in objects], names, "the order")
    same([o["exit_code"] for o in objects], kinds, "exit_code of each")


@table("exit status", [
    # name, words, input, status
    ("no word", [], None, 64), ("two commands", ["--list", "--stats"], None, 64),
    ("--map without --reply", ["--map", "QUERY", "a.example"], None, 64),
    ("--smtp without a domain", ["--smtp", "--list"], None, 64),
    ("--color wrong", ["--color", "green", "a.example"], None, 64),
    ("--json where there is none", ["--json", "--forget", "a.example"], None, 64),
    ("a word to --list", ["--list", "a.example"], None, 64),
    ("no word to --show", ["--show"], None, 64),
    ("unknown setting", ["-o", "nothing=1", "a.example"], None, 78),
    ("wrong value", ["-o", "dns_timeout=soon", "a.example"], None, 78),
    ("no such configuration", ["-c", "/nonexistent", "a.example"], None, 78),
    ("no daemon to answer", ["--reply", "a.example"], None, 69),
    ("no daemon that is well", ["--health"], None, 69),
    ("no daemon to be told", ["--stats"], None, 69),
    ("no such policy file", ["--lint-policy", "/nonexistent"], None, 66),
    ("bad policy", ["--lint-policy", "-"], "hello\n", 65),
    ("bad record", ["--lint-record", "v=STSv1"], None, 65),
    ("good record", ["--lint-record", "v=STSv1; id=1;"], None, 0),
    ("no match", ["--match", "*.a.example", "a.example"], None, 1),
    ("help", ["--help"], None, 0), ("version", ["-V"], None, 0),
])
def status_of(world, words, text, status):
    told = world.query(*words, text=text)
    same(told.status, status, told.out + told.err)
    if status >= 64 and status not in (65,):
        same(told.out, "")
        same(told.err != "", True, "a sentence")


@case("nobody reads what it says: 70")
def nobody_reads(world):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([world.programs + "/stsd-query", "--help"], stdout=full,
                              stderr=subprocess.PIPE, check=False)
        query = subprocess.run([world.programs + "/stsd-query", "-o", "dns_servers=127.0.0.1",
                                "-o", "ca_file=" + world.pki.ca_file, "--json",
                                world.plain_domain()], stdout=full, stderr=subprocess.PIPE,
                               check=False)
    same((done.returncode in (0, 70), query.returncode), (True, 70), query.stderr)


@table("started without standard descriptors: no file or socket takes their place", [
    # name, what the shell closes, words, status
    ("input, of which domains are wanted", "<&-", ["-"], 66),
    ("input, of which none is", "<&-", ["%"], 1),
    ("output", ">&-", ["%"], 70),
    ("output of a list", ">&-", ["--lint-record", "v=STSv1; id=1;"], 70),
    ("error", "2>&-", ["-v", "%"], 1), ("input and error", "<&- 2>&-", ["-v", "%"], 1),
    ("all", "<&- >&- 2>&-", ["-v", "%"], 70),
])
def bare(world, closed, words, status):
    name = world.plain_domain()
    words = [word.replace("%", name) for word in words]
    usual = world.query(*words, text="")
    told = world.query(*words, before=["/bin/sh", "-c", f'exec "$@" {closed}', "sh"])
    same(told.status, status, told.out + told.err)
    if ">&-" not in closed.replace("2>&-", ""):
        same(re.sub(r"\d+ ms", "", told.out), re.sub(r"\d+ ms", "", usual.out))
    if "2>&-" in closed:
        same(told.err, "")


@case("--postfix for somebody who ignores the end of his children")
def ignored(world):
    ignore = ("import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
              "os.execv(sys.argv[1], sys.argv[1:])")
    usual = world.query("--postfix")
    told = world.query("--postfix", before=[sys.executable, "-c", ignore])
    same((told.status, told.out, told.err), (usual.status, usual.out, usual.err))


# Many.

@case("many domains: told in order, the slow one does not hold up the looks at others")
def many(world):
    names = [world.plain_domain() for _ in range(100)]
    slow = healthy(world, gate=threading.Event())
    names[3:3] = [slow.name]
    began = time.monotonic()
    run = subprocess.Popen(
        [world.programs + "/stsd-query", "--json", "-o", "dns_servers=127.0.0.1", "-o",
         "ca_file=" + world.pki.ca_file, "-o", "allow_addresses=" + ALLOWED, "-o",
         "control_socket=none", *names], stdout=subprocess.PIPE, text=True)
    first = [json.loads(run.stdout.readline())["domain"]["queried"] for _ in range(3)]
    same(first, names[:3], "the first ones, while one still hangs")
    daemon.wait.until(lambda: all(world.dns.count("_mta-sts." + n, "TXT") for n in names[:AT_ONCE]),
                      "those beside it are looked at", 10)
    slow.web.gate.set()
    rest = [json.loads(line)["domain"]["queried"] for line in run.stdout]
    same(first + rest, names, "the order")
    same(run.wait(10), 1, "status")
    within(time.monotonic() - began, 0, 20, "seconds")


@case("many domains at once: as long as one, not as their sum")
def at_once(world):
    names = [world.plain_domain() for _ in range(AT_ONCE)]
    world.dns.fail_server("127.0.0.1", "slow", seconds=0.3)
    began = time.monotonic()
    same(world.query("--json", *names).status, 1, "status")
    within(time.monotonic() - began, 0.3, 6, "seconds, not 19")


@case("domains from the input, one a line; the same one twice")
def from_input(world):
    names = [world.plain_domain() for _ in range(5)]
    names.append(names[0])
    told = world.query("--json", "-", text="\n".join(names) + "\n")
    got = [json.loads(line)["domain"]["queried"] for line in told.out.splitlines()]
    same((told.status, got), (1, names))
    last = world.query("--json", names[1], "-", text=names[2])  # without a line end
    same([json.loads(line)["domain"]["queried"] for line in last.out.splitlines()], names[1:3])


def peak(world, count):
    """KiB that it needs for so many domains."""
    run = subprocess.Popen(
        [world.programs + "/stsd-query", "-q", "-o", "dns_servers=127.0.0.1", "-o",
         "ca_file=" + world.pki.ca_file, "-o", "control_socket=none", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    run.stdin.write("".join(f"n{number}.memory.example\n" for number in range(count)))
    run.stdin.close()
    _, status, used = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    same(run.returncode, 1, "status")
    return used.ru_maxrss


@case("memory does not grow with the number of domains")
def memory(world):
    if is_sanitized(world):
        return  # a sanitizer keeps what is freed
    few, more = peak(world, 500), peak(world, 3000)
    within(more - few, -20000, 6000, "KiB more: of each report some 10 KiB would stay")


# What it costs (a run takes at most 1.2 times its slowest chain of round trips).

TRIP = 0.4  # seconds of each DNS answer


@table("a run takes as long as its slowest chain", [
    # name, signed?, seconds of the policy host, round trips of DNS in the slowest chain,
    # whether the policy host is in it
    ("without DANE", False, 0.0, 2, True), ("DANE", True, 0.0, 3, False),
    ("a slow policy host", False, 0.8, 2, True), ("both", True, 0.8, 2, True),
])
def chain(world, signed, seconds, trips, fetches):
    world.dns.validates = True
    gate = threading.Event() if seconds else None
    domain = healthy(world, gate=gate)
    if signed:
        one_tlsa(world, domain)
    slowest = trips * TRIP + (seconds if fetches else 0)
    world.dns.fail_server("127.0.0.1", "slow", seconds=TRIP)
    if gate:
        opener = threading.Thread(target=_open_later, args=(domain, gate, seconds), daemon=True)
        opener.start()
    began = time.monotonic()
    told = world.query("--json", domain.name, settings={"dane": "on"})
    took = time.monotonic() - began
    same(told.status, 0, told.out)
    limit = 1.2 * slowest
    if is_sanitized(world):
        limit += 0.5  # its start alone takes that long
    within(took, slowest * 0.95, limit, "seconds")


def _open_later(domain, gate, seconds):
    daemon.wait.until(domain.fetches, "the request is there", 10)
    time.sleep(seconds)
    gate.set()


@case("a domain without MTA-STS: what is asked of DNS")
def questions(world):
    name = world.plain_domain()
    world.query(name)
    asked = world.dns.questions_below(name)
    same(max(asked.values()), 1, f"times that one question was asked: {asked}")
    same(asked[("_mta-sts." + name, "TXT")], 1)
    same(asked[(name, "MX")], 1)
    same(asked[("_smtp._tls." + name, "TXT")], 1)


# A terminal.

def on_terminal(world, *words, both=True, environment=None):
    """(what standard output got, what standard error got); the latter is a terminal, the
    former too if both."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", **(environment or {})}
    env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
    run = subprocess.Popen(
        [world.programs + "/stsd-query", "-o", "dns_servers=127.0.0.1", "-o",
         "ca_file=" + world.pki.ca_file, "-o", "allow_addresses=" + ALLOWED, "-o",
         "control_socket=none", *words], stdin=subprocess.DEVNULL, env=env,
        stdout=theirs if both else subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    out = run.stdout.read().decode() if run.stdout else ""
    seen = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:
            break  # all of the other side is closed
        if not more:
            break
        seen += more
    os.close(ours)
    run.wait(20)
    return out, seen.decode()


@table("colours", [
    # name, on a terminal?, words, environment, coloured?
    ("terminal", True, [], {}, True), ("terminal, NO_COLOR", True, [], {"NO_COLOR": "1"}, False),
    ("terminal, empty NO_COLOR", True, [], {"NO_COLOR": ""}, True),
    ("terminal, never", True, ["--color", "never"], {}, False),
    ("pipe", False, [], {}, False), ("pipe, always", False, ["--color=always"], {}, True),
    ("always beats NO_COLOR", True, ["--color=always"], {"NO_COLOR": "1"}, True),
    ("JSON", True, ["--json"], {}, False),
])
def colors(world, terminal, words, environment, colored):
    name = world.plain_domain()
    out, seen = on_terminal(world, *words, name, both=terminal, environment=environment)
    same("\x1b[" in (seen if terminal else out), colored, "colours")


@case("a line of progress on a terminal, gone in the end; none elsewhere")
def progress(world):
    names = [world.plain_domain() for _ in range(3)]
    world.dns.fail_server("127.0.0.1", "slow", seconds=1.6)
    out, seen = on_terminal(world, *names, both=False)
    contains(seen, "\r\x1b[K", "the terminal")
    contains(seen, "of 3")
    same(seen.endswith("\x1b[K"), True, f"the line is gone: {seen[-80:]!r}")
    same(len(re.findall(r"^plain", out, re.M)), 3, "domains told")
    same("\x1b" in out, False, "progress in the output")
    same(world.query(*names).err, "", "without a terminal")


@case("-q: the verdict alone; -v: each step with its time, as it is made")
def steps(world):
    domain = healthy(world)
    told = world.query("-q", domain.name)
    same((told.status, len(told.out.splitlines())), (0, 1), told.out)
    told = world.query("-v", domain.name)
    for step in ("_mta-sts TXT: ", "MX: ", "policy host: ", "HTTPS: ", "resolver: "):
        same(bool(re.search(rf"^{re.escape(domain.name)} +\d+ ms  {step}", told.err, re.M)), True,
             f"{step} in {told.err}")
    domain.web.gate = threading.Event()
    run = subprocess.Popen(
        [world.programs + "/stsd-query", "-v", "-o", "dns_servers=127.0.0.1", "-o",
         "ca_file=" + world.pki.ca_file, "-o", "allow_addresses=" + ALLOWED, "-o",
         "control_socket=none", domain.name], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    line = ""
    while "policy host" not in line:
        line = run.stderr.readline()
        same(line != "", True, "the step is told while the fetch hangs")
    domain.web.gate.set()
    run.stderr.read()
    same(run.wait(20), 0, "status")


# What strangers write.

HOSTILE = "\x1b]0;you\x07\x1b[2J\x9b31m\u202etxt\x7f\x00\r\nfake: line\u2066"
BYTES = HOSTILE.encode() + b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80"
PART = BYTES.decode("latin-1")


def hostile_policy(_w, d):
    d.web.policy += b"x: " + BYTES.replace(b"\r\n", b"") + b"\r\n"


def hostile_mode(_w, d):
    d.web.policy = d.web.policy.replace(b"enforce", BYTES)


def hostile_head(_w, d):
    body = response(b"x")
    d.web.how = "raw"
    d.web.raw = (b"HTTP/1.1 302 " + BYTES[:20] + b"\r\nLocation: https://x/" + BYTES.replace(
        b"\r\n", b"") + b"\r\nContent-Type: text/" + b"\x1b[31m\x9b\r\n\r\n" + body)


def hostile_certificate(w, d):
    d.web.names = ["www\x1b[31m.test.example"]


@table("escaped", [
    ("record", lambda w, d: w.dns.replace(d.record_name, "TXT", "v=STSv1; id=" + PART)),
    ("another text", lambda w, d: w.dns.add(d.record_name, "TXT", PART)),
    ("SPF", lambda w, d: w.dns.replace(d.record_name, "TXT", "v=spf1 " + PART)),
    ("at the domain", lambda w, d: (w.dns.remove(d.record_name),
                                   w.dns.add(d.name, "TXT", "v=STSv1; id=1;" + PART))),
    ("TLSRPT", lambda w, d: w.dns.replace("_smtp._tls." + d.name, "TXT",
                                         "v=TLSRPTv1; rua=mailto:" + PART)),
    ("MX", lambda w, d: w.dns.add(d.name, "MX", (20, "a\x1b[2Jb\x9b\u00e2\u0080\u00ae.example"))),
    ("alias of a host", lambda w, d: (w.dns.remove(d.mx[0]), w.dns.add(
        d.mx[0], "CNAME", "a\x1b[2J\x07.example"), w.dns.add("a\x1b[2j\x07.example", "A", MAIL))),
    ("alias of the record", lambda w, d: (w.dns.remove(d.record_name), w.dns.add(
        d.record_name, "CNAME", "a\x1b[2j.example"),
        w.dns.add("a\x1b[2j.example", "TXT", "v=STSv1; id=1;"))),
    ("policy", hostile_policy), ("mode", hostile_mode), ("HTTP head", hostile_head),
    ("TLSA", lambda w, d: (one_tlsa(w, d), w.dns.add("_25._tcp." + d.mx[0], "TLSA",
                                                    (27, 91, 50, BYTES), USABLE))),
])
def escaped(world, change):
    world.dns.validates = True
    domain = healthy(world)
    change(world, domain)
    for options in ([], ["-v"], ["-q"], ["-v", "--color=always"]):
        told = world.query(*options, domain.name)
        text = re.sub("\x1b\\[[0-9;]*m", "", told.out) if len(options) == 2 else told.out
        same(diagnosis.unprintable(text + told.err), [], f"unprintable with {options}")
        same(re.findall(r"(?m)^fake", told.out + told.err), [], "lines of somebody else's")
        thing = world.query("--json", *[o for o in options if "color" not in o], domain.name)
        same(len(thing.out.splitlines()), 1, "lines")
        same(diagnosis.unprintable(thing.out), [], "unprintable in JSON")
        diagnosis.read(thing.out)


@table("what is typed is escaped", [
    ("escape", "\x1b[31m.example"), ("line", "a\nb.example"), ("bidi", "\u202egro.elpmaxe"),
    ("C1", "a\x9bb.example"), ("long", "x" * 5000), ("quote", "a\"b\\c.example"),
])
def typed(world, word):
    for options in ([], ["-v"], ["--json"]):
        told = world.query(*options, word)
        same(told.status, 1, told.out + told.err)
        same(diagnosis.unprintable(told.out + told.err), [], "unprintable")
        if options == ["--json"]:
            same(diagnosis.read(told.out)["postfix"]["query"], "NOTFOUND ")


@case("the command to try is safe to paste")
def paste(world):
    """Whatever a stranger puts into names: the shell sees words."""
    domain = healthy(world)
    world.dns.add(domain.name, "MX", (1, "a$(touch /run/lab/pasted)`x`;'b.example"))
    seen = diagnosis.read(world.query("--json", domain.name).out)
    for name in ("posttls_finger", "posttls_finger_3_10_5"):
        command = seen["postfix"][name]
        if command:
            same(command.split(" ")[0], "posttls-finger")
            subprocess.run(["sh", "-c", ": " + command], check=True)
            same(re.sub(r"[A-Za-z0-9 ./:_-]", "", command), "", "characters of a shell")
    same(os.path.exists("/run/lab/pasted"), False, "what was pasted did something else")


# Completion.

@case("completion: domains are those that are kept")
def completion(world):
    stsd = daemon_with_socket(world).start()
    domain = world.domain()
    stsd.ask(domain.name)
    program = stsd.folder + "/stsd-query"
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexec {world.programs}/stsd-query -c {stsd.config_file} \"$@\"\n")
    os.chmod(program, 0o755)
    script = os.path.join(os.path.dirname(diagnosis.SCHEMA), "stsd-query.bash")
    told = daemon.run(["bash", "-c", f"""
        . {script}; compopt() {{ :; }}
        COMP_WORDS=(stsd-query --show {domain.name[:2]}); COMP_CWORD=2
        _stsd_query {program}; echo "${{COMPREPLY[@]}}"
        COMP_WORDS=(stsd-query --exp); COMP_CWORD=1
        _stsd_query {program}; echo "${{COMPREPLY[@]}}"
    """])
    same(told.out, domain.name + "\n--export\n", told.err)
    same(tell(stsd, "--list").status, 0, "status")
