# SPDX-License-Identifier: MIT
"""A reply longer than Postfix reads leaves its tail in the connection, and Postfix takes the
tail for the next domain's reply. Somebody's policy must never become such a tail."""
import itertools
import shutil
import socket
import threading

from lab import debian13, socketmap, wait
from lab.cases import Skip, case, same, table, within

PLANT = "16:OK none injected,"
BLOCK = 4096  # Postfix reads that much at a time
LIMIT = 100000  # and a reply up to here
BODY = 65536
ADDRESSES = (f"198.18.12.{number}" for number in itertools.count(1))
ROUNDS = 2


def plant(reply_so_far, blocks):
    """Extension lines that fill whole blocks of the reply, so that each block begins with
    the plant: [line], as they are put into the reply one after the other."""
    before, after = len(" { policy_string = "), len(" }")
    lines, at = [], len(reply_so_far)
    for _ in range(blocks):
        gap = -(at + before + len("x: ")) % BLOCK
        lines.append("x: " + "y" * gap + PLANT)
        at += before + len(lines[-1]) + after
    return lines


def hostile_domain(world, hosts, blocks):
    """Of many MX hosts, which a reply names three times, and many plants."""
    name = world.new_name("hostile")
    domain = world.domain(name=name, mx=[f"a-long-name-of-a-host-{n}.{name}" for n in range(hosts)])
    world.dns.replace(name, "MX", (10, domain.mx[0]))
    so_far = "12345:" + domain.secure + domain.reported
    body = domain.policy().decode()
    body += "".join(line + "\r\n" for line in plant(so_far, blocks))
    domain.web.policy = body.encode()
    within(len(body), 0, BODY, "the policy")
    address = next(ADDRESSES)
    world.dns.replace(domain.mx[0], "A", address)
    world.smtp.listen(address, [domain.mx[0]])
    return domain


def victim_domain(world, starttls):
    domain = world.domain(name=world.new_name("victim"))
    address = next(ADDRESSES)
    world.dns.replace(domain.mx[0], "A", address)
    world.smtp.listen(address, [domain.mx[0]], starttls=starttls)
    return domain


class Naive:
    """What a server without a limit would say: all of a hostile policy."""

    def __init__(self, address, replies):
        self._replies = replies
        self._listener = socket.create_server(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            with sock:
                stream = socketmap.Client.of(sock)
                while True:
                    key = stream.reply().partition(" ")[2]
                    stream.send(socketmap.netstring(self._replies.get(key, "NOTFOUND ")))
        except (socketmap.Closed, OSError):
            pass  # Postfix may leave at any time


def root_of(version):
    """Where such a Postfix is."""
    if version == "3.10":
        if debian13.missing():
            raise Skip(debian13.missing())
        return debian13.enter()
    if not shutil.which("postfix"):
        raise Skip("postfix is not installed")
    return ""


def send_all(world, postfix, hostile, victims):
    """Turn about, through one smtp process, which is busy until all are queued: the next
    after a hostile one is a victim. What the victims got."""
    gate = threading.Event()
    slow = world.plain_domain()
    world.dns.replace("mx." + slow, "A", address := next(ADDRESSES))
    world.smtp.listen(address, ["mx." + slow], gate=gate)
    turns = [domain for _ in range(ROUNDS) for one in hostile for victim in victims
             for domain in (one, victim)]
    everyone = [f"{n}@{domain.name}" for n, domain in enumerate(turns)]
    postfix.start()
    for recipient in ["first@" + slow] + everyone:
        postfix.send(recipient)
    wait.until(lambda: postfix.log().count("(queue active)") > len(everyone), "all are queued")
    gate.set()
    for recipient in everyone:
        postfix.wait_for_fate(recipient, 60)
    return [mail for recipient, domain in zip(everyone, turns) if domain in victims
            for mail in world.smtp.received(recipient)]


@table("smuggling", [
    # name, Postfix, map, max_reply; can victims get mail at all?
    ("3.7, QUERY", "3.7", "QUERY", 65536, True),
    ("3.7, QUERYwithTLSRPT", "3.7", "QUERYwithTLSRPT", 65536, False),
    ("3.7, QUERYwithTLSRPT, max_reply = 100000", "3.7", "QUERYwithTLSRPT", LIMIT, False),
    ("3.10, QUERYwithTLSRPT", "3.10", "QUERYwithTLSRPT", 65536, True),
    ("3.10, QUERYwithTLSRPT, max_reply = 100000", "3.10", "QUERYwithTLSRPT", LIMIT, True),
])
def smuggling(world, version, name, max_reply, works):
    root = root_of(version)
    hostile = [hostile_domain(world, *how) for how in ((1, 15), (400, 8), (700, 4))]
    bare, good = victim_domain(world, False), victim_domain(world, True)
    stsd = world.stsd(max_reply=str(max_reply)).start()
    for domain in hostile:
        reply = stsd.ask(domain.name, name)
        same(reply[:10], "OK secure ")
        within(len(reply), 1, max_reply, "its reply")
    if name != "QUERY":  # the plant is where it would do harm
        reply = socketmap.netstring(stsd.ask(hostile[0].name, name))
        same([reply[at:at + len(PLANT)] for at in range(BLOCK, 15 * BLOCK, BLOCK)],
             [PLANT.encode()] * 14)
    postfix = world.postfix(name=name, smtp_processes=1, root=root)
    arrived = send_all(world, postfix, hostile, [bare, good])
    same([mail for mail in arrived if not mail[2]], [], "mail in clear")
    same(len(arrived), ROUNDS * len(hostile) if works else 0, "mail over TLS")


@case("smuggling: it works with a server that knows no limit (or this proves nothing)")
def control(world):
    root = root_of("3.7")
    victim = victim_domain(world, False)
    hostile = victim_domain(world, True)
    tail = "".join((PLANT * (BLOCK // len(PLANT) + 1))[:BLOCK] for _ in range(30))
    head = "OK secure match=" + hostile.mx[0] + " "
    replies = {hostile.name: head + "y" * (BLOCK - len("122880:") - len(head)) + tail,
               victim.name: victim.secure}
    Naive(("127.0.0.1", 8463), replies)
    for _ in range(5):  # who comes after whom is also a matter of how busy this machine is
        postfix = world.postfix(socketmap="127.0.0.1:8463", smtp_processes=1, root=root)
        arrived = send_all(world, postfix, [hostile], [victim])
        if [mail for mail in arrived if not mail[2]]:
            return
        postfix.stop()
    raise Skip("this Postfix reads no reply as another's")
