"""Scenes: cuts and fades told apart, key frames, a model without weights, stops."""

import io
import json
from pathlib import Path
from threading import Event as Flag

import numpy as np
import pytest
from PIL import Image

from inference_chat.errors import InvalidModel
from inference_chat.events import Event, File, Finished, Footage, Labels, Progress, Result, Span
from inference_chat.media import Limits, MediaStore
from inference_chat.outputs import output_of
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.scenes import SceneOptions, SceneRunner
from inference_chat.schema import Request
from inference_chat.tasks import Task
from tests import cuts
from tests.media.films import film, noisy
from tests.media.inputs import real

CARD = Path(__file__).parents[2] / "model_cards" / "scene-detector"


def opened() -> SceneRunner:
    runner = SceneRunner(inspect(CARD), Placement("cpu", "float32"))
    runner.load()
    return runner


def request(tmp_path: Path, data: bytes, **options) -> Request:
    media = MediaStore(tmp_path / "media", Limits()).add(data, "video")
    how = SceneOptions(**options)
    return Request(task=Task.SCENE_DETECTION, model="scene-detector@1", media=(media,), options=how)


def events(tmp_path: Path, data: bytes, **options) -> list[Event]:
    return list(opened().run(request(tmp_path, data, **options), Flag()))


def spans(found: list[Event], *kinds: str) -> list[Span]:
    return [event for event in found if isinstance(event, Span) and event.kind in kinds]


def plain(*shots: tuple[str, int]) -> list[Image.Image]:
    """Shots of one colour each, so many frames long."""
    return [Image.new("RGB", (64, 48), colour) for colour, count in shots for _ in range(count)]


def faded(one: str, other: str, count: int) -> list[Image.Image]:
    a, b = (Image.new("RGB", (64, 48), colour) for colour in (one, other))
    return [Image.blend(a, b, (at + 1) / (count + 1)) for at in range(count)]


def test_scenes_lie_between_cuts(tmp_path: Path):
    found = events(tmp_path, film(plain(("red", 25), ("blue", 50), ("white", 25))))
    assert [(one.start_s, one.end_s) for one in spans(found, "scene")] == [(0, 1), (1, 3), (3, 4)]
    assert [(one.start_s, one.kind) for one in spans(found, "cut", "fade")] == [(1, "cut"), (3, "cut")]


def test_each_scene_has_its_key_frame(tmp_path: Path):
    found = spans(events(tmp_path, film(plain(("red", 25), ("blue", 50), ("white", 25)))), "scene")
    colours = [(np.asarray(picture(one.image)).mean(axis=(0, 1)) > 128).tolist() for one in found]
    assert colours == [[True, False, False], [False, False, True], [True, True, True]]
    assert not spans(events(tmp_path, film(plain(("red", 30))), key_frames=False), "scene")[0].image


def picture(file: File | None) -> Image.Image:
    assert file is not None
    return Image.open(io.BytesIO(file.data))


def test_a_fade_is_no_cut_and_its_middle_parts_the_scenes(tmp_path: Path):
    shots = plain(("red", 40)), faded("red", "white", 10), plain(("white", 40))
    found = events(tmp_path, film([one for shot in shots for one in shot]))
    (fade,) = spans(found, "cut", "fade")
    assert fade.kind == "fade"
    assert fade.start_s == pytest.approx(1.6, abs=0.05)
    assert fade.end_s == pytest.approx(2.0, abs=0.09)
    first, second = spans(found, "scene")
    assert first.end_s == second.start_s == pytest.approx((fade.start_s + fade.end_s) / 2, abs=0.01)


def test_a_fade_over_black_is_one(tmp_path: Path):
    down, up = faded("red", "black", 10), faded("black", "white", 10)
    found = events(
        tmp_path, film(plain(("red", 40)) + down + plain(("black", 3)) + up + plain(("white", 40)))
    )
    assert [one.kind for one in spans(found, "cut", "fade")] == ["fade"]


@pytest.mark.parametrize("options", [{"fades": False}, {"min_scene_s": 30}])
def test_what_is_not_wanted_is_not_told(tmp_path: Path, options):
    shots = plain(("black", 40)) + faded("black", "white", 40) + plain(("white", 40))
    found = events(tmp_path, film(shots), **options)
    assert [one.kind for one in spans(found, "scene", "cut", "fade")] == ["scene"]


def test_generated_clips_are_parted_where_they_are(tmp_path: Path):
    scores = []
    for seed in range(6):
        movie = cuts.movie(seed)
        found = spans(events(tmp_path, film(movie.pictures)), "cut", "fade")
        changes = [cuts.Change(one.kind, round(one.start_s * 25), round(one.end_s * 25)) for one in found]  # type: ignore[arg-type]
        scores.append(cuts.score(movie.changes, changes))
    assert np.mean([f1 for f1, _ in scores]) >= 0.97
    assert sum(mistaken for _, mistaken in scores) == 0


@pytest.mark.parametrize(
    ("name", "cuts"), [("bikes.mp4", [1.2, 3.04, 5.48, 7.48, 9.68]), ("carphone_pristine.mp4", [])]
)
def test_real_clips_are_parted_where_they_are(tmp_path: Path, name: str, cuts: list[float]):
    found = spans(events(tmp_path, real(name)), "cut", "fade")
    assert [(one.kind, one.start_s) for one in found] == [("cut", time) for time in cuts]


def test_what_is_told_on_the_way(tmp_path: Path):
    found = events(tmp_path, film(plain(("red", 25), ("blue", 125))))
    assert isinstance(found[0], Footage)
    fractions = [event.fraction or 0 for event in found if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    first = next(at for at, event in enumerate(found) if isinstance(event, Span))
    assert any(isinstance(event, Progress) for event in found[first:-3])  # while it still goes on
    assert not any(isinstance(event, Labels) for event in found)


def test_the_output_has_scenes_and_cuts(tmp_path: Path):
    asked = request(tmp_path, film(plain(("red", 25), ("blue", 25))))
    output = output_of(asked, Result.of(opened().run(asked, Flag())))
    assert isinstance(output, dict)
    assert output["cuts"] == [{"kind": "cut", "start_s": 1, "end_s": 1}]
    assert [(one["start_s"], one["end_s"]) for one in output["scenes"]] == [(0, 1), (1, 2)]
    assert output["scenes"][0]["image"].startswith("data:image/jpeg;base64,")


def test_a_stop_ends_it(tmp_path: Path):
    stop = Flag()
    running = opened().run(request(tmp_path, film(plain(("red", 200)))), stop)
    next(running)
    stop.set()
    last = list(running)[-1]
    assert isinstance(last, Finished)
    assert last.finish_reason == "cancelled"


def test_a_clip_that_breaks_off_has_scenes_up_to_there(tmp_path: Path):
    whole = film(noisy(frame) for frame in range(60))
    found = events(tmp_path, whole[: len(whole) // 2])
    assert spans(found, "scene")[-1].end_s == pytest.approx(1.1, abs=0.2)
    assert isinstance(found[-1], Finished)
    assert "cut off" in found[-1].notes[0]


# --- a model without weights --------------------------------------------------------------------


def test_it_is_a_model_like_others():
    checkpoint = inspect(CARD)
    assert (checkpoint.name, checkpoint.framework, checkpoint.file_size) == (
        "scene-detector",
        "scenedetect",
        0,
    )
    assert family_of(checkpoint).tasks == (Task.SCENE_DETECTION,)
    assert SceneRunner.estimate(checkpoint, 4) > 0
    assert len(checkpoint.digest) == 64


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "MySceneDetector", "", 3])
def test_no_other_model_may_come_without_weights(tmp_path: Path, architecture):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    with pytest.raises(InvalidModel, match="no weights"):
        inspect(tmp_path)
