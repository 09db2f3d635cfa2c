"""How work on a clip goes: frames a second, time left, and how many frames one step may hold."""

import time
from collections.abc import Callable
from typing import TypeVar

from ..events import Progress

LONG_STEP = 0.1
"""Seconds that a step may take: so long others wait for their turn, and a stop goes unseen."""
SEVERAL = 3
Found = TypeVar("Found")


class Pace:
    """Counts frames of a clip against the clock; `total` is what the header promises.

    `batch` is how many fit into one step.
    """

    def __init__(self, total: int, most: int = 16) -> None:
        self.done = 0
        self.batch = 1
        self._long = 0
        self._total = max(1, total)
        self._most = most
        self._began = time.monotonic()

    def took(self, frames: int, seconds: float) -> None:
        """Note how long a step with so many frames was: `batch` grows while steps are short.

        One long step may be another program's doing; several in a row make `batch` smaller.
        """
        self._long = self._long + 1 if seconds > LONG_STEP else 0
        if self._long == SEVERAL:
            self._long, self.batch = 0, max(1, self.batch // 2)
        elif seconds < LONG_STEP / 2 and frames >= self.batch:
            self.batch = min(self._most, 2 * self.batch)

    def timed(self, frames: int, work: Callable[[], Found]) -> Found:
        """What a step with so many frames finds; how long it was is noted."""
        began = time.monotonic()
        found = work()
        self.took(frames, time.monotonic() - began)
        return found

    def progress(self, frames: int = 0) -> Progress:
        """So many frames more are done."""
        self.done += frames
        self._total = max(self._total, self.done)
        return self._told(self.done / self._total)

    def end(self) -> Progress:
        """All are done, however many the header promised."""
        self._total = max(1, self.done)
        return self._told(1.0)

    def _told(self, fraction: float) -> Progress:
        seconds = time.monotonic() - self._began
        rate = self.done / seconds if seconds > 0 else 0.0
        left = (self._total - self.done) / rate if rate else 0.0
        detail = f"{rate:.1f} frames/s, {clock(left)} left" if self.done else ""
        return Progress(
            phase="working",
            fraction=min(1.0, fraction),
            detail=detail,
            done=self.done,
            total=self._total,
            unit="frames",
        )


def clock(seconds: float) -> str:
    """Seconds as people read them: `0:07`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
