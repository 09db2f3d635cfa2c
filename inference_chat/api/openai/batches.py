"""`/v1/files` and `/v1/batches`: requests as lines of JSON in a file, and their answers in another."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Body, File, Form, Query, UploadFile
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, Response

from ...access import Caller
from ...batches import MOST_ROWS, Ended, Kind
from ...database import clean
from ...errors import InvalidRequest, NotFound
from ...ledger import Batch, KeptFile, Row
from ...schema import JSON, explain, new_id
from ...service import Service
from ..batches import ended
from ..dependencies import TheCaller, TheService
from ..errors import Problem, openai_problem
from .chat import ChatRequest, start_chat_completion
from .completions import CompletionRequest, start_completion
from .items import ResponseRequest
from .others import EmbeddingRequest, start_embeddings
from .responses import start_response
from .wire import Started

Starts = Callable[[Service, Caller, Any], Awaitable[Started]]
ENDPOINTS: dict[str, tuple[type[BaseModel], Starts]] = {
    "/v1/chat/completions": (ChatRequest, start_chat_completion),
    "/v1/completions": (CompletionRequest, start_completion),
    "/v1/embeddings": (EmbeddingRequest, start_embeddings),
    "/v1/responses": (ResponseRequest, start_response),
}
"""What lines may ask for."""
STATES = {"running": "in_progress"}
MOST_FINDINGS = 20


# --- files --------------------------------------------------------------------------------------


async def create_file(
    service: TheService,
    caller: TheCaller,
    file: Annotated[UploadFile, File()],
    purpose: Annotated[str, Form(max_length=64, description="What for; only `batch` is used.")] = "batch",
) -> Response:
    """Keep a file of requests, for 30 days."""
    content = await file.read()
    name = file.filename or "file"
    kept = await asyncio.to_thread(service.batches.ledger.add_file, caller.owner, name, purpose, content)
    return JSONResponse(_file(kept))


async def list_files(
    service: TheService, caller: TheCaller, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
) -> JSON:
    """Your files, the newest first."""
    found = await asyncio.to_thread(service.batches.ledger.files, caller.owner, limit)
    return {"object": "list", "data": [_file(one) for one in found], "has_more": False}


async def retrieve_file(service: TheService, caller: TheCaller, id: str) -> JSON:
    """What a file is."""
    return _file(await asyncio.to_thread(service.batches.ledger.file, id, caller.owner))


class Lines(Response):
    media_type = "application/jsonl"


async def file_content(service: TheService, caller: TheCaller, id: str) -> Response:
    """The file itself."""
    content = await asyncio.to_thread(service.batches.ledger.content, id, caller.owner)
    return Lines(content)


async def delete_file(service: TheService, caller: TheCaller, id: str) -> JSON:
    """Forget a file; batches that were made of it stay."""
    await asyncio.to_thread(service.batches.ledger.delete_file, id, caller.owner)
    return {"id": id, "object": "file", "deleted": True}


def _file(kept: KeptFile) -> JSON:
    facts: JSON = {"id": kept.id, "bytes": kept.bytes, "filename": kept.filename, "purpose": kept.purpose}
    return facts | {"object": "file", "created_at": _seconds(kept.created_at), "status": "processed"}


# --- batches ------------------------------------------------------------------------------------


class BatchOrder(BaseModel):
    """A file of lines `{"custom_id", "method": "POST", "url", "body"}`, and where its lines are to go."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"input_file_id": "file-0", "endpoint": "/v1/chat/completions"}]},
    )

    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
    completion_window: str = Field("24h", description="Taken and not used: work begins at once.")
    metadata: dict[str, str] | None = None


class Line(BaseModel):
    """One request of a file."""

    model_config = ConfigDict(extra="ignore")

    custom_id: str
    method: Literal["POST"]
    url: str
    body: JSON


async def create_batch(
    service: TheService, caller: TheCaller, body: Annotated[BatchOrder, Body()]
) -> Response:
    """Answer the lines of a file; the answers come in a file, too. It goes on after a restart."""
    content = await asyncio.to_thread(service.batches.ledger.content, body.input_file_id, caller.owner)
    lines, findings = read_lines(content, body.endpoint)
    told = clean(body.model_dump() | {"errors": findings})
    if findings:
        add = partial(service.batches.ledger.add, told=told, state="failed")
        batch = await asyncio.to_thread(add, caller.owner, body.endpoint, [], 1)
    else:
        batch = await service.batches.start(caller, body.endpoint, lines, told=told)
    return JSONResponse(_batch(batch))


async def retrieve_batch(service: TheService, caller: TheCaller, id: str) -> JSON:
    """How far a batch is."""
    return _batch(await _own(service, caller, id))


async def list_batches(
    service: TheService,
    caller: TheCaller,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: str | None = None,
) -> JSON:
    """Your batches, the newest first; `after` is the last one of the page before."""
    ledger = service.batches.ledger
    found = await asyncio.to_thread(ledger.list, caller.owner, list(ENDPOINTS), limit + 1, after)
    data = [_batch(one) for one in found[:limit]]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return {"object": "list", "data": data, "has_more": len(found) > limit} | ends


async def cancel_batch(service: TheService, caller: TheCaller, id: str) -> JSON:
    """Stop a batch; the lines that were answered come in its file."""
    await _own(service, caller, id)
    return _batch(await service.batches.cancel(caller, id))


async def _own(service: Service, caller: Caller, id: str) -> Batch:
    batch = await service.batches.get(caller, id)
    if batch.kind not in ENDPOINTS:
        raise NotFound("This batch was made at /inference/batch; ask for it there.")
    return batch


def read_lines(content: bytes, endpoint: str) -> tuple[list[JSON], list[JSON]]:
    """The requests of a file, and what is wrong with its lines."""
    lines: list[JSON] = []
    findings: list[JSON] = []
    seen: set[str] = set()
    for number, text in enumerate(content.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = Line.model_validate_json(text)
        except ValidationError as error:
            findings.append(_finding(number, "invalid_json_line", explain(error)))
            continue
        if line.url != endpoint:
            findings.append(_finding(number, "mismatched_endpoint", f"url: this batch is for {endpoint}."))
        if line.custom_id in seen:
            findings.append(_finding(number, "duplicate_custom_id", f"{line.custom_id!r} was there before."))
        seen.add(line.custom_id)
        lines.append(line.model_dump())
    if not lines and not findings:
        findings.append(_finding(None, "empty_file", "The file has no lines."))
    if len(lines) > MOST_ROWS:
        findings.append(_finding(None, "too_many_lines", f"A file has {MOST_ROWS:,} lines at most."))
    return lines, findings[:MOST_FINDINGS]


def _finding(line: int | None, code: str, message: str) -> JSON:
    return {"code": code, "line": line, "message": message, "param": None}


def _batch(batch: Batch) -> JSON:
    told = batch.told
    at = _seconds(batch.created_at)
    over = _seconds(batch.ended_at) if batch.ended_at else None
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.kind,
        "errors": {"object": "list", "data": told["errors"]} if told.get("errors") else None,
        "input_file_id": told["input_file_id"],
        "completion_window": told["completion_window"],
        "status": STATES.get(batch.state, batch.state),
        "output_file_id": told.get("output_file_id"),
        "error_file_id": told.get("error_file_id"),
        "created_at": at,
        "in_progress_at": at if batch.total else None,
        "expires_at": at + int(timedelta(days=30).total_seconds()),
        "finalizing_at": over if batch.state == "completed" else None,
        "completed_at": over if batch.state == "completed" else None,
        "failed_at": over if batch.state == "failed" else None,
        "expired_at": None,
        "cancelling_at": over if batch.state == "cancelled" else None,
        "cancelled_at": over if batch.state == "cancelled" else None,
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": told.get("metadata"),
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


# --- lines --------------------------------------------------------------------------------------


def kinds_of(service: Service) -> dict[str, Kind]:
    """How the lines for each endpoint are done, and their files written."""

    async def run(caller: Caller, given: Sequence[JSON]) -> list[Ended]:
        return [await ended(_answer(service, caller, line)) for line in given]

    def end(batch: Batch, rows: Sequence[Row]) -> JSON:
        told = dict(batch.told)
        for name, good in (("output", True), ("error", False)):
            lines = [_written(row) for row in rows if ((row.status or 0) < 400) is good]
            if lines:
                content = "".join(json.dumps(line) + "\n" for line in lines).encode()
                filename = f"{batch.id}_{name}.jsonl"
                kept = service.batches.ledger.add_file(batch.owner, filename, "batch_output", content)
                told[f"{name}_file_id"] = kept.id
        return told

    return {endpoint: Kind(run, end=end) for endpoint in ENDPOINTS}


async def _answer(service: Service, caller: Caller, line: JSON) -> JSON:
    shape, start = ENDPOINTS[line["url"]]
    try:
        body = shape.model_validate(line["body"])
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None
    if getattr(body, "stream", None):
        raise InvalidRequest("stream: lines of a batch are answered as a whole; leave it out.")
    started = await start(service, caller, body)
    try:
        return await started.answer()
    except asyncio.CancelledError:
        for job in started.jobs:
            job.cancel()
        raise


def _written(row: Row) -> JSON:
    status, answer = row.status or 0, row.answer or {}
    body = answer if status < 400 else openai_problem(Problem.model_validate(answer))
    response = {"status_code": status, "request_id": new_id(), "body": body}
    return {"id": f"batch_req_{new_id()}", "custom_id": row.request["custom_id"]} | {
        "response": response,
        "error": None,
    }
