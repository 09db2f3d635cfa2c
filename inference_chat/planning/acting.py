"""What objects of a clip do, in words: one by one, scene by scene, and as yes or no."""

from collections.abc import Sequence

from ..events import Box
from ..media.acts import Act, Span
from ..media.motion import timecode
from .book import Book
from .words import COLORS, Thing, listed, several, split

DOES = {
    "none": "stays where it is",
    "grows": "grows",
    "shrinks": "shrinks",
    "circles": "moves in a circle",
    "bounces": "bounces up and down",
    "sways": "moves to and fro",
}
ASKED = {
    "moves": "moves",
    "still": "stays where it is",
    "appears": "appears",
    "vanishes": "disappears",
    "swaps": "changes places",
    "there": "is there",
} | DOES
"""How it is said that something does what was asked for."""


def towards(way: str) -> str:
    """A way as people say it: down and to the left."""
    down, _, across = way.rpartition("-")
    names = {"left": "to the left", "right": "to the right"}
    return " and ".join(names.get(one, one) for one in (down, across) if one)


def asked(does: str) -> str:
    """What was asked for, as it is said of something."""
    return ASKED.get(does) or f"moves {towards(does)}"


def told(act: Act, medium: str, book: Book, *, timed: bool = True) -> str:
    """What one object does; `timed` says when, where its coming and going do not."""
    return f"the {act.track.label} {_does(act, timed)} {cited(act, medium, book)}"


def cited(act: Act, medium: str, book: Book) -> str:
    """The mark of the moments in which it does so."""
    sides = [float(side) for side in act.track.boxes[0]]
    box = Box(xmin=sides[0], ymin=sides[1], xmax=sides[2], ymax=sides[3])
    start, end = round(act.start_s, 3), round(act.end_s, 3)
    return book.cite("moment", medium, act.track.label, box=box, start_s=start, end_s=end)


def sentence(acts: Sequence[Act], medium: str, book: Book) -> str:
    """What several objects do, in one sentence."""
    return f"{capital(listed([told(act, medium, book) for act in _once(acts)]))}."


def by_scene(acts: Sequence[Act], scenes: Sequence[Span], medium: str, book: Book) -> str:
    """Scene by scene, each after its moments; those that do something come first."""
    lines = []
    for number, (start, end) in enumerate(scenes):
        mine = sorted(
            (act for act in _once(acts) if act.scene == number),
            key=lambda act: act.does == frozenset({"still"}),
        )
        happens = listed([told(act, medium, book, timed=False) for act in mine]) or "nothing is found"
        lines.append(f"{timecode(start)}–{timecode(end)}: {happens}.")
    return "\n".join(lines)


def verdict(thing: Thing, does: str, acts: Sequence[Act], medium: str, book: Book) -> str:
    """Whether a thing does something, and what it does."""
    fits = [act for act in acts if does in act.does or does == "there"]
    if fits:
        return f"Yes: {listed([told(act, medium, book) for act in fits])}."
    if not acts:
        return f"No: no {thing.name} was followed."
    return f"No: {listed([told(act, medium, book) for act in acts])}."


def earlier(acts: Sequence[Act], others: Sequence[Act], medium: str, book: Book) -> str:
    """Which of two comes first."""
    pair = sorted((acts[0], others[0]), key=lambda act: act.start_s)
    moments = " and ".join(
        f"the {act.track.label} comes at {timecode(act.start_s)} {cited(act, medium, book)}" for act in pair
    )
    if pair[0].start_s == pair[1].start_s:
        return f"Both at once: {moments}."
    return f"The {pair[0].track.label} comes first: {moments}."


def counted(acts: Sequence[Act], thing: Thing, verb: str, medium: str, book: Book) -> str:
    """How many there are, or how many do something."""
    objects = {(act.track.id, act.track.label): act for act in reversed(acts)}
    marks = "".join(cited(act, medium, book) for act in sorted(objects.values(), key=lambda one: one.start_s))
    number = len(objects)
    return f"{several(number, thing.name)} {verb}{'s' if number == 1 else ''} {marks}".rstrip() + "."


def coloured(acts: Sequence[Act], medium: str, book: Book) -> str:
    """Of which colour things are; empty where their names tell none."""
    told = [
        f"the {' '.join(word for word in split(act.track.label) if word != colour)} is {colour} "
        f"{cited(act, medium, book)}"
        for act in acts
        if (colour := next((word for word in split(act.track.label) if word in COLORS), ""))
    ]
    return f"{capital(listed(told))}." if told else ""


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def _once(acts: Sequence[Act]) -> list[Act]:
    """Without the second of two that change places: the first tells of both."""
    kept: list[Act] = []
    for act in acts:
        told_of = any(
            act.partner == one.track.label and one.partner == act.track.label and one.scene == act.scene
            for one in kept
        )
        if not (act.manner == "swaps" and told_of):
            kept.append(act)
    return kept


def _does(act: Act, timed: bool) -> str:
    how = _manner(act)
    start, end = timecode(act.start_s), timecode(act.end_s)
    if act.appears and act.vanishes:
        between = "" if act.manner == "none" else f", {how}"
        return f"appears at {start}{between} and disappears at {end}"
    if act.appears:
        return f"appears at {start}" + (f" and {how}" if act.manner != "none" else "")
    if act.vanishes:
        return (f"{how} and " if act.manner != "none" else "") + f"disappears at {end}"
    return f"{how} from {start} to {end}" if timed else how


def _manner(act: Act) -> str:
    if act.manner == "swaps":
        return f"changes places with the {act.partner}"
    return DOES.get(act.manner) or f"moves {towards(act.manner)}"
