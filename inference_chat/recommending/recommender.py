"""Which model for what somebody wants to do: the task by the starter that reads, models by measured figures.

A model is recommended only if it can run here; whatever else fits is named with what is in its way.
"""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InferenceChatError, InvalidRequest
from ..events import Labels
from ..intake import Intake
from ..jobs import Jobs
from ..models.models import Models
from ..pool import MIB, Pool
from ..records import Records
from ..registry.registry import ModelRecord, Registry
from ..registry.senses import AUTO
from ..runners import OPTIONS
from ..runners.device import memory_free
from ..schema import JSON
from ..tasks import TASKS, Task
from . import known
from .cues import points
from .wishes import Constraints, read

READER = "starter-reader"
# The reader is too sure of what it has not seen: of 72 fresh requests, 94 % are right this way.
TRUST, FLOOR, CUES = 0.6, 0.01, 0.7
SURE = 0.6
"""Below this share of the belief, other readings are offered first of all."""
PLANNED = 0.5
"""The score of `auto`, of which nothing is measured."""
SHOWN, ALTERNATIVES = 10, 3
LOOKED_INTO = 100  # models whose labels are read for one wish
LONGEST = 2000  # characters of a description that are read
TABS = {"image": "image", "video": "video", "text": "compare", "multimodal": "compare"}


@dataclass
class Candidate:
    """A model that does the task: what is known of it, and what speaks for and against it."""

    record: ModelRecord
    cost: JSON
    task: Task
    pace: tuple[float, int] | None = None
    """The median of its own time (ms) for this task, and of how many runs."""
    reasons: list[str] = field(default_factory=list)
    against: list[str] = field(default_factory=list)
    short_of_memory: bool = False
    unknown: bool = False
    """Whether its labels name nothing of the wish, while those of another do."""

    @property
    def memory(self) -> int:
        return self.record.memory_used or self.record.memory_estimate

    def told(self, score: float) -> JSON:
        """The candidate as doors give it."""
        return {
            "model": self.record.id,
            "score": round(score, 3),
            "reasons": self.reasons,
            "try": try_link(self.task, self.record.name),
        }


class Recommender:
    """Answers what to use for something; use it from one event loop."""

    def __init__(
        self, registry: Registry, models: Models, records: Records, pool: Pool, intake: Intake, jobs: Jobs
    ) -> None:
        self._registry = registry
        self._models = models
        self._records = records
        self._pool = pool
        self._intake = intake
        self._jobs = jobs

    async def recommend(
        self, description: str = "", task: str | None = None, constraints: Constraints | None = None
    ) -> JSON:
        """Models for a description in free words, or for a task that is named, within constraints.

        Raises `InvalidRequest` without either, and `UnsupportedTask` for a task that does not exist.
        """
        if not description.strip() and not task:
            raise InvalidRequest("Say what you want to do, as “count parts on a conveyor”, or name a task.")
        said, words = read(description[:LONGEST])
        wanted = (constraints or Constraints()).over(said)
        understood, notes = await self._understood(words, task)
        meant = Task(understood["task"])
        found = await self._candidates(meant, wanted)
        await asyncio.to_thread(self._look_for_things, meant, words if description.strip() else "", found)
        good = sorted(((_score(one), one) for one in found if not one.against), key=lambda pair: -pair[0])
        bad = [one for one in found if one.against]
        told = [one.told(score) for score, one in good[:SHOWN]]
        if not found and self._intake.planned(meant):
            told = [_plan(meant)]
        return {
            "task": meant.value,
            "understood": understood,
            "constraints": wanted.model_dump(exclude_none=True),
            "recommendations": told,
            "left_out": [_left(one) for one in bad if not one.short_of_memory][:SHOWN],
            "with_more_memory": [_left(one) for one in bad if one.short_of_memory][:SHOWN],
            "notes": notes + _remarks(meant, told, bad),
        }

    # --- the task --------------------------------------------------------------------------------

    async def _understood(self, words: str, task: str | None) -> tuple[JSON, list[str]]:
        if task:
            named = self._intake.task(None, task, None)
            return {"task": named.value, "score": 1.0, "by": ["the request"], "alternatives": []}, []
        read_by, notes = await self._read(words)
        beliefs = believed(words, read_by)
        first, *others = sorted(beliefs, key=lambda one: -beliefs[one])
        if beliefs[first] < SURE:
            notes.append(
                "This is a guess: name the task, or say more of what goes in and what shall come out."
            )
        return {
            "task": first.value,
            "score": round(beliefs[first], 3),
            "by": [READER, "keywords"] if read_by else ["keywords"],
            "alternatives": [
                {"task": one.value, "score": round(beliefs[one], 3), "models": self._count(one)}
                for one in others[:ALTERNATIVES]
            ],
        }, notes

    async def _read(self, words: str) -> tuple[dict[Task, float], list[str]]:
        """What the starter makes of it, like any other request; nothing where it is not there."""
        asked: JSON = {"task": Task.TEXT_CLASSIFICATION.value, "model": READER, "prompt": words}
        try:
            request = await self._intake.request(**asked, parameters={"top_k": len(Task)})
            result = await self._jobs.start(request).result()
        except InferenceChatError as error:
            return {}, [f"Only keywords were looked at: {error.detail}"]
        labels = [item for event in result.outcomes if isinstance(event, Labels) for item in event.items]
        return {Task(one.label): one.score or 0.0 for one in labels if one.label in set(Task)}, []

    def _count(self, task: Task) -> int:
        return self._registry.list(task=task, limit=0)[1]

    # --- the models ------------------------------------------------------------------------------

    async def _candidates(self, task: Task, wanted: Constraints) -> list[Candidate]:
        records, _ = self._registry.list(task=task, limit=1_000_000)
        names = {record.name for record in records}
        meant = [record for name in sorted(names) if task in (record := self._registry.get(name)).tasks]
        costs = await self._models.costs(meant)
        paces = await asyncio.to_thread(self._records.paces, [record.id for record in meant], task.value)
        found = [
            Candidate(record, cost, task, paces.get(record.id))
            for record, cost in zip(meant, costs, strict=True)
        ]
        await asyncio.to_thread(self._judge_all, found, wanted)
        return found

    def _judge_all(self, found: Sequence[Candidate], wanted: Constraints) -> None:
        room = min(self._pool.limit, memory_free() + sum(self._pool.memory().values()))
        for one in found:
            self._judge(one, wanted, room)

    def _judge(self, one: Candidate, wanted: Constraints, room: int) -> None:
        """Write down what speaks for and against a model."""
        for judge in (_right, _quick, _small, _tried, _licensed):
            judge(one, wanted)
        status = self._pool.status(one.record.id)
        if status == "loaded":
            one.reasons.append("in memory now: it answers without loading")
        if status == "failed":
            one.against.append(f"it could not be loaded: {self._pool.error(one.record.id)}")
        self._look_for_files(one)
        if one.memory > room:
            one.short_of_memory = True
            one.against.append(
                f"it needs {_mib(one.memory)} of memory and {_mib(room)} can be had here; "
                "raise MEMORY_LIMIT_MB, or use a larger machine"
            )

    def _look_for_things(self, task: Task, words: str, found: Sequence[Candidate]) -> None:
        """Write down which models have labels for what the wish names; blocks while those are read."""
        if task not in known.LABELLED or not words:
            return
        labels: dict[int, list[str]] = {}
        for at, one in enumerate(found[:LOOKED_INTO]):
            if not self._models.there(one.record):  # nothing is fetched to be looked into
                continue
            with contextlib.suppress(InferenceChatError):  # what is wrong with it is said elsewhere
                labels[at] = known.usable(self._models.labels(one.record))
        hits = {at: known.named(words, names) for at, names in labels.items()}
        for at, names in labels.items():
            if names:
                found[at].unknown = not hits[at] and any(hits.values())
                found[at].reasons.insert(0, known.reason(names, hits[at]))

    def _look_for_files(self, one: Candidate) -> None:
        there, source = self._models.there(one.record), one.record.source
        if source == "endpoint":
            one.reasons.append("answers at another server, not on this machine")
        elif source == "hub" and not there:
            size = f" ({_mib(one.record.file_size)})" if one.record.file_size else ""
            one.reasons.append(
                f"must be fetched from the Hub first{size}: it cannot run here while that is out of reach"
            )
        elif not there:
            one.against.append("its folder is gone; register it again")


def believed(words: str, read_by: dict[Task, float]) -> dict[Task, float]:
    """How likely each task is meant: the reader's belief and plain keywords together; they sum to 1."""
    cues = points(words)
    raw = {task: TRUST * math.log(read_by.get(task, 0.0) + FLOOR) + CUES * cues[task] for task in OPTIONS}
    top = max(raw.values())
    weights = {task: math.exp(value - top) for task, value in raw.items()}
    return {task: weight / sum(weights.values()) for task, weight in weights.items()}


def try_link(task: Task, model: str) -> str:
    """The address, below the page's own, of the tab where a model can be tried on a task."""
    tab = "chat" if task == Task.TEXT_GENERATION else TABS[TASKS[task].group]
    return f"?tab={tab}&model={model}&task={task.value}"


# --- what speaks for and against a model -------------------------------------------------------------


def _right(one: Candidate, _: Constraints) -> None:
    if (accuracy := one.cost.get("accuracy")) is not None:
        of = one.cost.get("accuracy_of") or {}
        where = (
            f"{of.get('set')}, {of.get('rows'):,} rows, by {of.get('measure')}" if of.get("rows") else "a set"
        )
        one.reasons.append(f"right in {accuracy:.1%}, measured here on {where}")


def _quick(one: Candidate, wanted: Constraints) -> None:
    most = wanted.max_latency_ms
    if one.pace is not None:
        middle, runs = one.pace
        one.reasons.append(f"takes {_ms(middle)} once it is loaded (the median of {_runs(runs)} here)")
        if most and middle > most:
            one.against.append(f"takes {_ms(middle)} (the median of {_runs(runs)} here), not {_ms(most)}")
    elif most:
        one.reasons.append(f"not timed here yet: run it once to see whether it keeps to {_ms(most)}")
    if speed := one.cost.get("tokens_per_second"):
        one.reasons.append(f"writes {speed:,.0f} tokens a second here")


def _small(one: Candidate, wanted: Constraints) -> None:
    if not one.memory:
        one.reasons.append("its memory is known only once it has been loaded")
        if wanted.max_memory_mb:
            one.against.append("nobody knows yet how much memory it takes; load it once")
        return
    how = "measured" if one.record.memory_used else "estimated"
    one.reasons.append(f"takes {_mib(one.memory)} of memory ({how})")
    if wanted.max_memory_mb and one.memory > wanted.max_memory_mb * MIB:
        one.short_of_memory = True
        one.against.append(f"takes {_mib(one.memory)} of memory ({how}), not {wanted.max_memory_mb:,.0f} MiB")


def _tried(one: Candidate, _: Constraints) -> None:
    requests, errors = one.cost.get("requests", 0), one.cost.get("errors", 0)
    if errors:
        one.reasons.append(f"{errors:,} of its {requests:,} runs here failed")


def _licensed(one: Candidate, wanted: Constraints) -> None:
    told = one.record.license
    if told:
        one.reasons.append(f"licence {told}")
    if not wanted.allows(told):
        one.against.append(f"its licence is {told or 'not said'}, not {wanted.license}")


def _score(one: Candidate) -> float:
    """0 to 1: how often it is right, then how quick, how small, how surely it runs; unknown is the middle."""
    accuracy, middle = one.cost.get("accuracy"), one.pace[0] if one.pace else None
    requests = one.cost.get("requests", 0)
    right = 0.5 if accuracy is None else accuracy
    quick = 0.4 if middle is None else 1 / (1 + middle / 1000)
    small = 0.4 if not one.memory else 1 / (1 + one.memory / (1 << 30))
    sound = 1 - one.cost.get("errors", 0) / requests if requests else 0.7
    here = {"local": 1.0, "hub": 0.6, "endpoint": 0.5}[one.record.source]
    first = 1.0 if one.record.tasks[:1] == (one.task.value,) else 0.7
    total = 0.4 * right + 0.2 * quick + 0.1 * small + 0.1 * sound + 0.1 * here + 0.1 * first
    return total / 2 if one.unknown else total


def _plan(task: Task) -> JSON:
    """Where no single model takes such questions: several that are here together."""
    reasons = ["no single model here takes such questions", "answers by what several models here find"]
    return {"model": AUTO.id, "score": PLANNED, "reasons": reasons, "try": try_link(task, AUTO.name)}


def _left(one: Candidate) -> JSON:
    return {"model": one.record.id, "reasons": one.against, "known": one.reasons}


def _remarks(task: Task, good: Sequence[Any], bad: Sequence[Candidate]) -> list[str]:
    """What must be said of the whole answer."""
    if good:
        return []
    if bad:
        return [f"No model for {task} keeps to all of this here; what is in the way of each is said below."]
    return [f"No model for {task} is registered here: register a folder or a hub id that does it."]


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB" if size >= MIB else f"{size / 1024:,.0f} KiB"


def _runs(count: int) -> str:
    return "one run" if count == 1 else f"{count:,} runs"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:,.1f} s"
