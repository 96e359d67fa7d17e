# SPDX-License-Identifier: MIT
"""A DNS server that says what a test tells it to, and counts what it is asked.

It is the resolver that stsd is given, so it follows CNAMEs by itself unless told not to;
and where it plays one that validates, it sets AD on answers from zones that are signed.
"""
import collections
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "OPT": 41,
         "TLSA": 52, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"ok": 0, "formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5}
AD = 0x20  # in the fourth byte of a message
CHAIN_MAX = 20
UDP_MAX = 1232


def encode_name(name):
    wire = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode("latin-1")
            wire += bytes([len(raw)]) + raw
    return wire + b"\0"


def encode_text(value):
    """One TXT record: a string, or a tuple of its parts."""
    parts = value if isinstance(value, tuple) else (value,)
    wire = b""
    for part in parts:
        raw = part if isinstance(part, bytes) else part.encode("latin-1")
        wire += bytes([len(raw)]) + raw
    return wire


def encode_data(kind, value):
    if kind == "A" or kind == "AAAA":
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        return struct.pack(">H", value[0]) + encode_name(value[1])
    if kind == "TXT":
        return encode_text(value)
    if kind in ("CNAME", "NS"):
        return encode_name(value)
    if kind == "TLSA":
        return bytes(value[:3]) + value[3]
    if kind == "SOA":
        return encode_name("ns.test") + encode_name("hostmaster.test") + struct.pack(
            ">5I", 1, 3600, 600, 86400, value)
    return value  # raw bytes


def has_do(query):
    """Does a query without answers want signatures? Its OPT record ends it."""
    at = 12
    while query[at]:
        at += 1 + query[at]
    opt = query[at + 5:]
    return opt[:3] == b"\0\0\x29" and bool(opt[7] & 0x80)


class Trouble:
    """What goes wrong for one question. kind: an rcode, "drop" (no answer), "garbage"
    (bytes that are no DNS), "truncate" (UDP says: come over TCP), "bare" (a CNAME without
    what it points to), "slow" (the right answer, after `seconds`)."""

    def __init__(self, kind, ede=None, seconds=0.0):
        self.kind = kind
        self.ede = ede
        self.seconds = seconds


class Dns:
    def __init__(self, addresses=("127.0.0.1",), port=53):
        self.asked = collections.Counter()  # (name, type)
        self.by_server = collections.Counter()
        self.over_tcp = collections.Counter()  # (name, type)
        self.trouble = {}  # (name, type), (name, None) or server address -> Trouble
        self.negative_ttl = 300  # None: no SOA in negative answers
        self.validates = False  # as a resolver; and then the root is signed
        self.plain_servers = set()  # addresses that never set AD
        self._signed = {}  # zone -> does a chain of signatures lead there?
        self._records = collections.defaultdict(list)  # name -> [(type, ttl, value)]
        self._lock = threading.Lock()
        self.add("", "SOA", 300)
        self.add("", "NS", "ns.test")
        for address in addresses:
            self.listen(address, port)

    # What a test says.

    def sign(self, *zones, signed=True):
        """All names in these zones, but for zones below of which something else is said."""
        for zone in zones:
            self._signed[zone.lower()] = signed

    def is_signed(self, name):
        """The root is, nothing below it unless told so."""
        zone = name
        while zone:
            if zone in self._signed:
                return self._signed[zone]
            zone = zone.partition(".")[2]
        return name == ""

    def add(self, name, kind, *values, ttl=300):
        with self._lock:
            for value in values:
                self._records[name.lower()].append((kind, ttl, value))

    def remove(self, name, kind=None):
        name = name.lower()
        with self._lock:
            self._records[name] = [r for r in self._records[name] if kind not in (None, r[0])]
            if not self._records[name]:
                del self._records[name]

    def replace(self, name, kind, *values, ttl=300):
        self.remove(name, kind)
        self.add(name, kind, *values, ttl=ttl)

    def fail(self, name, kind, how, **more):
        self.trouble[(name.lower(), kind)] = Trouble(how, **more)

    def fail_server(self, address, how, **more):
        """All questions to one of the addresses."""
        self.trouble[address] = Trouble(how, **more)

    def mend(self, name, kind=None):
        self.trouble.pop((name.lower(), kind), None)

    def count(self, name, kind=None):
        with self._lock:
            return sum(n for (asked, k), n in self.asked.items()
                       if asked == name.lower() and kind in (None, k))

    def total(self):
        """But for those about the root, which are a self-test."""
        with self._lock:
            return sum(n for (name, _), n in self.asked.items() if name)

    def questions_below(self, domain):
        """{(name, type): how often} of a domain and all names in it."""
        end = "." + domain.lower()
        with self._lock:
            return {key: n for key, n in self.asked.items()
                    if key[0] == domain.lower() or key[0].endswith(end)}

    # How it answers.

    def listen(self, address, port=53):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        udp.bind((address, port))
        tcp = socket.create_server((address, port), family=family)
        for target, sock in ((self._serve_udp, udp), (self._serve_tcp, tcp)):
            threading.Thread(target=target, args=(sock, address), daemon=True).start()

    def _serve_udp(self, sock, server):
        while True:
            query, client = sock.recvfrom(4096)
            try:
                self._answer(query, server, False, lambda reply, c=client: sock.sendto(reply, c))
            except (ValueError, IndexError, struct.error):
                pass  # not a query

    def _serve_tcp(self, listener, server):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self._serve_stream, args=(sock, server),
                             daemon=True).start()

    def _serve_stream(self, sock, server):
        def send(reply):
            sock.sendall(struct.pack(">H", len(reply)) + reply)
        with sock, sock.makefile("rb") as stream:
            try:
                while True:
                    head = stream.read(2)
                    if len(head) < 2:
                        return
                    self._answer(stream.read(struct.unpack(">H", head)[0]), server, True, send)
            except (OSError, ValueError, IndexError, struct.error):
                return

    def _answer(self, query, server, tcp, send):
        name, kind, end = self._question(query)
        key = (name, kind)
        with self._lock:
            self.asked[key] += 1
            self.by_server[server] += name != ""  # the self-test asks everybody
            self.over_tcp[key] += tcp
        trouble = (self.trouble.get(key) or self.trouble.get((name, None))
                   or self.trouble.get(server))
        how = trouble.kind if trouble else "none"
        if how == "drop":
            return
        if how == "garbage":
            send(query[:2] + b"\x81\x80garbage")
            return
        reply = self._reply(query, (name, kind, end), trouble, server, tcp)
        if how == "slow":
            later = threading.Timer(trouble.seconds, self._send_late, (send, reply))
            later.daemon = True
            later.start()
            return
        send(reply)

    def _sets_ad(self, query, rcode, names, server):
        """Asked for it by AD (RFC 6840 section 5.7) or DO; all names of the answer secure."""
        return (self.validates and server not in self.plain_servers
                and (query[3] & AD or has_do(query)) and rcode in (0, RCODES["nxdomain"])
                and all(self.is_signed(name) for name in names))

    @staticmethod
    def _send_late(send, reply):
        try:
            send(reply)
        except OSError:
            pass  # nobody waits any more

    @staticmethod
    def _question(query):
        if struct.unpack(">H", query[4:6])[0] != 1:
            raise ValueError("one question, please")
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        number = struct.unpack(">H", query[at + 1:at + 3])[0]
        return ".".join(labels).lower(), NAMES.get(number, str(number)), at + 5

    def _look_up(self, name, kind, follow):
        """(rcode, [(owner, type, ttl, value)], the names on the way)"""
        answers, names = [], []
        with self._lock:
            for _ in range(CHAIN_MAX):
                names.append(name)
                here = self._records.get(name, [])
                found = [(name, k, ttl, value) for k, ttl, value in here if k == kind]
                alias = [(name, k, ttl, value) for k, ttl, value in here if k == "CNAME"]
                answers += found or alias[:1]
                if found or not alias or not follow:
                    exists = here or any(n.endswith("." + name) for n in self._records)
                    return (0 if exists else RCODES["nxdomain"]), answers, names
                name = alias[0][3].lower()
        return RCODES["servfail"], [], names  # a loop

    def _reply(self, query, question, trouble, server, tcp):
        name, kind, end = question
        how = trouble.kind if trouble else "none"
        rcode, answers, names = self._look_up(name, kind, how != "bare")
        if how in RCODES:
            rcode, answers = RCODES[how], []
        flags, authority = 0x8180 | rcode, []
        if self._sets_ad(query, rcode, names, server):
            flags |= AD
        if not any(a[1] == kind for a in answers) and rcode in (0, RCODES["nxdomain"]):
            if self.negative_ttl is not None and how != "bare":
                authority = [(name.partition(".")[2], "SOA", self.negative_ttl,
                              self.negative_ttl)]
        if how == "truncate" and not tcp:
            flags, answers = flags | 0x0200, []
        has_opt = len(query) > end and query[end:end + 3] == b"\0\0\x29"
        body = query[12:end] + b"".join(self._record(r) for r in answers + authority)
        if has_opt:
            body += self._opt(trouble.ede if trouble else None)
        if not tcp and len(body) > UDP_MAX:
            flags, answers, authority = flags | 0x0200, [], []
            body = query[12:end] + (self._opt(None) if has_opt else b"")
        return query[:2] + struct.pack(">5H", flags, 1, len(answers), len(authority),
                                       int(has_opt)) + body

    @staticmethod
    def _record(record):
        owner, kind, ttl, value = record
        data = encode_data(kind, value)
        return encode_name(owner) + struct.pack(">2HIH", TYPES[kind], 1, ttl, len(data)) + data

    @staticmethod
    def _opt(ede):
        option = b"" if ede is None else struct.pack(">3H", 15, 2, ede)
        return b"\0" + struct.pack(">2HIH", TYPES["OPT"], UDP_MAX, 0, len(option)) + option


class Relay:
    """Passes questions on to a server, and sets AD on whatever that says. UDP only."""

    def __init__(self, address, server):
        self._server = server
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, client = self._sock.recvfrom(4096)
            threading.Thread(target=self._pass, args=(query, client), daemon=True).start()

    def _pass(self, query, client):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward:
            onward.settimeout(10)
            try:
                onward.sendto(query, (self._server, 53))
                reply = onward.recv(65535)
            except OSError:
                return  # as if lost
        self._sock.sendto(reply[:3] + bytes([reply[3] | AD]) + reply[4:], client)


def ask(server, name, kind="A", seconds=1):
    """True if a server answers with at least one record."""
    query = b"\x11\x22\x01\0\0\x01\0\0\0\0\0\0" + encode_name(name) + struct.pack(
        ">2H", TYPES[kind], 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        try:
            sock.sendto(query, (server, 53))
            reply = sock.recv(4096)
        except OSError:
            return False
    return reply[3] & 15 == 0 and reply[6:8] != b"\0\0"
