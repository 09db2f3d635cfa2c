"""A conversation as one zip file: its JSON, its Markdown, and the files that were sent in it."""

import io
import json
import mimetypes
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest, TooLarge
from ..schema import JSON, Media

CONVERSATION = "conversation.json"
NOUNS = {"image": "picture", "audio": "sound", "video": "clip"}
MOST_FILES = 2000


def packed(path: Path, conversation: JSON, text: str, media: Sequence[Media]) -> None:
    """Write the archive; `media` in its JSON says which file stands behind `media:ID`."""
    named = {one.id: f"media/{number}-{NOUNS[one.kind]}{_ending(one)}" for number, one in enumerate(media, 1)}
    paths = {one.id: one.path for one in media}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        told = conversation | {"media": named}
        archive.writestr(CONVERSATION, json.dumps(told, ensure_ascii=False, indent=2))
        archive.writestr("conversation.md", _linked(text, named))
        for id, name in named.items():
            archive.write(paths[id], name, zipfile.ZIP_STORED)


def unpacked(data: bytes, most_bytes: int) -> tuple[JSON, list[bytes]]:
    """The conversation of an archive and its files; raises `InvalidRequest`, `TooLarge`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MOST_FILES or sum(one.file_size for one in members) > most_bytes:
                raise TooLarge(f"The archive holds more than {most_bytes >> 20} MiB, or too many files.")
            told = json.loads(archive.read(CONVERSATION))
            files = [archive.read(one) for one in members if one.filename.startswith("media/")]
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError):
        raise InvalidRequest(
            "This is no exported conversation: a zip with conversation.json in it."
        ) from None
    if not isinstance(told, dict):
        raise InvalidRequest("conversation.json: must be an exported conversation.")
    told.pop("media", None)
    return told, files


def ids_of(conversation: JSON) -> list[str]:
    """The files that an exported conversation names, in order, each once."""
    return list(dict.fromkeys(_ids([message.get("content") for message in conversation["messages"]])))


def _ids(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("media:"):
        yield value.removeprefix("media:")
    elif isinstance(value, dict):
        for one in value.values():
            yield from _ids(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _ids(one)


def _ending(media: Media) -> str:
    return mimetypes.guess_extension(media.media_type) or ""


def _linked(text: str, named: dict[str, str]) -> str:
    """The Markdown with addresses of the files beside it."""
    for id, name in named.items():
        text = text.replace(f"<media:{id}>", f"<{name}>")
    return text
