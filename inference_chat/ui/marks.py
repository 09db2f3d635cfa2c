"""Marks on a picture that say what is meant: points, boxes, or paint over what shall be drawn anew."""

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr

from ..media import data_url, preview
from ..schema import JSON
from ..tasks import Task

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "marks.js")
MODES = {Task.MASK_GENERATION: "point", Task.IMAGE_TO_IMAGE: "paint"}
"""How a picture is marked for a task; others take none."""
MARKED = frozenset({"points", "point_labels", "boxes", "mask"})
"""Parameters that are marked on the picture and need no field of their own."""


def marks() -> gr.HTML:
    """A picture to draw on; its value is what was marked, as parameters of the task."""
    return gr.HTML(
        {},
        html_template='<div class="ic-marks"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        apply_default_css=False,
        elem_classes="ic-marks-block",
        visible=False,
        picture=None,
    )


async def shown(path: str | None, task: str | None) -> Any:
    """The picture to be marked for `task`, without any marks yet; hidden where there is nothing to mark."""
    mode = MODES.get(Task(task)) if task else None
    if path is None or mode is None:
        return gr.HTML(picture=None, visible=False)
    return gr.HTML(picture={"mode": mode, **await source(Path(path).read_bytes)}, visible=True)


async def source(read: Any) -> JSON:
    """A picture for the page, with its size in pixels [width, height]; `read` gives its bytes."""
    data, size = await asyncio.to_thread(lambda: preview(read()))
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return {"source": data_url(data, kind), "size": size}
