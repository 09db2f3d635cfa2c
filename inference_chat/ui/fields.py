"""The options of a task as a form, drawn from the same description as everywhere else."""

from pathlib import Path
from typing import Any

import gradio as gr

from ..runners import OPTIONS
from ..schema import JSON
from ..tasks import Task
from .controls import controls

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "controls.js", "fields.js")


def fields(prefix: str) -> gr.HTML:
    """A form whose value is what was changed in it, by name; `of` gives it the options of a task."""
    return gr.HTML(
        {},
        html_template='<div class="ic-form"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        apply_default_css=False,
        elem_classes="ic-form-block",
        controls=[],
        prefix=prefix,
    )


def of(task: Task | None, defaults: JSON, leave_out: frozenset[str] = frozenset()) -> Any:
    """The form with the options of `task`, set to `defaults` where a model has its own."""
    drawn = controls(OPTIONS[task], defaults, leave_out) if task in OPTIONS else []
    return gr.HTML(controls=drawn, visible=bool(drawn))
