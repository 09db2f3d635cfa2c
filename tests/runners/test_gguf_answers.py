"""GGUF files are answered by llama.cpp as the same weights are answered here. Runs where it is installed."""

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from inference_chat.errors import OutOfMemory
from inference_chat.events import Event, Result
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.gguf.batch import SeatedBatch
from inference_chat.runners.gguf.runner import GgufRunner
from inference_chat.runners.text import TextRunner
from tests import tiny
from tests.fakes import ANNE, running
from tests.tiny_gguf import convert

from .models import answer, assistant, open_runner, request, system, taking_turns, user

LONG = "the one " * 25
TALK = (system("Be brief."), user("What is the one?"), assistant("the other"), user("And then?"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def file(folder: Path) -> Path:
    return convert(folder, folder.parent / "small.gguf")


@pytest.fixture(scope="module")
def here(folder: Path) -> TextRunner:
    """The same weights in our own engine."""
    return open_runner(folder)


@pytest.fixture
def runner(file: Path) -> Iterator[GgufRunner]:
    runner = GgufRunner(inspect(file), Placement("cpu", "float32"))
    runner.load()
    yield runner
    runner.unload()


@pytest.mark.parametrize("asked", ["the other one", (user("Hello"),), TALK, "ünï🙂"], ids=str)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": 1.0, "seed": 3, "n": 3, "top_p": 0.9},
        {"stop": ("e", "x"), "repetition_penalty": 1.3},
        {"logprobs": 2, "max_tokens": 5},
    ],
    ids=str,
)
def test_answers_are_those_of_the_same_weights_here(
    runner: GgufRunner, here: TextRunner, asked: Any, how: dict[str, Any]
):
    found, wanted = answer(runner, asked, **how), answer(here, asked, **how)
    assert found.texts == wanted.texts
    assert found.finished.usage == wanted.finished.usage
    assert found.finished.finish_reasons == wanted.finished.finish_reasons
    for one, other in zip(found.tokens, wanted.tokens, strict=True):
        assert [token.text for token in one] == [token.text for token in other]
        assert [token.logprob for token in one] == pytest.approx([t.logprob for t in other], abs=1e-3)


def test_a_prompt_is_echoed(runner: GgufRunner, here: TextRunner):
    found, wanted = (answer(one, "the one", echo=True, logprobs=0) for one in (runner, here))
    assert found.texts == wanted.texts


def test_texts_are_stepped_together(runner: GgufRunner, here: TextRunner):
    engine = runner._engine
    assert isinstance(engine, SeatedBatch)
    prompts = [f"the {number} " * (number + 1) for number in range(9)]
    logs = taking_turns([runner.run(request(prompt, max_tokens=12), Flag()) for prompt in prompts])
    assert [Result.of(log).text for log in logs] == [answer(here, p, max_tokens=12).text for p in prompts]
    assert engine.forwards < 2 * 12
    assert len(engine) == 0


def test_a_conversation_is_read_once(runner: GgufRunner, here: TextRunner):
    first = answer(runner, TALK, max_tokens=6)
    said = (*TALK, assistant(first.text or "-"), user("More?"))
    found, wanted = answer(runner, said, max_tokens=6), answer(here, said, max_tokens=6)
    assert found.texts == wanted.texts
    assert found.finished.receipt is not None
    assert (found.finished.receipt.reused_tokens or 0) > 20
    assert found.finished.receipt.engine == "batched"


def test_a_stopped_text_leaves_its_place(runner: GgufRunner):
    engine = runner._engine
    assert isinstance(engine, SeatedBatch)
    stop = Flag()
    run = runner.run(request("the one", max_tokens=200), stop)
    seen = [next(run) for _ in range(6)]
    stop.set()
    result = Result.of([*seen, *run])
    assert result.finished.finish_reasons == ("cancelled",)
    assert len(engine) == 0


def crowded(runner: GgufRunner) -> list[str]:
    """How those end who together write more than the memory holds."""
    runs = [runner.run(request(f"{number}{LONG}", max_tokens=90), Flag()) for number in range(12)]
    ended: list[str] = []
    going: list[tuple[Iterator[Event], list[Event]]] = [(run, []) for run in runs]
    while going:
        run, log = going.pop(0)
        try:
            log.append(next(run))
            going.append((run, log))
        except StopIteration:
            ended.append(Result.of(log).finished.finish_reasons[0])
        except OutOfMemory:
            ended.append("full")
    return ended


def test_who_writes_has_the_room_of_what_is_kept(runner: GgufRunner, here: TextRunner):
    for number in range(12):
        text = f"{number}{LONG}"
        assert answer(runner, text, max_tokens=40).texts == answer(here, text, max_tokens=40).texts
    ended = crowded(runner)
    assert "full" in ended  # more than fit fail, each alone
    assert len([how for how in ended if how in ("length", "stop")]) >= 2
    assert len(runner._engine) == 0  # type: ignore[arg-type]


def test_a_model_that_left_takes_nothing_of_the_others_along(file: Path, runner: GgufRunner):
    other = GgufRunner(inspect(file), Placement("cpu", "float32"))
    other.load()
    other.unload()
    del other
    gc.collect()
    assert "full" in crowded(runner)  # llama.cpp logs each time


def test_answers_are_kept_to_a_format(runner: GgufRunner):
    shape: dict[str, Any] = {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}
    shape["additionalProperties"] = False
    told = {"type": "json_schema", "json_schema": {"name": "it", "schema": shape}}
    for text in answer(runner, (user("Who?"),), response_format=told, max_tokens=60, n=3, seed=1).texts:
        assert json.loads(text)["a"] in (1, 2)


def test_a_text_has_its_tokens(runner: GgufRunner, here: TextRunner):
    assert [piece.id for piece in runner.tokens("the one")] == [p.id for p in here.tokens("the one")]


async def test_it_is_a_model_like_others(file: Path, tmp_path: Path):
    async with running(tmp_path, device="cpu") as service:
        told = await service.models.register({"name": "small", "file_path": str(file)})
        asked = {"prompt": "Hello", "model": told["id"], "use_cache": False}
        asked["parameters"] = {"max_tokens": 5, "temperature": 0}
        first = await (await service.infer(ANNE, **asked)).result()
        receipt = first.finished.receipt
        assert receipt is not None
        assert (receipt.dtype, receipt.engine) == ("F32", "batched")
        await service.models.unload(told["id"])
        again = await (await service.infer(ANNE, **asked)).result()
        assert again.texts == first.texts
