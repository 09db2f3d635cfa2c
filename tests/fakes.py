"""Small real parts for tests: a runner that speaks without torch, and a service around it."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from inference_chat import runners
from inference_chat.access import Caller
from inference_chat.events import Event, Finished, Progress, Receipt, TextDelta, Usage
from inference_chat.runners.base import Runner
from inference_chat.schema import Request
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests.server import settings

ANNE = Caller(owner="anne", address="10.0.0.1")
BERT = Caller(owner="bert", address="10.0.0.2")


class EchoRunner(Runner):
    """Says the last message again, word by word; the words below do something else."""

    history: ClassVar[list[str]] = []
    failures: ClassVar[list[BaseException]] = []
    """What the next loads raise."""

    @classmethod
    def estimate(cls, checkpoint: Any, bytes_per_element: int) -> int:
        return 1 << 20

    def load(self) -> None:
        self.history.append(f"load {self.checkpoint.name}")
        if self.failures:
            raise self.failures.pop()
        self.weights = Weights()

    def run(self, request: Request, stop: threading.Event) -> Iterator[Event]:
        yield Progress(phase="reading")
        text = " ".join(map(str, request.prompt_ids)) or request.prompt
        if text is None:
            text = request.messages[-1].text
        if text == "fail":
            yield TextDelta(text="half")
            raise OSError("/secret/place")
        count = 0
        words = iter(lambda: "on ", None) if text == "for ever" else iter(f"{text} ".split(" ")[:-1])
        for word in words:
            if stop.is_set():
                break
            count += 1
            yield TextDelta(text=f"{word} ")
        yield Finished(
            finish_reasons=("cancelled" if stop.is_set() else "stop",),
            usage=Usage(prompt_tokens=1, completion_tokens=count),
            receipt=Receipt(model="echo", seed=7),
        )

    def unload(self) -> None:
        self.history.append(f"unload {self.checkpoint.name}")
        del self.weights


FAMILIES = (runners.Family("", EchoRunner, (Task.TEXT_GENERATION,)),)
"""In place of `runners.FAMILIES`: every model echoes."""


class Weights:
    """Something that can be looked for in memory."""


@asynccontextmanager
async def running(folder: Path, models: Path | None = None, **more: Any) -> AsyncIterator[Service]:
    """A service with its files in `folder`, started and stopped."""
    service = Service(settings(folder, models, **more))
    await service.start()
    try:
        yield service
    finally:
        await service.stop()
