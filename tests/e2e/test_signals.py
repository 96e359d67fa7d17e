# SPDX-License-Identifier: MIT
"""Starting, stopping, reloading, and what is said when that cannot be."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from time import monotonic

from lab import daemon, socketmap, wait
from lab.cases import case, contains, same, table, within

NOTFOUND = "NOTFOUND "


@table("stops with 0 on", [("TERM", signal.SIGTERM), ("INT", signal.SIGINT)])
def stops(world, signo):
    stsd = world.stsd().start()
    pids = [pid for group in stsd.processes().values() for pid in group]
    began = monotonic()
    stsd.signal(signo)
    same(stsd.wait(), 0, "status")
    within(monotonic() - began, 0, 3, "seconds")
    for pid in pids:
        wait.until(lambda pid=pid: not daemon.alive(pid), "every role has ended")


@case("TERM: what is in flight is answered within five seconds")
def term_in_flight(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd(answer_timeout="30s").start()
    with stsd.client() as client:
        client.send(socketmap.netstring("QUERY " + domain.name))
        wait.until(domain.fetches, "the fetch runs")
        stsd.signal(signal.SIGTERM)
        wait.until(lambda: refused(stsd), "no more accepting")
        gate.set()
        same(client.reply(), domain.secure)
    same(stsd.wait(), 0, "status")


def refused(stsd):
    try:
        stsd.client().sock.close()
    except OSError:
        return True
    return False


@case("TERM: what is not answered in time is closed without a word")
def term_too_slow(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd(answer_timeout="60s").start()
    with stsd.client() as client:
        client.send(socketmap.netstring("QUERY " + domain.name))
        wait.until(domain.fetches, "the fetch runs")
        began = monotonic()
        stsd.signal(signal.SIGTERM)
        same(client.is_closed(), True, "closed without a word")
        within(monotonic() - began, 3, 7, "seconds")
    same(stsd.wait(), 0, "status")
    gate.set()


@case("a second TERM ends it at once")
def term_twice(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd(answer_timeout="60s").start()
    with stsd.client() as client:
        client.send(socketmap.netstring("QUERY " + domain.name))
        wait.until(domain.fetches, "the fetch runs")
        began = monotonic()
        stsd.signal(signal.SIGTERM)
        wait.until(lambda: refused(stsd), "no more accepting")
        stsd.signal(signal.SIGTERM)
        stsd.wait()
        within(monotonic() - began, 0, 3, "seconds")
    gate.set()


@case("HUP under load: no connection refused, none lost, no answer wrong")
def hup_under_load(world):
    domain = world.domain()
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), domain.secure)
    idle = stsd.client()
    same(idle.ask(domain.name), domain.secure)
    wrong, count, end = [], [0], threading.Event()

    def load():
        while not end.is_set():
            try:
                with stsd.client() as client:
                    for _ in range(3):
                        reply = client.ask(domain.name)
                        if reply != domain.secure:
                            wrong.append(reply)
                count[0] += 1
            except (OSError, socketmap.Closed) as error:
                wrong.append(repr(error))

    workers = [threading.Thread(target=load) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(10):
        before = stsd.processes()["resolver"]
        stsd.signal(signal.SIGHUP)
        wait.until(lambda b=before: set(stsd.processes()["resolver"]) - set(b) or
                   stsd.log().count("reload") > 0, "a reload")
        seen = count[0]
        wait.until(lambda s=seen: count[0] > s + 5, "more answers")
    end.set()
    for worker in workers:
        worker.join()
    same(wrong, [], "wrong")
    same(idle.ask(domain.name), domain.secure, "the old connection's answer")
    new = world.domain()
    same(stsd.ask(new.name), new.secure)


@case("HUP: new settings count for new connections; who is connected is served as before")
def hup_settings(world):
    domain = world.domain(mode="testing")
    stsd = world.stsd().start()
    with stsd.client() as client:
        same(client.ask(domain.name), "OK may")
        stsd.write_config(strict_testing="yes")
        stsd.signal(signal.SIGHUP)
        wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the new setting")
        same(client.ask(domain.name), "OK may")


@case("HUP: strict_testing no more, so nobody looks for DANE: who is connected waits for none")
def hup_strict_testing(world):
    world.dns.validates = True
    before, after = world.domain(mode="testing"), world.domain(mode="testing")
    stsd = world.stsd(strict_testing="yes", permissive_reply="notfound").start()
    with stsd.client() as client:
        same(client.ask(before.name), before.secure)
        stsd.write_config(strict_testing="no")
        stsd.signal(signal.SIGHUP)
        wait.until(lambda: stsd.ask(before.name) == NOTFOUND, "the new setting")
        same(client.ask(after.name), NOTFOUND)
        same(client.ask(before.name), NOTFOUND)


@case("HUP: overrides are read again")
def hup_overrides(world):
    stsd = world.stsd()
    path = stsd.folder + "/overrides"
    with open(path, "w", encoding="utf-8") as file:
        file.write("o.example may\n")
    stsd.settings["overrides"] = path
    stsd.start()
    same(stsd.ask("o.example"), "OK may")
    with open(path, "w", encoding="utf-8") as file:
        file.write("o.example encrypt\n")
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: stsd.ask("o.example") == "OK encrypt", "the new override")


@case("HUP: a new listener, an old one gone")
def hup_listen(world):
    stsd = world.stsd(listen="inet:127.0.0.1:8461 inet:127.0.0.1:8463").start()
    stsd.write_config(listen="inet:127.0.0.1:8461 inet:127.0.0.1:8464")
    stsd.signal(signal.SIGHUP)

    def at(port):
        try:
            return socketmap.ask("localhost", address=("127.0.0.1", port)) == NOTFOUND
        except (OSError, socketmap.Closed):
            return False
    wait.until(lambda: at(8464), "the new one")
    wait.until(lambda: not at(8463), "the old one gone")
    same(at(8461), True, "the kept one")


@table("HUP with one wrong part changes nothing", [
    ("setting", {"strict_testing": "perhaps"}), ("unknown name", {"strict_tsting": "yes"}),
    ("overrides", {"overrides": "/nonexistent/overrides"}),
    ("CA file", {"ca_file": "/nonexistent/ca.pem"}),
    ("listener", {"listen": "inet:192.0.2.1:8461"}),
])
def hup_wrong(world, wrong):
    name, value = next(iter(wrong.items()))
    domain = world.domain(mode="testing")
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), "OK may")
    length = len(stsd.log())
    right = dict(stsd.settings)
    stsd.write_config(**{"strict_testing": "yes", **wrong})
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "error" in (said := stsd.log()[length:])
               and (name in said or value in said), f"an error that names {name}")
    stsd.settings = right
    same(stsd.ask(domain.name), "OK may")
    stsd.write_config(strict_testing="yes")
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: stsd.ask(domain.name) == domain.secure, "the mended settings")


@case("HUP: a main.cf that cannot be read any more weakens nothing")
def hup_main_cf(world):
    domain = world.domain(mode="testing")
    stsd = world.stsd()
    path = stsd.folder + "/main.cf"
    with open(path, "w", encoding="utf-8") as file:
        file.write("smtp_tls_security_level = encrypt\n")
    os.chmod(path, 0o600)
    stsd.start()
    same(stsd.ask(domain.name), NOTFOUND)
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "reloaded" in stsd.log(), "the reload")
    same(stsd.ask(domain.name), NOTFOUND)
    contains(stsd.log(), path)


@table("HUP: a unix socket's", [("mode", "socket_mode", "0600"), ("group", "socket_group", "_stsd")])
def hup_socket(world, name, value):
    folder = world.new_folder("unix")
    stsd = world.stsd(listen=f"unix:{folder}/socket", socket_mode="0666").start()
    stsd.write_config(**{name: value})
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "reloaded" in stsd.log() or "reload-refused" in stsd.log(), "a word")
    contains(stsd.log(), f"{name}: a change needs a restart")
    same(stsd.ask("localhost"), NOTFOUND)
    same(stsd.stop(), 0, "status")


@case("TERM during a reload: nothing is refused or killed")
def term_in_reload(world):
    stsd = world.stsd(workers="3").start()
    stsd.signal(signal.SIGHUP)
    stsd.signal(signal.SIGTERM)
    same(stsd.wait(), 0, "status")
    contains(stsd.log(), "reloading")
    same("reload-refused" in stsd.log(), False, "a refusal")
    same("signal=" in stsd.log(), False, "a kill")


@case("TERM during a reload that is half way: its processes end as all others do")
def term_half_way(world):
    stsd = world.stsd(workers="3").start()
    stsd.signal(signal.SIGSTOP, "answerer")  # so that the end takes its time
    stsd.signal(signal.SIGHUP)
    stsd.signal(signal.SIGTERM)
    wait.until(lambda: len(re.findall(" sandbox .* role=resolver", stsd.log())) == 2,
               "another resolver")
    stsd.signal(signal.SIGCONT, "answerer")
    same(stsd.wait(), 0, "status")
    same("signal=" in stsd.log(), False, "a kill")
    same(" reloaded " in stsd.log(), False, "a reload")


@case("HUP before anything answers: once something does, it is ready")
def reload_while_starting(world):
    stsd = world.stsd()
    stsd.launch()
    wait.until(lambda: "process=answerer" in stsd.log(), "an answerer")
    stsd.signal(signal.SIGSTOP, "answerer")
    stsd.signal(signal.SIGHUP)
    wait.until(lambda: "the new configuration is in force" in stsd.log(), "the reload")
    contains(stsd.log(), " notice ready ")
    same(stsd.ask(".health"), NOTFOUND)


@case("HUP and USR1 while it still looks at the cache: it starts all the same")
def signals_while_looking(world):
    stsd = world.stsd()
    stsd.launch()
    while not stsd.processes()["answerer"]:  # or the process that looks at the cache
        pass
    stsd.signal(signal.SIGSTOP, "answerer")
    stsd.signal(signal.SIGHUP)
    stsd.signal(signal.SIGUSR1)
    stsd.signal(signal.SIGCONT, "answerer")
    wait.until(lambda: "the new configuration is in force" in stsd.log(), "the reload")
    same(stsd.ask(".health"), NOTFOUND)
    same(stsd.stop(), 0, "status")


@case("every role tells the journal how grave a line is")
def journal(world):
    stsd = world.stsd()
    with open(stsd.log_file, "wb") as file:
        status = os.fstat(file.fileno())
    stsd.start(environment={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    stsd.ask(world.domain().name)
    stsd.stop()
    for role in ("supervisor", "answerer", "resolver"):
        lines = [line for line in stsd.log().splitlines() if f"role={role}" in line]
        same(bool(lines) and all(line[0] == "<" for line in lines), True, f"lines of {role}")


@case("paused as a whole for half a minute, as containers are: nobody is taken to hang")
def paused(world):
    stsd = world.stsd().start()
    pids = [pid for group in stsd.processes().values() for pid in group]
    with stsd.client() as client:
        same(client.ask("localhost"), NOTFOUND)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        end = monotonic() + 32
        wait.until(lambda: monotonic() > end, "half a minute", 40)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        end = monotonic() + 2  # two looks of the supervisor
        wait.until(lambda: monotonic() > end, "two seconds")
        same(client.ask("localhost"), NOTFOUND)
    same(stsd.stop(), 0, "status")


@case("USR1 writes statistics to the log")
def usr1(world):
    stsd = world.stsd().start()
    length = len(stsd.log())
    stsd.signal(signal.SIGUSR1)
    wait.until(lambda: "stat" in stsd.log()[length:], "statistics")


@case("a second stsd on the same state directory is refused with 69")
def second(world):
    first = world.stsd().start()
    other = world.stsd(state_directory=first.state, listen="inet:127.0.0.1:8465").launch()
    same(other.wait(), 69, "status")
    contains(other.log(), first.state)
    domain = world.domain()
    same(first.ask(domain.name), domain.secure)


@case("an address in use: refused with 69, and named")
def in_use(world):
    with socket.create_server(("127.0.0.1", 8461)):
        stsd = world.stsd().launch()
        same(stsd.wait(), 69, "status")
    contains(stsd.log(), "127.0.0.1:8461")


@case("started again at once after kill -9")
def restart_after_kill(world):
    domain = world.domain()
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), domain.secure)
    for _ in range(3):
        stsd.kill()
        same(stsd.start().ask(domain.name), domain.secure)


@table("configuration error", [
    # name, line, part of the message
    ("unknown name", "listn = inet:127.0.0.1:8461", "listen"),
    ("no equals sign", "listen", ":1:"),
    ("bad boolean", "servername = maybe", "servername"),
    ("bad duration", "answer_timeout = soon", "answer_timeout"),
    ("too long a duration", "answer_timeout = 61s", "answer_timeout"),
    ("two units", "answer_timeout = 1m30s", "answer_timeout"),
    ("bad size", "cache_size = big", "cache_size"),
    ("bad number", "workers = -1", "workers"),
    ("bad word", "wildcards = some", "exact"),
    ("bad network", "allow_clients = 10.0.0.0/33", "allow_clients"),
    ("bad address", "dns_servers = dns.example", "dns_servers"),
    ("bad listener", "listen = 127.0.0.1:8461", "listen"),
    ("bad port", "listen = inet:127.0.0.1:0x10", "listen"),
    ("too large a reply", "max_reply = 100001", "max_reply"),
    ("unknown user", "user = nobody-at-all", "nobody-at-all"),
    ("unknown group", "socket_group = nobody-at-all", "nobody-at-all"),
    ("no overrides", "overrides = /nonexistent/overrides", "/nonexistent/overrides"),
    ("no CA file", "ca_file = /nonexistent/ca.pem", "/nonexistent/ca.pem"),
    ("bad level", "log_level = loud", "log_level"),
    ("bad mode", "socket_mode = 0999", "socket_mode"),
])
def configuration(world, line, part):
    stsd = world.stsd()
    path = stsd.folder + "/wrong.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{line}\nstate_directory = {stsd.state}\n")
    for words in (["-t"], []):
        told = daemon.run([world.programs + "/stsd", "-c", path, *words])
        same(told.status, 78, f"status with {words}")
        contains(told.err + told.out, part)


@case("every configuration error is listed, with file and line")
def all_errors(world):
    stsd = world.stsd()
    path = stsd.folder + "/wrong.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write("# fine\nservername = maybe\n\nworkers = none at all\nlistn = x\n")
    told = daemon.run([world.programs + "/stsd", "-t", "-c", path])
    same(told.status, 78, "status")
    for part in (f"{path}:2:", f"{path}:4:", f"{path}:5:"):
        contains(told.err, part)


@table("overrides error", [
    ("no reply", "a.example"), ("unknown reply", "a.example maybe"),
    ("secure without match", "a.example secure"), ("bad date", "a.example may until 2026-13-01"),
    ("bad domain", "a..example may"), ("injection", "a.example secure match=x,none"),
])
def overrides(world, line):
    stsd = world.stsd()
    path = stsd.folder + "/overrides"
    with open(path, "w", encoding="utf-8") as file:
        file.write("# fine\n" + line + "\n")
    stsd.settings["overrides"] = path
    stsd.launch()
    same(stsd.wait(), 78, "status")
    contains(stsd.log(), path + ":2:")


@table("usage error", [("unknown option", ["-x"]), ("word", ["word"]),
                       ("-c without a file", ["-c"])])
def usage(world, words):
    same(daemon.run([world.programs + "/stsd", *words]).status, 64, "status")


@table("says", [("version", ["-V"], "stsd"), ("help", ["-h"], "-c"),
                ("settings", ["-T", "-c", "/dev/null"], "answer_timeout")])
def says(world, words, part):
    told = daemon.run([world.programs + "/stsd", *words])
    same(told.status, 0, "status")
    contains(told.out, part)


@case("-T is a configuration that means the same")
def effective(world):
    stsd = world.stsd(answer_timeout="7s")
    stsd.write_config()
    first = daemon.run([world.programs + "/stsd", "-T", "-c", stsd.config_file])
    same(first.status, 0, first.err)
    path = stsd.folder + "/again.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(first.out)
    second_time = daemon.run([world.programs + "/stsd", "-T", "-c", path])
    same(settings(second_time.out), settings(first.out))


@case("-T says when it cannot be written")
def effective_full(world):
    with open("/dev/full", "wb") as full:
        told = subprocess.run([world.programs + "/stsd", "-T", "-c", "/dev/null"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    same(told.returncode, 70, "status")
    contains(told.stderr, "cannot be printed")


def settings(text):
    return [line.split("#")[0].rstrip() for line in text.splitlines() if line.split("#")[0].strip()]


@case("environment, -o: the later source wins")
def sources(world):
    stsd = world.stsd(answer_timeout="7s")
    stsd.write_config()

    def told(*words, **environment):
        out = daemon.run([world.programs + "/stsd", "-T", "-c", stsd.config_file, *words],
                         environment=environment).out
        return next(line for line in settings(out) if line.startswith("answer_timeout"))
    contains(told(), "7")
    contains(told(STSD_ANSWER_TIMEOUT="8s"), "8")
    contains(told("-o", "answer_timeout=9s", STSD_ANSWER_TIMEOUT="8s"), "9")


@case("STSD_ names that are no setting are ignored")
def foreign_environment(world):
    stsd = world.stsd()
    stsd.start(environment={"STSD_PORT": "tcp://10.0.0.1:8461", "STSD_SERVICE_HOST": "x"})
    same(stsd.ask("localhost"), NOTFOUND)


@case("sockets handed over by systemd")
def handed_over(world):
    domain = world.domain()
    stsd = world.stsd(listen="inet:127.0.0.1:8470")
    with socket.create_server(("127.0.0.1", 8466)) as listener:
        stsd.launch_with(listener)
        same(socketmap.ask(domain.name, address=("127.0.0.1", 8466)), domain.secure)
        same(refused(stsd), True, "listen is replaced")
        same(stsd.stop(), 0, "status")


HAND_OVER_WRONGLY = """
import os, socket, sys
kinds = {"inet": lambda: socket.create_server(("127.0.0.1", 0)),
         "idle": lambda: socket.socket(socket.AF_UNIX),
         "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
         "file": lambda: open("/dev/null")}
given = [kinds[kind]() for kind in sys.argv[3].split()]
high = [os.dup2(one.fileno(), 100 + n) for n, one in enumerate(given)]
os.closerange(3, 100)
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n)
os.closerange(100, 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1], LISTEN_FDNAMES=sys.argv[2],
                  NOTIFY_SOCKET="@nobody")  # one of its own may get a number that is free
os.execv(sys.argv[4], sys.argv[4:])
"""


@table("sockets handed over that are none: 69, each is named, nobody else's is touched", [
    ("not open", "1", "socketmap", "", ["descriptor 3 (socketmap): not open"]),
    ("not open, of another name", "2", "ftp:ftp", "",
     ["descriptor 3 (ftp): not open", "descriptor 4 (ftp): not open"]),
    ("one of two not open", "2", "socketmap:metrics", "inet", ["descriptor 4 (metrics): not open"]),
    ("a file", "2", "socketmap:metrics", "file inet",
     ["descriptor 3 (socketmap): Socket operation on non-socket"]),
    ("datagrams", "1", "socketmap", "datagram", ["descriptor 3 (socketmap): not a listening"]),
    ("not listening", "1", "socketmap", "idle", ["descriptor 3 (socketmap): not a listening"]),
    ("control over inet", "2", "socketmap:control", "inet inet",
     ["descriptor 4 (control): not a unix socket"]),
    ("too many", "65", "", "inet", ["LISTEN_FDS: not a number up to 64"]),
    ("no number", "1x", "socketmap", "inet", ["LISTEN_FDS: not a number up to 64"]),
])
def handed_over_wrongly(world, count, names, kinds, sentences):
    stsd = world.stsd(listen="inet:127.0.0.1:8470")
    stsd.launch(before=(sys.executable, "-c", HAND_OVER_WRONGLY, count, names, kinds))
    same(stsd.wait(), 69, "status")
    for sentence in sentences:
        contains(stsd.log(), sentence)
    same(stsd.log().count("\n"), len(sentences), "lines")


class Restless(socketmap.Postfix):
    """Never pauses: over one connection as long as that stays, or over a new one for each
    question."""

    def __init__(self, address, domain, lasting):
        super().__init__(address)
        self.domain, self.lasting = domain, lasting
        self.wrong = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end.is_set():
            try:
                reply = self.ask(self.domain.name)
                if reply != self.domain.secure:
                    self.wrong.append(reply)
                if not self.lasting:
                    self.hang_up()
            except (OSError, socketmap.Closed) as error:
                self.wrong.append(repr(error))
                self.hang_up()

    def end(self):
        self._end.set()
        self._thread.join()


@table("sockets of a service manager, twenty restarts: no connection refused, no answer wrong", [
    ("one answerer", "1"), ("three", "3")])
def restarts(world, workers):
    """As an upgrade of the package does it. Who was not answered is answered the second
    time."""
    domain = world.domain()
    path = world.new_folder("unix") + "/socket"
    stsd = world.stsd(listen="inet:127.0.0.1:8470", workers=workers)
    with socket.create_server(("127.0.0.1", 8466), backlog=4096) as inet, \
            socket.socket(socket.AF_UNIX) as local:
        local.bind(path)
        local.listen(4096)
        stsd.launch_with(inet, local)
        clients = [Restless(address, domain, lasting) for lasting in (False, True)
                   for address in (("127.0.0.1", 8466), path)]
        for _ in range(20):
            seen = [client.asked for client in clients]
            wait.until(lambda s=seen: all(c.asked > n + 20 for c, n in zip(clients, s)),
                       "everybody was answered some more times")
            same(stsd.stop(), 0, "status")
            stsd.launch_with(inet, local)
        for client in clients:
            client.end()
    print(f"restarts with {workers} answerers: {sum(c.connections for c in clients)} connections, "
          f"{sum(c.asked for c in clients)} answers, "
          f"{sum(c.asked_again for c in clients)} the second time", flush=True)
    same([client.wrong for client in clients], [[]] * 4, "wrong")


@case("sd_notify: READY, RELOADING, STOPPING")
def notify(world):
    folder = world.new_folder("notify")
    os.chmod(folder, 0o777)
    path = folder + "/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        os.chmod(path, 0o666)
        sock.settimeout(10)
        stsd = world.stsd().start(environment={"NOTIFY_SOCKET": path})
        heard = b""
        while b"READY=1" not in heard:
            heard += sock.recv(4096) + b"\n"
        stsd.signal(signal.SIGHUP)
        heard = b""
        while b"RELOADING=1" not in heard or b"READY=1" not in heard.split(b"RELOADING=1")[1]:
            heard += sock.recv(4096) + b"\n"
        stsd.signal(signal.SIGTERM)
        while b"STOPPING=1" not in heard:
            heard += sock.recv(4096) + b"\n"
    same(stsd.wait(), 0, "status")
