"""Answers about pictures and clips are those of transformers' own `generate`, on chat's engine."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.schema import Media
from inference_chat.tasks import Task

from . import tiny_media as tiny
from .tiny_families import VISION
from .tiny_media import picture, request, result


@pytest.fixture(scope="module", params=VISION)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return VISION[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> MultimodalRunner:
    runner = tiny.open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    return runner


def generated(runner: MultimodalRunner, chat: list[dict[str, Any]], **how: Any) -> str:
    """What transformers answers to a conversation in its own form."""
    inputs = runner._processor.apply_chat_template(
        chat, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12, **how)
    return str(runner._tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))


def seen(medium: Media) -> dict[str, Any]:
    from inference_chat.media import open_image

    return {"type": "image", "image": open_image(medium.read())}


def test_a_question_about_a_picture_is_answered_as_by_generate(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    asked = request(Task.VISUAL_QUESTION_ANSWERING, one, prompt="the one in there?")
    chat = [{"role": "user", "content": [seen(one), {"type": "text", "text": "the one in there?"}]}]
    assert result(opened(folder), asked).text == generated(opened(folder), chat)
