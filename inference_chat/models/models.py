"""What can be done with models: list, find, register, load, unload, remove.

A record as clients see it is the registry's, joined with what the model is doing now (the pool) and
what it has cost so far (the run records).
"""

import asyncio
import builtins
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import get_args

from ..errors import (
    Forbidden,
    InferenceChatError,
    InvalidRequest,
    ModelBusy,
    ModelNotFound,
    NotFound,
    UnsupportedTask,
)
from ..loaded import Status
from ..pool import MIB, Pool
from ..records import Records
from ..registry.cards import read_card
from ..registry.registry import ModelRecord, Registry
from ..registry.senses import AUTO, NOUNS, takes
from ..runners import OPTIONS, Remote
from ..runners.checkpoint import Checkpoint, inspect
from ..schema import JSON, Options
from ..settings import Settings
from ..tasks import Kind, Task
from .described import nearness, of_checkpoint, parameters_of, public_path
from .describing import Describer
from .downloads import Downloads
from .endpoints import Endpoints
from .hub import Hub, hub_name
from .roots import Roots
from .shelf import Shelf

logger = logging.getLogger(__name__)
STATUSES = get_args(Status)


class Models:
    """The models of this service."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        records: Records,
        pool: Pool,
        accuracy: Callable[[str, str | None], JSON] = lambda model, digest: {},
    ) -> None:
        """`accuracy` tells how often a version with these weights was measured to be right, and on what."""
        self._settings = settings
        self._accuracy = accuracy
        self._registry = registry
        self._records = records
        self._pool = pool
        self.endpoints = Endpoints(settings)
        self.hub = Hub(settings.model_cache_dir)
        self.downloads = Downloads(self.hub, self._arrived)
        self._roots = Roots(settings)
        self.describer = Describer(self._roots, self.endpoints, self.hub)

    # --- looking ---------------------------------------------------------------------------------

    async def list(
        self,
        *,
        task: str | None = None,
        tag: str | None = None,
        framework: str | None = None,
        status: str | None = None,
        limit: int = 100,
        offset: int = 0,
        sort: str = "name",
    ) -> tuple[builtins.list[JSON], int]:
        """Records that fit, `limit` of them from number `offset` on, and how many there are in all."""
        if limit < 0 or offset < 0:
            raise InvalidRequest("limit, offset: whole numbers from 0 on")
        if status is not None and status not in STATUSES:
            raise InvalidRequest(f"status: one of {', '.join(STATUSES)}")
        every = status is not None
        records, total = self._registry.list(
            task=task,
            tag=tag,
            framework=framework,
            sort=sort,
            limit=1_000_000 if every else limit,
            offset=0 if every else offset,
        )
        if every:
            records = [record for record in records if self._pool.status(record.id) == status]
            total = len(records)
            records = records[offset : offset + limit]
        return await self._shown(records), total

    async def get(self, ref: str) -> JSON:
        """One record; `ModelNotFound` or `VersionNotFound` when there is none."""
        record = self._named(ref)
        return self._show(record, await asyncio.to_thread(self._records.metrics, record.id))

    async def card(self, ref: str) -> str:
        """The Markdown of a model's card; empty where it has none."""
        record = self._registry.get(ref)
        return await asyncio.to_thread(self._card, record)

    async def versions(self, name: str) -> builtins.list[JSON]:
        """All versions of a model, the newest first."""
        return await self._shown(self._registry.versions(name))

    async def search(
        self, q: str = "", *, task: str | None = None, max_memory_mb: float | None = None, limit: int = 20
    ) -> builtins.list[JSON]:
        """Records that match a text, best first."""
        most = int(max_memory_mb * MIB) if max_memory_mb is not None else None
        return await self._shown(self._registry.search(q, task=task, max_memory_bytes=most, limit=limit))

    async def costs(self, records: Iterable[ModelRecord]) -> builtins.list[JSON]:
        """What each has cost so far and how good it was found to be: the `metrics` of its record."""
        return [shown["metrics"] for shown in await self._shown(records)]

    def there(self, record: ModelRecord) -> bool:
        """Whether its files are on this machine; what an endpoint serves needs none."""
        if record.source == "hub":
            return self.hub.here(hub_name(record), record.revision) is not None
        return self._there(record)

    def default(self, task: Task = Task.TEXT_GENERATION) -> str:
        """The model used when none is named: a starter, else the first by name that is there."""
        if found := next(self.able(task), None):
            return found.id
        raise ModelNotFound(f"No model for {task} is registered; register a folder or a hub id first.")

    def able(self, task: Task) -> Iterator[ModelRecord]:
        """The models that do a task and are there, each in one version: starters first, then by name.

        What other servers run comes last of all.
        """
        records, _ = self._registry.list(task=task, limit=1_000_000)
        names = set()
        for record in sorted(records, key=nearness):
            if record.name not in names and self._there(record):
                names.add(record.name)
                meant = self._registry.get(record.name)  # the version that its bare name means
                yield meant if self._there(meant) and task in meant.tasks else record

    def first(self, task: Task) -> ModelRecord | None:
        """The first of those that do a task and that memory has room for."""
        return next((one for one in self.able(task) if one.memory_estimate <= self._pool.limit), None)

    def understands(self, kinds: Collection[Kind]) -> ModelRecord | None:
        """One model that talks about all these kinds of media at once, where there is any."""
        fits = (one for one in self.able(Task.ANY_TO_ANY) if takes(one) >= set(kinds))
        return next((one for one in fits if one.memory_estimate <= self._pool.limit), None)

    def record(self, ref: str | None, task: Task | None = Task.TEXT_GENERATION) -> ModelRecord:
        """The record of a reference, or of the default model; raises when it cannot do `task`."""
        record = self._named(ref or self.default(task or Task.TEXT_GENERATION))
        if task is not None and record.tasks and task not in record.tasks:
            raise UnsupportedTask(
                f"{record.id} does {', '.join(record.tasks)}, not {task}; choose another model."
            )
        return record

    def require(self, record: ModelRecord, kinds: Collection[Kind]) -> None:
        """Raises `UnsupportedTask` when a model takes no files of these kinds, with those that do."""
        untaken = sorted(set(kinds) - takes(record))
        if not untaken or not record.tasks or Task.ANY_TO_ANY in record.tasks:
            return  # a model for anything says itself what it cannot take
        able = self.understands(kinds)
        others = f"{able.id}, or `auto`" if able else "`auto`"
        what = " and ".join(NOUNS[kind] for kind in untaken)
        raise UnsupportedTask(
            f"{record.id} takes no {what}. Choose {others}, which takes all that is attached."
        )

    def options(self, ref: str | None, task: Task = Task.TEXT_GENERATION) -> type[Options]:
        """The class of a model's parameters."""
        self.record(ref, task)
        return OPTIONS[task]

    def parameters(self, record: ModelRecord, task: Task, *given: JSON) -> Options:
        """Validated parameters: the model's defaults, overlaid by each of `given` in turn."""
        return parameters_of(record, task, *given)

    # --- changing --------------------------------------------------------------------------------

    async def register(self, body: JSON) -> JSON:
        """Add a model from a folder (`file_path`), a hub id (`hub_id`), an `endpoint`, or as described.

        Only `name` is needed where the rest can be read from the folder. Weights are not loaded and
        no code of the folder is run. Raises `InvalidModel`, `UnsafeModel`, `ModelExists`, `Forbidden`.
        """
        self.may_change()
        found = await asyncio.to_thread(self.describer.described, body)
        await asyncio.to_thread(self._registry.add, found.record)
        told = {"warnings": [*found.warnings]} if found.warnings else {}
        return await self.get(found.record.id) | told

    async def restore(self, record: ModelRecord) -> None:
        """Take back a removal; raises `ModelExists`, `Forbidden`."""
        self.may_change()
        await asyncio.to_thread(self._registry.add, record)

    async def load(self, ref: str) -> JSON:
        """Bring a model into memory; its record when it is there."""
        record = self._registry.get(ref)
        if record.endpoint is not None:
            await asyncio.to_thread(self.endpoints.check, record.id, record.endpoint)
        await self._pool.load(record)
        return await self.get(record.id)

    async def unload(self, ref: str) -> JSON:
        """Take a model out of memory; `ModelBusy` while it is used."""
        record = self._registry.get(ref)
        await self._pool.unload(record.id)
        return await self.get(record.id)

    async def delete(self, ref: str) -> None:
        """Forget a model; files are never deleted. `ModelBusy` while it is loading or used."""
        self.may_change()
        record = self._registry.get(ref)
        if self._pool.status(record.id) in ("loading", "unloading"):
            raise ModelBusy(f"{record.id} is {self._pool.status(record.id)}; wait until that is done.")
        await self._pool.unload(record.id)
        await asyncio.to_thread(self.downloads.stop, record)
        await asyncio.to_thread(self._registry.remove, record.id)

    def register_cards(self, folder: Path) -> tuple[str, ...]:
        """Register every model of a folder of cards; what people should know about those that cannot be."""
        shelf = Shelf(folder, self._registry, self.describer)
        shelf.look()
        return shelf.notices

    def find(self, record: ModelRecord) -> Checkpoint | Remote:
        """The files of a model, fetched from the hub if they are not here (blocks while it fetches), or the
        server that runs it."""
        if record.source == "endpoint":
            return self.endpoints.of(record)
        if record.source == "hub":
            return self.downloads.fetch(record)
        return inspect(self._roots.allowed(self._folder(record)))

    def labels(self, record: ModelRecord) -> tuple[str, ...]:
        """The names that a model knows things by; of what other servers run none are known. Blocks."""
        found = self.find(record)
        told = {} if isinstance(found, Remote) else found.config.get("id2label", {})
        return tuple(str(name) for name in told.values())

    def loaded(self, record: ModelRecord, size: int) -> None:
        """Remember the most that a model took on this machine, to plan its next load by."""
        if size > (record.memory_used or 0):
            try:
                self._registry.update(record.id, memory_used=size)
            except InferenceChatError as error:
                logger.warning("The memory of %s could not be recorded: %s", record.id, error.detail)

    # --- inside ----------------------------------------------------------------------------------

    def _named(self, ref: str) -> ModelRecord:
        return AUTO if ref in (AUTO.name, AUTO.id) else self._registry.get(ref)

    def may_change(self) -> None:
        """Raises `Forbidden` where the operator has switched changes off."""
        if not self._settings.allow_registration:
            raise Forbidden(
                "Models cannot be added or removed here; the operator has set ALLOW_REGISTRATION=false."
            )

    def _card(self, record: ModelRecord) -> str:
        """The text of a card: of a folder, or of a hub model that is here."""
        folder = self._folder(record)
        if record.source == "hub":
            folder = self.hub.here(hub_name(record), record.revision) or folder
        path = self._roots.allowed(folder) / "README.md"
        return read_card(path).text if path.is_file() else ""

    def _arrived(self, record: ModelRecord, checkpoint: Checkpoint, revision: str) -> None:
        """Remember what a model that has been downloaded truly is."""
        facts = of_checkpoint(checkpoint) | {"revision": revision}
        with contextlib.suppress(NotFound):  # it was removed meanwhile
            self._registry.update(record.id, **{k: v for k, v in facts.items() if k not in record.edited})

    def _folder(self, record: ModelRecord) -> Path:
        return Path(record.file_path or record.name)

    def _there(self, record: ModelRecord) -> bool:
        return record.source in ("hub", "endpoint") or self._folder(record).exists()

    async def _shown(self, records: Iterable[ModelRecord]) -> builtins.list[JSON]:
        shown = list(records)
        figures = await asyncio.to_thread(self._records.figures, [record.id for record in shown])
        return [self._show(record, figures[record.id]) for record in shown]

    def _show(self, record: ModelRecord, cost: JSON) -> JSON:
        shown = record.model_dump(mode="json")
        shown["file_path"] = public_path(record.file_path)
        shown["default"] = (
            self._registry.knows(record.name) and self._registry.get(record.name).id == record.id
        )
        shown["fits"] = (record.memory_used or record.memory_estimate) <= self._pool.limit
        shown["parked"] = self._pool.parked(record.id)
        shown["status"] = self._pool.status(record.id)
        if error := self._pool.error(record.id):
            shown["error"] = error
        shown["memory_used"] = self._pool.memory().get(record.id, record.memory_used)
        shown["metrics"] = {
            "requests": cost.get("requests", 0),
            "errors": cost.get("errors", 0),
            "latency_ms_p50": cost.get("latency_ms_p50"),
            "latency_ms_p95": cost.get("latency_ms_p95"),
            "tokens_per_second": cost.get("tokens_per_second"),
            "accuracy": None,
            "accuracy_of": None,
            "last_used_at": cost.get("last_used_at"),
        } | self._accuracy(record.id, record.sha256)
        return shown
