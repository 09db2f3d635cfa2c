"""The shipped starter-chat is the one its card speaks of, and it still talks."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.chat_eval.free import free_dialogues
from examples.train_starters.chat_eval.score import Talker, conversations

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-chat"
FEW = 3


@pytest.fixture(scope="module")
def talker() -> Talker:
    return Talker(FOLDER)


def test_the_figures_are_of_these_weights():
    measured = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))
    assert measured["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{measured['free']['right']} of {measured['free']['turns']} turns right" in readme
    assert all(f"| {skill} | {share} |" in readme for skill, share in measured["skills"].items())


def test_weights_fit_one_file():
    assert (FOLDER / "model.safetensors").stat().st_size <= 9_400_000


def test_any_text_round_trips(talker):
    text = "Straße 😀 你好 مرحبا 1234\n\ttabs"
    assert talker.tokenizer.decode(talker.tokenizer(text)["input_ids"]) == text


def test_an_answer_ends_by_itself(talker):
    ids = [talker.model.generation_config.eos_token_id, talker.model.config.eos_token_id]
    assert ids == [talker.tokenizer.eos_token_id] * 2
    assert len(talker([{"role": "user", "content": "hello"}])) < 200


def test_free_dialogues_still_go_as_well_as_the_card_says(talker):
    share = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))["free"]
    dialogues = free_dialogues()[:FEW]
    held = conversations(FOLDER, [[turn.user for turn in dialogue.turns] for dialogue in dialogues])
    right = [
        turn.right(answer)
        for dialogue, said in zip(dialogues, held, strict=True)
        for turn, (_, answer) in zip(dialogue.turns, said, strict=True)
    ]
    assert sum(right) / len(right) >= share["right"] / share["turns"] - 0.25
