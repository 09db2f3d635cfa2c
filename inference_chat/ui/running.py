"""What a visitor's page has under way: followed to its end, and stopped with what it has found."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr

from ..jobs import Job
from ..schema import JSON
from . import result
from .parts import done, working


class Running:
    """The newest job of each page, for a Stop button beside it."""

    def __init__(self) -> None:
        self._jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()

    def of(self, request: gr.Request) -> Callable[[Job], None]:
        """What is to be told of the job that this page starts."""
        page = request.session_hash or ""
        return lambda job: self._jobs.update({page: job})

    async def stop(self, request: gr.Request) -> None:
        """Stop what the page has under way; it ends with what it has found so far."""
        job = self._jobs.get(request.session_hash or "")
        if job is not None:
            job.cancel()


async def following(job: Job, begin: Callable[[Job], None]) -> AsyncIterator[Any]:
    """The line and the view while a job runs, and at its end; raises the job's error."""
    begin(job)
    before: JSON | None = None
    async for said in working(job):
        sketch = result.sketched(job)
        yield said, gr.skip() if sketch in (None, before) else sketch
        before = sketch
    found = await job.result()
    value = await result.shown(job, found)
    if found.finished.finish_reason == "cancelled":
        yield done("Stopped. What was found until then is shown."), value
    else:
        yield done(result.summary(value["output"])), value


def over(value: Any) -> bool:
    """Whether a view that `following` gives is the last one, with the result."""
    return isinstance(value, dict) and "output" in value
