"""`/models`, what people decide: words and defaults, the version a name means, what stays in memory."""

from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ..schema import JSON
from .dependencies import TheCaller, TheService
from .models import ModelAnswer, ModelBody

Tag = Annotated[str, Field(min_length=1, max_length=64)]
Bytes = Annotated[int, Field(ge=0)]


class ModelEdit(BaseModel):
    """What is to change; what is left out stays. It lasts, whatever the card says at the next start."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tags": ["favourite"], "parameters": {"temperature": 0.2}}]},
    )

    description: str = Field("", max_length=4000)
    tags: list[Tag] = Field([], max_length=50)
    license: str | None = Field(None, max_length=100)
    note: str = Field("", max_length=4000, description="What people should know of this version.")
    parameters: JSON = Field({}, description="Default settings of a run; they replace the present ones.")


class Problem(BaseModel):
    code: str
    detail: str


class Memory(BaseModel):
    """Whether a model fits into memory; sizes in bytes."""

    needed: Bytes = Field(description="What it is expected to take, read from the headers of its weights.")
    limit: Bytes = Field(description="What all loaded models may take together.")
    in_use: Bytes
    free: Bytes = Field(description="What this machine can still give.")
    fits: bool = Field(description="Once idle models have left.")
    fits_now: bool


class DownloadNeeded(BaseModel):
    """What is to be fetched; sizes in bytes."""

    size: Bytes
    have: Bytes
    disk_free: Bytes
    fits: bool = Field(description="Whether the disk has room for the rest.")


class Checked(BaseModel):
    """What a registration would come to."""

    ok: bool
    problem: Problem | None = Field(description="Why it would be refused.")
    warnings: list[str] = Field(description="What is true although something else was said.")
    record: JSON | None = Field(description="What would be kept.")
    memory: Memory | None
    download: DownloadNeeded | None = Field(
        description="Of a hub model; null where the hub cannot be reached."
    )
    choices: list[str] = Field(
        [], description="What an endpoint serves, where one of several is to be named."
    )


class Exported(BaseModel):
    """All that is registered; nothing that was measured on this machine."""

    format: Literal["inference-chat-registry"]
    exported_at: AwareDatetime
    models: list[JSON]
    defaults: dict[str, str] = Field(
        description="The version that a bare name means, where somebody chose it."
    )


class Import(BaseModel):
    """A document of `GET /models/export`."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "format": "inference-chat-registry",
                    "models": [{"name": "my-model", "model_type": "TextGeneration"}],
                    "defaults": {},
                }
            ]
        },
    )

    format: Literal["inference-chat-registry"] = "inference-chat-registry"
    models: list[JSON] = Field(max_length=20_000)
    defaults: dict[str, str] = {}


class Refusal(BaseModel):
    number: int = Field(description="Its place in `models`, from 0.")
    name: str
    detail: str


class Imported(BaseModel):
    added: list[str]
    kept: list[str] = Field(description="Versions that were here already and stay as they are.")
    refused: list[Refusal]


async def edit_model(service: TheService, _caller: TheCaller, id: str, body: ModelEdit) -> ModelAnswer:
    """Set a model's words, tags, note or default parameters; its figures stay."""
    changes = body.model_dump(exclude_unset=True)
    return ModelAnswer.model_validate(await service.curation.edit(id, changes))


async def promote_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """Let the bare name mean this version: `name@version`. With `name` it means the newest again."""
    return ModelAnswer.model_validate(await service.curation.promote(id))


async def roll_back_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """Let the bare name mean the version that it meant before the last promotion."""
    return ModelAnswer.model_validate(await service.curation.roll_back(id))


async def pin_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """Load a model and keep it in memory, also after the next start."""
    return ModelAnswer.model_validate(await service.curation.pin(id))


async def unpin_model(service: TheService, _caller: TheCaller, id: str) -> ModelAnswer:
    """Let a model leave memory again when it is idle."""
    return ModelAnswer.model_validate(await service.curation.unpin(id))


async def check_model(service: TheService, _caller: TheCaller, body: ModelBody) -> Checked:
    """A dry run of a registration: whether it would be taken, why not, and what it would cost in memory.

    Only JSON files and the headers of weights are read; nothing is kept, loaded or fetched.
    """
    given = body.model_dump(exclude_unset=True, exclude_none=True)
    return Checked.model_validate(await service.checking.check(given))


async def export_models(service: TheService, _caller: TheCaller) -> Exported:
    """All that is registered as one document, for a backup or another machine."""
    return Exported.model_validate(await service.transfer.export())


async def import_models(
    service: TheService,
    _caller: TheCaller,
    body: Import,
    replace: Annotated[bool, Query(description="Versions that are here are replaced.")] = False,
    dry_run: Annotated[bool, Query(description="Only tell what would come of it.")] = False,
) -> Imported:
    """Register what another registry has exported; what cannot be registered is told, the rest comes in."""
    taken = await service.transfer.take(body.models, body.defaults, replace=replace, keep=not dry_run)
    return Imported.model_validate(taken)
