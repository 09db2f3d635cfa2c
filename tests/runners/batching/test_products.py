"""Attention as products of bfloat16 matrices sees what torch's own kernel sees in float32."""

from typing import Any

import pytest
import torch

from inference_chat.runners.batching import attention, products, singles
from inference_chat.runners.batching.attention import How, Piece, Step
from inference_chat.runners.batching.products import attended, quicker
from inference_chat.runners.batching.slot import Shape, Slot
from tests.runners.test_linears import BFLOAT16

GROUPS, HEADS, WIDTH = 2, 6, 16
HOW = How(None, None, None, None)


def texts(count: int, total: int, spread: float = 2.0, groups: int = GROUPS) -> tuple[Any, Any, Any]:
    """Query, keys and values; scores spread as wide as those of trained models."""
    torch.manual_seed(count * 7919 + total)
    query = torch.randn(HEADS, count, WIDTH, dtype=torch.bfloat16) * spread
    keys = torch.randn(groups, total, WIDTH, dtype=torch.bfloat16) * spread
    return query, keys, torch.randn(groups, total, WIDTH, dtype=torch.bfloat16)


def wanted(query: Any, keys: Any, values: Any, scale: float | None = None) -> Any:
    count, total = query.shape[1], keys.shape[1]
    hidden = torch.arange(total)[None] > torch.arange(total - count, total)[:, None]
    mask = torch.zeros(count, total).masked_fill(hidden, float("-inf"))
    kernel = torch.nn.functional.scaled_dot_product_attention
    query, keys, values = (one[None].float() for one in (query, keys, values))
    found = kernel(query, keys, values, attn_mask=mask, enable_gqa=True, scale=scale)
    return found[0].transpose(0, 1)


def error(found: Any, right: Any) -> float:
    return float((found.float() - right).norm() / right.norm())


@BFLOAT16
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("groups", [GROUPS, HEADS])
@pytest.mark.parametrize(
    ("count", "total"),
    [(1, 1), (1, 40), (1, 2000), (16, 300), (50, 50), (40, 80), (600, 600), (520, 4000)],
    ids=lambda number: str(number),
)
def test_it_sees_what_the_kernel_sees(count: int, total: int, groups: int, scale: float | None):
    given = texts(count, total, groups=groups)
    assert error(attended(*given, scale), wanted(*given, scale)) < 0.01


@BFLOAT16
def test_scores_that_are_all_large_lose_nothing():
    """Rounded as they are, scores of some hundreds would be wrong by whole numbers."""
    query, keys, values = texts(20, 400, spread=0.5)
    query[..., 0], keys[..., 0] = 40, 40
    assert error(attended(query, keys, values, None), wanted(query, keys, values)) < 0.01


@BFLOAT16
def test_later_tokens_are_not_seen():
    query, keys, values = texts(40, 400)
    whole = attended(query, keys, values, None)
    part = attended(query[:, :30], keys[:, :390], values[:, :390], None)
    torch.testing.assert_close(whole[:30], part, atol=0.02, rtol=0.02)


@BFLOAT16
@pytest.mark.parametrize("count", [1, 20])
def test_a_score_out_of_all_proportion_is_left_to_the_kernel(monkeypatch: pytest.MonkeyPatch, count: int):
    query, keys, values = texts(count, 401)
    query[:], keys[:, 1] = 30, 30  # 1 is none of those that are looked at before
    assert attended(query, keys, values, None) is None
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(products, "SHARED", 0)
    monkeypatch.setattr(singles, "quicker", lambda *_: False)
    assert error(stepped(query, keys, values, HOW), wanted(query, keys, values)) < 0.01


@BFLOAT16
@pytest.mark.parametrize(("window", "seen"), [(700, 700), (50, 50)])
def test_a_window_is_kept(window: int, seen: int):
    """One that is wider than the text hides nothing; a narrow one is left to the kernel's masks."""
    query, keys, values = texts(600, 700)
    found = stepped(query, keys, values, HOW._replace(window=window))
    last = wanted(query[:, -1:], keys[:, -seen:], values[:, -seen:])
    assert error(found[-1:], last) < 0.01


def stepped(query: Any, keys: Any, values: Any, how: How) -> Any:
    """What the last tokens of a text see in a step, the tokens before them having been read."""
    count, total = query.shape[1], keys.shape[1]
    slot = Slot(Shape(1, len(keys), WIDTH, WIDTH, torch.bfloat16, torch.device("cpu")), range(total))
    with torch.inference_mode():
        slot.reserve(total)
        slot.read = total - count
        for place, given in zip(slot.views(0, slot.read), (keys, values), strict=True):
            place[0][0].copy_(given[:, : slot.read])
        new_keys, new_values = (one[:, slot.read :] for one in (keys, values))
        return Step([Piece(slot, count)]).attend(0, query, new_keys, new_values, how)


@BFLOAT16
def test_it_is_for_long_texts_in_bfloat16():
    query, keys, _ = texts(100, 2000)
    assert quicker(query, keys)
    assert not quicker(query, keys[:, :120])
    assert not quicker(query.float(), keys)
    assert not quicker(query[:, :1], keys)
    assert quicker(query[:, :1], texts(1, 6000, groups=HEADS)[1])
    assert not quicker(query[:, :1], texts(1, 6000)[1])


@BFLOAT16
@pytest.mark.parametrize("groups", [1, GROUPS, 3, HEADS])
def test_rows_that_are_asked_again_change_nothing(monkeypatch: pytest.MonkeyPatch, groups: int):
    """Six, three, two rows and one, of which four are made."""
    given = texts(1, 700, groups=groups)
    kernel, asked = torch.nn.functional.scaled_dot_product_attention, []

    def noting(query: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(query.shape[2])
        return kernel(query, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", noting)
    monkeypatch.setattr(singles, "quicker", lambda *_: False)
    for worth in (1 << 30, 0):
        monkeypatch.setattr(attention, "WORTH", worth)
        assert error(stepped(*given, HOW), wanted(*given)) < 0.01
    assert asked[::2] == [HEADS // groups, max(4, HEADS // groups)]
