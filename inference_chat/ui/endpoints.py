"""The endpoints that Gradio's clients see; `Client(url).view_api()` shows these texts."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr
from gradio.events import api

from ..errors import InferenceChatError, InvalidRequest
from ..events import TextDelta
from ..jobs import Job
from ..schema import JSON
from ..service import Service
from .parts import caller

UPDATE_EVERY = 0.08  # seconds between two texts of a stream, so that long answers do not flood a client
PUBLIC = ("chat", "generate", "list_models", "register_model", "load_model", "unload_model", "cache_stats")
F = TypeVar("F", bound=Callable[..., Any])


def add(service: Service) -> None:
    """Add the public endpoints to the Blocks being built."""
    endpoints = Endpoints(service)
    for name in PUBLIC:
        offer(getattr(endpoints, name), name)


def offer(endpoint: Callable[..., Any], name: str) -> None:
    """Make a method an endpoint of the Blocks being built; its signature and docstring describe it."""
    api(endpoint, api_name=name, concurrency_limit=None)


def returns(hint: Any) -> Callable[[F], F]:
    """What a stream's values look like; Gradio reads it where the annotation says it is a stream."""

    def mark(function: F) -> F:
        signature = inspect.signature(function).replace(return_annotation=hint)
        setattr(function, "__signature__", signature)  # noqa: B010  functions declare no such attribute
        return function

    return mark


class Endpoints:
    """Each identifies its caller and works through the service; a refusal is a `gr.Error` of one sentence."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @returns(tuple[str, str])
    async def chat(
        self,
        request: gr.Request,
        message: str,
        session_id: str | None = None,
        model: str | None = None,
        system_prompt: str = "",
        parameters: dict[str, Any] | None = None,
    ) -> AsyncIterator[tuple[str, str]]:
        """Say `message` in a conversation and stream the reply as it grows.

        Leave `session_id` out to begin a conversation (with `system_prompt`), and pass the id that
        comes back to go on with it. `model` is `name` or `name@version`, the default model unless
        given. `parameters` are those of the model, as `{"temperature": 0.2, "max_tokens": 200}`.
        Every value is the text so far and the session id; the last one has the whole reply.
        """
        with refusals():
            who = caller(self._service, request)
            texts(message=message, session_id=session_id, model=model, system_prompt=system_prompt)
            if not message.strip():
                raise InvalidRequest("The message is empty: write something first.")
            chats, settings = self._service.chats, as_object(parameters)
            if session_id is None:
                session_id = (await chats.start(who, model=model, system_prompt=system_prompt)).id
            turn = await chats.send(who, session_id, message, model=model, settings=settings)
            try:
                async for text in texts_of(turn.job):
                    yield text, session_id
            except InferenceChatError:
                await turn.finished()
                raise
            await turn.finished()  # whoever reads the history or goes on at once finds this reply in it

    @returns(str)
    async def generate(
        self,
        request: gr.Request,
        prompt: str,
        model: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> AsyncIterator[str]:
        """Continue `prompt` as plain text, without a conversation, and stream it as it grows.

        `parameters` are those of the model: `max_tokens`, `temperature`, `top_p`, `stop`, `seed`, …
        """
        with refusals():
            who = caller(self._service, request)
            texts(prompt=prompt, model=model)
            job = await self._service.infer(
                who, group="text", model=model, prompt=prompt, parameters=as_object(parameters)
            )
            try:
                async for text in texts_of(job):
                    yield text
            finally:
                job.cancel()  # nobody else knows of it, so it ends with the client

    async def list_models(
        self,
        request: gr.Request,
        task: str | None = None,
        tag: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> dict[str, Any]:
        """The registered models: `{"items": [record, …], "total": n}`; `task` as `text-generation`."""
        with refusals():
            caller(self._service, request)
            texts(task=task, tag=tag)
            counts(limit=limit, offset=offset)
            items, total = await self._service.models.list(task=task, tag=tag, limit=limit, offset=offset)
            return {"items": items, "total": total}

    async def register_model(self, request: gr.Request, model: dict[str, Any]) -> dict[str, Any]:
        """Register a model: `{"name": …}` with `file_path`, `hub_id` or `endpoint`; nothing is loaded."""
        with refusals():
            caller(self._service, request)
            return await self._service.models.register(as_object(model))

    async def load_model(self, request: gr.Request, model: str) -> dict[str, Any]:
        """Load `model` into memory; its record comes back when it is there."""
        with refusals():
            caller(self._service, request)
            texts(model=model)
            return await self._service.models.load(model)

    async def unload_model(self, request: gr.Request, model: str) -> dict[str, Any]:
        """Unload `model` from memory; refused while it is in use."""
        with refusals():
            caller(self._service, request)
            texts(model=model)
            return await self._service.models.unload(model)

    async def cache_stats(self, request: gr.Request) -> dict[str, Any]:
        """How the cache of finished answers is doing: hits, misses, size, age limit."""
        with refusals():
            caller(self._service, request)
            return self._service.cache_stats()


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except InferenceChatError as error:
        raise gr.Error(error.detail, print_exception=False) from None


async def texts_of(job: Job) -> AsyncIterator[str]:
    """The text so far, some times a second, the whole at last; raises the job's error."""
    loop = asyncio.get_running_loop()
    shown, text, given = loop.time() - UPDATE_EVERY, "", None
    async for _, event in job.watch():
        if not isinstance(event, TextDelta) or event.choice != 0:
            continue
        text += event.text
        if loop.time() - shown >= UPDATE_EVERY:
            yield text
            given, shown = text, loop.time()
    if text != given:
        yield text


def texts(**values: object) -> None:
    """Gradio does not look at the types that it documents."""
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise InvalidRequest(f"{name}: must be text, not {type(value).__name__}.")


def counts(**values: object) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InvalidRequest(f"{name}: must be a whole number of at least 0.")


def as_object(value: object) -> JSON:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest('Parameters and records are given as an object, as {"max_tokens": 100}.')
    return value
