"""Sounds as a stream: decoded and resampled block by block, so that hours take no more memory."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadMedia, TooLarge
from .container import Limits, check, head_of, sniff
from .ffmpeg import READERS, damaged
from .sounds import UNKNOWN_SIZES

if TYPE_CHECKING:
    from av.container import InputContainer

BLOCK_SECONDS = 1.0
SLACK_SECONDS = 1.0
"""Headers round the length, so an end that comes so much earlier is no loss."""


class Recording:
    """A sound that is being listened to; `seconds` is its length by its header, None where that is silent."""

    def __init__(self, container: "InputContainer", rate: int, limits: Limits, there: float = 1.0) -> None:
        """`there` is the share of the samples that the file holds, where its header tells of more."""
        self._container = container
        self._rate = rate
        self._limit = limits.max_listen_seconds
        self.seconds = container.duration / 1e6 / there if container.duration else None
        self.heard = 0.0
        self.broken = False
        if self.seconds is not None and self.seconds > self._limit:
            raise _too_long(self.seconds, self._limit)

    @property
    def note(self) -> str | None:
        """What to tell about an end that could not be listened to."""
        if self.seconds is None:
            return "The sound is damaged at its end; what came before was used." if self.broken else None
        if not self.broken and self.heard >= self.seconds - SLACK_SECONDS:
            return None
        return (
            f"The sound is damaged or cut off after {self.heard:.1f} s of {self.seconds:.1f} s: "
            "what came before was used."
        )

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Mono samples between -1 and 1 at the rate asked for, about a second at a time, from the beginning.

        Raises `BadMedia` when not even the beginning can be decoded, `TooLarge` past the limit.
        """
        waiting: list[NDArray[np.float32]] = []
        for piece in self._pieces():
            waiting.append(piece)
            if sum(len(one) for one in waiting) >= BLOCK_SECONDS * self._rate:
                yield self._counted(waiting)
                waiting = []
        if waiting:
            yield self._counted(waiting)
        if not self.heard:
            raise damaged("audio")

    def _counted(self, pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        block = np.concatenate(pieces)
        if not np.isfinite(block).all():
            raise BadMedia("The sound holds values that are no numbers. Save it again as 16-bit WAV.")
        self.heard += len(block) / self._rate
        if self.heard > self._limit + SLACK_SECONDS:
            raise _too_long(self.heard, self._limit)
        return block.clip(-1, 1)

    def _pieces(self) -> Iterator[NDArray[np.float32]]:
        import av

        resampler = av.AudioResampler(format="flt", layout="mono", rate=self._rate)
        try:
            for frame in self._container.decode(audio=0):
                frame.pts = None  # gaps in the clock of a recorder are no silence
                yield from _samples(resampler.resample(frame))
        except av.error.FFmpegError:
            self.broken = True
        yield from _samples(resampler.resample(None))


@contextmanager
def listening(source: bytes | Path, rate: int, limits: Limits | None = None) -> Iterator[Recording]:
    """Open a sound, or the sound track of a clip, to be heard at `rate` samples a second.

    Its length is checked by the header. Raises `BadMedia`, `TooLarge`, `UnsupportedMediaType`.
    """
    import io

    import av

    limits = limits or Limits()
    head = head_of(source, "sound")
    media_type = check(head, "video" if (sniff(head) or "").startswith("video") else "audio", limits)
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        container: Any = av.open(file, "r", READERS[media_type], options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, ValueError):
        raise damaged("audio") from None
    with container:
        if not container.streams.audio:
            raise BadMedia("The file holds no audio. Send one that does.")
        yield Recording(container, rate, limits, _share(head, source) if media_type == "audio/wav" else 1.0)


def check_length(source: Path, limits: Limits) -> None:
    """Raises `TooLarge` for a sound that is longer by its header than is listened to."""
    import av

    seconds = 0.0
    with (
        suppress(av.error.FFmpegError, ValueError),  # what is wrong with a file is told by who listens to it
        av.open(str(source), "r", options={"protocol_whitelist": "file"}) as container,
    ):
        seconds = container.duration / 1e6 if container.duration else 0.0
    if seconds > limits.max_listen_seconds:
        raise _too_long(seconds, limits.max_listen_seconds)


def has_sound(source: Path) -> bool:
    """Whether a file holds anything to listen to; raises `BadMedia` where it cannot be opened."""
    import av

    try:
        with av.open(str(source), "r", options={"protocol_whitelist": "file"}) as container:
            return bool(container.streams.audio)
    except (av.error.FFmpegError, ValueError):
        raise damaged("video") from None


def _samples(frames: Any) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _share(head: bytes, source: bytes | Path) -> float:
    """Of the samples a WAV file tells of, how many are there; ffmpeg takes a cut file for a whole one."""
    at = head.find(b"data", 12)
    if at < 0:
        return 1.0
    told = int.from_bytes(head[at + 4 : at + 8], "little")
    there = (len(source) if isinstance(source, bytes) else source.stat().st_size) - at - 8
    return there / told if told not in UNKNOWN_SIZES and 0 < there < told else 1.0


def _too_long(seconds: float, limit: float) -> TooLarge:
    return TooLarge(f"The sound lasts {seconds:,.0f} s; at most {limit:,g} s are taken. Cut it.")
