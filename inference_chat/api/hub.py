"""`/models/hub` and downloads: the Hugging Face hub searched, and models of it fetched."""

import asyncio
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from ..tasks import Task
from .dependencies import TheCaller, TheService

Bytes = Annotated[int, Field(ge=0)]


class HubModel(BaseModel):
    """A model as the hub lists it."""

    hub_id: str = Field(examples=["HuggingFaceTB/SmolLM2-135M-Instruct"])
    task: str | None
    license: str | None
    downloads: int = Field(description="In the last month.")
    likes: int
    gated: bool = Field(description="Whether its terms have to be accepted on its page.")
    parameters: int | None
    size: Bytes | None = Field(description="Bytes of its weights.")
    updated_at: str | None


class HubModels(BaseModel):
    items: list[HubModel]


class Download(BaseModel):
    """How far a model's download is; sizes in bytes."""

    state: Literal["none", "running", "stopped", "failed", "done"]
    done: Bytes
    total: Bytes
    bytes_per_second: Bytes | None = Field(description="Over the last seconds, while it runs.")
    seconds_left: float | None
    file: str = Field(description="What is being fetched.")
    files_done: int
    files: int
    revision: str = Field(description="The commit that it is pinned to.")
    error: str | None


async def search_hub(
    service: TheService,
    _caller: TheCaller,
    q: Annotated[str, Query(max_length=200)] = "",
    task: Task | None = None,
    sort: Literal["downloads", "likes", "trending_score", "last_modified"] = "downloads",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> HubModels:
    """Models of the Hugging Face hub with safetensors weights, the most fetched first."""
    hub = service.models.hub
    items = await asyncio.to_thread(hub.search, q, task=task, sort=sort, limit=limit)
    return HubModels.model_validate({"items": items})


async def start_download(service: TheService, _caller: TheCaller, id: str) -> Download:
    """Fetch a registered hub model in the background, or go on where its download stopped.

    The disk is looked at first; every file is checked against the hub's digest.
    """
    return Download.model_validate(await service.fetching.start(id))


async def get_download(service: TheService, _caller: TheCaller, id: str) -> Download:
    """How far the download of a model is, and how quick."""
    return Download.model_validate(await service.fetching.state(id))


async def cancel_download(
    service: TheService,
    _caller: TheCaller,
    id: str,
    discard: Annotated[bool, Query(description="What has arrived of it is removed too.")] = False,
) -> Download:
    """Stop the download of a model; what has arrived is kept for the next try."""
    return Download.model_validate(await service.fetching.stop(id, discard=discard))
