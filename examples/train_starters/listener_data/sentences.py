"""Sentences people say to the app: questions on pictures, small talk, sums, countries, what to draw."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

from examples.train_starters.chat_data.wording import expand, lines
from examples.train_starters.questions import (
    COLORS,
    SHAPES,
    Split,
    any_question,
    random_slots,
    spoken_direction,
    spoken_relation,
    with_article,
)

_COUNTRIES = """France|Germany|Italy|Spain|Portugal|Poland|Sweden|Norway|Denmark|Finland|Greece|Austria
Switzerland|Belgium|Ireland|Iceland|Hungary|Romania|Bulgaria|Ukraine|Russia|Turkey|Egypt|Morocco
Algeria|Nigeria|Kenya|Ghana|Ethiopia|Tanzania|South Africa|India|China|Japan|South Korea
Thailand|Vietnam|Indonesia|Malaysia|Pakistan|Iran|Iraq|Israel|Saudi Arabia|Canada|Mexico|Brazil
Argentina|Chile|Peru|Colombia|Cuba|Jamaica|Australia|New Zealand|the United States
the United Kingdom|the Netherlands"""
COUNTRIES = tuple(name for line in _COUNTRIES.splitlines() for name in line.split("|"))
NAMES = (
    "Anna", "Ben", "Carl", "Diana", "Emma", "Frank", "George", "Helen", "Jack", "Julia", "Kate", "Laura",
    "Linda", "Lucy", "Maria", "Mark", "Max", "Mike", "Nina", "Oliver", "Paul", "Peter", "Robin", "Sam",
    "Sarah", "Simon", "Susan", "Tom",
)  # fmt: skip
KINDS = ("shapes", "chat", "sums", "facts", "paint", "salad")
_WEIGHTS = (46, 14, 9, 11, 13, 7)
_VOCABULARY_FROM = 12_000
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELLINGS = {"colour": "color", "gray": "grey"}


@cache
def _phrases() -> dict[tuple[str, Split], tuple[str, ...]]:
    found: dict[tuple[str, Split], list[str]] = {}
    kind = ""
    for line in lines((Path(__file__).parent / "phrases.txt").read_text(encoding="utf-8")):
        if line.startswith("["):
            kind = line.strip("[]")
        else:
            found.setdefault((kind, "test" if line.startswith("*") else "train"), []).append(line.strip("* "))
    return {key: tuple(wordings) for key, wordings in found.items()}


def sentence(rng: random.Random, split: Split = "train", kind: str | None = None) -> str:
    """A sentence, spelt one way only, with a capital and its mark: sound tells no more."""
    kind = kind or rng.choices(KINDS, _WEIGHTS)[0]
    if kind == "salad":
        return " ".join(rng.choice(vocabulary()) for _ in range(rng.randint(1, 5)))
    text = any_question(rng, split) if kind == "shapes" else _phrase(rng, kind, split)
    for word, spelling in _SPELLINGS.items():
        text = text.replace(word, spelling)
    text = re.sub(r"\bi\b", "I", text)
    return text[:1].upper() + text[1:]


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of both sides: a listener may know a word and yet not the sentence that it comes in."""
    rng = random.Random("vocabulary")
    both: tuple[Split, Split] = ("train", "test")
    texts = (sentence(rng, both[at % 2], KINDS[at % (len(KINDS) - 1)]) for at in range(_VOCABULARY_FROM))
    return tuple(sorted({word for text in texts for word in re.findall(r"[\w']+", text.lower())}))


def _phrase(rng: random.Random, kind: str, split: Split) -> str:
    slots = dict(random_slots(rng))
    color, color2 = rng.sample(COLORS, 2)
    country, country2 = rng.sample(COUNTRIES, 2)
    slots |= {
        "a_thing": with_article(slots["thing"]),
        "a_other": with_article(slots["other"]),
        "relation": spoken_relation(rng, slots["relation"]),
        "direction": spoken_direction(rng, slots["direction"]),
        "shape": rng.choice(SHAPES),
        "color": color,
        "color2": color2,
        "country": country,
        "country2": country2,
        "name": rng.choice(NAMES),
        "n": str(_number(rng)),
        "m": str(_number(rng)),
    }
    wordings = _phrases()[kind, split]
    weights = [3 if "{" in wording else 1 for wording in wordings]
    return expand(rng, rng.choices(wordings, weights)[0]).format_map(slots)


def _number(rng: random.Random) -> int:
    return rng.choice((rng.randint(0, 20), rng.randint(0, 100), rng.randint(0, 100)))


def words(text: str) -> list[str]:
    """The words that count when errors are counted: lower case, without marks."""
    return re.findall(r"[a-z0-9']+", text.lower())


def letters(text: str) -> str:
    """The text as it sounds, letter by letter: lower case, no marks, numbers up to a hundred in words."""
    spoken = re.sub(r"\d+", lambda number: _in_words(int(number.group())), text.lower())
    return " ".join(re.findall(r"[a-z]+", spoken.replace("'", "")))


def _in_words(number: int) -> str:
    if number >= 100:
        return "one hundred"
    if number < len(_SMALL):
        return _SMALL[number]
    tens = _TENS[number // 10 - 2]
    return f"{tens} {_SMALL[number % 10]}" if number % 10 else tens


def word_errors(wanted: str, said: str) -> tuple[int, int]:
    """Substitutions, insertions and deletions (Levenshtein distance on words), and how many words were
    wanted."""
    left, right = words(wanted), words(said)
    row = list(range(len(right) + 1))
    for at, one in enumerate(left, 1):
        previous, row[0] = row[0], at
        for place, other in enumerate(right, 1):
            previous, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, previous + (one != other)),
            )
    return row[-1], len(left)
