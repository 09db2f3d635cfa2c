"""A reply on its way to the page: what is new of it, some times a second, over the conversation's socket.

Each piece costs the model some of its pace, because Python runs one thread at a time. So a socket is kept
open instead of asking again and again, only the last block of the text is rendered anew, and a piece that
took long to make is followed by a longer pause.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import datetime

from ..access import Caller
from ..chats.chats import Turn
from ..errors import InferenceChatError
from ..schema import JSON
from ..service import Service
from ..sessions.messages import Session
from .render import Live, message_view

GATHERED = 0.14  # seconds between two pieces: text is seen to grow, and the model keeps its pace
SHARE = 20  # a pause is at least so many times as long as the making of the piece before it
HEARTBEAT = 5.0  # seconds until a page hears that there is nothing new; it believes no longer silence


async def news_of(service: Service, caller: Caller, turn: Turn) -> AsyncGenerator[JSON, None]:
    """Frames of type `news` about a reply, the last one `done`, with the conversation as it is then."""
    turn.bound = False  # a page that is loaded again is gone for a moment, and comes back
    loop, live, have = asyncio.get_running_loop(), Live(text=turn.prefix), 0
    while not turn.job.done:
        began = loop.time()
        live.take(turn.job.events)
        shown = live.shown(have)
        have = shown["finished"]
        yield frame(turn, **shown, elapsed=elapsed(turn))
        await ended(turn, min(HEARTBEAT, max(GATHERED, SHARE * (loop.time() - began))))
        await new_events(turn, live.seen)
    with suppress(InferenceChatError):  # what went wrong is in the stored message
        await turn.finished()
    yield frame(turn, done=True, **await thread(service, caller, turn.session_id))


async def thread(service: Service, caller: Caller, session: str) -> JSON:
    """A conversation along its present branch, and which reply is being written."""
    stored = await service.chats.get(caller, session)
    turn = service.chats.current(session)  # before its messages: one that ends meanwhile must be followed
    path = await service.chats.path(caller, session)
    turn = turn or service.chats.current(session)
    return {
        "session": session_view(stored),
        "messages": [message_view(message) for message in path],
        "writing": turn.reply.id if turn else None,
    }


def session_view(session: Session) -> JSON:
    """A conversation as the page lists it."""
    return {
        "id": session.id,
        "title": session.title or "New chat",
        "model": session.model,
        "system_prompt": session.system_prompt,
        "updated_at": session.updated_at.isoformat(),
    }


def frame(turn: Turn, *, done: bool = False, **more: object) -> JSON:
    return {"type": "news", "reply": turn.reply.id, "done": done} | more


def elapsed(turn: Turn) -> float:
    """Seconds since the reply was asked for."""
    return (datetime.now(turn.job.started_at.tzinfo) - turn.job.started_at).total_seconds()


async def ended(turn: Turn, seconds: float) -> None:
    """Wait so long, or until the reply has ended."""
    if turn.task is not None:
        await asyncio.wait([turn.task], timeout=seconds)


async def new_events(turn: Turn, seen: int) -> None:
    """Wait for events after number `seen`, or for the end; not for ever."""
    if turn.job.done or len(turn.job.events) > seen:
        return
    with suppress(TimeoutError, InferenceChatError):
        async with asyncio.timeout(HEARTBEAT):
            async for _ in turn.watch(seen):
                break
