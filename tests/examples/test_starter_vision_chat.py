"""The shipped starter-vision-chat is the one its card speaks of, and it still sees."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.vision_card import Looker, few
from examples.train_starters.vision_tower import FIRST_WORLD

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-vision-chat"


@pytest.fixture(scope="module")
def measured():
    return json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))


def test_the_figures_are_of_these_weights(measured):
    assert measured["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| {kind} | {share:.3f} |" in readme for kind, share in measured["exact"].items())


def test_the_weights_fit_one_file():
    assert [file.stat().st_size <= 9_500_000 for file in card.weights(FOLDER)] == [True]


def test_it_still_answers_as_well_as_its_card_says(measured):
    assert few(Looker(FOLDER), FIRST_WORLD) >= measured["few"] - 0.02
