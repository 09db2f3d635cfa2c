"""A text that a model reads: its tokens, and the keys and values of those that have been read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import exact
from .given import Given

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

    @cached_property
    def exact(self) -> bool:
        """Whether attention gives the same bits however a text is cut into pieces."""
        return str(self.dtype) == "torch.float32" and str(self.device) == "cpu"


class Slot:
    """One text. `ids[:read]` have been read; `logits` (1, vocabulary) follow once all have.

    `given` is how it begins where it is more than words. Tensors are only touched inside
    `torch.inference_mode`.
    """

    def __init__(self, shape: Shape, ids: Iterable[int], given: Given | None = None) -> None:
        self.ids = list(ids)
        self.given = given
        self.read = 0
        self.logits: Any = None
        self.moved = False  # has gone on since its request looked last
        self.shape = shape
        self._room = self._reached = 0
        self._keys: Any = None
        self._values: Any = None

    @property
    def device(self) -> Any:
        return self.shape.device

    @property
    def exact(self) -> bool:
        """Whether it is the same to the last bit however it is cut into pieces."""
        return self.shape.exact

    @property
    def unread(self) -> int:
        return len(self.ids) - self.read

    def places(self, start: int, end: int) -> list[list[int]]:
        """The positions of a stretch of its tokens, on each axis."""
        return self.given.places_of(start, end) if self.given else [list(range(start, end))]

    @property
    def bytes(self) -> int:
        return self._room * self.shape.bytes_per_token

    def reserve(self, tokens: int) -> None:
        """Make room for the keys and values of so many tokens in all."""
        self._reached = max(self._reached, tokens)
        if tokens <= self._room:
            return
        import torch

        shape = self.shape
        wanted = max(tokens, len(self.ids) + 1, self._room * 3 // 2)
        self._room = exact.room(wanted) if shape.exact else -(-wanted // GRAIN) * GRAIN
        size = (shape.layers, shape.heads, self._room)
        make = torch.zeros if shape.exact else torch.empty  # what is hidden is multiplied too, by 0
        keys = make((*size, shape.key), dtype=shape.dtype, device=shape.device)
        values = make((*size, shape.value), dtype=shape.dtype, device=shape.device)
        if self.read:
            keys[:, :, : self.read] = self._keys[:, :, : self.read]
            values[:, :, : self.read] = self._values[:, :, : self.read]
        self._keys, self._values = keys, values

    def inherit(self, other: "Slot", tokens: int) -> None:
        """Begin with the first `tokens` of another text, which is given up: nothing is copied."""
        self._keys, self._values, self._room = other._keys, other._values, other._room
        if self.shape.exact:
            for kept in (self._keys, self._values):
                kept[:, :, tokens : other._reached] = 0
        self.read = self._reached = tokens

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

    def place(self, start: int, end: int) -> tuple[int, int, int, int]:
        """Where a stretch of tokens lies in the first layer: the addresses of its keys and values, for how
        many tokens a head has room, and how many they are."""
        shape = self.shape
        before = start * int(shape.dtype.itemsize)
        keys, values = (kept.data_ptr() for kept in (self._keys, self._values))
        return keys + before * shape.key, values + before * shape.value, self._room, end - start


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning."""
    most = min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    return next(i for i in range(most) if one[i] != other[i])
