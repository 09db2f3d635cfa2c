"""Texts that come, leave and fail beside each other are written as if each were alone."""

import random
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
import torch

from inference_chat.errors import ModelFailed
from inference_chat.events import Event, Progress, Result
from inference_chat.runners.batching import Batch
from inference_chat.runners.batching.slot import Slot
from inference_chat.runners.text import TextRunner
from inference_chat.schema import Request
from tests.runners.models import answer, build, open_runner, request, taking_turns

PROMPT = "the other one"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("Llama", tmp_path_factory.mktemp("batch") / "Llama")


@pytest.fixture
def runner(folder: Path) -> TextRunner:
    return open_runner(folder)


@pytest.fixture
def batch(runner: TextRunner) -> Batch:
    assert isinstance(runner._engine, Batch)
    return runner._engine


def requests(chance: random.Random, count: int) -> list[Request]:
    """Prompts of all lengths, many with a beginning in common; greedy, warm, with stops, several answers."""
    found = []
    for number in range(count):
        text = chance.choice(["", "the one ", "the one and another"]) + "x" * chance.choice([1, 9, 80, 600])
        how: dict[str, Any] = {"max_tokens": chance.randint(1, 30), "n": chance.choice([1, 1, 1, 3])}
        warm = chance.random() < 0.5
        how |= {"temperature": 1.0, "seed": number} if warm else {"repetition_penalty": 1.2}
        found.append(request(text, stop=chance.choice([(), ("e",)]), **how))
    return found


class Leaver:
    """A run whose request is cancelled after so many steps."""

    def __init__(self, run: Iterator[Event], stop: Flag, steps: int) -> None:
        self._run, self._stop, self._left = run, stop, steps

    def __iter__(self) -> "Leaver":
        return self

    def __next__(self) -> Event:
        self._left -= 1
        if self._left == 0:
            self._stop.set()
        return next(self._run)


@pytest.mark.parametrize("seed", range(3))
def test_nobodys_text_changes_with_its_neighbours(folder: Path, runner: TextRunner, batch: Batch, seed: int):
    chance = random.Random(seed)
    asked = requests(chance, 14)
    alone = [Result.of(open_runner(folder).run(one, Flag())).texts for one in asked]
    runs: list[Iterator[Event]] = []
    stays = []
    for one in asked:
        stop = Flag()
        stays.append(chance.random() < 0.7)
        run = runner.run(one, stop)
        runs.append(run if stays[-1] else Leaver(run, stop, chance.randint(1, 20)))
    together = [Result.of(log).texts for log in joining(runs, chance)]
    for texts, wanted, stayed in zip(together, alone, stays, strict=True):
        assert texts == wanted if stayed else all(w.startswith(t) for t, w in zip(texts, wanted, strict=True))
    assert len(batch) == 0


def test_a_stopped_text_ends_with_a_whole_character(folder: Path, runner: TextRunner):
    for one in requests(random.Random(0), 9)[6:]:
        wanted = Result.of(open_runner(folder).run(one, Flag())).texts
        for steps in range(1, 25):
            texts = Result.of(Leaver(runner.run(one, stop := Flag()), stop, steps)).texts
            assert all(whole.startswith(text) for text, whole in zip(texts, wanted, strict=True))


def joining(runs: list[Iterator[Event]], chance: random.Random) -> list[list[Event]]:
    """Step runs in turn, each from a moment of its own."""
    waiting = Progress(phase="queued")

    def late(run: Iterator[Event], rounds: int) -> Iterator[Event]:
        yield from [waiting] * rounds
        yield from run

    return taking_turns([late(run, chance.randint(0, 25)) for run in runs])


def test_those_who_wait_share_one_forward_pass(runner: TextRunner, batch: Batch):
    alone = answer(runner, PROMPT, max_tokens=20)
    before = batch.forwards
    runs = [runner.run(request(f"{PROMPT}{i}", max_tokens=20), Flag()) for i in range(5)]
    texts = [Result.of(log).text for log in taking_turns(runs)]
    assert len(texts) == 5
    assert alone.text
    assert batch.forwards - before == 20


def test_a_text_with_broken_numbers_fails_alone(runner: TextRunner):
    fine = answer(runner, PROMPT, max_tokens=12).text
    (token,) = runner._tokenizer("Z")["input_ids"]
    with torch.no_grad():
        runner._model.get_input_embeddings().weight[token] = float("nan")
    good, bad = runner.run(request(PROMPT, max_tokens=12), Flag()), runner.run(request("aZb"), Flag())
    log = [next(good), next(bad), next(good), next(bad)]
    with pytest.raises(ModelFailed):
        list(bad)
    assert Result.of([log[0], log[2], *good]).text == fine


def test_a_forward_pass_that_fails_is_somebodys(batch: Batch):
    good, bad = batch.open([5, 6, 7]), batch.open([5, 6])
    bad.ids.append(10**6)  # past all checks
    with pytest.raises(IndexError):
        batch.advance(bad)
    batch.advance(good)
    assert good.logits is not None
    batch.close(bad)
    assert len(batch) == 1


def test_tokens_that_the_model_does_not_have_are_refused(batch: Batch):
    with pytest.raises(ModelFailed, match="tokenizer"):
        batch.open([1, 10**6])
    assert len(batch) == 0


def test_a_long_prompt_is_read_in_pieces_beside_those_who_write(batch: Batch):
    writing, long, short = batch.open([1]), batch.open([1] * 900), batch.open([2] * 20)
    pieces = batch._pieces([long, short, writing])
    assert [(piece.slot, piece.count) for piece in pieces] == [(writing, 1), (long, 32), (short, 20)]


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_an_abandoned_run_leaves_its_place(runner: TextRunner, batch: Batch, steps: int):
    run = runner.run(request("x" * 700), Flag())
    for _ in range(steps):
        next(run)
    assert len(batch) == 1
    getattr(run, "close")()  # noqa: B009 - as the worker closes it
    assert len(batch) == 0
    assert len(batch.kept) == (steps > 1)


def test_a_text_grows_beyond_its_room(batch: Batch):
    slot = batch.open([1, 2, 3])
    batch.advance(slot)
    before = slot._keys[:, :, :3].clone()
    with torch.inference_mode():
        slot.reserve(500)
    assert torch.equal(slot._keys[:, :, :3], before)
    assert isinstance(slot, Slot)
