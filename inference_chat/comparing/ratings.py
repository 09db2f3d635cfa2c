"""Who is better, from votes: strengths by Bradley and Terry, with intervals by the bootstrap.

A vote is on two to six answers to the same input: one is the best, they tie, or all are bad. The best has
won against each of the others; where none is, each has half a win against each other.

Bradley and Terry 1952, https://doi.org/10.2307/2334029; fitted as in Hunter 2004,
https://doi.org/10.1214/aos/1079120141; percentile intervals as in Efron 1979,
https://doi.org/10.1214/aos/1176344552. Whole votes are drawn again, since the pairs of one are one opinion.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..schema import Frozen

Floats = NDArray[np.float64]
MEAN, SCALE = 1000.0, 400 / np.log(10)  # as people read ratings from chess: 400 more wins ten times as often
TIES_BEFORE = 0.1  # of each with each, so that who never lost is not infinitely good
RESAMPLES = 400
CONFIDENCE = 0.95
STEPS, CLOSE = 500, 1e-6


class Ballot(Frozen):
    """One opinion on the answers of some models; `best` is None when they tie, or all are bad."""

    models: tuple[str, ...] = Field(min_length=2)
    best: str | None = None


class Rating(Frozen):
    """How good a model is by the votes; it is surely between `low` and `high` (95 %)."""

    model: str
    rating: float
    low: float
    high: float
    votes: int
    wins: int
    ties: int
    losses: int


def rate(ballots: Iterable[Ballot], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Rating]:
    """The models that were voted on, the best first; the same votes and seed give the same intervals."""
    given = list(ballots)
    names = sorted({model for ballot in given for model in ballot.models})
    if not given:
        return []
    kinds = Counter((frozenset(ballot.models), ballot.best) for ballot in given)
    each = np.stack([_wins(among, best, names) for among, best in kinds])
    number = np.array([*kinds.values()], float)
    drawn = np.random.default_rng(seed).multinomial(len(given), number / len(given), resamples)
    spread = _shown(strengths(np.tensordot(drawn, each, 1)))
    low, high = np.quantile(spread, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    best = _shown(strengths(np.tensordot(number, each, 1)))
    rows = [
        Rating(model=name, rating=best[at], low=low[at], high=high[at], **_counts(name, given))
        for at, name in enumerate(names)
    ]
    return sorted(rows, key=lambda row: -row.rating)


def strengths(wins: Floats) -> Floats:
    """The logarithms of the strengths, with mean 0, from wins of each (row) on each: (…, n, n) → (…, n)."""
    others = 1 - np.eye(wins.shape[-1])
    games = wins + np.swapaxes(wins, -1, -2) + 2 * TIES_BEFORE * others
    won = wins.sum(-1) + TIES_BEFORE * others.sum(-1)
    found: Floats = np.ones(wins.shape[:-1])
    for _ in range(STEPS):
        better = won / (games / (found[..., :, None] + found[..., None, :])).sum(-1)
        better /= np.exp(np.log(better).mean(-1, keepdims=True))
        moved, found = np.abs(better / found - 1).max(), better
        if moved < CLOSE:
            break
    logs: Floats = np.log(found)
    return logs


def _wins(among: frozenset[str], best: str | None, names: Sequence[str]) -> Floats:
    """The wins of each against each in one vote."""
    wins = np.zeros((len(names), len(names)))
    at = [names.index(model) for model in among]
    if best is None:
        wins[np.ix_(at, at)] = 0.5
        np.fill_diagonal(wins, 0.0)
    else:
        first = names.index(best)
        wins[first, [other for other in at if other != first]] = 1.0
    return wins


def _counts(name: str, ballots: Sequence[Ballot]) -> dict[str, int]:
    on = [ballot for ballot in ballots if name in ballot.models]
    wins = sum(ballot.best == name for ballot in on)
    ties = sum(ballot.best is None for ballot in on)
    return {"votes": len(on), "wins": wins, "ties": ties, "losses": len(on) - wins - ties}


def _shown(logs: Floats) -> Floats:
    shown: Floats = MEAN + SCALE * logs
    return shown
