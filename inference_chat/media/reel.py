"""An open clip: what its header says, and its frames in order, each with the time it is shown at."""

import io
import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image

from ..errors import BadMedia, TooLarge
from .awaited import Awaited
from .container import Limits, check, head_of
from .ffmpeg import READERS, damaged

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

SLACK: Final = 1e-6
NEAR: Final = 2.0
"""Seconds that are sooner decoded than jumped over, where a container has no index."""
TELLING: Final = frozenset({"h264", "mpeg4", "mpeg2video", "mpeg1video", "vp8"})
"""Decoders that tell of more damage where no two frames are decoded side by side."""
TOGETHER: Final = frozenset({"vp8"})
"""Those of them that tell only where two threads at least share each frame."""
DROPPING: Final = frozenset({"hevc"})
"""Decoders that leave out frames which they cannot decode, and say nothing."""
TURNS: Final = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """What a clip is: mean frames a second, how many frames, seconds, and its upright size in pixels."""

    fps: float
    frame_count: int
    seconds: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame that is not yet a picture: its number in the clip and its second."""

    index: int
    time_s: float
    frame: "VideoFrame"


class Reel:
    """A clip that `opened` has found sound; used by one thread at a time.

    `broken_at` is the second at which its data turned out to be damaged or cut off, once it has;
    `filled` are the seconds of frames so far that were damaged, and that the decoder filled in, `lost`
    of those that it left out.
    """

    def __init__(
        self, container: "InputContainer", stream: "VideoStream", seconds: float, count: int
    ) -> None:
        self._container = container
        self._stream = stream
        self._start = stream.start_time or 0
        self._base = float(stream.time_base or Fraction(1, 1000))
        fps = count / seconds if not stream.average_rate else float(stream.average_rate)
        turned = self._rotation() % 180 == 90
        size = (stream.height, stream.width) if turned else (stream.width, stream.height)
        self.info = ClipInfo(fps, count, seconds, *size)
        self.broken_at: float | None = None
        self.filled: set[float] = set()
        self.lost: set[float] = set()
        self._drops = stream.codec.name in DROPPING
        self._reached = 0.0

    def decoded(self) -> Iterator[Shown]:
        """The frames from here on; ends early, with `broken_at` set, where the data cannot be decoded."""
        import av

        index, keyed, awaited = 0, False, Awaited()
        try:
            for packet in self._container.demux(self._stream):
                if self._drops:
                    awaited.sent(packet)
                try:
                    found = packet.decode()
                except av.error.InvalidDataError:
                    if index == 0:  # recordings may begin in the middle of a group of pictures
                        continue
                    self.broken_at = self._reached
                    found = self._rest()
                for frame in found:
                    self._miss(awaited.came(frame))
                    self._reached = self._time(frame, index)
                    keyed = keyed or frame.key_frame
                    if keyed and frame.is_corrupt:  # before a key frame it lacks what was jumped over
                        self.filled.add(self._reached)
                    yield Shown(index, self._reached, frame)
                    index += 1
                if self.broken_at is not None:
                    return
        except av.error.FFmpegError:
            self.broken_at = self._reached
        if self.info.seconds - self._reached > 2 / self.info.fps + 0.1 * self.info.seconds:
            self.broken_at = self._reached
        else:
            self._miss(awaited.rest())

    def shown_at(self, times: Sequence[float]) -> Iterator[Shown]:
        """The frames on screen at these rising times, each once; jumps over what lies between."""
        waiting, jumped = deque(times), -1.0
        while waiting:
            jumped = waiting[0]
            self._seek(jumped)
            last: Shown | None = None
            for shown in self.decoded():
                if _passed(waiting, shown.time_s - SLACK):
                    yield self._numbered(last or shown)
                last = shown
                if not waiting or (waiting[0] != jumped and self._worth_a_jump(shown.time_s, waiting[0])):
                    break
            else:  # nothing comes after the last one
                if last is not None and waiting and self.broken_at is None:
                    yield self._numbered(last)
                return

    def picture(self, frame: "VideoFrame", max_side: int | None = None) -> Image.Image:
        """A frame as 8-bit RGB, upright, at most `max_side` pixels wide and high."""
        width, height = fitted(frame.width, frame.height, max_side)
        rgb = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
        picture: Image.Image = rgb.to_image()  # type: ignore[no-untyped-call]
        turn = TURNS.get(frame.rotation % 360)
        return picture if turn is None else picture.transpose(turn)

    def _miss(self, stamps: Sequence[int]) -> None:
        """Note frames that the decoder has left out."""
        if self._drops:
            self.lost.update(max(0.0, (stamp - self._start) * self._base) for stamp in stamps)

    def _seek(self, time_s: float) -> None:
        import av

        with suppress(av.error.FFmpegError):  # what cannot be jumped in is read from where it stands
            self._container.seek(self._start + int(time_s / self._base), stream=self._stream)

    def _worth_a_jump(self, now: float, wanted: float) -> bool:
        """Whether a key frame lies between now and the wanted time."""
        entries = self._stream.index_entries
        if not len(entries):
            return wanted - now > NEAR and self._container.format.name != "gif"
        at = entries.search_timestamp(self._start + int(wanted / self._base))
        return at >= 0 and (entries[at].timestamp - self._start) * self._base > now + 1 / self.info.fps

    def _numbered(self, shown: Shown) -> Shown:
        """With its number in the clip, which after a jump is only known by its time."""
        return replace(shown, index=round(shown.time_s * self.info.fps))

    def _time(self, frame: "VideoFrame", index: int) -> float:
        if frame.pts is None:
            return index / self.info.fps
        return max(0.0, (frame.pts - self._start) * self._base)

    def _rest(self) -> list["VideoFrame"]:
        """What the decoder still holds."""
        import av

        with suppress(av.error.FFmpegError):
            return self._stream.decode(None)
        return []

    def _rotation(self) -> int:
        """Degrees by which frames must be turned, which only the first one tells."""
        import av

        try:
            for packet in self._container.demux(self._stream):
                with suppress(av.error.InvalidDataError):
                    if found := packet.decode():
                        return found[0].rotation % 360
        except av.error.FFmpegError:
            raise damaged("video") from None
        finally:
            self._seek(0.0)
            self._stream.codec_context.flush_buffers()
        raise damaged("video")


@contextmanager
def opened(source: bytes | Path, limits: Limits | None = None) -> Iterator[Reel]:
    """Open a clip.

    Every limit is checked by the header, before anything is decoded. Raises `BadMedia`, `TooLarge`,
    `UnsupportedMediaType`.
    """
    import av
    from av.codec.context import ThreadType

    limits = limits or Limits()
    media_type = check(head_of(source, "clip"), "video", limits)
    _check_bytes(source, limits)
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        container = av.open(file, "r", READERS[media_type], options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, ValueError):
        raise damaged("video") from None
    with container:
        stream = _video_of(container)
        if not stream.width or not stream.height:
            raise damaged("video")
        if stream.width * stream.height > limits.max_pixels:
            raise TooLarge(
                f"The clip has {stream.width} × {stream.height} pixels; "
                f"at most {limits.max_pixels:,} are taken."
            )
        seconds, count = _length(container, stream)
        _check_length(seconds, limits.max_clip_seconds)
        # Each core at frames of its own loses what some of these decoders tell of damage.
        stream.thread_type = ThreadType.SLICE if stream.codec.name in TELLING else ThreadType.AUTO
        least = 2 if stream.codec.name in TOGETHER else 1
        stream.thread_count = max(least, (cpu_count() or 2) // 2)  # the other half is the model's
        yield Reel(container, stream, seconds, count)


def fitted(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """The largest size of the same shape with no side above `max_side` pixels."""
    scale = min(1.0, max_side / max(width, height)) if max_side else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


def _passed(waiting: deque[float], now: float) -> bool:
    """Take away the times before now; whether there were any."""
    before = len(waiting)
    while waiting and waiting[0] < now:
        waiting.popleft()
    return len(waiting) < before


def flaws(reel: Reel) -> tuple[str, ...]:
    """What to tell of a clip that was damaged: that its end is missing, that frames were filled in."""
    notes = []
    if reel.broken_at is not None:
        notes.append(
            f"The clip is damaged or cut off after {reel.broken_at:.1f} s of {reel.info.seconds:.1f} s: "
            "what came before was used."
        )
    if lost := {second for second in reel.lost if reel.broken_at is None or second < reel.broken_at}:
        notes.append(
            f"The clip is damaged: {_frames(lost)} could not be decoded and "
            f"{'is' if len(lost) == 1 else 'are'} missing; what was found shortly after may be wrong."
        )
    if reel.filled:
        them = "it" if len(reel.filled) == 1 else "them"
        notes.append(
            f"The clip is damaged: {_frames(reel.filled)} had to be filled in by the decoder, "
            f"so what was found in {them}, and shortly after, may be wrong."
        )
    return tuple(notes)


def _frames(seconds: set[float]) -> str:
    return f"{len(seconds)} frame{'' if len(seconds) == 1 else 's'} from {min(seconds):.1f} s on"


def _check_bytes(source: bytes | Path, limits: Limits) -> None:
    size = len(source) if isinstance(source, bytes) else 0  # of a kept file it was checked when it came
    if size > limits.max_bytes:
        raise TooLarge(f"The video file has {size:,} bytes; at most {limits.max_bytes:,} are taken.")


def _video_of(container: "InputContainer") -> "VideoStream":
    """The first video that is no cover of an album."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    if container.streams.audio:
        raise BadMedia("The file holds no video. Send one that does.")
    if container.streams:
        raise damaged("video")
    raise BadMedia("The file holds no frames: it lasts 0 seconds, or is damaged or cut off. Send it again.")


def _length(container: "InputContainer", stream: "VideoStream") -> tuple[float, int]:
    """Seconds and number of frames: by the header, else by counting packets, as recorders write neither."""
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    seconds = 0.0
    if stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration:
        seconds = container.duration / 1_000_000
    if not math.isfinite(rate) or rate <= 0 or seconds <= 0:
        seconds, count = _counted(container, stream, rate)
    else:
        count = stream.frames or round(seconds * rate)
    if seconds <= 0 or count < 1:
        raise BadMedia("The clip has no frames: it lasts 0 seconds. Send one that has some.")
    return seconds, count


def _counted(container: "InputContainer", stream: "VideoStream", rate: float) -> tuple[float, int]:
    import av

    stamps: list[int] = []
    with suppress(av.error.FFmpegError):  # what is cut off is measured up to there
        stamps.extend(packet.pts for packet in container.demux(stream) if packet.pts is not None)
    with suppress(av.error.FFmpegError):
        container.seek(0)
    if not stamps or stream.time_base is None:
        return 0.0, 0
    span = float((max(stamps) - min(stamps)) * stream.time_base)
    each = 1 / rate if rate else span / max(1, len(stamps) - 1)
    return span + each, len(stamps)


def _check_length(seconds: float, longest: float) -> None:
    if seconds > longest:
        raise TooLarge(f"The clip lasts {seconds:,.0f} s; at most {longest:,g} s are taken. Cut it.")
