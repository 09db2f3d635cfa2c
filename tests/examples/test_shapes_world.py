"""The shapes world is what its truth says, and keeps its splits apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.train_starters.shapes_world import (
    COUNTS,
    HELD_OUT,
    HELD_OUT_COUNT,
    MOTIONS,
    SIZES,
    WORLD,
    clip,
    index_map,
    mask,
    overlap,
    pixels,
    render_clip,
    scene,
    stream,
)

AT = st.integers(0, 10**6)
SEEN = st.sampled_from(["train", "validation", "test"])
SIDES = st.sampled_from([64, 96, 128])


SLACK = 0.02


@given(AT, SEEN, SIDES)
def test_boxes_are_tight_around_masks(at, split, side):
    for thing in scene(stream(split, at), split, side).objects:
        rows, columns = np.nonzero(mask(thing, side))
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        # A corner may cover less than half of its pixel.
        assert np.abs(np.subtract(seen, thing.box)).max() <= 0.03 * side


@given(AT, SEEN, SIDES)
def test_objects_lie_inside_and_overlap_within_the_bound(at, split, side):
    things = scene(stream(split, at), split, side).objects
    for which, one in enumerate(things):
        assert min(one.box) >= -SLACK * side  # a turned corner may reach over the edge by that much
        assert max(one.box) <= (1 + SLACK) * side
        for other in things[:which]:
            assert overlap(one.box, other.box) <= (0 if one.colour == other.colour else WORLD.overlap)


@given(AT, SEEN)
def test_what_is_held_out_is_in_no_scene_for_training(at, split):
    drawn = scene(stream(split, at), split)
    assert not HELD_OUT & {(thing.colour, thing.shape) for thing in drawn.objects}
    assert len(drawn.objects) in COUNTS
    assert drawn.background.colour not in {thing.colour for thing in drawn.objects}


def test_compositional_scenes_have_something_new():
    drawn = [scene(stream("compositional", at), "compositional").objects for at in range(300)]
    new = [bool(HELD_OUT & {(thing.colour, thing.shape) for thing in things}) for things in drawn]
    crowds = [len(things) >= HELD_OUT_COUNT for things in drawn]
    # A crowd that found no room may end with fewer, and then nothing of it is new.
    assert sum(map(max, new, crowds)) >= 0.9 * len(drawn)


@given(AT, SEEN)
def test_a_stream_always_gives_the_same_picture(at, split):
    one, other = (scene(stream(split, at), split) for _ in range(2))
    assert one == other
    assert np.array_equal(pixels(one), pixels(other))


def test_splits_and_seeds_have_different_scenes():
    drawn = [
        scene(stream(split, at, seed)) for split in ("train", "test") for at in (0, 1) for seed in (0, 1)
    ]
    assert len({repr(one) for one in drawn}) == len(drawn)


@given(AT)
def test_the_map_shows_what_is_on_top(at):
    drawn = scene(stream("test", at), "test")
    shown = index_map(drawn)
    for number, thing in enumerate(drawn.objects, start=1):
        assert not (shown == number)[~mask(thing, drawn.pixels)].any()
        assert (shown >= number)[mask(thing, drawn.pixels)].all()


@given(AT)
def test_pixels_have_the_colours_of_what_is_there(at):
    drawn = scene(stream("test", at), "test")
    picture, shown = pixels(drawn).astype(int), index_map(drawn)
    for number, thing in enumerate(drawn.objects, start=1):
        if (shown == number).any():
            assert np.abs(np.median(picture[shown == number], axis=0) - thing.rgb).max() <= 12


@given(AT)
def test_the_main_object_is_larger_than_all_others(at):
    drawn = scene(stream("train", at), count=4, main=True)
    order, sizes = list(SIZES), sorted(thing.radius for thing in drawn.objects)
    assert order.index(drawn.main.size) > 0
    assert sizes[-1] > 1.2 * sizes[-2]


@given(AT, st.sampled_from([64, 200]))
def test_scaling_keeps_what_is_where(at, side):
    drawn = scene(stream("train", at))
    for one, other in zip(drawn.objects, drawn.scaled(side).objects, strict=True):
        assert np.allclose(np.array(one.box) * side / drawn.pixels, other.box)


@pytest.mark.parametrize("motion", MOTIONS)
def test_clips_have_the_motion_that_was_asked_for(motion):
    film = clip(stream("train", 3), motion=motion, moving=2 if motion == "swap" else 1, still=1)
    assert [one.kind for one in film.motions][:1] == [motion]
    assert len(render_clip(film)) == len(film.frames) == 16


@given(AT, st.sampled_from(["left", "right", "up", "down"]))
def test_movers_move_their_way(at, motion):
    film = clip(stream("train", at), motion=motion)
    first, last = film.frames[0].scene.objects[0], film.frames[-1].scene.objects[0]
    away = {
        "left": first.x - last.x,
        "right": last.x - first.x,
        "up": first.y - last.y,
        "down": last.y - first.y,
    }
    assert max(away, key=away.__getitem__) == motion
    assert away[motion] > 5


def test_shots_follow_each_other_by_cuts_and_fades():
    films = [clip(stream("train", at), shots=3, frames=8) for at in range(12)]
    assert {join for film in films for join in film.joins} == {"cut", "fade"}
    for film in films:
        fading = {frame.shot for frame in film.frames if frame.into is not None}
        assert fading == {at for at, join in enumerate(film.joins) if join == "fade"}
        assert [frame.shot for frame in film.frames] == [0] * 8 + [1] * 8 + [2] * 8


@given(AT)
def test_what_moves_stays_in_the_picture(at):
    for frame in clip(stream("train", at), moving=1, still=1).frames:
        for thing in frame.scene.objects:
            assert min(thing.box) >= -SLACK * frame.scene.pixels
            assert max(thing.box) <= (1 + SLACK) * frame.scene.pixels
