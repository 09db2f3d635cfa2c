"""What goes on in a clip: any classifier of clips, shown frames spread over it; long clips in stretches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..events import Event, Finished, Footage, Labels
from ..media import TAKEN, Frame, Frames
from ..schema import Options, Request
from .base import Runner
from .checkpoint import Checkpoint
from .classification import likeliest, scores
from .device import Placement
from .loading import explained, load_model, load_reader
from .pace import Pace

if TYPE_CHECKING:
    from PIL.Image import Image

STRETCH_S = 10.0
"""A clip much longer than those that such models learn from is looked at in stretches of so many seconds."""
FRAMES = 16
"""Frames that a model is shown where its config does not say."""
PATIENCE = 0.05
SLACK = 1e-6
WHAT = "a classifier of clips"


class ActionOptions(Options):
    """How a clip is looked at, and how many classes are told."""

    top_k: int = Field(5, ge=1, le=1000, description="So many classes, the likeliest first.")
    window_s: float | None = Field(
        None,
        ge=0.1,
        le=3600,
        description="Look at stretches of so many seconds, and tell of each what goes on in it. "
        "Unset: one answer for the whole clip.",
    )


class ActionRunner(Runner):
    """One classifier of clips."""

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        if placement.device == "cpu" and placement.dtype == "float16":
            placement = replace(placement, dtype="float32")  # half precision is slow on a CPU, or not there
        super().__init__(checkpoint, placement)

    def load(self) -> None:
        from PIL import Image
        from transformers import AutoImageProcessor, AutoModelForVideoClassification

        with explained(self.checkpoint, WHAT):
            self._reader: Any = load_reader(AutoImageProcessor, self.checkpoint, backend="pil")
            self._model: Any = load_model(AutoModelForVideoClassification, self.checkpoint, self.placement)
            # Weights are mapped from the file and come into memory when they are first used: now.
            self._seen([Image.new("RGB", (64, 48))] * self._count)

    def unload(self) -> None:
        del self._model, self._reader

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, ActionOptions)
        clip = next(medium for medium in request.media if medium.kind == "video")
        with Frames(
            clip.path, TAKEN, times=lambda info: list(chain(*self._times(info.seconds, options)))
        ) as frames:
            info, groups = frames.info, self._times(frames.info.seconds, options)
            yield Footage(
                fps=info.fps,
                frame_count=info.frame_count,
                seconds=info.seconds,
                width=info.width,
                height=info.height,
                times=tuple(round(time, 3) for time in chain(*groups)),
            )
            pace, rows = Pace(len(groups) * self._count), list[Any]()
            yield pace.progress()
            for pictures in gathered(frames, groups):
                if stop.is_set():
                    yield Finished(finish_reasons=("cancelled",), notes=frames.notes)
                    return
                if pictures:
                    rows.append(self._seen(pictures))
                    if options.window_s is not None:
                        yield self._told(rows[-1], options, (len(rows) - 1) * options.window_s)
                yield pace.progress(len(pictures))
            yield self._told(sum(rows) / len(rows), options, None)
            yield pace.end()
            yield Finished(notes=frames.notes)

    @property
    def _count(self) -> int:
        """Frames that the model is shown at once."""
        count = self._model.config.num_frames if hasattr(self._model.config, "num_frames") else FRAMES
        return int(count)

    def _times(self, seconds: float, options: ActionOptions) -> list[list[float]]:
        """The seconds looked at, spread over each stretch of the clip."""
        ends = stretches(seconds, options.window_s)
        shares = [(part + 0.5) / self._count for part in range(self._count)]
        return [[start + share * (end - start) for share in shares] for start, end in pairwise(ends)]

    def _seen(self, pictures: Sequence["Image"]) -> Any:
        """Probabilities (classes,) of one stretch."""
        import torch

        inputs = self._reader(list(pictures), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.placement.device, self._model.dtype)
        with torch.inference_mode():
            logits = self._model(pixel_values=pixels).logits.to("cpu", torch.float32)
            return scores(logits, self._model.config)[0]

    def _told(self, row: Any, options: ActionOptions, start: float | None) -> Labels:
        names = self._model.config.id2label
        found = likeliest(row, lambda index: str(names.get(index, f"LABEL_{index}")), options.top_k)
        return Labels(items=found, time_s=start)


def stretches(seconds: float, window: float | None) -> list[float]:
    """Where a clip is parted: a rest shorter than half a window belongs to the one before."""
    length = window or STRETCH_S
    count = max(1, round(seconds / length))
    if window is None:  # all of one length
        return [seconds * at / count for at in range(count + 1)]
    return [*(length * at for at in range(count)), seconds]


def gathered(frames: Frames, groups: Sequence[Sequence[float]]) -> Iterator[list["Image"]]:
    """The pictures on screen at each group of times; an empty list while they are not there yet.

    Ends early where the clip is damaged: a group of which nothing could be decoded is left out.
    """
    seen: list[Frame] = []
    ended = False
    for times in groups:
        while not ended and not (seen and seen[-1].time_s > times[-1] + SLACK):
            found = frames.take(len(times), PATIENCE)
            ended = found is None
            seen += found or ()
            yield []
        if ended and frames.cut_short and seen[-1].time_s < times[0] - 1 / frames.info.fps:
            return
        yield [_on_screen(seen, time) for time in times]
        last = max((at for at, frame in enumerate(seen) if frame.time_s <= times[-1] + SLACK), default=0)
        del seen[:last]


def _on_screen(seen: Sequence[Frame], time: float) -> "Image":
    return next((one for one in reversed(seen) if one.time_s <= time + SLACK), seen[0]).picture
