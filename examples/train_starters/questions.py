"""What people ask about the world of shapes, typed or spoken; some wordings are held out of training whole.

A wording has (a|b) choices and {slots}, which `ask` fills. Whoever makes the picture knows the answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from examples.train_starters.chat_data.wording import expand, lines

Split = Literal["train", "test"]

SHAPES = ("circle", "square", "triangle", "star", "heart", "hexagon", "cross", "ring")
COLORS = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "white", "black", "grey")
RELATIONS = ("left of", "right of", "above", "below")
DIRECTIONS = ("left", "right", "up", "down")
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def plural(noun: str) -> str:
    """More than one of a shape: circles, crosses."""
    return noun + ("es" if noun.endswith(("s", "x")) else "s")


def with_article(thing: str) -> str:
    """The thing with `a` or `an`."""
    return f"{'an' if thing[:1] in 'aeiou' else 'a'} {thing}"


@dataclass(frozen=True)
class Kind:
    """One type of question: its wordings for training, those kept for the test, and the slots they have."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    pictures: int = 1
    video: bool = False

    def wordings(self, split: Split) -> tuple[str, ...]:
        """The wordings of one side."""
        return self.train if split == "train" else self.test


def _kind(train: str, test: str, pictures: int = 1, video: bool = False) -> Kind:
    return Kind(tuple(lines(train)), tuple(lines(test)), pictures, video)


_PIC = "(picture|image|scene)"
_COL = "(color|colour)"

# Slots: {thing} "red circle" or "circle", {a_thing} with its article, {things} the same in the plural ("red
# circles", "circles", "red shapes", "shapes"), {other} a second thing, {shape}, {color}, {relation} of
# RELATIONS (may be said "to the left of"), {direction} of DIRECTIONS ("to the left", "up").
KINDS: dict[str, Kind] = {
    "describe": _kind(
        f"""describe the {_PIC}.
        describe this {_PIC}.
        what is in the {_PIC}?
        what's in this {_PIC}?
        what do you see?
        what can you see in the {_PIC}?
        tell me what you see.
        tell me about this {_PIC}.
        what does the {_PIC} show?
        give me a description of the {_PIC}.
        what is shown here?
        list everything in the {_PIC}.
        caption this {_PIC}.
        what is this?
        which shapes are there?
        what shapes do you see?""",
        f"""can you describe what is in the {_PIC}?
        what is there to see here?
        say what you see in this {_PIC}.
        please describe it.
        which things are in the {_PIC}?""",
    ),
    "count": _kind(
        f"""how many {{things}} are there?
        how many {{things}} are in the {_PIC}?
        how many {{things}} do you see?
        how many {{things}} can you see?
        count the {{things}}.
        count all {{things}}.
        what is the number of {{things}}?
        how many {{things}}?
        tell me how many {{things}} there are.
        how many {{things}} does the {_PIC} have?
        give me the number of {{things}}.""",
        f"""can you count the {{things}}?
        how many {{things}} are shown here?
        what number of {{things}} is in the {_PIC}?""",
    ),
    "exist": _kind(
        f"""is there {{a_thing}}?
        is there {{a_thing}} in the {_PIC}?
        do you see {{a_thing}}?
        can you see {{a_thing}}?
        does the {_PIC} have {{a_thing}}?
        is {{a_thing}} in the {_PIC}?
        does the {_PIC} show {{a_thing}}?
        are there any {{things}}?
        do you see any {{things}}?
        is {{a_thing}} there?""",
        f"""does the {_PIC} contain {{a_thing}}?
        are any {{things}} to be seen?
        can you find {{a_thing}} here?""",
    ),
    "color": _kind(
        f"""what {_COL} is the {{shape}}?
        which {_COL} is the {{shape}}?
        what is the {_COL} of the {{shape}}?
        what's the {_COL} of the {{shape}}?
        tell me the {_COL} of the {{shape}}.
        which {_COL} does the {{shape}} have?
        the {{shape}} is what {_COL}?
        what {_COL} does the {{shape}} have?
        name the {_COL} of the {{shape}}.
        the {{shape}}'s {_COL}?""",
        f"""can you tell me what {_COL} the {{shape}} is?
        in which {_COL} is the {{shape}} drawn?
        say which {_COL} the {{shape}} has.""",
    ),
    "shape": _kind(
        """what shape is the {color} (thing|object|one)?
        which shape is {color}?
        what is the {color} (thing|object|shape)?
        what is {color}?
        what {color} shape is there?
        tell me the shape of the {color} (thing|object).
        what kind of shape is the {color} one?
        which object is {color}?
        the {color} (thing|object) is what shape?
        what shape does the {color} (thing|object) have?
        name the {color} shape.""",
        """can you tell me which shape is {color}?
        what shape do you see in {color}?
        the shape of the {color} one is what?""",
    ),
    "size": _kind(
        """how big is the {thing}?
        is the {thing} big or small?
        is the {thing} small or big?
        what size is the {thing}?
        what is the size of the {thing}?
        which size does the {thing} have?
        how large is the {thing}?
        tell me the size of the {thing}.
        what size does the {thing} have?
        is the {thing} large or small?""",
        """of what size is the {thing}?
        can you tell me how big the {thing} is?
        would you call the {thing} big or small?""",
    ),
    "biggest": _kind(
        f"""what is the (biggest|largest) (shape|thing|object)?
        which (shape|thing|object) is the (biggest|largest)?
        what is the (biggest|largest) (shape|thing) in the {_PIC}?
        name the (biggest|largest) (shape|object).
        which one is (biggest|largest)?
        the (biggest|largest) (thing|shape) is what?
        what do you see that is (biggest|largest)?""",
        """which of the shapes is the (biggest|largest)?
        tell me the (biggest|largest) thing you see.""",
    ),
    "where": _kind(
        f"""where is the {{thing}}?
        where's the {{thing}}?
        where is the {{thing}} in the {_PIC}?
        where do you see the {{thing}}?
        in which part of the {_PIC} is the {{thing}}?
        tell me where the {{thing}} is.
        where can i find the {{thing}}?
        what is the position of the {{thing}}?
        find the {{thing}}.
        in which corner is the {{thing}}?""",
        f"""whereabouts is the {{thing}}?
        can you tell me where the {{thing}} is?
        which part of the {_PIC} has the {{thing}}?""",
    ),
    "relation": _kind(
        f"""what is {{relation}} the {{thing}}?
        what's {{relation}} the {{thing}}?
        which shape is {{relation}} the {{thing}}?
        which (thing|object) is {{relation}} the {{thing}}?
        what do you see {{relation}} the {{thing}}?
        tell me what is {{relation}} the {{thing}}.
        what can be found {{relation}} the {{thing}}?
        {{relation}} the {{thing}} is what?
        what lies {{relation}} the {{thing}}?
        name the shape {{relation}} the {{thing}}.
        in the {_PIC}, what is {{relation}} the {{thing}}?""",
        """can you see what is {relation} the {thing}?
        what shape is there {relation} the {thing}?
        which one is {relation} the {thing}?""",
    ),
    "check": _kind(
        """is the {thing} {relation} the {other}?
        is there {a_thing} {relation} the {other}?
        do you see the {thing} {relation} the {other}?
        the {thing} is {relation} the {other}, right?
        is it true that the {thing} is {relation} the {other}?
        does the {thing} lie {relation} the {other}?
        is {a_thing} {relation} the {other}?""",
        """would you say the {thing} is {relation} the {other}?
        can you see {a_thing} {relation} the {other}?""",
    ),
    "background": _kind(
        f"""what {_COL} is the background?
        what is the {_COL} of the background?
        which {_COL} is the background?
        what is the background?
        what's the background {_COL}?
        tell me the background {_COL}.
        what does the background look like?
        what {_COL} is behind the shapes?
        describe the background.
        on what {_COL} are the shapes?
        name the {_COL} of the background.
        in what {_COL} is the background?
        background {_COL}?
        what {_COL} do you see behind (it all|everything|the shapes)?
        what is behind the shapes?
        say the {_COL} behind (everything|the things|the objects).
        give me the {_COL} of the back of the {_PIC}.
        what {_COL} has the {_PIC} around the shapes?
        how is the background painted?
        what is the (back|ground) of the {_PIC} like?
        on which {_COL} is everything drawn?""",
        f"""which {_COL} does the background have?
        what {_COL} is it in the back?
        the background is what {_COL}?""",
    ),
    "compare": _kind(
        """compare the two (pictures|images).
        compare these (pictures|images).
        what is the difference between the two (pictures|images)?
        what is different?
        what changed?
        what has changed between the (pictures|images)?
        what are the differences?
        how do the (pictures|images) differ?
        tell me what is different in the second (picture|image).
        spot the difference.
        how is the second (picture|image) different?
        (which|what) change do you see?
        find what is different.
        find the change between the (pictures|images).
        what makes the second (picture|image) different?
        tell the two (pictures|images) apart.
        what happened from the first to the second (picture|image)?""",
        """can you compare both (pictures|images)?
        what is not the same in the two (pictures|images)?
        which things differ between them?""",
        pictures=2,
    ),
    "compare_count": _kind(
        """which (picture|image) has more {things}?
        which (picture|image) shows more {things}?
        are there more {things} in the first or the second (picture|image)?
        where are more {things}, in the first or the second (picture|image)?
        in which (picture|image) are there more {things}?
        where do you see more {things}?
        which one has more {things}?
        which (picture|image) has the most {things}?
        of the two, which shows more {things}?""",
        """which of the two (pictures|images) has more {things}?
        does the first or the second (picture|image) have more {things}?""",
        pictures=2,
    ),
    "motion": _kind(
        """how does the {thing} move?
        which way does the {thing} (move|go)?
        what does the {thing} do?
        where does the {thing} (move|go)?
        in which direction does the {thing} move?
        what happens to the {thing}?
        tell me how the {thing} moves.
        how is the {thing} moving?
        which direction does the {thing} take?""",
        """can you tell how the {thing} moves?
        in what way is the {thing} moving?""",
        video=True,
    ),
    "mover": _kind(
        """what moves {direction}?
        which (shape|thing|object) moves {direction}?
        what is moving {direction}?
        what goes {direction}?
        tell me what moves {direction}.
        which one goes {direction}?""",
        """which of them moves {direction}?
        can you see what moves {direction}?""",
        video=True,
    ),
    "happens": _kind(
        """what happens?
        what happens in the (video|clip)?
        describe the (video|clip).
        what is going on in the (video|clip)?
        tell me what happens.
        what do you see in the (video|clip)?
        describe what happens.
        what is happening here?
        in what order do things happen?
        what happens first?""",
        """can you describe the (video|clip)?
        what is the (video|clip) about?
        sum up the (video|clip).""",
        video=True,
    ),
    "movers": _kind(
        """how many (things|shapes|objects) move?
        how many (things|shapes|objects) are moving?
        count the moving (things|shapes|objects).
        how many of them move?""",
        """what number of (things|shapes) is moving?""",
        video=True,
    ),
}


def spoken_relation(rng: random.Random, relation: str) -> str:
    """The relation as people say it: left of, to the left of."""
    if relation in ("left of", "right of") and rng.random() < 0.6:
        return f"to the {relation}" if rng.random() < 0.7 else f"on the {relation}"
    return relation


def spoken_direction(rng: random.Random, direction: str) -> str:
    """The direction as people say it."""
    if direction in ("left", "right"):
        return f"to the {direction}"
    return direction if rng.random() < 0.7 else f"{direction}wards"


def ask(rng: random.Random, kind: str, split: Split = "train", **slots: str) -> str:
    """A question of the kind with its slots filled; from `thing` follows `a_thing`, and phrases are varied.

    Raises KeyError where the wording has a slot that was not given.
    """
    filled: dict[str, str] = dict(slots)
    if "thing" in slots:
        filled.setdefault("a_thing", with_article(slots["thing"]))
        filled.setdefault("things", _plural_thing(slots["thing"]))
    if "relation" in slots:
        filled["relation"] = spoken_relation(rng, slots["relation"])
    if "direction" in slots:
        filled["direction"] = spoken_direction(rng, slots["direction"])
    return expand(rng, rng.choice(KINDS[kind].wordings(split))).format_map(filled)


def _plural_thing(thing: str) -> str:
    *before, noun = thing.split()
    return " ".join([*before, plural(noun)])


def random_slots(rng: random.Random) -> Mapping[str, str]:
    """Slots for a question about any picture, whatever is in it."""
    thing, other = (_thing(rng) for _ in range(2))
    counted = rng.choice((thing, rng.choice(SHAPES), f"{rng.choice(COLORS)} shape", "shape"))
    return {
        "thing": thing,
        "other": other,
        "things": _plural_thing(counted),
        "shape": rng.choice(SHAPES),
        "color": rng.choice(COLORS),
        "relation": rng.choice(RELATIONS),
        "direction": rng.choice(DIRECTIONS),
    }


def _thing(rng: random.Random) -> str:
    shape = rng.choice(SHAPES)
    return shape if rng.random() < 0.25 else f"{rng.choice(COLORS)} {shape}"


def any_question(rng: random.Random, split: Split = "train") -> str:
    """A question of any kind about a picture that need not exist: a listener only has to write it down."""
    return ask(rng, rng.choice(sorted(KINDS)), split, **random_slots(rng))
