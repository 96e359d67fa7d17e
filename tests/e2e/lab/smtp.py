# SPDX-License-Identifier: MIT
"""Mail hosts: an SMTP server with STARTTLS whose certificate depends on its address."""
import socket
import ssl
import threading


class Smtp:
    def __init__(self, pki, port=25):
        self.mail = []  # (address, recipient, under TLS?)
        self._pki = pki
        self._port = port
        self._lock = threading.Lock()

    # pylint: disable=too-many-arguments
    def listen(self, address, names, kind="good", starttls=True, port=None, gate=None):
        """gate: an event; nobody is greeted before."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki.leaf(names, kind), self._pki.key)
        listener = socket.create_server((address, port or self._port))
        threading.Thread(target=self._accept, daemon=True,
                         args=(listener, address, context if starttls else None,
                               gate)).start()

    def received(self, recipient):
        with self._lock:
            return [mail for mail in self.mail if mail[1] == recipient]

    def _accept(self, listener, address, context, gate):
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=self._serve, args=(sock, address, context, gate),
                             daemon=True).start()

    # pylint: disable=too-many-arguments
    def _serve(self, sock, address, context, gate):
        sock.settimeout(60)
        try:
            if gate:
                gate.wait(60)
            self._session(sock, address, context)
        except OSError:
            pass  # a client that does not like our certificate just leaves
        finally:
            sock.close()

    def _session(self, sock, address, context):
        secured, recipients = False, []
        stream = sock.makefile("rwb")

        def say(*lines):
            stream.write(b"".join(line.encode() + b"\r\n" for line in lines))
            stream.flush()

        say("220 mail host")
        while line := stream.readline():
            words = line.decode("latin-1").strip()
            verb = words.split(" ")[0].upper()
            if verb == "EHLO":
                say(*(["250-mail host", "250 STARTTLS"] if context and not secured
                      else ["250 mail host"]))
            elif verb == "STARTTLS" and context and not secured:
                say("220 go on")
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
