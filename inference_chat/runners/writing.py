"""Writing answers token by token: the one loop of every model that generates text, whatever it has read."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from threading import Event as Flag
from typing import Any, Protocol

from ..events import Engine, Event, Finished, Progress, Receipt, Usage
from .answer import Answer
from .grammar import Guided, guides
from .sampling import Sampler, SamplingOptions


class Steps(Protocol):
    """A model in the middle of a text, one row for each answer.

    Between `give` and `take` other requests have their turn, so that a model may step them together.
    """

    def give(self, tokens: Sequence[int]) -> None:
        """Go on with one token a row."""

    def take(self) -> Any:
        """The logits (rows, vocabulary) of what follows those tokens, float32 on the CPU."""

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these of the present rows; one may be named several times."""

    def close(self) -> None:
        """No more is asked for."""


class AtOnce(ABC):
    """Steps that are made when they are asked for, for one request alone."""

    _given: Sequence[int]

    @abstractmethod
    def next(self, tokens: Sequence[int]) -> Any:
        """Take one token a row; the logits (rows, vocabulary) of the next, float32 on the CPU."""

    def give(self, tokens: Sequence[int]) -> None:
        self._given = tokens

    def take(self) -> Any:
        return self.next(self._given)

    def close(self) -> None:  # noqa: B027 - what was computed for one request goes with it
        pass


class WritingOptions(SamplingOptions, Protocol):
    """The fields of a request's options that the loop looks at."""

    @property
    def max_tokens(self) -> int: ...
    @property
    def stop(self) -> tuple[str, ...]: ...
    @property
    def seed(self) -> int | None: ...
    @property
    def n(self) -> int: ...
    @property
    def logprobs(self) -> int | None: ...


@dataclass(frozen=True)
class Begun:
    """A model that has read its prompt: the logits (1, vocabulary) of the first token, and how to go on.

    `said` are the tokens that count as said before, for penalties and for `rules`, the model's own logits
    processors. `limit` is the largest number of tokens that still fit, `ends` are those that end a text.
    `engine` and `reused` are for the receipt.
    """

    steps: Steps
    logits: Any
    said: Sequence[int]
    limit: int
    ends: frozenset[int]
    decode: Callable[[Sequence[int]], str]
    context: Sequence[int] = ()
    rules: Sequence[Any] = ()
    engine: Engine = "single"
    reused: int | None = None


def write(
    begun: Begun,
    options: WritingOptions,
    stop: Flag,
    *,
    name: str,
    prompt_tokens: int,
    notes: tuple[str, ...] = (),
    guided: Guided | None = None,
) -> Generator[Event, None, None]:
    """The answers to one request, `Finished` last; the receipt names the seed that was drawn.

    `guided` keeps each answer to a grammar.
    """
    seed = options.seed if options.seed is not None else secrets.randbits(31)
    answers = yield from spell(begun, options, seed, stop, guided)
    yield Finished(
        finish_reasons=tuple(answer.reason or "cancelled" for answer in answers),
        usage=Usage(prompt_tokens=prompt_tokens, completion_tokens=sum(answer.count for answer in answers)),
        notes=notes,
        receipt=Receipt(model=name, seed=seed, engine=begun.engine, reused_tokens=begun.reused),
    )


def spell(
    begun: Begun, options: WritingOptions, seed: int, stop: Flag, guided: Guided | None = None
) -> Generator[Event, None, list[Answer]]:
    """All `n` answers, one row of a batch each; a finished row leaves the batch."""
    try:
        return (yield from _spelled(begun, options, seed, stop, guided))
    finally:
        begun.steps.close()


def _spelled(
    begun: Begun, options: WritingOptions, seed: int, stop: Flag, guided: Guided | None = None
) -> Generator[Event, None, list[Answer]]:
    steps, logits = begun.steps, begun.logits
    if options.n > 1:
        steps.keep([0] * options.n)
        logits = logits.repeat(options.n, 1)
    sampler = Sampler(options, begun.said, seed, options.n, begun.rules, guides(guided, options.n))
    alive = answers = [_answer(row, begun, options) for row in range(options.n)]
    while alive and not stop.is_set():
        tokens = sampler.choose(logits, [answer.row for answer in alive])
        deltas: list[Event] = [
            delta
            for answer, token, row in zip(alive, tokens, logits, strict=True)
            if (delta := answer.push(token, row, whole=sampler.over(answer.row)))
        ]
        going = [i for i, answer in enumerate(alive) if answer.reason is None]
        if going and len(going) < len(alive):
            steps.keep(going)
        alive = [alive[i] for i in going]
        if alive:
            steps.give([answer.last for answer in alive])
        # Every step yields, so that others get their turn also while nothing can be shown.
        yield from deltas or [Progress(phase="answering")]
        if alive and not stop.is_set():
            logits = steps.take()
    yield from (rest for answer in answers if (rest := answer.close()))
    return answers


def _answer(row: int, begun: Begun, options: WritingOptions) -> Answer:
    return Answer(
        row,
        begun.decode,
        begun.ends,
        limit=min(options.max_tokens, begun.limit),
        context=begun.context,
        stops=options.stop,
        alternatives=options.logprobs,
        tells_end=getattr(options, "echo", False),  # whoever asks for a prompt's tokens counts on each one
    )
