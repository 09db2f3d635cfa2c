"""The words of a question, as far as they are those that a detector knows objects by."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files

LIKENESS = 0.7
"""How alike a misheard word must be to the one that was meant (Ratcliff and Obershelp's measure)."""
SHORTEST = 3
IRREGULAR = {"people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse"}
IRREGULAR |= {"geese": "goose", "sheep": "sheep", "feet": "foot", "teeth": "tooth"}

COLORS = {"red", "green", "blue", "yellow", "purple", "orange", "pink", "white", "black", "grey", "gray"}
COLORS |= {"brown", "cyan", "magenta", "gold", "silver"}
ANYTHING = frozenset({"shape", "thing", "object", "item", "one", "figure", "form", "something", "anything"})
"""Nouns that mean whatever there is."""
PLAIN = frozenset(files(__package__).joinpath("plain.txt").read_text("utf-8").split())
"""Words that a question is made of; they are never taken for misheard names."""


@dataclass(frozen=True)
class Thing:
    """What a question names: the words an object's label must hold, and where in the question they stand."""

    words: tuple[str, ...]
    start: int
    end: int
    noun: str = ""

    def fits(self, label: str, labels: Iterable[str]) -> bool:
        """Whether an object of this label is meant; a label that is named in full means no longer one."""
        mine = split(label)
        if any(sorted(split(other)) == sorted(self.words) for other in labels):
            return sorted(mine) == sorted(self.words)
        return set(self.words) <= set(mine)

    @property
    def name(self) -> str:
        noun = self.noun or ("thing" if self.words and self.words[-1] in COLORS else "")
        return " ".join([*self.words, noun]).strip() or "object"


NOTHING = Thing((), 0, 0)
"""Nothing in particular: it fits everything."""


class Vocabulary:
    """The labels of a detector, and questions in their words."""

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = tuple(dict.fromkeys(labels))
        self._words = {word for label in self.labels for word in split(label)} - PLAIN

    def tokens(self, question: str) -> tuple[list[str], bool]:
        """The words of a question, names as the labels have them; and whether all of them are known."""
        told = [self._known(word) for word in split(question.replace("'s ", " is "))]
        return [word for word, _ in told], all(sure for _, sure in told)

    def things(self, tokens: Sequence[str]) -> list[Thing]:
        """What is named, in order: words of labels that stand together, or a noun for anything."""
        found, start = [], 0
        while start < len(tokens):
            end = start
            while end < len(tokens) and (tokens[end] in self._words or tokens[end] in ANYTHING):
                end += 1
            if end > start:
                words = tuple(word for word in tokens[start:end] if word in self._words)
                noun = tokens[end - 1] if tokens[end - 1] in ANYTHING else ""
                found.append(Thing(words, start, end, noun if words else ""))
            start = max(end, start + 1)
        return found

    def _known(self, word: str) -> tuple[str, bool]:
        for form in forms(word):
            if form in self._words or form in ANYTHING:
                return form, True
        if word in PLAIN or word.isdigit():
            return word, True
        near = get_close_matches(
            word, sorted(self._words | {plural(one) for one in self._words}), 1, LIKENESS
        )
        if len(word) < SHORTEST or not near:
            return word, False
        return next((form for form in forms(near[0]) if form in self._words), near[0]), True


def split(text: str) -> list[str]:
    """The words of a text in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def forms(word: str) -> list[str]:
    """A word as it stands, and what it may be the plural of."""
    found = [word]
    if word in IRREGULAR:
        found.append(IRREGULAR[word])
    if word.endswith("ies"):
        found.append(word[:-3] + "y")
    if word.endswith("es"):
        found.append(word[:-2])
    if word.endswith("s"):
        found.append(word[:-1])
    return found


def plural(name: str) -> str:
    """More than one of something: red circles, crosses, people."""
    head, _, noun = name.rpartition(" ")
    many = next((more for more, one in IRREGULAR.items() if one == noun), None)
    if many is None and noun.endswith(("s", "x", "ch", "sh")):
        many = noun + "es"
    elif many is None and noun.endswith("y") and noun[-2:-1] not in "aeiou":
        many = noun[:-1] + "ies"
    return f"{head} {many or noun + 's'}".strip()


def a(name: str) -> str:
    """Something with `a` or `an`."""
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}"


def several(number: int, name: str) -> str:
    """So many of something: 1 red circle, 2 red circles."""
    return f"{number} {name if number == 1 else plural(name)}"


def listed(parts: Sequence[str]) -> str:
    """Parts as people list them: a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
