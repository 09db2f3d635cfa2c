"""From logits to the next token, by the options of one request.

The order and the formulas are those of transformers' own logits processors, so a run with the same
options draws from the same distribution as `model.generate`. Each answer has a generator of its own:
the same seed gives the same text whatever else runs at the same time.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ..errors import ModelFailed
from ..events import TokenLogprob
from .grammar import Guide

COLDEST = 1e-5
"""Temperatures below take the likeliest token: dividing by them leaves the range of float32."""

LIKELIEST = (256, 4096)
"""So many tokens are looked at for `top_p` before all are sorted, which takes many times as long."""


class SamplingOptions(Protocol):
    """The fields of a request's options that choose among tokens."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_k(self) -> int: ...
    @property
    def top_p(self) -> float: ...
    @property
    def min_p(self) -> float: ...
    @property
    def repetition_penalty(self) -> float: ...
    @property
    def presence_penalty(self) -> float: ...
    @property
    def frequency_penalty(self) -> float: ...


class Sampler:
    """Chooses the next token of each of `rows` parallel answers."""

    def __init__(
        self,
        options: SamplingOptions,
        prompt: Sequence[int],
        seed: int,
        rows: int,
        rules: Sequence[Any] = (),
        guides: Sequence[Guide] = (),
    ) -> None:
        """`rules` are logits processors that belong to the model, as words it must never begin with.

        `guides`, one for each row or none, keep the answers to a grammar.
        """
        import torch
        from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

        self._greedy = options.temperature < COLDEST
        self._guides = guides
        self._history: list[list[int]] | None = None
        self._processors = LogitsProcessorList()
        if options.repetition_penalty != 1:
            self._processors.append(RepetitionPenaltyLogitsProcessor(options.repetition_penalty))
        if options.presence_penalty or options.frequency_penalty:
            penalty = WrittenPenalty(len(prompt), options.presence_penalty, options.frequency_penalty)
            self._processors.append(penalty)
        self._processors.extend(rules)
        if self._processors:
            self._history = [list(prompt) for _ in range(rows)]
        self._processors.extend([] if self._greedy else _warpers(options))
        self._generators = [torch.Generator().manual_seed((seed + row) % 2**63) for row in range(rows)]

    def choose(self, logits: Any, rows: Sequence[int]) -> list[int]:
        """The next token of each of `rows`, from float32 logits (len(rows), vocabulary)."""
        import torch

        if not bool(torch.isfinite(logits.amax(dim=-1)).all()):
            raise ModelFailed(
                "The model produced numbers that are not finite; try another dtype (DTYPE=float32)."
            )
        scores = self.scores(logits, rows)
        if self._greedy:
            chosen: list[int] = scores.numpy().argmax(-1).tolist()  # in a tenth of torch's time
        else:
            probabilities = torch.softmax(scores, dim=-1)
            chosen = [_drawn(probabilities[i], self._generators[row]) for i, row in enumerate(rows)]
        if self._history is not None:
            for row, token in zip(rows, chosen, strict=True):
                self._history[row].append(token)
        for row, token in zip(rows, chosen, strict=True) if self._guides else ():
            self._guides[row].take(token)
        return chosen

    def over(self, row: int) -> bool:
        """Whether nothing can follow what row `row` has, so that its answer is whole."""
        return bool(self._guides) and self._guides[row].done

    def scores(self, logits: Any, rows: Sequence[int]) -> Any:
        """The logits as the options change them; tokens that must not be drawn have -inf."""
        import torch

        ids: Any = torch.empty((len(rows), 0), dtype=torch.long)
        if self._history is not None:
            ids = torch.tensor([self._history[row] for row in rows])
        if self._guides:
            logits = logits.clone()
            for row, values in zip(rows, logits, strict=True):
                self._guides[row].mask(values)
        return self._processors(ids, logits)


def _drawn(probabilities: Any, generator: Any) -> int:
    """A token by chance. `torch.multinomial` draws a number for each token; this draws one."""
    import torch

    sums = probabilities.double().cumsum(0)
    place = torch.rand((), dtype=torch.float64, generator=generator) * sums[-1]
    return int(torch.searchsorted(sums, place, right=True))


class WrittenPenalty:
    """OpenAI's penalties: they count what the answer has so far, and not the prompt before it.

    Logits of a token that was written `count` times lose `presence` once, and `frequency` for each time.
    """

    def __init__(self, start: int, presence: float, frequency: float) -> None:
        """`start` is how many tokens the prompt has."""
        self._start = start
        self._presence = presence
        self._frequency = frequency

    def __call__(self, ids: Any, scores: Any) -> Any:
        import torch

        written = ids[:, self._start :]
        counts = torch.zeros_like(scores).scatter_add_(
            1, written, torch.ones_like(written, dtype=scores.dtype)
        )
        return scores - self._presence * (counts > 0) - self._frequency * counts


class TopP:
    """Only the likeliest tokens that together have this probability.

    The same tokens as transformers' `TopPLogitsWarper` leaves, which sorts the whole vocabulary; here it is
    sorted only where the `LIKELIEST` are not enough.
    """

    def __init__(self, top_p: float) -> None:
        from transformers import TopPLogitsWarper

        self._share = top_p
        self._sorted = TopPLogitsWarper(top_p)

    def __call__(self, ids: Any, scores: Any) -> Any:
        import torch

        total = scores.logsumexp(-1, keepdim=True)
        for count in LIKELIEST:
            best = scores.topk(min(count, scores.shape[-1]), dim=-1)
            shares = (best.values - total).exp()
            left = shares.cumsum(-1) - shares < self._share
            if not bool(left[:, -1].any()):
                kept = best.values.masked_fill(~left, float("-inf"))
                return torch.full_like(scores, float("-inf")).scatter_(-1, best.indices, kept)
        return self._sorted(ids, scores)


def _warpers(options: SamplingOptions) -> list[Any]:
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper

    found: list[Any] = []
    if options.temperature != 1:
        found.append(TemperatureLogitsWarper(options.temperature))
    if options.top_k:
        found.append(TopKLogitsWarper(options.top_k))
    if options.top_p < 1:
        found.append(TopP(options.top_p))
    if options.min_p > 0:
        found.append(MinPLogitsWarper(options.min_p))
    return found


def logprobs(logits: Any, token: int, alternatives: int, decode: Callable[[int], str]) -> TokenLogprob:
    """The chosen token's log-probability under the model's own distribution, and the likeliest others."""
    import torch

    values = torch.log_softmax(logits, dim=-1)
    top = values.topk(min(alternatives, values.shape[-1]))
    return TokenLogprob(
        text=decode(token),
        logprob=float(values[token]),
        top=tuple(
            TokenLogprob(text=decode(int(i)), logprob=float(v))
            for v, i in zip(top.values, top.indices, strict=True)
        ),
    )
