"""A conversation, seen as what its newest message asks about: words, pictures, sounds and clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import BadMedia, InvalidRequest
from ..schema import (
    AudioPart,
    ImagePart,
    Link,
    Media,
    Message,
    Part,
    Request,
    Sound,
    TextPart,
    VideoPart,
)


@dataclass(frozen=True)
class Parts:
    """The newest message: its words and its own files; and the files of the last message that has any."""

    turns: tuple[Message, ...]
    text: str
    own: tuple[Media, ...]
    earlier: tuple[Media, ...]
    since: int
    """From this message on the conversation is about those files."""

    @property
    def kinds(self) -> set[str]:
        return {one.kind for one in self.own}

    def of(self, kind: str) -> list[Media]:
        return [one for one in self.own if one.kind == kind]


def parts_of(request: Request) -> Parts:
    """What a request asks; raises `InvalidRequest` where nothing does, `BadMedia` for files that are gone."""
    turns = request.messages or (said(request.prompt or "", request.media),)
    if turns[-1].role != "user":
        raise InvalidRequest("A plan answers a person's message; the newest one is not a person's.")
    users = [at for at, turn in enumerate(turns) if turn.role == "user"]
    since = next((at for at in reversed(users) if files(turns[at], request)), len(turns) - 1)
    own = files(turns[-1], request)
    return Parts(tuple(turns), turns[-1].text.strip(), own, own or files(turns[since], request), since)


def files(message: Message, request: Request) -> tuple[Media, ...]:
    """The files of a message, in its order."""
    found = []
    for url in urls(message):
        medium = request.find(url)
        if medium is None:
            raise BadMedia("A file of this conversation is no longer kept here; send it again.")
        found.append(medium)
    return tuple(dict.fromkeys(found))


def urls(message: Message) -> list[str]:
    """How the parts of a message name their files."""
    if isinstance(message.content, str):
        return []
    named = []
    for part in message.content:
        match part:
            case ImagePart():
                named.append(part.image_url.url)
            case VideoPart():
                named.append(part.video_url.url)
            case AudioPart():
                named.append(part.input_audio.data)
            case TextPart():
                pass
    return named


def said(text: str, media: Sequence[Media]) -> Message:
    """A message of files and words."""
    content: tuple[Part, ...] = tuple(map(part_of, media))
    return Message(role="user", content=(*content, TextPart(text=text)) if text else content)


def part_of(media: Media) -> Part:
    """A kept file as the part of a message."""
    match media.kind:
        case "image":
            return ImagePart(image_url=Link(url=media.url))
        case "video":
            return VideoPart(video_url=Link(url=media.url))
        case "audio":
            return AudioPart(input_audio=Sound(data=media.url))


def worded(message: Message, word: Callable[[str], str]) -> Message:
    """The message as text alone; `word` says what stands for a file, by how its part names it."""
    if isinstance(message.content, str):
        return message
    texts = [word(url) for url in urls(message)] + [message.text]
    return Message(role=message.role, content="\n".join(text for text in texts if text))
