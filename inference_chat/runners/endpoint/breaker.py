"""A breaker: after some failures in a row, calls fail at once for a while (Nygard, Release It!, 2007)."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from ...errors import EndpointUnavailable

FAILURES: Final = 5
REST: Final = 30.0
"""Seconds without calls; then one tries, and the others wait for what comes of it."""


class Breaker:
    """Of one endpoint; safe to use from any thread."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._until = 0.0

    def check(self) -> None:
        """Raises `EndpointUnavailable` while it is open; the first call afterwards is let through."""
        with self._lock:
            left = self._until - self._clock()
            if self._failures < FAILURES:
                return
            if left <= 0:
                self._until = self._clock() + REST  # for the others, until the one that tries is back
                return
        raise EndpointUnavailable(
            f"{self._name} has failed {self._failures} times in a row, so its endpoint is left alone for "
            f"{left:.0f} s; then it is tried again. Choose another model meanwhile.",
            retry_after=max(1.0, left),
        )

    def good(self) -> None:
        with self._lock:
            self._failures = 0

    def bad(self) -> None:
        with self._lock:
            self._failures += 1
            self._until = self._clock() + REST
