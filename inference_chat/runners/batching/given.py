"""Texts that are read as embeddings: what became of pictures and sounds stands among the words."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

PLAIN = frozenset({"inputs_embeds", "position_ids", "past_key_values", "use_cache", "return_dict"})
"""What a decoder of words alone is told too."""
MARKS, STACKS = "visual_pos_masks", "deepstack_visual_embeds"
"""How transformers names the tokens that stand for pictures, and what is added to them behind the first
layers (Qwen 3-VL's DeepStack, https://arxiv.org/abs/2406.04334)."""


class Part(NamedTuple):
    """Some of it, and from which token of a row on it takes the words' places."""

    at: int
    embeds: Any
    marks: Any
    stacks: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Given:
    """The beginning of a text: embeddings (tokens, width), and a position of each token on each axis.

    `marks` (tokens) are true where `stacks` has something for the first layers: (marked tokens, width) each.
    """

    embeds: Any
    places: Sequence[Sequence[int]]
    marks: Any = None
    stacks: Sequence[Any] = ()

    def part(self, at: int, start: int, end: int) -> Part | None:
        """What there is of a stretch of the text, for a row in which it begins `at`; None for nothing."""
        if start >= len(self.embeds):
            return None
        marks, stacks = None, ()
        if self.marks is not None:
            marks, before = self.marks[start:end], int(self.marks[:start].sum())
            stacks = tuple(stack[before : before + int(marks.sum())] for stack in self.stacks)
        return Part(at, self.embeds[start:end], marks, stacks)

    def places_of(self, start: int, end: int) -> list[list[int]]:
        """The positions of a stretch of the text; behind the beginning they count on."""
        known = len(self.places[0])
        behind = range(max(start, known) - known + 1, end - known + 1)
        return [[*axis[start:end], *(axis[-1] + more for more in behind)] for axis in self.places]


def beginning(told: dict[str, Any], ids: Sequence[int], embed: Any) -> tuple[list[int], Given] | None:
    """The beginning of a text from what a decoder is told of it, and its tokens.

    `embed` gives the embeddings of tokens. What stands for no word gets a number of its own below zero, by
    what it is, so that the same picture is known again. None where the decoder is told more than this, as of
    masks, or where positions behind it would not count on.
    """
    import torch

    told = {name: value for name, value in told.items() if value is not None and value is not False}
    marks, stacks = told.pop(MARKS, None), told.pop(STACKS, ())
    if not told.keys() <= PLAIN or (marks is None) is not (not stacks):
        return None
    embeds, places = told["inputs_embeds"][0], told["position_ids"].reshape(-1, len(ids))
    if bool((places[:, -1] < places.amax(1)).any()):
        return None
    words = embed(torch.tensor(ids, device=embeds.device))
    other = (embeds != words).any(-1).nonzero()[:, 0].tolist()
    numbers = list(ids)
    for at, row in zip(other, embeds[other].cpu().view(torch.uint8).numpy(), strict=True):
        numbers[at] = -1 - int.from_bytes(blake2b(row.tobytes(), digest_size=7).digest())
    return numbers, Given(embeds, places.tolist(), None if marks is None else marks[0], tuple(stacks))


def placed(words: Any, parts: Sequence[Part]) -> Any:
    """Embeddings of words (tokens, width) with those that are given in their places."""
    for part in parts:
        words[part.at : part.at + len(part.embeds)] = part.embeds
    return words


def stacked(tokens: int, parts: Sequence[Part]) -> dict[str, Any]:
    """What a decoder is told besides of a row of so many tokens."""
    import torch

    parts = [part for part in parts if part.stacks and len(part.stacks[0])]
    if not parts:
        return {}
    marks = torch.zeros((1, tokens), dtype=torch.bool, device=parts[0].embeds.device)
    for part in parts:
        marks[0, part.at : part.at + len(part.marks)] = part.marks
    return {MARKS: marks, STACKS: [torch.cat(each) for each in zip(*(p.stacks for p in parts), strict=True)]}
