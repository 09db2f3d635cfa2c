"""Finished results of repeatable requests, kept for a while; the same request never runs twice at once.

`functools.lru_cache` finds the slot of a request and lets the least recently used one go. A slot
holds its result until it expires, and a lock: who comes while the first is still running waits
for that result instead of computing it again.
"""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from functools import lru_cache

from .events import Result
from .schema import JSON


class Slot:
    """The place of one result; empty until `fill`, and again once it has expired."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.result: Result | None = None
        self.expires = 0.0
        self.bytes = 0

    def fill(self, result: Result, expires: float) -> None:
        self.result, self.expires = result, expires
        self.bytes = len(result.model_dump_json())

    def empty(self) -> None:
        self.result, self.bytes = None, 0


class ResultCache:
    """At most `max_size` results, none older than `ttl` seconds; use it from one event loop."""

    def __init__(self, max_size: int, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_size = max_size
        self._ttl = ttl
        self._clock = clock
        self._live: weakref.WeakSet[Slot] = weakref.WeakSet()
        self._find = lru_cache(maxsize=max_size)(self._new)
        self._hits = self._misses = 0

    def _new(self, key: Hashable) -> Slot:
        slot = Slot()
        self._live.add(slot)
        return slot

    @asynccontextmanager
    async def entry(self, key: Hashable) -> AsyncIterator[Slot]:
        """The slot of `key`, to oneself; its `result` is there (a hit) or is to be kept with `keep`."""
        slot = self._find(key)
        async with slot.lock:
            if slot.result is not None and slot.expires <= self._clock():
                slot.empty()
            if slot.result is None:
                self._misses += 1
            else:
                self._hits += 1
            yield slot

    def keep(self, slot: Slot, result: Result) -> None:
        if self._max_size:
            slot.fill(result, self._clock() + self._ttl)

    def clean(self) -> None:
        """Free the memory of expired results."""
        for slot in list(self._live):
            if slot.result is not None and slot.expires <= self._clock():
                slot.empty()

    def clear(self) -> None:
        """Forget everything, the counts included."""
        self._find.cache_clear()
        self._hits = self._misses = 0

    def stats(self) -> JSON:
        """Counts since the start or the last `clear`; `ttl_seconds` in seconds, `bytes` of kept results."""
        info = self._find.cache_info()
        asked = self._hits + self._misses
        return {
            "hits": self._hits,
            "misses": self._misses,
            "hit_rate": self._hits / asked if asked else 0.0,
            "size": sum(slot.result is not None for slot in self._live),
            "max_size": self._max_size,
            "ttl_seconds": self._ttl,
            "evictions": info.misses - info.currsize,
            "bytes": sum(slot.bytes for slot in self._live),
        }
