"""Where a clip is cut, told a frame later: what was followed until then is not there any more.

Cheaper than `scenes`, which also knows fades and how short a scene may be: a tracker needs to know of hard
cuts only, in the very frame, and takes a flash for none.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

TINY: Final = (32, 18)
"""Size at which frames are compared."""
CHANGED: Final = 14.0
"""A cut changes the picture by this much at least, of 255, in the mean."""
TIMES: Final = 3.0
"""And by so many times more than any frame around it does."""
AROUND: Final = 4
"""Frames before that are looked back at."""


class Shots:
    """Takes frame after frame, each with the one that follows."""

    def __init__(self) -> None:
        self._last: NDArray[np.int16] | None = None
        self._changes: deque[float] = deque(maxlen=AROUND + 2)

    def begins(self, picture: "Image", after: "Image | None") -> bool:
        """Whether a frame begins a new shot; `after` is the next one, None after the last."""
        if self._last is None:
            self._compare(picture)
        self._compare(after)
        if len(self._changes) < 2:
            return False  # nothing comes before the first one
        *before, change, next_change = self._changes
        return change > CHANGED and change > TIMES * max([next_change, *before])

    def _compare(self, picture: "Image | None") -> None:
        if picture is None:
            self._changes.append(0.0)
            return
        tiny = np.asarray(picture.resize(TINY, reducing_gap=1.0).convert("RGB"), dtype=np.int16)
        if self._last is not None:
            self._changes.append(float(np.abs(tiny - self._last).mean()))
        self._last = tiny
