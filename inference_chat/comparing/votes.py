"""Votes on answers that were compared, kept beside the conversations."""

from typing import Literal

from pydantic import AwareDatetime, Field, model_validator
from sqlalchemy import JSON, Boolean, Column, String, Table, Text, func, insert, select

from ..database import Database, Stored, UtcTime, metadata
from ..schema import Frozen, new_id, now
from .ratings import Ballot

Verdict = Literal["best", "tie", "bad"]
MOST_COUNTED = 20_000  # ratings are computed from so many of the newest votes

votes = Table(
    "votes",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("task", String(64), nullable=False, index=True),
    Column("models", JSON, nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("best", Text),
    Column("blind", Boolean, nullable=False),
    Column("owner", String(128), nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
)


class Vote(Frozen):
    """What somebody thought of the answers of two to six models to the same input."""

    id: str = Field(default_factory=new_id)
    task: str
    models: tuple[str, ...] = Field(min_length=2, max_length=6)
    verdict: Verdict = Field(description="`best`: see there; `tie`: equally good; `bad`: none is any good.")
    best: str | None = Field(default=None, description="The model with the best answer.")
    blind: bool = Field(default=False, description="Whether the names were hidden.")
    owner: str = ""
    created_at: AwareDatetime = Field(default_factory=now)

    @model_validator(mode="after")
    def _sound(self) -> "Vote":
        if (self.verdict == "best") != (self.best is not None):
            raise ValueError("best: name the model that is best, with the verdict `best` only")
        if self.best is not None and self.best not in self.models:
            raise ValueError(f"best: one of {', '.join(self.models)}")
        if len(set(self.models)) < len(self.models):
            raise ValueError("models: name each once")
        return self


class Votes(Stored):
    """All votes; safe to use from any thread. Methods raise `StorageFailed`."""

    def __init__(self, database: str | Database) -> None:
        super().__init__(database)
        with self._database.write() as connection:
            votes.create(connection, checkfirst=True)

    def add(self, vote: Vote) -> Vote:
        """Keep a vote: it is on disk when this returns."""
        with self._database.write() as connection:
            connection.execute(insert(votes).values(**vote.model_dump() | {"models": list(vote.models)}))
        return vote

    def recent(self, task: str | None = None, *, blind: bool | None = None) -> list[Vote]:
        """The newest votes, of one task or of all."""
        query = select(votes).order_by(votes.c.created_at.desc()).limit(MOST_COUNTED)
        if task is not None:
            query = query.where(votes.c.task == task)
        if blind is not None:
            query = query.where(votes.c.blind == blind)
        with self._database.read() as connection:
            return [Vote(**row) for row in connection.execute(query).mappings()]

    def count(self, task: str | None = None) -> int:
        """How many votes there are on a task, or on all."""
        query = select(func.count()).select_from(votes)
        with self._database.read() as connection:
            return connection.scalar(query if task is None else query.where(votes.c.task == task)) or 0

    def ballots(self, task: str | None = None) -> list[Ballot]:
        """The same as opinions that can be counted."""
        return [Ballot(models=vote.models, best=vote.best) for vote in self.recent(task)]
