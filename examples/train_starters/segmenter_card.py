"""starter-segmenter's figures and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import latency, weights_facts
from examples.train_starters.scene_batches import SIDE, draw, label
from examples.train_starters.scene_card import DATA, FEW, SPLITS, WORLD, begun, facts, front, shares
from examples.train_starters.shapes_world import Scene, Split, index_map, render

_BODY = """# starter-segmenter

A small UperNet ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that says of every pixel which object
covers it: "red circle" or the background. {world}

## Measured

On {scenes:,} scenes each that training never saw, all their pixels counted together; mean IoU is the mean over all labels that
occur in those scenes, the background one of them. {splits}

{shares}

{facts}

## Recipe

{shape}; {side} x {side} pixels; fp16 weights. Each label's weights are the sum of those of its colour and of its shape,
learnt apart. Muon on matrices and convolutions, AdamW on the rest, averaged weights. To train it again:

```
python -m examples.train_starters detector segmenter
```

{data}

## Limits

It knows nothing but these shapes: a photograph is cut into shapes too. Two objects of one name are one region. A
picture is made {side} x {side} pixels first, whatever it was, so edges are exact to about a hundredth of its side.

## Sample

{samples}
"""
_NAMES = {"miou": "mean IoU", "pixels": "pixels right", "objects": "objects at IoU 0.5 or more"}


class Cutter:
    """A model folder that labels pixels."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForSemanticSegmentation.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor: Any = AutoImageProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image], batch: int = 25) -> list[NDArray[np.int64]]:
        """The label of every pixel of each picture, [height, width]."""
        maps = []
        for start in range(0, len(pictures), batch):
            part = list(pictures[start : start + batch])
            outputs = self.model(**self.processor(part, return_tensors="pt"))
            sizes = [(one.height, one.width) for one in part]
            found = self.processor.post_process_semantic_segmentation(outputs, target_sizes=sizes)
            maps += [one.numpy() for one in found]
        return maps


def measure_split(cutter: Cutter, split: Split, scenes: int) -> dict[str, float]:
    """Mean IoU over the labels, and shares of pixels and of objects that are right."""
    drawn = [draw(split, at) for at in range(scenes)]
    said = np.stack(cutter([render(one) for one in drawn]))
    there = np.stack([truth(one) for one in drawn])
    labels = cutter.model.config.num_labels
    both = np.bincount(said[said == there], minlength=labels)
    wanted = np.bincount(there.ravel(), minlength=labels)
    either = np.bincount(said.ravel(), minlength=labels) + wanted - both
    objects = [hit for one, found in zip(drawn, said, strict=True) for hit in _hits(one, found)]
    return {
        "miou": float((both[wanted > 0] / either[wanted > 0]).mean()),
        "pixels": float((said == there).mean()),
        "objects": sum(objects) / max(1, len(objects)),
    }


def truth(scene: Scene) -> NDArray[np.int64]:
    """The label of every pixel, [height, width]; 0 is the background."""
    labels = np.array([0, *(1 + label(thing) for thing in scene.objects)])
    covered: NDArray[np.int64] = labels[index_map(scene)]
    return covered


def _hits(scene: Scene, found: NDArray[np.int64]) -> list[bool]:
    """Of each name in the scene, whether its region is right by half at least."""
    wanted = truth(scene)
    regions = [(found == name, wanted == name) for name in {1 + label(thing) for thing in scene.objects}]
    return [bool((one & other).sum() >= 0.5 * (one | other).sum()) for one, other in regions]


def measure(folder: Path, scenes: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    cutter = Cutter(folder)
    one = render(draw("test", 0))
    return weights_facts(folder, cutter.model) | {
        "scenes": scenes,
        "test": measure_split(cutter, "test", scenes),
        "compositional": measure_split(cutter, "compositional", scenes),
        "few": measure_split(cutter, "test", min(FEW, scenes)),
        "milliseconds": latency(lambda: cutter([one])),
    }


def finish(folder: Path, training: dict[str, object], scenes: int = 1000) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, scenes) | {"training": training}
    cutter = Cutter(folder)
    config = cutter.model.config
    eye = config.backbone_config
    text = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        world=WORLD,
        scenes=scenes,
        splits=SPLITS.format(crowd=", or six objects"),
        shares=shares(measured, _NAMES),
        facts=facts(measured),
        shape=f"A ResNet (widths {', '.join(map(str, eye.hidden_sizes))}){begun(training)}, pooled and merged from all "
        f"four stages at width {config.hidden_size}, a map of a quarter of the side",
        side=SIDE,
        data=DATA,
        samples=_samples(cutter),
    )
    head = front("starter-segmenter", "image-segmentation", ["upernet", "resnet"], "ImageSegmentation")
    write_card(folder, head + text, measured)


def _samples(cutter: Cutter) -> str:
    drawn = [one for at in range(20) if (one := draw("test", 500_000 + at)).objects][:3]
    said = cutter([render(one) for one in drawn])
    rows = {
        _written(truth(one), cutter): _written(found, cutter) for one, found in zip(drawn, said, strict=True)
    }
    return table(("in the picture (share of its pixels)", "answer"), rows)


def _written(labels: NDArray[np.int64], cutter: Cutter) -> str:
    names, counts = np.unique(labels, return_counts=True)
    shown = zip(names.tolist(), (counts / labels.size).tolist(), strict=True)
    return ", ".join(
        f"{cutter.model.config.id2label[name]} {share:.1%}" for name, share in shown if share > 0.002
    )
