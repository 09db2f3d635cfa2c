"""Events and messages as the frames that sockets and event streams carry, each with its `type`.

=========  =====================================================================================
`typing`   `active`, and where the work is: `phase`, `fraction`, `detail`; the first one of a turn
           has `reply_id`, the message it answers (`user`), and the `text` that is continued
`labels`, `span`, `footage`, `vector`, `image`, `video`, `audio`
           what was found or made, as the event of that name; files are `data:` URLs
`step`     a step of a plan, as it begins and as it ends: `step`, `task`, `model`, `input`, `state`,
           `output`, `ms`
`tool_call` the next piece of a call of a tool: `choice`, `index`, `arguments`; the first has `id`, `name`
`token`    the next piece of text: `text`, `index` (counted from 0), `choice`, `tokens`
`message`  the finished message of a conversation, as it is on disk: `message`
`result`   the finished answer to an inference request: `result`
`error`    a problem: `title`, `status`, `detail`, `code`, and `retry_after` in seconds
=========  =====================================================================================

An event stream names the frame's type in `event:` and carries the frame in `data:`.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import islice
from typing import assert_never

from ..chats.turns import Turn
from ..errors import InferenceChatError, TryLater
from ..events import (
    AudioReady,
    Finished,
    Footage,
    ImageReady,
    Labels,
    Progress,
    Span,
    Step,
    TextDelta,
    ToolCallDelta,
    Vector,
    VideoReady,
)
from ..jobs import Job
from ..schema import JSON
from ..sessions.messages import ChatMessage
from .errors import Problem, problem_of


async def frames_of(job: Job) -> AsyncGenerator[JSON, None]:
    """The `typing` and `token` frames of a job, from its beginning; raises what made the job fail.

    Pieces of text that came at the same moment are one frame: a frame costs more than many a token.
    """
    index = told = 0
    async for number, event in job.watch():
        if number < told:
            continue
        match event:
            case Progress():
                yield typing(True, **event.model_dump(exclude={"type"}, exclude_defaults=True))
            case TextDelta():
                pieces = [event, *_following(job, number, event.choice)]
                told = number + len(pieces)
                yield token(_joined(pieces), index)
                index += 1
            case ToolCallDelta():
                yield event.model_dump(exclude_none=True)
            case (
                Labels() | Span() | Footage() | Vector() | ImageReady() | VideoReady() | AudioReady() | Step()
            ):
                yield event.model_dump(mode="json")
            case Finished():
                pass
            case _:
                assert_never(event)


async def frames_of_turn(turn: Turn) -> AsyncGenerator[JSON, None]:
    """Everything there is to tell of a turn; raises what made it fail once that is stored."""
    said = turn.user.model_dump(mode="json") if turn.user else None
    yield typing(True, reply_id=turn.reply.id, user=said, text=turn.prefix)
    try:
        async with aclosing(frames_of(turn.job)) as running:
            async for frame in running:
                yield frame
    except InferenceChatError:
        await turn.finished()
        raise
    stored = await turn.finished()
    yield typing(False)
    yield message(stored)


def _following(job: Job, number: int, choice: int) -> Iterator[TextDelta]:
    """The pieces of the same answer that came right after event `number`."""
    for event in islice(job.events, number + 1, None):
        if not (isinstance(event, TextDelta) and event.choice == choice):
            return
        yield event


def _joined(pieces: list[TextDelta]) -> TextDelta:
    text = "".join(piece.text for piece in pieces)
    tokens = tuple(one for piece in pieces for one in piece.tokens)
    return TextDelta(text=text, choice=pieces[0].choice, tokens=tokens)


def typing(active: bool, **more: object) -> JSON:
    """Whether a reply is being written."""
    return {"type": "typing", "active": active} | more


def token(event: TextDelta, index: int) -> JSON:
    """The next piece of text; `tokens` only where log-probabilities were asked for."""
    frame: JSON = {"type": "token", "text": event.text, "index": index, "choice": event.choice}
    if event.tokens:
        frame["tokens"] = [one.model_dump() for one in event.tokens]
    return frame


def error(cause: InferenceChatError) -> JSON:
    """A deliberate error, as a frame."""
    frame = problem(problem_of(cause))
    return frame | {"retry_after": cause.retry_after} if isinstance(cause, TryLater) else frame


def problem(told: Problem) -> JSON:
    """A problem as a frame; its place in the tree of types is taken by the frame's own type."""
    return told.model_dump() | {"type": "error"}


def message(stored: ChatMessage) -> JSON:
    """A finished message, as it is on disk."""
    return {"type": "message", "message": stored.model_dump(mode="json")}
