"""The trainers of the models that see scenes write folders that load, and teach what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from examples.train_starters import classifier, detector, segmenter, table
from examples.train_starters.__main__ import STARTERS, main
from examples.train_starters.classifier_card import Namer
from examples.train_starters.detector_card import Finder, Found, matched
from examples.train_starters.scene_batches import SIDE, covers, draw, label, processor, to_pixels
from examples.train_starters.segmenter_card import Cutter, truth
from examples.train_starters.shapes_world import NAMES, render

WIDTHS = (8, 8, 12, 16)
ODD = Image.new("RGB", (131, 57), "red")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector after two steps."""
    folder = tmp_path_factory.mktemp("starters")
    plan = detector.plan(folder / "starter-detector", folder / "work", steps=2)
    detector.train(plan, detector.config(WIDTHS, 16, 1), scenes=4)
    return plan.out


def test_a_detector_loads_and_answers_in_the_pictures_own_pixels(found):
    finder = Finder(found)
    assert finder.model.config.id2label[0] == "red circle"
    boxes = finder.processor.post_process_object_detection(
        finder.model(**finder.processor(ODD, return_tensors="pt")), 0.0, [(57, 131)]
    )[0]["boxes"]
    assert 57 < boxes.max() <= 140


def test_a_classifier_begins_as_the_detector_and_loads(found, tmp_path):
    classifier.train(classifier.plan(tmp_path / "out", tmp_path / "work", steps=1), found, WIDTHS, scenes=4)
    ((name, score),) = Namer(tmp_path / "out")([ODD])
    assert name in NAMES
    assert 0 < score < 1
    assert classifier.backbone(tmp_path / "out").keys() == classifier.backbone(found).keys()


def test_a_segmenter_begins_as_the_detector_and_loads(found, tmp_path):
    plan = segmenter.plan(tmp_path / "out", tmp_path / "work", steps=1)
    segmenter.train(plan, found, segmenter.config(WIDTHS, 8), scenes=4)
    (labels,) = Cutter(tmp_path / "out")([ODD])
    assert labels.shape == (57, 131)
    assert labels.max() <= len(NAMES)


def test_the_same_seed_and_steps_give_the_same_weights(tmp_path):
    for name in ("one", "other"):
        classifier.train(
            classifier.plan(tmp_path / name, tmp_path / f"work-{name}", steps=2), None, WIDTHS, scenes=2
        )
    one, other = weights(tmp_path / "one"), weights(tmp_path / "other")
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_labels_are_sums_of_colours_and_shapes():
    model = classifier.Classifier(classifier.config(WIDTHS)).eval()
    pixels = torch.rand(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        colours, shapes, _ = model(pixels)
        plain = model.exported()(pixels).logits.unflatten(1, (10, 8))
    assert torch.allclose(plain, colours[:, :, None] + shapes[:, None], atol=1e-5)


def test_segments_are_sums_of_colours_and_shapes():
    model = segmenter.Segmenter(segmenter.config(WIDTHS, 8)).eval()
    pixels = torch.rand(1, 3, SIDE, SIDE)
    with torch.inference_mode():
        colours, shapes = model(pixels)
        plain = model.exported()(pixels).logits
    sums = (colours[:, :-1, None] + shapes[:, None, :-1]).flatten(1, 2)
    assert torch.allclose(plain[:, 1:], sums, atol=1e-5)
    assert torch.allclose(plain[:, 0], colours[:, -1] + shapes[:, -1], atol=1e-5)


def test_training_sees_pixels_as_the_processor_gives_them():
    pictures = [render(draw("train", at)) for at in range(2)]
    given = processor()(pictures, return_tensors="pt")["pixel_values"]
    assert torch.allclose(to_pixels(pictures), given, atol=1e-5)


def test_objects_have_their_own_anchors_at_their_centres():
    shared = 0
    for at in range(200):
        labels, boxes, anchors = detector.truth(draw("train", at))
        there = anchors[labels >= 0].tolist()
        shared += len(there) - len(set(there))
        assert all(anchor < 144 + 36 + 9 for anchor in there)
        assert (boxes[labels >= 0, 2:] > 0.1).all()
    # Two large things, corner to corner, may share one.
    assert shared <= 3


def test_a_perfect_answer_has_a_dense_loss_of_nearly_nothing():
    batch = detector.batch([draw("train", 3)], 0)
    there = batch["labels"] >= 0
    logits, places = torch.full((1, 189, len(NAMES)), -12.0), torch.zeros(1, 189, 4)
    for named, anchor, box in zip(
        *(batch[key][there] for key in ("labels", "anchors", "boxes")), strict=True
    ):
        logits[0, anchor, named], places[0, anchor] = 12.0, torch.logit(box)
    assert detector.dense_loss(logits, places, batch, there) < 0.01
    assert detector.dense_loss(-logits, places, batch, there) > 1


def test_an_object_counts_once_and_only_by_its_name():
    scene = next(one for at in range(50) if len((one := draw("test", at)).objects) == 2)
    right = [Found(thing.name, 0.9, thing.box) for thing in scene.objects]
    assert matched(right, scene) == [pytest.approx(1), pytest.approx(1)]
    assert len(matched([*right, *right], scene)) == 2
    assert matched([Found("no such thing", 1.0, one.box) for one in right], scene) == []


def test_truth_of_pixels_and_of_cells_agree():
    scenes = [draw("train", at) for at in range(20)]
    for one, cells in zip(scenes, covers(scenes, 8).numpy(), strict=True):
        labels = truth(one)[4::8, 4::8]
        assert np.array_equal(labels == 0, cells[0] == 10)
        assert np.array_equal(labels[labels > 0], 1 + (cells[0] * 8 + cells[1])[labels > 0])
        assert set(np.unique(truth(one))) <= {0, *(1 + label(thing) for thing in one.objects)}


def test_the_command_trains_several(tmp_path, monkeypatch):
    trained = []
    for name in ("ears", "reader"):
        monkeypatch.setitem(STARTERS, name, lambda args, out: trained.append((out.name, args.steps)))
    main(["reader", "ears", "--steps", "3", "--out", str(tmp_path)])
    assert trained == [("starter-ears", 3), ("starter-reader", 3)]


def test_chat_asks_for_its_data_and_others_do_not(tmp_path):
    with pytest.raises(SystemExit, match="--data"):
        main(["chat", "--steps", "1", "--out", str(tmp_path)])


def test_the_familys_table_is_made_of_the_cards_figures():
    cards = Path(__file__).parents[2] / "model_cards"
    assert (cards / "README.md").read_text(encoding="utf-8") == table.page(cards)


def test_every_starter_that_is_shipped_is_in_the_table():
    cards = Path(__file__).parents[2] / "model_cards"
    assert {one.parent.name for one in cards.glob("starter-*/eval.json")} <= table.GOALS.keys()
