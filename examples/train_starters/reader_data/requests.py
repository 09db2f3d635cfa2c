"""Requests as people type them, each with the Hugging Face task that it wants.

`wordings.txt` has families of wordings under their [task]; `?` marks what stands alone (all others are
things to do, and may follow "can you"). Three families of each task, picked by a hash, are kept for the
test. `more.txt`, `broad.txt` and `wide.txt` have further families, for training alone. `nouns.txt` has what
they speak of; `*` marks what is kept for the test. `more_nouns.txt` and `asking.txt`, how requests begin,
are for training alone.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import sqrt
from pathlib import Path

from examples.train_starters.chat_data.wording import Source, Split, expand, lines

_HERE = Path(__file__).parent
_SLOT = re.compile(r"\{(\w+)\}")
_ASKING = """can you|could you|please|pls|i want to|i need to|i'd like to|i would like to|help me
help me to|how do i|how can i|how to|which model can|which model should i use to
what do i need to|is there a model that can|a model to|something to
i'm looking for something to|need to|need something to|my boss wants me to|we want to
we need to|we have to|can it|can this app|is it possible to|i am trying to|let me|what can
an app to|tool to|a way to|looking to|let's|i must|i have to|automatically|software to
best way to|ai to|program that can|anything here that can|i wish i could|show me how to
my task is to|for my shop i need to|for a school project i must|the goal is to
what model do i pick to"""
ASKING = tuple(part for line in _ASKING.splitlines() for part in line.split("|"))
_TRAINING_ASKS = (*ASKING, *lines((_HERE / "asking.txt").read_text(encoding="utf-8")))
_KEPT = 3
IN_CONTEXT = 0.3
"""The share of requests for training that tell who asks, or for whom."""
TAUGHT = ("more", "broad", "wide")
FREE = ("free", "free_seen", "situations", "trades", "errands")
OBJECTS = ("thing", "things")


@dataclass(frozen=True)
class Family:
    """One wording with its choices and slots."""

    task: str
    text: str
    alone: bool
    source: str = "wordings"


@dataclass(frozen=True)
class Request:
    """What somebody types, and the task it wants."""

    text: str
    task: str


@cache
def families() -> tuple[Family, ...]:
    """All wordings, of both sides."""
    found, task = [], ""
    for name in ("wordings", *TAUGHT):
        for line in lines((_HERE / f"{name}.txt").read_text(encoding="utf-8")):
            if line.startswith("["):
                task = line.strip("[]")
                continue
            text = line.removeprefix("? ")
            found.append(Family(task, text, text != line, source=name))
    return tuple(found)


def _kept(chosen: list[Family]) -> list[Family]:
    """The families of one task that are kept for the test."""
    known = [family for family in chosen if family.source == "wordings"]
    return sorted(known, key=lambda family: zlib.crc32(family.text.encode()))[:_KEPT]


@cache
def nouns(split: Split, file: str = "nouns") -> dict[str, tuple[str, ...]]:
    """The words for each slot on one side, or the people and places of another `file`."""
    found: dict[str, tuple[str, ...]] = {}
    kept: dict[str, tuple[str, ...]] = {}
    name = ""
    files = (file, "more_nouns") if (split, file) == ("train", "nouns") else (file,)
    written = "\n".join((_HERE / f"{one}.txt").read_text(encoding="utf-8") for one in files)
    for line in lines(written):
        if line.startswith("["):
            name = line.strip("[]")
            continue
        side = kept if line.startswith("*") else found
        side[name] = side.get(name, ()) + tuple(part.strip(" *") for part in line.split(";"))
    return found | kept if split == "test" else found


@cache
def tasks() -> tuple[str, ...]:
    """The tasks, in alphabetical order."""
    return tuple(sorted({family.task for family in families()}))


@cache
def _by_task(split: Split) -> dict[str, tuple[Family, ...]]:
    found = {}
    for task in tasks():
        mine = [family for family in families() if family.task == task]
        kept = _kept(mine)
        found[task] = tuple(family for family in mine if (family in kept) == (split == "test"))
    return found


def shares(chosen: Sequence[Family]) -> tuple[float, ...]:
    """How often each family is drawn for training: those that can say more come more often."""
    return tuple(sqrt(3 + family.text.count("|")) for family in chosen)


@cache
def _drawn(task: str) -> tuple[float, ...]:
    return tuple(accumulate(shares(_by_task("train")[task])))


def free(name: str = "free") -> Iterator[Request]:
    """Requests written by hand as a stranger types, kept out of training.

    They are `free`, or `free_seen`, on which an earlier model was looked at before the wordings were widened,
    `situations` and `trades`, which `broad.txt` has words of, or `errands`, written after all wordings.
    """
    task = ""
    for line in lines((_HERE / f"{name}.txt").read_text(encoding="utf-8")):
        if line.startswith("["):
            task = line.strip("[]")
        else:
            yield Request(line, task)


def sample(rng: random.Random, split: Split, words: tuple[str, ...] = (), task: str | None = None) -> Request:
    """A request; in some, nouns give way to any of `words`, as strangers speak of things nobody foresaw."""
    task = task or rng.choice(tasks())
    if split == "train":
        [family] = rng.choices(_by_task(split)[task], cum_weights=_drawn(task))
    else:
        family = rng.choice(_by_task(split)[task])
    strange = bool(words) and rng.random() < 0.4
    text = _filled(rng, expand(rng, family.text), nouns(split), words if strange else ())
    if not family.alone and rng.random() < 0.55:
        text = f"{rng.choice(_TRAINING_ASKS if split == 'train' else ASKING)} {text}"
    elif rng.random() < 0.05:
        text = f"{text}, {rng.choice(('please', 'thanks', 'quickly', 'for free', 'offline', 'asap'))}"
    if split == "train" and rng.random() < IN_CONTEXT:
        text = _in_context(rng, text)
    noise = 0.6 if split == "train" else 0.3
    return Request(Source(rng, split, noise=noise).typed(text.replace("{", "").replace("}", "")), task)


def _in_context(rng: random.Random, text: str) -> str:
    """With who asks, or for whom: what a request is about besides its task."""
    known = nouns("train", "people")
    who, place = (rng.choice(known[name]) for name in ("who", "place"))
    wishes = ("wants to", "needs to", "would like to", "asks how to", "must")
    begins = (
        f"{who} here: {text}",
        f"{who}: {text}",
        f"as a {who}, {text}",
        f"a {who} {rng.choice(wishes)} {text}",
        f"i am a {who}. {text}",
        f"our {place} {rng.choice(wishes)} {text}",
        f"for {rng.choice(('our', 'my', 'the'))} {place}, {text}",
        f"{text} for {rng.choice(('our', 'my', 'the', 'a'))} {place}",
        f"{text} ({rng.choice(('our', 'my', 'the'))} {place})",
    )
    return rng.choice(begins)


def _filled(rng: random.Random, text: str, known: dict[str, tuple[str, ...]], words: tuple[str, ...]) -> str:
    while match := _SLOT.search(text):
        name = match.group(1)
        noun = rng.choice(known[name])
        if words and name in OBJECTS:
            noun = rng.choice(words) + ("s" if name == "things" else "")
        elif words and rng.random() < 0.3:
            noun = f"{rng.choice(words)} {noun}"
        text = text[: match.start()] + noun + text[match.end() :]
    return text
