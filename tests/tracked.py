"""Clips in which objects cross, what a detector would see of them, and how well tracks keep them apart."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from examples.train_starters.shapes_world.clips import Clip, clip
from examples.train_starters.shapes_world.scenes import Thing, overlap
from inference_chat.events import Box, Label

KINDS = ("left", "right", "up", "down", "bounce", "circle", "swap")
SECONDS, FPS = 10, 25


@dataclass(frozen=True)
class Truth:
    """An object in a frame: which, and where."""

    id: int
    label: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Score:
    """CLEAR MOT and HOTA of one clip, by `trackers.eval`, which follows TrackEval."""

    mota: float
    hota: float
    switches: int


def crossing(seed: int, pixels: int = 192) -> Clip:
    """Ten seconds in which objects meet: two change places, or three to four go their own ways."""
    rng = random.Random(seed)
    while True:
        motion = "swap" if seed % 2 else None
        film = clip(rng, pixels=pixels, frames=SECONDS * FPS, motion=motion, moving=2 + seed % 3, still=1)
        if all(motion.kind in (*KINDS, "still") for motion in film.motions):
            return film


def truth(film: Clip) -> list[list[Truth]]:
    """Every object of every frame, by the number of its name in the clip."""
    ids = {motion.thing.name: number for number, motion in enumerate(film.motions)}
    return [
        [Truth(ids[one.name], one.shape, one.box) for one in frame.scene.objects] for frame in film.frames
    ]


def detections(
    film: Clip, seed: int = 0, *, jitter: float = 0.03, missed: float = 0.05, ghosts: float = 0.02
) -> Iterator[tuple[Label, ...]]:
    """What a fair detector sees: shaky boxes, some objects missed, hidden ones too, a ghost now and then."""
    rng = random.Random(seed)
    for frame in film.frames:
        things = frame.scene.objects
        found = [
            _seen(rng, thing, jitter)
            for at, thing in enumerate(things)
            if rng.random() > missed
            and not any(overlap(thing.box, top.box) > 0.75 for top in things[at + 1 :])
        ]
        if rng.random() < ghosts:
            x, y = (rng.uniform(0, 0.8) * frame.scene.pixels for _ in range(2))
            found.append(Label(label="circle", score=0.55, box=Box(xmin=x, ymin=y, xmax=x + 20, ymax=y + 20)))
        yield tuple(found)


def _seen(rng: random.Random, thing: Thing, jitter: float) -> Label:
    left, top, right, bottom = (edge + rng.gauss(0, jitter * 2 * thing.radius) for edge in thing.box)
    box = Box(xmin=left, ymin=top, xmax=max(right, left + 1), ymax=max(bottom, top + 1))
    return Label(label=thing.shape, score=rng.uniform(0.6, 0.99), box=box)


def score(true: Sequence[Sequence[Truth]], found: Sequence[Sequence[Label]]) -> Score:
    """How well tracked labels (those with a `track`) follow the objects, frame by frame."""
    from trackers.eval.box import box_iou
    from trackers.eval.clear import compute_clear_metrics
    from trackers.eval.hota import compute_hota_metrics

    numbers = sorted({label.track for labels in found for label in labels if label.track is not None})
    place = {track: at for at, track in enumerate(numbers)}
    true_ids, found_ids, alike = [], [], []
    for here, labels in zip(true, found, strict=True):
        kept = [label for label in labels if label.track is not None and label.box is not None]
        boxes = np.array([[b.xmin, b.ymin, b.xmax, b.ymax] for one in kept if (b := one.box)]).reshape(-1, 4)
        true_ids.append(np.array([one.id for one in here], dtype=int))
        found_ids.append(np.array([place[one.track] for one in kept if one.track is not None], dtype=int))
        alike.append(box_iou(np.array([one.box for one in here]).reshape(-1, 4), boxes, box_format="xyxy"))
    clear = compute_clear_metrics(true_ids, found_ids, alike)
    return Score(
        mota=clear["MOTA"],
        hota=compute_hota_metrics(true_ids, found_ids, alike)["HOTA"],
        switches=clear["IDSW"],
    )
