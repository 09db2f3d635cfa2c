"""Which model to use: a wish in free words, models with reasons, and a button to try one."""

from collections.abc import AsyncIterator
from html import escape
from typing import Any

import gradio as gr
from pydantic import ValidationError

from ..errors import InvalidRequest
from ..recommending.wishes import Constraints
from ..runners import OPTIONS
from ..schema import JSON, explain
from ..service import Service
from .parts import EVENT, caller, done, examples, status, told

WISHES = (
    "I need to count parts on a conveyor, under 100 ms",
    "write down what is said in a recording",
    "find the cats in my photo, less than 500 MB",
    "chat in English, Apache licensed",
)
ANY = "Any"
SAID = "As my words say"
LICENCES = (ANY, "permissive", "apache-2.0", "mit", "bsd")


def recommending(service: Service) -> None:
    """Put the panel into the Blocks being built."""
    words = gr.Textbox(label="What do you want to do?", lines=2, placeholder=WISHES[0])
    with gr.Accordion("What it must keep to", open=False), gr.Row():
        memory = gr.Number(label="Memory, at most (MiB)", value=None, minimum=0, min_width=140)
        latency = gr.Number(label="Time, at most (ms)", value=None, minimum=0, min_width=140)
        licence = gr.Dropdown(list(LICENCES), value=ANY, label="Licence", min_width=140)
        named = gr.Dropdown([SAID, *OPTIONS], value=SAID, label="Task", min_width=180)
    go = gr.Button("Recommend", variant="primary")
    line = status("Say it in your own words; limits such as “under 100 ms” are understood too.")
    examples([[wish] for wish in WISHES], [words])
    meant = gr.Radio([], label="Understood as", visible=False)
    advice = gr.HTML(apply_default_css=False, elem_classes="ic-advice-block")

    async def advise(
        request: gr.Request,
        text: str,
        memory_mb: float | None,
        latency_ms: float | None,
        wanted: str,
        task: str | None = None,
    ) -> AsyncIterator[Any]:
        caller(service, request)
        limits = _limits(memory_mb, latency_ms, wanted)
        yield done("Reading …"), gr.skip(), gr.skip()
        found = await service.recommender.recommend(text, task, limits)
        choices = gr.skip() if task else _readings(found["understood"])
        yield done(_said(found)), choices, advice_html(found)

    async def anew(request: gr.Request, *given: Any) -> AsyncIterator[Any]:
        """From the beginning: the task is the form's, where it names one, else read from the words."""
        text, memory_mb, latency_ms, wanted, form = given
        task = None if form == SAID else form
        async for said, readings, found in advise(request, text, memory_mb, latency_ms, wanted, task):
            yield said, gr.Radio(visible=False) if task else readings, found

    limits = [memory, latency, licence]
    given = [words, *limits, named]
    gr.on([go.click, words.submit], told(anew, others=2), given, [line, meant, advice], **EVENT)
    meant.input(told(advise, others=2), [words, *limits, meant], [line, meant, advice], **EVENT)


def advice_html(found: JSON) -> str:
    """The models that can do it, why, and what is in the way of the others."""
    parts = [f"<p class='ic-none'>{escape(note)}</p>" for note in found["notes"]]
    parts += [_card(one, number) for number, one in enumerate(found["recommendations"], 1)]
    others = (("with_more_memory", "Would fit with more memory"), ("left_out", "Left out"))
    for name, title in others:
        if rows := found[name]:
            listed = "".join(
                f"<li><b>{escape(one['model'])}</b>: {escape('; '.join(one['reasons']))}</li>" for one in rows
            )
            parts.append(f"<h3>{title}</h3><ul>{listed}</ul>")
    return f'<div class="ic-advice">{"".join(parts)}</div>'


def _card(one: JSON, number: int) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in one["reasons"])
    link = f'<a class="ic-small" href="{escape(one["try"])}">Try it</a>'
    name = f"<span>{number}.</span> {escape(one['model'])} <small>score {one['score']:.2f}</small>"
    return f"<article><h3>{name}{link}</h3><ul>{reasons}</ul></article>"


def _readings(understood: JSON) -> Any:
    """What the wish may mean, the likeliest chosen."""
    listed = [understood, *understood["alternatives"]]
    choices = [(f"{one['task']} ({one['score']:.0%})", one["task"]) for one in listed]
    return gr.Radio(choices=choices, value=understood["task"], visible=len(choices) > 1)


def _said(found: JSON) -> str:
    limits = found["constraints"]
    units = {
        "max_memory_mb": "at most {:,.0f} MiB",
        "max_latency_ms": "at most {:,.0f} ms",
        "license": "licence {}",
    }
    kept = ", ".join(units[name].format(value) for name, value in limits.items())
    count = len(found["recommendations"])
    models = {0: "no model that can do it here", 1: "one model"}.get(count, f"{count} models")
    return f"Understood as {found['task']}" + (f", {kept}" if kept else "") + f": {models}."


def _limits(memory: float | None, latency: float | None, licence: str) -> Constraints:
    given = {"max_memory_mb": memory or None, "max_latency_ms": latency or None}
    try:
        return Constraints(**given, license=None if licence == ANY else licence)
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None
