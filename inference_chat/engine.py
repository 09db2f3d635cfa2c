"""Running one request: the one place where registry, cache, pool, runner and records meet."""

import asyncio
import importlib.metadata
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial

from .cache import ResultCache
from .errors import DeadlinePassed, InferenceChatError, ModelFailed, OutOfMemory, UnsupportedTask
from .events import AudioReady, Event, Finished, Progress, Receipt, Result, Timing, Usage
from .jobs import Job
from .loaded import Lease
from .media import first_of_several
from .pool import Pool
from .records import Records, Run
from .registry.registry import ModelRecord, Registry
from .schema import Request, now
from .settings import Settings
from .worker import StepTooLong

logger = logging.getLogger(__name__)
Emit = Callable[[Event], None]
MUTE = (
    "{model} has no voice of its own. Choose an omni model that speaks, or `auto`, where a text-to-speech "
    "model reads the answer aloud; for words alone, leave out `speak` (`modalities`)."
)
LIBRARIES = ("torch", "transformers", "diffusers", "tokenizers")


@dataclass
class Clock:
    """When the phases of one request began, in seconds of the monotonic clock, which is the event loop's."""

    accepted: float
    leased: float | None = None
    asked_to_load: float | None = None
    first: float | None = None
    last: float | None = None
    started: float | None = None
    busy: float = 0.0
    lease: Lease | None = field(default=None, repr=False)

    def made(self, event: Event) -> None:
        """Note that a part of the answer is there; sound is no token of it, the words before set its pace."""
        if not (isinstance(event, Progress | Finished) or (self.first and isinstance(event, AudioReady))):
            self.last = time.monotonic()
            self.first = self.first or self.last

    def timing(self, now: float) -> Timing:
        leased = self.leased or now
        loaded = leased - self.asked_to_load if self.asked_to_load else 0.0
        return Timing(
            queue_ms=_ms(leased - self.accepted - loaded),
            load_ms=_ms(loaded),
            first_token_ms=_ms(self.first - self.accepted) if self.first else None,
            decode_ms=_ms(self.last - self.first) if self.first and self.last else 0.0,
            compute_ms=_ms(self.busy),
            total_ms=_ms(now - self.accepted),
        )


class Engine:
    """Runs requests for models of the registry; use it from one event loop."""

    def __init__(self, settings: Settings, registry: Registry, pool: Pool, records: Records) -> None:
        self.registry = registry
        self.pool = pool
        self.records = records
        self.cache = ResultCache(settings.cache_max_size, settings.cache_ttl_hours * 3600)
        self._silence = settings.inference_timeout_ms / 1000

    async def run(self, request: Request, emit: Emit, job: Job) -> None:
        """Answer a request; `emit` gets its events, `Finished` last.

        Raises an `InferenceChatError` instead of the last event when it fails. `job.stop` ends it early.
        """
        record = self.registry.get(request.model)
        clock = Clock(accepted=job.created)
        try:
            finished = await self._within(request, record, emit, job, clock)
        except InferenceChatError as error:
            self._record(record, request, clock, error=error)
            raise
        except asyncio.CancelledError:
            finished = Finished(
                finish_reasons=("cancelled",), timing=clock.timing(asyncio.get_running_loop().time())
            )
            self._record(record, request, clock, finished=finished)
            emit(finished)
            raise
        self._record(record, request, clock, finished=finished)
        emit(finished)

    async def _within(
        self, request: Request, record: ModelRecord, emit: Emit, job: Job, clock: Clock
    ) -> Finished:
        deadline = clock.accepted + request.timeout_ms / 1000 if request.timeout_ms else None
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                return await self._cached(request, record, emit, job, clock)
        except TimeoutError as error:
            if not limit.expired():
                raise
            job.stop.set()
            raise DeadlinePassed(
                f"The answer took longer than {request.timeout_ms:,} ms; its computation was stopped."
            ) from error

    async def _cached(
        self, request: Request, record: ModelRecord, emit: Emit, job: Job, clock: Clock
    ) -> Finished:
        if not (request.use_cache and request.options.repeatable):
            return await self._compute(request, record, emit, job, clock)
        key = request.model_copy(update={"model": f"{record.id}#{record.sha256}", "timeout_ms": None})
        async with self.cache.entry(key) as slot:
            if slot.result is not None:
                return self._replay(slot.result, emit, clock)
            events: list[Event] = []

            def both(event: Event) -> None:
                events.append(event)
                emit(event)

            finished = await self._compute(request, record, both, job, clock)
            if "cancelled" not in finished.finish_reasons:
                self.cache.keep(slot, Result.of([*events, finished]))
            return finished

    def _replay(self, result: Result, emit: Emit, clock: Clock) -> Finished:
        now = asyncio.get_running_loop().time()
        clock.leased = clock.first = clock.last = now
        for event in result.replay():
            emit(event)
        return result.finished.model_copy(update={"cached": True, "timing": clock.timing(now)})

    async def _compute(
        self, request: Request, record: ModelRecord, emit: Emit, job: Job, clock: Clock
    ) -> Finished:
        loop = asyncio.get_running_loop()
        if self.pool.status(record.id) != "loaded":
            clock.asked_to_load = loop.time()
            emit(Progress(phase="loading", detail=record.id))
        async with self.pool.lease(record) as lease:
            clock.leased, clock.lease = loop.time(), lease
            if getattr(request.options, "speak", False) and not lease.runner.speaks:
                raise UnsupportedTask(MUTE.format(model=request.model))
            ends: list[Finished] = []

            def hear(event: Event) -> None:
                if isinstance(event, Finished):
                    ends.append(event)
                    return
                emit(event)

            await self._step(request, lease, hear, job, clock)
            if not ends:
                raise ModelFailed(f"{request.model} stopped without an end to its answer.")
            finished = ends[-1]
            if request.media and record.source != "endpoint":  # which gets the whole file
                told = await asyncio.to_thread(first_of_several, request.media)
                finished = finished.model_copy(update={"notes": (*finished.notes, *told)})
            return finished.model_copy(
                update={
                    "timing": clock.timing(loop.time()),
                    "receipt": _receipt(request, record, lease, finished),
                }
            )

    async def _step(self, request: Request, lease: Lease, hear: Emit, job: Job, clock: Clock) -> None:
        """Step the runner to its end; whatever a model raises becomes an error of ours."""
        try:
            steps = partial(lease.runner.run, request, job.stop)
            await lease.worker.run(lambda: _timed(steps(), clock), hear, self._silence)
        except InferenceChatError:
            raise
        except StepTooLong as error:
            job.stop.set()
            raise DeadlinePassed(
                f"One step of {request.model} takes longer than {self._silence:,g} seconds; "
                "it is being stopped. Ask for something smaller, or raise INFERENCE_TIMEOUT_MS."
            ) from error
        except Exception as error:  # a model's code may raise anything; others must not notice
            logger.exception("%s failed", request.model)
            if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
                raise OutOfMemory(
                    f"{request.model} ran out of memory; ask for less, or try again.", 10
                ) from error
            raise ModelFailed(
                f"{request.model} failed with {type(error).__name__}; other models and requests go on."
            ) from error

    def _record(
        self,
        record: ModelRecord,
        request: Request,
        clock: Clock,
        finished: Finished | None = None,
        error: InferenceChatError | None = None,
    ) -> None:
        """Note what the run cost; nobody waits until it is written, and no answer is lost if it cannot be."""
        timing = finished.timing if finished else clock.timing(asyncio.get_running_loop().time())
        usage = finished.usage if finished else Usage()
        placement = clock.lease.runner.placement if clock.lease else None
        self.records.note(
            Run(
                model=record.id,
                task=request.task,
                device=placement.device if placement else "",
                dtype=placement.dtype if placement else "",
                started_at=_started(timing),
                memory_peak=clock.lease.memory if clock.lease else None,
                error=error.code if error else None,
                finish_reason=finished.finish_reason if finished else None,
                cached=finished.cached if finished else False,
                **timing.model_dump(exclude={"compute_ms"}),
                **usage.model_dump(),
            )
        )


def _timed(steps: Iterator[Event], clock: Clock) -> Iterator[Event]:
    """The steps of a run, noted in its clock as they are made: whoever listens hears many of them at once."""
    try:
        while True:
            began = time.perf_counter()
            try:
                event = next(steps)
            except StopIteration:
                return
            finally:
                clock.busy += time.perf_counter() - began
            clock.made(event)
            yield event
    finally:
        if close := getattr(steps, "close", None):
            close()


def _receipt(request: Request, record: ModelRecord, lease: Lease, finished: Finished) -> Receipt:
    placement = lease.runner.placement
    told = finished.receipt or Receipt(model=record.id)
    return Receipt(
        model=record.id,
        digest=record.sha256,
        seed=told.seed,
        options=told.options or request.options,
        device=placement.device,
        dtype=placement.dtype,
        libraries=_versions(),
        engine=told.engine,
        reused_tokens=told.reused_tokens,
    )


@lru_cache(maxsize=1)
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, importlib.metadata.version(name)) for name in LIBRARIES)


def _started(timing: Timing) -> datetime:
    return now() - timedelta(milliseconds=timing.total_ms)


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 3)
