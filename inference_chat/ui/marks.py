"""Marks that say what is meant: points, boxes, or paint on a picture; objects, lines and zones in a clip."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..access import Caller
from ..errors import BadMedia, InferenceChatError
from ..media import TAKEN, ClipInfo, Frames, data_url, image_bytes, preview
from ..runners.checkpoint import Checkpoint
from ..runners.diffusion import repaints
from ..schema import JSON
from ..service import Service
from ..tasks import Task
from .actions import doors

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "places.js", "marks.js", "clip_marks.js")
MODES = {Task.MASK_GENERATION: "point", Task.IMAGE_TO_IMAGE: "paint", Task.OBJECT_TRACKING: "clip"}
"""How a picture or clip is marked for a task; others take no marks."""
MARKED = frozenset({"points", "point_labels", "boxes", "mask", "lines", "zones", "at_s"})
"""Parameters that are marked on the picture and need no field of their own."""
STILL_SIDE = 1280
START = "drawMarks();\nwatch('picture', drawMarks);"
Shown = Callable[[str | None, str | None, str | None], Awaitable[Any]]


class Stills:
    """Single frames of a clip that is kept, for those who mark something in it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def still(self, caller: Caller, *, clip: str, at_s: float) -> JSON:
        """The frame on screen at a moment, and what the clip is; raises `BadMedia` when it is gone."""
        media = await self._service.intake.kept(clip)
        if media is None:
            raise BadMedia("The clip is no longer kept here; choose it again.")
        return await asyncio.to_thread(_still, media.path, at_s)


def marks(service: Service) -> tuple[gr.HTML, Shown]:
    """A picture or clip to mark, whose value is what was marked, as parameters of the task; and what sets it
    anew when another file (its path), task or model is chosen."""
    made = gr.HTML(
        {},
        html_template='<div class="ic-marks"></div>',
        js_on_load="\n".join([*((ASSETS / name).read_text("utf-8") for name in SCRIPTS), START]),
        server_functions=doors(Stills(service), service),
        apply_default_css=False,
        elem_classes="ic-marks-block",
        visible=False,
        picture=None,
    )

    async def shown(path: str | None, task: str | None, model: str | None) -> Any:
        mode = MODES.get(Task(task)) if task else None
        if path is None or mode is None:
            return gr.HTML(picture=None, visible=False)
        try:
            if mode == "paint" and not await asyncio.to_thread(_paintable, service, model):
                return gr.HTML(picture=None, visible=False)
            picture = await (_clip(service, path, model) if mode == "clip" else _picture(path))
        except InferenceChatError:  # it is told when the model shall look at it
            return gr.HTML(picture=None, visible=False)
        return gr.HTML(picture={"mode": mode, **picture}, visible=True)

    return made, shown


def _paintable(service: Service, model: str | None) -> bool:
    """Whether a mask means something to a model; an upscaler, say, changes whole pictures only."""
    found = service.models.find(service.models.record(model, Task.IMAGE_TO_IMAGE))
    return not isinstance(found, Checkpoint) or repaints(found.config)


async def source(read: Any) -> JSON:
    """A picture for the page, with its size in pixels [width, height]; `read` gives its bytes."""
    data, size = await asyncio.to_thread(lambda: preview(read()))
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return {"source": data_url(data, kind), "size": size}


async def _picture(path: str) -> JSON:
    return await source(Path(path).read_bytes)


async def _clip(service: Service, path: str, model: str | None) -> JSON:
    """The beginning of a clip; `shows` where the model follows what it is shown."""
    media = await service.intake.path(Path(path), "video")
    does = service.models.record(model, None).tasks if model else ()
    told = await asyncio.to_thread(_still, media.path, 0.0)
    return {"clip": media.id, "shows": Task.MASK_GENERATION in does, **told}


def _still(path: Path, at_s: float) -> JSON:
    def moment(info: ClipInfo) -> tuple[float]:
        return (min(max(0.0, at_s), max(0.0, info.seconds - 1 / info.fps)),)

    with Frames(path, TAKEN, times=moment, max_side=STILL_SIDE) as frames:
        info, found = frames.info, frames.take(1)
    if not found:
        raise BadMedia("There is no frame at that moment; the clip is damaged or cut off before.")
    return {
        "source": data_url(image_bytes(found[0].picture, "JPEG"), "image/jpeg"),
        "size": (info.width, info.height),
        "seconds": info.seconds,
        "fps": info.fps,
        "at_s": round(found[0].time_s, 3),
    }
