"""What a question about pictures asks for, read by its words: as much as a detector's findings can answer."""

import re
from dataclasses import dataclass
from typing import Literal

from .words import NOTHING, Thing, Vocabulary

Asks = Literal[
    "describe", "count", "exist", "color", "which", "size", "extreme", "where", "relation", "check",
    "compare", "more",
]  # fmt: skip

RELATION = re.compile(
    r"\b(?:(left|right)(?: hand)?(?: side)? of|(above|over)|(below|under|beneath|underneath)"
    r"|on top (of)|(next to|beside|near))\b"
)
WAYS = ("left", "right", "above", "below", "above", "near")
"""What the groups of `RELATION` mean, the first two by their word."""
COMPARES = re.compile(r"\b(compare|comparison|differ\w*|changed?|changes|same|both|between)\b")
DESCRIBES = re.compile(
    r"\b(describe|description|caption|list|sum|everything"
    r"|what (is|are) (in|on|this|that|there|here|shown|it|the (picture|image))"
    r"|what (do|can) you see|tell me about|what (does|do) .*(show|look|hold|contain)|what is to see|see)\b"
)


@dataclass(frozen=True)
class Question:
    """What is asked, and about which things; `way` is a relation, or which end of an order is meant."""

    asks: Asks
    thing: Thing = NOTHING
    other: Thing = NOTHING
    way: str = ""


def read(text: str, vocabulary: Vocabulary, pictures: int = 1, *, strict: bool = True) -> Question | None:
    """The question, where a detector's findings answer it; None where they do not, or where it is not clear.

    A strict reader understands every word; another leaves out those that it does not know.
    """
    tokens, sure = vocabulary.tokens(text)
    if strict and not sure:
        return None
    if not tokens:
        return Question("compare" if pictures > 1 else "describe")
    said, things = " ".join(tokens), vocabulary.things(tokens)
    if pictures > 1 and (found := _compared(said, things)):
        return found
    return _related(said, things) or _asked(said, things)


def _compared(said: str, things: list[Thing]) -> Question | None:
    if things and re.search(r"\b(more|most|fewer|less)\b", said):
        way = "fewer" if re.search(r"\b(fewer|less)\b", said) else "more"
        return Question("more", _main(things), way=way)
    return Question("compare") if COMPARES.search(said) else None


def _related(said: str, things: list[Thing]) -> Question | None:
    """Something beside something else: what is there, or whether that is so."""
    found = RELATION.search(said)
    if not found or re.search(r"\bhow many|count|number of\b", said):
        return None
    at = len(said[: found.start()].split())
    after = next((thing for thing in things if thing.start >= at and thing.words), None)
    if after is None:
        return None
    group = next(number for number, word in enumerate(found.groups()) if word)
    way = found[1] if group == 0 else WAYS[group + 1]
    before = next((thing for thing in things if thing.end <= at and thing.words), None)
    if before and not re.match(r"(what|which|name|tell|where)\b", said):
        return Question("check", before, after, way)
    return Question("relation", other=after, way=way)


def _asked(said: str, things: list[Thing]) -> Question | None:
    main = _main(things)
    if "background" in said or "behind" in said:
        return None
    if re.search(r"\b(how many|how much|count|number of|amount of)\b", said):
        return Question("count", main) if things else None
    if re.search(r"\bcolou?rs?\b", said):
        return Question("color", main) if main.words else None
    if found := re.search(r"\b(biggest|largest|smallest)\b", said):
        return Question("extreme", main, way="smallest" if found[1] == "smallest" else "largest")
    if re.search(
        r"\b(how (big|large|small|tall|wide)|sizes?|(big|large|small) or (big|large|small))\b", said
    ):
        return Question("size", main) if main.words else None
    if main.words and re.search(r"\b(where|whereabouts|position|part|corner|find|locate)\b", said):
        return Question("where", main)
    if main.words and re.match(r"(is|are|do|does|can|could|has|have|any|there is|there are)\b", said):
        return Question("exist", main)
    if main.words and (
        re.search(r"\b(what|which|name|show|shape|describe)\b", said) or main.end == len(said.split())
    ):
        return Question("which", main)
    if main.words:
        return None
    return Question("describe") if things or DESCRIBES.search(said) else None


def _main(things: list[Thing]) -> Thing:
    """The first thing that is named by more than a word for anything."""
    return next((thing for thing in things if thing.words), things[0] if things else NOTHING)
