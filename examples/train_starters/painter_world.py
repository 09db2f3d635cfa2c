"""What starter-painter is asked to draw, and a judge that reads from the pixels whether it did."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from examples.train_starters.painter_words import usual, varied
from examples.train_starters.questions import RELATIONS
from examples.train_starters.shapes_world import COLOURS, SIZES, Scene, Split, Thing, World, mask
from examples.train_starters.shapes_world import scene as draw_scene

SIDE = 64
# No patterns and no noise: what is drawn can be read off again.
PAINTED = World(
    shapes=("circle", "square", "triangle", "star", "heart"),
    colours=("red", "green", "blue", "yellow", "purple", "orange"),
    patterns=("plain",),
    overlap=0.0,
    noise=0.0,
    tilt=15.0,
)
APART = 0.2
_FIELD = 24
_ANGLES = range(-30, 31, 6)
Field = NDArray[np.bool_]


@dataclass(frozen=True)
class Wish:
    """One thing or two (a size may go before), how the first stands to the second, the background; either of
    these may be left open (empty)."""

    things: tuple[str, ...]
    relation: str
    ground: str

    def said(self, rng: random.Random | None = None) -> str:
        """The prompt: in the usual words, or in one of many wordings."""
        if rng is None:
            return usual(self.things, self.relation, self.ground)
        return varied(self.things, self.relation, self.ground, rng)


@dataclass(frozen=True)
class Found:
    """A thing that the judge sees, its middle in shares of the side."""

    colour: str
    shape: str
    size: str
    x: float
    y: float


def wished(rng: random.Random, split: Split, two: float = 0.0) -> tuple[Scene, Wish]:
    """A scene and the wish that it fulfils; with a chance of `two` it has two things in a clear relation."""
    count = 2 if rng.random() < two else 1
    while True:
        scene = draw_scene(rng, split, SIDE, count, world=PAINTED)
        names = tuple(
            f"{thing.size} {thing.name}" if rng.random() < 0.3 else thing.name for thing in scene.objects
        )
        if len(names) < count:
            continue
        if count == 1:
            return scene, Wish(names, "", scene.background.colour)
        stands = [relation for relation in RELATIONS if _stands(relation, _middles(scene.objects))]
        if len({thing.name for thing in scene.objects}) == 2 and stands and _gap(*scene.objects) >= 3:
            return scene, Wish(names, rng.choice(stands), scene.background.colour)


def fulfilled(wish: Wish, ground: str, found: Sequence[Found]) -> bool:
    """Whether exactly the things wished for are there, as wished."""
    if wish.ground not in ("", ground) or len(found) != len(wish.things):
        return False
    orders = [found, found[::-1]]
    return any(
        all(_is(name, thing) for name, thing in zip(wish.things, order, strict=True))
        and (not wish.relation or _stands(wish.relation, [(thing.x, thing.y) for thing in order], margin=0.1))
        for order in orders
    )


def read(picture: Image.Image) -> tuple[str, list[Found]]:
    """The background's colour, and every thing that the picture shows."""
    image = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(
        np.float32
    )
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    ground = np.median(border, axis=0)
    parts = _parts(np.linalg.norm(image - ground, axis=-1) > 45)
    return _colour(ground), [_found(part, image) for part in parts]


def _stands(relation: str, places: Sequence[tuple[float, float]], margin: float = APART) -> bool:
    """Whether the first of two is in the relation to the other, by at least this share of the side."""
    one, other = places
    along = other[0] - one[0] if relation in ("left of", "right of") else other[1] - one[1]
    return along * (1 if relation in ("left of", "above") else -1) >= margin


def _gap(one: Thing, other: Thing) -> float:
    """The pixels between two boxes."""
    sideways = max(one.box[0], other.box[0]) - min(one.box[2], other.box[2])
    return max(sideways, max(one.box[1], other.box[1]) - min(one.box[3], other.box[3]))


def _middles(things: Sequence[Thing]) -> list[tuple[float, float]]:
    return [(thing.x / SIDE, thing.y / SIDE) for thing in things]


def _is(name: str, thing: Found) -> bool:
    *size, colour, shape = name.split()
    return (thing.colour, thing.shape) == (colour, shape) and (not size or thing.size == size[0])


def _colour(rgb: NDArray[np.float32]) -> str:
    return min(COLOURS, key=lambda name: float(np.linalg.norm(rgb - np.array(COLOURS[name]))))


def _parts(covered: Field, fewest: int = 30) -> list[Field]:
    """The connected parts of at least so many pixels."""
    left, parts = covered.copy(), []
    while left.any():
        part = np.zeros_like(left)
        part[tuple(np.argwhere(left)[0])] = True
        while (grown := _grown(part) & left).sum() > part.sum():
            part = grown
        left &= ~part
        if part.sum() >= fewest:
            parts.append(part)
    return parts


def _grown(part: Field) -> Field:
    wide = np.pad(part, 1)
    return wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]


def _found(part: Field, image: NDArray[np.float32]) -> Found:
    inside = ~_grown(~part)
    colour = _colour(np.median(image[inside if inside.sum() > 8 else part], axis=0))
    field = _field(part)
    likeness = {key: (field & other).sum() / (field | other).sum() for key, other in _templates().items()}
    shape = max(likeness, key=lambda key: likeness[key])[0]
    radius = float(np.sqrt(part.sum() / _area(shape))) / SIDE
    size = min(SIZES, key=lambda name: abs(sum(SIZES[name]) / 2 - radius))
    y, x = np.argwhere(part).mean(0) / SIDE
    return Found(colour, shape, size, float(x), float(y))


def _field(part: Field) -> Field:
    """The part around its middle, at a scale where all parts cover as much."""
    middle, reach = np.argwhere(part).mean(0), 1.3 * np.sqrt(part.sum())
    steps = (np.arange(_FIELD) + 0.5) / _FIELD - 0.5
    rows, columns = (np.rint(centre + steps * reach).astype(int).clip(0, len(part) - 1) for centre in middle)
    return part[np.ix_(rows, columns)]


_MODEL = Thing("circle", "red", "large", 128.0, 128.0, 90.0, 0.0, (0, 0, 0))


@cache
def _templates() -> dict[tuple[str, int], Field]:
    return {
        (shape, angle): _field(mask(replace(_MODEL, shape=shape, angle=angle), 256))
        for shape in PAINTED.shapes
        for angle in _ANGLES
    }


@cache
def _area(shape: str) -> float:
    """Of a shape of radius 1."""
    return float(mask(replace(_MODEL, shape=shape), 256).sum()) / _MODEL.radius**2
