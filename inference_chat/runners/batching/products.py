"""Attention to a long text as products of matrices in bfloat16.

torch's own kernel works in float32 inside, where processors may multiply bfloat16 at four times the pace: for
600 tokens that look at each other these products take about a third of its time, for one that looks at 2,000
with keys of its own for each head a quarter. Scores come rounded to eight bits; so that those that count are
hardly rounded, what is computed is their distance to about the largest.
"""

import math
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

SAMPLE = 64
"""Tokens that are looked at for what the largest score may be."""
SCORES, TOGETHER = 1 << 20, 1 << 18
"""Scores of one product, so that they stay in the processor's cache until they are used; up to so many, those
of several key heads are computed at once."""
LEAST, MOST = 16, 128
"""Tokens that ask in one product; with more of them, more is computed that they must not see."""
WORTH = 1 << 22
"""Multiplications for which it is worth the calls."""
ALONE, SHARED = 1 << 19, 1 << 20
"""Numbers of the keys for which it is, if one token asks: with a key head for each head, and with heads that
share them."""


@cache
def supported() -> bool:
    """Whether this processor multiplies bfloat16."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def at_hand(query: Any) -> bool:
    """Whether a query is in bfloat16, on a processor that multiplies it."""
    import torch

    return query.dtype is torch.bfloat16 and query.device.type == "cpu" and supported()


def quicker(query: Any, keys: Any) -> bool:
    """Whether this is the quicker way for a query (heads, tokens, numbers) that looks at keys (key heads,
    tokens seen, numbers)."""
    if not at_hand(query):
        return False
    (heads, count, width), (groups, seen, _) = query.shape, keys.shape
    if count == 1:
        return bool(keys.numel() >= (ALONE if heads == groups else SHARED))
    return bool(heads * width * (count - _few(count, seen)) * seen >= WORTH)


def attended(query: Any, keys: Any, values: Any, scale: float | None) -> Any:
    """What the last tokens of a text see, each of them all that is before it: (tokens, heads, numbers).

    `query` is (heads, tokens, numbers), `keys` and `values` (key heads, tokens seen, numbers). None where a
    score is so much larger than those looked at before that its share is beyond all numbers.
    """
    heads, count, width = query.shape
    groups, total = len(keys), keys.shape[1]
    scale = width**-0.5 if scale is None else scale
    asked = query.reshape(groups, heads // groups, count, width)
    found = query.new_empty((count, groups, heads // groups, values.shape[-1]))
    few, most = _few(count, total), min(MOST, max(LEAST, SCORES // (heads // groups * total)))
    for start, end in _stretches(few, count, most):
        seen, look = total - count + end, _plainly if end <= few else _products
        part = look(asked[:, :, start:end], keys[:, :seen], values[:, :seen], scale)
        if part is None:
            return None
        found[start:end] = part.permute(2, 0, 1, 3)
    return found.view(count, heads, -1)


def _stretches(few: int, count: int, most: int) -> Iterator[tuple[int, int]]:
    """The first `few` of so many tokens, then at most so many at once."""
    if few:
        yield 0, few
    for start in range(few, count, most):
        yield start, min(start + most, count)


def _few(count: int, seen: int) -> int:
    """How many of so many tokens have too few before them to tell what their largest score may be."""
    return min(count, max(0, SAMPLE - seen + count))


def _plainly(asked: Any, keys: Any, values: Any, scale: float) -> Any:
    """What questions (groups, heads, tokens, numbers) find, by torch's kernel."""
    import torch

    count, seen = asked.shape[2], keys.shape[1]
    mask = asked.new_zeros((count, seen))
    mask[:, seen - count :] = _triangle(count)
    kernel = torch.nn.functional.scaled_dot_product_attention
    return kernel(asked, keys[:, None], values[:, None], attn_mask=mask, scale=scale, enable_gqa=True)


def _products(asked: Any, keys: Any, values: Any, scale: float) -> Any:
    """The same by products; scores times `scale` are exponents of e."""
    groups, heads, count, width = asked.shape
    rows, scale = asked.reshape(groups, -1, width), scale * math.log2(math.e)
    few = heads * count * keys.shape[1] <= TOGETHER // 2
    found, sums = (_together if few else _in_turn)(rows, keys, values, scale, count)
    if not math.isfinite(sums.max()):
        return None
    return found.div_(sums).view(groups, heads, count, -1)


def _together(rows: Any, keys: Any, values: Any, scale: float, count: int) -> tuple[Any, Any]:
    """What rows of questions (groups, heads × `count`, numbers) find, before it is divided by the sums of
    their shares (groups, rows, 1): for few scores, several groups at once.

    Keys come first, since torch multiplies many rows of few columns quicker than the other way round.
    """
    import torch

    (groups, asking, _), seen = rows.shape, keys.shape[1]
    turned = rows.transpose(1, 2)
    shifts = _largest(keys, turned, count).mul_(-scale)
    found, sums = rows.new_empty((groups, asking, values.shape[-1])), torch.empty_like(shifts)
    most = TOGETHER // (asking * seen)
    for start in range(0, groups, most):
        some = slice(start, start + most)
        scores = torch.baddbmm(shifts[some], keys[some], turned[some], alpha=scale)
        if count > 1:
            late = scores.view(-1, seen, asking // count, count)[:, -count:]
            late.add_(_triangle(count, keys_first=True)[:, None])
        torch.sum(scores.exp2_(), 1, keepdim=True, out=sums[some])
        torch.bmm(scores.transpose(1, 2), values[some], out=found[some])
    return found, sums.transpose(1, 2)


def _in_turn(rows: Any, keys: Any, values: Any, scale: float, count: int) -> tuple[Any, Any]:
    """The same for many scores, group by group in the same memory."""
    import torch

    shifts = _largest(keys, rows.transpose(1, 2), count).mul_(-scale).transpose(1, 2)
    found, sums = rows.new_empty((*rows.shape[:2], values.shape[-1])), torch.empty_like(shifts)
    scores = rows.new_empty((rows.shape[1], keys.shape[1]))
    late = scores.view(-1, count, keys.shape[1])[..., -count:]
    hidden = _triangle(count)
    parts = (shifts, rows, keys.transpose(1, 2), values, sums, found)
    for shift, asking, known, held, share, part in zip(*(each.unbind() for each in parts), strict=True):
        torch.addmm(shift, asking, known, alpha=scale, out=scores)
        late.add_(hidden)
        torch.sum(scores.exp2_(), -1, keepdim=True, out=share)
        torch.mm(scores, held, out=part)
    return found, sums


def _largest(keys: Any, turned: Any, count: int) -> Any:
    """About the largest score (groups, 1, questions) of questions (groups, numbers, questions) of which
    `count` tokens ask, which all may look at the first of them."""
    import torch

    before = keys[:, : keys.shape[1] - count + 1]
    return torch.bmm(before[:, :: -(-before.shape[1] // SAMPLE)], turned).amax(1, keepdim=True)


@lru_cache(8)
def _triangle(count: int, *, keys_first: bool = False) -> Any:
    """0 where one of `count` tokens (rows, unless keys come first) may look at another, −inf elsewhere."""
    import torch

    hidden = torch.full((count, count), float("-inf"), dtype=torch.bfloat16)
    return hidden.tril_(-1) if keys_first else hidden.triu_(1)
