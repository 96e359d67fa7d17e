#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mail servers that misbehave as told, each at a port of its own.

    smtp_server.py BEHAVIOURS.json DIRECTORY

prints "NAME PORT" for each server, then "ready", and ends with its standard input. It makes
a CA in DIRECTORY (to be trusted: DIRECTORY/ca.pem) and the certificates it needs; what
clients say goes to DIRECTORY/said, one JSON object a line. A BEHAVIOUR has any of:

    greeting, ehlo, starttls, again    the reply of that stage, without its last CR LF
    at       the stage of: "silent" (nothing more is said), "close", "reset", "endless"
             (its text again and again), "drip" (a byte each 0.2 s), and of
    do       which of these it is; at "handshake" also "plain" (answers the ClientHello in
             the clear), "alert"
    text     what "endless" sends
    inject   text behind the reply to STARTTLS, in the same segment
    end      what ends a line: default CR LF
    tls      the only version spoken: "1.0", "1.1", "1.2", "1.3"
    cert     for ca.issue(): {"dns": [...], "cn": ..., "days": [-10, -1], "own": true}; also
             "ca": "other" or "sub", and "with": files of DIRECTORY sent behind it;
             "bare": another one for those who send no SNI
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

HOST = "mx.smtp.test"
REPLIES = {
    "greeting": "220 " + HOST + " ESMTP",
    "ehlo": "250-" + HOST + "\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME",
    "starttls": "220 2.0.0 go ahead",
    "again": "250-" + HOST + "\r\n250-8BITMIME\r\n250 REQUIRETLS",
}
VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure
ENDLESS_SECONDS = 5


class Over(Exception):
    pass


class Authority:
    def __init__(self, directory):
        self.dir = directory
        self.made = {}
        self.root = ca.CA(directory)
        self.other = ca.CA(directory, "other")
        self.sub = self.intermediate()

    def intermediate(self):
        at = os.path.join(self.dir, "sub")
        with open(at + ".ext", "w") as f:
            f.write("basicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign\n"
                    "subjectKeyIdentifier = hash\n")
        ca.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                   "-nodes", "-config", self.root.config, "-keyout", at + ".key",
                   "-subj", "/CN=Test sub", "-out", at + ".csr")
        ca.openssl("x509", "-req", "-in", at + ".csr", "-CA", self.root.root, "-CAkey",
                   os.path.join(self.dir, "ca.key"), "-CAcreateserial", "-days", "30",
                   "-extfile", at + ".ext", "-out", at + ".pem")
        return ca.CA(self.dir, "sub")

    def chain(self, spec):
        """The files of a certificate chain, and of its key."""
        text = json.dumps(spec, sort_keys=True)
        if text in self.made:
            return self.made[text]
        issuer = {"other": self.other, "sub": self.sub}.get(spec.get("ca"), self.root)
        name = f"leaf{len(self.made)}"
        cert, key = issuer.issue(name, **{k: v for k, v in spec.items()
                                          if k in ("dns", "cn", "days", "own", "eku")})
        with open(cert, "a") as f:
            for more in spec.get("with", []):
                with open(os.path.join(self.dir, more)) as other:
                    f.write(other.read())
        self.made[text] = cert, key
        return cert, key

    def context(self, behaviour, spec):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if "tls" in behaviour:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = VERSIONS[behaviour["tls"]]
            context.maximum_version = VERSIONS[behaviour["tls"]]
        context.load_cert_chain(*self.chain(spec))
        return context


class Session:
    def __init__(self, name, behaviour, contexts, connection, log):
        self.name = name
        self.behaviour = behaviour
        self.context, self.bare = contexts
        self.socket = connection
        self.log = log
        self.waiting = b""
        self.sni = None

    def line(self):
        while b"\n" not in self.waiting:
            got = self.socket.recv(4096)
            if not got:
                raise Over
            self.waiting += got
        line, self.waiting = self.waiting.split(b"\n", 1)
        text = line.decode("latin-1").rstrip("\r")
        self.log({"server": self.name, "said": text, "tls": self.context is None,
                  "sni": self.sni})
        return text

    def misbehave(self, what):
        if what == "silent":
            while self.socket.recv(4096):
                pass
        elif what == "endless":
            end = time.monotonic() + ENDLESS_SECONDS
            text = self.behaviour["text"].encode("latin-1")
            if self.behaviour["at"] == "handshake":
                self.socket.recv(4096)
            while time.monotonic() < end:
                self.socket.sendall(text)
        elif what == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif what in ("plain", "alert"):
            self.socket.recv(4096)
            self.socket.sendall(ALERT if what == "alert" else b"503 5.5.1 bad sequence\r\n")
            time.sleep(0.1)
        raise Over

    def reply(self, stage):
        what = self.behaviour.get("do") if self.behaviour.get("at") == stage else None
        text = self.behaviour.get(stage, REPLIES[stage]).encode("latin-1")
        text += self.behaviour.get("end", "\r\n").encode()
        if stage == "starttls":
            text += self.behaviour.get("inject", "").encode()
        if what == "drip":
            for byte in text:
                self.socket.sendall(bytes([byte]))
                time.sleep(0.2)
        elif what is not None:
            self.misbehave(what)
        else:
            self.socket.sendall(text)
        return text

    def on_sni(self, tls, name, context):
        self.sni = name
        if name is None and self.bare is not None:
            tls.context = self.bare

    def encrypt(self):
        if self.behaviour.get("at") == "handshake":
            self.misbehave(self.behaviour["do"])
        self.context.sni_callback = self.on_sni
        self.socket = self.context.wrap_socket(self.socket, server_side=True)
        self.context = None
        self.waiting = b""

    def talk(self):
        self.reply("greeting")
        while True:
            verb = self.line().split(" ")[0].upper()
            if verb == "QUIT":
                self.socket.sendall(b"221 2.0.0 bye\r\n")
                return
            if verb == "EHLO":
                self.reply("ehlo" if self.context is not None else "again")
            elif verb == "STARTTLS" and self.context is not None:
                if self.reply("starttls").startswith(b"220"):
                    self.encrypt()
            else:
                self.socket.sendall(b"502 5.5.2 what?\r\n")

    def run(self):
        try:
            self.socket.settimeout(30)
            self.talk()
        except (Over, OSError):
            pass
        self.socket.close()


class Server:
    def __init__(self, name, behaviour, authority, log):
        self.name = name
        self.behaviour = behaviour
        self.authority = authority
        self.log = log
        spec = behaviour.get("cert", {"dns": [HOST]})
        authority.chain(spec)
        self.spec = spec
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        print(name, self.listener.getsockname()[1])

    def contexts(self):
        bare = self.spec.get("bare")
        return (self.authority.context(self.behaviour, self.spec),
                None if bare is None else self.authority.context(self.behaviour, bare))

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            session = Session(self.name, self.behaviour, self.contexts(), connection, self.log)
            threading.Thread(target=session.run, daemon=True).start()


def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    with open(sys.argv[1]) as f:
        behaviours = json.load(f)
    lock = threading.Lock()
    said = open(os.path.join(sys.argv[2], "said"), "a")

    def log(entry):
        with lock:
            said.write(json.dumps(entry) + "\n")
            said.flush()

    authority = Authority(sys.argv[2])
    for name, behaviour in behaviours.items():
        server = Server(name, behaviour, authority, log)
        threading.Thread(target=server.run, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
