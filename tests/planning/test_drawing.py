"""Wishes for a picture in a conversation: which they are, and that the picture is in the reply."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from inference_chat.events import ImageReady
from inference_chat.media import open_image
from inference_chat.outputs import output_of
from inference_chat.planning.drawing import wished
from inference_chat.schema import ImagePart
from inference_chat.service import Service
from tests import tiny
from tests.fakes import ANNE, running
from tests.runners.diffusers_models import painter

# diffusers' schedulers are older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("Draw a red circle on yellow.", "a red circle on yellow"),
        ("please draw me two dogs", "two dogs"),
        ("Can you paint a picture of the sea, please?", "the sea"),
        ("Hey, could you sketch us an old house?", "an old house"),
        ("Create an image with a blue star left of a heart!", "a blue star left of a heart"),
        ("make me a drawing of\na cat", "a cat"),
        ("Draw a conclusion from this.", None),
        ("draw attention to the last line", None),
        ("Make a list of painters.", None),
        ("What can you draw?", None),
        ("I like to draw horses.", None),
        ("Draw", None),
    ],
)
def test_a_wish_is_told_from_other_words(text, wish):
    assert wished(text) == wish


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    models = tmp_path / "models"
    tiny.card(tiny.build(models / "chat"), name="chat")
    painter(models / "painter")
    async with running(tmp_path, models) as service:
        yield service


async def asked(service: Service, text: str) -> Any:
    job = await service.infer(ANNE, group="multimodal", prompt=text, model="auto", parameters={"seed": 3})
    return output_of(job.request, await job.result())


async def test_a_plan_draws_what_is_wished_for(service: Service):
    output = await asked(service, "Draw a red circle, please.")
    assert output["text"] == "Here is the picture: a red circle."
    assert [image[:22] for image in output["images"]] == ["data:image/png;base64,"]
    (step,) = output["plan"]
    assert (step["task"], step["model"], step["input"]) == ("text-to-image", "painter@1.0.0", "a red circle")
    assert "images" not in step["output"]
    assert step["output"]["seed"] == 3


async def test_only_the_finished_picture_is_told(service: Service):
    await asked(service, "Draw a red circle.")  # by a picture that is done, previews are learnt
    job = await service.infer(
        ANNE, group="multimodal", prompt="Draw a red circle.", model="auto", parameters={"seed": 4}
    )
    await job.result()
    assert [event.role for event in job.events if isinstance(event, ImageReady)] == ["result"]


async def test_other_words_are_for_the_model_that_chats(service: Service):
    output = await asked(service, "What can you draw?")
    assert [step["task"] for step in output["plan"]] == ["text-generation"]
    assert "images" not in output


async def test_the_picture_is_kept_in_the_reply(service: Service):
    session = await service.chats.start(ANNE, model="auto")
    turn = await service.chats.send(ANNE, session.id, "Draw a red circle")
    reply = await turn.finished()
    assert reply.text == "Here is the picture: a red circle."
    (picture,) = [part for part in reply.content if isinstance(part, ImagePart)]
    kept = await service.intake.link(picture.image_url.url, "image")
    assert open_image(kept.read()).size == (64, 64)
    again = await (await service.chats.send(ANNE, session.id, "Thank you.")).finished()
    assert again.status == "complete"
