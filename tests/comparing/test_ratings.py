"""Ratings from votes: a known order is found again, and intervals hold what they promise."""

import numpy as np
import pytest

from inference_chat.comparing.ratings import MEAN, SCALE, Ballot, rate, strengths

STRENGTHS = {"a": 0.9, "b": 0.45, "c": 0.0, "d": -0.45, "e": -0.9}
TIES = 0.15


def votes(count: int, seed: int, known: dict[str, float] = STRENGTHS) -> list[Ballot]:
    """Votes on pairs, as people cast them who prefer by `known`; some cannot tell."""
    chance = np.random.default_rng(seed)
    cast = []
    for _ in range(count):
        one, other = chance.choice([*known], 2, replace=False)
        wins = chance.random() < 1 / (1 + np.exp(known[other] - known[one]))
        best = None if chance.random() < TIES else str(one if wins else other)
        cast.append(Ballot(models=(str(one), str(other)), best=best))
    return cast


def truth() -> dict[str, float]:
    """What endless votes would say: a tie is half a win for each, which pulls strengths together."""
    values = np.array([*STRENGTHS.values()])
    wins = (1 - TIES) / (1 + np.exp(values[None] - values[:, None])) + TIES / 2
    found = strengths(1e6 * wins * (1 - np.eye(len(values))))
    return dict(zip(STRENGTHS, MEAN + SCALE * found, strict=True))


def test_300_votes_show_a_known_order():
    wide = {name: 2 * value for name, value in STRENGTHS.items()}
    for seed in range(10):
        assert [row.model for row in rate(votes(300, seed, wide))] == [*"abcde"]


def test_intervals_hold_the_truth_nine_times_of_ten():
    true = truth()
    rows = [row for seed in range(40) for row in rate(votes(300, seed))]
    assert np.mean([row.low <= true[row.model] <= row.high for row in rows]) >= 0.9


def test_400_points_more_win_ten_times_as_often():
    cast = [Ballot(models=("x", "y"), best="x")] * 1000 + [Ballot(models=("y", "x"), best="y")] * 100
    first, second = rate(cast)
    assert first.rating - second.rating == pytest.approx(SCALE * np.log(10), abs=2)


def test_who_never_lost_is_not_infinitely_good():
    first, second = rate([Ballot(models=("x", "y"), best="x")])
    assert 0 < second.rating < first.rating < 2000
    assert (first.votes, first.wins, second.losses) == (1, 1, 1)


def test_the_best_of_many_has_beaten_each():
    rows = {row.model: row for row in rate([Ballot(models=("x", "y", "z"), best="y")] * 5)}
    assert rows["x"].rating == pytest.approx(rows["z"].rating)
    assert rows["y"].rating > rows["x"].rating


def test_ties_leave_all_equal_and_no_votes_rate_nobody():
    assert {round(row.rating) for row in rate([Ballot(models=("x", "y", "z"))])} == {1000}
    assert rate([]) == []


def test_the_same_votes_give_the_same_intervals():
    assert rate(votes(50, 1)) == rate(votes(50, 1))
