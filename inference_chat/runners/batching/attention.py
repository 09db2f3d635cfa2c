"""Attention for pieces of many texts in one forward pass of a model of transformers.

The model is given the new tokens of all texts in one row, without a cache; every attention layer comes to
`attend`, which keeps keys and values in the texts' own slots and lets each piece see its own text only.
What is computed for a text does therefore not depend on its neighbours, not even by a rounded digit of
the attention: nobody else's numbers, finite or not, are touched.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from . import exact, products, singles
from .masks import hiding
from .slot import Slot

NAME = "inference_chat_batch"
"""Its name in transformers' table. It is in no table of masks, so that models build none for it."""
ROWS, WORTH = 4, 1 << 16
"""Rows of one question for which torch's kernel is quickest, and numbers of the keys from which on fewer are
filled up to them."""


class How(NamedTuple):
    """What a layer's attention is like: its scale, the window it looks back, a soft cap, and sinks."""

    scale: float | None
    window: int | None
    softcap: float | None
    sinks: Any

    @property
    def plain(self) -> bool:
        """Whether torch's kernel has all of it."""
        return self.softcap is None and self.sinks is None


class Plan(Protocol):
    """What a forward pass does with attention; query, key and value are (heads, tokens, numbers)."""

    def attend(self, layer: int, query: Any, key: Any, value: Any, how: How) -> Any:
        """What the tokens see: (tokens, query heads, numbers). The query may be of each piece's last only."""


PLAN: ContextVar[Plan] = ContextVar("PLAN")


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Any = None,
    position_bias: Any = None,
    **_: Any,
) -> tuple[Any, None]:
    """An attention function as transformers calls it; raises `ValueError` for what it cannot do."""
    if attention_mask is not None or position_bias is not None or query.shape[0] != 1:
        raise ValueError("the attention has masks or biases of its own")
    how = How(scaling, sliding_window, softcap, s_aux)
    return PLAN.get().attend(module.layer_idx, query[0], key[0], value[0], how)[None], None


def register() -> None:
    """Make this attention known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


@dataclass(frozen=True)
class Piece:
    """The next `count` tokens of a text."""

    slot: Slot
    count: int

    @property
    def end(self) -> int:
        return self.slot.read + self.count


class Sight(NamedTuple):
    """Some of a piece's tokens and what they look at: keys and values (1, heads, tokens, numbers) of each
    layer, and the mask of an exact cut."""

    tokens: slice
    keys: Sequence[Any]
    values: Sequence[Any]
    mask: Any = None


class Step:
    """A forward pass over pieces of different texts, one after the other in one row."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._counts = [piece.count for piece in pieces]
        written = [piece.slot.views(piece.slot.read, piece.end) for piece in pieces]
        self._new_keys = list(zip(*(keys for keys, _ in written), strict=True))
        self._new_values = list(zip(*(values for _, values in written), strict=True))
        self._seen: dict[tuple[int, int, int | None], Sequence[Sight]] = {}
        self._masks: dict[tuple[int, int | None], Any] = {}
        self._placed: dict[int | None, Any] = {}

    def attend(self, layer: int, query: Any, key: Any, value: Any, how: How) -> Any:
        import torch

        new_keys, new_values = self._new_keys[layer], self._new_values[layer]
        if len(self._pieces) == 1:  # small models notice every call
            new_keys[0].copy_(key)
            new_values[0].copy_(value)
            counts = [query.shape[1]]
        else:
            torch._foreach_copy_(new_keys, torch.split_with_sizes(key[None], self._counts, 2))
            torch._foreach_copy_(new_values, torch.split_with_sizes(value[None], self._counts, 2))
            counts = self._counts if query.shape[1] == key.shape[1] else [1] * len(self._pieces)
        found, first = [], self._singles(query, counts, how)
        if first:
            places = self._places(how.window)[:first]
            found.append(singles.seen(query[:, :first], places, layer, len(key), how.scale))
        if first < len(counts):
            parts = [query] if len(counts) == 1 else torch.split_with_sizes(query, counts, 1)
            found += [self._look(at, layer, parts[at], how) for at in range(first, len(counts))]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _singles(self, query: Any, counts: Sequence[int], how: How) -> int:
        """How many of the pieces, from the first on, ask by one token and are looked at together."""
        if counts[0] > 1 or not how.plain or not singles.quicker(query, self._pieces[0].slot.shape):
            return 0
        return next((number for number, count in enumerate(counts) if count > 1), len(counts))

    def _places(self, window: int | None) -> Any:
        """Where lies what the last token of each piece sees."""
        if (places := self._placed.get(window)) is None:
            ends = ((piece.slot, piece.end) for piece in self._pieces)
            starts = ((slot, 0 if window is None else max(0, end - window), end) for slot, end in ends)
            places = singles.placed([slot.place(start, end) for slot, start, end in starts])
            self._placed[window] = places
        return places

    def _look(self, number: int, layer: int, query: Any, how: How) -> Any:
        """What the last tokens of a piece see of its text: (tokens, query heads, numbers)."""
        import torch

        sights = self._sights(number, query.shape[1], how.window)
        if not self._pieces[number].slot.exact:
            return self._found(number, query, sights[0].keys[layer], sights[0].values[layer], how)
        found = [
            _exactly(query[:, sight.tokens], sight.keys[layer], sight.values[layer], sight.mask, how)
            for sight in sights
        ]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _sights(self, number: int, count: int, window: int | None) -> Sequence[Sight]:
        """What the last `count` tokens of a piece look at."""
        if (seen := self._seen.get((number, count, window))) is None:
            slot, end = self._pieces[number].slot, self._pieces[number].end
            if slot.exact:
                cuts = exact.cuts(end - count, end, window)
                seen = [Sight(cut.tokens, *slot.views(*cut.keys), cut.mask) for cut in cuts]
            else:
                seen = [Sight(slice(None), *slot.views(_stretch(self._pieces[number], window), end))]
            self._seen[number, count, window] = seen
        return seen

    def _found(self, number: int, query: Any, keys: Any, values: Any, how: How) -> Any:
        """What one piece sees of its text: (tokens, query heads, numbers)."""
        import torch

        attention = torch.nn.functional.scaled_dot_product_attention
        heads, count, _ = query.shape
        whole = how.window is None or count == 1 or self._pieces[number].end <= how.window
        if how.plain and whole and products.quicker(query, keys[0]):
            seen = products.attended(query, keys[0], values[0], how.scale)
            if seen is not None:
                return seen
        if how.plain and count == 1:
            return _alone(query, keys, values, how.scale)
        mask = self._mask(number, query, how.window)
        if not how.plain:
            return _spelled_out(query, keys[0], values[0], mask, how).transpose(0, 1)
        grouped = keys.shape[1] != heads
        seen = attention(query[None], keys, values, attn_mask=mask, scale=how.scale, enable_gqa=grouped)
        return seen[0].transpose(0, 1)

    def _mask(self, number: int, query: Any, window: int | None) -> Any:
        """0 where a token may look and −inf elsewhere, (tokens, tokens seen); one for layers alike."""
        if query.shape[1] == 1:
            return None
        if (mask := self._masks.get((number, window))) is None:
            piece = self._pieces[number]
            at, seen = range(piece.slot.read, piece.end), range(_stretch(piece, window), piece.end)
            mask = hiding(at, seen, window, dtype=query.dtype, device=query.device)
            self._masks[number, window] = mask
        return mask


def _stretch(piece: Piece, window: int | None) -> int:
    """The first token that a piece can see."""
    return 0 if window is None else max(0, piece.slot.read - window + 1)


def _alone(query: Any, keys: Any, values: Any, scale: float | None) -> Any:
    """What one token sees, by torch's kernel: (1, query heads, numbers).

    The heads of a group ask the same keys, as rows of one question. Where those are few and the processor
    multiplies bfloat16, some are asked again: the kernel needs up to twice the time for one row that it
    needs for four, and a fifth more for three.
    """
    import torch

    heads, _, width = query.shape
    rows = query.reshape(1, keys.shape[1], -1, width)
    asking = rows.shape[2]
    if asking < ROWS and keys.numel() >= WORTH and products.at_hand(query):
        rows = torch.cat((rows, rows[:, :, :1].expand(-1, -1, ROWS - asking, -1)), 2)
    found = torch.nn.functional.scaled_dot_product_attention(rows, keys, values, scale=scale)
    return found[:, :, :asking].reshape(1, heads, -1)


def _exactly(query: Any, keys: Any, values: Any, mask: Any, how: How) -> Any:
    """What some tokens see, to the same bit wherever they are read: (tokens, query heads, numbers)."""
    if how.plain:
        return exact.attended(query, keys, values, mask, how.scale)
    found = _spelled_out(exact.enough(query), keys[0], values[0], mask, how)
    return found[:, : query.shape[1]].transpose(0, 1)


def _spelled_out(query: Any, keys: Any, values: Any, mask: Any, how: How) -> Any:
    """Attention with a cap on the scores (Gemma 2) or sinks beside them (GPT-OSS), which no kernel has."""
    import torch

    heads, count, width = query.shape
    scale = width**-0.5 if how.scale is None else how.scale
    scores = query.reshape(len(keys), -1, width) @ keys.transpose(1, 2) * scale
    if how.softcap is not None:
        scores = (scores / how.softcap).tanh() * how.softcap
    scores = scores.view(heads, count, -1)
    length = scores.shape[-1]
    if mask is not None:
        scores = scores + mask
    if how.sinks is not None:
        scores = torch.cat([scores, how.sinks.to(scores.dtype).view(heads, 1, 1).expand(-1, count, 1)], -1)
    shares = scores.softmax(-1, dtype=torch.float32)[..., :length].to(values.dtype)
    block = exact.BLOCK if query.dtype is torch.float32 else length
    shares = shares.reshape(len(keys), -1, length).split(block, -1)
    found = [share @ value for share, value in zip(shares, values.split(block, 1), strict=True)]
    return sum(found[1:], found[0]).view(heads, count, -1)
