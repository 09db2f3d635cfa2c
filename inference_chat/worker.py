"""The inference thread: every torch operation of its models happens here, loading included.

On a CPU one thread serves all models, because a second thread that runs OpenMP operations makes
each step take 1.5 times as long. Running requests take turns, one step each, so that a long answer
does not keep a short one waiting, and a stop is seen within one step.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)
LISTEN_SECONDS = 0.03
"""How long items that come quickly are gathered: waking the loop for each costs the thread its pace."""


class StepTooLong(Exception):
    """One step of an iterator took longer than its caller waits."""


class Worker:
    """A thread that steps iterators in turn and calls functions in between."""

    def __init__(self, name: str = "inference") -> None:
        self._inbox: queue.SimpleQueue[_Run[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[[], T]) -> T:
        """Run a function on the thread between two steps; its result or its exception comes back."""
        found: list[T] = []

        def once() -> Iterator[None]:
            found.append(function())
            yield from ()

        await self.run(once, lambda _: None)
        return found[0]

    async def run(
        self, make: Callable[[], Iterator[T]], emit: Callable[[T], None], patience: float | None = None
    ) -> None:
        """Step the iterator that `make` returns to its end; `emit` gets its items on the caller's loop.

        Whatever the iterator raises is raised here. When the caller is cancelled, the iterator is
        closed before this returns, so that nothing of it runs any more. `StepTooLong` is raised when
        one step of it takes longer than `patience` seconds; waiting for its turn is no step.
        """
        if self._closed:
            raise RuntimeError("the worker is closed")
        run = _Run(make, emit, asyncio.get_running_loop())
        self._inbox.put(run)
        try:
            await run.end_within(patience)
        except asyncio.CancelledError:
            run.abandoned = True
            await run.closed()
            raise
        except StepTooLong:
            run.abandoned = True  # closed when the step ends, if ever
            raise

    async def close(self) -> None:
        """End the thread once everything it was given has ended."""
        self.end()
        await asyncio.to_thread(self._thread.join)

    def end(self) -> None:
        """The same without waiting for it."""
        self._closed = True
        self._inbox.put(None)

    def _work(self) -> None:
        active: deque[_Run[Any]] = deque()
        open_ = True
        while open_ or active:
            open_ = self._take(active) and open_
            for _ in range(len(active)):
                run = active.popleft()
                if run.step():
                    active.append(run)
                del run  # the thread may now sleep for long, and would keep a model alive

    def _take(self, active: "deque[_Run[Any]]") -> bool:
        """Move what has arrived to `active`, waiting when there is nothing to do; False to close."""
        try:
            while True:
                run = self._inbox.get(block=not active)
                if run is None:
                    return False
                active.append(run)
        except queue.Empty:
            return True


class Apart(Worker):
    """For work that waits and does not compute: each run has a thread of its own.

    An item that is given twice in a row, the very same object, is a sign of life, and told once.
    """

    def __init__(self) -> None:
        """No thread of its own is needed."""

    async def run(
        self, make: Callable[[], Iterator[T]], emit: Callable[[T], None], patience: float | None = None
    ) -> None:
        worker = Worker("apart")
        last: list[T | None] = [None]

        def once(item: T) -> None:
            if item is not last[0]:
                last[0] = item
                emit(item)

        try:
            await worker.run(make, once, patience)
        finally:
            worker.end()

    async def close(self) -> None:
        """The threads end with their runs."""


class _Run(Generic[T]):
    """One iterator on its way: stepped by the thread, listened to on a loop."""

    def __init__(
        self, make: Callable[[], Iterator[T]], emit: Callable[[T], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._make: Callable[[], Iterator[T]] | None = make
        self._emit = emit
        self._loop = loop
        self._iterator: Iterator[T] | None = None
        self._items: deque[T] = deque()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.abandoned = False
        self._failure: Exception | None = None  # of `emit`
        self._heard = False  # the loop is about to look for items
        self._began: float | None = None  # when the step under way began, on the monotonic clock

    async def end_within(self, patience: float | None) -> None:
        """Wait for the end; raises the iterator's error, or `StepTooLong`."""
        while not self.ended.done():
            left = patience
            if patience is not None and (began := self._began) is not None:
                left = began + patience - time.monotonic()
                if left <= 0:
                    raise StepTooLong
            await asyncio.wait([self.ended], timeout=left)
        self.ended.result()

    async def closed(self) -> None:
        """Wait until the iterator is closed, however often the caller is cancelled meanwhile."""
        while not self.ended.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([self.ended])

    def step(self) -> bool:
        """One step on the thread; False when it was the last."""
        self._began = time.monotonic()
        try:
            if self.abandoned:
                self._close()
                return self._end(None)
            if self._iterator is None:
                assert self._make is not None
                self._iterator = iter(self._make())
            self._items.append(next(self._iterator))
        except StopIteration:
            return self._end(None)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            return self._end(_harmless(error))
        finally:
            self._began = None
        if not self._heard:
            self._heard = True
            self._tell(self._listen)
        return True

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()

    def _end(self, error: Exception | None) -> bool:
        self._iterator = self._make = None
        self._tell(self._finish, error)
        return False

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            logger.info("A run ended after its event loop was closed.")

    def _listen(self) -> None:
        """Deliver what is there and look again soon, until nothing came in between."""
        if self.ended.done():
            return
        if not self._items:
            self._heard = False
            if not self._items:  # else it came before the thread could see that nobody listens
                return
            self._heard = True
        self._deliver()
        self._loop.call_later(LISTEN_SECONDS, self._listen)

    def _deliver(self) -> None:
        try:
            while self._items and self._failure is None:
                self._emit(self._items.popleft())
        except Exception as failure:  # noqa: BLE001 - told to the caller by `_finish`
            self._failure, self.abandoned = failure, True

    def _finish(self, error: Exception | None) -> None:
        self._deliver()
        error = self._failure or error
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            self.ended.exception()  # seen: an abandoned run's error is nobody's any more


def _harmless(error: BaseException) -> Exception:
    """An error that its caller can keep: no tensors in its frames, and nothing that stops a loop.

    Frames would keep a model's weights in memory for as long as anybody keeps the error. What is no
    `Exception` (an interrupt, an exit, a panic of a Rust library) would end the server.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    if isinstance(error, Exception):
        return error
    wrapped = RuntimeError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
