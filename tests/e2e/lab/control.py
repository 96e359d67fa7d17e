# SPDX-License-Identifier: MIT
"""The control socket: stsd-query on this side of it, or bytes by hand."""
import base64
import os
import socket
import threading
import time

from . import daemon

NOBODY = 65534


def daemon_with_socket(world, **settings):
    """One that is not yet started. It has its socket in its own folder."""
    made = world.stsd(**settings)
    made.settings["control_socket"] = made.folder + "/control"
    made.write_config()
    return made


def tell(stsd, *words, uid=0, groups=(), **more):
    """Runs stsd-query with the daemon's own settings."""
    command = [stsd.programs + "/stsd-query", "-c", stsd.config_file, *words]
    if uid:
        wrapper = ["setpriv", f"--reuid={uid}", f"--regid={uid}"]
        wrapper.append("--groups=" + ",".join(map(str, groups)) if groups else "--clear-groups")
        command = wrapper + command
    return daemon.run(command, **more)


def connect(stsd, seconds=30):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(seconds)
    sock.connect(stsd.settings["control_socket"])
    return sock


def say(stsd, data):
    """What comes back for these bytes until the other side closes, or a line is whole."""
    with connect(stsd) as sock:
        return exchange(sock, data)


def exchange(sock, data):
    got = b""
    try:
        sock.sendall(data)
        while not got.endswith(b"\n"):
            more = sock.recv(65536)
            if not more:
                break
            got += more
    except (BrokenPipeError, ConnectionResetError):
        pass
    return got


class Impostor:
    """Listens in the daemon's place and gives everybody the same line."""

    def __init__(self, path, line):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        self._path, self._line, self._kept = path, line, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._kept.append(sock)
            try:
                if self._line is not None:
                    sock.recv(65536)
                    sock.sendall(self._line)
            except OSError:
                pass  # it has heard enough

    def stop(self):
        self._listener.close()
        os.unlink(self._path)


# Policies as text.

def policy_text(domain, mode="enforce", max_age=604800):
    return f"version: STSv1\nmode: {mode}\nmx: mx.{domain}\nmax_age: {max_age}\n"


# pylint: disable=too-many-arguments
def line(domain, record_id="1", fetched=None, max_age=604800, asked=0, text=None):
    """One policy in an export; fetched: an hour ago."""
    fetched = int(time.time()) - 3600 if fetched is None else fetched
    body = base64.b64encode((text or policy_text(domain, max_age=max_age)).encode()).decode()
    return f"{domain}\t{record_id}\t{fetched}\t{max_age}\t{asked}\t{body}\n"


def exported(*lines):
    return "stsd-export 1\n" + "".join(lines) + f"end {len(lines)}\n"
