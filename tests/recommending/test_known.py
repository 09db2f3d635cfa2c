"""What models with labels of their own know of a wish."""

import pytest

from inference_chat.recommending import known

COCO = ["person", "stop sign", "cat", "dog", "bus", "sheep"]
IMAGENET = ["tabby, tabby cat", "Egyptian cat", "macaw", "goldfinch, Carduelis carduelis"]


@pytest.mark.parametrize(
    ("wish", "labels", "found"),
    [
        ("find the cats in my photo", COCO, ["cat"]),
        ("how many people wait for the buses", COCO, ["person", "bus"]),
        ("count parts on a conveyor", COCO, []),
        ("which cat is this", IMAGENET, ["tabby, tabby cat", "Egyptian cat"]),
        ("is that a goldfinch?", IMAGENET, ["goldfinch, Carduelis carduelis"]),
        ("Finde die Katzen", COCO, []),
        ("", COCO, []),
    ],
)
def test_labels_that_a_wish_names(wish: str, labels: list[str], found: list[str]):
    assert known.named(wish, labels) == found


def test_labels_that_only_count_say_nothing():
    assert known.usable(["LABEL_0", "cat"]) == ["cat"]


def test_it_is_said_what_a_model_knows():
    assert known.reason(COCO, ["cat"]) == "knows “cat”"
    assert known.reason(COCO, COCO[:5]) == "knows “person”, “stop sign”, “cat” and 2 more"
    assert known.reason(COCO, []).startswith("knows 6 labels (person, stop sign, cat, …)")
