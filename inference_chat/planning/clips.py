"""Answers about clips and sounds: what is said, what moves which way, where the cuts are, and when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..events import Box, Span
from ..media.motion import Track, direction, timecode
from .book import Book
from .words import NOTHING, Thing, Vocabulary, listed, several

SAID = re.compile(
    r"\b(said|says?|saying|spoken|speaks?|speaking|talks?|talking|words?|hear|heard|sounds?|audio|transcri\w+)\b"
)
MOVES = re.compile(
    r"\b(mov\w+|goes|going(?! on)|direction|travels?|happens? to|(which )?way|motion|does the|do the"
    r"|leftwards?|rightwards?|upwards?|downwards?|stays?|still)\b"
)
CUTS = re.compile(r"\b(cuts?|scenes?|shots?|fades?)\b")
COUNTS = re.compile(r"\b(how many|count|number of)\b")
TOWARDS = re.compile(r"\b(left|right|up|down)(?:wards?)?\b")
KNOWN = {"cut", "cuts", "fade", "fades", "shot", "shots", "written", "transcript", "transcribe", "exactly"}


@dataclass(frozen=True)
class Heard:
    """What is said in a sound or clip, sentence by sentence."""

    medium: str
    text: str
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Watched:
    """What was found in a clip; None where nothing looked for it, or there is none."""

    medium: str
    tracks: tuple[Track, ...] | None = None
    cuts: tuple[Span, ...] | None = None
    motion: tuple[str, float] | None = None
    heard: Heard | None = None
    silent: bool = False
    """There is no sound in the file at all."""


@dataclass(frozen=True)
class ClipQuestion:
    """Which parts of what a clip holds are asked for; without any, all of them."""

    said: bool = False
    moves: bool = False
    cuts: bool = False
    count: bool = False
    way: str = ""
    thing: Thing = NOTHING

    @property
    def whole(self) -> bool:
        return not (self.said or self.moves or self.cuts or self.count)


def read_clip(text: str, vocabulary: Vocabulary, *, strict: bool = True) -> ClipQuestion | None:
    """What is asked about a clip; None where a word is not understood, or something else is asked."""
    kept = " ".join(word for word in text.split() if word.strip("?.,!").lower() not in KNOWN)
    tokens, sure = vocabulary.tokens(kept)
    if strict and not sure:
        return None
    said, things = " ".join(tokens), vocabulary.things(tokens)
    thing = next((one for one in things if one.words), things[0] if things else NOTHING)
    way = TOWARDS.search(said)
    asked = ClipQuestion(
        said=bool(SAID.search(said)),
        moves=bool(MOVES.search(said)),
        cuts=bool(CUTS.search(text.lower())),
        count=bool(COUNTS.search(said)),
        way=way[1] if way else "",
        thing=thing,
    )
    if asked.whole and thing.words and not asked.count:
        return None  # what something looks like is for those who see
    return asked


def about_clip(question: ClipQuestion, watched: Watched, book: Book) -> str:
    """What is known of a clip that the question asks for."""
    parts = []
    if question.moves or question.count or question.whole:
        parts.append(moves(question, watched, book))
    if question.cuts or (question.whole and watched.cuts):
        parts.append(cuts(watched, book))
    if question.said or question.whole:
        parts.append(said(watched, book))
    return " ".join(part for part in parts if part)


def said(watched: Watched, book: Book) -> str:
    """The words of a clip, each sentence with its moment."""
    if watched.silent:
        return "The clip has no sound."
    if watched.heard is None:
        return ""
    return words(watched.heard, book)


def words(heard: Heard, book: Book) -> str:
    """What is said, with its moments."""
    if not heard.text.strip():
        return "No words are to be heard."
    spans = heard.spans or (Span(start_s=0, end_s=0, text=heard.text.strip()),)
    quoted = [
        f"“{span.text.strip()}” "
        + book.cite("speech", heard.medium, span.text.strip(), start_s=span.start_s, end_s=span.end_s)
        for span in spans
    ]
    return f"What is said: {' '.join(quoted)}"


def moves(question: ClipQuestion, watched: Watched, book: Book) -> str:
    """Which objects go which way, and when."""
    if watched.tracks is None:
        return _motion(watched)
    labels = sorted({track.label for track in watched.tracks})
    tracks = [track for track in watched.tracks if question.thing.fits(track.label, labels)]
    if question.way:
        tracks = [track for track in tracks if question.way in direction(track)]
    if question.count:
        return _counted(question, tracks, watched, book)
    if not tracks:
        return _nothing(question, watched)
    return f"{_capital(listed([_moves(track, watched, book) for track in tracks]))}."


def _counted(question: ClipQuestion, tracks: Sequence[Track], watched: Watched, book: Book) -> str:
    if question.moves:
        tracks = [track for track in tracks if direction(track) != "none"]
    verb = "move" if question.moves else "appear"
    marks = "".join(_cited(track, watched, book) for track in tracks)
    counted = several(len(tracks), question.thing.name)
    return f"{counted} {verb}{'s' if len(tracks) == 1 else ''} {marks}".rstrip() + "."


def cuts(watched: Watched, book: Book) -> str:
    """Where one shot becomes the next."""
    if watched.cuts is None:
        return ""
    if not watched.cuts:
        return "There is no cut."
    told = []
    for kind in dict.fromkeys(cut.kind for cut in watched.cuts):
        mine = [cut for cut in watched.cuts if cut.kind == kind]
        moments = listed([f"{timecode(cut.start_s)} {_cut(cut, watched, book)}" for cut in mine])
        told.append(f"{'a ' + kind if len(mine) == 1 else several(len(mine), kind)} at {moments}")
    return f"There {'is' if told[0].startswith('a ') else 'are'} {listed(told)}."


def _cut(cut: Span, watched: Watched, book: Book) -> str:
    return book.cite("moment", watched.medium, cut.kind, start_s=cut.start_s, end_s=cut.end_s)


def _moves(track: Track, watched: Watched, book: Book) -> str:
    way = direction(track)
    how = "stays where it is" if way == "none" else f"moves {_towards(way)}"
    span = f"from {timecode(float(track.times[0]))} to {timecode(float(track.times[-1]))}"
    return f"the {track.label} {how} {span} {_cited(track, watched, book)}"


def _cited(track: Track, watched: Watched, book: Book) -> str:
    sides = [float(side) for side in track.boxes[0]]
    box = Box(xmin=sides[0], ymin=sides[1], xmax=sides[2], ymax=sides[3])
    start, end = round(float(track.times[0]), 3), round(float(track.times[-1]), 3)
    return book.cite("moment", watched.medium, track.label, box=box, start_s=start, end_s=end)


def _towards(way: str) -> str:
    down, _, across = way.rpartition("-")
    names = {"left": "to the left", "right": "to the right"}
    return " and ".join(names.get(one, one) for one in (down, across) if one)


def _motion(watched: Watched) -> str:
    """What a classifier of whole clips says, where no object was followed."""
    if watched.motion is None:
        return ""
    label, score = watched.motion
    return f"The clip looks like “{label}” ({score:.0%})."


def _nothing(question: ClipQuestion, watched: Watched) -> str:
    way = f" moves {_towards(question.way)}" if question.way else " was followed"
    if question.thing.words:
        return f"No {question.thing.name}{way}."
    return f"Nothing{way}." + (f" {_motion(watched)}" if watched.motion else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
