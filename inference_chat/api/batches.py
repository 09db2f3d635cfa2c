"""`POST /inference/batch` and what becomes of it: many inference requests, each with an answer of its own."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Body, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..access import Caller
from ..batches import Ended, Kind
from ..errors import InferenceChatError, InvalidRequest, TryLater
from ..jobs import Job
from ..ledger import Batch, Row, State
from ..outputs import answer_of
from ..schema import JSON, Media, explain
from ..service import Service
from ..tasks import Group
from .dependencies import TheCaller, TheService
from .errors import problem_of
from .inference import MediaRequest, linked
from .streaming import wait

KIND = "inference"
EXAMPLE: Any = {
    "requests": [
        {"type": "text", "prompt": "Once upon a time", "parameters": {"max_tokens": 16}},
        {"type": "text", "messages": [{"role": "user", "content": "Hello!"}]},
    ]
}


class BatchRequest(BaseModel):
    """Inference requests, each with its `type`: the last word of the route that would take it alone."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    requests: list[JSON] = Field(min_length=1, max_length=50_000)
    max_parallel: int | None = Field(None, ge=1, le=1024, description="So many run at once at most.")


class BatchRow(BaseModel):
    """What came of a request: its `result`, or its `error`."""

    index: int
    status: Literal["completed", "failed"]
    result: JSON | None = None
    error: JSON | None = None


class BatchAnswer(BaseModel):
    """A batch and the rows that have ended, in the order of the requests."""

    id: str
    status: State
    total: int
    completed: int
    failed: int
    created_at: datetime
    ended_at: datetime | None
    results: list[BatchRow]


class BatchItem(MediaRequest):
    """One row of a batch."""

    type: Group


async def infer_batch(
    request: Request,
    service: TheService,
    caller: TheCaller,
    body: Annotated[BatchRequest, Body()],
    wait_: Annotated[
        bool, Query(alias="wait", description="false: answer 202 at once, follow it later.")
    ] = True,
) -> Response:
    """Answer many requests, in order; one failure fails only its own row.

    Rows for one model run as real batches. A client that waits and goes away stops what is not answered yet;
    one that does not wait finds the batch at `GET /inference/batch/{id}`, also after a restart.
    """
    batch = await service.batches.start(caller, KIND, body.requests, body.max_parallel)
    if not wait_:
        return JSONResponse(await _shown(service, caller, batch.id), 202)
    reading = _only_reader(service, caller, batch)
    await wait(request, reading, lambda: service.batches.ended(batch))
    return JSONResponse(await _shown(service, caller, batch.id))


async def get_batch(service: TheService, caller: TheCaller, id: str) -> Response:
    """How far a batch is, with the rows that have ended."""
    return JSONResponse(await _shown(service, caller, id))


async def cancel_batch(service: TheService, caller: TheCaller, id: str) -> Response:
    """Stop a batch; what it has answered stays."""
    await service.batches.cancel(caller, (await _own(service, caller, id)).id)
    return JSONResponse(await _shown(service, caller, id))


async def _own(service: Service, caller: Caller, id: str) -> Batch:
    batch = await service.batches.get(caller, id)
    if batch.kind != KIND:
        raise InvalidRequest("This batch was made at /v1/batches; ask for it there.")
    return batch


async def _shown(service: Service, caller: Caller, id: str) -> JSON:
    batch = await _own(service, caller, id)
    rows = await service.batches.rows(batch)
    facts = batch.model_dump(include={"id", "total", "completed", "failed", "created_at", "ended_at"})
    answer = BatchAnswer(status=batch.state, results=[_row(row) for row in rows], **facts)
    shown = answer.model_dump(mode="json", exclude={"results"})
    return shown | {"results": [row.model_dump(mode="json", exclude_none=True) for row in answer.results]}


def _row(row: Row) -> BatchRow:
    if (row.status or 0) < 400:
        return BatchRow(index=row.number, status="completed", result=row.answer)
    return BatchRow(index=row.number, status="failed", error=row.answer)


@contextmanager
def _only_reader(service: Service, caller: Caller, batch: Batch) -> Iterator[None]:
    """Stops the batch when its client is gone."""
    try:
        yield
    finally:
        service.batches.drop(caller, batch)


# --- rows ---------------------------------------------------------------------------------------


def kind_of(service: Service) -> Kind:
    """How rows of inference batches are done."""

    async def run(caller: Caller, given: Sequence[JSON]) -> list[Ended]:
        if len(given) > 1:
            together = await _together(service, caller, given)
            if together is not None:
                return together
        return [await ended(_alone(service, caller, one)) for one in given]

    return Kind(run, alike)


async def ended(answer: Any) -> Ended:
    """An answer that is awaited, or the problem that came instead; `TryLater` is raised."""
    try:
        return Ended(200, await answer)
    except TryLater:
        raise
    except InferenceChatError as error:
        problem = problem_of(error)
        return Ended(problem.status, problem.model_dump())


def alike(given: JSON) -> str | None:
    """What rows have in common that can be one request of several pictures; None for any other."""
    single = isinstance(given.get("image"), str) and not (given.keys() & {"prompt", "question", "messages"})
    if given.get("type") != "image" or not single or "mask" in given.get("parameters", {}) | given:
        return None
    return json.dumps({name: value for name, value in given.items() if name != "image"}, sort_keys=True)


async def _alone(service: Service, caller: Caller, given: JSON) -> JSON:
    item = _item(given)
    job = await service.infer(caller, **_asked(item), media=await linked(service, item))
    return answer_of(job.id, job.request, await finished(job))


async def _together(service: Service, caller: Caller, given: Sequence[JSON]) -> list[Ended] | None:
    """Rows as one request with a picture for each; None when it fails, so that each is tried alone."""
    try:
        items = [_item(one) for one in given]
        media: list[Media] = [one for item in items for one in await linked(service, item)]
        job = await service.infer(caller, **_asked(items[0]), media=media)
        answer = answer_of(job.id, job.request, await finished(job))
    except TryLater:
        raise
    except InferenceChatError:
        return None
    outputs = answer["output"]
    if not isinstance(outputs, list) or len(outputs) != len(given):
        return None
    return [Ended(200, answer | {"output": output}) for output in outputs]


async def finished(job: Job) -> Any:
    """The result of a job, which is stopped when nobody waits for it any more."""
    try:
        return await job.result()
    except asyncio.CancelledError:
        job.cancel()
        raise


def _item(given: JSON) -> BatchItem:
    try:
        item = BatchItem.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None
    if item.stream:
        raise InvalidRequest("stream: rows of a batch come as a whole; leave it out.")
    return item


def _asked(item: BatchItem) -> JSON:
    return {
        "group": item.type,
        "task": item.task,
        "model": item.model,
        "prompt": item.prompt if item.prompt is not None else item.question,
        "messages": item.messages,
        "parameters": item.told,
        "use_cache": item.use_cache,
        "timeout_ms": item.timeout_ms,
    }
