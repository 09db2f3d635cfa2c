"""`/models`: list, find, register, load, unload, remove."""

import asyncio
import logging
from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from starlette.background import BackgroundTask

from ..errors import InferenceChatError
from ..registry.endpoint import Endpoint
from ..schema import JSON
from .dependencies import TheCaller, TheService

log = logging.getLogger(__name__)
Status = Literal["available", "loading", "loaded", "unloading", "failed"]
MEASURED = frozenset(
    {"id", "status", "error", "metrics", "memory_used", "created_at", "updated_at"}
    | {"default", "pinned", "parked", "edited", "fits", "warnings"}
)

EXAMPLE: JSON = {
    "name": "my-model",
    "version": "1.0.0",
    "model_type": "TextGeneration",
    "framework": "transformers",
    "file_path": "models/my-model",
    "tags": ["text"],
    "capabilities": ["TextGeneration", "Chat"],
    "parameters": {"max_tokens": 256, "temperature": 0.7, "top_p": 0.9},
}


class AccuracyOf(BaseModel):
    """What an accuracy was measured on."""

    set: str | None = Field(None, examples=["shapes-boxes"])
    rows: int | None = None
    measure: str = Field("", examples=["mAP at IoU 0.5"])


class Metrics(BaseModel):
    """What a model has cost so far; durations in milliseconds."""

    model_config = ConfigDict(extra="allow")

    requests: int = 0
    errors: int = 0
    latency_ms_p50: float | None = None
    latency_ms_p95: float | None = None
    tokens_per_second: float | None = None
    accuracy: float | None = None
    accuracy_of: AccuracyOf | None = None
    last_used_at: AwareDatetime | None = None


class ModelAnswer(BaseModel):
    """A model: what is known of it, what it is doing now, and what it has cost. Sizes are in bytes."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(examples=["starter-chat@1.0.0"])
    name: str
    version: str
    description: str
    model_type: str
    framework: str
    file_path: str | None
    file_size: int
    sha256: str | None
    source: Literal["local", "hub", "endpoint"]
    hub_id: str | None
    revision: str | None
    endpoint: Endpoint | None = None
    license: str | None
    tags: list[str]
    capabilities: list[str]
    tasks: list[str]
    parameters: JSON
    note: str = ""
    default: bool = Field(description="Whether the bare name means this version.")
    pinned: bool = Field(description="Whether it stays in memory.")
    parked: bool = Field(False, description="Whether it gave its memory back and would be back at once.")
    edited: list[str] = Field([], description="Fields that people have set, whatever the card says.")
    fits: bool = Field(description="Whether memory has room for it, once idle models have left.")
    status: Status
    memory_estimate: int
    memory_used: int | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    metrics: Metrics


class ModelList(BaseModel):
    items: list[ModelAnswer]
    total: int = Field(description="How many fit, of which `items` is a part.")


class ModelItems(BaseModel):
    items: list[ModelAnswer]


class ModelBody(BaseModel):
    """What to register; all but `name` may be left out where the folder or the hub tells it.

    A whole record is taken too: what the server measures itself is passed over.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    name: str
    version: str | None = None
    description: str | None = None
    model_type: str | None = None
    framework: str | None = None
    file_path: str | None = Field(
        None, description="A GGUF file on the server, or a folder in Hugging Face layout."
    )
    file_size: int | None = Field(None, ge=0, strict=True)
    sha256: str | None = None
    source: Literal["local", "hub", "endpoint"] | None = None
    hub_id: str | None = Field(None, description="A repository id such as `org/model`.")
    revision: str | None = None
    endpoint: Endpoint | None = Field(
        None, description="Another server that runs the model; the model needs no memory here."
    )
    license: str | None = None
    tags: list[str] | None = None
    capabilities: list[str] | None = None
    tasks: list[str] | None = None
    parameters: JSON | None = None
    memory_estimate: int | None = Field(None, ge=0, strict=True)
    note: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _own_words(cls, body: Any) -> Any:
        return {k: v for k, v in body.items() if k not in MEASURED} if isinstance(body, dict) else body


async def list_models(
    service: TheService,
    _caller: TheCaller,
    task: str | None = None,
    tag: str | None = None,
    framework: str | None = None,
    status: Status | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    sort: str = "name",
) -> ModelList:
    """The models that fit, and how many there are in all."""
    items, total = await service.models.list(
        task=task, tag=tag, framework=framework, status=status, limit=limit, offset=offset, sort=sort
    )
    return ModelList.model_validate({"items": items, "total": total})


async def search_models(
    service: TheService,
    _caller: TheCaller,
    q: Annotated[str, Query(max_length=1000)] = "",
    task: str | None = None,
    max_memory_mb: Annotated[float | None, Query(gt=0, le=2**40)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> ModelItems:
    """Models whose name, description or tags match `q`, best first."""
    items = await service.models.search(q, task=task, max_memory_mb=max_memory_mb, limit=limit)
    return ModelItems.model_validate({"items": items})


async def register_model(service: TheService, _caller: TheCaller, body: ModelBody) -> ModelAnswer:
    """Add a model; its weights are not loaded and none of its code runs."""
    given = body.model_dump(exclude_unset=True, exclude_none=True)
    return ModelAnswer.model_validate(await service.models.register(given))


async def get_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """One model: `name` is its newest version, `name@version` that one."""
    return ModelAnswer.model_validate(await service.models.get(id))


async def model_versions(service: TheService, _caller: TheCaller, id: str) -> ModelItems:
    """All versions of a model, the newest first."""
    return ModelItems.model_validate({"items": await service.models.versions(id.partition("@")[0])})


async def load_model(service: TheService, _caller: TheCaller, id: str, wait: bool = True) -> JSONResponse:
    """Bring a model into memory; with `wait=false` the answer comes at once, as 202."""
    if wait:
        return JSONResponse(await service.models.load(id))
    await service.models.get(id)
    loading = asyncio.create_task(service.models.load(id))
    return JSONResponse(await service.models.get(id), 202, background=BackgroundTask(_settle, loading))


async def unload_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """Take a model out of memory, and its pin off; refused while it is answering."""
    return ModelAnswer.model_validate(await service.curation.unload(id))


async def delete_model(service: TheService, _caller: TheCaller, id: str) -> None:
    """Forget a model; its files stay."""
    await service.models.delete(id)


async def _settle(loading: "asyncio.Task[JSON]") -> None:
    try:
        await loading
    except InferenceChatError as error:
        # Nobody waits for it; the record shows it as failed.
        log.warning("A model could not be loaded: %s", error.detail)
