"""One row per run of a model: what it cost, on what device, how it ended.

Every figure shown anywhere is computed from these rows, and from their sums in `slots.py`.
"""

import logging
import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any

from pydantic import AwareDatetime, Field
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    insert,
    select,
)

from .database import Database, Stored, UtcTime, metadata
from .errors import StorageFailed
from .schema import JSON, Frozen, new_id, now
from .slots import SLOT, SUMS, Totals, between, by, include, slot_of, slots, store, totals

logger = logging.getLogger(__name__)
Key = tuple[str, str]  # ("model", its id) or ("task", its name)
Percentiles = tuple[float | None, float | None, float | None]
PERCENTILE_RUNS = 1000  # latencies are told from so many of the newest good runs
PERCENTILE_MODELS = 200  # `stats()` tells the latencies of so many models, those used last
GATHERED = 0.05  # seconds in which runs are gathered into one transaction
MOST_NOTED = 10_000  # while the disk is full, so many runs are kept in memory
MOST_FAILURES = 100  # kinds of failures, and single ones, that are told at once

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", Text, nullable=False),
    Column("task", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("dtype", String(32), nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("queue_ms", Float, nullable=False),
    Column("load_ms", Float, nullable=False),
    Column("first_token_ms", Float),
    Column("decode_ms", Float, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("memory_peak", BigInteger),
    Column("error", String(64)),
    Column("finish_reason", String(32)),
    Column("cached", Boolean, nullable=False),
    Index("runs_by_task", "task", "started_at"),
    Index("runs_by_time", "started_at"),
)
# It has all that latencies need, so the rows themselves are not looked up.
by_model = Index("runs_figures", runs.c.model, runs.c.started_at, runs.c.error, runs.c.total_ms)
failed = runs.c.error.is_not(None)
by_failure = Index("runs_failures", runs.c.started_at, sqlite_where=failed, postgresql_where=failed)


class Run(Frozen):
    """What one run of a model cost; durations in milliseconds, memory in bytes."""

    id: str = Field(default_factory=new_id)
    model: str
    task: str
    device: str = "cpu"
    dtype: str = ""
    started_at: AwareDatetime
    queue_ms: float = 0.0
    load_ms: float = 0.0
    first_token_ms: float | None = None
    decode_ms: float = 0.0
    total_ms: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    memory_peak: int | None = None
    error: str | None = Field(default=None, description="The code of the error it ended with.")
    finish_reason: str | None = None
    cached: bool = False


class Records(Stored):
    """All runs; safe to use from any thread. Methods raise `StorageFailed`.

    Figures are those of all runs that were added or noted before they are asked for.
    """

    def __init__(self, database: str | Database) -> None:
        """Open a database by URL, or use one that is open; then `close()` leaves it open."""
        super().__init__(database)
        self._noted: deque[Run] = deque(maxlen=MOST_NOTED)
        self._writing = Lock()
        self._wake = Event()
        self._writer: Thread | None = None
        self._totals: Totals | None = None
        self._known: dict[Key, Percentiles] = {}
        self._changes: Counter[Key] = Counter()
        self.written = 0
        """How many runs were written since this was opened: figures are as they were while it is."""
        with self._database.write() as connection:
            for index in (by_model, by_failure):
                index.create(connection, checkfirst=True)
            _catch_up(connection)

    def close(self) -> None:
        """Write what was noted, and close the database if it was opened here."""
        writer, self._writer = self._writer, None
        self._wake.set()
        if writer is not None:
            writer.join()
        self.settle()
        super().close()

    def add(self, run: Run) -> None:
        """Keep a run: it is on disk when this returns."""
        self._noted.append(run)
        self.flush()

    def note(self, run: Run) -> None:
        """Keep a run soon, together with others of this moment; never waits, and never raises."""
        self._noted.append(run)
        if self._writer is None:
            self._writer = Thread(target=self._write_along, name="records", daemon=True)
            self._writer.start()
        self._wake.set()

    def flush(self) -> None:
        """Write what was noted; it stays noted when that fails."""
        with self._writing:
            new = [self._noted.popleft() for _ in range(len(self._noted))]
            if not new:
                return
            rows = [run.model_dump() for run in new]
            try:
                self._store(rows)
            except StorageFailed:
                self._noted.extendleft(reversed(new))
                raise
            if self._totals is not None:
                include(self._totals, rows)
            self.written += len(new)
            for key in {key for run in new for key in (("model", run.model), ("task", run.task))}:
                self._changes[key] += 1
                self._known.pop(key, None)

    def recent(self, limit: int = 100) -> list[Run]:
        """The newest runs, the newest first."""
        self.settle()
        with self._database.read() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.started_at.desc()).limit(limit))
            return [Run(**row) for row in rows.mappings()]

    def stats(self, window: timedelta | None = None) -> JSON:
        """The figures of every model and every task, of the time from `window` ago until now.

        Counts of a window begin with the slot of five minutes that it begins in. Latencies are told of
        the models that were used last; those of others are None.
        """
        sums = self._since(now() - window) if window else self._all()
        groups = {"model": by(sums, 0), "task": by(sums, 1)}
        return {
            f"{group}s": {
                name: _figures(total, self._latencies((group, name), window, told=number < PERCENTILE_MODELS))
                for number, (name, total) in enumerate(found.items())
            }
            for group, found in groups.items()
        }

    def metrics(self, model_id: str) -> JSON:
        """The figures of one model; zeros and None where it has not run."""
        return self.figures([model_id])[model_id]

    def figures(self, model_ids: Iterable[str]) -> dict[str, JSON]:
        """The figures of some models: those that did not run meanwhile are remembered."""
        found = by(self._all(), 0)
        return {
            id: _figures(found[id], self._latencies(("model", id))) if id in found else NONE
            for id in model_ids
        }

    def series(self, window: timedelta, points: int) -> list[JSON]:
        """What happened from `window` ago until now, in `points` steps, the oldest first.

        Each has `at` (its beginning), `requests`, `errors`, `cached`, `tokens` (new ones), `latency_ms` (the
        mean of good runs) and `tokens_per_second`. Steps are whole slots of five minutes: a short window
        has fewer.
        """
        self.settle()
        width = max(1, math.ceil(window / SLOT / points)) * SLOT
        start = slot_of(now()) + SLOT - width * min(points, math.ceil(window / width))
        steps = [dict.fromkeys(SUMS, 0) for _ in range(min(points, math.ceil(window / width)))]
        with self._database.read() as connection:
            for slot in between(connection, start):
                step = steps[min(len(steps) - 1, (slot["started_at"] - start) // width)]
                for name in SUMS:
                    step[name] += slot[name]
        return [_point(start + number * width, step) for number, step in enumerate(steps)]

    def failures(self, window: timedelta, newest: int = 20) -> JSON:
        """What went wrong from `window` ago until now: how often which error came of what, and the newest.

        `kinds` are sorted by their number, `newest` by time; both are cut at `MOST_FAILURES`.
        """
        self.settle()
        since = (failed, runs.c.started_at >= slot_of(now() - window))
        number, last = (
            func.count().label("count"),
            func.max(runs.c.started_at, type_=UtcTime).label("last_at"),
        )
        what = (runs.c.error, runs.c.model, runs.c.task)
        kinds = select(*what, number, last).where(*since).group_by(*what).order_by(number.desc())
        single = select(*what, runs.c.started_at, runs.c.total_ms).where(*since)
        single = single.order_by(runs.c.started_at.desc()).limit(min(newest, MOST_FAILURES))
        with self._database.read() as connection:
            found = {
                "kinds": connection.execute(kinds.limit(MOST_FAILURES)).mappings().all(),
                "newest": connection.execute(single).mappings().all(),
            }
        return {name: [_told(row) for row in rows] for name, rows in found.items()}

    def paces(self, model_ids: Iterable[str], task: str) -> dict[str, tuple[float, int]]:
        """How long models take for a task once they are loaded and have their turn: median (ms), runs.

        Of the newest good runs, without those whose answer was kept from before; models that have none are
        left out.
        """
        self.settle()
        own = runs.c.total_ms - runs.c.load_ms - runs.c.queue_ms
        good = select(own).where(runs.c.task == task, runs.c.error.is_(None), runs.c.cached.is_(False))
        newest = good.order_by(runs.c.started_at.desc()).limit(PERCENTILE_RUNS)
        found: dict[str, tuple[float, int]] = {}
        with self._database.read() as connection:
            for id in model_ids:
                if times := list(connection.scalars(newest.where(runs.c.model == id))):
                    found[id] = (statistics.median(times), len(times))
        return found

    def _all(self) -> Totals:
        """The sums of all runs: read once, then kept up to date in memory."""
        self.settle()
        with self._writing:
            if self._totals is None:
                with self._database.read() as connection:
                    self._totals = totals(connection)
            return dict(self._totals)

    def _since(self, moment: datetime) -> Totals:
        self.settle()
        with self._database.read() as connection:
            return totals(connection, slots.c.started_at >= slot_of(moment))

    def _latencies(self, key: Key, window: timedelta | None = None, *, told: bool = True) -> Percentiles:
        """The percentiles of the newest good runs of a model or task."""
        if not told:
            return None, None, None
        if window is None and (known := self._known.get(key)):
            return known
        before = self._changes[key]
        conditions = [runs.c[key[0]] == key[1], *([runs.c.started_at >= now() - window] if window else [])]
        with self._database.read() as connection:
            found = percentiles(_newest_latencies(connection, *conditions))
        if window is None and self._changes[key] == before:
            self._known[key] = found
        return found

    def _store(self, rows: list[JSON]) -> None:
        with self._database.write() as connection:
            connection.execute(insert(runs), rows)
            store(connection, rows)

    def settle(self) -> None:
        """Write what was noted before reading; what cannot be written now is written later."""
        try:
            self.flush()
        except StorageFailed as error:
            logger.warning("Runs could not be recorded yet: %s", error.detail)

    def _write_along(self) -> None:
        while self._writer is not None:
            self._wake.wait()
            self._wake.clear()
            time.sleep(GATHERED)  # a run's cost need not compete with the next run
            self.settle()


def _catch_up(connection: Connection) -> None:
    """Add up the runs of a database from before there were slots."""
    if connection.scalar(select(slots.c.model).limit(1)) is not None:
        return
    found = connection.execution_options(yield_per=10_000).execute(select(runs))
    for part in found.mappings().partitions():
        store(connection, part)


def _newest_latencies(connection: Connection, *conditions: ColumnElement[bool]) -> list[float]:
    newest = select(runs.c.total_ms).where(runs.c.error.is_(None), *conditions)
    return list(connection.scalars(newest.order_by(runs.c.started_at.desc()).limit(PERCENTILE_RUNS)))


def _speed(total: JSON) -> float | None:
    tokens, spent = total["timed_tokens"], total["timed_ms"]
    return tokens / spent * 1000 if tokens and spent else None


def _figures(total: JSON, latencies: Percentiles) -> JSON:
    p50, p95, p99 = latencies
    last_used = total.get("last_used_at")
    return {
        "requests": total["requests"],
        "errors": total["errors"],
        "cached": total["cached"],
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
        "latency_ms_p99": p99,
        "tokens_per_second": _speed(total),
        "accuracy": None,
        "last_used_at": last_used.isoformat() if last_used else None,
    }


def _told(row: Mapping[Any, Any]) -> JSON:
    return {str(name): v.isoformat() if isinstance(v, datetime) else v for name, v in row.items()}


def _point(at: datetime, step: JSON) -> JSON:
    good = step["requests"] - step["errors"]
    return {
        "at": at.isoformat(),
        "requests": step["requests"],
        "errors": step["errors"],
        "cached": step["cached"],
        "tokens": step["new_tokens"],
        "latency_ms": step["good_ms"] / good if good else None,
        "tokens_per_second": _speed(step),
    }


def percentiles(values: Iterable[float]) -> Percentiles:
    """The 50th, 95th and 99th percentile, interpolated between neighbours; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None, None, None
    if len(ordered) == 1:
        return ordered[0], ordered[0], ordered[0]
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


NONE = _figures(dict.fromkeys(SUMS, 0), (None, None, None))
