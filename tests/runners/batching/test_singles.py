"""Single tokens see, by a compiled function, what torch's own kernel sees in float32."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from numba.core.caching import CacheImpl

from inference_chat.runners import text as text_runner
from inference_chat.runners.batching import compiled, singles
from inference_chat.runners.batching.attention import How, Piece, Step
from inference_chat.runners.batching.slot import Shape, Slot
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.text import TextRunner

PLAIN = How(None, None, None, None)
LENGTHS = (1, 2, 40, 700, 1300)
CPU = torch.device("cpu")


def shape(groups: int = 2, width: int = 16, layers: int = 2) -> Shape:
    return Shape(layers, groups, width, width, torch.bfloat16, CPU)


def text(shape: Shape, length: int, count: int = 1) -> Slot:
    """One of which all but the last tokens have been read; its keys are spread as trained models' are."""
    draw = torch.Generator().manual_seed(length)
    slot = Slot(shape, range(length))
    with torch.inference_mode():
        slot.reserve(length + 7)
        for place in (*slot.views(0, length)[0], *slot.views(0, length)[1]):
            place.copy_(2 * torch.randn(place.shape, generator=draw))
    slot.read = length - count
    return slot


def asked(slots: Sequence[Slot], heads: int, counts: Sequence[int] = ()) -> list[Any]:
    """Queries (heads, tokens, numbers), one of each text: always the same of the same."""
    return [
        2
        * torch.randn((heads, count, slot.shape.key), generator=torch.Generator().manual_seed(len(slot.ids)))
        for slot, count in zip(slots, counts or [1] * len(slots), strict=True)
    ]


def looked(slots: Sequence[Slot], queries: Sequence[Any], layer: int = 1, how: How = PLAIN) -> list[Any]:
    """What each text's last tokens see in one step: (tokens, heads, numbers)."""
    pieces = [Piece(slot, query.shape[1]) for slot, query in zip(slots, queries, strict=True)]
    with torch.inference_mode():
        new = [slot.views(piece.slot.read, piece.end) for slot, piece in zip(slots, pieces, strict=True)]
        keys, values = (torch.cat([one[which][layer][0] for one in new], 1) for which in (0, 1))
        query = torch.cat(list(queries), 1).to(keys.dtype)
        found = Step(pieces).attend(layer, query, keys, values, how)
    return list(found.split([piece.count for piece in pieces]))


def wanted(slot: Slot, query: Any, layer: int = 1, how: How = PLAIN) -> Any:
    """The same by torch's kernel in float32."""
    total, count = len(slot.ids), query.shape[1]
    keys, values = (kept[layer].float() for kept in slot.views(0, total))
    at, seen = torch.arange(total - count, total)[:, None], torch.arange(total)[None]
    may = (seen <= at) & (seen > at - (how.window or total))
    kernel = torch.nn.functional.scaled_dot_product_attention
    given = query.bfloat16().float()[None]
    return kernel(given, keys, values, attn_mask=may, scale=how.scale, enable_gqa=True)[0].transpose(0, 1)


def error(found: Any, right: Any) -> float:
    return float((found.float() - right).norm() / right.norm())


def uses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each call of the compiled function was for."""
    calls: list[int] = []
    seen = singles.seen

    def noting(query: Any, *args: Any) -> Any:
        calls.append(query.shape[1])
        return seen(query, *args)

    monkeypatch.setattr(singles, "seen", noting)
    return calls


@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize(
    ("groups", "heads", "width"), [(1, 1, 8), (1, 16, 64), (2, 6, 16), (4, 12, 64), (3, 9, 80), (5, 5, 128)]
)
def test_it_sees_what_the_kernel_sees(
    monkeypatch: pytest.MonkeyPatch, groups: int, heads: int, width: int, scale: float | None
):
    slots = [text(shape(groups, width), length) for length in LENGTHS]
    queries, how, calls = asked(slots, heads), PLAIN._replace(scale=scale), uses(monkeypatch)
    for slot, query, found in zip(slots, queries, looked(slots, queries, how=how), strict=True):
        assert error(found, wanted(slot, query, how=how)) < 0.004
    assert calls == [len(LENGTHS)]


@pytest.mark.parametrize("window", [1, 30, 5000])
def test_a_window_is_kept(window: int):
    slots, how = [text(shape(), length) for length in LENGTHS], PLAIN._replace(window=window)
    queries = asked(slots, 6)
    for slot, query, found in zip(slots, queries, looked(slots, queries, how=how), strict=True):
        assert error(found, wanted(slot, query, how=how)) < 0.004


def test_nobody_s_numbers_depend_on_neighbours():
    slots = [text(shape(), length) for length in LENGTHS]
    queries = asked(slots, 6)
    together = looked(slots, queries)
    backwards = looked(slots[::-1], queries[::-1])[::-1]
    for which, (slot, query) in enumerate(zip(slots, queries, strict=True)):
        (alone,) = looked([slot], [query])
        assert torch.equal(together[which], alone)
        assert torch.equal(backwards[which], alone)


def test_texts_that_are_read_in_pieces_join_them(monkeypatch: pytest.MonkeyPatch):
    counts = (1, 1, 30)
    slots = [text(shape(), length, count) for length, count in zip((50, 700, 200), counts, strict=True)]
    queries, calls = asked(slots, 6, counts), uses(monkeypatch)
    for slot, query, found in zip(slots, queries, looked(slots, queries), strict=True):
        assert error(found, wanted(slot, query)) < 0.01
    assert calls == [2]


def test_what_is_not_a_number_stays_where_it_is():
    slots = [text(shape(), length) for length in LENGTHS]
    queries = asked(slots, 6)
    before = looked(slots, queries)
    with torch.inference_mode():
        slots[2].views(3, 4)[0][1][0, :, 0, 5] = float("nan")
    after = looked(slots, queries)
    assert after[2].isnan().all()
    for which in (0, 1, 3, 4):
        assert torch.equal(after[which], before[which])


def test_scores_may_be_large():
    slot = text(shape(), 700)
    (query,) = asked([slot], 6)
    (found,) = looked([slot], [100 * query])
    assert error(found, wanted(slot, 100 * query)) < 0.004


def test_it_is_for_few_threads_few_heads_and_bfloat16():
    query = torch.zeros((32, 1, 16), dtype=torch.bfloat16)
    assert singles.quicker(query, shape(groups=2))
    assert not singles.quicker(query, shape(groups=1))
    assert not singles.quicker(query.float(), shape(groups=2))
    assert not singles.quicker(query, Shape(2, 2, 16, 32, torch.bfloat16, CPU))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(singles.THREADS + 1)
        assert not singles.quicker(query, shape(groups=2))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("threads", "times"), [(singles.THREADS, 1), (singles.THREADS + 1, 0)])
def test_nothing_is_compiled_that_nobody_would_use(monkeypatch: pytest.MonkeyPatch, threads: int, times: int):
    asked: list[None] = []
    monkeypatch.setattr(singles, "_compiled", lambda: asked.append(None))
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    singles.ready()
    assert len(asked) == times


@pytest.mark.parametrize(
    ("placement", "times"),
    [
        (Placement("cpu", "bfloat16", "auto"), 1),
        (Placement("cpu", "float32", "int8"), 1),  # such weights are multiplied in bfloat16
        (Placement("cpu", "float32", "auto"), 0),
        (Placement("cuda", "bfloat16"), 0),
    ],
)
def test_a_model_that_does_not_need_it_does_not_wait_for_it(
    monkeypatch: pytest.MonkeyPatch, tiny_llama: Path, placement: Placement, times: int
):
    asked: list[None] = []
    monkeypatch.setattr(text_runner, "ready", lambda: asked.append(None))
    TextRunner(inspect(tiny_llama), placement).imports()
    assert len(asked) == times


def test_without_a_compiler_the_kernel_looks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    slots = [text(shape(), length) for length in LENGTHS]
    queries = asked(slots, 6)
    monkeypatch.setitem(sys.modules, compiled.__name__, None)
    monkeypatch.delattr("inference_chat.runners.batching.compiled")
    singles._compiled.cache_clear()
    try:
        with caplog.at_level("WARNING"):
            found = looked(slots, queries)
    finally:
        singles._compiled.cache_clear()
    assert "left to torch's kernel" in caplog.text
    for slot, query, one in zip(slots, queries, found, strict=True):
        assert error(one, wanted(slot, query)) < 0.01


def test_it_is_compiled_where_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    spec = importlib.util.spec_from_file_location("elsewhere", compiled.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    slot = text(shape(), 40)
    places = singles.placed([slot.place(0, 40)])
    found = torch.zeros((1, 2, 3, 16))
    module.look(torch.ones_like(found).numpy(), places, 0, 0.25, found.numpy())
    assert found.abs().min() > 0
