"""starter-painter's figures and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image

from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import latency, weights_facts
from examples.train_starters.painter_batches import drawn, pictures
from examples.train_starters.painter_words import otherwise
from examples.train_starters.painter_world import PAINTED, SIDE, Wish, fulfilled, read, wished
from examples.train_starters.scene_card import columns, facts
from examples.train_starters.shapes_world import Split, render, stream

TAKES = 40
GUIDANCE = 3.0
FEW = 25
GOALS = {"one": 0.95, "two": 0.90}
_FRONT = """---
license: apache-2.0
pipeline_tag: text-to-image
library_name: diffusers
tags: [stable-diffusion, small, from-scratch]
inference_chat:
  name: starter-painter
  version: 1.0.0
  tasks: [text-to-image, image-to-image]
  capabilities: [ImageGeneration, ImageEditing]
  parameters: {width: 64, height: 64, steps: 40, guidance_scale: 3.0}
---
"""
_BODY = """# starter-painter

A small latent diffusion model ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that
draws coloured shapes as told: "a red circle on yellow", "a small red circle left of a blue square on
white". Loads as StableDiffusionPipeline, so it also changes pictures and fills in masks.

It knows one world: one or two of {shapes} in {colours}, small, medium or large, on a plain background of
ten colours; left of, right of, above, below. Where no background is named, it takes any that shows the thing.

## Measured

Drawn as asked, with {wishes} wishes each that training never saw and {takes} steps, guidance {guidance}.
The judge reads background, shapes, colours, sizes and places off the pixels (`painter_world.py`); of real
scenes it reads {judge:.1%} right. "New combinations" ask for colours of shapes that training never drew;
"in other words" is said in other wordings and orders ("draw a blue star with a red circle to its left").
Steps and guidance were chosen on other wishes.

{figures}

{facts}

## Recipe

An autoencoder to a quarter of the side, {error:.1f} dB on scenes never seen, whose decoder then goes on alone and
learns to draw clean outlines from latents that are a little off; then a CLIP text encoder of
{words} wide and a UNet of {widths} channels together, velocity prediction to zero terminal signal
(arXiv:2305.08891), one thing first, then two. In the errors of the decoder, and of the UNet where it is settled
what will be where, a small thing weighs as much as a large one. While it learns, linear heads must tell from the UNet's features
which colour and shape covers each place, and from the text encoder's what stands where (as REPA does with a
vision model's features, arXiv:2410.06940; here the truth is known); they are left out of the weights. Muon on
matrices and filters, AdamW on the rest, averaged weights, fp16. It draws by a solver that adds new noise at
every step (SDE-DPM-Solver++, arXiv:2211.01095), which puts right what was settled wrongly. These weights began with eight
latent channels, of which the four principal ones were kept by a linear map, and without the heads, with fewer
words; small things weigh as much and the decoder goes on alone since the last go. So the seed alone does not
give them again. To train it anew, or on from these weights:

```
python -m examples.train_starters painter
python -m examples.train_starters painter --from model_cards/starter-painter --minutes 60
```

Data: our own scenes (`examples/train_starters/shapes_world/`), made from a seed. No weights or pictures
from elsewhere.

## Limits

It draws {side} x {side} pixels and nothing but these shapes; other words are guessed at. {missed}

## Sample

{samples}
"""
_SPLITS: Mapping[str, Sequence[Split]] = {
    "one": ("test", "compositional"),
    "two": ("test", "compositional"),
    "bare": ("test",),
    "other": ("test",),
}
_KINDS = {"one": 0.0, "two": 1.0, "bare": 0.0, "other": 1.0}
_WORDS = {
    "one": "one thing",
    "two": "two in a relation",
    "bare": "one thing, no background said",
    "other": "two in a relation, in other words",
}


class Drawer:
    """A model folder that draws."""

    def __init__(self, folder: Path) -> None:
        pipeline: Any = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline = pipeline

    def __call__(self, prompts: Sequence[str], seed: int = 0, batch: int = FEW) -> list[Image.Image]:
        """One picture for each prompt."""
        drawn: list[Image.Image] = []
        for start in range(0, len(prompts), batch):
            drawn += self.pipeline(
                list(prompts[start : start + batch]),
                num_inference_steps=TAKES,
                guidance_scale=GUIDANCE,
                height=SIDE,
                width=SIDE,
                generator=torch.Generator().manual_seed(seed + start),
            ).images
        return drawn


def wishes(split: Split, kind: str, number: int) -> list[tuple[str, Wish]]:
    """As many prompts of a kind, with what they wish for."""
    asked: list[tuple[str, Wish]] = []
    for at in range(number):
        rng = stream(split, 1_000_000 + at)
        _, wish = wished(rng, split, _KINDS[kind])
        if kind == "bare":
            wish = replace(wish, ground="")
        said = otherwise(wish.things, wish.relation, wish.ground, rng) if kind == "other" else wish.said()
        asked.append((said, wish))
    return asked


def right(drawer: Drawer, asked: Sequence[tuple[str, Wish]]) -> float:
    """The share of prompts whose pictures show what was asked for."""
    pictures = drawer([said for said, _ in asked])
    return sum(fulfilled(wish, *read(one)) for one, (_, wish) in zip(pictures, asked, strict=True)) / len(
        asked
    )


def measure(folder: Path, number: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    drawer = Drawer(folder)
    figures: dict[str, dict[str, float]] = {}
    for kind, splits in _SPLITS.items():
        figures[kind] = {split: right(drawer, wishes(split, kind, number)) for split in splits}
    models = [drawer.pipeline.vae, drawer.pipeline.text_encoder, drawer.pipeline.unet]
    return weights_facts(folder, torch.nn.ModuleList(models)) | {
        "figures": figures,
        "wishes": number,
        "few": few(drawer),
        "judge": judge(number),
        "error": decibels(drawer.pipeline.vae),
        "milliseconds": latency(lambda: drawer(["a red circle on yellow"]), 5),
    }


def few(drawer: Drawer) -> dict[str, float]:
    """What a few wishes of each kind come to, which the tests ask again."""
    return {kind: right(drawer, wishes("test", kind, FEW)) for kind in GOALS}


def judge(number: int) -> float:
    """The share of real scenes that the judge reads right."""
    hits = []
    for two in (0.0, 1.0):
        for at in range(number):
            scene, wish = wished(stream("test", 2_000_000 + at), "test", two)
            hits.append(fulfilled(wish, *read(render(scene))))
    return sum(hits) / len(hits)


def finish(folder: Path, training: dict[str, object], number: int) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, number) | {"training": training}
    drawer, figures = Drawer(folder), measured["figures"]
    pipeline = drawer.pipeline
    below = [
        f"{_WORDS[kind]} {figures[kind]['test']:.3f} (goal {goal:.2f})"
        for kind, goal in GOALS.items()
        if figures[kind]["test"] < goal
    ]
    asked = [*wishes("test", "one", 3), *wishes("test", "two", 3)]
    shown = drawer([said for said, _ in asked], seed=7)
    text = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        shapes=", ".join(PAINTED.shapes),
        colours=", ".join(PAINTED.colours),
        wishes=number,
        takes=TAKES,
        guidance=GUIDANCE,
        judge=measured["judge"],
        figures=columns(
            {
                words: [_cell(figures[kind], split) for split in _SPLITS["one"]]
                for kind, words in _WORDS.items()
            },
            ("drawn as asked", "like training", "new combinations"),
        ),
        facts=facts(measured).replace("reading it included", f"{TAKES} steps"),
        error=measured["error"],
        words=pipeline.text_encoder.config.hidden_size,
        widths=" and ".join(map(str, pipeline.unet.config.block_out_channels)),
        side=SIDE,
        missed=f"Below the goals: {', '.join(below)}." if below else "",
        samples=table(
            ("asked", "the judge sees"),
            {said: _seen(one) for (said, _), one in zip(asked, shown, strict=True)},
        ),
    )
    write_card(folder, _FRONT + text, measured)


def _cell(shares: Mapping[str, float], split: str) -> str:
    return f"{shares[split]:.3f}" if split in shares else "–"


def _seen(picture: Image.Image) -> str:
    ground, found = read(picture)
    return f"{', '.join(f'{one.size} {one.colour} {one.shape}' for one in found) or 'nothing'} on {ground}"


@torch.inference_mode()
def decibels(coder: Any) -> float:
    """The peak signal-to-noise ratio of pictures that went through the autoencoder."""
    pixels = pictures([scene for scene, _ in drawn(1_000_003, 0, 0.5, 64)])
    back = coder.decode(coder.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (back - pixels).square().mean()))
