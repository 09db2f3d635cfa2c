"""Models whose makers' code wants torchvision, by the generic path; run by `test_torchvision.py` where it is.

Real pictures and sounds go in, and text streams out that equals `generate`'s.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from inference_chat.events import TextDelta
from inference_chat.media import open_image, open_sound
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.schema import Media
from inference_chat.tasks import Task

from .chat_families import llava_next_video, qwen2_vl
from .tiny_media import clip, conversation, events, kept, open_runner, picture, request, result, says, tone
from .torchvision_families import FAMILIES

INPUTS = Path(__file__).parents[2] / "examples" / "inputs"
ASKED = "what is there?"


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> Any:
    runner = open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    return runner


def seen(place: Path) -> Media:
    return kept(place, (INPUTS / "scene-red-circles.png").read_bytes(), "image", "image/png")


def said(place: Path) -> Media:
    sound = INPUTS / "speech" / "how-many-red-circles-are-there.ogg"
    return kept(place, sound.read_bytes(), "audio", "audio/ogg")


def generated(runner: Any, *kinds: str, **media: Any) -> str:
    """What transformers itself answers."""
    parts = [
        {"type": kind} if kind in ("audio", "image") else {"type": "text", "text": kind} for kind in kinds
    ]
    chat = [{"role": "user", "content": parts}]
    templates = runner._processor if runner._processor.chat_template else runner._tokenizer
    text = templates.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    inputs = runner._processor(text=[text], return_tensors="pt", **media)
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12)
    return str(runner._decode(ids[0, inputs["input_ids"].shape[1] :].tolist()))


def heard(one: Media) -> dict[str, Any]:
    return {"audio": [open_sound(one.read(), rate=16_000, mono=True).mono], "sampling_rate": 16_000}


def test_a_picture_is_talked_about(folder: Path, tmp_path: Path):
    runner, one = opened(folder), seen(tmp_path)
    told = events(runner, request(Task.ANY_TO_ANY, one, prompt=ASKED))
    text = "".join(event.text for event in told if isinstance(event, TextDelta))
    assert text == generated(runner, "image", ASKED, images=[[open_image(one.read())]])


def test_a_spoken_question_is_heard(folder: Path, tmp_path: Path):
    runner, sound = opened(folder), said(tmp_path)
    found = result(runner, request(Task.ANY_TO_ANY, sound, prompt=ASKED))
    assert found.text == generated(runner, "audio", ASKED, **heard(sound))


def test_a_spoken_question_over_a_picture(folder: Path, tmp_path: Path):
    runner, one, sound = opened(folder), seen(tmp_path), said(tmp_path)
    turn = conversation(Task.ANY_TO_ANY, says("user", one, sound, ASKED), media=(one, sound))
    media = {"images": [[open_image(one.read())]]} | heard(sound)
    assert result(runner, turn).text == generated(runner, "image", "audio", ASKED, **media)


def test_two_pictures_and_a_long_text_are_read_as_a_whole(folder: Path, tmp_path: Path):
    runner = opened(folder)
    both = (seen(tmp_path), picture(tmp_path))
    long = "quick jumps vex; " * 40
    turn = conversation(Task.ANY_TO_ANY, says("user", *both, long), media=both)
    images = [[open_image(one.read()) for one in both]]
    assert result(runner, turn).text == generated(runner, "image", "image", long, images=images)


def test_a_sound_that_is_longer_than_is_heard_at_once_comes_in_parts(tmp_path: Path):
    """Their preparation leaves out what comes after 30 s, and says nothing."""
    runner, sound = opened(FAMILIES["gemma3n"](tmp_path / "gemma")), tone(tmp_path, 32)
    found = result(runner, request(Task.ANY_TO_ANY, sound, prompt=ASKED))
    assert 2 * 188 < found.finished.usage.prompt_tokens < 2 * 188 + 60


def test_its_ears_and_eyes_are_told(folder: Path):
    family = family_of(inspect(folder))
    assert {Task.IMAGE_TEXT_TO_TEXT, Task.AUTOMATIC_SPEECH_RECOGNITION} <= set(family.tasks)


# --- what changes where torchvision is -------------------------------------------------------------


def test_a_clip_is_seen_as_a_clip(tmp_path: Path):
    """Where transformers prepares clips itself, two frames are one row of patches."""
    runner: Any = opened(qwen2_vl(tmp_path / "qwen"))
    assert runner._senses.video
    found = result(runner, request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=2))
    assert found.finished.usage.completion_tokens == 12
    as_pictures = request(Task.IMAGE_TEXT_TO_TEXT, picture(tmp_path, 1), picture(tmp_path, 2), prompt=ASKED)
    assert found.finished.usage.prompt_tokens < result(runner, as_pictures).finished.usage.prompt_tokens


def test_a_folder_that_says_nothing_of_clips_loads(tmp_path: Path):
    """transformers takes its processor for its own video processor, and calls itself for ever."""
    runner: Any = opened(llava_next_video(tmp_path / "llava"))
    found = result(runner, request(Task.IMAGE_TEXT_TO_TEXT, picture(tmp_path), prompt=ASKED))
    assert found.finished.usage.completion_tokens > 0
