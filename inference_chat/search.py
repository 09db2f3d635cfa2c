"""Finding models by words: best first, every word must fit somewhere, typing errors are forgiven."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# What a word is worth where it is found, from its best place to its worst.
EXACT_NAME: Final = 100
NAME_WORD: Final = 40
NAME_PART: Final = 20
LABEL: Final = 15
LABEL_PART: Final = 8
DESCRIPTION: Final = 3
# Below this likeness, in percent, another word is meant and not the same one mistyped.
LIKENESS: Final = 75
SHORTEST_TYPO: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be found of one model, in lower case, prepared once."""

    name: str
    labels: frozenset[str]
    everything: str


def entry(name: str, labels: Iterable[str], description: str) -> Entry:
    """Prepare a model's name, its labels (tags, tasks, capabilities) and its description."""
    name, marks = name.lower(), frozenset(label.lower() for label in labels)
    return Entry(name, marks, "\n".join((name, *marks, description.lower())))


def rank(query: str, entries: list[Entry]) -> list[int]:
    """Positions of the entries that fit, best first; equals keep their order."""
    scores = dict.fromkeys(range(len(entries)), 0.0)
    for word in query.lower().split():
        scores = _narrow(scores, entries, word) or _narrow_mistyped(scores, entries, word)
    return sorted(scores, key=lambda position: -scores[position])


def _narrow(scores: dict[int, float], entries: list[Entry], word: str) -> dict[int, float]:
    """What is left of `scores` with one word more."""
    return {
        position: score + _worth(word, entries[position])
        for position, score in scores.items()
        if word in entries[position].everything
    }


def _narrow_mistyped(scores: dict[int, float], entries: list[Entry], word: str) -> dict[int, float]:
    if len(word) < SHORTEST_TYPO:
        return {}
    from rapidfuzz import fuzz, process

    known = set(re.findall(r"\w+", "\n".join(entries[position].everything for position in scores)))
    meant = process.extract(word, known, scorer=fuzz.ratio, score_cutoff=LIKENESS, limit=3)
    found: dict[int, float] = {}
    for candidate, likeness, _ in meant:
        for position, score in _narrow(scores, entries, candidate).items():
            found[position] = max(found.get(position, 0.0), score * likeness / 100)
    return found


def _worth(word: str, found: Entry) -> int:
    if word == found.name:
        return EXACT_NAME
    if word in found.name:
        return NAME_WORD if word in re.split(r"[-_.]", found.name) else NAME_PART
    if word in found.labels:
        return LABEL
    return LABEL_PART if any(word in label for label in found.labels) else DESCRIPTION
