"""The answers to one request, as rows of the batch of its model."""

from collections.abc import Sequence
from typing import Any

from .given import Given


class Rows:
    """One prompt on its way through a batch, then one row for each answer to it."""

    def __init__(self, batch: Any, ids: Sequence[int], given: Given | None = None) -> None:
        self._batch = batch
        self._slots = [batch.open(ids, given)]
        self._total = len(ids)
        self.reused = self._slots[0].read

    @property
    def read(self) -> int:
        """Tokens of the prompt that have been read."""
        return int(min(self._slots[0].read, self._total))

    def advance(self) -> Any:
        """Read a piece of the prompt; the logits of what follows it once all of it has been read."""
        self._batch.advance(self._slots[0])
        return self._slots[0].logits

    def give(self, tokens: Sequence[int]) -> None:
        for slot, token in zip(self._slots, tokens, strict=True):
            slot.ids.append(token)
            slot.logits, slot.moved = None, False

    def take(self) -> Any:
        import torch

        for slot in self._slots:
            while slot.logits is None:
                self._batch.advance(slot)
        if len(self._slots) == 1:
            return self._slots[0].logits
        return torch.cat([slot.logits for slot in self._slots])

    def keep(self, rows: Sequence[int]) -> None:
        old, self._slots = self._slots, []
        for row in rows:
            slot = old[row]
            self._slots.append(self._batch.fork(slot) if slot in self._slots else slot)
        for slot in old:
            if slot not in self._slots:
                self._batch.close(slot)

    def close(self) -> None:
        """The answers are finished or given up."""
        for slot in self._slots:
            self._batch.close(slot)
        self._slots = []
