"""The registry as one document: written for a backup or another machine, and read back."""

import asyncio
from typing import Final

from ..errors import InferenceChatError, InvalidRequest
from ..registry.catalog import ModelRecord
from ..registry.registry import Registry
from ..schema import JSON, now
from .curation import EDITABLE
from .described import public_path
from .models import Models

FORMAT: Final = "inference-chat-registry"
MOST: Final = 20_000
DEFAULT_VERSION: Final = str(ModelRecord.model_fields["version"].default)
OWN: Final = frozenset({"memory_used", "created_at", "updated_at", "id"})
"""What this machine has measured or counted itself, which is no one else's."""


class Transfer:
    """Export and import of all that is registered; figures stay where they were measured."""

    def __init__(self, models: Models, registry: Registry) -> None:
        self._models = models
        self._registry = registry

    async def export(self) -> JSON:
        """Everything that is registered, and which versions bare names mean."""
        records, _ = self._registry.list(limit=1_000_000)
        pins = {name: self._registry.pinned(name) for name in {record.name for record in records}}
        return {
            "format": FORMAT,
            "exported_at": now().isoformat(),
            "models": [_told(record) for record in records],
            "defaults": {name: version for name, version in sorted(pins.items()) if version},
        }

    async def take(self, models: list[JSON], defaults: dict[str, str], *, replace: bool, keep: bool) -> JSON:
        """Register what a document holds; versions that are here stay, unless `replace`.

        With `keep=False` nothing is kept: the answer tells what would be. No other server is asked.
        Raises `Forbidden`, `InvalidRequest`.
        """
        self._models.may_change()
        if len(models) > MOST:
            raise InvalidRequest(f"models: {MOST:,} at most; take them in parts")
        return await asyncio.to_thread(self._take, models, defaults, replace, keep)

    def _take(self, models: list[JSON], defaults: dict[str, str], replace: bool, keep: bool) -> JSON:
        good: dict[str, ModelRecord] = {}
        stay: list[str] = []
        refused: list[JSON] = []
        for number, body in enumerate(models):
            if not replace and (here := self._here(body)):
                stay.append(here)
                continue
            try:
                record = self._read(body)
            except InferenceChatError as error:
                refused.append(
                    {"number": number, "name": str(body.get("name", ""))[:96], "detail": error.detail}
                )
                continue
            if record.id in good:
                stay.append(record.id)
            else:
                good[record.id] = record
        if keep:
            self._registry.put_all(good.values())
            self._promote(defaults, good)
        return {"added": list(good), "kept": stay, "refused": refused}

    def _here(self, body: JSON) -> str | None:
        """The id of what a document tells, if it is registered: then its files need not be looked at."""
        id = f"{body.get('name')}@{body.get('version') or DEFAULT_VERSION}"
        return id if self._registry.knows(id) else None

    def _read(self, body: JSON) -> ModelRecord:
        given = {name: value for name, value in body.items() if name not in OWN}
        record = self._models.describer.described(given, ask=False).record
        listed = given.get("edited")
        edited = (name for name in (listed if isinstance(listed, list) else ()) if name in EDITABLE)
        return record.model_copy(update={"edited": tuple(edited)})

    def _promote(self, defaults: dict[str, str], added: dict[str, ModelRecord]) -> None:
        for name, version in defaults.items():
            if f"{name}@{version}" in added:
                self._registry.pin(f"{name}@{version}")


def _told(record: ModelRecord) -> JSON:
    told = record.model_dump(mode="json", exclude=set(OWN), exclude_defaults=True)
    return told | {"version": record.version, "file_path": public_path(record.file_path)}
