"""The statements that `store.py` is made of: find, walk and change a tree of messages."""

from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, insert, or_, select, update

from ..errors import MessageNotFound, SessionNotFound
from ..schema import new_id, now
from .messages import ChatMessage, Session, messages, sessions, to_message, to_row


def no_session() -> SessionNotFound:
    return SessionNotFound("There is no such conversation. It may have been deleted: look at the list again.")


def no_message() -> MessageNotFound:
    return MessageNotFound("There is no such message in this conversation. Load the conversation again.")


def find_session(
    connection: Connection, session_id: str, *, lock: bool = False, deleted: bool = True
) -> Session:
    """The conversation; `lock` holds back other writers of it; a deleted one only where `deleted`."""
    wanted = select(sessions).where(sessions.c.id == session_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).mappings().one_or_none()
    if row is None or (row["deleted_at"] and not deleted):
        raise no_session()
    return Session(**row)


def change_session(connection: Connection, session_id: str, **values: Any) -> Session:
    changed = update(sessions).where(sessions.c.id == session_id).values(values)
    row = connection.execute(changed.returning(*sessions.c)).mappings().one_or_none()
    if row is None:
        raise no_session()
    return Session(**row)


def touch(connection: Connection, session_id: str, **values: Any) -> Session:
    """Change a conversation and move it to the top of the list."""
    return change_session(connection, session_id, updated_at=now(), **values)


def find_message(
    connection: Connection, message_id: str, session_id: str | None = None, *, lock: bool = False
) -> RowMapping:
    """A message's row; raises `MessageNotFound`, also when it belongs to another conversation."""
    wanted = select(messages).where(messages.c.id == message_id)
    row = connection.execute(wanted.with_for_update() if lock else wanted).mappings().one_or_none()
    if row is None or session_id not in (None, row["session_id"]):
        raise no_message()
    return row


def change_message(connection: Connection, message_id: str, **values: Any) -> ChatMessage:
    changed = connection.execute(update(messages).where(messages.c.id == message_id).values(values))
    if not changed.rowcount:
        raise no_message()
    return with_siblings(connection, message_id)


def add_message(connection: Connection, message: ChatMessage) -> ChatMessage:
    connection.execute(insert(messages).values(to_row(message)))
    return with_siblings(connection, message.id)


def empty_reply(session_id: str, parent_id: str, model: str | None) -> ChatMessage:
    return ChatMessage(
        id=new_id(),
        session_id=session_id,
        parent_id=parent_id,
        role="assistant",
        content="",
        model=model,
        status="writing",
        created_at=now(),
    )


def with_siblings(connection: Connection, message_id: str) -> ChatMessage:
    row = find_message(connection, message_id)
    parent = messages.c.parent_id
    family = select(messages.c.id).where(
        messages.c.session_id == row["session_id"],
        parent.is_(None) if row["parent_id"] is None else parent == row["parent_id"],
    )
    return to_message(row, tuple(connection.scalars(family.order_by(messages.c.number))))


def skeleton(session_id: str) -> Select[str, str | None]:
    """Ids and parents of a whole conversation, parents before their children."""
    return (
        select(messages.c.id, messages.c.parent_id)
        .where(messages.c.session_id == session_id)
        .order_by(messages.c.number)
    )


def whole_tree(session_id: str) -> Select[*tuple[Any, ...]]:
    """All messages of a conversation, parents before their children."""
    return select(messages).where(messages.c.session_id == session_id).order_by(messages.c.number)


def ancestors(message_id: str) -> Select[*tuple[Any, ...]]:
    """A message and all before it, the first one first."""
    line = (
        select(messages.c.id, messages.c.parent_id)
        .where(messages.c.id == message_id)
        .cte("line", recursive=True)
    )
    line = line.union_all(
        select(messages.c.id, messages.c.parent_id).join(line, messages.c.id == line.c.parent_id)
    )
    return select(messages).join(line, messages.c.id == line.c.id).order_by(messages.c.number)


def newest_below(connection: Connection, session_id: str, message_id: str) -> str:
    """The message added last among one and its descendants, so the end of a branch."""
    below, newest = {message_id}, message_id
    for row in connection.execute(skeleton(session_id)):
        if row.parent_id in below:
            below.add(row.id)
            newest = row.id
    return newest


def families(connection: Connection, session_id: str) -> dict[str | None, tuple[str, ...]]:
    """The children of each message, in the order they were added; under None the first messages."""
    children: dict[str | None, list[str]] = {}
    row: Row[str, str | None]
    for row in connection.execute(skeleton(session_id)):
        children.setdefault(row.parent_id, []).append(row.id)
    return {parent: tuple(ids) for parent, ids in children.items()}


def mentioning(words: str) -> Any:
    """The condition that a conversation's title or one of its messages holds `words`, in any case."""
    told = (
        select(messages.c.number)
        .where(messages.c.session_id == sessions.c.id, messages.c.text.icontains(words, autoescape=True))
        .exists()
    )
    return or_(sessions.c.title.icontains(words, autoescape=True), told)
