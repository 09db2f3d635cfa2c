import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from inference_chat.worker import StepTooLong, Worker
from tests.fakes import Weights


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    yield worker
    await worker.close()


def ignore(item: object) -> None:
    pass


def endless(closed: list[str]) -> Iterator[int]:
    try:
        while True:
            yield 1
    finally:
        closed.append("closed")


async def test_items_and_results_come_back(worker: Worker):
    heard: list[int] = []
    await worker.run(lambda: iter(range(100)), heard.append)
    assert heard == list(range(100))
    assert await worker.call(threading.get_ident) != threading.get_ident()


async def test_runs_take_turns(worker: Worker):
    order: list[str] = []
    blocking, ready = threading.Event(), threading.Event()

    def block() -> None:
        blocking.set()
        ready.wait()

    def steps(name: str) -> Iterator[str]:
        for _ in range(3):
            order.append(name)
            yield name

    blocked = asyncio.create_task(worker.call(block))
    await asyncio.to_thread(blocking.wait)  # a thread that wakes late would take some of the runs with it
    tasks = [asyncio.create_task(worker.run(partial(steps, name), ignore)) for name in "abc"]
    await asyncio.sleep(0)
    ready.set()
    await asyncio.gather(blocked, *tasks)
    assert order == list("abcabcabc")


async def test_an_error_goes_to_its_caller_only(worker: Worker):
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("broken")

    results = await asyncio.gather(
        worker.run(broken, ignore), worker.run(lambda: iter(range(5)), ignore), return_exceptions=True
    )
    assert isinstance(results[0], OSError)
    assert results[1] is None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
async def test_what_is_no_error_does_not_end_the_loop(worker: Worker, kind: type[BaseException]):
    def raises() -> None:
        raise kind

    with pytest.raises(RuntimeError, match=kind.__name__):
        await worker.call(raises)
    assert await worker.call(lambda: 1) == 1


async def test_a_cancelled_run_is_closed_before_it_returns(worker: Worker):
    closed: list[str] = []
    begun = asyncio.Event()
    task = asyncio.create_task(worker.run(lambda: endless(closed), lambda _: begun.set()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["closed"]


async def test_cancelled_twice_it_is_still_closed_first(worker: Worker):
    closed: list[str] = []
    begun, go = asyncio.Event(), threading.Event()

    def waits() -> Iterator[int]:
        try:
            yield 1
            go.wait()
            yield 2
        finally:
            closed.append("closed")

    task = asyncio.create_task(worker.run(waits, lambda _: begun.set()))
    await begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == ["closed"]


async def test_calls_come_between_steps(worker: Worker):
    closed: list[str] = []
    task = asyncio.create_task(worker.run(lambda: endless(closed), ignore))
    assert await worker.call(lambda: "between") == "between"
    task.cancel()
    await asyncio.wait([task])


async def test_an_error_of_the_listener_ends_the_run(worker: Worker):
    closed: list[str] = []

    def deaf(item: object) -> None:
        raise OSError("deaf")

    with pytest.raises(OSError, match="deaf"):
        await worker.run(lambda: endless(closed), deaf)
    assert closed == ["closed"]


async def test_a_step_that_takes_too_long_is_not_waited_for(worker: Worker):
    go = threading.Event()

    def hangs() -> Iterator[int]:
        go.wait()
        yield 1

    with pytest.raises(StepTooLong):
        await worker.run(hangs, ignore, patience=0.01)
    go.set()


async def test_waiting_for_ones_turn_is_no_step(worker: Worker):
    go = threading.Event()
    heard: list[int] = []
    other = asyncio.create_task(worker.call(go.wait))
    mine = asyncio.create_task(worker.run(lambda: iter([1]), heard.append, patience=0.01))
    await asyncio.wait([mine], timeout=0.05)
    go.set()
    await asyncio.gather(other, mine)
    assert heard == [1]


async def test_close_lets_all_end_and_takes_no_more():
    worker = Worker()
    heard: list[int] = []
    task = asyncio.create_task(worker.run(lambda: iter(range(50)), heard.append))
    await asyncio.sleep(0)
    await worker.close()
    await task
    assert heard == list(range(50))
    with pytest.raises(RuntimeError, match="closed"):
        await worker.call(lambda: 1)


async def test_an_error_that_is_kept_keeps_no_weights(worker: Worker):
    found: list[weakref.ref[Weights]] = []

    def fails() -> None:
        weights = Weights()
        found.append(weakref.ref(weights))
        raise OSError("no")

    with pytest.raises(OSError, match="no") as kept:
        await worker.call(fails)
    gc.collect()
    assert found[0]() is None
    assert str(kept.value) == "no"


def test_a_loop_that_closes_leaves_the_worker_alive():
    worker = Worker()
    go = threading.Event()
    loop = asyncio.new_event_loop()
    task = loop.create_task(worker.call(go.wait))
    loop.run_until_complete(asyncio.sleep(0.01))
    task.get_coro().close()  # the loop goes away with the call under way
    setattr(task, "_log_destroy_pending", False)  # noqa: B010 - asyncio's own way to say that this is meant
    loop.close()
    go.set()
    assert asyncio.run(worker.call(lambda: 1)) == 1
    asyncio.run(worker.close())
