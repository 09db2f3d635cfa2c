"""How long a training may go on, by the clock or by steps, and how far it is."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """Minutes or steps granted; time spent before a restart counts."""

    minutes: float
    steps: int | None = None
    spent: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds trained so far, those before a restart included."""
        return self.spent + time.monotonic() - self._since

    def progress(self, step: int) -> float:
        """The share that is used up; 1 and above means the end."""
        return step / self.steps if self.steps is not None else self.seconds / (60 * self.minutes)

    def show(self, step: int, text: str) -> None:
        """One line of progress with the time left."""
        done = self.progress(step)
        left = self.seconds / max(done, 1e-6) * max(0.0, 1 - done)
        bar = "#" * int(24 * min(done, 1.0))
        end = "\r" if sys.stderr.isatty() else "\n"
        line = f"[{bar:<24}] {done:4.0%} {left / 60:5.1f} min left, step {step}: {text}"
        print(line, end=end, file=sys.stderr, flush=True)


def learning_rate(progress: float, step: int, warmup: int = 50, decay_from: float = 0.5) -> float:
    """The factor on the peak rate: a short rise, a plateau, then a straight line to nearly nothing."""
    rise = min(1.0, (step + 1) / warmup)
    fall = 1.0 if progress < decay_from else max(0.01, (1 - progress) / (1 - decay_from))
    return rise * fall
