"""The Inside tab, for those who learn: tokens, their probabilities, and what a picture's answer rests on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from math import exp
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ..errors import InvalidRequest
from ..events import Progress, TextDelta, TokenLogprob
from ..jobs import Job
from ..media import data_url, preview
from ..schema import JSON, Message
from ..service import Service
from ..tasks import Task
from .choice import able
from .filming import filming
from .parts import EVENT, QUIET, TICK, busy, caller, done, heading, status, told, working
from .running import Running

ASSETS = Path(__file__).parent / "assets"
PICTURES = sorted((Path(__file__).parents[2] / "examples" / "inputs").glob("scene-*.png"))
ALTERNATIVES = 8
SEES = (Task.IMAGE_CLASSIFICATION, Task.OBJECT_DETECTION)
WRITES = (Task.TEXT_GENERATION,)
READS = (Task.TEXT_GENERATION, Task.TEXT_CLASSIFICATION, Task.FEATURE_EXTRACTION, Task.TRANSLATION)
SPLIT = "How a text becomes numbers: “naïve” and 12,345 are several tokens each."


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Inside", "How models come to their answers: by tokens, by chance, and by what they look at.")
    _writing(service)
    _splitting(service)
    _looking(service)
    filming(service)


def _writing(service: Service) -> None:
    """An answer whose every token shows how likely it was, and what else might have stood there."""
    running = Running()
    heading(
        "An answer, token by token",
        "The redder, the less likely. Choose another token to go on from it.",
        level=2,
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            model = _models(service, WRITES, "Model that writes")
            words = gr.Textbox(label="Say something", value="What is the capital of France?", lines=2)
            with gr.Row():
                heat = gr.Slider(0, 2, 0, step=0.1, label="Temperature", min_width=120)
                most = gr.Slider(5, 200, 40, step=5, label="Most tokens", min_width=120)
            with gr.Row():
                go = gr.Button("Write", variant="primary")
                stop = gr.Button("Stop")
            line = status()
        with gr.Column(scale=3, min_width=320):
            view = _view("What is written appears here, coloured by its probability.", "drawAnswer")

    async def write(
        request: gr.Request, value: JSON | None, *given: Any, at: int = 0, text: str = ""
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        ref, prompt, temperature, count = given
        if not prompt.strip():
            raise InvalidRequest("Say something first.")
        kept = list((value or {}).get("tokens", []))[: at + 1] if text else []
        if kept:
            kept[-1] = _instead(kept[-1], text)
        before = "".join(token["text"] for token in kept)
        messages = [Message(role="user", content=prompt)]
        messages += [Message(role="assistant", content=before)] if before else []
        parameters = {"temperature": temperature, "max_tokens": int(count), "logprobs": ALTERNATIVES}
        asked = {"task": Task.TEXT_GENERATION, "model": ref, "messages": messages, "parameters": parameters}
        job = await service.infer(who, **asked)
        running.of(request)(job)
        async for said in working(job):
            yield said, {"tokens": kept + _written(job)}
        tokens = kept + _written(job)
        yield done(_summary(tokens)), {"tokens": tokens, "done": True}

    async def again(event: gr.EventData, request: gr.Request, value: JSON, *given: Any) -> AsyncIterator[Any]:
        """Go on from another token."""
        async for values in write(request, value, *given, at=int(event.at), text=str(event.text)):
            yield values

    inputs = [view, model, words, heat, most]
    gr.on([go.click, words.submit], told(write, others=1), inputs, [line, view], **EVENT)
    view.select(told(again, others=1), inputs, [line, view], **EVENT)
    stop.click(running.stop, None, None, **EVENT)


def _splitting(service: Service) -> None:
    """A text as the model's tokenizer splits it."""
    heading("A text as the model reads it", "Each piece is one token; point at it for its number.", level=2)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            model = _models(service, READS, "Model that reads")
            words = gr.Textbox(label="Text", value=SPLIT, lines=3)
            go = gr.Button("Split", variant="primary")
            line = status()
        with gr.Column(scale=3, min_width=320):
            view = _view("The tokens of the text appear here.", "drawPieces")

    async def split(request: gr.Request, ref: str, text: str) -> AsyncIterator[Any]:
        caller(service, request)
        if not text:
            raise InvalidRequest("Write something to split.")
        found = await service.inside.tokens(ref, text)
        each = len(text) / max(1, found["count"])
        said = f"{found['count']:,} tokens for {len(text):,} characters: {each:.1f} each."
        yield done(said), found

    gr.on([go.click, words.submit], told(split, others=1), [model, words], [line, view], **EVENT)


def _looking(service: Service) -> None:
    """What in a picture an answer rests on."""
    heading(
        "What a picture's answer rests on",
        "Parts are covered one after the other. Where the model then gets less sure, the picture is red.",
        level=2,
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            model = _models(service, SEES, "Model that looks")
            first = str(PICTURES[0]) if PICTURES else None
            picture = gr.Image(
                value=first, label="Picture", type="filepath", height=220, sources=["upload", "clipboard"]
            )
            go = gr.Button("Show", variant="primary")
            line = status()
        with gr.Column(scale=3, min_width=320):
            view = _view("The picture with what mattered in red appears here.", "drawHeat")

    async def show(
        request: gr.Request, ref: str, path: str | None, label: str | None = None
    ) -> AsyncIterator[Any]:
        caller(service, request)
        if path is None or not ref:
            raise InvalidRequest("Choose a model and a picture first.")
        medium = await service.intake.path(Path(path), "image")
        steps: list[Progress] = []
        loop = asyncio.get_running_loop()
        began = loop.time()
        looking = asyncio.create_task(service.inside.saliency(ref, medium, label, steps.append))
        try:
            while not looking.done():
                yield busy(steps[-1] if steps else None, loop.time() - began), gr.skip()
                await asyncio.wait([looking], timeout=TICK)
            found = await looking
        finally:
            looking.cancel()
        data, size = await asyncio.to_thread(lambda: preview(medium.read()))
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        shown = {**found, "source": data_url(data, kind), "size": size}
        yield done(f"{found['label']}, {found['score']:.0%}: looked at {steps[-1].total} times."), shown

    async def other(
        event: gr.EventData, request: gr.Request, ref: str, path: str | None
    ) -> AsyncIterator[Any]:
        """The reasons for another of the things that were found."""
        async for values in show(request, ref, path, str(event.label)):
            yield values

    go.click(told(show, others=1), [model, picture], [line, view], **EVENT)
    view.select(told(other, others=1), [model, picture], [line, view], **EVENT)


def _models(service: Service, tasks: Sequence[Task], label: str) -> gr.Dropdown:
    """A list of the models that do one of these tasks, filled when the page is opened."""
    chosen = gr.Dropdown([], label=label, allow_custom_value=True)

    def fill() -> Any:
        names = [record.name for record in able(service, tasks)]
        return gr.Dropdown(choices=names, value=next(iter(names), None))

    root = Context.root_block
    assert root is not None
    root.load(fill, None, chosen, **QUIET)
    return chosen


def _view(empty: str, start: str) -> gr.HTML:
    scripts = [(ASSETS / name).read_text("utf-8") for name in ("dom.js", "inside.js")]
    return gr.HTML(
        {},
        html_template='<div class="ic-inside"></div>',
        js_on_load="\n".join([*scripts, f"{start}();\nwatch('value', {start});"]),
        apply_default_css=False,
        elem_classes="ic-inside-block",
        empty=empty,
    )


def _written(job: Job) -> list[JSON]:
    """The tokens so far, with probabilities instead of their logarithms."""
    return [_shown(token) for event in job.events if isinstance(event, TextDelta) for token in event.tokens]


def _shown(token: TokenLogprob) -> JSON:
    others = [{"text": one.text, "p": _chance(one)} for one in token.top]
    return {"text": token.text, "p": _chance(token), "top": others}


def _chance(token: TokenLogprob) -> float:
    """Its probability, 0 where there is none."""
    return round(exp(token.logprob), 4) if token.logprob is not None else 0.0


def _instead(token: JSON, text: str) -> JSON:
    """The same place with another token."""
    chance = next((one["p"] for one in token["top"] if one["text"] == text), token["p"])
    return {**token, "text": text, "p": chance, "chosen": True}


def _summary(tokens: Sequence[JSON]) -> str:
    if not tokens:
        return "Nothing was written."
    unsure = min(tokens, key=lambda token: token["p"])
    mean = sum(token["p"] for token in tokens) / len(tokens)
    least = f"“{unsure['text'].strip()}”, {unsure['p']:.1%}"
    return f"{len(tokens)} tokens, {mean:.0%} likely on average; the least likely: {least}."
