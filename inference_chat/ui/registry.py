"""The Registry tab: which models there are, what they cost here, and what is in memory."""

from collections.abc import AsyncIterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ..errors import InvalidRequest
from ..registry.catalog import ModelRecord
from ..schema import JSON
from ..service import Service
from ..tasks import TASKS
from .markdown import render
from .parts import EVENT, caller, done, heading, status, told
from .render import seconds

ASSETS = Path(__file__).parent / "assets"
MOST = 500  # rows shown at once; others are found by searching
EVERY = "Every task"


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Registry", "The models of this server: what they do, what they cost here, what is in memory.")
    panel = _Panel(service)
    panel.draw()


class _Panel:
    """The tab's components and what they do; `_removed` holds what each page may still take back."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._models = service.models
        self._removed: dict[str, ModelRecord] = {}

    def draw(self) -> None:
        tab = Context.block
        bars = gr.HTML(apply_default_css=False, elem_classes="ic-bars-block")
        line = status()
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=340):
                with gr.Row():
                    query = gr.Textbox(label="Search", placeholder="name, tag, what it does", min_width=160)
                    task = gr.Dropdown([EVERY, *TASKS], value=EVERY, label="Task", min_width=160)
                table = _list()
                self._form(line, [bars, table], query, task)
            with gr.Column(scale=2, min_width=320):
                chosen = gr.Dropdown([], label="Model", allow_custom_value=True)
                with gr.Row():
                    load = gr.Button("Load", variant="primary", min_width=70)
                    unload = gr.Button("Unload", min_width=70)
                    remove = gr.Button("Remove", min_width=70)
                    undo = gr.Button("Undo", min_width=70, visible=False)
                card = gr.HTML(apply_default_css=False, elem_classes="ic-card-block")
        overview = [bars, table, chosen]
        root = Context.root_block
        assert root is not None
        quiet: dict[str, Any] = EVENT | {"queue": False}
        root.load(self._first, None, overview, **quiet)
        if isinstance(tab, gr.Tab):  # what ran while another tab was open
            opened = tab.select(self._overview, [query, task], overview, **quiet)
            opened.then(self._card, chosen, card, **quiet)
        for event in (query.change, task.change, chosen.focus):
            event(self._overview, [query, task], overview, **quiet)
        table.select(self._pick, None, chosen, **quiet)
        chosen.change(self._card, chosen, card, **quiet)
        for button, act in (
            (load, self._load),
            (unload, self._unload),
            (remove, self._remove),
            (undo, self._undo),
        ):
            asked = button.click(told(act, others=2), chosen, [line, card, undo], **EVENT)
            asked.then(self._overview, [query, task], overview, **quiet)

    def _form(self, line: gr.HTML, overview: list[Any], query: gr.Textbox, task: gr.Dropdown) -> None:
        with gr.Accordion("Register a model", open=False):
            place = gr.Textbox(
                label="Folder on the server, or Hub id",
                info="A folder in Hugging Face layout (safetensors), or owner/name on the Hub.",
                placeholder="/models/my-model or HuggingFaceTB/SmolLM2-135M-Instruct",
            )
            with gr.Row():
                name = gr.Textbox(label="Name", placeholder="as the folder is called", min_width=140)
                version = gr.Textbox(label="Version", placeholder="1.0.0", min_width=100)
            go = gr.Button("Register", variant="primary")
        asked = gr.on(
            [go.click, place.submit], told(self._register, others=0), [place, name, version], line, **EVENT
        )
        asked.then(self._table, [query, task], overview, **(EVENT | {"queue": False}))

    async def _first(self) -> list[Any]:
        """What a page shows when it is opened: every model, the first of them chosen."""
        bars, rows = await self._table(None, EVERY)
        names = [row["id"] for row in rows]
        return [bars, rows, gr.Dropdown(choices=names, value=next(iter(names), None))]

    async def _overview(self, query: str | None, task: str) -> list[Any]:
        """What fits; which model is chosen stays as it is, for somebody may choose one meanwhile."""
        bars, rows = await self._table(query, task)
        return [bars, rows, gr.Dropdown(choices=[row["id"] for row in rows])]

    async def _table(self, query: str | None, task: str) -> list[Any]:
        wanted = None if task == EVERY else task
        if query and query.strip():
            records = await self._models.search(query, task=wanted, limit=MOST)
        else:
            records, _ = await self._models.list(task=wanted, limit=MOST)
        return [memory_bars(self._service), [_row(record) for record in records]]

    async def _pick(self, event: gr.EventData) -> str:
        return str(event.id)

    async def _card(self, ref: str | None) -> str:
        if not ref or not self._service.registry.knows(ref):
            return ""
        return card_html(await self._models.get(ref), await self._models.card(ref))

    async def _load(self, request: gr.Request, ref: str | None) -> AsyncIterator[Any]:
        ref = self._meant(request, ref)
        yield done(f"Loading {ref} …"), gr.skip(), gr.skip()
        record = await self._models.load(ref)
        said = f"{record['id']} is in memory: {_bytes(record['memory_used'])}."
        yield done(said), await self._card(ref), gr.skip()

    async def _unload(self, request: gr.Request, ref: str | None) -> AsyncIterator[Any]:
        ref = self._meant(request, ref)
        record = await self._models.unload(ref)
        yield done(f"{record['id']} is out of memory."), await self._card(ref), gr.skip()

    async def _remove(self, request: gr.Request, ref: str | None) -> AsyncIterator[Any]:
        ref = self._meant(request, ref)
        record = self._service.registry.get(ref)
        await self._models.delete(record.id)
        self._removed[request.session_hash or ""] = record
        yield done(f"{record.id} is removed; its files are still there."), "", gr.Button(visible=True)

    async def _undo(self, request: gr.Request, ref: str | None) -> AsyncIterator[Any]:
        record = self._removed.pop(request.session_hash or "", None)
        if record is None:
            raise InvalidRequest("There is nothing to undo.")
        await self._models.restore(record)
        yield done(f"{record.id} is back."), await self._card(record.id), gr.Button(visible=False)

    async def _register(self, request: gr.Request, place: str, name: str, version: str) -> AsyncIterator[Any]:
        caller(self._service, request)
        place = place.strip()
        if not place:
            raise InvalidRequest("Give a folder on the server, or a Hub id.")
        local = place.startswith((".", "/", "~")) or "\\" in place or place.count("/") != 1
        body: JSON = {"file_path": place} if local else {"hub_id": place}
        body["name"] = name.strip() or place.rstrip("/\\").replace("\\", "/").split("/")[-1]
        if version.strip():
            body["version"] = version.strip()
        record = await self._models.register(body)
        yield done(f"{record['id']} is registered: {', '.join(record['capabilities'])}.")

    def _meant(self, request: gr.Request, ref: str | None) -> str:
        caller(self._service, request)
        if not ref:
            raise InvalidRequest("Choose a model first.")
        return ref


def memory_bars(service: Service) -> str:
    """What is in memory, and of how much, as a bar."""
    limit, held = service.pool.limit, service.pool.memory()
    parts = "".join(
        f'<i style="width:{max(0.4, 100 * size / limit):.2f}%" title="{escape(id)}: {_bytes(size)}"></i>'
        for id, size in held.items()
    )
    names = ", ".join(f"{escape(id)} {_bytes(size)}" for id, size in held.items())
    used = f"{_bytes(sum(held.values())) or 'Nothing'} of {_bytes(limit)} in use"
    bar = f'<div role="img" aria-label="{used}">{parts}</div>'
    return f'<div class="ic-memory">{bar}<p>{used}{": " if names else ""}{names}</p></div>'


def card_html(record: JSON, text: str) -> str:
    """A model as its record and its card tell of it."""
    metrics = record["metrics"]
    p50 = metrics["latency_ms_p50"]
    facts = {
        "Does": ", ".join(record["tasks"]),
        "State": record["status"] + (f": {record['error']}" if record.get("error") else ""),
        "Weights": f"{_bytes(record['file_size']) or 'none'}, {record['framework']}",
        "Memory": f"{_bytes(record['memory_used'])} measured"
        if record["memory_used"]
        else f"about {_bytes(record['memory_estimate'])}",
        "Licence": record["license"] or "not said",
        "Here so far": f"{metrics['requests']:,} requests, {metrics['errors']:,} errors"
        + (f", half within {seconds(p50)}" if p50 is not None else ""),
        "Tokens/s": f"{metrics['tokens_per_second']:,.0f}" if metrics["tokens_per_second"] else "",
        "Digest": (record["sha256"] or "")[:16],
    }
    given = ((name, escape(value)) for name, value in facts.items() if value)
    rows = "".join(f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in given)
    words = f'<div class="ic-words">{"".join(render(text))}</div>' if text else ""
    return f'<div class="ic-model-card"><h2>{escape(record["id"])}</h2><table>{rows}</table>{words}</div>'


def _list() -> gr.HTML:
    """The list of models; its value is rows as `_row` makes them, and `select` tells which was clicked."""
    return gr.HTML(
        [],
        html_template='<div class="ic-models ic-table"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in ("dom.js", "models.js")),
        apply_default_css=False,
        elem_classes="ic-models-block",
    )


def _row(record: JSON) -> JSON:
    return {
        "id": record["id"],
        "does": ", ".join(record["capabilities"][:4]) or record["model_type"],
        "memory": _bytes(record["memory_used"] or record["memory_estimate"]),
        "state": record["status"],
        "requests": record["metrics"]["requests"],
    }


def _bytes(size: int | None) -> str:
    if not size:
        return ""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
