"""Which size is drawn: the one asked for, if it can be done here in time; else it is said what could be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from ...errors import OutOfMemory, TooLarge
from .sizes import Canvas, Size

UNASKED_SECONDS = 1200.0
"""How long pictures may take whose size nobody has asked for, where the request names no time."""
DOUBT = 2.0
"""What was asked for is refused only if so many times less would still be too much: estimates err."""
CALM = 1 / 3
"""What is proposed takes at most this share of the seconds there are: the machine may be busy besides."""
SMALLER, SMALLEST = 0.93, 0.002
FEWEST_PIXELS = 64


class Shape(NamedTuple):
    """A size in pixels and a number of frames, 0 for a picture."""

    size: Size
    frames: int = 0

    def __str__(self) -> str:
        pixels = f"{self.size[0]} × {self.size[1]}"
        return f"{pixels} with {self.frames} frames" if self.frames else f"{pixels} pixels"


class Need(NamedTuple):
    """What drawing takes: seconds of a step, of what is longest without a pause, and in all; bytes."""

    step: float
    longest: float
    total: float
    memory: int


@dataclass(frozen=True)
class Bounds:
    """What drawing may take: seconds without a pause, seconds in all (None: as many as it needs), bytes."""

    patience: float
    deadline: float | None
    memory: int

    def hold(self, need: Need, doubt: float = 1.0) -> bool:
        return (
            need.longest <= self.patience * doubt
            and (self.deadline is None or need.total <= self.deadline * doubt)
            and need.memory <= self.memory
        )

    def calm(self) -> "Bounds":
        """For what is proposed."""
        deadline = None if self.deadline is None else self.deadline * CALM
        return replace(self, patience=self.patience * CALM, deadline=deadline)

    def unasked(self) -> "Bounds":
        """For sizes that nobody has asked for."""
        calm = self.calm()
        return replace(calm, deadline=calm.deadline or UNASKED_SECONDS)


@dataclass(frozen=True)
class Fitting:
    """What a model may draw here: `need` says what a shape takes, `whole` how many frames can be made."""

    name: str
    canvas: Canvas
    need: Callable[[Shape], Need]
    whole: Callable[[int], int]
    bounds: Bounds

    def fitted(self, wanted: Shape, *, size_asked: bool, frames_asked: bool) -> tuple[Shape, str]:
        """The shape to draw, and a note where it is smaller than `wanted` in what nobody has asked for.

        Raises `TooLarge` for what takes too long, `OutOfMemory`, with the largest shape that would do.
        """
        asked = size_asked or frames_asked
        if asked and self.bounds.hold(self.need(wanted), DOUBT):
            return wanted, ""
        calmest = [] if asked else [self.bounds.unasked()]
        limits = [*calmest, self.bounds.calm(), self.bounds]
        found = self._largest(wanted, *limits, size=not size_asked, frames=not frames_asked)
        if found is None:
            raise self._refusal(wanted)
        return found, "" if found == wanted else self._told(found, wanted)

    def smaller(self, wanted: Shape, *, size: bool = True, frames: bool = True) -> Iterator[Shape]:
        """Shapes that can be drawn, ever smaller in what may change."""
        share, before = 1.0, wanted
        fewest = [min(FEWEST_PIXELS, *self.canvas.native) / side for side in wanted.size]
        while share > SMALLEST:
            share *= SMALLER
            pixels = (round(wanted.size[0] * share), round(wanted.size[1] * share))
            small = before
            if size and share >= max(fewest):
                small = small._replace(size=self.canvas.nearest(pixels))
            if frames and wanted.frames:
                small = small._replace(frames=self.whole(1 + round((wanted.frames - 1) * share)))
            if small != before:
                yield small
            before = small

    def _largest(
        self, wanted: Shape, *limits: Bounds, size: bool = True, frames: bool = True
    ) -> Shape | None:
        """The largest shape that keeps to the first of the limits that any keeps to."""
        shapes = (wanted, *self.smaller(wanted, size=size, frames=frames))
        fitting = (one for limit in limits for one in shapes if limit.hold(self.need(one)))
        return next(fitting, None)

    def _told(self, found: Shape, wanted: Shape) -> str:
        took = spoken(self.need(wanted).total)
        return (
            f"It was made at {found}: {wanted}, as {self.name} would by itself, takes about {took} here. "
            "Ask for a size to have another."
        )

    def _refusal(self, wanted: Shape) -> OutOfMemory | TooLarge:
        need, bounds = self.need(wanted), self.bounds
        found = self._largest(wanted, bounds.calm(), bounds)
        hint = f"Up to {found} would do." if found else "No smaller size would do either."
        if need.memory > bounds.memory:
            return OutOfMemory(
                f"{self.name} would need about {need.memory >> 20:,} MiB for {wanted}; "
                f"{bounds.memory >> 20:,} MiB are free. {hint}",
                retry_after=30,
            )
        if bounds.deadline and need.total > bounds.deadline and need.longest <= bounds.patience * DOUBT:
            return TooLarge(
                f"{wanted} would take {self.name} about {spoken(need.total)} here, more than the "
                f"{spoken(bounds.deadline)} that the request may take. {hint}"
            )
        return TooLarge(
            f"{wanted} would take {self.name} about {spoken(need.step)} a step here, and up to "
            f"{spoken(need.longest)} without a pause, which must be no longer than "
            f"{spoken(bounds.patience)}. {hint}"
        )


def spoken(seconds: float) -> str:
    """A duration as people say it, in one unit."""
    for unit, size in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
