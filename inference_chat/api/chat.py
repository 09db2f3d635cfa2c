"""`/chat`: conversations, their messages, and what can be done with them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Body, Query
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from ..chats.turns import Turn
from ..schema import JSON, Content
from ..sessions.messages import ChatMessage, Feedback, Session
from .dependencies import TheCaller, TheService
from .frames import frames_of_turn
from .streaming import stream, wait


def _written(value: object) -> object:
    """Refuse seconds since 1970, which pydantic takes for a moment, and the document does not."""
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("write a moment as 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[datetime, BeforeValidator(_written)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


EXPORTED: JSON = {
    "format": "inference-chat/1",
    "title": "Holidays",
    "messages": [
        {"id": "1", "parent_id": None, "role": "user", "content": "Hello!"},
        {"id": "2", "parent_id": "1", "role": "assistant", "content": "Hello to you!"},
    ],
}


def _example(**fields: Any) -> ConfigDict:
    """The configuration of a body, with an example of it for the document."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


class StartBody(Strict):
    """A new conversation; every field may be left out."""

    model_config = _example(system_prompt="You are friendly.", settings={"temperature": 0.2})

    model: str | None = None
    system_prompt: str = Field("", max_length=100_000)
    title: str = Field("", max_length=1000)
    settings: JSON = Field({}, description="Parameters of every reply, such as `temperature`.")


class ChangeBody(Strict):
    """What to change of a conversation; what is left out stays."""

    model_config = _example(title="Holidays", model="starter-chat")

    title: str | None = Field(None, max_length=1000)
    model: str | None = None
    system_prompt: str | None = Field(None, max_length=100_000)
    settings: JSON | None = None


class MessageBody(Strict):
    """What to say. To edit a message, name the one before it as `parent_id`: both stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"content": "Hello!", "stream": False}]})

    content: Content
    model: str | None = Field(None, description="Who answers from this message on.")
    settings: JSON | None = None
    stream: StrictBool = Field(False, description="Answer with server-sent events.")
    parent_id: str | None = Field(None, description="The message it follows; unset: the newest; null: none.")


class RegenerateBody(Strict):
    """Which reply to write again, and how; everything may be left out."""

    model_config = _example(settings={"temperature": 1.0}, stream=False)

    message_id: str | None = None
    model: str | None = None
    settings: JSON | None = None
    stream: StrictBool = False


class ContinueBody(Strict):
    model_config = _example(stream=False)

    stream: StrictBool = False


class SelectBody(Strict):
    model_config = _example(message_id="0f8fad5bd9cb469fa16570867728950e")

    message_id: str


class FeedbackBody(Strict):
    model_config = _example(feedback="like")

    feedback: Feedback | None


class SessionAnswer(BaseModel):
    """A conversation without its messages."""

    session_id: str
    title: str
    model: str | None
    system_prompt: str
    settings: JSON
    head_id: str | None = Field(description="The newest message of the branch that is shown.")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class SessionList(BaseModel):
    items: list[SessionAnswer]
    has_more: bool


class Reply(BaseModel):
    message: ChatMessage


class History(BaseModel):
    messages: list[ChatMessage]
    has_more: bool


class Stopped(BaseModel):
    stopped: bool = Field(description="Whether a reply was being written.")


def session_answer(session: Session) -> SessionAnswer:
    """A conversation as clients see it."""
    return SessionAnswer(session_id=session.id, **session.model_dump(exclude={"id", "owner", "deleted_at"}))


# --- conversations ------------------------------------------------------------------------------


async def start_chat(
    service: TheService, caller: TheCaller, body: Annotated[StartBody | None, Body()] = None
) -> SessionAnswer:
    """Start a conversation."""
    return session_answer(await service.chats.start(caller, **(body or StartBody()).model_dump()))


async def list_chats(
    service: TheService,
    caller: TheCaller,
    q: Annotated[str, Query(max_length=1000, description="Words of a title or a message.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[Moment | None, Query(description="Only those last used before this moment.")] = None,
) -> SessionList:
    """The caller's conversations, the newest used first."""
    found = await service.chats.list(caller, query=q, limit=limit + 1, before=_aware(before))
    return SessionList(items=[session_answer(one) for one in found[:limit]], has_more=len(found) > limit)


async def get_chat(service: TheService, caller: TheCaller, id: str) -> SessionAnswer:
    """One conversation."""
    return session_answer(await service.chats.get(caller, id))


async def change_chat(service: TheService, caller: TheCaller, id: str, body: ChangeBody) -> SessionAnswer:
    """Change its title, model, system prompt or settings."""
    fields = body.model_dump(exclude_unset=True)
    return session_answer(await service.chats.update(caller, id, **fields))


async def delete_chat(service: TheService, caller: TheCaller, id: str) -> None:
    """Put a conversation away; `restore` brings it back."""
    await service.chats.delete(caller, id)


async def restore_chat(service: TheService, caller: TheCaller, id: str) -> SessionAnswer:
    """Bring a deleted conversation back."""
    return session_answer(await service.chats.restore(caller, id))


async def clear_chat(service: TheService, caller: TheCaller, id: str) -> SessionAnswer:
    """Remove all messages for good; the conversation stays."""
    return session_answer(await service.chats.clear(caller, id))


async def export_chat(
    service: TheService, caller: TheCaller, id: str, format: Literal["json", "markdown", "zip"] = "json"
) -> Response:
    """The whole conversation to keep: all branches as JSON, what is shown as Markdown, all of it as zip."""
    if format == "zip":
        path = await service.exports.pack(caller, id)
        gone = BackgroundTask(service.exports.drop, path)
        return FileResponse(path, media_type="application/zip", filename=f"{id}.zip", background=gone)
    if format == "markdown":
        text = await service.chats.markdown(caller, id)
        return PlainTextResponse(text, media_type="text/markdown", headers=_file(f"{id}.md"))
    return JSONResponse(await service.chats.export(caller, id), headers=_file(f"{id}.json"))


async def import_chat(
    service: TheService, caller: TheCaller, body: Annotated[dict[str, Any], Body(examples=[EXPORTED])]
) -> SessionAnswer:
    """Add an exported conversation, under new ids."""
    return session_answer(await service.chats.load(caller, body))


async def import_archive(request: Request, service: TheService, caller: TheCaller) -> SessionAnswer:
    """Add a conversation that was exported as zip, the files that were sent in it included."""
    return session_answer(await service.exports.unpack(caller, await request.body()))


# --- messages -----------------------------------------------------------------------------------


async def send_message(
    request: Request, service: TheService, caller: TheCaller, id: str, body: MessageBody
) -> Response:
    """Say something and get the reply, which is stored when the answer comes.

    With `stream`, the answer is server-sent events: `typing`, `token`, then `message`, or `error`.
    A client that goes away stops the reply, unless others read along; what there is of it is kept.
    """
    fields = body.model_dump(include={"model", "settings", "parent_id"}, exclude_unset=True)
    turn = await service.chats.send(caller, id, body.content, **fields)
    return await _reply(request, turn, body.stream)


async def regenerate(
    request: Request,
    service: TheService,
    caller: TheCaller,
    id: str,
    body: Annotated[RegenerateBody | None, Body()] = None,
) -> Response:
    """Write a reply again, beside the one that is there; both stay."""
    wanted = body or RegenerateBody()
    turn = await service.chats.regenerate(caller, id, **wanted.model_dump(exclude={"stream"}))
    return await _reply(request, turn, wanted.stream)


async def continue_reply(
    request: Request,
    service: TheService,
    caller: TheCaller,
    id: str,
    body: Annotated[ContinueBody | None, Body()] = None,
) -> Response:
    """Go on with a reply that was cut; the same message grows."""
    turn = await service.chats.go_on(caller, id)
    return await _reply(request, turn, body is not None and body.stream)


async def stop_reply(service: TheService, caller: TheCaller, id: str) -> Stopped:
    """Stop the reply being written; what there is of it is kept."""
    return Stopped(stopped=await service.chats.stop(caller, id))


async def history(
    service: TheService,
    caller: TheCaller,
    id: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[str | None, Query(description="Only what comes before this message.")] = None,
) -> History:
    """The last messages of the branch that is shown, oldest first."""
    messages, has_more = await service.chats.history(caller, id, limit=limit, before=before)
    return History(messages=messages, has_more=has_more)


async def select_branch(service: TheService, caller: TheCaller, id: str, body: SelectBody) -> SessionAnswer:
    """Show the branch that goes through a message."""
    return session_answer(await service.chats.select(caller, id, body.message_id))


async def give_feedback(
    service: TheService, caller: TheCaller, id: str, message_id: str, body: FeedbackBody
) -> Reply:
    """Keep whether a reply was liked; null takes it back."""
    return Reply(message=await service.chats.feedback(caller, id, message_id, body.feedback))


async def _reply(request: Request, turn: Turn, streamed: bool) -> Response:
    reading = turn.reading(bound=True)
    if streamed:
        return stream(frames_of_turn(turn), reading)
    stored = await wait(request, reading, turn.finished)
    if turn.job.error is not None:
        raise turn.job.error
    return JSONResponse({"message": stored.model_dump(mode="json")})


def _aware(moment: datetime | None) -> datetime | None:
    """A time without a zone is taken as UTC, as all times of this API are."""
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
