"""Scenes: what is where, drawn by lot. Nothing is rendered here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .geometry import placed
from .words import COLOURS, COUNTS, HELD_OUT, HELD_OUT_COUNT, RGB, SIZES, WORLD, Split, World

Box = tuple[float, float, float, float]
Pair = tuple[str, str]

TRIES = 60


@dataclass(frozen=True)
class Thing:
    """One object. Lengths in pixels, y downwards, `angle` in degrees clockwise."""

    shape: str
    colour: str
    size: str
    x: float
    y: float
    radius: float
    angle: float
    rgb: RGB

    @property
    def name(self) -> str:
        """Colour and shape: "red circle"."""
        return f"{self.colour} {self.shape}"

    @cached_property
    def box(self) -> Box:
        """Left, top, right and bottom of the whole outline, hidden parts included."""
        points = placed(self.shape, self.x, self.y, self.radius, self.angle)
        (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return left, top, right, bottom


@dataclass(frozen=True)
class Background:
    """What is behind the objects: `colour` names it; the pattern runs between two tints of it."""

    colour: str
    pattern: str
    tints: tuple[RGB, RGB]
    phase: float


@dataclass(frozen=True)
class Scene:
    """A square picture of `pixels` a side. Later objects lie on top of earlier ones."""

    objects: tuple[Thing, ...]
    background: Background
    pixels: int
    noise: float
    noise_at: int

    @property
    def main(self) -> Thing:
        """The largest object. IndexError where there is none."""
        return sorted(self.objects, key=lambda thing: -thing.radius)[0]

    def scaled(self, pixels: int) -> Scene:
        """The same scene at another resolution."""
        factor = pixels / self.pixels
        objects = tuple(
            replace(thing, x=thing.x * factor, y=thing.y * factor, radius=thing.radius * factor)
            for thing in self.objects
        )
        return replace(self, objects=objects, pixels=pixels)


def scene(
    rng: random.Random,
    split: Split = "train",
    pixels: int = 96,
    count: int | None = None,
    main: bool = False,
    world: World = WORLD,
) -> Scene:
    """Draws a scene.

    `count` objects (0–5 where it is not given). With `main` the first is larger than all others by a
    size name. A "compositional" scene has at least one colour with a shape that training never sees, or
    six objects, which training never sees either.
    """
    pairs = _pairs(rng, split, count, main, world)
    behind = background(rng, world, {colour for colour, _ in pairs})
    objects: list[Thing] = []
    for at, pair in enumerate(pairs):
        names = _size_names(rng, world, main, at, objects)
        if thing := place(rng, pair, names, pixels, objects, world):
            objects.append(thing)
    rng.shuffle(objects)
    noise = rng.uniform(0, world.noise)
    return Scene(tuple(objects), behind, pixels, noise, rng.randrange(1 << 16))


def _pairs(rng: random.Random, split: Split, count: int | None, main: bool, world: World) -> list[Pair]:
    held = [pair for pair in world.pairs(split) if pair in HELD_OUT]
    crowd = split == "compositional" and count is None and not main and (not held or rng.random() < 0.3)
    if count is None:
        lowest = 1 if main or split == "compositional" else 0
        count = HELD_OUT_COUNT if crowd else rng.choice(COUNTS[lowest:])
    allowed = world.pairs("train")
    pairs = [rng.choice(allowed) for _ in range(count)]
    if split == "compositional" and held and not crowd and count:
        pairs[0] = rng.choice(held)
    return pairs


def _size_names(rng: random.Random, world: World, main: bool, at: int, objects: Sequence[Thing]) -> list[str]:
    """The size wished for, then what may be taken where there is no room."""
    names = list(world.sizes)
    if main and at == 0:
        names = names[1:] or names
    elif main:
        names = names[: max(1, names.index(objects[0].size))]
    rng.shuffle(names)
    return [*names, *(name for name in world.sizes[:1] if not (main and at == 0))]


def place(
    rng: random.Random,
    pair: Pair,
    sizes: Sequence[str],
    pixels: int,
    others: Sequence[Thing],
    world: World = WORLD,
) -> Thing | None:
    """An object inside the picture that overlaps no other beyond the bound, or None where none fits."""
    colour, shape = pair
    rgb = _jitter(rng, COLOURS[colour], 8)
    for size in sizes:
        for _ in range(TRIES // len(sizes)):
            radius = rng.uniform(*SIZES[size]) * pixels
            reach = 1.12 * radius
            x, y = rng.uniform(reach, pixels - reach), rng.uniform(reach, pixels - reach)
            angle = rng.uniform(-world.tilt, world.tilt)
            thing = Thing(shape, colour, size, x, y, radius, angle, rgb)
            if all(_apart(thing, other, world.overlap) for other in others):
                return thing
    return None


def _apart(one: Thing, other: Thing, bound: float) -> bool:
    """Two of one colour never touch: where one ends could not be seen."""
    return overlap(one.box, other.box) <= (0.0 if one.colour == other.colour else bound)


def overlap(one: Box, other: Box) -> float:
    """The share of the smaller box that the other covers."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))


def background(rng: random.Random, world: World, taken: set[str]) -> Background:
    """A background of a colour that no object has."""
    colour = rng.choice([name for name in world.grounds if name not in taken] or list(world.grounds))
    tint = _jitter(rng, COLOURS[colour], 6)
    away = -1 if sum(tint) > 380 else 1
    step = rng.randint(14, 26) * away
    other = (_channel(tint[0] + step), _channel(tint[1] + step), _channel(tint[2] + step))
    return Background(colour, rng.choice(world.patterns), (tint, other), rng.random())


def _jitter(rng: random.Random, rgb: RGB, by: int) -> RGB:
    return tuple(_channel(value + rng.randint(-by, by)) for value in rgb)  # type: ignore[return-value]


def _channel(value: int) -> int:
    return min(255, max(0, value))
