"""What is shown to a model of the kind of SAM 2 is cut out, and followed through clips."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.errors import InvalidRequest
from inference_chat.events import Finished, Label, Labels
from inference_chat.media import Limits, MediaStore
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.promptable import Memory, PromptableRunner, reader
from inference_chat.runners.prompts import ShownOptions
from inference_chat.runners.tracking import TrackingOptions
from inference_chat.schema import Request
from inference_chat.tasks import Task
from tests.media.films import film
from tests.tiny_vision import scene

from .blobs import BlobRunner
from .blobs import scene as squares
from .pictures import ask, folder, labels, mask, opened

SAM2 = "Sam2VideoModel"
CUT = "mask-generation"
PICTURE = scene(120, 80, seed=2)
FRAMES = 24


@pytest.fixture(scope="module")
def clip() -> bytes:
    return film(squares({"red": (5.0 + 4 * frame, 30.0)}) for frame in range(FRAMES))


def follow(tmp_path: Path, data: bytes, runner: Any, **options: Any) -> list[tuple[Label, ...]]:
    media = MediaStore(tmp_path / "media", Limits()).add(data, "video")
    how = TrackingOptions(**options)
    request = Request(task=Task.OBJECT_TRACKING, model="sam2@1", media=(media,), options=how)
    events = list(runner.run(request, Flag()))
    assert isinstance(events[-1], Finished)
    return [event.items for event in events if isinstance(event, Labels)]


def test_published_folders_are_known():
    assert family_of(inspect(folder(SAM2))).runner is PromptableRunner


def test_a_point_is_cut_out_as_transformers_does():
    import torch
    from transformers import Sam2Model

    # The same weights as a model for pictures alone, asked with coordinates in its own square.
    model = Sam2Model.from_pretrained(folder(SAM2))
    pixels = reader(inspect(folder(SAM2)))(images=PICTURE, return_tensors="pt")["pixel_values"]
    place = torch.tensor([[[[60 * 64 / 120, 40 * 64 / 80]]]])
    with torch.no_grad():
        out = model(pixels, input_points=place, input_labels=torch.ones(1, 1, 1, dtype=torch.int32))
    best = out.pred_masks[0, 0, out.iou_scores[0, 0].argmax()]
    whole = torch.nn.functional.interpolate(best[None, None], (80, 120), mode="bilinear")[0, 0] > 0
    (item,) = labels(ask(opened(SAM2), CUT, PICTURE, points=[[60, 40]]))[0].items
    assert item.mask
    ours = torch.tensor(list(mask(item.mask.data).convert("L").tobytes())).reshape(80, 120) > 0
    assert float((ours == whole).float().mean()) > 0.99


def test_each_box_is_an_object():
    found = labels(ask(opened(SAM2), CUT, PICTURE, boxes=[[5, 5, 50, 60], [40, 10, 110, 70]]))[0].items
    assert {item.label for item in found} == {"object 1", "object 2"}


def test_objects_are_followed_in_pixels_of_the_clip(tmp_path: Path, clip: bytes):
    boxes = [[5, 30, 25, 50], [40, 60, 80, 110]]
    seen = follow(tmp_path, clip, opened(SAM2), boxes=boxes)
    assert len(seen) == FRAMES
    assert {item.track for items in seen for item in items} == {1, 2}
    assert max(item.box.xmax for items in seen for item in items if item.box) > 64


def test_nothing_is_followed_before_it_is_shown(tmp_path: Path, clip: bytes):
    seen = follow(tmp_path, clip, opened(SAM2), points=[[40, 40]], at_s=0.4)
    assert [bool(items) for items in seen] == [n >= 10 for n in range(FRAMES)]


def test_what_is_forgotten_was_looked_back_at_no_more():
    import torch

    class Elephant(Memory):
        def _forget(self) -> None:
            pass

    runner = opened(SAM2)
    assert isinstance(runner, PromptableRunner)
    shown = ShownOptions(points=((30, 30),))
    frames = torch.rand(FRAMES, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    memories = [kind(runner, shown, (64, 64)) for kind in (Memory, Elephant)]
    for pixels in frames:
        (one,), (other,) = (memory.step(pixels) for memory in memories)
        assert one[1] == other[1]
        assert (one[2] == other[2]).all()
    assert len(memories[0]._session.processed_frames or {}) == 1


@pytest.mark.parametrize("options", [{}, {"points": [[40, 40]], "labels": "cat"}, {"points": [[900, 40]]}])
def test_what_cannot_be_followed_is_told(tmp_path: Path, clip: bytes, options: dict[str, Any]):
    with pytest.raises(InvalidRequest, match=r"Show what is meant|knows no classes|lies outside"):
        follow(tmp_path, clip, opened(SAM2), **options)


def test_a_detector_says_that_it_takes_no_points(tmp_path: Path, clip: bytes):
    with pytest.raises(InvalidRequest, match="finds objects by itself"):
        follow(tmp_path, clip, BlobRunner(), points=[[40, 40]])
