"""Sounds: file (or the sound track of a clip) ↔ samples."""

import io
import struct
import wave
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMedia, TooLarge
from .container import Limits, check, sniff
from .ffmpeg import damaged, decode, probe, stored

AU_HEADER: Final = struct.Struct(">4s5I")  # mark, offset of the samples, size, encoding, rate, channels
UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)  # written by programs that stream
FRAME_BYTES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """`samples` is float32 between -1 and 1, of shape (length, channels); `rate` in samples a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    @property
    def mono(self) -> NDArray[np.float32]:
        """The mean of the channels, of shape (length,)."""
        mean: NDArray[np.float32] = self.samples.mean(axis=1, dtype=np.float32)
        return mean


def open_sound(
    data: bytes, limits: Limits | None = None, *, rate: int | None = None, mono: bool = False
) -> Sound:
    """Decode a sound, or the sound track of a clip, to one or two channels.

    `rate` resamples it. Raises `BadMedia`, `TooLarge`, `UnsupportedMediaType`.
    """
    limits = limits or Limits()
    media_type = check(data, "video" if (sniff(data) or "").startswith("video") else "audio", limits)
    if media_type == "audio/wav":
        _check_wav_size(data)
    layout = "mono" if mono else "mono|stereo"
    # The format `au` tells rate and channels in front of the samples.
    output = ["-vn", "-af", f"aformat=channel_layouts={layout}", "-c:a", "pcm_f32be", "-f", "au"]
    output += ["-ar", str(rate)] if rate else []
    with stored(data) as path:
        _check_length(probe(path, media_type, "audio").seconds or 0.0, limits)
        sound = _from_au(decode(path, media_type, "audio", ["-t", str(limits.max_seconds + 1), *output]))
    if not sound.seconds:
        raise damaged("audio")
    _check_length(sound.seconds, limits)
    return sound


def wav_bytes(sound: Sound) -> bytes:
    """Encode as a 16-bit WAV file; what is louder than full scale is clipped."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(sound.samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes((sound.samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


def _check_length(seconds: float, limits: Limits) -> None:
    if seconds > limits.max_seconds:
        raise TooLarge(f"The sound lasts {seconds:.0f} s; at most {limits.max_seconds:g} s are taken.")


def _check_wav_size(data: bytes) -> None:
    """ffmpeg would take a cut-off WAV file for a shorter one."""
    at = data.find(b"data", 12)
    size = int.from_bytes(data[at + 4 : at + 8], "little") if at > 0 else 0
    if at < 0 or (size not in UNKNOWN_SIZES and at + 8 + size > len(data)):
        raise damaged("audio")


def _from_au(data: bytes) -> Sound:
    if len(data) < AU_HEADER.size:
        raise damaged("audio")
    _, offset, _, _, rate, channels = AU_HEADER.unpack_from(data)
    usable = (len(data) - offset) // (FRAME_BYTES * channels) * (FRAME_BYTES * channels)
    samples = np.frombuffer(data, ">f4", usable // FRAME_BYTES, offset).reshape(-1, channels)
    if not np.isfinite(samples).all():
        raise BadMedia("The sound holds values that are no numbers. Save it again as 16-bit WAV.")
    return Sound(samples.astype(np.float32).clip(-1, 1), rate)
