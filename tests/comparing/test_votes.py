"""Votes stay, and are counted by task."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from inference_chat.comparing.votes import Vote, Votes


def test_votes_survive_and_are_counted(tmp_path: Path):
    url = f"sqlite:{tmp_path}/votes.db"
    first = Votes(url)
    first.add(Vote(task="text-generation", models=("a", "b"), verdict="best", best="a", blind=True))
    first.add(Vote(task="translation", models=("a", "b"), verdict="tie"))
    first.close()
    again = Votes(url)
    assert (again.count(), again.count("translation")) == (2, 1)
    assert [vote.best for vote in again.recent(blind=True)] == ["a"]
    assert again.ballots("text-generation")[0].models == ("a", "b")
    again.close()


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict": "best"},
        {"verdict": "best", "best": "c"},
        {"verdict": "tie", "best": "a"},
        {"verdict": "bad", "models": ("a", "a")},
        {"verdict": "bad", "models": ("a",)},
    ],
)
def test_what_is_no_vote_is_refused(fields: dict[str, object]):
    with pytest.raises(ValidationError):
        Vote(**{"task": "t", "models": ("a", "b"), **fields})
