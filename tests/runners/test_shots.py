"""Hard cuts, told in the very frame: neither motion, fades nor flashes are taken for any."""

from collections.abc import Sequence

import pytest
from PIL import Image

from examples.train_starters.shapes_world.clips import render_clip
from inference_chat.media import Frames
from inference_chat.runners.shots import Shots
from tests import cuts, tracked
from tests.media.inputs import real


def found(pictures: Sequence[Image.Image]) -> list[int]:
    shots, after = Shots(), [*pictures[1:], None]
    return [at for at, one in enumerate(pictures) if shots.begins(one, after[at])]


def plain(*colours: str) -> list[Image.Image]:
    return [Image.new("RGB", (64, 36), colour) for colour in colours for _ in range(10)]


def test_a_shot_begins_where_the_picture_changes_and_stays():
    assert found(plain("red", "blue", "white")) == [10, 20]
    assert found(plain("red")) == found(plain("red")[:1]) == []
    assert found([*plain("red"), Image.new("RGB", (64, 36), "blue")]) == [10]


def test_a_flash_and_a_flicker_are_no_cuts():
    flash = Image.new("RGB", (64, 36), "white")
    assert found([*plain("red"), flash, *plain("red")]) == []
    assert found([*plain("red")[:1], *plain("blue")[:1]] * 8) == []


@pytest.mark.parametrize("seed", range(3))
def test_generated_clips_are_cut_where_they_are(seed: int):
    movie = cuts.movie(seed, pixels=64)
    assert found(movie.pictures) == [one.first for one in movie.changes if one.kind == "cut"]


def test_crossing_objects_are_no_cut():
    assert found(render_clip(tracked.crossing(3, pixels=64))[:100]) == []


@pytest.mark.parametrize(
    ("name", "cut"), [("bikes.mp4", [1.2, 5.48, 7.48, 9.68]), ("carphone_pristine.mp4", [])]
)
def test_cuts_of_real_clips_are_no_false_ones(name: str, cut: list[float]):
    with Frames(real(name), max_side=160) as frames:
        shown = list(frames)
    assert [round(shown[at].time_s, 2) for at in found([one.picture for one in shown])] == cut
