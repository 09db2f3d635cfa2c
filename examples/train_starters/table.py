"""`python -m examples.train_starters.table` writes model_cards/README.md from the figures of the cards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from examples.train_starters.scene_card import columns

CARDS = Path("model_cards")
Measured = Mapping[str, Any]

_HEAD = """# The starters

Our own small models, one for every kind of work, trained from scratch by `python -m examples.train_starters`
on data made from a seed. All figures were measured on the weights in these folders (`eval.json`), on what
training never saw, or as the card says; each says on what, and what the model cannot do. This page is
written by `python -m examples.train_starters.table`.

{table}

{total}
"""


@dataclass(frozen=True)
class Goal:
    """What was aimed at: the figures of a card in words, and whether they reach it."""

    task: str
    aim: str
    figures: Callable[[Measured], dict[str, float]]
    least: tuple[float, ...]
    most: bool = False

    def shown(self, measured: Measured) -> str:
        """The figures in words."""
        return ", ".join(f"{name} {figure:.3f}".strip() for name, figure in self.figures(measured).items())

    def reached(self, measured: Measured) -> bool:
        """Whether every figure that has a goal reaches it; with `most` goals are upper bounds."""
        pairs = zip(self.figures(measured).values(), self.least, strict=False)
        return all(figure <= bound if self.most else figure >= bound for figure, bound in pairs)


def _split(key: str, name: str) -> Callable[[Measured], dict[str, float]]:
    return lambda measured: {
        name: measured["test"][key],
        "on new combinations": measured["compositional"][key],
    }


def _free(measured: Measured) -> dict[str, float]:
    fresh, free = measured["fresh"], measured["free"]
    return {
        "lowest skill": min(measured["skills"].values()),
        "fresh free turns": fresh["right"] / fresh["turns"],
        "free turns": free["right"] / free["turns"],
    }


def _seen(measured: Measured) -> dict[str, float]:
    kinds = measured["exact"]
    return {
        "lowest question": min(share for kind, share in kinds.items() if kind != "describe"),
        "describe": kinds.get("describe", 0.0),
        "mean": mean(kinds.values()),
    }


GOALS: Mapping[str, Goal] = {
    "starter-classifier": Goal("image-classification", "top-1 ≥ 0.97", _split("exact", "top-1"), (0.97,)),
    "starter-detector": Goal(
        "object-detection",
        "F1 at IoU 0.5 ≥ 0.97, mean IoU ≥ 0.85",
        lambda measured: {
            "F1": measured["test"]["f1"],
            "mean IoU": measured["test"]["iou"],
            "F1 on new combinations": measured["compositional"]["f1"],
        },
        (0.97, 0.85),
    ),
    "starter-segmenter": Goal("image-segmentation", "mean IoU ≥ 0.93", _split("miou", "mean IoU"), (0.93,)),
    "starter-vision-chat": Goal(
        "image-text-to-text", "exact ≥ 0.95 for every question, describe ≥ 0.90", _seen, (0.95, 0.9)
    ),
    "starter-video": Goal(
        "video-classification",
        "top-1 ≥ 0.97",
        lambda measured: {"top-1": measured["test"], "on new combinations": measured["compositional"]},
        (0.97,),
    ),
    "starter-painter": Goal(
        "text-to-image",
        "drawn as asked: one thing ≥ 0.95, two in a relation ≥ 0.90",
        lambda measured: {
            "one": measured["figures"]["one"]["test"],
            "two": measured["figures"]["two"]["test"],
            "one, new combinations": measured["figures"]["one"]["compositional"],
        },
        (0.95, 0.9),
    ),
    "starter-animator": Goal(
        "text-to-video",
        "motion as asked ≥ 0.85, judged by starter-video",
        lambda measured: {
            "motion": measured["figures"]["test"]["motion"],
            "motion and thing": measured["figures"]["test"]["both"],
            "motion, new combinations": measured["figures"]["compositional"]["motion"],
        },
        (0.85,),
    ),
    "starter-listener": Goal(
        "automatic-speech-recognition",
        "word error ≤ 0.03 for new voices, noise included",
        lambda measured: {
            f"word error, {name}": measured["errors"]["new_voice"][name] for name in ("quiet", "noise, 10 dB")
        },
        (0.03, 0.03),
        most=True,
    ),
    "starter-ears": Goal(
        "audio-classification", "top-1 ≥ 0.97", lambda measured: {"top-1": measured["right"]}, (0.97,)
    ),
    "starter-reader": Goal(
        "text-classification",
        "≥ 0.95 on held-out wordings",
        lambda measured: {
            "held-out wordings": measured["families"],
            "free requests": measured["free"],
            "everyday requests": measured["errands"],
        },
        (0.95,),
    ),
    "starter-embedder": Goal(
        "feature-extraction", "stated", lambda measured: {"Spearman": measured["spearman"]}, ()
    ),
    "starter-chat": Goal(
        "text-generation", "every skill ≥ 0.95, free turns ≥ 0.85", _free, (0.95, 0.85)
    ),
}  # fmt: skip


def page(cards: Path = CARDS) -> str:
    """The page about the models that are there, goals beside figures."""
    rows, megabytes = {}, 0.0
    for name, goal in GOALS.items():
        file = cards / name / "eval.json"
        if not file.exists():
            continue
        measured = json.loads(file.read_text(encoding="utf-8"))
        megabytes += measured["megabytes"]
        verdict = "stated" if not goal.least else "reached" if goal.reached(measured) else "missed"
        size = f"{measured['parameters'] / 1e6:.1f} M, {measured['megabytes']} MB"
        rows[f"[{name}]({name}/README.md)"] = [goal.task, size, goal.aim, goal.shown(measured), verdict]
    head = ("model", "task", "size", "goal", "measured", "")
    return _HEAD.format(
        table=columns(rows, head), total=f"{len(rows)} models, {megabytes:.1f} MB of weights."
    )


if __name__ == "__main__":
    (CARDS / "README.md").write_text(page(), encoding="utf-8")
