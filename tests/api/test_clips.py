"""Clips through the REST door: scenes and tracks of real models, and every clip that cannot be used."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inference_chat.media import data_url
from inference_chat.service import Service
from tests import tiny_vision
from tests.media.films import film, grey, noisy, sound_only
from tests.runners.blobs import scene
from tests.server import Server, serving, settings

CARDS = Path(__file__).parents[2] / "model_cards"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clips")
    shutil.copytree(CARDS / "scene-detector", folder / "models" / "scene-detector")
    tiny_vision.build("YolosForObjectDetection", folder / "models" / "finder")
    service = Service(settings(folder, folder / "models", max_body_mb=8))
    with serving(service) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


CLIP = film([scene({"red": (20, 20)})] * 30 + [scene({"blue": (90, 60)}, (160, 120))] * 30)


def ask(http: httpx.Client, data: bytes, **body) -> httpx.Response:
    return http.post("/inference/video", json={"video": data_url(data, "video/mp4"), **body}, timeout=60)


def test_the_model_without_weights_is_listed_and_finds_scenes(http: httpx.Client):
    record = http.get("/models/scene-detector").json()
    assert (record["tasks"], record["framework"], record["file_size"]) == (
        ["scene-detection"],
        "scenedetect",
        0,
    )
    output = ask(http, film([grey(0)] * 30 + [grey(120)] * 30), task="scene-detection").json()["output"]
    assert [one["start_s"] for one in output["scenes"]] == [0, 1.2]


def test_a_detector_follows_objects_and_counts(http: httpx.Client):
    body = {"task": "object-tracking", "model": "finder", "threshold": 0, "parameters": {"fps": 5}}
    answer = ask(http, CLIP, **body, lines=[[[80, 0], [80, 120]]])
    assert answer.status_code == 200, answer.text
    output = answer.json()["output"]
    assert {"fps", "frame_count", "tracks", "events", "counts"} <= output.keys()
    assert len(output["counts"]["lines"]) == 1


def test_tracks_come_as_a_stream_with_progress(http: httpx.Client):
    text = ask(http, CLIP, task="object-tracking", model="finder", stream=True, use_cache=False).text
    frames = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
    kinds = [frame["type"] for frame in frames]
    assert kinds.count("labels") == 60
    assert "footage" in kinds
    told = [frame["done"] for frame in frames if frame.get("unit") == "frames" and "done" in frame]
    assert told == sorted(told)
    assert told[-1] == 60


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 400, "empty"),
        (CLIP[:60], 400, "damaged"),
        (b"not a clip at all", 400, "no video"),
        (sound_only(), 400, "holds no video"),
        (film([grey(n) for n in range(4)], times=[0, 4800, 9600, 14_400]), 413, "lasts 1"),
        (bytes(9 << 20), 413, ""),
        (b"%PDF-1.4 and so on", 415, "application/pdf"),
    ],
    ids=["empty", "truncated", "a text", "sound only", "four hours", "too many bytes", "a document"],
)
def test_clips_that_cannot_be_used_are_refused_at_once(
    http: httpx.Client, data: bytes, status: int, said: str
):
    answer = ask(http, data, task="scene-detection")
    assert answer.status_code == status, answer.text
    assert said in answer.text
    assert "/tmp" not in answer.text


def test_a_clip_that_breaks_off_is_answered_with_a_note(http: httpx.Client):
    whole = film(noisy(n) for n in range(60))
    text = ask(http, whole[: len(whole) // 2], task="scene-detection", stream=True).text
    assert '"scenes"' in text
    assert "damaged or cut off" in text


@pytest.mark.parametrize("model", ["scene-detector", "finder"])
def test_the_wrong_task_for_a_model_is_refused(http: httpx.Client, model: str):
    answer = ask(http, CLIP, task="video-classification", model=model)
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_task")
