# SPDX-License-Identifier: MIT
"""Postfix's side of socketmap_table(5), and a proxy that writes down what is said."""
import socket
import threading


class Closed(Exception):
    """The other side closed the connection."""


def netstring(payload):
    if isinstance(payload, str):
        payload = payload.encode()
    return b"%d:%s," % (len(payload), payload)


def connect(address, timeout=30):
    """("127.0.0.1", 8461), or the path of a unix socket."""
    family = socket.AF_UNIX if isinstance(address, str) else (
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    sock.connect(address)
    return sock


class Client:
    def __init__(self, address=("127.0.0.1", 8461), timeout=30):
        self.sock = connect(address, timeout)
        self._seen = b""

    @classmethod
    def of(cls, sock):
        """Over a connection that is there."""
        made = cls.__new__(cls)
        made.sock, made._seen = sock, b""
        return made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed()
        self._seen += data

    def reply(self):
        """The payload of the next netstring, as text."""
        while b":" not in self._seen:
            self._more()
        length, self._seen = self._seen.split(b":", 1)
        size = int(length)
        while len(self._seen) < size + 1:
            self._more()
        payload, comma = self._seen[:size], self._seen[size:size + 1]
        self._seen = self._seen[size + 1:]
        if comma != b",":
            raise AssertionError(f"reply without comma: {payload!r}")
        return payload.decode("latin-1")

    def ask(self, key, name="QUERY"):
        if isinstance(key, str):
            key = key.encode()
        self.send(netstring(name.encode() + b" " + key))
        return self.reply()

    def is_closed(self):
        """True once the other side has closed, without having said a word."""
        try:
            self._more()
        except Closed:
            return not self._seen
        return False


def ask(key, name="QUERY", address=("127.0.0.1", 8461), timeout=30):
    with Client(address, timeout) as client:
        return client.ask(key, name)


class Postfix:
    """Asks as Postfix does: over one connection, and once more over a new one when that was
    closed without a reply."""

    def __init__(self, address=("127.0.0.1", 8461)):
        self.connections = self.asked = self.asked_again = 0
        self._address = address
        self._client = None

    def _ask(self, key):
        if self._client is None:
            self._client = Client(self._address)
            self.connections += 1
        reply = self._client.ask(key)
        self.asked += 1
        return reply

    def ask(self, key):
        try:
            return self._ask(key)
        except (ConnectionResetError, BrokenPipeError, Closed):
            if self._client is None:
                raise
            self.hang_up()
            self.asked_again += 1
            return self._ask(key)

    def hang_up(self):
        if self._client is not None:
            self._client.sock.close()
        self._client = None


class Proxy:
    """Between Postfix and stsd: lets everything through and keeps (request, reply)."""

    def __init__(self, address, server):
        self.said = []
        self._server = server
        self._lock = threading.Lock()
        self._listener = socket.create_server(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, sock):
        try:
            with sock, Client(self._server) as server:
                postfix = Client.of(sock)
                while True:
                    request = postfix.reply()
                    server.send(netstring(request.encode("latin-1")))
                    reply = server.reply()
                    with self._lock:
                        self.said.append((request, reply))
                    postfix.send(netstring(reply.encode("latin-1")))
        except (Closed, OSError):
            pass  # either side may leave at any time

    def about(self, domain):
        """What was said about a domain: the last (request, reply)."""
        with self._lock:
            said = [pair for pair in self.said if pair[0].split(" ", 1)[-1] == domain]
        return said[-1] if said else None
