"""Many texts at once in llama.cpp's memory: the batch of other text models, what it keeps elsewhere."""

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import OutOfMemory
from ..batching import Batch
from ..batching.attention import Piece
from ..batching.given import Given
from ..batching.slot import Shape, Slot
from .library import Native, NoRoom, Part, Seat


class SeatedSlot(Slot):
    """A text whose keys and values are kept by llama.cpp."""

    def __init__(self, native: Native, shape: Shape, ids: Iterable[int]) -> None:
        super().__init__(shape, ids)
        self._native = native
        self._seat: Seat | None = None

    @property
    def seat(self) -> int:
        """Its place; one is taken for it when it has none."""
        if self._seat is None:
            self._seat = self._native.seat()
        return self._seat.number

    def reserve(self, tokens: int) -> None:
        self._room = max(self._room, tokens)

    def inherit(self, other: Slot, tokens: int) -> None:
        assert isinstance(other, SeatedSlot)
        self._seat, other._seat = other._seat, None
        self.reserve(tokens)
        self.read = tokens

    def take(self, other: Slot, tokens: int) -> None:
        assert isinstance(other, SeatedSlot)
        if tokens:
            self._native.copy(other.seat, self.seat, tokens)
        self.reserve(tokens)
        self.read = tokens


class SeatedBatch(Batch):
    """The texts of one GGUF model."""

    def __init__(self, native: Native, shape: Shape, room: int) -> None:
        super().__init__(native, shape, 0 if native.sums_up else room)
        self._native = native

    @property
    def vocabulary(self) -> int:
        return self._native.size

    def apart(self, ids: Sequence[int], given: Given | None = None) -> Slot:
        return SeatedSlot(self._native, self._shape, ids)

    def read(self, pieces: Sequence[Piece], *, every: bool = False) -> Any:
        """Those that nobody writes give their room to those that somebody does."""
        import torch

        while True:
            try:
                return torch.from_numpy(self._native.decode([_part(self._native, p) for p in pieces], every))
            except NoRoom:
                if not self.kept.forget():
                    raise OutOfMemory(
                        "The model's memory for texts is full; try again in a moment.", 5
                    ) from None

    def _known(self, slot: Slot) -> tuple[Slot | None, int]:
        return (None, 0) if self._native.sums_up else super()._known(slot)


def _part(native: Native, piece: Piece) -> Part:
    slot = piece.slot
    assert isinstance(slot, SeatedSlot)
    slot.reserve(piece.end)
    native.cut(slot.seat, slot.read)  # what a step that failed has left
    return Part(slot.seat, slot.read, slot.ids[slot.read : piece.end])
