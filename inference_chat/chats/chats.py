"""Conversations that write themselves to the end: turns are jobs, and every step of them is stored.

A reply does not belong to the page or the socket that asked for it. It is written to the database
as it grows; who comes back finds it, finished or still growing.
"""

import asyncio
import builtins
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import Any, Literal, ParamSpec, TypeVar

from pydantic import ValidationError

from ..access import Caller
from ..errors import Conflict, InferenceChatError, InvalidRequest, SessionBusy
from ..intake import Intake
from ..jobs import Jobs
from ..models.models import Models
from ..registry.registry import ModelRecord
from ..schema import JSON, Content, Message, Request, explain
from ..sessions.messages import ChatMessage, Session
from ..sessions.store import Sessions
from ..settings import Settings
from ..tasks import Task
from .turns import Alone, Turn, beside, check_text, failure, kinds_of, made, outcome, prompt_of
from .unstored import Unstored

__all__ = ["Chats", "Turn"]

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")
CHECKPOINT_SECONDS = 1.0
"""A half reply is stored so often; a killed process loses no more of it."""


class Chats:
    """The conversations of all callers; each sees their own."""

    def __init__(
        self, settings: Settings, sessions: Sessions, models: Models, jobs: Jobs, intake: Intake
    ) -> None:
        self._most_chars = settings.max_prompt_chars
        self._sessions = sessions
        self._models = models
        self._jobs = jobs
        self._intake = intake
        self._turns: dict[str, Turn] = {}
        self._starting: set[str] = set()
        self._listeners: dict[str, set[asyncio.Queue[Turn]]] = {}
        self._unstored = Unstored(self._finish)

    # --- conversations ---------------------------------------------------------------------------

    async def start(
        self,
        caller: Caller,
        *,
        model: str | None = None,
        system_prompt: str = "",
        title: str = "",
        settings: JSON | None = None,
    ) -> Session:
        """A new conversation; the model and its settings are checked at once."""
        record = self._models.record(model)
        self._models.parameters(record, Task.TEXT_GENERATION, settings or {})
        for text in (title, system_prompt):
            check_text(text, self._most_chars)
        return await self._store(
            self._sessions.create,
            caller.owner,
            model=record.id if model else None,
            system_prompt=system_prompt,
            title=title,
            settings=settings,
        )

    async def get(self, caller: Caller, session_id: str) -> Session:
        return await self._store(self._sessions.get, session_id, caller.owner)

    async def list(
        self, caller: Caller, *, query: str = "", limit: int = 50, before: datetime | None = None
    ) -> builtins.list[Session]:
        """Conversations, newest first; `query` is looked for in titles and messages."""
        return await self._store(self._sessions.list, caller.owner, query=query, limit=limit, before=before)

    async def update(self, caller: Caller, session_id: str, **fields: Any) -> Session:
        """Change title, model, system_prompt or settings."""
        session = await self.get(caller, session_id)
        if fields.get("model"):
            fields["model"] = self._models.record(fields["model"]).id
        if fields.get("settings") is not None:
            record = self._models.record(fields.get("model") or session.model)
            self._models.parameters(record, Task.TEXT_GENERATION, fields["settings"])
        for text in ("title", "system_prompt"):
            check_text(fields.get(text) or "", self._most_chars)
        return await self._store(self._sessions.update, session_id, **fields)

    async def delete(self, caller: Caller, session_id: str) -> None:
        """Put a conversation away; `restore` brings it back."""
        await self.get(caller, session_id)
        await self.stop(caller, session_id)
        await self._store(self._sessions.delete, session_id)

    async def restore(self, caller: Caller, session_id: str) -> Session:
        await self._store(self._sessions.get, session_id, caller.owner, deleted=True)
        return await self._store(self._sessions.restore, session_id)

    async def clear(self, caller: Caller, session_id: str) -> Session:
        """Remove every message of a conversation; the conversation stays."""
        if await self.stop(caller, session_id):
            await self._settled(session_id)
        with self._alone(session_id):
            return await self._store(self._sessions.clear, session_id)

    async def path(
        self, caller: Caller, session_id: str, leaf_id: str | None = None
    ) -> builtins.list[ChatMessage]:
        """Messages from the first to `leaf_id`, or to the newest of the chosen branch."""
        await self.get(caller, session_id)
        path = await self._store(self._sessions.path, session_id, leaf_id)
        return [self._unstored.shown(message) for message in path]

    async def history(
        self, caller: Caller, session_id: str, *, limit: int = 50, before: str | None = None
    ) -> tuple[builtins.list[ChatMessage], bool]:
        """The last `limit` messages before message `before`, oldest first, and whether there are more."""
        await self.get(caller, session_id)
        found, more = await self._store(self._sessions.history, session_id, limit=limit, before=before)
        return [self._unstored.shown(message) for message in found], more

    async def select(self, caller: Caller, session_id: str, message_id: str) -> Session:
        """Show the branch that goes through a message."""
        await self.get(caller, session_id)
        return await self._store(self._sessions.select, session_id, message_id)

    async def feedback(
        self, caller: Caller, session_id: str, message_id: str, value: Literal["like", "dislike"] | None
    ) -> ChatMessage:
        await self.get(caller, session_id)
        await self._store(self._sessions.message, session_id, message_id)
        return await self._store(self._sessions.feedback, message_id, value)

    async def export(self, caller: Caller, session_id: str) -> JSON:
        """The whole tree of a conversation; `load` takes it back."""
        await self.get(caller, session_id)
        return await self._store(self._sessions.export, session_id)

    async def markdown(self, caller: Caller, session_id: str) -> str:
        """The shown branch of a conversation, to read."""
        await self.get(caller, session_id)
        return await self._store(self._sessions.markdown, session_id)

    async def load(self, caller: Caller, data: JSON) -> Session:
        """A new conversation from an export; `InvalidRequest` names what is wrong with it."""
        return await self._store(self._sessions.load, caller.owner, data)

    # --- turns -----------------------------------------------------------------------------------

    async def send(
        self,
        caller: Caller,
        session_id: str,
        content: Content,
        *,
        model: str | None = None,
        settings: JSON | None = None,
        parent_id: str | Literal["head"] | None = "head",
    ) -> Turn:
        """Say something; the reply is being written when this returns, and the message is stored.

        `parent_id` is the message it follows, the newest one unless told (None: the very beginning).
        To edit a message is to send another after the same parent: both stay. A model named here
        answers from now on.
        """
        session = await self.get(caller, session_id)
        record = self._models.record(model or session.model)
        options = self._models.parameters(record, Task.TEXT_GENERATION, session.settings, settings or {})
        self._check(content)
        self._models.require(record, kinds_of(content))

        async def begin(session: Session) -> Turn:
            parent = session.head_id if parent_id == "head" else parent_id
            user, reply = await self._store(
                self._sessions.add_turn, session_id, content, parent_id=parent, model=record.id
            )
            if model and session.model != record.id:
                await self._store(self._sessions.update, session_id, model=record.id)
            return await self._begin(session, record, user, reply, options)

        return await self._alone_with(session, begin)

    async def regenerate(
        self,
        caller: Caller,
        session_id: str,
        *,
        message_id: str | None = None,
        model: str | None = None,
        settings: JSON | None = None,
    ) -> Turn:
        """Answer once more, beside the reply `message_id` (the newest unless told); both stay."""
        session = await self.get(caller, session_id)
        record = self._models.record(model or session.model)
        options = self._models.parameters(record, Task.TEXT_GENERATION, session.settings, settings or {})

        async def begin(session: Session) -> Turn:
            old = await self._store(self._sessions.message, session_id, self._named(session, message_id))
            parent = old.parent_id if old.role == "assistant" else old.id
            if parent is None:
                raise InvalidRequest("There is nothing to answer before this message.")
            reply = await self._store(self._sessions.add_reply, session_id, parent_id=parent, model=record.id)
            return await self._begin(session, record, None, reply, options)

        return await self._alone_with(session, begin)

    async def go_on(self, caller: Caller, session_id: str) -> Turn:
        """Continue the newest reply where it was cut; the same message grows."""

        async def begin(session: Session) -> Turn:
            old = await self._store(self._sessions.message, session_id, self._named(session, None))
            if old.role != "assistant" or not old.text:
                raise Conflict("There is no begun reply to continue; regenerate it instead.")
            record = self._models.record(old.model or session.model)
            options = self._models.parameters(record, Task.TEXT_GENERATION, session.settings)
            reply = await self._store(self._sessions.reopen, old.id)
            return await self._begin(session, record, None, reply, options, prefix=old.text)

        return await self._alone_with(await self.get(caller, session_id), begin)

    async def rewrite(self, caller: Caller, session_id: str, message_id: str, text: str) -> ChatMessage:
        """Put a reply in a person's words beside reply `message_id`, and go on from it; both stay."""
        await self.get(caller, session_id)
        self._check(text)
        with self._alone(session_id):
            old = await self._store(self._sessions.message, session_id, message_id)
            if old.role != "assistant" or old.parent_id is None:
                raise InvalidRequest("Only a reply can be rewritten; send another message instead.")
            new = await self._store(
                self._sessions.add_reply, session_id, parent_id=old.parent_id, model=old.model
            )
            return await self._store(
                self._sessions.finish, new.id, status="complete", text=text, notes=("Edited by hand.",)
            )

    async def stop(self, caller: Caller, session_id: str) -> bool:
        """Stop the reply being written, if there is one; what it has is kept."""
        await self.get(caller, session_id)
        turn = self._turns.get(session_id)
        if turn is not None:
            turn.job.cancel()
        return turn is not None

    def current(self, session_id: str) -> Turn | None:
        """The reply being written now, to attach to."""
        return self._turns.get(session_id)

    async def turns(self, session_id: str) -> AsyncGenerator[Turn, None]:
        """The reply being written now, if any, then each new one as it starts, whoever starts it."""
        queue: asyncio.Queue[Turn] = asyncio.Queue()
        listeners = self._listeners.setdefault(session_id, set())
        listeners.add(queue)
        try:
            if turn := self._turns.get(session_id):
                yield turn
            while True:
                yield await queue.get()
        finally:
            listeners.discard(queue)
            if not listeners:
                self._listeners.pop(session_id, None)

    async def close(self) -> None:
        """Stop every reply and wait until it is stored."""
        for turn in list(self._turns.values()):
            turn.job.cancel()
        for session_id in list(self._turns):
            await self._settled(session_id)
        await self._unstored.close()

    # --- inside ----------------------------------------------------------------------------------

    async def _store(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        return await asyncio.to_thread(function, *arguments, **named)

    async def _finish(self, reply_id: str, **end: Any) -> ChatMessage:
        return await self._store(self._sessions.finish, reply_id, **end)

    def _check(self, content: Content) -> None:
        """Refuse a message that is empty, too long or malformed."""
        try:
            message = Message(role="user", content=content)
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None
        check_text(message.text, self._most_chars)
        if not message.content or (isinstance(message.content, str) and not message.text.strip()):
            raise InvalidRequest("The message is empty; say something.")

    def _named(self, session: Session, message_id: str | None) -> str:
        found = message_id or session.head_id
        if found is None:
            raise InvalidRequest("The conversation is empty; send a message first.")
        return found

    def _alone(self, session_id: str) -> Alone:
        if session_id in self._turns or session_id in self._starting:
            raise SessionBusy("A reply is being written in this conversation; stop it or wait for its end.")
        return Alone(self._starting, session_id)

    async def _alone_with(self, session: Session, begin: Callable[[Session], Awaitable[Turn]]) -> Turn:
        """Begin a turn, alone in its conversation, on what the conversation is by then.

        It goes on when the caller is cancelled: what is stored must also be answered.
        """

        async def alone() -> Turn:
            with self._alone(session.id):
                self._jobs.require_room()  # before anything is stored, so that trying again doubles nothing
                return await begin(await self._store(self._sessions.get, session.id, session.owner))

        return await asyncio.shield(asyncio.create_task(alone(), name=f"turn-{session.id}"))

    async def _begin(
        self,
        session: Session,
        record: ModelRecord,
        user: ChatMessage | None,
        reply: ChatMessage,
        options: Any,
        prefix: str = "",
    ) -> Turn:
        try:
            path = await self._store(self._sessions.path, session.id, reply.id)
            prompt = prompt_of(session.system_prompt, path[:-1], prefix)
            messages, media = await self._intake.messages(prompt)
            request = Request(
                model=record.id,
                messages=messages,
                media=media,
                options=options.model_copy(update={"n": 1}),
                use_cache=False,
            )
            turn = Turn(session.id, user, reply, self._jobs.start(request), prefix)
        except InferenceChatError as error:
            with contextlib.suppress(InferenceChatError):  # the first error is the one to tell
                await self._unstored.finish(reply.id, text=prefix, **failure(error))
            raise
        self._turns[session.id] = turn
        turn.task = asyncio.create_task(self._write(turn), name=f"reply-{reply.id}")
        turn.task.add_done_callback(_log_failure)
        for queue in self._listeners.get(session.id, ()):
            queue.put_nowait(turn)
        return turn

    async def _write(self, turn: Turn) -> ChatMessage:
        """Store the reply as it grows, and its end."""
        try:
            end = await self._followed(turn)
            return await self._unstored.finish(turn.reply.id, text=turn.text, **end)
        finally:
            del self._turns[turn.session_id]

    async def _followed(self, turn: Turn) -> JSON:
        """Store a reply now and then as it grows; what is to be stored of its end.

        It looks at the clock: each event would wake the thread that serves the page, for nothing.
        """
        stored = turn.text
        while not await turn.job.ended(CHECKPOINT_SECONDS):
            if (text := turn.text) != stored:
                await self._checkpoint(turn.reply.id, text)
                stored = text
        try:
            files = [await self._intake.file(data, kind) for data, kind in made(turn.job.events)]
            parts = tuple(map(beside, files))
            return outcome((await turn.job.result()).finished) | {"parts": parts}
        except InferenceChatError as error:
            return failure(error)

    async def _checkpoint(self, reply_id: str, text: str) -> None:
        try:
            await self._store(self._sessions.write, reply_id, text)
        except InferenceChatError as error:
            logger.warning("A half reply could not be stored: %s", error.detail)

    async def _settled(self, session_id: str) -> None:
        turn = self._turns.get(session_id)
        if turn is not None and turn.task is not None:
            await asyncio.wait([turn.task])


def _log_failure(task: "asyncio.Task[ChatMessage]") -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("A reply could not be stored at its end: %s", error)
