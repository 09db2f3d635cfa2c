"""Clips: every family, begun with a text or a picture; their lengths, their rates, a full disk."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inference_chat.errors import InvalidRequest, StorageFailed
from inference_chat.events import Event, Finished, ImageReady, Progress, VideoReady
from inference_chat.media import open_clip
from inference_chat.runners.diffusion import ClipOptions, DiffusionRunner

from .diffusers_models import CLIPS, build, drawn, film, in_turn, open_runner

SMALL: dict[str, dict[str, Any]] = {
    "LTX": {"width": 64, "height": 64, "num_frames": 9},
    "Wan": {"width": 32, "height": 32, "num_frames": 5},
    "CogVideoX": {"num_frames": 9},
    "AnimateDiff": {"num_frames": 4},
    "Latte": {"width": 64, "height": 64, "num_frames": 6},
    "CogVideoXImage": {"num_frames": 9},
}


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Loaded runners by family, each made once."""
    made: dict[str, DiffusionRunner] = {}

    def get(kind: str) -> DiffusionRunner:
        if kind not in made:
            made[kind] = open_runner(build(kind, tmp_path_factory.mktemp(kind) / kind))
        return made[kind]

    return get


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.radial_gradient("L").resize((96, 96)).convert("RGB").save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def clip_of(events: list[Event]) -> VideoReady:
    (made,) = (event for event in events if isinstance(event, VideoReady))
    return made


@pytest.mark.parametrize("kind", CLIPS)
def test_every_family_films_and_the_same_seed_films_the_same(runners: Any, kind: str):
    asked = film(**SMALL[kind])
    one, same = (clip_of(drawn(runners(kind), asked)) for _ in range(2))
    clip = open_clip(one.video.data)
    assert one == same
    assert len(clip.frames) == one.frame_count == SMALL[kind]["num_frames"]
    assert clip.fps == pytest.approx(one.fps)


@pytest.mark.parametrize("kind", ["LTX", "CogVideoXImage"])
def test_a_clip_begins_with_a_picture(runners: Any, kind: str, photo: Path):
    events = drawn(runners(kind), film(photo, **SMALL[kind]))
    assert clip_of(events).frame_count == 9
    assert isinstance(events[-1], Finished)
    assert "was brought from 96 × 96 to 64 × 64" in events[-1].notes[0]


@pytest.mark.parametrize(
    ("kind", "frames", "hint"),
    [
        ("LTX", 10, "10 frames, only one frame more than a multiple of 4: 9 would work"),
        ("AnimateDiff", 9, "9 frames, only at most 8 frames: 8 would work"),
        ("Latte", 8, "8 frames, only as many as it was made for: 6 would work"),
    ],
)
def test_lengths_a_model_cannot_do_are_refused(runners: Any, kind: str, frames: int, hint: str):
    with pytest.raises(InvalidRequest, match=hint):
        drawn(runners(kind), film(**SMALL[kind] | {"num_frames": frames}))


def test_the_rate_is_the_one_asked_for(runners: Any):
    events = drawn(runners("AnimateDiff"), film(num_frames=4, fps=5))
    assert open_clip(clip_of(events).video.data).fps == 5
    assert isinstance(events[-1], Finished)
    assert events[-1].receipt is not None
    assert isinstance(events[-1].receipt.options, ClipOptions)
    assert (events[-1].receipt.options.num_frames, events[-1].receipt.options.fps) == (4, 5)


@pytest.mark.parametrize("kind", CLIPS)
def test_the_middle_frame_is_shown_between_steps(runners: Any, kind: str):
    events = drawn(runners(kind), film(**SMALL[kind] | {"steps": 3}))
    previews = [event for event in events if isinstance(event, ImageReady)]
    assert previews
    assert {event.role for event in previews} == {"preview"}


def test_clips_of_one_model_that_take_turns_do_not_disturb_each_other(runners: Any):
    runner = runners("Wan")  # its decoder keeps what it saw of the frame before
    asked = [film(**SMALL["Wan"] | {"seed": seed}) for seed in (1, 2)]
    alone = [clip_of(drawn(runner, one)) for one in asked]
    logs = in_turn([runner.run(one, Flag()) for one in asked])
    assert [clip_of(log) for log in logs] == alone


def test_a_stop_ends_a_clip_within_one_step(runners: Any):
    stop = Flag()
    run = runners("LTX").run(film(**SMALL["LTX"] | {"steps": 500, "preview": False}), stop)
    next(event for event in run if isinstance(event, Progress) and event.phase == "working")
    stop.set()
    (end,) = run
    assert isinstance(end, Finished)
    assert end.finish_reasons == ("cancelled",)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a few hundred bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_the_model_goes_on(runners: Any):
    runner, asked = runners("AnimateDiff"), film(num_frames=4)
    events: list[Event] = []
    with pytest.raises(StorageFailed), full_disk():
        events += drawn(runner, asked)
    assert np.isfinite(clip_of(drawn(runner, asked)).fps)
