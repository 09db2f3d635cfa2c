"""What a scene shows and what a prompt says, as targets for heads that are there in training only.

The error of the velocity alone teaches slowly which word belongs to which thing. Features that must also tell
what covers each place (as REPA aligns them with a vision model's, arXiv:2410.06940; here the truth is known)
learn it sooner.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from examples.train_starters.painter_world import PAINTED, SIDE, Wish
from examples.train_starters.shapes_world import Scene, index_map

FINE = 16
"""Cells on a side."""
THINGS = 20 / 256
"""What a thing weighs in errors, beside its cells: a small star has 4 of 256, a large circle 38."""
_KINDS = [f"{colour} {shape}" for colour in PAINTED.colours for shape in PAINTED.shapes]
KINDS = 1 + len(_KINDS)
"""Nothing, and every colour with every shape."""
_AXES = {"": 0, "left of": 1, "right of": 1, "above": 2, "below": 2}
FACTS = (KINDS, KINDS, 1 + len(PAINTED.sizes), 1 + len(PAINTED.sizes), 3, 1 + len(PAINTED.grounds))
"""How many answers there are to each: what is first (left or above), what is second, how large they are,
along which axis they lie, on which background; the first answer is that it is not said."""


def cells(scene: Scene, fine: int = FINE) -> torch.Tensor:
    """Which share of each of fine × fine cells every kind covers, [KINDS, fine, fine] in half precision."""
    shown, step = index_map(scene), SIDE // fine
    shares = np.zeros((KINDS, fine, fine), dtype=np.float16)
    for at, kind in enumerate([0, *(_kind(thing.name) for thing in scene.objects)]):
        shares[kind] += (shown == at).reshape(fine, step, fine, step).mean((1, 3)).astype(np.float16)
    return torch.from_numpy(shares)


def alike(shares: torch.Tensor) -> torch.Tensor:
    """Weights [batch, height, width] that come to THINGS of the picture for each thing, small or large, on
    its cells and next to them; `shares` as from `cells`."""
    near = functional.avg_pool2d(shares[:, 1:].float(), 3, 1, 1)
    weights: torch.Tensor = (near / near.sum((2, 3), keepdim=True).clamp(min=1.0)).sum(1)
    return THINGS * weights[0].numel() * weights


def told(wish: Wish) -> list[int]:
    """The answers to FACTS that the prompt of a wish gives, whatever its wording."""
    things = wish.things[::-1] if wish.relation in ("right of", "below") else wish.things
    kinds = [_kind(thing) for thing in things] + [0]
    sizes = [_size(thing) for thing in things] + [0]
    ground = 1 + PAINTED.grounds.index(wish.ground) if wish.ground else 0
    return [*kinds[:2], *sizes[:2], _AXES[wish.relation], ground]


def _kind(thing: str) -> int:
    return 1 + _KINDS.index(" ".join(thing.split()[-2:]))


def _size(thing: str) -> int:
    first = thing.split()[0]
    return 1 + PAINTED.sizes.index(first) if first in PAINTED.sizes else 0


class Heads(nn.Module):
    """Reads the truth off the UNet's and the text encoder's features."""

    def __init__(self, places: int, words: int) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Conv2d(places, KINDS, 1), nn.Conv2d(places, KINDS, 1)
        self.words = nn.Sequential(nn.LayerNorm(words), nn.Linear(words, sum(FACTS)))

    def seen(self, coarse: torch.Tensor, fine: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of what covers each cell, of features [batch, places, height, width] from the
        middle of the UNet and from its first stage upwards; `truth` as from `cells`."""
        losses = []
        for head, features in ((self.coarse, coarse), (self.fine, fine)):
            shares = functional.adaptive_avg_pool2d(truth.float(), features.shape[-1])
            losses.append(functional.cross_entropy(head(features).float(), shares))
        return torch.stack(losses).mean()

    def read(self, states: torch.Tensor, ended: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of FACTS [batch, 6], of the states [batch, words, width] since the prompt's end
        (`ended`, [batch, words]), which alone have seen all of it."""
        weights = ended.float()[..., None]
        mean = (states.float() * weights).sum(1) / weights.sum(1)
        answers = zip(self.words(mean).float().split(FACTS, dim=1), facts.T, strict=True)
        losses = [functional.cross_entropy(answer, fact) for answer, fact in answers]
        return torch.stack(losses).mean()
