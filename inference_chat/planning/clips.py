"""Answers about clips and sounds: what is said, what moves which way, where the cuts are, and when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..events import Span
from ..media.acts import Act, acts_of, scenes_of
from ..media.motion import Track, timecode
from .acting import asked, by_scene, coloured, counted, earlier, sentence, verdict
from .book import Book
from .words import COLORS, NOTHING, Thing, Vocabulary, listed, several, split

SAID = re.compile(
    r"\b(said|says?|saying|spoken|speaks?|speaking|talks?|talking|words?|hear|heard|sounds?|audio|transcri\w+)\b"
)
POLITE = re.compile(
    r"\b((can|could|would|will) you (please )?(say|tell( me)?|see)|i want to know|(please )?(say|tell me)"
    r"(?= (what|which|when|where|how|if|whether|the|who)\b))( (that|if|whether)\b)?"
)
MOVES = re.compile(
    r"\b(mov\w+|goes(?! on)|going(?! on)|direction|travels?|happens? (to|with)|(which )?way|motion"
    r"|(does|do) the(?! (clip|video|film|scene|\w+ scene)\b)|does$|does in"
    r"|leftwards?|rightwards?|upwards?|downwards?|stays?|still)\b"
)
CUTS = re.compile(r"\b(cuts?|scenes?|shots?|fades?)\b")
SCENES = re.compile(r"\b(scenes?|shots?)\b")
COUNTS = re.compile(r"\b(how many|count|number of)\b")
WHETHER = re.compile(
    r"^\W*(is|are|does|do|did|has|have|was)\b|\b(if|whether|would you say|true that|see that)\b|\bright\?*$"
)
THERE = re.compile(
    r"\b((is|are) there (an?|any)|contains?|(see|find|show|shows|have|has) (an?|any)\b|to be seen|in the (clip|video)\?*$)"
)
EARLIER = re.compile(r"\b(first|earlier|before)\b")
COLOUR = re.compile(r"\b(what|which|the) colou?rs?\b")
SUMMARY = re.compile(
    r"\b(summar\w+|sum up|timecodes?|timestamps?|times?|scene by scene|happens? when|and when|what order|which order)\b"
)
PARTS = {
    "first": re.compile(r"\b(first|begin\w*|starts?)\b"),
    "last": re.compile(r"\b(last|then|next|after(wards?| that)?|ends?|second scene)\b"),
}
DOES = {
    "circles": r"\b(in a circle|circling|round and round|(go|goes|going|move|moves|moving) (a)?round)\b",
    "bounces": r"\b(bounc\w+|jump\w*|up and down)\b",
    "swaps": r"\b((swap|chang)\w* (their )?places?|swaps?)\b",
    "vanishes": r"\b(disappear\w*|vanish\w*|(go|goes|going) away|is gone)\b",
    "appears": r"\b(appear\w*|shows? up|comes? in)\b",
    "grows": r"\b(grow\w*|(get|gets|getting|become|becomes) (bigger|larger))\b",
    "shrinks": r"\b(shrink\w*|(get|gets|getting|become|becomes) smaller)\b",
    "left": r"\bleft(wards?)?\b",
    "right": r"\bright(wards?)?\b",
    "up": r"\b(up(wards?)?|rises?|rising)\b",
    "down": r"\b(down(wards?)?|sinks?|falls?)\b",
    "still": r"\b(stays?|still|in place|stands?|(does|do) not move|motionless)\b",
}
"""What is asked whether something does it, in words; the first that is found counts."""
KNOWN = {"cut", "cuts", "fade", "fades", "shot", "shots", "written", "transcript", "transcribe", "exactly"}
KNOWN |= {
    "time",
    "times",
    "timecode",
    "timecodes",
    "timestamp",
    "timestamps",
    "summarize",
    "summaries",
    "order",
}
KNOWN |= {"afterwards", "after", "before", "whether", "if", "want", "know", "you", "begins", "ends", "made"}
KNOWN |= {"moment", "moments", "true"}


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
    seconds: float = 0.0
    """How long it is; 0 where nobody looked."""

    @property
    def scenes(self) -> tuple[tuple[float, float], ...]:
        """The scenes between the cuts, one where there is none."""
        last = max((float(track.times[-1]) for track in self.tracks or ()), default=0.0)
        return scenes_of([(cut.start_s, cut.end_s) for cut in self.cuts or ()], self.seconds or last)

    @property
    def acts(self) -> tuple[Act, ...]:
        """What every object that was followed does."""
        return acts_of(self.tracks or (), self.scenes)

    def in_scenes(self, acts: Sequence[Act]) -> tuple[Act, ...]:
        """The same objects, each scene for itself."""
        mine = {(act.track.id, act.track.label) for act in acts}
        every = acts_of(self.tracks or (), self.scenes, apart=True)
        return tuple(act for act in every if (act.track.id, act.track.label) in mine)


@dataclass(frozen=True)
class ClipQuestion:
    """Which parts of what a clip holds are asked for; without any, all of them.

    `does` is what something is asked to do, `part` the scene that is meant; `whether` wants a yes or no,
    `scenes` what happens in each, `than` the thing that another may come before, `colour` what it has.
    """

    said: bool = False
    moves: bool = False
    cuts: bool = False
    count: bool = False
    does: str = ""
    thing: Thing = NOTHING
    scenes: bool = False
    part: str = ""
    whether: bool = False
    than: Thing = NOTHING
    colour: bool = False

    @property
    def whole(self) -> bool:
        return not (self.said or self.moves or self.cuts or self.count)


def read_clip(text: str, vocabulary: Vocabulary, *, strict: bool = True) -> ClipQuestion | None:
    """What is asked about a clip; None where a word is not understood, or something else is asked."""
    plain = POLITE.sub(" ", text.lower())
    does, plain = _does(plain)
    kept = " ".join(word for word in plain.split() if word.strip("?.,!:;") not in KNOWN)
    tokens, sure = vocabulary.tokens(kept)
    if strict and not sure:
        return None
    said, things = " ".join(tokens), vocabulary.things(tokens)
    named = [one for one in things if one.words]
    thing = next(iter(named), things[0] if things else NOTHING)
    if named and not does and THERE.search(plain) and not (MOVES.search(said) or COUNTS.search(said)):
        does = "there"
    ordered = len(named) > 1 and " or " in f" {said} " and bool(EARLIER.search(plain))
    if len(named) > 1 and not ordered and does != "swaps" and strict:
        return None  # how one stands to another is for those who see
    part, colour = "" if ordered else _part(plain), bool(COLOUR.search(plain))
    if colour and (not (named or does) or "background" in plain):
        return None
    found = ClipQuestion(
        said=bool(SAID.search(said)),
        moves=bool(does or ordered or colour or MOVES.search(said)),
        cuts=bool(CUTS.search(plain)) and not _of_scene(plain),
        count=bool(COUNTS.search(said)),
        does=does or ("moves" if MOVES.search(said) and not named and not part else ""),
        thing=thing,
        scenes=bool(SUMMARY.search(plain)),
        part=part,
        whether=bool(does and named and (does == "there" or WHETHER.search(text.lower()))),
        than=named[1] if ordered else NOTHING,
        colour=colour,
    )
    if found.colour and not (COLORS & {word for label in vocabulary.labels for word in split(label)}):
        return None  # nothing here is known by its colour
    if found.whole and thing.words and not found.count:
        return None  # what something looks like is for those who see
    return found


def _does(text: str) -> tuple[str, str]:
    """What something is asked to do, and the text without its words."""
    for does, words in DOES.items():
        if found := re.search(words, text):
            return does, text.replace(found[0], "moves" if does != "still" else "stays", 1)
    return "", text


def _part(text: str) -> str:
    return next((part for part, words in PARTS.items() if words.search(text)), "")


def _of_scene(text: str) -> bool:
    """Whether what happens in one of the scenes is asked, not where they are."""
    return bool(_part(text) and not re.search(r"\b(when|time|moment|second does|where)\b", text))


def about_clip(question: ClipQuestion, watched: Watched, book: Book) -> str:
    """What is known of a clip that the question asks for."""
    parts = []
    of_scenes = question.count and question.cuts and not question.thing.words
    if (question.moves or question.count or question.whole) and not of_scenes:
        parts.append(moves(question, watched, book))
    if of_scenes and watched.cuts is not None:
        parts.append(f"{_scenes(len(watched.scenes))}.")
    if question.cuts or (question.whole and watched.cuts and not question.part and not question.scenes):
        parts.append(cuts(watched, book))
    if question.said or (question.whole and not (question.part or (question.scenes and watched.silent))):
        parts.append(said(watched, book))
    return " ".join(part for part in parts if part)


def _scenes(number: int) -> str:
    return f"There {'is' if number == 1 else 'are'} {several(number, 'scene')}"


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
    """Which objects do what, and when."""
    if watched.tracks is None:
        return _motion(watched)
    labels = sorted({track.label for track in watched.tracks})
    acts = [act for act in _of_part(question, watched) if question.thing.fits(act.track.label, labels)]
    if question.than.words:
        others = [act for act in watched.acts if question.than.fits(act.track.label, labels)]
        return earlier(acts, others, watched.medium, book) if acts and others else _nothing(question, watched)
    if question.whether:
        return verdict(question.thing, question.does, acts, watched.medium, book)
    if question.colour:
        doing = [act for act in acts if not question.does or question.does in act.does]
        return coloured(doing, watched.medium, book) or _nothing(question, watched)
    if question.does and not (question.thing.words and not question.count):
        acts = [act for act in acts if question.does in act.does]
    if question.count:
        verb = "appear" if not question.does else "move" if question.does == "moves" else "do"
        return counted(acts, question.thing, verb, watched.medium, book)
    if not acts:
        return _nothing(question, watched)
    if question.scenes or (question.whole and len(watched.scenes) > 1 and not question.part):
        return by_scene(watched.in_scenes(acts), watched.scenes, watched.medium, book)
    return sentence(acts, watched.medium, book)


def _of_part(question: ClipQuestion, watched: Watched) -> Sequence[Act]:
    """What happens in the part of the clip that is meant: of its first or last scene those who do something."""
    if not question.part or question.than.words:
        return watched.acts
    number = 0 if question.part == "first" else len(watched.scenes) - 1
    mine = [act for act in watched.acts if act.scene == number]
    return [act for act in mine if act.does != frozenset({"still"})] or mine


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


def _motion(watched: Watched) -> str:
    """What a classifier of whole clips says, where no object was followed."""
    if watched.motion is None:
        return ""
    label, score = watched.motion
    return f"The clip looks like “{label}” ({score:.0%})."


def _nothing(question: ClipQuestion, watched: Watched) -> str:
    does = f" {asked(question.does)}" if question.does else " was followed"
    if question.thing.words:
        return f"No {question.thing.name} was followed."
    return f"Nothing{does}." + (f" {_motion(watched)}" if watched.motion else "")
