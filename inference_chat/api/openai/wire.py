"""What all routes below `/v1` have in common: request fields, ids, the event stream, log-probabilities."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from ...errors import InferenceChatError, InvalidRequest, UnsupportedTask
from ...events import Finished, FinishReason, Progress, TokenLogprob
from ...jobs import Job
from ...schema import JSON
from ...tasks import Task
from ..errors import Problem, openai_problem, problem_of
from ..streaming import Wire

FINISHED: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "cancelled": "stop",
    "tool_calls": "tool_calls",
}
WRITES = {
    Task.TEXT_GENERATION,
    Task.SUMMARIZATION,
    Task.TRANSLATION,
    Task.IMAGE_TEXT_TO_TEXT,
    Task.IMAGE_TO_TEXT,
    Task.VISUAL_QUESTION_ANSWERING,
    Task.VIDEO_TEXT_TO_TEXT,
    Task.ANY_TO_ANY,
    Task.AUTOMATIC_SPEECH_RECOGNITION,
}
PARAMETERS = {"temperature", "top_p", "n", "seed", "stop", "top_k", "min_p", "repetition_penalty"} | {
    "presence_penalty",
    "frequency_penalty",
}
"""Fields that are options of the runner under the same names."""
PATIENCE = 10.0
"""Seconds until an answer that has not begun is begun as a stream, so that proxies see something."""


def _named(model: str | None) -> str | None:
    """Hugging Face's client says `dummy` where it was told no model."""
    return None if model in ("", "dummy") else model


ModelName = Annotated[
    str | None,
    AfterValidator(_named),
    Field(description="`name` or `name@version`, as `GET /v1/models` lists them; unset: the default one."),
]


class StreamOptions(BaseModel):
    """What a stream holds besides."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = Field(False, description="The last chunk says how many tokens there were.")


class Asked(BaseModel):
    """Fields that say how a text is written; those that OpenAI does not know go in `extra_body`."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName = None
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: JSON | None = Field(None, description="Only empty: tokens differ from model to model.")
    user: str | None = Field(None, description="Taken and not used, as are the next ones.")
    metadata: JSON | None = None
    store: bool | None = None
    service_tier: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None

    @property
    def parameters(self) -> JSON:
        """What was given, under the names of the runner's options."""
        unsupported(logit_bias=self.logit_bias)
        return self.model_dump(include=PARAMETERS, exclude_none=True)


def _encode(frame: JSON) -> bytes:
    return b"data: " + json.dumps(frame, ensure_ascii=False).encode() + b"\n\n"


def _failure(cause: InferenceChatError | Problem) -> JSON:
    return openai_problem(problem_of(cause) if isinstance(cause, InferenceChatError) else cause)


WIRE = Wire(encode=_encode, failure=_failure, end=b"data: [DONE]\n\n")
"""Server-sent events without names; the last one says that there are no more."""


def writing(*jobs: Job) -> None:
    """Raises `UnsupportedTask`, and ends the jobs, when their model does something other than write."""
    for job in jobs:
        if job.request.task not in WRITES:
            for one in jobs:
                one.cancel()
            raise UnsupportedTask(
                f"{job.request.model} does {job.request.task}, it writes no text; choose another model."
            )


class Started(NamedTuple):
    """Work that has begun for one request, and its whole answer."""

    jobs: Sequence[Job]
    answer: Callable[[], Awaitable[JSON]]


async def begun(request: Request, *jobs: Job) -> None:
    """Wait until there is something to stream, or for long; raises what is wrong with a job that has failed.

    So what fails before the first word is told with its HTTP status. A client that goes away ends its jobs.
    """
    gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request))
    first: asyncio.Future[Any] = asyncio.ensure_future(asyncio.gather(*(_first(job) for job in jobs)))
    try:
        done, _ = await asyncio.wait({gone, first}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if first in done:
            first.result()
        elif gone in done:
            for job in jobs:
                job.cancel()
    finally:
        gone.cancel()
        first.cancel()
        await asyncio.gather(gone, first, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _first(job: Job) -> None:
    async with aclosing(job.watch()) as events:
        async for _, event in events:
            if not isinstance(event, Progress):
                return


def usage_of(*ends: Finished) -> JSON:
    """Tokens read and written, all requests together; of those read, `cached_tokens` had been before."""
    read = sum(end.usage.prompt_tokens for end in ends)
    written = sum(end.usage.completion_tokens for end in ends)
    cached = sum(end.receipt.reused_tokens or 0 for end in ends if end.receipt)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> JSON | None:
    """Log-probabilities in the shape of chat completions; None where there are none."""
    if not tokens:
        return None
    shown = [_token(one) | {"top_logprobs": [_token(other) for other in one.top]} for one in tokens]
    return {"content": shown, "refusal": None}


def _token(one: TokenLogprob) -> JSON:
    return {"token": one.text, "logprob": one.logprob, "bytes": list(one.text.encode())}


def text_logprobs(tokens: Sequence[TokenLogprob], start: int = 0) -> JSON | None:
    """Log-probabilities in the shape of text completions; `start` is where the text begins, in characters."""
    if not tokens:
        return None
    offsets = [start]
    for one in tokens:
        offsets.append(offsets[-1] + len(one.text))
    return {
        "tokens": [one.text for one in tokens],
        "token_logprobs": [one.logprob for one in tokens],
        "top_logprobs": [_by_text(one) for one in tokens],
        "text_offset": offsets[:-1],
    }


def _by_text(token: TokenLogprob) -> JSON | None:
    """The likeliest tokens by their text; of several with the same text the likeliest counts."""
    if token.logprob is None:
        return None
    return {other.text: other.logprob for other in reversed(token.top)}


def unsupported(**given: Any) -> None:
    """Refuse fields that are known and cannot be honoured; raises `InvalidRequest`."""
    for name, value in given.items():
        if value:
            raise InvalidRequest(f"{name}: not supported by this server; leave it out.")
