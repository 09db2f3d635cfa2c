"""Finding models by words: best first, every word must fit somewhere, typing errors are forgiven."""

from collections.abc import Iterable
from functools import cached_property
from typing import Final, NamedTuple

from rapidfuzz import fuzz, process

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
BREAKS: Final = str.maketrans(dict.fromkeys("-_./,;:()!?\"'", " "))


class Entry(NamedTuple):
    """What can be found of one model, in lower case; in `labels` each stands between line ends."""

    name: str
    labels: str
    everything: str


def entry(name: str, labels: Iterable[str], description: str) -> Entry:
    """Prepare a model's name, its labels (tags, tasks, capabilities) and its description."""
    name, marks = name.lower(), "\n".join(("", *labels, "")).lower()
    return Entry(name, marks, name + marks + description.lower())


class Index:
    """Models by position, prepared for any number of searches."""

    def __init__(self, entries: list[Entry]) -> None:
        self._entries = entries

    def rank(self, query: str, positions: Iterable[int]) -> list[int]:
        """Those of `positions` that fit every word, best first; equals keep their order."""
        scores = dict.fromkeys(positions, 0.0)
        for word in query.lower().split():
            scores = self._narrow(scores, word) or self._narrow_parts(scores, word)
        return sorted(scores, key=lambda position: -scores[position])

    def _narrow(self, scores: dict[int, float], word: str) -> dict[int, float]:
        """What is left of `scores` with one word more."""
        entries = self._entries
        return {
            position: score + _worth(word, entries[position])
            for position, score in scores.items()
            if word in entries[position].everything
        }

    def _narrow_parts(self, scores: dict[int, float], word: str) -> dict[int, float]:
        """The same by each part of a word like `starter-detctor`, of which one may be mistyped."""
        parts = word.translate(BREAKS).split()
        for part in parts:
            scores = self._narrow(scores, part) or self._narrow_mistyped(scores, part)
        return scores if parts else {}

    def _narrow_mistyped(self, scores: dict[int, float], word: str) -> dict[int, float]:
        if len(word) < SHORTEST_TYPO:
            return {}
        meant = process.extract(word, self._words, scorer=fuzz.ratio, score_cutoff=LIKENESS, limit=3)
        found: dict[int, float] = {}
        for candidate, likeness, _ in meant:
            for position, score in self._narrow(scores, candidate).items():
                found[position] = max(found.get(position, 0.0), score * likeness / 100)
        return found

    @cached_property
    def _words(self) -> set[str]:
        text = "\n".join(entry.everything for entry in self._entries)
        return set(text.translate(BREAKS).split())


def _worth(word: str, found: Entry) -> int:
    if word == found.name:
        return EXACT_NAME
    if word in found.name:
        return NAME_WORD if word in found.name.translate(BREAKS).split() else NAME_PART
    if f"\n{word}\n" in found.labels:
        return LABEL
    return LABEL_PART if word in found.labels else DESCRIPTION
