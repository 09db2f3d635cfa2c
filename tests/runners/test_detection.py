"""Objects, their scores and boxes are those that transformers itself gives."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from examples.train_starters.detector_card import iou
from examples.train_starters.scene_batches import draw
from examples.train_starters.shapes_world import render
from inference_chat.errors import InvalidRequest
from inference_chat.events import Label
from inference_chat.runners.detection import DetectionOptions, DetectorRunner, distinct
from tests import tiny_vision
from tests.tiny_vision import scene

from .models import real
from .pictures import ask, folder, labels, load, opened

DETECT, SEEK = "object-detection", "zero-shot-object-detection"
STARTER = Path(__file__).parents[2] / "model_cards" / "starter-detector"
WORDS = ["a cat", "remote", "dog"]


def corners(item: Label) -> list[float]:
    assert item.box
    return [item.box.xmin, item.box.ymin, item.box.xmax, item.box.ymax]


def expected(found: dict[str, Any], width: int, height: int) -> list[tuple[float, list[float]]]:
    """A processor's finds, within the picture, the surest first."""
    edges = [width, height, width, height]
    boxes = [[min(max(v, 0), e) for v, e in zip(b, edges, strict=True)] for b in found["boxes"].tolist()]
    pairs = zip(found["scores"].tolist(), boxes, strict=True)
    real_ones = [pair for pair in pairs if pair[1][0] < pair[1][2] and pair[1][1] < pair[1][3]]
    return sorted(real_ones, key=lambda pair: -pair[0])


def compare(items: tuple[Label, ...], reference: list[tuple[float, list[float]]]) -> None:
    assert len(items) == len(reference) > 0
    for item, (score, box) in zip(items, reference, strict=True):
        assert item.score == pytest.approx(score, abs=1e-4)
        assert corners(item) == pytest.approx(box, abs=0.02)


@pytest.mark.parametrize("architecture", tiny_vision.DETECTORS)
def test_objects_are_those_of_transformers(architecture: str):
    import torch
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    picture = scene(120, 80, seed=2)
    found = labels(ask(opened(architecture), DETECT, picture, threshold=0.3, iou=1))[0]
    model: Any = AutoModelForObjectDetection.from_pretrained(folder(architecture))
    processor: Any = AutoImageProcessor.from_pretrained(folder(architecture))
    with torch.no_grad():
        out = model(**processor(picture, return_tensors="pt"))
    reference = processor.post_process_object_detection(out, threshold=0.3, target_sizes=[(80, 120)])[0]
    compare(found.items, expected(reference, 120, 80))
    best = reference["labels"][reference["scores"].argmax()]
    assert max(found.items, key=lambda item: item.score or 0).label == tiny_vision.LABELS[int(best)]


@pytest.mark.parametrize("architecture", ["Owlv2ForObjectDetection", "OwlViTForObjectDetection"])
def test_named_objects_are_those_of_transformers(architecture: str):
    import torch
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    picture = scene(120, 80, seed=2)
    found = labels(ask(opened(architecture), SEEK, picture, labels=WORDS, threshold=0.1, iou=1))[0]
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder(architecture))
    processor: Any = AutoProcessor.from_pretrained(folder(architecture))
    with torch.no_grad():
        out = model(**processor(text=[WORDS], images=picture, return_tensors="pt"))
    reference = processor.post_process_grounded_object_detection(
        out, threshold=0.1, target_sizes=[(80, 120)], text_labels=[WORDS]
    )[0]
    compare(found.items, expected(reference, 120, 80))
    assert {item.label for item in found.items} <= set(WORDS)


def test_words_of_a_sentence_are_given_back_as_labels():
    import torch
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    kind, picture = "GroundingDinoForObjectDetection", scene(120, 80, seed=2)
    found = labels(ask(opened(kind), SEEK, picture, labels=WORDS, threshold=0.2, iou=1))[0]
    model: Any = AutoModelForZeroShotObjectDetection.from_pretrained(folder(kind))
    processor: Any = AutoProcessor.from_pretrained(folder(kind))
    with torch.no_grad():
        out = model(**processor(text=[WORDS], images=picture, return_tensors="pt"))
    best = out.logits.sigmoid().max(-1).values[0]
    reference = processor.post_process_grounded_object_detection(
        out, threshold=0.2, text_threshold=float(best.max()) - 1e-6, target_sizes=[(80, 120)]
    )[0]
    compare(found.items, expected(reference, 120, 80))
    phrase = reference["text_labels"][int(reference["scores"].argmax())]
    assert phrase.strip(" .") in found.items[0].label


def test_several_pictures_are_the_same_as_one_by_one():
    runner, pictures = opened("GroundingDinoForObjectDetection"), [scene(seed=at) for at in range(3)]
    together = labels(ask(runner, SEEK, *pictures, labels=WORDS))
    for one, picture in zip(together, pictures, strict=True):
        alone = labels(ask(runner, SEEK, picture, labels=WORDS))[0]
        compare(one.items, [(item.score or 0, corners(item)) for item in alone.items])


def test_a_higher_threshold_tells_part_of_the_same():
    runner = opened("YolosForObjectDetection")
    low, high = (labels(ask(runner, DETECT, scene(), threshold=at, iou=1))[0] for at in (0.1, 0.5))
    assert low.above(0.5).items == high.items
    assert len(low.items) > len(high.items) > 0


def test_only_the_classes_that_are_asked_for():
    runner = opened("DFineForObjectDetection")
    every = labels(ask(runner, DETECT, scene(), threshold=0, iou=1))[0].items
    word = every[0].label
    some = labels(ask(runner, DETECT, scene(), threshold=0, iou=1, labels=word.upper()))[0].items
    assert some == tuple(item for item in every if item.label == word)
    assert len(some) < len(every)


def test_an_unknown_class_is_told_with_the_known_ones():
    with pytest.raises(InvalidRequest, match=r"does not know 'zebra'; it knows blue triangle, cat"):
        ask(opened("DetrForObjectDetection"), DETECT, scene(), labels=["zebra"])


def test_boxes_are_of_the_picture_turned_upright():
    """A camera held sideways: the file lies, its EXIF says how to turn it."""
    upright = scene(96, 64, seed=1)
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    buffer = io.BytesIO()
    lying.save(buffer, "PNG", exif=exif)
    runner = opened("RTDetrForObjectDetection")
    turned, plain = labels(ask(runner, DETECT, buffer.getvalue(), upright, threshold=0.3))
    assert turned.items == plain.items
    assert all(item.box and item.box.xmax <= 96 and item.box.ymax <= 64 for item in turned.items)


def test_doubles_leave_on_demand():
    runner = opened("Owlv2ForObjectDetection")
    every = labels(ask(runner, SEEK, scene(), labels=WORDS, threshold=0, iou=1))[0].items
    apart = labels(ask(runner, SEEK, scene(), labels=WORDS, threshold=0, iou=0.3, class_agnostic=True))[
        0
    ].items
    assert 0 < len(apart) < len(every)
    assert set(apart) < set(every)
    assert apart[0] == every[0]


def test_classes_rule_each_other_out_only_on_demand():
    box = {"xmin": 0, "ymin": 0, "xmax": 9, "ymax": 9}
    two = [Label.model_validate({"label": name, "score": 0.5, "box": box}) for name in ("a", "b")]
    assert len(distinct(two, DetectionOptions(class_agnostic=False))) == 2
    assert len(distinct(two, DetectionOptions())) == 1


def test_frames_of_a_clip_are_looked_through_at_once():
    runner = opened("RTDetrForObjectDetection")
    assert isinstance(runner, DetectorRunner)
    frames = [scene(seed=at) for at in range(3)]
    word = runner.detect(frames[:1], 0.3)[0][0].label
    found = runner.detect(frames, 0.3, [word])
    asked = labels(ask(runner, DETECT, *frames, threshold=0.3, labels=[word]))
    for one, event in zip(found, asked, strict=True):
        compare(one, [(item.score or 0, corners(item)) for item in event.items])


def test_what_has_two_names_in_one_place_is_told_once():
    runner = load(real("models", "deimv2_femto_coco"))
    picture = real("inputs", "coco_cats_000000039769.png")
    every, once = (labels(ask(runner, DETECT, picture, threshold=0.4, iou=iou))[0] for iou in (1, 0.8))
    assert [item.label for item in every.items] == ["cat", "cat", "bed", "remote", "dog", "couch"]
    assert [item.label for item in once.items] == ["cat", "cat", "bed", "remote"]


def test_a_real_detector_finds_two_cats_on_a_bed():
    runner = load(real("models", "deimv2_femto_coco"))
    found = labels(ask(runner, DETECT, real("inputs", "coco_cats_000000039769.png")))[0]
    assert [item.label for item in found.items] == ["cat", "cat", "bed", "remote"]
    assert [item.score for item in found.items] == pytest.approx([0.76, 0.75, 0.58, 0.57], abs=0.01)
    left, right = found.items[:2]
    assert corners(left) == pytest.approx([18, 53, 316, 466], abs=3)
    assert corners(right) == pytest.approx([347, 25, 640, 371], abs=3)


def test_the_starter_finds_what_is_in_scenes_it_never_saw():
    """Of 30 scenes, 120 objects or so, nearly all are found in their places, and little else."""
    runner = load(STARTER)
    assert isinstance(runner, DetectorRunner)
    scenes = [draw("compositional", at) for at in range(30)]
    found = runner.detect([render(one) for one in scenes], 0.5)
    right = sum(
        max((iou(thing.box, tuple(corners(item))) for item in items if item.label == thing.name), default=0)  # type: ignore[arg-type]
        > 0.7
        for one, items in zip(scenes, found, strict=True)
        for thing in one.objects
    )
    assert right >= 0.9 * sum(len(one.objects) for one in scenes)
    assert right >= 0.9 * sum(map(len, found))
