"""`POST /v1/completions`: texts that are gone on with as they stand."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Any

from fastapi import Body
from pydantic import ConfigDict, Field, StrictInt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...access import Caller
from ...events import Finished, Result, TextDelta
from ...jobs import Job
from ...schema import JSON, new_id
from ...service import Service
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, stream, wait
from .wire import FINISHED, WIRE, Asked, Started, begun, text_logprobs, unsupported, usage_of, writing

Tokens = tuple[StrictInt, ...]
EXAMPLE: JSON = {"model": "starter-chat", "prompt": "Once upon a time", "max_tokens": 32, "seed": 7}


class CompletionRequest(Asked):
    """One text or several; the choices of each follow those of the one before."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    prompt: str | tuple[str, ...] | Tokens | tuple[Tokens, ...] = Field(
        description="A text, or a list of the model's own tokens; or several of one kind."
    )
    max_tokens: int | None = None
    logprobs: int | None = Field(None, ge=0, le=20, description="Alternatives to report of each token.")
    echo: bool | None = Field(
        None, description="The text begins with the prompt; with `logprobs` its tokens have theirs too."
    )
    suffix: str | None = Field(None, description="Only unset.")
    best_of: int | None = Field(None, description="Only unset, or as `n`.")

    @property
    def options(self) -> JSON:
        """Parameters of the run; raises `InvalidRequest` for what cannot be honoured."""
        unsupported(suffix=self.suffix, best_of=self.best_of if self.best_of != (self.n or 1) else None)
        told = self.parameters
        return told | self.model_dump(include={"max_tokens", "logprobs", "echo"}, exclude_none=True)

    @property
    def prompts(self) -> list[JSON]:
        """Each prompt as a request names it."""
        given: Any = self.prompt
        several = not isinstance(given, str) and not (given and isinstance(given[0], int))
        each = given if several else (given,)
        return [{"prompt": one} if isinstance(one, str) else {"prompt_ids": one} for one in each]


async def create_completion(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[CompletionRequest, Body()]
) -> Response:
    """Go on with texts, as OpenAI's completions do."""
    jobs, head = await _start(service, caller, body)
    if body.stream:
        await begun(request, *jobs)
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return stream(_chunks(jobs, head, usage=usage), only_reader(*jobs), WIRE)
    return JSONResponse(await wait(request, only_reader(*jobs), lambda: _whole(jobs, head)))


async def start_completion(service: Service, caller: Caller, body: CompletionRequest) -> Started:
    """The same for a row of a batch."""
    jobs, head = await _start(service, caller, body)
    return Started(jobs, lambda: _whole(jobs, head))


async def _start(service: Service, caller: Caller, body: CompletionRequest) -> tuple[Sequence[Job], JSON]:
    asked: JSON = {"group": "text", "model": body.model, "parameters": body.options}
    jobs = await service.infer_all(caller, [asked | prompt for prompt in body.prompts])
    writing(*jobs)
    head = {
        "id": f"cmpl-{new_id()}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": jobs[0].request.model,
    }
    return jobs, head


async def _whole(jobs: Sequence[Job], head: JSON) -> JSON:
    results: list[Result] = await asyncio.gather(*(job.result() for job in jobs))
    choices = [
        {"text": text, "logprobs": text_logprobs(tokens), "finish_reason": FINISHED[reason]}
        for result in results
        for text, tokens, reason in zip(
            result.texts, result.tokens, result.finished.finish_reasons, strict=True
        )
    ]
    numbered = [{"index": index} | choice for index, choice in enumerate(choices)]
    return head | {"choices": numbered, "usage": usage_of(*(one.finished for one in results))}


async def _chunks(jobs: Sequence[Job], head: JSON, *, usage: bool) -> AsyncGenerator[JSON, None]:
    """The answers one after the other: all are written at the same time, and a reader may be slower."""
    ends: list[Finished] = []
    first = 0
    async with AsyncExitStack() as stack:
        for job in jobs:
            starts: dict[int, int] = {}
            events = await stack.enter_async_context(aclosing(job.watch()))
            async for _, event in events:
                if isinstance(event, TextDelta):
                    at = starts.get(event.choice, 0)
                    starts[event.choice] = at + len(event.text)
                    logprobs = text_logprobs(event.tokens, at)
                    yield head | _choice(first + event.choice, event.text, logprobs=logprobs)
                elif isinstance(event, Finished):
                    ends.append(event)
                    for index, reason in enumerate(event.finish_reasons):
                        yield head | _choice(first + index, "", finish_reason=FINISHED[reason])
            first += len(ends[-1].finish_reasons)
    if usage:
        yield head | {"choices": [], "usage": usage_of(*ends)}


def _choice(index: int, text: str, finish_reason: str | None = None, logprobs: JSON | None = None) -> JSON:
    choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish_reason}
    return {"choices": [choice]}
