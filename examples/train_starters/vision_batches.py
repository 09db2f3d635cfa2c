"""Conversations about pictures as batches: what is asked together, and who sees what of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from examples.train_starters.chat_tokenizer import END, PAD, token_id
from examples.train_starters.fitting import Batch
from examples.train_starters.questions import plural
from examples.train_starters.scene_batches import picture, to_pixels
from examples.train_starters.shapes_world import COLOURS, SHAPES, SIZES, Scene, World, stream
from examples.train_starters.vision_talk import (
    PRACTISED,
    Asking,
    Turn,
    changed,
    one_picture,
    two_pictures,
)
from examples.train_starters.vision_tower import GRID, draw

IMAGE = "<image>"
_PLACES = ("left", "right", "above", "below", "background", "color", "colour", "shape", "big")
SYSTEM = ("You are a helpful assistant.", "You are a friendly assistant.", "Answer shortly.", "Be precise.")


# How often a kind is asked of a picture that many things are asked of, and what is asked once at most.
_OFTEN = {"count": 7, "exist": 3, "color": 1, "shape": 1, "size": 1, "where": 2, "relation": 2, "check": 2}
_ONCE = {"describe": 0.6, "background": 0.3, "biggest": 0.4}
# Of how many things the pictures are: the more, the more is mistaken.
_COUNTS = (0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5)
# What two pictures are asked: what changed has one answer, so other pictures teach more than more questions.
_PAIR = ("compare", "compare", *("compare_count",) * 4)


@dataclass(frozen=True)
class Talk:
    """A conversation: a scene or two, then turns; `later` are the turns before the second picture comes.

    With `apart` each turn is a conversation of its own about the same pictures.
    """

    scenes: tuple[Scene, ...]
    turns: tuple[Turn, ...]
    later: int = 0
    system: str = ""
    apart: bool = False


def talk(rng: random.Random, world: World, turns: int = 20) -> Talk:
    """Questions for training: each alone or in a conversation, about one picture, one after another, or two
    side by side."""
    asking = Asking(rng, "train", world)
    first = draw(rng, "train", world, _COUNTS)
    system = rng.choice(SYSTEM) if rng.random() < 0.1 else ""
    fate = rng.random()
    if fate < 0.46:
        return Talk((first,), tuple(_asked(asking, first, turns)), 0, system, True)
    if fate < 0.55:
        return Talk((first,), tuple(_asked(asking, first, rng.randint(2, 8))), 0, system)
    if fate < 0.62:
        second = draw(rng, "train", world, _COUNTS)
        before = _asked(asking, first, 3)
        return Talk((first, second), (*before, *_asked(asking, second, 4)), len(before), system)
    second, told = changed(asking, first, PRACTISED)
    asked = two_pictures(asking, first, second, told, _PAIR)
    return Talk((first, second), tuple(asked), 0, system, True)


def _asked(asking: Asking, scene: Scene, turns: int) -> list[Turn]:
    often = asking.rng.choices(tuple(_OFTEN), tuple(_OFTEN.values()), k=turns)
    once = [kind for kind, share in _ONCE.items() if asking.rng.random() < share * turns / 12]
    mixed = [*once, *often][:turns]
    asking.rng.shuffle(mixed)
    return one_picture(asking, scene, mixed) or one_picture(asking, scene, ["describe"])


class Encoder:
    """Conversations as token ids, exactly as the chat template writes them."""

    def __init__(self, known: PreTrainedTokenizerFast) -> None:
        self.known = known
        self.end, self.pad, self.image = (token_id(known, token) for token in (END, PAD, IMAGE))
        self.roles = {role: token_id(known, f"<|{role}|>") for role in ("system", "user", "assistant")}
        names = [form for name in (*SHAPES, *COLOURS, *SIZES, *_PLACES) for form in (name, plural(name))]
        self.names = {at for name in names for at in (*self._ids(name), *self._ids(f" {name}"))}
        words = [
            at for piece, at in known.get_vocab().items() if piece.startswith("Ġ") and piece[1:].isalpha()
        ]
        self.strays = sorted(set(words) - self.names)

    def __call__(
        self, talk: Talk, noise: random.Random | None = None
    ) -> tuple[list[int], list[float], list[int]]:
        """Ids; what each weighs in the loss (of an answer of n tokens each n ** -0.5); the turns' numbers
        where they stand apart, 0 for what all of them see. With `noise` questions have stray words."""
        ids: list[int] = []
        weights: list[float] = []
        apart: list[int] = []
        if talk.system:
            ids += [self.roles["system"], *self._ids(talk.system), self.end]
        for at, turn in enumerate(talk.turns):
            pictures = [self.image] * (GRID * GRID * self._pictures(talk, at))
            if at == 0 or not talk.apart:
                ids += [self.roles["user"], *pictures]
            apart += [0] * (len(ids) - len(apart))
            question = self._ids(turn.question)
            ids += [
                *(self._strayed(question, noise) if noise else question),
                self.end,
                self.roles["assistant"],
            ]
            answer = [*self._ids(turn.answer), self.end]
            weights += [0.0] * (len(ids) - len(weights)) + [len(answer) ** -0.5] * len(answer)
            ids += answer
            apart += [at + 1 if talk.apart else 0] * (len(ids) - len(apart))
        return ids, weights, apart

    def _strayed(self, ids: list[int], noise: random.Random) -> list[int]:
        """The question with words among it that mean nothing, or in the place of one: so that words that no
        training question has do no harm later."""
        if noise.random() < 0.5:
            return ids
        for _ in range(noise.randint(1, 3)):
            at = noise.randrange(len(ids) + 1)
            ids = [*ids[:at], noise.choice(self.strays), *ids[at:]]
        at = noise.randrange(len(ids))
        if ids[at] not in self.names and noise.random() < 0.4:
            ids[at] = noise.choice(self.strays)
        return ids

    def _pictures(self, talk: Talk, at: int) -> int:
        if at == 0:
            return 1 if talk.later else len(talk.scenes)
        return int(at == talk.later)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.known.backend_tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def batch(self, talks: Sequence[Talk], rng: random.Random, noise: random.Random | None = None) -> Batch:
        """Conversations side by side, filled up at their ends, with all their pictures in order."""
        rows = [self(talk, noise) for talk in talks]
        longest = max(len(ids) for ids, _, _ in rows)
        apart = torch.tensor([turns + [-1] * (longest - len(turns)) for _, _, turns in rows])
        return {
            "ids": torch.tensor([ids + [self.pad] * (longest - len(ids)) for ids, _, _ in rows]),
            "weights": torch.tensor([weights + [0.0] * (longest - len(weights)) for _, weights, _ in rows]),
            "seen": seen(apart),
            "places": places(apart),
            "pixels": to_pixels([picture(scene, rng) for talk in talks for scene in talk.scenes]),
        }


def seen(apart: torch.Tensor) -> torch.Tensor:
    """Which tokens see which, [batch, 1, length, length], of the turns' numbers [batch, length]."""
    shared = (apart[:, None, :] == 0) | (apart[:, None, :] == apart[:, :, None])
    return shared.tril()[:, None]


def places(apart: torch.Tensor) -> torch.Tensor:
    """The tokens' positions: every turn that stands apart follows what all of them see."""
    at = torch.arange(apart.shape[1]).expand_as(apart)
    begins = torch.ones_like(apart, dtype=torch.bool)
    begins[:, 1:] = apart[:, 1:] != apart[:, :-1]
    start = torch.where(begins, at, 0).cummax(1).values
    common = (apart == 0).sum(1, keepdim=True)
    return torch.where(apart > 0, common + at - start, at)


def batches(
    encoder: Encoder, world: World, seed: int, at: int, size: int = 8, number: int = 30
) -> Iterator[Batch]:
    """The batches of the buffer with this number, like lengths together."""
    rng = stream("train", at, seed + 1)
    talks = [one for one in (talk(rng, world) for _ in range(size * number)) if one.turns]
    talks.sort(key=lambda one: (len(one.scenes), sum(len(f"{t.question}{t.answer}") for t in one.turns)))
    groups = [talks[start : start + size] for start in range(0, len(talks), size)]
    rng.shuffle(groups)
    for group in groups:
        yield encoder.batch(group, rng, rng)
