"""Answers about sounds, by models of conversation that hear, are those of transformers' own `generate`."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from inference_chat.media import open_sound
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.tasks import Task

from .chat_families import LISTENING, qwen2_5_omni
from .tiny_media import conversation, open_runner, picture, request, result, says, tone

ASKED = "what is heard?"


@pytest.fixture(scope="module", params=LISTENING)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LISTENING[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> Any:
    runner = open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    return runner


def generated(runner: Any, text: str, **media: Any) -> str:
    inputs = runner._processor(text=[text], return_tensors="pt", sampling_rate=16000, **media)
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12)
    return str(runner._decode(ids[0, inputs["input_ids"].shape[1] :].tolist()))


def templated(runner: Any, *kinds: str) -> str:
    parts = [
        {"type": kind} if kind in ("audio", "image") else {"type": "text", "text": kind} for kind in kinds
    ]
    chat = [{"role": "user", "content": parts}]
    return str(runner._processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False))


def test_a_question_about_a_sound_is_answered_as_by_generate(folder: Path, tmp_path: Path):
    runner, sound = opened(folder), tone(tmp_path)
    found = result(runner, request(Task.ANY_TO_ANY, sound, prompt=ASKED))
    wave = open_sound(sound.read()).mono
    assert found.text == generated(runner, templated(runner, "audio", ASKED), audio=[wave])


def test_speech_is_asked_for_in_words(folder: Path, tmp_path: Path):
    runner, sound = opened(folder), tone(tmp_path)
    found = result(runner, request(Task.AUTOMATIC_SPEECH_RECOGNITION, sound))
    asked = request(Task.ANY_TO_ANY, sound, prompt="Write down what is said.")
    assert found.text == result(runner, asked).text


def test_a_long_sound_is_heard_in_parts(folder: Path, tmp_path: Path):
    runner, sound = opened(folder), tone(tmp_path, 3)
    found = result(runner, request(Task.ANY_TO_ANY, sound, prompt=ASKED))
    wave = open_sound(sound.read()).mono
    text = templated(runner, "audio", "audio", ASKED)
    assert found.text == generated(runner, text, audio=[wave[:32000], wave[32000:]])


def test_a_picture_and_a_sound_in_one_message(tmp_path: Path):
    runner: Any = open_runner(qwen2_5_omni(tmp_path / "omni"))
    one, sound = picture(tmp_path), tone(tmp_path)
    asked = conversation(Task.ANY_TO_ANY, says("user", one, sound, ASKED), media=(one, sound))
    from inference_chat.media import open_image

    text = templated(runner, "image", "audio", ASKED)
    media = {"images": [open_image(one.read())], "audio": [open_sound(sound.read()).mono]}
    assert result(runner, asked).text == generated(runner, text, **media)
