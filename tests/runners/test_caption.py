"""Captions and read texts of models that know no conversation are those of transformers' own `generate`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from inference_chat.errors import InvalidRequest, UnsupportedTask
from inference_chat.events import TextDelta
from inference_chat.media import open_image
from inference_chat.runners.caption import CaptionRunner
from inference_chat.tasks import Task

from .caption_families import CAPTIONS, blip_questions
from .tiny_media import clip, events, open_runner, picture, request, result

CAPTION, QUESTION = Task.IMAGE_TO_TEXT, Task.VISUAL_QUESTION_ANSWERING


@pytest.fixture(scope="module", params=CAPTIONS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return CAPTIONS[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> Any:
    runner = open_runner(folder)
    assert isinstance(runner, CaptionRunner)
    return runner


def generated(runner: Any, one: Any, **more: Any) -> str:
    pixels = runner._processor.image_processor(images=open_image(one.read()), return_tensors="pt")[
        "pixel_values"
    ]
    ids = runner._model.generate(pixel_values=pixels, do_sample=False, max_new_tokens=12, **more)
    return str(runner._decode([int(token) for token in ids[0]]))


def test_a_caption_is_that_of_generate(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    found = result(opened(folder), request(CAPTION, one))
    assert found.text == generated(opened(folder), one)
    assert found.finished.usage.completion_tokens > 1


def test_each_picture_has_its_own_answer(folder: Path, tmp_path: Path):
    pictures = [picture(tmp_path, seed) for seed in (0, 5)]
    together = result(opened(folder), request(CAPTION, *pictures))
    assert list(together.texts) == [result(opened(folder), request(CAPTION, one)).text for one in pictures]


def test_several_answers_are_those_of_their_seeds(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    together = result(opened(folder), request(CAPTION, one, n=2, seed=3, temperature=1))
    alone = [result(opened(folder), request(CAPTION, one, seed=3 + i, temperature=1)).text for i in (0, 1)]
    assert list(together.texts) == alone


def test_what_is_asked_changes_the_answer(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    asked = request(QUESTION, one, prompt="the other one")
    assert result(opened(folder), asked).text != result(opened(folder), request(CAPTION, one)).text


def test_the_text_streams(folder: Path, tmp_path: Path):
    found = events(opened(folder), request(CAPTION, picture(tmp_path), max_tokens=8))
    assert sum(isinstance(event, TextDelta) for event in found) > 1


def test_a_question_model_answers_as_generate(tmp_path: Path):
    runner, one = open_runner(blip_questions(tmp_path / "blip")), picture(tmp_path)
    assert isinstance(runner, CaptionRunner)
    inputs = runner._processor(images=open_image(one.read()), text="the one?", return_tensors="pt")
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12)
    found = result(runner, request(QUESTION, one, prompt="the one?"))
    assert found.text == runner._decode([int(token) for token in ids[0]])


def test_a_clip_is_no_picture(folder: Path, tmp_path: Path):
    asked = request(CAPTION, picture(tmp_path), clip(tmp_path))
    with pytest.raises(UnsupportedTask, match="pictures only"):
        result(opened(folder), asked)


def test_several_answers_to_several_pictures_are_refused(folder: Path, tmp_path: Path):
    asked = request(CAPTION, picture(tmp_path), picture(tmp_path, 1), n=2)
    with pytest.raises(InvalidRequest, match="one picture for several answers"):
        result(opened(folder), asked)
