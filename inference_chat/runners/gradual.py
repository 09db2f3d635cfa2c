"""Shots that melt into one another: dissolves, and fades from and to a plain picture.

While one shot is faded into another, each frame is a mixture of the last clear one before and the first
clear one after (Lienhart, "Comparison of automatic shot boundary detection algorithms", SPIE 3656, 1999).
So a stretch is a fade when every frame of it lies near the line between its ends, and on its way from one
to the other; what moves through a picture, or a camera that turns, does not.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 12.0
"""Mean difference of the ends, of 255, that is a change of shot."""
MARKED = 9.0
"""A part of the picture changes when it differs by this much, of 255."""
SPREAD = 0.3
"""Share of the picture that changes: an object that comes or goes changes less."""
OFF_THE_LINE = 0.25
"""How far frames lie beside the line on average, in shares of its length."""
LEAP = 0.62
"""A single step this long is a cut."""
CALM = 0.5
"""After a fade, frames change along its line by less than this share of a step of it."""


@dataclass(frozen=True)
class Fade:
    """The frames that belong to neither shot wholly, by their numbers."""

    first: int
    last: int


class Gradual:
    """Takes small pictures (height, width, 3) of a clip one by one, and tells of each fade when it is over.

    A fade may be `longest` frames long.
    """

    def __init__(self, longest: int) -> None:
        self._seen: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=longest + 2)

    def push(self, index: int, small: NDArray[Any]) -> Fade | None:
        self._seen.append((index, small.astype(np.float32).ravel()))
        if len(self._seen) < 4:
            return None
        pictures = np.stack([picture for _, picture in self._seen])
        start = self._start(pictures)
        if start is None:
            return None
        numbers = [number for number, _ in self._seen]
        found = Fade(numbers[start] + 1, numbers[-2] if start < len(numbers) - 2 else numbers[-1])
        last = self._seen[-1]
        self._seen.clear()
        self._seen.append(last)
        return found

    def _start(self, pictures: NDArray[np.float32]) -> int | None:
        """Where the fade began that is over with the last of these pictures; None where there is none."""
        away = np.abs(pictures - pictures[-1]).mean(axis=1)
        if away.max() < LEAST:
            return None
        far = np.flatnonzero(away >= 0.9 * away.max())
        for start in far[::-1][:12].tolist():
            if len(pictures) - start >= 4 and _melts(pictures[start:]):
                return int(start)
        return None


def _melts(pictures: NDArray[np.float32]) -> bool:
    """Whether the pictures in between are mixtures of the first and the last, ever more of the last."""
    first, last = pictures[0], pictures[-1]
    change = last - first
    size = float(change @ change)
    if np.abs(change).mean() < LEAST or (np.abs(change) > MARKED).mean() < SPREAD:
        return False
    offsets = pictures - first
    shares = offsets @ change / size
    leaps = np.diff(shares)
    if leaps.max() > LEAP or leaps.min() < -0.15:
        return False
    between = (shares > 0.05) & (shares < 0.95)
    if between.sum() < 2 or leaps[-1] > CALM / (between.sum() + 1):  # too short, or not over yet
        return False
    beside = np.linalg.norm(offsets - shares[:, None] * change, axis=1) / np.sqrt(size)
    return bool(beside[between].mean() < OFF_THE_LINE)
