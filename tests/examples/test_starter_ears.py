"""The shipped starter-ears is the one its card speaks of, and it still names sounds."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card
from examples.train_starters.ears_card import Ears, held_out
from examples.train_starters.ears_sounds import RATE, names
from inference_chat.events import Labels
from inference_chat.media import Sound, wav_bytes
from inference_chat.tasks import Task
from tests.runners.tiny_media import kept, open_runner, request, result

FOLDER = Path(__file__).parents[2] / "model_cards" / "starter-ears"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears(FOLDER)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    assert f"**{MEASURED['right']:.1%}**" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_weights_fit_one_file():
    assert (FOLDER / "model.safetensors").stat().st_size <= 9_500_000


def test_sounds_are_named_as_well_as_the_card_says(ears):
    sounds = held_out(6)
    said = ears([wave for wave, _ in sounds])
    right = sum(answers[0] == name for (_, name), answers in zip(sounds, said, strict=True))
    assert right / len(sounds) >= MEASURED["right"] - 0.02


def test_it_has_every_name(ears):
    assert set(ears.model.config.id2label.values()) == set(names())


def test_the_app_names_a_sound(tmp_path):
    wave = next(wave for wave, name in held_out(1) if name == "siren")
    heard = kept(tmp_path, wav_bytes(Sound(wave[:, None], RATE)), "audio", "audio/wav")
    found = result(open_runner(FOLDER), request(Task.AUDIO_CLASSIFICATION, heard))
    [labels] = [one for one in found.outcomes if isinstance(one, Labels)]
    assert labels.items[0].label == "siren"
