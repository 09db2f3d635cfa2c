"""`/v1/responses`: one answer at a time, which the server keeps so that it can be gone on with."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import count
from typing import Annotated, Any, NamedTuple

from fastapi import Body
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...access import Caller
from ...errors import InferenceChatError, NotFound
from ...events import Result, TextDelta, TokenLogprob, ToolCallDelta
from ...jobs import Job
from ...schema import JSON, Message, ToolCall
from ...service import Service
from ..dependencies import TheCaller, TheService
from ..errors import Problem, openai_problem, problem_of
from ..streaming import Wire, encode, only_reader, stream, wait
from .chat import start_chat
from .items import ResponseRequest, answered
from .wire import Started, begun, chat_logprobs, usage_of

PURPOSE = "response"
"""Under which the ledger keeps answers."""
EXTRA = "metadata", "user", "safety_identifier", "prompt_cache_key"
"""Fields that come back as they were given."""


class Asked(NamedTuple):
    """A request that runs, and whose conversation it is."""

    service: Service
    caller: Caller
    body: ResponseRequest
    job: Job
    created: int

    @property
    def id(self) -> str:
        return f"resp_{self.job.id}"


async def create_response(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[ResponseRequest, Body()]
) -> Response:
    """Answer a conversation, as OpenAI's responses do; `previous_response_id` goes on with an earlier one."""
    asked = await _start(service, caller, body)
    if body.stream:
        await begun(request, asked.job)
        return stream(_events(asked), only_reader(asked.job), WIRE)
    return JSONResponse(await wait(request, only_reader(asked.job), lambda: _whole(asked)))


async def start_response(service: Service, caller: Caller, body: ResponseRequest) -> Started:
    """The same for a row of a batch."""
    asked = await _start(service, caller, body)
    return Started((asked.job,), lambda: _whole(asked))


async def retrieve_response(service: TheService, caller: TheCaller, id: str) -> JSON:
    """An answer that was kept."""
    return dict((await _kept(service, caller, id))["response"])


async def delete_response(service: TheService, caller: TheCaller, id: str) -> JSON:
    """Forget an answer."""
    await _kept(service, caller, id)
    await asyncio.to_thread(service.batches.ledger.delete_file, id, caller.owner)
    return {"id": id, "object": "response", "deleted": True}


async def _start(service: Service, caller: Caller, body: ResponseRequest) -> Asked:
    options, said = body.options, body.said
    if body.previous_response_id:
        before = (await _kept(service, caller, body.previous_response_id))["messages"]
        said = (*(Message.model_validate(one) for one in before), *said)
    if body.instructions:
        said = (Message(role="system", content=body.instructions), *said)
    job = await start_chat(service, caller, body.model, said, options)
    return Asked(service, caller, body, job, int(time.time()))


# --- what is kept -------------------------------------------------------------------------------


async def _keep(asked: Asked, response: JSON, result: Result) -> None:
    if asked.body.store is False:
        return
    messages = asked.job.request.messages[1 if asked.body.instructions else 0 :]
    answer = answered(result.text, result.tool_calls[0] if result.tool_calls else ())
    told = [message.model_dump(mode="json", exclude_defaults=True) for message in (*messages, answer)]
    content = json.dumps({"response": response, "messages": told}).encode()
    add = asked.service.batches.ledger.add_file
    await asyncio.to_thread(add, asked.caller.owner, asked.id, PURPOSE, content, asked.id)


async def _kept(service: Service, caller: Caller, id: str) -> JSON:
    try:
        if not id.startswith("resp_"):
            raise NotFound("")
        content = await asyncio.to_thread(service.batches.ledger.content, id, caller.owner)
    except NotFound:
        raise NotFound(
            "There is no such response: it was not to be stored, was deleted, or is older than 30 days."
        ) from None
    return dict(json.loads(content))


# --- what is answered ---------------------------------------------------------------------------


async def _whole(asked: Asked) -> JSON:
    result = await asked.job.result()
    response = _response(asked, result)
    await _keep(asked, response, result)
    return response


def _response(asked: Asked, result: Result | None = None) -> JSON:
    """The answer as it stands: begun, or whole with its `result`."""
    body, options = asked.body, asked.job.request.options
    cut = result is not None and result.finished.finish_reason in ("length", "cancelled")
    state = "in_progress" if result is None else "incomplete" if cut else "completed"
    return {
        "id": asked.id,
        "object": "response",
        "created_at": asked.created,
        "status": state,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "model": asked.job.request.model,
        "output": _output(asked.job, result, state) if result else [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "previous_response_id": body.previous_response_id,
        "reasoning": {"effort": None, "summary": None},
        "store": body.store is not False,
        "temperature": getattr(options, "temperature", None),
        "text": {"format": body.text.format or {"type": "text"}},
        "tool_choice": body.tool_choice or "auto",
        "tools": [{"strict": None} | tool for tool in body.tools or ()],
        "top_p": getattr(options, "top_p", None),
        "truncation": "disabled",
        "usage": _usage(result) if result else None,
    } | {name: getattr(body, name) for name in EXTRA}


def _usage(result: Result) -> JSON:
    told = usage_of(result.finished)
    return {
        "input_tokens": told["prompt_tokens"],
        "input_tokens_details": told["prompt_tokens_details"] | {"cache_write_tokens": 0},
        "output_tokens": told["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": told["total_tokens"],
    }


def _output(job: Job, result: Result, state: str) -> list[JSON]:
    calls = result.tool_calls[0] if result.tool_calls else ()
    tokens = result.tokens[0] if result.tokens else ()
    said = [_message(job, result.text, tokens, state)] if result.text or not calls else []
    return [*said, *(_call(call) for call in calls)]


def _message(
    job: Job, text: str | None, tokens: Sequence[TokenLogprob] = (), state: str = "in_progress"
) -> JSON:
    content = [] if text is None else [_part(text, tokens)]
    return {
        "id": f"msg_{job.id}",
        "type": "message",
        "role": "assistant",
        "status": state,
        "content": content,
    }


def _part(text: str, tokens: Sequence[TokenLogprob] = ()) -> JSON:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": _logprobs(tokens)}


def _logprobs(tokens: Sequence[TokenLogprob]) -> list[JSON]:
    found = chat_logprobs(tokens)
    return list(found["content"]) if found else []


def _call(call: ToolCall, state: str = "completed") -> JSON:
    function = call.function
    return {"id": f"fc_{call.id}", "type": "function_call", "status": state, "call_id": call.id} | {
        "name": function.name,
        "arguments": function.arguments,
    }


# --- as it comes --------------------------------------------------------------------------------


async def _events(asked: Asked) -> AsyncGenerator[JSON, None]:
    """OpenAI's events, numbered."""
    number = count()
    async with aclosing(_untold(asked)) as told:
        async for event in told:
            yield {"type": f"response.{event.pop('type')}", "sequence_number": next(number)} | event


async def _untold(asked: Asked) -> AsyncGenerator[JSON, None]:
    begun = _response(asked)
    yield {"type": "created", "response": begun}
    yield {"type": "in_progress", "response": begun}
    items: list[JSON] = []  # those that were begun, in their order
    async with aclosing(asked.job.watch()) as events:
        async for _, event in events:
            match event:
                case TextDelta(text=text, tokens=tokens) if text:
                    for one in () if items else _opened(asked.job, items):
                        yield one
                    logprobs = _logprobs(tokens)
                    yield _of(items, 0) | {"type": "output_text.delta", "delta": text, "logprobs": logprobs}
                case ToolCallDelta():
                    if event.id:
                        yield _called(event, items)
                    if event.arguments:
                        at = len(items) - 1
                        place = {"item_id": items[at]["id"], "output_index": at}
                        yield place | {"type": "function_call_arguments.delta", "delta": event.arguments}
                case _:
                    pass
    result = await asked.job.result()
    response = _response(asked, result)
    for one in () if items else _opened(asked.job, items):
        yield one
    for index, item in enumerate(response["output"]):
        for one in _closed(item, index):
            yield one
    await _keep(asked, response, result)
    yield {"type": response["status"], "response": response}


def _opened(job: Job, items: list[JSON]) -> list[JSON]:
    """The message begins."""
    items.append(_message(job, None))
    added = {"type": "output_item.added", "output_index": 0, "item": items[0]}
    return [added, _of(items, 0) | {"type": "content_part.added", "part": _part("")}]


def _of(items: Sequence[JSON], index: int) -> JSON:
    return {"item_id": items[index]["id"], "output_index": index, "content_index": 0}


def _called(piece: ToolCallDelta, items: list[JSON]) -> JSON:
    """A call begins."""
    function: Any = {"name": piece.name or "", "arguments": ""}
    items.append(_call(ToolCall(id=piece.id or "", function=function), "in_progress"))
    return {"type": "output_item.added", "output_index": len(items) - 1, "item": items[-1]}


def _closed(item: JSON, index: int) -> list[JSON]:
    """An item is whole."""
    place: JSON = {"item_id": item["id"], "output_index": index}
    done = {"type": "output_item.done", "output_index": index, "item": item}
    if item["type"] == "function_call":
        told = {"arguments": item["arguments"], "name": item["name"]}
        return [place | told | {"type": "function_call_arguments.done"}, done]
    [part] = item["content"]
    place["content_index"] = 0
    text = {"type": "output_text.done", "text": part["text"], "logprobs": part["logprobs"]}
    return [place | text, place | {"type": "content_part.done", "part": part}, done]


def _failure(cause: InferenceChatError | Problem) -> JSON:
    """The last event where something failed; the clients raise what is in `error`."""
    told = openai_problem(problem_of(cause) if isinstance(cause, InferenceChatError) else cause)
    said = {"code": told["error"]["code"], "message": told["error"]["message"], "param": None}
    return {"type": "error", "sequence_number": 0} | said | told


WIRE = Wire(encode, _failure)
"""Server-sent events that are named by their type."""
