"""Free dialogues as strangers type them, never trained on; each answer is judged by what it must and must not contain."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("free.jsonl")
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class FreeTurn:
    """What is typed, a pattern that a sensible answer contains, and one that it must not contain."""

    user: str
    accept: str
    reject: str = ""

    def right(self, answer: str) -> bool:
        """Whether the answer will do."""
        flags = re.IGNORECASE | re.DOTALL
        wanted = bool(answer.strip()) and len(answer) <= 500 and re.search(self.accept, answer, flags)
        return bool(wanted) and not (self.reject and re.search(self.reject, answer, flags))


@dataclass(frozen=True)
class FreeDialogue:
    """One conversation."""

    turns: tuple[FreeTurn, ...]
    system: str | None = None


@cache
def free_dialogues() -> tuple[FreeDialogue, ...]:
    """All of them."""
    rows = [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines() if line]
    return tuple(
        FreeDialogue(tuple(FreeTurn(*turn) for turn in row["turns"]), row.get("system")) for row in rows
    )


@cache
def fresh_dialogues(name: str = "strangers") -> tuple[FreeDialogue, ...]:
    """Those of a file, one a line: `typed => accept !! reject ;; the next turn`.

    `strangers` were written before the wordings of the last training, on `fresh` an earlier model was looked at."""
    rows = _FILE.with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(FreeDialogue(tuple(_turn(turn) for turn in row.split(" ;; "))) for row in rows if row)


def _turn(written: str) -> FreeTurn:
    user, judged = written.split(" => ")
    accept, _, reject = judged.partition(" !! ")
    return FreeTurn(user, accept, reject)


@dataclass(frozen=True)
class Played:
    """A turn as it went."""

    user: str
    answer: str
    right: bool


def play(
    answer: Callable[[Messages], str], dialogues: tuple[FreeDialogue, ...] | None = None
) -> list[Played]:
    """Every dialogue held with the model, whose own answers stay in the history."""
    played = []
    for dialogue in dialogues or free_dialogues():
        messages: Messages = [{"role": "system", "content": dialogue.system}] if dialogue.system else []
        for turn in dialogue.turns:
            messages.append({"role": "user", "content": turn.user})
            said = answer(messages)
            messages.append({"role": "assistant", "content": said})
            played.append(Played(turn.user, said, turn.right(said)))
    return played
