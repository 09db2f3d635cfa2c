"""Plans over every door of the API, with the starters that look and listen."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from inference_chat.media import data_url
from inference_chat.service import Service
from tests.planning.test_planner import INPUTS, shelf
from tests.runners.diffusers_models import painter
from tests.server import Server, serving, settings

PICTURE = (INPUTS / "scene-red-circles.png").read_bytes()
SPOKEN = (INPUTS / "speech" / "describe-the-picture.ogg").read_bytes()
COUNTED = "There are 2 red circles [1][2]."
PARTS = [
    {"type": "image_url", "image_url": {"url": data_url(PICTURE, "image/png")}},
    {"type": "text", "text": "How many red circles are there?"},
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("plans")
    models = shelf(folder / "models", ("starter-detector", "starter-listener"))
    painter(models / "painter")
    with serving(Service(settings(folder, models))) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def asked(http: httpx.Client, **body: Any) -> Any:
    return http.post("/inference/multimodal", json=body).raise_for_status().json()


def test_messages_in_json(http: httpx.Client):
    told = asked(http, messages=[{"role": "user", "content": PARTS}])
    assert told["output"]["text"] == COUNTED
    step = told["output"]["plan"][0]
    assert (step["step"], step["task"], step["model"]) == (1, "object-detection", "starter-detector@1.0.0")
    assert step["ms"] > 0
    assert told["output"]["sources"][0]["box"]["xmax"] > 0


def test_a_picture_that_is_wished_for_is_beside_the_answer(http: httpx.Client):
    wish = {"model": "auto", "messages": [{"role": "user", "content": "Draw a red circle."}], "seed": 1}
    said = http.post("/v1/chat/completions", json=wish).raise_for_status().json()["choices"][0]["message"]
    assert said["content"] == "Here is the picture: a red circle."
    (image,) = said["images"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    answer = http.post("/v1/chat/completions", json=wish | {"stream": True}).raise_for_status()
    chunks = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [delta["images"] for delta in deltas if "images" in delta] == [[image]]
    assert "".join(delta.get("content") or "" for delta in deltas) == said["content"]


def test_a_form_with_a_picture_and_a_spoken_question(http: httpx.Client):
    files = {"image": ("a.png", PICTURE), "audio": ("q.ogg", SPOKEN)}
    told = http.post("/inference/multimodal", files=files).raise_for_status().json()
    assert [step["task"] for step in told["output"]["plan"]] == [
        "automatic-speech-recognition",
        "object-detection",
    ]


def test_a_stream_tells_each_step_as_it_begins_and_ends(http: httpx.Client):
    body = {"messages": [{"role": "user", "content": PARTS}], "stream": True}
    with http.stream("POST", "/inference/multimodal", json=body) as stream:
        told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {")]
    assert [frame["state"] for frame in told if frame["type"] == "step"] == ["running", "done"]
    assert told[-1]["result"]["output"]["text"] == COUNTED


def test_without_a_plan_the_error_says_what_would_work(http: httpx.Client):
    body = {"messages": [{"role": "user", "content": PARTS}], "plan": False}
    refused = http.post("/inference/multimodal", json=body)
    assert refused.status_code == 422
    assert "Leave `plan` on" in refused.json()["detail"]


def test_a_picture_sent_as_a_sound_is_refused_with_what_would_work(http: httpx.Client):
    refused = http.post("/inference/multimodal", files={"audio": ("a.wav", PICTURE)})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_media")
    assert "image/png" in refused.json()["detail"]


def test_a_file_is_sent_once_and_named_in_a_conversation(http: httpx.Client, server: Server):
    kept = http.post("/media", files={"file": ("a.png", PICTURE)}).raise_for_status().json()
    assert (kept["kind"], kept["media_type"], kept["size"]) == ("image", "image/png", len(PICTURE))
    id = http.post("/chat/start", json={"model": "auto"}).raise_for_status().json()["session_id"]
    part = {"type": "image_url", "image_url": {"url": kept["url"]}}
    with server.socket(id) as socket:
        socket.send("message", content=[part, PARTS[1]])
        frames = socket.turn()
    assert "step" in [frame["type"] for frame in frames]
    assert frames[-1]["message"]["content"] == COUNTED
    assert frames[-1]["message"]["receipt"]["plan"][0]["task"] == "object-detection"
    packed = http.get(f"/chat/{id}/export", params={"format": "zip"}).raise_for_status().content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("media/1-picture.png") == PICTURE
        assert "](<media/1-picture.png>)" in archive.read("conversation.md").decode()
    copy = http.post("/chat/import/archive", content=packed).raise_for_status().json()
    assert copy["session_id"] != id


@pytest.mark.parametrize("body", [b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_refused(http: httpx.Client, body: bytes):
    refused = http.post("/chat/import/archive", content=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_auto_is_a_model_that_cannot_be_registered_over(http: httpx.Client):
    assert http.get("/models/auto").raise_for_status().json()["framework"] == "plan"
    assert http.post("/models", json={"name": "auto", "model_type": "Chat"}).status_code == 422


def test_the_same_question_by_openais_parts(http: httpx.Client):
    body = {"model": "auto", "messages": [{"role": "user", "content": PARTS}]}
    told = http.post("/v1/chat/completions", json=body).raise_for_status().json()
    assert told["choices"][0]["message"]["content"] == COUNTED
