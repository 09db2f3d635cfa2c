"""Scenes with a sentence on each: one model finds them, another, or a plan, describes their key frames."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from ..engine import Emit
from ..errors import InferenceChatError
from ..events import Event, Finished, Progress, Result, Span
from ..jobs import Job
from ..media import MediaStore
from ..models.models import Models
from ..outputs import output_of
from ..registry.registry import ModelRecord
from ..registry.senses import AUTO
from ..schema import Request
from ..suggested import FINDS
from ..tasks import Task

DESCRIBES = (Task.IMAGE_TO_TEXT, Task.IMAGE_TEXT_TO_TEXT)
MARK = re.compile(r" ?\[\d+\]")
"""What points at a region of a picture, which no caption has."""
QUESTION = "Describe the picture."
NOBODY = "No model here describes pictures, so the scenes have no captions; register one for image-to-text."


def captioned(request: Request) -> bool:
    """Whether a request wants its scenes described."""
    return request.task == Task.SCENE_DETECTION and bool(getattr(request.options, "captions", False))


class Scenes:
    """Finds the scenes of a clip, and tells each once it is described; `ask` runs one request."""

    def __init__(
        self, ask: Callable[[Request, Emit, Job], Awaitable[None]], models: Models, media: MediaStore
    ) -> None:
        self._ask, self._models, self._media = ask, models, media

    async def run(self, request: Request, emit: Emit, job: Job) -> None:
        """As `Engine.run`; scenes come after the whole clip has been watched."""
        named = getattr(request.options, "caption_model", None)
        describer = self._describer(named)
        ends: list[Finished] = []
        spans: list[Span] = []

        def hear(event: Event) -> None:
            match event:
                case Finished():
                    ends.append(event)
                case Span():
                    spans.append(event)
                case _:
                    emit(event)

        await self._ask(request, hear, job)
        notes = [] if describer else [NOBODY]
        scenes = [span for span in spans if span.kind == "scene"]
        for span in spans:
            if describer and span in scenes and not job.stop.is_set():
                emit(_progress(scenes.index(span), len(scenes)))
                span = await self._described(span, *describer, request, job, notes)
            emit(span)
        emit(self._end(ends[-1], notes, job))

    def _describer(self, named: str | None) -> tuple[Task, ModelRecord] | None:
        """Who describes: the model that was named, else the first that can, else a plan by what is found.

        Raises for one that cannot.
        """
        if named:
            record = self._models.record(named, None)
            task = next((task for task in DESCRIBES if task in record.tasks), None)
            return (task or Task.IMAGE_TO_TEXT, self._models.record(named, task or Task.IMAGE_TO_TEXT))
        if found := next(((task, one) for task in DESCRIBES if (one := self._models.first(task))), None):
            return found
        finds = any(self._models.first(task) for task in FINDS["image"])
        return (Task.IMAGE_TO_TEXT, AUTO) if finds else None

    async def _described(
        self, span: Span, task: Task, record: ModelRecord, request: Request, job: Job, notes: list[str]
    ) -> Span:
        """The scene with its caption; without one, and with a note, where the model fails."""
        if span.image is None:
            return span
        media = await asyncio.to_thread(self._media.add, span.image.data, "image")
        asked = Request(
            task=task,
            model=record.id,
            prompt=QUESTION if task == Task.IMAGE_TEXT_TO_TEXT else None,
            media=(media,),
            options=self._models.parameters(record, task, {"temperature": 0}),
            use_cache=request.use_cache,
            timeout_ms=request.timeout_ms,
        )
        events: list[Event] = []
        try:
            await self._ask(asked, events.append, job)
        except InferenceChatError as error:
            note = f"{record.id} could not describe every scene. {error.detail}"
            notes += [note] if note not in notes else []
            return span
        output = output_of(asked, Result.of(events))
        text = output.get("text", "") if isinstance(output, dict) else ""
        return span.model_copy(update={"text": MARK.sub("", str(text)).strip()})

    def _end(self, end: Finished, notes: list[str], job: Job) -> Finished:
        total = (asyncio.get_running_loop().time() - job.created) * 1000
        reasons = ("cancelled",) if job.stop.is_set() else end.finish_reasons
        timing = end.timing.model_copy(update={"total_ms": round(total, 3)})
        return end.model_copy(
            update={"timing": timing, "finish_reasons": reasons, "notes": (*end.notes, *notes)}
        )


def _progress(done: int, total: int) -> Progress:
    return Progress(phase="answering", detail="describing scenes", done=done, total=total, unit="scenes")
