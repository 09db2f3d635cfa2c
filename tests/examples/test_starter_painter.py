"""The shipped starter-painter is the one its card speaks of, and it still draws what it is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.train_starters import card
from examples.train_starters.painter_card import Drawer, few
from examples.train_starters.painter_world import Wish, fulfilled, read
from tests.runners.diffusers_models import draw, drawn, edit, open_runner, pixels, results

# diffusers' DPM-Solver makes arrays of tensors in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-painter"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))
OPTIONS = {"width": 64, "height": 64, "steps": 40, "guidance_scale": 3.0}
FEW_LESS = 0.08
"""Two pictures of 25: processors round differently, and a border is seen or not."""


@pytest.fixture(scope="module")
def runner():
    return open_runner(FOLDER)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"{figures['test']:.3f}" in readme for figures in MEASURED["figures"].values())


def test_the_weights_fit_their_files():
    assert all(file.stat().st_size <= 9_500_000 for file in card.weights(FOLDER))


def test_it_still_draws_as_its_card_says():
    found = few(Drawer(FOLDER))
    assert all(found[kind] >= share - FEW_LESS for kind, share in MEASURED["few"].items())


@pytest.mark.parametrize(
    ("prompt", "wish"),
    [
        ("a red circle on yellow", Wish(("red circle",), "", "yellow")),
        ("a large blue heart on a white background", Wish(("large blue heart",), "", "white")),
        ("draw a red circle", Wish(("red circle",), "", "")),
        ("a red circle and, to its right, a blue square", Wish(("red circle", "blue square"), "left of", "")),
    ],
)
def test_the_app_draws_what_is_asked_for(runner, prompt, wish):
    seen = [
        fulfilled(
            wish,
            *read(Image.fromarray(pixels(results(drawn(runner, draw(prompt, seed=seed, **OPTIONS)))[0]))),
        )
        for seed in range(3)
    ]
    assert sum(seen) >= 2


def test_the_app_paints_over_a_part(runner, tmp_path):
    before = Image.new("RGB", (64, 64), (240, 210, 60))
    hole = Image.new("L", (64, 64))
    hole.paste(255, (16, 16, 64, 64))
    before.save(tmp_path / "before.png")
    hole.save(tmp_path / "hole.png")
    asked = edit(
        tmp_path / "before.png", tmp_path / "hole.png", "a red circle on yellow", steps=40, strength=1.0
    )
    after = pixels(results(drawn(runner, asked))[0])
    outside = np.asarray(hole) == 0
    assert np.abs(after[outside].astype(int) - np.asarray(before)[outside]).max() <= 2
    assert [found.colour for found in read(Image.fromarray(after))[1]] == ["red"]
