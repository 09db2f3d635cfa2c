"""What has been read is not read again: next turns, edits, another try, several answers."""

from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.events import Result
from inference_chat.runners.batching import Batch
from inference_chat.runners.batching.kept import Kept
from inference_chat.runners.batching.slot import Shape, Slot, common
from inference_chat.runners.text import TextRunner
from tests.runners.models import answer, assistant, build, open_runner, system, user

TOLD = (system("be kind to everybody"), user("say the one and the other"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("Gemma2", tmp_path_factory.mktemp("kept") / "Gemma2")


@pytest.fixture
def runner(folder: Path) -> TextRunner:
    return open_runner(folder)


def reused(result: Result) -> int:
    receipt = result.finished.receipt
    assert receipt is not None
    return receipt.reused_tokens or 0


def check(folder: Path, runner: TextRunner, asked: Any, least: int, **how: Any) -> Result:
    """Answers equal to those of a model that has read nothing before, with so much read before."""
    result = answer(runner, asked, **how)
    assert result.texts == answer(open_runner(folder), asked, **how).texts
    assert reused(result) >= least
    return result


def test_a_conversation_is_read_once(folder: Path, runner: TextRunner):
    first = check(folder, runner, TOLD, 0)
    prompt = first.finished.usage.prompt_tokens
    check(folder, runner, TOLD, prompt - 1)  # asked again
    check(folder, runner, (*TOLD, assistant(first.text), user("go on")), prompt)
    check(folder, runner, (*TOLD, assistant("something else"), user("go on")), prompt)  # edited
    check(folder, runner, (TOLD[0], user("say nothing")), 24)  # the same system prompt
    check(folder, runner, TOLD, prompt - 1, n=3, seed=4, temperature=1)


def test_a_seed_gives_the_same_text_whatever_was_read_before(folder: Path, runner: TextRunner):
    for seed in (1, 2):
        check(folder, runner, TOLD, 0, seed=seed, temperature=1.0)


SHAPE = Shape(layers=1, heads=1, key=1, value=1, dtype=torch.float32, device="cpu")


def read(*ids: int) -> Slot:
    slot = Slot(SHAPE, ids)
    slot.reserve(len(ids))
    slot.read = len(ids)
    return slot


def test_the_text_unused_for_longest_is_forgotten():
    kept = Kept(room=2 * read(*range(9)).bytes)
    texts = [range(9), range(100, 109), range(200, 209)]
    for text in texts[:2]:
        kept.add(read(*text), 0)
    assert kept.longest([*texts[0], 1], ())[1] == 9
    kept.add(read(*texts[2]), 0)
    assert [kept.longest([*text, 1], ())[1] for text in texts] == [9, 0, 9]


def test_a_next_turn_takes_over_what_the_turn_before_has_read():
    kept, turn = Kept(room=1 << 20), read(*range(20))
    kept.add(turn, 0)
    assert not kept.ends(turn, 10)  # another try from the middle leaves the text
    assert kept.ends(turn, 18)
    assert len(kept) == 0


def test_texts_in_work_have_the_room_first():
    kept = Kept(room=read(*range(9)).bytes)
    kept.add(read(*range(9)), others=1)
    assert len(kept) == 0


def test_a_text_that_goes_on_takes_the_place_of_its_beginning():
    kept = Kept(room=1 << 20)
    for length in (9, 12, 20):
        kept.add(read(*range(length)), 0)
    assert len(kept) == 1


def test_one_token_is_left_to_read():
    kept = Kept(room=1 << 20)
    kept.add(read(*range(20)), 0)
    assert kept.longest(list(range(20)), ())[1] == 19


@pytest.mark.parametrize(("one", "other", "same"), [([1, 2], [1, 2, 3], 2), ([1, 2], [3], 0), ([], [1], 0)])
def test_common_beginnings(one: list[int], other: list[int], same: int):
    assert common(one, other) == same


def test_unloading_forgets(runner: TextRunner):
    answer(runner, TOLD)
    engine = runner._engine
    assert isinstance(engine, Batch)
    assert len(engine.kept) == 1
    runner.unload()
    assert not hasattr(runner, "_engine")
