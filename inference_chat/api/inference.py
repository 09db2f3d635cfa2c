"""`/inference/text`: one question, one answer, without a conversation."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Body
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from ..errors import InvalidRequest
from ..events import FinishReason, Receipt, Result, Timing, TokenLogprob, Usage
from ..jobs import Job
from ..schema import JSON, Message
from .dependencies import TheCaller, TheService
from .frames import frames_of
from .streaming import only_reader, stream, wait

EXAMPLES = {
    "messages": {
        "summary": "A conversation",
        "value": {
            "messages": [{"role": "user", "content": "Hello! What can you do?"}],
            "parameters": {"max_tokens": 64, "temperature": 0},
        },
    },
    "prompt": {
        "summary": "A text to continue",
        "value": {"prompt": "Once upon a time", "parameters": {"max_tokens": 32, "seed": 7}, "stream": True},
    },
}


class TextRequest(BaseModel):
    """`prompt` is continued as it stands; `messages` are answered as a conversation."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="`name` or `name@version`; unset: the default for the task.")
    task: str | None = Field(None, description="A Hugging Face task name; unset: text-generation.")
    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: JSON = Field(
        {}, description="Settings of the run; those of the model's record are the default."
    )
    stream: bool = Field(False, description="Answer with server-sent events.")
    use_cache: bool = True
    timeout_ms: int | None = Field(None, ge=1, description="Deadline of the whole request.")


class TextOutput(BaseModel):
    text: str
    texts: list[str] | None = Field(None, description="All answers, where more than one was asked for.")
    tokens: list[TokenLogprob] | None = Field(None, description="With `logprobs`: the tokens of `text`.")


class TextAnswer(BaseModel):
    """The common answer to an inference request."""

    id: str
    model: str
    task: str
    output: TextOutput
    usage: Usage
    finish_reason: FinishReason
    timing: Timing
    cached: bool
    notes: tuple[str, ...] = ()
    receipt: Receipt | None = Field(None, description="What it takes to get the same answer again.")


async def infer_text(
    request: Request,
    service: TheService,
    caller: TheCaller,
    body: Annotated[TextRequest, Body(openapi_examples=EXAMPLES)],
) -> Response:
    """Generate text.

    With `stream`, the answer is server-sent events: `typing` (where the work is), `token` (the next
    piece of text), then `result` with the same answer that comes without `stream`, or `error`.
    A client that goes away stops the compute.
    """
    if (body.prompt is None) == (not body.messages):
        raise InvalidRequest("Give either `prompt` or `messages`.")
    job = await service.infer(
        caller, **body.model_dump(exclude={"stream", "messages"}), messages=body.messages
    )

    async def finish() -> TextAnswer:
        return answer_of(job, await job.result())

    async def told() -> AsyncGenerator[JSON, None]:
        async with aclosing(frames_of(job)) as running:
            async for frame in running:
                yield frame
        answer = await finish()
        yield {"type": "result", "result": answer.model_dump(mode="json", exclude_none=True)}

    if body.stream:
        return stream(told(), only_reader(job))
    answer = await wait(request, only_reader(job), finish)
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def answer_of(job: Job, result: Result) -> TextAnswer:
    """The common answer."""
    end = result.finished
    return TextAnswer(
        id=job.id,
        model=job.request.model,
        task=job.request.task,
        output=TextOutput(
            text=result.text,
            texts=list(result.texts) if len(result.texts) > 1 else None,
            tokens=list(result.tokens[0]) or None,
        ),
        usage=end.usage,
        finish_reason=end.finish_reason,
        timing=end.timing,
        cached=end.cached,
        notes=end.notes,
        receipt=end.receipt,
    )
