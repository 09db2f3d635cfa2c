"""Clips classified by tiny models of each family: as transformers does it, in stretches, broken ones too."""

import random
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Event as Flag
from typing import Any

import pytest

from examples.train_starters.shapes_world.clips import clip as scene_clip
from examples.train_starters.shapes_world.clips import render_clip
from inference_chat.errors import InvalidModel
from inference_chat.events import Event, Finished, Footage, Labels, Progress, Result
from inference_chat.media import Limits, MediaStore, open_clip
from inference_chat.outputs import output_of
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.video import ActionOptions, ActionRunner, stretches
from inference_chat.schema import Request
from inference_chat.tasks import Task
from tests.media.films import film, grey, noisy

SMALL: dict[str, Any] = {
    "image_size": 32,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
SMALL |= {"intermediate_size": 48, "initializer_range": 0.5}
KINDS: dict[str, dict[str, Any]] = {
    "VideoMAE": {"patch_size": 8, "num_frames": 8, "tubelet_size": 2},
    "Timesformer": {"patch_size": 8, "num_frames": 4},
    "Vivit": {"tubelet_size": [2, 8, 8], "num_frames": 8},
}
NAMES = ["run", "jump", "sit"]


@cache
def folder(kind: str) -> Path:
    import torch
    import transformers

    place = Path(mkdtemp(prefix="clips-")) / kind.lower()
    names = {"id2label": dict(enumerate(NAMES)), "label2id": {name: n for n, name in enumerate(NAMES)}}
    config = getattr(transformers, f"{kind}Config")(**SMALL | KINDS[kind] | names)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        getattr(transformers, f"{kind}ForVideoClassification")(config).save_pretrained(place)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    reader = "VivitImageProcessor" if kind == "Vivit" else "VideoMAEImageProcessorPil"
    getattr(transformers, reader)(**sizes).save_pretrained(place)
    return place


@cache
def opened(kind: str) -> ActionRunner:
    runner = family_of(inspect(folder(kind))).runner(inspect(folder(kind)), Placement("cpu", "float32"))
    assert isinstance(runner, ActionRunner)
    runner.load()
    return runner


@pytest.fixture(scope="module")
def clip() -> bytes:
    return film((grey(n) for n in range(100)), 20)


def request(tmp_path: Path, data: bytes, **options) -> Request:
    media = MediaStore(tmp_path / "media", Limits()).add(data, "video")
    how = ActionOptions(**options)
    return Request(task=Task.VIDEO_CLASSIFICATION, model="tiny@1", media=(media,), options=how)


def events(tmp_path: Path, data: bytes, kind: str = "VideoMAE", **options) -> list[Event]:
    return list(opened(kind).run(request(tmp_path, data, **options), Flag()))


def told(found: list[Event]) -> list[Labels]:
    return [event for event in found if isinstance(event, Labels)]


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_those_of_transformers(tmp_path: Path, clip: bytes, kind: str):
    import torch
    from transformers import AutoImageProcessor, AutoModelForVideoClassification

    (found,) = told(events(tmp_path, clip, kind))
    model: Any = AutoModelForVideoClassification.from_pretrained(folder(kind))
    reader: Any = AutoImageProcessor.from_pretrained(folder(kind), backend="pil")
    frames = open_clip(clip, count=KINDS[kind]["num_frames"]).frames
    with torch.no_grad():
        row = model(**reader(list(frames), return_tensors="pt")).logits.softmax(-1)[0]
    assert {item.label: item.score for item in found.items} == {
        name: pytest.approx(score, abs=1e-4) for name, score in zip(NAMES, row.tolist(), strict=True)
    }
    assert [item.score for item in found.items] == sorted(item.score or 0 for item in found.items)[::-1]


def test_what_is_told_on_the_way(tmp_path: Path, clip: bytes):
    found = events(tmp_path, clip)
    assert isinstance(found[0], Footage)
    assert found[0].times == pytest.approx([(n + 0.5) * 5 / 8 for n in range(8)], abs=1e-3)
    fractions = [event.fraction or 0 for event in found if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert isinstance(found[-1], Finished)


def test_stretches_of_a_clip_are_told_apart(tmp_path: Path, clip: bytes):
    asked = request(tmp_path, clip, window_s=2, top_k=1)
    output = output_of(asked, Result.of(opened("VideoMAE").run(asked, Flag())))
    assert isinstance(output, dict)
    assert [(one["start_s"], one["end_s"]) for one in output["windows"]] == [(0, 2), (2, 5)]
    assert len(output["labels"]) == len(output["windows"][0]["labels"]) == 1


def test_a_whole_clip_is_one_list(tmp_path: Path, clip: bytes):
    asked = request(tmp_path, clip, top_k=2)
    output = output_of(asked, Result.of(opened("VideoMAE").run(asked, Flag())))
    assert isinstance(output, list)
    assert [sorted(one) for one in output] == [["label", "score"]] * 2


def test_a_long_clip_is_the_mean_of_its_stretches(tmp_path: Path):
    long = film((grey(n) for n in range(120)), 4)
    mean = told(events(tmp_path, long))
    parts = told(events(tmp_path, long, window_s=10))
    assert (len(mean), len(parts)) == (1, 4)
    jumps = [next(item.score or 0 for item in one.items if item.label == "jump") for one in parts]
    assert jumps[3] == pytest.approx(sum(jumps[:3]) / 3, abs=1e-5)
    assert mean[0].items == parts[3].items


@pytest.mark.parametrize(
    ("seconds", "window", "ends"),
    [
        (4, None, [0, 4]),
        (14, None, [0, 14]),
        (25, None, [0, 12.5, 25]),
        (5, 2, [0, 2, 5]),
        (6, 2, [0, 2, 4, 6]),
        (1, 2, [0, 1]),
    ],
)
def test_stretches(seconds: float, window: float | None, ends: list[float]):
    assert stretches(seconds, window) == ends


def test_a_clip_of_fewer_frames_than_the_model_takes(tmp_path: Path):
    assert len(told(events(tmp_path, film([grey(9), grey(90)])))[0].items) == 3


def test_a_clip_that_breaks_off_is_judged_by_what_there_is(tmp_path: Path):
    whole = film(noisy(n) for n in range(100))
    found = events(tmp_path, whole[: len(whole) // 2], window_s=1)
    assert len(told(found)) == 3
    assert isinstance(found[-1], Finished)
    assert "cut off" in found[-1].notes[0]


def test_a_stop_ends_it(tmp_path: Path, clip: bytes):
    stop = Flag()
    stop.set()
    last = list(opened("VideoMAE").run(request(tmp_path, clip), stop))[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason == "cancelled"


def test_weights_that_are_missing_are_refused(tmp_path: Path):
    from safetensors.numpy import load_file, save_file

    for file in folder("VideoMAE").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InvalidModel, match=r"classifier\.weight"):
        ActionRunner(inspect(tmp_path), Placement("cpu", "float32")).load()


CARD = Path(__file__).parents[2] / "model_cards" / "starter-video"


def test_the_starter_sees_which_way_things_go(tmp_path: Path):
    starter = ActionRunner(inspect(CARD), Placement("cpu", "float32"))
    starter.load()
    right = []
    for seed, motion in enumerate(("left", "right", "up", "down", "grow", "shrink", "appear", "vanish")):
        moving = render_clip(scene_clip(random.Random(seed), pixels=64, frames=48, motion=motion))
        (found,) = told(list(starter.run(request(tmp_path, film(moving)), Flag())))
        right.append(found.items[0].label == motion)
    assert sum(right) >= 7
