"""starter-detector's figures and its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import latency, weights_facts
from examples.train_starters.scene_batches import SIDE, draw
from examples.train_starters.scene_card import DATA, FEW, SPLITS, WORLD, facts, front, shares
from examples.train_starters.shapes_world import Box, Scene, Split, render

THRESHOLD = 0.5
_BODY = """# starter-detector

A small RT-DETR ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that finds the objects of a picture:
"red circle" with its box. {world}

## Measured

On {scenes:,} scenes each that training never saw; what is surer than {threshold} counts as found, and is right where the
label is right and the boxes overlap by half (IoU). {splits}

{shares}

{facts}

## Recipe

A ResNet backbone, which first learnt alone to name the largest object and what covers every cell, a hybrid encoder of width {width}, {layers} decoder layers, {queries}
queries; {side} x {side} pixels; fp16 weights. The decoder learnt with matched losses as in the paper (arXiv:2304.08069), the
encoder's anchors without matching: every object belongs to the anchor at its centre. Each label's weights are the sum of
those of its colour and of its shape. Muon on matrices and convolutions, AdamW on the rest, averaged weights. To train it
again:

```
python -m examples.train_starters detector
```

{data}

## Limits

It knows nothing but these shapes, and marks shapes in photographs too. A picture is made {side} x {side} pixels first,
whatever it was: objects below a tenth of its side across, or stretched ones, are out of its world. It finds
at most {queries} objects.

## Sample

{samples}
"""
_NAMES = {
    "f1": "F1 at IoU 0.5",
    "precision": "precision",
    "recall": "recall",
    "iou": "mean IoU of what is right",
    "whole": "whole scene right",
}


@dataclass(frozen=True)
class Found:
    """One answer of a detector. The box is left, top, right, bottom in pixels."""

    name: str
    score: float
    box: Box


class Finder:
    """A model folder that finds objects."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor: Any = AutoImageProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image], batch: int = 50) -> list[list[Found]]:
        """What is found in each picture, the surest first."""
        found = []
        for start in range(0, len(pictures), batch):
            part = list(pictures[start : start + batch])
            outputs = self.model(**self.processor(part, return_tensors="pt"))
            sizes = [(one.height, one.width) for one in part]
            for one in self.processor.post_process_object_detection(outputs, THRESHOLD, sizes):
                names = [self.model.config.id2label[at] for at in one["labels"].tolist()]
                rows = zip(names, one["scores"].tolist(), map(tuple, one["boxes"].tolist()), strict=True)
                found.append([Found(*row) for row in rows])
        return found


def iou(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def matched(found: Sequence[Found], scene: Scene) -> list[float]:
    """The IoU of every find that is right; each object is found once, by the surest."""
    left, overlaps = list(scene.objects), []
    for one in sorted(found, key=lambda one: -one.score):
        fits = [(iou(one.box, thing.box), at) for at, thing in enumerate(left) if thing.name == one.name]
        best, at = max(fits, default=(0.0, -1))
        if best >= 0.5:
            overlaps.append(best)
            del left[at]
    return overlaps


def measure_split(finder: Finder, split: Split, scenes: int) -> dict[str, float]:
    """F1 and its parts over all objects of the split's first scenes."""
    drawn = [draw(split, at) for at in range(scenes)]
    answers = finder([render(one) for one in drawn])
    right = [matched(found, one) for found, one in zip(answers, drawn, strict=True)]
    hits = sum(map(len, right))
    told, there = sum(map(len, answers)), sum(len(one.objects) for one in drawn)
    whole = [
        len(overlaps) == len(found) == len(one.objects)
        for overlaps, found, one in zip(right, answers, drawn, strict=True)
    ]
    return {
        "f1": 2 * hits / max(1, told + there),
        "precision": hits / max(1, told),
        "recall": hits / max(1, there),
        "iou": sum(map(sum, right)) / max(1, hits),
        "whole": sum(whole) / scenes,
    }


def measure(folder: Path, scenes: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    finder = Finder(folder)
    one = render(draw("test", 0))
    return weights_facts(folder, finder.model) | {
        "scenes": scenes,
        "test": measure_split(finder, "test", scenes),
        "compositional": measure_split(finder, "compositional", scenes),
        "few": measure_split(finder, "test", min(FEW, scenes)),
        "milliseconds": latency(lambda: finder([one])),
    }


def finish(folder: Path, training: dict[str, object], scenes: int = 1000) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, scenes) | {"training": training}
    finder = Finder(folder)
    config = finder.model.config
    text = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        world=WORLD,
        scenes=scenes,
        threshold=THRESHOLD,
        splits=SPLITS.format(crowd=", or six objects"),
        shares=shares(measured, _NAMES),
        facts=facts(measured),
        width=config.d_model,
        layers=config.decoder_layers,
        queries=config.num_queries,
        side=SIDE,
        data=DATA,
        samples=_samples(finder),
    )
    head = front("starter-detector", "object-detection", ["rt-detr"], "ObjectDetection", "{threshold: 0.5}")
    write_card(folder, head + text, measured)


def _samples(finder: Finder) -> str:
    drawn = [one for at in range(20) if (one := draw("test", 500_000 + at)).objects][:3]
    said = finder([render(one) for one in drawn])
    rows = {
        ", ".join(_written(thing.name, thing.box) for thing in one.objects): ", ".join(
            _written(one.name, one.box, one.score) for one in found
        )
        for one, found in zip(drawn, said, strict=True)
    }
    return table(("in the picture (left, top, right, bottom)", "answer"), rows)


def _written(name: str, box: Box, score: float | None = None) -> str:
    sure = "" if score is None else f" ({score:.2f})"
    return f"{name} [{', '.join(f'{value:.0f}' for value in box)}]{sure}"
