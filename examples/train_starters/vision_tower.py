"""The eye of starter-vision-chat: convolutions and an attention layer, taught what is where."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    Scene,
    Split,
    World,
    index_map,
    stream,
)
from examples.train_starters.shapes_world import scene as draw_scene

GRID = 6
_BACKBONE = "model.backbone.model."
# The part of the world that a small model learns in minutes. Up to four objects; five only in tests.
FIRST_WORLD = World(
    shapes=("circle", "square", "triangle", "star", "heart"),
    colours=("red", "green", "blue", "yellow", "purple", "orange"),
    sizes=("small", "large"),
    patterns=("plain", "gradient", "stripes"),
    overlap=0.0,
)
_MOST, _CROWD = 4, 5
_SHAPE = {name: at for at, name in enumerate(SHAPES)}
_COLOUR = {name: at for at, name in enumerate(COLOURS)}
_SIZE = {name: at for at, name in enumerate(SIZES)}
# What the head says of a cell: a centre or not; its shape, colour, size, offset; what covers its middle.
_PARTS = (1, len(SHAPES), len(COLOURS), len(SIZES), 2, len(COLOURS), len(SHAPES) + 1)


def vision_config(
    widths: tuple[int, ...] = classifier.WIDTHS[:3], hidden: int = 128, layers: int = 1
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
    """The eye with the head that teaches it; the head is thrown away."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.eye = DPTModel(config)
        self.head = nn.Linear(config.hidden_size, sum(_PARTS))
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.05

    def begin_as(self, detector: Path) -> None:
        """Takes the convolutions of a detector's folder."""
        weights = load_file(detector / "model.safetensors")
        mine = self.eye.embeddings.backbone.state_dict()
        self.eye.embeddings.backbone.load_state_dict({name: weights[_BACKBONE + name] for name in mine})

    def cells(self, pixels: torch.Tensor) -> torch.Tensor:
        """What a language model reads, [batch, GRID * GRID, hidden], of [batch, 3, SIDE, SIDE] in -1 to 1."""
        hidden: torch.Tensor = self.eye(pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
        return hidden

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The head's parts, each [batch, GRID * GRID, classes]."""
        return self.head(self.cells(pixels)).float().split(_PARTS, dim=-1)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Eyesight:
    """Shares of scenes: all centres found and no other; and every shape, colour and size right."""

    centres: float
    everything: float


def draw(rng: random.Random, split: Split, world: World) -> Scene:
    """A scene of none to four objects; in a compositional one a name or the number five is new."""
    if split == "compositional":
        return draw_scene(
            rng, split, SIDE, _CROWD if rng.random() < 0.3 else rng.randint(1, _MOST), world=world
        )
    return draw_scene(rng, split, SIDE, rng.choice((0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4)), world=world)


def cell(x: float, y: float) -> int:
    """The grid's cell of a point in pixels, row by row."""
    column, row = (min(GRID - 1, int(value * GRID / SIDE)) for value in (x, y))
    return row * GRID + column


def truth(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Per cell: (centre, shape, colour, size, offset x and y); (colour, shape) of what covers its middle."""
    centres = np.zeros((GRID * GRID, 6), np.float32)
    for thing in scene.objects:
        x, y = thing.x * GRID / SIDE, thing.y * GRID / SIDE
        names = _SHAPE[thing.shape], _COLOUR[thing.colour], _SIZE[thing.size]
        centres[cell(thing.x, thing.y)] = (1, *names, x - int(x) - 0.5, y - int(y) - 0.5)
    step = SIDE // GRID
    on_top = index_map(scene)[step // 2 :: step, step // 2 :: step].ravel()
    colours = [_COLOUR[scene.background.colour], *(_COLOUR[thing.colour] for thing in scene.objects)]
    shapes = [len(SHAPES), *(_SHAPE[thing.shape] for thing in scene.objects)]
    return centres, np.stack([np.array(colours)[on_top], np.array(shapes)[on_top]], axis=1)


def batch(scenes: Sequence[Scene], rng: random.Random) -> Batch:
    """Pictures of the scenes with their truth."""
    truths = [truth(scene) for scene in scenes]
    return {
        "pixels": to_pixels([picture(scene, rng) for scene in scenes]),
        "centres": torch.from_numpy(np.stack([centres for centres, _ in truths])),
        "cover": torch.from_numpy(np.stack([cover for _, cover in truths])),
    }


def batches(world: World, seed: int, at: int, size: int = 32, number: int = 20) -> Iterator[Batch]:
    """The batches of the buffer with this number."""
    for which in range(number):
        rng = stream("train", at * number + which, seed)
        yield batch([draw(rng, "train", world) for _ in range(size)], rng)


def loss(tower: Tower, batch: Batch, progress: float) -> torch.Tensor:
    """The sum of the parts' losses; what is at a centre counts only where one is."""
    centre, shape, colour, size, offset, cover, covering = tower(batch["pixels"])
    wanted, over = batch["centres"], batch["cover"]
    here = wanted[..., 0] > 0.5
    few = torch.tensor(3.0, device=wanted.device)
    terms = [
        4 * functional.binary_cross_entropy_with_logits(centre[..., 0], wanted[..., 0], pos_weight=few),
        0.5 * functional.cross_entropy(cover.flatten(0, 1), over[..., 0].flatten()),
        0.5 * functional.cross_entropy(covering.flatten(0, 1), over[..., 1].flatten()),
    ]
    if here.any():
        at_centre = wanted[here]
        terms += [
            functional.cross_entropy(shape[here], at_centre[:, 1].long()),
            0.5 * functional.cross_entropy(colour[here], at_centre[:, 2].long()),
            0.5 * functional.cross_entropy(size[here], at_centre[:, 3].long()),
            functional.smooth_l1_loss(offset[here], at_centre[:, 4:6], beta=0.1),
        ]
    return torch.stack(terms).sum()


@torch.no_grad()
def eyesight(tower: Tower, world: World, split: Split = "validation", scenes: int = 500) -> Eyesight:
    """How much of the scenes the tower sees."""
    tower.eval()
    seen = []
    for start in range(0, scenes, 50):
        rng = stream(split, start)
        tested = batch([draw(rng, split, world) for _ in range(50)], rng)
        centre, shape, colour, size, *_ = tower(tested["pixels"])
        wanted = tested["centres"]
        here = wanted[..., 0] > 0.5
        found = ((centre[..., 0] > 0) == here).all(1)
        named = [
            (part.argmax(-1) == wanted[..., at]) | ~here for at, part in enumerate((shape, colour, size), 1)
        ]
        seen.append(torch.stack([found, found & torch.stack(named).all(0).all(1)], dim=1))
    shares = torch.cat(seen).float().mean(0).tolist()
    return Eyesight(shares[0], shares[1])
