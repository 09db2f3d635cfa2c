"""The prompt as the beginning of its answer, with the log-probability that the model gives each token."""

from collections.abc import Callable, Generator, Iterator, Sequence
from threading import Event as Flag
from typing import Any

from ..events import Event, Progress, TokenLogprob
from .batching import Batch
from .batching.attention import Piece
from .detokenize import Detokenizer
from .sampling import logprobs
from .single import Single

MOST_NUMBERS = 1 << 23
"""Logits that are held at once, of all positions of a piece together."""

MOST_TOKENS = 2048

Decode = Callable[[Sequence[int]], str]


def echoed(
    engine: Batch | Single, ids: Sequence[int], decode: Decode, alternatives: int, stop: Flag
) -> Generator[Event, None, tuple[TokenLogprob, ...]]:
    """The tokens of a prompt, each with its natural log-probability after those before it, the first without.

    The prompt is read once more for it, piece by piece; with `stop` set the rest is left out.
    """
    text = Detokenizer(decode)
    found = [TokenLogprob(text=text.push(ids[0]), logprob=None)]
    for logits in _logits(engine, ids):
        for row in logits[: len(ids) - len(found)]:
            token = ids[len(found)]
            told = logprobs(row, token, alternatives, text.peek)
            found.append(told.model_copy(update={"text": text.push(token)}))
        if stop.is_set():
            break
        yield Progress(phase="reading", fraction=len(found) / len(ids), detail="each token's probability")
    rest = text.flush()
    found[-1] = found[-1].model_copy(update={"text": found[-1].text + rest})
    return tuple(found)


def _logits(engine: Batch | Single, ids: Sequence[int]) -> Iterator[Any]:
    """Logits (tokens, vocabulary) of what follows each token, float32 on the CPU, a piece at a time."""
    size = min(max(16, MOST_NUMBERS // engine.vocabulary), MOST_TOKENS)
    return _apart(engine, ids, size) if isinstance(engine, Batch) else engine.every(ids, size)


def _apart(batch: Batch, ids: Sequence[int], size: int) -> Iterator[Any]:
    """The text stands beside the batch: nobody else waits for it, and it is not kept."""
    slot = batch.apart(ids)
    while slot.unread:
        piece = Piece(slot, min(slot.unread, size))
        logits = batch.read([piece], every=True)
        slot.read += piece.count
        yield logits
