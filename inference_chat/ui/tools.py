"""The endpoints of Gradio's clients: what their arguments are, and the same as tools for assistants."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from ..errors import InferenceChatError, InvalidRequest
from ..runners import OPTIONS
from ..tasks import TASKS, Task
from ..tools import Call, Tool, tool_of

FILE = "a `data:` URL, `media:ID`, or an http(s) link where the operator allows them"
UPLOAD = "a file that was uploaded; in Python `handle_file(PATH)`"
TOLD = {
    "plan": "Whether several models may answer together, step by step.",
    "message": "What to say.",
    "session_id": "The conversation to go on with; left out, one is begun.",
    "system_prompt": "What the model is told before a conversation begins.",
    "prompt": "The text to go on from, or what to draw or film.",
    "text": "What to ask or say.",
    "question": "What to ask about it.",
    "image": "A picture: FILE.",
    "video": "A clip: FILE.",
    "files": "Pictures, sounds and clips: each FILE.",
    "models": "Two to six, each `name` or `name@version`.",
    "in_turn": "Whether to run one after the other, so that each is timed alone.",
    "description": "What somebody wants to do, in free words; limits in it are understood.",
    "max_memory_mb": "The most memory that it may take, in MiB.",
    "max_latency_ms": "The longest that it may take once it is loaded, in milliseconds.",
    "license": "As `apache-2.0`, `mit` or `permissive`.",
    "model": "`name` or `name@version`, as `list_models` has them; left out, the default for the task.",
    "task": "A Hugging Face task name; left out, model and input decide.",
    "tag": "Only models with this tag.",
    "limit": "How many at most.",
    "offset": "How many to pass over.",
}
WRITING = (Task.TEXT_GENERATION,)
DOES: dict[str, tuple[Task, ...]] = {
    "chat": WRITING,
    "generate": WRITING,
    "analyze_image": tuple(task for task, needs in TASKS.items() if needs.group == "image" and needs.media),
    "generate_image": (Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE),
    "analyze_video": tuple(task for task, needs in TASKS.items() if needs.group == "video" and needs.media),
    "generate_video": (Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO),
    "multimodal": tuple(task for task, needs in TASKS.items() if needs.group == "multimodal"),
    "compare": tuple(OPTIONS),
}
"""Endpoint → the tasks whose parameters it takes."""
NAMES = {"chat": ("reply", "session_id"), "generate": ("text",)}
"""What the values of an endpoint are called, where it is not `answer`."""
OWN = {
    "register_model": {
        "model": "The record: `name`, and `file_path`, `hub_id` or `endpoint`; see `POST /models` at `/docs`."
    }
}
"""What arguments are that mean something else here."""


def tools_of(demo: gr.Blocks) -> list[Tool]:
    """All public endpoints of the page."""
    return [
        tool_of(
            function.fn,
            str(function.api_name),
            _call(function.fn),
            told=told_of(str(function.api_name), FILE),
            instead={FileData: str},
            names=NAMES.get(str(function.api_name), ()),
        )
        for function in _public(demo)
    ]


def describe(demo: gr.Blocks) -> None:
    """Let Gradio's clients read what every argument and value is; `view_api()` shows it."""
    for function in _public(demo):
        name = str(function.api_name)
        told, names = told_of(name, UPLOAD), inspect.signature(function.fn).parameters
        given = [one for one in names if one != "request"]
        for part, component in zip(given, function.inputs, strict=True):
            component.label = part
            component._api_info["additional_description"] = told[part]
        for part, component in zip(NAMES.get(name, ("answer",)), function.outputs, strict=True):
            component.label = part


def told_of(endpoint: str, file: str) -> dict[str, str]:
    """What each argument of an endpoint is, where a file is given as `file` says."""
    said = {name: text.replace("FILE", file) for name, text in TOLD.items()}
    return said | OWN.get(endpoint, {}) | {"parameters": _parameters(endpoint)}


def _public(demo: gr.Blocks) -> list[Any]:
    return [
        function
        for function in demo.fns.values()
        if function.api_visibility == "public" and function.fn is not None
    ]


def _call(function: Callable[..., Any]) -> Call:
    """The function as a stream of its values, whose errors are our own again."""

    async def call(request: Any, **arguments: Any) -> AsyncIterator[Any]:
        try:
            if inspect.isasyncgenfunction(function):
                async for value in function(request, **arguments):
                    yield value
            else:
                yield await function(request, **arguments)
        except gr.Error as error:
            cause = error.__context__
            raise cause if isinstance(cause, InferenceChatError) else InvalidRequest(error.message) from None

    return call


def _parameters(endpoint: str) -> str:
    """What may stand in `parameters`, task by task."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for task in DOES.get(endpoint, ()):
        if task in OPTIONS:
            groups.setdefault(tuple(OPTIONS[task].model_fields), []).append(task)
    said = [f"{', '.join(tasks)}: {', '.join(names) or 'none'}" for names, tasks in groups.items()]
    return f"Settings of the run. {'; '.join(said)}." if said else "Settings of the run."
