"""Questions about clips as batches: what the eye says of their frames, who sees what, what teaches beside."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from examples.train_starters.clip_talk import ClipAsking, ClipTurn, about_film
from examples.train_starters.clip_words import DOES
from examples.train_starters.films import FRAMES, Film, film
from examples.train_starters.fitting import Batch
from examples.train_starters.scene_batches import COLOUR, SHAPE, SIDE, to_pixels
from examples.train_starters.shapes_world import Motion, World, stream
from examples.train_starters.vision_batches import SYSTEM, Encoder, places, seen
from examples.train_starters.vision_tower import GRID, cells_of

CELLS = GRID * GRID
KINDS = tuple(DOES)
# What a cell of the grid is, beside what a thing whose middle is there has done so far.
EMPTY, UNKNOWN = len(KINDS), -1
_LARGER = (64, 128, 192, 256)
# How often a kind is asked of a clip that many things are asked of, and what is asked once at most.
_OFTEN = {"motion": 5, "mover": 5, "check": 4, "color": 2, "exist": 2, "count": 3, "when": 2}
_ONCE = {
    "happens": 1.0, "summary": 0.8, "first": 0.7, "last": 0.9, "order": 0.6, "movers": 0.7, "scenes": 0.4, "cut": 0.6,
}  # fmt: skip
# Words that mean something in some question, so that none of them may stray into another.
_MEAN = (
    "first then last next left right up down move moves moving moved goes go going grow grows bigger larger smaller shrink "
    "shrinks appear appears disappear disappears vanish vanishes away bounce bounces jumps jump jumping bouncing "
    "around round stays stay still stand stands swap swaps places times time timecodes timestamps when scene scenes shot "
    "shots cut order begin end beginning start second after afterwards many number count how rises rise sinks sink not "
    "upwards downwards does do which what where is are second moment comes come shows show place change changes"
).split()  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A clip and what is asked about it, each question for itself, or one after another."""

    film: Film
    turns: tuple[ClipTurn, ...]
    apart: bool = True
    system: str = ""


def asked(rng: random.Random, film: Film, world: World, turns: int = 16) -> Asked:
    """Questions for training about one clip."""
    asking, apart = ClipAsking(rng, "train", world), rng.random() < 0.85
    once = [kind for kind, share in _ONCE.items() if rng.random() < share]
    often = rng.choices(tuple(_OFTEN), tuple(_OFTEN.values()), k=turns)
    mixed = [*once, *often]
    rng.shuffle(mixed)
    made = about_film(asking, film, mixed)
    system = rng.choice(SYSTEM) if rng.random() < 0.1 else ""
    return Asked(film, tuple(made[: turns if apart else rng.randint(2, 6)]), apart, system)


class FilmEncoder(Encoder):
    """Conversations about clips as token ids, exactly as the app and the chat template write them."""

    def __init__(self, known: PreTrainedTokenizerFast) -> None:
        super().__init__(known)
        mean = {at for word in _MEAN for at in self._ids(f" {word}")}
        self.strays = [at for at in self.strays if at not in mean]
        self.names |= mean

    def shown(self, film: Film) -> list[int]:
        """The frames, each after its time."""
        return [
            at for time in film.times for at in (*self._ids(f"Frame at {time} s:"), *[self.image] * CELLS)
        ]

    def encoded(
        self, one: Asked, noise: random.Random | None = None
    ) -> tuple[list[int], list[float], list[int]]:
        """As `Encoder.__call__`: ids, what each weighs in the loss, the turns' numbers."""
        ids: list[int] = []
        weights: list[float] = []
        apart: list[int] = []
        if one.system:
            ids += [self.roles["system"], *self._ids(one.system), self.end]
        for at, turn in enumerate(one.turns):
            if at == 0 or not one.apart:
                ids.append(self.roles["user"])
            if at == 0:
                ids += self.shown(one.film)
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
            apart += [at + 1 if one.apart else 0] * (len(ids) - len(apart))
        return ids, weights, apart

    def films(self, talks: Sequence[Asked], noise: random.Random | None = None) -> Batch:
        """Conversations side by side, filled up at their ends, without their pictures."""
        rows = [self.encoded(one, noise) for one in talks]
        longest = max(len(ids) for ids, _, _ in rows)
        apart = torch.tensor([turns + [-1] * (longest - len(turns)) for _, _, turns in rows])
        return {
            "ids": torch.tensor([ids + [self.pad] * (longest - len(ids)) for ids, _, _ in rows]),
            "weights": torch.tensor([weights + [0.0] * (longest - len(weights)) for _, weights, _ in rows]),
            "seen": seen(apart),
            "places": places(apart),
        }


def pixels_of(one: Film, rng: random.Random) -> torch.Tensor:
    """The frames as [FRAMES, 3, SIDE, SIDE]; now and then from another resolution."""
    side = SIDE if rng.random() < 0.7 else rng.choice(_LARGER)
    return to_pixels([picture.resize((SIDE, SIDE), 2) for picture in one.pictures(side)])


def truth(one: Film) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every cell of every frame, [FRAMES * CELLS]: what the thing there has done so far (KINDS, EMPTY or
    UNKNOWN); and [FRAMES * CELLS, 2] colour and shape of what has vanished there, else UNKNOWN."""
    does = torch.full((FRAMES, CELLS), EMPTY)
    gone = torch.full((FRAMES, CELLS, 2), UNKNOWN)
    for motion in one.clip.motions:
        start, looks = one.begins(motion.shot), one.seen(motion)
        last = None
        for at, thing in enumerate(looks):
            if thing is None and last is None:
                continue
            last = thing or last
            assert last is not None
            mine, *near = cells_of(last)
            does[start + at, near] = UNKNOWN
            does[start + at, mine] = _so_far(motion, looks[: at + 1])
            if thing is None:
                gone[start + at, mine] = torch.tensor([COLOUR[last.colour], SHAPE[last.shape]])
    return does.flatten(), gone.flatten(0, 1)


def _so_far(motion: Motion, looks: Sequence[object]) -> int:
    """What has been seen of a motion."""
    kind, number = motion.kind, len(looks)
    if kind == "vanish" and looks[-1] is not None:
        kind = "still"
    if kind == "still":
        return KINDS.index(kind) if number > 2 else UNKNOWN
    if kind in ("bounce", "circle", "swap") and number < 4:
        return UNKNOWN
    if number < 2 or (number < 3 and kind not in ("appear", "vanish")):
        return UNKNOWN
    return KINDS.index(kind)


def batches(
    encoder: FilmEncoder,
    look: Callable[[torch.Tensor], torch.Tensor],
    world: World,
    seed: int,
    at: int,
    size: int = 8,
    number: int = 12,
    rounds: int = 3,
) -> Iterator[Batch]:
    """The batches of the buffer with this number. `look` turns pixels into what the decoder reads of them;
    each clip is looked at once, and asked about in several rounds."""
    rng = stream("train", at, seed + 11)
    drawn = [film(rng, "train", world) for _ in range(size * number)]
    views = [look(pixels_of(one, rng)) for one in drawn]
    truths = [truth(one) for one in drawn]
    for _ in range(rounds):
        talks = [asked(rng, one, world) for one in drawn]
        order = sorted(range(len(drawn)), key=lambda which: _length(talks[which]))
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        rng.shuffle(groups)
        for group in groups:
            batch = encoder.films([talks[which] for which in group], rng)
            batch["views"] = torch.stack([views[which] for which in group])
            batch["does"] = torch.stack([truths[which][0] for which in group])
            batch["gone"] = torch.stack([truths[which][1] for which in group])
            yield batch


def frames_alone(
    encoder: FilmEncoder,
    look: Callable[[torch.Tensor], torch.Tensor],
    world: World,
    seed: int,
    at: int,
    size: int = 16,
    number: int = 12,
    rounds: int = 2,
) -> Iterator[Batch]:
    """The batches of the buffer with this number, for the lesson about motion: clips without questions."""
    rng = stream("train", at, seed + 12)
    drawn = [film(rng, "train", world) for _ in range(size * number)]
    rows = [([encoder.roles["user"], *encoder.shown(one)], look(pixels_of(one, rng)), *truth(one)) for one in drawn]
    for _ in range(rounds):
        # Clips whose times take as many tokens stand side by side, so that nothing is filled up.
        rng.shuffle(rows)
        rows.sort(key=lambda row: len(row[0]))
        groups = [rows[start : start + size] for start in range(0, len(rows), size)]
        rng.shuffle(groups)
        for group in groups:
            longest = max(len(row[0]) for row in group)
            yield {
                "ids": torch.tensor([row[0] + [encoder.pad] * (longest - len(row[0])) for row in group]),
                "views": torch.stack([row[1] for row in group]),
                "does": torch.stack([row[2] for row in group]),
                "gone": torch.stack([row[3] for row in group]),
            }


def _length(one: Asked) -> int:
    return sum(len(f"{turn.question}{turn.answer}") for turn in one.turns)
