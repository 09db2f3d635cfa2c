"""The inference thread: every torch operation of its models happens here, loading included.

On a CPU one thread serves all models, because a second thread that runs OpenMP operations makes
each step take 1.5 times as long. Running requests take turns, one step each, so that a long answer
does not keep a short one waiting, and a stop is seen within one step.
"""

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)


class Worker:
    """A thread that steps iterators in turn and calls functions in between."""

    def __init__(self, name: str = "inference") -> None:
        self._inbox: queue.SimpleQueue[_Run[Any] | None] = queue.SimpleQueue()
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

    async def run(self, make: Callable[[], Iterator[T]], emit: Callable[[T], None]) -> None:
        """Step the iterator that `make` returns to its end; `emit` gets its items on the caller's loop.

        Whatever the iterator raises is raised here. When the caller is cancelled, the iterator is
        closed before this returns, so that nothing of it runs any more.
        """
        run = _Run(make, emit, asyncio.get_running_loop())
        self._inbox.put(run)
        try:
            await asyncio.shield(run.ended)
        except asyncio.CancelledError:
            run.abandoned = True
            await asyncio.wait([run.ended])
            raise

    async def close(self) -> None:
        """End the thread once everything it was given has ended."""
        self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        active: deque[_Run[Any]] = deque()
        open_ = True
        while open_ or active:
            open_ = self._take(active) and open_
            for _ in range(len(active)):
                run = active.popleft()
                if run.step():
                    active.append(run)

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


class _Run(Generic[T]):
    """One iterator on its way: stepped by the thread, listened to on a loop."""

    def __init__(
        self, make: Callable[[], Iterator[T]], emit: Callable[[T], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._make = make
        self._emit = emit
        self._loop = loop
        self._iterator: Iterator[T] | None = None
        self._items: deque[T] = deque()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.abandoned = False

    def step(self) -> bool:
        """One step on the thread; False when it was the last."""
        try:
            if self.abandoned:
                self._close()
                return self._end(None)
            if self._iterator is None:
                self._iterator = iter(self._make())
            self._items.append(next(self._iterator))
        except StopIteration:
            return self._end(None)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            return self._end(error)
        if len(self._items) == 1:  # else the loop has been told and not come yet
            self._tell(self._deliver)
        return True

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()

    def _end(self, error: BaseException | None) -> bool:
        self._iterator = None
        self._tell(self._finish, error)
        return False

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            logger.info("A run ended after its event loop was closed.")

    def _deliver(self) -> None:
        while self._items:
            self._emit(self._items.popleft())

    def _finish(self, error: BaseException | None) -> None:
        try:
            self._deliver()
        except Exception as failure:  # noqa: BLE001 - told to the caller below
            error = error or failure
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
            self.ended.exception()  # seen: an abandoned run's error is nobody's any more
