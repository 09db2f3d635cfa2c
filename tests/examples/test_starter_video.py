"""The shipped starter-video is the one its card speaks of, and it still sees what moves."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.scene_card import FEW
from examples.train_starters.video_card import Watching, answers, share

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-video"


@pytest.fixture(scope="module")
def measured():
    return json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))


def test_the_figures_are_of_these_weights(measured):
    assert measured["sha256"] == card.digest(FOLDER)
    assert f"| {measured['test']:.3f} |" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_weights_fit_one_file():
    assert [file.stat().st_size <= 9_500_000 for file in card.weights(FOLDER)] == [True]


def test_it_is_still_as_good_as_its_card_says(measured):
    assert share(answers(Watching(FOLDER), "test", FEW)) >= measured["few"] - 0.02
