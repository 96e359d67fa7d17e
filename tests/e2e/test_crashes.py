# SPDX-License-Identifier: MIT
"""Processes that are killed, disks that fill, files that are damaged: what was answered is
never lost, and nobody is told "no policy" because of our own trouble."""
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import threading

from lab import daemon, socketmap, wait
from lab.cases import case, contains, same, table

NOTFOUND = "NOTFOUND "
ROUNDS = 7  # of each kind: stsd waits longer each time before it starts a role again


def cache_file(stsd):
    return stsd.state + "/cache.mdb"


def learn(world, count=1, **settings):
    domains = [world.domain() for _ in range(count)]
    stsd = world.stsd(**settings).start()
    for domain in domains:
        same(stsd.ask(domain.name), domain.secure)
    return (stsd, domains) if count > 1 else (stsd, domains[0])


def lose_the_world(domain):
    """From now on only what stsd has kept can answer."""
    domain.world.dns.fail(domain.record_name, "TXT", "servfail")
    domain.web.how = "500"


@table("kill -9", [("answerer", "answerer"), ("resolver", "resolver")])
def kill_role(world, role):
    stsd, domain = learn(world)
    lose_the_world(domain)
    before = stsd.processes()[role]
    stsd.signal(signal.SIGKILL, role)
    # A connection that is just being served by the dead may be lost, as Postfix expects.
    wait.until(lambda: stsd.processes()[role] not in ([], before), f"a new {role}")
    wait.until(lambda: answers(stsd, domain.name) == domain.secure, "the same answer")
    new = world.domain()
    wait.until(lambda: answers(stsd, new.name) == new.secure, "a cold lookup")
    same(stsd.stop(), 0, "status")


@case("a resolver that crashes again and again costs no policy")
def crashing_resolver(world):
    stsd, domain = learn(world)
    lose_the_world(domain)
    for _ in range(3):
        before = stsd.processes()["resolver"]
        stsd.signal(signal.SIGSEGV, "resolver")
        wait.until(lambda old=before: stsd.processes()["resolver"] not in ([], old), "a new one")
    wait.until(lambda: answers(stsd, domain.name) == domain.secure, "the same answer")
    same(stsd.stop(), 0, "status")
    same(sorted(os.listdir(stsd.state)), ["cache.mdb", "cache.mdb-lock", "lock"])


def answers(stsd, key):
    """The reply; None where the connection is lost."""
    try:
        return stsd.ask(key)
    except (OSError, socketmap.Closed):
        return None


@case("kill -9: while the resolver is away the cache answers")
def without_resolver(world):
    stsd, domain = learn(world)
    plain = world.plain_domain()
    same(stsd.ask(plain), NOTFOUND)
    stopped = stsd.processes()["resolver"]
    stsd.signal(signal.SIGSTOP, "resolver")
    try:
        same(stsd.ask(domain.name, timeout=5), domain.secure)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


@case("kill -9: the resolver, and none can be started: the cache answers, the rest is TEMP")
def no_resolver(world):
    stsd, domain = learn(world)
    plain, testing, new = world.plain_domain(), world.domain(mode="testing"), world.domain()
    same(stsd.ask(plain), NOTFOUND)
    same(stsd.ask(testing.name), "OK may")
    program = stsd.programs + "/stsd-resolver"
    os.chmod(program, 0o644)
    try:
        stsd.signal(signal.SIGKILL, "resolver")
        wait.until(lambda: stsd.log().count(" process-ended ") >= 2, "it cannot be started")
        for _ in range(20):
            same(stsd.ask(domain.name, timeout=5), domain.secure)
            same(stsd.ask(plain, timeout=5), NOTFOUND)
            same(stsd.ask(testing.name, timeout=5), "OK may")
        same(stsd.ask(new.name)[:5], "TEMP ", "the reply about a new domain")
    finally:
        os.chmod(program, 0o755)
    wait.until(lambda: stsd.ask(new.name) == new.secure, "all is well", 15)
    same(stsd.ask(domain.name), domain.secure)


@case("kill -9: the supervisor's end is everyone's end")
def kill_supervisor(world):
    stsd, domain = learn(world)
    lose_the_world(domain)
    pids = stsd.processes()
    stsd.signal(signal.SIGKILL)
    stsd.wait()
    for pid in pids["answerer"] + pids["resolver"]:
        wait.until(lambda pid=pid: not daemon.alive(pid), "no role is left")
    same(stsd.start().ask(domain.name), domain.secure)


@table("kill -9 at random moments", [("answerer", ["answerer"]), ("resolver", ["resolver"]),
                                     ("either", ["answerer", "resolver"]), ("all", None)])
def kill_at_random(world, roles):
    """Whatever was answered "secure" is answered so for ever; nothing is ever "not found"."""
    choice = random.Random(str(roles))
    stsd = world.stsd().start()
    told = []
    for turn in range(5 * ROUNDS):
        if turn >= ROUNDS and len(told) >= ROUNDS:
            break
        domains = [world.domain() for _ in range(4)]
        cold = threading.Thread(target=ask_all, args=(stsd, domains, told))
        cold.start()
        # The random moment; where all is slow, few answers come before an early one.
        threading.Event().wait(choice.random() * 0.1 * (1 + turn // ROUNDS))
        if roles:
            stsd.signal(signal.SIGKILL, choice.choice(roles))
        else:
            stsd.kill()
        cold.join()
        if not roles:
            stsd.start()
    for domain in told:
        lose_the_world(domain)
    for domain in told:
        wait.until(lambda d=domain: answers(stsd, d.name) == d.secure,
                   f"the same answer for {domain.name}", 15)
    if len(told) < ROUNDS:
        raise AssertionError(f"only {len(told)} answers came between the kills")


def ask_all(stsd, domains, told):
    for domain in domains:
        reply = answers(stsd, domain.name)
        if reply == domain.secure:
            told.append(domain)
        elif reply == NOTFOUND:
            told.append(domain)  # its check will fail, and name it


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


DAMAGES = [
    ("truncated to nothing", lambda path: os.truncate(path, 0)),
    ("truncated to a page", lambda path: os.truncate(path, 4096)),
    ("cut in the middle", lambda path: os.truncate(path, os.path.getsize(path) // 2)),
    ("cut to an odd size", lambda path: os.truncate(path, 4096 * 3 + 17)),
    ("overwritten from the start", lambda path: overwrite(path, 0, os.urandom(16384))),
    ("another kind of file", lambda path: overwrite(path, 0, b"SQLite format 3\0" * 512)),
]


@table("cache, while stopped", DAMAGES)
def damaged_stopped(world, damage):
    stsd, domains = learn(world, 20)
    stsd.stop()
    damage(cache_file(stsd))
    stsd.start()
    for domain in domains:
        wait.until(lambda d=domain: answers(stsd, d.name) == d.secure, "the policy, anew")


@table("cache, while running", DAMAGES)
def damaged_running(world, damage):
    stsd, domains = learn(world, 20)
    damage(cache_file(stsd))
    for domain in domains:
        wait.until(lambda d=domain: not_wrong(stsd, d), "the policy, anew", 15)


def not_wrong(stsd, domain):
    """True for the right answer; anything but TEMP or a lost connection is a failure."""
    reply = answers(stsd, domain.name)
    if reply not in (None, domain.secure) and not reply.startswith("TEMP "):
        raise AssertionError(f"{domain.name} is told {reply!r}")
    return reply == domain.secure


@table("crashes", [
    # name, whose, signals, does the cache go aside?
    ("one", "answerer", [signal.SIGSEGV], False),
    ("two in a minute, which might be the cache's doing", "answerer", [signal.SIGSEGV] * 2, True),
    ("one of a map that was cut off", "resolver", [signal.SIGBUS], True),
])
def crash(world, role, signals, aside):
    stsd, domain = learn(world)
    if not aside:
        lose_the_world(domain)
    for signo in signals:
        before = stsd.processes()[role]
        stsd.signal(signo, role)
        wait.until(lambda b=before: stsd.processes()[role] not in ([], b), "a new one")
        wait.until(lambda: answers(stsd, domain.name) == domain.secure, "the same answer")
    same(" cache-moved-aside " in stsd.log(), aside, "moved aside")
    same(domain.fetches(), 2 if aside else 1, "fetches")


@case("cache, while stopped: a damaged file is moved aside, loudly")
def moved_aside(world):
    stsd, _ = learn(world)
    stsd.stop()
    with open(cache_file(stsd), "wb") as file:
        file.write(b"no cache" * 4096)
    stsd.start()
    contains(stsd.log(), "error", "the log")
    kept = [name for name in os.listdir(stsd.state) if name not in ("cache.mdb", "cache.mdb-lock")]
    same(len(kept) >= 1, True, f"something beside the cache ({os.listdir(stsd.state)})")


@case("no process to look at the cache with: refused with 69, and the cache stays")
def cannot_look(world):
    stsd, domain = learn(world)
    stsd.stop()
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, before[1]))
    try:
        # A leak checker would need a process of its own.
        stsd.launch(environment={"ASAN_OPTIONS": "detect_leaks=0"})
        same(stsd.wait(), 69, "status")
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
    lose_the_world(domain)
    same(stsd.start().ask(domain.name), domain.secure)


@case("started with SIGCHLD ignored and TERM blocked: the cache stays, and it stops")
def foreign_signals(world):
    stsd, domain = learn(world)
    stsd.stop()
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
    try:
        stsd.launch()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGCHLD, handler)
    lose_the_world(domain)
    wait.until(lambda: answers(stsd, domain.name) == domain.secure, "the cached policy")
    same(stsd.stop(), 0, "status")


@case("cache, while running: removed")
def removed_running(world):
    stsd, domain = learn(world)
    os.unlink(cache_file(stsd))
    same(stsd.ask(domain.name), domain.secure)
    stsd.restart()
    same(stsd.ask(domain.name), domain.secure)


@table("cache, while running: removed, and then kill -9",
       [(f"{name} ({which})", (name, files))
        for name in ("answerer", "resolver")
        for which, files in [("the cache", [""]), ("the lock file", ["-lock"]),
                             ("both", ["", "-lock"])]])
def removed_and_killed(world, how):
    role, files = how
    stsd, domain = learn(world)
    for end in files:
        os.unlink(cache_file(stsd) + end)
    stsd.signal(signal.SIGKILL, role)
    wait.until(lambda: answers(stsd, domain.name) == domain.secure, "the policy, anew", 15)
    new = world.domain()
    wait.until(lambda: answers(stsd, new.name) == new.secure, "a cold lookup", 15)
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "reloaded" in stsd.log(), "a reload")
    same(answers(stsd, domain.name), domain.secure)
    same(stsd.stop(), 0, "status")


@contextlib.contextmanager
def small_disk(world):
    folder = world.new_folder("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M,mode=777", "tmpfs", folder],
                   check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder):
    """Removing the file makes room again."""
    ballast = folder + "/ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


def large_domains(world, count):
    return [world.domain(mx=[f"mx{n}.{'x' * 50}.{'y' * 50}.example" for n in range(60)],
                         mode="testing") for _ in range(count)]


@case("a full disk: answered from memory, and kept once there is room")
def full_disk(world):
    with small_disk(world) as folder:
        stsd, first = learn(world, state_directory=folder + "/state", cache_size="16M")
        try:
            ballast = fill(folder)
            domains = large_domains(world, 40)
            for domain in domains:
                same(stsd.ask(domain.name), "OK may")
            same(stsd.ask(first.name), first.secure)
            for domain in domains:
                same(stsd.ask(domain.name), "OK may")
            wait.until(lambda: "error" in stsd.log(), "an error in the log")
            os.unlink(ballast)
            new = world.domain()
            same(stsd.ask(new.name), new.secure)
            stsd.restart()
            lose_the_world(new)
            same(stsd.ask(new.name), new.secure)
            stsd.stop()
        finally:
            stsd.kill()


@case("cache_size reached: live policies stay, new domains are answered")
def small_cache(world):
    stsd, first = learn(world, cache_size="1M")
    name = world.new_name()
    many = [f"mx{n}.{'x' * 50}.{'y' * 50}.{name}" for n in range(200)]
    domains = [world.domain(mx=many) for _ in range(60)]
    for domain in domains:
        world.dns.replace(domain.name, "MX", (1, many[0]))
        same(stsd.ask(domain.name), domain.secure)
    lose_the_world(first)
    same(stsd.ask(first.name), first.secure)


@case("state directory on a read-only file system: refused with 69")
def read_only(world):
    folder = world.new_folder("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=True)
    try:
        stsd = world.stsd(state_directory=folder + "/state").launch()
        same(stsd.wait(), 69, "status")
        contains(stsd.log(), folder + "/state")
    finally:
        subprocess.run(["umount", folder], check=True)


@case("state directory is a file: refused with 69")
def state_is_file(world):
    folder = world.new_folder("disk")
    with open(folder + "/state", "w", encoding="utf-8"):
        pass
    stsd = world.stsd(state_directory=folder + "/state").launch()
    same(stsd.wait(), 69, "status")
    contains(stsd.log(), folder + "/state")


@case("state directory is made, for its user alone")
def state_made(world):
    stsd, _ = learn(world)
    status = os.stat(stsd.state)
    same(status.st_mode & 0o007, 0, "permissions of others")
    same(status.st_uid, os.stat(cache_file(stsd)).st_uid, "owner")
    same(status.st_uid != 0, True, "not root's")


@case("no role runs as root, none has a capability")
def privileges(world):
    stsd, _ = learn(world)
    for role, pids in stsd.processes().items():
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                lines = dict(line.rstrip().split(":\t", 1) for line in file if ":\t" in line)
            same(set(lines["Uid"].split("\t")) & {"0"}, set(), f"root in {role}")
            same(int(lines["CapEff"], 16), 0, f"capabilities of {role}")


@case("few open files: fewer connections, and said so")
def few_files(world):
    domain = world.domain()
    stsd = world.stsd()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        stsd.start(arguments=["-o", "max_connections=100000"])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    clients = [stsd.client() for _ in range(400)]
    same(stsd.ask(domain.name), domain.secure)
    for client in clients:
        client.sock.close()
    same(stsd.ask(domain.name), domain.secure)


@case("a copied state directory works elsewhere")
def copied(world):
    stsd, domain = learn(world)
    stsd.stop()
    lose_the_world(domain)
    other = world.stsd()
    shutil.copytree(stsd.state, other.state)
    user = os.stat(stsd.state)
    for path in [other.state] + [other.state + "/" + name for name in os.listdir(other.state)]:
        os.chown(path, user.st_uid, user.st_gid)
    same(other.start().ask(domain.name), domain.secure)


def allow_descriptors(pid, number):
    """As its own account, which may do that."""
    owner = os.stat(f"/proc/{pid}")
    subprocess.run(["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}",
                    "--clear-groups", "prlimit", f"--pid={pid}", f"--nofile={number}:"], check=True)


@table("our own trouble is never \"no policy\": descriptors left to the resolver", [
    ("none", 0), ("one", 1), ("two", 2), ("three", 3), ("five", 5)])
def no_descriptors(world, spare):
    stsd, known = learn(world)
    domains = [world.domain() for _ in range(8)]
    pid, = stsd.processes()["resolver"]
    allow_descriptors(pid, len(os.listdir(f"/proc/{pid}/fd")) + spare)
    clients = [stsd.client() for _ in domains]
    for client, domain in zip(clients, domains):
        client.send(socketmap.netstring("QUERY " + domain.name))
    for client, domain in zip(clients, domains):
        reply = client.reply()
        if reply != domain.secure and not reply.startswith("TEMP "):
            raise AssertionError(f"{domain.name} is told {reply!r}")
        client.sock.close()
    same(stsd.ask(known.name), known.secure)
    allow_descriptors(pid, 1024)
    for domain in domains:
        wait.until(lambda d=domain: stsd.ask(d.name) == d.secure, "all is well", 60)


@case("no descriptors left to the answerer: who is connected is answered, others wait")
def no_accepting(world):
    stsd, domain = learn(world)
    pid, = stsd.processes()["answerer"]
    with stsd.client() as before:
        same(before.ask(domain.name), domain.secure)
        allow_descriptors(pid, len(os.listdir(f"/proc/{pid}/fd")))
        late = stsd.client()
        late.send(socketmap.netstring("QUERY " + domain.name))
        for _ in range(20):
            same(before.ask(domain.name), domain.secure)
        allow_descriptors(pid, 1024)
        same(late.reply(), domain.secure)
        late.sock.close()


@case("no descriptors left to the supervisor: it starts no process until there are some")
def no_starting(world):
    stsd, domain = learn(world)
    pid, = stsd.processes()["supervisor"]
    allow_descriptors(pid, len(os.listdir(f"/proc/{pid}/fd")))
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "reload-refused" in stsd.log(), "the reload is refused")
    stsd.signal(signal.SIGKILL, "resolver")
    wait.until(lambda: " process-ended " in stsd.log(), "it has noticed")
    same(stsd.ask(domain.name), domain.secure)
    allow_descriptors(pid, 1024)
    new = world.domain()
    wait.until(lambda: answers(stsd, new.name) == new.secure, "all is well", 20)
    same(stsd.stop(), 0, "status")
