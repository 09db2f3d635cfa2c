"""Whole conversations: skills mixed as people mix them, with what was told early asked after late."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from examples.train_starters.chat_data import (
    app,
    care,
    facts,
    memory,
    numbers,
    refusal,
    shapes,
    small_talk,
    units,
    words,
)
from examples.train_starters.chat_data.turns import Dialogue, Skill, Turn
from examples.train_starters.chat_data.wording import Source, Split


def skills(data: Path) -> dict[str, list[tuple[Skill, float]]]:
    """Each skill's generators with their weights; memory is woven in by `conversation`."""
    return {
        "small talk": [(partial(small_talk.talk, data=data), 10)],
        "facts": [
            (partial(facts.talk, data=data), 6),
            (partial(facts.odd, data=data), 2.5),
            (partial(two_at_once, data=data), 0.3),
        ],
        "arithmetic": [
            (numbers.sums, 5),
            (numbers.single, 2.5),
            (numbers.stories, 1),
            (numbers.chains, 0.4),
            (numbers.too_large, 0.15),
        ],
        "words": [
            (words.letters, 3),
            (words.spelling, 0.6),
            (words.sorting, 2),
            (words.repeating, 1),
            (words.meaning, 1),
        ],
        "units": [(units.conversion, 0.9), (units.dates, 0.9), (units.common, 0.8), (units.rough, 0.3)],
        "app": [(app.talk, 9)],
        "shapes": [(shapes.world, 2.5)],
        "refusal": [(refusal.requests, 4.5), (care.despair, 0.5), (care.foreign, 0.6)],
    }


def conversation(source: Source, data: Path, length: int) -> Dialogue:
    """About `length` topics of any skill, with facts about the user told, asked after and corrected between them."""
    weighted = [pair for pairs in skills(data).values() for pair in pairs]
    generators, weights = [one for one, _ in weighted], [weight for _, weight in weighted]
    turns: list[Turn] = [small_talk.greeting(source)] if source.chance(0.22) else []
    keeper = _Keeper(source)
    for _ in range(length):
        if source.chance(0.2):
            turns += keeper.step()
        else:
            turns += source.rng.choices(generators, weights)[0](source)
        if source.chance(0.12):
            turns.append(small_talk.closing(source))
        elif source.chance(0.02):
            turns.append(refusal.puzzled(source))
        elif source.chance(0.025):
            turns.append(_looking_back(source, turns))
    turns += keeper.questions()
    return Dialogue(turns, small_talk.system_prompt(source))


def two_at_once(source: Source, data: Path) -> list[Turn]:
    """Two questions in one message, answered one after the other."""
    one_of: list[Skill] = [numbers.sums, units.conversion, words.meaning, numbers.single]
    country = facts.pick(source, data)
    about = facts.question(source, country, facts.field_of(source, country))
    pair = [about, source.choose(one_of)(source)[0]]
    if source.chance(0.4):
        other = facts.pick(source, data)
        pair[1] = facts.question(source, other, facts.field_of(source, other))
    source.rng.shuffle(pair)
    joint = source.choose([" and ", ", and ", ". ", " and also ", "? and ", "; "])
    user = pair[0].user.rstrip("?.! ") + joint + pair[1].user[:1].lower() + pair[1].user[1:]
    return [Turn(user, f"{pair[0].answer} {pair[1].answer}", "facts")]


class _Keeper:
    """What the user told in one conversation."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.facts: list[memory.Fact] = []

    def step(self) -> list[Turn]:
        """Something is told, asked after, put right, summed up, or asked without having been told."""
        source, kind = self.source, self.source.rng.random()
        if not self.facts and kind < 0.1:
            return memory.never_told(source, {"name", "age"} & {one.key for one in self.facts})
        if not self.facts and kind < 0.3:
            self.facts, turn = memory.two_told(source)
            return [turn]
        if not self.facts or kind < 0.4:
            return self._tell()
        if kind < 0.8:
            return [memory.asked(source, source.choose(self.facts))]
        if kind < 0.9:
            return self._correct()
        if kind < 0.95:
            return [memory.summary(source, self.facts)]
        return memory.never_told(source, {one.key for one in self.facts})[:1]

    def _tell(self) -> list[Turn]:
        one = memory.fact(self.source)
        if any(one.key == known.key for known in self.facts):
            return [memory.asked(self.source, one)] if one in self.facts else []
        self.facts.append(one)
        return [memory.told(self.source, one)]

    def _correct(self) -> list[Turn]:
        old = self.facts[-1] if self.source.chance(0.5) else self.source.choose(self.facts)
        if "{k}" not in "".join(old.correct) or old is self.facts[-1]:
            new, turn = memory.corrected(self.source, old)
            self.facts[self.facts.index(old)] = new
            return [turn, memory.asked(self.source, new)] if self.source.chance(0.5) else [turn]
        return [memory.asked(self.source, old)]

    def questions(self) -> list[Turn]:
        """At the end, some of what was told is asked after."""
        return [memory.asked(self.source, one) for one in self.facts if self.source.chance(0.5)]


_FIRST = ["what was my first message?", "what did i say first?", "what was the first thing i said?", "what did i ask first?",
          "my first message?", "what was my first question?", "how did i start this chat?", "repeat my first message"]  # fmt: skip
_LAST = ["what did i just say?", "what was my last message?", "what did i just ask?", "what was my last question?",
         "repeat what i said", "what did i say before?", "what was my previous message?"]  # fmt: skip


def _looking_back(source: Source, turns: list[Turn]) -> Turn:
    if not turns:
        return small_talk.greeting(source)
    first = source.chance(0.5)
    quoted = turns[0 if first else -1].user
    return Turn(source.say(_FIRST if first else _LAST), f'You said: "{quoted}"', "memory")


def sample(seed: str, data: Path, split: Split = "train") -> Dialogue:
    """The dialogue of this seed."""
    rng = random.Random(seed)
    source = Source(rng, split)
    source.persona = "friendly" if rng.random() < 0.55 else rng.choice(small_talk.PERSONAS)
    length = rng.choice([1, 1, 2, 2, 3, 4]) if rng.random() < 0.99 else rng.randrange(12, 20)
    dialogue = conversation(source, data, length)
    return dialogue if dialogue.turns else sample(seed + "+", data, split)


def one_skill(seed: str, data: Path, skill: str) -> Dialogue:
    """A short dialogue of one skill in wordings held out from training."""
    for attempt in range(1000):
        rng = random.Random(f"{seed}/{attempt}")
        source = Source(rng, "test", noise=0.5)
        source.persona = rng.choice(small_talk.PERSONAS) if skill == "small talk" else "friendly"
        if skill == "memory":
            keeper = _Keeper(source)
            turns = keeper._tell() + keeper.step() + small_talk.talk(source, data) + keeper.questions()
        else:
            weighted = skills(data)[skill]
            turns = rng.choices([one for one, _ in weighted], [weight for _, weight in weighted])[0](source)
        if source.unseen and turns:
            return Dialogue(turns, small_talk.system_prompt(source), unseen=True)
    raise ValueError(f"no held-out wording for {skill}")
