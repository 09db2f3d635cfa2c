"""starter-animator's figures and its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from examples.train_starters.animator_world import FILMED, FRAMES, MOVES, SIDE, Wish, filmed, shows
from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import latency, weights_facts
from examples.train_starters.painter_world import read
from examples.train_starters.scene_card import columns, facts
from examples.train_starters.shapes_world import Clip, Split, render, render_clip, stream
from examples.train_starters.video_card import Watching

TAKES = 10
GUIDANCE = 1.5
FEW = 11
GOAL = 0.85
_FRONT = """---
license: apache-2.0
pipeline_tag: text-to-video
library_name: diffusers
tags: [latte, small, from-scratch]
inference_chat:
  name: starter-animator
  version: 1.0.0
  tasks: [text-to-video]
  capabilities: [VideoGeneration]
  parameters: {{width: {side}, height: {side}, steps: {takes}, guidance_scale: {guidance}}}
---
"""
_BODY = """# starter-animator

A small video diffusion transformer ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that
films one coloured shape as told: "a red circle moving left on yellow". Loads as LattePipeline.

It knows one world: one of {shapes} in {colours}, on a plain background of ten colours, in {frames} frames of
{side} x {side} pixels. What it can be told to do: {moves}. A motion is always the same, whatever
the seed: where a thing begins, how large it is and how far it goes were not drawn by lot in what it learnt from.

## Measured

With {wishes} wishes like those of training, of every motion in turn (there are {all:,}, and training showed most),
and half as many "new combinations", which ask for colours of shapes that training never showed; {takes} steps,
guidance {guidance}. The motion is judged by starter-video, thing and background by a judge that reads them off the pixels
(`animator_world.py`): it must see the thing, alone, in three of four frames. Of real clips the two find
{judge_motion:.1%} and {judge_thing:.1%} as asked.

{figures}

Per motion, on wishes like those of training:

{kinds}

{facts}

## Recipe

An autoencoder to a quarter of the side, which began as starter-painter's, {error:.1f} dB on frames never
seen; then a T5 encoder of {words} wide and a transformer of {layers} times two blocks, {width} wide, which
looks within frames and then along time (arXiv:2401.03048), {patch} x {patch} latents a token; velocity
prediction to zero terminal signal (arXiv:2305.08891). It learnt from four of a clip's frames at a time, each
with its number, in the end from all: four clips for the price of one. Muon on matrices, AdamW on
the rest, averaged weights, fp16. These weights began with 20 minutes of clips in which things were anywhere,
single frames first, so the seed alone does not give them again. To train it anew, or on from these weights:

```
python -m examples.train_starters animator
python -m examples.train_starters animator --from model_cards/starter-animator --minutes 60
```

Data: our own clips (`examples/train_starters/shapes_world/`), made from a seed. No weights or pictures
from elsewhere.

## Limits

It films {frames} frames of {side} x {side} pixels and nothing but one of these shapes in one of these
motions; other words are guessed at. The seed changes little. Shapes are less sure than motions, above all circles, which come
out angular. {missed}

## Sample

{samples}
"""
_SPLITS = ("test", "compositional")


class Filmer:
    """A model folder that films."""

    def __init__(self, folder: Path) -> None:
        pipeline: Any = DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline = pipeline

    def __call__(self, prompts: Sequence[str], seed: int = 0) -> list[list[Image.Image]]:
        """One clip for each prompt, one after another: together they would be padded to 120 words."""
        return [self._film(prompt, seed + at) for at, prompt in enumerate(prompts)]

    def _film(self, prompt: str, seed: int) -> list[Image.Image]:
        frames: list[Image.Image] = self.pipeline(
            prompt,
            num_inference_steps=TAKES,
            guidance_scale=GUIDANCE,
            height=SIDE,
            width=SIDE,
            video_length=FRAMES,
            clean_caption=False,
            generator=torch.Generator().manual_seed(seed),
        ).frames[0]
        return frames


class Judge:
    """Says of clips whether motion and thing are as asked; `watching` is starter-video."""

    def __init__(self, watching: Path) -> None:
        self._watching = Watching(watching)

    def __call__(
        self, asked: Sequence[Wish], clips: Sequence[Sequence[Image.Image]]
    ) -> list[tuple[str, bool]]:
        """The motion that each clip shows, and whether its thing is the one asked for."""
        said = self._watching(clips)
        return [(name, shows(wish, clip)) for (name, _), wish, clip in zip(said, asked, clips, strict=True)]


def wishes(split: Split, number: int) -> list[Wish]:
    """As many wishes, of every motion in turn."""
    return [_wish(split, at)[1] for at in range(number)]


def every_wish() -> int:
    """How many wishes like those of training there are; a thing is never on its own colour."""
    return len(FILMED.pairs("train")) * len(MOVES) * (len(FILMED.grounds) - 1)


def figures(asked: Sequence[Wish], found: Sequence[tuple[str, bool]]) -> dict[str, float]:
    """The shares of clips whose motion, whose thing, and that are wholly as asked."""
    pairs = [(said == wish.motion, thing) for wish, (said, thing) in zip(asked, found, strict=True)]
    return {
        "motion": sum(moves for moves, _ in pairs) / len(pairs),
        "thing": sum(thing for _, thing in pairs) / len(pairs),
        "both": sum(moves and thing for moves, thing in pairs) / len(pairs),
    }


def measure(folder: Path, watching: Path, number: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    filmer, judge = Filmer(folder), Judge(watching)
    asked = {"test": wishes("test", number), "compositional": wishes("compositional", max(1, number // 2))}
    found = {split: judge(some, filmer([wish.said() for wish in some])) for split, some in asked.items()}
    pipeline = filmer.pipeline
    models = [pipeline.vae, pipeline.text_encoder, pipeline.transformer]
    return weights_facts(folder, torch.nn.ModuleList(models)) | {
        "figures": {split: figures(asked[split], found[split]) for split in _SPLITS},
        "kinds": kinds(asked["test"], found["test"]),
        "wishes": number,
        "few": figures(asked["test"][:FEW], found["test"][:FEW]),
        "judge": true_figures(judge, number),
        "error": decibels(pipeline.vae),
        "milliseconds": latency(lambda: filmer(["a red circle moving left on yellow"]), 5),
    }


def kinds(asked: Sequence[Wish], found: Sequence[tuple[str, bool]]) -> dict[str, list[Any]]:
    """Of each motion the share as asked, and what else was seen."""
    told = {}
    for motion in MOVES:
        if said := [name for wish, (name, _) in zip(asked, found, strict=True) if wish.motion == motion]:
            others = ", ".join(sorted({name for name in said if name != motion}))
            told[motion] = [round(said.count(motion) / len(said), 3), others]
    return told


def few(filmer: Filmer, watching: Path) -> dict[str, float]:
    """What a few wishes come to, which the tests ask again."""
    some = wishes("test", FEW)
    return figures(some, Judge(watching)(some, filmer([wish.said() for wish in some])))


def true_figures(judge: Judge, number: int) -> dict[str, float]:
    """What the judge says of real clips."""
    films = [_wish("test", 1_000_000 + at) for at in range(number)]
    asked = [wish for _, wish in films]
    return figures(asked, judge(asked, [render_clip(film) for film, _ in films]))


def finish(folder: Path, watching: Path, training: dict[str, object], number: int) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, watching, number) | {"training": training}
    filmer, found = Filmer(folder), measured["figures"]
    config, motion = filmer.pipeline.transformer.config, found["test"]["motion"]
    asked = wishes("validation", 6)
    shown = Judge(watching)(asked, clips := filmer([wish.said() for wish in asked], seed=7))
    text = _BODY.format(
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        shapes=", ".join(FILMED.shapes),
        colours=", ".join(FILMED.colours),
        moves=", ".join(moves[0] for moves in MOVES.values()),
        frames=FRAMES,
        side=SIDE,
        wishes=number,
        all=every_wish(),
        takes=TAKES,
        guidance=GUIDANCE,
        judge_motion=measured["judge"]["motion"],
        judge_thing=measured["judge"]["thing"],
        figures=columns(
            {
                words: [f"{found[split][key]:.3f}" for split in _SPLITS]
                for key, words in (
                    ("motion", "motion"),
                    ("thing", "thing and background"),
                    ("both", "all of it"),
                )
            },
            ("as asked", "like training", "new combinations"),
        ),
        kinds=columns(
            {
                name: [f"{right:.3f}", others or "nothing"]
                for name, (right, others) in measured["kinds"].items()
            },
            ("motion", "as asked", "else seen as"),
        ),
        facts=facts(measured)
        .replace("Time per picture", "Time per clip")
        .replace("reading it included", f"{TAKES} steps"),
        error=measured["error"],
        words=filmer.pipeline.text_encoder.config.d_model,
        layers=config.num_layers,
        width=config.num_attention_heads * config.attention_head_dim,
        patch=config.patch_size,
        missed="" if motion >= GOAL else f"The goal of {GOAL} for motions was missed by {GOAL - motion:.3f}.",
        samples=table(
            ("asked", "the judges see"),
            {
                wish.said(): _seen(name, clip)
                for wish, (name, _), clip in zip(asked, shown, clips, strict=True)
            },
        ),
    )
    write_card(folder, _FRONT.format(side=SIDE, takes=TAKES, guidance=GUIDANCE) + text, measured)


def _wish(split: Split, at: int) -> tuple[Clip, Wish]:
    """A clip of the motion whose turn it is, and its wish."""
    moves = list(MOVES)
    return filmed(stream(split, 1_000_000 + at), split, moves[at % len(moves)])


def _seen(motion: str, clip: Sequence[Image.Image]) -> str:
    """What is in the middle of the clip, or the last of its things, and how it moves."""
    looks = [read(frame) for frame in (clip[len(clip) // 2], clip[0], clip[-1])]
    ground, found = next((look for look in looks if look[1]), looks[0])
    return f"{', '.join(f'{one.colour} {one.shape}' for one in found) or 'nothing'} on {ground}: {motion}"


@torch.inference_mode()
def decibels(coder: Any) -> float:
    """The peak signal-to-noise ratio of frames that went through the autoencoder."""
    films = [_wish("test", 3_000_000 + at)[0] for at in range(11)]
    stacked = np.stack([np.asarray(render(frame.scene)) for film in films for frame in film.frames[::5]])
    pixels = torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1
    back = coder.decode(coder.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
    return float(10 * torch.log10(4 / (back - pixels).square().mean()))
