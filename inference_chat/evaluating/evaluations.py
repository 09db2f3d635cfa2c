"""Evaluations: how often models are right on a labelled set, measured in the background."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import Field

from ..errors import InferenceChatError, InvalidRequest
from ..registry.registry import ModelRecord
from ..schema import JSON, Frozen
from ..tasks import Task
from .measuring import Going, Part, Tools
from .scoring import MEASURES
from .sets import BUILT_IN, Sets
from .store import GOES_ON, Evaluation, ModelResult, State

MOST_ROWS: Final = 10_000


class Asked(Frozen):
    """What to evaluate: models, and a set that is built in or was kept before."""

    models: tuple[str, ...] = Field(min_length=1, max_length=10)
    set: str = Field(description="A built-in set, or the id of one that was sent.")
    task: Task | None = Field(None, description="Unset: that of the set, else the first that all models do.")
    metric: str | None = Field(None, description="The measure that counts; unset: the task's main one.")
    limit: int = Field(1000, ge=1, le=MOST_ROWS, description="At most so many rows, drawn by lot.")
    parameters: JSON = Field(default_factory=dict)


class Evaluations:
    """All evaluations; use it from one event loop. One runs at a time, others wait."""

    def __init__(self, tools: Tools, folder: Path) -> None:
        """`folder` keeps the sets that people have sent."""
        self.sets = Sets(folder)
        self._tools = tools
        self._store = tools.store
        self._going: dict[str, Going] = {}
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        """Stop what is under way; it can go on after the next start."""
        tasks = [one.task for one in self._going.values() if one.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- evaluations -----------------------------------------------------------------------------

    async def start(self, asked: Asked) -> JSON:
        """Begin an evaluation; raises what is wrong with the set, the models or the measure."""
        records = self._records(asked)
        task = asked.task or self._task(asked.set, records)
        measure = self._measure(task, asked, records)
        labelled = self.sets.open(asked.set)
        rows = await asyncio.to_thread(labelled.rows, task, asked.limit)
        evaluation = Evaluation(
            set_name=labelled.name,
            set_id=asked.set,
            task=task,
            measure=measure,
            most=asked.limit,
            parameters=asked.parameters,
            total=len(rows.kept),
            notes=tuple(rows.notes()),
        )
        await asyncio.to_thread(self._store.add, evaluation, [record.id for record in records])
        self._begin(evaluation)
        return await self.get(evaluation.id)

    async def resume(self, id: str) -> JSON:
        """Go on with one that was stopped; what was answered stays answered."""
        evaluation = await asyncio.to_thread(self._store.get, id)
        parts = await asyncio.to_thread(self._store.results, id)
        if id not in self._going and any(part.state != "done" for part in parts):
            self.sets.open(evaluation.set_id)
            await asyncio.to_thread(self._store.change, id, state="waiting")
            self._begin(evaluation)
        return await self.get(id)

    async def cancel(self, id: str) -> JSON:
        """Stop an evaluation; what was measured stays, and `resume` goes on from there."""
        going = self._going.get(id)
        if going is not None and going.task is not None:
            going.stop.set()
            for job in list(going.jobs):
                job.cancel()
            if not going.begun:  # its turn may be hours away
                going.task.cancel()
            await asyncio.wait([going.task])
        return await self.get(id)

    async def remove(self, id: str) -> None:
        """Forget an evaluation, and its set where no other needs it."""
        await self.cancel(id)
        known = await asyncio.to_thread(self._store.get, id)
        if await asyncio.to_thread(self._store.remove, id):
            await asyncio.to_thread(self.sets.remove, known.set_id)

    async def get(self, id: str) -> JSON:
        """An evaluation with every model's part, and which are the best choices (Pareto)."""
        evaluation = await asyncio.to_thread(self._store.get, id)
        parts = await asyncio.to_thread(self._store.results, id)
        return self._shown(evaluation, parts)

    async def newest(self, limit: int = 50) -> list[JSON]:
        """The newest evaluations."""
        found = await asyncio.to_thread(self._store.newest, limit)
        return [await self.get(one.id) for one in found]

    async def watch(self, id: str, every: float = 0.5) -> AsyncIterator[JSON]:
        """An evaluation again and again until it has ended."""
        while True:
            shown = await self.get(id)
            yield shown
            if shown["state"] not in GOES_ON:
                return
            going = self._going.get(id)
            if going is not None and going.task is not None:
                await asyncio.wait([going.task], timeout=every)

    # --- running ---------------------------------------------------------------------------------

    def _begin(self, evaluation: Evaluation) -> None:
        going = self._going[evaluation.id] = Going(evaluation)
        going.task = asyncio.create_task(self._run(going), name=f"evaluation-{evaluation.id}")

    async def _run(self, going: Going) -> None:
        id, notes = going.evaluation.id, list(going.evaluation.notes)
        state: State = "interrupted"
        try:
            async with self._turn:
                going.begun = True
                await self._measured(going)
            state = "cancelled" if going.stop.is_set() else "done"
        except asyncio.CancelledError:
            if not going.stop.is_set():
                raise
            state = "cancelled"
        except InferenceChatError as error:
            state = "failed"
            notes.append(error.detail)
        finally:
            self._going.pop(id, None)
            await asyncio.to_thread(self._store.change, id, state=state, notes=notes)

    async def _measured(self, going: Going) -> None:
        """Every part that is not done yet, one after the other."""
        if going.stop.is_set():
            return
        evaluation = going.evaluation
        await asyncio.to_thread(self._store.change, evaluation.id, state="running")
        labelled = self.sets.open(evaluation.set_id)
        rows = await asyncio.to_thread(labelled.rows, Task(evaluation.task), evaluation.most)
        for part in await asyncio.to_thread(self._store.results, evaluation.id):
            if part.state != "done" and not going.stop.is_set():
                await Part(self._tools, going, part.model, labelled, rows.kept).measure()

    # --- inside ----------------------------------------------------------------------------------

    def _records(self, asked: Asked) -> list[ModelRecord]:
        return [self._tools.models.record(ref, None) for ref in dict.fromkeys(asked.models)]

    def _measure(self, task: Task, asked: Asked, records: Sequence[ModelRecord]) -> str:
        """The measure that counts; raises `InvalidRequest`, `UnsupportedTask` for what cannot be measured."""
        names = MEASURES.get(task)
        if not names:
            raise InvalidRequest(f"{task} has no measure here; evaluate {', '.join(MEASURES)}.")
        if asked.metric is not None and asked.metric not in names:
            raise InvalidRequest(f"metric: of {task} one of {', '.join(names)}")
        for record in records:
            self._tools.models.record(record.id, task)
            self._tools.models.parameters(record, task, asked.parameters)
        return asked.metric or names[0]

    def _task(self, name: str, records: Sequence[ModelRecord]) -> Task:
        if name in BUILT_IN:
            return BUILT_IN[name].task
        for task in records[0].tasks:
            if task in MEASURES and all(task in record.tasks for record in records):
                return Task(task)
        raise InvalidRequest("These models have no task in common that can be measured; choose others.")

    def _shown(self, evaluation: Evaluation, parts: Sequence[ModelResult]) -> JSON:
        going = self._going.get(evaluation.id)
        shown = [
            part.model_dump(mode="json", exclude={"evaluation", "figures"}) | part.figures for part in parts
        ]
        for one in shown:
            now_at = going is not None and going.model == one["model"] and one["state"] == "running"
            one["done"] = going.done if going and now_at else one.get("done", 0)
        mark_best(shown)
        return evaluation.model_dump(mode="json") | {"results": shown}


def mark_best(parts: Sequence[JSON]) -> None:
    """Mark the models that no other equals or beats in score, latency and memory at once (Pareto).

    One that is right in nothing is no choice, however small it is.
    """
    measured = [one for one in parts if one.get("score") is not None and one.get("latency_ms") is not None]
    costs = {one["model"]: (-one["score"], one["latency_ms"], one.get("memory") or 0) for one in measured}
    for one in parts:
        mine = costs.get(one["model"])
        one["best"] = (
            mine is not None
            and mine[0] < 0
            and not any(
                other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
                for other in costs.values()
            )
        )
