# SPDX-License-Identifier: MIT
"""Netstrings good and bad, and connections that do what Postfix never would."""
import contextlib
import os
import resource
import signal
import socket
import threading

from lab import socketmap, wait
from lab.cases import Skip, case, same, table, within

NOTFOUND = "NOTFOUND "
IDLE_CONNECTIONS = 3000


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@table("closed without a word", [
    ("HTTP", b"GET / HTTP/1.1\r\n\r\n"), ("letter", b"x"), ("colon", b":"), ("minus", b"-1:"),
    ("leading zero", b"05:QUERY,"), ("two zeros", b"00:,"), ("blank", b" 5:QUERY,"),
    ("no comma", b"5:QUERYx"), ("too long", b"10001:" + b"Q" * 10001 + b","),
    ("many digits", b"9" * 30), ("no colon", b"5;QUERY,"), ("newline", b"5\n:QUERY,"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00"), ("hexadecimal", b"0x5:QUERY,"),
])
def closed(world, data):
    stsd = world.stsd().start()
    with stsd.client() as client:
        client.send(data)
        same(client.is_closed(), True, "closed")
    same(stsd.ask(""), NOTFOUND)


@case("what came before a bad frame is answered")
def good_then_bad(world):
    with world.stsd().start().client() as client:
        client.send(socketmap.netstring("QUERY localhost") + b"x")
        same(client.reply(), NOTFOUND)
        same(client.is_closed(), True, "closed")


@case("10,000 bytes are answered")
def longest(world):
    with world.stsd().start().client() as client:
        client.send(socketmap.netstring("QUERY " + "x" * 9994))
        same(client.reply(), NOTFOUND)


@case("empty request")
def empty(world):
    with world.stsd().start().client() as client:
        client.send(b"0:,")
        same(client.reply(), "PERM unknown map name")


@case("a request byte by byte")
def bytewise(world):
    domain = world.domain()
    with world.stsd().start().client() as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in socketmap.netstring("QUERY " + domain.name):
            client.send(bytes([byte]))
        same(client.reply(), domain.secure)


@case("pipelined requests are answered in order")
def pipelined(world):
    domains = [world.domain() for _ in range(3)]
    plain = world.plain_domain()
    keys = [domains[0].name, plain, domains[1].name, "localhost", domains[2].name] * 20
    expected = [domains[0].secure, NOTFOUND, domains[1].secure, NOTFOUND, domains[2].secure] * 20
    with world.stsd().start().client() as client:
        client.send(b"".join(socketmap.netstring("QUERY " + key) for key in keys))
        same([client.reply() for _ in keys], expected)


@case("half requests and idle connections keep nobody from an answer")
def half(world):
    domain = world.domain()
    stsd = world.stsd().start()
    held = []
    for _ in range(50):
        client = stsd.client()
        client.send(b"20:QUERY exam")
        held.append(client)
    same(stsd.ask(domain.name), domain.secure)
    for client in held:
        client.sock.close()


@case("a client that leaves while it waits harms nobody")
def leaves(world):
    domain = world.domain()
    stsd = world.stsd().start()
    for _ in range(20):
        with stsd.client() as client:
            client.send(socketmap.netstring("QUERY " + domain.name))
    same(stsd.ask(domain.name), domain.secure)
    same(domain.fetches(), 1, "fetches")


@case("a client that does not read its replies is not waited for")
def does_not_read(world):
    domain = world.domain()
    stsd = world.stsd().start()
    same(stsd.ask(domain.name), domain.secure)
    with stsd.client() as client:
        client.sock.settimeout(0.5)
        try:
            while True:
                client.send(socketmap.netstring("QUERY " + domain.name) * 1000)
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass  # its reading has stopped: what was to be reached
        same(stsd.ask(domain.name), domain.secure)


@case("send buffers of a page: the largest replies come whole, and in order")
def little_room(world):
    name = world.new_name()
    domain = world.domain(mx=[f"mx{n}.{'x' * 60}.{name}" for n in range(600)], name=name)
    world.dns.replace(name, "MX", (1, domain.mx[0]))
    limits = "/proc/sys/net/ipv4/tcp_wmem"
    with open(limits, encoding="ascii") as file:
        before = file.read()
    try:
        with open(limits, "w", encoding="ascii") as file:
            file.write("4096 4096 4096")
    except OSError as reason:
        raise Skip(f"{limits}: {reason}") from None
    try:
        stsd = world.stsd().start()
        with stsd.client() as client:
            client.send(socketmap.netstring("QUERY " + name) * 30
                        + socketmap.netstring("QUERY localhost"))
            for _ in range(30):
                same(client.reply(), domain.secure)
            same(client.reply(), NOTFOUND)
    finally:
        with open(limits, "w", encoding="ascii") as file:
            file.write(before)


@case("thousands of idle connections")
def idle(world):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < IDLE_CONNECTIONS + 500:
        raise Skip(f"only {hard} open files allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    domain = world.domain()
    stsd = world.stsd().start()
    clients = [stsd.client() for _ in range(IDLE_CONNECTIONS)]
    same(stsd.ask(domain.name), domain.secure)
    for client in clients[:20] + clients[-20:]:
        same(client.ask(domain.name), domain.secure)
    for client in clients:
        client.sock.close()
    same(stsd.ask(domain.name), domain.secure)


@case("workers = 2: each has about as many connections")
def shared_out(world):
    stsd = world.stsd(workers="2", log_level="info").start()
    wait.until(lambda: " ready " in stsd.log(), "both work")
    workers = stsd.processes()["answerer"]
    before = [descriptors(pid) for pid in workers]
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(stsd.client())
        wait.until(lambda: sum(map(descriptors, workers)) >= sum(before) + 100, "all accepted")
        more = [descriptors(pid) - was for pid, was in zip(workers, before)]
        within(min(more), 40, 50, f"of a hundred, who has fewer of {more}")


@case("workers = 2: one that is started again gets the next connections")
def successor(world):
    stsd = world.stsd(workers="2", log_level="info").start()
    wait.until(lambda: " ready " in stsd.log(), "both work")
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(stsd.client())
        gone, old = stsd.processes()["answerer"]
        wait.until(lambda: descriptors(gone) + descriptors(old) > 100, "all accepted")
        os.kill(gone, signal.SIGKILL)
        wait.until(lambda: gone not in stsd.processes()["answerer"], "it is gone")
        wait.until(lambda: len(stsd.processes()["answerer"]) == 2, "another one")
        new = next(pid for pid in stsd.processes()["answerer"] if pid != old)
        wait.until(lambda: "role=answerer" in stsd.log().split(f"pid={new}")[-1], "it has begun")
        before = descriptors(new)

        def has_come():
            stack.enter_context(stsd.client())
            return descriptors(new) > before
        wait.until(has_come, "it accepts")
        before = descriptors(old)
        for _ in range(40):
            client = stack.enter_context(stsd.client())
            for _ in range(100):  # the next one comes after a while
                same(client.ask(""), NOTFOUND)
        within(descriptors(old) - before, 0, 20, "of forty, those to who has fifty already")


@case("at max_connections the longest idle connection makes room")
def makes_room(world):
    stsd = world.stsd(max_connections="8").start()
    clients = []
    for _ in range(8):
        client = stsd.client()
        same(client.ask(""), NOTFOUND)
        clients.append(client)
    same(clients[0].ask(""), NOTFOUND)  # so that it is not the longest idle one
    with stsd.client() as late:
        same(late.ask(""), NOTFOUND)
        same(clients[1].is_closed(), True, "the longest idle one closed")
        for client in [clients[0]] + clients[2:]:
            same(client.ask(""), NOTFOUND)
    for client in clients:
        client.sock.close()


@case("at max_connections with none idle, new ones wait in the backlog")
def backlog(world):
    gate = threading.Event()
    domain = world.domain(gate=gate)
    stsd = world.stsd(max_connections="4", answer_timeout="20s").start()
    busy = [stsd.client() for _ in range(4)]
    for client in busy:
        client.send(socketmap.netstring("QUERY " + domain.name))
    wait.until(domain.fetches, "the fetch runs")
    late = stsd.client()
    late.send(socketmap.netstring("QUERY localhost"))
    gate.set()
    same([client.reply() for client in busy], [domain.secure] * 4)
    same(late.reply(), NOTFOUND)
    for client in busy + [late]:
        client.sock.close()


@table("listens", [
    ("IPv6", "inet:[::1]:8461", ("::1", 8461)),
    ("all", "inet:*:8461", ("127.0.0.1", 8461)),
    ("all, by IPv6", "inet:*:8461", ("::1", 8461)),
    ("name", "inet:localhost:8461", ("127.0.0.1", 8461)),
    ("two", "inet:127.0.0.1:8461 inet:127.0.0.1:8463", ("127.0.0.1", 8463)),
    ("two, comma", "inet:127.0.0.1:8461, inet:127.0.0.1:8463", ("127.0.0.1", 8463)),
])
def listens(world, listen, address):
    domain = world.domain()
    stsd = world.stsd(listen=listen)
    stsd.start()
    same(socketmap.ask(domain.name, address=address), domain.secure)


@case("a unix socket, with its mode, over a stale one")
def unix(world):
    domain = world.domain()
    path = world.new_folder("unix") + "/socket"
    os.chmod(os.path.dirname(path), 0o777)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    stsd = world.stsd(listen="unix:" + path, socket_mode="0666").start()
    same(stsd.ask(domain.name), domain.secure)
    same(oct(os.stat(path).st_mode & 0o777), "0o666", "mode")
    same(stsd.stop(), 0, "status")


@case("allow_clients: others are closed at once")
def allow_clients(world):
    stsd = world.stsd(listen="inet:*:8461", allow_clients="127.0.0.0/8").start()
    same(stsd.ask(""), NOTFOUND)
    with socketmap.Client(("198.18.0.1", 8461)) as client:
        same(client.is_closed(), True, "closed")
