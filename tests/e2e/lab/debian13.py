# SPDX-License-Identifier: MIT
"""A Postfix 3.10, out of the Debian 13 tree that tests/debian makes: by chroot, so that it
shares our network."""
import os
import subprocess

from . import namespace

TREE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../build/debian13")
ROOT = namespace.HOME + "/debian13"


def missing():
    """Why there is none, or None."""
    if not os.path.exists(TREE + "/usr/sbin/postfix"):
        return "no Debian 13 tree with a Postfix; tests/debian 13 postfix makes one"
    return None


def enter():
    """Mounts it, once: the root to start a Postfix in, which finds /run where we do."""
    if os.path.ismount(ROOT):
        return ROOT
    os.mkdir(ROOT)
    # The checkout may lie where no program may be run.
    for words in (["--bind", TREE, ROOT], ["-o", "remount,bind,dev,suid,exec", ROOT],
                  ["--bind", "/run", ROOT + "/run"], ["--rbind", "/dev", ROOT + "/dev"],
                  ["-t", "proc", "proc", ROOT + "/proc"]):
        subprocess.run(["mount", *words], check=True)
    return ROOT
