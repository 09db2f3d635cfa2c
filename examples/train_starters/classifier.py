"""Trains starter-classifier, a small ResNet that names the main object of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from transformers import ResNetConfig, ResNetForImageClassification

from examples.train_starters import classifier_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.scene_batches import covers, draw, label, picture, save_processor, to_pixels
from examples.train_starters.shapes_world import COLOURS, NAMES, SHAPES, stream

WIDTHS = (24, 48, 96, 128)
STEP = 8


def config(widths: tuple[int, ...] = WIDTHS) -> ResNetConfig:
    """The model's shape: two convolutions a stage (arXiv:1512.03385)."""
    return ResNetConfig(
        embedding_size=widths[0],
        hidden_sizes=list(widths),
        depths=[1, 1, 2, 1],
        layer_type="basic",
        id2label=dict(enumerate(NAMES)),
        label2id={name: at for at, name in enumerate(NAMES)},
    )


class Classifier(nn.Module):
    """A ResNet whose 80 labels are sums of a colour and a shape: it can name what it never saw together.

    While it learns, a second head says what covers every cell of 8 x 8 pixels; that head is thrown away.
    """

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.resnet = ResNetForImageClassification(config).resnet
        widths: Any = config.hidden_sizes
        self.colour = nn.Linear(widths[-1], len(COLOURS))
        self.shape = nn.Linear(widths[-1], len(SHAPES))
        self.cells = nn.Conv2d(widths[1], len(COLOURS) + len(SHAPES) + 2, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Colours [batch, 10], shapes [batch, 8], cells [batch, 20, rows, columns]."""
        seen = self.resnet(pixels, output_hidden_states=True)
        pooled = seen.pooler_output.flatten(1)
        return self.colour(pooled), self.shape(pooled), self.cells(seen.hidden_states[2])

    def exported(self) -> Any:
        """The plain model: label (c, s) has the weights of colour c plus those of shape s."""
        model: Any = ResNetForImageClassification(self.resnet.config)
        model.resnet.load_state_dict(self.resnet.state_dict())
        linear: Any = model.classifier[1]
        with torch.no_grad():
            linear.weight.copy_((self.colour.weight[:, None] + self.shape.weight[None]).flatten(0, 1))
            linear.bias.copy_((self.colour.bias[:, None] + self.shape.bias[None]).flatten())
        return model.eval()


def batches(seed: int, at: int, size: int = 32, number: int = 20) -> Iterator[Batch]:
    """The batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        scenes = [draw("train", which * size + one, seed, main=True) for one in range(size)]
        rng = stream("train", which, seed + 1)
        yield {
            "pixels": to_pixels([picture(one, rng) for one in scenes]),
            "labels": torch.tensor([label(one.main) for one in scenes]),
            "cells": covers(scenes, STEP),
        }


def loss(model: Classifier, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy of colour and shape, of the main object and of every cell."""
    colour, shape, cells = model(batch["pixels"])
    wanted = batch["labels"]
    terms = [
        functional.cross_entropy(colour.float(), wanted // len(SHAPES)),
        functional.cross_entropy(shape.float(), wanted % len(SHAPES)),
        functional.cross_entropy(cells[:, : len(COLOURS) + 1].float(), batch["cells"][:, 0]),
        functional.cross_entropy(cells[:, len(COLOURS) + 1 :].float(), batch["cells"][:, 1]),
    ]
    return torch.stack(terms).sum()


def fit(plan: Plan, widths: tuple[int, ...] = WIDTHS, start: Path | None = None) -> Fitting:
    """A trained `Classifier`, its ResNet begun as that of the model folder `start` if given."""
    torch.manual_seed(plan.seed)
    model = Classifier(config(widths))
    if start is not None:
        model.resnet.load_state_dict(backbone(start))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.05
    fitting = Fitting(plan, model, loss, lambda at: batches(plan.seed, at))
    fitting.run()
    return fitting


def backbone(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of the ResNet in a folder of starter-classifier, starter-detector or starter-segmenter."""
    weights = load_file(folder / "model.safetensors")
    ends = {key.rpartition("embedder.")[0] for key in weights if ".embedder.embedder." in f".{key}"}
    start = min(ends, key=len).removesuffix("embedder.")
    return {
        key.removeprefix(start): value.float() if value.is_floating_point() else value
        for key, value in weights.items()
        if key.startswith((f"{start}embedder.", f"{start}encoder."))
    }


def train(
    plan: Plan, start: Path | None = None, widths: tuple[int, ...] = WIDTHS, scenes: int = 1000
) -> Fitting:
    """Trains, exports, measures on `scenes` of each split and writes the card.

    `start`, a folder of the detector, lends its ResNet: who can find all objects soon names the largest."""
    fitting = fit(plan, widths, start)
    model: Any = fitting.model
    model.exported().half().save_pretrained(plan.out)
    save_processor(plan.out)
    classifier_card.finish(plan.out, fitting.facts() | {"start": start.name if start else None}, scenes)
    return fitting


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=10.0, filters=True), **options)
