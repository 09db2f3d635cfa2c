"""`/chat/{id}/ws`: one conversation over a socket, in JSON text frames; see `frames.py` for theirs.

Every socket of a conversation sees every turn, whoever starts it. A client that goes away stops the
reply it asked for, unless somebody else is reading it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import ExitStack, aclosing, suppress
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..access import Caller
from ..chats.turns import Turn
from ..errors import InferenceChatError, InvalidRequest, NotFound
from ..schema import JSON, Content, explain, new_id
from ..service import Service
from ..sessions.messages import Session
from . import frames
from .errors import internal_problem

log = logging.getLogger(__name__)
View = Callable[[Service, Caller, Turn], AsyncGenerator[JSON, None]]
Views = Mapping[str, View]
NO_VIEWS: Views = MappingProxyType({})
GOING_AWAY = 1001
LAST_WORDS_SECONDS = 0.5
"""How long a stopping server waits for the end of a turn to be told."""
UNKNOWN_SESSION = 4404
"""Closing code of a socket for a conversation that is not there."""


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SendFrame(_Frame):
    type: Literal["message"]
    content: Content
    model: str | None = None
    settings: JSON | None = None
    parent_id: str | None = None


class StopFrame(_Frame):
    type: Literal["stop"]


class PingFrame(_Frame):
    type: Literal["ping"]


ClientFrame = Annotated[SendFrame | StopFrame | PingFrame, Field(discriminator="type")]
CLIENT_FRAMES: TypeAdapter[ClientFrame] = TypeAdapter(ClientFrame)


async def chat_socket(websocket: WebSocket, id: str, view: str = "") -> None:
    """Speak with one conversation until the client leaves; `view` names another way to tell its turns."""
    service: Service = websocket.app.state.service
    await websocket.accept()
    told = websocket.app.state.views.get(view, _frames)
    connection = Connection(websocket, service, websocket.state.caller, id, told)
    try:
        session = await service.chats.get(connection.caller, id)
        await connection.run(session)
    except NotFound as error:
        await connection.tell(frames.error(error))
        await websocket.close(UNKNOWN_SESSION, error.code)
    except WebSocketDisconnect:
        return


async def only_a_socket(id: str) -> Response:
    """One conversation over a WebSocket, in JSON text frames.

    You send `{"type": "message", "content": …}` (with `model`, `settings`, `parent_id` where they are meant),
    `{"type": "stop"}` and `{"type": "ping"}`. You get `ready`, then for each turn `typing`, `token`s and
    `message`, or `error`, which leaves the socket open; `pong` for a ping. Without an upgrade: 426.
    """
    raise HTTPException(
        426, "This path speaks WebSocket; connect with ws:// or wss://.", {"Upgrade": "websocket"}
    )


class Connection:
    """One socket: a loop that reads the client, and a task that follows the conversation's turns."""

    def __init__(
        self, websocket: WebSocket, service: Service, caller: Caller, session_id: str, view: View
    ) -> None:
        self.caller = caller
        self._view = view
        self._websocket = websocket
        self._service = service
        self._session_id = session_id
        self._own = ExitStack()
        self._told = asyncio.Event()
        self._told.set()

    async def run(self, session: Session) -> None:
        """Serve the socket; raises `WebSocketDisconnect` when the client has left."""
        model = session.model or self._service.models.default()
        turn = self._service.chats.current(session.id)
        writing = turn.reply.id if turn else None
        await self.tell({"type": "ready", "session_id": session.id, "model": model, "writing": writing})
        tasks = asyncio.create_task(self._follow()), asyncio.create_task(self._until_stopped())
        try:
            while True:
                await self._answer(await self._websocket.receive())
        finally:
            for task in tasks:
                task.cancel()
            self._own.close()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def tell(self, frame: JSON) -> None:
        """Send a frame."""
        await self._websocket.send_text(json.dumps(frame, ensure_ascii=False))

    # --- reading -------------------------------------------------------------------------------

    async def _answer(self, received: Message) -> None:
        """Do what a frame asks for; what goes wrong is told, and the socket stays open."""
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        try:
            await self._do(_parse(received))
        except InferenceChatError as error:
            await self.tell(frames.error(error))
        except WebSocketDisconnect:
            raise
        except Exception:
            # The last line of defence: one frame that cannot be served must not end the socket.
            reference = new_id()
            log.exception("frame %s failed", reference)
            await self.tell(frames.problem(internal_problem(reference)))

    async def _do(self, frame: ClientFrame) -> None:
        match frame:
            case SendFrame():
                self._service.admit(self.caller)
                await self._send(frame)
            case StopFrame():
                await self._service.chats.stop(self.caller, self._session_id)
            case PingFrame():
                await self.tell({"type": "pong"})

    async def _send(self, frame: SendFrame) -> None:
        fields = frame.model_dump(include={"model", "settings", "parent_id"}, exclude_unset=True)
        turn = await self._service.chats.send(self.caller, self._session_id, frame.content, **fields)
        self._own.close()  # the reply before this one has ended
        self._own.enter_context(turn.reading(bound=True))

    # --- following -----------------------------------------------------------------------------

    async def _until_stopped(self) -> None:
        await self._service.stopping.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await self._told.wait()
        await self._websocket.close(GOING_AWAY, "The server is being stopped; come back in a moment.")

    async def _follow(self) -> None:
        async with aclosing(self._service.chats.turns(self._session_id)) as turns:
            async for turn in turns:
                self._told.clear()
                with turn.reading():
                    await self._show(turn)
                self._told.set()

    async def _show(self, turn: Turn) -> None:
        """Tell a turn from its beginning to its end."""
        try:
            async with aclosing(self._view(self._service, self.caller, turn)) as told:
                async for frame in told:
                    await self.tell(frame)
        except InferenceChatError as error:
            await self.tell(frames.typing(False))
            await self.tell(frames.error(error) | {"message_id": turn.reply.id})
        except WebSocketDisconnect:
            raise
        except Exception:
            # The last line of defence: who waits for this turn must hear of it, and see the next one.
            reference = new_id()
            log.exception("turn %s failed", reference)
            await self.tell(frames.problem(internal_problem(reference)))


def _frames(_service: Service, _caller: Caller, turn: Turn) -> AsyncGenerator[JSON, None]:
    return frames.frames_of_turn(turn)


def _parse(received: Message) -> ClientFrame:
    text = received.get("text")
    if text is None:
        raise InvalidRequest("Send JSON as text frames, not binary ones.")
    try:
        return CLIENT_FRAMES.validate_json(text)
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None
