"""The shipped starter-vision-chat is the one its card speaks of, and it still sees and answers."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.shapes_world import WORLD
from examples.train_starters.vision_card import Looker, few
from inference_chat.tasks import Task
from tests.runners.tiny_media import conversation, kept, open_runner, request, result, says

ROOT = Path(__file__).parents[2]
FOLDER, INPUTS = ROOT / "model_cards" / "starter-vision-chat", ROOT / "examples" / "inputs"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def runner():
    return open_runner(FOLDER)


def shown(place: Path, name: str):
    return kept(place, (INPUTS / f"{name}.png").read_bytes(), "image", "image/png")


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"| {kind} | {share:.3f} |" in readme for kind, share in MEASURED["exact"].items())


def test_the_weights_fit_one_file():
    assert [file.stat().st_size <= 9_500_000 for file in card.weights(FOLDER)] == [True]


def test_it_is_still_as_good_as_its_card_says():
    assert few(Looker(FOLDER), WORLD) >= MEASURED["few"] - 0.02


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [
        ("scene-3-objects", "How many shapes are there?", "3"),
        ("scene-2-objects", "What color is the background?", "grey"),
        ("scene-red-circles", "Is there a green star?", "no"),
    ],
)
def test_the_app_answers_questions_about_a_picture(runner, tmp_path, name, question, answer):
    asked = request(Task.VISUAL_QUESTION_ANSWERING, shown(tmp_path, name), prompt=question)
    assert result(runner, asked).text.strip() == answer


def test_a_second_question_is_about_the_same_picture(runner, tmp_path):
    one = shown(tmp_path, "scene-1-objects")
    begun = (says("user", one, "How many shapes are there?"), says("assistant", "1"))
    asked = says("user", "What color is the background?")
    alone = request(Task.VISUAL_QUESTION_ANSWERING, one, prompt="What color is the background?")
    found = result(runner, conversation(Task.IMAGE_TEXT_TO_TEXT, *begun, asked, media=(one,)))
    assert found.text == result(runner, alone).text != ""
