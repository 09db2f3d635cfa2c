"""Clips with their label, and what teaches beside it: what covers a token and how that moves."""

from __future__ import annotations

import random

import numpy as np
import torch
from numpy.typing import NDArray

from examples.train_starters.shapes_world import HELD_OUT, MOTIONS, Clip, Split, clip, stream

FRAMES, SIDE = 16, 32
LABELS = (*MOTIONS, "still")
_MIRRORED = {"left": "right", "right": "left"}
_TURNED_OVER = {"up": "down", "down": "up"}
_BACKWARDS = {
    **_MIRRORED, **_TURNED_OVER, "grow": "shrink", "shrink": "grow", "appear": "vanish", "vanish": "appear",
}  # fmt: skip
# Covered; the middle of what covers it (from the token's, in patches) and its radius; how it moves right,
# down and grows (in twentieths of a side a frame); there before, there after.
FLOW = 9
_MIRROR = torch.tensor([1, -1, 1, 1, -1, 1, 1, 1, 1])
_TURN = torch.tensor([1, 1, -1, 1, 1, -1, 1, 1, 1])
_BACK = torch.tensor([1, 1, 1, 1, -1, -1, -1, 1, 1])


def example(split: Split, at: int, pixels: int = SIDE, seed: int = 0) -> tuple[Clip, int]:
    """A clip with one thing that moves, or two that swap, among up to two that stay; and its label.

    What moves in a "compositional" clip has a colour with a shape that training never sees.
    """
    rng = stream(split, at, seed)
    label = rng.randrange(len(LABELS))
    kind, movers = LABELS[label], 2 if LABELS[label] == "swap" else 1
    while True:
        stay = rng.choice((0, 0, 1, 1, 2))
        if kind == "still":
            film = clip(rng, split, pixels, FRAMES, moving=0, still=stay + 1)
        else:
            film = clip(rng, split, pixels, FRAMES, kind, movers, stay)
        things = [motion.thing for motion in film.motions if motion.kind == kind]
        new = any((thing.colour, thing.shape) in HELD_OUT for thing in things)
        if len(things) >= movers and (new or split != "compositional"):
            return film, label


def flow(film: Clip, tubelet: int, patch: int) -> NDArray[np.float32]:
    """The truth of every token, [steps, rows, columns, FLOW], for patches of a picture of SIDE.
    Of overlapping things the last counts."""
    side = film.frames[0].scene.pixels
    steps, cells, patch = len(film.frames) // tubelet, SIDE // patch, patch * side // SIDE
    told = np.zeros((steps, cells, cells, FLOW), np.float32)
    middles = (np.arange(cells) + 0.5) * patch
    places = [
        {thing.name: (thing.x, thing.y, thing.radius) for thing in frame.scene.objects}
        for frame in film.frames
    ]
    for name in dict.fromkeys(name for frame in places for name in frame):
        path = np.array([frame.get(name, (np.nan,) * 3) for frame in places])
        for step in range(steps):
            part = path[step * tubelet : (step + 1) * tubelet]
            there = part[~np.isnan(part[:, 0])]
            if not len(there):
                continue
            x, y, radius = there.mean(0)
            speed = (there[-1] - there[0]) / max(1, len(there) - 1) / side * 20
            far = np.hypot(middles[None, :] - x, middles[:, None] - y)
            seen = ~np.isnan(path[:, 0])
            near = far < radius + patch / 2
            told[step, near, 0] = 1
            told[step, near, 1] = np.broadcast_to((x - middles[None, :]) / patch, far.shape)[near]
            told[step, near, 2] = np.broadcast_to((y - middles[:, None]) / patch, far.shape)[near]
            lasting = seen[: step * tubelet + 1].all(), seen[step * tubelet :].all()
            told[step, near, 3:] = (radius / patch, *speed, *lasting)
    return told


def turned(
    film: torch.Tensor, told: torch.Tensor, label: int, rng: random.Random
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """The clip [frames, 3, height, width], its flow and its label; mirrored, turned over, played backwards
    or in other colours by lot."""
    name = LABELS[label]
    if rng.random() < 0.5:
        film, told, name = film.flip(-1), told.flip(2) * _MIRROR, _MIRRORED.get(name, name)
    if name != "bounce" and rng.random() < 0.5:
        film, told, name = film.flip(-2), told.flip(1) * _TURN, _TURNED_OVER.get(name, name)
    if rng.random() < 0.5:
        film, name = film.flip(0), _BACKWARDS.get(name, name)
        told = (told.flip(0) * _BACK)[..., [0, 1, 2, 3, 4, 5, 6, 8, 7]]
    return film[:, rng.sample(range(3), 3)], told, LABELS.index(name)
