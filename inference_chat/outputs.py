"""The `output` of a finished request, in the shape that every door answers with.

=============================================  ==============================================================
text tasks, questions, captions                `{"text", "texts"?, "tokens"?}`
classification                                 `[{"label", "score"}]`
detection                                      `[{"label", "score", "box"}]`, in pixels of the picture sent
segmentation                                   `[{"label", "score", "mask"}]`, masks as PNG
depth                                          `{"depth", "near", "far"}`, a PNG whose white is near
embeddings                                     `{"embedding", "similar"?}`
generated and edited pictures                  `{"images", "seed"}`
tracking                                       `{"fps", "frame_count", "tracks": [{"id", "label", "frames"}],
                                               "events", "counts", "video"?}`, more of it in `motion`
scenes                                         `{"scenes": [{"start_s", "end_s", "caption"?}]}`
questions about a clip                         `{"text", "timestamps"}`, seconds of the frames looked at
speech recognition                             `{"text", "chunks": [{"text", "timestamp"}]}`
generated clips and sounds                     `{"video", "fps", "frame_count"}`, `{"audio", "sampling_rate"}`
answers said aloud, answers with a picture     the same `audio`, `sampling_rate`; `images`, `seeds` besides
a plan over several models                     `{"text", "plan": [{"step", "task", "model", "input", "output",
                                               "ms"}], "sources": [{"number", "kind", "medium", …}]}`
=============================================  ==============================================================

Several media in one request give a list of outputs, one for each, in their order; null or an empty list
for one that could not be read.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .events import (
    AudioReady,
    Footage,
    ImageReady,
    Label,
    Labels,
    Outcome,
    Result,
    Span,
    Vector,
    VideoReady,
)
from .media.motion import counts, happenings, movement, tracks_of
from .schema import JSON, Request
from .tasks import TASKS, Task

T = TypeVar("T", bound=Outcome)
Output = JSON | list[Any]


def output_of(request: Request, result: Result) -> Output:
    """What `request` has brought, as JSON; files are `data:` URLs."""
    return SHAPES.get(request.task, _text)(request, result)


def answer_of(id: str, request: Request, result: Result) -> JSON:
    """The common answer of every door to a finished request; `id` is the job's."""
    end = result.finished
    receipt = end.receipt.model_dump(mode="json", exclude_none=True) if end.receipt else None
    return {
        "id": id,
        "model": request.model,
        "task": request.task.value,
        "output": output_of(request, result),
        "usage": end.usage.model_dump(),
        "finish_reason": end.finish_reason,
        "timing": end.timing.model_dump(exclude_none=True),
        "cached": end.cached,
        "notes": list(end.notes),
    } | ({"receipt": receipt} if receipt else {})


def outputs_of(request: Request, result: Result) -> list[Output]:
    """The same with one output for each medium, also where there is only one."""
    output = output_of(request, result)
    return list(output) if isinstance(output, list) and len(_indices(request)) > 1 else [output]


def _text(request: Request, result: Result) -> JSON:
    shown: JSON = {"text": result.text}
    if len(result.texts) > 1:
        shown["texts"] = list(result.texts)
    if result.tokens[0]:
        shown["tokens"] = [token.model_dump(mode="json") for token in result.tokens[0]]
    if result.tool_calls:
        shown["tool_calls"] = [call.model_dump() for call in result.tool_calls[0]]
    return shown | _sound(request, result)


def _labels(request: Request, result: Result) -> Output:
    found: dict[int, list[JSON]] = {}
    for event in _all(result, Labels):
        found.setdefault(event.index, []).extend(_label(item) for item in event.items)
    return _each(request, [found.get(index, []) for index in _indices(request)])


def _label(item: Label) -> JSON:
    return item.model_dump(mode="json", exclude_none=True)


def _vector(request: Request, result: Result) -> Output:
    found: dict[int, JSON] = {}
    for vector in _all(result, Vector):
        found[vector.index] = {"embedding": list(vector.values)}
    for alike in _all(result, Labels):
        found[alike.index]["similar"] = [_label(item) for item in alike.items]
    return _each(request, [found.get(index, {}) for index in _indices(request)])


def _depth(request: Request, result: Result) -> Output:
    found = {
        event.index: {"depth": event.image.url(), "near": event.near, "far": event.far}
        for event in _all(result, ImageReady)
    }
    return _each(request, [found.get(index, {}) for index in _indices(request)])


def _pictures(_: Request, result: Result) -> JSON:
    made = list(_all(result, ImageReady))
    seeds = [event.seed for event in made]
    return {"images": [event.image.url() for event in made], "seed": next(iter(seeds), None), "seeds": seeds}


def _tracks(request: Request, result: Result) -> JSON:
    seen = list(_all(result, Labels))
    footage = next(_all(result, Footage), None)
    found = tracks_of(seen)
    told: dict[int, JSON] = {
        track.id: {"id": track.id, "label": track.label} | movement(track) | {"frames": []} for track in found
    }
    for event in seen:
        for item in event.items:
            if item.track in told and item.box is not None:
                place = {"frame": event.frame, "time_s": event.time_s, "score": item.score}
                told[item.track]["frames"].append(place | {"box": item.box.model_dump()})
    shown: JSON = _footage(result) | {"tracks": list(told.values())}
    if footage is not None:
        lines, zones = (getattr(request.options, name, ()) for name in ("lines", "zones"))
        events = happenings(found, footage, lines, zones)
        shown["events"] = [event.shown() for event in events]
        shown["counts"] = counts(found, events, footage.seconds, lines, zones)
    return shown | _made(result)


def _actions(request: Request, result: Result) -> Output:
    """One list for the whole clip; with the stretches of it where they were asked for."""
    told = list(_all(result, Labels))
    whole = [_label(item) for event in told if event.time_s is None for item in event.items]
    windows = [event for event in told if event.time_s is not None]
    length = getattr(request.options, "window_s", None)
    if length is None:
        return whole
    seconds = next((event.seconds for event in _all(result, Footage)), 0.0)
    starts = [event.time_s or 0.0 for event in windows]
    return {
        "labels": whole,
        "windows": [
            {"start_s": start, "end_s": round(end, 3), "labels": [_label(item) for item in event.items]}
            for start, end, event in zip(starts, [*starts[1:], seconds], windows, strict=True)
        ],
    }


def _scenes(_: Request, result: Result) -> JSON:
    scenes = [span for span in _all(result, Span) if span.kind == "scene"]
    cuts = [span for span in _all(result, Span) if span.kind in ("cut", "fade")]
    return _footage(result) | {
        "scenes": [
            {"start_s": span.start_s, "end_s": span.end_s}
            | ({"caption": span.text} if span.text else {})
            | ({"image": span.image.url()} if span.image else {})
            for span in scenes
        ],
        "cuts": [{"kind": span.kind, "start_s": span.start_s, "end_s": span.end_s} for span in cuts],
    }


def _about_clip(request: Request, result: Result) -> JSON:
    planned = _planned(result)
    times = [time for event in _all(result, Footage) for time in event.times]
    cited = {one["start_s"] for one in planned.get("sources", ()) if "start_s" in one}
    return _text(request, result) | {"timestamps": times or sorted(cited)} | planned


def _answered(request: Request, result: Result) -> JSON:
    return _text(request, result) | _drawn(request, result) | _planned(result)


def _drawn(request: Request, result: Result) -> JSON:
    """The pictures that belong to an answer, where there are any."""
    return _pictures(request, result) if next(_all(result, ImageReady), None) else {}


def _speech(request: Request, result: Result) -> JSON:
    chunks = [{"text": s.text, "timestamp": [s.start_s, s.end_s]} for s in _all(result, Span)]
    return _text(request, result) | {"chunks": chunks}


def _clip(_: Request, result: Result) -> JSON:
    return _made(result)


def _sound(_: Request, result: Result) -> JSON:
    return next(
        ({"audio": event.audio.url(), "sampling_rate": event.rate} for event in _all(result, AudioReady)), {}
    )


def _planned(result: Result) -> JSON:
    """The steps of a plan, and what its answer rests on; nothing where one model answered."""
    receipt = result.finished.receipt
    if receipt is None or receipt.plan is None:
        return {}
    steps = [step.model_dump(mode="json", exclude={"type"}) for step in receipt.plan]
    sources = [source.model_dump(mode="json", exclude_none=True) for source in receipt.sources or ()]
    return {"plan": steps, "sources": sources}


def _made(result: Result) -> JSON:
    return next(
        (
            {"video": e.video.url(), "fps": e.fps, "frame_count": e.frame_count, "seed": e.seed}
            for e in _all(result, VideoReady)
        ),
        {},
    )


def _footage(result: Result) -> JSON:
    keys = ("fps", "frame_count")
    return next(({key: getattr(event, key) for key in keys} for event in _all(result, Footage)), {})


def _all(result: Result, kind: type[T]) -> Iterator[T]:
    return (event for event in result.outcomes if isinstance(event, kind))


def _indices(request: Request) -> range:
    kind = TASKS[request.task].media
    return range(max(1, sum(one.kind == kind for one in request.media)))


def _each(request: Request, outputs: list[Any]) -> Output:
    if len(outputs) > 1 or len(_indices(request)) > 1:
        return outputs
    only: Output = outputs[0] if outputs else {}
    return only


SHAPES: dict[Task, Callable[[Request, Result], Output]] = {
    Task.TEXT_CLASSIFICATION: _labels,
    Task.FEATURE_EXTRACTION: _vector,
    Task.IMAGE_CLASSIFICATION: _labels,
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: _labels,
    Task.OBJECT_DETECTION: _labels,
    Task.ZERO_SHOT_OBJECT_DETECTION: _labels,
    Task.IMAGE_SEGMENTATION: _labels,
    Task.MASK_GENERATION: _labels,
    Task.DEPTH_ESTIMATION: _depth,
    Task.IMAGE_FEATURE_EXTRACTION: _vector,
    Task.TEXT_TO_IMAGE: _pictures,
    Task.IMAGE_TO_IMAGE: _pictures,
    Task.VIDEO_CLASSIFICATION: _actions,
    Task.OBJECT_TRACKING: _tracks,
    Task.SCENE_DETECTION: _scenes,
    Task.VISUAL_QUESTION_ANSWERING: _answered,
    Task.IMAGE_TO_TEXT: _answered,
    Task.VIDEO_TEXT_TO_TEXT: _about_clip,
    Task.TEXT_TO_VIDEO: _clip,
    Task.IMAGE_TO_VIDEO: _clip,
    Task.ANY_TO_ANY: _answered,
    Task.AUTOMATIC_SPEECH_RECOGNITION: _speech,
    Task.AUDIO_CLASSIFICATION: _labels,
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION: _labels,
    Task.AUDIO_FEATURE_EXTRACTION: _vector,
    Task.TEXT_TO_SPEECH: _sound,
}
"""Tasks that are not here answer with text."""
