"""Clips: file → sampled frames with their times, and frames (with sound) → MP4."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import BadMedia, InvalidRequest, StorageFailed, TooLarge
from ..files import explain_failure
from .container import Limits
from .ffmpeg import damaged
from .frames import Frame, Frames
from .reel import ClipInfo, Reel, fitted, flaws, opened
from .sounds import Sound


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames of a clip (8-bit RGB, upright) and the second each is shown at; `fps` is the clip's own.

    `notes` says what people should know: that it is damaged, and where.
    """

    frames: tuple[Image.Image, ...]
    times: tuple[float, ...]
    fps: float
    seconds: float
    notes: tuple[str, ...] = ()


def open_clip(
    source: bytes | Path,
    limits: Limits | None = None,
    *,
    count: int | None = None,
    fps: float | None = None,
    max_side: int | None = None,
) -> Clip:
    """Decode a clip: `count` frames spread evenly, or `fps` frames a second, or all of them.

    A few frames of a long clip are jumped to. Frames larger than `max_side` pixels are made smaller.

    Raises `BadMedia`, `TooLarge`, `UnsupportedMediaType`; `InvalidRequest` when `count` and `fps` are given.
    """
    limits = limits or Limits()
    if (count is not None and count < 1) or (fps is not None and fps <= 0) or (count and fps):
        raise InvalidRequest("frames: give a positive `count` or a positive `fps`, not both")
    if count:
        with opened(source, limits) as reel:
            _check(reel.info, min(count, reel.info.frame_count), max_side, limits)
            taken, notes = _spread(reel, count, max_side), flaws(reel)
            info = reel.info
    else:
        with Frames(source, limits, fps=fps, max_side=max_side) as frames:
            info = frames.info
            _check(info, frames.expected, max_side, limits)
            taken, notes = list(frames), frames.notes
    if not taken:
        raise damaged("video")
    return Clip(
        frames=tuple(frame.picture for frame in taken),
        times=tuple(frame.time_s for frame in taken),
        fps=info.fps,
        seconds=info.seconds,
        notes=notes,
    )


def length_of(source: bytes | Path) -> float:
    """Seconds of a clip that was taken in, by its header; raises `BadMedia`."""
    with opened(source, Limits(max_bytes=1 << 40)) as reel:
        return reel.info.seconds


def _spread(reel: Reel, count: int, max_side: int | None) -> list[Frame]:
    """The frames in the middle of `count` equal parts; fewer where the clip has fewer."""
    middles = [(part + 0.5) * reel.info.seconds / count for part in range(count)]
    return [
        Frame(shown.index, shown.time_s, reel.picture(shown.frame, max_side))
        for shown in reel.shown_at(middles)
    ]


def clip_bytes(frames: Sequence[Image.Image], fps: float, sound: Sound | None = None) -> bytes:
    """Encode frames of one size as an MP4 file that browsers play; odd sizes get a black edge pixel.

    Raises `StorageFailed` when there is no room for the file while it is written.
    """
    from moviepy import ImageSequenceClip
    from moviepy.audio.AudioClip import AudioArrayClip

    if not frames:
        raise BadMedia("A clip needs at least one frame.")
    clip = ImageSequenceClip([np.asarray(frame.convert("RGB")) for frame in frames], fps=fps)
    # moviepy rounds the number of frames down, and 30 × (1 / 15) s is a little less than 2 s.
    clip = clip.with_duration((len(frames) + 0.01) / fps)
    if sound is not None:
        stereo = np.repeat(sound.samples, 2, axis=1) if sound.samples.shape[1] == 1 else sound.samples
        clip = clip.with_audio(AudioArrayClip(stereo, fps=sound.rate))
    try:
        with tempfile.TemporaryDirectory(prefix="inference-chat-") as folder:
            data = _written(clip, Path(folder), sound)
    except OSError as error:
        raise StorageFailed(explain_failure(error, "clip", new=True)) from error
    if not _whole(data):
        raise StorageFailed("The clip was cut off while it was written: the disk is full. Free some space.")
    return data


def _written(clip: Any, folder: Path, sound: Sound | None) -> bytes:
    path = folder / "clip.mp4"
    even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-movflags", "+faststart"]
    clip.write_videofile(
        str(path),
        codec="libx264",
        audio_codec="aac",
        audio_fps=sound.rate if sound else None,
        temp_audiofile_path=str(folder),
        pixel_format="yuv420p",
        ffmpeg_params=even,
        logger=None,
    )
    clip.close()
    return path.read_bytes()


def _whole(data: bytes) -> bool:
    """Whether an MP4 file has its index and all of its boxes; moviepy does not ask how ffmpeg ended."""
    at, kinds = 0, set()
    while at + 8 <= len(data):
        kinds.add(data[at + 4 : at + 8])
        at += max(8, int.from_bytes(data[at : at + 4], "big"))
    return at == len(data) and b"moov" in kinds


def _check(info: ClipInfo, frames: int, max_side: int | None, limits: Limits) -> None:
    if frames > limits.max_frames:
        raise TooLarge(f"{frames} frames of the clip were asked for; at most {limits.max_frames} are taken.")
    width, height = fitted(info.width, info.height, max_side)
    if frames * width * height * 3 > limits.max_decoded_bytes:
        raise TooLarge("The frames of the clip need too much memory. Take fewer frames, or make it smaller.")
