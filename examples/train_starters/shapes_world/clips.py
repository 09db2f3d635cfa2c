"""Clips: scenes in which objects move, one shot or several, with the truth of every frame."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from .render import render
from .scenes import Background, Scene, Thing, background, place
from .words import WORLD, Split, World

Join = Literal["cut", "fade"]

MOTIONS = (
    "left",
    "right",
    "up",
    "down",
    "bounce",
    "circle",
    "grow",
    "shrink",
    "appear",
    "vanish",
    "swap",
)
STILL = "still"
_WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


@dataclass(frozen=True)
class Motion:
    """What an object of a shot does. In a swap both have one."""

    kind: str
    thing: Thing
    shot: int


@dataclass(frozen=True)
class Frame:
    """One picture: a scene, in a fade mixed with the next shot's by the share `mix`."""

    scene: Scene
    shot: int
    into: Scene | None = None
    mix: float = 0.0


@dataclass(frozen=True)
class Clip:
    """Frames in order, what moved (one per object, "still" included), how shots are joined."""

    frames: tuple[Frame, ...]
    motions: tuple[Motion, ...]
    joins: tuple[Join, ...]


def clip(
    rng: random.Random,
    split: Split = "train",
    pixels: int = 64,
    frames: int = 16,
    motion: str | None = None,
    moving: int = 1,
    still: int = 0,
    shots: int = 1,
    world: World = WORLD,
) -> Clip:
    """Draws a clip of `frames` a shot.

    In every shot `moving` objects do `motion` (drawn by lot for each where it is not given; a swap needs two
    and they are its only movers) and `still` others stay. Shots follow each other by a cut or a fade.
    """
    films = [_shot(rng, split, pixels, frames, motion, moving, still, at, world) for at in range(shots)]
    joins = tuple[Join, ...](rng.choice(("cut", "fade")) for _ in range(shots - 1))
    pictures = [[Frame(one, at) for one in film] for at, (film, _) in enumerate(films)]
    for at, join in enumerate(joins):
        if join == "fade":
            _fade(pictures[at], pictures[at + 1][0].scene)
    whole = tuple(frame for part in pictures for frame in part)
    return Clip(whole, tuple(motion for _, part in films for motion in part), joins)


def render_clip(film: Clip) -> list[Image.Image]:
    """The clip's pictures."""
    return [
        render(frame.scene)
        if frame.into is None
        else Image.blend(render(frame.scene), render(frame.into), frame.mix)
        for frame in film.frames
    ]


def _fade(frames: list[Frame], into: Scene) -> None:
    length = max(1, min(4, len(frames) // 3))
    for step in range(length):
        at = len(frames) - length + step
        frames[at] = replace(frames[at], into=into, mix=(step + 1) / (length + 1))


def _shot(
    rng: random.Random,
    split: Split,
    pixels: int,
    frames: int,
    motion: str | None,
    moving: int,
    still: int,
    at: int,
    world: World,
) -> tuple[list[Scene], list[Motion]]:
    kinds = [motion or rng.choice(MOTIONS if moving > 1 else MOTIONS[:-1]) for _ in range(moving)]
    if "swap" in kinds:
        kinds = ["swap", "swap"]
    kinds += [STILL] * still
    things = _things(rng, split, pixels, len(kinds), world)
    kinds = kinds[: len(things)]
    behind = background(rng, world, {thing.colour for thing in things})
    things, paths = _moved(rng, things, kinds, frames, pixels)
    noise, noise_at = rng.uniform(0, world.noise), rng.randrange(1 << 15)
    scenes = [_frame(paths, when, behind, pixels, noise, noise_at + when) for when in range(frames)]
    return scenes, [Motion(kind, thing, at) for kind, thing in zip(kinds, things, strict=True)]


def solo(rng: random.Random, thing: Thing, kind: str, behind: Background, pixels: int, frames: int) -> Clip:
    """A clip without noise in which a given thing does `kind`, alone; `rng` draws how far and how fast."""
    (moved,), paths = _moved(rng, [thing], [kind], frames, pixels)
    scenes = [_frame(paths, when, behind, pixels, 0.0, 0) for when in range(frames)]
    return Clip(tuple(Frame(scene, 0) for scene in scenes), (Motion(kind, moved, 0),), ())


def _moved(
    rng: random.Random, things: list[Thing], kinds: list[str], frames: int, pixels: int
) -> tuple[list[Thing], list[list[Thing | None]]]:
    """The things where they begin, and the path of each."""
    things = [_start(thing, kind, pixels) for thing, kind in zip(things, kinds, strict=True)]
    return things, [_path(rng, things, kinds, which, frames, pixels) for which in range(len(things))]


def _frame(
    paths: list[list[Thing | None]], when: int, behind: Background, pixels: int, noise: float, noise_at: int
) -> Scene:
    seen = tuple(thing for path in paths if (thing := path[when]) is not None)
    return Scene(seen, behind, pixels, noise, noise_at)


def _things(rng: random.Random, split: Split, pixels: int, count: int, world: World) -> list[Thing]:
    """Objects of different names, apart from each other."""
    names = rng.sample(world.pairs(split), count)
    apart = replace(world, overlap=0.0)
    sizes = [size for size in world.sizes if size != "large"] or list(world.sizes)
    things: list[Thing] = []
    for name in names:
        rng.shuffle(sizes)
        if thing := place(rng, name, sizes, pixels, things, apart):
            things.append(thing)
    return things


def _start(thing: Thing, kind: str, pixels: int) -> Thing:
    """Puts a mover where it has a way to go."""
    reach, way = 1.12 * thing.radius, _WAYS.get(kind)
    if way is None:
        return thing
    near, far = reach + 0.02 * pixels, pixels - reach - 0.02 * pixels
    x = thing.x if way[0] == 0 else (near if way[0] > 0 else far)
    y = thing.y if way[1] == 0 else (near if way[1] > 0 else far)
    return replace(thing, x=x, y=y)


def _path(
    rng: random.Random, things: list[Thing], kinds: list[str], which: int, frames: int, pixels: int
) -> list[Thing | None]:
    """Where an object is in every frame; None where it is not there."""
    thing, kind = things[which], kinds[which]
    shares = [when / max(1, frames - 1) for when in range(frames)]
    if kind in _WAYS:
        length = rng.uniform(0.4, 0.95) * (pixels - 2.3 * thing.radius)
        dx, dy = (length * part for part in _WAYS[kind])
        return [replace(thing, x=thing.x + dx * share, y=thing.y + dy * share) for share in shares]
    if kind in ("appear", "vanish"):
        turn = rng.uniform(0.25, 0.75)
        return [thing if (share >= turn) == (kind == "appear") else None for share in shares]
    if kind in ("grow", "shrink"):
        return list(_sized(thing, kind, pixels, shares))
    if kind == "bounce":
        return list(_bounced(rng, thing, pixels, shares))
    if kind == "circle":
        return list(_circled(rng, thing, pixels, shares))
    if kind == "swap" and len(things) > 1:
        return list(_swapped(thing, things[1 - which], which, pixels, shares))
    return [thing] * frames


def _sized(thing: Thing, kind: str, pixels: int, shares: list[float]) -> list[Thing]:
    small, large = 0.085 * pixels, 0.25 * pixels
    reach = 1.12 * large
    x, y = (min(max(value, reach), pixels - reach) for value in (thing.x, thing.y))
    ends = (small, large) if kind == "grow" else (large, small)
    return [replace(thing, x=x, y=y, radius=ends[0] + (ends[1] - ends[0]) * share) for share in shares]


def _bounced(rng: random.Random, thing: Thing, pixels: int, shares: list[float]) -> list[Thing]:
    """Up and down from the floor, two or three times (a parabola each)."""
    floor, jumps = pixels - 1.15 * thing.radius, rng.choice((2, 3))
    height = min(0.55 * pixels, floor - 1.15 * thing.radius)
    starts = rng.random()
    phases = [(share * jumps + starts) % 1 for share in shares]
    return [replace(thing, y=floor - height * 4 * phase * (1 - phase)) for phase in phases]


def _circled(rng: random.Random, thing: Thing, pixels: int, shares: list[float]) -> list[Thing]:
    """Once around a centre."""
    round_by = rng.uniform(0.16, 0.24) * pixels
    reach = 1.12 * thing.radius + round_by
    x, y = (min(max(value, reach), pixels - reach) for value in (thing.x, thing.y))
    way, starts = rng.choice((-1, 1)), rng.uniform(0, 2 * math.pi)
    angles = [starts + way * 2 * math.pi * share for share in shares]
    return [
        replace(thing, x=x + round_by * math.cos(angle), y=y + round_by * math.sin(angle)) for angle in angles
    ]


def _swapped(thing: Thing, other: Thing, which: int, pixels: int, shares: list[float]) -> list[Thing]:
    """Both go to the other's place, each a little to its right so that they pass."""
    dx, dy = other.x - thing.x, other.y - thing.y
    length = max(1e-6, math.hypot(dx, dy))
    aside = (thing.radius + other.radius) * 0.55
    reach = 1.12 * max(thing.radius, other.radius)

    def inside(value: float) -> float:
        return min(max(value, reach), pixels - reach)

    bends = [aside * math.sin(math.pi * share) for share in shares]
    return [
        replace(
            thing,
            x=inside(thing.x + dx * share - dy / length * bend),
            y=inside(thing.y + dy * share + dx / length * bend),
        )
        for share, bend in zip(shares, bends, strict=True)
    ]
