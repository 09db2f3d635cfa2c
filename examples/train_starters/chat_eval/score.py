"""Measures a starter-chat folder: exact answers per skill in held-out wordings, free dialogues, size and speed."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from examples.train_starters.card import digest
from examples.train_starters.chat_batches import IGNORED, Encoder, padded
from examples.train_starters.chat_data.dialogues import one_skill, skills
from examples.train_starters.chat_data.turns import Dialogue
from examples.train_starters.chat_eval.free import Messages, Played, fresh_dialogues, play

PER_SKILL = 150
_GREEDY = {"do_sample": False, "max_new_tokens": 200, "temperature": None, "top_p": None}


def conversations(folder: Path, asked: list[list[str]]) -> list[list[tuple[str, str]]]:
    """What the model answers to each list of questions, asked one after another."""
    talker, held = Talker(folder), []
    for questions in asked:
        messages: Messages = []
        for question in questions:
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": talker(messages)})
        held.append(
            [(messages[at]["content"], messages[at + 1]["content"]) for at in range(0, len(messages), 2)]
        )
    return held


class Talker:
    """A model folder that answers greedily."""

    def __init__(self, folder: Path) -> None:
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.tokens, self.seconds = 0, 0.0

    def __call__(self, messages: Messages) -> str:
        """The answer to a conversation."""
        inputs = self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        since = time.perf_counter()
        with torch.inference_mode():
            output = self.model.generate(**inputs, **_GREEDY)
        answer = output[0, inputs["input_ids"].shape[1] :]
        self.seconds += time.perf_counter() - since
        self.tokens += len(answer)
        return str(self.tokenizer.decode(answer, skip_special_tokens=True)).strip()

    def exact(self, dialogue: Dialogue) -> list[bool]:
        """For each turn, whether the greedy answer is the right one to the letter, the turns before being right."""
        ids, labels = padded([Encoder(self.tokenizer, 2048)(dialogue)], 0, 1)
        with torch.inference_mode():
            hits = self.model(input_ids=ids).logits[0, :-1].argmax(-1) == labels[0, 1:]
        right, inside = [], False
        for wanted, hit in zip(labels[0, 1:].tolist(), hits.tolist(), strict=True):
            if wanted == IGNORED:
                inside = False
            elif not inside:
                right.append(bool(hit))
                inside = True
            else:
                right[-1] &= bool(hit)
        return right

    def right(self, dialogue: Dialogue) -> list[bool]:
        """For each turn, whether the greedy answer is one of the right ones, the turns before being right."""
        hits = self.exact(dialogue)
        messages = dialogue.messages()
        asked = [at for at, message in enumerate(messages) if message["role"] == "user"]
        for at, (turn, hit, end) in enumerate(zip(dialogue.turns, hits, asked, strict=False)):
            if not hit and turn.accepted:
                hits[at] = self(messages[: end + 1]) in turn.accepted
        return hits


def skill_scores(talker: Talker, data: Path, per_skill: int = PER_SKILL) -> dict[str, float]:
    """The share of right answers of each skill: the expected one to the letter, or another that is accepted."""
    scores = {}
    for skill in [*skills(data), "memory"]:
        asked: Counter[bool] = Counter()
        for at in range(per_skill):
            dialogue = one_skill(f"test/{at}", data, skill)
            for turn, hit in zip(dialogue.turns, talker.right(dialogue), strict=False):
                if turn.skill == skill and not turn.open_ended:
                    asked[hit] += 1
                    if not hit:
                        print(f"wrong, {skill}: {turn.user!r}, wanted {turn.answer!r}")
        scores[skill] = round(asked[True] / asked.total(), 3)
    return scores


def fresh_score(talker: Talker, name: str) -> dict[str, int]:
    """Right turns in the dialogues of one file of strangers."""
    dialogues = fresh_dialogues(name)
    played = play(talker, dialogues)
    show(played)
    return {
        "dialogues": len(dialogues),
        "turns": len(played),
        "right": sum(one.right for one in played),
    }


def measure(folder: Path, data: Path, per_skill: int = PER_SKILL) -> dict[str, Any]:
    """Everything the card says in figures, measured now on the folder's weights."""
    talker = Talker(folder)
    played, shape = play(talker), talker.model.config
    measured: dict[str, Any] = {
        "sha256": digest(folder),
        "parameters": sum(parameter.numel() for parameter in talker.model.parameters()),
        "megabytes": round((folder / "model.safetensors").stat().st_size / 1e6, 2),
        "milliseconds_per_token": round(1000 * talker.seconds / talker.tokens, 1),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}, "
        f"transformers {transformers.__version__}",
        "shape": f"{shape.num_hidden_layers} layers, width {shape.hidden_size}, {shape.num_attention_heads} heads",
        "vocabulary": shape.vocab_size,
        "skills": skill_scores(talker, data, per_skill),
        "free": {"turns": len(played), "right": sum(one.right for one in played)},
        "fresh": fresh_score(talker, "strangers"),
        "earlier": fresh_score(talker, "fresh"),
    }
    show(played)
    print(json.dumps(measured, indent=2))
    return measured


def show(played: list[Played]) -> None:
    """Prints the wrong free turns."""
    for one in played:
        if not one.right:
            print(f"wrong: {one.user!r} -> {one.answer!r}")
