"""starter-classifier's figures and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import latency, weights_facts
from examples.train_starters.scene_batches import SIDE, draw
from examples.train_starters.scene_card import DATA, FEW, SPLITS, WORLD, begun, facts, front, shares
from examples.train_starters.shapes_world import Split, render

_BODY = """# starter-classifier

A small ResNet ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that names a picture's main object, the
largest one: "red circle". {world}

## Measured

Top-1 on {scenes:,} scenes each that training never saw, the answer being one of {labels} labels. {splits}

{shares}

{facts}

## Recipe

{shape}; {side} x {side} pixels; fp16 weights. Each label's weights are the sum of those of its colour and of its shape,
learnt apart, so a colour and a shape that never occurred together have a label that works. While it learnt, a second
head said what covers every cell of the picture; that head was thrown away. Muon on the convolutions and AdamW on the
rest, averaged weights. To train it again:

```
python -m examples.train_starters detector classifier
```

{data}

## Limits

It knows nothing but these shapes: a photograph is one of them too. Where two objects are equally large it names one of
them. A picture is made square first. An empty scene gets a label as well; look at the score.

## Sample

{samples}
"""
_NAMES = {"exact": "colour and shape right", "colour": "colour right", "shape": "shape right"}


class Namer:
    """A model folder that names main objects."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForImageClassification.from_pretrained(folder, dtype=torch.float32).eval()
        self.processor: Any = AutoImageProcessor.from_pretrained(folder)  # type: ignore[no-untyped-call]

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image], batch: int = 50) -> list[tuple[str, float]]:
        """The best label of each picture with its score."""
        said = []
        for start in range(0, len(pictures), batch):
            inputs = self.processor(list(pictures[start : start + batch]), return_tensors="pt")
            best = self.model(**inputs).logits.softmax(-1).max(-1)
            names = (self.model.config.id2label[at] for at in best.indices.tolist())
            said += list(zip(names, best.values.tolist(), strict=True))
        return said


def measure_split(namer: Namer, split: Split, scenes: int) -> dict[str, float]:
    """Shares of scenes whose main object is named right."""
    drawn = [draw(split, at, main=True) for at in range(scenes)]
    said = [name.split() for name, _ in namer([render(one) for one in drawn])]
    right = [
        (colour == one.main.colour, shape == one.main.shape)
        for (colour, shape), one in zip(said, drawn, strict=True)
    ]
    return {
        "exact": sum(map(all, right)) / scenes,
        "colour": sum(colour for colour, _ in right) / scenes,
        "shape": sum(shape for _, shape in right) / scenes,
    }


def measure(folder: Path, scenes: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    namer = Namer(folder)
    one = render(draw("test", 0, main=True))
    return weights_facts(folder, namer.model) | {
        "scenes": scenes,
        "test": measure_split(namer, "test", scenes),
        "compositional": measure_split(namer, "compositional", scenes),
        "few": measure_split(namer, "test", min(FEW, scenes)),
        "milliseconds": latency(lambda: namer([one])),
    }


def finish(folder: Path, training: dict[str, object], scenes: int = 1000) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, scenes) | {"training": training}
    namer = Namer(folder)
    config = namer.model.config
    drawn = [draw("test", 500_000 + at, main=True) for at in range(4)]
    said = namer([render(one) for one in drawn])
    text = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        world=WORLD,
        scenes=scenes,
        labels=len(config.id2label),
        splits=SPLITS.format(crowd=""),
        shares=shares(measured, _NAMES),
        facts=facts(measured),
        shape=f"Widths {', '.join(map(str, config.hidden_sizes))}, basic layers {', '.join(map(str, config.depths))}"
        + begun(training),
        side=SIDE,
        data=DATA,
        samples=table(
            ("in the picture, the main object first", "answer"),
            {
                ", ".join(thing.name for thing in sorted(one.objects, key=lambda thing: -thing.radius)):
                f"{name} ({score:.2f})"
                for one, (name, score) in zip(drawn, said, strict=True)
            },
        ),
    )  # fmt: skip
    head = front("starter-classifier", "image-classification", ["resnet"], "ImageClassification")
    write_card(folder, head + text, measured)
