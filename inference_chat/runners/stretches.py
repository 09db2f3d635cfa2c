"""A long sound in stretches that a model can hear at once, cut where nobody speaks; and their texts joined.

A cut is made at the last quiet moment of the second half of the window. Where there is none, the window
is filled and the next stretch begins a little earlier, so that a word which was cut is heard whole once;
the texts are then joined where their words agree. Stretches in which nothing sounds are left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_SECONDS = 0.02
PAUSE_SECONDS = 0.16
"""Shorter holes are inside words."""
BREATH_SECONDS = 0.3
"""Between sentences people pause so long."""
SAID_SECONDS = 0.3
QUIET = 0.12
"""Of the loudness of speech in the window: what is softer is a pause."""
SILENT = 1e-3
"""Of full scale (−60 dB): a stretch that never gets louder holds nothing to hear."""
OVERLAP = 6
"""The share of the window, as its divisor, that a stretch has in common with the next after a hard cut."""
TAIL_WORDS = 8


@dataclass(frozen=True, eq=False)
class Stretch:
    """Samples from second `start_s` on; `cut` when the next stretch overlaps with it."""

    samples: Samples
    start_s: float
    rate: int
    cut: bool = False

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.samples) / self.rate

    def after(self, seconds: float) -> "Stretch":
        """What follows the first so many seconds."""
        at = min(len(self.samples), max(0, int(seconds * self.rate)))
        return Stretch(self.samples[at:], self.start_s + at / self.rate, self.rate, self.cut)

    @property
    def voiced(self) -> tuple[float, float]:
        """The seconds between which something sounds."""
        if not len(self.samples):
            return self.start_s, self.start_s
        loud = np.flatnonzero(_loudness(self.samples, self.rate) > _floor(self.samples, self.rate))
        if not len(loud):
            return self.start_s, self.end_s
        first, last = float(loud[0]) * FRAME_SECONDS, float(loud[-1] + 1) * FRAME_SECONDS
        return round(self.start_s + first, 2), round(min(self.start_s + last, self.end_s), 2)


def stretches(
    blocks: Iterable[Samples], rate: int, window: float, breaths: bool = False
) -> Iterator[Stretch | float]:
    """The stretches of a sound that comes in blocks, none longer than `window` seconds.

    With `breaths` each ends at the first longer pause, for models that were taught single sentences.
    Between two it yields the second up to which the sound has been taken in.
    """
    buffer = np.zeros(0, dtype=np.float32)
    size, at = int(window * rate), 0
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        yield (at + len(buffer)) / rate
        while found := _first(buffer, rate, size, breaths):
            end, cut = found
            if sounds(buffer[:end], rate):
                yield Stretch(buffer[:end], at / rate, rate, cut)
            step = end - (size // OVERLAP if cut else 0)
            buffer, at = buffer[step:], at + step
    if len(buffer) and sounds(buffer, rate):
        yield Stretch(buffer, at / rate, rate)


def _first(buffer: Samples, rate: int, size: int, breaths: bool) -> tuple[int, bool] | None:
    """Where the first stretch of a buffer ends and whether in speech; None where more is to come."""
    if breaths and (end := _breath(buffer[:size], rate)):
        return end, False
    return _cut(buffer[:size], rate) if len(buffer) > size else None


def _breath(samples: Samples, rate: int) -> int:
    """The middle of the first longer pause after something was said; 0 where there is none."""
    quiet = _loudness(samples, rate) <= _floor(samples, rate)
    longest = round(BREATH_SECONDS / FRAME_SECONDS)
    said, run = 0, 0
    for i, silent in enumerate(quiet):
        run = run + 1 if silent else 0
        said += not silent
        if run >= longest and said * FRAME_SECONDS >= SAID_SECONDS:
            return int((i + 1 - longest / 2) * FRAME_SECONDS * rate)
    return 0


def sounds(samples: Samples, rate: int) -> bool:
    """Whether there is anything to hear."""
    return bool(len(samples)) and float(_loudness(samples, rate).max()) > SILENT


def _cut(samples: Samples, rate: int) -> tuple[int, bool]:
    """Where to end a stretch, in samples, and whether that is in the middle of speech."""
    quiet = _loudness(samples, rate) <= _floor(samples, rate)
    width = max(1, round(PAUSE_SECONDS / FRAME_SECONDS))
    # A frame is in a pause when all frames around it are quiet.
    pause = np.convolve(quiet, np.ones(width), "same") >= width
    late = np.flatnonzero(pause[len(pause) // 2 :])
    if not len(late):
        return len(samples), True
    return min(len(samples), int((len(pause) // 2 + late[-1] + 1) * FRAME_SECONDS * rate)), False


def _loudness(samples: Samples, rate: int) -> Any:
    """Root of the mean square of each frame of 20 ms."""
    width = max(1, int(FRAME_SECONDS * rate))
    count = max(1, len(samples) // width)
    frames = samples[: count * width].reshape(count, -1) if len(samples) >= width else samples[None]
    return np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1))


def _floor(samples: Samples, rate: int) -> float:
    """What counts as quiet among these samples."""
    return max(SILENT / 2, QUIET * float(np.percentile(_loudness(samples, rate), 95)))


class Joiner:
    """The text of a recording from the texts of its stretches; what a cut may still change is held back."""

    def __init__(self, between: str) -> None:
        self._between = between
        self._held: str | None = None
        self._last = ""

    @property
    def streams(self) -> bool:
        """Whether the next text may be shown as it grows."""
        return self._held is None

    def lead(self, text: str) -> str:
        """`text` as it follows what was shown: no space at the very beginning, one between words."""
        if not text:
            return text
        if not self._last:
            text = text.lstrip()
        elif not self._last.isspace() and not text[0].isspace():
            latin = ord(self._last) < 0x2E80 and ord(text[0]) < 0x2E80
            text = (self._between or (" " if latin else "")) + text
        self._last = text[-1:] or self._last
        return text

    def follow(self, text: str) -> str:
        """A piece right after the last one."""
        self._last = text[-1:] or self._last
        return text

    def whole(self, text: str, cut: bool) -> str:
        """A whole stretch's text; of one that was cut the last words wait for the next."""
        if self._held is not None:
            text = join(self._held, text)
            self._held = None
        if not cut:
            return self.lead(text)
        words = text.split(" ")
        self._held = " ".join(words[-TAIL_WORDS:])
        return self.lead(" ".join(words[:-TAIL_WORDS])) if len(words) > TAIL_WORDS else ""

    def flush(self) -> str:
        held, self._held = self._held or "", None
        return self.lead(held)


def join(before: str, after: str) -> str:
    """Two texts of which the end of one and the beginning of the other heard the same words."""
    one, two = before.split(), after.split()
    head = two[:TAIL_WORDS]
    match = SequenceMatcher(None, _plain(one), _plain(head), autojunk=False).find_longest_match()
    # What follows the agreement in the first text was cut, what precedes it in the second too.
    if match.size and len(one) - (match.a + match.size) + match.b <= match.size:
        return " ".join([*one[: match.a + match.size], *two[match.b + match.size :]])
    return f"{before.strip()} {after.strip()}".strip()


def _plain(words: list[str]) -> list[str]:
    return ["".join(letter for letter in word.lower() if letter.isalnum()) for word in words]
