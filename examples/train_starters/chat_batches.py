"""Dialogues as tensors: answers are learnt, everything else is only read."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from examples.train_starters.chat_data.dialogues import sample
from examples.train_starters.chat_data.turns import Dialogue
from examples.train_starters.chat_data.wording import normalised
from examples.train_starters.chat_eval.free import FreeDialogue, free_dialogues, fresh_dialogues
from examples.train_starters.chat_tokenizer import END, ROLES, token_id

IGNORED = -100
_SHORT = 3
Batch = tuple[torch.Tensor, torch.Tensor]


class Encoder:
    """Dialogues to token ids and labels, exactly as the chat template writes them."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, window: int) -> None:
        self._tokenizer, self._window = tokenizer, window
        self._end = token_id(tokenizer, END)
        self._roles = {role: token_id(tokenizer, f"<|{role}|>") for role in ROLES}

    def __call__(self, dialogue: Dialogue) -> tuple[list[int], list[int]]:
        """Ids and labels of as many turns as fit the window."""
        ids: list[int] = []
        labels: list[int] = []
        messages = dialogue.messages()
        texts = [message["content"].strip() for message in messages]
        contents = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        for message, content in zip(messages, contents, strict=True):
            if len(ids) + len(content) + 2 > self._window:
                break
            ids += [self._roles[message["role"]], *content, self._end]
            answer = message["role"] == "assistant"
            labels += [IGNORED, *content, self._end] if answer else [IGNORED] * (len(content) + 2)
        return ids, labels


def padded(rows: Iterable[tuple[list[int], list[int]]], pad: int, multiple: int = 8) -> Batch:
    """Rows of one batch, filled up on the right."""
    rows = list(rows)
    width = -(-max(len(ids) for ids, _ in rows) // multiple) * multiple
    ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [IGNORED] * (width - len(labels)) for _, labels in rows])
    return ids, labels


def _tests() -> tuple[FreeDialogue, ...]:
    return free_dialogues() + fresh_dialogues() + fresh_dialogues("fresh")


def held_out_turns() -> set[str]:
    """The free turns kept for the test, those of a word or three aside, which everyone types."""
    turns = {normalised(turn.user) for dialogue in _tests() for turn in dialogue.turns}
    return {turn for turn in turns if len(turn.split()) > _SHORT}


def batches(
    encoder: Encoder, pad: int, data: Path, seed: int, at: int, size: int = 1536, tokens: int = 4096
) -> Iterator[Batch]:
    """The batches of the buffer with number `at`: like lengths together, in random order."""
    kept_out = held_out_turns()
    dialogues = (sample(f"{seed}/{at}/{one}", data) for one in range(size))
    allowed = (one for one in dialogues if not any(normalised(turn.user) in kept_out for turn in one.turns))
    rows = [encoder(one) for one in allowed]
    rows.sort(key=lambda row: len(row[0]))
    groups: list[list[tuple[list[int], list[int]]]] = [[]]
    for row in rows:
        if groups[-1] and (len(groups[-1]) + 1) * (len(row[0]) + 16) > tokens:
            groups.append([])
        groups[-1].append(row)
    random.Random(f"{seed}/{at}").shuffle(groups)
    for group in groups:
        yield padded(group, pad)
