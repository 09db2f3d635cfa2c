"""Trains starter-embedder: starter-reader's trunk, taught to put sentences that mean the same near each
other."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerFast

from examples.train_starters.embedder_card import finish
from examples.train_starters.embedder_data import Sentence, draw, targets
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.reader import hidden_words

_ALIKE_WEIGHT, _SHARPNESS = 8.0, 20.0
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def pooled(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """One vector of length 1 for each sentence [batch, width]: the mean over its tokens."""
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[..., None].to(states.dtype)
    return functional.normalize((states * weights).sum(1).float() / weights.sum(1).float(), dim=-1)


def batches(known: PreTrainedTokenizerFast, seed: int, at: int, meanings: int = 56) -> Iterator[Batch]:
    """The batches of the buffer with number `at`: meanings in two wordings each, and how alike all are."""
    rng = random.Random(f"{seed}/{at}")
    for _ in range(12):
        drawn = [sentence for _ in range(meanings) for sentence in draw(rng, "train")]
        yield encoded(known, drawn)


def encoded(known: PreTrainedTokenizerFast, sentences: list[Sentence]) -> Batch:
    """Sentences as tokens, and their likeness."""
    tokens = known([one.text for one in sentences], padding=True, truncation=True, return_tensors="pt")
    return {
        "ids": tokens.input_ids,
        "mask": tokens.attention_mask,
        "targets": targets(sentences),
    }


def loss(model: Any, batch: Batch, progress: float) -> torch.Tensor:
    """The squared error of every cosine, that of alike pairs weighted, and InfoNCE (arXiv:1807.03748) on
    top."""
    vectors = pooled(model, hidden_words(batch["ids"], 0.05), batch["mask"])
    cosines = vectors @ vectors.T
    wanted, itself = batch["targets"], torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    weight = (1 + _ALIKE_WEIGHT * wanted).masked_fill(itself, 0)
    error = (weight * (cosines - wanted).square()).sum() / weight.sum()
    rivals = (wanted > 0.85) & ~itself
    partner = torch.arange(len(vectors), device=vectors.device) ^ 1
    keep = torch.zeros_like(rivals)
    keep[torch.arange(len(vectors)), partner] = True
    logits = (_SHARPNESS * cosines).masked_fill(itself | (rivals & ~keep), float("-inf"))
    return 4 * error + 0.2 * functional.cross_entropy(logits, partner)


def train(plan: Plan, reader: Path, tested: int = 3000) -> Fitting:
    """Trains on from the reader's trunk, exports, measures and writes the card."""
    torch.manual_seed(plan.seed)
    known: Any = AutoTokenizer.from_pretrained(reader)
    model = BertModel.from_pretrained(reader, dtype=torch.float32, add_pooling_layer=False)
    fitting = Fitting(plan, model, loss, lambda at: batches(known, plan.seed, at))
    fitting.run()
    model.half().save_pretrained(plan.out)  # type: ignore[no-untyped-call]
    known.save_pretrained(plan.out)
    _pooling(plan.out, model.config.hidden_size)
    finish(plan.out, fitting.facts(), tested)
    return fitting


def _pooling(out: Path, width: int) -> None:
    """The files by which sentence-transformers knows that vectors are means of length 1."""
    (out / "modules.json").write_text(json.dumps(_MODULES, indent=2) + "\n", encoding="utf-8")
    (out / "1_Pooling").mkdir(exist_ok=True)
    settings = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}
    (out / "1_Pooling" / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model."""
    return replace(Plan(out=out, work=work, minutes=5.0, rate=1e-3), **options)
