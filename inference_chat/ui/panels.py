"""The two halves of a tab: ask a model about a file, or have it make one; tabs differ in their words."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..access import Caller
from ..errors import InvalidRequest, StorageFailed
from ..media import open_image
from ..schema import JSON, Media
from ..service import Service
from ..tasks import Group, Kind, Task
from . import album, files, marks, result, talk
from .actions import doors
from .album import Album
from .choice import Choice, choice, does_of, wants
from .parts import EVENT, QUIET, caller, done, examples, failed, status, told
from .presets import INPUTS
from .running import Running, following, over

NOT_SHOWN = frozenset({"n", "logprobs", "response_format"})
"""Parameters of texts whose results the view has no place for."""


@dataclass(frozen=True)
class Look:
    """A panel that asks about a file: what it takes, and how it speaks."""

    group: Group
    kind: Kind
    tasks: Sequence[Task]
    place: Callable[[], Any]
    verb: str
    start: str
    empty: str
    missing: str
    samples: str
    least: Callable[[str | None], JSON] = lambda _: {}
    leave_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Make:
    """A panel that has something made from words, or from words and a picture."""

    group: Group
    tasks: Sequence[Task]
    from_picture: Task
    verb: str
    ask: str
    example: str
    empty: str
    samples: Sequence[str] = ()


def looking(service: Service, look: Look) -> None:
    """Put a panel that looks at something into the Blocks being built."""
    running, talks = Running(), talk.Talks()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            place = look.place()
            words = gr.Textbox(label="Question", lines=1, max_lines=4, visible=False)
            asking = (lambda task: [gr.Textbox(visible=wants(task)[1])], [words])
            prefix = look.verb.lower()
            chosen = choice(service, look.tasks, prefix, leave_out=look.leave_out, planned=True, then=asking)
            marked = _marked(service, place, chosen) if marks.MODES.keys() & set(look.tasks) else None
            go, stop, line = _buttons(look.verb, look.start)
            if rows := sorted(INPUTS.glob(look.samples)):
                examples([[str(path)] for path in rows], [place])
        with gr.Column(min_width=320):
            seen = result.view(look.empty)

    async def ask(
        request: gr.Request,
        path: str | None,
        text: str,
        model: str | None,
        task: str | None,
        options: JSON,
        drawn: JSON | None = None,
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if path is None:
            raise InvalidRequest(look.missing)
        media = await service.intake.path(Path(path), look.kind)
        given = (options or {}) | look.least(task) | _fitting(drawn, task)
        asked: JSON = {"task": task, "model": model, "parameters": given}
        if task in talk.TALKS and (text or "").strip():
            async for values in talking(request, who, media, text or "", asked):
                yield values
            return
        asked |= {"prompt": text or None, "media": [media]}
        job = await service.infer(who, group=look.group, **asked)
        async for line, value in following(job, running.of(request)):
            yield line, value, gr.skip()

    async def talking(
        request: gr.Request, who: Caller, picture: Media, text: str, asked: JSON
    ) -> AsyncIterator[Any]:
        """Ask with the turns before; the field is free for the next question once this one is answered."""
        page = request.session_hash or ""
        turns = talks.about(page, picture)
        job = await service.infer(who, group=look.group, **asked, **talk.asked(picture, turns, text))
        async for line, value in following(job, running.of(request)):
            if over(value):
                value |= talk.told(turns, text)
                talks.add(page, picture, talk.Turn(text, str(value["output"].get("text", ""))))
                yield line, value, ""
            else:
                yield line, value, gr.skip()

    inputs = [place, words, *chosen.inputs, *([marked] if marked else [])]
    gr.on([go.click, words.submit], told(ask, others=2), inputs, [line, seen, words], **EVENT)
    seen.select(talks.forget, None, None, **EVENT)
    stop.click(running.stop, None, None, **EVENT)


def making(service: Service, make: Make) -> None:
    """Put a panel that makes something into the Blocks being built."""
    running = Running()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            words = gr.Textbox(label=make.ask, lines=2, placeholder=make.example)
            # Hidden by its column: an update of its own would give it back Gradio's way of reading it.
            with gr.Column(visible=False) as around:
                picture = files.picture("Picture to start from")
            starting = (lambda task: [gr.Column(visible=wants(task)[0])], [around])
            chosen = choice(service, make.tasks, make.verb.lower(), leave_out=marks.MARKED, then=starting)
            marked = _marked(service, picture, chosen)
            go, stop, line = _buttons(make.verb, f"{make.ask}?")
            if make.samples:
                examples([[text] for text in make.samples], [words])
        with gr.Column(min_width=320):
            made = result.view(make.empty, doors(Album(service, make.group), service))

    async def ask(
        request: gr.Request,
        text: str,
        path: str | None,
        model: str | None,
        task: str | None,
        options: JSON,
        drawn: JSON | None,
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not text.strip():
            raise InvalidRequest(f"{make.ask}? Write, for example: {make.example}.")
        started = [path] if path and task == make.from_picture else []
        media = [await service.intake.path(Path(one), "image") for one in started]
        given = (options or {}) | (_fitting(drawn, task) if started else {})
        asked = {"task": task, "model": model, "prompt": text, "media": media, "parameters": given}
        job = await service.infer(who, group=make.group, **asked)
        async for line, value in following(job, running.of(request)):
            if over(value):  # until the run is over no other press is heard
                try:
                    await album.keep(service, make.group, who, value)
                except StorageFailed as error:
                    line = failed(error)
            yield line, value

    async def again(event: gr.EventData, model: str | None) -> list[Any]:
        """A picture that was made becomes the one to start from."""
        if make.from_picture not in does_of(service, model, make.tasks):
            return [failed(f"{model} starts from words only; choose another model."), gr.skip(), gr.skip()]
        media = await service.intake.link(str(event.image), "image")
        said = done("Now say what to change in it.")
        return [said, await asyncio.to_thread(lambda: open_image(media.read())), make.from_picture.value]

    inputs = [words, picture, *chosen.inputs, marked]
    gr.on([go.click, words.submit], told(ask, others=1), inputs, [line, made], **EVENT)
    chosen.follow(made.select(again, chosen.model, [line, picture, chosen.task], **EVENT).then)
    stop.click(running.stop, None, None, **EVENT)


def _marked(service: Service, place: Any, chosen: Choice) -> gr.HTML:
    """What is in `place`, to draw on while a task is chosen that takes marks."""
    made, shown = marks.marks(service)

    async def fitting(path: str | None, task: str | None, model: str | None) -> Any:
        return await shown(path, chosen.kept(model, task), model)

    # The last of several changes counts, also while the one before is being shown.
    for change in (place.change, *(event.then for event in chosen.settled)):
        change(fitting, [place, chosen.task, chosen.model], made, **QUIET)
    return made


def _fitting(given: JSON | None, task: str | None) -> JSON:
    """What was marked, where the task takes it."""
    return given or {} if task in marks.MODES else {}


def _buttons(verb: str, start: str) -> tuple[gr.Button, gr.Button, gr.HTML]:
    """The one that begins, the one that stops, and the line below them."""
    with gr.Row():
        go = gr.Button(verb, variant="primary")
        stop = gr.Button("Stop")
    return go, stop, status(start)
