"""`GET /v1/models`, `POST /v1/embeddings` and `POST /v1/images/generations`."""

import asyncio
import base64
import re
import struct
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...access import Caller
from ...errors import InvalidRequest
from ...events import ImageReady, Vector
from ...jobs import Job
from ...schema import JSON
from ...service import Service
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, wait
from .wire import ModelName, Started, unsupported, usage_of


async def list_models(service: TheService, _caller: TheCaller) -> JSON:
    """Every registered model."""
    items, _ = await service.models.list(limit=1_000_000)
    return {"object": "list", "data": [_model(item) for item in items]}


async def retrieve_model(service: TheService, _caller: TheCaller, id: str) -> JSON:
    """One model."""
    return _model(await service.models.get(id))


def _model(record: JSON) -> JSON:
    created = int(datetime.fromisoformat(record["created_at"]).timestamp())
    return {"id": record["id"], "object": "model", "created": created, "owned_by": "inference-chat"} | {
        "tasks": record["tasks"]
    }


class EmbeddingRequest(BaseModel):
    """Texts to turn into vectors."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"input": ["A small cat", "A little cat"]}]}
    )

    model: ModelName = None
    input: str | tuple[str, ...] = Field(
        description="A text, or several; not tokens, which differ from model to model."
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(
        None, description="Only unset: vectors have the length that the model gives."
    )
    user: str | None = Field(None, description="Taken and not used.")


async def create_embeddings(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[EmbeddingRequest, Body()]
) -> Response:
    """Turn texts into vectors, one for each."""
    started = await start_embeddings(service, caller, body)
    return JSONResponse(await wait(request, only_reader(*started.jobs), started.answer))


async def start_embeddings(service: Service, caller: Caller, body: EmbeddingRequest) -> Started:
    """The same for a row of a batch."""
    unsupported(dimensions=body.dimensions)
    texts = (body.input,) if isinstance(body.input, str) else body.input
    asked: JSON = {"task": "feature-extraction", "model": body.model}
    jobs = await service.infer_all(caller, [asked | {"prompt": text} for text in texts])
    return Started(jobs, lambda: _vectors(jobs, body))


async def _vectors(jobs: Sequence[Job], body: EmbeddingRequest) -> JSON:
    results = await asyncio.gather(*(job.result() for job in jobs))
    data = []
    for index, result in enumerate(results):
        values = next(event.values for event in result.outcomes if isinstance(event, Vector))
        vector = _base64(values) if body.encoding_format == "base64" else list(values)
        data.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = usage_of(*(result.finished for result in results))
    usage = {key: tokens[key] for key in ("prompt_tokens", "total_tokens")}
    return {"object": "list", "data": data, "model": jobs[0].request.model, "usage": usage}


def _base64(values: tuple[float, ...]) -> str:
    """Little-endian 32-bit floats, as the official clients read them."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


class ImageRequest(BaseModel):
    """A picture to draw; parameters of the model may stand beside the fields of OpenAI."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"examples": [{"prompt": "A house by the sea", "size": "256x256"}]}
    )

    prompt: str
    model: ModelName = None
    n: int = Field(1, ge=1)
    size: str | None = Field(None, description="WIDTHxHEIGHT in pixels; unset or `auto`: the model's own.")
    response_format: Literal["b64_json", "url"] = Field("b64_json", description="`url` is a data: URL.")
    user: str | None = None
    quality: str | None = Field(None, description="Taken and not used, as are the next ones.")
    style: str | None = None
    background: str | None = None
    moderation: str | None = None


async def create_image(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[ImageRequest, Body()]
) -> Response:
    """Draw pictures from words."""
    parameters: JSON = {**(body.model_extra or {}), **_sides(body.size)}
    if body.n > 1:
        parameters["n"] = body.n
    job = await service.infer(
        caller, task="text-to-image", model=body.model, prompt=body.prompt, parameters=parameters
    )
    result = await wait(request, only_reader(job), job.result)
    files = [event.image for event in result.outcomes if isinstance(event, ImageReady)]
    data = [
        {"url": file.url()}
        if body.response_format == "url"
        else {"b64_json": base64.b64encode(file.data).decode()}
        for file in files
    ]
    return JSONResponse({"created": int(time.time()), "data": data})


def _sides(size: str | None) -> JSON:
    if size in (None, "auto"):
        return {}
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(size))
    if found is None:
        raise InvalidRequest("size: write WIDTHxHEIGHT in pixels, as 512x512, or leave it out.")
    return {"width": int(found[1]), "height": int(found[2])}
