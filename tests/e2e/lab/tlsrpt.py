# SPDX-License-Identifier: MIT
"""Who collects what Postfix reports about TLS (RFC 8460): one JSON object a datagram."""
import json
import os
import socket
import threading


# Kinds of policy and of failure, as libtlsrpt numbers them.
TLSA, STS, NO_POLICY = 1, 2, 9
NO_STARTTLS, MISMATCH, UNTRUSTED, EXPIRED, UNVALIDATED = range(201, 206)


class Collector:
    def __init__(self, path):
        self.reports = []
        self._lock = threading.Lock()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            report = json.loads(self._sock.recv(1 << 18))
            with self._lock:
                self.reports.append(report)

    def about(self, domain):
        """The last report about deliveries to a domain, or None."""
        with self._lock:
            found = [report for report in self.reports if report.get("d") == domain]
        return found[-1] if found else None
