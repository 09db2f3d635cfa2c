"""What is asked about clips of shapes, and an exact answer to each."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from examples.train_starters.chat_data.wording import expand
from examples.train_starters.questions import Split, plural, with_article
from examples.train_starters.shapes_world import Motion, World
from examples.train_starters.vision_talk import listed

from .clip_words import CLIP_KINDS, DOES, SAID
from .films import Film, moves

KINDS = tuple(CLIP_KINDS)
NOTHING = "nothing"


@dataclass(frozen=True)
class ClipTurn:
    """A question of one kind with the answer that is right."""

    kind: str
    question: str
    answer: str


@dataclass(frozen=True)
class ClipAsking:
    """Who asks: with which random numbers, in which wordings, about which world."""

    rng: random.Random
    split: Split
    world: World

    def ask(self, kind: str, **slots: str) -> str:
        """A question as people type it; slots that a wording lacks choose another wording."""
        if "thing" in slots:
            slots.setdefault("a_thing", with_article(slots["thing"]))
            *before, noun = slots["thing"].split()
            slots.setdefault("things", " ".join([*before, plural(noun)]))
        fitting = [
            wording
            for wording in CLIP_KINDS[kind].wordings(self.split)
            if set(re.findall(r"\{(\w+)\}", wording)) <= set(slots)
        ]
        text = expand(self.rng, self.rng.choice(fitting)).format_map(slots)
        if self.rng.random() < 0.3:
            text = text.rstrip("?.")
        return text

    def doing(self, kind: str) -> dict[str, str]:
        """The slots that say what a thing does."""
        does, do = self.rng.choice(SAID[kind])
        return {"does": does, "do": do}

    def thing(self) -> str:
        """The name of any thing of the world."""
        return f"{self.rng.choice(self.world.colours)} {self.rng.choice(self.world.shapes)}"


def done(film: Film, motion: Motion) -> str:
    """What a thing does, without naming it."""
    if motion.kind != "swap":
        return DOES[motion.kind]
    other = next(
        one
        for one in film.clip.motions
        if one.shot == motion.shot and one.kind == "swap" and one is not motion
    )
    return f"swaps places with the {other.thing.name}"


def told(film: Film, motions: Sequence[Motion]) -> str:
    """What several things do at once; of two that swap the first tells it."""
    swaps = [motion for motion in motions if motion.kind == "swap"]
    phrases = [
        f"the {motion.thing.name} {done(film, motion)}" for motion in motions if motion not in swaps[1:]
    ]
    return listed(phrases) if phrases else NOTHING


def _busy(film: Film, shot: int) -> list[Motion]:
    """Those things of a shot that do something, or all where none does."""
    motions = film.of_shot(shot)
    return [motion for motion in motions if motion.kind != "still"] or motions


def _lone(film: Film) -> list[Motion]:
    """The things that have their name for themselves."""
    often = Counter(motion.thing.name for motion in film.clip.motions)
    return [motion for motion in film.clip.motions if often[motion.thing.name] == 1]


def _called(asking: ClipAsking, film: Film, motion: Motion) -> str:
    """The thing's name, or its bare shape where no other has it."""
    thing = motion.thing
    lone = sum(other.thing.shape == thing.shape for other in film.clip.motions) == 1
    return thing.shape if lone and asking.rng.random() < 0.3 else thing.name


def _one(asking: ClipAsking, motions: Sequence[Motion]) -> Motion:
    """One of them, with every motion as likely as any other."""
    kind = asking.rng.choice(sorted({motion.kind for motion in motions}))
    return asking.rng.choice([motion for motion in motions if motion.kind == kind])


def _happens(asking: ClipAsking, film: Film) -> ClipTurn | None:
    scenes = [told(film, film.of_shot(shot)) for shot in range(film.shots)]
    answer = ("first " if film.shots > 1 else "") + ", then ".join(scenes)
    return ClipTurn("happens", asking.ask("happens"), answer)


def _summary(asking: ClipAsking, film: Film) -> ClipTurn | None:
    scenes = [
        f"{film.times[film.begins(shot)]} s: {told(film, film.of_shot(shot))}" for shot in range(film.shots)
    ]
    return ClipTurn("summary", asking.ask("summary"), "; ".join(scenes))


def _motion(asking: ClipAsking, film: Film) -> ClipTurn | None:
    if not (lone := _lone(film)):
        return None
    motion = _one(asking, lone)
    return ClipTurn(
        "motion", asking.ask("motion", thing=_called(asking, film, motion)), f"it {done(film, motion)}"
    )


def _doers(film: Film, kind: str) -> list[Motion] | None:
    """The things that do it, in order; None where it is a matter of taste."""
    motions = [motion for shot in range(film.shots) for motion in film.of_shot(shot)]
    if kind == "move":
        if any(not moves(motion.kind) and motion.kind != "still" for motion in motions):
            return None
        return [motion for motion in motions if moves(motion.kind)]
    return [motion for motion in motions if motion.kind == kind]


def _mover(asking: ClipAsking, film: Film) -> ClipTurn | None:
    kinds = sorted({motion.kind for motion in film.clip.motions} | {"move"})
    kind = asking.rng.choice(kinds if asking.rng.random() < 0.8 else sorted(SAID))
    doers = _doers(film, kind)
    if doers is None or len({motion.thing.name for motion in doers}) < len(doers):
        return None
    answer = listed([with_article(motion.thing.name) for motion in doers]) if doers else NOTHING
    return ClipTurn("mover", asking.ask("mover", **asking.doing(kind)), answer)


def _check(asking: ClipAsking, film: Film) -> ClipTurn | None:
    if not (lone := _lone(film)):
        return None
    motion, rng = _one(asking, lone), asking.rng
    same = {motion.kind} | ({"move"} if moves(motion.kind) else set())
    if rng.random() < 0.5:
        kind, answer = rng.choice(sorted(same)), "yes"
    else:
        others = {one.kind for one in film.clip.motions} if rng.random() < 0.4 else set(SAID)
        others -= same | ({"move"} if motion.kind in ("grow", "shrink", "appear", "vanish") else set())
        if not others:
            return None
        kind, answer = rng.choice(sorted(others)), "no"
    question = asking.ask("check", thing=_called(asking, film, motion), **asking.doing(kind))
    return ClipTurn("check", question, answer)


def _first(asking: ClipAsking, film: Film) -> ClipTurn | None:
    return ClipTurn("first", asking.ask("first"), told(film, _busy(film, 0)))


def _last(asking: ClipAsking, film: Film) -> ClipTurn | None:
    if film.shots == 1:
        return None
    return ClipTurn("last", asking.ask("last"), told(film, _busy(film, film.shots - 1)))


def _order(asking: ClipAsking, film: Film) -> ClipTurn | None:
    lone = _lone(film)
    early, late = ([one for one in lone if one.shot == shot] for shot in (0, film.shots - 1))
    if film.shots == 1 or not early or not late:
        return None
    one, other = asking.rng.choice(early).thing.name, asking.rng.choice(late).thing.name
    pair = asking.rng.sample((one, other), 2)
    return ClipTurn("order", asking.ask("order", thing=pair[0], other=pair[1]), f"the {one}")


def _movers(asking: ClipAsking, film: Film) -> ClipTurn | None:
    doers = _doers(film, "move")
    return None if doers is None else ClipTurn("movers", asking.ask("movers"), str(len(doers)))


def _count(asking: ClipAsking, film: Film) -> ClipTurn | None:
    things = [motion.thing for motion in film.clip.motions]
    if len(_lone(film)) < len(things):
        return None
    counts = Counter({"shapes": len(things)})
    counts.update(plural(thing.shape) for thing in things)
    counts.update(f"{thing.colour} shapes" for thing in things)
    phrase = "shapes" if asking.rng.random() < 0.5 else asking.rng.choice(sorted(counts))
    if asking.rng.random() < 0.15:
        colour, shape = asking.thing().split()
        phrase = asking.rng.choice((plural(shape), f"{colour} shapes"))
    said = phrase.replace("shapes", asking.rng.choice(("shapes", "things", "objects")))
    return ClipTurn("count", asking.ask("count", things=said), str(counts[phrase]))


def _scenes(asking: ClipAsking, film: Film) -> ClipTurn | None:
    return ClipTurn("scenes", asking.ask("scenes"), str(film.shots))


def _when(asking: ClipAsking, film: Film) -> ClipTurn | None:
    found = [motion for motion in _lone(film) if motion.kind in ("appear", "vanish")]
    if not found:
        return None
    motion = asking.rng.choice(found)
    there = [thing is not None for thing in film.seen(motion)]
    turn = there.index(motion.kind == "appear") + film.begins(motion.shot)
    question = asking.ask("when", thing=_called(asking, film, motion), **asking.doing(motion.kind))
    return ClipTurn("when", question, f"at {film.times[turn]} s")


def _cut(asking: ClipAsking, film: Film) -> ClipTurn | None:
    if film.shots == 1 and asking.rng.random() < 0.5:
        return None
    answer = f"at {film.times[film.begins(1)]} s" if film.shots > 1 else "never"
    return ClipTurn("cut", asking.ask("cut"), answer)


def _exist(asking: ClipAsking, film: Film) -> ClipTurn | None:
    things = [motion.thing for motion in film.clip.motions]
    names = sorted({thing.name for thing in things} | {thing.shape for thing in things})
    if asking.rng.random() < 0.5:
        return ClipTurn("exist", asking.ask("exist", thing=asking.rng.choice(names)), "yes")
    wanted, near = asking.thing().split(), asking.rng.choice(things)
    name = asking.rng.choice(
        (f"{near.colour} {wanted[1]}", f"{wanted[0]} {near.shape}", " ".join(wanted), wanted[1])
    )
    return None if name in names else ClipTurn("exist", asking.ask("exist", thing=name), "no")


def _color(asking: ClipAsking, film: Film) -> ClipTurn | None:
    motions = film.clip.motions
    shapes, kinds = Counter(one.thing.shape for one in motions), Counter(one.kind for one in motions)
    lone = [one for one in motions if shapes[one.thing.shape] == 1]
    doing = [one for one in motions if kinds[one.kind] == 1 and one.kind != "swap"]
    if doing and asking.rng.random() < 0.5:
        motion = asking.rng.choice(doing)
        return ClipTurn("color", asking.ask("color", **asking.doing(motion.kind)), motion.thing.colour)
    if not lone:
        return None
    motion = asking.rng.choice(lone)
    return ClipTurn("color", asking.ask("color", shape=motion.thing.shape), motion.thing.colour)


_MAKERS: dict[str, Callable[[ClipAsking, Film], ClipTurn | None]] = {
    "happens": _happens,
    "summary": _summary,
    "motion": _motion,
    "mover": _mover,
    "check": _check,
    "first": _first,
    "last": _last,
    "order": _order,
    "movers": _movers,
    "count": _count,
    "scenes": _scenes,
    "when": _when,
    "cut": _cut,
    "exist": _exist,
    "color": _color,
}


def about_film(asking: ClipAsking, film: Film, kinds: Iterable[str]) -> list[ClipTurn]:
    """Turns of these kinds about the clip; a kind that cannot be asked of it is left out."""
    return [turn for kind in kinds if (turn := _MAKERS[kind](asking, film)) is not None]
