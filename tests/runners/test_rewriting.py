"""Texts made of texts are those of transformers' own `generate`, on chat's engine."""

from pathlib import Path
from typing import Any

import pytest

from inference_chat.errors import InvalidRequest, TooLarge
from inference_chat.runners.rewriting import RewritingRunner
from inference_chat.tasks import Task

from .test_load import configure
from .text_families import bart, t5
from .tiny_media import open_runner, request, result

SUMMARY, TRANSLATION = Task.SUMMARIZATION, Task.TRANSLATION
TEXT = "the other one in there on the train"


def generated(runner: Any, text: str, **how: Any) -> str:
    inputs = runner._tokenizer(text, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    ids = runner._model.generate(**inputs, do_sample=False, max_new_tokens=12, **how)
    return str(runner._decode([int(token) for token in ids[0]]))


@pytest.mark.parametrize("build", [t5, bart])
def test_a_summary_is_that_of_generate(build: Any, tmp_path: Path):
    runner = open_runner(build(tmp_path / "model"))
    assert isinstance(runner, RewritingRunner)
    found = result(runner, request(SUMMARY, prompt=TEXT))
    assert found.text == generated(runner, TEXT) != ""


def test_several_answers_are_those_of_their_seeds(tmp_path: Path):
    runner = open_runner(t5(tmp_path / "t5"))
    together = result(runner, request(SUMMARY, prompt=TEXT, n=3, seed=2, temperature=1)).texts
    alone = [result(runner, request(SUMMARY, prompt=TEXT, seed=2 + i, temperature=1)).text for i in range(3)]
    assert list(together) == alone


def test_t5_is_told_the_languages_in_words(tmp_path: Path):
    runner = open_runner(t5(tmp_path / "t5"))
    found = result(runner, request(TRANSLATION, prompt=TEXT, source_language="en", target_language="de"))
    assert found.text == generated(runner, f"translate English to German: {TEXT}")


def test_t5_is_told_to_summarize(tmp_path: Path):
    folder = t5(tmp_path / "t5")
    configure(folder, task_specific_params={"summarization": {"prefix": "sum up: "}})
    runner = open_runner(folder)
    assert result(runner, request(SUMMARY, prompt=TEXT)).text == generated(runner, f"sum up: {TEXT}")


def test_a_text_longer_than_the_window_is_too_large(tmp_path: Path):
    runner = open_runner(bart(tmp_path / "bart"))
    with pytest.raises(TooLarge, match="128 at most"):
        result(runner, request(SUMMARY, prompt="x" * 129))


def test_an_empty_text_is_refused(tmp_path: Path):
    runner = open_runner(t5(tmp_path / "t5"))
    with pytest.raises(InvalidRequest, match="empty"):
        result(runner, request(SUMMARY, prompt=" "))
