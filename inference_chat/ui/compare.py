"""The Compare tab: the same input to several models, votes and ratings, and which model to use for what."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr
from gradio.context import Context

from ..comparing.comparisons import MOST, PLANNED, Comparison
from ..errors import InvalidRequest
from ..registry.senses import AUTO
from ..runners import OPTIONS
from ..schema import JSON, Media, Message
from ..service import Service
from ..tasks import TASKS, Kind, Task
from . import comparing, fields, files
from .choice import NAMES, able, defaults, wants
from .parts import EVENT, QUIET, TICK, caller, done, examples, heading, status, told
from .recommending import recommending

INPUTS = Path(__file__).parents[2] / "examples" / "inputs"
PROMPTS = (
    "Hello! What can you do?",
    "Write one sentence about the sea.",
    "I need to find the cats in my photo.",
)
DRAWN = ("a large red circle on white", "a green star left of a yellow square on blue")
MADE = (Task.TEXT_TO_IMAGE, Task.TEXT_TO_VIDEO)
START = "Choose a task and two to six models, then one input for all of them."
EVERY = "Every task"


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading(
        "Compare", "Give several models the same input, see where they differ, and vote for the best answer."
    )
    with gr.Tabs():
        with gr.Tab("Side by side", id="side"):
            _Panel(service).draw()
        with gr.Tab("Which model?", id="which"):
            recommending(service)
        with gr.Tab("Ratings", id="ratings"):
            _ratings(service)


class _Panel:
    """The components of a comparison and what they do."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._page = comparing.Page(service)
        self._running: WeakValueDictionary[str, Comparison] = WeakValueDictionary()

    def draw(self) -> None:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=320):
                task = gr.Dropdown([], label="Task")
                models = gr.Dropdown(
                    [], label="Models", multiselect=True, max_choices=MOST, allow_custom_value=True
                )
                with gr.Row():
                    blind = gr.Checkbox(label="Blind: hide which is which until I have voted", min_width=200)
                    turns = gr.Checkbox(label="One after the other, each timed alone", min_width=200)
                with gr.Accordion("Options, the same for all", open=False):
                    options = fields.fields("compare")
            with gr.Column(min_width=320):
                places, columns = _places()
        with gr.Row():
            go = gr.Button("Compare", variant="primary")
            stop = gr.Button("Stop")
        line = status(START)
        view = comparing.view(self._page, self._service)

        followers = [models, options, *columns]
        root = Context.root_block
        assert root is not None
        root.load(self._opened, None, [task, *followers], **QUIET)
        # Not `change`: it tells of what the page was opened with as well, and a second answer to that would
        # come late and undo what has been chosen meanwhile.
        task.input(self._follow, [task, models], followers, **QUIET)
        inputs = [task, models, *places, options, blind, turns]
        gr.on([go.click, places[0].submit], told(self._compare, others=1), inputs, [line, view], **EVENT)
        stop.click(self._stop, None, None, **EVENT)

    async def _opened(self, request: gr.Request) -> list[Any]:
        """What a page shows when it is opened; `?task=…&model=…` chooses."""
        known = self._tasks()
        query = request.query_params
        asked = query.get("task")
        task = asked if asked in known else next(iter(known), None)
        names = self._names(task)
        wanted = [name for name in query.getlist("model") if name in names] if asked == task else []
        return [
            gr.Dropdown(choices=[(_title(name), name) for name in known], value=task),
            *await self._follow(task, wanted[:MOST]),
        ]

    def _tasks(self) -> list[str]:
        """Tasks that some model here does: those with most models first."""
        counts = {task.value: self._service.registry.list(task=task, limit=0)[1] for task in OPTIONS}
        return sorted(
            (task for task, count in counts.items() if count), key=lambda task: -min(counts[task], 2)
        )

    def _names(self, task: str | None) -> list[str]:
        """The models of a task by their names; of those with several versions the older ones by their ids."""
        if not task:
            return []
        newest = able(self._service, [Task(task)])
        older = [
            other.id
            for record in newest
            for other in self._service.registry.versions(record.name)
            if other.id != record.id and task in other.tasks
        ]
        planned = [AUTO.name] if Task(task) in (*PLANNED, *AUTO.tasks) else []
        return [*(record.name for record in newest), *planned, *older]

    async def _follow(self, task: str | None, models: list[str] | None) -> list[Any]:
        """Models, options and inputs as the task wants them."""
        kind = Task(task) if task else None
        names = self._names(task)
        kept = [name for name in models or [] if name.split("@")[0] in {one.split("@")[0] for one in names}]
        needs = TASKS[kind].media if kind else None
        text = bool(wants(kind)[1])
        media: list[Kind] = ["image", "video", "audio"]
        made = kind in MADE
        shows = [
            text,
            *(one == needs or (kind == Task.ANY_TO_ANY) for one in media),
            text and not made,
            text and made,
        ]
        form = fields.of(kind, defaults(self._service, names[0] if names else None, kind))
        chosen = gr.Dropdown(choices=names, value=kept or names[:2])
        return [chosen, form, *(gr.Column(visible=shown) for shown in shows)]

    async def _compare(
        self,
        request: gr.Request,
        task: str | None,
        models: list[str] | None,
        text: str,
        picture: str | None,
        clip: str | None,
        sound: str | None,
        options: JSON,
        blind: bool,
        in_turn: bool,
    ) -> AsyncIterator[Any]:
        who = caller(self._service, request)
        kind = _chosen(task, models, blind)
        if TASKS[kind].text == "required" and not TASKS[kind].media and not text.strip():
            raise InvalidRequest("There is nothing to compare yet: write a text, or click an example.")
        media = await self._media(kind, picture, clip, sound)
        words: JSON = {"prompt": text if text and wants(kind)[1] else None}
        if kind == Task.TEXT_GENERATION and text:  # asked as in the Chat tab, not to be continued
            words = {"messages": (Message(role="user", content=text),)}
        asked: JSON = {"task": kind.value, "media": media, "parameters": options or {}, **words}
        comparison = await self._service.compare(who, models or [], asked, in_turn=in_turn, least=1)
        self._running[request.session_hash or ""] = comparison
        shown = comparing.begin(self._page, comparison, blind=blind)
        ending = asyncio.create_task(comparing.finished(shown))
        try:
            while not ending.done():
                yield _busy(comparison), comparing.sketch(shown)
                await asyncio.wait([ending], timeout=TICK)
            yield _said(comparison), await ending
        finally:
            ending.cancel()
            comparison.cancel()

    async def _media(
        self, task: Task, picture: str | None, clip: str | None, sound: str | None
    ) -> list[Media]:
        given: dict[Kind, str | None] = {"image": picture, "video": clip, "audio": sound}
        needs = TASKS[task].media
        wanted = [needs] if needs else [kind for kind in given if task == Task.ANY_TO_ANY]
        paths = [(kind, path) for kind in wanted if (path := given[kind])]
        if needs and not paths:
            raise InvalidRequest(f"{_title(task)} needs a file: drop one, or click an example.")
        return [await self._service.intake.path(Path(path), kind) for kind, path in paths]

    async def _stop(self, request: gr.Request) -> None:
        comparison = self._running.get(request.session_hash or "")
        if comparison is not None:
            comparison.cancel()


def _places() -> tuple[list[Any], list[gr.Column]]:
    """A place for each kind of input with rows to click, each in a column that is shown or hidden.

    Then the columns with rows of texts, and of what can be drawn.

    (A place itself that is shown by an update would be made anew by Gradio, and decode files itself.)
    """
    made: list[tuple[Callable[[], Any], list[Any]]] = [
        (lambda: gr.Textbox(label="Text", lines=3, max_lines=10, placeholder=PROMPTS[0]), []),
        (files.picture, sorted(INPUTS.glob("*.png"))),
        (files.clip, sorted(INPUTS.glob("*.mp4"))),
        (files.sound, sorted(INPUTS.glob("speech/*.ogg"))[:6]),
    ]
    places: list[Any] = []
    columns: list[gr.Column] = []
    for make, samples in made:
        with gr.Column(visible=not places) as column:
            places.append(make())
            if samples:
                examples([[str(sample)] for sample in samples], [places[-1]])
        columns.append(column)
    with columns[0]:
        for sentences in (PROMPTS, DRAWN):
            with gr.Column(visible=sentences is PROMPTS) as column:
                examples([[one] for one in sentences], [places[0]])
            columns.append(column)
    return places, columns


def _ratings(service: Service) -> None:
    """The table of ratings, of one task or of all."""
    task = gr.Dropdown([EVERY, *(task.value for task in OPTIONS)], value=EVERY, label="Votes on")
    table = gr.HTML(apply_default_css=False, elem_classes="ic-ratings")
    about = (
        "Strengths by Bradley and Terry on the scale of chess: 400 points more win ten times as often. The "
        "interval holds the true value in 95 of 100 cases; where two overlap, nobody knows yet who is better."
    )
    gr.HTML(f"<p class='ic-none'>{about}</p>", apply_default_css=False)

    async def counted(chosen: str) -> str:
        meant = None if chosen == EVERY else chosen
        return comparing.ratings_html(await service.ratings(meant), meant or "")

    root = Context.root_block
    assert root is not None
    root.load(counted, task, table, **QUIET)
    task.change(counted, task, table, **QUIET)
    gr.Button("Count again", size="sm").click(counted, task, table, **QUIET)


def _chosen(task: str | None, models: list[str] | None, blind: bool) -> Task:
    if not task:
        raise InvalidRequest("Choose a task first; if there is none, register a model in the Registry tab.")
    if not models or (blind and len(models) < 2):
        raise InvalidRequest("Choose two to six models.")
    return Task(task)


def _busy(comparison: Comparison) -> str:
    over = sum(row.error is not None or bool(row.job and row.job.done) for row in comparison.rows)
    return done(f"{over} of {len(comparison.rows)} have ended.")


def _said(comparison: Comparison) -> str:
    failed = sum(row.error is not None for row in comparison.rows)
    good = len(comparison.rows) - failed
    words = f"{good} answered" + (f", {failed} failed" if failed else "") + "."
    return done(re.sub(r" \(`\w+`\)", "", " ".join([words, *comparison.notes])))


def _title(task: str) -> str:
    """A task as the list shows it: its name, and what other tabs call it."""
    plain = task.replace("-", " ").capitalize()
    return f"{plain} ({NAMES[Task(task)].lower()})" if Task(task) in NAMES else plain
