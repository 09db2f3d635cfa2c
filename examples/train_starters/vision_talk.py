"""What starter-vision-chat is asked about scenes, and the exact answers."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from examples.train_starters.questions import RELATIONS, Split, ask, plural, with_article
from examples.train_starters.scene_batches import SIDE
from examples.train_starters.shapes_world import COLOURS, COUNTS, Scene, Thing, World, overlap, place
from examples.train_starters.vision_tower import cell
from examples.train_starters.vision_wordings import wording

MARGIN = 0.10
# What people say before a question.
_BEFORE = (
    "please:", "please", "hey,", "ok,", "and", "so", "now", "look:", "well,", "i want to know:",
    "my question:", "could you say", "do you know", "please say", "i ask you", "next:", "then", "just",
    "let me know", "one more:",
)  # fmt: skip
_EDGE = 0.04
# How often a training question is in a wording that only this starter learns from.
_MORE = 0.5
# How often counting is practised on what there is most of, or on everything there is.
_HARD = 0.5
# What may change from a picture to the next, and how often in training: what is mistaken most comes often.
CHANGES = ("nothing", "gone", "new", "color", "shape")
PRACTISED = ("nothing", "gone", "new", "color", "color", "color", "shape", "shape", "shape")
ONE_PICTURE = (
    "describe", "count", "exist", "color", "shape", "size", "biggest", "where", "relation", "check",
    "background",
)  # fmt: skip
TWO_PICTURES = ("compare", "compare_count")


@dataclass(frozen=True)
class Turn:
    """A question of one kind with the answer that is right."""

    kind: str
    question: str
    answer: str

    def answered(self, text: str) -> bool:
        """Whether the text is the answer; a description may name the things in any order."""
        if self.kind != "describe":
            return text == self.answer
        return _named(text) == _named(self.answer)


def _named(description: str) -> tuple[list[str], str]:
    """The things of a description, sorted, and the background."""
    things, _, ground = description.rpartition(" on ")
    return sorted(re.split(", | and ", things)), ground


@dataclass(frozen=True)
class Asking:
    """Who asks: with which random numbers, in which wordings, about which world."""

    rng: random.Random
    split: Split
    world: World

    def ask(self, kind: str, **slots: str) -> str:
        """A question as people type it."""
        text = self._worded(kind, slots)
        if self.rng.random() < 0.3:
            text = text.rstrip("?.")
        if self.split == "train" and self.rng.random() < 0.3:
            text = f"{self.rng.choice(_BEFORE)} {text}"
        return text

    def _worded(self, kind: str, slots: dict[str, str]) -> str:
        more = self.split == "train" and self.rng.random() < _MORE
        text = wording(self.rng, kind, slots) if more else None
        return text or ask(self.rng, kind, self.split, **slots)

    def thing(self) -> str:
        """The name of any thing of the world."""
        return f"{self.rng.choice(self.world.colours)} {self.rng.choice(self.world.shapes)}"


def in_order(scene: Scene) -> list[Thing]:
    """The objects as one reads: by the grid's cells, row by row."""
    return sorted(scene.objects, key=lambda thing: cell(thing.x, thing.y))


def listed(phrases: Sequence[str]) -> str:
    """a, b and c."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def described(scene: Scene) -> str:
    """Everything in the scene, in the order of reading."""
    ground = with_article(scene.background.colour)
    things = [with_article(f"{thing.size} {thing.name}") for thing in in_order(scene)]
    return f"{listed(things) if things else 'nothing'} on {ground} background"


def only(scene: Scene, wanted: Callable[[Thing], str]) -> list[Thing]:
    """The objects that share this with no other."""
    often = Counter(map(wanted, scene.objects))
    return [thing for thing in scene.objects if often[wanted(thing)] == 1]


def place_of(thing: Thing) -> str | None:
    """In which ninth of the picture, or None near a border between two."""
    words = []
    for value, names in ((thing.y, ("top", "", "bottom")), (thing.x, ("left", "", "right"))):
        share = value / SIDE
        if min(abs(share - 1 / 3), abs(share - 2 / 3)) < _EDGE:
            return None
        words.append(names[int(share * 3)])
    return " ".join(word for word in words if word) or "center"


def relates(thing: Thing, relation: str, other: Thing) -> bool | None:
    """Whether `thing` is in this relation to `other`; None where it is a matter of taste."""
    along = (other.x - thing.x) if relation in ("left of", "right of") else (other.y - thing.y)
    along *= 1 if relation in ("left of", "above") else -1
    return None if abs(along) < MARGIN * SIDE else along > 0


def _called(asking: Asking, scene: Scene, thing: Thing) -> str:
    """The thing's name, or its bare shape where no other has it."""
    lone = sum(other.shape == thing.shape for other in scene.objects) == 1
    return thing.shape if lone and asking.rng.random() < 0.3 else thing.name


def _describe(asking: Asking, scene: Scene) -> Turn | None:
    return Turn("describe", asking.ask("describe"), described(scene))


def _count(asking: Asking, scene: Scene) -> Turn | None:
    things = scene.objects
    counts = Counter({"shapes": len(things)})
    counts.update(plural(thing.shape) for thing in things)
    counts.update(f"{thing.colour} shapes" for thing in things)
    counts.update(f"{thing.colour} {plural(thing.shape)}" for thing in things)
    for phrase in _absent(asking, scene):
        counts.setdefault(phrase, 0)
    numbers = sorted(set(counts.values()))
    number = asking.rng.choice(numbers if asking.rng.random() < 0.5 else numbers[1:] or numbers)
    if asking.split == "train" and asking.rng.random() < _HARD:
        number = asking.rng.choice((len(things), numbers[-1], numbers[-min(2, len(numbers))]))
    phrases = sorted(name for name, count in counts.items() if count == number)
    if asking.split == "train" and "shapes" in phrases and asking.rng.random() < _HARD:
        phrases = ["shapes"]
    phrase = asking.rng.choice(phrases)
    return Turn("count", asking.ask("count", things=_as_said(asking, phrase)), str(number))


def _as_said(asking: Asking, phrase: str) -> str:
    """Shapes of any kind are things and objects too."""
    return phrase.replace("shapes", asking.rng.choice(("shapes", "shapes", "things", "objects")))


def _absent(asking: Asking, scene: Scene) -> list[str]:
    """What may be missing from the scene, among it a thing of which it has the colour or the shape."""
    colour, shape = asking.thing().split()
    phrases = [plural(shape), f"{colour} shapes", f"{colour} {plural(shape)}"]
    if scene.objects:
        near = asking.rng.choice(scene.objects)
        phrases += [f"{near.colour} {plural(shape)}", f"{colour} {plural(near.shape)}"]
    return phrases


def _exist(asking: Asking, scene: Scene) -> Turn | None:
    names = {thing.name for thing in scene.objects} | {thing.shape for thing in scene.objects}
    if names and asking.rng.random() < 0.5:
        return Turn("exist", asking.ask("exist", thing=asking.rng.choice(sorted(names))), "yes")
    wanted = asking.thing()
    if scene.objects and asking.rng.random() < 0.6:
        near = asking.rng.choice(scene.objects)
        swap = asking.rng.random() < 0.5
        wanted = f"{near.colour} {wanted.split()[1]}" if swap else f"{wanted.split()[0]} {near.shape}"
    if wanted in names:
        return None
    return Turn("exist", asking.ask("exist", thing=wanted), "no")


def _color(asking: Asking, scene: Scene) -> Turn | None:
    if not (lone := only(scene, lambda thing: thing.shape)):
        return None
    thing = asking.rng.choice(lone)
    return Turn("color", asking.ask("color", shape=thing.shape), thing.colour)


def _shape(asking: Asking, scene: Scene) -> Turn | None:
    if not (lone := only(scene, lambda thing: thing.colour)):
        return None
    thing = asking.rng.choice(lone)
    return Turn("shape", asking.ask("shape", color=thing.colour), with_article(thing.shape))


def _size(asking: Asking, scene: Scene) -> Turn | None:
    if not (lone := only(scene, lambda thing: thing.name)):
        return None
    size = asking.rng.choice(sorted({thing.size for thing in lone}))
    thing = asking.rng.choice([thing for thing in lone if thing.size == size])
    return Turn("size", asking.ask("size", thing=_called(asking, scene, thing)), size)


def _biggest(asking: Asking, scene: Scene) -> Turn | None:
    if not scene.objects:
        return None
    if sum(thing.size == scene.main.size for thing in scene.objects) > 1:
        return None
    return Turn("biggest", asking.ask("biggest"), with_article(scene.main.name))


def _where(asking: Asking, scene: Scene) -> Turn | None:
    found = [(thing, spot) for thing in only(scene, lambda thing: thing.name) if (spot := place_of(thing))]
    if not found:
        return None
    thing, spot = asking.rng.choice(found)
    return Turn("where", asking.ask("where", thing=_called(asking, scene, thing)), spot)


def _relation(asking: Asking, scene: Scene) -> Turn | None:
    asked = []
    for thing in only(scene, lambda thing: thing.name):
        for relation in RELATIONS:
            stand = [relates(other, relation, thing) for other in scene.objects if other is not thing]
            if None not in stand and sum(map(bool, stand)) <= 1:
                asked.append((thing, relation, any(stand)))
    wanted = asking.rng.random() < 0.75
    asked = [one for one in asked if one[2] == wanted]
    if not asked:
        return None
    thing, relation, some = asking.rng.choice(asked)
    others = [other for other in scene.objects if other is not thing and relates(other, relation, thing)]
    answer = with_article(others[0].name) if some else "nothing"
    return Turn("relation", asking.ask("relation", relation=relation, thing=thing.name), answer)


def _check(asking: Asking, scene: Scene) -> Turn | None:
    lone = only(scene, lambda thing: thing.name)
    if len(lone) < 2:
        return None
    thing, other = asking.rng.sample(lone, 2)
    relation = asking.rng.choice(RELATIONS)
    stands = relates(thing, relation, other)
    if stands is None:
        return None
    question = asking.ask("check", thing=thing.name, other=other.name, relation=relation)
    return Turn("check", question, "yes" if stands else "no")


def _background(asking: Asking, scene: Scene) -> Turn | None:
    return Turn("background", asking.ask("background"), scene.background.colour)


_MAKERS: dict[str, Callable[[Asking, Scene], Turn | None]] = {
    "describe": _describe,
    "count": _count,
    "exist": _exist,
    "color": _color,
    "shape": _shape,
    "size": _size,
    "biggest": _biggest,
    "where": _where,
    "relation": _relation,
    "check": _check,
    "background": _background,
}


def one_picture(asking: Asking, scene: Scene, kinds: Iterable[str]) -> list[Turn]:
    """Turns of these kinds about the scene; a kind that cannot be asked of it is left out."""
    return [turn for kind in kinds if (turn := _MAKERS[kind](asking, scene)) is not None]


def changed(asking: Asking, scene: Scene, changes: Sequence[str] = CHANGES) -> tuple[Scene, str]:
    """The scene with one of these changes, and what changed."""
    rng, things = asking.rng, list(scene.objects)
    lone = only(scene, lambda thing: thing.name)
    kind = rng.choice(changes if lone else ("nothing", "new"))
    if kind == "new" and len(things) == COUNTS[-1]:
        kind = "gone" if lone else "nothing"
    if kind == "nothing":
        return scene, "nothing"
    if kind == "new":
        return _with_another(asking, scene)
    thing = rng.choice(lone)
    if kind == "gone":
        return replace(scene, objects=tuple(o for o in things if o is not thing)), f"the {thing.name} is gone"
    pairs = [pair for pair in asking.world.pairs("train") if pair[0] != scene.background.colour]
    if kind == "color":
        colour = rng.choice([c for c, shape in pairs if shape == thing.shape and c != thing.colour])
        other, told = replace(thing, colour=colour, rgb=COLOURS[colour]), f"the {thing.name} is now {colour}"
    else:
        shape = rng.choice([shape for c, shape in pairs if c == thing.colour and shape != thing.shape])
        other, told = replace(thing, shape=shape), f"the {thing.name} is now {with_article(shape)}"
    return replace(scene, objects=tuple(other if o is thing else o for o in things)), told


def _with_another(asking: Asking, scene: Scene) -> tuple[Scene, str]:
    rng, names = asking.rng, {thing.name for thing in scene.objects}
    pairs = [pair for pair in asking.world.pairs("train") if " ".join(pair) not in names]
    pairs = [pair for pair in pairs if pair[0] != scene.background.colour]
    new = place(rng, rng.choice(pairs), list(asking.world.sizes), SIDE, scene.objects, asking.world)
    if new is None or any(overlap(new.box, thing.box) > 0.5 for thing in scene.objects):
        return scene, "nothing"
    return replace(scene, objects=(*scene.objects, new)), f"{with_article(new.name)} is new"


def two_pictures(asking: Asking, first: Scene, second: Scene, told: str, kinds: Iterable[str]) -> list[Turn]:
    """Turns of these kinds about two scenes between which `told` has changed."""
    turns = []
    for kind in kinds:
        if kind == "compare":
            turns.append(Turn(kind, asking.ask(kind), told))
        elif turn := _compared(asking, first, second):
            turns.append(turn)
    return turns


def _compared(asking: Asking, first: Scene, second: Scene) -> Turn | None:
    phrases = ["shapes", *(plural(name) for name in asking.world.shapes)]
    phrases += [f"{colour} shapes" for colour in asking.world.colours]
    counts = {phrase: (_number(first, phrase), _number(second, phrase)) for phrase in phrases}
    answers = {phrase: _more(*pair) for phrase, pair in counts.items() if any(pair)}
    if not answers:
        return None
    answer = asking.rng.choice(sorted(set(answers.values())))
    phrase = asking.rng.choice(sorted(name for name, said in answers.items() if said == answer))
    return Turn("compare_count", asking.ask("compare_count", things=_as_said(asking, phrase)), answer)


def _number(scene: Scene, phrase: str) -> int:
    """How many objects the phrase speaks of."""
    *colour, noun = phrase.split()
    return sum(
        (not colour or thing.colour == colour[0]) and noun in ("shapes", plural(thing.shape))
        for thing in scene.objects
    )


def _more(first: int, second: int) -> str:
    return "both the same" if first == second else "the first" if first > second else "the second"
