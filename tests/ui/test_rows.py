"""The table of many pictures: one row for each find, with the columns that mean something."""

from typing import Any

import pytest

from inference_chat.ui.rows import columns_of, rows_of, table_of

BOX = {"xmin": 1.2, "ymin": 2.0, "xmax": 30.6, "ymax": 40.0}
NAMES = ("a.png", "b.png", "c.png")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ([{"label": "cat", "score": 0.5}], [{"picture": "a.png", "label": "cat", "score": 0.5}]),
        ([], [{"picture": "a.png", "label": "nothing found"}]),
        ({"text": "a cat"}, [{"picture": "a.png", "answer": "a cat"}]),
        (
            {"embedding": [1.0], "similar": [{"label": "picture 3", "score": 0.9}, {"label": "picture 2"}]},
            [{"picture": "a.png", "most like it": "c.png", "score": 0.9}],
        ),
        ({"embedding": [1.0], "similar": []}, [{"picture": "a.png", "most like it": "no other picture"}]),
        ({"depth": "data:", "near": 1}, [{"picture": "a.png", "result": "depth, near"}]),
    ],
)
def test_a_picture_has_a_row_for_each_find(output: Any, expected: list[dict[str, Any]]):
    assert rows_of("a.png", output, NAMES) == expected


def test_a_box_is_one_column_on_the_page_and_four_in_the_file():
    rows = rows_of("a.png", [{"label": "cat", "score": 0.51239, "box": BOX}], NAMES)
    rows += rows_of("b.png", [], NAMES)
    assert columns_of(rows) == ["picture", "label", "score", "xmin", "ymin", "xmax", "ymax"]
    assert table_of(rows) == {
        "headers": ["picture", "label", "score", "box"],
        "data": [["a.png", "cat", 0.5124, "1, 2 – 31, 40"], ["b.png", "nothing found", None, None]],
    }
