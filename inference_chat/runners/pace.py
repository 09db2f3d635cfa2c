"""How work on a clip goes: frames a second, time left, and how many frames one step may hold."""

import time

from ..events import Progress

STEP_SECONDS = 0.08
"""A step is as long as others wait for their turn and a stop goes unseen."""
LATEST = 0.3
"""How much the newest measurement counts against those before."""


class Pace:
    """Counts frames of a clip against the clock; `total` is what the header promises."""

    def __init__(self, total: int, most: int = 16) -> None:
        self.done = 0
        self._total = max(1, total)
        self._most = most
        self._began = time.monotonic()
        self._each: float | None = None

    @property
    def batch(self) -> int:
        """Frames that fit into one step: one until it is known how long a frame takes."""
        if self._each is None:
            return 1
        return max(1, min(self._most, int(STEP_SECONDS / max(self._each, 1e-6))))

    def took(self, frames: int, seconds: float) -> None:
        """Note how long a step with so many frames was."""
        each = seconds / max(1, frames)
        self._each = each if self._each is None else self._each + LATEST * (each - self._each)

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
