"""A dry run of a registration: whether it would be taken, and what it would cost, before anything is kept."""

import asyncio
import shutil
from pathlib import Path

from ..errors import InferenceChatError
from ..pool import Pool
from ..registry.catalog import ModelRecord
from ..registry.registry import Registry
from ..runners.device import memory_free
from ..schema import JSON
from .described import public_path
from .downloads import SPARE
from .endpoints import SeveralModels
from .hub import Hub
from .models import Models


class Checking:
    """Looks and tells; keeps nothing and loads nothing."""

    def __init__(self, models: Models, registry: Registry, pool: Pool) -> None:
        self._models = models
        self._registry = registry
        self._pool = pool

    async def check(self, body: JSON) -> JSON:
        """What `register` would do with this: `ok`, else its `problem`; `warnings`, `record`, `memory`.

        For a hub model its `download` too; of an endpoint with several models their names as `choices`.
        Raises `Forbidden` where nothing may be registered.
        """
        self._models.may_change()
        return await asyncio.to_thread(self._check, body)

    def fits(self, needed: int) -> JSON:
        """Whether so many bytes fit into memory here: now, or once idle models have left."""
        held, free = sum(self._pool.memory().values()), memory_free()
        most = min(self._pool.limit, free + held)
        return {
            "needed": needed,
            "limit": self._pool.limit,
            "in_use": held,
            "free": free,
            "fits": needed <= most,
            "fits_now": needed <= min(self._pool.limit - held, free),
        }

    def _check(self, body: JSON) -> JSON:
        try:
            found = self._models.describer.described(body)
        except InferenceChatError as error:
            return _refused(error)
        record = found.record
        told: JSON = {
            "ok": True,
            "problem": None,
            "warnings": [*found.warnings],
            "record": record.model_dump(mode="json") | {"file_path": public_path(record.file_path)},
            "memory": self.fits(record.memory_estimate),
            "download": self._download(record) if record.source == "hub" else None,
        }
        if any(record.id == known.id for known in self._family(record.name)):
            problem = {
                "code": "model_exists",
                "detail": f"{record.id} is registered. Choose another version.",
            }
            told |= {"ok": False, "problem": problem}
        return told

    def _family(self, name: str) -> list[ModelRecord]:
        return self._registry.versions(name) if self._registry.knows(name) else []

    def _download(self, record: ModelRecord) -> JSON | None:
        """What is to be fetched, and whether the disk has room; None when the hub cannot be reached."""
        hub = self._models.hub
        state = self._models.downloads.of(record)
        if state["state"] == "done":
            return {"size": state["total"], "have": state["total"], "disk_free": _free(hub), "fits": True}
        offer = hub.look(str(record.hub_id or record.name), record.revision)
        if offer is None:
            return None
        free, have = _free(hub), state["done"]
        left = offer.size - have
        return {"size": offer.size, "have": have, "disk_free": free, "fits": left + SPARE <= free}


def _refused(error: InferenceChatError) -> JSON:
    problem = {"code": error.code, "detail": error.detail}
    nothing = {"record": None, "memory": None, "download": None}
    choices = {"choices": [*error.choices]} if isinstance(error, SeveralModels) else {}
    return {"ok": False, "problem": problem, "warnings": [], **nothing, **choices}


def _free(hub: Hub) -> int:
    """Bytes free on the disk of the hub's models, whose folder may not be there yet."""
    place = hub.folder
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(Path(place)).free
