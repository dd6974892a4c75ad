"""Waiting for conditions, never for a fixed time: tests and benchmarks of whole programs share it."""
import time

PAUSE_S = 0.02


def wait_for(condition, what, seconds=60):
    """The first true value of condition(); fails with `what` (a text, or a function that makes one)."""
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(PAUSE_S)
