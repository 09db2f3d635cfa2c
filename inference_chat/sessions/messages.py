"""What a conversation is made of, as values and as tables.

A conversation is a tree of messages: editing a message or asking again adds a sibling, and nothing
is overwritten. The head is the message at whose end the conversation now stands; the path from the
first message to the head is what people see.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field
from sqlalchemy import Column, ForeignKey, Index, Integer, RowMapping, String, Table, Text, types

from ..database import UtcTime, clean, metadata
from ..events import Timing, Usage
from ..schema import JSON, Content, Frozen, Message, Part, Role

Status = Literal["complete", "writing", "interrupted", "cancelled", "failed"]
Feedback = Literal["like", "dislike"]


class Session(Frozen):
    """A conversation, without its messages."""

    id: str
    owner: str
    title: str = ""
    model: str | None = None
    system_prompt: str = ""
    settings: JSON = Field(default_factory=dict)
    head_id: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    deleted_at: AwareDatetime | None = None


class ChatMessage(Frozen):
    """One message of a conversation; `siblings` are the ids of all with its parent, itself included."""

    id: str
    session_id: str
    parent_id: str | None = None
    role: Role
    content: Content
    model: str | None = None
    status: Status = "complete"
    finish_reason: str | None = None
    usage: Usage | None = None
    timing: Timing | None = None
    receipt: JSON | None = None
    notes: tuple[str, ...] = ()
    error: JSON | None = None
    feedback: Feedback | None = None
    created_at: AwareDatetime
    siblings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The words of the message, without its media."""
        return Message(role=self.role, content=self.content).text


sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("model", Text),
    Column("system_prompt", Text, nullable=False),
    Column("settings", types.JSON, nullable=False),
    Column("head_id", String(32)),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    Index("sessions_by_owner", "owner", "updated_at"),
)

messages = Table(
    "messages",
    metadata,
    # Grows with every message, so it orders siblings, and a parent always comes before its children.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("session_id", ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("parent_id", ForeignKey("messages.id", ondelete="CASCADE"), index=True),
    Column("role", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("parts", types.JSON(none_as_null=True)),
    Column("model", Text),
    Column("status", String(16), nullable=False),
    Column("finish_reason", Text),
    Column("usage", types.JSON(none_as_null=True)),
    Column("timing", types.JSON(none_as_null=True)),
    Column("receipt", types.JSON(none_as_null=True)),
    Column("notes", types.JSON, nullable=False),
    Column("error", types.JSON(none_as_null=True)),
    Column("feedback", String(16)),
    Column("created_at", UtcTime, nullable=False),
    Index("messages_by_session", "session_id", "number"),
    sqlite_autoincrement=True,
)


def to_row(message: ChatMessage) -> dict[str, Any]:
    """The row that stores `message`."""
    row = message.model_dump(exclude={"content", "siblings"}) | {"notes": list(message.notes)}
    return {key: value if isinstance(value, datetime) else clean(value) for key, value in row.items()} | (
        content_columns(message.content)
    )


def content_columns(content: Content) -> dict[str, Any]:
    """The columns that hold a content: its words, which are searched, and its parts where it has any."""
    if isinstance(content, str):
        return {"text": clean(content), "parts": None}
    return {
        "text": clean(Message(role="user", content=content).text),
        "parts": clean([part.model_dump() for part in content]),
    }


def to_message(row: RowMapping, siblings: tuple[str, ...] = ()) -> ChatMessage:
    """The message that `row` stores."""
    fields = {key: value for key, value in row.items() if key not in ("number", "text", "parts")}
    content = row["text"] if row["parts"] is None else row["parts"]
    return ChatMessage(**fields, content=content, siblings=siblings)


def title_of(content: Content, length: int = 60) -> str:
    """A title from the first words of a message; cut between words where that is possible."""
    words = " ".join(Message(role="user", content=content).text.split())
    if not words:
        return _media_title(() if isinstance(content, str) else content)
    if len(words) <= length:
        return words
    start = words[:length]
    return (start.rpartition(" ")[0] or start) + "…"


def _media_title(parts: tuple[Part, ...]) -> str:
    names = {"image_url": "Image", "input_audio": "Sound", "video_url": "Video"}
    return next((names[part.type] for part in parts if part.type in names), "")
