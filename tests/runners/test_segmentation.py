"""Regions, depths and cut-outs are those that transformers itself gives, in the picture's own size."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from examples.train_starters.scene_batches import draw
from examples.train_starters.shapes_world import index_map, render
from inference_chat.errors import InvalidRequest
from inference_chat.events import ImageReady, Label
from inference_chat.runners import segmentation
from tests import tiny_vision
from tests.tiny_vision import scene

from .pictures import ask, folder, labels, load, mask, opened

SEGMENT = "image-segmentation"
STARTER = Path(__file__).parents[2] / "model_cards" / "starter-segmenter"
AUTO = {
    "SegformerForSemanticSegmentation": "AutoModelForSemanticSegmentation",
    "Mask2FormerForUniversalSegmentation": "AutoModelForUniversalSegmentation",
    "MaskFormerForInstanceSegmentation": "AutoModelForUniversalSegmentation",
    "DetrForSegmentation": "AutoModelForUniversalSegmentation",
}
PICTURE = scene(120, 80, seed=2)


def array(item: Label) -> Any:
    assert item.mask
    assert mask(item.mask.data).size == PICTURE.size
    return np.asarray(mask(item.mask.data)) > 0


def reference(architecture: str, kind: str, **how: Any) -> Any:
    """What transformers makes of the picture."""
    import torch
    import transformers

    model = getattr(transformers, AUTO[architecture]).from_pretrained(folder(architecture))
    processor: Any = transformers.AutoImageProcessor.from_pretrained(folder(architecture))
    with torch.no_grad():
        out = model(**processor(PICTURE, return_tensors="pt"))
    read = getattr(processor, f"post_process_{kind}_segmentation")
    return read(out, target_sizes=[(80, 120)], **how)[0]


def test_classes_cover_the_picture_as_transformers_says():
    kind = "SegformerForSemanticSegmentation"
    found = labels(ask(opened(kind), SEGMENT, PICTURE))[0].items
    expected = reference(kind, "semantic").numpy()
    for item in found:
        at = next(number for number, name in tiny_vision.LABELS.items() if name == item.label)
        assert (array(item) == (expected == at)).all()
    assert sum(array(item).sum() for item in found) == 120 * 80


@pytest.mark.parametrize(
    ("architecture", "kind", "how"),
    [
        ("DetrForSegmentation", "panoptic", {"label_ids_to_fuse": set()}),
        ("MaskFormerForInstanceSegmentation", "panoptic", {"label_ids_to_fuse": set()}),
        ("MaskFormerForInstanceSegmentation", "instance", {"return_binary_maps": True}),
        ("Mask2FormerForUniversalSegmentation", "instance", {"return_binary_maps": True}),
    ],
)
def test_regions_are_those_of_transformers(architecture: str, kind: str, how: dict[str, Any]):
    expected = reference(architecture, kind, threshold=0.1, **how)
    found = labels(ask(opened(architecture), SEGMENT, PICTURE, threshold=0.1, subtask=kind))[0].items
    maps = expected["segmentation"].numpy()
    areas = {
        one["id"]: int((maps[one["id"]] > 0).sum() if maps.ndim == 3 else (maps == one["id"]).sum())
        for one in expected["segments_info"]
    }
    known = {
        (tiny_vision.LABELS[one["label_id"]], round(one["score"], 4), areas[one["id"]])
        for one in expected["segments_info"]
        if areas[one["id"]]
    }
    assert {(item.label, round(item.score or 0, 4), int(array(item).sum())) for item in found} == known
    assert known


@pytest.mark.parametrize("architecture", ["Mask2FormerForUniversalSegmentation", "DetrForSegmentation"])
def test_objects_have_scores_and_boxes_around_their_masks(architecture: str):
    found = labels(ask(opened(architecture), SEGMENT, PICTURE, threshold=0.1, subtask="instance"))[0].items
    assert found
    assert [item.score for item in found] == sorted((item.score or 0 for item in found), reverse=True)
    for item in found:
        rows, columns = np.nonzero(array(item))
        assert item.box
        assert (item.box.xmin, item.box.ymax) == (columns.min(), rows.max() + 1)


def test_a_kind_that_the_model_cannot_do_is_told():
    with pytest.raises(InvalidRequest, match=r"subtask: .* does semantic segmentation only"):
        ask(opened("SegformerForSemanticSegmentation"), SEGMENT, PICTURE, subtask="panoptic")


def test_only_the_regions_that_are_asked_for():
    runner = opened("SegformerForSemanticSegmentation")
    every = labels(ask(runner, SEGMENT, PICTURE))[0].items
    some = labels(ask(runner, SEGMENT, PICTURE, labels=[every[-1].label]))[0].items
    assert some == every[-1:]
    assert len(every) > 1


def test_a_large_picture_is_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch):
    """The maps of all classes are made smaller, the masks not."""
    runner = opened("SegformerForSemanticSegmentation")
    plain = labels(ask(runner, SEGMENT, PICTURE))[0].items
    monkeypatch.setattr(segmentation, "MOST_CELLS", 4 * 60 * 40)
    small = labels(ask(runner, SEGMENT, PICTURE))[0].items
    for one, other in zip(plain, small, strict=True):
        assert one.label == other.label
        assert (array(one) == array(other)).mean() > 0.9


@pytest.mark.parametrize("architecture", [name for name in AUTO if "Semantic" not in name])
def test_models_of_objects_tell_classes_too(architecture: str):
    found = labels(ask(opened(architecture), SEGMENT, PICTURE, subtask="semantic"))[0].items
    expected = reference(architecture, "semantic").numpy()
    areas = {tiny_vision.LABELS[int(at)]: int((expected == at).sum()) for at in np.unique(expected)}
    assert {item.label: int(array(item).sum()) for item in found} == areas
    assert {item.score for item in found} == {None}


def test_classes_are_as_sure_as_their_pixels():
    import torch

    three = torch.tensor([[[0.9, 0.7, 0.3]], [[0.1, 0.2, 0.6]], [[0.0, 0.1, 0.1]]]).log()
    assert segmentation.sureness(three) == pytest.approx([0.8, 0.6, 0.1])


def test_the_starter_finds_the_regions_of_scenes_it_never_saw():
    runner = load(STARTER)
    scenes = [draw("compositional", at) for at in range(15)]
    found = labels(ask(runner, SEGMENT, *(render(one) for one in scenes)))
    overlaps = []
    for drawn, event in zip(scenes, found, strict=True):
        regions, on_top = {item.label: item for item in event.items}, index_map(drawn)
        for name in {thing.name for thing in drawn.objects}:
            true = np.isin(on_top, [at for at, thing in enumerate(drawn.objects, 1) if thing.name == name])
            item = regions.get(name)
            told = np.asarray(mask(item.mask.data)) > 0 if item and item.mask else np.zeros_like(true)
            overlaps.append((true & told).sum() / max(1, (true | told).sum()))
    assert np.mean(np.array(overlaps) > 0.5) > 0.9


# --- depth --------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", tiny_vision.DEPTHS)
def test_depths_are_those_of_transformers(architecture: str):
    import torch
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    result = ask(opened(architecture), "depth-estimation", PICTURE)
    (event,) = (one for one in result.outcomes if isinstance(one, ImageReady))
    model: Any = AutoModelForDepthEstimation.from_pretrained(folder(architecture))
    processor: Any = AutoImageProcessor.from_pretrained(folder(architecture))
    with torch.no_grad():
        out = model(**processor(PICTURE, return_tensors="pt"))
    depth = processor.post_process_depth_estimation(out, target_sizes=[(80, 120)])[0]["predicted_depth"]
    grey = np.asarray(mask(event.image.data)).astype(float)
    assert grey.shape == (80, 120)
    near, far = event.near or 0, event.far or 0
    assert far + grey / 65535 * (near - far) == pytest.approx(depth.numpy(), abs=abs(near - far) / 10000)
    assert (near > far) == (architecture != "GLPNForDepthEstimation")  # that one tells metres


def test_a_depth_model_says_whether_it_tells_metres(tmp_path):
    kind = "DepthAnythingForDepthEstimation"
    runner = load(tiny_vision.build(kind, tmp_path / "m", depth_estimation_type="metric", max_depth=20))
    (event,) = ask(runner, "depth-estimation", PICTURE).outcomes
    assert isinstance(event, ImageReady)
    assert (event.near or 0) < (event.far or 0)


# --- cut-outs -----------------------------------------------------------------------------------

CUT = "mask-generation"


def test_what_a_point_shows_is_cut_out_as_transformers_does():
    import torch
    from transformers import SamModel, SamProcessor

    (item,) = labels(ask(opened("SamModel"), CUT, PICTURE, points=[[60, 40], [10, 10]], point_labels=[1, 0]))[
        0
    ].items
    processor = SamProcessor.from_pretrained(folder("SamModel"))
    inputs = processor(
        PICTURE, input_points=[[[[60, 40], [10, 10]]]], input_labels=[[[1, 0]]], return_tensors="pt"
    )
    with torch.no_grad():
        out = SamModel.from_pretrained(folder("SamModel"))(**inputs)
    best = int(out.iou_scores[0, 0].argmax())
    sizes = inputs["original_sizes"], inputs["reshaped_input_sizes"]
    expected = processor.post_process_masks([out.pred_masks[0]], *sizes)[0][0, best].numpy()
    assert item.score == pytest.approx(float(out.iou_scores[0, 0, best]), abs=1e-4)
    assert (array(item) == expected).all()


def test_each_box_shows_an_object():
    boxes = [[5, 5, 50, 60], [40, 10, 110, 70]]
    found = labels(ask(opened("SamModel"), CUT, PICTURE, boxes=boxes))[0].items
    assert {item.label for item in found} == {"object 1", "object 2"}


def test_all_candidates_on_demand():
    found = labels(ask(opened("SamModel"), CUT, PICTURE, points="[60, 40]", alternatives=True))[0].items
    assert len(found) > 1
    assert [item.score for item in found] == sorted((item.score or 0 for item in found), reverse=True)


def test_without_a_point_all_that_can_be_told_apart(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("inference_chat.runners.mask_generation.SURE", -1.0)
    found = labels(ask(opened("SamModel"), CUT, PICTURE, points_per_side=3))[0].items
    assert 0 < len(found) <= 9


def test_a_second_click_reads_the_picture_no_more():
    runner = opened("SamModel")
    ask(runner, CUT, PICTURE, points=[60, 40])
    known = dict(runner._known)  # type: ignore[attr-defined]
    ask(runner, CUT, PICTURE, points=[20, 20])
    assert dict(runner._known) == known  # type: ignore[attr-defined]


def test_a_point_outside_of_the_picture_is_told():
    with pytest.raises(InvalidRequest, match=r"\(500, 20\) lies outside of the picture of 120 × 80 pixels"):
        ask(opened("SamModel"), CUT, PICTURE, points=[[500, 20]])


@pytest.mark.parametrize(
    "options",
    [
        {"points": "somewhere"},
        {"points": [[1, 2]], "point_labels": [1, 1]},
        {"points": [[1, 2]], "point_labels": [7]},
        {"boxes": [[9, 9, 1, 1]]},
        {"points": [[1, 2]], "boxes": [[0, 0, 9, 9], [0, 0, 5, 5]]},
    ],
)
def test_what_shows_nothing_is_refused(options: dict[str, Any]):
    with pytest.raises(ValueError, match=r"points|boxes|point_labels"):
        ask(opened("SamModel"), CUT, PICTURE, **options)


# --- questions ----------------------------------------------------------------------------------


def test_a_question_is_answered_as_transformers_does():
    import torch
    from transformers import AutoModelForVisualQuestionAnswering, AutoProcessor

    kind, pictures = "ViltForQuestionAnswering", [PICTURE, Image.new("RGB", (120, 80), "blue")]
    result = ask(opened(kind), "visual-question-answering", *pictures, prompt="a red cat?")
    model: Any = AutoModelForVisualQuestionAnswering.from_pretrained(folder(kind))
    processor: Any = AutoProcessor.from_pretrained(folder(kind))
    for picture, text, found in zip(pictures, result.texts, labels(result), strict=True):
        with torch.no_grad():
            scores = model(**processor(picture, "a red cat?", return_tensors="pt")).logits[0].sigmoid()
        assert text == found.items[0].label == tiny_vision.LABELS[int(scores.argmax())]
        assert found.items[0].score == pytest.approx(float(scores.max()), abs=1e-5)


def test_an_empty_question_is_told():
    with pytest.raises(InvalidRequest, match="question: say what"):
        ask(opened("ViltForQuestionAnswering"), "visual-question-answering", PICTURE, prompt=" ")
