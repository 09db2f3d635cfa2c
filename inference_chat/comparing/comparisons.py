"""The same input to several models: side by side where they fit into memory together, else in turn.

What is wrong with one model stays in its own row. What is wrong with the input is raised before
anything runs.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from ..errors import InferenceChatError, InvalidRequest, NotFound, UnsupportedTask
from ..events import Result
from ..intake import Intake
from ..jobs import Job, Jobs
from ..outputs import answer_of, outputs_of
from ..pool import MIB, Pool
from ..registry.registry import ModelRecord, Registry
from ..registry.senses import AUTO
from ..runners import OPTIONS
from ..runners.device import memory_free
from ..schema import JSON, Request, new_id
from ..tasks import Task
from .differences import of_batch
from .energy import Energy, Meter
from .figures import NOT_HERE, failed, held, needed, spent

LEAST, MOST = 2, 6
Order = Literal["parallel", "in_turn", "groups"]
Explain = Callable[[InferenceChatError], JSON]
SHARED = (
    "They ran at the same time and shared the processor, so each took longer than it does alone; its own "
    "work (`compute_ms`) leaves the others out. One after the other (`in_turn`), each is timed alone."
)
ASKED = "They ran one after the other, as was asked."
AFTERWARDS = "The model auto puts others to work, perhaps these, so it ran after them."
PLANNED: dict[Task, str | None] = {
    Task.VISUAL_QUESTION_ANSWERING: None,
    Task.IMAGE_TEXT_TO_TEXT: None,
    Task.VIDEO_TEXT_TO_TEXT: None,
    Task.IMAGE_TO_TEXT: "What is in the picture?",
}
"""Tasks that `auto` does as part of talking about files, and what it is asked where nothing else is."""


@dataclass(eq=False)
class Row:
    """One model of a comparison: its job once it runs, or why it does not."""

    ref: str
    record: ModelRecord | None = None
    request: Request | None = None
    job: Job | None = None
    error: InferenceChatError | None = None
    memory: int | None = None
    size: int | None = None
    energy: Energy | None = None
    load_ms: float = 0.0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there is a job to watch, or none will ever be."""

    @property
    def model(self) -> str:
        return self.record.id if self.record else self.ref

    @property
    def planned(self) -> bool:
        """Whether it is `auto`: several models at work."""
        return self.record is AUTO

    @property
    def elsewhere(self) -> bool:
        """Whether another server runs it: nothing here is loaded, shared or measured."""
        return self.record is not None and self.record.source == "endpoint"


class Comparison:
    """One input on its way through several models; it goes on until it is done or cancelled."""

    def __init__(
        self, task: Task, rows: Sequence[Row], waves: Sequence[Sequence[Row]], order: Order, note: str
    ) -> None:
        self.id = new_id()
        self.task = task
        self.rows = tuple(rows)
        self.waves = tuple(tuple(wave) for wave in waves)
        self.order = order
        self.note = note
        self.cancelled = False
        self.measured = asyncio.Event()
        """Set once every row's memory and energy are known."""

    @property
    def groups(self) -> list[list[str]]:
        """The models that run together, group after group."""
        return [[row.model for row in wave] for wave in self.waves]

    @property
    def notes(self) -> list[str]:
        return [self.note] if self.note else []

    @property
    def jobs(self) -> list[Job]:
        """Those that have begun."""
        return [row.job for row in self.rows if row.job]

    def cancel(self) -> None:
        """Stop what runs, and begin nothing more; rows keep what they have."""
        self.cancelled = True
        for job in self.jobs:
            job.cancel()

    async def result_of(self, row: Row) -> Result | None:
        """A row's result once it is there; None when it failed, and then `row.error` says why."""
        await row.begun.wait()
        if row.job is None:
            return None
        try:
            return await row.job.result()
        except InferenceChatError as error:
            row.error = error
            return None

    async def answer(self, explain: Explain, rows: Sequence[Row] | None = None) -> JSON:
        """Everything: a result or an error for each model, the table, how much they agree.

        `explain` makes JSON of an error, in the words of the door; `rows` is another order to tell it in.
        """
        found = [(row, await self.result_of(row)) for row in rows or self.rows]
        await self.measured.wait()
        good = [(row, result) for row, result in found if result]
        return {
            "id": self.id,
            "task": self.task.value,
            "order": self.order,
            "groups": self.groups,
            "notes": self.notes,
            "results": [self.told(row, result, explain) for row, result in found],
            "table": [figures(row, result) for row, result in found],
            "agreement": await asyncio.to_thread(_agreements, self.task, good),
        }

    def told(self, row: Row, result: Result | None, explain: Explain) -> JSON:
        """A row's result or error."""
        if result is None or row.job is None:
            error = row.error or InvalidRequest("It was stopped before it began.")
            return {"model": row.model, "error": explain(error)}
        return {"model": row.model, "result": answer_of(row.job.id, row.job.request, result)}


class Comparisons:
    """Begins comparisons; use it from one event loop."""

    def __init__(self, intake: Intake, registry: Registry, pool: Pool, jobs: Jobs, meter: Meter) -> None:
        self._intake = intake
        self._registry = registry
        self._pool = pool
        self._jobs = jobs
        self._meter = meter
        self._open: dict[Comparison, asyncio.Task[None]] = {}

    async def begin(
        self, models: Sequence[str], asked: JSON, *, in_turn: bool = False, least: int = LEAST
    ) -> Comparison:
        """Start the same request, given as `Intake.request` takes it but for the model, for each of `models`.

        Answers are not taken from the cache unless `use_cache` is true, since they are to be measured.
        """
        rows = self._rows(models, least)
        asked = {"use_cache": False, **asked}
        told, media = await self._intake.messages(asked.pop("messages", ()))
        asked |= {"messages": told, "media": (*asked.get("media", ()), *media)}
        task = self._task(rows, asked)
        asked |= {"group": None, "task": task.value}
        for row in rows:
            await self._accept(row, asked)
        _refuse_hopeless(rows)
        comparison = self._planned(task, rows, in_turn)
        running = asyncio.create_task(self._run(comparison), name=f"compare-{comparison.id}")
        self._open[comparison] = running
        running.add_done_callback(lambda _: self._open.pop(comparison, None))
        return comparison

    async def close(self) -> None:
        """Cancel everything, and wait until nothing more begins."""
        for comparison in self._open:
            comparison.cancel()
        await asyncio.gather(*self._open.values())

    def _rows(self, models: Sequence[str], least: int) -> list[Row]:
        if not least <= len(models) <= MOST:
            raise InvalidRequest(f"models: name {least} to {MOST} of them, not {len(models)}.")
        rows = [Row(ref) for ref in models]
        for row in rows:
            try:
                row.record = AUTO if row.ref in (AUTO.name, AUTO.id) else self._registry.get(row.ref)
            except NotFound as error:
                row.error = error
        twice = [model for model, count in Counter(row.model for row in rows).items() if count > 1]
        if twice:
            raise InvalidRequest(f"models: {twice[0]} is there more than once.")
        return rows

    def _task(self, rows: Sequence[Row], asked: JSON) -> Task:
        """The task that was named, else what the input suggests to most of the models."""
        group, media, prompt = asked.get("group"), asked["media"], asked.get("prompt")
        more = (media, prompt, asked.get("parameters"))
        if asked.get("task"):
            return self._intake.task(group, asked["task"], None, *more)
        suggested: Counter[Task] = Counter()
        errors: list[InferenceChatError] = []
        named = [row for row in rows if row.record]
        for row in [row for row in named if not row.planned] or named:
            assert row.record is not None
            try:
                suggested[self._intake.task(group, None, row.record.id, *more)] += 1
            except UnsupportedTask as error:
                errors.append(error)
        if suggested:
            return suggested.most_common(1)[0][0]
        raise next((row.error for row in rows if row.error), None) or errors[0]

    async def _accept(self, row: Row, asked: JSON) -> None:
        if row.error is not None:
            return
        try:
            row.request = await self._intake.request(
                model=row.model, **(_planned(asked) if row.planned else asked)
            )
        except InferenceChatError as error:
            row.error = error

    def _planned(self, task: Task, rows: Sequence[Row], in_turn: bool) -> Comparison:
        able = [row for row in rows if row.request]
        holds = self._pool.memory()
        room = min(self._pool.limit, memory_free() + sum(holds.values()))
        needs = [None if row.elsewhere else holds.get(row.model) or needed(row.record) for row in able]
        alone = [[at] for at in range(len(able))]
        groups = alone if in_turn else groups_of(needs, room, self._pool.places)
        waves = [[able[at] for at in group] for group in groups]
        if len(waves) < 2:
            shared = sum(not row.elsewhere for row in able) > 1
            return Comparison(task, rows, waves, "parallel", SHARED if shared else "")
        order: Order = "in_turn" if len(waves) == len(able) else "groups"
        if in_turn:
            return Comparison(task, rows, waves, order, ASKED)
        if len(waves) == 2 and waves[-1][0].planned:
            return Comparison(task, rows, waves, order, AFTERWARDS)
        what = "one after the other" if order == "in_turn" else f"in {len(waves)} groups, one after another"
        return Comparison(task, rows, waves, order, f"{self._why(needs, room)}, so they ran {what}.")

    def _why(self, needs: Sequence[int | None], room: int) -> str:
        """Why not all of them could run together."""
        can = f"{room // MIB:,} MiB can be had for at most {self._pool.places} models"
        if 0 in needs:
            return f"How much memory one of them needs is known only once it has run, and {can}"
        return f"Together they need about {sum(need or 0 for need in needs) // MIB:,} MiB of memory and {can}"

    async def _run(self, comparison: Comparison) -> None:
        """One group after the other; a job that fails or is cancelled ends like any other."""
        for row in comparison.rows:
            if row.error is not None:
                row.begun.set()
        try:
            for wave in comparison.waves:
                for row in wave:
                    await self._load(row, comparison)
                before = await asyncio.to_thread(self._meter.read)
                for row in wave:
                    self._start(row, comparison)
                done = []
                for row in wave:
                    done.append(await comparison.result_of(row))
                    self._measure(row, done[-1])
                works = [
                    result.finished.timing.compute_ms if result and not row.elsewhere else 0.0
                    for row, result in zip(wave, done, strict=True)
                ]
                shares = await asyncio.to_thread(self._meter.shares, before, works)
                for row, share, result in zip(wave, shares, done, strict=True):
                    row.energy = share if result else None
        finally:
            comparison.measured.set()

    async def _load(self, row: Row, comparison: Comparison) -> None:
        """Load a model before any of its group runs: nobody's time has another's loading in it."""
        if comparison.cancelled or row.record is None or row.planned:
            return
        if self._pool.status(row.model) == "loaded":
            return
        began = asyncio.get_running_loop().time()
        try:
            await self._pool.load(row.record)
        except InferenceChatError as error:
            row.error = error
        row.load_ms = round((asyncio.get_running_loop().time() - began) * 1000, 3)

    def _start(self, row: Row, comparison: Comparison) -> None:
        assert row.request is not None
        try:
            if row.error is None and not comparison.cancelled:
                row.job = self._jobs.start(row.request)
        except InferenceChatError as error:
            row.error = error
        row.begun.set()

    def _measure(self, row: Row, result: Result | None) -> None:
        """What it takes of memory now: later it may have made room for another."""
        holds = self._pool.memory()
        if not row.planned:
            row.memory = holds.get(row.model)
        elif result and result.finished.receipt:
            worked = {step.model for step in result.finished.receipt.plan or ()}
            row.memory = sum(holds.get(model, 0) for model in worked) or None
            row.size = sum(self._registry.get(model).file_size or 0 for model in worked) or None


def _planned(asked: JSON) -> JSON:
    """What `auto` is asked instead: it talks about files, and takes the settings that this knows."""
    task = Task(asked["task"])
    if task not in PLANNED:
        return asked
    known = OPTIONS[Task.ANY_TO_ANY].model_fields
    given = {name: value for name, value in (asked.get("parameters") or {}).items() if name in known}
    prompt = asked.get("prompt") or (None if asked["messages"] else PLANNED[task])
    return asked | {"task": Task.ANY_TO_ANY.value, "prompt": prompt, "parameters": given}


def groups_of(needs: Sequence[int | None], room: int, places: int) -> list[list[int]]:
    """Positions in groups that fit into `room` together, at most `places` in each, in their order.

    Those that do not fit even alone, and those of which nothing is known (0), are alone. Those that take
    nothing here (None) join the group before them.
    """
    groups: list[list[int]] = []
    left, free = 0, 0
    for at, need in enumerate(needs):
        joins = need is None or (need and need <= left and free > 0)
        if not groups or not joins:
            groups.append([])
            left, free = (0 if need == 0 else room), places
        groups[-1].append(at)
        if need is not None:
            left, free = left - need, free - 1
    return groups


def figures(row: Row, result: Result | None) -> JSON:
    """A row of the table; durations in milliseconds, sizes in bytes, None for what does not apply."""
    record = None if row.planned else row.record
    told = held(row.model, record, row.memory) | ({"size": row.size} if row.planned else {})
    if result is None:
        return told | failed(row.error.code if row.error else None)
    spends = spent(result, row.load_ms, row.energy)
    return told | (spends | NOT_HERE if row.elsewhere else spends)


def _agreements(task: Task, good: Sequence[tuple[Row, Result]]) -> list[JSON]:
    """Each pair of finished rows compared, in the way of the task."""
    outputs = [(row.model, outputs_of(row.request, result)) for row, result in good if row.request]
    return [
        {"models": [one, other], **of_batch(task, ones, others)}
        for (one, ones), (other, others) in combinations(outputs, 2)
        if len(ones) == len(others)
    ]


def _refuse_hopeless(rows: Sequence[Row]) -> None:
    """Raise what is wrong with the input itself: then no row could run, whatever the model."""
    errors = [row.error for row in rows]
    own = (NotFound, UnsupportedTask)
    if all(errors) and not any(isinstance(error, own) for error in errors):
        assert errors[0] is not None
        raise errors[0]
