"""Sentences with what they mean, so that it is known how alike two of them are."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from examples.train_starters.chat_data.app import TOPICS
from examples.train_starters.chat_data.wording import Source, Split, expand, held_out
from examples.train_starters.listener_data.sentences import COUNTRIES
from examples.train_starters.questions import KINDS, ask, random_slots
from examples.train_starters.reader_data.requests import sample, tasks

_SLOT = re.compile(r"\{(\w+)\}")
_ASIDE = frozenset({"a", "an", "the", "of", "shape", "shapes"})
_COUNTRY_WORDINGS = """
capital: what is the capital of {c}?|which city is the capital of {c}?|name the capital of {c}|{c}'s capital?
capital: tell me {c}'s capital city|what's the capital city of {c}?|do you know the capital of {c}?
people: how many people live in {c}?|what is the population of {c}?|how big is the population of {c}?
people: how many inhabitants does {c} have?|{c}'s population?|number of people in {c}?|how populous is {c}?
language: what language do they speak in {c}?|which languages are spoken in {c}?|what do people speak in {c}?
language: the language of {c}?|which language is used in {c}?
language: tell me the language of {c}|what is {c}'s language?
where: where is {c}?|where do i find {c} on the map?|where does {c} lie?|in which part of the world is {c}?
where: what is the location of {c}?|on which continent is {c}?|tell me where {c} is
area: how big is {c}?|what is the area of {c}?|how large is {c}?|what size is {c}?
area: how many square kilometres has {c}?|tell me the size of {c}|what is {c}'s area?
"""
_COUNTRY: dict[str, list[str]] = {}
for _line in _COUNTRY_WORDINGS.split("\n")[1:-1]:
    _kind, _wordings = _line.split(": ", 1)
    _COUNTRY.setdefault(_kind, []).extend(_wordings.split("|"))
_SAME_TASK, _SAME_KIND, _RELATED, _SAME_WORDS = 0.7, 0.5, 0.1, 0.3


@dataclass(frozen=True)
class Meaning:
    """What is asked: a domain, a kind of question in it, and the things that it is about."""

    domain: str
    kind: str
    things: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sentence:
    """A wording and its meaning."""

    text: str
    meaning: Meaning


def likeness(one: Meaning, other: Meaning) -> float:
    """From 0 (of different things altogether) to 1 (the same in other words), by domain, kind and shared
    things."""
    if one.domain != other.domain:
        return 0.0
    union = one.things | other.things
    shared = len(one.things & other.things) / len(union) if union else 1.0
    if one.kind != other.kind:
        return _RELATED + (_SAME_WORDS * shared if union else 0.0)
    return _SAME_TASK if one.domain == "task" else _SAME_KIND + (1 - _SAME_KIND) * shared


def targets(sentences: Sequence[Sentence]) -> torch.Tensor:
    """The likeness of each to each [sentences, sentences]."""
    return torch.tensor([[likeness(one.meaning, other.meaning) for other in sentences] for one in sentences])


def draw(rng: random.Random, split: Split, wordings: int = 2) -> list[Sentence]:
    """One meaning in so many wordings of this side."""
    domain = rng.choices(("shapes", "country", "app", "task"), (45, 20, 15, 20))[0]
    if domain == "shapes":
        return _shapes(rng, split, wordings)
    if domain == "country":
        return _country(rng, split, wordings)
    if domain == "app":
        return _app(rng, split, wordings)
    task = rng.choice(tasks())
    return [Sentence(sample(rng, split, task=task).text, Meaning("task", task)) for _ in range(wordings)]


@cache
def _slots(kind: str) -> frozenset[str]:
    return frozenset(slot for wording in KINDS[kind].train for slot in _SLOT.findall(wording))


def _shapes(rng: random.Random, split: Split, wordings: int) -> list[Sentence]:
    kind = rng.choice(sorted(KINDS))
    given = dict(random_slots(rng))
    given.pop("things")
    used = {"thing" if slot in ("things", "a_thing") else slot for slot in _slots(kind)}
    words = {word for slot in used for word in given[slot].split()} - _ASIDE
    meaning = Meaning("shapes", kind, frozenset(words))
    return [Sentence(ask(rng, kind, split, **given), meaning) for _ in range(wordings)]


def _country(rng: random.Random, split: Split, wordings: int) -> list[Sentence]:
    kind, country = rng.choice(sorted(_COUNTRY)), rng.choice(COUNTRIES)
    options = _COUNTRY[kind][-2:] if split == "test" else _COUNTRY[kind][:-2]
    meaning = Meaning("country", kind, frozenset({country}))
    return [Sentence(rng.choice(options).format(c=country), meaning) for _ in range(wordings)]


@cache
def _topics(split: Split) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The topics with two wordings and more on this side."""
    sides = (
        (str(at), tuple(one for one in wordings if held_out(one) == (split == "test")))
        for at, (wordings, _) in enumerate(TOPICS)
    )
    return tuple((number, wordings) for number, wordings in sides if len(wordings) > 1)


def _app(rng: random.Random, split: Split, wordings: int) -> list[Sentence]:
    number, options = rng.choice(_topics(split))
    noisy = Source(rng, split, noise=0.3)
    meaning = Meaning("app", number)
    return [Sentence(noisy.typed(expand(rng, rng.choice(options))), meaning) for _ in range(wordings)]
