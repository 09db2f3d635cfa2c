"""The texts that one model reads and writes at the moment, stepped together.

Requests take turns on the inference thread. Each hands over its next token before it gives its turn away;
the first that needs logits which are not there yet makes one forward pass for all that wait. So whoever
comes joins the next step, and whoever leaves is missing from it. Prompts are read in pieces beside the
tokens of those who are writing.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import ModelFailed
from ...events import Engine
from .attention import PLAN, Piece, Plan, Step
from .given import Given
from .kept import Kept
from .pace import LEAST, Pace
from .rows import Rows
from .slot import Shape, Slot


class Batch:
    """The texts of one model, and those it keeps: all together `room` bytes, if those in work leave any.

    `reader` is its forward pass, where that is not the model itself.
    """

    kind: Engine = "batched"

    def __init__(self, model: Any, shape: Shape, room: int, reader: Any = None) -> None:
        self._model = model
        self.reader = reader or model
        self._shape = shape
        self._slots: list[Slot] = []
        self._pace = Pace()
        self.kept = Kept(room)
        self.forwards = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def vocabulary(self) -> int:
        """How many tokens the model knows."""
        return int(self._model.get_input_embeddings().num_embeddings)

    def apart(self, ids: Sequence[int], given: Given | None = None) -> Slot:
        """A text of nobody's batch, for who steps it alone."""
        return Slot(self._shape, ids, given)

    def read(self, pieces: Sequence[Piece], *, every: bool = False) -> Any:
        """Logits (pieces, vocabulary) after each piece, or after `every` token, float32 on the CPU."""
        import torch

        with torch.inference_mode():
            return forward(self.reader, pieces, every=every)

    def begin(self, ids: Sequence[int], given: Given | None = None) -> Rows:
        """Begin to answer a prompt."""
        return Rows(self, ids, given)

    def open(self, ids: Sequence[int], given: Given | None = None) -> Slot:
        """Begin a text, with what has been read of it before. Raises `ModelFailed` for impossible tokens."""
        import torch

        if given is None and not 0 <= min(ids) <= max(ids) < self.vocabulary:
            raise ModelFailed(
                "The tokenizer made tokens that the model does not have; their files do not match."
            )
        slot = self.apart(ids, given)
        known, same = self._known(slot)
        with torch.inference_mode():
            if known is not None and self.kept.ends(known, same):
                slot.inherit(known, same)
            elif known is not None:
                slot.take(known, same)
        self._slots.append(slot)
        return slot

    def _known(self, slot: Slot) -> tuple[Slot | None, int]:
        """A text that begins alike, and for how many tokens."""
        return self.kept.longest(slot.ids, self._slots)

    def fork(self, slot: Slot) -> Slot:
        """Another text that goes on from the same tokens."""
        import torch

        other = self.apart(slot.ids, slot.given)
        other.logits = slot.logits
        with torch.inference_mode():
            other.take(slot, slot.read)
        self._slots.append(other)
        return other

    def close(self, slot: Slot) -> None:
        """A text is finished or given up; what has been read of it is kept for others."""
        self._slots.remove(slot)
        slot.given = None
        self.kept.add(slot, sum(other.bytes for other in self._slots))

    def advance(self, slot: Slot) -> None:
        """See to it that a text has gone on since it was looked at last."""
        if not slot.moved:
            waiting = [one for one in self._slots if one.unread and not one.moved]
            try:
                self._step(waiting)
            except Exception:  # it may be anybody's: each waiting one tries alone, and fails alone
                if len(waiting) == 1:
                    raise
                self._step([slot])
        slot.moved = False

    def _step(self, waiting: Iterable[Slot]) -> None:
        """Read the next token of those who write and the next piece of each prompt."""
        pieces = self._pieces(waiting)
        began = time.perf_counter()
        logits = self.read(pieces)
        writing = sum(piece.count == 1 for piece in pieces)
        reading = sum(piece.count for piece in pieces) - writing
        self._pace.note(time.perf_counter() - began, writing, reading)
        self.forwards += 1
        for row, piece in enumerate(pieces):
            slot = piece.slot
            slot.read += piece.count
            slot.moved = True
            if not slot.unread:
                slot.logits = logits[row : row + 1]

    def _pieces(self, waiting: Iterable[Slot]) -> list[Piece]:
        writing = [slot for slot in waiting if slot.unread == 1]
        prompts = [slot for slot in waiting if slot.unread > 1]
        share = max(LEAST, self._pace.room(len(writing)) // max(1, len(prompts)))
        return [Piece(s, 1) for s in writing] + [Piece(s, min(s.unread, share)) for s in prompts]


def forward(model: Any, pieces: Sequence[Piece], plan: Plan | None = None, *, every: bool = False) -> Any:
    """Logits (pieces, vocabulary) of the last token of each piece, or of `every` one, float32 on the CPU."""
    import torch

    ids: list[int] = []
    ends: list[int] = []
    more: dict[str, Any] = {}
    for piece in pieces:
        slot = piece.slot
        slot.reserve(piece.end)
        if slot.given and (part := slot.given.part(len(ids), slot.read, piece.end)):
            more.setdefault("given", []).append(part)
        ids += slot.ids[slot.read : piece.end]
        ends.append(len(ids) - 1)
    if more:
        ids = [max(token, 0) for token in ids]
    device = pieces[0].slot.device
    last: Any = 1 if len(pieces) == 1 else torch.tensor(ends, device=device)
    token = PLAN.set(plan or Step(pieces))
    try:
        found = model(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor(_places(pieces), device=device),
            logits_to_keep=0 if every else last,
            use_cache=False,
            **more,
        )
    finally:
        PLAN.reset(token)
    return found.logits[0].to(device="cpu", dtype=torch.float32)


def _places(pieces: Sequence[Piece]) -> list[Any]:
    """The positions of all tokens in one row; with several axes, one such row for each."""
    parts = [piece.slot.places(piece.slot.read, piece.end) for piece in pieces]
    axes = max(map(len, parts))
    rows = [[place for part in parts for place in part[axis % len(part)]] for axis in range(axes)]
    return rows if axes == 1 else [[row] for row in rows]
