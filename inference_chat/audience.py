"""Who is watching a running job, so that work nobody waits for any more is stopped."""

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary, WeakSet

from .jobs import Job


class Audience:
    """Counts the watchers of jobs; use it on the event loop only."""

    def __init__(self) -> None:
        self._watchers: WeakKeyDictionary[Job, int] = WeakKeyDictionary()
        self._bound: WeakSet[Job] = WeakSet()

    @contextmanager
    def watching(self, job: Job, *, bound: bool = False) -> Iterator[None]:
        """Watch `job` for as long as the block lasts.

        A job is `bound` by the connection that started it: once its last watcher is gone, it is
        cancelled. A job that nobody has bound goes on without watchers.
        """
        if bound:
            self._bound.add(job)
        self._watchers[job] = self.count(job) + 1
        try:
            yield
        finally:
            self._watchers[job] -= 1
            if not self.count(job) and job in self._bound and not job.done:
                job.cancel()

    def count(self, job: Job) -> int:
        """How many are watching `job` now."""
        return self._watchers.get(job, 0)
