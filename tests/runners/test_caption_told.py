"""Caption models that want to be asked in their own words: the words are those their makers use."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from inference_chat.media import open_image
from inference_chat.runners.caption import CaptionRunner
from inference_chat.tasks import Task

from .caption_families import TOLD, blip2
from .tiny_media import open_runner, picture, request, result

# PaliGemma's processor gives numpy a tensor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=TOLD)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TOLD[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> Any:
    runner = open_runner(folder)
    assert isinstance(runner, CaptionRunner)
    return runner


def generated(runner: Any, one: Any, text: str) -> str:
    inputs = runner._processor(images=open_image(one.read()), text=text, return_tensors="pt")
    inputs.pop("labels", None)
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12)
    start = 0 if runner._model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return str(runner._decode(ids[0, start:].tolist()))


def test_a_caption_is_asked_for_in_the_models_words(folder: Path, tmp_path: Path):
    runner, one = opened(folder), picture(tmp_path)
    said = {"paligemma": "caption en", "florence2": "<CAPTION>"}[folder.name]
    assert result(runner, request(Task.IMAGE_TO_TEXT, one)).text == generated(runner, one, said)


def test_a_question_is_put_in_the_models_words(folder: Path, tmp_path: Path):
    runner, one = opened(folder), picture(tmp_path)
    said = {"paligemma": "answer en {}", "florence2": "<VQA>{}"}[folder.name].format("the one?")
    asked = request(Task.VISUAL_QUESTION_ANSWERING, one, prompt="the one?")
    assert result(runner, asked).text == generated(runner, one, said)


def test_the_models_own_commands_go_through_as_they_are(folder: Path, tmp_path: Path):
    runner, one = opened(folder), picture(tmp_path)
    asked = request(Task.IMAGE_TO_TEXT, one, prompt="<OCR>")
    assert result(runner, asked).text == generated(runner, one, "<OCR>")


def test_a_question_before_a_language_model(tmp_path: Path):
    runner: Any = open_runner(blip2(tmp_path / "blip2"))
    one = picture(tmp_path)
    asked = request(Task.VISUAL_QUESTION_ANSWERING, one, prompt="the one?")
    whole = generated(runner, one, "Question: the one? Answer:")
    assert result(runner, asked).text == whole
    assert result(runner, request(Task.IMAGE_TO_TEXT, one)).text not in ("", whole)
