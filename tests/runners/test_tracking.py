"""Objects followed through clips: their numbers, what is told on the way, stops, broken and drawn clips."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import numpy as np
import pytest
from PIL import Image

from examples.train_starters.shapes_world.clips import render_clip
from inference_chat.errors import BadMedia, InvalidRequest, StorageFailed
from inference_chat.events import Event, Finished, Footage, Labels, Progress, Result, VideoReady
from inference_chat.media import Film, Frames, Limits, MediaStore
from inference_chat.outputs import output_of
from inference_chat.runners import follower
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.tracking import TrackingOptions, TrackingRunner
from inference_chat.schema import Request
from inference_chat.tasks import Task
from tests import tracked
from tests.media.films import damaged, film, noisy

from .blobs import BlobRunner, scene

FRAMES = 50


def passing(frame: int) -> dict[str, tuple[float, float]]:
    """Red goes right, blue goes left below it; blue is gone for eight frames in the middle."""
    places = {"red": (5 + 2.5 * frame, 30.0), "blue": (135 - 2.5 * frame, 70.0)}
    return {"red": places["red"]} if 21 <= frame < 29 else places


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Two seconds, 160 × 120."""
    return film(scene(passing(frame)) for frame in range(FRAMES))


def request(tmp_path: Path, data: bytes, **options) -> Request:
    media = MediaStore(tmp_path / "media", Limits()).add(data, "video")
    how = TrackingOptions(**options)
    return Request(task=Task.OBJECT_TRACKING, model="blobs@1", media=(media,), options=how)


def events(tmp_path: Path, data: bytes, **options) -> list[Event]:
    return list(BlobRunner().run(request(tmp_path, data, **options), Flag()))


def of(kind: type, found: list[Event]) -> list:
    return [event for event in found if isinstance(event, kind)]


def test_objects_keep_their_numbers_though_hidden(tmp_path: Path, clip: bytes):
    seen = of(Labels, events(tmp_path, clip))
    assert [one.frame for one in seen] == list(range(FRAMES))
    assert {(item.label, item.track) for one in seen for item in one.items} == {("red", 1), ("blue", 2)}
    assert [len(one.items) for one in seen] == [2 if not 21 <= n < 29 else 1 for n in range(FRAMES)]


def test_boxes_are_in_pixels_of_the_clip(tmp_path: Path, clip: bytes):
    red = next(item for item in of(Labels, events(tmp_path, clip))[20].items if item.label == "red")
    assert red.box is not None
    assert [value for _, value in red.box] == pytest.approx([55, 30, 75, 50], abs=2)


def test_what_the_clip_is_comes_first_and_progress_never_goes_back(tmp_path: Path, clip: bytes):
    found = events(tmp_path, clip)
    assert isinstance(found[0], Footage)
    assert (found[0].fps, found[0].frame_count, found[0].width, found[0].height) == (25, FRAMES, 160, 120)
    fractions = [event.fraction for event in of(Progress, found)]
    assert fractions == sorted(fractions)
    last = of(Progress, found)[-1]
    assert (last.fraction, last.done, last.total, last.unit) == (1, FRAMES, FRAMES, "frames")
    assert last.detail.endswith("frames/s, 0:00 left")


def test_frames_are_sampled(tmp_path: Path, clip: bytes):
    found = events(tmp_path, clip, fps=5)
    assert [one.frame for one in of(Labels, found)] == list(range(0, FRAMES, 5))
    assert [one.time_s for one in of(Labels, found)] == pytest.approx([n / 5 for n in range(10)], abs=2e-3)
    assert of(Progress, found)[-1].total == 10


def test_only_wanted_classes_are_followed(tmp_path: Path, clip: bytes):
    seen = of(Labels, events(tmp_path, clip, labels="blue"))
    assert {item.label for one in seen for item in one.items} == {"blue"}


def test_what_flashes_up_is_no_object(tmp_path: Path):
    flash = film(scene({"green": (20, 20)} if frame == 10 else {}) for frame in range(20))
    assert not any(one.items for one in of(Labels, events(tmp_path, flash)))


def test_an_object_forgotten_gets_a_new_number(tmp_path: Path):
    back = film(scene({} if 10 <= frame < 30 else {"red": (20, 20)}) for frame in range(40))
    for memory, numbers in ((0.2, {1, 2}), (3, {1})):
        seen = of(Labels, events(tmp_path, back, memory=memory))
        assert {item.track for one in seen for item in one.items} == numbers


def test_quick_steps_look_at_several_frames_at_once(tmp_path: Path, clip: bytes):
    runner = BlobRunner()
    list(runner.run(request(tmp_path, clip), Flag()))
    assert runner.batches[0] == 1
    assert sum(runner.batches) == FRAMES


def test_the_output_tells_tracks_events_and_counts(tmp_path: Path, clip: bytes):
    asked = request(
        tmp_path, clip, lines=(((80, 0), (80, 120)),), zones=(((60, 0), (100, 0), (100, 60), (60, 60)),)
    )
    output = output_of(asked, Result.of(BlobRunner().run(asked, Flag())))
    assert isinstance(output, dict)
    red = output["tracks"][0]
    assert (red["label"], red["direction"], red["speed_px_s"]) == (
        "red",
        "right",
        pytest.approx(62.5, rel=0.05),
    )
    assert len(red["frames"]) == FRAMES
    assert output["counts"]["lines"] == [
        {"in": 1, "out": 1, "labels": {"red": {"out": 1}, "blue": {"in": 1}}}
    ]
    assert output["counts"]["zones"][0]["entered"] == 1
    assert output["counts"]["objects"] == {"red": 1, "blue": 1}
    assert "red 1 crosses line 1 (out)" in [event["text"] for event in output["events"]]


def end(found: list[Event]) -> Finished:
    assert isinstance(found[-1], Finished)
    return found[-1]


# --- stops and broken clips ---------------------------------------------------------------------


def decoders() -> int:
    return sum(thread.name in ("decode", "film") for thread in threading.enumerate())


def test_a_stop_ends_within_a_step(tmp_path: Path, clip: bytes):
    stop = Flag()
    running = BlobRunner().run(request(tmp_path, clip, render=True), stop)
    next(event for event in running if isinstance(event, Labels))
    stop.set()
    rest = list(running)
    assert len(of(Labels, rest)) < 16
    assert end(rest).finish_reason == "cancelled"
    assert not decoders()


def test_leaving_in_the_middle_ends_all_threads(tmp_path: Path, clip: bytes):
    running = BlobRunner().run(request(tmp_path, clip, render=True), Flag())
    assert isinstance(running, Iterator)
    next(event for event in running if isinstance(event, Labels))
    running.close()  # type: ignore[attr-defined]
    assert not decoders()


def test_a_clip_that_breaks_off_is_followed_up_to_there(tmp_path: Path):
    whole = film(noisy(frame) for frame in range(FRAMES))
    found = events(tmp_path, whole[: len(whole) // 2])
    assert 15 < len(of(Labels, found)) < 30
    assert "damaged or cut off after" in end(found).notes[0]
    assert of(Progress, found)[-1].fraction == 1


def test_damage_in_the_middle_is_told_and_the_rest_is_followed(tmp_path: Path):
    found = events(tmp_path, damaged(film(noisy(frame) for frame in range(FRAMES)), 12, 14))
    assert len(of(Labels, found)) == FRAMES
    assert "had to be filled in by the decoder" in end(found).notes[0]


def test_a_clip_that_is_gone_is_told(tmp_path: Path, clip: bytes):
    asked = request(tmp_path, clip)
    asked.media[0].path.unlink()
    with pytest.raises(BadMedia, match="send it again"):
        list(BlobRunner().run(asked, Flag()))


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0},
        {"lines": [[[0, 0]]]},
        {"zones": [[[0, 0], [1, 1]]]},
        {"memory": 0},
        {"threshold": 2},
        {"x": 1},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="validation error"):
        TrackingOptions(**options)


# --- the annotated clip -------------------------------------------------------------------------


def test_objects_are_drawn_into_a_clip(tmp_path: Path, clip: bytes):
    found = events(tmp_path, clip, render=True, lines=(((80, 0), (80, 120)),))
    (video,) = of(VideoReady, found)
    assert (video.fps, video.frame_count, video.video.media_type) == (25, FRAMES, "video/mp4")
    with Frames(video.video.data) as drawn, Frames(clip) as plain:
        pairs = list(zip(drawn, plain, strict=True))
    assert drawn.info.seconds == pytest.approx(2, abs=0.05)
    assert (
        min(np.abs(np.asarray(a.picture).astype(int) - np.asarray(b.picture)).mean() for a, b in pairs[2:])
        > 1
    )
    assert isinstance(found[-1], Finished)
    assert not decoders()


def test_an_annotated_clip_that_grows_too_large_costs_nothing_else(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Film.__init__, "__kwdefaults__", {"max_side": None, "most": 1000})
    found = events(tmp_path, clip, render=True)
    assert len(of(Labels, found)) == FRAMES
    assert not of(VideoReady, found)
    assert end(found).notes[0].startswith("There is no annotated clip. The annotated clip grew too large.")


def test_a_full_disk_is_told():
    movie: Film[None] = Film(lambda picture, _: picture, fps=25)
    movie._path.symlink_to("/dev/full")
    for number in range(40):
        movie.offer(noisy(number), number / 25, None, 1)
    assert movie.ended(10)
    with pytest.raises(StorageFailed, match="disk"):
        movie.read()
    movie.close()


def test_a_slow_film_holds_nobody_up():
    def slow(picture: Image.Image, _: None) -> Image.Image:
        time.sleep(0.2)
        return picture

    with_room = Film(slow, fps=25)
    picture = scene({})
    began = time.monotonic()
    taken = [with_room.offer(picture, n / 25, None, 0.01) for n in range(12)]
    assert not all(taken)
    assert time.monotonic() - began < 1
    with_room.close()


def shot(name: str, ground: tuple[int, int, int]) -> list[Image.Image]:
    """A second in which a square of a colour moves over a ground."""
    pictures = [scene({name: (40 + n // 8, 40)}) for n in range(25)]
    return [
        Image.fromarray(np.where(np.asarray(one) == 90, ground, np.asarray(one)).astype(np.uint8))
        for one in pictures
    ]


@pytest.mark.parametrize(
    ("cuts", "tracks"), [(True, [("red", 1, 0), ("blue", 2, 25)]), (False, [("red", 1, 0)])]
)
def test_a_cut_ends_what_was_followed(tmp_path: Path, cuts: bool, tracks: list[tuple[str, int, int]]):
    data = film(shot("red", (90, 90, 90)) + shot("blue", (200, 180, 90)))
    asked = request(tmp_path, data, cuts=cuts)
    found = output_of(asked, Result.of(list(BlobRunner().run(asked, Flag()))))
    assert isinstance(found, dict)
    told = [(one["label"], one["id"], one["frames"][0]["frame"]) for one in found["tracks"]]
    assert told[: len(tracks)] == tracks
    assert len(told) == len(tracks)


# --- how well -----------------------------------------------------------------------------------


def test_crossing_objects_are_kept_apart():
    scores = []
    for seed in range(6):
        movie = tracked.crossing(seed)
        following = follower.Follower(25, threshold=0.5, memory=1.5, overlap=0.2, steady=2, moving=False)
        seen = enumerate(tracked.detections(movie, seed))
        scores.append(tracked.score(tracked.truth(movie), [following.update(one, n / 25) for n, one in seen]))
    assert np.mean([score.mota for score in scores]) >= 0.9
    assert np.mean([score.switches for score in scores]) <= 1


def test_a_detector_of_named_objects_must_be_told_what_to_look_for():
    from inference_chat.runners.tracking import ZeroShotTrackingRunner

    with pytest.raises(InvalidRequest, match="say what to look for"):
        ZeroShotTrackingRunner._check(None, ZeroShotTrackingRunner.example.model_copy(update={"labels": ()}))  # type: ignore[arg-type]
    assert ZeroShotTrackingRunner.example.threshold == 0.1


def test_the_starter_follows_what_crosses(tmp_path: Path):
    card = Path(__file__).parents[2] / "model_cards" / "starter-detector"
    starter = TrackingRunner(inspect(card), Placement("cpu", "float32"))
    starter.load()
    movie = tracked.crossing(1)
    asked = request(tmp_path, film(render_clip(movie)[:100]), labels=())
    seen = of(Labels, list(starter.run(asked, Flag())))
    score = tracked.score(tracked.truth(movie)[:100], [one.items for one in seen])
    assert score.mota >= 0.9
    assert score.switches <= 1
