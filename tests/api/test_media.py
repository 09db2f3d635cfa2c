"""Files on their way in and out of the inference routes; a runner that measures pictures stands behind."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

import httpx
import pytest
from PIL import Image

from inference_chat import runners
from inference_chat.events import Event, File, Finished, ImageReady, Label, Labels
from inference_chat.media import data_url, image_bytes, open_image
from inference_chat.runners.base import Runner
from inference_chat.runners.text import TextOptions
from inference_chat.schema import Request
from inference_chat.service import Service
from inference_chat.tasks import Task
from tests.server import Server, one_model, serving, settings

PICTURE = image_bytes(Image.new("RGB", (6, 4), "red"))
URL = data_url(PICTURE, "image/png")


class Measuring(Runner):
    """Says how large each picture is; draws a green one where there is none."""

    def load(self) -> None:
        pass

    def run(self, request: Request, stop: Flag) -> Iterator[Event]:
        for index, one in enumerate(request.media):
            size = "x".join(map(str, open_image(one.read()).size))
            yield Labels(items=(Label(label=size, score=1.0),), index=index)
        if not request.media:
            made = File(data=image_bytes(Image.new("RGB", (2, 2), "green")), media_type="image/png")
            yield ImageReady(image=made, role="preview")
            yield ImageReady(image=made, seed=3)
        yield Finished()

    def unload(self) -> None:
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Server]:
    tasks = (Task.IMAGE_CLASSIFICATION, Task.TEXT_TO_IMAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runners, "FAMILIES", (runners.Family("", Measuring, tasks),))
        for task in tasks:
            patch.setitem(runners.OPTIONS, task, TextOptions)
        folder = tmp_path_factory.mktemp("media")
        service = Service(settings(folder, one_model(folder / "models", tiny_llama), max_body_mb=1))
        with serving(service) as running:
            yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def ask(http: httpx.Client, **body: Any) -> Any:
    answer = http.post("/inference/image", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_picture_as_a_data_url(http: httpx.Client):
    answer = ask(http, image=URL)
    assert answer["task"] == "image-classification"
    assert answer["output"] == [{"label": "6x4", "score": 1.0}]


def test_pictures_as_files_of_a_form_are_a_batch(http: httpx.Client):
    files = [("image", ("a.png", PICTURE)), ("image", ("b.png", image_bytes(Image.new("RGB", (3, 2)))))]
    answer = http.post("/inference/image", files=files, data={"request": json.dumps({"use_cache": False})})
    assert [found[0]["label"] for found in answer.json()["output"]] == ["6x4", "3x2"]


def test_a_parameter_may_stand_beside_the_others(http: httpx.Client):
    assert ask(http, image=URL, temperature=0)["receipt"]["options"]["temperature"] == 0
    refused = http.post("/inference/image", json={"image": URL, "temparature": 0})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert "temparature" in refused.json()["detail"]


def test_a_text_without_a_picture_asks_for_one(http: httpx.Client):
    output = ask(http, prompt="a green square")["output"]
    assert output["seed"] == 3
    assert [open_image(httpx_bytes(url)).getpixel((0, 0)) for url in output["images"]] == [(0, 128, 0)]


def httpx_bytes(url: str) -> bytes:
    from inference_chat.media import Limits, from_data_url

    return from_data_url(url, Limits())


def test_previews_come_only_with_a_stream(http: httpx.Client):
    body = {"prompt": "a green square", "stream": True, "use_cache": False}
    text = http.post("/inference/image", json=body).text
    frames = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line[:5] == "data:"]
    assert [frame["role"] for frame in frames if frame["type"] == "image"] == ["preview", "result"]
    assert len(frames[-1]["result"]["output"]["images"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"task": "image-classification"}, 422, "invalid_request"),
        ({"task": "no-such-task", "image": URL}, 422, "unsupported_task"),
        ({"task": "video-classification", "image": URL}, 422, "unsupported_task"),
        ({"image": ""}, 400, "bad_media"),
        ({"image": "data:image/png;base64,AAAA"}, 400, "bad_media"),
        ({"image": URL[:-40]}, 400, "bad_media"),
        ({"image": "media:../../etc/passwd"}, 400, "bad_media"),
        ({"image": "http://127.0.0.1/a.png"}, 403, "forbidden"),
        ({"image": "file:///etc/passwd"}, 400, "bad_media"),
        ({"image": data_url(b"%PDF-1.4 and so on", "image/png")}, 415, "unsupported_media_type"),
    ],
)
def test_bad_input_is_refused(http: httpx.Client, body: Any, status: int, code: str):
    answer = http.post("/inference/image", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert "Traceback" not in answer.text


def test_a_form_with_a_foreign_field_or_no_json(http: httpx.Client):
    for files, data in (([("picture", ("a.png", PICTURE))], {}), ([("image", PICTURE)], {"request": "{"})):
        assert http.post("/inference/image", files=files, data=data).status_code == 422


def test_a_file_is_kept_once_and_never_under_its_name(http: httpx.Client, server: Server):
    for name in ("one.png", "../two.png"):
        http.post("/inference/image", files={"image": (name, PICTURE)}).raise_for_status()
    kept = [path for path in server.service.settings.media_dir.iterdir() if path.read_bytes() == PICTURE]
    assert len(kept) == 1
    assert len(kept[0].name) == 64


def test_a_body_above_the_limit(http: httpx.Client):
    big = io.BytesIO(PICTURE + bytes(2 << 20))
    assert http.post("/inference/image", files={"image": big}).status_code == 413
