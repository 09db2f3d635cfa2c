"""The Registry tab: which models there are, what they cost here, what is in memory, and where to get more."""

import asyncio
import hashlib
import json
from pathlib import Path

import gradio as gr

from ..access import Caller
from ..errors import InferenceChatError, InvalidRequest
from ..registry.catalog import ModelRecord
from ..schema import JSON, new_id
from ..service import Service
from ..tasks import TASKS, Task
from .actions import doors
from .controls import controls
from .markdown import render
from .parts import heading

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "controls.js", "registry.js", "model.js", "adding.js")
PAGE, MOST = 200, 2000
"""Models listed at first, and at most; others are found by searching."""
UNDONE = 200
"""Removals that can be taken back, of all pages together."""
SORTS = {"name": "Name", "-updated_at": "Newest change", "-memory": "Memory", "-file_size": "Size"}
STATES = {"": "Any state", "loaded": "In memory", "available": "Not in memory", "failed": "Failed to load"}


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Registry", "The models of this server: what they do, what they cost here, what is in memory.")
    gr.HTML(
        html_template='<div class="ic-reg"></div><div class="ic-toasts"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        apply_default_css=False,
        elem_classes="ic-reg-block",
        server_functions=doors(Shown(service), service) + doors(Changed(service), service),
        tasks=list(TASKS),
        sorts=SORTS,
        states=STATES,
        page=PAGE,
    )


class Shown:
    """What the page's script asks to see."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._models = service.models

    async def look(
        self,
        caller: Caller,
        *,
        query: str = "",
        task: Task | None = None,
        status: str | None = None,
        sort: str = "name",
        count: int = PAGE,
        have: str | None = None,
    ) -> JSON | None:
        """The list, `count` long at most, and the memory, with their `stamp`; None while nothing is new."""
        count = min(max(count, 1), MOST)
        if query.strip():
            records = await self._models.search(query, task=task, limit=MOST if status else count)
            records = [one for one in records if status in (None, one["status"])][:count]
            total = len(records)
        else:
            records, total = await self._models.list(task=task, status=status, sort=sort, limit=count)
        found: JSON = {
            "models": [row(record) for record in records],
            "total": total,
            "memory": self._memory(),
            "notices": list(self._service.notices),
        }
        stamp = hashlib.blake2b(json.dumps(found).encode(), digest_size=8).hexdigest()
        return None if stamp == have else {**found, "stamp": stamp}

    async def model(self, caller: Caller, *, id: str) -> JSON:
        """All of one model: its record, its versions, its download; not its card."""
        record = await self._models.get(id)
        versions = await self._models.versions(record["name"])
        download = await self._service.fetching.state(record["id"]) if record["source"] == "hub" else None
        return {"record": record, "versions": versions, "download": download, "controls": _options(record)}

    async def card(self, caller: Caller, *, id: str) -> JSON:
        """A model's card as HTML, its words escaped."""
        try:
            text = await self._models.card(id)
        except InferenceChatError as error:
            return {"html": "", "wrong": error.detail}
        return {"html": "".join(render(text, breaks=False)), "wrong": None}

    async def download(self, caller: Caller, *, id: str) -> JSON:
        """How far a download is."""
        return await self._service.fetching.state(id)

    async def hub(self, caller: Caller, *, query: str, task: Task | None = None) -> JSON:
        """Models of the hub; `limit` is what all models may take in memory here."""
        self._service.admit(caller)
        found = await asyncio.to_thread(self._models.hub.search, query, task=task, limit=30)
        return {"models": found, "limit": self._service.pool.limit}

    async def check(self, caller: Caller, *, body: JSON) -> JSON:
        """What a registration would come to."""
        self._service.admit(caller)
        return await self._service.checking.check(named(body))

    async def export(self, caller: Caller) -> JSON:
        """The whole registry as one document."""
        return await self._service.transfer.export()

    def _memory(self) -> JSON:
        pool = self._service.pool
        return {"limit": pool.limit, "places": pool.places, "models": pool.memory()}


class Changed:
    """What the page's script asks to change; `_removed` holds what may still be taken back."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._models = service.models
        self._removed: dict[str, ModelRecord] = {}

    async def load(self, caller: Caller, *, id: str) -> JSON:
        """Bring a model into memory; the answer comes when it is there."""
        self._service.admit(caller)
        return await self._models.load(id)

    async def unload(self, caller: Caller, *, id: str) -> JSON:
        self._service.admit(caller)
        return await self._service.curation.unload(id)

    async def pin(self, caller: Caller, *, id: str, pinned: bool) -> JSON:
        """Keep a model in memory, or let it go when it is idle."""
        self._service.admit(caller)
        act = self._service.curation.pin if pinned else self._service.curation.unpin
        return await act(id)

    async def promote(self, caller: Caller, *, id: str) -> JSON:
        self._service.admit(caller)
        return await self._service.curation.promote(id)

    async def roll_back(self, caller: Caller, *, name: str) -> JSON:
        self._service.admit(caller)
        return await self._service.curation.roll_back(name)

    async def edit(self, caller: Caller, *, id: str, changes: JSON) -> JSON:
        """Set some of a model's words and defaults."""
        self._service.admit(caller)
        return await self._service.curation.edit(id, edited(changes))

    async def remove(self, caller: Caller, *, id: str) -> JSON:
        """Forget a model; `undo` takes it back."""
        self._service.admit(caller)
        record = self._service.registry.get(id)
        await self._models.delete(record.id)
        undo = new_id()
        self._removed[undo] = record
        for old in list(self._removed)[:-UNDONE]:
            del self._removed[old]
        return {"id": record.id, "undo": undo}

    async def restore(self, caller: Caller, *, undo: str) -> JSON:
        """Take a removal back."""
        record = self._removed.pop(undo, None)
        if record is None:
            raise InvalidRequest("It cannot be taken back any more; register it again.")
        await self._models.restore(record)
        return {"id": record.id}

    async def register(self, caller: Caller, *, body: JSON, fetch: bool = False) -> JSON:
        """Register a model, and with `fetch` begin its download."""
        self._service.admit(caller)
        record = await self._models.register(named(body))
        if fetch:
            await self._service.fetching.start(record["id"])
        return record

    async def fetch(self, caller: Caller, *, id: str) -> JSON:
        """Begin a download, or go on with it."""
        self._service.admit(caller)
        return await self._service.fetching.start(id)

    async def stop(self, caller: Caller, *, id: str, discard: bool = False) -> JSON:
        """Stop a download; what has arrived stays, unless it is discarded."""
        return await self._service.fetching.stop(id, discard=discard)

    async def take(self, caller: Caller, *, document: JSON, dry_run: bool) -> JSON:
        """Import what another registry has exported."""
        self._service.admit(caller)
        models, defaults = document.get("models"), document.get("defaults") or {}
        if not isinstance(models, list) or not all(isinstance(one, dict) for one in models):
            raise InvalidRequest("The file is no export of a registry: it has no list of `models`.")
        if not isinstance(defaults, dict) or not all(isinstance(one, str) for one in defaults.values()):
            raise InvalidRequest("The file is no export of a registry: its `defaults` are no versions.")
        return await self._service.transfer.take(models, defaults, replace=False, keep=not dry_run)


def named(body: JSON) -> JSON:
    """A registration without empty fields, and with a name: that of the folder, the hub's, or there."""
    given = {name: value for name, value in body.items() if value not in ("", None, {})}
    endpoint = given.get("endpoint")
    there = endpoint.get("model", "") if isinstance(endpoint, dict) else ""
    place = str(given.get("file_path") or given.get("hub_id") or there)
    if not place and not endpoint:
        raise InvalidRequest("Say first where the model is: a folder, a hub id, or an endpoint.")
    last = place.rstrip("/\\").replace("\\", "/").split("/")[-1].split("@")[0]
    return {"name": last} | given


def edited(changes: JSON) -> JSON:
    """Only what may be edited, of the types that it has; raises `InvalidRequest`."""
    kinds = {"description": str, "note": str, "license": str, "tags": list, "parameters": dict}
    for name, value in changes.items():
        if not isinstance(value, kinds.get(name, ())):
            raise InvalidRequest(f"{name}: cannot be set to this.")
    return changes


def row(record: JSON) -> JSON:
    """A model as the list has it."""
    shown = {
        name: record[name]
        for name in ("id", "name", "version", "default", "pinned", "parked", "source", "status")
    }
    return shown | {
        "does": ", ".join(record["capabilities"][:4]) or record["model_type"],
        "memory": record["memory_used"] or record["memory_estimate"],
        "requests": record["metrics"]["requests"],
    }


def _options(record: JSON) -> list[JSON]:
    """The form of a model's default parameters."""
    from ..runners import OPTIONS

    task = next((Task(task) for task in record["tasks"] if task in OPTIONS), None)
    return controls(OPTIONS[task], record["parameters"]) if task else []
