"""One model's part of an evaluation: every row asked for, and what its answers come to.

Each row is an ordinary request: it waits in the queue like others and is recorded like others, only the cache
is left out. The first rows are asked for one by one, which tells the time of one answer; the rest in batches.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from ..errors import BadMedia, InferenceChatError, InvalidRequest, Overloaded, TooLarge, UnsupportedMediaType
from ..events import Result
from ..intake import Intake
from ..jobs import Job, Jobs
from ..models.models import Models
from ..outputs import Output, outputs_of
from ..registry.registry import ModelRecord
from ..schema import JSON, Media, Message, Request, now
from ..tasks import TASKS, Task
from .labelled import LabelledSet, Row
from .regions import counted, overlaps
from .scoring import MEASURES, SURPRISE, Pair, goodness, perplexity, plain, right, scored
from .store import Answered, Evaluation, EvaluationStore, State

logger = logging.getLogger(__name__)
ALONE: Final = 10  # rows asked for one by one, for the time of one answer
TOGETHER: Final = 8  # rows of the others under way at once: pictures in one request, texts in one each
FAILURES: Final = 5  # so many failures in a row, and the model's part ends
MISTAKES: Final = 12  # that are shown
LABELLED: Final = frozenset(
    task for task, names in MEASURES.items() if names[0] in ("accuracy", "map50", "mean_iou")
)
READ: Final[JSON] = {"echo": True, "max_tokens": 0, "logprobs": 0}  # nothing is written
UNREADABLE = (BadMedia, TooLarge, UnsupportedMediaType)


@dataclass
class Going:
    """An evaluation under way: how far it is, for those who look."""

    evaluation: Evaluation
    task: "asyncio.Task[None] | None" = None
    begun: bool = False
    model: str = ""
    done: int = 0
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    jobs: set[Job] = field(default_factory=set)


@dataclass(frozen=True)
class Tools:
    """What a measurement works with."""

    store: EvaluationStore
    models: Models
    intake: Intake
    jobs: Jobs


class Part:
    """One model's part of an evaluation."""

    def __init__(
        self, tools: Tools, going: Going, model: str, labelled: LabelledSet, rows: Sequence[Row]
    ) -> None:
        self._tools = tools
        self._going = going
        self._evaluation = going.evaluation
        self._task = Task(going.evaluation.task)
        self._model = model
        self._labelled = labelled
        self._rows = rows
        self._answers: dict[int, Answered] = {}
        self._notes: list[str] = []
        self._failures = 0
        self._surprise = going.evaluation.measure == SURPRISE

    async def measure(self) -> None:
        """Ask for every row that has no answer yet, then tell what came of it."""
        store, key = self._tools.store, (self._evaluation.id, self._model)
        await asyncio.to_thread(store.note, *key, state="running", error=None)
        self._answers = await asyncio.to_thread(store.answers, *key)
        self._going.model, self._going.done = self._model, len(self._answers)
        try:
            fields = await self._measured()
        except InferenceChatError as error:
            fields = {"state": "failed", "error": error.detail}
        except asyncio.CancelledError:
            store.note(*key, state="interrupted")
            raise
        await asyncio.to_thread(store.note, *key, **fields)

    async def _measured(self) -> JSON:
        """What there is to note about the model's part, once it is done or was stopped."""
        record = self._tools.models.record(self._model, self._task)
        memory = (await self._tools.models.load(record.id))["memory_used"]
        await self._know_labels(record)
        clock, before = asyncio.get_running_loop().time, len(self._answers)
        began = clock()
        await self._ask_all()
        spent, new = clock() - began, len(self._answers) - before
        figures = await asyncio.to_thread(self._figures)
        value = figures["scores"].get(self._evaluation.measure)
        state: State = "cancelled" if self._going.stop.is_set() else "done"
        return {
            "state": state,
            "digest": record.sha256,
            "measured_at": now(),
            "score": None if value is None else goodness(self._evaluation.measure, value),
            "figures": figures
            | {"memory": memory, "rows_per_second": new / spent if new and spent else None},
        }

    async def _know_labels(self, record: ModelRecord) -> None:
        """Say which labels of the set the model cannot give; raises `InvalidRequest` where it knows none."""
        if self._task not in LABELLED:
            return
        known = {plain(name): name for name in await asyncio.to_thread(self._tools.models.labels, record)}
        asked = {
            label
            for row in self._rows
            for label in ([one["label"] for one in row.truth] if isinstance(row.truth, list) else [row.truth])
        }
        strange = sorted(label for label in asked if plain(label) not in known)
        if not known or not strange or self._evaluation.parameters.get("labels"):
            return
        named = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if len(strange) > 5 else "")
        if len(strange) == len(asked):
            some = ", ".join(sorted(known.values())[:5])
            raise InvalidRequest(f"It knows none of the set's labels ({named}); it knows {some}, …")
        self._notes.append(f"It does not know the labels {named}; these rows count as wrong.")

    async def _ask_all(self) -> None:
        rows = [row for row in self._rows if row.number not in self._answers]
        alone = max(0, ALONE - len(self._answers))
        for start in range(min(alone, len(rows))):
            await self._keep(await self._asked([rows[start]], timed=True))
        for start in range(alone, len(rows), TOGETHER):
            await self._keep(await self._asked(rows[start : start + TOGETHER]))

    async def _keep(self, given: Sequence[Answered]) -> None:
        await asyncio.to_thread(self._tools.store.keep, self._evaluation.id, self._model, given)
        self._answers |= {one.row: one for one in given}
        self._going.done = len(self._answers)

    async def _asked(self, rows: Sequence[Row], *, timed: bool = False) -> list[Answered]:
        """The answers to some rows; none once the evaluation is stopped."""
        if self._going.stop.is_set():
            return []
        kind = TASKS[self._task].media
        if kind == "image" and len(rows) > 1 and not any(row.text for row in rows):
            found = await self._batch(rows)
        else:
            found = await asyncio.gather(*(self._one(row, timed=timed) for row in rows))
        return [one for one in found if one is not None]

    async def _batch(self, rows: Sequence[Row]) -> list[Answered | None]:
        """Pictures in one request; those that nothing came of are asked for alone, to hear why."""
        try:
            media = [await self._medium(row) for row in rows]
            job, result = await self._result(media, None)
        except InferenceChatError:
            return [await self._one(row) for row in rows]
        if result.finished.finish_reason == "cancelled":
            return []
        outputs = outputs_of(job.request, result)
        return [
            await self._given(row, output) if output else await self._one(row)
            for row, output in zip(rows, outputs, strict=True)
        ]

    async def _one(self, row: Row, *, timed: bool = False) -> Answered | None:
        """The answer to a row; None when the evaluation was stopped meanwhile."""
        try:
            media = [await self._medium(row)] if row.file is not None else []
        except (*UNREADABLE, InvalidRequest) as error:
            return Answered(row=row.number, problem=error.detail)
        try:
            job, result = await self._result(media, row.text if not self._surprise else _whole(row))
        except UNREADABLE as error:
            return Answered(row=row.number, problem=error.detail)
        except InferenceChatError as error:
            self._failures += 1
            if self._failures >= FAILURES:
                raise
            logger.info("Row %d of an evaluation failed: %s", row.number, error.detail)
            return Answered(row=row.number, answer="")
        self._failures = 0
        if result.finished.finish_reason == "cancelled":
            return None
        spent = result.finished.timing
        ms = round(spent.total_ms - spent.queue_ms - spent.load_ms, 3) if timed else None
        if self._surprise:
            told = _surprise_of(row, result)
            problem = None if told[1] else "the model tells no probabilities of a text"
            return Answered(row=row.number, answer=told, ms=ms, problem=problem)
        return await self._given(row, outputs_of(job.request, result)[0], ms)

    async def _given(self, row: Row, output: Output, ms: float | None = None) -> Answered:
        """What counts of an output; regions are compared at once, so that no mask is kept."""
        if self._task != Task.IMAGE_SEGMENTATION:
            return Answered(row=row.number, answer=_answer(output), ms=ms)
        said = output if isinstance(output, list) else []
        truth = row.truth if isinstance(row.truth, list) else []
        try:
            found = await asyncio.to_thread(counted, truth, said, self._labelled.file, plain)
        except (*UNREADABLE, InvalidRequest) as error:
            return Answered(row=row.number, problem=error.detail)
        return Answered(row=row.number, answer=found, ms=ms)

    async def _result(self, media: Sequence[Media], text: str | None) -> tuple[Job, Result]:
        """What the model makes of a row, or of several pictures."""
        needs = TASKS[self._task]
        chat = self._task == Task.TEXT_GENERATION and text is not None and not self._surprise
        request = await self._tools.intake.request(
            group=needs.group,
            task=self._task,
            model=self._model,
            prompt=None if chat else text,
            messages=[Message(role="user", content=text or "")] if chat else (),
            media=media,
            parameters=_settled(self._task) | self._evaluation.parameters | (READ if self._surprise else {}),
            use_cache=False,
        )
        job = await self._queued(request)
        self._going.jobs.add(job)
        try:
            return job, await job.result()
        finally:
            self._going.jobs.discard(job)

    async def _queued(self, request: Request) -> Job:
        """A place in the queue; where it is full, people's own requests come first."""
        while True:
            try:
                return self._tools.jobs.start(request)
            except Overloaded as error:
                await asyncio.sleep(error.retry_after)

    async def _medium(self, row: Row) -> Media:
        kind = TASKS[self._task].media
        assert kind is not None
        data = await asyncio.to_thread(self._labelled.file, row.file or "")
        return await self._tools.intake.file(data, kind)

    @property
    def _good(self) -> list[tuple[Row, Answered]]:
        """The rows that were answered, rightly or not."""
        found = [(row, self._answers[row.number]) for row in self._rows if row.number in self._answers]
        return [(row, given) for row, given in found if given.problem is None]

    def _figures(self) -> JSON:
        """What the answers so far come to."""
        good = self._good
        if self._surprise:
            scores, wrong = perplexity([given.answer for _, given in good]), []
        else:
            pairs = [Pair(row.truth, given.answer) for row, given in good]
            scores = scored(self._task, pairs)
            marks = [right(self._task, pair) for pair in pairs]
            wrong = [one for one, mark in zip(good, marks, strict=True) if not mark]
        times = [given.ms for _, given in good if given.ms is not None]
        bad = [f"row {one.row:,}: {one.problem}" for one in self._answers.values() if one.problem]
        notes = [*self._notes, *([f"{len(bad):,} rows were left out: {'; '.join(bad[:5])}"] if bad else [])]
        return {
            "set": self._evaluation.set_name,
            "measure": self._evaluation.measure,
            "done": len(self._answers),
            "rows": len(good),
            "right": None if self._surprise else len(good) - len(wrong),
            "scores": scores,
            "latency_ms": round(median(times), 2) if times else None,
            "notes": notes,
            "mistakes": [
                {
                    "row": row.number,
                    "input": row.shown,
                    "truth": _brief(row.truth),
                    "answer": _brief(given.answer),
                }
                for row, given in wrong[:MISTAKES]
            ],
        }


def _answer(output: Any) -> Any:
    """What counts of an output: objects with boxes, the first label, or the text."""
    match output:
        case [{"box": _}, *_]:
            return [{name: one[name] for name in ("label", "score", "box") if name in one} for one in output]
        case [{"label": str(label)}, *_]:
            return label
        case {"labels": [{"label": str(label)}, *_]}:
            return label
        case {"text": str(text)}:
            return text.strip()
        case []:
            return []
    return ""


def _whole(row: Row) -> str:
    """The input with the right answer after it, to be read as it stands."""
    return f"{row.text} {row.truth}"


def _surprise_of(row: Row, result: Result) -> tuple[float, int]:
    """The log-probability of the right answer's tokens, and how many they are."""
    place, total, count = 0, 0.0, 0
    for token in result.tokens[0]:
        place += len(token.text)
        if place > len(row.text or "") and token.logprob is not None:
            total, count = total + token.logprob, count + 1
    return total, count


def _brief(told: Any) -> str:
    if isinstance(told, dict):
        worst = sorted(overlaps([told]).items(), key=lambda pair: pair[1])
        told = ", ".join(f"{label} IoU {share:.2f}" for label, share in worst)
    if isinstance(told, list):
        told = ", ".join(one["label"] for one in told if one.get("score", 1.0) >= 0.5) or "nothing"
    words = str(told)
    return words if len(words) <= 200 else f"{words[:199]}…"


def _settled(task: Task) -> JSON:
    """Parameters that make answers comparable: the likeliest words, and objects of every sureness."""
    if MEASURES[task][0] == "map50":
        return {"threshold": 0.05}
    return {} if task in LABELLED else {"temperature": 0}
