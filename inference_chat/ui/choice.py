"""Which model, and what it shall do: two lists that follow each other, and the options of that task."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.context import Context

from ..errors import InferenceChatError
from ..registry.catalog import ModelRecord
from ..registry.senses import AUTO
from ..runners import OPTIONS
from ..service import Service
from ..tasks import TASKS, Task
from . import fields
from .parts import QUIET

MOST = 200  # models in a list; others are chosen by typing their name
CLOSE_LIST = """(...given) => {
  const escape = new KeyboardEvent("keydown", { key: "Escape", bubbles: true });
  setTimeout(() => document.activeElement?.dispatchEvent(escape));
  return given;
}"""
"""Tab opens the list of tasks while another model's is under way; one with fewer rows breaks Gradio's."""
NAMES = {
    Task.IMAGE_CLASSIFICATION: "Classify",
    Task.ZERO_SHOT_IMAGE_CLASSIFICATION: "Classify by my own words",
    Task.OBJECT_DETECTION: "Find objects",
    Task.ZERO_SHOT_OBJECT_DETECTION: "Find what I name",
    Task.IMAGE_SEGMENTATION: "Segment",
    Task.MASK_GENERATION: "Cut out",
    Task.DEPTH_ESTIMATION: "Estimate depth",
    Task.IMAGE_TO_TEXT: "Describe",
    Task.VISUAL_QUESTION_ANSWERING: "Answer a question",
    Task.IMAGE_TEXT_TO_TEXT: "Talk about it",
    Task.IMAGE_FEATURE_EXTRACTION: "Embed",
    Task.TEXT_TO_IMAGE: "Draw from words",
    Task.IMAGE_TO_IMAGE: "Change a picture",
    Task.VIDEO_CLASSIFICATION: "Classify",
    Task.OBJECT_TRACKING: "Track objects",
    Task.SCENE_DETECTION: "Find scenes",
    Task.VIDEO_TEXT_TO_TEXT: "Answer a question",
    Task.TEXT_TO_VIDEO: "Film from words",
    Task.IMAGE_TO_VIDEO: "Animate a picture",
}
"""What tasks are called on the page."""


@dataclass(frozen=True)
class Choice:
    """The three components; their values are the inputs of whatever is asked.

    Only what a person does counts as a change: Gradio tells of values that a server sets as well, and a page
    that is opened would ask some twenty times for what it has been given. `settled` are the events after
    which model and task stand anew; whoever sets the task adds theirs by `follow`. What those events are told
    of the task may be what was chosen before: `kept` says which one of a model's it is now.
    """

    model: gr.Dropdown
    task: gr.Dropdown
    options: gr.HTML
    kept: Callable[[str | None, str | None], str | None]
    settled: list[Any] = field(default_factory=list)
    follow: Callable[[Any], None] = lambda event: None

    @property
    def inputs(self) -> list[Any]:
        return [self.model, self.task, self.options]


def choice(
    service: Service,
    tasks: Collection[Task],
    prefix: str,
    *,
    leave_out: frozenset[str] = frozenset(),
    planned: bool = False,
    then: tuple[Callable[[Task | None], list[Any]], list[Any]] | None = None,
) -> Choice:
    """Put the lists into the Blocks being built; `then` says how other components follow the task.

    `planned` offers `auto` too, which answers questions by what several models find.
    """
    with gr.Row():
        model = gr.Dropdown([], label="Model", allow_custom_value=True, min_width=200)
        # What was chosen for the model before may still come with an event, and Gradio's own fails with what
        # is not in the list; what is typed and fits nothing is put right by `follow`.
        task = gr.Dropdown([], label="What to do", min_width=200, allow_custom_value=True)
    with gr.Accordion("Options", open=False):
        options = fields.fields(prefix)
    adapt, followers = then or (lambda _: [], [])

    def listed() -> list[str]:
        found = [*able(service, tasks), *([AUTO] if planned else [])]
        return [record.name for record in found[:MOST]]

    def opened(request: gr.Request) -> list[Any]:
        """What a page shows when it is opened; `?model=…&task=…` in its address chooses."""
        asked, name = request.query_params.get("task"), request.query_params.get("model")
        wanted = asked in {kind.value for kind in tasks} and asked in does_of(service, name, tasks)
        first = next(iter(able(service, tasks)), AUTO if planned else None)
        ref = name if wanted else first.name if first else None
        return [gr.Dropdown(choices=listed(), value=ref), *settle(ref, asked)]

    def settle(ref: str | None, name: str | None) -> list[Any]:
        """What a model can do, and what follows from the task that stays or becomes chosen."""
        does, kept = does_of(service, ref, tasks), still(ref, name)
        named = [(NAMES.get(Task(one), one), one) for one in does]
        return [gr.Dropdown(choices=named, value=kept), *adapted(ref, kept)]

    def still(ref: str | None, name: str | None) -> str | None:
        does = does_of(service, ref, tasks)
        return name if name in does else next(iter(does), None)

    def adapted(ref: str | None, name: str | None) -> list[Any]:
        kind = Task(name) if name else None
        return [fields.of(kind, defaults(service, ref, kind), leave_out), *adapt(kind)]

    def righted(ref: str | None, name: str | None) -> list[Any]:
        kept = still(ref, name)
        return [gr.skip() if kept == name else kept, *adapted(ref, kept)]

    def follow(event: Any) -> None:
        chosen.settled.append(event(righted, [model, task], [task, options, *followers], **QUIET))

    chosen = Choice(model, task, options, still, follow=follow)
    # The list alone: its value may have been typed anew until it comes.
    model.focus(lambda: gr.Dropdown(choices=listed()), None, model, **QUIET)
    chosen.settled.append(
        model.input(settle, [model, task], [task, options, *followers], js=CLOSE_LIST, **QUIET)
    )
    follow(task.input)
    root = Context.root_block
    assert root is not None
    root.load(opened, None, [model, task, options, *followers], **QUIET)
    return chosen


def able(service: Service, tasks: Collection[Task]) -> list[ModelRecord]:
    """The newest version of each model that does one of `tasks`: starters first, then by their order."""
    rank = {task.value: number for number, task in enumerate(tasks)}
    records = [one for one in service.registry.list(limit=1_000_000)[0] if rank.keys() & set(one.tasks)]
    newest = {record.name: service.registry.get(record.name) for record in records}

    def place(record: ModelRecord) -> tuple[bool, int, str]:
        first = min((rank[name] for name in record.tasks if name in rank), default=len(rank))
        return not record.name.startswith("starter-"), first, record.name

    return sorted(newest.values(), key=place)


def does_of(service: Service, ref: str | None, tasks: Collection[Task]) -> list[str]:
    """Which of `tasks` a model does and can be asked for here."""
    try:
        record = service.models.record(ref, None) if ref else None
    except InferenceChatError:
        return []
    return [task.value for task in tasks if record and task.value in record.tasks and task in OPTIONS]


def defaults(service: Service, ref: str | None, task: Task | None) -> dict[str, Any]:
    """A model's own parameters, where they are meant for this task."""
    try:
        record = service.registry.get(ref) if ref else None
    except InferenceChatError:
        return {}
    return dict(record.parameters) if record and task and record.tasks[:1] == (task.value,) else {}


def wants(task: Task | None) -> tuple[bool, bool]:
    """Whether a task takes a picture or clip, and whether it takes words."""
    needs = TASKS.get(task) if task else None
    return bool(needs and needs.media), bool(needs and needs.text != "none")
