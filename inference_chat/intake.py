"""From what a door was given to a request: which task, which model, which files, which parameters."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from .chats.turns import check_text
from .errors import BadMedia, InvalidRequest, UnsupportedTask
from .media import HEAD, Links, MediaStore, from_data_url, kind_of
from .models.models import Models
from .registry.senses import ASKED, AUTO, NOUNS
from .runners import OPTIONS
from .schema import (
    JSON,
    AudioPart,
    ImagePart,
    Link,
    Media,
    Message,
    Part,
    Request,
    TextPart,
    VideoPart,
    explain,
)
from .settings import Settings
from .suggested import FINDS, suggested
from .tasks import TASKS, Group, Kind, Needs, Task


class Intake:
    """Makes requests whole; what is wrong with them is raised before anything runs."""

    def __init__(
        self, settings: Settings, models: Models, media: MediaStore, links: Links | None = None
    ) -> None:
        self._settings = settings
        self._models = models
        self._media = media
        self._links = links or Links(settings)

    async def file(self, source: bytes | BinaryIO, kind: Kind) -> Media:
        """Keep a file that was sent; raises `BadMedia`, `TooLarge`, `UnsupportedMediaType`."""
        return await asyncio.to_thread(self._media.add, source, kind)

    async def any(self, source: bytes | BinaryIO) -> Media:
        """Keep a file of whatever kind it is; a container without pictures is a sound."""
        head = source[:HEAD] if isinstance(source, bytes) else await asyncio.to_thread(_begun, source)
        kind = kind_of(head) or "image"
        try:
            return await self.file(source, kind)
        except BadMedia:
            if kind != "video":
                raise
            if not isinstance(source, bytes):
                await asyncio.to_thread(source.seek, 0)
            return await self.file(source, "audio")

    async def kept(self, id: str) -> Media | None:
        """A file by its id; None when it is gone."""
        try:
            return await asyncio.to_thread(self._media.look, id)
        except BadMedia:
            return None

    async def forget(self, media: Media) -> None:
        """Remove a file that nobody will ask for again."""
        await asyncio.to_thread(media.path.unlink, missing_ok=True)

    async def path(self, path: Path, kind: Kind) -> Media:
        """Keep a file of this machine that a door has received; raises as `file` does."""
        return await asyncio.to_thread(self._copied, path, kind)

    async def link(self, url: str, kind: Kind) -> Media:
        """The file behind a `data:` URL, bare base64, `media:ID`, or an http(s) link where allowed."""
        if url.startswith("media:"):
            return await asyncio.to_thread(self._media.find, url.removeprefix("media:"), kind)
        if url.lower().startswith(("http:", "https:")):
            with await self._links.get(url) as file:
                return await self.file(file, kind)
        if not url:
            raise BadMedia(f"The {kind} is empty: send a data: URL or a file.")
        return await self.file(from_data_url(url, self._media.limits), kind)

    async def messages(self, messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[Media, ...]]:
        """The messages with their files named by `media:ID`, and those files in order."""
        taken: list[Media] = []
        told = [
            message.model_copy(update={"content": await self._content(message, taken)})
            for message in messages
        ]
        return tuple(told), tuple(dict.fromkeys(taken))

    async def request(
        self,
        *,
        group: Group | None = None,
        task: str | None = None,
        model: str | None = None,
        prompt: str | None = None,
        prompt_ids: Sequence[int] = (),
        messages: Sequence[Message] = (),
        media: Sequence[Media] = (),
        parameters: JSON | None = None,
        use_cache: bool = True,
        timeout_ms: int | None = None,
        plan: bool = True,
    ) -> Request:
        """A request that can run: raises what is wrong with it, as errors that say what would work.

        What no model is named for, and more than one may be needed for, is planned; without `plan` it is
        for the one model that understands all of it.
        """
        told, found = await self.messages(messages)
        files = (*media, *found)
        given = parameters or {}
        kind = self.task(group, task, model, files, prompt, given)
        if kind == Task.ANY_TO_ANY and model is None:
            model = AUTO.id if plan else self._alone(files)
        if model is None and plan and self.planned(kind):
            model = AUTO.id
        if prompt is None and files and not told and (kind == Task.ANY_TO_ANY or model == AUTO.id):
            prompt = ""  # the files say it all
        record = self._models.record(model, kind)
        if kind == Task.IMAGE_TO_IMAGE and isinstance(given.get("mask"), str):
            mask = await self.link(given["mask"], "image")
            given, files = given | {"mask": mask.url}, (*files, mask)
        self._check(kind, TASKS[kind], prompt, told, files, ids=bool(prompt_ids))
        try:
            return Request(
                task=kind,
                model=record.id,
                prompt=prompt,
                prompt_ids=tuple(prompt_ids),
                messages=told,
                media=files,
                options=self._models.parameters(record, kind, given),
                use_cache=use_cache,
                timeout_ms=timeout_ms,
            )
        except ValidationError as error:
            raise InvalidRequest(explain(error)) from None

    def task(
        self,
        group: Group | None,
        task: str | None,
        model: str | None,
        media: Sequence[Media] = (),
        prompt: str | None = None,
        parameters: JSON | None = None,
    ) -> Task:
        """The task that was named, else the first of the model's that fits, else what the input suggests."""
        if task:
            return _named(task, group)
        if model:
            does = [Task(name) for name in self._models.record(model, None).tasks if name in TASKS]
            able = [kind for kind in does if group in (None, TASKS[kind].group)]
            if able:
                return next((kind for kind in able if _fits(TASKS[kind], media, prompt)), able[0])
            if does:
                raise UnsupportedTask(
                    f"{model} does {', '.join(does)}; choose another model, or another route."
                )
        given = parameters or {}
        meant = suggested(group, media, prompt, given)
        fits = [kind for kind in meant if given.keys() <= OPTIONS[kind].model_fields.keys()] or list(meant)
        return next((kind for kind in fits if self._models.first(kind) or self.planned(kind)), fits[0])

    def planned(self, task: Task) -> bool:
        """Whether a plan answers this, by what models here find, as no model takes such questions."""
        if task not in ASKED or self._models.first(task):
            return False
        finds = FINDS["video" if task == Task.VIDEO_TEXT_TO_TEXT else "image"]
        return any(self._models.first(kind) for kind in finds)

    def _alone(self, files: Sequence[Media]) -> str:
        """The one model that understands all of these; `UnsupportedTask` names those that do some of it."""
        kinds = sorted({one.kind for one in files})
        if found := self._models.understands(kinds):
            return found.id
        if not kinds:
            return self._models.default(Task.TEXT_GENERATION)
        some = {kind: self._models.understands([kind]) for kind in kinds}
        known = "".join(f" {one.id} understands {NOUNS[kind]} alone." for kind, one in some.items() if one)
        what = " and ".join(NOUNS[kind] for kind in kinds)
        raise UnsupportedTask(
            f"No single model here understands {what} together.{known} "
            "Leave `plan` on, so that several work together, or register a model for any-to-any."
        )

    def _check(
        self,
        task: Task,
        needs: Needs,
        prompt: str | None,
        messages: Sequence[Message],
        files: Sequence[Media],
        *,
        ids: bool,
    ) -> None:
        text = prompt if prompt is not None else "".join(message.text for message in messages)
        check_text(text, self._settings.max_prompt_chars)
        if prompt is not None and messages:
            raise InvalidRequest("Give either `prompt` or `messages`, not both.")
        if needs.media and not any(one.kind == needs.media for one in files):
            raise InvalidRequest(f"{task} needs `{needs.media}`: a file, or a data: URL.")
        if needs.text == "required" and not text.strip() and not files and not ids:
            raise InvalidRequest("The input is empty: give `prompt` or `messages` with something to read.")

    def _copied(self, path: Path, kind: Kind) -> Media:
        with path.open("rb") as file:
            return self._media.add(file, kind)

    async def _content(self, message: Message, taken: list[Media]) -> str | tuple[Part, ...]:
        if isinstance(message.content, str):
            return message.content
        return tuple([await self._part(part, taken) for part in message.content])

    async def _part(self, part: Part, taken: list[Media]) -> Part:
        match part:
            case TextPart():
                return part
            case ImagePart():
                taken.append(await self.link(part.image_url.url, "image"))
                return ImagePart(image_url=Link(url=taken[-1].url))
            case VideoPart():
                taken.append(await self.link(part.video_url.url, "video"))
                return VideoPart(video_url=Link(url=taken[-1].url))
            case AudioPart():
                taken.append(await self.link(part.input_audio.data, "audio"))
                return AudioPart(input_audio=part.input_audio.model_copy(update={"data": taken[-1].url}))


def _begun(file: BinaryIO) -> bytes:
    """The first bytes of a file, which is then read again."""
    head = file.read(HEAD)
    file.seek(0)
    return head


def _named(name: str, group: Group | None) -> Task:
    try:
        task = Task(name)
    except ValueError:
        raise UnsupportedTask(f"There is no task {name!r} here; known: {', '.join(Task)}.") from None
    if group not in (None, TASKS[task].group):
        route = f"/inference/{TASKS[task].group}"
        raise UnsupportedTask(f"{task} is asked for at {route}, not at /inference/{group}.")
    return task


def _fits(needs: Needs, media: Sequence[Media], prompt: str | None) -> bool:
    kinds = {one.kind for one in media}
    words = {"none": not prompt, "optional": True, "required": bool(prompt)}[needs.text]
    return words and (needs.media in kinds if needs.media else not kinds)
