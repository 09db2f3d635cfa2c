"""Many requests at once: worked on side by side, answered in order, gone on with after a restart.

A batch belongs to nobody's connection. Its rows are on disk before the first one begins, each answer is when
its row has ended, and a row that fails fails alone.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from .access import Caller
from .allowances import PAYER
from .errors import InvalidRequest, TryLater
from .ledger import Batch, Ledger, Row, State
from .schema import JSON
from .settings import Settings

logger = logging.getLogger(__name__)
MOST_ROWS = 50_000
MOST_ALIKE = 16
"""Rows that are made one request of, where a task takes several inputs."""
LONGEST_PAUSE = 30.0
"""Seconds until a row is tried again that the server had no room for."""


class Ended(NamedTuple):
    """What came of a row: an HTTP status, and the answer or the problem."""

    status: int
    answer: JSON


class Kind(NamedTuple):
    """How the rows of a kind of batch are done.

    `run` answers rows that are `alike`, each in its place; it raises `TryLater` when there is no room, and
    stops what it began when it is cancelled. `end` tells what is to be kept beside a batch once it is over.
    """

    run: Callable[[Caller, Sequence[JSON]], Awaitable[list[Ended]]]
    alike: Callable[[JSON], str | None] = lambda _: None
    end: Callable[[Batch, Sequence[Row]], JSON] = lambda batch, _: batch.told


class Batches:
    """All batches that are being worked on; use it from one event loop."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.ledger = ledger
        self.kinds: dict[str, Kind] = {}
        self._most = max(1, settings.max_concurrent_inference - 2)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dropped: set[asyncio.Task[Batch]] = set()

    async def resume(self) -> None:
        """Go on with what an earlier process left unfinished."""
        await asyncio.to_thread(self.ledger.clean_up)
        for batch in await asyncio.to_thread(self.ledger.unfinished):
            if batch.kind in self.kinds:
                self._begin(batch)

    async def start(
        self,
        caller: Caller,
        kind: str,
        requests: Sequence[JSON],
        parallel: int | None = None,
        told: JSON | None = None,
    ) -> Batch:
        """Begin a batch; at most `parallel` of its rows run at once. Raises `InvalidRequest`."""
        if not requests:
            raise InvalidRequest("There is nothing to do: the list of requests is empty.")
        if len(requests) > MOST_ROWS:
            raise InvalidRequest(f"A batch has {MOST_ROWS:,} requests at most; send several batches.")
        batch = await asyncio.to_thread(
            self.ledger.add,
            caller.owner,
            kind,
            requests,
            min(parallel or self._most, self._most),
            told=told,
            payer=PAYER.get(),
        )
        self._begin(batch)
        return batch

    async def get(self, caller: Caller, id: str) -> Batch:
        """How far a batch is; raises `NotFound`."""
        return await asyncio.to_thread(self.ledger.get, id, caller.owner)

    async def rows(self, batch: Batch) -> list[Row]:
        """The rows that have ended, in their order."""
        return await asyncio.to_thread(self.ledger.rows, batch.id, ended=True)

    async def ended(self, batch: Batch) -> None:
        """Wait until a batch is over."""
        if task := self._tasks.get(batch.id):
            await asyncio.wait([task])

    async def cancel(self, caller: Caller, id: str) -> Batch:
        """Stop a batch; what it has answered stays."""
        batch = await self.get(caller, id)
        if task := self._tasks.pop(batch.id, None):
            task.cancel()
            await asyncio.wait([task])
        await self._end(batch, "cancelled")
        return await self.get(caller, id)

    def drop(self, caller: Caller, batch: Batch) -> None:
        """Stop a batch that nobody waits for any more, if it is not over; does not wait for the end."""
        if batch.id in self._tasks:
            task = asyncio.create_task(self.cancel(caller, batch.id))
            self._dropped.add(task)  # the loop itself holds tasks by a weak reference only
            task.add_done_callback(self._dropped.discard)

    async def close(self) -> None:
        """Stop all work; the next process goes on with it."""
        await asyncio.gather(*self._dropped, return_exceptions=True)
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, batch: Batch) -> None:
        task = asyncio.create_task(self._work(batch), name=batch.id)
        self._tasks[batch.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(batch.id, None))

    async def _work(self, batch: Batch) -> None:
        PAYER.set(batch.payer)
        try:
            waiting = await asyncio.to_thread(self.ledger.rows, batch.id, ended=False)
            groups = deque(_groups(waiting, self.kinds[batch.kind].alike))
            async with asyncio.TaskGroup() as together:
                for _ in range(min(batch.parallel, len(groups))):
                    together.create_task(self._drain(batch, groups))
            await self._end(batch, "completed")
        except Exception:  # nobody awaits this task: the log is the only one to tell
            logger.exception("Batch %s stopped; it goes on after a restart.", batch.id)

    async def _drain(self, batch: Batch, groups: "deque[list[Row]]") -> None:
        caller = Caller(owner=batch.owner, address="")
        while groups:
            group = groups.popleft()
            ended = await self._answered(batch, caller, group)
            told = [(row.number, one.status, one.answer) for row, one in zip(group, ended, strict=True)]
            await asyncio.to_thread(self.ledger.end_rows, batch.id, told)

    async def _answered(self, batch: Batch, caller: Caller, group: Sequence[Row]) -> list[Ended]:
        while True:
            try:
                return await self.kinds[batch.kind].run(caller, [row.request for row in group])
            except TryLater as error:
                await asyncio.sleep(min(error.retry_after, LONGEST_PAUSE))

    async def _end(self, batch: Batch, state: State) -> None:
        rows = await asyncio.to_thread(self.ledger.rows, batch.id, ended=True)
        end = self.kinds[batch.kind].end
        told = await asyncio.to_thread(end, batch, rows) if batch.state == "running" else None
        await asyncio.to_thread(self.ledger.end, batch.id, state, told)


def _groups(waiting: Sequence[Row], alike: Callable[[JSON], str | None]) -> list[list[Row]]:
    """Rows that are one request together, in the order of the first of each."""
    found: list[list[Row]] = []
    open_: dict[str, list[Row]] = {}
    for row in waiting:
        key = alike(row.request)
        group = open_.get(key) if key is not None else None
        if group is None or len(group) == MOST_ALIKE:
            found.append(group := [])
            if key is not None:
                open_[key] = group
        group.append(row)
    return found
