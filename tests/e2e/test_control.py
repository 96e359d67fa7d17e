# SPDX-License-Identifier: MIT
"""The control socket and the commands that use it: what is kept can be seen, renewed,
dropped and taken elsewhere; by whom it may, whatever others do at the socket."""
import json
import os
import pwd
import re
import socket
import subprocess
import time

from lab import control, wait
from lab.cases import case, contains, same, table, within
from lab.control import daemon_with_socket, tell
from lab.world import WEEK

NOTFOUND = "NOTFOUND "
TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"
MANY = 10000
SILENT_RESOLVER = "127.0.0.77"  # nobody is there
PATIENCE = 10  # seconds that the daemon waits for a guest
GUESTS = 8


def running(world, **settings):
    return daemon_with_socket(world, **settings).start()


def rows(told):
    same(told.status, 0, f"status ({told.err})")
    return [row.split("\t") for row in told.out.splitlines()]


def names(stsd):
    return [row[0] for row in rows(tell(stsd, "--list"))]


def numbers(text):
    """{name: value} of --stats; metrics stand there as they do on their page."""
    return dict(line.rsplit(" ", 1) for line in text.splitlines())


# What is seen.

@case("--list: one line each, in six columns")
def listed(world):
    stsd = running(world)
    same(rows(tell(stsd, "--list")), [], "the list at first")
    domains = {mode: world.domain(mode=mode, record_id=mode + "1")
               for mode in ("enforce", "testing", "none")}
    plain = world.plain_domain()
    for name in [d.name for d in domains.values()] + [plain]:
        stsd.ask(name)
    found = {row[0]: row for row in rows(tell(stsd, "--list"))}
    same(sorted(found), sorted(d.name for d in domains.values()), "domains")
    for mode, domain in domains.items():
        row = found[domain.name]
        same((row[1], row[2], len(row)), (mode, mode + "1", 6))
        for moment in row[3:]:
            same(bool(re.fullmatch(TIME + "|-", moment)), True, moment)
        began, ends = (time.mktime(time.strptime(m, "%Y-%m-%dT%H:%M:%SZ")) for m in row[3:5])
        same(ends - began, WEEK, "seconds from fetched to expires")


@case("--list --json: the same as objects")
def listed_json(world):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    row = rows(tell(stsd, "--list"))[0]
    thing = json.loads(tell(stsd, "--json", "--list").out)
    same([thing["domain"], thing["mode"], thing["id"], thing["fetched"], thing["expires"]],
         row[:5])


@case("--show: all that is kept of a domain")
def shown(world):
    stsd = running(world)
    domain = world.domain(record_id="2026a")
    stsd.ask(domain.name)
    told = tell(stsd, "--show", domain.name)
    same(told.status, 0, told.err)
    for part in (domain.name, "enforce", "2026a", "mode: enforce", "mx: " + domain.mx[0],
                 f"max_age: {WEEK}", "fetched", "expires", "refresh"):
        contains(told.out, part)
    thing = json.loads(tell(stsd, "--json", "--show", domain.name).out)
    contains(json.dumps(thing), '"2026a"')


@table("--show of what is not kept", [
    # name, words, status
    ("unknown", ["never.test.example"], 1), ("no domain", ["x"], 1),
    ("one of two", ["never.test.example", "%"], 1), ("known", ["%"], 0),
    ("in other letters", ["%UP"], 0), ("in brackets", ["[%]:25"], 0),
])
def not_shown(world, words, status):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    words = [word.replace("%UP", domain.name.upper()).replace("%", domain.name)
             for word in words]
    told = tell(stsd, "--show", *words)
    same(told.status, status, told.out + told.err)
    same(domain.name in told.out, "%" in str(words) or domain.name in str(words).lower())


@case("--stats: numbers, and the metrics behind them")
def stats(world):
    stsd = running(world)
    domain, testing, plain = world.domain(), world.domain(mode="testing"), world.plain_domain()
    for name in (domain.name, domain.name, testing.name, plain):
        stsd.ask(name)
    got = wait.until(lambda: (lambda n: n["policies_enforce"] == "1" and n)(
        numbers(tell(stsd, "--stats").out)), "the policy is counted")
    same((got["policies_testing"], got["policies_none"]), ("1", "0"))
    same(got['stsd_lookups_total{map="QUERY",result="secure"}'], "2")
    same(got['stsd_policy_fetches_total{outcome="ok"}'], "2")
    quiet = numbers(tell(stsd, "-q", "--stats").out)
    same(any(name.startswith("stsd_") for name in quiet), False, "metrics with -q")
    thing = json.loads(tell(stsd, "--json", "--stats").out)
    same((thing["schema"], thing["policies_enforce"]), ("stsd-stats/1", 1))


@case("--overrides: those in force, not those on the disk")
def overrides(world):
    stsd = daemon_with_socket(world)
    file = stsd.folder + "/overrides"

    def write(text):
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)
    write("a.o.example may\n")
    stsd.settings["overrides"] = file
    stsd.start()
    told = tell(stsd, "--overrides")
    same((told.status, told.out), (0, "a.o.example may\n"))
    write("b.o.example encrypt # because\n")
    same(tell(stsd, "--overrides").out, "a.o.example may\n", "before HUP")
    stsd.signal(1)
    wait.until(lambda: tell(stsd, "--overrides").out == "b.o.example encrypt # because\n",
               "the new ones")
    same(stsd.ask("b.o.example"), "OK encrypt")


@case("--overrides without any")
def no_overrides(world):
    told = tell(running(world), "--overrides")
    same((told.status, told.out), (0, ""), told.err)


# What is changed.

def next_second():
    """Times are told in whole seconds, of the daemon's clock."""
    began = time.monotonic()
    wait.until(lambda: time.monotonic() > began + 1, "the next second")


@case("--refresh fetches at once, whatever is known")
def refresh(world):
    stsd = running(world)
    domain = world.domain()
    old = domain.secure
    world.dns.add(domain.name, "MX", (20, "new." + domain.name))
    same(stsd.ask(domain.name), old)
    domain.mx = ["new." + domain.name]
    domain.web.policy = domain.policy()  # under the same id
    same(stsd.ask(domain.name), old, "the old policy")
    told = tell(stsd, "--refresh", domain.name)
    same(told.status, 0, told.out + told.err)
    contains(told.out, "fetched, enforce, id 1")
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the new policy")
    contains(stsd.log(), "by hand")


@case("--refresh that fails: said, and the policy stays")
def refresh_fails(world):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    next_second()
    domain.web.how = "404"
    told = tell(stsd, "--refresh", domain.name)
    same(told.status, 1, told.out + told.err)
    contains(told.out, "not fetched")
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 2, "fetches")


@case("--refresh that fails within the second of one that did not")
def refresh_fails_soon(world):
    stsd = running(world)
    for _ in range(3):  # one of them begins and ends within a second
        domain = world.domain()
        same(tell(stsd, "--refresh", domain.name).status, 0, "while it is served")
        domain.web.how = "404"
        told = tell(stsd, "--refresh", domain.name)
        same(told.status, 1, told.out + told.err)
        contains(told.out, "not fetched: ")
        contains(told.out, "what is kept counts until")


@case("--refresh of a domain that nobody has asked for")
def refresh_new(world):
    stsd = running(world)
    domain = world.domain()
    same(tell(stsd, "--refresh", domain.name).status, 0, "status")
    same(names(stsd), [domain.name])
    same(tell(stsd, "--refresh", world.plain_domain()).status, 1, "status without a record")


@case("--refresh of a host that says nothing ends with answer_timeout")
def refresh_slow(world):
    stsd = running(world, answer_timeout="1s", fetch_timeout="8s")
    domain = world.domain(how="mute")
    began = time.monotonic()
    told = tell(stsd, "--refresh", domain.name)
    within(time.monotonic() - began, 0.8, 6, "seconds")
    same(told.status, 4, told.out + told.err)


@case("--forget: as if it had never been")
def forget(world):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    same(tell(stsd, "--forget", domain.name).status, 0, "status")
    same(names(stsd), [])
    same(tell(stsd, "--forget", domain.name).status, 1, "status the second time")
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 2, "fetches")


# From one host to another.

def without_dns(world, **settings):
    return running(world, dns_servers=SILENT_RESOLVER, dns_timeout="1s", dane="off", **settings)


@case("--export here, --import there, which then answers without DNS")
def move(world):
    here = running(world)
    domains = [world.domain(mode=mode) for mode in ("enforce", "enforce", "testing")]
    for domain in domains:
        here.ask(domain.name)
    text = tell(here, "--export").out
    lines = text.splitlines()
    same((lines[0], lines[-1], len(lines)), ("stsd-export 1", "end 3", 5))
    here.stop()
    there = without_dns(world)
    told = tell(there, "--import", "-", text=text)
    same(told.status, 0, told.out + told.err)
    same(sorted(names(there)), sorted(d.name for d in domains))
    for domain in domains[:2]:
        same(there.ask(domain.name), domain.secure)
    same(there.ask(domains[2].name), "OK may")
    same([d.fetches() for d in domains], [1, 1, 1], "fetches")
    same(tell(there, "--export").out.splitlines()[0::4], [lines[0], lines[-1]])
    there.stop()
    same(there.start().ask(domains[0].name), domains[0].secure)


@table("--import of an input that cannot be opened anew", [
    ("socket, as of a remote shell", socket.socketpair, ()),
    ("pipe of another user", lambda: os.pipe()[::-1],
     ("setpriv", "--reuid=_stsd", "--regid=_stsd", "--clear-groups")),
])
def imported_from(world, make, before):
    stsd = running(world)
    stsd.ask(world.domain().name)
    text = tell(stsd, "--export").out.encode()
    theirs, ours = (end if isinstance(end, int) else end.detach() for end in make())
    os.write(theirs, text)
    os.close(theirs)
    with open(ours, "rb") as source:
        done = subprocess.run([*before, stsd.programs + "/stsd-query", "-c", stsd.config_file,
                               "--import", "-"], stdin=source, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
    same((done.returncode, done.stdout, done.stderr),
         (0, "0 stored, 1 kept as they were, 0 expired\n", ""))


@table("--import keeps what was fetched as late or later", [
    # name, age of what is there, age of what comes; is it taken?
    ("older", 100, 200, False), ("the same", 100, 100, False), ("newer", 200, 100, True),
])
def keep(world, old, new, taken):
    stsd = without_dns(world)
    now = int(time.time())
    for record_id, age in (("old", old), ("new", new)):
        text = control.exported(control.line("k.test.example", record_id, now - age))
        same(tell(stsd, "--import", "-", text=text).status, 0, "status")
    same(rows(tell(stsd, "--list"))[0][2], "new" if taken else "old", "id")


@case("--import of what has expired is no fault, and of no effect")
def expired(world):
    stsd = without_dns(world)
    text = control.exported(control.line("e.test.example", max_age=60))
    same(tell(stsd, "--import", "-", text=text).status, 0, "status")
    same(names(stsd), [])


GOOD = control.line("good.test.example")


@table("--import refuses", [
    # name, text, line that is named
    ("nothing", "", 1),
    ("another version", "stsd-export 2\nend 0\n", 1),
    ("no first line", GOOD + "end 1\n", 1),
    ("no last line", "stsd-export 1\n" + GOOD, 3),
    ("a wrong number", "stsd-export 1\n" + GOOD + "end 2\n", 3),
    ("more behind the end", control.exported(GOOD) + GOOD, 3),
    ("a field too few", control.exported(GOOD, GOOD.rsplit("\t", 1)[0] + "\n"), 3),
    ("a field too many", control.exported(GOOD, GOOD[:-1] + "\tx\n"), 3),
    ("no domain", control.exported(GOOD, control.line("..")), 3),
    ("upper case", control.exported(GOOD, control.line("A.example")), 3),
    ("a wrong id", control.exported(GOOD, control.line("a.example", "a-b")), 3),
    ("a time to come", control.exported(GOOD, control.line("a.example",
                                                          fetched=int(time.time()) + 9000)), 3),
    ("a negative time", control.exported(GOOD, control.line("a.example", fetched=-1)), 3),
    ("too long a life", control.exported(GOOD, control.line("a.example", max_age=31557601)), 3),
    ("no base64", control.exported(GOOD, GOOD.rsplit("\t", 1)[0] + "\t!!!\n"), 3),
    ("no policy", control.exported(GOOD, control.line("a.example", text="hello\n")), 3),
    ("another max_age than the policy's", control.exported(GOOD, control.line(
        "a.example", max_age=9999, text=control.policy_text("a.example"))), 3),
    ("a policy cut off", control.exported(GOOD, control.line(
        "a.example", text=control.policy_text("a.example")[:30])), 3),
    ("a NUL", control.exported(GOOD, control.line("a.example").replace("a.", "a\0")), 3),
])
def refused(world, text, number):
    if not hasattr(world, "importer"):
        world.importer = world.lasting(without_dns(world, listen="inet:127.0.0.1:8482"))
    stsd = world.importer
    told = tell(stsd, "--import", "-", text=text)
    same(told.status, 65, f"status ({told.err})")
    same(bool(re.search(rf":{number}: ", told.err)), True, f"line {number} in {told.err!r}")
    same(names(stsd), [], "what was taken")


@case("--import of a file: its name stands before what is wrong")
def refused_file(world):
    stsd = without_dns(world)
    file = stsd.folder + "/policies"
    with open(file, "w", encoding="utf-8") as out:
        out.write(control.exported(GOOD, "what\n", "is\n"))
    told = tell(stsd, "--import", file)
    same(told.status, 65, told.err)
    contains(told.err, f"{file}:3: ")
    contains(told.err, f"{file}:4: ")
    same(tell(stsd, "--import", stsd.folder + "/nothing").status, 66, "status without a file")


# Who may.

@table("no access", [
    # name, socket_group, groups of the one who asks, status of --stats
    ("a stranger", None, [], 69),
    ("a member of the group", "_stsd", ["_stsd"], 0),
    ("no member of the group", "_stsd", [], 69),
])
def access(world, group, groups, status):
    gid = next(line.split(":")[2] for line in open("/etc/group", encoding="utf-8")
               if line.startswith("_stsd:"))
    stsd = running(world, socket_group=group)
    domain = world.domain()
    stsd.ask(domain.name)
    who = {"uid": control.NOBODY, "groups": [gid for _ in groups]}
    told = tell(stsd, "--stats", **who)
    same(told.status, status, told.out + told.err)
    for words in (["--refresh", domain.name], ["--forget", domain.name], ["--export"],
                  ["--overrides"]):
        if status:
            same(tell(stsd, *words, **who).status, 69, words)
    told = tell(stsd, "--json", "-v", domain.name, **who)
    thing = json.loads(told.out)
    same((told.status, thing["verdict"]), (0, "sts-enforce"), "and goes on without")
    same(thing["tool"]["mode"], "direct" if status else "daemon", told.out)
    same(names(stsd), [domain.name], "what is kept")


@case("who reaches the socket all the same is looked at: root and stsd's account alone")
def peers(world):
    stsd = running(world)
    os.chmod(stsd.settings["control_socket"], 0o666)
    domain = world.domain()
    stsd.ask(domain.name)
    for words in (["--stats"], ["--forget", domain.name], ["--refresh", domain.name]):
        told = tell(stsd, *words, uid=control.NOBODY)
        same(told.status, 69, told.out)
        contains(told.err, "root and its own account")
    same(tell(stsd, "--stats", uid=pwd.getpwnam("_stsd").pw_uid).status, 0, "status for its own account")
    same((names(stsd), domain.fetches()), ([domain.name], 1))


@case("the socket: 0600 without socket_group, 0660 with")
def modes(world):
    for group, mode in ((None, 0o600), ("_stsd", 0o660)):
        stsd = running(world, socket_group=group)
        same(os.stat(stsd.settings["control_socket"]).st_mode & 0o777, mode, f"mode, {group}")
        stsd.stop()


# No daemon.

ALONE = [(words[0], words) for words in (
    ["--refresh", "%"], ["--forget", "%"], ["--stats"], ["--overrides"], ["--export"],
    ["--import", "-"])]


@table("no daemon", ALONE)
def no_daemon(world, words):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    stsd.kill()
    told = tell(stsd, *[word.replace("%", domain.name) for word in words],
                text=control.exported())
    same((told.status, told.out), (69, ""), told.err)
    contains(told.err, "control")


@case("no daemon: --list and --show read the cache; kill -9 has taken nothing")
def read_only(world):
    stsd = running(world)
    domains = [world.domain() for _ in range(5)]
    for domain in domains:
        stsd.ask(domain.name)
    before = rows(tell(stsd, "--list"))
    stsd.kill()
    same(rows(tell(stsd, "--list")), before)
    for name in (domains[0].name, domains[4].name):
        told = tell(stsd, "--show", name)
        same(told.status, 0, told.err)
        contains(told.out, "mode: enforce")
    same(tell(stsd, "--show", "never.test.example").status, 1, "status of what is not there")
    told = tell(stsd, "--json", domains[0].name)
    contains(told.out, '"verdict":"sts-enforce"')
    stsd.start()
    same(rows(tell(stsd, "--list")), before)


@case("no daemon and no cache")
def nothing(world):
    stsd = daemon_with_socket(world)
    for words in (["--list"], ["--show", "a.example"]):
        same(tell(stsd, *words).status, 69, words)


@case("the resolver dies: the socket stays, and answers again")
def resolver_dies(world):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    stsd.signal(9, "resolver")
    wait.until(lambda: names(stsd) == [domain.name], "the list")
    contains(stsd.log(), "process-started")


@case("HUP: the socket stays")
def hup(world):
    stsd = running(world)
    domain = world.domain()
    stsd.ask(domain.name)
    stsd.signal(1)
    for _ in range(20):
        same(names(stsd), [domain.name])


# Guests without manners.

@table("bytes by hand", [
    # name, what is sent, what comes back (None: nothing)
    ("another version", b"stsd-control/2 hello\n", b"stsd-control/1 error "),
    ("no version", b"hello\n", None),
    ("no such verb", b"stsd-control/1 dance\n", b"stsd-control/1 error "),
    ("no verb", b"stsd-control/1\n", None),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", None),
    ("NUL", b"\0" * 100 + b"\n", None),
    ("no end", b"stsd-control/1 " + b"x" * 1000000, None),
    ("a domain that is none", b"stsd-control/1 show ../../etc/passwd\n", b"stsd-control/1 error "),
    ("no domain", b"stsd-control/1 show\n", b"stsd-control/1 error "),
    ("too much", b"stsd-control/1 show a.example b.example\n", b"stsd-control/1 error "),
    ("a policy that is none", b"stsd-control/1 import a.example 1 1 60 0 eHh4\n",
     b"stsd-control/1 error "),
    ("two questions at once", b"stsd-control/1 hello\nstsd-control/1 hello\n", None),
])
def by_hand(world, data, reply):
    if not hasattr(world, "host_of_guests"):
        world.host_of_guests = world.lasting(without_dns(world, listen="inet:127.0.0.1:8483"))
    stsd = world.host_of_guests
    got = control.say(stsd, data)
    if reply is not None:
        same(got[:len(reply)], reply)
    elif got:
        same(got.startswith(b"stsd-control/1 "), True, got)
    same(tell(stsd, "--stats").status, 0, "status after that")
    same(names(stsd), [], "what is kept")
    same(len(stsd.processes()["resolver"]), 1, "resolvers")
    same("process-ended" in stsd.log() or "died" in stsd.log(), False, "a death in the log")


@case("silent guests: lookups go on, others come in when they are sent away")
def silent(world):
    stsd = running(world)
    domain = world.domain()
    guests = [control.connect(stsd) for _ in range(GUESTS + 4)]
    began = time.monotonic()
    same(stsd.ask(domain.name), domain.secure)
    within(time.monotonic() - began, 0, 3, "seconds for a lookup")
    wait.until(lambda: tell(stsd, "--stats").status == 0, "room", 3 * PATIENCE)
    for guest in guests:
        guest.close()


@case("a guest that sends byte by byte is sent away as well")
def dripping(world):
    stsd = running(world)
    with control.connect(stsd) as guest:
        began = time.monotonic()

        def gone():
            try:
                guest.sendall(b"s")
                time.sleep(0.2)
                return False
            except OSError:
                return True
        wait.until(gone, "it is sent away", 2 * PATIENCE)
        within(time.monotonic() - began, PATIENCE / 2, 2 * PATIENCE, "seconds")


@table("an impostor", [
    # name, what it says
    ("another version", b"stsd-control/9 ok\n"), ("something else", b"220 mail\r\n"),
    ("nothing", None), ("no end", b"stsd-control/1 ok " + b"x" * 300000),
    ("the wrong answer", b"stsd-control/1 ok what is this\n"),
    ("escape characters", b"stsd-control/1 error G1tbMm0=\n"),
])
def impostor(world, line):
    stsd = daemon_with_socket(world)
    fake = control.Impostor(stsd.settings["control_socket"], line)
    try:
        began = time.monotonic()
        told = tell(stsd, "--stats")
        same((told.status, told.out), (69, ""), told.err)
        same("\x1b" in told.err, False, "an escape character")
        contains(told.err, "version" if line == b"stsd-control/9 ok\n" else "stsd")
        domain = world.domain()
        told = tell(stsd, "--json", domain.name)
        same(told.status, 0, told.err)
        same(json.loads(told.out)["tool"]["mode"], "direct")
        within(time.monotonic() - began, 0, 6, "seconds for both")
    finally:
        fake.stop()


# Many.

@case("10,000 policies: imported, listed, exported, while lookups go on")
def many(world):
    stsd = without_dns(world)
    domains = [f"m{n}.test.example" for n in range(MANY)]
    began = time.monotonic()
    text = control.exported(*[control.line(name) for name in domains])
    told = tell(stsd, "--import", "-", text=text)
    same(told.status, 0, told.err)
    imported = time.monotonic() - began
    listed_rows = rows(tell(stsd, "--list"))
    same(len(listed_rows), MANY, "rows")
    same(sorted(row[0] for row in listed_rows), sorted(domains))
    out = tell(stsd, "--export").out
    same((len(out.splitlines()), out.splitlines()[-1]), (MANY + 2, f"end {MANY}"))
    same(sorted(line.split("\t")[0] for line in out.splitlines()[1:-1]), sorted(domains))
    within(imported, 0, 60, "seconds for the import")
    # Somebody who asks for the list and does not read it costs nothing.
    with control.connect(stsd) as lazy:
        lazy.sendall(b"stsd-control/1 list -\n")
        began = time.monotonic()
        contains(stsd.ask("m1.test.example"), "OK secure")
        within(time.monotonic() - began, 0, 3, "seconds for a lookup")
    stsd.kill()
    same(len(rows(tell(stsd, "--list"))), MANY, "rows without the daemon")


@case("two who ask at once do not see each other's answers")
def two(world):
    stsd = without_dns(world)
    text = control.exported(*[control.line(f"t{n}.test.example") for n in range(50)])
    tell(stsd, "--import", "-", text=text)
    with control.connect(stsd) as one, control.connect(stsd) as other:
        one.sendall(b"stsd-control/1 list -\n")
        same(control.exchange(other, b"stsd-control/1 hello\n")[:18], b"stsd-control/1 ok ")
        contains(control.exchange(one, b""), b" t1.test.example ")
