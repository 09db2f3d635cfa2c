"""A sound in the formats that programs ask for; WAV is what models make."""

import io
from typing import Any, Literal, get_args

import numpy as np

from ..errors import InvalidRequest
from .sounds import Sound, open_sound

SoundFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
PCM_RATE = 24_000
"""Samples a second of bare samples, as OpenAI's are."""
# Format → the container, the codec, the media type; None for a rate of the codec's own choice.
CODECS: dict[str, tuple[str, str, str, int | None]] = {
    "mp3": ("mp3", "libmp3lame", "audio/mpeg", None),
    "opus": ("ogg", "libopus", "audio/ogg", 48_000),
    "aac": ("adts", "aac", "audio/aac", None),
    "flac": ("flac", "flac", "audio/flac", None),
}


def encoded(wav: bytes, form: SoundFormat) -> tuple[bytes, str]:
    """A WAV file in another format, and its media type; `pcm` is 16-bit mono samples at `PCM_RATE`."""
    if form == "wav":
        return wav, "audio/wav"
    if form == "pcm":
        mono = open_sound(wav, rate=PCM_RATE, mono=True).mono
        return (mono * 32767).round().astype("<i2").tobytes(), "audio/pcm"
    if form not in CODECS:
        raise InvalidRequest(f"A sound is made as {', '.join(get_args(SoundFormat))}; choose one of them.")
    container, codec, media_type, rate = CODECS[form]
    sound = open_sound(wav, rate=rate)
    return _written(sound, container, codec), media_type


def _written(sound: Sound, container: str, codec: str) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=sound.rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound.mono[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = sound.rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return buffer.getvalue()
