"""What tabs of Gradio's own components are made of, so that all of them look and speak alike.

A tab is a function that takes the service and puts components into the Blocks being built. What it
does while it works is said in one status line, which is the first output of each of its events::

    heading("Images", "What is in a picture, and where.")
    picture, labels = gr.Image(type="filepath"), gr.Label()
    ask, line = gr.Button("Look", variant="primary"), status()

    async def look(request: gr.Request, picture: Any) -> AsyncIterator[Any]:
        job = await service.infer(caller(service, request), ...)
        async for said in working(job):
            yield said, gr.skip()
        yield done("2 things found"), labels_of(await job.result())

    ask.click(told(look, others=1), picture, [line, labels], **EVENT)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import wraps
from html import escape
from typing import Any

import gradio as gr

from ..access import Caller
from ..errors import InferenceChatError
from ..events import Progress
from ..jobs import Job
from ..service import Service

logger = logging.getLogger(__name__)
Handler = Callable[..., AsyncIterator[Any]]
TICK = 0.3  # seconds between two looks at a job: its clock moves, and little is sent
WORDS = {"queued": "Waiting", "loading": "Loading the model"}  # other phases are shown as they are called

# How every event of a tab is wired: it is no public endpoint, and the line stands for Gradio's spinner.
EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
# Of what adapts to a choice: at once, and again where another choice is made meanwhile.
QUIET: dict[str, Any] = EVENT | {"queue": False, "trigger_mode": "always_last"}


def heading(title: str, about: str = "", *, level: int = 1) -> gr.HTML:
    """The title of a tab (level 1) or of a part of it (level 2), and a sentence on what it is for."""
    text = f"<p>{escape(about)}</p>" if about else ""
    markup = f"<h{level}>{escape(title)}</h{level}>{text}"
    return gr.HTML(markup, elem_classes="ic-heading", apply_default_css=False)


def status(say: str = "") -> gr.HTML:
    """The line that says what is going on; its values come from `working`, `done` and `failed`."""
    return gr.HTML(done(say), elem_classes="ic-status-line", apply_default_css=False)


def examples(rows: Sequence[Any], inputs: Any, *, label: str = "Try one of these") -> None:
    """Rows to click that fill `inputs`; nothing runs until the person says so."""
    gr.Examples(
        list(rows), inputs, label=label, examples_per_page=12, cache_examples=False, api_visibility="private"
    )


def caller(service: Service, request: gr.Request) -> Caller:
    """Who asks; counts the request. Raises `Unauthorized`, `RateLimited`."""
    address = request.client.host if request.client else ""
    found = service.identify(request.headers, request.cookies, address)
    service.admit(found)
    return found


async def working(job: Job, part: tuple[int, int, str] | None = None) -> AsyncIterator[str]:
    """What the line says while a job runs, some times a second; raises the job's error at its end.

    Of a job that is one of several, `part` says how many are done, of how many, of what.
    A reader who leaves, or clicks Stop, stops the compute.
    """
    loop = asyncio.get_running_loop()
    began, end = loop.time(), asyncio.create_task(_end(job))
    try:
        while not end.done():
            yield busy(_within(job.phase, part), loop.time() - began)
            await asyncio.wait([end], timeout=TICK)
        await end
    finally:
        end.cancel()
        job.cancel()


def _within(progress: Progress | None, part: tuple[int, int, str] | None) -> Progress | None:
    """How far all jobs are, where there are several."""
    if part is None or progress is None or progress.phase == "loading":
        return progress
    done, total, unit = part
    return Progress(phase=progress.phase, fraction=done / total, done=done, total=total, unit=unit)


def busy(progress: Progress | None, seconds: float = 0.0) -> str:
    """The line of something under way: its phase, how far it is, for how long."""
    phase = progress.phase if progress else "queued"
    words = [WORDS.get(phase, phase.capitalize())]
    bar = '<span class="ic-dots"><i></i><i></i><i></i></span>'
    if progress and progress.detail:
        words.append(escape(progress.detail))
    if progress and progress.done is not None and progress.total:
        words.append(f"{progress.done:,} of {progress.total:,} {escape(progress.unit)}".rstrip())
    if progress and progress.fraction is not None:
        bar = f'<progress value="{progress.fraction:.3f}" max="1"></progress>'
        words.append(f"{progress.fraction:.0%}")
    words.append(f"{seconds:.0f} s")
    return _line(f"{bar}<span>{' · '.join(words)}</span>")


def done(say: str) -> str:
    """The line of something that has ended well: a plain sentence."""
    return _line(f"<span>{escape(say)}</span>", "good")


def failed(error: InferenceChatError | str) -> str:
    """The line of something that went wrong: what happened, and what would work."""
    detail = error if isinstance(error, str) else error.detail
    return f'<div class="ic-line bad" role="alert"><span>{escape(detail)}</span></div>'


def told(handler: Handler, *, others: int) -> Handler:
    """`handler` for an event whose outputs are the line and `others` more; errors go into the line.

    When a run is over Gradio gives its last values once more, which would undo what a visitor has written or
    chosen since they were shown; so the last ones say nothing.
    """

    @wraps(handler)
    async def telling(*given: Any) -> AsyncIterator[Any]:
        kept = [gr.skip() for _ in range(others)]
        try:
            async for values in handler(*given):
                yield values
            yield _together(gr.skip(), kept)
        except InferenceChatError as error:
            yield _together(failed(error), kept)
        except Exception:  # the last line of defence: whoever clicked must hear that it failed
            logger.exception("%s failed", handler.__name__)
            yield _together(failed("Something went wrong on the server; its log says what."), kept)

    return telling


def _together(line: Any, others: list[Any]) -> Any:
    return (line, *others) if others else line


def _line(markup: str, kind: str = "") -> str:
    return f'<div class="ic-line {kind}" role="status">{markup}</div>'


async def _end(job: Job) -> None:
    async for _ in job.watch(len(job.events)):
        pass
