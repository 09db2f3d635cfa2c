"""Attention in float32 whose numbers do not depend on how a text was cut into pieces.

The order in which a product of matrices sums depends on their sizes, and so does the last digit. With it,
once in some thousand answers, another token is drawn: when a prompt was read in other pieces because others
were writing, or when its beginning was kept from a turn before. Here a token looks at as many keys wherever
it is read: those up to the end of its block, of which the later ones are hidden. This, and at least four
questions in one product, gives the same bits with torch's kernel and MKL, as the tests show. What kernels
for accelerators do to the same end: https://thinkingmachines.ai/blog/defeating-nondeterminism-in-llm-inference.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from .masks import hiding

LEAST, BLOCK = 64, 512
"""Keys of the first block, and those that torch's kernel sums at once: later blocks end at its multiples."""
ROWS = 4
"""Questions in one product, from which on MKL treats each alike."""


class Cut(NamedTuple):
    """Some of a piece's tokens, the first and the last key they look at, and 0 or −inf for each of both."""

    tokens: slice
    keys: tuple[int, int]
    mask: Any


def room(tokens: int) -> int:
    """Where the block ends that the last of so many tokens is in."""
    if tokens > BLOCK:
        return -(-tokens // BLOCK) * BLOCK
    return max(LEAST, 1 << (tokens - 1).bit_length())


def cuts(start: int, end: int, window: int | None) -> Iterator[Cut]:
    """The tokens of a text from `start` to `end`, as many at a time as may be looked at together."""
    begin = start
    while begin < end:
        stop = end if begin >= BLOCK // 2 else min(end, room(begin + 1))
        first = 0 if window is None else max(0, begin - window + 1) // BLOCK * BLOCK
        rows = 1 if stop - begin == 1 else stop - begin + (begin - stop) % ROWS
        mask = hiding(range(begin, begin + rows), range(first, room(stop)), window)
        yield Cut(slice(begin - start, stop - start), (first, room(stop)), mask)
        begin = stop


def attended(query: Any, keys: Any, values: Any, mask: Any, scale: float | None) -> Any:
    """What the tokens of a cut see of their text, (tokens, query heads, numbers), by torch's kernel.

    `query` is (heads, tokens, numbers), `keys` and `values` (1, key heads, keys of the cut, numbers).
    """
    import torch

    kernel = torch.nn.functional.scaled_dot_product_attention
    (heads, count, width), groups = query.shape, keys.shape[1]
    if count == 1:
        # The heads of a group ask the same keys, as rows of one question: nothing is copied for them.
        rows = enough(query.reshape(groups, -1, width))
        found = kernel(rows[None], keys, values, attn_mask=mask, scale=scale)
        return found[0, :, : heads // groups].reshape(1, heads, -1)
    rows = enough(query)
    found = kernel(rows[None], keys, values, attn_mask=mask, scale=scale, enable_gqa=groups != heads)
    return found[0, :, :count].transpose(0, 1)


def enough(rows: Any) -> Any:
    """Rows (…, rows, numbers) with some of zeros behind them, to a multiple of `ROWS`."""
    import torch

    more = -rows.shape[1] % ROWS
    return torch.cat((rows, _zeros(len(rows), more, rows.shape[2])), 1) if more else rows


@lru_cache(64)
def _zeros(*shape: int) -> Any:
    import torch

    return torch.zeros(shape)
