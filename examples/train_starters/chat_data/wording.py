"""Where every wording comes from: seeded choice, held-out wordings, small grammars and the noise of real typing."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

Split = Literal["train", "test"]
T = TypeVar("T")

_HELD_OUT_EVERY = 10
_FEWEST_TO_SPLIT = 6
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)")
_SLOT = re.compile(r"(\{\w+\})")

OPENERS = """hey|hi|hello|um|umm|so|ok|okay|well|please|pls|yo|btw|also|now|right|alright|hm|hmm|hey bot|excuse me|sorry
quick question|another question|next question|one more|just curious|i was wondering|question|ok so|ok next|cool|great|nice
ok now|and now|good|oh|ah|uh|thanks|hey there|tell me|listen|actually|no|yes|let me ask you something|got it|fine
interesting|ok cool|i see|haha ok|lol|dude|anyway|moving on|here is one|try this|last one|for fun|be honest"""
_OPENERS = [part for line in OPENERS.splitlines() for part in line.split("|")]
_CLOSERS = [
    " please", " pls", " thanks", " thank you", " lol", " :)", "..", " mate", " for me", " then", " if you can",
    " plz", ", please", ", thanks", " again", " btw", " now", " 🙂", " haha", " my friend",
]  # fmt: skip
_SLANG = {
    "you": "u", "are": "r", "your": "ur", "please": "pls", "what": "wat", "tell": "tel", "people": "ppl",
    "because": "cuz", "the": "teh", "though": "tho", "favourite": "fav", "and": "n", "with": "w", "okay": "k",
    "really": "rly", "know": "kno", "want to": "wanna", "going to": "gonna", "capital": "captial",
    "population": "popluation", "remember": "remeber", "language": "langauge", "favorite": "fave",
}  # fmt: skip
_ASKING = [
    part
    for line in """can you tell me|could you tell me|tell me|please tell me|do you know|i want to know|i'd like to know|i wonder
i need to know|any idea|can you please tell me|may i ask|can i ask|could you please say|would you know|help me out|my question is
just tell me|i have to know|my kid asks|a friend asks me|do you happen to know|maybe you know|here is my question|you know""".splitlines()
    for part in line.split("|")
]
_VARIED = [
    (re.compile(rf"\b{plain}\b"), others.split("|"))
    for plain, others in {
        "what is": "what's|whats|what is", "what's": "what is|whats|what's", "can you": "could you|can u|would you|will you",
        "tell me": "say|give me|tell me|let me know", "i am": "i'm|im|i am", "i'm": "i am|im|i'm", "do not": "don't|dont",
        "don't": "do not|dont", "how do i": "how can i|how to|how do i", "do you know": "do you know|you know|know",
        "who is": "who's|whos|who is", "please": "pls|please|kindly", "i would like": "i'd like|i want", "are you": "are you|r u|are u",
        "there are": "there are|we have", "which": "which|what", "the word": "the word|word", "want to": "want to|wanna|would like to",
        "and": "and|&|also|and", "cannot": "can't|cant", "it is": "it's|its|it is", "thank you": "thanks|thank you|thx",
    }.items()
]  # fmt: skip


def lines(written: str) -> list[str]:
    """The non-empty lines of a block of text."""
    return [line.strip() for line in written.splitlines() if line.strip()]


def parts(written: str) -> list[str]:
    """The items of a block of text, split at line ends and at semicolons."""
    return [item.strip() for line in written.splitlines() for item in line.split(";") if item.strip()]


def text(name: str) -> str:
    """The file of wordings with this name."""
    return (Path(__file__).parent / "wordings" / f"{name}.txt").read_text(encoding="utf-8")


def sections(name: str) -> dict[str, list[str]]:
    """The wordings of a file, by the [headings] above them."""
    found: dict[str, list[str]] = {}
    for line in lines(text(name)):
        if line.startswith("["):
            found[line.strip("[]")] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def held_out(wording: str) -> bool:
    """Whether a wording is kept for the test; depends on its text alone, so it never changes sides."""
    return zlib.crc32(wording.encode()) % _HELD_OUT_EVERY == 0


def normalised(text: str) -> str:
    """A user turn reduced to its lower-case words, to compare turns whatever their punctuation."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


@dataclass
class Source:
    """Seeded randomness that sees only the wordings of one side of the split."""

    rng: random.Random
    split: Split = "train"
    persona: str = "friendly"
    noise: float = 1.0
    unseen: bool = field(default=False, init=False)

    def choose(self, items: Sequence[T]) -> T:
        """Any item; not split."""
        return items[int(self.rng.random() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.rng.random() < probability

    def wording(self, options: Sequence[str]) -> str:
        """A wording of this side of the split, its (a|b) choices not yet made."""
        if len(options) < _FEWEST_TO_SPLIT:
            return self.choose(options)
        for _ in range(200):
            option = self.choose(options)
            if held_out(option) == (self.split == "test"):
                self.unseen |= self.split == "test"
                return option
        return self.choose([option for option in options if not held_out(option)])

    def say(self, options: Sequence[str], /, **slots: object) -> str:
        """What a user types: a wording with its choices made, roughened as real typing is, then its slots filled."""
        return self.typed(expand(self.rng, self.wording(options)), **slots)

    def typed(self, template: str, /, **slots: object) -> str:
        """The template roughened and filled; slot values are never misspelt, as answers must repeat them."""
        lower = self.chance(0.45 * self.noise)
        pieces = _SLOT.split(self._dressed(self._varied(template)))
        pieces = [piece if _SLOT.fullmatch(piece) else self._roughened(piece) for piece in pieces]
        text = "".join(
            str(slots[piece[1:-1]]) if _SLOT.fullmatch(piece) and piece[1:-1] in slots else piece
            for piece in pieces
        )
        if not lower and self.chance(0.85):
            text = text[:1].upper() + text[1:]
        if lower and self.chance(0.8):
            text = _lowered(text)
        return text if not self.chance(0.015 * self.noise) else text.replace("?", "??").replace("!", "!!")

    def _varied(self, text: str) -> str:
        """Common words said otherwise, as others would."""
        for pattern, others in _VARIED:
            if pattern.search(text) and self.chance(0.2 * self.noise):
                text = pattern.sub(self.choose(others), text, count=1)
        return text

    def _dressed(self, text: str) -> str:
        if text.endswith("?") and self.chance(0.07 * self.noise):
            text = self.choose(_ASKING) + self.choose([" ", ", ", ": ", " "]) + text
        if self.chance(0.16 * self.noise):
            opener = self.choose(_OPENERS)
            text = opener + self.choose([" ", ", ", ", ", ": ", "... ", ". "]) + text
        if text.endswith("?") and self.chance(0.45 * self.noise):
            text = text[:-1]
        if text.endswith((".", "!")) and self.chance(0.6 * self.noise):
            text = text[:-1]
        if self.chance(0.06 * self.noise):
            mark = text[-1] if text[-1:] in "?.!" else ""
            text = text[: len(text) - len(mark)] + self.choose(_CLOSERS) + mark
        return text

    def _roughened(self, text: str) -> str:
        if "'" in text and self.chance(0.35 * self.noise):
            text = text.replace("'", "")
        if self.chance(0.06 * self.noise):
            text = self._slang(text)
        if self.chance(0.07 * self.noise):
            text = self._typo(text)
        return text

    def _slang(self, text: str) -> str:
        for plain, short in self.rng.sample(sorted(_SLANG.items()), 6):
            text = re.sub(rf"\b{plain}\b", short, text)
        return text

    def _typo(self, text: str) -> str:
        words = list(re.finditer(r"[a-z]{4,}", text))
        if not words:
            return text
        at = self.choose(words).start() + self.rng.randrange(1, 3)
        kind = self.rng.randrange(3)
        if kind == 0:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text[:at] + text[at + 1 :] if kind == 1 else text[:at] + text[at] + text[at:]


def _lowered(text: str) -> str:
    """Lower case outside quotation marks, where case is what the user wants kept."""
    return '"'.join(piece if at % 2 else piece.lower() for at, piece in enumerate(text.split('"')))


def expand(rng: random.Random, template: str) -> str:
    """The template with every (a|b|c) replaced by one of its alternatives, innermost first."""
    while match := _CHOICE.search(template):
        options = match.group(1).split("|")
        template = (
            template[: match.start()] + options[int(rng.random() * len(options))] + template[match.end() :]
        )
    return re.sub(r" {2,}", " ", template).strip()
