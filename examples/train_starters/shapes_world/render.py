"""Scenes as pixels, anti-aliased, with exact masks."""

from __future__ import annotations

from functools import cache
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .geometry import RING_HOLE, placed
from .scenes import Background, Scene, Thing

Pixels = NDArray[np.uint8]

FINE = 4
_COVERED = [255 if value >= 128 else 0 for value in range(256)]


def render(scene: Scene) -> Image.Image:
    """The scene as an RGB picture."""
    return Image.fromarray(pixels(scene))


def pixels(scene: Scene) -> Pixels:
    """The scene as [height, width, RGB]."""
    image = Image.fromarray(_ground(scene.background, scene.pixels))
    for thing in scene.objects:
        corner, alpha = _alpha(thing)
        image.paste(thing.rgb, corner, alpha)
    return _noisy(np.asarray(image), scene.noise, scene.noise_at)


def index_map(scene: Scene) -> Pixels:
    """Which object is on top, [height, width]: 0 is the background, 1 the first object."""
    image = Image.new("L", (scene.pixels, scene.pixels))
    for at, thing in enumerate(scene.objects, start=1):
        corner, alpha = _alpha(thing)
        image.paste(at, corner, alpha.point(_COVERED))
    return np.array(image)


def mask(thing: Thing, pixels: int) -> NDArray[np.bool_]:
    """The pixels [height, width] that an object covers at least by half, others left aside."""
    image = Image.new("L", (pixels, pixels))
    corner, alpha = _alpha(thing)
    image.paste(255, corner, alpha.point(_COVERED))
    return np.asarray(image) > 0


def _alpha(thing: Thing) -> tuple[tuple[int, int], Image.Image]:
    """Where an object's box begins, and how much of each of its pixels is covered (0–255)."""
    left, top, right, bottom = thing.box
    x, y = floor(left), floor(top)
    width, height = max(1, ceil(right) - x), max(1, ceil(bottom) - y)
    image = Image.new("L", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(image)
    points = placed(thing.shape, thing.x, thing.y, thing.radius, thing.angle)
    fine = (points - (x, y)) * FINE - 0.5
    draw.polygon(fine.ravel().tolist(), fill=255)
    if thing.shape == "ring":
        middle = np.array([(thing.x - x) * FINE - 0.5, (thing.y - y) * FINE - 0.5])
        draw.polygon((middle + (fine - middle) * RING_HOLE).ravel().tolist(), fill=0)
    return (x, y), image.reduce(FINE)


@cache
def _grid(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    return axis[None, :].repeat(side, 0), axis[:, None].repeat(side, 1)


def _ground(background: Background, side: int) -> Pixels:
    first, second = (np.array(tint, dtype=np.float32) for tint in background.tints)
    if background.pattern == "plain":
        return np.broadcast_to(first.astype(np.uint8), (side, side, 3))
    field = _field(background.pattern, background.phase, side)[..., None]
    ground: Pixels = (first + (second - first) * field).astype(np.uint8)
    return ground


def _field(pattern: str, phase: float, side: int) -> NDArray[np.float32]:
    """The pattern between 0 and 1, [height, width]."""
    x, y = _grid(side)
    turn = 2 * np.pi * phase
    along = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn))
    match pattern:
        case "gradient":
            low, high = along.min(), along.max()
            field: NDArray[np.float32] = (along - low) / (high - low)
            return field
        case "stripes":
            return _soft(np.sin(along * np.float32(2 * np.pi * 5) + np.float32(turn)))
        case "checks":
            shift = np.float32(phase)
            return _soft(np.sin((x + shift) * np.float32(15.7)) * np.sin((y + shift) * np.float32(15.7)))
        case "dots":
            waves = np.cos((x + np.float32(phase)) * np.float32(44)) * np.cos(y * np.float32(44))
            return _soft(waves - np.float32(0.4))
    raise ValueError(f"There is no pattern {pattern!r}.")


def _soft(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    softened: NDArray[np.float32] = np.clip(wave * np.float32(4) + np.float32(0.5), 0, 1)
    return softened


@cache
def _bank() -> NDArray[np.float32]:
    """Noise that every scene takes a piece of: drawing it anew takes longer than all the rest."""
    return np.random.default_rng(0).standard_normal((1 << 19) + 256 * 256 * 3, dtype=np.float32)


def _noisy(image: Pixels, deviation: float, at: int) -> Pixels:
    noise = _bank()[at * 7 : at * 7 + image.size].reshape(image.shape)
    noisy: Pixels = np.clip(image + noise * np.float32(deviation), 0, 255).astype(np.uint8)
    return noisy
