"""How the server is doing over the last hour, day or week: everything that the dashboard shows.

What many pages ask for is computed once, and again only when something has run since, so that a dashboard
that is left open costs next to nothing.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from .evaluating.scoring import NAMES
from .evaluating.store import EvaluationStore
from .jobs import Jobs
from .pool import Pool
from .records import Records
from .schema import JSON, now
from .slots import SLOT, slot_of

Window = Literal["hour", "day", "week"]
WINDOWS: dict[Window, tuple[timedelta, int]] = {
    "hour": (timedelta(hours=1), 12),
    "day": (timedelta(days=1), 48),
    "week": (timedelta(days=7), 84),
}
"""How long each is, and in how many steps it is drawn."""
MOST_SCORES = 200  # versions whose accuracy is told
FRESH = 2.0  # seconds for which the same figures are shown while requests come in


@dataclass
class Kept:
    """The figures of a window, how many runs they are of, in which slot and when they were computed."""

    figures: JSON
    written: int
    slot: datetime
    at: float


class Overview:
    """The figures of a window of time, and of this moment; use it from one event loop."""

    def __init__(
        self,
        records: Records,
        scores: EvaluationStore,
        jobs: Jobs,
        pool: Pool,
        cache: Callable[[], JSON],
    ) -> None:
        self._records = records
        self._scores = scores
        self._jobs = jobs
        self._pool = pool
        self._cache = cache
        self._kept: dict[Window, Kept] = {}
        self._computing = asyncio.Lock()

    def now(self) -> JSON:
        """The queue, the memory of models and the cache at this moment."""
        running, waiting = self._jobs.counts
        return {
            "queue": {"running": running, "waiting": waiting},
            "memory": {"limit": self._pool.limit, "models": self._pool.memory()},
            "cache": self._cache(),
        }

    async def of(self, window: Window) -> JSON:
        """Figures of models and tasks, `totals`, a `series`, `failures`, `accuracy`, and those of `now`."""
        async with self._computing:
            kept = self._kept.get(window)
            if kept is None or self._stale(kept):
                kept = self._kept[window] = await asyncio.to_thread(self._computed, window)
        accuracy = await asyncio.to_thread(self._accuracy)
        return {**kept.figures, **self.now(), "accuracy": accuracy}

    def _stale(self, kept: Kept) -> bool:
        old = time.monotonic() - kept.at >= FRESH
        return old and (kept.written != self._records.written or kept.slot != slot_of(now()))

    def _accuracy(self) -> list[JSON]:
        """What versions were measured to be right about, the newest of each; kept in memory by the store."""
        return [
            {"model": one.model, "score": one.score, "measured_at": one.measured_at.isoformat()}
            | {"measure": NAMES.get(one.figures.get("measure", ""), "")}
            | {name: one.figures.get(name) for name in ("set", "rows")}
            for one in self._scores.measured()[:MOST_SCORES]
            if one.measured_at
        ]

    def _computed(self, window: Window) -> Kept:
        self._records.settle()
        written, slot = self._records.written, slot_of(now())  # what comes meanwhile is computed next time
        length, points = WINDOWS[window]
        measured = self._records.stats(length)
        series = self._records.series(length, points)
        step = max(SLOT, length / points)
        figures = {
            "window": window,
            "step_seconds": step.total_seconds(),
            **measured,
            "totals": {
                name: sum(one[name] for one in measured["tasks"].values())
                for name in ("requests", "errors", "cached")
            },
            "series": series,
            "failures": self._records.failures(length),
        }
        return Kept(figures, written, slot, time.monotonic())
