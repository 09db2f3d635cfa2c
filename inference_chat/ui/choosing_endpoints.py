"""The endpoints of Gradio's clients that help to choose a model."""

from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from pydantic import ValidationError

from ..errors import InferenceChatError, InvalidRequest
from ..recommending.wishes import Constraints
from ..schema import JSON, explain
from ..service import Service
from .endpoints import as_object, offer, refusals, texts
from .media_endpoints import MediaEndpoints
from .parts import caller

PUBLIC = ("compare", "recommend")


def add(service: Service) -> None:
    """Add the endpoints to the Blocks being built."""
    endpoints = ChoosingEndpoints(service)
    for name in PUBLIC:
        offer(getattr(endpoints, name), name)


class ChoosingEndpoints(MediaEndpoints):
    """Both answer with what was measured on this machine."""

    async def compare(
        self,
        request: gr.Request,
        models: list[str],
        prompt: str | None = None,
        files: list[FileData] | None = None,
        task: str | None = None,
        parameters: dict[str, Any] | None = None,
        in_turn: bool = False,
    ) -> dict[str, Any]:
        """Give the same input to two to six `models`: `results`, a `table` of figures, their `agreement`.

        A model that fails has an `error` in its own row. They run together where they fit into memory;
        `in_turn` runs one after the other, so that each is timed alone.
        """
        with refusals():
            who = caller(self._service, request)
            texts(prompt=prompt, task=task)
            if not _named(models):
                raise InvalidRequest('models: a list of names, as ["starter-chat", "my-model"].')
            media = [await self._file(file, None) for file in files or []]
            given = {"prompt": prompt, "media": media, "task": task, "parameters": as_object(parameters)}
            comparison = await self._service.compare(who, models, given, in_turn=in_turn is True)
            try:
                return await comparison.answer(_told)
            finally:
                comparison.cancel()  # nobody else knows of it, so it ends with the client

    async def recommend(
        self,
        request: gr.Request,
        description: str = "",
        task: str | None = None,
        max_memory_mb: float | None = None,
        max_latency_ms: float | None = None,
        license: str | None = None,
    ) -> dict[str, Any]:
        """Which model to use for something said in free words, as `count parts on a conveyor, under 100 ms`.

        `task` names it instead, as `object-detection`. The answer has the `task` as it was understood, the
        `recommendations`, best first, each with `reasons` that quote what was measured here, and what was
        `left_out` and why.
        """
        with refusals():
            caller(self._service, request)
            texts(description=description, task=task, license=license)
            try:
                wanted = Constraints(
                    max_memory_mb=max_memory_mb, max_latency_ms=max_latency_ms, license=license
                )
            except ValidationError as error:
                raise InvalidRequest(explain(error)) from None
            return await self._service.recommender.recommend(description or "", task, wanted)


def _named(models: object) -> bool:
    """Gradio does not look at the types that it documents."""
    return isinstance(models, list) and all(isinstance(model, str) for model in models)


def _told(error: InferenceChatError) -> JSON:
    return {"code": error.code, "detail": error.detail}
