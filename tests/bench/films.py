"""Clips of shapes that can be asked about: what each thing does, when, and a few frames that show it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from examples.train_starters.scene_batches import SIDE
from examples.train_starters.shapes_world import (
    HELD_OUT,
    WORLD,
    Clip,
    Frame,
    Motion,
    Split,
    Thing,
    World,
    clip,
    render,
)
from examples.train_starters.vision_tower import cell

FRAMES = 8
# Frames a second, frames a shot.
_RATES = (4, 5, 8, 10, 12, 15, 24, 25, 30)
_LENGTHS = (8, 10, 12, 16, 20, 24)
_FAR, _MORE = 4.0, 1.5
_PLACES = ("left", "right", "up", "down", "bounce", "circle", "swap")


def moves(kind: str) -> bool:
    """Whether a thing that does this changes its place."""
    return kind in _PLACES


@dataclass(frozen=True)
class Film:
    """A clip, its frames a second, and which of its frames are looked at."""

    clip: Clip
    fps: float

    @cached_property
    def looked_at(self) -> tuple[int, ...]:
        """Frames in the middle of equal parts, as the app chooses them for a model."""
        total = len(self.clip.frames)
        return tuple(int((part + 0.5) * total / FRAMES) for part in range(FRAMES))

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """Those frames."""
        return tuple(self.clip.frames[at] for at in self.looked_at)

    @cached_property
    def times(self) -> tuple[str, ...]:
        """Their seconds."""
        return tuple(f"{at / self.fps:.1f}" for at in self.looked_at)

    @property
    def shots(self) -> int:
        """How many scenes follow each other."""
        return len(self.clip.joins) + 1

    def of_shot(self, shot: int) -> list[Motion]:
        """What the things of a shot do: those that do something first, both in the order of reading."""
        mine = [motion for motion in self.clip.motions if motion.shot == shot]
        return sorted(mine, key=lambda one: (one.kind == "still", self._starts(one)))

    def _starts(self, motion: Motion) -> int:
        """The cell where a thing is seen first."""
        first = next(thing for thing in self.seen(motion) if thing is not None)
        return cell(first.x, first.y)

    def begins(self, shot: int) -> int:
        """The first of the frames that are looked at in a shot."""
        return next(at for at, frame in enumerate(self.frames) if frame.shot == shot)

    def seen(self, motion: Motion) -> list[Thing | None]:
        """The thing in each frame of its shot that is looked at, None where it is not there."""
        return [
            next((thing for thing in frame.scene.objects if thing.name == motion.thing.name), None)
            for frame in self.frames
            if frame.shot == motion.shot
        ]

    def whole(self, pixels: int = SIDE) -> list[Image.Image]:
        """All its frames, rendered at so many pixels."""
        return [_picture(frame, pixels) for frame in self.clip.frames]


def _picture(frame: Frame, pixels: int) -> Image.Image:
    def drawn(scene_of: Frame) -> Image.Image:
        scene = scene_of.scene
        return render(scene if scene.pixels == pixels else scene.scaled(pixels))

    if frame.into is None:
        return drawn(frame)
    return Image.blend(drawn(frame), drawn(Frame(frame.into, frame.shot)), frame.mix)


def film(rng: random.Random, split: Split, world: World = WORLD) -> Film:
    """A clip of one or two shots, whose motions can be told from the frames that are looked at.

    A "compositional" one has a thing whose colour and shape training never sees together.
    """
    while True:
        one = Film(_clip(rng, split, world), rng.choice(_RATES))
        things = [motion.thing for motion in one.clip.motions]
        if split == "compositional" and not any((t.colour, t.shape) in HELD_OUT for t in things):
            continue
        if all(evident(motion.kind, one.seen(motion)) for motion in one.clip.motions):
            return one


def _clip(rng: random.Random, split: Split, world: World) -> Clip:
    shots = 1 if rng.random() < 0.6 else 2
    fate = rng.random()
    moving = 0 if fate < 0.06 else 2 if fate < (0.4 if shots == 1 else 0.25) else 1
    still = rng.choice((0, 1, 1, 2) if shots == 1 else (0, 0, 1))
    motion = "swap" if moving == 2 and rng.random() < 0.2 else None
    if moving == 0:
        still = max(1, still)
    return clip(rng, split, SIDE, rng.choice(_LENGTHS), motion, moving, still, shots, world)


def evident(kind: str, seen: Sequence[Thing | None]) -> bool:
    """Whether these looks at a thing show what it does."""
    there = [thing for thing in seen if thing is not None]
    if len(seen) < 3 or not there:
        return False
    if kind in ("appear", "vanish"):
        gone = seen[0] if kind == "appear" else seen[-1]
        return gone is None and len(there) > 0
    if kind in ("grow", "shrink"):
        return abs(there[-1].radius - there[0].radius) > _MORE
    if moves(kind):
        wide = max(t.x for t in there) - min(t.x for t in there)
        high = max(t.y for t in there) - min(t.y for t in there)
        return max(wide, high) > _FAR
    return True
