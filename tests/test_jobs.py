import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.errors import DeadlinePassed, ModelFailed, Overloaded
from inference_chat.events import Event, Finished, Progress, TextDelta
from inference_chat.jobs import Job, Jobs
from inference_chat.runners.text import TextOptions
from inference_chat.schema import Request


def request(prompt: str = "p", **more: int) -> Request:
    return Request(model="m@1", prompt=prompt, options=TextOptions(), **more)


class Gate:
    """Runs each request until its gate is opened."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.gates: dict[str, asyncio.Future[None]] = {}
        self.running = self.most = 0

    async def run(self, request: Request, emit: Callable[[Event], None], job: Job) -> None:
        assert request.prompt is not None
        self.order.append(request.prompt)
        self.running += 1
        self.most = max(self.most, self.running)
        gate = self.gates.setdefault(request.prompt, asyncio.get_running_loop().create_future())
        try:
            emit(Progress(phase="loading"))
            await gate
            emit(TextDelta(text="done"))
            emit(Finished())
        finally:
            self.running -= 1

    def open(self, prompt: str, error: Exception | None = None) -> None:
        gate = self.gates.setdefault(prompt, asyncio.get_running_loop().create_future())
        if not gate.done():
            gate.set_exception(error) if error else gate.set_result(None)


def ends(job: Job) -> int:
    """How many ends a job has; one is right."""
    assert job.done
    finished = [event for event in job.events if isinstance(event, Finished)]
    assert not finished or job.events[-1] is finished[-1]
    return len(finished) + (job.error is not None)


async def test_watch_from_any_number():
    gate = Gate()
    job = Jobs(gate, 1, 1).start(request())
    gate.open("p")
    await job.result()
    for start in range(5):
        numbers = [number async for number, _ in job.watch(start)]
        assert numbers == list(range(start, len(job.events)))


async def test_progress_that_tells_nothing_new_is_told_once():
    job = Jobs(gate := Gate(), 1, 1).start(request())
    for done in (1, 1, 1, 2):
        job.emit(Progress(phase="working", done=done))
    gate.open("p")
    await job.result()
    assert [event.done for event in job.events if isinstance(event, Progress) and event.done] == [1, 2]


async def test_watchers_come_and_go():
    gate = Gate()
    job = Jobs(gate, 1, 1).start(request())
    async with aclosing(job.watch()) as first:
        await anext(first)
        assert job.watchers == 1
    assert job.watchers == 0
    both = [asyncio.create_task(job.result()) for _ in range(2)]
    gate.open("p")
    assert [result.text for result in await asyncio.gather(*both)] == ["done", "done"]


async def test_an_error_reaches_every_watcher():
    gate = Gate()
    job = Jobs(gate, 1, 1).start(request())
    gate.open("p", ModelFailed("no"))
    for _ in range(2):
        with pytest.raises(ModelFailed, match="no"):
            await job.result()
    assert ends(job) == 1


async def test_what_nobody_thought_of_is_told_without_details():
    gate = Gate()
    job = Jobs(gate, 1, 1).start(request())
    gate.open("p", OSError("/secret"))
    with pytest.raises(ModelFailed) as told:
        await job.result()
    assert "secret" not in told.value.detail


async def test_cancelled_before_its_task_began():
    gate = Gate()
    jobs = Jobs(gate, 1, 1)
    job = jobs.start(request())
    job.cancel()
    assert (await job.result()).finished.finish_reason == "cancelled"
    await jobs.close()
    assert ends(job) == 1
    assert gate.order == []


async def test_cancelled_in_line_and_while_loading():
    jobs = Jobs(Gate(), 1, 2)
    running, waiting = jobs.start(request("a")), jobs.start(request("b"))
    await asyncio.sleep(0)
    for job in (waiting, running):
        job.cancel()
        job.cancel()
        assert (await job.result()).finished.finish_reason == "cancelled"
        assert ends(job) == 1


async def test_too_many_are_refused_and_the_line_is_told():
    jobs = Jobs(Gate(), 1, 2)
    _, second, third = (jobs.start(request(name)) for name in "abc")
    with pytest.raises(Overloaded):
        jobs.start(request("d"))
    assert jobs.counts == (1, 2)
    assert (second.phase, third.phase) == (
        Progress(phase="queued", detail="next in line"),
        Progress(phase="queued", detail="1 before you"),
    )
    second.cancel()
    assert third.phase == second.phase
    await jobs.close()
    assert jobs.counts == (0, 0)


async def test_a_deadline_passes_in_line():
    jobs = Jobs(Gate(), 1, 2)
    jobs.start(request("a"))
    late = jobs.start(request("b", timeout_ms=1))
    with pytest.raises(DeadlinePassed):
        await late.result()
    await jobs.close()


ACTIONS = st.lists(st.tuples(st.sampled_from(["start", "cancel", "open", "fail", "rest"]), st.integers(0, 9)))


@given(ACTIONS, st.integers(1, 3))
def test_no_job_is_lost_whatever_happens(actions: list[tuple[str, int]], limit: int):
    async def play() -> None:
        gate = Gate()
        jobs = Jobs(gate, limit, 4)
        started: list[Job] = []
        for action, number in actions:
            if action == "start":
                try:
                    started.append(jobs.start(request(str(len(started)))))
                except Overloaded:
                    assert sum(jobs.counts) == limit + 4
            elif action == "rest":
                await asyncio.sleep(0)
            elif number < len(started):
                if action == "cancel":
                    started[number].cancel()
                else:
                    gate.open(str(number), ModelFailed("no") if action == "fail" else None)
        for number in range(len(started)):
            gate.open(str(number))
        await asyncio.gather(*(job.result() for job in started), return_exceptions=True)
        assert all(ends(job) == 1 for job in started)
        assert gate.most <= limit
        assert gate.order == sorted(gate.order, key=int)
        await jobs.close()
        assert jobs.counts == (0, 0)

    asyncio.run(play())
