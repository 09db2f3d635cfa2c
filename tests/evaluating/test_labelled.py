import io
import json
import zipfile
from pathlib import Path

import pytest

from inference_chat.errors import InvalidRequest
from inference_chat.evaluating.labelled import LabelledSet
from inference_chat.tasks import Task

TEXT = Task.TEXT_CLASSIFICATION
PICTURE = Task.IMAGE_CLASSIFICATION


def made(path: Path, content: str | bytes | dict[str, str | bytes], name: str = "set.csv") -> LabelledSet:
    """A set in a file whose name says nothing; a dictionary is a zip."""
    if isinstance(content, dict):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for inner, data in content.items():
                archive.writestr(inner, data)
        content = packed.getvalue()
    (path / "x").write_bytes(content.encode() if isinstance(content, str) else content)
    return LabelledSet(path / "x", name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "\ufefftext,label\ngood,yes\nbad,no\n"),
        ("a.tsv", "Label\tText\nyes\tgood\nno\tbad\n"),
        ("a.csv", 'sentence;target\n"good";yes\n"bad";no\n'),
        ("a.jsonl", '{"text": "good", "label": "yes"}\n\n{"text": "bad", "label": "no"}'),
        ("a.json", '[{"input": "good", "answer": "yes"}, {"input": "bad", "answer": "no"}]'),
    ],
)
def test_tables_are_read_as_people_have_them(tmp_path: Path, name: str, content: str):
    rows = made(tmp_path, content, name).rows(TEXT, 10).kept
    assert [(row.number, row.text, row.truth) for row in rows] == [(1, "good", "yes"), (2, "bad", "no")]


def test_folders_of_a_zip_are_labels(tmp_path: Path):
    content: dict[str, str | bytes] = {"s/cat/1.png": b"1", "s/dog/2.png": b"2", "__MACOSX/s/cat/1.png": b""}
    found = made(tmp_path, content)
    rows = found.rows(PICTURE, 10).kept
    assert [(row.file, row.truth) for row in rows] == [("s/cat/1.png", "cat"), ("s/dog/2.png", "dog")]
    assert found.file("s/dog/2.png") == b"2"


def test_a_table_in_a_zip_names_its_files(tmp_path: Path):
    boxes = {"bbox": [[1, 2, 10, 20]], "categories": ["cat"]}
    lines = [{"file_name": "1.png", "objects": boxes}, {"file_name": "2.png", "objects": []}]
    table = "\n".join(json.dumps(line) for line in lines)
    found = made(tmp_path, {"train/metadata.jsonl": table, "train/1.png": b"1"})
    first, second = found.rows(Task.OBJECT_DETECTION, 10).kept
    assert first.truth == [{"label": "cat", "box": {"xmin": 1, "ymin": 2, "xmax": 11, "ymax": 22}}]
    assert second.truth == []
    assert found.file("1.png") == b"1"
    with pytest.raises(InvalidRequest, match=r"no file '2\.png'"):
        found.file("2.png")


def test_broken_rows_are_named_and_left_out(tmp_path: Path):
    found = made(tmp_path, '{"text": "a", "label": 1}\nnonsense\n{"text": "b"}\n', "a.jsonl").rows(TEXT, 10)
    assert [row.truth for row in found.kept] == ["1"]
    assert found.notes()[0].startswith("2 rows were left out: row 2 is no JSON object; row 3 has no `label`")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "words,label\nx,y\n", "has `words`, `label`; it needs a column `text`"),
        ("a.csv", "text,kind\nx,y\n", "it needs a column `label`"),
        ("a.csv", "", "no row that can be used: it is empty"),
        ("a.csv", b"text,label\n\xff\xfe\x00,x\n", "not UTF-8"),
        ("a.json", "{", "it is no JSON"),
        ("a.csv", "text,label\n" + "x" * 200_000 + ",y\n", "cannot be read"),
    ],
)
def test_what_is_no_set_is_refused_with_what_it_lacks(tmp_path: Path, name, content, said):
    with pytest.raises(InvalidRequest, match=said):
        made(tmp_path, content, name).rows(TEXT, 10)


def test_pictures_need_a_zip(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="send a zip"):
        made(tmp_path, "image,label\na.png,cat\n").rows(PICTURE, 10)


def test_of_a_million_rows_a_fair_sample_is_drawn(tmp_path: Path):
    found = made(tmp_path, "text,label\n" + "".join(f"t{i},{i % 2}\n" for i in range(100_000)))
    rows = found.rows(TEXT, 500)
    numbers = [row.number for row in rows.kept]
    assert (len(numbers), rows.seen) == (500, 100_000)
    assert 40_000 < sum(numbers) / 500 < 60_000
    assert numbers == sorted(numbers) == [row.number for row in found.rows(TEXT, 500).kept]
    assert rows.notes() == ["Of 100,000 rows 500 were drawn by lot, the same each time."]


def test_a_name_without_an_end_leaves_it_to_the_file(tmp_path: Path):
    (tmp_path / "x.jsonl").write_text('{"text": "a", "label": "b"}\n')
    assert len(LabelledSet(tmp_path / "x.jsonl", "requests").rows(TEXT, 5).kept) == 1
