# SPDX-License-Identifier: MIT
"""Mail hosts: an SMTP server with STARTTLS whose certificate depends on its address."""
import socket
import ssl
import threading


class Manners:
    """What a host does otherwise than others. nameless: the names of the certificate for
    those who do not say whom they want."""

    # pylint: disable=too-many-arguments
    def __init__(self, greeting="220 mail host", starttls="220 go on", outdated=False,
                 nameless=None, extensions=()):
        self.greeting = greeting
        self.starttls = starttls
        self.outdated = outdated
        self.nameless = nameless
        self.extensions = list(extensions)


class Smtp:
    def __init__(self, pki, port=25):
        self.mail = []  # (address, recipient, under TLS?)
        self.heard = []  # (address, verb)
        self._pki = pki
        self._port = port
        self._lock = threading.Lock()

    # pylint: disable=too-many-arguments
    def listen(self, address, names, kind="good", starttls=True, port=None, gate=None,
               manners=None):
        """gate: an event; nobody is greeted before."""
        manners = manners or Manners()
        context = self._context(names, kind, manners) if starttls else None
        listener = socket.create_server((address, port or self._port))
        threading.Thread(target=self._accept, daemon=True,
                         args=(listener, address, context, gate, manners)).start()

    def _context(self, names, kind, manners):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki.leaf(names, kind), self._pki.key)
        if manners.outdated:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        if manners.nameless:
            named, nameless = context, self._context(manners.nameless, kind, Manners())

            def on_name(sock, name, _context):
                if name:
                    sock.context = named
            nameless.sni_callback = on_name
            return nameless
        return context

    def verbs(self, address):
        """What was said there, in order: words in upper case."""
        with self._lock:
            return [verb for at, verb in self.heard if at == address]

    def received(self, recipient):
        with self._lock:
            return [mail for mail in self.mail if mail[1] == recipient]

    # pylint: disable=too-many-arguments
    def _accept(self, listener, address, context, gate, manners):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self._serve, daemon=True,
                             args=(sock, address, context, gate, manners)).start()

    # pylint: disable=too-many-arguments
    def _serve(self, sock, address, context, gate, manners):
        sock.settimeout(60)
        try:
            if gate:
                gate.wait(60)
            self._session(sock, address, context, manners)
        except OSError:
            pass  # a client that does not like our certificate just leaves
        finally:
            sock.close()

    def _session(self, sock, address, context, manners):
        secured, recipients = False, []
        stream = sock.makefile("rwb")

        def say(*lines):
            stream.write(b"".join(line.encode() + b"\r\n" for line in lines))
            stream.flush()

        say(manners.greeting)
        while line := stream.readline():
            words = line.decode("latin-1").strip()
            verb = words.split(" ")[0].upper()
            with self._lock:
                self.heard.append((address, verb))
            if verb == "EHLO":
                offers = ["mail host"] + ["STARTTLS"] * bool(context and not secured)
                offers += manners.extensions if secured else []
                say(*["250-" + offer for offer in offers[:-1]], "250 " + offers[-1])
            elif verb == "STARTTLS" and context and not secured:
                say(manners.starttls)
                if not manners.starttls.startswith("220 "):
                    continue
                sock = context.wrap_socket(sock, server_side=True)
                stream, secured = sock.makefile("rwb"), True
            elif verb == "RCPT":
                recipients.append(words[words.index("<") + 1:words.index(">")])
                say("250 yes")
            elif verb == "DATA":
                say("354 go on")
                while stream.readline() not in (b".\r\n", b""):
                    pass
                with self._lock:
                    self.mail += [(address, recipient, secured) for recipient in recipients]
                say("250 kept")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("250 yes")
