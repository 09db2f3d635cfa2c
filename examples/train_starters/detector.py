"""Trains starter-detector, a small RT-DETR that finds the objects of a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize
from transformers import ResNetConfig, RTDetrConfig, RTDetrForObjectDetection
from transformers.loss.loss_for_object_detection import generalized_box_iou
from transformers.loss.loss_rt_detr import RTDetrLoss
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil

from examples.train_starters import classifier, detector_card
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.scene_batches import SIDE, draw, label, picture, to_pixels
from examples.train_starters.shapes_world import COLOURS, NAMES, SHAPES, SIZES, Scene, stream

STRIDES = (8, 16, 32)
MOST = 6
EYE_SHARE = 0.2


def config(widths: tuple[int, ...] = classifier.WIDTHS, hidden: int = 64, layers: int = 2) -> RTDetrConfig:
    """The model's shape (arXiv:2304.08069)."""
    shape = classifier.config(widths)
    backbone = ResNetConfig(
        embedding_size=shape.embedding_size,
        hidden_sizes=shape.hidden_sizes,
        depths=shape.depths,
        layer_type=shape.layer_type,
        out_features=["stage2", "stage3", "stage4"],  # type: ignore[call-arg]
    )
    return RTDetrConfig(
        backbone_config=backbone,
        freeze_backbone_batch_norms=False,
        encoder_hidden_dim=hidden,
        encoder_in_channels=list(widths[1:]),
        feat_strides=list(STRIDES),
        encoder_ffn_dim=2 * hidden,
        encoder_attention_heads=hidden // 16,
        hidden_expansion=0.5,
        d_model=hidden,
        num_queries=12,
        decoder_in_channels=[hidden] * 3,
        decoder_ffn_dim=2 * hidden,
        decoder_layers=layers,
        decoder_attention_heads=hidden // 16,
        num_denoising=0,
        id2label=dict(enumerate(NAMES)),
        label2id={name: at for at, name in enumerate(NAMES)},
    )


class Sums(nn.Module):
    """Weights of 80 labels as sums of those of 10 colours and 8 shapes."""

    def forward(self, parts: torch.Tensor) -> torch.Tensor:
        """[18, …] as [80, …]."""
        colours, shapes = parts[: len(COLOURS)], parts[len(COLOURS) :]
        return (colours[:, None] + shapes[None]).flatten(0, 1)

    def right_inverse(self, labels: torch.Tensor) -> torch.Tensor:
        """Parts of like size to begin with."""
        return labels[: len(COLOURS) + len(SHAPES)] / 2


class Detector(nn.Module):
    """The model, with class heads that are sums while it learns, so that all reds teach what red is."""

    def __init__(self, config: RTDetrConfig, backbone: Mapping[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        self.net = RTDetrForObjectDetection(config)
        self.loss = RTDetrLoss(config)  # type: ignore[no-untyped-call]
        if backbone is not None:
            self.net.model.backbone.model.load_state_dict(backbone)
        for head in self._heads():
            parametrize.register_parametrization(head, "weight", Sums())
            parametrize.register_parametrization(head, "bias", Sums())
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.05

    def _heads(self) -> list[nn.Module]:
        return [self.net.model.enc_score_head, *self.net.model.decoder.class_embed]

    def exported(self) -> Any:
        """The plain model."""
        for head in self._heads():
            parametrize.remove_parametrizations(head, "weight")
            parametrize.remove_parametrizations(head, "bias")
        net: Any = self.net
        return net.eval()


def truth(scene: Scene) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of MOST objects: labels (-1 for none), boxes (centre, size; shares of the side), anchors' numbers."""
    labels, boxes, anchors = (
        torch.full((MOST,), -1),
        torch.zeros(MOST, 4),
        torch.zeros(MOST, dtype=torch.long),
    )
    for at, thing in enumerate(scene.objects):
        left, top, right, bottom = (value / scene.pixels for value in thing.box)
        labels[at] = label(thing)
        boxes[at] = torch.tensor([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])
        anchors[at] = anchor(float(boxes[at, 0]), float(boxes[at, 1]), list(SIZES).index(thing.size))
    return labels, boxes, anchors


def anchor(x: float, y: float, level: int) -> int:
    """The anchor at a point (shares of the side): small things are on the finest map."""
    rows = [SIDE // stride for stride in STRIDES]
    row, column = int(y * rows[level]), int(x * rows[level])
    return sum(number**2 for number in rows[:level]) + row * rows[level] + column


def batches(seed: int, at: int, size: int = 32, number: int = 20) -> Iterator[Batch]:
    """The batches of the buffer with this number."""
    for which in range(at * number, (at + 1) * number):
        yield batch([draw("train", which * size + one, seed + 2) for one in range(size)], which)


def batch(scenes: Sequence[Scene], which: int) -> Batch:
    """Pictures of the scenes with their truth."""
    rng = stream("train", which, 3)
    labels, boxes, anchors = (torch.stack(part) for part in zip(*map(truth, scenes), strict=True))
    pixels = to_pixels([picture(one, rng) for one in scenes])
    return {"pixels": pixels, "labels": labels, "boxes": boxes, "anchors": anchors}


def loss(model: Detector, batch: Batch, progress: float) -> torch.Tensor:
    """Matched losses of the decoder's layers, and of the encoder's anchors without matching.

    An object belongs to the anchor at its centre."""
    seen = model.net.model(batch["pixels"])
    there = batch["labels"] >= 0
    targets = [
        {"class_labels": labels[here], "boxes": boxes[here]}
        for labels, boxes, here in zip(batch["labels"], batch["boxes"], there, strict=True)
    ]
    layers = [
        {"logits": logits.float(), "pred_boxes": boxes.float()}
        for logits, boxes in zip(
            seen.intermediate_logits.unbind(1), seen.intermediate_reference_points.unbind(1), strict=True
        )
    ]
    parts = model.loss({**layers[-1], "auxiliary_outputs": layers[:-1]}, targets)
    dense = dense_loss(seen.enc_outputs_class.float(), seen.enc_outputs_coord_logits.float(), batch, there)
    return torch.stack([*parts.values(), dense]).sum()


def dense_loss(logits: torch.Tensor, places: torch.Tensor, batch: Batch, there: torch.Tensor) -> torch.Tensor:
    """Varifocal loss (arXiv:2008.13367) of all anchors, box losses of those at an object's centre."""
    rows, at = there.nonzero(as_tuple=True)
    anchors, labels, wanted = batch["anchors"][rows, at], batch["labels"][rows, at], batch["boxes"][rows, at]
    number = max(1, len(rows))
    found = places[rows, anchors].sigmoid()
    pairs = generalized_box_iou(corners(found), corners(wanted))  # type: ignore[no-untyped-call]
    giou = torch.diagonal(pairs)
    quality = torch.zeros_like(logits)
    quality[rows, anchors, labels] = giou.detach().clamp(0.1, 1)
    weight = torch.where(quality > 0, quality, 0.75 * logits.detach().sigmoid() ** 2)
    named = functional.binary_cross_entropy_with_logits(logits, quality, weight, reduction="sum")
    boxed = 5 * (found - wanted).abs().sum() + 2 * (1 - giou).sum()
    return (named + boxed) / number


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """Boxes by centre and size as left, top, right, bottom."""
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def train(plan: Plan, shape: RTDetrConfig | None = None, scenes: int = 1000) -> Fitting:
    """Trains, exports, measures on `scenes` of each split and writes the card.

    In the first fifth of the time the backbone learns alone, as starter-classifier's does.
    """
    shape = shape or config()
    eyes: Any = shape.backbone_config
    widths = tuple(eyes.hidden_sizes)
    eye = classifier.fit(_part(plan, "eye", EYE_SHARE), widths)
    torch.manual_seed(plan.seed)
    resnet: Any = eye.model.resnet
    model: Any = Detector(shape, resnet.state_dict())
    fitting = Fitting(_part(plan, "whole", 1 - EYE_SHARE), model, loss, lambda at: batches(plan.seed, at))
    fitting.run()
    model.exported().half().save_pretrained(plan.out)
    processor().save_pretrained(plan.out)
    detector_card.finish(plan.out, fitting.facts() | {"before": eye.facts()}, scenes)
    return fitting


def processor() -> RTDetrImageProcessorPil:
    """Any picture made square and normalised."""
    sides = {"height": SIDE, "width": SIDE}
    return RTDetrImageProcessorPil(size=sides, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3)


def _part(plan: Plan, name: str, share: float) -> Plan:
    steps = None if plan.steps is None else max(1, round(plan.steps * share))
    return replace(plan, work=plan.work / name, minutes=plan.minutes * share, steps=steps)


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=48.0, filters=True, rate=2e-3), **options)
