"""Downloads as people ask for them: by a model's name, where the operator allows changes."""

import asyncio

from ..registry.registry import Registry
from ..schema import JSON
from .models import Models


class Obtaining:
    """Starts, shows and stops the download of a registered model."""

    def __init__(self, models: Models, registry: Registry) -> None:
        self._models = models
        self._registry = registry

    async def start(self, ref: str) -> JSON:
        """Begin, or go on; raises `Conflict`, `HubUnavailable`, `InvalidModel`, `StorageFailed`."""
        self._models.may_change()
        return await asyncio.to_thread(self._models.downloads.start, self._registry.get(ref))

    async def state(self, ref: str) -> JSON:
        """How far it is; asks nobody."""
        return await asyncio.to_thread(self._models.downloads.of, self._registry.get(ref))

    async def stop(self, ref: str, *, discard: bool = False) -> JSON:
        """End it, and with `discard` remove what has arrived of it."""
        self._models.may_change()
        return await asyncio.to_thread(self._models.downloads.stop, self._registry.get(ref), discard=discard)
