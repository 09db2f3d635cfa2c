"""One answer being written: from its tokens to the text that may be shown."""

from collections.abc import Callable, Sequence
from typing import Any

from ..events import FinishReason, TextDelta, TokenLogprob
from .detokenize import Detokenizer, StopStrings
from .sampling import logprobs


class Answer:
    """Row `row` of the answers to a request; `reason` says why it has ended, once it has.

    With `alternatives` set, each delta carries the log-probabilities of its tokens, whose texts join to
    the text of the answer (and the stop string that ended it, which the answer itself leaves out); the mark
    of a character that was cut is the last one's. With
    `tells_end` the token that ends it counts among them, without a text.
    """

    def __init__(
        self,
        row: int,
        decode: Callable[[Sequence[int]], str],
        ends: frozenset[int],
        *,
        limit: int,
        context: Sequence[int] = (),
        stops: Sequence[str] = (),
        alternatives: int | None = None,
        tells_end: bool = False,
    ) -> None:
        self.row = row
        self.tokens: list[int] = []
        self.reason: FinishReason | None = None
        self._text = Detokenizer(decode, context)
        self._stops = StopStrings(stops)
        self._ends = ends
        self._limit = limit
        self._alternatives = alternatives
        self._tells_end = tells_end
        self._pending: list[TokenLogprob] = []

    @property
    def count(self) -> int:
        return len(self.tokens)

    @property
    def last(self) -> int:
        return self.tokens[-1]

    def push(self, token: int, logits: Any, *, whole: bool = False) -> TextDelta | None:
        """Take the next token; the text it completes, if any. `whole` says that none can follow it."""
        self.tokens.append(token)
        if token in self._ends:
            self.reason = "stop"
            if self._tells_end and self._alternatives is not None:
                found = logprobs(logits, token, self._alternatives, self._text.peek)
                self._pending.append(found.model_copy(update={"text": ""}))
            return None
        text = self._decoded(token, logits)
        shown = self._stops.push(text)
        if self._stops.hit or whole:
            self.reason = "stop"
        elif self.count >= self._limit:
            self.reason = "length"
        return self._delta(shown)

    def close(self) -> TextDelta | None:
        """What was held back at the end; of an answer that was stopped no unfinished character is shown,
        since it may be gone on with."""
        rest = self._text.flush() if self.reason and not self._stops.hit else ""
        if rest and self._pending:
            told = self._tells_end and self.last in self._ends
            at = max(0, len(self._pending) - (2 if told else 1))
            self._pending[at] = self._pending[at].model_copy(update={"text": rest})
        return self._delta(self._stops.push(rest) + self._stops.flush(), last=True)

    def _decoded(self, token: int, logits: Any) -> str:
        if self._alternatives is None:
            return self._text.push(token)
        found = logprobs(logits, token, self._alternatives, self._text.peek)
        text = self._text.push(token)
        self._pending.append(found.model_copy(update={"text": text}))
        return text

    def _delta(self, text: str, *, last: bool = False) -> TextDelta | None:
        if not text and not (last and self._pending and self.reason):
            return None
        tokens, self._pending = tuple(self._pending), []
        return TextDelta(text=text, choice=self.row, tokens=tokens)
