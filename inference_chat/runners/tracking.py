"""Objects followed through a clip: a detector of pictures looks at its frames; objects keep their numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from math import ceil
from threading import Event as Flag
from typing import Annotated

from pydantic import Field

from ..errors import InferenceChatError, InvalidRequest
from ..events import Box, Event, File, Finished, Footage, Label, Labels, VideoReady
from ..media import TAKEN, ClipInfo, Film, Frame, Frames
from ..media.motion import Line, Zone
from ..schema import Request
from ..tasks import Task
from .behind import Behind, Held, Pair
from .detection import DetectorRunner, ZeroShotDetectorRunner
from .follower import WEAK, Follower
from .overlay import Overlay
from .pace import Pace
from .prompts import ShownOptions
from .shots import Shots
from .words import Words

PATIENCE = 0.05
"""Seconds that a step waits for the annotated clip, at most."""
DRAWN_SIDE = 1280
"""Longest side of the annotated clip, in pixels."""
Drawn = tuple[Sequence[Label], float]
Found = tuple[Label, ...]
Seen = tuple[Frame, Found]
Look = Callable[[Sequence[Frame]], Sequence[Found]]
Follow = Callable[[Frame, Found, Frame | None], Found]
"""Takes a frame, what was found in it, and the frame after it, if there is one."""
Corners = Annotated[Zone, Field(min_length=3, max_length=100)]


class TrackingOptions(ShownOptions):
    """Which objects of a clip are followed, how, and what is told of them."""

    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="An object must be so sure to begin a track. Unset: the detector's own, 0.5, "
        "or 0.1 where it looks for what it is told in words.",
    )
    labels: Words = Field((), description="Only these classes: a list, or one text with commas; empty: all.")
    fps: float | None = Field(None, gt=0, le=240, description="Frames looked at per second; unset: all.")
    memory: float = Field(
        1.5, ge=0.05, le=60, description="An object that is hidden for so many seconds is known again."
    )
    overlap: float = Field(
        0.2, gt=0, lt=1, description="Least overlap of a box with where its object was expected."
    )
    steady: int = Field(2, ge=1, le=100, description="Frames in which something is seen before it counts.")
    cuts: bool = Field(True, description="A cut ends all tracks: what comes after it is something else.")
    moving_camera: bool = Field(False, description="Take out the camera's own motion; slower.")
    lines: tuple[Line, ...] = Field(
        (),
        max_length=20,
        description="Count crossings of lines, each [[x, y], [x, y]] in pixels of the clip; "
        "`in` is downwards over a line drawn from left to right. All of a box has to be over it.",
    )
    zones: tuple[Corners, ...] = Field(
        (), max_length=20, description="Count objects in polygons, each [[x, y], …] in pixels of the clip."
    )
    at_s: float = Field(
        0.0, ge=0, description="Of points and boxes: the moment at which they show what is meant, in seconds."
    )
    render: bool = Field(False, description="Make a clip with the objects drawn in.")


class Follows(DetectorRunner):
    """A detector that also follows what it finds through clips."""

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        if request.task != Task.OBJECT_TRACKING:
            yield from super().run(request, stop)
            return
        options = request.options
        assert isinstance(options, TrackingOptions)
        clip = next(medium for medium in request.media if medium.kind == "video")
        with Frames(
            clip.path, TAKEN, fps=options.fps, max_side=lambda info: self._side(info, options)
        ) as frames:
            self.ready(options, frames.info)
            if not options.render:
                yield from self._followed(frames, options, stop, None)
                return
            draw, fps = Overlay(options.lines, options.zones).draw, options.fps or frames.info.fps
            with closing(Film[Drawn](draw, fps=fps, max_side=DRAWN_SIDE)) as film:
                yield from self._followed(frames, options, stop, film)

    def _followed(
        self, frames: Frames, options: TrackingOptions, stop: Flag, film: Film[Drawn] | None
    ) -> Iterator[Event]:
        info, pace = frames.info, Pace(frames.expected)
        yield Footage(
            fps=info.fps,
            frame_count=info.frame_count,
            seconds=info.seconds,
            width=info.width,
            height=info.height,
        )
        yield pace.progress()
        look, follow = self.looking(options, info)
        held = Held[Seen]()
        with Behind[Pair[Seen], Seen](partial(_next, follow)) as behind:
            while not stop.is_set() and (batch := frames.take(pace.batch, PATIENCE)) is not None:
                if not batch:  # the decoder is behind: others may go on
                    yield pace.progress()
                    continue
                seen = pace.timed(len(batch), partial(look, batch))
                for frame, found in behind.hand(held.take(tuple(zip(batch, seen, strict=True)))):
                    yield from self._told(frame, found, info, film, stop, pace)
                yield pace.progress(len(batch))
            for frame, found in (*behind.hand(held.rest()), *behind.rest()):
                yield from self._told(frame, found, info, film, stop, pace)
        if stop.is_set():
            yield Finished(finish_reasons=("cancelled",), notes=frames.notes)
            return
        yield pace.end()
        notes = list(frames.notes)
        if film:
            yield from _finished(film, options.fps or info.fps, pace, stop, notes)
        yield Finished(finish_reasons=("cancelled" if stop.is_set() else "stop",), notes=tuple(notes))

    def ready(self, options: TrackingOptions, info: ClipInfo) -> None:
        """Raises `InvalidRequest` when this model cannot follow what the options ask for."""
        if options.points or options.boxes:
            raise InvalidRequest(
                f"points, boxes: {self.checkpoint.name} finds objects by itself; leave them out, "
                "or choose a model that follows what it is shown, as SAM 2."
            )
        self._check(self.example.model_copy(update={"labels": options.labels}))

    def looking(self, options: TrackingOptions, info: ClipInfo) -> tuple[Look, Follow]:
        """What finds things in frames, and what follows them, outside the inference thread.

        Boxes are in pixels of the frames' pictures.
        """
        follower, sure = self._follower(options, info), self._sure(options)
        shots = Shots() if options.cuts else None

        def look(batch: Sequence[Frame]) -> list[tuple[Label, ...]]:
            return self.detect([frame.picture for frame in batch], sure * WEAK, options.labels)

        def follow(frame: Frame, found: Found, after: Frame | None) -> Found:
            if shots and shots.begins(frame.picture, after.picture if after else None):
                follower.restart()
            return follower.update(found, frame.time_s, frame.picture)

        return look, follow

    def _told(
        self,
        frame: Frame,
        found: Sequence[Label],
        info: ClipInfo,
        film: Film[Drawn] | None,
        stop: Flag,
        pace: Pace,
    ) -> Iterator[Event]:
        """What is followed in a frame, in pixels of the clip."""
        if film:
            yield from self._drawn(film, frame, found, stop, pace)
        scale = info.width / frame.picture.width
        items = tuple(_scaled(label, scale) for label in found)
        yield Labels(items=items, frame=frame.index, time_s=frame.time_s)

    def _drawn(
        self, film: Film[Drawn], frame: Frame, found: Sequence[Label], stop: Flag, pace: Pace
    ) -> Iterator[Event]:
        """Hand a frame to the annotated clip; others may go on while it is behind."""
        while not film.offer(frame.picture, frame.time_s, (found, 1.0), PATIENCE) and not stop.is_set():
            yield pace.progress()

    def _follower(self, options: TrackingOptions, info: ClipInfo) -> Follower:
        return Follower(
            options.fps or info.fps,
            threshold=self._sure(options),
            memory=options.memory,
            overlap=options.overlap,
            steady=options.steady,
            moving=options.moving_camera,
        )

    def _sure(self, options: TrackingOptions) -> float:
        return self.example.threshold if options.threshold is None else options.threshold

    def _side(self, info: ClipInfo, options: TrackingOptions) -> int | None:
        """Longest side of a frame, in pixels, from which nothing is lost for the model; None for its own."""
        reader = getattr(self._reader, "image_processor", self._reader)
        size: dict[str, int] = dict(getattr(reader, "size", None) or {})
        if {"height", "width"} <= size.keys():
            scale = max(size["height"] / info.height, size["width"] / info.width)
        elif "shortest_edge" in size:
            scale = size["shortest_edge"] / min(info.width, info.height)
            scale = min(scale, (size.get("longest_edge") or 1e9) / max(info.width, info.height))
        else:
            return None
        side = ceil(scale * max(info.width, info.height))
        return max(side, DRAWN_SIDE) if options.render else side


class TrackingRunner(Follows):
    """One object detector, for pictures and clips."""


class ZeroShotTrackingRunner(Follows, ZeroShotDetectorRunner):
    """One detector that looks for what it is told in words, in pictures and clips."""


def _next(follow: Follow, pair: Pair[Seen]) -> Seen:
    """A frame with what is followed in it."""
    (frame, found), after = pair
    return frame, follow(frame, found, after[0] if after else None)


def _scaled(label: Label, scale: float) -> Label:
    """A label with its box in pixels of the clip."""
    if label.box is None or scale == 1:
        return label
    edges = {name: value * scale for name, value in label.box}
    return label.model_copy(update={"box": Box(**edges)})


def _finished(film: Film[Drawn], fps: float, pace: Pace, stop: Flag, notes: list[str]) -> Iterator[Event]:
    """The annotated clip; when it could not be made, a note says why, and nothing else is lost."""
    while not film.ended(PATIENCE) and not stop.is_set():
        yield pace.progress()
    if stop.is_set():
        return
    try:
        video = File(data=film.read(), media_type="video/mp4")
    except InferenceChatError as error:
        notes.append(f"There is no annotated clip. {error.detail}")
        return
    yield VideoReady(video=video, fps=fps, frame_count=film.frames)
