"""Regions counted label by label, and a tiny segmenter measured by them."""

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference_chat.errors import InvalidRequest
from inference_chat.evaluating.evaluations import Asked
from inference_chat.evaluating.labelled import LabelledSet
from inference_chat.evaluating.regions import counted, overlaps, scores
from inference_chat.evaluating.scoring import Pair, right, scored
from inference_chat.media import data_url, image_bytes
from inference_chat.outputs import output_of
from inference_chat.schema import JSON
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests import tiny, tiny_vision
from tests.server import settings

SEGMENTS = Task.IMAGE_SEGMENTATION


def png(rows: list[list[int]], *, palette: bool = False) -> bytes:
    picture = Image.fromarray(np.array(rows, np.uint8))
    if palette:
        coloured = Image.new("P", picture.size)
        coloured.putdata(np.array(rows).ravel().tolist())
        coloured.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
        picture = coloured
    return image_bytes(picture)


def answer(**masks: list[list[int]]) -> list[JSON]:
    return [
        {"label": label, "mask": data_url(png([[255 * one for one in row] for row in rows]), "image/png")}
        for label, rows in masks.items()
    ]


@pytest.mark.parametrize("palette", [False, True])
def test_a_map_is_counted_by_its_numbers_and_what_has_no_name_is_not(palette: bool):
    files = {"map.png": png([[0, 1, 1], [0, 1, 2]], palette=palette)}
    truth = [{"label": "Sky", "mask": "map.png", "value": 0}, {"label": "sea", "mask": "map.png", "value": 1}]
    said = answer(sky=[[1, 1, 0], [1, 0, 0]], land=[[0, 0, 1], [0, 1, 1]])
    found = counted(truth, said, files.__getitem__, str.lower)
    assert found == {"sky": [2, 3, 2], "sea": [0, 0, 3], "land": [0, 2, 0]}
    assert overlaps([found]) == {"sky": pytest.approx(2 / 3), "sea": 0}
    assert scores([found]) == {"mean_iou": pytest.approx(1 / 3, abs=1e-6), "pixels": 0.4}
    assert not right(SEGMENTS, Pair(truth, found))
    assert scored(SEGMENTS, [Pair(truth, found)])["mean_iou"] == pytest.approx(1 / 3, abs=1e-6)


def test_masks_of_their_own_are_counted_and_sums_are_divided_last():
    files = {"a.png": png([[255, 255], [0, 0]])}
    truth = [{"label": "cat", "mask": "a.png"}]
    good = counted(truth, answer(cat=[[1, 1], [0, 0]]), files.__getitem__, str)
    bad = counted(truth, [], files.__getitem__, str)
    assert (good, bad) == ({"cat": [2, 2, 2]}, {"cat": [0, 0, 2]})
    assert scores([good, bad]) == {"mean_iou": 0.5, "pixels": 0.5}
    assert right(SEGMENTS, Pair(truth, good))


def test_a_mask_of_another_size_is_refused():
    truth = [{"label": "cat", "mask": "a.png"}]
    with pytest.raises(InvalidRequest, match=r"2 × 1 and 2 × 2 pixels"):
        counted(truth, answer(cat=[[1, 1], [0, 0]]), lambda _: png([[255, 0]]), str)


def zipped(files: Mapping[str, bytes], rows: list[JSON]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.jsonl", "\n".join(json.dumps(row) for row in rows))
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_rows_name_one_map_or_a_mask_for_each_label(tmp_path: Path):
    rows: list[JSON] = [
        {"file_name": "1.png", "mask": "1m.png", "labels": {"3": "cat"}},
        {"file_name": "2.png", "mask": [{"label": "dog", "mask": "2m.png"}]},
        {"file_name": "3.png", "mask": "3m.png"},
    ]
    (tmp_path / "set.zip").write_bytes(zipped({}, rows))
    found = LabelledSet(tmp_path / "set.zip", "set.zip").rows(SEGMENTS, 10)
    assert [row.truth for row in found.kept] == [
        [{"label": "cat", "mask": "1m.png", "value": 3}],
        [{"label": "dog", "mask": "2m.png"}],
    ]
    assert "row 3 has no regions" in found.notes()[0]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    folder = tmp_path / "models"
    model = tiny_vision.build("SegformerForSemanticSegmentation", folder / "cutter")
    tiny.card(model, "cutter", pipeline_tag="image-segmentation")
    made = Service(settings(tmp_path, folder))
    await asyncio.to_thread(made.models.register_cards, folder)
    yield made
    await made.stop()


async def test_a_segmenter_is_measured_by_what_it_says_itself(service: Service, tmp_path: Path):
    """Its own answers as the truth are wholly right; a mask of another size is left out and told."""
    picture = image_bytes(tiny_vision.scene(48, 32))
    medium = await service.intake.file(picture, "image")
    job = await service.intake.request(task=SEGMENTS, model="cutter", media=[medium])
    result = await service.jobs.start(job).result()
    said = output_of(job, result)
    assert isinstance(said, list)
    files = {"p.png": picture, "small.png": png([[255]])}
    regions = []
    for number, one in enumerate(said):
        _, _, data = one["mask"].partition(",")
        files[f"{number}.png"] = base64.b64decode(data)
        regions.append({"label": one["label"], "mask": f"{number}.png"})
    rows: list[JSON] = [{"file_name": "p.png", "mask": regions}] * 12
    rows.append({"file_name": "p.png", "mask": [{"label": said[0]["label"], "mask": "small.png"}]})
    (tmp_path / "sent").write_bytes(zipped(files, rows))
    kept = service.evaluations.sets.keep(tmp_path / "sent", "mine.zip")
    begun = await service.evaluations.start(Asked(models=("cutter",), set=kept, task=SEGMENTS))
    shown = [one async for one in service.evaluations.watch(begun["id"], 0.05)][-1]
    (part,) = shown["results"]
    assert part["state"] == "done", part
    assert part["scores"] == {"mean_iou": 1.0, "pixels": 1.0}
    assert (part["rows"], part["right"]) == (12, 12)
    assert any("differ in size" in note for note in part["notes"])
