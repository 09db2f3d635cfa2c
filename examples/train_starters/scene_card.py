"""What the cards of the models that see scenes have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from examples.train_starters.card import table
from examples.train_starters.shapes_world import COLOURS, COUNTS, HELD_OUT, SHAPES

# Fewer scenes, on which the tests repeat a card's figure.
FEW = 150

WORLD = (
    f"It knows one world: {', '.join(SHAPES)} in {', '.join(COLOURS)}, small, medium or large, turned by up to "
    f"30 degrees, up to {COUNTS[-1]} a picture, on plain or patterned backgrounds of a colour that no object has, with a "
    "little noise."
)
SPLITS = (
    '"New combinations" are scenes that have a colour with a shape which no training scene has ('
    + ", ".join(sorted(f"{colour} {shape}" for colour, shape in HELD_OUT))
    + "){crowd}, so that column says what generalises."
)
DATA = (
    "Data: our own scenes (`examples/train_starters/shapes_world/`), made from a seed; every training picture is a new "
    "one. No weights or pictures from elsewhere."
)


def front(name: str, task: str, tags: Sequence[str], capability: str, parameters: str = "") -> str:
    """The card's YAML."""
    usual = f"\n  parameters: {parameters}" if parameters else ""
    return f"""---
license: apache-2.0
pipeline_tag: {task}
library_name: transformers
tags: [{", ".join([*tags, "vision", "small", "from-scratch"])}]
inference_chat:
  name: {name}
  version: 1.0.0
  capabilities: [{capability}]{usual}
---
"""


def facts(measured: Mapping[str, Any]) -> str:
    """Size, speed and training as a table."""
    training = measured["training"]
    before = training.get("before")
    goes = f" in {training['goes']} goes" if training.get("goes", 1) > 1 else ""
    alone = f" after {before['minutes']} min of the backbone alone" if before else ""
    rows = {
        "Parameters": f"{measured['parameters']:,}",
        "Weights": f"{measured['megabytes']} MB, fp16",
        "Time per picture": f"{measured['milliseconds']} ms, fp32, reading it included ({measured['machine']})",
        "Training": f"{training['minutes']} min{alone}{goes}, {training['threads']} thread(s), {training['device']}, other work beside; "
        f"{training['steps']:,} steps, seed {training['seed']}",
    }
    return table(("", ""), rows)


def columns(rows: Mapping[str, Sequence[str]], head: Sequence[str]) -> str:
    """A Markdown table of several columns."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def shares(figures: Mapping[str, Mapping[str, float]], names: Mapping[str, str]) -> str:
    """Figures of both splits, side by side. `names` are keys and their words."""
    rows = {
        words: [f"{figures[split][key]:.3f}" for split in ("test", "compositional")]
        for key, words in names.items()
    }
    return columns(rows, ("", "scenes like those of training", "new combinations"))


def begun(training: Mapping[str, Any]) -> str:
    """Whose ResNet it was in the beginning."""
    return f", which began as {training['start']}'s" if training.get("start") else ""
