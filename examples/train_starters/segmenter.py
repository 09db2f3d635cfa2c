"""Trains starter-segmenter, a small UperNet that says of every pixel which object covers it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import ResNetConfig, UperNetConfig, UperNetForSemanticSegmentation
from transformers.models.segformer.image_processing_pil_segformer import SegformerImageProcessorPil

from examples.train_starters import classifier, segmenter_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.scene_batches import SIDE, draw, picture, to_pixels
from examples.train_starters.shapes_world import COLOURS, NAMES, SHAPES, Scene, stream

LABELS = ("background", *NAMES)
_PARTS = [len(COLOURS) + 1, len(SHAPES) + 1]


def config(widths: tuple[int, ...] = classifier.WIDTHS, decoder: int = 48) -> UperNetConfig:
    """The model's shape (arXiv:1807.10221), on the ResNet that starter-detector has."""
    shape = classifier.config(widths)
    backbone = ResNetConfig(
        embedding_size=shape.embedding_size,
        hidden_sizes=shape.hidden_sizes,
        depths=shape.depths,
        layer_type=shape.layer_type,
        out_features=["stage1", "stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    return UperNetConfig(
        backbone_config=backbone,
        hidden_size=decoder,
        pool_scales=[1, 2, 3],
        use_auxiliary_head=False,
        id2label=dict(enumerate(LABELS)),
        label2id={name: at for at, name in enumerate(LABELS)},
    )


class Segmenter(nn.Module):
    """An UperNet whose labels are sums of a colour and a shape while it learns."""

    def __init__(self, config: UperNetConfig) -> None:
        super().__init__()
        self.net = UperNetForSemanticSegmentation(config)
        self.net.decode_head.classifier = nn.Conv2d(config.hidden_size, sum(_PARTS), 1)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.05

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Colours [batch, 11, height, width], shapes [batch, 9, height, width]; the last is background."""
        logits: torch.Tensor = self.net(pixels).logits
        return torch.split(logits.float(), _PARTS, dim=1)

    def exported(self) -> Any:
        """The plain model: label (c, s) has the weights of colour c plus those of shape s."""
        parts = self.net.decode_head.classifier
        whole = nn.Conv2d(parts.in_channels, len(LABELS), 1)
        with torch.no_grad():
            for name in ("weight", "bias"):
                colours, shapes = getattr(parts, name).split(_PARTS)
                sums = (colours[:-1, None] + shapes[None, :-1]).flatten(0, 1)
                getattr(whole, name).copy_(torch.cat([colours[-1:] + shapes[-1:], sums]))
        net: Any = self.net
        net.decode_head.classifier = whole
        return net.eval()


def batches(seed: int, at: int, size: int = 24, number: int = 20) -> Iterator[Batch]:
    """The batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        scenes = [draw("train", which * size + one, seed + 4) for one in range(size)]
        yield batch(scenes, which)


def batch(scenes: Sequence[Scene], which: int) -> Batch:
    """Pictures of the scenes with their truth."""
    rng = stream("train", which, 5)
    labels = torch.from_numpy(np.stack([segmenter_card.truth(one) for one in scenes]))
    return {"pixels": to_pixels([picture(one, rng) for one in scenes]), "labels": labels}


def loss(model: Segmenter, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy of every pixel's colour and shape."""
    labels = batch["labels"]
    ground = labels == 0
    wanted = (
        torch.where(ground, len(COLOURS), (labels - 1) // len(SHAPES)),
        torch.where(ground, len(SHAPES), (labels - 1) % len(SHAPES)),
    )
    terms = []
    for logits, part in zip(model(batch["pixels"]), wanted, strict=True):
        each = functional.cross_entropy(logits, part, reduction="none")
        terms += [each.mean(), each[~ground].mean() if not bool(ground.all()) else each.mean()]
    return torch.stack(terms).sum()


def train(
    plan: Plan, start: Path | None = None, shape: UperNetConfig | None = None, scenes: int = 1000
) -> Fitting:
    """Trains, exports, measures on `scenes` of each split and writes the card.

    `start`, a folder of the detector, lends its ResNet."""
    torch.manual_seed(plan.seed)
    model: Any = Segmenter(shape or config())
    if start is not None:
        model.net.backbone.load_state_dict(classifier.backbone(start))
    fitting = Fitting(plan, model, loss, lambda at: batches(plan.seed, at))
    fitting.run()
    model.exported().half().save_pretrained(plan.out)
    sides = {"height": SIDE, "width": SIDE}
    SegformerImageProcessorPil(size=sides, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(
        plan.out
    )
    segmenter_card.finish(plan.out, fitting.facts() | {"start": start.name if start else None}, scenes)
    return fitting


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=50.0, filters=True), **options)
