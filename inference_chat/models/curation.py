"""What people decide about models: words, defaults, the version a name means, what stays in memory."""

import asyncio
from typing import Any

from ..errors import InferenceChatError, NotFound
from ..pool import Pool
from ..registry.catalog import ModelRecord
from ..registry.registry import Registry
from ..schema import JSON
from .describing import sound
from .models import Models

EDITABLE = ("description", "tags", "license", "note", "parameters")


class Curation:
    """Changes by people; they last, whatever a card says at the next start."""

    def __init__(self, models: Models, registry: Registry, pool: Pool) -> None:
        self._models = models
        self._registry = registry
        self._pool = pool

    async def edit(self, ref: str, changes: JSON) -> JSON:
        """Set some of `EDITABLE`; raises `InvalidRequest` for defaults that the model does not know."""
        self._models.may_change()
        record = self._registry.get(ref)
        if changes:
            await asyncio.to_thread(self._edited, record, changes)
        return await self._models.get(record.id)

    async def promote(self, ref: str) -> JSON:
        """Let the bare name mean this version; `name` alone lets it mean the newest again."""
        self._models.may_change()
        name, at, _ = ref.partition("@")
        if at:
            record = await asyncio.to_thread(self._registry.pin, ref)
        else:
            await asyncio.to_thread(self._registry.unpin, name)
            record = self._registry.get(name)
        return await self._models.get(record.id)

    async def roll_back(self, ref: str) -> JSON:
        """Let the bare name mean what it meant before; raises `Conflict` when that was nothing else."""
        self._models.may_change()
        record = await asyncio.to_thread(self._registry.roll_back, ref.partition("@")[0])
        return await self._models.get(record.id)

    async def pin(self, ref: str) -> JSON:
        """Load a model and keep it in memory, also after the next start; raises what its loading raises."""
        self._models.may_change()
        record = self._registry.get(ref)
        await self._models.load(record.id)
        await self._set_pinned(record, True)
        return await self._models.get(record.id)

    async def unpin(self, ref: str) -> JSON:
        """Let a model leave memory again when it is idle."""
        self._models.may_change()
        record = self._registry.get(ref)
        await self._set_pinned(record, False)
        return await self._models.get(record.id)

    async def unload(self, ref: str) -> JSON:
        """Take a model out of memory, pinned or not, and its pin off; raises `ModelBusy`."""
        record = self._registry.get(ref)
        shown = await self._models.unload(record.id)
        if record.pinned:
            await self._set_pinned(record, False)
            return await self._models.get(record.id)
        return shown

    def is_pinned(self, id: str) -> bool:
        """Whether a model is to stay in memory."""
        return is_pinned(self._registry, id)

    async def load_pinned(self) -> None:
        """Bring what is pinned into memory; what cannot be is told by its record."""
        for record in self._registry.list(limit=1_000_000)[0]:
            if record.pinned:
                try:
                    await self._pool.load(record)
                except InferenceChatError:
                    continue

    async def _set_pinned(self, record: ModelRecord, pinned: bool) -> None:
        if record.pinned != pinned:
            await asyncio.to_thread(self._registry.update, record.id, pinned=pinned)

    def _edited(self, record: ModelRecord, changes: JSON) -> None:
        wanted: dict[str, Any] = {name: changes[name] for name in EDITABLE if name in changes}
        sound(record.model_copy(update={"parameters": wanted.get("parameters", record.parameters)}))
        edited = tuple(sorted({*record.edited, *wanted}))
        self._registry.update(record.id, **wanted, edited=edited)


def is_pinned(registry: Registry, id: str) -> bool:
    """Whether a model is to stay in memory; False for one that is not registered any more."""
    try:
        return registry.get(id).pinned
    except NotFound:
        return False
