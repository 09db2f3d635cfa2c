"""The Image tab: look at a picture, make one, or go through many."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import InvalidRequest
from ..schema import JSON, Media
from ..service import Service
from ..tasks import Task
from . import files, many, result
from .choice import choice, wants
from .parts import EVENT, caller, examples, heading, status, told
from .running import Running, following

LOOKS = (
    Task.OBJECT_DETECTION,
    Task.IMAGE_CLASSIFICATION,
    Task.IMAGE_SEGMENTATION,
    Task.VISUAL_QUESTION_ANSWERING,
    Task.IMAGE_TO_TEXT,
    Task.IMAGE_TEXT_TO_TEXT,
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION,
    Task.ZERO_SHOT_OBJECT_DETECTION,
    Task.DEPTH_ESTIMATION,
    Task.MASK_GENERATION,
    Task.IMAGE_FEATURE_EXTRACTION,
)
MAKES = (Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE)
# The view filters by its own slider without asking again, so the model is asked for all it is at all sure of.
LEAST = 0.05
BOXES = frozenset({Task.OBJECT_DETECTION, Task.ZERO_SHOT_OBJECT_DETECTION})
INPUTS = Path(__file__).parents[2] / "examples" / "inputs"


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Images", "Find out what is in a picture and where, ask about it, or have one drawn.")
    with gr.Tabs():
        with gr.Tab("Look", id="look"):
            _look(service)
        with gr.Tab("Draw", id="draw"):
            _draw(service)
        with gr.Tab("Many pictures", id="many"):
            many.build(service, LOOKS)


def _look(service: Service) -> None:
    running = Running()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            picture = files.picture()
            words = gr.Textbox(label="Question", lines=1, max_lines=4, visible=False)
            chosen = choice(
                service, LOOKS, "look", leave_out=frozenset({"threshold"}), then=(_asking, [words])
            )
            with gr.Row():
                go = gr.Button("Look", variant="primary")
                stop = gr.Button("Stop")
            line = status("Choose a picture, or one of the examples.")
            if rows := sorted(INPUTS.glob("*.png")):
                examples([[str(path)] for path in rows], [picture])
        with gr.Column(min_width=320):
            seen = result.view("What the model sees appears here.")

    async def look(
        request: gr.Request, path: str | None, text: str, model: str | None, task: str | None, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if path is None:
            raise InvalidRequest("Choose a picture first: drop one, paste one, or click an example.")
        media = [await opened(service, path)]
        given = (options or {}) | ({"threshold": LEAST} if task in BOXES else {})
        job = await service.infer(
            who, group="image", task=task, model=model, prompt=text or None, media=media, parameters=given
        )
        async for values in following(job, running.of(request)):
            yield values

    inputs = [picture, words, *chosen.inputs]
    gr.on([go.click, words.submit], told(look, others=1), inputs, [line, seen], **EVENT)
    stop.click(running.stop, None, None, **EVENT)


def _draw(service: Service) -> None:
    running = Running()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            words = gr.Textbox(
                label="What to draw", lines=2, placeholder="a red circle left of a blue square"
            )
            picture = files.picture("Picture to start from", visible=False)
            chosen = choice(service, MAKES, "draw", then=(_starting, [picture]))
            with gr.Row():
                go = gr.Button("Draw", variant="primary")
                stop = gr.Button("Stop")
            line = status("Say what to draw.")
            examples([["a red circle"], ["a blue star on a yellow background"]], [words])
        with gr.Column(min_width=320):
            made = result.view("The picture appears here, first as noise, then step by step.")

    async def draw(
        request: gr.Request, text: str, path: str | None, model: str | None, task: str | None, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not text.strip():
            raise InvalidRequest("Say what to draw, as: a red circle on a white background.")
        media = [await opened(service, path)] if path and task == Task.IMAGE_TO_IMAGE else []
        job = await service.infer(
            who, group="image", task=task, model=model, prompt=text, media=media, parameters=options or {}
        )
        async for values in following(job, running.of(request)):
            yield values

    inputs = [words, picture, *chosen.inputs]
    gr.on([go.click, words.submit], told(draw, others=1), inputs, [line, made], **EVENT)
    stop.click(running.stop, None, None, **EVENT)


async def opened(service: Service, path: str) -> Media:
    """A visitor's picture, kept; raises what is wrong with it."""
    return await service.intake.path(Path(path), "image")


def _asking(task: Task | None) -> list[Any]:
    return [gr.Textbox(visible=wants(task)[1])]


def _starting(task: Task | None) -> list[Any]:
    return [gr.Image(visible=wants(task)[0])]
