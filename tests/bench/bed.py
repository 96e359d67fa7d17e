# SPDX-License-Identifier: MIT
"""The test bed: servers on one CPU, what loads them on another, and what they take."""
import json
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

from lab import daemon, socketmap, wait  # noqa: E402  pylint: disable=wrong-import-position

SLICE, WARM = 0.15, 0.03  # seconds of one measurement, and before it
FIFO = os.environ.get("BENCH_FIFO") == "1"  # nobody else gets our CPUs
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
ROUNDS = 9  # of each; see in_turn


def cpus():
    """Of the servers, and of the load: the same one where there is no other."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1 if len(allowed) < 3 else 1]


SERVER_CPU, LOAD_CPU = cpus()
BUSY = ("-b",) if SERVER_CPU != LOAD_CPU else ()


def on_cpu(cpu, start):
    """Calls start(), the children of which then stay on that CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        return start()
    finally:
        os.sched_setaffinity(0, before)


def account():
    """Whom stsd becomes when we are root; else None: it stays who we are."""
    return "nobody" if os.geteuid() == 0 else None


def cpu_ns(pids):
    """What these processes have had of a CPU."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def threads(pid):
    """Of a process: each takes of a CPU what is its own."""
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]


def private_dirty(pids):
    """Bytes, of all of them; not of the cache's file, which stays the system's to write back
    and to drop, also where it lies in memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
            of_cache = False
            for line in file:
                if "-" in line.split(" ", 1)[0]:
                    of_cache = "/cache.mdb" in line
                elif line.startswith("Private_Dirty:") and not of_cache:
                    total += int(line.split()[1])
    return total * 1024


class Bed:
    """A folder in memory with copies of the programs, and everything that was started."""

    def __init__(self, build):
        home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="stsd-bench-", dir=home)
        os.chmod(self.folder, 0o755)
        self.programs = daemon.copy_programs(build, self.folder + "/bin")
        self.tools = os.path.join(build, "tests/bench")
        self._count = 0
        self._daemons = []
        self._others = []

    def new_folder(self, name):
        self._count += 1
        folder = f"{self.folder}/{name}{self._count}"
        os.makedirs(folder)
        return folder

    def tool(self, name):
        return os.path.join(self.tools, name)

    # Servers.

    def stsd(self, fills=(), **settings):
        """One that is not yet started. fills: options of fill, of one call each."""
        folder = self.new_folder("stsd")
        known = {"listen": f"unix:{folder}/socket inet:127.0.0.1:{free_port()}",
                 "socket_mode": "0666",
                 "user": account(),
                 "dns_servers": f"127.0.0.1:{free_port()}",
                 "dnssec": "trust",
                 "dane": "on",
                 "control_socket": "none",
                 "postfix_directory": "none",
                 "log_level": "warning"}
        known.update(settings)
        if "state_directory" not in known:
            known["state_directory"] = self.state(fills)
        made = daemon.Stsd(self.programs, folder, known)
        self._daemons.append(made)
        return made

    def state(self, fills):
        """A state directory with a cache that was filled."""
        state = self.new_folder("state")
        for options in fills:
            subprocess.run([self.tool("fill"), *map(str, options), state + "/cache.mdb"],
                           check=True)
        if account():
            owner = pwd.getpwnam(account())
            for path in [state] + [os.path.join(state, name) for name in os.listdir(state)]:
                os.chown(path, owner.pw_uid, owner.pw_gid)
        return state

    def echo(self, address, reply):
        """A bare echo that always says this."""
        made = on_cpu(SERVER_CPU, lambda: subprocess.Popen(
            [self.tool("echo"), address, reply], stdin=subprocess.DEVNULL))
        self._others.append(made)
        wait.until(lambda: is_listening(address), "echo listens")
        return made

    def spawn(self, command, cpu=LOAD_CPU, **more):
        made = on_cpu(cpu, lambda: subprocess.Popen(command, **more))
        self._others.append(made)
        return made

    def stop(self, process):
        """Any of them."""
        if process in self._daemons:
            self._daemons.remove(process)
            process.kill()
            for folder in (process.folder, process.state):
                shutil.rmtree(folder, ignore_errors=True)
        elif process in self._others:
            self._others.remove(process)
            process.kill()
            process.wait()

    def stop_all(self):
        for process in self._others + self._daemons:
            self.stop(process)

    def end(self):
        self.stop_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Load.

    def start_load(self, address, *options, **more):
        return self.spawn([self.tool("load"), *map(str, options), address],
                          stdout=subprocess.PIPE, text=True, **more)

    def result(self, load):
        """What a load that was started has measured."""
        out, _ = load.communicate()
        self._others.remove(load)
        if load.returncode != 0:
            raise RuntimeError(f"load ended with {load.returncode}")
        return json.loads(out)

    def load(self, address, *options):
        return self.result(self.start_load(address, *options))

    def reply(self, address, *options):
        """What one question is answered."""
        done = subprocess.run([self.tool("load"), "-1", *map(str, options), address],
                              stdout=subprocess.PIPE, text=True, check=True, timeout=30)
        return done.stdout.rstrip("\n")


def start(stsd):
    on_cpu(SERVER_CPU, stsd.start)
    return stsd


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def addresses(stsd):
    """{"unix": ..., "tcp": ...}"""
    unix, tcp = stsd.settings["listen"].split()
    return {"unix": unix, "tcp": tcp}


def where(address):
    """As the lab's socketmap takes it."""
    kind, rest = address.split(":", 1)
    return rest if kind == "unix" else (rest.rsplit(":", 1)[0], int(rest.rsplit(":", 1)[1]))


def is_listening(address):
    try:
        socketmap.connect(where(address), 1).close()
        return True
    except OSError:
        return False


def until_answered(address):
    """Waits closely: it is a matter of milliseconds."""
    end = now() + daemon.START_SECONDS
    while now() < end:
        try:
            with socketmap.Client(where(address), 5) as client:
                client.ask("example")
                return
        except (FileNotFoundError, ConnectionRefusedError, socketmap.Closed):
            time.sleep(0.0005)
    raise wait.TooLate("stsd does not answer")


def connections(stsd):
    """How many descriptors those who answer have."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in stsd.processes()["answerer"])


def descriptors():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def now():
    return time.monotonic()


def all_pids(stsd):
    return [pid for pids in stsd.processes().values() for pid in pids]


def with_wrong(told, results):
    """Of bad replies all count."""
    wrong = next((result for result in results if result["bad"]), told)
    return {**told, "bad": wrong["bad"], "bad_reply": wrong["bad_reply"]}


def calmest(results):
    """The one that others kept least from the CPUs."""
    return with_wrong(min(results, key=lambda result: result["waited"]), results)


def in_turn(bed, rivals, *options, good=""):
    """Loads some servers in turn, again and again. rivals: {name: (address, pids)}; "echo" is
    the measure for "ratio". Of each the round with the median of that, of the echo stsd's:
    what a CPU can do changes from one second to the next."""
    for _, pids in rivals.values():
        keep_others_off(pids)
    rounds = [{} for _ in range(ROUNDS)]
    for told in rounds:
        for name, (address, pids) in rivals.items():
            more = [word for pid in pids for word in ("-p", pid)]
            if name == "stsd":
                more += ["-e", good]
            load = bed.start_load(address, "-s", SLICE, "-w", WARM, *BUSY, *options, *more)
            keep_others_off([load.pid])
            told[name] = bed.result(load)
            told[name]["ratio"] = told[name]["rate"] / told["echo"]["rate"]
    told = {name: with_wrong(middle(rounds, name)[name], [one[name] for one in rounds])
            for name in rivals}
    told["echo"] = middle(rounds, "stsd")["echo"]
    return told


def middle(rounds, name):
    return sorted(rounds, key=lambda told: told[name]["ratio"])[len(rounds) // 2]


def keep_others_off(pids):
    """If so wanted: all that is not as urgent waits for these processes."""
    for pid in pids if FIFO else ():
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))


def stop_on_signals():
    """So that everything is stopped also then."""
    def leave(signo, _frame):
        sys.exit(128 + signo)
    for signo in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, leave)


class Echo:
    """A bare echo for a while."""

    def __init__(self, bed, transport, reply):
        self._bed = bed
        self._path = bed.folder + "/echo" if transport == "unix" else None
        self.address = f"unix:{self._path}" if self._path \
            else f"inet:127.0.0.1:{free_port()}"
        self._echo = bed.echo(self.address, reply)
        self.rival = (self.address, [self._echo.pid])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bed.stop(self._echo)
        if self._path:
            os.unlink(self._path)


class World:
    """DNS and policy hosts; standard: at the ports 53 and 443."""

    def __init__(self, bed, delay=0, standard=False):
        self._bed = bed
        ca_file = bed.new_folder("world") + "/ca.pem"
        self._world = bed.spawn([bed.tool("world"), "-d", str(delay),
                                 *(["-s"] if standard else []), ca_file],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._world.pid
        ports = json.loads(self._world.stdout.readline())
        if os.path.exists(SYSTEM_CA):  # as much to keep in memory as everybody has
            with open(ca_file, "ab") as ours, open(SYSTEM_CA, "rb") as theirs:
                shutil.copyfileobj(theirs, ours)
        self.settings = {"dns_servers": f"127.0.0.1:{ports['dns']}",
                         "https_port": ports["https"],
                         "ca_file": ca_file,
                         "allow_addresses": "127.0.0.0/8"}

    def bare_fetch(self, count):
        """What a fetch costs that is nothing else: {"cpu_ms", "ms"}, of the servers' CPU."""
        made = on_cpu(SERVER_CPU, lambda: subprocess.run(
            [self._bed.tool("fetch"), "-n", str(count), self.settings["ca_file"],
             str(self.settings["https_port"])], check=True, stdout=subprocess.PIPE))
        return json.loads(made.stdout)

    def give_way(self):
        """From now on whatever else wants its CPU gets it first."""
        os.sched_setscheduler(self.pid, os.SCHED_IDLE, os.sched_param(0))

    def asked(self):
        """What it was asked so far."""
        self._world.stdin.write("\n")
        self._world.stdin.flush()
        return json.loads(self._world.stdout.readline())

    def stop(self):
        self._bed.stop(self._world)
