"""Pictures drawn, changed and stopped over HTTP, by a tiny real pipeline beside a tiny real text model."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from inference_chat.media import data_url, from_data_url, image_bytes
from inference_chat.media.container import Limits
from inference_chat.service import Service
from tests.runners.diffusers_models import painter
from tests.server import Server, serving, settings

PHOTO = image_bytes(Image.radial_gradient("L").resize((64, 64)).convert("RGB"))
MASK = Image.new("L", (64, 64))
MASK.paste(255, (0, 0, 32, 64))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("pictures")
    painter(folder / "models" / "painter")
    (folder / "models" / "tiny-llama").symlink_to(tiny_llama)
    with serving(Service(settings(folder, folder / "models"))) as running:
        running.call(running.service.models.load("painter"))
        running.call(running.service.models.load("tiny-llama"))
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def ask(http: httpx.Client, **body: Any) -> Any:
    answer = http.post("/inference/image", json={"prompt": "a red house"} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(http: httpx.Client, **body: Any) -> tuple[int, str, str]:
    answer = http.post("/inference/image", json={"prompt": "a red house"} | body)
    problem = answer.json()
    return answer.status_code, problem["code"], problem["detail"]


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(from_data_url(url, Limits())))


def frames(lines: Iterator[str]) -> Iterator[Any]:
    return (json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:"))


def test_a_model_of_diffusers_is_listed_with_what_it_does(http: httpx.Client):
    record = http.get("/models/painter").json()
    assert record["framework"] == "diffusers"
    assert record["tasks"] == ["text-to-image", "image-to-image"]
    assert record["model_type"] == "ImageGeneration"
    assert record["memory_estimate"] > 0


def test_a_picture_is_drawn_and_its_receipt_has_all_settings(http: httpx.Client):
    answer = ask(http, seed=5, n=2)
    assert answer["task"] == "text-to-image"
    assert [picture(url).size for url in answer["output"]["images"]] == [(64, 64)] * 2
    assert answer["output"]["seed"] == answer["receipt"]["seed"] == 5
    told = answer["receipt"]["options"]
    assert (told["width"], told["height"], told["steps"], told["guidance_scale"]) == (64, 64, 2, 7.5)


def test_the_same_seed_is_answered_from_the_cache(http: httpx.Client):
    one, same = (ask(http, seed=77) for _ in range(2))
    assert (one["cached"], same["cached"]) == (False, True)
    assert one["output"] == same["output"]
    assert same["receipt"] == one["receipt"]


def test_steps_and_previews_are_streamed(http: httpx.Client):
    body = {"prompt": "a house", "steps": 6, "stream": True}
    with http.stream("POST", "/inference/image", json=body) as answer:
        told = list(frames(answer.iter_lines()))
    fractions = [frame.get("fraction", 0) for frame in told if frame.get("phase") == "working"]
    assert fractions == sorted(fractions)
    assert next(frame["role"] for frame in told if frame["type"] == "image") == "preview"
    assert told[-1]["type"] == "result"
    assert len(told[-1]["result"]["output"]["images"]) == 1


@pytest.mark.parametrize("way", ["json", "form"])
def test_only_what_is_white_in_a_mask_is_drawn_anew(http: httpx.Client, way: str):
    asked: dict[str, Any] = {"task": "image-to-image", "prompt": "a door", "steps": 3, "width": 64}
    if way == "json":
        urls = {"image": data_url(PHOTO, "image/png"), "mask": data_url(image_bytes(MASK), "image/png")}
        answer = http.post("/inference/image", json=asked | urls)
    else:
        files = {"image": ("a.png", PHOTO), "mask": ("m.png", image_bytes(MASK))}
        answer = http.post("/inference/image", data={"request": json.dumps(asked)}, files=files)
    made, before = picture(answer.json()["output"]["images"][0]), Image.open(io.BytesIO(PHOTO))
    kept, drawn = (32, 0, 64, 64), (0, 0, 32, 64)
    assert made.crop(kept).tobytes() == before.crop(kept).tobytes()
    assert made.crop(drawn).tobytes() != before.crop(drawn).tobytes()


def test_a_strength_asks_for_an_edit(http: httpx.Client):
    answer = ask(http, image=data_url(PHOTO, "image/png"), strength=0.9, steps=3)
    assert answer["task"] == "image-to-image"


@pytest.mark.parametrize(
    ("body", "status", "code", "hint"),
    [
        ({"width": 100, "height": 64}, 422, "invalid_request", "96 × 64 would work"),
        ({"steps": 0}, 422, "invalid_request", "greater than or equal to 1"),
        ({"prompt": " "}, 422, "invalid_request", "The input is empty"),
        ({"steps": 1000}, 422, "invalid_request", "at most 999 steps, not 1000"),
        ({"scheduler": "Magic"}, 422, "invalid_request", "it can use"),
        ({"mask": "", "image": data_url(PHOTO, "image/png")}, 400, "bad_media", "empty"),
        ({"task": "text-to-video"}, 422, "unsupported_task", "/inference/video"),
    ],
)
def test_what_cannot_be_done_is_told(
    http: httpx.Client, body: dict[str, Any], status: int, code: str, hint: str
):
    found = refused(http, **body)
    assert found[:2] == (status, code)
    assert hint in found[2]


def test_a_drawing_that_would_take_too_long_ends(http: httpx.Client):
    status, code, hint = refused(http, steps=900, timeout_ms=200)
    # It is foreseen, except where measuring the pace takes as long.
    assert (status, code) in ((413, "too_large"), (504, "timeout"))
    assert "would do" in hint or "its computation was stopped" in hint


def test_a_client_that_leaves_stops_the_drawing_at_once(server: Server, http: httpx.Client):
    body = {"prompt": "a house", "model": "painter", "steps": 900, "stream": True}
    with http.stream("POST", "/inference/image", json=body) as answer:
        next(frame for frame in frames(answer.iter_lines()) if frame.get("phase") == "working")
        assert server.service.jobs.counts[0] == 1
    left = time.monotonic()
    while server.service.jobs.counts[0]:
        assert time.monotonic() - left < 5
        time.sleep(0.005)
    assert ask(http, seed=9)["finish_reason"] == "stop"


def test_a_text_is_written_while_a_picture_is_drawn(http: httpx.Client):
    body = {"prompt": "a house", "model": "painter", "steps": 900, "stream": True}
    text = {"prompt": "the other one", "model": "tiny-llama", "parameters": {"temperature": 0, "seed": 1}}
    alone = http.post("/inference/text", json=text | {"use_cache": False}).json()
    with http.stream("POST", "/inference/image", json=body) as answer:
        told = frames(answer.iter_lines())
        next(frame for frame in told if frame.get("phase") == "working")
        with httpx.Client(base_url=http.base_url, timeout=60) as other:
            beside = other.post("/inference/text", json=text | {"use_cache": False}).json()
        assert next(told)["type"] in ("typing", "image")
    assert beside["output"] == alone["output"]
