"""One row per run of a model: what it cost, on what device, how it ended.

Every figure shown anywhere is computed from these rows.
"""

import statistics
from collections.abc import Iterable
from datetime import datetime, timedelta
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
    case,
    func,
    insert,
    select,
)

from .database import Database, UtcTime, metadata, open_database
from .schema import JSON, Frozen, new_id, now

PERCENTILE_RUNS = 1000  # latencies are told from so many of the newest good runs

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
    Index("runs_by_model", "model", "started_at"),
    Index("runs_by_task", "task", "started_at"),
    Index("runs_by_time", "started_at"),
)


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


class Records:
    """All runs; safe to use from any thread. Methods raise `StorageFailed`."""

    def __init__(self, database: str | Database) -> None:
        """Open a database by URL, or use one that is open; then `close()` leaves it open."""
        self._owned = isinstance(database, str)
        self._database = open_database(database) if isinstance(database, str) else database
        self.notices = self._database.notices

    def close(self) -> None:
        """Close the database if it was opened here."""
        if self._owned:
            self._database.close()

    def add(self, run: Run) -> None:
        """Keep a run."""
        with self._database.write() as connection:
            connection.execute(insert(runs).values(run.model_dump()))

    def recent(self, limit: int = 100) -> list[Run]:
        """The newest runs, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.started_at.desc()).limit(limit))
            return [Run(**row) for row in rows.mappings()]

    def stats(self, window: timedelta | None = None) -> JSON:
        """The figures of every model and every task, of the time from `window` ago until now."""
        since = _since(window)
        return {"models": self._figures("model", since), "tasks": self._figures("task", since)}

    def metrics(self, model_id: str) -> JSON:
        """The figures of one model; zeros and None where it has not run."""
        found = self._figures("model", None, only=model_id)
        return found.get(model_id) or _figures(0, 0, None, None, ())

    def _figures(self, group: str, since: datetime | None, only: str | None = None) -> dict[str, JSON]:
        key = runs.c[group]
        conditions: list[Any] = [runs.c.started_at >= since] if since else []
        conditions += [key == only] if only is not None else []
        with self._database.read() as connection:
            totals = connection.execute(_totals(key).where(*conditions)).all()
            latencies = {row[0]: _newest_latencies(connection, key == row[0], *conditions) for row in totals}
        return {
            name: _figures(requests, errors, _speed(tokens, decode_ms), last_used, latencies[name])
            for name, requests, errors, tokens, decode_ms, last_used in totals
        }


def _since(window: timedelta | None) -> datetime | None:
    return now() - window if window else None


def _totals(key: Any) -> Any:
    """Per group: requests, errors, tokens after the first, the time they took, and the last use."""
    timed = runs.c.error.is_(None) & runs.c.cached.is_(False) & (runs.c.completion_tokens > 1)
    return select(
        key,
        func.count(),
        func.count(runs.c.error),
        func.sum(case((timed, runs.c.completion_tokens - 1), else_=0)),
        func.sum(case((timed, runs.c.decode_ms), else_=0.0)),
        func.max(runs.c.started_at, type_=UtcTime),
    ).group_by(key)


def _newest_latencies(connection: Connection, *conditions: ColumnElement[bool]) -> list[float]:
    newest = select(runs.c.total_ms).where(runs.c.error.is_(None), *conditions)
    return list(connection.scalars(newest.order_by(runs.c.started_at.desc()).limit(PERCENTILE_RUNS)))


def _speed(tokens: int, decode_ms: float) -> float | None:
    return tokens / decode_ms * 1000 if tokens and decode_ms else None


def _figures(
    requests: int, errors: int, speed: float | None, last_used: datetime | None, latencies: Iterable[float]
) -> JSON:
    p50, p95, p99 = percentiles(latencies)
    return {
        "requests": requests,
        "errors": errors,
        "latency_ms_p50": p50,
        "latency_ms_p95": p95,
        "latency_ms_p99": p99,
        "tokens_per_second": speed,
        "accuracy": None,
        "last_used_at": last_used.isoformat() if last_used else None,
    }


def percentiles(values: Iterable[float]) -> tuple[float | None, float | None, float | None]:
    """The 50th, 95th and 99th percentile, interpolated between neighbours; None without values."""
    ordered = sorted(values)
    if not ordered:
        return None, None, None
    if len(ordered) == 1:
        return ordered[0], ordered[0], ordered[0]
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]
