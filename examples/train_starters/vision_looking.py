"""How starter-vision-chat's decoder begins to look: by names, and from a picture to the one before it."""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import nn
from transformers import LlavaForConditionalGeneration

from examples.train_starters.scene_batches import picture, to_pixels
from examples.train_starters.shapes_world import World
from examples.train_starters.vision_tower import GRID, draw

# How sharply a head looks back by so many tokens, from the quickest of rotary positions' turns on.
_SHARP = (9.0, 9.0, 7.0, 5.0)
_SCENES = 48


@torch.no_grad()
def look_back(llava: LlavaForConditionalGeneration, world: World) -> None:
    """Gives every layer one more head; it begins by looking from a cell to the same cell of the picture just
    before, and at first changes no answer."""
    text: Any = llava.model.language_model
    things, cells = _shown(llava, world)
    width, heads = text.config.head_dim, text.config.num_attention_heads
    for layer, hidden in zip(text.layers, cells, strict=True):
        look = layer.self_attn
        steady = _steady(hidden, things)
        query, key = turned(steady, width, text.config.rope_parameters["rope_theta"])
        brought = torch.randn(width, len(steady)) * len(steady) ** -0.5
        for projection, rows in ((look.q_proj, query), (look.k_proj, key), (look.v_proj, brought)):
            _replace(projection, torch.cat([projection.weight, rows]))
        _replace(look.o_proj, torch.cat([look.o_proj.weight, torch.zeros(len(steady), width)], dim=1))
    text.config.num_attention_heads = text.config.num_key_value_heads = heads + 1


def _replace(projection: nn.Linear, weight: torch.Tensor) -> None:
    projection.weight = nn.Parameter(weight)
    projection.out_features, projection.in_features = weight.shape


def _shown(llava: LlavaForConditionalGeneration, world: World) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Which cells have things, and what every layer's attention reads of them, two pictures in a row, [cells,
    hidden]."""
    model: Any = llava.model
    rng = random.Random("shown")
    pixels = to_pixels([picture(draw(rng, "train", world), rng) for _ in range(2 * _SCENES)])
    seen = model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1][:, 1:]
    embedded = model.multi_modal_projector(seen).reshape(_SCENES, 2 * GRID * GRID, -1)
    states = model.language_model(inputs_embeds=embedded, output_hidden_states=True).hidden_states
    things = model.multi_modal_projector.linear_1(seen)[..., 0].flatten() > 0
    return things, [
        layer.input_layernorm(state).flatten(0, 1)
        for layer, state in zip(model.language_model.layers, states, strict=False)
    ]


def _steady(hidden: torch.Tensor, things: torch.Tensor) -> torch.Tensor:
    """What is about 1 in every cell, as a sum of its numbers [hidden]: the cells of things weigh as much
    in all as the many without."""
    weights = torch.where(things, 1 / things.sum(), 1 / (~things).sum())[:, None]
    squares = hidden.T @ (hidden * weights)
    squares += torch.eye(len(squares)) * squares.trace() / len(squares) * 1e-4
    wanted: torch.Tensor = torch.linalg.solve(squares, (hidden * weights).sum(0))
    return wanted


def turned(steady: torch.Tensor, width: int, theta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of query and key [width, hidden] whose product is greatest a picture's cells back."""
    turns = theta ** (-2 * torch.arange(len(_SHARP)) / width) * GRID * GRID
    loud = torch.tensor(_SHARP).sqrt() * width**0.25
    query, key = torch.zeros(2, width, len(steady))
    half = width // 2
    query[: len(loud)] = (loud * turns.cos())[:, None] * steady
    query[half : half + len(loud)] = -(loud * turns.sin())[:, None] * steady
    key[: len(loud)] = loud[:, None] * steady
    return query, key
