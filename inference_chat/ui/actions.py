"""What the page asks of the server: each method takes the caller and fields, and returns JSON."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Literal
from weakref import WeakKeyDictionary

import gradio as gr
from pydantic import ValidationError, validate_call

from ..access import Caller
from ..errors import InferenceChatError, InvalidRequest
from ..jobs import Job
from ..registry.catalog import ModelRecord
from ..registry.senses import AUTO, VOICE, takes
from ..schema import JSON, Content, explain
from ..service import Service
from ..sessions.messages import Feedback
from ..tasks import Task
from . import attach
from .attach import Attached
from .controls import controls
from .news import GATHERED, elapsed, ended, new_events, session_view, thread
from .presets import EXAMPLES, PERSONAS, SAMPLES
from .render import Live

logger = logging.getLogger(__name__)
Action = Callable[..., Awaitable[JSON]]
Door = Callable[[JSON, gr.Request], Awaitable[JSON]]

NOT_FOR_CHAT = frozenset({"n", "logprobs", "response_format"})
HEARS = Task.AUTOMATIC_SPEECH_RECOGNITION
PAGE = 40  # conversations listed at once


class Actions:
    """The chat page's own requests; they stand on the service alone and keep nothing of a visitor."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._chats = service.chats
        self._live: WeakKeyDictionary[Job, Live] = WeakKeyDictionary()
        self._hearing = attach.Hearing(service)

    async def boot(self, caller: Caller, *, session: str | None = None, mode: str = "chat") -> JSON:
        """Everything a page needs that has just been opened; for files of all kinds where `mode` is so."""
        models = await self._models()
        voice, ears = self._speaker(), self._service.models.first(HEARS)
        return {
            "models": models,
            "model": AUTO.id if mode == "multimodal" else self._default(models),
            "voice": voice.name if voice else None,
            "ears": ears.name if ears else None,
            "record_seconds": self._service.settings.max_record_seconds,
            "personas": PERSONAS,
            "examples": SAMPLES if mode == "multimodal" else [{"text": text} for text in EXAMPLES],
            "notices": list(self._service.notices),
            "sessions": (await self.sessions(caller))["sessions"],
            "thread": await self._opened(caller, session),
        }

    async def models(self, caller: Caller) -> JSON:
        return {"models": await self._models()}

    async def options(self, caller: Caller, *, model: str) -> JSON:
        """The controls of the settings panel for `model`."""
        record = await self._service.models.get(model)
        options = self._service.models.options(model)
        voiced = VOICE in record["capabilities"] or (
            record["name"] == AUTO.name and self._speaker() is not None
        )
        return {"controls": controls(options, record.get("parameters") or {}, NOT_FOR_CHAT, voiced=voiced)}

    async def sessions(self, caller: Caller, *, query: str = "", before: datetime | None = None) -> JSON:
        found = await self._chats.list(caller, query=query, limit=PAGE, before=before)
        return {"sessions": [session_view(session) for session in found], "more": len(found) == PAGE}

    async def thread(self, caller: Caller, *, session: str) -> JSON:
        """A conversation along its present branch, and which reply is being written."""
        return await thread(self._service, caller, session)

    async def send(
        self,
        caller: Caller,
        *,
        text: str,
        files: list[Attached] | None = None,
        session: str | None = None,
        model: str | None = None,
        settings: JSON | None = None,
        system_prompt: str = "",
        parent: str | None = None,
        edit: bool = False,
    ) -> JSON:
        """Say something; with `edit`, as another branch below `parent` instead of at the end."""
        self._service.admit(caller)
        if not text.strip() and not files:
            raise InvalidRequest("The message is empty: write something first, or attach a file.")
        content = await attach.content(self._service, text, files or [])
        if session is None:
            return await self._begin(caller, content, model, settings, system_prompt)
        await self._keep(caller, session, settings)
        await self._chats.send(caller, session, content, model=model, parent_id=parent if edit else "head")
        return await self.thread(caller, session=session)

    async def sample(self, caller: Caller, *, name: str) -> JSON:
        """One of the files of the examples, to be attached."""
        return await attach.sample(self._service, name)

    async def hear(self, caller: Caller, *, audio: str) -> JSON:
        """What is said in a recording so far, with the seconds of each sentence; nothing of it is kept."""
        return await self._hearing.hear(caller, audio)

    async def speak(self, caller: Caller, *, text: str) -> JSON:
        """A text read aloud by the model that speaks, as a sound."""
        self._service.admit(caller)
        return await attach.spoken(self._service, caller, text)

    async def regenerate(
        self,
        caller: Caller,
        *,
        session: str,
        message: str | None = None,
        model: str | None = None,
        settings: JSON | None = None,
    ) -> JSON:
        """Another answer beside `message`, which stays."""
        self._service.admit(caller)
        await self._keep(caller, session, settings)
        await self._chats.regenerate(caller, session, message_id=message, model=model)
        return await self.thread(caller, session=session)

    async def rewrite(self, caller: Caller, *, session: str, message: str, text: str) -> JSON:
        """A reply in a person's words beside `message`, which stays."""
        if not text.strip():
            raise InvalidRequest("The reply is empty: write something first.")
        await self._chats.rewrite(caller, session, message, text)
        return await self.thread(caller, session=session)

    async def go_on(self, caller: Caller, *, session: str, settings: JSON | None = None) -> JSON:
        """Continue a reply that was cut."""
        self._service.admit(caller)
        await self._keep(caller, session, settings)
        await self._chats.go_on(caller, session)
        return await self.thread(caller, session=session)

    async def stop(self, caller: Caller, *, session: str) -> JSON:
        return {"stopped": await self._chats.stop(caller, session)}

    async def follow(self, caller: Caller, *, session: str, reply: str, seen: int = 0, have: int = 0) -> JSON:
        """What is new of the reply being written, for a page whose sockets do not get through to us."""
        await self._chats.get(caller, session)
        turn = self._chats.current(session)
        if turn is None or turn.reply.id != reply:
            return {"done": True, **await self.thread(caller, session=session)}
        turn.bound = False  # a page reads in polls, and between two of them nobody would seem to read
        live = self._live.setdefault(turn.job, Live(text=turn.prefix))
        await new_events(turn, seen)
        if seen:
            await ended(turn, GATHERED)
        live.take(turn.job.events)
        if turn.job.done:
            with suppress(InferenceChatError):  # what went wrong is in the stored message
                await turn.finished()
            return {"done": True, **await self.thread(caller, session=session)}
        return {"done": False, "elapsed": elapsed(turn), **live.shown(have)}

    async def select(self, caller: Caller, *, session: str, message: str) -> JSON:
        """Show the branch that `message` is on."""
        await self._chats.select(caller, session, message)
        return await self.thread(caller, session=session)

    async def feedback(
        self, caller: Caller, *, session: str, message: str, value: Feedback | None = None
    ) -> JSON:
        await self._chats.feedback(caller, session, message, value)
        return {"feedback": value}

    async def change(
        self,
        caller: Caller,
        *,
        session: str,
        title: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
    ) -> JSON:
        """Rename a conversation, or give it another model or system prompt."""
        given = {"title": title, "model": model, "system_prompt": system_prompt}
        fields = {name: value for name, value in given.items() if value is not None}
        return {"session": session_view(await self._chats.update(caller, session, **fields))}

    async def delete(self, caller: Caller, *, session: str) -> JSON:
        await self._chats.delete(caller, session)
        return {"deleted": session}

    async def restore(self, caller: Caller, *, session: str) -> JSON:
        await self._chats.restore(caller, session)
        return {"restored": session}

    async def export(self, caller: Caller, *, session: str, form: Literal["json", "markdown"]) -> JSON:
        if form == "json":
            return {"json": await self._chats.export(caller, session)}
        return {"text": await self._chats.markdown(caller, session)}

    async def load(self, caller: Caller, *, conversation: JSON) -> JSON:
        """Take in an exported conversation."""
        self._service.admit(caller)
        stored = await self._chats.load(caller, conversation)
        return await self.thread(caller, session=stored.id)

    async def _begin(
        self, caller: Caller, content: Content, model: str | None, settings: JSON | None, system_prompt: str
    ) -> JSON:
        """A conversation that begins with `content`; there is none when that is refused."""
        started = await self._chats.start(caller, model=model, system_prompt=system_prompt, settings=settings)
        try:
            await self._chats.send(caller, started.id, content, model=model)
        except InferenceChatError:
            await self._chats.delete(caller, started.id)
            raise
        return await self.thread(caller, session=started.id)

    async def _keep(self, caller: Caller, session: str, settings: JSON | None) -> None:
        """The browser's settings are the conversation's from now on."""
        stored = await self._chats.get(caller, session)
        if settings is not None and settings != stored.settings:
            await self._chats.update(caller, session, settings=settings)

    async def _opened(self, caller: Caller, session: str | None) -> JSON | None:
        try:
            return await self.thread(caller, session=session) if session else None
        except InferenceChatError as error:
            return {"error": error.detail}

    async def _models(self) -> list[JSON]:
        found, _ = await self._service.models.list(
            task=Task.TEXT_GENERATION,
            tag=None,
            framework=None,
            status=None,
            limit=1000,
            offset=0,
            sort="name",
        )
        return [auto_view(), *(model_view(record) for record in found)]

    def _speaker(self) -> ModelRecord | None:
        """The model that reads answers aloud."""
        return self._service.models.first(Task.TEXT_TO_SPEECH)

    def _default(self, models: list[JSON]) -> str | None:
        try:
            return self._service.models.default()
        except InferenceChatError:
            return str(models[0]["id"])


def model_view(record: JSON) -> JSON:
    """A model as the list on the page has it."""
    shown = {name: record[name] for name in ("id", "name", "status", "description")}
    return shown | {"takes": sorted(takes(ModelRecord(name=record["name"], tasks=tuple(record["tasks"]))))}


def auto_view() -> JSON:
    """The plan over several models, in the same list."""
    shown = {"id": AUTO.id, "name": AUTO.name, "status": "available", "description": AUTO.description}
    return shown | {"takes": sorted(takes(AUTO))}


def doors(actions: object, service: Service) -> list[Door]:
    """The methods of `actions` as functions that a component's script calls by their names."""
    names = (name for name in vars(type(actions)) if not name.startswith("_"))
    return [_door(getattr(actions, name), service) for name in names]


def _door(action: Action, service: Service) -> Door:
    checked = validate_call(action)

    async def door(data: JSON, request: gr.Request) -> JSON:
        try:
            address = request.client.host if request.client else ""
            caller = service.identify(request.headers, request.cookies, address)
            return {"ok": await checked(caller, **data)}
        except InferenceChatError as error:
            return {"error": {"code": error.code, "detail": error.detail}}
        except ValidationError as error:
            return {"error": {"code": InvalidRequest.code, "detail": explain(error)}}
        except Exception:  # the last line of defence: the page must hear that its request failed
            logger.exception("The page's request %s failed.", action.__name__)
            return {
                "error": {"code": InferenceChatError.code, "detail": "Something went wrong on the server."}
            }

    door.__name__ = action.__name__
    return door
