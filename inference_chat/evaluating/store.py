"""What models were measured to be right about: evaluations, the result of each model, and every answer.

An answer is on disk as soon as it was scored, so an evaluation that was stopped, or whose server was, goes on
where it was.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import AwareDatetime, Field
from sqlalchemy import JSON as Told  # noqa: N811 - a type of columns; ours has that name
from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from ..database import Database, Stored, UtcTime, clean, metadata
from ..errors import NotFound
from ..schema import JSON, Frozen, new_id, now
from .scoring import NAMES

State = Literal["waiting", "running", "done", "cancelled", "interrupted", "failed"]
NO_ACCURACY = frozenset({"perplexity"})
"""Measures that tell how sure a model is, not how often it is right."""
GOES_ON: tuple[State, ...] = ("waiting", "running")

evaluations = Table(
    "evaluations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("set_name", Text, nullable=False),
    Column("set_id", String(64), nullable=False),
    Column("task", String(64), nullable=False),
    Column("measure", String(32), nullable=False),
    Column("most", Integer, nullable=False),
    Column("parameters", Told, nullable=False),
    Column("state", String(16), nullable=False),
    Column("total", Integer, nullable=False),
    Column("notes", Told, nullable=False),
    Index("evaluations_by_time", "created_at"),
)
results = Table(
    "evaluation_results",
    metadata,
    Column("evaluation", String(64), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("digest", String(64)),
    Column("state", String(16), nullable=False),
    Column("measured_at", UtcTime),
    Column("score", Float),
    Column("figures", Told, nullable=False),
    Column("error", Text),
    Index("evaluation_results_by_model", "model", "measured_at"),
)
answers = Table(
    "evaluation_answers",
    metadata,
    Column("evaluation", String(64), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("answer", Told),
    Column("ms", Float),
    Column("problem", Text),
)


class Evaluation(Frozen):
    """A labelled set, and what its answers are measured by; `most` rows of it at most."""

    id: str = Field(default_factory=new_id)
    created_at: AwareDatetime = Field(default_factory=now)
    set_name: str
    set_id: str
    task: str
    measure: str
    most: int
    parameters: JSON = Field(default_factory=dict)
    state: State = "waiting"
    total: int = 0
    notes: tuple[str, ...] = ()


class ModelResult(Frozen):
    """One model's part; `score` is a share of which more is better, `figures` has all that was measured."""

    evaluation: str
    model: str
    digest: str | None = None
    state: State = "waiting"
    measured_at: AwareDatetime | None = None
    score: float | None = None
    figures: JSON = Field(default_factory=dict)
    error: str | None = None


class Answered(Frozen):
    """The answer to row number `row`; `ms` where it was asked for alone, `problem` where there is none."""

    row: int
    answer: Any = None
    ms: float | None = None
    problem: str | None = None


class EvaluationStore(Stored):
    """All evaluations; safe to use from any thread. Methods raise `StorageFailed`."""

    def __init__(self, database: str | Database) -> None:
        """Open a database by URL, or use one that is open; what was running is interrupted now."""
        super().__init__(database)
        self._latest: dict[str, ModelResult] | None = None
        with self._database.write() as connection:
            for table in (evaluations, results):
                going = update(table).where(table.c.state.in_(GOES_ON))
                connection.execute(going.values(state="interrupted"))

    def add(self, evaluation: Evaluation, models: Sequence[str]) -> None:
        """Keep a new evaluation of these models."""
        parts = [ModelResult(evaluation=evaluation.id, model=model).model_dump() for model in models]
        with self._database.write() as connection:
            connection.execute(insert(evaluations), [_row(evaluation)])
            connection.execute(insert(results), parts)

    def get(self, id: str) -> Evaluation:
        """One evaluation; raises `NotFound`."""
        with self._database.read() as connection:
            row = connection.execute(select(evaluations).where(evaluations.c.id == id)).mappings().first()
        if row is None:
            raise NotFound("There is no such evaluation; look at the list of them.")
        return Evaluation.model_validate(dict(row))

    def newest(self, limit: int = 50) -> list[Evaluation]:
        """The newest evaluations."""
        wanted = select(evaluations).order_by(evaluations.c.created_at.desc()).limit(limit)
        with self._database.read() as connection:
            return [Evaluation.model_validate(dict(row)) for row in connection.execute(wanted).mappings()]

    def change(self, id: str, **fields: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(evaluations).where(evaluations.c.id == id).values(**clean(fields)))

    def remove(self, id: str) -> bool:
        """Forget an evaluation; whether no other needs its set."""
        known = self.get(id)
        with self._database.write() as connection:
            for table, key in (
                (answers, answers.c.evaluation),
                (results, results.c.evaluation),
                (evaluations, evaluations.c.id),
            ):
                connection.execute(delete(table).where(key == id))
            same = select(func.count()).where(evaluations.c.set_id == known.set_id)
            self._latest = None
            return connection.scalar(same) == 0

    def results(self, id: str) -> list[ModelResult]:
        """Every model's part of an evaluation, in the order of their names."""
        wanted = select(results).where(results.c.evaluation == id).order_by(results.c.model)
        with self._database.read() as connection:
            return [ModelResult.model_validate(dict(row)) for row in connection.execute(wanted).mappings()]

    def note(self, id: str, model: str, **fields: Any) -> None:
        """Change a model's part."""
        key = (results.c.evaluation == id, results.c.model == model)
        with self._database.write() as connection:
            connection.execute(update(results).where(*key).values(**clean(fields)))
        self._latest = None

    def answers(self, id: str, model: str) -> dict[int, Answered]:
        """The answers of a model so far, by their rows."""
        wanted = select(answers.c.row, answers.c.answer, answers.c.ms, answers.c.problem)
        key = (answers.c.evaluation == id, answers.c.model == model)
        with self._database.read() as connection:
            found = connection.execute(wanted.where(*key)).mappings()
            return {row["row"]: Answered.model_validate(dict(row)) for row in found}

    def keep(self, id: str, model: str, given: Iterable[Answered]) -> None:
        """Keep answers."""
        rows = [{"evaluation": id, "model": model} | clean(one.model_dump()) for one in given]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(answers), rows)

    # --- what models are known to be right about -------------------------------------------------

    def accuracy(self, model: str, digest: str | None) -> JSON:
        """The newest score of a version with these weights as `accuracy`, and what it was measured on.

        Both are None where it was not measured.
        """
        found = self._scores().get(model)
        if found is None or found.digest != digest:
            return {"accuracy": None, "accuracy_of": None}
        measure = NAMES.get(found.figures.get("measure", ""), "")
        told = {name: found.figures.get(name) for name in ("set", "rows")}
        return {"accuracy": found.score, "accuracy_of": told | {"measure": measure}}

    def measured(self) -> list[ModelResult]:
        """The newest finished result of each version, the newest first."""
        return [*self._scores().values()]

    def _scores(self) -> dict[str, ModelResult]:
        known = self._latest
        if known is None:
            done = select(results).where(results.c.state == "done", results.c.score.is_not(None))
            with self._database.read() as connection:
                rows = connection.execute(done.order_by(results.c.measured_at)).mappings().all()
            found = {
                row["model"]: ModelResult.model_validate(dict(row))
                for row in rows
                if row["figures"].get("measure") not in NO_ACCURACY
            }
            known = self._latest = dict(reversed(found.items()))
        return known


def _row(evaluation: Evaluation) -> JSON:
    kept: JSON = clean(evaluation.model_dump())
    return kept | {"notes": list(evaluation.notes)}
