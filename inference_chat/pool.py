"""Which models are in memory, who is using them, and what leaves when memory is short.

The plan is by bytes: what a model is expected to take, or what it took the last time on this machine.
Idle models leave, the least recently used first; a leased one never does. Where its weights are mapped
from their files, one that leaves is parked: its memory is given back and it stays ready to run. A load
either succeeds whole or leaves nothing behind.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

from .errors import InferenceChatError, ModelBusy, ModelFailed, OutOfMemory
from .loaded import Entry, Lease, Status
from .registry.registry import ModelRecord
from .runners import EndpointRunner, Remote, family_of
from .runners.base import Runner
from .runners.checkpoint import Checkpoint
from .runners.device import give_back, memory_free, memory_used, place, prepare
from .runners.parking import wake
from .settings import Settings
from .worker import Apart, Worker

logger = logging.getLogger(__name__)
MIB = 1 << 20
WAIT_FOR_ROOM = 30.0
"""Seconds a load waits for a leased model to become idle."""
WORTH_PARKING = 0.75
"""The share of a model's memory that parking has to give back; else it is unloaded."""


class Pool:
    """Loaded models; use it from one event loop."""

    def __init__(
        self,
        settings: Settings,
        find: Callable[[ModelRecord], Checkpoint | Remote],
        loaded: Callable[[ModelRecord, int], None] = lambda record, size: None,
        pinned: Callable[[str], bool] = lambda id: False,
    ) -> None:
        """`find` gives a model's folder (and may fetch it), or the server that runs it.

        `loaded` hears what a load took, in bytes; `pinned` tells which models stay until they are unloaded
        by their id.
        """
        self._settings = settings
        self._find = find
        self._loaded = loaded
        self._pinned = pinned
        self._limit = settings.memory_limit_mb * MIB
        self._entries: dict[str, Entry] = {}
        self._failed: dict[str, str] = {}
        self._loading = asyncio.Lock()
        self._changed = asyncio.Event()
        self._worker: Worker | None = None

    def status(self, id: str) -> Status:
        """What a model is doing; `error(id)` tells more of a failed one."""
        if entry := self._entries.get(id):
            return entry.status
        return "failed" if id in self._failed else "available"

    def error(self, id: str) -> str | None:
        return self._failed.get(id)

    def memory(self) -> dict[str, int]:
        """Bytes of each model that is loaded here."""
        return {
            id: entry.bytes
            for id, entry in self._entries.items()
            if entry.runner and not entry.parked and not entry.remote
        }

    def parked(self, id: str) -> bool:
        """Whether a model has given its memory back and would be there again at once."""
        entry = self._entries.get(id)
        return entry is not None and entry.parked > 0

    @property
    def limit(self) -> int:
        """Bytes that all loaded models may take together."""
        return self._limit

    @property
    def places(self) -> int:
        """How many models may be loaded together."""
        return self._settings.max_loaded_models

    async def warm(self) -> None:
        """Import torch on the inference thread, so that the first request need not wait for it."""
        await self._shared()

    @asynccontextmanager
    async def lease(self, record: ModelRecord) -> AsyncIterator[Lease]:
        """Use a model, loaded first if need be; it cannot leave before the lease ends.

        Raises `OutOfMemory` when it does not fit, and what its loading raises.
        """
        entry = self._entries.get(record.id)
        if entry is None or entry.leaving:
            entry = await self._enter(record)
        entry.leases += 1
        if entry.parked and (entry.task is None or entry.task.done()):
            entry.task = self._began(self._wake(entry), f"wake-{record.id}")
        try:
            assert entry.task is not None
            await asyncio.shield(entry.task)
            assert entry.runner is not None
            assert entry.worker is not None
            yield Lease(entry.runner, entry.worker, entry.bytes)
        finally:
            entry.leases -= 1
            entry.idle_since = time.monotonic()
            self._changed.set()

    async def load(self, record: ModelRecord) -> None:
        """Bring a model into memory."""
        async with self.lease(record):
            pass

    async def unload(self, id: str) -> None:
        """Take a model out of memory; raises `ModelBusy` while it is used."""
        self._failed.pop(id, None)
        entry = self._entries.get(id)
        if entry is None:
            return
        if entry.leases or entry.runner is None or entry.leaving:
            raise ModelBusy(f"{id} is answering or loading; stop its requests or wait for them.")
        await self._leave(entry)

    async def unload_idle(self, now: float | None = None) -> None:
        """Park, or take out, every model unused for longer than the idle time."""
        moment = time.monotonic() if now is None else now
        while idle := self._idle():
            if moment - idle[0].idle_since < self._settings.model_timeout_seconds:
                break
            await self._rest(idle[0])

    async def close(self) -> None:
        """Unload everything and end the inference threads."""
        for entry in list(self._entries.values()):
            if entry.task is not None:
                await asyncio.wait([entry.task])
        for entry in self._present():
            await self._leave(entry)
        if self._worker is not None:
            await self._worker.close()
            self._worker = None

    async def _enter(self, record: ModelRecord) -> Entry:
        while (old := self._entries.get(record.id)) is not None and old.leaving:
            await self._change()
        if old is not None:
            return old
        entry = self._entries[record.id] = Entry(record)
        entry.task = self._began(self._load(entry), f"load-{record.id}")
        return entry

    def _began(self, work: Coroutine[None, None, None], name: str) -> "asyncio.Task[None]":
        """Work that several may wait for, or nobody."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return task

    async def _wake(self, entry: Entry) -> None:
        """Let a parked model have its memory again; raises `OutOfMemory`, and it stays parked."""
        runner = entry.runner
        assert runner is not None
        async with self._loading:
            await self._make_room(entry.record.id, entry.parked)
            entry.bytes, entry.parked = entry.bytes + entry.parked, 0
        await asyncio.to_thread(wake, runner.checkpoint.files)
        assert entry.worker is not None
        await entry.worker.run(runner.wake, lambda _: None)
        entry.settling = self._began(self._settle(entry.worker, runner), f"settle-{entry.record.id}")

    async def _settle(self, worker: Worker, runner: Runner) -> None:
        """Let a model that came back become as quick as it was, between others' steps."""
        try:
            await worker.run(runner.settle, lambda _: None)
        except Exception:  # it answers as it is, and nobody waits for more
            logger.exception("%s stays slower than it was", runner.checkpoint.name)

    async def _load(self, entry: Entry) -> None:
        id = entry.record.id
        self._failed.pop(id, None)
        try:
            checkpoint = await asyncio.to_thread(self._find, entry.record)
            if isinstance(checkpoint, Remote):
                entry.worker, entry.runner = Apart(), EndpointRunner(checkpoint)
                return
            async with self._loading:
                await self._open(entry, checkpoint)
            await asyncio.to_thread(self._loaded, entry.record, entry.bytes)
        except Exception as error:  # loading runs other people's code: whatever it raises is told
            refusal = _refusal(id, error)
            self._failed[id] = refusal.detail
            await self._roll_back(entry)
            if refusal is error:
                raise
            raise refusal from error
        finally:
            if entry.runner is None:
                self._entries.pop(id, None)
            self._changed.set()

    async def _open(self, entry: Entry, checkpoint: Checkpoint) -> None:
        """Find room for a model, and load it."""
        worker = await self._shared()
        placement = await worker.call(lambda: place(self._settings, checkpoint))
        kind = family_of(checkpoint).runner
        needed = kind.estimate(checkpoint, placement.bytes_per_element)
        await self._make_room(entry.record.id, max(needed, entry.record.memory_used or 0))
        if placement.device != "cpu":
            worker = Worker(f"inference-{entry.record.id}")
        entry.worker = worker
        runner, grown = await worker.call(lambda: _load(kind(checkpoint, placement)))
        runner.patience = self._settings.inference_timeout_ms / 1000
        entry.bytes = max(grown, checkpoint.tensors.elements * runner.placement.bytes_per_element)
        entry.runner = runner

    async def _roll_back(self, entry: Entry) -> None:
        """Free what a failed load has left."""
        entry.runner = None
        if (worker := entry.worker) is not None:
            await worker.call(give_back)
            if worker is not self._worker:
                await worker.close()

    async def _make_room(self, id: str, needed: int) -> None:
        """Unload idle models until `needed` bytes and one place are free."""
        if needed > self._limit:
            raise OutOfMemory(
                f"{id} needs about {needed // MIB:,} MiB and all models together may take "
                f"{self._limit // MIB:,} MiB; raise MEMORY_LIMIT_MB or choose a smaller model.",
                retry_after=60,
            )
        if needed > (most := memory_free() + sum(entry.bytes for entry in self._entries.values())):
            raise OutOfMemory(
                f"{id} needs about {needed // MIB:,} MiB and this machine could free {most // MIB:,} MiB; "
                "choose a smaller model.",
                retry_after=60,
            )
        self._minding_pins(id, needed)
        until = time.monotonic() + WAIT_FOR_ROOM
        while not self._fits(needed):
            if idle := [entry for entry in self._idle() if not entry.remote]:
                await self._rest(idle[0])
            elif parked := self._parked():
                await self._leave(parked[0])
            elif time.monotonic() >= until or not self._occupied():
                raise OutOfMemory(
                    f"{id} needs about {needed // MIB:,} MiB; {memory_free() // MIB:,} MiB are free on this "
                    "machine and every loaded model is in use. Try again when they are idle.",
                    retry_after=10,
                )
            else:
                await self._change(until - time.monotonic())

    def _minding_pins(self, id: str, needed: int) -> None:
        """Refuse what cannot fit beside the models that are pinned."""
        pins = [one for one in self._present() if not one.remote and self._pinned(one.record.id)]
        held = sum(entry.bytes for entry in pins)
        if held + needed > self._limit or len(pins) >= self._settings.max_loaded_models:
            names = ", ".join(entry.record.id for entry in pins)
            raise OutOfMemory(
                f"{id} needs about {needed // MIB:,} MiB and a place, and {names} are pinned with "
                f"{held // MIB:,} of {self._limit // MIB:,} MiB; unpin one first.",
                retry_after=60,
            )

    def _present(self) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.runner is not None]

    def _occupied(self) -> bool:
        """Whether there is a model that may leave later, or is leaving now."""
        return any(
            (entry.runner is not None or entry.leaving)
            and not entry.remote
            and (entry.leases or not self._pinned(entry.record.id))
            for entry in self._entries.values()
        )

    def _fits(self, needed: int) -> bool:
        present = [entry for entry in self._present() if not entry.remote]
        if sum(not entry.parked for entry in present) >= self._settings.max_loaded_models:
            return False
        return sum(entry.bytes for entry in present) + needed <= self._limit and needed <= memory_free()

    def _idle(self) -> list[Entry]:
        """Loaded models nobody uses or has pinned, the one unused for longest first."""
        idle = [
            entry
            for entry in self._present()
            if not (entry.leases or entry.leaving or entry.parked or self._pinned(entry.record.id))
        ]
        return sorted(idle, key=lambda entry: entry.idle_since)

    def _parked(self) -> list[Entry]:
        """Parked models nobody waits for, the one unused for longest first."""
        parked = [entry for entry in self._present() if entry.parked and not (entry.leases or entry.leaving)]
        return sorted(parked, key=lambda entry: entry.idle_since)

    async def _rest(self, entry: Entry) -> None:
        """Park a model where that gives back most of its memory, else unload it; once begun it goes on."""
        entry.leaving = True
        entry.task = self._began(self._park(entry), f"park-{entry.record.id}")
        await asyncio.shield(entry.task)
        if len(parked := self._parked()) > self._settings.max_loaded_models:
            await self._leave(parked[0])

    async def _park(self, entry: Entry) -> None:
        worker, runner = entry.worker, entry.runner
        assert worker is not None
        assert runner is not None
        least = entry.bytes * WORTH_PARKING
        entry.parked = 0 if entry.remote else await worker.call(lambda: runner.park(least))
        if not entry.parked:
            del runner
            await self._unload(entry)
            return
        await worker.call(give_back)
        entry.bytes = max(0, entry.bytes - entry.parked)
        entry.leaving = False
        self._changed.set()

    async def _leave(self, entry: Entry) -> None:
        """Unload a model; once begun it goes on to its end, whoever stops waiting for it."""
        entry.leaving = True
        entry.task = asyncio.create_task(self._unload(entry), name=f"unload-{entry.record.id}")
        await asyncio.shield(entry.task)

    async def _unload(self, entry: Entry) -> None:
        worker, runner = entry.worker, entry.runner
        assert worker is not None
        assert runner is not None
        entry.runner = None
        try:
            await worker.call(runner.unload)
            del runner
            await worker.call(give_back)
            if worker is not self._worker:
                await worker.close()
        except Exception:  # its own code failed; whoever needs the room must not fail with it
            logger.exception("%s did not unload cleanly", entry.record.id)
        finally:
            del self._entries[entry.record.id]
            self._changed.set()

    async def _change(self, seconds: float | None = None) -> None:
        """Wait until a lease, a load or an unload has ended, but not for ever."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _shared(self) -> Worker:
        if self._worker is None:
            self._worker = Worker()
            threads = self._settings.cpu_threads
            await self._worker.call(lambda: prepare(threads))
        return self._worker


def _load(runner: Runner) -> tuple[Runner, int]:
    """Load on the inference thread; the runner and by how many bytes the process grew."""
    runner.imports()
    before = memory_used()
    runner.load()
    return runner, max(0, memory_used() - before)


def _refusal(id: str, error: Exception) -> InferenceChatError:
    """What callers are told of a load that failed; the log tells the rest."""
    if isinstance(error, InferenceChatError):
        return error
    logger.error("%s failed while it was loaded", id, exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return OutOfMemory(f"{id} did not fit into memory; choose a smaller model.", retry_after=60)
    return ModelFailed(f"{id} could not be loaded: it failed with {type(error).__name__}.")
