"""starter-reader's figures and its card."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from examples.train_starters.card import table, write_card
from examples.train_starters.measuring import facts, latency, one_thread, weights_facts
from examples.train_starters.reader_data.requests import Request, families, free, sample, tasks

HELD_OUT = 2400
SAMPLES = (
    "find the cats in my photo",
    "tl;dr of this article please",
    "make a voice say welcome",
    "hola to english",
)

_FRONT = """---
license: apache-2.0
language: en
pipeline_tag: text-classification
library_name: transformers
tags: [bert, small, from-scratch, routing]
inference_chat:
  name: starter-reader
  version: 1.0.0
  capabilities: [TextClassification]
---
"""

_BODY = """# starter-reader

A small BERT ({millions:.1f} M parameters, {megabytes} MB) trained from scratch that reads a request
in free words and names the Hugging Face task it wants: "find the cats in my photo" is
`object-detection`. Inference Chat's recommendations ask it which models to propose. It knows
{tasks} tasks.

## Measured

| test | right |
|---|---|
| {held_out:,} requests in wordings, and about things, held out of training whole | {families:.1%} |
| {free_total} requests written by hand before training, as strangers type | {free:.1%} |
| the same, wanted task among the first three | {free3:.1%} |
| {errands_total} everyday requests, read by nobody who wrote wordings after them | {errands:.1%} |
| the same, wanted task among the first three | {errands3:.1%} |
| {situations_total} and {trades_total} more, some of whose words the wordings took up | {situations:.1%}, {trades:.1%} |
| {free_seen_total} more of these, on which an earlier training was looked at | {free_seen:.1%} |

{per_task}

{facts}

The same person wrote the wordings and the free requests, so expect somewhat less from real
strangers. {looked}

## Recipe

{shape}; WordPiece of {vocabulary} pieces, lower case; fp16 weights. Trained on requests that a
seeded grammar writes (`examples/train_starters/reader_data/`), with typos, slang, made-up nouns and
hidden words; a wording comes the more often the more it can say. Cross-entropy with smoothed labels,
Muon on the hidden matrices and AdamW on the rest, averaged weights.

```
python -m examples.train_starters reader --steps {steps}
```

Data: our own wordings only. No weights and no text of another model were used.

## Limits

English only, one task a request, at most {window} tokens. It always answers with one of its tasks,
also where none is meant; look at the score. Words that it never saw tell it nothing.

## Sample

{samples}
"""

LOOKED = """The wordings grew while these weights were trained, so the seed alone does not give them again. Beside the
first ones there are {more} families of one who had read all wordings but knew of the tests no answer, {broad} for
which requests of the other lists and some of the held-out wordings were known, and {wide} of one who had read
neither: of the tests it was only counted which task was taken for which. So read the figures as upper bounds."""


class Reader:
    """A model folder that names tasks."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32
        ).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def __call__(self, texts: Sequence[str], best: int = 1) -> list[list[tuple[str, float]]]:
        """For each text the best tasks with their scores."""
        answers = []
        for start in range(0, len(texts), 128):
            tokens = self.tokenizer(
                list(texts[start : start + 128]), padding=True, truncation=True, return_tensors="pt"
            )
            with torch.inference_mode():
                scores = self.model(**tokens).logits.softmax(-1).topk(best)
            for values, places in zip(scores.values.tolist(), scores.indices.tolist(), strict=True):
                names = (self.model.config.id2label[place] for place in places)
                answers.append(list(zip(names, values, strict=True)))
        return answers


def held_out(number: int = HELD_OUT) -> list[Request]:
    """Requests of the held-out families, as many of each task."""
    rng = random.Random("held out")
    return [sample(rng, "test", task=tasks()[at % len(tasks())]) for at in range(number)]


def right(reader: Reader, requests: Sequence[Request], best: int = 1) -> list[bool]:
    """Whether the wanted task is among the best answers to each."""
    said = reader([one.text for one in requests], best)
    return [one.task in [task for task, _ in answers] for one, answers in zip(requests, said, strict=True)]


@one_thread()
def measure(folder: Path) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    reader, asked, mine = Reader(folder), held_out(), list(free())
    lists = {name: list(free(name)) for name in ("free_seen", "situations", "trades", "errands")}
    hits, free_hits = right(reader, asked), right(reader, mine)
    per_task = {
        task: f"{_share(hits, asked, task):.1%} | {_share(free_hits, mine, task):.1%}" for task in tasks()
    }
    for one, answers, hit in zip(mine, reader([one.text for one in mine]), free_hits, strict=True):
        if not hit:
            print(f"wrong: {one.text!r} is {one.task}, said {answers[0][0]}")
    return weights_facts(folder, reader.model) | {
        "families": sum(hits) / len(hits),
        "free": sum(free_hits) / len(free_hits),
        "free_top3": sum(right(reader, mine, 3)) / len(mine),
        "free_total": len(mine),
        **{name: sum(right(reader, one)) / len(one) for name, one in lists.items()},
        **{f"{name}_total": len(one) for name, one in lists.items()},
        "errands_top3": sum(right(reader, lists["errands"], 3)) / len(lists["errands"]),
        "per_task": per_task,
        "milliseconds": latency(lambda: reader([SAMPLES[0]])),
    }


def _share(hits: list[bool], requests: list[Request], task: str) -> float:
    mine = [hit for hit, one in zip(hits, requests, strict=True) if one.task == task]
    return sum(mine) / len(mine)


def finish(folder: Path, training: dict[str, object]) -> None:
    """Measures the folder and writes its card."""
    measured = measure(folder) | {"training": training}
    reader = Reader(folder)
    config = reader.model.config
    said = {
        text: f"`{answers[0][0]}` ({answers[0][1]:.2f})"
        for text, answers in zip(SAMPLES, reader(SAMPLES), strict=True)
    }
    body = _BODY.format(
        steps=measured["training"]["steps"],
        millions=measured["parameters"] / 1e6,
        megabytes=measured["megabytes"],
        tasks=len(tasks()),
        held_out=HELD_OUT,
        families=measured["families"],
        free=measured["free"],
        free3=measured["free_top3"],
        free_total=measured["free_total"],
        free_seen=measured["free_seen"],
        free_seen_total=measured["free_seen_total"],
        situations=measured["situations"],
        situations_total=measured["situations_total"],
        trades=measured["trades"],
        errands=measured["errands"],
        errands3=measured["errands_top3"],
        errands_total=measured["errands_total"],
        trades_total=measured["trades_total"],
        per_task=table(("task", "held-out wordings | free"), measured["per_task"]).replace(
            "|---|---|", "|---|---|---|"
        ),
        facts=table(("", ""), facts(measured, "Time per request")),
        looked=LOOKED.format(**Counter(family.source for family in families())),
        shape=f"{config.num_hidden_layers} layers, width {config.hidden_size}",
        vocabulary=config.vocab_size,
        window=config.max_position_embeddings,
        samples=table(("request", "answer"), said),
    )
    write_card(folder, _FRONT + body, measured)
