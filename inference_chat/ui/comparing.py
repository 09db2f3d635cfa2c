"""A comparison as its view takes it, blind or not, and what the view asks of the server."""

import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from ..access import Caller
from ..comparing import reports
from ..comparing.comparisons import Comparison, Row
from ..comparing.ratings import Rating
from ..comparing.votes import Verdict, Vote
from ..errors import InferenceChatError, InvalidRequest
from ..events import ImageReady
from ..jobs import Job
from ..schema import JSON
from ..service import Service
from . import result
from .actions import doors
from .parts import WORDS
from .render import blocks, seconds

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("dom.js", "places.js", "regions.js", "clip.js", "result.js", "differences.js", "compare.js")
KEPT = 64  # finished comparisons that can still be voted on or taken away
LETTERS = "ABCDEF"
MIB = 1 << 20
EMPTY = "The answers appear here, side by side."
Format = Literal["html", "csv", "json"]
TYPES: dict[Format, str] = {"html": "text/html", "csv": "text/csv", "json": "application/json"}


@dataclass
class Shown:
    """A comparison on a page: its rows in the order of its columns, and whether their names are hidden."""

    comparison: Comparison
    rows: Sequence[Row]
    blind: bool
    answer: JSON = field(default_factory=dict)
    voted: bool = False

    @property
    def hidden(self) -> bool:
        return self.blind and not self.voted

    def name(self, at: int) -> str:
        """What a column is called: a letter while names are hidden."""
        return LETTERS[at] if self.hidden else self.rows[at].model


class Page:
    """What the view asks of the server, and what it shows; keeps the newest comparisons."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._kept: OrderedDict[str, Shown] = OrderedDict()

    async def vote(self, caller: Caller, *, id: str, verdict: Verdict, best: int | None = None) -> JSON:
        """Keep a vote on a comparison; its names, and who stands where by all votes, come back."""
        shown = self._find(id)
        if shown.voted:
            raise InvalidRequest("You have voted on these answers already; compare again to vote again.")
        if best is not None and not 0 <= best < len(shown.rows):
            raise InvalidRequest("best: there is no such column.")
        models = [row.model for row in shown.rows if row.job and row.error is None]
        chosen = shown.rows[best].model if best is not None else None
        if chosen is not None and chosen not in models:
            raise InvalidRequest("best: that model did not answer.")
        task = shown.comparison.task.value
        told = Vote(task=task, models=tuple(models), verdict=verdict, best=chosen, blind=shown.blind)
        shown.voted = True  # while it is written already: a second one would count too
        try:
            await self._service.vote(caller, told)
        except InferenceChatError:
            shown.voted = False
            raise
        return {"columns": _revealed(shown), "ratings": ratings_html(await self._service.ratings(task), task)}

    async def report(self, caller: Caller, *, id: str, form: Format) -> JSON:
        """A finished comparison as a file."""
        shown = self._find(id)
        if shown.hidden:
            raise InvalidRequest("Vote first: the report has the names.")
        made = {"html": reports.as_html, "csv": reports.as_csv, "json": reports.as_json}[form](shown.answer)
        return {"name": f"comparison.{form}", "type": TYPES[form], "text": made}

    def _begin(self, comparison: Comparison, blind: bool) -> Shown:
        rows = list(comparison.rows)
        if blind:
            random.SystemRandom().shuffle(rows)
        shown = self._kept[comparison.id] = Shown(comparison, rows, blind)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return shown

    def _find(self, id: str) -> Shown:
        shown = self._kept.get(id)
        if shown is None or not shown.answer:
            raise InvalidRequest("This comparison is not kept any more; compare again.")
        return shown


def view(page: Page, service: Service) -> gr.HTML:
    """The place where the answers appear; its values come from `sketch` and `finished`."""
    return gr.HTML(
        {},
        html_template='<div class="ic-compare ic-result"></div>',
        js_on_load="\n".join((ASSETS / name).read_text("utf-8") for name in SCRIPTS),
        server_functions=doors(page, service),
        apply_default_css=False,
        elem_classes="ic-result-block",
        empty=EMPTY,
        threshold=result.THRESHOLD,
    )


def begin(page: Page, comparison: Comparison, *, blind: bool) -> Shown:
    """Put a comparison on a page; blind, its columns are shuffled."""
    return page._begin(comparison, blind)


def sketch(shown: Shown) -> JSON:
    """What there is to see while it runs."""
    columns = [{"name": shown.name(at), **_so_far(row)} for at, row in enumerate(shown.rows)]
    return {"id": shown.comparison.id, "live": True, "blind": shown.blind, "columns": columns}


async def finished(shown: Shown) -> JSON:
    """Everything, once all have ended."""
    told = shown.answer = await shown.comparison.answer(_explain, shown.rows)
    value: JSON = {
        "id": shown.comparison.id,
        "task": shown.comparison.task.value,
        "blind": shown.blind,
        "hidden": shown.hidden,
        "notes": told["notes"],
        "columns": [],
    }
    for at, row in enumerate(shown.rows):
        found = await shown.comparison.result_of(row)
        if found is None or row.job is None:
            detail = row.error.detail if row.error else "It was stopped before it began."
            value["columns"].append({"name": shown.name(at), "error": _nameless(detail, shown)})
            continue
        seen = await result.shown(row.job, found)
        value |= {key: seen[key] for key in ("source", "size", "source_clip") if key in seen}
        value["columns"].append(
            {"name": shown.name(at), "output": seen["output"], "html": "".join(blocks(found.text))}
        )
    order = {row.model: at for at, row in enumerate(shown.rows)}
    value["pairs"] = [
        {**pair, "models": None, "between": [order[model] for model in pair["models"]]}
        for pair in told["agreement"]
    ]
    if not shown.hidden:
        value["revealed"] = _revealed(shown)
    return value


def ratings_html(ratings: Sequence[Rating], task: str) -> str:
    """Who stands where, as a table; empty without votes."""
    if not ratings:
        return (
            f"<p class='ic-none'>Nobody has voted on {task or 'anything'} yet. Compare blind, then vote.</p>"
        )
    head = "".join(
        f"<th scope='col'>{name}</th>"
        for name in ("Model", "Rating", "95 % interval", "Votes", "Won", "Tied", "Lost")
    )
    rows = "".join(
        f"<tr><th scope='row'>{escape(one.model)}</th><td>{one.rating:.0f}</td>"
        f"<td>{one.low:.0f} – {one.high:.0f}</td>"
        f"<td>{one.votes}</td><td>{one.wins}</td><td>{one.ties}</td><td>{one.losses}</td></tr>"
        for one in ratings
    )
    return f"<div class='ic-table'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _so_far(row: Row) -> JSON:
    job = row.job
    if job is None:
        return {"phase": "Failed" if row.error else "Waiting for its turn", "over": row.error is not None}
    progress = job.phase
    phase = WORDS.get(progress.phase, progress.phase.capitalize()) if progress else "Waiting"
    more = f" {progress.fraction:.0%}" if progress and progress.fraction is not None and not job.done else ""
    return {
        "phase": ("Failed" if job.error else "Done") if job.done else phase + more,
        "over": job.done,
        "text": job.text(),
        "preview": _preview(job),
    }


def _preview(job: Job) -> str | None:
    """What a picture under way looks like."""
    drawn = (one for one in reversed(job.events) if isinstance(one, ImageReady) and one.role == "preview")
    return next((one.image.url() for one in drawn), None)


def _revealed(shown: Shown) -> list[JSON]:
    """Names, figures and table of the columns: what a blind comparison keeps until there is a vote."""
    table = {row["model"]: row for row in shown.answer["table"]}
    return [
        {"name": row.model, "figures": _figures(table[row.model]), "row": table[row.model]}
        | ({"error": row.error.detail} if row.error else {})
        for row in shown.rows
    ]


def _figures(row: JSON) -> list[str]:
    if row["latency_ms"] is None:
        return []
    told = ["kept from before" if row["cached"] else seconds(row["latency_ms"])]
    if row["tokens"] and row["first_token_ms"] is not None:
        told.append(f"first token {seconds(row['first_token_ms'])}")
    if row["tokens_per_second"]:
        told.append(f"{row['tokens_per_second']:,.0f} tokens/s")
    if row["compute_ms"]:
        told.append(f"own work {seconds(row['compute_ms'])}")
    if row["energy_j"]:
        told.append(f"{'' if row['energy'] == 'measured' else 'about '}{joules(row['energy_j'])}")
    if row["load_ms"]:
        told.append(f"loading {seconds(row['load_ms'])} before")
    if row["memory"]:
        told.append(f"{row['memory'] / MIB:,.0f} MiB memory")
    if row["size"]:
        told.append(f"{row['size'] / MIB:,.1f} MiB weights")
    return told


def joules(value: float) -> str:
    """Energy for people."""
    return f"{value:,.0f} J" if value >= 100 else f"{value:.2g} J"


def _nameless(detail: str, shown: Shown) -> str:
    """Why a model failed, without its name while names are hidden."""
    return "This model could not answer." if shown.hidden else detail


def _explain(error: InferenceChatError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail}
