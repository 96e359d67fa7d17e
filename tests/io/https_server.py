#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An HTTPS server that misbehaves as told, by the name that the client asks for (SNI).

    https_server.py [--until-eof] BEHAVIOURS.json DIRECTORY

prints "listening ADDRESS:PORT" for each listener, then "ready". It makes a CA in DIRECTORY
(to be trusted: DIRECTORY/ca.pem) and the certificates it needs. The file:

    { "listen": ["127.0.0.1:0", ...],   all on one port where the port is 0
      "log": "requests",                in DIRECTORY: one JSON object a request
      "names": { "mta-sts.example.org": BEHAVIOUR,
                 "mta-sts.example.org@127.0.0.4": BEHAVIOUR,  for one listener
                 "*": BEHAVIOUR } }

It is read again whenever it has changed. A BEHAVIOUR has any of:

    hello    before the handshake: "silence", "close", "reset", "alert", "plain" (answers
             the ClientHello in HTTP), or a number of seconds to wait
    tls      the only version spoken: "1.1", "1.2", "1.3"
    cert     for ca.issue(): {"dns": [...], "cn": ..., "days": [-10, -1], "eku": ...,
             "own": true, "ca": "other"}; or {"file": ..., "key": ...}. Default: the name
    wait     seconds before the response
    before   sent before the response, such as another one
    status, reason, type, headers: of the response; type null: no Content-Type
    body, or lines and size: a policy of exactly that many bytes
    framing  "length" (default), "chunked", "none"
    length   a Content-Length that lies
    cut      so many bytes of the body, then the connection is closed
    drip     seconds between the bytes of the body
    abrupt   true: closed without a TLS goodbye
    raw      sent instead of all that
    endless  sent again and again, after "before"
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
import warnings

import ca

POLICY = "version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 86400\n"
ENDLESS_SECONDS = 20


def sni_of(hello):
    """The server name in a TLS ClientHello, or None while it is not all there."""
    try:
        if hello[0] != 0x16:
            return ""
        if len(hello) < 5 + struct.unpack("!H", hello[3:5])[0]:
            return None
        at = 43
        at += 1 + hello[at]
        at += 2 + struct.unpack("!H", hello[at:at + 2])[0]
        at += 1 + hello[at]
        end = at + 2 + struct.unpack("!H", hello[at:at + 2])[0]
        at += 2
        while at < end:
            kind, size = struct.unpack("!HH", hello[at:at + 4])
            if kind == 0:
                return hello[at + 9:at + 4 + size].decode("ascii", "replace").lower()
            at += 4 + size
        return ""
    except (IndexError, struct.error):
        return None


def peek_name(connection):
    connection.settimeout(10)
    for _ in range(100):
        hello = connection.recv(16384, socket.MSG_PEEK)
        if not hello:
            return ""
        name = sni_of(hello)
        if name is not None:
            return name
        time.sleep(0.01)
    return ""


class Server:
    def __init__(self, config, directory):
        self.path = config
        self.dir = directory
        self.lock = threading.Lock()
        self.cas = {}
        self.contexts = {}
        self.read = None
        self.config = None
        self.load()
        self.issuer("ca")
        for name in self.config["names"]:
            behaviour = self.config["names"][name]
            if name != "*" and behaviour.get("hello") in (None, "alert"):
                self.context(name.split("@")[0], behaviour)

    def load(self):
        stamp = os.stat(self.path).st_mtime_ns
        if stamp != self.read:
            with open(self.path) as f:
                self.config = json.load(f)
            self.read = stamp

    def behaviour(self, name, address):
        with self.lock:
            self.load()
            names = self.config["names"]
            for key in (f"{name}@{address}", name, "*"):
                if key in names:
                    return names[key]
        return {"hello": "alert"}

    def issuer(self, name):
        if name not in self.cas:
            self.cas[name] = ca.CA(self.dir, name)
        return self.cas[name]

    def certificate(self, name, wanted):
        if "file" in wanted:
            return wanted["file"], wanted.get("key", wanted["file"])
        wanted = dict(wanted)
        issuer = self.issuer(wanted.pop("ca", "ca"))
        wanted.setdefault("dns", [name])
        return issuer.issue(name, **wanted)

    def context(self, name, behaviour):
        wanted = behaviour.get("cert", self.config.get("cert", {}))
        key = json.dumps([name if not wanted.get("dns") else "", wanted, behaviour.get("tls")])
        with self.lock:
            if key not in self.contexts:
                c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                c.load_cert_chain(*self.certificate(name, wanted))
                if "tls" in behaviour:
                    c.set_ciphers("ALL:@SECLEVEL=0")
                    version = getattr(ssl.TLSVersion, "TLSv" + behaviour["tls"].replace(".", "_"))
                    c.minimum_version = version
                    c.maximum_version = version
                self.contexts[key] = c
            return self.contexts[key]

    def note(self, name, address, request):
        if "log" not in self.config:
            return
        line = json.dumps({"time": time.time(), "name": name, "address": address,
                           "request": request.decode("latin-1").split("\r\n")})
        with self.lock, open(os.path.join(self.dir, self.config["log"]), "a") as f:
            f.write(line + "\n")

    def serve(self, connection, address):
        try:
            name = peek_name(connection)
            behaviour = self.behaviour(name, address)
            if before_handshake(connection, behaviour.get("hello")):
                context = self.context(name, behaviour)
                with context.wrap_socket(connection, server_side=True) as tls:
                    request = read_request(tls)
                    self.note(name, address, request)
                    respond(tls, behaviour)
        except (OSError, ssl.SSLError):
            pass  # the client's right
        finally:
            connection.close()


def before_handshake(connection, hello):
    """Does what is to be done instead of a handshake; True if there is to be one."""
    if hello is None:
        return True
    if isinstance(hello, (int, float)):
        time.sleep(hello)
        return True
    if hello == "silence":
        connection.settimeout(60)
        connection.recv(65536)
        while connection.recv(65536):
            pass
    elif hello == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif hello == "alert":
        connection.recv(65536)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal handshake_failure
        connection.shutdown(socket.SHUT_WR)
    elif hello == "plain":
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
    return False


def read_request(tls):
    request = b""
    while b"\r\n\r\n" not in request and len(request) < 65536:
        part = tls.recv(4096)
        if not part:
            break
        request += part
    return request


def body_of(b):
    body = b.get("body", POLICY)
    if "size" in b:
        body = POLICY
        while len(body) < b["size"]:
            body += "x" * min(63, b["size"] - len(body) - 1) + "\n"
    return body.encode("latin-1")


def headers_of(b, body):
    lines = [f"HTTP/1.1 {b.get('status', 200)} {b.get('reason', 'As told')}"]
    kind = b.get("type", "text/plain")
    if kind is not None:
        lines.append("Content-Type: " + kind)
    lines += b.get("headers", [])
    framing = b.get("framing", "length")
    if framing == "length":
        lines.append(f"Content-Length: {b.get('length', len(body))}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def respond(tls, b):
    time.sleep(b.get("wait", 0))
    if "before" in b:
        tls.sendall(b["before"].encode("latin-1"))
    if "endless" in b:
        until = time.monotonic() + ENDLESS_SECONDS
        while time.monotonic() < until:
            tls.sendall(b["endless"].encode("latin-1") * 64)
        return
    if "raw" in b:
        tls.sendall(b["raw"].encode("latin-1"))
    else:
        body = body_of(b)
        tls.sendall(headers_of(b, body))
        send_body(tls, b, body)
    if not b.get("abrupt"):
        tls.unwrap()


def send_body(tls, b, body):
    body = body[:b.get("cut", len(body))]
    if "drip" in b:
        for byte in body:
            tls.sendall(bytes([byte]))
            time.sleep(b["drip"])
    elif b.get("framing") == "chunked":
        for at in range(0, len(body), 1000):
            part = body[at:at + 1000]
            tls.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        if "cut" not in b:
            tls.sendall(b"0\r\n\r\n")
    else:
        tls.sendall(body)


def listen(where):
    """The listeners; a port of 0 becomes the same one for all of them."""
    out = []
    port = 0
    for address in where:
        host, _, wanted = address.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, int(wanted) or port))
        port = s.getsockname()[1]
        s.listen(128)
        print(f"listening {host}:{port}", flush=True)
        out.append((s, host))
    return out


def accept(server, listener, host):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=server.serve, args=(connection, host), daemon=True).start()


def main():
    arguments = [a for a in sys.argv[1:] if a != "--until-eof"]
    server = Server(*arguments)
    for listener, host in listen(server.config["listen"]):
        threading.Thread(target=accept, args=(server, listener, host), daemon=True).start()
    print("ready", flush=True)
    if "--until-eof" in sys.argv:
        sys.stdin.read()
    else:
        threading.Event().wait()


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # old TLS is what we are here for
    main()
