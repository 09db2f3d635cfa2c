"""The one bridge from a running job to an HTTP client, which always lets go of the job at the end.

A client that goes away stops the compute it started, unless somebody else is reading along.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager, suppress
from typing import NamedTuple, TypeVar

from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..comparing.comparisons import Comparison
from ..errors import InferenceChatError
from ..jobs import Job
from ..schema import JSON, new_id
from . import frames
from .errors import Problem, internal_problem

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
KEEPALIVE_SECONDS = 15.0
KEEPALIVE = format_sse_event(comment="still here")


class EventStream(StreamingResponse):
    """Server-sent events; `on_close` runs when the stream is over, however it ends."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], on_close: Callable[[], None]) -> None:
        super().__init__(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._events = events
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # First, because closing the generator awaits, and an await can be cancelled.
            self._on_close()
            await self._events.aclose()


def stream(
    source: AsyncGenerator[JSON, None], reading: AbstractContextManager[None], wire: "Wire | None" = None
) -> EventStream:
    """Frames as server-sent events, in the words of `wire`; a failure becomes the last frame.

    `reading` is entered now and left when the client is gone.
    """
    watch = ExitStack()
    watch.enter_context(reading)
    wire = wire or FRAMES
    return EventStream(_bytes(_to_end(source, wire), wire), watch.close)


async def wait(
    request: Request, reading: AbstractContextManager[None], last: Callable[[], Awaitable[Answer]]
) -> Answer:
    """What `last` gives; `reading` is left when the client does not wait for it any more."""
    reader = asyncio.create_task(_until_gone(request, reading))
    try:
        return await last()
    finally:
        reader.cancel()


async def _until_gone(request: Request, reading: AbstractContextManager[None]) -> None:
    with reading:
        while (await request.receive())["type"] != "http.disconnect":
            pass


@contextmanager
def only_reader(*jobs: Job | Comparison) -> Iterator[None]:
    """The `reading` of jobs that are for one client alone."""
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()


async def _to_end(source: AsyncGenerator[JSON, None], wire: "Wire") -> AsyncGenerator[JSON, None]:
    try:
        async with aclosing(source):
            async for frame in source:
                yield frame
    except InferenceChatError as error:
        yield wire.failure(error)
    except Exception:
        # The status line has been sent already: only a frame can still tell the client.
        reference = new_id()
        log.exception("stream %s failed", reference)
        yield wire.failure(internal_problem(reference))


async def _bytes(source: AsyncGenerator[JSON, None], wire: "Wire") -> AsyncGenerator[bytes, None]:
    """Encoded frames, and a comment in long silences, so that proxies keep the connection."""
    pending: asyncio.Future[JSON] | None = None
    async with aclosing(source):
        try:
            while True:
                pending = pending or asyncio.ensure_future(anext(source))
                done, _ = await asyncio.wait((pending,), timeout=KEEPALIVE_SECONDS)
                if not done:
                    yield KEEPALIVE
                    continue
                frame, pending = pending.result(), None
                yield wire.encode(frame)
        except StopAsyncIteration:
            if wire.end:
                yield wire.end
        finally:
            await _drop(pending)


async def _drop(pending: "asyncio.Future[JSON] | None") -> None:
    if pending is not None:
        pending.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await pending


def encode(frame: JSON) -> bytes:
    """One frame as a server-sent event."""
    return format_sse_event(event=frame["type"], data_str=json.dumps(frame, ensure_ascii=False))


def _failure(cause: InferenceChatError | Problem) -> JSON:
    return frames.error(cause) if isinstance(cause, InferenceChatError) else frames.problem(cause)


class Wire(NamedTuple):
    """How frames look on the way: each one, a failure, and what stands behind the last."""

    encode: Callable[[JSON], bytes]
    failure: Callable[[InferenceChatError | Problem], JSON]
    end: bytes = b""


FRAMES = Wire(encode, _failure)
"""Our own frames, each named by its type."""
