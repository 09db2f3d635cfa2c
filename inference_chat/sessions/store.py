"""Conversations, kept in the database as trees of messages; see `messages.py` for their shape.

Every method is one transaction: when it returns, what it did is on disk. All of them raise
`StorageFailed` when the database cannot do its work, and nothing has changed then.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy import delete, insert, select, update

from ..database import Stored, clean
from ..errors import Conflict, InvalidRequest
from ..events import Receipt, Timing, Usage
from ..schema import JSON, Content, Part, TextPart, explain, new_id, now
from .archives import ids_of
from .messages import (
    ChatMessage,
    Feedback,
    Session,
    content_columns,
    messages,
    sessions,
    title_of,
    to_message,
    to_row,
)
from .transcripts import from_json, to_json, to_markdown
from .tree import (
    add_message,
    ancestors,
    change_message,
    change_session,
    empty_reply,
    families,
    find_message,
    find_session,
    mentioning,
    newest_below,
    no_message,
    no_session,
    touch,
    whole_tree,
    with_siblings,
)

__all__ = ["ChatMessage", "Session", "Sessions"]

EDITABLE = frozenset({"title", "model", "system_prompt", "settings"})
Messages = list[ChatMessage]
MAX_QUERY_CHARS = 1000  # SQLite refuses a LIKE pattern of 50,000 bytes


class Sessions(Stored):
    """All conversations; safe to use from any thread."""

    # --- conversations ---------------------------------------------------------------------------

    def create(
        self,
        owner: str,
        *,
        model: str | None = None,
        system_prompt: str = "",
        title: str = "",
        settings: JSON | None = None,
    ) -> Session:
        """Start an empty conversation."""
        moment = now()
        session = Session(
            id=new_id(),
            owner=clean(owner),
            title=clean(title),
            model=model,
            system_prompt=clean(system_prompt),
            settings=clean(settings or {}),
            created_at=moment,
            updated_at=moment,
        )
        with self._database.write() as connection:
            connection.execute(insert(sessions).values(session.model_dump()))
        return session

    def get(self, session_id: str, owner: str, *, deleted: bool = False) -> Session:
        """The conversation; raises `SessionNotFound`, also when it is another's.

        A deleted one is found only where `deleted` is set.
        """
        with self._database.read() as connection:
            session = find_session(connection, session_id)
        if session.owner != owner or (session.deleted_at and not deleted):
            raise no_session()
        return session

    def list(
        self, owner: str, *, query: str = "", limit: int = 50, before: datetime | None = None
    ) -> list[Session]:
        """Conversations, the newest used first; `query` searches titles and messages in any case."""
        wanted = select(sessions).where(sessions.c.owner == owner, sessions.c.deleted_at.is_(None))
        if before is not None:
            wanted = wanted.where(sessions.c.updated_at < before)
        if words := clean(query).strip()[:MAX_QUERY_CHARS]:
            wanted = wanted.where(mentioning(words))
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(sessions.c.updated_at.desc()).limit(limit))
            return [Session(**row) for row in rows.mappings()]

    def update(self, session_id: str, **fields: Any) -> Session:
        """Change title, model, system prompt or settings; raises `InvalidRequest` for other fields."""
        if unknown := fields.keys() - EDITABLE:
            raise InvalidRequest(f"{sorted(unknown)[0]}: only {', '.join(sorted(EDITABLE))} can be changed")
        with self._database.write() as connection:
            session = find_session(connection, session_id, lock=True)
            try:
                changed = Session.model_validate(session.model_dump() | clean(fields))
            except ValidationError as error:
                raise InvalidRequest(explain(error)) from None
            return touch(connection, session_id, **{name: getattr(changed, name) for name in fields})

    def delete(self, session_id: str) -> Session:
        """Hide a conversation; `restore` brings it back until `purge`."""
        return self._set(session_id, deleted_at=now())

    def restore(self, session_id: str) -> Session:
        """Undo `delete`."""
        return self._set(session_id, deleted_at=None)

    def purge(self, older_than: timedelta) -> int:
        """Remove for good what was deleted longer ago than that; how many conversations went."""
        with self._database.write() as connection:
            return connection.execute(
                delete(sessions).where(sessions.c.deleted_at < now() - older_than)
            ).rowcount

    def clear(self, session_id: str) -> Session:
        """Remove all messages of a conversation for good; the conversation itself stays."""
        with self._database.write() as connection:
            find_session(connection, session_id, lock=True)
            connection.execute(delete(messages).where(messages.c.session_id == session_id))
            return touch(connection, session_id, head_id=None)

    # --- writing ---------------------------------------------------------------------------------

    def add_turn(
        self, session_id: str, content: Content, *, parent_id: str | None, model: str | None
    ) -> tuple[ChatMessage, ChatMessage]:
        """Add what a person said below `parent_id` (None: as a first message), and an empty reply.

        The head moves to the reply, which has status `writing`. Raises `SessionNotFound`,
        `MessageNotFound`.
        """
        with self._database.write() as connection:
            session = find_session(connection, session_id, lock=True, deleted=False)
            if parent_id is not None:
                find_message(connection, parent_id, session_id)
            said = ChatMessage(
                id=new_id(),
                session_id=session_id,
                parent_id=parent_id,
                role="user",
                content=content,
                created_at=now(),
            )
            said = add_message(connection, said)
            reply = add_message(connection, empty_reply(session_id, said.id, model))
            touch(connection, session_id, head_id=reply.id, title=session.title or clean(title_of(content)))
            return said, reply

    def add_reply(self, session_id: str, *, parent_id: str, model: str | None) -> ChatMessage:
        """Add another empty reply to `parent_id`; the head moves to it."""
        with self._database.write() as connection:
            find_session(connection, session_id, lock=True, deleted=False)
            find_message(connection, parent_id, session_id)
            reply = add_message(connection, empty_reply(session_id, parent_id, model))
            touch(connection, session_id, head_id=reply.id)
            return reply

    def reopen(self, message_id: str) -> ChatMessage:
        """Set a reply back to `writing`, so that it can grow; raises `Conflict` if it is being written."""
        with self._database.write() as connection:
            row = find_message(connection, message_id, lock=True)
            if row["status"] == "writing":
                raise Conflict("This answer is being written already; wait for it or stop it.")
            return change_message(connection, message_id, status="writing", error=None)

    def write(self, message_id: str, text: str, *, usage: Usage | None = None) -> None:
        """Keep what there is of a reply; one that has been finished meanwhile stays as it is."""
        values: dict[str, Any] = {"text": clean(text), "parts": None}
        if usage:
            values["usage"] = usage.model_dump()
        with self._database.write() as connection:
            if find_message(connection, message_id, lock=True)["status"] == "writing":
                connection.execute(update(messages).where(messages.c.id == message_id).values(values))

    def finish(
        self,
        message_id: str,
        *,
        status: Literal["complete", "interrupted", "cancelled", "failed"],
        text: str,
        parts: tuple[Part, ...] = (),
        finish_reason: str | None = None,
        usage: Usage | None = None,
        timing: Timing | None = None,
        receipt: Receipt | JSON | None = None,
        notes: Iterable[str] = (),
        error: JSON | None = None,
        model: str | None = None,
    ) -> ChatMessage:
        """End a reply with all there is to know about it; raises `MessageNotFound` if it was cleared.

        `parts` are the files of the reply, beside its text.
        """
        known = receipt.model_dump(mode="json") if isinstance(receipt, Receipt) else receipt
        values = {
            **content_columns((TextPart(text=text), *parts) if parts else text),
            "status": status,
            "finish_reason": finish_reason,
            "usage": usage and usage.model_dump(),
            "timing": timing and timing.model_dump(),
            "receipt": clean(known),
            "notes": clean(list(notes)),
            "error": clean(error),
        }
        if model is not None:
            values["model"] = model
        with self._database.write() as connection:
            message = change_message(connection, message_id, **values)
            touch(connection, message.session_id)
            return message

    def feedback(self, message_id: str, value: Feedback | None) -> ChatMessage:
        """Keep whether a person liked a reply; None takes it back."""
        if value not in ("like", "dislike", None):
            raise InvalidRequest("feedback: `like`, `dislike` or null")
        with self._database.write() as connection:
            return change_message(connection, message_id, feedback=value)

    def select(self, session_id: str, message_id: str) -> Session:
        """Show the branch that goes through a message: the newest end below it becomes the head."""
        with self._database.write() as connection:
            find_session(connection, session_id, lock=True, deleted=False)
            find_message(connection, message_id, session_id)
            newest = newest_below(connection, session_id, message_id)
            return change_session(connection, session_id, head_id=newest)

    def mark_interrupted(self) -> int:
        """Call at the start: replies that a killed process left half written; how many there were."""
        with self._database.write() as connection:
            return connection.execute(
                update(messages).where(messages.c.status == "writing").values(status="interrupted")
            ).rowcount

    # --- reading ---------------------------------------------------------------------------------

    def message(self, session_id: str, message_id: str) -> ChatMessage:
        """One message of a conversation; raises `MessageNotFound`."""
        with self._database.read() as connection:
            find_message(connection, message_id, session_id)
            return with_siblings(connection, message_id)

    def path(self, session_id: str, leaf_id: str | None = None) -> Messages:
        """The messages from the first one to `leaf_id`, or to the head, each with its siblings."""
        with self._database.read() as connection:
            leaf = leaf_id or find_session(connection, session_id).head_id
            if leaf is None:
                return []
            find_message(connection, leaf, session_id)
            family = families(connection, session_id)
            rows = connection.execute(ancestors(leaf)).mappings()
            return [to_message(row, family[row["parent_id"]]) for row in rows]

    def history(
        self, session_id: str, *, limit: int = 50, before: str | None = None
    ) -> tuple[Messages, bool]:
        """The last messages of the path, or the last before a message; and whether older ones are left."""
        path = self.path(session_id)
        if before is not None:
            ids = [message.id for message in path]
            if before not in ids:
                raise no_message()
            path = path[: ids.index(before)]
        start = max(0, len(path) - limit)
        return path[start:], start > 0

    def export(self, session_id: str) -> JSON:
        """The whole tree as JSON, which `load` reads."""
        with self._database.read() as connection:
            session = find_session(connection, session_id)
            rows = connection.execute(whole_tree(session_id)).mappings()
            return to_json(session, [to_message(row) for row in rows])

    def media(self) -> set[str]:
        """The files that conversations name, so that they are kept."""
        with self._database.read() as connection:
            told = connection.scalars(select(messages.c.parts).where(messages.c.parts.is_not(None)))
            return {id for parts in told for id in ids_of({"messages": [{"content": parts}]})}

    def markdown(self, session_id: str) -> str:
        """What people see of the conversation, as a readable document."""
        with self._database.read() as connection:
            session = find_session(connection, session_id)
        return to_markdown(session, self.path(session_id))

    def load(self, owner: str, data: JSON) -> Session:
        """Add a conversation from exported JSON, under new ids; raises `InvalidRequest` with the place."""
        session, tree = from_json(data, clean(owner))
        with self._database.write() as connection:
            connection.execute(insert(sessions).values(session.model_dump()))
            if tree:
                connection.execute(insert(messages), [to_row(message) for message in tree])
        return session

    def _set(self, session_id: str, **values: Any) -> Session:
        with self._database.write() as connection:
            return change_session(connection, session_id, **values)
