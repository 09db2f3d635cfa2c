"""The steps of a plan, one after the other: each is told as it begins and as it ends."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ..engine import Emit, Engine
from ..errors import InferenceChatError, ModelNotFound
from ..events import (
    AudioReady,
    Event,
    Finished,
    FinishReason,
    ImageReady,
    Progress,
    Result,
    Step,
    TextDelta,
    Usage,
)
from ..jobs import Job
from ..models.models import Models
from ..registry.registry import ModelRecord
from ..registry.senses import VOICE
from ..runners import OPTIONS
from ..schema import JSON, Media, Message, Request
from ..tasks import Kind, Task

OF_VOICES = ("speak", "voice")
NOUNS = {"image": "picture", "audio": "sound", "video": "clip"}


class Stopped(Exception):
    """The plan was cancelled in the middle of a step."""


class Steps:
    """What a plan has done so far; models are taken in the order in which a default is chosen."""

    def __init__(self, engine: Engine, models: Models, request: Request, emit: Emit, job: Job) -> None:
        self._engine, self._models, self._emit, self._job = engine, models, emit, job
        self.request = request
        self.told: list[Step] = []
        self.notes: list[str] = []
        self.usage = Usage()
        self.compute_ms = 0.0
        self.first: float | None = None
        self.text = ""
        self.said = False
        self.reasons: tuple[FinishReason, ...] = ("stop",)

    def who(self, *tasks: Task) -> tuple[Task, ModelRecord] | None:
        """The first of these tasks that a model here does, and that model."""
        return next(((task, found) for task in tasks if (found := self._models.first(task))), None)

    def need(self, task: Task, what: str) -> ModelRecord:
        """The model for a task; `ModelNotFound` says what is missing without one."""
        if found := self._models.first(task):
            return found
        raise ModelNotFound(f"{what}: no model here does {task}. Register one that does.")

    def one(self, kinds: Collection[Kind]) -> ModelRecord | None:
        """One model that understands all these kinds of files."""
        return self._models.understands(kinds)

    def given(self, task: Task) -> JSON:
        """What the caller has set, as far as the task knows it."""
        told = self.request.options.model_dump(exclude_unset=True, exclude={"n"})
        return {name: value for name, value in told.items() if name in OPTIONS[task].model_fields}

    async def labels(self, record: ModelRecord) -> tuple[str, ...]:
        """The names that a model knows things by."""
        return await asyncio.to_thread(self._models.labels, record)

    async def do(
        self,
        task: Task,
        record: ModelRecord,
        what: str,
        shown: Callable[[Request, Result], Any],
        *,
        media: Sequence[Media] = (),
        messages: Sequence[Message] = (),
        prompt: str | None = None,
        given: JSON | None = None,
        writes: bool = False,
    ) -> Result:
        """Run one step; what it `writes` is the answer, and told as it grows. Raises what the model does."""
        given = {name: value for name, value in (given or {}).items() if _takes(record, task, name)}
        request = Request(
            task=task,
            model=record.id,
            prompt=prompt,
            messages=tuple(messages),
            media=tuple(media),
            options=self._models.parameters(record, task, given),
            use_cache=self.request.use_cache if writes else True,
            timeout_ms=self.request.timeout_ms,
        )
        step = Step(step=len(self.told) + 1, task=task, model=record.id, input=what, state="running")
        self.told.append(step)
        self._emit(step)
        began = self._now()
        try:
            result = await self._run(request, writes)
        except InferenceChatError as error:
            self._end(step, began, "failed", error.detail)
            raise
        self._end(step, began, "done", _without_files(shown(request, result)))
        self._count(result.finished, writes)
        return result

    def write(self, text: str) -> None:
        """Tell a piece of the answer."""
        self.first = self.first or self._now()
        self.text += text
        self._emit(TextDelta(text=text))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    async def _run(self, request: Request, writes: bool) -> Result:
        events: list[Event] = []

        def hear(event: Event) -> None:
            events.append(event)
            if isinstance(event, TextDelta) and writes and event.choice == 0:
                self.write(event.text)
            elif isinstance(event, AudioReady) and (writes or request.task == Task.TEXT_TO_SPEECH):
                self.said = True
                self._emit(event)
            elif isinstance(event, ImageReady) and request.task == Task.TEXT_TO_IMAGE:
                self._emit(event)
            elif isinstance(event, Progress):
                self._emit(event if event.detail else event.model_copy(update={"detail": request.model}))

        await self._engine.run(request, hear, self._job)
        return Result.of(events)

    def _end(self, step: Step, began: float, state: Any, output: Any) -> None:
        ms = round((self._now() - began) * 1000, 1)
        self.told[-1] = step.model_copy(update={"state": state, "output": output, "ms": ms})
        self._emit(self.told[-1])

    def _count(self, end: Finished, writes: bool) -> None:
        self.usage = Usage(
            prompt_tokens=self.usage.prompt_tokens + (end.usage.prompt_tokens if writes else 0),
            completion_tokens=self.usage.completion_tokens + (end.usage.completion_tokens if writes else 0),
        )
        self.compute_ms += 0.0 if end.cached else end.timing.compute_ms
        for note in end.notes:
            self.note(note)
        if writes:
            self.reasons = end.finish_reasons[:1]
        if end.finish_reason == "cancelled":
            raise Stopped

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _takes(record: ModelRecord, task: Task, name: str) -> bool:
    """Whether a parameter of the plan is one of this step: only models with a voice are told of voices."""
    return name not in OF_VOICES or VOICE in record.capabilities or task == Task.TEXT_TO_SPEECH


def _without_files(output: Any) -> Any:
    """What a step tells of its output: a file is an event of its own, and would be kept twice."""
    if not isinstance(output, dict):
        return output
    return {name: value for name, value in output.items() if name not in ("audio", "images")}


def named(media: Sequence[Media], one: Media) -> str:
    """How a step names a file: picture 2."""
    mine = [other for other in media if other.kind == one.kind]
    return f"{NOUNS[one.kind]} {mine.index(one) + 1}"
