"""The shipped starter-embedder is the one its card speaks of, and alike sentences lie near each other."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.embedder_card import Embedder, correlation
from examples.train_starters.embedder_card import found as share_found
from inference_chat.events import Vector
from inference_chat.tasks import Task
from tests.runners.tiny_media import open_runner, request, result

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-embedder"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(FOLDER)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    assert f"**{MEASURED['spearman']:.3f}**" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_weights_fit_one_file():
    assert (FOLDER / "model.safetensors").stat().st_size <= 9_500_000


def test_cosines_follow_likeness_as_well_as_the_card_says(embedder):
    assert correlation(embedder, 900) >= MEASURED["spearman"] - 0.03
    assert share_found(embedder) >= MEASURED["found"] - 0.02


def test_vectors_have_length_one(embedder):
    assert embedder(["how many red circles are there?", ""]).norm(dim=1).tolist() == pytest.approx([1, 1])


def test_the_app_makes_the_same_vector(embedder):
    text = "how many red circles are there?"
    found = result(open_runner(FOLDER), request(Task.FEATURE_EXTRACTION, prompt=text))
    [vector] = [one.values for one in found.outcomes if isinstance(one, Vector)]
    cosine = sum(one * other for one, other in zip(vector, embedder([text])[0].tolist(), strict=True))
    assert cosine / sum(one * one for one in vector) ** 0.5 == pytest.approx(1, abs=1e-3)
