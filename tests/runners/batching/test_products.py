"""Attention as products of bfloat16 matrices sees what torch's own kernel sees in float32."""

from typing import Any

import pytest
import torch

from inference_chat.runners.batching.attention import How, Piece, Step
from inference_chat.runners.batching.products import attended, quicker
from inference_chat.runners.batching.slot import Shape, Slot
from tests.runners.test_linears import BFLOAT16

GROUPS, HEADS, WIDTH = 2, 6, 16
HOW = How(None, None, None, None)


def texts(count: int, total: int, spread: float = 2.0) -> tuple[Any, Any, Any]:
    """Query, keys and values; scores spread as wide as those of trained models."""
    torch.manual_seed(count * 7919 + total)
    query = torch.randn(HEADS, count, WIDTH, dtype=torch.bfloat16) * spread
    keys = torch.randn(GROUPS, total, WIDTH, dtype=torch.bfloat16) * spread
    return query, keys, torch.randn(GROUPS, total, WIDTH, dtype=torch.bfloat16)


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
@pytest.mark.parametrize(("count", "total"), [(16, 300), (100, 700), (520, 4000)])
def test_it_sees_what_the_kernel_sees(count: int, total: int, scale: float | None):
    given = texts(count, total)
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
def test_a_score_out_of_all_proportion_is_left_to_the_kernel():
    query, keys, values = texts(20, 401)
    query[:], keys[:, 1] = 30, 30  # 1 is none of those that are looked at before
    assert attended(query, keys, values, None) is None
    slot = Slot(Shape(1, GROUPS, WIDTH, WIDTH, torch.bfloat16, torch.device("cpu")), range(401))
    with torch.inference_mode():
        slot.reserve(401)
        slot.read = 381
        for place, given in zip(slot.views(0, 381), (keys, values), strict=True):
            place[0][0].copy_(given[:, :381])
        seen = Step([Piece(slot, 20)]).attend(0, query, keys[:, 381:], values[:, 381:], HOW)
    assert error(seen, wanted(query, keys, values)) < 0.01


@BFLOAT16
def test_it_is_for_long_texts_in_bfloat16():
    query, _, _ = texts(100, 100)
    assert quicker(query, 2000)
    assert not quicker(query, 200)
    assert not quicker(query[:, :1], 4000)
    assert not quicker(query.float(), 4000)
