"""The pictures and clips for trying are those of the script."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.train_starters.detector_card import Finder
from examples.train_starters.inputs import CLIPS, FPS, INPUTS, write
from inference_chat.media import open_clip

ROOT = Path(__file__).parents[2]
SCENES = sorted((ROOT / INPUTS).glob("scene-*.png"))


def test_the_script_writes_the_very_pictures(tmp_path):
    written = {path.name: np.asarray(Image.open(path)) for path in write(tmp_path) if path.suffix == ".png"}
    assert written.keys() == {path.name for path in SCENES}
    assert all(np.array_equal(np.asarray(Image.open(path)), written[path.name]) for path in SCENES)


@pytest.mark.parametrize(("name", "shots"), CLIPS.items())
def test_clips_last_two_seconds_a_shot(name, shots):
    clip = open_clip((ROOT / INPUTS / f"{name}.mp4").read_bytes())
    assert clip.seconds == pytest.approx(16 * shots / FPS, abs=0.2)


def test_the_detector_finds_as_many_objects_as_the_names_say():
    finder = Finder(ROOT / "model_cards" / "starter-detector")
    counted = [path for path in SCENES if path.stem.split("-")[1].isdigit()]
    found = finder([Image.open(path) for path in counted])
    wanted = [int(path.stem.split("-")[1]) for path in counted]
    assert sum(len(one) == number for one, number in zip(found, wanted, strict=True)) >= len(wanted) - 1
