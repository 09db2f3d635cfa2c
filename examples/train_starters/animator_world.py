"""What starter-animator is asked to film, and a judge that reads from the frames what is seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from examples.train_starters.painter_world import PAINTED, read
from examples.train_starters.questions import with_article
from examples.train_starters.shapes_world import HELD_OUT, Clip, Split, background, place, solo

SIDE, FRAMES = 64, 16
RADIUS = 0.16
STEADY = 0.75
"""The share of the frames that must show what was asked for."""
# In the order of starter-video's labels; "swap" needs two things.
MOVES: dict[str, tuple[str, ...]] = {
    "left": ("moving left", "going to the left"),
    "right": ("moving right", "going to the right"),
    "up": ("moving up", "going up"),
    "down": ("moving down", "going down"),
    "bounce": ("bouncing", "jumping"),
    "circle": ("circling", "going round"),
    "grow": ("growing", "getting larger"),
    "shrink": ("shrinking", "getting smaller"),
    "appear": ("appearing", "showing up"),
    "vanish": ("vanishing", "going away"),
    "still": ("standing still", "not moving"),
}
_ABSENT = ("appear", "vanish")
FILMED = replace(PAINTED, sizes=("medium",))


@dataclass(frozen=True)
class Wish:
    """A thing, how it moves, the background."""

    thing: str
    motion: str
    ground: str

    def said(self, rng: random.Random | None = None) -> str:
        """The prompt: always the same, or in one of several wordings."""
        moves = MOVES[self.motion]
        grounds = (f"on {self.ground}", f"on {with_article(self.ground)} background")
        how, where = (moves[0], grounds[0]) if rng is None else (rng.choice(moves), rng.choice(grounds))
        return f"{with_article(self.thing)} {how} {where}"


def filmed(rng: random.Random, split: Split, motion: str | None = None) -> tuple[Clip, Wish]:
    """A clip of one thing and the wish that it fulfils; the motion is drawn by lot where none is given.

    A motion is always the same: where a thing begins and how far it goes is not drawn by lot. A
    "compositional" clip has a colour with a shape that training never sees.
    """
    kind = motion or rng.choice(list(MOVES))
    pairs = FILMED.pairs(split)
    pair = rng.choice([pair for pair in pairs if pair in HELD_OUT] if split == "compositional" else pairs)
    drawn = place(rng, pair, FILMED.sizes, SIDE, (), FILMED)
    assert drawn is not None
    thing = replace(drawn, x=SIDE / 2, y=SIDE / 2, radius=RADIUS * SIDE, angle=0.0)
    behind = background(rng, FILMED, {thing.colour})
    film = solo(random.Random(kind), thing, kind, behind, SIDE, FRAMES)
    return film, Wish(thing.name, kind, behind.colour)


def shows(wish: Wish, frames: Sequence[Image.Image]) -> bool:
    """Whether the thing asked for, on the background asked for, is steadily what the frames show: it alone.

    What appears or vanishes may be missing from frames, but not from all."""
    right, empty = 0, 0
    for frame in frames:
        ground, found = read(frame)
        if ground == wish.ground:
            right += [f"{thing.colour} {thing.shape}" for thing in found] == [wish.thing]
            empty += not found
    allowed = empty if wish.motion in _ABSENT else 0
    return right > 0 and right + allowed >= STEADY * len(frames)
