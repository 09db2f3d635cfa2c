"""Where one shot of a clip becomes the next, by a cut or by a fade; needs no weights.

Cuts are found by PySceneDetect's `AdaptiveDetector` (a frame differs more from the one before than its
neighbours do), fades by `gradual`.
"""

import io
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event as Flag
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ..errors import ModelFailed
from ..events import Event, File, Finished, Footage, Span
from ..media import TAKEN, Frame, Frames
from ..schema import Options, Request
from .base import Runner
from .checkpoint import Checkpoint
from .gradual import Fade, Gradual
from .pace import Pace

if TYPE_CHECKING:
    from PIL.Image import Image

KEY_SIDE = 640
"""Longest side of a scene's key frame, in pixels."""
COMPARED = (256, 144)
"""Size at which frames are compared for cuts."""
TINY = (32, 18)
"""Size at which they are compared for fades."""
LONGEST_FADE_S = 2.0
LONGEST_FADE = 120
"""The same in frames, at most."""
MERGED_S = 0.5
"""Two fades so near to each other are one, over black."""
KEPT = 32
"""Frames kept for choosing a scene's key frame."""
PATIENCE = 0.05
WORK_SPACE = 128 * 2**20


class SceneOptions(Options):
    """How scenes are told apart."""

    threshold: float = Field(
        3.0, ge=1, le=20, description="A cut differs so many times more than its neighbours do."
    )
    min_change: float = Field(
        8.0, ge=1, le=100, description="A cut changes the picture by this much at least, of 255."
    )
    min_scene_s: float = Field(0.2, ge=0, le=60, description="Shortest scene, in seconds.")
    fades: bool = Field(True, description="Look for fades too.")
    key_frames: bool = Field(True, description="A picture of each scene.")
    captions: bool = Field(
        False,
        description="A sentence on each scene: by a model that describes pictures, else of what is found.",
    )
    caption_model: str | None = Field(
        None, description="Which model describes; unset: the first here that can."
    )

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if self.captions and not self.key_frames:
            raise ValueError("captions are of key frames: leave key_frames on")
        return self


@dataclass(frozen=True)
class Change:
    """Frames `first` to `last` belong to neither scene wholly; of a cut both are the new scene's first."""

    kind: Literal["cut", "fade"]
    first: int
    last: int


class SceneRunner(Runner):
    """The detector of scenes; there is nothing to load but libraries."""

    @classmethod
    def estimate(cls, checkpoint: Checkpoint, bytes_per_element: int) -> int:
        """Frames that wait, and OpenCV."""
        return WORK_SPACE

    def load(self) -> None:
        _detector(SceneOptions(), 25.0)

    def unload(self) -> None:
        pass

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        options = request.options
        assert isinstance(options, SceneOptions)
        clip = next(medium for medium in request.media if medium.kind == "video")
        with Frames(clip.path, TAKEN, max_side=KEY_SIDE) as frames:
            info, pace = frames.info, Pace(frames.expected, most=64)
            yield Footage(
                fps=info.fps,
                frame_count=info.frame_count,
                seconds=info.seconds,
                width=info.width,
                height=info.height,
            )
            yield pace.progress()
            changes, scenes = Changes(options, info.fps), Scenes(options, info.seconds)
            while not stop.is_set() and (batch := frames.take(pace.batch, PATIENCE)) is not None:
                began = monotonic()
                for frame in batch:
                    scenes.add(frame)
                    for change in changes.push(frame):
                        yield from scenes.change(change)
                if batch:
                    pace.took(len(batch), monotonic() - began)
                yield pace.progress(len(batch))
            if stop.is_set():
                yield Finished(finish_reasons=("cancelled",), notes=frames.notes)
                return
            for change in changes.rest():
                yield from scenes.change(change)
            yield from scenes.end(cut_short=frames.cut_short)
            yield pace.end()
            yield Finished(notes=frames.notes)


class Changes:
    """Takes frame after frame and tells of the changes of scene, each a little after it happened."""

    def __init__(self, options: SceneOptions, fps: float) -> None:
        self._fps = max(1.0, fps)
        self._cutter = _detector(options, self._fps)
        self._longest = max(4, min(LONGEST_FADE, round(LONGEST_FADE_S * self._fps)))
        self._fader = Gradual(self._longest) if options.fades else None
        self._cuts: deque[int] = deque()
        self._fades: deque[Fade] = deque()
        self._last = 0

    def push(self, frame: Frame) -> list[Change]:
        from scenedetect import FrameTimecode

        self._last = frame.index
        small = frame.picture.resize(COMPARED)
        now = FrameTimecode(frame.index, self._fps)
        self._cuts += [at.frame_num for at in self._cutter.process_frame(now, np.asarray(small)[..., ::-1])]
        if self._fader and (fade := self._fader.push(frame.index, np.asarray(small.resize(TINY)))):
            self._take(fade)
        return list(self._settled(frame.index))

    def rest(self) -> list[Change]:
        """What was still waiting when the clip ended."""
        return list(self._settled(self._last + 10 * self._longest))

    def _take(self, fade: Fade) -> None:
        if self._fades and fade.first - self._fades[-1].last <= MERGED_S * self._fps:
            fade = Fade(self._fades.pop().first, fade.last)
        self._fades.append(fade)
        near = range(fade.first - 3, fade.last + 4)
        self._cuts = deque(cut for cut in self._cuts if cut not in near)

    def _settled(self, now: int) -> Iterator[Change]:
        """Cuts wait until no fade can cover them any more, and a fade for another one over black."""
        while True:
            cut = self._cuts[0] if self._cuts else None
            fade = self._fades[0] if self._fades else None
            if cut is not None and now - cut > self._longest + 4 and (fade is None or cut < fade.first):
                yield Change("cut", self._cuts.popleft(), cut)
            elif fade is not None and now - fade.last > MERGED_S * self._fps + self._longest:
                self._fades.popleft()
                yield Change("fade", fade.first, fade.last)
            else:
                return


class Scenes:
    """Turns changes into scenes with their times and key frames."""

    def __init__(self, options: SceneOptions, seconds: float) -> None:
        self._options = options
        self._seconds = seconds
        self._times = array("d")
        self._start_s = 0.0
        self._clear_from = 0.0
        self._kept: list[tuple[float, bytes]] = []
        self._gap = 0.25

    def add(self, frame: Frame) -> None:
        """The next frame; some are kept, ever fewer of a long scene."""
        self._times.append(frame.time_s)
        if not self._options.key_frames:
            return
        if self._kept and frame.time_s - self._kept[-1][0] < self._gap:
            return
        self._kept.append((frame.time_s, _jpeg(frame.picture)))
        if len(self._kept) > KEPT:
            self._kept = self._kept[::2]
            self._gap *= 2

    def change(self, change: Change) -> Iterator[Span]:
        """The scene before a change, and the change itself; nothing where that scene would be too short."""
        start, end = self._time(change.first), self._time(change.last)
        middle = (start + end) / 2
        if middle - self._start_s < self._options.min_scene_s:
            return
        yield self._scene(middle, clear_to=start)
        yield Span(start_s=round(start, 3), end_s=round(end, 3), kind=change.kind)
        self._start_s, self._clear_from = middle, end
        self._kept = [one for one in self._kept if one[0] >= start]
        self._gap = 0.25

    def end(self, cut_short: bool) -> Iterator[Span]:
        """The last scene: to the end of the clip, or to where it is damaged."""
        last = self._times[-1] if self._times else 0.0
        yield self._scene(last if cut_short else max(last, self._seconds), clear_to=last)

    def _scene(self, end_s: float, clear_to: float) -> Span:
        middle = (self._clear_from + clear_to) / 2
        fits = [
            one for one in self._kept if self._clear_from <= one[0] < max(clear_to, self._clear_from + 1e-3)
        ]
        key = min(fits or self._kept, key=lambda one: abs(one[0] - middle), default=None)
        image = File(data=key[1], media_type="image/jpeg") if key else None
        return Span(start_s=round(self._start_s, 3), end_s=round(end_s, 3), kind="scene", image=image)

    def _time(self, index: int) -> float:
        return self._times[min(index, len(self._times) - 1)]


def _jpeg(picture: "Image") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _detector(options: SceneOptions, fps: float) -> Any:
    try:
        from scenedetect.detectors import AdaptiveDetector
    except ImportError as error:  # a system library that OpenCV is linked to is not there
        raise ModelFailed(
            f"Scenes need OpenCV, which does not start here ({error}). "
            "On Debian: apt install libgl1 libglib2.0-0."
        ) from error
    return AdaptiveDetector(
        adaptive_threshold=options.threshold,
        min_content_val=options.min_change,
        min_scene_len=max(1, round(options.min_scene_s * fps)),
    )
