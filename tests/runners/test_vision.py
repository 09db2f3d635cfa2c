"""What holds for all models of pictures: batches, cancels, damaged files, broken folders, memory."""

import gc
import io
import shutil
import weakref
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from inference_chat.errors import BadMedia, InferenceChatError, InvalidModel, UnsafeModel
from inference_chat.events import Finished, Labels, Progress
from inference_chat.outputs import output_of
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.vision import LARGEST_BATCH, STEP_SECONDS, Size, Tensors
from inference_chat.schema import Options
from tests import tiny_vision
from tests.tiny_vision import scene

from .models import real
from .pictures import ask, events, folder, labels, load, opened, request

CLASSIFY, DETECT = "image-classification", "object-detection"
VIT = "ViTForImageClassification"


def test_many_pictures_go_through_the_model_together(monkeypatch: pytest.MonkeyPatch):
    runner, batches = opened(VIT), list[int]()
    plain = runner.look

    def counted(inputs: Tensors, sizes: Sequence[Size], options: Options) -> Sequence[Any]:
        batches.append(len(sizes))
        return plain(inputs, sizes, options)

    monkeypatch.setattr(runner, "look", counted)
    monkeypatch.setattr(runner, "_seconds", 1e-6)
    result = ask(runner, CLASSIFY, *(scene(seed=at) for at in range(LARGEST_BATCH + 3)))
    assert batches == [LARGEST_BATCH, 3]
    assert [event.index for event in labels(result)] == list(range(LARGEST_BATCH + 3))


def test_a_slow_model_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch):
    runner = opened(VIT)
    ready = [runner.prepared(at, scene(seed=at), runner.example) for at in range(10)]
    for seconds, batches in ((STEP_SECONDS / 5, [5, 5]), (STEP_SECONDS * 9, [1] * 10), (None, [4, 4, 2])):
        monkeypatch.setattr(runner, "_seconds", seconds)
        assert [len(batch) for batch in runner._batches(ready)] == batches


@pytest.mark.parametrize("kind", ["DetrForObjectDetection", "RTDetrForObjectDetection"])
def test_a_picture_is_answered_alike_whatever_its_neighbours(kind: str):
    pictures = [scene(96, 64), scene(64, 96, seed=1), scene(96, 64, seed=2), scene(50, 120, seed=3)]
    together = labels(ask(opened(kind), DETECT, *pictures, threshold=0.2))
    for picture, found in zip(pictures, together, strict=True):
        alone = labels(ask(opened(kind), DETECT, picture, threshold=0.2))[0]
        pairs = zip(found.items, alone.items, strict=True)
        assert all(a.label == b.label and abs((a.score or 0) - (b.score or 0)) < 1e-4 for a, b in pairs)


def test_progress_counts_pictures_and_never_goes_back():
    told = events(opened(VIT), CLASSIFY, [scene(seed=at) for at in range(20)])
    steps = [event for event in told if isinstance(event, Progress)]
    assert [step.done for step in steps] == sorted(step.done or 0 for step in steps)
    assert (steps[-1].fraction, steps[-1].done, steps[-1].total, steps[-1].unit) == (1.0, 20, 20, "pictures")


def test_a_stop_is_seen_between_batches():
    stop, seen = Flag(), list[Labels]()
    running = opened(VIT).run(request(CLASSIFY, [scene(seed=at) for at in range(40)]), stop)
    for event in running:
        if isinstance(event, Labels):
            seen.append(event)
            stop.set()
    assert isinstance(event, Finished)
    assert event.finish_reasons == ("cancelled",)
    assert len(seen) <= LARGEST_BATCH


def test_two_requests_in_turn_do_not_mix():
    runner = opened(VIT)
    one = runner.run(request(CLASSIFY, [scene(seed=1)] * 3), Flag())
    other = runner.run(request(CLASSIFY, [scene(seed=2)] * 3), Flag())
    found = [(a, b) for a, b in zip(one, other, strict=True) if isinstance(a, Labels)]
    alone = [labels(ask(runner, CLASSIFY, scene(seed=at)))[0].items for at in (1, 2)]
    for a, b in found:
        assert isinstance(b, Labels)
        assert [a.items[0].label, b.items[0].label] == [items[0].label for items in alone]


def test_a_damaged_picture_alone_is_an_error():
    with pytest.raises(BadMedia):
        ask(opened(VIT), CLASSIFY, b"\x89PNG\r\n\x1a\nnothing else")


def test_a_damaged_picture_among_others_is_left_out_and_told():
    given: list[Image.Image | bytes] = [scene(seed=1), b"\x89PNG\r\n\x1a\nnothing else", scene(seed=2)]
    asked = request(CLASSIFY, given)
    result = ask(opened(VIT), CLASSIFY, *given)
    assert [event.index for event in labels(result)] == [0, 2]
    assert result.finished.notes[0].startswith("Picture 2 was left out.")
    output = output_of(asked, result)
    assert [bool(one) for one in output] == [True, False, True]


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "I;16", "1"])
def test_pictures_of_every_kind_are_read(mode: str):
    buffer = io.BytesIO()
    plain = scene().convert("L").convert("I;16") if mode == "I;16" else scene().convert(mode)
    plain.save(buffer, "TIFF")
    assert labels(ask(opened(VIT), CLASSIFY, buffer.getvalue()))[0].items


def test_a_picture_of_one_pixel_is_answered():
    assert labels(ask(opened(VIT), CLASSIFY, Image.new("RGB", (1, 1))))[0].items


@pytest.mark.parametrize("kind", [VIT, "DetrForObjectDetection", "SegformerForSemanticSegmentation"])
def test_missing_tensors_are_never_made_up(tmp_path: Path, kind: str):
    shutil.copytree(folder(kind), tmp_path / "broken")
    path = tmp_path / "broken" / "model.safetensors"
    tensors = load_file(path)
    left_out = sorted(tensors)[0]
    save_file({name: t for name, t in tensors.items() if name != left_out}, path, metadata={"format": "pt"})
    with pytest.raises(InvalidModel, match="lacks 1 tensors"):
        load(tmp_path / "broken")


def test_a_processor_that_does_not_fit_is_found_when_loading(tmp_path: Path):
    shutil.copytree(folder(VIT), tmp_path / "unfit")
    path = tmp_path / "unfit" / "preprocessor_config.json"
    path.write_text(path.read_text().replace("32", "48"))
    with pytest.raises(InvalidModel, match="unfit cannot be loaded as an image classifier"):
        load(tmp_path / "unfit")


def test_a_missing_processor_is_told(tmp_path: Path):
    shutil.copytree(folder(VIT), tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink()
    with pytest.raises(InvalidModel, match="image classifier") as failure:
        load(tmp_path / "bare")
    assert str(tmp_path) not in failure.value.detail


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is here")
def test_a_library_that_is_not_here_is_named(tmp_path: Path):
    shutil.copytree(folder(VIT), tmp_path / "other")
    (tmp_path / "other" / "preprocessor_config.json").write_text(
        '{"image_processor_type": "Sam2ImageProcessor"}'
    )
    with pytest.raises(InvalidModel, match="pip install torchvision"):
        load(tmp_path / "other")


def test_a_library_that_is_missed_late_is_named(monkeypatch: pytest.MonkeyPatch):
    def late(*_: object) -> Sequence[Any]:
        raise NameError("name 'tvF' is not defined")

    monkeypatch.setattr(opened(VIT), "look", late)
    with pytest.raises(InvalidModel, match="pip install torchvision"):
        ask(opened(VIT), CLASSIFY, scene())


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        ("lfs_pointer_swin", InvalidModel, "git lfs pull"),
        ("header_only_safetensors", InvalidModel, "no tensors to speak of"),
        ("custom_arch_tinypellm", UnsafeModel, "can run code"),
    ],
)
def test_folders_that_people_really_have_are_refused(
    broken: str, error: type[InferenceChatError], words: str
):
    with pytest.raises(error, match=words):
        load(real("broken_models", broken))


@pytest.mark.parametrize("kind", [VIT, "RTDetrForObjectDetection", "SegformerForSemanticSegmentation"])
def test_half_the_memory_answers_too(kind: str):
    runner = load(folder(kind), "bfloat16")
    task = family_of(inspect(folder(kind))).tasks[0]
    assert str(runner._model.dtype) == "torch.bfloat16"
    assert ask(runner, task, scene()).finished.finish_reason == "stop"


def test_half_precision_stays_on_accelerators():
    assert load(folder(VIT), "float16").placement.dtype == "float32"


@pytest.mark.parametrize("kind", tiny_vision.EVERY)
def test_the_estimate_covers_the_weights(kind: str):
    checkpoint = inspect(folder(kind))
    estimate = family_of(checkpoint).runner.estimate(checkpoint, 4)
    assert checkpoint.tensors.elements * 4 < estimate < checkpoint.tensors.elements * 5 + 2**28


def test_unloading_lets_go_of_the_model():
    runner = load(folder(VIT))
    ask(runner, CLASSIFY, scene())
    model = weakref.ref(runner._model)
    runner.unload()
    gc.collect()
    assert model() is None
