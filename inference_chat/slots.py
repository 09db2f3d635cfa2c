"""What runs cost, added up in slots of five minutes for each model and task.

Figures over any time are then sums of few rows, however many runs there were. A slot is written in the
transaction that stores its runs, so both always agree.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    String,
    Table,
    Text,
    case,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from .database import UtcTime, metadata

SLOT = timedelta(minutes=5)
KEY = ("model", "task", "started_at")
SUMS = ("requests", "errors", "cached", "timed_tokens", "timed_ms", "good_ms", "prompt_tokens", "new_tokens")
Totals = dict[tuple[str, str], dict[str, Any]]
"""Model and task → sums."""
INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

slots = Table(
    "run_slots",
    metadata,
    Column("model", Text, primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("started_at", UtcTime, primary_key=True, index=True),
    Column("requests", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("cached", Integer, nullable=False),
    Column("timed_tokens", BigInteger, nullable=False),  # after the first, of runs that tell a speed
    Column("timed_ms", Float, nullable=False),  # and the time these took
    Column("good_ms", Float, nullable=False),  # whole time of runs that did not fail
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("new_tokens", BigInteger, nullable=False),
    Column("last_used_at", UtcTime, nullable=False),
)


def slot_of(moment: datetime) -> datetime:
    """When the slot begins that a moment is in."""
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(SLOT.total_seconds()), UTC)


def add_up(rows: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """The slots of runs, given with the fields of `Run`."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["model"], row["task"], slot_of(row["started_at"]))
        slot = found.setdefault(key, dict.fromkeys(SUMS, 0) | {"last_used_at": row["started_at"]})
        for name, value in _share(row).items():
            slot[name] += value
        slot["last_used_at"] = max(slot["last_used_at"], row["started_at"])
    return (dict(zip(KEY, key, strict=True)) | slot for key, slot in found.items())


def store(connection: Connection, rows: Iterable[Any]) -> None:
    """Add runs to their slots."""
    if not (new := list(add_up(rows))):
        return
    statement = INSERT[connection.dialect.name](slots)
    given = statement.excluded
    newer = case((given.last_used_at > slots.c.last_used_at, given.last_used_at), else_=slots.c.last_used_at)
    sums = {name: slots.c[name] + given[name] for name in SUMS}
    connection.execute(
        statement.on_conflict_do_update(index_elements=KEY, set_=sums | {"last_used_at": newer}), new
    )


def totals(connection: Connection, *conditions: ColumnElement[bool]) -> Totals:
    """The sums of each model and task."""
    sums = [func.sum(slots.c[name]).label(name) for name in SUMS]
    last = func.max(slots.c.last_used_at, type_=UtcTime).label("last_used_at")
    wanted = select(slots.c.model, slots.c.task, last, *sums).where(*conditions)
    found = connection.execute(wanted.group_by(slots.c.model, slots.c.task)).mappings()
    return {(row["model"], row["task"]): {**row} for row in found}


def include(known: Totals, rows: Iterable[Any]) -> None:
    """Add runs to sums that are known."""
    for slot in add_up(rows):
        known[slot["model"], slot["task"]] = both(known.get((slot["model"], slot["task"])), slot)


def by(known: Totals, place: int) -> dict[str, dict[str, Any]]:
    """The sums of each model (`place` 0) or task (1), the last used first."""
    found: dict[str, dict[str, Any]] = {}
    for key, total in known.items():
        found[key[place]] = both(found.get(key[place]), total)
    return dict(sorted(found.items(), key=lambda item: item[1]["last_used_at"], reverse=True))


def both(one: dict[str, Any] | None, other: dict[str, Any]) -> dict[str, Any]:
    """The sums of both."""
    if one is None:
        return other
    sums = {name: one[name] + other[name] for name in SUMS}
    return one | sums | {"last_used_at": max(one["last_used_at"], other["last_used_at"])}


def between(connection: Connection, start: datetime) -> list[dict[str, Any]]:
    """The sums of all models in each slot from `start` on."""
    sums = [func.sum(slots.c[name]).label(name) for name in SUMS]
    wanted = select(slots.c.started_at, *sums).where(slots.c.started_at >= start)
    return [dict(row) for row in connection.execute(wanted.group_by(slots.c.started_at)).mappings()]


def _share(row: Any) -> dict[str, Any]:
    """What one run adds to its slot."""
    good = row["error"] is None
    timed = good and not row["cached"] and row["completion_tokens"] > 1
    return {
        "requests": 1,
        "errors": int(not good),
        "cached": int(row["cached"]),
        "timed_tokens": row["completion_tokens"] - 1 if timed else 0,
        "timed_ms": row["decode_ms"] if timed else 0.0,
        "good_ms": row["total_ms"] if good else 0.0,
        "prompt_tokens": row["prompt_tokens"],
        "new_tokens": row["completion_tokens"],
    }
