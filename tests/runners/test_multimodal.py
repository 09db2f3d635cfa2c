"""Answers about pictures and clips are those of transformers' own `generate`, on chat's engine."""

from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.events import Event, Result
from inference_chat.media import open_image
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.runners.prepared import PREFILL_CHUNK
from inference_chat.schema import Media
from inference_chat.tasks import Task

from .chat_families import VISION
from .tiny_media import clip, conversation, open_runner, picture, request, result, says

ASKED = "the one in there?"
QUESTION, CHAT = Task.VISUAL_QUESTION_ANSWERING, Task.IMAGE_TEXT_TO_TEXT


@pytest.fixture(scope="module", params=VISION)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return VISION[request.param](tmp_path_factory.mktemp("tiny") / request.param)


@lru_cache(maxsize=1)
def opened(folder: Path) -> MultimodalRunner:
    runner = open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    return runner


def generated(runner: MultimodalRunner, *chat: tuple[str, list[Any]]) -> str:
    """What transformers answers to a conversation in its own form."""
    turns = [{"role": role, "content": [_part(part) for part in parts]} for role, parts in chat]
    inputs = runner._processor.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12)
    return runner._decode(ids[0, inputs["input_ids"].shape[1] :].tolist())


def _part(part: str | Media) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image", "image": open_image(part.read())}


def test_a_question_is_answered_as_by_generate(folder: Path, tmp_path: Path):
    one = picture(tmp_path)
    found = result(opened(folder), request(QUESTION, one, prompt=ASKED))
    assert found.text == generated(opened(folder), ("user", [one, ASKED])) != ""


def test_a_picture_in_a_text_of_more_than_one_reading_is_answered_as_by_generate(
    folder: Path, tmp_path: Path
):
    one, long = picture(tmp_path), "quick jumps vex; " * 40
    found = result(opened(folder), conversation(CHAT, says("user", long, one, ASKED), media=(one,)))
    assert found.finished.usage.prompt_tokens > PREFILL_CHUNK
    assert found.text == generated(opened(folder), ("user", [long, one, ASKED]))


def test_a_conversation_over_two_pictures_is_continued_as_by_generate(folder: Path, tmp_path: Path):
    one, two = picture(tmp_path, 1), picture(tmp_path, 2, (80, 40))
    turns = (says("user", one, ASKED), says("assistant", "the one"), says("user", two, "and there?"))
    found = result(opened(folder), conversation(CHAT, *turns, media=(one, two)))
    told = (("user", [one, ASKED]), ("assistant", ["the one"]), ("user", [two, "and there?"]))
    assert found.text == generated(opened(folder), *told)


def test_a_chat_without_pictures_is_answered_as_by_generate(folder: Path):
    found = result(opened(folder), conversation(Task.TEXT_GENERATION, says("user", "hi there"), media=()))
    assert found.text == generated(opened(folder), ("user", ["hi there"]))


def test_a_clip_is_a_row_of_pictures(folder: Path, tmp_path: Path):
    found = result(opened(folder), request(Task.VIDEO_TEXT_TO_TEXT, clip(tmp_path), prompt=ASKED, frames=2))
    assert found.finished.usage.completion_tokens == 12
    assert found.finished.usage.prompt_tokens > 40


@pytest.mark.parametrize("rows", [2, 3])
def test_several_answers_are_those_of_their_seeds(folder: Path, tmp_path: Path, rows: int):
    one = picture(tmp_path)
    together = result(opened(folder), request(CHAT, one, prompt=ASKED, n=rows, seed=11, temperature=1)).texts
    alone = [
        result(opened(folder), request(CHAT, one, prompt=ASKED, seed=11 + row, temperature=1)).text
        for row in range(rows)
    ]
    assert list(together) == alone


def test_runs_that_take_turns_do_not_disturb_each_other(folder: Path, tmp_path: Path):
    asked = [
        request(CHAT, picture(tmp_path, i, size), prompt=ASKED) for i, size in ((1, (40, 40)), (2, (90, 40)))
    ]
    alone = [result(opened(folder), one).text for one in asked]
    logs: list[list[Event]] = [[], []]
    runs = [opened(folder).run(one, Flag()) for one in asked]
    for _ in range(200):
        for run, log in zip(runs, logs, strict=True):
            log.extend(event for event in [next(run, None)] if event is not None)
    assert [Result.of(log).text for log in logs] == alone
