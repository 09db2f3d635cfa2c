"""Chats about pictures and sounds are read and written beside others, and nothing is read twice."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest
import torch

from inference_chat.events import Event, Finished, Progress, Result, TextDelta
from inference_chat.runners.batching import beginning
from inference_chat.runners.batching.given import Given, placed, stacked
from inference_chat.runners.multimodal import MultimodalRunner
from inference_chat.schema import Media, Request
from inference_chat.tasks import Task

from ..chat_families import LISTENING, VISION
from ..models import taking_turns
from ..omni_families import SPEAKING
from ..tiny_media import conversation, open_runner, picture, result, says, tone

ASKED = "what is in there?"
LONG = "quick jumps vex; " * 40
ALONE = ("gemma3",)
"""Families whose decoders are told of masks of their own where pictures are."""
FAMILIES = VISION | LISTENING | SPEAKING


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES[family](tmp_path_factory.mktemp("half") / family)


@lru_cache(maxsize=1)
def opened(folder: Path) -> MultimodalRunner:
    runner = open_runner(folder)
    assert isinstance(runner, MultimodalRunner)
    return runner


def shown(family: str, place: Path, number: int = 0) -> Media:
    if family in VISION:
        return picture(place, number)
    return tone(place, pitch=200.0 * (number + 1))


def about(medium: Media, *more: Any, before: str = "", **options: Any) -> Request:
    first = says("user", before, medium, ASKED) if before else says("user", medium, ASKED)
    return conversation(Task.ANY_TO_ANY, first, *more, media=(medium,), **options)


def requests(family: str, place: Path) -> list[Request]:
    return [
        about(shown(family, place, 0)),
        about(shown(family, place, 1), temperature=1.0, seed=7, n=2),
        conversation(Task.TEXT_GENERATION, says("user", "hi there"), media=()),
        about(shown(family, place, 2), before=LONG),
    ]


def test_nobodys_answer_changes_with_its_neighbours(family: str, folder: Path, tmp_path: Path):
    asked = requests(family, tmp_path)
    alone = [result(open_runner(folder), one) for one in asked]
    runner = opened(folder)
    assert runner._batch is not None
    logs = taking_turns([runner.run(one, Flag()) for one in asked])
    together = [Result.of(log) for log in logs]
    assert [one.texts for one in together] == [one.texts for one in alone]
    engines = ["single" if family in ALONE and one.media else "batched" for one in asked]
    assert [one.finished.receipt.engine for one in together if one.finished.receipt] == engines
    assert len(runner._batch) == 0


def test_the_next_turn_reads_only_what_is_new(family: str, folder: Path, tmp_path: Path):
    medium = shown(family, tmp_path, 5)
    first = result(opened(folder), about(medium))
    turns = (says("assistant", first.text or "-"), says("user", "and what else?"))
    then = result(opened(folder), about(medium, *turns))
    assert then.finished.receipt is not None
    before, reused = first.finished.usage.prompt_tokens, then.finished.receipt.reused_tokens
    if family in ALONE:
        assert reused is None
    else:
        assert before - 2 <= (reused or 0) < then.finished.usage.prompt_tokens
    assert then.texts == result(open_runner(folder), about(medium, *turns)).texts


def test_another_picture_is_not_the_one_before(family: str, folder: Path, tmp_path: Path):
    one, other = (about(shown(family, tmp_path, number)) for number in (8, 9))
    result(opened(folder), one)
    found = result(opened(folder), other)
    assert found.texts == result(open_runner(folder), other).texts
    assert found.finished.receipt is not None
    assert (found.finished.receipt.reused_tokens or 0) < 8  # what stands before the picture is shorter


@pytest.fixture
def breathless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every layer that may gives the turn away."""
    monkeypatch.setattr("inference_chat.runners.diffusion.pieces.PIECE_SECONDS", -1.0)


def looking(run: Iterator[Event]) -> bool:
    """Step a run; whether its picture is still being looked at."""
    event = next(run)
    return isinstance(event, Progress) and event.phase == "reading" and event.fraction == 0


def opening(run: Iterator[Event]) -> None:
    """Step a run until it begins to look."""
    while not looking(run):
        pass


@pytest.mark.usefixtures("breathless")
def test_others_write_while_a_picture_is_looked_at(family: str, folder: Path, tmp_path: Path):
    runner, asked = opened(folder), about(shown(family, tmp_path, 20))
    hello = conversation(Task.TEXT_GENERATION, says("user", "hi there"), media=())
    writer, looker = runner.run(hello, Flag()), runner.run(asked, Flag())
    written: list[Event] = []
    while not any(isinstance(event, TextDelta) for event in written):
        written.append(next(writer))
    opening(looker)
    before = len(written)
    while looking(looker):
        written.append(next(writer))
    assert len(written) > before
    rest, seen = taking_turns([writer, looker])
    assert Result.of([*written, *rest]).texts == result(open_runner(folder), hello).texts
    assert Result.of(seen).texts == result(open_runner(folder), asked).texts


@pytest.mark.usefixtures("breathless")
def test_who_stops_while_a_picture_is_looked_at_has_read_nothing(family: str, folder: Path, tmp_path: Path):
    runner, stop = opened(folder), Flag()
    run = runner.run(about(shown(family, tmp_path, 21)), stop)
    opening(run)
    assert looking(run)
    stop.set()
    (end,) = run
    assert isinstance(end, Finished)
    assert (end.finish_reasons, end.usage.prompt_tokens) == (("cancelled",), 0)
    assert runner._lane.holder is None
    assert runner._batch is not None
    assert len(runner._batch) == 0


# --- how a text begins that is more than words ---------------------------------------------------

WIDTH = 4


def embed(ids: torch.Tensor) -> torch.Tensor:
    return ids[..., None] * torch.ones(WIDTH)


def told(ids: list[int], **more: Any) -> dict[str, Any]:
    places = torch.arange(len(ids))[None]
    return {"inputs_embeds": embed(torch.tensor([ids])), "position_ids": places, "use_cache": True} | more


def test_what_is_no_word_has_a_number_by_what_it_is():
    ids = [5, 6, 6, 7]
    embeds = embed(torch.tensor([ids])).clone()
    embeds[0, 1], embeds[0, 2] = 0.5, 0.25
    found = beginning(told(ids, inputs_embeds=embeds), ids, embed)
    assert found is not None
    numbers, _ = found
    assert [numbers[0], numbers[3]] == [5, 7]
    assert numbers[1] < 0 > numbers[2] != numbers[1]
    again = beginning(told(ids, inputs_embeds=embeds.clone()), ids, embed)
    assert again is not None
    assert again[0] == numbers


@pytest.mark.parametrize(
    "more",
    [
        {"attention_mask": {"full_attention": torch.ones(1)}},
        {"visual_pos_masks": torch.ones((1, 3), dtype=torch.bool)},
        {"position_ids": torch.tensor([[0, 5, 2]])},
        {"of_its_own": 1},
    ],
)
def test_a_decoder_that_is_told_more_goes_alone(more: dict[str, Any]):
    assert beginning(told([1, 2, 3], **more), [1, 2, 3], embed) is None


def test_positions_count_on_behind_the_beginning():
    given = Given(torch.zeros((3, WIDTH)), [[0, 1, 2], [0, 0, 7]])
    assert given.places_of(1, 5) == [[1, 2, 3, 4], [0, 7, 8, 9]]
    assert given.places_of(4, 6) == [[4, 5], [9, 10]]


@pytest.mark.parametrize("cuts", [(0, 6), (0, 2, 6), (0, 1, 2, 3, 4, 5, 6), (0, 3, 4, 6)])
def test_pieces_have_all_that_is_given_once(cuts: tuple[int, ...]):
    marks = torch.tensor([False, True, True, False, True, False])
    embeds = torch.arange(6.0)[:, None].expand(6, WIDTH).clone()
    stacks = tuple(torch.arange(3.0)[:, None].expand(3, WIDTH) + 10 * number for number in (1, 2))
    given = Given(embeds, [list(range(6))], marks, stacks)
    found = torch.zeros((3, 8, WIDTH))  # embeddings, and what is added in two layers; two texts' words around
    for start, end in pairwise(cuts):
        part = given.part(1, start, end)
        assert part is not None
        row = placed(torch.full((8, WIDTH), -1.0), [part])
        assert (row[0] == -1).all()
        assert (row[1 + end - start :] == -1).all()
        found[0, 1 + start : 1 + end] = row[1 : 1 + end - start]
        more = stacked(8, [part])
        assert bool(more) is bool(marks[start:end].any())
        for layer, stack in enumerate(more.get("deepstack_visual_embeds", ())):
            added = torch.zeros((8, WIDTH))
            added[more["visual_pos_masks"][0]] = stack
            found[1 + layer, 1 + start : 1 + end] = added[1 : 1 + end - start]
    assert torch.equal(found[0, 1:7], embeds)
    for layer, stack in enumerate(stacks):
        assert torch.equal(found[1 + layer, 1:7][marks], stack)
        assert not found[1 + layer, 1:7][~marks].any()
    assert given.part(0, 6, 9) is None
