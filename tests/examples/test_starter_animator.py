"""The shipped starter-animator is the one its card speaks of, and it still films what it is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from examples.train_starters import card
from examples.train_starters.animator_card import Filmer, Judge, few
from examples.train_starters.animator_world import FRAMES, Wish
from examples.train_starters.painter_world import read
from inference_chat.errors import InvalidRequest
from inference_chat.events import VideoReady
from inference_chat.media import open_clip
from tests.runners.diffusers_models import drawn, film, open_runner

CARDS = Path(__file__).parents[2] / "model_cards"
FOLDER, WATCHING = CARDS / "starter-animator", CARDS / "starter-video"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))
OPTIONS: dict[str, Any] = {"width": 64, "height": 64, "steps": 10, "guidance_scale": 1.5}
FEW_LESS = 0.19
"""Two clips of eleven: processors round differently, and a thing is recognised or not."""


@pytest.fixture(scope="module")
def runner():
    return open_runner(FOLDER)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(
        f"{figure:.3f}" in readme for split in MEASURED["figures"].values() for figure in split.values()
    )


def test_the_weights_fit_their_files():
    sizes = [file.stat().st_size for file in card.weights(FOLDER)]
    assert max(sizes) <= 9_500_000
    assert sum(sizes) <= 10_000_000


def test_it_still_films_as_its_card_says():
    found = few(Filmer(FOLDER), WATCHING)
    assert all(found[key] >= share - FEW_LESS for key, share in MEASURED["few"].items())


@pytest.mark.parametrize(
    ("prompt", "wish"),
    [
        ("a red circle moving left on yellow", Wish("red circle", "left", "yellow")),
        ("a blue square growing on a white background", Wish("blue square", "grow", "white")),
    ],
)
def test_the_app_films_what_is_asked_for(runner, prompt, wish):
    clips = []
    for seed in range(3):
        (made,) = (
            event
            for event in drawn(runner, film(prompt=prompt, seed=seed, **OPTIONS))
            if isinstance(event, VideoReady)
        )
        clips.append(list(open_clip(made.video.data).frames))
        assert made.frame_count == len(clips[-1]) == FRAMES
    seen = Judge(WATCHING)([wish] * 3, clips)
    assert sum(motion == wish.motion for motion, _ in seen) >= 2
    for clip in clips:
        ground, found = read(clip[FRAMES // 2])
        assert ground == wish.ground
        assert {thing.colour for thing in found} == {wish.thing.split()[0]}


def test_another_length_is_refused(runner):
    with pytest.raises(InvalidRequest, match="cannot make 9 frames, only as many as it was made for: 16"):
        drawn(runner, film(num_frames=9, **OPTIONS))
