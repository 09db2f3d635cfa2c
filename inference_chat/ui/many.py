"""Many pictures at once: a table, and everything as a file to take away."""

import asyncio
import csv
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import InferenceChatError, InvalidRequest
from ..media import open_image
from ..outputs import outputs_of
from ..schema import JSON, Media
from ..service import Service
from ..tasks import Task
from .choice import choice, wants
from .parts import EVENT, caller, done, status, told, working
from .rows import WIDTHS, Row, columns_of, rows_of, table_of

EMPTY = {"headers": ["picture", "label", "score"], "data": []}


def build(service: Service, tasks: Collection[Task]) -> None:
    """Put the panel into the Blocks being built."""
    with gr.Row(equal_height=False):
        with gr.Column(min_width=320):
            files = gr.File(label="Pictures", file_count="multiple", type="filepath", height=180)
            words = gr.Textbox(label="Question for each picture", visible=False)
            asking = (lambda task: [gr.Textbox(visible=wants(task)[1])], [words])
            chosen = choice(service, tasks, "many", then=asking)
            with gr.Row():
                go = gr.Button("Go through them", variant="primary")
                stop = gr.Button("Stop")
            line = status("Choose some pictures; one request looks at all of them.")
        with gr.Column(min_width=320):
            table = gr.Dataframe(EMPTY, interactive=False, wrap=True, label="Results", max_height=420)
            taken = gr.DownloadButton("Download as zip (CSV, JSON)", interactive=False)

    async def go_through(
        request: gr.Request, paths: list[str] | None, text: str, model: str, task: str, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not paths:
            raise InvalidRequest("Choose some pictures first.")
        media, refused = await _opened(service, paths)
        given = {**_compared(task), **(options or {})}
        asked: JSON = {"task": task, "model": model, "prompt": text or None, "parameters": given}
        outputs: list[Any] = []
        # One text is on all pictures that it is given, so each has a request of its own.
        for own in [[one] for one in media] if wants(Task(task))[1] else [media]:
            job = await service.infer(who, group="image", **asked, media=[one for _, one in own])
            async for said in working(job, (len(outputs), len(media), "pictures") if own != media else None):
                yield said, gr.skip(), gr.skip()
            outputs += outputs_of(job.request, await job.result())
        named = [(name, output) for (name, _), output in zip(media, outputs, strict=True)]
        names = [name for name, _ in named]
        rows = [row for name, output in named for row in rows_of(name, output, names)]
        rows += [{"picture": name, "label": f"refused: {why}"} for name, why in refused]
        zipped = _zipped(rows, dict(named))
        said = f"{len(named)} pictures, {len(rows) - len(refused)} results"
        said += f"; {len(refused)} could not be read." if refused else "."
        yield done(said), _shown(rows), zipped

    asked = go.click(
        told(go_through, others=2), [files, words, *chosen.inputs], [line, table, taken], **EVENT
    )
    stop.click(None, cancels=[asked], api_visibility="private")


async def _opened(
    service: Service, paths: Sequence[str]
) -> tuple[list[tuple[str, Media]], list[tuple[str, str]]]:
    """The pictures that can be read, by their names, and why the others cannot."""
    media: list[tuple[str, Media]] = []
    refused: list[tuple[str, str]] = []
    for path in map(Path, paths):
        try:
            one = await service.intake.path(path, "image")
            await asyncio.to_thread(_decoded, one)  # one that is damaged ends no others
            media.append((path.name, one))
        except InferenceChatError as error:
            refused.append((path.name, error.detail))
    if not media:
        raise InvalidRequest(f"None of them can be read. {refused[0][1]}")
    return media, refused


def _decoded(media: Media) -> None:
    open_image(media.read())


def _shown(rows: Sequence[Row]) -> Any:
    table = table_of(rows)
    return gr.Dataframe(table, column_widths=list(WIDTHS.get(len(table["headers"]), ())) or None)


def _compared(task: str | None) -> JSON:
    """What is asked for besides: of pictures that are embedded, which are alike."""
    return {"similarity": True} if task == Task.IMAGE_FEATURE_EXTRACTION else {}


def _zipped(rows: Sequence[Row], outputs: JSON) -> Any:
    """The download button with the results in it."""
    table = io.StringIO()
    writer = csv.DictWriter(table, columns_of(rows))
    writer.writeheader()
    writer.writerows(rows)
    with (
        tempfile.NamedTemporaryFile(prefix="results-", suffix=".zip", delete=False) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr("results.csv", table.getvalue())
        archive.writestr("results.json", json.dumps(outputs, indent=2))
    return gr.DownloadButton(value=file.name, interactive=True)
