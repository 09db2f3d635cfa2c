"""A row of a comparison's table: what a model took of time, memory and energy."""

from typing import Any

from ..events import Finished, Result
from ..registry.registry import ModelRecord
from ..schema import JSON
from .energy import Energy

TIMES = ("latency_ms", "first_token_ms", "tokens_per_second", "compute_ms", "load_ms", "tokens", "cached")
ENERGY = ("energy_j", "energy")
NOT_HERE = {"compute_ms": None, "load_ms": None, "energy_j": None, "energy": None}
"""What another server takes for an answer, which is not told here."""


def needed(record: ModelRecord | None) -> int:
    """Bytes that a model is expected to take: measured here, else estimated; 0 where nothing is known."""
    return (record.memory_used or record.memory_estimate) if record else 0


def held(model: str, record: ModelRecord | None, memory: int | None) -> JSON:
    """What it takes to have it: bytes in memory and on disk, and under which licence."""
    return {
        "model": model,
        "memory": memory or needed(record) or None,
        "memory_measured": bool(memory or (record and record.memory_used)),
        "size": (record.file_size or None) if record else None,
        "license": record.license if record else None,
    }


def failed(code: str | None) -> JSON:
    """The figures of a run that failed."""
    return {"status": "failed"} | dict.fromkeys((*TIMES, *ENERGY)) | {"error": code}


def spent(result: Result, load_ms: float, energy: Energy | None) -> JSON:
    """The figures of a run; durations in milliseconds, energy in joules, None for what does not apply."""
    end, timing = result.finished, result.finished.timing
    waited = timing.queue_ms + timing.load_ms
    first = timing.first_token_ms
    values: tuple[Any, ...] = (
        round(timing.total_ms - waited, 3),
        round(first - waited, 3) if first is not None and not end.cached else None,
        _pace(end),
        timing.compute_ms,
        load_ms + timing.load_ms,
        end.usage.completion_tokens or None,
        end.cached,
    )
    used = (round(energy.joules, 4), energy.how) if energy else (None, None)
    status = "cancelled" if end.finish_reason == "cancelled" else "done"
    return {"status": status} | dict(zip((*TIMES, *ENERGY), (*values, *used), strict=True))


def _pace(end: Finished) -> float | None:
    """Tokens written in a second of the model's own work, its reading included: fair however many ran."""
    tokens = end.usage.completion_tokens
    return round(tokens / end.timing.compute_ms * 1000, 2) if tokens and end.timing.compute_ms else None
