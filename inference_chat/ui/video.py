"""The Video tab: find out what happens in a clip and when, or make one."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import InvalidRequest
from ..schema import JSON
from ..service import Service
from ..tasks import Task
from . import files, result
from .choice import choice, wants
from .parts import EVENT, caller, examples, heading, status, told
from .running import Running, following

LOOKS = (
    Task.OBJECT_TRACKING,
    Task.SCENE_DETECTION,
    Task.VIDEO_CLASSIFICATION,
    Task.VIDEO_TEXT_TO_TEXT,
)
MAKES = (Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO)
INPUTS = Path(__file__).parents[2] / "examples" / "inputs"


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Video", "Follow objects, find the scenes of a clip, ask what happens in it, or have one made.")
    with gr.Tabs():
        with gr.Tab("Watch", id="watch"):
            _watch(service)
        with gr.Tab("Film", id="film"):
            _film(service)


def _watch(service: Service) -> None:
    running = Running()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            clip = files.clip()
            words = gr.Textbox(label="Question", lines=1, max_lines=4, visible=False)
            chosen = choice(service, LOOKS, "watch", then=(_asking, [words]))
            with gr.Row():
                go = gr.Button("Watch", variant="primary")
                stop = gr.Button("Stop")
            line = status("Choose a clip, or one of the examples.")
            if rows := sorted(INPUTS.glob("*.mp4")):
                examples([[str(path)] for path in rows], [clip])
        with gr.Column(min_width=320):
            seen = result.view("The clip appears here, with what was found in it.")

    async def watch(
        request: gr.Request, path: str | None, text: str, model: str | None, task: str | None, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if path is None:
            raise InvalidRequest("Choose a clip first: drop one, record one, or click an example.")
        media = [await service.intake.path(Path(path), "video")]
        job = await service.infer(
            who,
            group="video",
            task=task,
            model=model,
            prompt=text or None,
            media=media,
            parameters=options or {},
        )
        async for values in following(job, running.of(request)):
            yield values

    inputs = [clip, words, *chosen.inputs]
    gr.on([go.click, words.submit], told(watch, others=1), inputs, [line, seen], **EVENT)
    stop.click(running.stop, None, None, **EVENT)


def _film(service: Service) -> None:
    running = Running()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            words = gr.Textbox(label="What to film", lines=2, placeholder="a red circle moves to the left")
            picture = files.picture("Picture to start from", visible=False)
            chosen = choice(service, MAKES, "film", then=(_starting, [picture]))
            with gr.Row():
                go = gr.Button("Film", variant="primary")
                stop = gr.Button("Stop")
            line = status("Say what to film.")
        with gr.Column(min_width=320):
            made = result.view("The clip appears here.")

    async def film(
        request: gr.Request, text: str, path: str | None, model: str | None, task: str | None, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not text.strip():
            raise InvalidRequest("Say what to film, as: a red circle moves to the left.")
        started = path and task == Task.IMAGE_TO_VIDEO
        media = [await service.intake.path(Path(str(path)), "image")] if started else []
        job = await service.infer(
            who, group="video", task=task, model=model, prompt=text, media=media, parameters=options or {}
        )
        async for values in following(job, running.of(request)):
            yield values

    inputs = [words, picture, *chosen.inputs]
    gr.on([go.click, words.submit], told(film, others=1), inputs, [line, made], **EVENT)
    stop.click(running.stop, None, None, **EVENT)


def _asking(task: Task | None) -> list[Any]:
    return [gr.Textbox(visible=wants(task)[1])]


def _starting(task: Task | None) -> list[Any]:
    return [gr.Image(visible=wants(task)[0])]
