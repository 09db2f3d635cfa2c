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

COLUMNS = ["picture", "label", "score", "xmin", "ymin", "xmax", "ymax"]


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
            table = gr.Dataframe(
                headers=COLUMNS, interactive=False, wrap=True, label="Results", max_height=420
            )
            taken = gr.DownloadButton("Download as zip (CSV, JSON)", interactive=False)

    async def go_through(
        request: gr.Request, paths: list[str] | None, text: str, model: str, task: str, options: JSON
    ) -> AsyncIterator[Any]:
        who = caller(service, request)
        if not paths:
            raise InvalidRequest("Choose some pictures first.")
        media, refused = await _opened(service, paths)
        job = await service.infer(
            who,
            group="image",
            task=task,
            model=model,
            prompt=text or None,
            media=[one for _, one in media],
            parameters=options or {},
        )
        async for said in working(job):
            yield said, gr.skip(), gr.skip()
        outputs = outputs_of(job.request, await job.result())
        named = [(name, output) for (name, _), output in zip(media, outputs, strict=True)]
        rows = [row for name, output in named for row in rows_of(name, output)]
        rows += [[name, f"refused: {why}", None, None, None, None, None] for name, why in refused]
        zipped = _zipped(rows, dict(named))
        said = f"{len(named)} pictures, {len(rows) - len(refused)} results"
        yield done(said + (f"; {len(refused)} could not be read." if refused else ".")), rows, zipped

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


def rows_of(name: str, output: Any) -> list[list[Any]]:
    """The rows of one picture's result: one for each label, or one with its text."""
    if isinstance(output, list):
        return [_row(name, item) for item in output] or [[name, "nothing found", *[None] * 5]]
    return [[name, output.get("text") or ", ".join(output), *[None] * 5]]


def _row(name: str, item: JSON) -> list[Any]:
    box = item.get("box") or {}
    places = [round(box[side]) if side in box else None for side in COLUMNS[3:]]
    score = item.get("score")
    return [name, item["label"], round(score, 4) if score is not None else None, *places]


def _zipped(rows: Sequence[Sequence[Any]], outputs: JSON) -> Any:
    """The download button with the results in it."""
    table = io.StringIO()
    csv.writer(table).writerows([COLUMNS, *rows])
    with (
        tempfile.NamedTemporaryFile(prefix="results-", suffix=".zip", delete=False) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr("results.csv", table.getvalue())
        archive.writestr("results.json", json.dumps(outputs, indent=2))
    return gr.DownloadButton(value=file.name, interactive=True)
