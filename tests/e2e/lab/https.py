# SPDX-License-Identifier: MIT
"""Policy hosts, good and hostile: one HTTPS server that behaves by the name asked for."""
import collections
import gzip
import socket
import ssl
import threading

PATH = "/.well-known/mta-sts.txt"
SESSION_TICKET, PRE_SHARED_KEY = 35, 41  # extensions of a ClientHello
DRIP_SECONDS = 0.3  # between two bytes of a host that wants to keep its visitors


def response(body, status="200 OK", media_type="text/plain", extra=(), length=True):
    lines = ["HTTP/1.1 " + status, *extra]
    if media_type is not None:
        lines.append("Content-Type: " + media_type)
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def extensions(hello):
    """{number: bytes} of a ClientHello: record, handshake, version and random before it."""
    def skip(at, width):
        return at + width + int.from_bytes(hello[at:at + width], "big")
    at, found = skip(skip(skip(5 + 4 + 2 + 32, 1), 2), 1) + 2, {}
    while at + 4 <= len(hello):
        end = skip(at + 2, 2)
        found[int.from_bytes(hello[at:at + 2], "big")] = hello[at + 4:end]
        at = end
    return found


def resumes(hello):
    """Does it name a session that was before?"""
    found = extensions(hello)
    return PRE_SHARED_KEY in found or bool(found.get(SESSION_TICKET))


class Host:
    """One policy host. policy: the good bytes; how: the way it gives them (see HOWS);
    certificate: a kind of pki.Pki.leaf, and names if not its own."""

    def __init__(self, policy, how="good", certificate="good", names=None, gate=None):
        self.policy = policy
        self.raw = b""  # the whole answer of how "raw"
        self.how = how
        self.certificate = certificate
        self.names = names
        self.gate = gate  # threading.Event: answered once it is set


def _good(sock, host):
    sock.sendall(response(host.policy))


def _late_clock(sock, host):
    sock.sendall(response(host.policy, extra=["Date: Tue, 01 Jan 2019 00:00:00 GMT"]))


def _page(sock, _host):
    sock.sendall(response(b"<!DOCTYPE html>\n<html><body>Welcome!</body></html>\n",
                          media_type="text/html"))


def _status(line, **more):
    def serve(sock, host):
        sock.sendall(response(host.policy, status=line, **more))
    return serve


def _media(media_type):
    def serve(sock, host):
        sock.sendall(response(host.policy, media_type=media_type))
    return serve


def _body(change):
    def serve(sock, host):
        sock.sendall(response(change(host.policy)))
    return serve


def _padded(size):
    """The policy, made up to `size` bytes by extension fields, which are ignored."""
    def change(policy):
        line = b"x: " + b"y" * 60 + b"\n"
        policy += line * ((size - len(policy) - 10) // len(line))
        return policy + b"z: " + b"y" * (size - len(policy) - 4) + b"\n"
    return change


def _endless_interim(sock, _host):
    while True:
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def _endless_headers(sock, _host):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")
    while True:
        sock.sendall(b"X-More: " + b"y" * 100 + b"\r\n")


def _endless_body(sock, host):
    sock.sendall(response(host.policy, length=False))
    while True:
        sock.sendall(b"x: " + b"y" * 1000 + b"\n")


def _upgrade(sock, host):
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
                 + host.policy)


def _drip(sock, host):
    whole = response(host.policy)
    pause = threading.Event()
    for at in range(len(whole)):
        sock.sendall(whole[at:at + 1])
        pause.wait(DRIP_SECONDS)


def _mute(sock, _host):
    sock.recv(1)  # until the other side has had enough


def _short(sock, host):
    """Less than Content-Length says."""
    whole = response(host.policy)
    sock.sendall(whole[:-10])


def _unframed(sock, host):
    """No length, no chunks, no close_notify, and cut inside the last line."""
    sock.sendall(response(host.policy.rstrip(b"\r\n")[:-2], length=False))


def _half_chunk(sock, host):
    head = response(b"", extra=["Transfer-Encoding: chunked"], length=False)
    sock.sendall(head + b"%x\r\n" % (len(host.policy) + 50) + host.policy)


def _chunked(sock, host):
    head = response(b"", extra=["Transfer-Encoding: chunked"], length=False)
    sock.sendall(head + b"%x\r\n" % len(host.policy) + host.policy + b"\r\n0\r\n\r\n")


def _gzip(sock, host):
    sock.sendall(response(gzip.compress(host.policy), extra=["Content-Encoding: gzip"]))


def _http09(sock, host):
    sock.sendall(host.policy)


def _redirect(code):
    def serve(sock, host):
        where = "Location: https://mta-sts.elsewhere.test" + PATH
        sock.sendall(response(host.policy, status=f"{code} Moved", extra=[where]))
    return serve


HOWS = {
    "good": _good,
    "raw": lambda sock, host: sock.sendall(host.raw),
    "late-clock": _late_clock,
    "page": _page,
    "charset": _media("Text/Plain; charset=utf-8; x=y"),
    "chunked": _chunked,
    "interim": lambda s, h: s.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(h.policy)),
    "full": _body(_padded(65536)),
    "extended": lambda s, h: s.sendall(response(h.policy + b"new_field: some value\n")),
    "301": _redirect(301), "302": _redirect(302), "307": _redirect(307), "308": _redirect(308),
    "endless-100": _endless_interim,
    "endless-headers": _endless_headers,
    "endless-body": _endless_body,
    "101": _upgrade,
    "201": _status("201 Created"), "204": _status("204 No Content"),
    "206": _status("206 Partial Content"), "304": _status("304 Not Modified"),
    "404": _status("404 Not Found"), "500": _status("500 Trouble"),
    "503": _status("503 Later"),
    "html": _media("text/html"), "no-type": _media(None), "plainer": _media("text/plainer"),
    "binary": _media("application/octet-stream"),
    "too-big": _body(_padded(65537)),
    "empty": _body(lambda policy: b""),
    "not-a-policy": _body(lambda policy: b"<html>hello</html>\n"),
    "no-mode": _body(lambda policy: b"\n".join(line for line in policy.split(b"\n")
                                               if not line.startswith(b"mode"))),
    "bad-mx": _body(lambda policy: policy + b"mx: a.*.b\n"),
    "nul": _body(lambda policy: policy + b"x: a\0b\n"),
    "drip": _drip,
    "mute": _mute,
    "short": _short,
    "unframed": _unframed,
    "half-chunk": _half_chunk,
    "gzip": _gzip,
    "http09": _http09,
    "not-http": lambda s, h: s.sendall(b"220 mail.test ESMTP\r\n"),
    "hang-up": lambda s, h: None,
    "tls1.1": _good,  # what differs is the handshake
    "alert": _good,
}


class Https:
    def __init__(self, pki, port=443):
        self.hosts = {}
        self.asked = collections.Counter()  # host: requests whose head was read
        self.connected = collections.Counter()  # address: connections
        self.most_at_once = 0
        self.heads = {}  # host: the last request head, as text
        self.hellos = collections.defaultdict(list)  # host: each ClientHello, as bytes
        self.client_certificates = 0  # though everybody is asked for one
        self._at_once = 0
        self._pki = pki
        self._port = port
        self._contexts = {}
        self._lock = threading.Lock()

    def listen(self, *addresses, silent=False):
        """silent: connections are accepted, and that was it."""
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.create_server((address, self._port), family=family, backlog=1024)
            threading.Thread(target=self._accept, args=(sock, address, silent),
                             daemon=True).start()

    def _accept(self, listener, address, silent):
        kept = []
        while True:
            sock, _ = listener.accept()
            with self._lock:
                self.connected[address] += 1
            if silent:
                kept.append(sock)
                continue
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _context(self, name):
        host = self.hosts.get(name)
        how = host.how if host else "good"
        key = (host.certificate if host else "good",
               tuple((host and host.names) or (name,)), how == "tls1.1")
        with self._lock:
            context = self._contexts.get(key)
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            if key[2]:
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.load_cert_chain(self._pki.leaf(key[1], key[0]), self._pki.key)
            with self._lock:
                self._contexts[key] = context
        return context

    def _serve(self, raw):
        names = []

        def on_name(sock, name, _context):
            names.append(name or "")
            host = self.hosts.get(name)
            if host is not None and host.how == "alert":
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            sock.context = self._context(name or "nobody.test")
            return None

        # The name is known only in the handshake: a context in between looks at it.
        first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        first.sni_callback = on_name
        first.set_ciphers("ALL:@SECLEVEL=0")
        first.verify_mode = ssl.CERT_OPTIONAL
        raw.settimeout(120)
        try:
            hello = raw.recv(4096, socket.MSG_PEEK)
            if any(h.how == "tls1.1" and name.encode() in hello
                   for name, h in list(self.hosts.items())):
                first.minimum_version = ssl.TLSVersion.TLSv1
                first.maximum_version = ssl.TLSVersion.TLSv1_1
            with raw, first.wrap_socket(raw, server_side=True) as sock:
                with self._lock:
                    self.hellos[names[0] if names else ""].append(hello)
                    self.client_certificates += sock.getpeercert(True) is not None
                self._talk(sock, names[0] if names else "")
        except OSError:
            pass  # ssl.SSLError too: visitors leave as they like

    def _talk(self, sock, name):
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(4096)
            if not more:
                return
            head += more
        host = self.hosts.get(name)
        with self._lock:
            self.asked[name] += 1
            self.heads[name] = head.decode("latin-1")
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if host is None or not head.startswith(b"GET " + PATH.encode() + b" "):
                sock.sendall(response(b"nothing here\n", status="404 Not Found"))
                return
            if host.gate is not None:
                host.gate.wait(120)
            HOWS[host.how](sock, host)
        finally:
            with self._lock:
                self._at_once -= 1
