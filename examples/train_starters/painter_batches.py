"""Scenes, prompts and truths that starter-painter learns from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from examples.train_starters.fitting import Batch, Plan
from examples.train_starters.painter_truth import FACTS, cells, told
from examples.train_starters.painter_world import SIDE, Wish, wished
from examples.train_starters.shapes_world import Scene, render, stream

WINDOW = 24
"""Tokens. The longest wording has 22 and an end; states after the end have read all of the prompt."""
SIZE = 48
USES = 4
"""How often a scene is learnt from, each time with other noise and in other words."""
_NOTHING = 0.1
_UNSAID = 0.15


def tokens(known: PreTrainedTokenizerFast, prompts: Sequence[str]) -> torch.Tensor:
    """Prompts as the pipeline encodes them, [batch, window]."""
    window = known.model_max_length
    encoded = known(
        list(prompts), padding="max_length", truncation=True, max_length=window, return_tensors="pt"
    )
    ids: torch.Tensor = encoded["input_ids"]
    return ids


def pictures(scenes: Sequence[Scene]) -> torch.Tensor:
    """Scenes as pictures [batch, 3, SIDE, SIDE] in -1 to 1."""
    stacked = np.stack([np.asarray(render(scene)) for scene in scenes])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def drawn(seed: int, at: int, two: float, size: int) -> list[tuple[Scene, Wish]]:
    """So many scenes to learn from, with what they fulfil."""
    rng = stream("train", at, seed)
    return [wished(rng, "train", two) for _ in range(size)]


def code_batches(plan: Plan, at: int, size: int = 32, number: int = 10) -> Iterator[Batch]:
    """The autoencoder's batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        scenes = [scene for scene, _ in drawn(plan.seed, which, 0.5, size)]
        yield {"pixels": pictures(scenes), "things": torch.stack([cells(scene, SIDE) for scene in scenes])}


@torch.no_grad()
def encoded(coder: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Pictures as latents [batch, channels, height, width] of a deviation of 1."""
    with torch.autocast(coder.device.type, torch.bfloat16):
        codes = coder.encode(pixels.to(coder.device)).latent_dist.mode().float()
    scaled: torch.Tensor = codes * coder.config.scaling_factor
    return scaled


@dataclass(frozen=True)
class _Example:
    latents: torch.Tensor
    cells: torch.Tensor
    wish: Wish


def paint_batches(
    plan: Plan,
    coder: Any,
    known: PreTrainedTokenizerFast,
    two: float,
    at: int,
    size: int = SIZE,
    number: int = 10,
) -> Iterator[Batch]:
    """The painter's batches of the buffer with this number: every scene several times, in other company."""
    made: list[_Example] = []
    for which in range(at * number, (at + 1) * number):
        some = drawn(plan.seed + 1, which, two, size)
        codes = encoded(coder, pictures([scene for scene, _ in some]))
        made += [_Example(code, cells(scene), wish) for code, (scene, wish) in zip(codes, some, strict=True)]
    rng = stream("train", at, plan.seed + 2)
    for _ in range(USES):
        rng.shuffle(made)
        for start in range(0, len(made), size):
            part = made[start : start + size]
            said = [_said(one.wish, rng) for one in part]
            yield {
                "latents": torch.stack([one.latents for one in part]),
                "cells": torch.stack([one.cells for one in part]),
                "ids": tokens(known, [prompt for prompt, _ in said]),
                "facts": torch.tensor([facts for _, facts in said]),
            }


def _said(wish: Wish, rng: random.Random) -> tuple[str, list[int]]:
    """A prompt and the facts in it: sometimes it leaves out the background or the relation, or everything,
    for the guidance."""
    if rng.random() < _NOTHING:
        return "", [0] * len(FACTS)
    if rng.random() < _UNSAID:
        wish = replace(wish, ground="")
    if rng.random() < _UNSAID / 2:
        wish = replace(wish, relation="")
    return wish.said(rng), told(wish)
