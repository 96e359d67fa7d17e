# SPDX-License-Identifier: MIT
"""Waiting for events, never for time to pass."""
import time

STEP = 0.01  # seconds between two looks


class TooLate(AssertionError):
    pass


def until(look, what, seconds=10):
    """The first true value that look() returns."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise TooLate(f"after {seconds} s still not: {what}")
        time.sleep(STEP)
