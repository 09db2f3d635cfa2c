"""`/models/evaluate` and `/evaluations`: how often models are right on a labelled set."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request

from ..errors import InvalidRequest
from ..evaluating.evaluations import Asked
from ..evaluating.scoring import MEASURES, NAMES
from ..evaluating.store import State
from ..schema import JSON, explain
from ..service import Service
from .dependencies import TheCaller, TheService


def _fields() -> JSON:
    """The fields of the body, with what other schemas they name written out."""
    told = Asked.model_json_schema()
    told["properties"]["task"]["anyOf"][0] = told["$defs"]["Task"]
    rows = {"type": "array", "items": {"type": "object"}, "description": "The set itself, instead of `set`."}
    return {**told["properties"], "rows": rows}


FORM: JSON = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": _fields(), "required": ["models"]},
                "example": {"models": ["starter-classifier"], "set": "shapes"},
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "request": {"type": "string", "description": "The JSON, without `set`."},
                        "file": {"type": "string", "format": "binary", "description": "CSV, JSONL or zip."},
                    },
                }
            },
        },
    }
}


class ResultAnswer(BaseModel):
    """One model's part: `score` is a share of which more is better, `scores` has every measure as it is."""

    model_config = ConfigDict(extra="allow")

    model: str
    state: State
    done: int
    score: float | None
    error: str | None
    best: bool


class EvaluationAnswer(BaseModel):
    """An evaluation; `best` marks the models that no other beats in score, latency and memory at once."""

    id: str
    created_at: AwareDatetime
    set_name: str
    set_id: str
    task: str
    measure: str
    most: int
    parameters: JSON
    state: State
    total: int
    notes: list[str]
    results: list[ResultAnswer]


class EvaluationList(BaseModel):
    items: list[EvaluationAnswer]


class SetList(BaseModel):
    """The built-in sets, and the measures of each task with their names, the main one first."""

    sets: list[JSON]
    measures: dict[str, dict[str, str]]


async def _body(request: Request, service: TheService) -> Asked:
    """What to evaluate, from JSON or from a form; a set that comes with it is kept."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        told = _parsed(await request.body())
        if (rows := told.pop("rows", None)) is not None:
            told["set"] = await _kept_rows(service, rows)
        return _asked(told)
    async with request.form(max_part_size=service.settings.max_body_mb << 20) as form:
        sent, words = form.get("file"), form.get("request", "{}")
        told = _parsed((await words.read()) if isinstance(words, UploadFile) else words)
        if isinstance(sent, UploadFile):
            told["set"] = await _kept_file(service, sent)
        return _asked(told)


async def start_evaluation(
    service: TheService, _caller: TheCaller, asked: Annotated[Asked, Depends(_body)]
) -> EvaluationAnswer:
    """Measure models on a labelled set, in the background: follow it at `/evaluations/{id}`.

    The set is a built-in one (`set`), `rows` in the body, or a file in a form: CSV, JSON lines, or a zip with
    files in a folder for each label, or beside a table `metadata.csv` or `metadata.jsonl` that names them.
    """
    return EvaluationAnswer.model_validate(await service.evaluations.start(asked))


async def list_evaluations(
    service: TheService, _caller: TheCaller, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> EvaluationList:
    """The newest evaluations."""
    return EvaluationList.model_validate({"items": await service.evaluations.newest(limit)})


async def list_sets(service: TheService, _caller: TheCaller) -> SetList:
    """What can be evaluated at once, and by which measures."""
    return SetList(
        sets=[one.model_dump(exclude={"file"}) for one in service.evaluations.sets.built_in()],
        measures={task: {name: NAMES[name] for name in names} for task, names in MEASURES.items()},
    )


async def get_evaluation(service: TheService, _caller: TheCaller, id: str) -> EvaluationAnswer:
    """One evaluation: how far it is, and what was measured so far."""
    return EvaluationAnswer.model_validate(await service.evaluations.get(id))


async def cancel_evaluation(service: TheService, _caller: TheCaller, id: str) -> EvaluationAnswer:
    """Stop it; what was measured stays."""
    return EvaluationAnswer.model_validate(await service.evaluations.cancel(id))


async def resume_evaluation(service: TheService, _caller: TheCaller, id: str) -> EvaluationAnswer:
    """Go on where it was stopped, by somebody or with the server."""
    return EvaluationAnswer.model_validate(await service.evaluations.resume(id))


async def delete_evaluation(service: TheService, _caller: TheCaller, id: str) -> None:
    """Forget it, and the set that was sent with it where no other needs it."""
    await service.evaluations.remove(id)


def _parsed(text: str | bytes) -> JSON:
    try:
        told: Any = json.loads(text or "{}")
    except ValueError:
        raise InvalidRequest("The body is no JSON.") from None
    if not isinstance(told, dict):
        raise InvalidRequest("The body must be a JSON object.")
    return told


def _asked(told: JSON) -> Asked:
    if not told.get("set"):
        raise InvalidRequest("set: name a built-in set, give `rows`, or send a `file` in a form.")
    try:
        return Asked.model_validate(told)
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None


async def _kept_rows(service: Service, rows: Any) -> str:
    if not isinstance(rows, list) or not rows:
        raise InvalidRequest("rows: a list of objects with an input and a label each")
    text = "\n".join(json.dumps(row) for row in rows)
    return await asyncio.to_thread(_written, service, text.encode(), "rows.jsonl")


async def _kept_file(service: Service, sent: UploadFile) -> str:
    return await asyncio.to_thread(_written, service, await sent.read(), sent.filename or "set")


def _written(service: Service, data: bytes, name: str) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return service.evaluations.sets.keep(Path(file.name), name)
