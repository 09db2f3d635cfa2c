"""The shipped models that see scenes are those of their cards, and see as well as these say."""

import json
from pathlib import Path

import pytest

from examples.train_starters import card, classifier_card, detector_card, segmenter_card
from examples.train_starters.scene_card import FEW
from inference_chat.events import Labels
from inference_chat.tasks import Task
from tests.runners.tiny_media import kept, open_runner, request, result

ROOT = Path(__file__).parents[2]
CARDS, INPUTS = ROOT / "model_cards", ROOT / "examples" / "inputs"
SLACK = 0.02
FIGURES = [
    ("classifier", "exact", classifier_card.Namer, classifier_card.measure_split),
    ("detector", "f1", detector_card.Finder, detector_card.measure_split),
    ("segmenter", "miou", segmenter_card.Cutter, segmenter_card.measure_split),
]
each = pytest.mark.parametrize(("name", "key", "opened", "split"), FIGURES)


def measured(name: str) -> dict:
    return json.loads((CARDS / f"starter-{name}" / "eval.json").read_text(encoding="utf-8"))


@each
def test_figures_are_of_these_weights_and_in_the_card(name, key, opened, split):
    figures, folder = measured(name), CARDS / f"starter-{name}"
    assert figures["sha256"] == card.digest(folder)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| {figures['test'][key]:.3f} | {figures['compositional'][key]:.3f} |" in text
    assert (folder / "model.safetensors").stat().st_size <= 9_500_000


@each
def test_it_sees_as_well_as_its_card_says(name, key, opened, split):
    seen = split(opened(CARDS / f"starter-{name}"), "test", FEW)
    assert seen[key] >= measured(name)["few"][key] - SLACK


@pytest.mark.parametrize("task", [Task.IMAGE_CLASSIFICATION, Task.OBJECT_DETECTION, Task.IMAGE_SEGMENTATION])
def test_the_app_sees_what_is_in_a_large_picture(tmp_path, task):
    name = {"image-classification": "classifier", "object-detection": "detector"}.get(task, "segmenter")
    data = (INPUTS / "scene-1-objects.png").read_bytes()
    asked = request(task, kept(tmp_path, data, "image", "image/png"))
    found = result(open_runner(CARDS / f"starter-{name}"), asked)
    labels = [item for one in found.outcomes if isinstance(one, Labels) for item in one.items]
    square = next(item for item in labels if item.label == "orange square")
    assert square.box is None or (30 < square.box.xmin < 50 and 140 < square.box.xmax < 170)
