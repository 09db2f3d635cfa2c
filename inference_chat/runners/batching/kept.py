"""Texts that were read before, kept so that what begins like one of them need not be read again."""

from collections.abc import Iterable, Sequence

from .slot import Slot, common

WORTHWHILE = 8
"""Tokens in common below which a copy is not worth its call."""
SAME = 0.75
"""Share of a text from which on what goes on differently is a newer state of it, no text beside it."""


class Kept:
    """Finished texts within `room` bytes; the one unused for longest is forgotten first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._slots: list[Slot] = []  # the one used last at the end

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def bytes(self) -> int:
        return sum(slot.bytes for slot in self._slots)

    def add(self, slot: Slot, others: int) -> None:
        """Keep a text, beside `others` bytes of texts that are still being written."""
        del slot.ids[slot.read :]
        slot.logits = None
        if slot.read >= WORTHWHILE:
            self._slots = [old for old in self._slots if common(old.ids, slot.ids) < old.read]
            self._slots.append(slot)
        while self._slots and self.bytes + others > self._room:
            self._slots.pop(0)

    def forget(self) -> bool:
        """Forget the text unused for longest; False when none is left."""
        if self._slots:
            self._slots.pop(0)
            return True
        return False

    def ends(self, slot: Slot, tokens: int) -> bool:
        """Whether a text is given up for one that goes on after `tokens` of it, as the next turn does."""
        if slot not in self._slots or tokens < slot.read * SAME:
            return False
        self._slots.remove(slot)
        return True

    def longest(self, ids: Sequence[int], present: Iterable[Slot]) -> tuple[Slot | None, int]:
        """The text, kept or present, that has most tokens in common with `ids` from the beginning.

        One token is always left to read, as what follows it is asked for.
        """
        best, most = None, WORTHWHILE - 1
        for slot in (*present, *self._slots):
            if (same := min(common(slot.ids, ids), slot.read, len(ids) - 1)) > most:
                best, most = slot, same
        if best in self._slots:
            self._slots.remove(best)
            self._slots.append(best)
        return best, most if best is not None else 0
