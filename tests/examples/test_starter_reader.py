"""The shipped starter-reader is the one its card speaks of, and it still knows what is wanted."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.reader_card import Reader, held_out, right
from examples.train_starters.reader_data.requests import free, tasks
from inference_chat.events import Labels
from inference_chat.tasks import Task
from tests.runners.tiny_media import open_runner, request, result

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-reader"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))
SLACK = 0.02


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(FOLDER)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"| {MEASURED['free']:.1%} |" in readme
    assert f"| {MEASURED['families']:.1%} |" in readme


def test_weights_fit_one_file():
    assert (FOLDER / "model.safetensors").stat().st_size <= 9_500_000


def test_free_requests_are_read_as_well_as_the_card_says(reader):
    hits = right(reader, list(free()))
    assert sum(hits) / len(hits) >= MEASURED["free"] - SLACK


def test_held_out_wordings_are_read_as_well_as_the_card_says(reader):
    hits = right(reader, held_out())
    assert sum(hits) / len(hits) >= MEASURED["families"] - SLACK


def test_it_names_every_task_and_any_text_gets_an_answer(reader):
    assert set(reader.model.config.id2label.values()) == set(tasks())
    answers = reader(["", "😀 你好", "word " * 500], best=3)
    assert [len(one) for one in answers] == [3, 3, 3]


def test_the_app_reads_a_request():
    asked = request(Task.TEXT_CLASSIFICATION, prompt="find the cats in my photo")
    found = result(open_runner(FOLDER), asked)
    [labels] = [one for one in found.outcomes if isinstance(one, Labels)]
    assert labels.items[0].label == "object-detection"
