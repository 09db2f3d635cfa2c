"""The eye of starter-vision-chat: convolutions and an attention layer, taught what is where.

Of every cell of a grid it says whether an object's centre is there, and if so its shape, colour, size and
place, each as a yes or no of its own: so a cell without a centre says nothing, and one with a centre is one
object in plain words for whoever reads the cells.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from transformers import DPTConfig, DPTModel, ResNetConfig

from examples.train_starters import classifier
from examples.train_starters.fitting import Batch
from examples.train_starters.scene_batches import SIDE, picture, to_pixels
from examples.train_starters.shapes_world import (
    COLOURS,
    SHAPES,
    SIZES,
    WORLD,
    Scene,
    Split,
    Thing,
    World,
    stream,
)
from examples.train_starters.shapes_world import scene as draw_scene

GRID = 6
# Where along an axis a centre may be past or not, as shares of the side.
STEPS = tuple(at / 12 for at in range(1, 12))
# What the head says of a cell with a centre, and of every cell: the background's colour.
PARTS = {
    "centre": 1,
    "shape": len(SHAPES),
    "colour": len(COLOURS),
    "size": len(SIZES),
    "right of": len(STEPS),
    "below": len(STEPS),
}
_SAID = sum(PARTS.values())
_WEIGHT = (1.0, 1.5, 1.0, 1.0, 0.3, 0.3)
_BACKBONE = "model.backbone.model."
_MOST = 6
_COUNTS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
# A centre so near (in pixels) to a cell's border may belong to either side; the eye settles for one.
_BORDER = 1.5
_SHAPE = {name: at for at, name in enumerate(SHAPES)}
_COLOUR = {name: at for at, name in enumerate(COLOURS)}
_SIZE = {name: at for at, name in enumerate(SIZES)}


def vision_config(
    widths: tuple[int, ...] = classifier.WIDTHS[:3], hidden: int = 128, layers: int = 2
) -> DPTConfig:
    """A hybrid (arXiv:2010.11929, 3.1): a basic ResNet to a grid, position embeddings, transformer layers."""
    whole: Any = classifier.config(widths)
    stem = ResNetConfig(
        embedding_size=widths[0],
        hidden_sizes=list(widths),
        depths=whole.depths[: len(widths)],
        layer_type=whole.layer_type,
        out_features=["stage1", "stage2", "stage3"],  # type: ignore[call-arg]
    )
    return DPTConfig(
        is_hybrid=True,
        backbone_config=stem,
        backbone_featmap_shape=[1, widths[-1], GRID, GRID],
        backbone_out_indices=[0, 1, 1, 1],
        neck_ignore_stages=[0, 1],
        image_size=SIDE,
        patch_size=SIDE // GRID,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=2 * hidden,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


class Tower(nn.Module):
    """The eye with the head that teaches it."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.eye = DPTModel(config)
        self.head = nn.Linear(config.hidden_size, _SAID + len(COLOURS))
        nn.init.constant_(self.head.bias[:_SAID], -3.0)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.05

    def begin_as(self, detector: Path) -> None:
        """Takes the convolutions of a detector's folder."""
        weights = load_file(detector / "model.safetensors")
        mine = self.eye.embeddings.backbone.state_dict()
        self.eye.embeddings.backbone.load_state_dict({name: weights[_BACKBONE + name] for name in mine})

    def begin_as_grown(self, eye: DPTModel, said: nn.Linear) -> None:
        """Takes the eye of a model that reads with it, and the head from the first rows of `said`."""
        self.eye.load_state_dict(eye.state_dict())
        rows = min(len(self.head.weight), len(said.weight))
        with torch.no_grad():
            self.head.weight[:rows], self.head.bias[:rows] = said.weight[:rows], said.bias[:rows]

    def cells(self, pixels: torch.Tensor) -> torch.Tensor:
        """What a language model reads, [batch, GRID * GRID, hidden], of [batch, 3, SIDE, SIDE] in -1 to 1."""
        hidden: torch.Tensor = self.eye(pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
        return hidden

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the cells: what is said of centres [batch, GRID * GRID, said], the background's colour."""
        said = self.head(self.cells(pixels)).float()
        return said[..., :_SAID], said[..., _SAID:]


@dataclass(frozen=True)
class Eyesight:
    """Shares of scenes: as many centres as objects; every shape, colour and size right; the background."""

    centres: float
    everything: float
    background: float


def draw(rng: random.Random, split: Split, world: World = WORLD, counts: Sequence[int] = _COUNTS) -> Scene:
    """A scene of so many objects; in half of them few kinds, so that there is something to count."""
    if split == "compositional":
        return draw_scene(rng, split, SIDE, world=world)
    if rng.random() < 0.5:
        shapes = tuple(rng.sample(world.shapes, rng.randint(2, 3)))
        world = replace(world, shapes=shapes, colours=tuple(rng.sample(world.colours, 2)))
    return draw_scene(rng, split, SIDE, rng.choice(counts), world=world)


def crowd(rng: random.Random, world: World = WORLD) -> Scene:
    """A training scene of five things, all small or some medium: what an eye that has learnt the rest still
    mistakes."""
    sizes = world.sizes[: rng.randint(1, 2)]
    return draw_scene(rng, "train", SIDE, 5, world=replace(world, sizes=sizes))


def cell(x: float, y: float) -> int:
    """The grid's cell of a point in pixels, row by row."""
    column, row = (max(0, min(GRID - 1, int(value * GRID / SIDE))) for value in (x, y))
    return row * GRID + column


def cells_of(thing: Thing) -> list[int]:
    """The cells that may say that its centre is theirs, the nearest first."""
    near = (0.0, -_BORDER, _BORDER)
    return list(dict.fromkeys(cell(thing.x + x, thing.y + y) for x in near for y in near))


def said_of(thing: Thing) -> NDArray[np.float32]:
    """What is to be said of an object, each 0 or 1."""
    said = np.zeros(_SAID, np.float32)
    start = np.cumsum([0, *PARTS.values()])
    said[0] = 1
    names = _SHAPE[thing.shape], _COLOUR[thing.colour], _SIZE[thing.size]
    said[[begin + at for begin, at in zip(start[1:4], names, strict=True)]] = 1
    for begin, value in zip(start[4:6], (thing.x, thing.y), strict=True):
        said[begin : begin + len(STEPS)] = np.array(STEPS) * SIDE < value
    return said


def batch(scenes: Sequence[Scene], rng: random.Random) -> Batch:
    """Pictures of the scenes; of their objects what is to be said and the cells that may say it, or -1."""
    said = np.zeros((len(scenes), _MOST, _SAID), np.float32)
    cells = np.full((len(scenes), _MOST, 4), -1)
    for at, scene in enumerate(scenes):
        own = {cells_of(thing)[0] for thing in scene.objects}
        for which, thing in enumerate(scene.objects):
            first, *others = cells_of(thing)
            free = [first, *(other for other in others if other not in own)][:4]
            said[at, which], cells[at, which, : len(free)] = said_of(thing), free
    return {
        "pixels": to_pixels([picture(scene, rng) for scene in scenes]),
        "said": torch.from_numpy(said),
        "cells": torch.from_numpy(cells),
        "background": torch.tensor([_COLOUR[scene.background.colour] for scene in scenes]),
    }


def batches(
    world: World, seed: int, at: int, size: int = 32, number: int = 20, crowds: float = 0.0
) -> Iterator[Batch]:
    """The batches of the buffer with this number, twice: drawing takes as long as learning. `crowds` is the
    share of scenes that are crowds."""
    drawn = []
    for which in range(number):
        rng = stream("train", at * number + which, seed)
        scenes = [
            crowd(rng, world) if crowds and rng.random() < crowds else draw(rng, "train", world)
            for _ in range(size)
        ]
        drawn.append(batch(scenes, rng))
        yield drawn[-1]
    yield from drawn


def wanted(said: torch.Tensor, batch: Batch) -> torch.Tensor:
    """What each cell should say. Of the cells near a centre the one that says so loudest is meant."""
    cells = batch["cells"]
    loud = said[..., 0].detach().gather(1, cells.clamp(min=0).flatten(1)).view(cells.shape)
    chosen = loud.masked_fill(cells < 0, -torch.inf).argmax(-1, keepdim=True)
    chosen = cells.gather(-1, chosen)[..., 0]
    rows, at = (chosen >= 0).nonzero(as_tuple=True)
    target = torch.zeros_like(said)
    target[rows, chosen[rows, at]] = batch["said"][rows, at]
    return target


def loss(tower: Tower, batch: Batch, progress: float) -> torch.Tensor:
    """The sum of the parts' losses, for each object."""
    said, background = tower(batch["pixels"])
    target = wanted(said, batch)
    each = functional.binary_cross_entropy_with_logits(said, target, reduction="none").sum((0, 1))
    split = torch.split(each, list(PARTS.values()))
    parts = [part.sum() * weight for part, weight in zip(split, _WEIGHT, strict=True)]
    behind = batch["background"][:, None].expand(-1, GRID * GRID).flatten()
    named = functional.cross_entropy(background.flatten(0, 1), behind)
    return torch.stack(parts).sum() / max(1.0, float(target[..., 0].sum())) + named


@torch.no_grad()
def eyesight(tower: Tower, world: World = WORLD, split: Split = "validation", scenes: int = 500) -> Eyesight:
    """How much of the scenes the tower sees."""
    tower.eval()
    seen = []
    for start in range(0, scenes, 50):
        rng = stream(split, start)
        tested = batch([draw(rng, split, world) for _ in range(50)], rng)
        said, background = tower(tested["pixels"])
        target = wanted(said, tested)
        right = (said > 0) == (target > 0.5)
        names = right[..., : _SAID - 2 * len(STEPS)].all(-1).all(-1)
        ground = background.mean(1).argmax(-1) == tested["background"]
        seen.append(torch.stack([right[..., 0].all(-1), names, ground], dim=1))
    shares = torch.cat(seen).float().mean(0).tolist()
    return Eyesight(*shares)
