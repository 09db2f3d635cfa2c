"""The answers of many architectures are those of transformers' own `generate`."""

from functools import lru_cache
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.events import Result
from inference_chat.runners.single import PREFILL_CHUNK
from inference_chat.runners.text import TextRunner

from . import models

SHORT = "the other one in there"
# Each letter is a token, and three are left for the last chunk: it depends on what the first one left.
LONG = ("quick jumps vex; " * 40)[: PREFILL_CHUNK + 3]


@pytest.fixture(scope="module", params=models.FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.build(request.param, tmp_path_factory.mktemp(request.param))


@lru_cache(maxsize=1)
def opened(folder: Path) -> TextRunner:
    return models.open_runner(folder)


def generated(folder: Path, prompt: str, **how) -> tuple[str, int]:
    """What transformers answers: the text, and the number of tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = model.generate(**inputs, do_sample=False, **how)[0, inputs["input_ids"].shape[1] :]
    return str(tokenizer.decode(ids, skip_special_tokens=True)), len(ids)


@pytest.mark.parametrize("prompt", [SHORT, LONG], ids=["short", "in chunks"])
def test_greedy_answers_are_those_of_generate(folder: Path, prompt: str):
    text, tokens = generated(folder, prompt, max_new_tokens=24)
    result = models.answer(opened(folder), prompt)
    usage = result.finished.usage
    assert (result.text, usage.completion_tokens) == (text, tokens)
    assert usage.prompt_tokens == (PREFILL_CHUNK + 3 if prompt == LONG else 13)


def test_repetition_penalty_is_that_of_generate(folder: Path):
    text, _ = generated(folder, SHORT, max_new_tokens=24, repetition_penalty=1.4)
    assert models.answer(opened(folder), SHORT, repetition_penalty=1.4).text == text


def test_several_answers_are_those_of_their_seeds(folder: Path):
    together = models.answer(opened(folder), SHORT, n=3, seed=11, temperature=1)
    alone = [models.answer(opened(folder), SHORT, seed=11 + row, temperature=1).text for row in range(3)]
    assert list(together.texts) == alone


def test_answers_beside_others_are_those_alone(folder: Path):
    runner = opened(folder)
    assert runner._engine.kind == ("single" if folder.name[:-1] in models.ONE_BY_ONE else "batched")
    seeded: dict[str, Any] = {"seed": 11, "temperature": 1, "n": 2, "max_tokens": 40}
    asked: list[tuple[str, dict[str, Any]]] = [(SHORT, {}), (LONG, {"max_tokens": 9}), (SHORT[4:], seeded)]
    alone = [models.answer(models.open_runner(folder), prompt, **how).texts for prompt, how in asked]
    runs = [runner.run(models.request(prompt, **how), Flag()) for prompt, how in asked]
    assert [Result.of(log).texts for log in models.taking_turns(runs)] == alone
