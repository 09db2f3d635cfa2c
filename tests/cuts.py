"""Clips of several shots, with the truth of where one becomes the next, and how."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from examples.train_starters.shapes_world.clips import clip, render_clip

Kind = Literal["cut", "fade"]
FPS = 25


@dataclass(frozen=True)
class Change:
    """Frames `first` to `last` belong to neither shot wholly; of a cut both are the new shot's first."""

    kind: Kind
    first: int
    last: int


@dataclass(frozen=True)
class Movie:
    pictures: tuple[Image.Image, ...]
    changes: tuple[Change, ...]


def movie(seed: int, pixels: int = 96) -> Movie:
    """Three to five shots of two to four seconds with moving objects; cuts, dissolves, fades over black."""
    rng = random.Random(seed)
    shots = [_shot(rng, pixels) for _ in range(rng.randint(3, 5))]
    pictures, changes = list(shots[0]), list[Change]()
    for shot in shots[1:]:
        joined = rng.choice(("cut", "cut", "dissolve", "black"))
        if joined == "cut":
            changes.append(Change("cut", len(pictures), len(pictures)))
            pictures += shot
            continue
        length = rng.randint(4, 24) if joined == "dissolve" else 2 * rng.randint(4, 11)
        changes.append(Change("fade", len(pictures) - length, len(pictures) - 1))
        pictures[-length:] = _mixed(pictures[-length:], shot[:length], over_black=joined == "black")
        pictures += shot[length:]
    return Movie(tuple(pictures), tuple(changes))


def score(true: Sequence[Change], found: Sequence[Change], near: int = 3) -> tuple[float, int]:
    """F1 of changes found within `near` frames of where they are, and how many of them have another kind."""
    left, hits, mistaken = list(true), 0, 0
    for one in found:
        fits = [t for t in left if one.first <= t.last + near and one.last >= t.first - near]
        if fits:
            left.remove(fits[0])
            hits += 1
            mistaken += fits[0].kind != one.kind
    return (2 * hits / (len(true) + len(found)) if true or found else 1.0), mistaken


def _shot(rng: random.Random, pixels: int) -> list[Image.Image]:
    moving = rng.randint(1, 2)
    return render_clip(
        clip(rng, pixels=pixels, frames=rng.randint(50, 90), moving=moving, still=rng.randint(0, 2))
    )


def _mixed(
    before: Sequence[Image.Image], after: Sequence[Image.Image], over_black: bool
) -> Iterator[Image.Image]:
    count = len(before)
    for at, (one, other) in enumerate(zip(before, after, strict=True)):
        share = (at + 1) / (count + 1)
        black = Image.new("RGB", one.size)
        if not over_black:
            yield Image.blend(one, other, share)
        elif share < 0.5:
            yield Image.blend(one, black, 2 * share)
        else:
            yield Image.blend(black, other, 2 * share - 1)
