"""A long call in pieces: its own modes and random numbers, its clean-up, one step at a time in a lane."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from inference_chat.runners.diffusion import pieces as of_calls
from inference_chat.runners.diffusion.pieces import PIECE_SECONDS, Lane, Pieces, breathe, pause


@torch.no_grad()
def counting(log: list[str]) -> str:
    try:
        for number in range(3):
            log.append(f"{number} {torch.is_grad_enabled()}")
            pause(number)
        return "done"
    finally:
        log.append("cleaned")


def pieces(call: Callable[[], object], lane: Lane | None = None, seed: int = 1) -> Pieces[object]:
    return Pieces(call, lane or Lane(), seed)


def test_a_call_gives_what_it_pauses_with_and_then_its_result():
    run = pieces(lambda: counting([]))
    assert list(run) == [0, 1, 2]
    assert run.result == "done"


def test_modes_of_torch_do_not_leak_either_way():
    log: list[str] = []
    for _ in pieces(lambda: counting(log)):
        assert torch.is_grad_enabled()
        log.append("out")
    assert log == ["0 False", "out", "1 False", "out", "2 False", "out", "cleaned"]


def test_others_in_inference_mode_do_not_change_a_call():
    run = iter(pieces(lambda: counting([])))
    next(run)
    with torch.inference_mode():
        torch.ones(1)
    assert next(run) == 1


def test_unseeded_random_numbers_are_a_calls_own():
    def drawing() -> list[float]:
        found = []
        for _ in range(3):
            found.append(float(torch.rand(1)))
            pause(True)
        return found

    one, same, other = (pieces(drawing, seed=seed) for seed in (1, 1, 2))
    for run in (one, same, other):
        for _ in run:
            torch.rand(7)
    assert one.result == same.result != other.result


def test_leaving_early_cleans_up_and_frees_the_lane():
    log: list[str] = []
    with pieces(lambda: counting(log), lane := Lane()) as run:
        next(iter(run))
    assert log == ["0 False", "cleaned"]
    assert lane.holder is None
    assert torch.is_grad_enabled()


def test_a_call_that_was_never_begun_ends():
    pieces(lambda: counting([])).end()


def test_an_error_comes_out_and_frees_the_lane():
    def fails() -> None:
        pause(1)
        torch.set_grad_enabled(False)
        raise OSError("half way")

    lane = Lane()
    with pytest.raises(OSError, match="half way"):
        list(pieces(fails, lane))
    assert lane.holder is None
    assert torch.is_grad_enabled()


def test_within_a_step_nobody_else_enters_the_lane():
    order: list[str] = []

    def step(name: str) -> None:
        order.append(f"{name} in")
        pause()
        order.append(f"{name} out")

    lane = Lane()
    runs = [iter(pieces(partial(step, name), lane)) for name in "ab"]
    for _ in range(4):
        for run in runs:
            next(run, None)
    assert order == ["a in", "a out", "b in", "b out"]


@pytest.fixture
def long_work(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Something during which others have waited long enough; nothing else takes any time."""
    now = 0.0

    def work() -> None:
        nonlocal now
        now += PIECE_SECONDS * 1.2

    monkeypatch.setattr(of_calls, "time", SimpleNamespace(monotonic=lambda: now))
    return work


def test_layers_give_the_turn_away_only_when_others_have_waited(long_work: Callable[[], None]):
    def slow() -> None:
        for _ in range(3):
            long_work()
            breathe()

    def quick() -> None:
        for _ in range(100):
            breathe()

    assert list(pieces(quick)) == []
    assert list(pieces(slow)) == [None] * 3


def test_outside_of_a_call_nothing_happens():
    pause(1)
    breathe()


def test_a_layer_under_autocast_keeps_the_turn(long_work: Callable[[], None]):
    def slow() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            long_work()
            breathe()

    assert list(pieces(slow)) == []
