"""`POST /v1/chat/completions`."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...errors import InvalidRequest
from ...events import Finished, Result, TextDelta
from ...jobs import Job
from ...schema import JSON, Content, Message
from ...tasks import Group
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, stream, wait
from .wire import FINISHED, WIRE, Asked, chat_logprobs, unsupported, usage_of


class ChatTurn(BaseModel):
    """One message; `developer` is another word for `system`."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant"]
    content: Content | None = None

    @property
    def message(self) -> Message:
        role = "system" if self.role == "developer" else self.role
        return Message(role=role, content=self.content or "")


class ChatRequest(Asked):
    """A conversation to be answered."""

    messages: tuple[ChatTurn, ...] = Field(min_length=1)
    max_tokens: int | None = None
    max_completion_tokens: int | None = Field(None, description="The newer name of `max_tokens`.")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: JSON | None = Field(None, description='Only `{"type": "text"}`.')
    tools: list[JSON] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None

    @property
    def options(self) -> JSON:
        """Parameters of the run; raises `InvalidRequest` for what cannot be honoured."""
        if self.top_logprobs and not self.logprobs:
            raise InvalidRequest("top_logprobs: needs `logprobs` to be true.")
        if self.response_format and self.response_format.get("type") != "text":
            raise InvalidRequest("response_format: only text is written here.")
        unsupported(tools=self.tools)
        told = self.parameters
        longest = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        if longest is not None:
            told["max_tokens"] = longest
        if self.logprobs:
            told["logprobs"] = self.top_logprobs or 0
        return told


async def create_chat_completion(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[ChatRequest, Body()]
) -> Response:
    """Answer a conversation, as OpenAI's chat completions do; pictures and sounds as content parts."""
    messages = tuple(turn.message for turn in body.messages)
    group: Group | None = "text" if all(isinstance(one.content, str) for one in messages) else None
    job = await service.infer(
        caller, group=group, model=body.model, messages=messages, parameters=body.options
    )
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return stream(_chunks(job, usage=usage), only_reader(job), WIRE)
    return JSONResponse(await wait(request, only_reader(job), lambda: _whole(job)))


async def _whole(job: Job) -> JSON:
    result: Result = await job.result()
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": chat_logprobs(tokens),
            "finish_reason": FINISHED[reason],
        }
        for index, (text, tokens, reason) in enumerate(
            zip(result.texts, result.tokens, result.finished.finish_reasons, strict=True)
        )
    ]
    head = _head(job, "chat.completion")
    return head | {"choices": choices, "usage": usage_of(result.finished.usage)}


async def _chunks(job: Job, *, usage: bool) -> AsyncGenerator[JSON, None]:
    head = _head(job, "chat.completion.chunk") | ({"usage": None} if usage else {})
    begun: set[int] = set()
    async with aclosing(job.watch()) as events:
        async for _, event in events:
            match event:
                case TextDelta(text=text, choice=index, tokens=tokens):
                    role = {} if index in begun else {"role": "assistant"}
                    begun.add(index)
                    yield head | _choice(index, role | {"content": text}, logprobs=chat_logprobs(tokens))
                case Finished():
                    for index, reason in enumerate(event.finish_reasons):
                        role = {} if index in begun else {"role": "assistant", "content": ""}
                        yield head | _choice(index, role, finish_reason=FINISHED[reason])
                    if usage:
                        yield head | {"choices": [], "usage": usage_of(event.usage)}
                case _:
                    pass


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
