"""Which task, which model and which files a request means."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference_chat import runners
from inference_chat.errors import BadMedia, Forbidden, InvalidRequest, ModelNotFound, UnsupportedTask
from inference_chat.intake import Intake
from inference_chat.media import data_url, image_bytes
from inference_chat.runners.text import TextOptions
from inference_chat.schema import ImagePart, Link, Message, TextPart
from inference_chat.tasks import Task
from tests import tiny, tiny_vision
from tests.fakes import EchoRunner, running
from tests.server import one_model

PICTURE = image_bytes(Image.new("RGB", (3, 2), "red"))
URL = data_url(PICTURE, "image/png")
TASKS = (Task.VISUAL_QUESTION_ANSWERING, Task.IMAGE_CLASSIFICATION, Task.TEXT_TO_IMAGE, Task.TEXT_GENERATION)


@pytest.fixture
async def intake(tmp_path: Path, tiny_llama: Path, monkeypatch) -> AsyncIterator[Intake]:
    monkeypatch.setattr(runners, "FAMILIES", (runners.Family("", EchoRunner, TASKS),))
    for task in TASKS:
        monkeypatch.setitem(runners.OPTIONS, task, TextOptions)
    async with running(tmp_path, one_model(tmp_path / "models", tiny_llama)) as service:
        yield service.intake


@pytest.mark.parametrize(
    ("group", "prompt", "pictures", "task"),
    [
        ("text", "hi", 0, Task.TEXT_GENERATION),
        ("image", None, 1, Task.IMAGE_CLASSIFICATION),
        ("image", "what?", 1, Task.VISUAL_QUESTION_ANSWERING),
        ("image", "a cat", 0, Task.TEXT_TO_IMAGE),
    ],
)
@pytest.mark.parametrize("model", [None, "tiny-llama"])
async def test_the_input_says_what_to_do(
    intake: Intake, group: Any, prompt: str | None, pictures: int, task: Task, model: str | None
):
    media = [await intake.file(PICTURE, "image")] * pictures
    asked = await intake.request(group=group, model=model, prompt=prompt, media=media)
    assert (asked.task, asked.model) == (task, "tiny-llama@1.0.0")


@pytest.fixture
async def seeing(tmp_path: Path) -> AsyncIterator[Intake]:
    """Where only a detector is registered."""
    tiny_vision.build("YolosForObjectDetection", tmp_path / "models" / "sees")
    tiny.card(tmp_path / "models" / "sees", name="sees")
    async with running(tmp_path, tmp_path / "models") as service:
        yield service.intake


@pytest.mark.parametrize(
    ("asked", "model", "task"),
    [
        ({}, "sees@1.0.0", Task.OBJECT_DETECTION),
        ({"parameters": {"threshold": 0.4}}, "sees@1.0.0", Task.OBJECT_DETECTION),
        ({"parameters": {"labels": ["cat"]}}, "sees@1.0.0", Task.OBJECT_DETECTION),
        ({"prompt": "How many?"}, "auto@1.0.0", Task.VISUAL_QUESTION_ANSWERING),
        ({"prompt": "How many?", "model": "auto"}, "auto@1.0.0", Task.VISUAL_QUESTION_ANSWERING),
        ({"task": "image-to-text"}, "auto@1.0.0", Task.IMAGE_TO_TEXT),
    ],
)
async def test_what_an_input_asks_for_is_something_that_a_model_here_does(
    seeing: Intake, asked: Any, model: str, task: Task
):
    request = await seeing.request(group="image", media=[await seeing.file(PICTURE, "image")], **asked)
    assert (request.task, request.model) == (task, model)


async def test_questions_are_planned_only_where_somebody_looks(intake: Intake):
    asked: Any = {"task": "video-text-to-text", "prompt": "What moves?", "media": []}
    with pytest.raises(ModelNotFound):
        await intake.request(**asked)


async def test_a_question_is_not_planned_where_that_is_not_wanted(seeing: Intake):
    media = [await seeing.file(PICTURE, "image")]
    with pytest.raises(ModelNotFound):
        await seeing.request(task="visual-question-answering", prompt="What?", media=media, plan=False)


async def test_parts_of_a_message_name_files_that_are_kept(intake: Intake):
    parts = (TextPart(text="What is this?"), ImagePart(image_url=Link(url=URL)))
    asked = await intake.request(
        task="visual-question-answering", messages=[Message(role="user", content=parts)]
    )
    told = asked.messages[0].content[1]
    assert isinstance(told, ImagePart)
    found = asked.find(told.image_url.url)
    assert found is not None
    assert found.read() == PICTURE
    again = await intake.link(found.url, "image")
    assert again == found


async def test_the_same_input_is_the_same_request(intake: Intake):
    first, second = [
        await intake.request(task="image-classification", media=[await intake.link(URL, "image")])
        for _ in range(2)
    ]
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"group": "image", "task": "text-generation", "prompt": "x"}, UnsupportedTask),
        ({"task": "object-detection"}, ModelNotFound),
        ({"task": "image-classification"}, InvalidRequest),
        ({"task": "text-to-image", "prompt": " "}, InvalidRequest),
        (
            {"task": "text-generation", "prompt": "x", "messages": [Message(role="user", content="y")]},
            InvalidRequest,
        ),
        ({"group": "video", "model": "tiny-llama", "prompt": "x"}, UnsupportedTask),
    ],
)
async def test_what_cannot_be_done_is_said(intake: Intake, asked: Any, error: type[Exception]):
    with pytest.raises(error):
        await intake.request(**asked)


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.png", "HTTPS://example.org/x.png"])
async def test_nothing_is_fetched(intake: Intake, url: str):
    with pytest.raises(Forbidden):
        await intake.link(url, "image")


@pytest.mark.parametrize(
    "url", ["", "media:x", "media:" + "0" * 64, "file:///etc/passwd", "data:image/png,x"]
)
async def test_a_link_to_nothing(intake: Intake, url: str):
    with pytest.raises(BadMedia):
        await intake.link(url, "image")
