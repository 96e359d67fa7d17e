# SPDX-License-Identifier: MIT
"""The place where everything runs: network, mount and pid namespaces of our own.

Nothing that happens inside can be seen outside, and when the first process inside ends,
the kernel ends all others and forgets all files: /run is a tmpfs of this namespace, /etc
a copy on it. So the tests may use port 53, change resolv.conf and add users.
"""
import os
import shutil
import signal
import subprocess
import sys

INSIDE = "LAB_INSIDE"
HOME = "/run/lab"


class Unavailable(Exception):
    """This machine cannot do it; the message says what is missing."""


def _tool(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


def check(tools):
    """Could we enter? Returns the command that does."""
    if os.geteuid() != 0:
        raise Unavailable("not root: a network namespace cannot be made")
    for tool in tools:
        _tool(tool)
    unshare = [_tool("unshare"), "--net", "--mount", "--pid", "--fork", "--kill-child",
               "--mount-proc"]
    if subprocess.run(unshare + ["true"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Unavailable("unshare: this system lets us make no namespaces")
    return unshare


def enter(tools):
    """Runs this program again inside; returns only there."""
    if os.environ.get(INSIDE) == "1":
        _prepare()
        return
    unshare = check(tools)
    os.environ[INSIDE] = "1"
    os.execv(unshare[0], unshare + [sys.executable] + sys.argv)


def _interrupted(_signo, _frame):
    raise KeyboardInterrupt


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def _prepare():
    # The first process of a pid namespace gets no signal that it has no handler for.
    for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signo, _interrupted)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.umask(0o022)
    mount = ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]
    subprocess.run(mount, check=True)
    os.mkdir(HOME)
    shutil.copytree("/etc", HOME + "/etc", symlinks=True, ignore_dangling_symlinks=True)
    subprocess.run(["mount", "--bind", HOME + "/etc", "/etc"], check=True)
    write_atomically("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    write_atomically("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
                     "services: files\nprotocols: files\n")
    _add_user()
    add_addresses()


def _add_user():
    """The account that stsd takes on when it is started as root."""
    with open("/etc/passwd", "r+", encoding="utf-8") as passwd:
        if "\n_stsd:" in passwd.read():
            return
        passwd.write("_stsd:x:64461:64461::/nonexistent:/usr/sbin/nologin\n")
    with open("/etc/group", "a", encoding="utf-8") as group:
        group.write("_stsd:x:64461:\n")


def add_addresses():
    """All of 198.18.0.0/16 and 10.9.0.0/16 is this machine, so is 2001:2::11; what is sent
    to 198.19.0.0/16 and 2001:2:dead::/48 goes into a tunnel that nobody reads."""
    ip("link", "set", "lo", "up")
    ip("addr", "add", "198.18.0.1/16", "dev", "lo")
    ip("addr", "add", "10.9.0.1/16", "dev", "lo")
    try:
        ip("-6", "addr", "add", "2001:2::11/48", "dev", "lo", "nodad")
    except subprocess.CalledProcessError:
        pass  # no IPv6: has_ipv6() says so
    try:
        subprocess.run(["ip", "tuntap", "add", "dev", "nowhere", "mode", "tun"], check=True,
                       stderr=subprocess.DEVNULL)
        ip("link", "set", "nowhere", "up")
        ip("route", "add", "198.19.0.0/16", "dev", "nowhere")
        ip("-6", "route", "add", "2001:2:dead::/48", "dev", "nowhere")
    except subprocess.CalledProcessError:
        pass  # has_nowhere() says so


def reap():
    """Orphans come to the first process. Only while no child of ours is waited for."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass  # none is left


def has_ipv6():
    return os.path.exists("/proc/net/if_inet6")


def has_nowhere():
    return subprocess.run(["ip", "link", "show", "nowhere"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def write_atomically(path, text):
    with open(path + ".new", "w", encoding="utf-8") as new:
        new.write(text)
    os.replace(path + ".new", path)
