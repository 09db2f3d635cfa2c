"""Answers about pictures from what a detector found in them, with the regions they rest on."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..events import Box
from .book import Book
from .questions import Question
from .words import COLORS, Thing, a, listed, plural, several, split

CLOSE = 0.02
"""Of the picture's side: places that differ by less are on one line."""
ORDER = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Seen:
    """One object that was found: its name, how sure that is, where it is in pixels, in which picture."""

    label: str
    score: float
    box: Box
    picture: int
    medium: str

    @property
    def area(self) -> float:
        return (self.box.xmax - self.box.xmin) * (self.box.ymax - self.box.ymin)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box.xmin + self.box.xmax) / 2, (self.box.ymin + self.box.ymax) / 2


@dataclass(frozen=True)
class Pictures:
    """What was found in the pictures of a question, their sizes in pixels, and the names a detector knows."""

    seen: tuple[Seen, ...]
    sizes: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]

    def of(self, thing: Thing) -> list[Seen]:
        """The objects that are meant, from left to right."""
        found = [one for one in self.seen if thing.fits(one.label, self.labels)]
        return sorted(found, key=lambda one: (one.picture, one.centre))


def answer(question: Question, pictures: Pictures, book: Book) -> str:
    """What a detector's findings say to a question; nothing is claimed beyond them."""
    match question.asks:
        case "count":
            return _count(question, pictures, book)
        case "exist" | "which":
            return _exist(question, pictures, book)
        case "color":
            return _color(question, pictures, book)
        case "extreme":
            return _extreme(question, pictures, book)
        case "size":
            return _told(
                question, pictures, book, lambda one: f"covers {_share(one, pictures)} of the picture"
            )
        case "where":
            return _told(question, pictures, book, lambda one: f"is {place(one, pictures)}")
        case "relation":
            return _relation(question, pictures, book)
        case "check":
            return _check(question, pictures, book)
        case "compare":
            return _compare(pictures, book)
        case "more":
            return _more(question, pictures, book)
        case "describe":
            return describe(pictures, book)


def describe(pictures: Pictures, book: Book) -> str:
    """Everything that was found, and where."""
    parts = []
    for number in range(len(pictures.sizes)):
        mine = [one for one in pictures.seen if one.picture == number]
        things = [f"{a(one.label)} {place(one, pictures)} {cite(one, book)}" for one in mine]
        which = f" in the {ORDER[number % len(ORDER)]} picture" if len(pictures.sizes) > 1 else ""
        if things:
            parts.append(f"I see {several(len(mine), 'object')}{which}: {listed(things)}.")
        else:
            parts.append(f"I recognise nothing{which or ' in the picture'}.")
    return " ".join(parts)


def cite(one: Seen, book: Book) -> str:
    return book.cite("region", one.medium, one.label, box=one.box, score=one.score)


def place(one: Seen, pictures: Pictures) -> str:
    """In which third of its picture something is, across and down."""
    width, height = pictures.sizes[one.picture]
    x, y = one.centre
    across = ("left", "", "right")[min(2, int(3 * x / max(1, width)))]
    down = ("upper", "", "lower")[min(2, int(3 * y / max(1, height)))]
    if across and down:
        return f"in the {down} {across}"
    if across:
        return f"on the {across}"
    return {"upper": "at the top", "lower": "at the bottom"}.get(down, "in the middle")


def _none(thing: Thing, pictures: Pictures) -> str:
    known = f" It knows {len(pictures.labels)} kinds of things." if not thing.words else ""
    return f"The detector found no {plural(thing.name)}.{known}"


def _count(question: Question, pictures: Pictures, book: Book) -> str:
    found, name = pictures.of(question.thing), question.thing.name
    if not found:
        return f"0: the detector found no {plural(name)}."
    verb = "is" if len(found) == 1 else "are"
    return f"There {verb} {several(len(found), name)} {_cited(found, book)}."


def _exist(question: Question, pictures: Pictures, book: Book) -> str:
    found = pictures.of(question.thing)
    if not found:
        return f"No, {_none(question.thing, pictures)[0].lower()}{_none(question.thing, pictures)[1:]}"
    names = listed([f"{a(one.label)} {place(one, pictures)} {cite(one, book)}" for one in found])
    return f"Yes, there is {names}." if question.asks == "exist" else f"It is {names}."


def _color(question: Question, pictures: Pictures, book: Book) -> str:
    found = pictures.of(question.thing)
    if not found:
        return _none(question.thing, pictures)
    told = []
    for one in found:
        colors = [word for word in split(one.label) if word in COLORS]
        told.append(f"{' '.join(colors) or 'of a colour the detector does not name'} {cite(one, book)}")
    if len(found) == 1:
        return f"The {question.thing.name} is {told[0]}."
    return f"The {several(len(found), question.thing.name)} are {listed(told)}."


def _extreme(question: Question, pictures: Pictures, book: Book) -> str:
    found = sorted(pictures.of(question.thing), key=lambda one: one.area)
    if not found:
        return _none(question.thing, pictures)
    one = found[0] if question.way == "smallest" else found[-1]
    share = _share(one, pictures)
    return f"The {question.way} is the {one.label} {cite(one, book)}: it covers {share} of the picture."


def _told(question: Question, pictures: Pictures, book: Book, say: Callable[[Seen], str]) -> str:
    found = pictures.of(question.thing)
    if not found:
        return _none(question.thing, pictures)
    if len(found) == 1:
        return f"The {found[0].label} {say(found[0])} {cite(found[0], book)}."
    which = [f"one {say(one)} {cite(one, book)}" for one in found]
    return f"There are {several(len(found), question.thing.name)}: {listed(which)}."


def _relation(question: Question, pictures: Pictures, book: Book) -> str:
    anchors = pictures.of(question.other)
    if not anchors:
        return _none(question.other, pictures)
    for anchor in anchors:
        others = [
            one for one in pictures.seen if one is not anchor and _is(one, question.way, anchor, pictures)
        ]
        others.sort(key=partial(_distance, anchor))
        if others:
            names = listed([f"{a(one.label)} {cite(one, book)}" for one in others])
            verb = "is" if len(others) == 1 else "are"
            return f"{_way(question.way)} the {anchor.label} {cite(anchor, book)} {verb} {names}."
    return f"Nothing is {_way(question.way).lower()} the {anchors[0].label} {cite(anchors[0], book)}."


def _check(question: Question, pictures: Pictures, book: Book) -> str:
    ones, anchors = pictures.of(question.thing), pictures.of(question.other)
    for thing, found in ((question.thing, ones), (question.other, anchors)):
        if not found:
            return f"No: {_none(thing, pictures)[0].lower()}{_none(thing, pictures)[1:]}"
    way = _way(question.way).lower()
    for one in ones:
        for anchor in anchors:
            if one is not anchor and _is(one, question.way, anchor, pictures):
                named = f"the {one.label} {cite(one, book)} is {way} the {anchor.label} {cite(anchor, book)}"
                return f"Yes, {named}."
    one, anchor = ones[0], anchors[0]
    return f"No, the {one.label} {cite(one, book)} is not {way} the {anchor.label} {cite(anchor, book)}."


def _compare(pictures: Pictures, book: Book) -> str:
    if len(pictures.sizes) < 2:
        return describe(pictures, book)
    counted = [Counter(one.label for one in pictures.seen if one.picture == at) for at in (0, 1)]
    shared = counted[0] & counted[1]
    parts = (
        [f"Both pictures show {listed([_some(n, label) for label, n in shared.items()])}."] if shared else []
    )
    for at, extra in enumerate((counted[0] - counted[1], counted[1] - counted[0])):
        if extra:
            names = [
                f"{_some(n, label)} {_cited(_last(pictures, label, at, n), book)}"
                for label, n in extra.items()
            ]
            parts.append(f"Only the {ORDER[at]} shows {listed(names)}.")
    if len(parts) == bool(shared):
        parts.append("The detector found no difference in what they show.")
    return " ".join(parts)


def _more(question: Question, pictures: Pictures, book: Book) -> str:
    found = [
        [one for one in pictures.of(question.thing) if one.picture == at] for at in range(len(pictures.sizes))
    ]
    numbers = [len(ones) for ones in found]
    told = listed(
        [f"{n} in the {ORDER[at]} {_cited(found[at], book)}".rstrip() for at, n in enumerate(numbers)]
    )
    best = min(numbers) if question.way == "fewer" else max(numbers)
    name = plural(question.thing.name)
    if numbers.count(best) > 1:
        return f"The pictures show as many {name}: {told}."
    return f"The {ORDER[numbers.index(best)]} picture shows {question.way} {name}: {told}."


def _some(number: int, label: str) -> str:
    return a(label) if number == 1 else several(number, label)


def _last(pictures: Pictures, label: str, picture: int, number: int) -> list[Seen]:
    return [one for one in pictures.seen if one.label == label and one.picture == picture][-number:]


def _cited(found: Sequence[Seen], book: Book) -> str:
    return "".join(cite(one, book) for one in found)


def _share(one: Seen, pictures: Pictures) -> str:
    width, height = pictures.sizes[one.picture]
    return f"{one.area / max(1, width * height):.0%}"


def _way(way: str) -> str:
    return {"left": "Left of", "right": "Right of", "near": "Next to"}.get(way, way.capitalize())


def _is(one: Seen, way: str, other: Seen, pictures: Pictures) -> bool:
    """Whether the middle of one object is on that side of the middle of another in the same picture."""
    if one.picture != other.picture:
        return False
    width, height = pictures.sizes[one.picture]
    dx, dy = one.centre[0] - other.centre[0], one.centre[1] - other.centre[1]
    if way == "near":
        return _distance(one, other) < 1.5 * math.sqrt(max(one.area, other.area))
    sides: dict[str, bool] = {
        "left": dx < -CLOSE * width,
        "right": dx > CLOSE * width,
        "above": dy < -CLOSE * height,
        "below": dy > CLOSE * height,
    }
    return sides[way]


def _distance(one: Seen, other: Seen) -> float:
    (x1, y1), (x2, y2) = one.centre, other.centre
    distance: float = ((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5
    return distance
