"""What there is in the world, and which of it is kept out of training."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "validation", "test", "compositional"]
RGB = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "cross", "ring")
COLOURS: dict[str, RGB] = {
    "red": (218, 38, 40),
    "green": (40, 160, 70),
    "blue": (45, 90, 220),
    "yellow": (246, 216, 48),
    "purple": (132, 58, 178),
    "orange": (245, 132, 26),
    "pink": (250, 152, 196),
    "white": (248, 248, 248),
    "black": (22, 22, 22),
    "grey": (132, 132, 132),
}
# Radii as shares of the scene's side. Between two names is a gap, so that none is a matter of taste.
SIZES: dict[str, tuple[float, float]] = {
    "small": (0.095, 0.115),
    "medium": (0.145, 0.17),
    "large": (0.21, 0.25),
}
PATTERNS = ("plain", "gradient", "stripes", "checks", "dots")
NAMES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)

# One of each shape and one of each colour but two; never in train, validation or test.
HELD_OUT = frozenset(
    {
        ("red", "star"),
        ("green", "heart"),
        ("blue", "triangle"),
        ("yellow", "ring"),
        ("purple", "square"),
        ("orange", "circle"),
        ("pink", "cross"),
        ("white", "hexagon"),
    }
)
COUNTS = (0, 1, 2, 3, 4, 5)
HELD_OUT_COUNT = 6


@dataclass(frozen=True)
class World:
    """A world, or a smaller part of it. `overlap` bounds two boxes' intersection as a share of the smaller
    one; `noise` is the highest deviation (of 255) of a scene's pixels."""

    shapes: tuple[str, ...] = SHAPES
    colours: tuple[str, ...] = tuple(COLOURS)
    sizes: tuple[str, ...] = tuple(SIZES)
    patterns: tuple[str, ...] = PATTERNS
    grounds: tuple[str, ...] = tuple(COLOURS)
    overlap: float = 0.15
    noise: float = 6.0
    tilt: float = 30.0

    def pairs(self, split: Split) -> list[tuple[str, str]]:
        """Colours with shapes that may occur in a scene of a split beside its held-out ones."""
        every = [(colour, shape) for colour in self.colours for shape in self.shapes]
        return every if split == "compositional" else [pair for pair in every if pair not in HELD_OUT]


WORLD = World()


def stream(split: Split, index: int, seed: int = 0) -> random.Random:
    """The random numbers of one scene or clip. Splits and indices never share any."""
    return random.Random(f"{seed}/{split}/{index}")
