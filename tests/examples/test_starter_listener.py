"""The shipped starter-listener is the one its card speaks of, and it still hears."""

import json
from pathlib import Path

import numpy as np
import pytest

from examples.train_starters import card
from examples.train_starters.listener_card import Listener
from examples.train_starters.listener_data.sentences import word_errors
from examples.train_starters.listener_data.voices import RATE
from inference_chat.media import open_sound
from inference_chat.tasks import Task
from tests.runners.tiny_media import kept, open_runner, request, result

ROOT = Path(__file__).parents[2]
FOLDER, SPEECH = ROOT / "model_cards" / "starter-listener", ROOT / "examples" / "inputs" / "speech"
MEASURED = json.loads((FOLDER / "eval.json").read_text(encoding="utf-8"))
SAID = json.loads((SPEECH / "said.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener(FOLDER)


def heard(name: str) -> np.ndarray:
    return open_sound((SPEECH / name).read_bytes(), rate=RATE, mono=True).samples[:, 0].astype(np.float32)


def test_the_figures_are_of_these_weights():
    assert MEASURED["sha256"] == card.digest(FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"{share:.1%}" in readme for row in MEASURED["errors"].values() for share in row.values())


def test_weights_fit_one_file():
    assert (FOLDER / "model.safetensors").stat().st_size <= 9_500_000


def test_new_voices_are_understood_as_well_as_the_card_says(listener):
    written = listener([heard(name) for name in SAID])
    counts = [word_errors(text, said) for text, said in zip(SAID.values(), written, strict=True)]
    wrong = sum(errors for errors, _ in counts) / sum(words for _, words in counts)
    assert wrong <= MEASURED["errors"]["new_voice"]["quiet"] + 0.02, list(zip(SAID, written, strict=True))


def test_where_nobody_speaks_nothing_is_written(listener):
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.01
    assert listener([np.zeros(RATE, np.float32), noise]) == ["", ""]


def test_the_app_hears_what_is_said_also_where_it_begins_at_once(tmp_path):
    name = "how-many-red-circles-are-there.ogg"
    asked = kept(tmp_path, (SPEECH / name).read_bytes(), "audio", "audio/ogg")
    found = result(open_runner(FOLDER), request(Task.AUTOMATIC_SPEECH_RECOGNITION, asked, max_tokens=40))
    assert found.text.strip() == SAID[name]
