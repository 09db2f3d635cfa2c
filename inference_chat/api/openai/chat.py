"""`POST /v1/chat/completions`."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...access import Caller
from ...errors import InvalidRequest
from ...events import AudioReady, Finished, ImageReady, Result, TextDelta, ToolCallDelta
from ...jobs import Job
from ...media.encoding import SoundFormat
from ...registry.senses import AUTO
from ...schema import JSON, Content, Message, ToolCall
from ...service import Service
from ...tasks import Group
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, stream, wait
from .spoken import AudioAsked, sounding
from .wire import FINISHED, WIRE, Asked, Started, begun, chat_logprobs, unsupported, usage_of, writing

EXAMPLE: JSON = {
    "model": "starter-chat",
    "messages": [{"role": "user", "content": "Hello! What can you do?"}],
    "max_tokens": 64,
}


class ChatTurn(BaseModel):
    """One message; `developer` is another word for `system`."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    audio: JSON | None = Field(None, description="Taken and not used: `content` has its words.")

    @property
    def message(self) -> Message:
        if self.content is None and self.audio and not self.tool_calls:
            raise InvalidRequest("messages: sounds are not kept; send what was said as `content`.")
        role = "system" if self.role == "developer" else self.role
        calls = self.tool_calls or () if role == "assistant" else ()
        name = self.name if role == "tool" else None
        return Message(
            role=role,
            content=self.content or "",
            tool_calls=calls,
            tool_call_id=self.tool_call_id,
            name=name,
        )


class ChatRequest(Asked):
    """A conversation to be answered."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    messages: tuple[ChatTurn, ...] = Field(min_length=1)
    max_tokens: int | None = None
    max_completion_tokens: int | None = Field(None, description="The newer name of `max_tokens`.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: JSON | None = Field(
        None, description="`text`, `json_object`, or `json_schema` with a schema that is kept to."
    )
    tools: list[JSON] | None = Field(
        None, description="Functions to call, for models whose template knows them."
    )
    tool_choice: Any = Field(None, description="`none`, `auto`, `required`, or the function to call.")
    parallel_tool_calls: bool | None = None
    modalities: tuple[Literal["text", "audio"], ...] | None = Field(
        None, description="With `audio`, the answer is said aloud too."
    )
    audio: AudioAsked | None = Field(None, description="How it sounds, where `modalities` has `audio`.")
    functions: list[JSON] | None = Field(None, description="Only unset: the older name of `tools`.")
    function_call: Any = Field(None, description="Only unset: the older name of `tool_choice`.")
    web_search_options: JSON | None = Field(None, description="Only unset.")
    reasoning_effort: str | None = Field(None, description="Taken and not used, as are the next ones.")
    verbosity: str | None = None
    prediction: JSON | None = None

    @property
    def options(self) -> JSON:
        """Parameters of the run; raises `InvalidRequest` for what cannot be honoured."""
        if self.functions or self.function_call:
            raise InvalidRequest("functions: use `tools` and `tool_choice`, which took their place.")
        unsupported(web_search_options=self.web_search_options is not None)
        if self.audio and not self.aloud:
            raise InvalidRequest('audio: goes with `modalities` of ["text", "audio"].')
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs: needs `logprobs` to be true.")
        names = {"response_format", "tools", "tool_choice", "parallel_tool_calls"}
        told = self.parameters | self.model_dump(include=names, exclude_none=True)
        longest = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        if longest is not None:
            told["max_tokens"] = longest
        if self.logprobs:
            told["logprobs"] = self.top_logprobs or 0
        return told | ({"speak": True} | (self.audio or AudioAsked()).voiced if self.aloud else {})

    @property
    def aloud(self) -> bool:
        """Whether the answer is wanted as a sound too."""
        return "audio" in (self.modalities or ())

    @property
    def sound(self) -> SoundFormat:
        """The form of that sound."""
        told = self.audio or AudioAsked()
        return "pcm" if told.format == "pcm16" else told.format


async def create_chat_completion(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[ChatRequest, Body()]
) -> Response:
    """Answer a conversation, as OpenAI's chat completions do; pictures and sounds as content parts."""
    job = await _start(service, caller, body)
    if body.stream:
        await begun(request, job)
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return stream(_chunks(job, body.sound, usage=usage), only_reader(job), WIRE)
    return JSONResponse(await wait(request, only_reader(job), lambda: _whole(job, body.sound)))


async def start_chat_completion(service: Service, caller: Caller, body: ChatRequest) -> Started:
    """The same for a row of a batch."""
    job = await _start(service, caller, body)
    return Started((job,), lambda: _whole(job, body.sound))


async def _start(service: Service, caller: Caller, body: ChatRequest) -> Job:
    messages = tuple(turn.message for turn in body.messages)
    return await start_chat(service, caller, body.model, messages, body.options)


async def start_chat(
    service: Service, caller: Caller, model: str | None, messages: Sequence[Message], parameters: JSON
) -> Job:
    """Begin the answer to a conversation; raises what is wrong with it."""
    group: Group | None = "text" if all(isinstance(one.content, str) for one in messages) else None
    if parameters.get("speak") and not model:
        model = AUTO.id  # few models have a voice: one with it answers, or another reads the answer aloud
    job = await service.infer(caller, group=group, model=model, messages=messages, parameters=parameters)
    writing(job)
    return job


async def _whole(job: Job, form: SoundFormat) -> JSON:
    result: Result = await job.result()
    sounds = [one for one in result.outcomes if isinstance(one, AudioReady)]
    files: JSON = {"audio": await sounding(job, sounds[0], result.text, form)} if sounds else {}
    if shown := [_shown(one) for one in result.outcomes if isinstance(one, ImageReady)]:
        files["images"] = shown
    choices = [
        {
            "index": index,
            "message": _said(text, result.tool_calls[index] if result.tool_calls else ()) | files,
            "logprobs": chat_logprobs(tokens),
            "finish_reason": FINISHED[reason],
        }
        for index, (text, tokens, reason) in enumerate(
            zip(result.texts, result.tokens, result.finished.finish_reasons, strict=True)
        )
    ]
    head = _head(job, "chat.completion")
    return head | {"choices": choices, "usage": usage_of(result.finished)}


def _said(text: str, calls: tuple[ToolCall, ...]) -> JSON:
    said: JSON = {"role": "assistant", "content": text or None if calls else text, "refusal": None}
    return said | ({"tool_calls": [call.model_dump() for call in calls]} if calls else {})


def _shown(event: ImageReady) -> JSON:
    """A picture that belongs to an answer; OpenAI's schema has no place for it, this is OpenRouter's
    (https://openrouter.ai/docs/features/multimodal/image-generation)."""
    return {"type": "image_url", "image_url": {"url": event.image.url()}}


async def _chunks(job: Job, form: SoundFormat, *, usage: bool) -> AsyncGenerator[JSON, None]:
    head = _head(job, "chat.completion.chunk") | ({"usage": None} if usage else {})
    spoken: set[int] = set()
    async with aclosing(job.watch()) as events:
        async for _, event in events:
            match event:
                case TextDelta(text=text, choice=index, tokens=tokens):
                    role: JSON = {} if index in spoken else {"role": "assistant"}
                    spoken.add(index)
                    yield head | _choice(index, role | {"content": text}, logprobs=chat_logprobs(tokens))
                case ToolCallDelta(choice=index):
                    role = {} if index in spoken else {"role": "assistant", "content": None}
                    spoken.add(index)
                    yield head | _choice(index, role | {"tool_calls": [_called(event)]})
                case AudioReady():
                    yield head | _choice(0, {"audio": await sounding(job, event, job.text(), form)})
                case ImageReady():
                    yield head | _choice(0, {"images": [_shown(event)]})
                case Finished():
                    for index, reason in enumerate(event.finish_reasons):
                        role = {} if index in spoken else {"role": "assistant", "content": ""}
                        yield head | _choice(index, role, finish_reason=FINISHED[reason])
                    if usage:
                        yield head | {"choices": [], "usage": usage_of(event)}
                case _:
                    pass


def _called(piece: ToolCallDelta) -> JSON:
    function = {"name": piece.name} if piece.name else {}
    named = {"id": piece.id, "type": "function"} if piece.id else {}
    return {"index": piece.index} | named | {"function": function | {"arguments": piece.arguments}}


def _choice(index: int, delta: JSON, finish_reason: str | None = None, logprobs: JSON | None = None) -> JSON:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return {"choices": [choice]}


def _head(job: Job, kind: str) -> JSON:
    return {
        "id": f"chatcmpl-{job.id}",
        "object": kind,
        "created": int(time.time()),
        "model": job.request.model,
        "system_fingerprint": None,
    }
