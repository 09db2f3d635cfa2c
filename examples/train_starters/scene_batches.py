"""Scenes as batches for those models that see: pixels, and what is where."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from examples.train_starters.shapes_world import (
    COLOURS,
    SHAPES,
    Scene,
    Split,
    Thing,
    index_map,
    render,
    scene,
    stream,
)

SIDE = 96
COLOUR = {name: at for at, name in enumerate(COLOURS)}
SHAPE = {name: at for at, name in enumerate(SHAPES)}
_LARGER = (64, 128, 192, 256)


def label(thing: Thing) -> int:
    """Its place in NAMES."""
    return COLOUR[thing.colour] * len(SHAPES) + SHAPE[thing.shape]


def draw(split: Split, at: int, seed: int = 0, main: bool = False) -> Scene:
    """A scene; with `main` one thing, or one that is larger than the others."""
    rng = stream(split, at, seed)
    if not main:
        return scene(rng, split, SIDE)
    count = rng.choice((1, 1, 2, 3, 4))
    return scene(rng, split, SIDE, count, main=count > 1 or rng.random() < 0.5)


def picture(scene: Scene, rng: random.Random, other: float = 0.2) -> Image.Image:
    """The scene at SIDE pixels; now and then from another resolution, as other people's pictures are."""
    if rng.random() >= other:
        return render(scene)
    drawn = render(scene.scaled(rng.choice(_LARGER)))
    return drawn.resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def to_pixels(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Pictures of SIDE pixels as [batch, 3, SIDE, SIDE] in -1 to 1, as the processor does it."""
    stacked = np.stack([np.asarray(picture) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def covers(scenes: Sequence[Scene], step: int) -> torch.Tensor:
    """[batch, 2, SIDE / step, SIDE / step]: colour and shape at the middle of cells (10 and 8: none)."""
    cells = []
    for one in scenes:
        on_top = index_map(one)[step // 2 :: step, step // 2 :: step]
        colours = [len(COLOURS), *(COLOUR[thing.colour] for thing in one.objects)]
        shapes = [len(SHAPES), *(SHAPE[thing.shape] for thing in one.objects)]
        cells.append(np.stack([np.array(colours)[on_top], np.array(shapes)[on_top]]))
    return torch.from_numpy(np.stack(cells))


@cache
def processor(side: int = SIDE) -> ViTImageProcessorPil:
    """Any picture made square and normalised; works without torchvision."""
    return ViTImageProcessorPil(
        size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


def save_processor(folder: Path) -> None:
    """Writes preprocessor_config.json."""
    processor().save_pretrained(folder)
