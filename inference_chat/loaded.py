"""A model in memory, as the pool keeps it and as it is lent."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from .registry.registry import ModelRecord
from .runners.base import Runner
from .worker import Worker

Status = Literal["available", "loading", "loaded", "unloading", "failed"]


@dataclass(eq=False)
class Entry:
    """A model in memory, or on its way there."""

    record: ModelRecord
    task: "asyncio.Task[None] | None" = None
    settling: "asyncio.Task[None] | None" = None
    runner: Runner | None = None
    worker: Worker | None = None
    leases: int = 0
    bytes: int = 0
    idle_since: float = 0.0
    leaving: bool = False
    parked: int = 0
    """Bytes that it has given back, and takes again with its next lease."""

    @property
    def remote(self) -> bool:
        """Whether another server runs it, so that it takes no place and no memory here."""
        return self.record.source == "endpoint"

    @property
    def status(self) -> Status:
        if self.leaving:
            return "unloading"
        if self.parked:
            return "available"
        return "loading" if self.runner is None else "loaded"


@dataclass(frozen=True)
class Lease:
    """A loaded model to work with until the lease ends."""

    runner: Runner
    worker: Worker
    memory: int
