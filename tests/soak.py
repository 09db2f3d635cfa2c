"""Many people at one text model who come, leave, stop and edit at random, for as long as one likes.

`python -m tests.soak --minutes 60`. Whatever somebody is answered is compared with what the same request
gets alone, from another runner that keeps nothing; every answer has to end; memory has to stay as it was. In
bfloat16 (`--dtype`) some answers differ, as the pieces in which a prompt is read round it otherwise.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from typing import Any

import psutil

from inference_chat.events import Event, Finished, Result
from inference_chat.runners.batching import Batch
from inference_chat.runners.batching.kept import Kept
from inference_chat.runners.text import TextRunner
from inference_chat.schema import Message, Request
from inference_chat.worker import Worker
from tests.runners.models import build, open_runner, request

PEOPLE = 6
PATIENCE = 120.0
"""Seconds after which a request counts as stuck; each has some hundred steps at most."""
KEPT = 4 << 20
FLAT = 0.02
"""The share by which memory may grow."""
WORDS = ("the", "one", "and", "other", "of", "a picture", "with", "words", "that nobody", "said before")


@dataclass
class Account:
    """What happened: how many requests ended how, what was wrong, and the memory in between, in bytes."""

    ended: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    batched: list[int] = field(default_factory=list)

    def count(self, how: str) -> None:
        self.ended[how] = self.ended.get(how, 0) + 1

    @property
    def growth(self) -> float:
        """The memory of the last fifth beside that of the second one; the first warms up."""
        fifth = len(self.memory) // 5
        before = self.memory[fifth : 2 * fifth] or self.memory
        return statistics.median(self.memory[-fifth:]) / statistics.median(before) - 1

    def __str__(self) -> str:
        ends = ", ".join(f"{number:,} {how}" for how, number in sorted(self.ended.items()))
        together = statistics.mean(self.batched or [0])
        return (
            f"{sum(self.ended.values()):,} requests ({ends}), {together:.1f} at once; memory "
            f"{self.growth:+.2%}; {len(self.wrong)} wrong{': ' + self.wrong[0] if self.wrong else ''}"
        )


class Person:
    """Somebody with one conversation, who asks until told otherwise."""

    def __init__(self, number: int, worker: Worker, runner: TextRunner, alone: TextRunner) -> None:
        self._chance = random.Random(number)
        self._worker, self._runner, self._alone = worker, runner, alone
        self._said: tuple[Message, ...] = ()

    async def talk(self, account: Account, over: Callable[[], bool]) -> None:
        while not over():
            asked = self._next()
            how = self._chance.choice(("stays", "stays", "stays", "stops", "leaves"))
            try:
                heard = await asyncio.wait_for(self._ask(asked, how), PATIENCE)
            except TimeoutError:
                account.wrong.append(f"stuck: {asked}")
                return
            account.count(how)
            if how != "leaves":
                await self._judge(asked, heard, account)
            await asyncio.sleep(self._chance.choice((0, 0, 0.02, 0.2)))

    def _next(self) -> Request:
        """The next turn, another version of an earlier one, or something new."""
        text = " ".join(self._chance.choices(WORDS, k=self._chance.choice((1, 4, 12, 60))))
        turn = self._chance.random()
        if turn < 0.2 or len(self._said) > 8:
            self._said = ()
        elif turn < 0.4:
            self._said = self._said[: 2 * self._chance.randrange(len(self._said) // 2 + 1)]
        self._said = (*self._said, Message(role="user", content=text))
        options: dict[str, Any] = {"max_tokens": self._chance.randint(1, 40)}
        options["n"] = self._chance.choice((1, 1, 1, 2))
        if self._chance.random() < 0.5:
            options |= {"temperature": 1.0, "seed": self._chance.randrange(1000), "top_p": 0.9}
        if self._chance.random() < 0.3:
            options |= {"stop": ("e", "ab"), "repetition_penalty": 1.2}
        return request(self._said, **options)

    async def _ask(self, asked: Request, how: str) -> list[Event]:
        heard: list[Event] = []
        stop = Flag()
        left = self._chance.randint(0, 20)

        def hear(event: Event) -> None:
            heard.append(event)
            if how == "stops" and len(heard) > left:
                stop.set()

        task = asyncio.ensure_future(self._worker.run(lambda: self._runner.run(asked, stop), hear))
        if how == "leaves":
            await asyncio.wait([task], timeout=self._chance.random() / 10)
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return heard

    async def _judge(self, asked: Request, heard: list[Event], account: Account) -> None:
        ends = sum(isinstance(event, Finished) for event in heard)
        if ends != 1 or not isinstance(heard[-1], Finished):
            account.wrong.append(f"{ends} ends: {asked}")
            return
        texts = Result.of(heard).texts
        found: list[Event] = []
        await self._worker.run(lambda: self._alone.run(asked, Flag()), found.append)
        wanted = Result.of(found).texts
        stopped = "cancelled" in heard[-1].finish_reasons
        right = all(w.startswith(t) for w, t in zip(wanted, texts, strict=True))
        if not (right if stopped else texts == wanted):
            account.wrong.append(f"{texts} instead of {wanted}: {asked}")
        self._said = (*self._said, Message(role="assistant", content=texts[0] or "-"))


def _alone(folder: Path, dtype: str) -> TextRunner:
    """A runner that keeps nothing of what it has read."""
    runner = open_runner(folder, dtype)
    assert isinstance(runner._engine, Batch)
    runner._engine.kept = Kept(0)
    return runner


async def soak(
    folder: Path, seconds: float, people: int = PEOPLE, dtype: str = "float32", requests: int = 0
) -> Account:
    """What came of so many seconds with a model, or of up to four times as many for so many `requests`."""
    import torch

    worker, account = Worker(), Account()
    await worker.call(lambda: torch.set_num_threads(1))
    runner = await worker.call(lambda: open_runner(folder, dtype))
    alone = await worker.call(lambda: _alone(folder, dtype))
    batch = runner._engine
    assert isinstance(batch, Batch)
    batch.kept = Kept(KEPT)
    began = time.monotonic()

    def over() -> bool:
        enough = 1 if sum(account.ended.values()) >= requests else 4
        return time.monotonic() - began >= enough * seconds

    persons = [Person(number, worker, runner, alone) for number in range(people)]
    talks = asyncio.gather(*(person.talk(account, over) for person in persons))
    while not talks.done():
        account.memory.append(psutil.Process().memory_info().rss)
        account.batched.append(len(batch))
        await asyncio.wait([talks], timeout=seconds / 200)
    await talks
    if len(batch):
        account.wrong.append(f"{len(batch)} texts were left in the batch")
    await worker.close()
    return account


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = build("Llama", Path(place) / "Llama")
        account = asyncio.run(soak(folder, 60 * told.minutes, dtype=told.dtype))
    sys.stdout.write(f"{account}\n")
    sys.exit(bool(account.wrong) or account.growth > FLAT)


if __name__ == "__main__":
    main()
