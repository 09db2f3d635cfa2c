"""Messages that hold more than text: their media opened, and turned into what chat templates take."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import BadMedia, UnsupportedTask
from ..events import Event, Footage, Progress
from ..media import Clip, Limits, open_clip, open_image, open_sound
from ..schema import AudioPart, ImagePart, Media, Message, Part, Request, TextPart, VideoPart
from ..tasks import Kind
from .prompt import Turn, called

OPENED_LIMITS = Limits(max_bytes=1 << 40)
"""Of bytes, what was taken in was small enough."""
FRAME_SIDE = 1024
WORDS: dict[Kind, str] = {"image": "pictures", "audio": "sounds", "video": "clips"}


@dataclass(frozen=True)
class Senses:
    """What a model takes besides text; `rate` is the one it hears at, in samples a second.

    It hears `hears` seconds at once: longer sounds come to it in parts. Where its chat template does not keep
    words and pictures `in_order`, nothing is said between pictures.
    A model with `image` but no `video` is shown a clip as pictures, each with its second.
    """

    image: bool = False
    video: bool = False
    rate: int | None = None
    hears: float | None = None
    in_order: bool = True

    @property
    def kinds(self) -> tuple[Kind, ...]:
        found: list[Kind] = ["image", "video"] if self.image else ["video"] if self.video else []
        return (*found, "audio") if self.rate else tuple(found)


class Shot(NamedTuple):
    """The frames of a clip that are looked at, and the second of each."""

    frames: list[Any]
    times: tuple[float, ...]


def open_media(
    request: Request, senses: Senses, frames: int, name: str
) -> Generator[Event, None, dict[str, Any]]:
    """Decode the request's media one by one: pictures, mono samples, clips with `frames` frames, by id.

    Raises `UnsupportedTask` for kinds that the model does not take, `BadMedia` for broken files.
    """
    opened: dict[str, Any] = {}
    for number, medium in enumerate(request.media, 1):
        if medium.kind not in senses.kinds:
            raise _untaken(medium.kind, senses, name)
        yield Progress(phase="reading", detail=f"{medium.kind} {number} of {len(request.media)}")
        if medium.kind == "image":
            opened[medium.id] = open_image(medium.read(), OPENED_LIMITS)
        elif medium.kind == "audio":
            opened[medium.id] = open_sound(medium.read(), OPENED_LIMITS, rate=senses.rate, mono=True).mono
        else:
            opened[medium.id] = open_clip(medium.path, OPENED_LIMITS, count=frames, max_side=FRAME_SIDE)
    return opened


def turns_of(
    request: Request, opened: Mapping[str, Any], senses: Senses, frames: int, ask: str
) -> list[Turn]:
    """The conversation as turns with lists of parts; `ask` is said where nothing is asked.

    Without messages it is one turn: the media in order, then the prompt.
    """
    if request.messages:
        return [
            {
                "role": message.role,
                "content": [
                    part
                    for given in _parts(message)
                    for part in _part(given, request, opened, senses, frames)
                ],
            }
            | called(message)
            for message in request.messages
        ]
    media = [part for one in request.media for part in _medium(one, opened, senses, frames)]
    return [{"role": "user", "content": [*media, _text(request.prompt or ask)]}]


def footage_of(request: Request, opened: Mapping[str, Any], frames: int) -> list[Footage]:
    """What each clip is and which of its frames are looked at."""
    clips = [opened[one.id] for one in request.media if one.kind == "video"]
    return [
        Footage(
            fps=clip.fps,
            frame_count=round(clip.seconds * clip.fps),
            seconds=clip.seconds,
            width=clip.frames[0].width,
            height=clip.frames[0].height,
            times=shot_of(clip, frames).times,
        )
        for clip in clips
    ]


def shot_of(clip: Clip, frames: int) -> Shot:
    """At most so many frames of a clip, evenly spread."""
    total = len(clip.frames)
    count = min(frames, total)
    places = sorted({int((part + 0.5) * total / count) for part in range(count)})
    return Shot([clip.frames[at] for at in places], tuple(round(clip.times[at], 3) for at in places))


def taken(turns: Sequence[Turn], kind: str) -> list[Any]:
    """The media of one kind in the order of the turns."""
    return [part[kind] for turn in turns for part in turn["content"] if part["type"] == kind]


def _parts(message: Message) -> Sequence[Part]:
    return (TextPart(text=message.content),) if isinstance(message.content, str) else message.content


def _part(
    part: Part, request: Request, opened: Mapping[str, Any], senses: Senses, frames: int
) -> list[dict[str, Any]]:
    if isinstance(part, TextPart):
        return [_text(part.text)]
    medium = request.find(_url(part))
    if medium is None:
        raise BadMedia("A file of this conversation is no longer kept here; send it again.")
    return _medium(medium, opened, senses, frames)


def _url(part: ImagePart | VideoPart | AudioPart) -> str:
    match part:
        case ImagePart():
            return part.image_url.url
        case VideoPart():
            return part.video_url.url
        case AudioPart():
            return part.input_audio.data


def _medium(medium: Media, opened: Mapping[str, Any], senses: Senses, frames: int) -> list[dict[str, Any]]:
    thing = opened[medium.id]
    if medium.kind == "image":
        return [{"type": "image", "image": thing}]
    if medium.kind == "audio":
        size = int((senses.hears or 0) * (senses.rate or 0)) or len(thing)
        return [{"type": "audio", "audio": thing[at : at + size]} for at in range(0, len(thing), size)]
    shot = shot_of(thing, frames)
    if senses.video:
        return [{"type": "video", "video": shot}]
    if not senses.in_order:
        return [{"type": "image", "image": frame} for frame in shot.frames]
    return [
        part
        for frame, time in zip(shot.frames, shot.times, strict=True)
        for part in (_text(f"Frame at {time:.1f} s:"), {"type": "image", "image": frame})
    ]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _untaken(kind: Kind, senses: Senses, name: str) -> UnsupportedTask:
    takes = " and ".join(WORDS[one] for one in senses.kinds) or "text only"
    return UnsupportedTask(f"{name} takes {takes}, no {WORDS[kind]}; choose one that takes them, or `auto`.")
