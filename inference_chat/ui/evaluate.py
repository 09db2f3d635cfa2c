"""The Evaluate tab: how often models are right on a labelled set, how quickly, and in how much memory."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context

from ..errors import InvalidRequest
from ..evaluating.evaluations import Asked
from ..evaluating.scoring import MEASURES, NAMES, SURPRISE
from ..evaluating.sets import BUILT_IN
from ..evaluating.store import GOES_ON
from ..events import Progress
from ..models.described import nearness
from ..schema import JSON
from ..service import Service
from ..tasks import TASKS, Task
from .parts import EVENT, QUIET, busy, caller, done, failed, heading, status, told

ASSETS = Path(__file__).parent / "assets"
OWN = "A file of mine"
ABOUT_OWN = (
    "CSV or JSON lines with a column for the input (`text`, `prompt`) and one for the answer (`label`, "
    "`answer`); or a zip with files in a folder for each label, or with a table `metadata.csv` naming them "
    "(boxes in `objects`; for regions `mask`, a file of the zip, and `labels`, the names of its numbers)."
)
ENDED = {
    "cancelled": "Stopped; it can go on.",
    "interrupted": "Interrupted; it can go on.",
    "failed": "It failed.",
}


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Evaluate", "How often models are right on a labelled set, how quickly, and in how much memory.")
    _Panel(service).draw()


class _Panel:
    """The tab's components and what they do; `_going` holds the evaluation that each page follows."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._evaluations = service.evaluations
        self._going: dict[str, str] = {}

    def draw(self) -> None:
        names = [one.name for one in self._evaluations.sets.built_in()]
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                chosen = gr.Dropdown([*names, OWN], value=(names or [OWN])[0], label="Labelled set")
                about = gr.Markdown(_about(chosen.value), elem_classes="ic-quietly")
                file = gr.File(label="CSV, JSON lines or zip", type="filepath", visible=not names, height=130)
                task = gr.Dropdown(_tasks(), label="Task", value=_task_of(chosen.value), visible=not names)
                models = gr.Dropdown([], label="Models", multiselect=True, max_choices=10)
                with gr.Row():
                    measure = gr.Dropdown([], label="Measured by", min_width=140)
                    most = gr.Number(
                        1000, label="Rows at most", minimum=1, maximum=10_000, precision=0, min_width=90
                    )
                with gr.Row():
                    go = gr.Button("Evaluate", variant="primary", min_width=90)
                    stop = gr.Button("Stop", min_width=70)
                    again = gr.Button("Go on", min_width=70)
                line = status(
                    "Choose a set and models; it runs in the background, also when this page is closed."
                )
                earlier = gr.Dropdown([], label="Earlier evaluations", value=None)
            with gr.Column(scale=3, min_width=340):
                view = _view()
        form = [chosen, file, task, models, measure, most]
        chosen.change(self._set, chosen, [about, file, task], **QUIET)
        file.upload(_guessed, file, task, **QUIET)
        task.change(self._choices, [task, models], [models, measure], **QUIET)
        models.focus(self._listed, task, models, **QUIET)
        follow = [line, view, earlier]
        go.click(told(self._start, others=2), form, follow, **EVENT)
        again.click(told(self._resume, others=2), None, follow, **EVENT)
        stop.click(told(self._stop, others=0), None, line, **EVENT)
        earlier.focus(self._earlier, None, earlier, **QUIET)
        earlier.input(told(self._open, others=2), earlier, follow, trigger_mode="multiple", **EVENT)
        root = Context.root_block
        assert root is not None
        root.load(self._choices, [task, models], [models, measure], **QUIET)
        root.load(self._earlier, None, earlier, **QUIET)

    async def _set(self, name: str) -> list[Any]:
        own = name not in BUILT_IN
        task = gr.Dropdown(visible=own) if own else gr.Dropdown(value=_task_of(name), visible=False)
        return [_about(name), gr.File(visible=own), task]

    async def _able(self, task: str) -> list[str]:
        records, _ = self._service.registry.list(task=task, limit=500)
        return [record.id for record in sorted(records, key=nearness)]

    async def _listed(self, task: str) -> Any:
        """The models that can do a task by now; not a value, since others may be chosen until it comes."""
        return gr.Dropdown(choices=await self._able(task))

    async def _choices(self, task: str, kept: list[str] | None) -> list[Any]:
        """The models that can do a task, and its measures; what was chosen stays where it fits."""
        ids = await self._able(task)
        stay = [one for one in kept or [] if one in ids] or ids[:1]
        names = [(NAMES[name], name) for name in MEASURES[Task(task)]]
        return [gr.Dropdown(choices=ids, value=stay), gr.Dropdown(choices=names, value=names[0][1])]

    async def _start(
        self,
        request: gr.Request,
        chosen: str,
        path: str | None,
        task: str,
        models: list[str] | None,
        measure: str,
        most: float | None,
    ) -> AsyncIterator[Any]:
        caller(self._service, request)
        if not models:
            raise InvalidRequest("Choose at least one model.")
        if chosen not in BUILT_IN:
            if path is None:
                raise InvalidRequest("Choose a file first: CSV, JSON lines, or a zip.")
            name = Path(path).name
            yield busy(Progress(phase="reading", detail=name)), gr.skip(), gr.skip()
            chosen = await asyncio.to_thread(self._evaluations.sets.keep, Path(path), name)
        asked = Asked(
            models=tuple(models), set=chosen, task=Task(task), metric=measure, limit=max(1, int(most or 1000))
        )
        begun = await self._evaluations.start(asked)
        async for values in self._followed(request, begun["id"]):
            yield values

    async def _resume(self, request: gr.Request) -> AsyncIterator[Any]:
        caller(self._service, request)
        id = self._mine(request)
        await self._evaluations.resume(id)
        async for values in self._followed(request, id):
            yield values

    async def _open(self, request: gr.Request, id: str | None) -> AsyncIterator[Any]:
        if id:
            async for values in self._followed(request, id):
                yield values

    async def _stop(self, request: gr.Request) -> AsyncIterator[Any]:
        shown = await self._evaluations.cancel(self._mine(request))
        yield done(ENDED.get(shown["state"], "It has ended."))

    async def _followed(self, request: gr.Request, id: str) -> AsyncIterator[Any]:
        """The line and the view until it has ended, or the page follows another; it goes on without one."""
        page = request.session_hash or ""
        self._going[page] = id
        loop = asyncio.get_running_loop()
        began, before = loop.time(), None
        async for shown in self._evaluations.watch(id):
            if self._going[page] != id:
                return
            if shown["state"] in GOES_ON:
                view = gr.skip() if shown == before else shown
                yield _progress(shown, loop.time() - began), view, gr.skip()
            else:
                yield _ended(shown), shown, await self._earlier(id)
            before = shown

    async def _earlier(self, value: str | None = None) -> Any:
        titles = [(_title(one), one["id"]) for one in await self._evaluations.newest(50)]
        return gr.Dropdown(choices=titles, value=value) if value else gr.Dropdown(choices=titles)

    def _mine(self, request: gr.Request) -> str:
        id = self._going.get(request.session_hash or "")
        if id is None:
            raise InvalidRequest(
                "Nothing was evaluated on this page yet; start one, or choose an earlier one."
            )
        return id


def _view() -> gr.HTML:
    """What was measured: its value is an evaluation as JSON, drawn by `evaluate.js`."""
    scripts = ("dom.js", "chart.js", "evaluate.js")
    return gr.HTML(
        {},
        html_template='<div class="ic-eval"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in scripts),
        apply_default_css=False,
        elem_classes="ic-eval-block",
        names=NAMES,
    )


def _about(name: str) -> str:
    return BUILT_IN[name].about if name in BUILT_IN else ABOUT_OWN


def _task_of(name: str) -> str:
    return BUILT_IN[name].task if name in BUILT_IN else Task.TEXT_CLASSIFICATION


def _guessed(path: str | None) -> Any:
    """The task that a file is most likely for; the list beside it has the others."""
    if path is None:
        return gr.skip()
    with Path(path).open("rb") as file:
        head = file.readline(4096).lower()
    if head.startswith(b"pk"):
        return Task.IMAGE_CLASSIFICATION
    return Task.TEXT_CLASSIFICATION if b"label" in head else Task.TEXT_GENERATION


def _tasks() -> list[tuple[str, str]]:
    return [(f"{TASKS[task].word} ({task})", str(task)) for task in MEASURES]


def _progress(shown: JSON, seconds: float) -> str:
    parts = shown["results"]
    total = shown["total"] * len(parts)
    finished = sum(one["done"] if one["state"] != "failed" else shown["total"] for one in parts)
    now_at = next((one["model"] for one in parts if one["state"] == "running"), "")
    waits = shown["state"] == "waiting"
    return busy(
        Progress(
            phase="queued" if waits else "working",
            detail="another evaluation runs" if waits else now_at,
            fraction=min(1.0, finished / max(1, total)),
            done=finished,
            total=total,
            unit="rows",
        ),
        seconds,
    )


def _ended(shown: JSON) -> str:
    if shown["state"] != "done":
        return failed(ENDED[shown["state"]]) if shown["state"] == "failed" else done(ENDED[shown["state"]])
    good = [one for one in shown["results"] if one["score"] is not None]
    if not good:
        return failed(
            next((one["error"] for one in shown["results"] if one["error"]), "Nothing was measured.")
        )
    best = max(good, key=lambda one: (one["score"], -(one["latency_ms"] or 0)))
    value = best["scores"][shown["measure"]]
    words = f"{value:.2f}" if shown["measure"] == SURPRISE else f"{value:.1%}"
    return done(f"{best['model']}: {NAMES[shown['measure']]} {words}, over {best['rows']} rows.")


def _title(shown: JSON) -> str:
    scores = ", ".join(
        f"{one['model'].split('@')[0]} {one['score']:.0%}"
        for one in shown["results"]
        if one["score"] is not None
    )
    return f"{shown['created_at'][:16].replace('T', ' ')} · {shown['set_name']} · {scores or shown['state']}"
