"""Trains starter-reader, a small BERT that reads a request in free words and names the task it wants."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from examples.train_starters import checkpoint
from examples.train_starters.chat_data.words import WORDS
from examples.train_starters.fitting import Batch, Fitting, Plan
from examples.train_starters.questions import any_question
from examples.train_starters.reader_card import finish
from examples.train_starters.reader_data.requests import FREE, Request, free, sample, tasks
from examples.train_starters.text_tokenizer import SPECIAL, train_tokenizer

WINDOW = 128
_SYLLABLES = "ba be chi do er fra gu hol in ja ke lo mer na on pra qui re sto tu un ver wi xa yo zel".split()  # noqa: SIM905


def strange_words(seed: int = 0, number: int = 1500) -> tuple[str, ...]:
    """Nouns of all kinds and words that do not exist: the task must be read off the rest of the request."""
    rng = random.Random(seed)
    made_up = ("".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3)))) for _ in range(number))
    return (*WORDS, *made_up)


def tokenizer(folder: Path, texts: int = 60_000, vocabulary: int = 6000) -> PreTrainedTokenizerFast:
    """The tokenizer of an earlier start, or a new one learnt from requests and questions for training."""

    def learn() -> PreTrainedTokenizerFast:
        rng, words = random.Random(0), strange_words()
        seen = (sample(rng, "train", words).text if at % 4 else any_question(rng) for at in range(texts))
        return train_tokenizer([*seen, *WORDS * 8], vocabulary, WINDOW)

    return checkpoint.tokenizer(folder, learn)


def config(vocabulary: int, hidden: int = 128, layers: int = 3) -> BertConfig:
    """The model's shape."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        intermediate_size=hidden * 3,
        max_position_embeddings=WINDOW,
        type_vocab_size=2,
        pad_token_id=0,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=0.2,
        id2label=dict(enumerate(tasks())),
        label2id={task: at for at, task in enumerate(tasks())},
    )


def batches(known: PreTrainedTokenizerFast, seed: int, at: int, size: int = 6144) -> Iterator[Batch]:
    """The batches of the buffer with number `at`: like lengths together, in random order, free requests
    left out."""
    rng, words = random.Random(f"{seed}/{at}"), strange_words()
    kept_out = {one.text for name in FREE for one in free(name)}
    drawn = (sample(rng, "train", words) for _ in range(size))
    requests = sorted((one for one in drawn if one.text not in kept_out), key=lambda one: len(one.text))
    groups = [requests[start : start + 96] for start in range(0, len(requests), 96)]
    rng.shuffle(groups)
    for group in groups:
        yield encoded(known, group)


def encoded(known: PreTrainedTokenizerFast, requests: list[Request]) -> Batch:
    """Requests as a batch with their labels."""
    places = {task: at for at, task in enumerate(tasks())}
    tokens = known([one.text for one in requests], padding=True, truncation=True, return_tensors="pt")
    return {**tokens, "labels": torch.tensor([places[one.task] for one in requests])}


def hidden_words(ids: torch.Tensor, share: float) -> torch.Tensor:
    """The ids with some ordinary tokens replaced by [MASK] or [UNK], as strangers use words nobody has
    seen."""
    chosen = (torch.rand(ids.shape, device=ids.device) < share) & (ids >= len(SPECIAL))
    unknown = torch.where(
        torch.rand(ids.shape, device=ids.device) < 0.5, SPECIAL.index("[UNK]"), SPECIAL.index("[MASK]")
    )
    return torch.where(chosen, unknown, ids)


def loss(model: Any, batch: Batch, progress: float) -> torch.Tensor:
    """Cross-entropy with smoothed labels on requests that miss a word now and then."""
    ids = hidden_words(batch["input_ids"], 0.12)
    logits = model(input_ids=ids, attention_mask=batch["attention_mask"]).logits
    return functional.cross_entropy(logits.float(), batch["labels"], label_smoothing=0.05)


def train(
    plan: Plan, hidden: int = 128, layers: int = 3, texts: int = 60_000, start: Path | None = None
) -> Fitting:
    """Trains, exports, measures and writes the card; begins as the model of the folder `start`, if given."""
    torch.manual_seed(plan.seed)
    known = tokenizer(start or plan.work / "tokenizer", texts)
    if start is None:
        model = BertForSequenceClassification(config(len(known), hidden, layers))
    else:
        model = BertForSequenceClassification.from_pretrained(start, dtype=torch.float32)
    fitting = Fitting(plan, model, loss, lambda at: batches(known, plan.seed, at))
    fitting.run()
    model.half().save_pretrained(plan.out)  # type: ignore[no-untyped-call]
    known.save_pretrained(plan.out)
    finish(plan.out, fitting.facts())
    return fitting


def plan(out: Path, work: Path, **options: Any) -> Plan:
    """The usual plan for this model; in fp32, which takes three quarters of bfloat16's time on a CPU."""
    return replace(Plan(out=out, work=work, minutes=20.0, autocast=False), **options)
