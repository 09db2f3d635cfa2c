"""Files of a message on the page: attached, listened to while they are recorded, and read aloud."""

import asyncio

from ..access import Caller
from ..errors import InvalidRequest, SessionBusy
from ..events import AudioReady, Span
from ..planning.parts import part_of
from ..schema import JSON, AudioPart, Content, Frozen, ImagePart, Part, TextPart, VideoPart
from ..service import Service
from ..tasks import Kind, Task
from .presets import INPUTS

MOST_HEARD = 4 << 20  # characters of base64: about a minute and a half at 16 kHz


class Attached(Frozen):
    """A file that was sent before, by its id."""

    id: str
    kind: Kind


async def content(service: Service, text: str, files: list[Attached]) -> Content:
    """A message of files and words; raises `BadMedia` for a file that is gone, or none of its kind."""
    if not files:
        return text
    kept = [await service.intake.link(f"media:{one.id}", one.kind) for one in files]
    parts: tuple[Part, ...] = tuple(map(part_of, kept))
    return (*parts, TextPart(text=text)) if text.strip() else parts


def files_of(content: Content) -> list[JSON]:
    """The files of a message as the page shows them."""
    shown = []
    for part in () if isinstance(content, str) else content:
        match part:
            case ImagePart():
                shown.append(_file("image", part.image_url.url))
            case VideoPart():
                shown.append(_file("video", part.video_url.url))
            case AudioPart():
                shown.append(_file("audio", part.input_audio.data))
            case TextPart():
                pass
    return shown


def _file(kind: Kind, url: str) -> JSON:
    if url.startswith("media:"):
        id = url.removeprefix("media:")
        return {"kind": kind, "id": id, "url": f"media/{id}"}
    told = url if url.startswith("data:") else f"data:{kind}/wav;base64,{url}"
    return {"kind": kind, "id": None, "url": told}


async def sample(service: Service, name: str) -> JSON:
    """One of the files of the examples; `InvalidRequest` for any other name."""
    known = {str(path.relative_to(INPUTS)): path for path in INPUTS.rglob("*") if path.is_file()}
    if name not in known:
        raise InvalidRequest("There is no such example.")
    with known[name].open("rb") as file:
        kept = await service.intake.any(file)
    return {"id": kept.id, "kind": kept.kind, "name": known[name].name, "url": f"media/{kept.id}"}


async def spoken(service: Service, caller: Caller, text: str) -> JSON:
    """A text read aloud, as a `data:` URL."""
    job = await service.infer(caller, task=Task.TEXT_TO_SPEECH, prompt=text)
    result = await job.result()
    return {"audio": next(one.audio.url() for one in result.outcomes if isinstance(one, AudioReady))}


class Hearing:
    """Listens to recordings while they are made: one piece at a time for each caller, and keeps none."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._busy: set[Caller] = set()

    async def hear(self, caller: Caller, audio: str) -> JSON:
        """What is said; raises `InvalidRequest` for more than is heard at once, `SessionBusy`."""
        if len(audio) > MOST_HEARD:
            raise InvalidRequest("That is too long to be heard while it is spoken.")
        if caller in self._busy:
            raise SessionBusy("What was said before is still being heard.")
        self._busy.add(caller)
        try:
            return await self._heard(caller, audio)
        finally:
            self._busy.discard(caller)

    async def _heard(self, caller: Caller, audio: str) -> JSON:
        intake = self._service.intake
        media = await intake.link(audio, "audio")
        try:
            job = await self._service.infer(
                caller, task=Task.AUTOMATIC_SPEECH_RECOGNITION, media=[media], use_cache=False
            )
            result = await job.result()
        finally:
            await asyncio.shield(intake.forget(media))
        spans = [one for one in result.outcomes if isinstance(one, Span)]
        return {
            "text": result.text.strip(),
            "chunks": [{"text": one.text.strip(), "start": one.start_s, "end": one.end_s} for one in spans],
        }
