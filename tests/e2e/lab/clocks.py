# SPDX-License-Identifier: MIT
"""Clocks that a test sets, of programs that were linked for that (tests/fault/clock.c)."""
import contextlib
import mmap
import os
import struct
import subprocess
import time
import uuid

from . import daemon
from .cases import Skip

PAGE = struct.Struct("=4q")  # clock.c
BOOT_ID = "/proc/sys/kernel/random/boot_id"
YEAR = 365.25 * 86400


class Clocks:
    """Seconds that each clock is ahead of the machine's."""

    def __init__(self, world):
        linked = world.build + "/tests/fault/bin"
        if not os.path.exists(linked + "/stsd-resolver"):
            raise Skip("the programs whose clocks can be set are not built")
        self.programs = daemon.copy_programs(linked, world.new_folder("clocks") + "/bin")
        with open(self.programs + "/clock.page", "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        os.chmod(file.name, 0o666)
        self._wall = self._boot = self._monotonic = self._stopped = 0.0
        self.passed = 0  # seconds of stsd's clock

    def _write(self):
        self._page[:PAGE.size] = PAGE.pack(*(round(seconds * 1000) for seconds in (
            self._wall, self._boot, self._monotonic, self._stopped)))

    def set_wall(self, seconds):
        """Only the wall clock jumps, to so far from the right time."""
        self._wall = seconds
        self._write()

    def set_wall_to(self, when):
        """Seconds since 1970."""
        self.set_wall(when - time.time())

    def pass_time(self, seconds):
        """On all clocks."""
        self._wall += seconds
        self._boot += seconds
        self._monotonic += seconds
        self.passed += seconds
        self._write()

    def stop(self):
        """stsd's clock stands still, in the middle of a second."""
        self._stopped = int(time.clock_gettime(time.CLOCK_BOOTTIME) + self._boot) + 0.5
        self._write()

    def suspend(self, seconds):
        """The machine slept: what counts running time alone does not know."""
        self._wall += seconds
        self._boot += seconds
        self.passed += seconds
        self._write()

    @contextlib.contextmanager
    def rebooted(self):
        """The boot clock begins again, and the boot has another name."""
        path = self.programs + "/boot_id"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
        subprocess.run(["mount", "--bind", path, BOOT_ID], check=True)
        self._boot = 30 - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._write()
        try:
            yield
        finally:
            subprocess.run(["umount", BOOT_ID], check=True)
