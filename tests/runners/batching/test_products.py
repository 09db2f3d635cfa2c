"""Attention as products of bfloat16 matrices sees what torch's own kernel sees in float32."""

from typing import Any

import pytest
import torch

from inference_chat.runners.batching.products import attended, quicker
from tests.runners.test_linears import BFLOAT16

GROUPS, HEADS, WIDTH = 2, 6, 16


def texts(count: int, total: int, spread: float = 2.0) -> tuple[Any, Any, Any]:
    """Query, keys and values; scores spread as wide as those of trained models."""
    torch.manual_seed(count * 7919 + total)
    query = torch.randn(HEADS, count, WIDTH, dtype=torch.bfloat16) * spread
    keys = torch.randn(GROUPS, total, WIDTH, dtype=torch.bfloat16) * spread
    return query, keys, torch.randn(GROUPS, total, WIDTH, dtype=torch.bfloat16)


def hidden(count: int, total: int, window: int | None) -> Any:
    at, seen = torch.arange(total - count, total)[:, None], torch.arange(total)[None]
    out = (seen > at) | (seen <= at - (window or total))
    return torch.zeros(count, total).masked_fill(out, float("-inf"))


def wanted(query: Any, keys: Any, values: Any, mask: Any) -> Any:
    kernel = torch.nn.functional.scaled_dot_product_attention
    found = kernel(
        query[None].float(), keys[None].float(), values[None].float(), attn_mask=mask, enable_gqa=True
    )
    return found[0].transpose(0, 1)


@BFLOAT16
@pytest.mark.parametrize("window", [None, 90])
@pytest.mark.parametrize(("count", "total"), [(16, 300), (100, 700), (300, 300), (520, 4000)])
def test_it_sees_what_the_kernel_sees(count: int, total: int, window: int | None):
    query, keys, values = texts(count, total)
    mask = hidden(count, total, window)
    found = attended(query, keys, values, mask.bfloat16() if window else None, None).float()
    right = wanted(query, keys, values, mask)
    assert float((found - right).norm() / right.norm()) < 0.008


@BFLOAT16
def test_scores_that_are_far_from_zero_lose_nothing():
    """Rounded as they are, scores of some hundreds would be wrong by whole numbers."""
    query, keys, values = texts(20, 400, spread=0.5)
    query[..., 0], keys[..., 0] = 40, 40
    mask = hidden(20, 400, None)
    right = wanted(query, keys, values, mask)
    found = attended(query, keys, values, None, None).float()
    assert float((found - right).norm() / right.norm()) < 0.03


@BFLOAT16
def test_numbers_of_other_texts_and_of_later_tokens_are_not_touched():
    query, keys, values = texts(40, 400)
    whole = attended(query, keys, values, None, None)
    keys[:, 390:], values[:, 390:] = float("nan"), float("nan")
    torch.testing.assert_close(attended(query, keys, values, None, None)[:1].isnan().all(), torch.tensor(True))
    torch.testing.assert_close(attended(query[:, :30], keys[:, :390], values[:, :390], None, None), whole[:30])


def test_it_is_for_long_texts_in_bfloat16():
    query, _, _ = texts(100, 100)
    assert not quicker(query, 100)
    assert not quicker(query[:, :1], 4000)
    assert not quicker(query.float(), 4000)
