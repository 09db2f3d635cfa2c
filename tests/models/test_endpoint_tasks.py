"""What can be asked of other servers beside chat: pictures, sounds and vectors, as they are over there."""

import asyncio
import base64
import io
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference_chat.service import Service
from tests.runners.chat_families import llava
from tests.runners.diffusers_models import build
from tests.runners.sound_families import vits, whisper
from tests.runners.text_families import bert
from tests.runners.tiny_media import tone
from tests.server import Server, serving, settings

MODELS = {"llava": llava, "bert": lambda folder: bert(folder, "Model"), "whisper": whisper, "vits": vits}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A server with models of all kinds, and one that has them by its endpoint only."""
    place = tmp_path_factory.mktemp("far")
    for name, make in MODELS.items():
        make(place / "models" / name)
    build("StableDiffusion", place / "models" / "painter")
    here = tmp_path_factory.mktemp("near")
    own = settings(here, endpoint_networks=(ip_network("127.0.0.1/32"),))
    with serving(Service(settings(place, place / "models"))) as far, serving(Service(own)) as near:
        for name in (*MODELS, "painter"):
            endpoint = {"url": far.url, "model": name}
            near.call(near.service.models.register({"name": name, "endpoint": endpoint}))
        yield near, far


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (48, 40), "red").save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def both(pair: tuple[Server, Server], route: str, **body: Any) -> tuple[Any, Any]:
    """What this server answers, and what the other one does."""
    found = []
    for server in pair:
        with server.http() as client:
            answer = client.post(f"/inference/{route}", json=body)
            assert answer.status_code == 200, answer.text
            found.append(answer.json()["output"])
    return found[0], found[1]


def test_what_a_model_can_do_is_read_from_the_endpoint(pair: tuple[Server, Server]):
    near, _ = pair
    tasks = {record.name: set(record.tasks) for record in near.service.registry.list()[0]}
    assert "image-text-to-text" in tasks["llava"]
    assert tasks["painter"] == {"text-to-image"}
    assert tasks["bert"] == {"feature-extraction"}


def test_questions_about_pictures(pair: tuple[Server, Server]):
    said = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": picture()}},
    ]
    asked = {
        "messages": [{"role": "user", "content": said}],
        "parameters": {"max_tokens": 6, "temperature": 0},
    }
    here, there = both(pair, "multimodal", model="llava", **asked)
    assert here["text"] == there["text"] != ""
    asked = {"task": "visual-question-answering", "question": "What?", "image": picture()}
    here, there = both(pair, "image", model="llava", parameters={"max_tokens": 6}, **asked)
    assert here["text"] == there["text"] != ""


def test_vectors(pair: tuple[Server, Server]):
    here, there = both(pair, "text", model="bert", task="feature-extraction", prompt="Hello")
    assert here["embedding"] == pytest.approx(there["embedding"], abs=1e-5)


def test_pictures_are_drawn(pair: tuple[Server, Server]):
    how = {"steps": 2, "seed": 3, "width": 16, "height": 16}
    asked = {"task": "text-to-image", "prompt": "goldfish", "parameters": how}
    here, there = both(pair, "image", model="painter", **asked)
    assert here == there


def test_speech_is_written_down_and_spoken(pair: tuple[Server, Server], tmp_path: Path):
    sound = base64.b64encode(tone(tmp_path).read()).decode()
    task = "automatic-speech-recognition"
    here, there = both(pair, "multimodal", model="whisper", task=task, audio=f"data:audio/wav;base64,{sound}")
    assert here["text"].strip() == there["text"].strip()
    here, there = both(pair, "multimodal", model="vits", task="text-to-speech", prompt="Hello")
    assert here["audio"].startswith("data:audio/wav;base64,")


def test_they_take_no_place_and_no_memory(pair: tuple[Server, Server]):
    near, _ = pair
    service = near.service

    async def ask() -> set[str]:
        leases = [service.pool.lease(service.registry.get(name)) for name in MODELS for _ in range(2)]
        for lease in leases:
            await lease.__aenter__()
        loaded = {name for name in MODELS if service.pool.status(f"{name}@1.0.0") == "loaded"}
        await asyncio.gather(*(lease.__aexit__(None, None, None) for lease in leases))
        return loaded

    assert near.call(ask()) == set(MODELS)
    assert service.pool.memory() == {}
