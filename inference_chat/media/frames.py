"""Frames of a clip as they are decoded, in bounded memory: a thread decodes ahead while a model works."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import floor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from PIL import Image

from ..errors import InvalidRequest
from .container import Limits
from .reel import SLACK, ClipInfo, Reel, Shown, fitted, flaws, opened

AHEAD_BYTES: Final = 96 * 2**20
"""Pictures that may wait for the model, in bytes: about fifteen of full HD."""
AHEAD: Final = (2, 128)
"""Fewest and most pictures that wait, whatever their size."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Frame number `index` of a clip, the second it is shown at, and its picture (8-bit RGB, upright)."""

    index: int
    time_s: float
    picture: Image.Image


class Frames(AbstractContextManager["Frames"]):
    """The frames of a clip, one after the other: all, every so many, `fps` a second, or those at `times`.

    Sampled by `fps`, a frame is the one on screen at each 1/`fps` second, by its own time stamp, so clips
    of varying frame rate are sampled evenly. Frames wider or higher than `max_side` pixels, which may depend
    on the clip, are made smaller. Use it as a context manager, or iterate to the end: that ends its thread.

    `info` is there at once. `notes` says, at the end, that the clip was damaged, and where.
    Raises `BadMedia`, `TooLarge`, `UnsupportedMediaType` when it is opened, and `InvalidRequest` when both
    `fps` and `every` are given.
    """

    def __init__(
        self,
        source: bytes | Path,
        limits: Limits | None = None,
        *,
        fps: float | None = None,
        every: int | None = None,
        times: Callable[[ClipInfo], Sequence[float]] | None = None,
        max_side: int | Callable[[ClipInfo], int | None] | None = None,
    ) -> None:
        if (fps is not None and fps <= 0) or (every is not None and every < 1) or (fps and every):
            raise InvalidRequest("frames: give a positive `fps` or a positive `every`, not both")
        self.notes: tuple[str, ...] = ()
        self._step = 1 / fps if fps else None
        self._every = every or 1
        self._opening = opened(source, limits)
        self._reel = self._opening.__enter__()
        self.info: ClipInfo = self._reel.info
        self._max_side = max_side(self.info) if callable(max_side) else max_side
        self._times = times(self.info) if times else None
        self._ended = False
        self._queue: queue.Queue[Frame | BaseException | None] = queue.Queue(self._room())
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._decode, name="decode", daemon=True)
        self._thread.start()

    @property
    def cut_short(self) -> bool:
        """Whether the clip ended early, because its data could not be decoded any further."""
        return self._reel.broken_at is not None

    @property
    def expected(self) -> int:
        """How many frames will come, by the clip's header."""
        if self._times is not None:
            return len(self._times)
        if self._step is None:
            return max(1, -(-self.info.frame_count // self._every))
        return max(1, min(self.info.frame_count, floor(self.info.seconds / self._step - SLACK) + 1))

    def __iter__(self) -> Generator[Frame]:
        try:
            while (found := self.take(1)) is not None:
                yield from found
        finally:
            self.close()

    def take(self, most: int, patience: float | None = None) -> list[Frame] | None:
        """Up to `most` frames that are ready, waiting for the first; None when all have come.

        With `patience`, it waits for so many seconds at most: then there may be none yet.
        """
        taken: list[Frame] = []
        while len(taken) < most and not self._ended:
            try:
                item = self._queue.get(block=not taken, timeout=patience)
            except queue.Empty:
                break
            if isinstance(item, Frame):
                taken.append(item)
                continue
            self._ended = True
            if item is not None:
                raise item
        return taken if taken or not self._ended else None

    def batches(self, size: int) -> Iterator[list[Frame]]:
        """The frames in lists of `size`, the last one shorter."""
        batch: list[Frame] = []
        for frame in self:
            batch.append(frame)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def close(self) -> None:
        """End the thread and close the file; safe to call again."""
        self._closed.set()
        self._ended = True
        while self._thread.is_alive():
            while not self._queue.empty():  # the thread may wait for room
                self._queue.get_nowait()
            self._thread.join(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _room(self) -> int:
        width, height = fitted(self.info.width, self.info.height, self._max_side)
        fewest, most = AHEAD
        return max(fewest, min(most, AHEAD_BYTES // (width * height * 3)))

    def _decode(self) -> None:
        end: BaseException | None = None
        try:
            for shown in self._chosen(self._reel):
                picture = self._reel.picture(shown.frame, self._max_side)
                if not self._put(Frame(shown.index, shown.time_s, picture)):
                    return
            self.notes = flaws(self._reel)
        except BaseException as error:  # noqa: BLE001 - raised again where the frames are wanted
            end = error
        finally:
            self._opening.__exit__(None, None, None)
        self._put(end)

    def _put(self, item: Frame | BaseException | None) -> bool:
        """False when nobody wants it any more."""
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _chosen(self, reel: Reel) -> Iterator[Shown]:
        if self._times is not None:
            yield from reel.shown_at(self._times)
            return
        if self._step is None:
            yield from (shown for shown in reel.decoded() if shown.index % self._every == 0)
            return
        tick, last = 0, None
        for shown in reel.decoded():
            if last is not None and tick * self._step < shown.time_s - SLACK:
                yield last
                tick = floor((shown.time_s - SLACK) / self._step) + 1
            last = shown
        if last is not None and tick * self._step < last.time_s + 1 / self.info.fps - SLACK:
            yield last
