"""Files through Gradio's own client, with a real classifier of random weights behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from inference_chat import ui
from inference_chat.service import Service
from tests import tiny_vision
from tests.server import Server, serving, settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("media-endpoints")
    tiny_vision.build("ViTForImageClassification", folder / "models" / "tiny-vit")
    service = Service(settings(folder, folder / "models"))
    with serving(service, ui.build(service), **ui.MOUNT) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    connected = Client(server.url, verbose=False)
    yield connected
    connected.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (20, 10), "red").save(tmp_path / "red.png")
    return tmp_path / "red.png"


def test_a_picture_is_analysed(client: Client, picture: Path):
    answer = client.predict(handle_file(picture), parameters={"top_k": 2}, api_name="/analyze_image")
    assert answer["task"] == "image-classification"
    assert answer["model"] == "tiny-vit@1.0.0"
    assert [found.keys() for found in answer["output"]] == [{"label", "score"}] * 2


def test_a_picture_in_a_conversation_is_planned_for_who_is_there(client: Client, picture: Path):
    answer = client.predict("What is this?", [handle_file(picture)], api_name="/multimodal")
    assert [step["task"] for step in answer["output"]["plan"]] == ["image-classification"]
    assert "It looks like" in answer["output"]["text"]
    with pytest.raises(AppError, match="No single model here understands pictures"):
        client.predict("What is this?", [handle_file(picture)], plan=False, api_name="/multimodal")


@pytest.mark.parametrize("name", ["/generate_image", "/generate_video"])
def test_what_no_model_here_does_is_said(client: Client, name: str):
    with pytest.raises(AppError, match="No model for text-to-"):
        client.predict("a red circle", api_name=name)


def test_what_is_no_picture_is_said(client: Client, tmp_path: Path):
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(AppError, match="no image file"):
        client.predict(handle_file(tmp_path / "no.png"), api_name="/analyze_image")


@pytest.mark.parametrize(
    "given",
    [
        {"path": "/etc/hostname"},
        {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
        {"path": "http://127.0.0.1:1/a.png", "meta": {"_type": "gradio.FileData"}},
        {},
        7,
    ],
)
def test_no_file_of_the_host_is_opened(server: Server, given: Any):
    with server.http() as http:
        asked = http.post("/gradio_api/call/analyze_image", json={"data": [given]})
        event = asked.json().get("event_id", "none")
        said = http.get(f"/gradio_api/call/analyze_image/{event}").text
    assert "event: complete" not in said
    assert "hostname" not in said
