"""starter-ears' figures and its card."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from examples.train_starters.card import table, write_card
from examples.train_starters.ears_sounds import RATE, Wave, names, sound
from examples.train_starters.measuring import facts, latency, weights_facts

_FRONT = """---
license: apache-2.0
pipeline_tag: audio-classification
library_name: transformers
tags: [audio-spectrogram-transformer, small, from-scratch]
inference_chat:
  name: starter-ears
  version: 1.0.0
  capabilities: [AudioClassification]
---
"""

_BODY = """# starter-ears

A small audio spectrogram transformer ({millions:.1f} M parameters, {megabytes} MB) trained from
scratch for Inference Chat. It names one of {count} sounds, all made by formulas: {sounds}.

## Measured

**{right:.1%}** of {total:,} sounds named rightly, {each} of each, at pitches (two semitones of each
octave), with noises and of lengths that training never had. {second:.1%} are among the first two
names.

{per_sound}

Most often mistaken: {confused}.

{facts}

## Recipe

{shape}, patches of 16 × 16 on {mels} mel bands over three seconds; fp16 weights. Every training
sound is made anew by seeded formulas (`examples/train_starters/ears_sounds.py`), in noise of 12 to
40 dB or none, at any loudness. Muon on the hidden matrices and AdamW on the rest, averaged weights.

```
python -m examples.train_starters ears --steps {steps}
```

Data: our own formulas. No recording and no weights of another model were used.

## Limits

The animals, the weather and the machines are imitations: real recordings of them sound otherwise,
and are named by what they resemble. It always answers with one of its names, also for speech, which
it does not know. It hears the first three seconds."""


class Ears:
    """A model folder that names sounds."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForAudioClassification.from_pretrained(folder, dtype=torch.float32).eval()
        extractors: Any = AutoFeatureExtractor
        self.extractor = extractors.from_pretrained(folder)

    def __call__(self, waves: Sequence[Wave], best: int = 1) -> list[list[str]]:
        """The best names for each sound at 16 kHz."""
        answers: list[list[str]] = []
        for start in range(0, len(waves), 50):
            inputs = self.extractor(list(waves[start : start + 50]), sampling_rate=RATE, return_tensors="pt")
            with torch.inference_mode():
                places = self.model(**inputs).logits.topk(best).indices.tolist()
            answers += [[self.model.config.id2label[place] for place in row] for row in places]
        return answers


def held_out(each: int) -> list[tuple[Wave, str]]:
    """So many sounds of each name, from the test's side."""
    rng = random.Random("held out")
    return [sound(rng, "test", name) for name in names() for _ in range(each)]


def measure(folder: Path, each: int) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    ears, sounds = Ears(folder), held_out(each)
    said = ears([wave for wave, _ in sounds], 2)
    wrong: dict[str, int] = {}
    hits: dict[str, list[bool]] = {name: [] for name in names()}
    for (_, name), answers in zip(sounds, said, strict=True):
        hits[name].append(answers[0] == name)
        if answers[0] != name:
            mistake = f"{name} for {answers[0]}"
            wrong[mistake] = wrong.get(mistake, 0) + 1
    return weights_facts(folder, ears.model) | {
        "right": sum(sum(one) for one in hits.values()) / len(sounds),
        "second": sum(name in answers for (_, name), answers in zip(sounds, said, strict=True)) / len(sounds),
        "each": each,
        "total": len(sounds),
        "per_sound": {name: f"{sum(one) / len(one):.1%}" for name, one in hits.items()},
        "confused": sorted(wrong, key=lambda mistake: -wrong[mistake])[:3],
        "milliseconds": latency(lambda: ears([sounds[0][0]])),
    }


def finish(folder: Path, training: dict[str, object], each: int = 50) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder, each) | {"training": training}
    config = Ears(folder).model.config
    print(measured)
    body = _BODY.format(
        steps=measured["training"]["steps"],
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        count=len(names()),
        sounds=", ".join(names()),
        right=measured["right"],
        total=measured["total"],
        each=each,
        second=measured["second"],
        per_sound=table(("sound", "right"), measured["per_sound"]),
        confused=", ".join(measured["confused"]) or "nothing",
        facts=table(("", ""), facts(measured, "Time for one sound")),
        shape=f"{config.num_hidden_layers} layers, width {config.hidden_size}",
        mels=config.num_mel_bins,
    )
    write_card(folder, _FRONT + body, measured)
