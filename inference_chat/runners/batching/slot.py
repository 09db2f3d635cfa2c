"""A text that a model reads: its tokens, and the keys and values of those that have been read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

GRAIN = 64
"""Room is made for so many tokens at a time."""


@dataclass(frozen=True)
class Shape:
    """What a model keeps of one token: so many heads in each layer, keys and values of so many numbers."""

    layers: int
    heads: int
    key: int
    value: int
    dtype: Any
    device: Any

    @property
    def bytes_per_token(self) -> int:
        return self.layers * self.heads * (self.key + self.value) * int(self.dtype.itemsize)


class Slot:
    """One text. `ids[:read]` have been read; `logits` (1, vocabulary) follow once all have.

    Tensors are only touched inside `torch.inference_mode`.
    """

    def __init__(self, shape: Shape, ids: Iterable[int]) -> None:
        self.ids = list(ids)
        self.read = 0
        self.logits: Any = None
        self.moved = False  # has gone on since its request looked last
        self._shape = shape
        self._room = 0
        self._keys: Any = None
        self._values: Any = None

    @property
    def device(self) -> Any:
        return self._shape.device

    @property
    def unread(self) -> int:
        return len(self.ids) - self.read

    @property
    def bytes(self) -> int:
        return self._room * self._shape.bytes_per_token

    def reserve(self, tokens: int) -> None:
        """Make room for the keys and values of so many tokens in all."""
        if tokens <= self._room:
            return
        import torch

        shape = self._shape
        wanted = max(tokens, len(self.ids) + 1, self._room * 3 // 2)
        self._room = -(-wanted // GRAIN) * GRAIN
        size = (shape.layers, shape.heads, self._room)
        keys = torch.empty((*size, shape.key), dtype=shape.dtype, device=shape.device)
        values = torch.empty((*size, shape.value), dtype=shape.dtype, device=shape.device)
        if self.read:
            keys[:, :, : self.read] = self._keys[:, :, : self.read]
            values[:, :, : self.read] = self._values[:, :, : self.read]
        self._keys, self._values = keys, values

    def inherit(self, other: "Slot", tokens: int) -> None:
        """Begin with the first `tokens` of another text, which is given up: nothing is copied."""
        self._keys, self._values, self._room = other._keys, other._values, other._room
        self.read = tokens

    def take(self, other: "Slot", tokens: int) -> None:
        """Begin with the first `tokens` of another text, which are the same."""
        self.reserve(max(tokens, len(self.ids)))
        if tokens:
            self._keys[:, :, :tokens] = other._keys[:, :, :tokens]
            self._values[:, :, :tokens] = other._values[:, :, :tokens]
        self.read = tokens

    def views(self, start: int, end: int) -> tuple[Sequence[Any], Sequence[Any]]:
        """Keys and values (1, heads, end − start, numbers) of a stretch of tokens, one of each layer."""
        span = slice(start, end)
        return self._keys[None, :, :, span].unbind(1), self._values[None, :, :, span].unbind(1)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning."""
    most = min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    return next(i for i in range(most) if one[i] != other[i])
