"""Work on what was found before, done while the next is being looked at."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Pair = tuple[Item, Item | None]
Done = TypeVar("Done")


class Held(Generic[Item]):
    """Hands each thing on with the one after it, for which the newest waits."""

    def __init__(self) -> None:
        self._newest: tuple[Item, ...] = ()

    def take(self, items: Sequence[Item]) -> list[Pair[Item]]:
        """What can go on now that these have come."""
        line = (*self._newest, *items)
        self._newest = line[-1:]
        return list(pairwise(line))

    def rest(self) -> list[Pair[Item]]:
        """The last one, after which nothing comes."""
        last, self._newest = self._newest, ()
        return [(one, None) for one in last]


class Behind(AbstractContextManager["Behind[Item, Done]"], Generic[Item, Done]):
    """Does `work` on batches in their order, in a thread of its own that is one batch behind its caller.

    It must use neither torch nor anything else that belongs to the inference thread.
    """

    def __init__(self, work: Callable[[Item], Done]) -> None:
        self._work = work
        self._waiting: deque[Future[list[Done]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="behind")

    def hand(self, batch: Sequence[Item]) -> list[Done]:
        """Take a batch on; what has come of the one before. Raises what went wrong with that."""
        self._waiting.append(self._thread.submit(lambda: [self._work(item) for item in batch]))
        return self._waiting.popleft().result() if len(self._waiting) > 1 else []

    def rest(self) -> list[Done]:
        """What has come of the batches that are left; raises as `hand` does."""
        return [done for future in self._taken() for done in future.result()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _taken(self) -> list[Future[list[Done]]]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
