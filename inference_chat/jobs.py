"""Requests on their way: a numbered log of events each, to attach to from any point, or to cancel.

A job does not belong to the connection that asked for it. Whoever knows it can read its events from
the first one or follow it to the end, several at a time, and it goes on when nobody does.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Protocol

from .allowances import Allowances
from .errors import DeadlinePassed, InferenceChatError, ModelFailed, Overloaded
from .events import Event, Finished, Progress, Result, TextDelta
from .schema import Request, new_id, now

logger = logging.getLogger(__name__)
SHOWN_POSITIONS = 20


class Runs(Protocol):
    """What runs a request: `Engine` does."""

    async def run(self, request: Request, emit: Callable[[Event], None], job: "Job") -> None: ...


class Job:
    """One request: waiting, running or done."""

    def __init__(self, request: Request, jobs: "Jobs") -> None:
        self.id = new_id()
        self.request = request
        self.started_at = now()
        self.created = asyncio.get_running_loop().time()
        self.events: list[Event] = []
        self.error: InferenceChatError | None = None
        self.done = False
        self.stop = threading.Event()
        self._jobs = jobs
        self._watchers: set[asyncio.Event] = set()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._context = copy_context()  # what is logged of it names the request that asked for it
        self.charge: Callable[[int], None] | None = None

    @property
    def phase(self) -> Progress | None:
        """The newest progress; None before the first."""
        return next((event for event in reversed(self.events) if isinstance(event, Progress)), None)

    @property
    def watchers(self) -> int:
        """How many are reading along now."""
        return len(self._watchers)

    def text(self, choice: int = 0) -> str:
        """What has been written so far."""
        return "".join(e.text for e in self.events if isinstance(e, TextDelta) and e.choice == choice)

    async def watch(self, start: int = 0) -> AsyncGenerator[tuple[int, Event], None]:
        """Numbered events from number `start` on, past ones first; ends with the job.

        Raises the job's error at the end of one that failed.
        """
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                changed.clear()
                for number in range(start, len(self.events)):
                    yield number, self.events[number]
                    start = number + 1
                if start >= len(self.events) and not changed.is_set():
                    if self.done:
                        break
                    await changed.wait()
        finally:
            self._watchers.discard(changed)
        if self.error is not None:
            raise self.error

    async def ended(self, seconds: float | None = None) -> bool:
        """Wait for the end, at most so long, without waking up for every piece; whether it is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        return self.done

    async def result(self) -> Result:
        """The whole answer, once it is there; raises the job's error."""
        await self.ended()
        if self.error is not None:
            raise self.error
        return Result.of(self.events)

    def cancel(self) -> None:
        """Stop the compute; the job ends with the reason `cancelled` and keeps what it has."""
        if self.done or self.stop.is_set():
            return
        self.stop.set()
        phase = self.phase
        if self._task is None:
            self._jobs.withdraw(self)
        elif phase is None or phase.phase in ("queued", "loading"):
            self._task.cancel()  # it waits for something other than its model, which looks at `stop`

    def emit(self, event: Event) -> None:
        if isinstance(event, Progress) and self.events and self.events[-1] == event:
            return  # it tells nothing new
        self.events.append(event)
        self._wake()

    def begin(self, runs: Runs) -> "asyncio.Task[None]":
        self._task = asyncio.create_task(self._drain(runs), name=f"job-{self.id}", context=self._context)
        return self._task

    def end(self, error: InferenceChatError | None = None) -> None:
        """Close the log; without an error it holds exactly one `Finished`, as its last event."""
        if error is None and not (self.events and isinstance(self.events[-1], Finished)):
            self.events.append(Finished(finish_reasons=("cancelled",)))
        self.error, self.done = error, True
        if self.charge and isinstance(last := self.events[-1] if self.events else None, Finished):
            self.charge(last.usage.prompt_tokens + last.usage.completion_tokens)
        self._ended.set()
        self._wake()

    def _wake(self) -> None:
        for changed in self._watchers:
            changed.set()

    async def _drain(self, runs: Runs) -> None:
        try:
            await runs.run(self.request, self.emit, self)
            self.end()
        except InferenceChatError as error:
            self.end(error)
        except asyncio.CancelledError:
            self.end()
        except Exception:  # the last line of defence: whatever it was, whoever waits must hear of it
            logger.exception("A request failed in a way nobody thought of.")
            self.end(ModelFailed("Something went wrong inside; the log of the server says what."))


class Jobs:
    """At most `running` requests at once and `waiting` in line, in the order they came."""

    def __init__(self, runs: Runs, running: int, waiting: int, allowances: Allowances | None = None) -> None:
        self._runs = runs
        self._allowances = allowances
        self._closing = False
        self._most_running = running
        self._most_waiting = waiting
        self._running: set[Job] = set()
        self._waiting: deque[Job] = deque()

    @property
    def counts(self) -> tuple[int, int]:
        """How many run and how many wait."""
        return len(self._running), len(self._waiting)

    def require_room(self) -> None:
        """Raises `Overloaded` when too many wait already for another to be taken, `QuotaUsed` as it says."""
        if self._closing:
            raise Overloaded("The server is being stopped; try again in a moment.", retry_after=5)
        if self._allowances:
            self._allowances.require()
        if len(self._running) >= self._most_running and len(self._waiting) >= self._most_waiting:
            raise Overloaded(
                f"{len(self._running)} requests run and {len(self._waiting)} wait; try again in a moment.",
                retry_after=2,
            )

    def start(self, request: Request) -> Job:
        """Take a request; raises `Overloaded` when too many wait already, `QuotaUsed` as it says."""
        self.require_room()
        job = Job(request, self)
        job.charge = self._allowances.begin() if self._allowances else None
        self._waiting.append(job)
        self._pump()
        if job in self._waiting:
            self._tell(job, len(self._waiting) - 1)
            if request.timeout_ms is not None:
                asyncio.get_running_loop().call_later(request.timeout_ms / 1000, self._expire, job)
        return job

    def withdraw(self, job: Job, error: InferenceChatError | None = None) -> None:
        """Take a waiting job out of the line and end it."""
        self._waiting.remove(job)
        job.end(error)
        self._tell_all()

    def _expire(self, job: Job) -> None:
        """End a job whose deadline passes while it waits; a running one is the engine's to end."""
        if job in self._waiting:
            self.withdraw(job, DeadlinePassed(f"It waited longer than {job.request.timeout_ms:,} ms."))

    async def settle(self, seconds: float) -> None:
        """Take nothing more, and wait so long for what waits and runs."""
        self._closing = True
        if left := [asyncio.create_task(self._done(job)) for job in (*self._waiting, *self._running)]:
            _, slow = await asyncio.wait(left, timeout=seconds)
            for task in slow:
                task.cancel()

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        self._closing = True
        for job in (*self._waiting, *self._running):
            job.cancel()
        while self._running:
            await asyncio.gather(*(self._done(job) for job in list(self._running)))

    async def _done(self, job: Job) -> None:
        try:
            await job.result()
        except InferenceChatError:
            logger.info("A request ended with an error while everything was being closed.")
        await asyncio.sleep(0)

    def _pump(self) -> None:
        moved = False
        while self._waiting and len(self._running) < self._most_running:
            job = self._waiting.popleft()
            self._running.add(job)
            job.begin(self._runs).add_done_callback(partial(self._ended, job))
            moved = True
        if moved:
            self._tell_all()

    def _ended(self, job: Job, _: object) -> None:
        self._running.discard(job)
        if not job.done:
            job.end()  # it was cancelled before its task began
        self._pump()

    def _tell_all(self) -> None:
        for position, job in zip(range(SHOWN_POSITIONS), self._waiting, strict=False):
            self._tell(job, position)

    def _tell(self, job: Job, position: int) -> None:
        job.emit(Progress(phase="queued", detail=f"{position} before you" if position else "next in line"))
