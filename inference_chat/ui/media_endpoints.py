"""The endpoints of Gradio's clients that take files and give what models find in them or make."""

import asyncio
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder

from ..errors import BadMedia
from ..media import head_of, kind_of
from ..outputs import answer_of
from ..planning.parts import part_of
from ..schema import JSON, Media, Message, Part, TextPart
from ..service import Service
from ..tasks import Group, Kind
from .endpoints import as_object, offer, refusals, texts
from .parts import caller

PUBLIC = ("analyze_image", "generate_image", "analyze_video", "generate_video", "multimodal")


def add(service: Service) -> None:
    """Add the endpoints to the Blocks being built."""
    endpoints = MediaEndpoints(service)
    for name in PUBLIC:
        offer(getattr(endpoints, name), name)


class MediaEndpoints:
    """Each gives `{"model", "task", "output", "usage", "timing", …}`; files in `output` are `data:` URLs."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def analyze_image(
        self,
        request: gr.Request,
        image: FileData,
        task: str | None = None,
        model: str | None = None,
        question: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Classify, detect, segment, describe or answer a `question` about `image`.

        `task` is a Hugging Face name, as `object-detection`; left out, model and input decide.
        `parameters` are those of the task, as `{"threshold": 0.5}` or `{"labels": ["cat", "dog"]}`.
        """
        with refusals():
            who = caller(self._service, request)
            texts(task=task, model=model, question=question)
            media = [await self._file(image, "image")]
            return await self._infer(who, "image", task, model, question, media, parameters)

    async def generate_image(
        self,
        request: gr.Request,
        prompt: str,
        model: str | None = None,
        image: FileData | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Draw what `prompt` says, from noise or from `image`: `output` has `images` and the `seed`.

        `parameters`: `width`, `height`, `steps`, `guidance_scale`, `negative_prompt`, `seed`, `n`, …
        """
        with refusals():
            who = caller(self._service, request)
            texts(prompt=prompt, model=model)
            media = [await self._file(image, "image")] if image else []
            task = "image-to-image" if image else "text-to-image"
            return await self._infer(who, "image", task, model, prompt, media, parameters)

    async def analyze_video(
        self,
        request: gr.Request,
        video: FileData,
        task: str | None = None,
        model: str | None = None,
        question: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Classify `video`, track its objects, find its scenes, or answer a `question` about it."""
        with refusals():
            who = caller(self._service, request)
            texts(task=task, model=model, question=question)
            media = [await self._file(video, "video")]
            return await self._infer(who, "video", task, model, question, media, parameters)

    async def generate_video(
        self,
        request: gr.Request,
        prompt: str,
        model: str | None = None,
        image: FileData | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Film what `prompt` says, or let `image` move: `output` has `video`, `fps` and `frame_count`."""
        with refusals():
            who = caller(self._service, request)
            texts(prompt=prompt, model=model)
            media = [await self._file(image, "image")] if image else []
            task = "image-to-video" if image else "text-to-video"
            return await self._infer(who, "video", task, model, prompt, media, parameters)

    async def multimodal(
        self,
        request: gr.Request,
        text: str = "",
        files: list[FileData] | None = None,
        task: str | None = None,
        model: str | None = None,
        parameters: dict[str, Any] | None = None,
        plan: bool = True,
    ) -> dict[str, Any]:
        """Ask about any mix of pictures, sounds and clips; a sound alone is written down.

        Where no model is named, several may work step by step: `output` then has their `plan` and the
        `sources` of the answer; `plan` set to false turns that off.
        `task` may also be `automatic-speech-recognition`, `audio-classification` or `text-to-speech`.
        """
        with refusals():
            who = caller(self._service, request)
            texts(text=text, task=task, model=model)
            media = [await self._file(file, None) for file in files or []]
            if task in (None, "any-to-any") and (text or any(one.kind != "audio" for one in media)):
                content: tuple[Part, ...] = (*map(part_of, media), TextPart(text=text))
                told = (Message(role="user", content=content),)
                return await self._infer(who, "multimodal", task, model, None, [], parameters, told, plan)
            return await self._infer(
                who, "multimodal", task, model, text or None, media, parameters, (), plan
            )

    async def _infer(
        self,
        who: Any,
        group: Group,
        task: str | None,
        model: str | None,
        prompt: str | None,
        media: list[Media],
        parameters: object,
        messages: tuple[Message, ...] = (),
        plan: bool = True,
    ) -> JSON:
        job = await self._service.infer(
            who,
            group=group,
            task=task,
            model=model,
            prompt=prompt,
            messages=messages,
            media=media,
            parameters=as_object(parameters),
            plan=plan,
        )
        try:
            return answer_of(job.id, job.request, await job.result())
        finally:
            job.cancel()  # nobody else knows of it, so it ends with the client

    async def _file(self, given: object, kind: Kind | None) -> Media:
        """A file that a client has uploaded; Gradio checks only what is marked as one."""
        if isinstance(given, str):
            return await self._service.intake.link(given, kind or "image")
        path = await asyncio.to_thread(_uploaded, given)
        return await self._service.intake.path(path, kind if kind else await asyncio.to_thread(_kind, path))


def _uploaded(given: object) -> Path:
    """The path of a file in Gradio's folder of uploads; `BadMedia` for any other."""
    path = Path(str(given.get("path", ""))) if isinstance(given, dict) else Path()
    if not path.is_file() or Path(get_upload_folder()).resolve() not in path.resolve().parents:
        raise BadMedia("Send the file itself: wrap it with handle_file(…), or give a data: URL.")
    return path


def _kind(path: Path) -> Kind:
    """What kind of file it is, by its first bytes; what is none is refused where it is read as a picture."""
    return kind_of(head_of(path, "file")) or "image"
