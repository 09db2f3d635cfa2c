"""Clips: file → sampled frames with their times, and frames (with sound) → MP4."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import BadMedia, InvalidRequest, TooLarge
from .container import Limits, check
from .ffmpeg import damaged, decode, measure, probe, stored
from .sounds import Sound


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames of a clip (8-bit RGB) and the second each is shown at; `fps` is the clip's own."""

    frames: tuple[Image.Image, ...]
    times: tuple[float, ...]
    fps: float
    seconds: float


def open_clip(
    data: bytes,
    limits: Limits | None = None,
    *,
    count: int | None = None,
    fps: float | None = None,
    max_side: int | None = None,
) -> Clip:
    """Decode a clip: `count` frames spread evenly, or `fps` frames a second, or all of them.

    Frames larger than `max_side` pixels are made smaller. Raises `BadMedia`, `TooLarge`,
    `UnsupportedMediaType`, and `InvalidRequest` when both `count` and `fps` are given.
    """
    limits = limits or Limits()
    if (count is not None and count < 1) or (fps is not None and fps <= 0) or (count and fps):
        raise InvalidRequest("frames: give a positive `count` or a positive `fps`, not both")
    media_type = check(data, "video", limits)
    with stored(data) as path:
        found = probe(path, media_type, "video")
        seconds, own_fps = found.seconds or measure(path, media_type), found.fps
        if not found.size or not seconds or not own_fps:
            raise damaged("video")
        wanted = _positions(max(1, round(seconds * own_fps)), own_fps, count, fps)
        _check(found.size, seconds, len(wanted), max_side, limits)
        output = ["-an", "-vf", ",".join(_filters(wanted, max_side)), "-fps_mode", "passthrough"]
        output += ["-frames:v", str(len(wanted)), "-c:v", "ppm", "-f", "image2pipe"]
        frames = tuple(_from_ppm(decode(path, media_type, "video", output)))
    if len(frames) < len(wanted) * 0.9 - 1:  # headers round the number of frames, so a few may lack
        raise damaged("video")
    times = tuple(position / own_fps for position in wanted[: len(frames)])
    return Clip(frames, times, own_fps, seconds)


def _positions(total: int, own_fps: float, count: int | None, fps: float | None) -> list[int]:
    """Which frames to take: the middles of `count` equal parts, or those shown at each 1/`fps`."""
    if count:
        return sorted({int((part + 0.5) * total / count) for part in range(count)})
    if fps is None or fps >= own_fps:
        return list(range(total))
    step = own_fps / fps
    return [int(part * step + 1e-6) for part in range(ceil(total / step - 1e-6))]


def _filters(wanted: list[int], max_side: int | None) -> Iterator[str]:
    if wanted != list(range(len(wanted))):
        yield "select='" + "+".join(f"eq(n,{position})" for position in wanted) + "'"
    if max_side:
        yield f"scale='min({max_side},iw)':'min({max_side},ih)':force_original_aspect_ratio=decrease"
    yield "null"


def clip_bytes(frames: Sequence[Image.Image], fps: float, sound: Sound | None = None) -> bytes:
    """Encode frames of one size as an MP4 file that browsers play; odd sizes get a black edge pixel."""
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
    with tempfile.TemporaryDirectory(prefix="inference-chat-") as folder:
        path = Path(folder) / "clip.mp4"
        even = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-movflags", "+faststart"]
        clip.write_videofile(
            str(path),
            codec="libx264",
            audio_codec="aac",
            audio_fps=sound.rate if sound else None,
            temp_audiofile_path=folder,
            pixel_format="yuv420p",
            ffmpeg_params=even,
            logger=None,
        )
        clip.close()
        return path.read_bytes()


def _check(size: Sequence[int], seconds: float, frames: int, max_side: int | None, limits: Limits) -> None:
    width, height = size
    if seconds > limits.max_seconds:
        raise TooLarge(f"The clip lasts {seconds:.0f} s; at most {limits.max_seconds:g} s are taken. Cut it.")
    if width * height > limits.max_pixels:
        raise TooLarge(f"The clip has {width} × {height} pixels; at most {limits.max_pixels:,} are taken.")
    if frames > limits.max_frames:
        raise TooLarge(f"{frames} frames of the clip were asked for; at most {limits.max_frames} are taken.")
    scale = min(1.0, max_side / max(size)) if max_side else 1.0
    if frames * width * height * scale * scale * 3 > limits.max_decoded_bytes:
        raise TooLarge("The frames of the clip need too much memory. Take fewer frames, or make it smaller.")


def _from_ppm(data: bytes) -> Iterator[Image.Image]:
    """The pictures in a row of PPM files: `P6\\nWIDTH HEIGHT\\n255\\n` and three bytes a pixel."""
    at = 0
    while at < len(data):
        _, size, _, _ = data[at : at + 64].split(b"\n", 3)
        width, height = (int(number) for number in size.split())
        start = at + len(b"P6\n") + len(size) + len(b"\n255\n")
        at = start + width * height * 3
        if at <= len(data):
            yield Image.frombytes("RGB", (width, height), data[start:at])
