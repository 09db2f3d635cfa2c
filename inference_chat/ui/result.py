"""What a model has found or made, for the eye: one view for all tasks, drawn by the scripts in `assets/`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ..events import Event, Finished, ImageReady, Labels, Result, Span, TextDelta
from ..jobs import Job
from ..outputs import Output, output_of
from ..schema import JSON
from .choice import NAMES
from .marks import source
from .render import seconds

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "places.js", "regions.js", "clip.js", "result.js")
THRESHOLD = 0.5  # where the view's slider stands at first
BEHIND = frozenset({"background"})
"""What is behind the objects: no find of its own, and not shown at first."""
START = "drawResult();\nwatch('value', drawResult);\nrecall();"


def view(empty: str, functions: Sequence[Callable[..., Any]] = ()) -> gr.HTML:
    """The place where results appear; its values come from `shown` and `sketched`.

    With the `functions` of an `Album` it begins with what was made before.
    """
    return gr.HTML(
        {},
        html_template='<div class="ic-result"></div>',
        js_on_load="\n".join([*((ASSETS / name).read_text("utf-8") for name in SCRIPTS), START]),
        apply_default_css=False,
        elem_classes="ic-result-block",
        server_functions=list(functions),
        kept=bool(functions),
        empty=empty,
        threshold=THRESHOLD,
        behind=sorted(BEHIND),
    )


async def shown(job: Job, result: Result) -> JSON:
    """A finished job as the view takes it."""
    request, end = job.request, result.finished
    picture = next((one for one in request.media if one.kind == "image"), None)
    value: JSON = {
        "id": job.id,
        "task": request.task.value,
        "does": NAMES.get(request.task, request.task.value),
        "model": request.model,
        "prompt": request.prompt,
        "output": output_of(request, result),
        "figures": figures(end),
        "notes": list(end.notes),
        "settings": end.receipt.model_dump(mode="json") if end.receipt else None,
    }
    if picture is not None:
        value |= await source(picture.read)
    if clip := next((one for one in request.media if one.kind == "video"), None):
        value["source_clip"] = f"media/{clip.id}"
    return value


def sketched(job: Job) -> JSON | None:
    """What there is of a result under way, for the view; None where there is nothing to see yet."""
    for event in reversed(job.events):
        match event:
            case ImageReady(role="preview"):
                return {"id": job.id, "preview": event.image.url()}
            case Labels(frame=int()):
                return {"id": job.id, "sofar": _followed(job.events)}
            case Span(kind="scene"):
                return {"id": job.id, "sofar": {"scenes": _scenes(job.events)}}
            case TextDelta():
                texts = (one.text for one in job.events if isinstance(one, TextDelta) and one.choice == 0)
                return {"id": job.id, "sofar": {"text": "".join(texts)}}
    return None


def _followed(events: Sequence[Event]) -> JSON:
    """How many objects of each kind have been followed so far."""
    labels = (item for one in events if isinstance(one, Labels) for item in one.items)
    kinds = {item.track: item.label for item in labels}
    counts = {label: list(kinds.values()).count(label) for label in kinds.values()}
    return {"objects": sorted(counts.items(), key=lambda one: (-one[1], one[0]))}


def _scenes(events: Sequence[Event]) -> list[JSON]:
    """The scenes found so far, each with its key frame."""
    found = [one for one in events if isinstance(one, Span) and one.kind == "scene"]
    return [{"start_s": one.start_s, "image": one.image.url() if one.image else None} for one in found]


def summary(output: Output) -> str:
    """What was found, in a sentence; of objects, those that the view shows at first."""
    match output:
        case [{"box": _}, *_] | [{"mask": _}, *_]:
            sure = [
                item["label"]
                for item in output
                if item.get("score", 1.0) >= THRESHOLD and item["label"] not in BEHIND
            ]
            return _counted(sure) if sure else "Nothing surer than the threshold; lower it to see more."
        case [{"label": str(label), "score": float(score)}, *_]:
            return f"{label}, {score:.0%}"
        case []:
            return "Nothing was found."
        case {"images": list(images)}:
            return "One picture." if len(images) == 1 else f"{len(images)} pictures."
        case {"tracks": list(tracks)}:
            return _counted([track["label"] for track in tracks]) if tracks else "Nothing was followed."
        case {"scenes": list(scenes)}:
            return "One scene." if len(scenes) == 1 else f"{len(scenes)} scenes."
        case {"text": str(text)}:
            return text if len(text) <= 80 else "Answered."
        case {"video": str(), "frame_count": int(count), "fps": float() | int() as rate}:
            return f"A clip of {count / rate:.1f} s."
        case _:
            return "Done."


def figures(end: Finished) -> list[str]:
    """What a result cost, as short words."""
    words = ["kept from before"] if end.cached else [f"{seconds(end.timing.total_ms)} in all"]
    if end.timing.load_ms and not end.cached:
        words.append(f"{seconds(end.timing.load_ms)} of it loading")
    if end.receipt and end.receipt.dtype:  # a plan ran nowhere itself
        words.append(", ".join(word for word in (end.receipt.device, end.receipt.dtype) if word))
    return words


def _counted(labels: Sequence[str]) -> str:
    counts = {label: labels.count(label) for label in dict.fromkeys(labels)}
    listed = ", ".join(f"{count} {label}" if count > 1 else label for label, count in counts.items())
    return f"{len(labels)} found: {listed}." if len(listed) <= 160 else f"{len(labels)} found."
