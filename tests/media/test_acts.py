"""What objects of a clip do is told from their tracks alone."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from inference_chat.events import Box, Label, Labels
from inference_chat.media.acts import Act, acts_of, manner, named_by_scene, scenes_of
from inference_chat.media.motion import Track

Path = Callable[[float], tuple[float, float]]


def track(path: Path, *, name: str = "ball", side: Callable[[float], float] = lambda s: 20, **when) -> Track:
    """An object seen ten times a second from `start` to `end`."""
    times = np.arange(when.get("start", 0.0), when.get("end", 4.0), 0.1)
    rng = np.random.default_rng(1)
    places = np.array([path(s) for s in times]) + rng.normal(0, when.get("shake", 0.3), (len(times), 2))
    half = np.array([side(s) / 2 for s in times])[:, None]
    return Track(when.get("id", 1), name, times, np.hstack([places - half, places + half]))


def only(*tracks: Track, cuts: tuple[tuple[float, float], ...] = ()) -> tuple[Act, ...]:
    return acts_of(tracks, scenes_of(cuts, 4.0))


STANDING: Path = lambda s: (100, 60)  # noqa: E731
RIGHT: Path = lambda s: (20 + 30 * s, 60)  # noqa: E731
UP: Path = lambda s: (50, 150 - 30 * s)  # noqa: E731
ROUND: Path = lambda s: (100 + 30 * math.cos(1.5 * s), 60 + 30 * math.sin(1.5 * s))  # noqa: E731
BOUNCING: Path = lambda s: (60, 120 - 80 * abs(math.sin(2.4 * s)))  # noqa: E731
SWAYING: Path = lambda s: (100 + 50 * math.sin(2.4 * s), 60)  # noqa: E731


@pytest.mark.parametrize(
    ("path", "how"),
    [
        (STANDING, "none"),
        (RIGHT, "right"),
        (UP, "up"),
        (ROUND, "circles"),
        (BOUNCING, "bounces"),
        (SWAYING, "sways"),
    ],
)
def test_how_an_object_moves(path: Path, how: str):
    assert manner(track(path)) == how


@pytest.mark.parametrize(
    ("side", "how"),
    [(lambda s: 12 + 6 * s, "grows"), (lambda s: 36 - 6 * s, "shrinks"), (lambda s: 20 + s / 2, "none")],
)
def test_what_stays_and_changes_its_size(side: Callable[[float], float], how: str):
    assert manner(track(STANDING, side=side)) == how


def test_one_wrong_look_does_not_make_an_object_move():
    still = track(STANDING)
    still.boxes[17] += 60
    assert manner(still) == "none"


def test_what_comes_and_goes_within_its_scene():
    late, early = (track(STANDING, start=2.0), track(STANDING, end=1.5))
    assert [(act.appears, act.vanishes) for one in (late, early) for act in only(one)] == [
        (True, False),
        (False, True),
    ]
    second = track(STANDING, start=2.0)
    assert [(act.scene, act.appears) for act in only(second, cuts=((2.0, 2.0),))] == [(1, False)]


def test_two_that_end_where_the_other_began_change_places():
    there, back = track(RIGHT, id=1, name="red"), track(lambda s: (137 - 30 * s, 64), id=2, name="blue")
    assert [(act.manner, act.partner) for act in only(there, back)] == [("swaps", "blue"), ("swaps", "red")]
    follows = track(lambda s: (60 + 30 * s, 64), id=2, name="blue")
    assert [act.manner for act in only(there, follows)] == ["right", "right"]


def test_an_object_that_was_lost_and_found_again_is_one():
    parts = track(RIGHT, end=1.5), track(RIGHT, start=2.0, id=7)
    (act,) = only(*parts)
    assert (act.start_s, round(act.end_s, 1), act.manner) == (0.0, 3.9, "right")
    assert len(only(track(RIGHT), track(UP, id=2))) == 2


def test_one_that_is_followed_through_a_cut_does_one_thing_unless_scenes_are_told_apart():
    scenes = scenes_of([(2.0, 2.0)], 4.0)
    one = track(RIGHT)
    assert [act.scene for act in acts_of([one], scenes)] == [0]
    assert [act.scene for act in acts_of([one], scenes, apart=True)] == [0, 1]


def test_what_a_tracker_holds_for_one_thing_through_a_cut_may_be_two():
    box = Box(xmin=0, ymin=0, xmax=10, ymax=10)
    names = ["red star"] * 20 + ["red star"] * 3 + ["blue ring"] * 17
    seen = [
        Labels(items=(Label(label=name, score=0.9, box=box, track=1),), frame=at, time_s=at / 10)
        for at, name in enumerate(names)
    ]
    found = named_by_scene(seen, scenes_of([(2.0, 2.0)], 4.0))
    assert [(one.label, float(one.times[0])) for one in found] == [("red star", 0.0), ("blue ring", 2.0)]


def test_scenes_lie_between_the_cuts_and_fades_belong_to_none():
    assert scenes_of([(2.5, 3.0), (1.0, 1.0)], 4.0) == ((0.0, 1.0), (1.0, 2.5), (3.0, 4.0))
