"""starter-embedder's figures and its card."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from examples.train_starters.card import table, write_card
from examples.train_starters.embedder_data import Sentence, draw, likeness
from examples.train_starters.measuring import facts, latency, weights_facts

RIVALS = 200
PAIRS = (
    ("how many red circles are there?", "count the red circles"),
    ("how many red circles are there?", "how many blue stars are there?"),
    ("what is the capital of France?", "which city is the capital of France?"),
    ("what is the capital of France?", "describe the picture"),
)

_FRONT = """---
license: apache-2.0
language: en
pipeline_tag: feature-extraction
library_name: transformers
tags: [bert, sentence-similarity, sentence-transformers, small, from-scratch]
inference_chat:
  name: starter-embedder
  version: 1.0.0
  capabilities: [FeatureExtraction]
---
"""

_BODY = """# starter-embedder

A small BERT ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that turns a sentence into
{width} numbers: the mean of its tokens' states, of length 1. Sentences that ask the same lie near each
other. It grew out of starter-reader.

## Measured

On wordings held out of training whole:

| test | figure |
|---|---|
| Spearman correlation of the cosine with the likeness, {pairs:,} pairs | **{spearman:.3f}** |
| the same question in other words found first among {rivals} sentences | {found:.1%} |

The likeness is known because a grammar writes the sentences: it follows from the domain (pictures of
shapes, countries, this app, requests for a task), the kind of question and the things asked about; it
is no judgement of people.

{facts}

## Recipe

{shape}; starts from starter-reader's trunk and tokenizer; squared error of all cosines in a batch, and
InfoNCE; fp16 weights; Muon on the hidden matrices and AdamW on the rest, averaged weights.

```
python -m examples.train_starters embedder --steps {steps}
```

Data: our own wordings only (`examples/train_starters/embedder_data.py`).

## Limits

English, and these four domains; anything else gets a vector that says little. At most 128 tokens.

## Sample

{samples}
"""


class Embedder:
    """A model folder that turns sentences into vectors."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors of length 1 [texts, width]."""
        parts = []
        for start in range(0, len(texts), 128):
            tokens = self.tokenizer(
                list(texts[start : start + 128]), padding=True, truncation=True, return_tensors="pt"
            )
            with torch.inference_mode():
                states = self.model(**tokens).last_hidden_state
            mask = tokens.attention_mask[..., None].float()
            parts.append(functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1))
        return torch.cat(parts)


def ranks(values: torch.Tensor) -> torch.Tensor:
    """The ranks of the values, ties sharing their mean rank."""
    _, place, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    shared: torch.Tensor = ends - (counts.double() - 1) / 2
    return shared[place]


def spearman(one: torch.Tensor, other: torch.Tensor) -> float:
    """Spearman's rank correlation."""
    return float(torch.corrcoef(torch.stack([ranks(one), ranks(other)]))[0, 1])


def reworded(rng: random.Random) -> tuple[Sentence, Sentence]:
    """The same in two wordings, both held out."""
    while True:
        first, second = draw(rng, "test")
        if first.text != second.text:
            return first, second


def pairs(number: int) -> list[tuple[Sentence, Sentence]]:
    """Pairs in held-out wordings: a third mean the same, a third share the domain, a third are any."""
    rng = random.Random("pairs")
    chosen = []
    for at in range(number):
        first, second = reworded(rng)
        if at % 3:
            second = draw(rng, "test")[0]
        while at % 3 == 1 and second.meaning.domain != first.meaning.domain:
            second = draw(rng, "test")[0]
        chosen.append((first, second))
    return chosen


def correlation(embedder: Embedder, number: int) -> float:
    """Spearman's correlation between cosine and likeness on so many pairs."""
    asked = pairs(number)
    left, right = (embedder([pair[side].text for pair in asked]) for side in (0, 1))
    wanted = torch.tensor([likeness(one.meaning, other.meaning) for one, other in asked])
    return spearman((left * right).sum(1), wanted)


def found(embedder: Embedder, rivals: int = RIVALS) -> float:
    """The share of sentences whose nearest among the rivals is one of the same meaning."""
    rng = random.Random("found")
    asked = [reworded(rng) for _ in range(rivals)]
    left, right = (embedder([pair[side].text for pair in asked]) for side in (0, 1))
    nearest: list[int] = (left @ right.T).argmax(1).tolist()
    right_ones = [asked[at][0].meaning == asked[place][1].meaning for at, place in enumerate(nearest)]
    return sum(right_ones) / len(right_ones)


def finish(folder: Path, training: dict[str, object], tested: int = 3000) -> None:
    """Measures the folder and writes its card."""
    embedder = Embedder(folder)
    measured = weights_facts(folder, embedder.model) | {
        "spearman": correlation(embedder, tested),
        "pairs": tested,
        "found": found(embedder),
        "milliseconds": latency(lambda: embedder([PAIRS[0][0]])),
        "training": training,
    }
    print(measured)
    config = embedder.model.config
    said = {
        f"{one} · {other}": f"{float(embedder([one])[0] @ embedder([other])[0]):.2f}" for one, other in PAIRS
    }
    body = _BODY.format(
        steps=measured["training"]["steps"],
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        width=config.hidden_size,
        pairs=tested,
        spearman=measured["spearman"],
        rivals=RIVALS,
        found=measured["found"],
        facts=table(("", ""), facts(measured, "Time per sentence")),
        shape=f"{config.num_hidden_layers} layers, width {config.hidden_size}",
        samples=table(("sentences", "cosine"), said),
    )
    write_card(folder, _FRONT + body, measured)
