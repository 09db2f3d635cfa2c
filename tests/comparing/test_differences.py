"""How much two outputs agree, in the way of each task."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inference_chat.comparing.differences import agreement, of_batch
from inference_chat.tasks import Task

T = Task


def box(label: str, *corners: float) -> Any:
    return {
        "label": label,
        "score": 0.9,
        "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)),
    }


def picture(colour: str, size: tuple[int, int] = (8, 8)) -> str:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def test_words_that_only_one_text_has_are_told():
    found = agreement(T.TEXT_GENERATION, {"text": "the red cat sat"}, {"text": "the cat sat down"})
    assert found["pieces"] == [
        ["same", "the "],
        ["removed", "red "],
        ["same", "cat sat "],
        ["added", "down"],
    ]
    assert found["agreement"] == pytest.approx(0.75)


@given(st.text(max_size=60), st.text(max_size=60))
def test_both_texts_can_be_read_from_the_pieces(one: str, other: str):
    pieces = agreement(T.TEXT_GENERATION, {"text": one}, {"text": other})["pieces"]
    second = "".join(text for op, text in pieces if op != "removed")
    assert second.split() == other.split()


def test_writing_without_spaces_is_compared_by_its_characters():
    found = agreement(T.TRANSLATION, {"text": "我喜欢猫"}, {"text": "我喜欢狗"})
    assert sorted(found["pieces"]) == [["added", "狗"], ["removed", "猫"], ["same", "我喜欢"]]


def test_transcripts_have_a_word_error_rate():
    found = agreement(T.AUTOMATIC_SPEECH_RECOGNITION, {"text": "Red, two three."}, {"text": "red to three"})
    assert found["word_error_rate"] == pytest.approx(1 / 3, abs=1e-3)


def test_boxes_at_the_same_place_are_matched_one_to_one():
    one = [box("cat", 0, 0, 10, 10), box("dog", 20, 20, 30, 30), box("cow", 50, 50, 60, 60)]
    other = [box("cat", 1, 0, 11, 10), box("fox", 20, 20, 30, 30), box("cat", 2, 0, 12, 10)]
    found = agreement(T.OBJECT_DETECTION, one, other)
    assert [pair[:2] for pair in found["pairs"]] == [[1, 1], [0, 0]]
    assert found["mean_iou"] == pytest.approx((1 + 9 / 11) / 2, abs=1e-3)
    assert (found["same_labels"], found["agreement"]) == (1, pytest.approx(1 / 3, abs=1e-3))


@pytest.mark.parametrize(("one", "share"), [([], 1.0), ([box("cat", 0, 0, 1, 1)], 0.0)])
def test_nothing_agrees_with_nothing_only(one: Any, share: float):
    assert agreement(T.OBJECT_DETECTION, one, [])["agreement"] == share


def test_classes_overlap_by_their_scores():
    one = [{"label": "cat", "score": 0.7}, {"label": "dog", "score": 0.3}]
    other = [{"label": "dog", "score": 0.6}, {"label": "cat", "score": 0.4}]
    found = agreement(T.IMAGE_CLASSIFICATION, one, other)
    assert (found["agreement"], found["same_top"]) == (pytest.approx(0.7), False)
    assert {"label": "cat", "scores": [0.7, 0.4]} in found["changes"]


def test_pictures_differ_by_their_pixels():
    white, black = ({"images": [picture(colour)]} for colour in ("white", "black"))
    assert agreement(T.TEXT_TO_IMAGE, white, white)["say"] == "The same picture."
    assert agreement(T.TEXT_TO_IMAGE, white, black)["difference"] == 1.0
    other_size = {"images": [picture("white", (4, 4))]}
    assert agreement(T.TEXT_TO_IMAGE, white, other_size)["agreement"] is None


def test_masks_of_a_label_overlap():
    one = [{"label": "sky", "mask": picture("white")}, {"label": "sea", "mask": picture("white")}]
    found = agreement(T.IMAGE_SEGMENTATION, one, [{"label": "sky", "mask": picture("white")}])
    assert found["labels"] == {"sky": 1.0, "sea": 0.0}


def test_depths_correlate():
    near = {"depth": picture("white")}
    assert agreement(T.DEPTH_ESTIMATION, near, near)["correlation"] == 1.0


def test_tracks_are_counted_and_compared_in_each_frame():
    place = {"frame": 0, "time_s": 0.0, "score": 1.0, "box": box("", 0, 0, 5, 5)["box"]}
    one = {"tracks": [{"id": 1, "label": "car", "frames": [place, place | {"frame": 1}]}]}
    other = {"tracks": [{"id": 7, "label": "car", "frames": [place]}]}
    found = agreement(T.OBJECT_TRACKING, one, other)
    assert (found["agreement"], found["counts"]) == (0.5, [{"car": 1}, {"car": 1}])


def test_scenes_begin_at_the_same_moment():
    one, other = (
        {"scenes": [{"start_s": s, "end_s": s + 1} for s in starts]} for starts in ([0, 2.0, 5], [0, 2.3])
    )
    assert agreement(T.SCENE_DETECTION, one, other)["agreement"] == pytest.approx(0.8)


@pytest.mark.parametrize("task", [*Task])
def test_every_task_takes_what_is_empty(task: Task):
    output: Any = {"text": ""} if task == T.TEXT_GENERATION else {"depth": picture("red")}
    told = agreement(task, output, output)
    assert told["say"]
    assert told["agreement"] is None or 0 <= told["agreement"] <= 1


def test_several_media_have_their_mean():
    ones = [[{"label": "cat", "score": 1.0}]] * 2
    found = of_batch(T.IMAGE_CLASSIFICATION, ones, [ones[0], [{"label": "dog", "score": 1.0}]])
    assert found["agreement"] == 0.5
