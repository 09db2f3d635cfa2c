"""Attention of many tokens to a long text as products of matrices in bfloat16.

torch's own kernel works in float32 inside, where processors may multiply bfloat16 at four times the pace:
for 100 tokens that look at 2,000 these products take less than half of its time. Scores come rounded to eight
bits; so that those that count are hardly rounded, what is computed is their distance to about the largest.
"""

import math
from functools import cache, lru_cache
from typing import Any

SAMPLE = 64
"""Tokens that are looked at for what the largest score may be."""
SCORES = 1 << 20
"""Scores of one product, so that they stay in the processor's cache until they are used."""
LEAST = 16
BEFORE = 256
"""Where fewer tokens ask, or have been read before, torch's kernel is as quick."""


@cache
def supported() -> bool:
    """Whether this processor multiplies bfloat16."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def quicker(query: Any, seen: int) -> bool:
    """Whether this is the quicker way for a query (heads, tokens, numbers) that looks at so many tokens."""
    import torch

    count = query.shape[1]
    many = count >= LEAST and seen - count >= BEFORE
    return many and query.dtype is torch.bfloat16 and query.device.type == "cpu" and supported()


def attended(query: Any, keys: Any, values: Any, scale: float | None) -> Any:
    """What the last tokens of a text see, each of them all that is before it: (tokens, heads, numbers).

    `query` is (heads, tokens, numbers), `keys` and `values` (key heads, tokens seen, numbers). None where a
    score is so much larger than those looked at before that its share is beyond all numbers.
    """
    heads, count, width = query.shape
    groups, total = len(keys), keys.shape[1]
    scale = (width**-0.5 if scale is None else scale) * math.log2(math.e)
    asked = query.reshape(groups, heads // groups, count, width)
    found = query.new_empty((count, groups, heads // groups, values.shape[-1]))
    most = max(LEAST, SCORES // (heads // groups * total))
    for start in range(0, count, most):
        end = min(start + most, count)
        seen = total - count + end
        seen_by = _products(asked[:, :, start:end], keys[:, :seen], values[:, :seen], scale)
        if seen_by is None:
            return None
        found[start:end] = seen_by.permute(2, 0, 1, 3)
    return found.view(count, heads, -1)


def _products(asked: Any, keys: Any, values: Any, scale: float) -> Any:
    """What questions (groups, heads, tokens, numbers) find; scores times `scale` are exponents of 2."""
    import torch

    groups, heads, count, width = asked.shape
    rows, turned = asked.reshape(groups, -1, width), keys.transpose(1, 2)
    found = rows.new_empty((groups, heads * count, values.shape[-1]))
    scores = rows.new_empty((heads * count, keys.shape[1]))
    late = scores.view(heads, count, -1)[..., -count:]
    before = turned[..., : keys.shape[1] - count]
    some = torch.bmm(rows, before[..., :: -(-before.shape[-1] // SAMPLE)])
    shifts = some.amax(-1, keepdim=True).mul_(-scale)
    sums = []
    for group, shift in enumerate(shifts):
        torch.addmm(shift, rows[group], turned[group], alpha=scale, out=scores)
        late.add_(_triangle(count))
        sums.append(scores.exp2_().sum(-1, keepdim=True))
        torch.mm(scores, values[group], out=found[group])
    total = torch.stack(sums)
    if not bool(total.isfinite().all()):
        return None
    return found.div_(total).view(groups, heads, count, -1)


@lru_cache(8)
def _triangle(count: int) -> Any:
    """0 where one of `count` tokens may look at another of them, −inf elsewhere."""
    import torch

    return torch.full((count, count), float("-inf"), dtype=torch.bfloat16).triu_(1)
