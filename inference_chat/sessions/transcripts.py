"""Conversations on the way out and in: versioned JSON that loses nothing, and Markdown to read."""

from typing import Literal, assert_never

from pydantic import AwareDatetime, Field, ValidationError

from ..database import clean
from ..errors import InvalidRequest
from ..schema import (
    JSON,
    AudioPart,
    Content,
    Frozen,
    ImagePart,
    Link,
    Part,
    TextPart,
    VideoPart,
    explain,
    new_id,
    now,
)
from .messages import ChatMessage, Session

FORMAT = "inference-chat/1"


class SessionCard(Frozen):
    """A conversation's own fields in an export."""

    title: str = ""
    model: str | None = None
    system_prompt: str = ""
    settings: JSON = Field(default_factory=dict)
    head_id: str | None = None
    created_at: AwareDatetime | None = None


class Transcript(Frozen):
    """An exported conversation: `messages` is the whole tree, parents before their children."""

    format: Literal["inference-chat/1"]
    exported_at: AwareDatetime | None = None
    session: SessionCard = SessionCard()
    messages: tuple[JSON, ...] = ()


def to_json(session: Session, tree: list[ChatMessage]) -> JSON:
    """The export of a conversation; plain JSON values only."""
    return {
        "format": FORMAT,
        "exported_at": now().isoformat(),
        "session": session.model_dump(mode="json", include=set(SessionCard.model_fields)),
        "messages": [message.model_dump(mode="json", exclude={"session_id", "siblings"}) for message in tree],
    }


def from_json(data: JSON, owner: str) -> tuple[Session, list[ChatMessage]]:
    """A new conversation of `owner` from an export; raises `InvalidRequest` that names the place.

    All ids are new; a reply that was still being written is marked interrupted.
    """
    if data.get("format") != FORMAT:
        raise InvalidRequest(f"format: this is no exported conversation; it must say {FORMAT!r}")
    try:
        transcript = Transcript.model_validate(clean(data))
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None
    session_id, moment = new_id(), now()
    tree, ids = _tree(transcript.messages, session_id)
    card = transcript.session
    if card.head_id is not None and card.head_id not in ids:
        raise InvalidRequest("session.head_id: no message has this id")
    fields = card.model_dump() | {
        "head_id": ids[card.head_id] if card.head_id else None,
        "created_at": card.created_at or moment,
    }
    return Session(id=session_id, owner=owner, updated_at=moment, **fields), tree


def _tree(items: tuple[JSON, ...], session_id: str) -> tuple[list[ChatMessage], dict[str, str]]:
    """The messages under new ids, and the new id for each old one."""
    ids: dict[str, str] = {}
    tree = []
    for index, item in enumerate(items):
        message = _message(item, f"messages.{index}")
        if message.id in ids:
            raise InvalidRequest(f"messages.{index}.id: an earlier message has the same id")
        if message.parent_id is not None and message.parent_id not in ids:
            raise InvalidRequest(f"messages.{index}.parent_id: no earlier message has this id")
        ids[message.id] = new_id()
        changes = {
            "id": ids[message.id],
            "session_id": session_id,
            "parent_id": ids[message.parent_id] if message.parent_id is not None else None,
            "status": "interrupted" if message.status == "writing" else message.status,
        }
        tree.append(message.model_copy(update=changes))
    return tree, ids


def _message(item: JSON, place: str) -> ChatMessage:
    for name in ("session_id", "siblings"):
        if name in item:
            raise InvalidRequest(f"{place}.{name}: this field is not part of an export")
    try:
        return ChatMessage.model_validate(item | {"session_id": ""})
    except ValidationError as error:
        raise InvalidRequest(explain(error, place)) from None


# --- Markdown -----------------------------------------------------------------------------------

SPEAKERS = {"user": "You", "assistant": "Assistant", "system": "System"}
REMARKS = {
    "writing": "still being written",
    "interrupted": "interrupted",
    "cancelled": "stopped",
    "failed": "failed",
}


def to_markdown(session: Session, path: list[ChatMessage]) -> str:
    """A document with the title, who spoke, which model answered, and each text as it stands."""
    parts = [f"# {' '.join(session.title.split()) or 'Conversation'}"]
    if session.system_prompt:
        parts.append("**System prompt**\n\n" + _quoted(session.system_prompt))
    for message in path:
        parts += [_heading(message), _body(message.content)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(message: ChatMessage) -> str:
    speaker = SPEAKERS[message.role] + (f" ({message.model})" if message.model else "")
    remark = REMARKS.get(message.status)
    return f"## {speaker}" + (f", {remark}" if remark else "")


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _body(content: Content) -> str:
    if isinstance(content, str):
        return _closed(content)
    return "\n\n".join(_part(part) for part in content)


def _part(part: Part) -> str:
    match part:
        case TextPart(text=text):
            return _closed(text)
        case ImagePart(image_url=link):
            return _linked("image", link)
        case VideoPart(video_url=link):
            return _linked("video", link)
        case AudioPart(input_audio=sound):
            return _linked("sound", Link(url=sound.data if sound.data.startswith("media:") else "data:"))
        case _:
            assert_never(part)


def _linked(kind: str, link: Link) -> str:
    """An address people can follow; a file that travels inside the message is only mentioned."""
    return f"*(attached {kind})*" if link.url.startswith("data:") else f"[attached {kind}](<{link.url}>)"


def _closed(text: str) -> str:
    """`text`, with a code fence closed that a stopped reply left open, so that it ends with its message."""
    fence = ""
    for line in text.splitlines():
        mark = line.lstrip(" ")
        run = len(mark) - len(mark.lstrip(mark[:1])) if mark[:1] in ("`", "~") else 0
        if fence:
            if mark.startswith(fence) and not mark[run:].strip():
                fence = ""
        elif run >= len("```"):
            fence = mark[:run]
    return f"{text}\n{fence}" if fence else text
