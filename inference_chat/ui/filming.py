"""How a picture comes out of noise: every step of a diffusion model, as a film to look through."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ..errors import InvalidRequest
from ..events import ImageReady
from ..jobs import Job
from ..schema import JSON
from ..service import Service
from ..tasks import Task
from .choice import able
from .parts import EVENT, QUIET, caller, done, heading, status, told, working
from .running import Running

ASSETS = Path(__file__).parent / "assets"
DRAWS = (Task.TEXT_TO_IMAGE,)
NOBODY = "No model here draws yet. Register a diffusion pipeline, in diffusers' layout, in the Registry tab."


def filming(service: Service) -> None:
    """Put the part into the tab being built."""
    running = Running()
    heading(
        "A picture out of noise",
        "A diffusion model takes a little noise away at each step. Go back and forth through them.",
        level=2,
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            model = gr.Dropdown([], label="Model that draws", allow_custom_value=True)
            words = gr.Textbox(label="Draw", value="a large red circle on white", lines=2)
            with gr.Row():
                steps = gr.Slider(4, 100, 20, step=1, label="Steps", min_width=120)
                seed = gr.Number(1, label="Seed", minimum=0, precision=0, min_width=90)
            with gr.Row():
                go = gr.Button("Draw", variant="primary")
                stop = gr.Button("Stop")
            line = status()
        with gr.Column(scale=3, min_width=320):
            view = _view()

    def fill() -> Any:
        names = [record.name for record in able(service, DRAWS)]
        return gr.Dropdown(choices=names, value=next(iter(names), None)), gr.skip() if names else done(NOBODY)

    async def draw(
        request: gr.Request, ref: str | None, prompt: str, count: float, number: float | None
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not ref:
            raise InvalidRequest(NOBODY)
        parameters = {"steps": int(count), "seed": int(number or 0), "film": True}
        asked: JSON = {"task": Task.TEXT_TO_IMAGE, "model": ref, "prompt": prompt, "parameters": parameters}
        job = await service.infer(who, **asked, use_cache=False)
        running.of(request)(job)
        shown = 0
        async for said in working(job):
            frames = frames_of(job)
            yield said, {"frames": frames[-1:], "live": True} if len(frames) > shown else gr.skip()
            shown = len(frames)
        found = frames_of(job)
        last = next((one.image.url() for one in made(job)), None)
        yield done(f"{len(found)} steps; drag the slider, or play them."), {"frames": found, "result": last}

    go.click(told(draw, others=1), [model, words, steps, seed], [line, view], **EVENT)
    words.submit(told(draw, others=1), [model, words, steps, seed], [line, view], **EVENT)
    stop.click(running.stop, None, None, **EVENT)
    root = Context.root_block
    assert root is not None
    root.load(fill, None, [model, line], **QUIET)


def frames_of(job: Job) -> list[JSON]:
    """The steps so far: the picture with its noise, and what the model takes it for."""
    frames: list[JSON] = []
    for event in job.events:
        match event:
            case ImageReady(role="noisy"):
                frames.append({"noisy": event.image.url(), "guess": event.image.url()})
            case ImageReady(role="preview") if frames:
                frames[-1]["guess"] = event.image.url()
    return frames


def made(job: Job) -> list[ImageReady]:
    """The pictures that are finished."""
    return [one for one in job.events if isinstance(one, ImageReady) and one.role == "result"]


def _view() -> gr.HTML:
    scripts = [(ASSETS / name).read_text("utf-8") for name in ("dom.js", "film.js")]
    return gr.HTML(
        {},
        html_template='<div class="ic-inside"></div>',
        js_on_load="\n".join(scripts),
        apply_default_css=False,
        elem_classes="ic-inside-block",
        empty="The steps appear here, from noise to picture.",
    )
