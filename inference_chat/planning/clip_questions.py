"""What is asked about a clip, as far as it can be answered from what was found in it."""

import re
from dataclasses import dataclass

from .words import COLORS, NOTHING, Thing, Vocabulary, split

SAID = re.compile(
    r"\b(said|says?|saying|spoken|speaks?|speaking|talks?|talking|words?|hear|heard|sounds?|audio|transcri\w+)\b"
)
POLITE = re.compile(
    r"\b((can|could|would|will) you (please )?(say|tell( me)?|see(?! (an?|any)\b))|i want to know"
    r"|(please )?(say|tell me)(?= (what|which|when|where|how|if|whether|the|who)\b))( (that|if|whether)\b)?"
)
MOVES = re.compile(
    r"\b(mov\w+|goes(?! on)|going(?! on)|direction|travels?|happens? (to|with) (the|an?)|(which )?way|motion"
    r"|(does|do) the(?! (clip|video|film|scene|\w+ scene)\b)|does$|does in"
    r"|leftwards?|rightwards?|upwards?|downwards?|stays?|still)\b"
)
CUTS = re.compile(r"\b(cuts?|scenes?|shots?|fades?)\b")
COUNTS = re.compile(r"\b(how many|count|number of)\b")
WHETHER = re.compile(
    r"^\W*(is|are|does|do|did|has|have|was)\b|\b(if|whether|would you say|true that|see that)\b|\bright\?*$"
)
THERE = re.compile(
    r"\b((is|are) there (an?|any)|contains?|(see|find|show|shows|have|has) (an?|any)\b|to be seen"
    r"|in the (clip|video)\?*$)"
)
EARLIER = re.compile(r"\b(first|earlier|before)\b")
COLOUR = re.compile(r"\b(what|which|the) colou?rs?\b")
SUMMARY = re.compile(
    r"\b(summar\w+|sum up|timecodes?|timestamps?|times?|scene by scene|happens? when|and when"
    r"|(what|which) order)\b"
)
PARTS = {
    "first": re.compile(r"\b(first|begin\w*|starts?)\b"),
    "last": re.compile(r"\b(last|then|next|after(wards?| that)?|ends?|second scene)\b"),
}
DOES = {
    "circles": r"\b(((go|goes|going|move|moves|moving) )?((a)?round )?in a circle|circling|round and round"
    r"|(go|goes|going) (a)?round)\b",
    "bounces": r"\b(bounc\w+|jump\w*|up and down)\b",
    "swaps": r"\b((swap|chang)\w* (their )?places?|swaps?)\b",
    "vanishes": r"\b(disappear\w*|vanish\w*|(go|goes|going) away|is gone)\b",
    "appears": r"\b(appear\w*|shows? up|comes? in)\b",
    "grows": r"\b(grow\w*|(get|gets|getting|become|becomes) (bigger|larger))\b",
    "shrinks": r"\b(shrink\w*|(get|gets|getting|become|becomes) smaller)\b",
    "left": r"\bleft(wards?)?\b",
    "right": r"\bright(wards?)?\b",
    "up": r"\b((mov|go|fly|climb|travel)\w* up(wards?)?|upwards?|rises?|rising)\b",
    "down": r"\b((mov|go|fl|com|climb|travel|fall)\w* down(wards?)?|downwards?|sinks?|falls?)\b",
    "still": r"\b(stays?|(stands? )?still|in place|(does|do) not move|motionless)\b",
}
"""What is asked whether something does it, in words; the first that is found counts."""
KNOWN = {"cut", "cuts", "fade", "fades", "shot", "shots", "written", "transcript", "transcribe", "exactly"}
KNOWN |= {"time", "times", "timecode", "timecodes", "timestamp", "timestamps", "moment", "moments", "order"}
KNOWN |= {
    "summarize",
    "summaries",
    "afterwards",
    "after",
    "before",
    "begins",
    "ends",
    "whether",
    "if",
    "true",
}
KNOWN |= {"want", "know", "made", "last", "come", "comes", "happened"}
"""Words of such questions that no label is ever taken for."""


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
