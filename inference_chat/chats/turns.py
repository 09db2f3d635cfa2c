"""One turn of a conversation: the reply being written, what the model reads for it, what is stored of it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from ..errors import InferenceChatError, InvalidRequest, TooLarge
from ..events import AudioReady, Event, Finished, ImageReady
from ..jobs import Job
from ..schema import JSON, AudioPart, Content, ImagePart, Link, Media, Message, Part, Sound
from ..sessions.messages import ChatMessage
from ..tasks import Kind


@dataclass(eq=False)
class Turn:
    """A reply being written; a `bound` one ends when nobody reads it any more."""

    session_id: str
    user: ChatMessage | None
    reply: ChatMessage
    job: Job
    prefix: str = ""
    readers: int = 0
    bound: bool = False
    task: "asyncio.Task[ChatMessage] | None" = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The whole reply as far as it is written."""
        return self.prefix + self.job.text()

    @contextmanager
    def reading(self, *, bound: bool = False) -> Iterator[None]:
        """Count as a reader; `bound` says that the reply is only for this reader and those who join."""
        self.bound |= bound
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1
            if self.bound and not self.readers:
                self.job.cancel()

    async def watch(self, start: int = 0) -> AsyncGenerator[tuple[int, Event], None]:
        """The job's events, counted in `readers` while one reads."""
        with self.reading():
            async with aclosing(self.job.watch(start)) as events:
                async for item in events:
                    yield item

    async def finished(self) -> ChatMessage:
        """The reply as it is stored at the end; a failed one carries its error."""
        assert self.task is not None
        return await asyncio.shield(self.task)


class Alone:
    """Marks a conversation as taken while its turn is being stored."""

    def __init__(self, starting: set[str], session_id: str) -> None:
        self._starting, self._session_id = starting, session_id

    def __enter__(self) -> None:
        self._starting.add(self._session_id)

    def __exit__(self, *_: object) -> None:
        self._starting.discard(self._session_id)


def check_text(text: str, most: int) -> None:
    """Refuse what cannot be stored or read: `TooLarge` above `most` characters, `InvalidRequest`."""
    if len(text) > most:
        raise TooLarge(f"The text has {len(text):,} characters, {most:,} are allowed; shorten it.")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InvalidRequest("The text has half a character (a lone surrogate); send whole ones.")


def kinds_of(content: Content) -> set[Kind]:
    """The kinds of files that a message holds."""
    kinds: dict[str, Kind] = {"image_url": "image", "input_audio": "audio", "video_url": "video"}
    parts = () if isinstance(content, str) else content
    return {kinds[part.type] for part in parts if part.type in kinds}


def outcome(finished: Finished) -> JSON:
    """What is stored of a reply that came to its end."""
    return {
        "status": "cancelled" if finished.finish_reason == "cancelled" else "complete",
        "finish_reason": finished.finish_reason,
        "usage": finished.usage,
        "timing": finished.timing,
        "receipt": finished.receipt.model_dump(mode="json") if finished.receipt else None,
        "notes": finished.notes,
    }


def failure(error: InferenceChatError) -> JSON:
    """What is stored of a reply that failed."""
    return {"status": "failed", "error": {"code": error.code, "detail": error.detail}}


def made(events: Iterable[Event]) -> Iterator[tuple[bytes, Kind]]:
    """The files of a reply: what it sounds like, what it shows."""
    for event in events:
        match event:
            case AudioReady():
                yield event.audio.data, "audio"
            case ImageReady(role="result"):
                yield event.image.data, "image"


def beside(file: Media) -> Part:
    """A reply's file, as it is kept beside its words."""
    if file.kind == "audio":
        return AudioPart(input_audio=Sound(data=file.url))
    return ImagePart(image_url=Link(url=file.url))


def prompt_of(system_prompt: str, path: list[ChatMessage], prefix: str) -> tuple[Message, ...]:
    """What the model reads: empty replies are left out, and neighbours of one speaker joined."""
    messages: list[Message] = []
    if system_prompt.strip():
        messages.append(Message(role="system", content=system_prompt))
    for stored in path:
        # What a reply said aloud is in its words, and models hear and see what the person sent alone.
        content = stored.text if stored.role == "assistant" else stored.content
        if not content:
            continue
        last = messages[-1] if messages else None
        if last and last.role == stored.role and isinstance(last.content, str) and isinstance(content, str):
            messages[-1] = Message(role=last.role, content=f"{last.content}\n\n{content}")
        else:
            messages.append(Message(role=stored.role, content=content))
    if prefix:
        messages.append(Message(role="assistant", content=prefix))
    return tuple(messages)
