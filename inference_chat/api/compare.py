"""Choosing a model: `/models/compare`, `/models/vote`, `/models/ratings`, `/models/recommend`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from ..comparing import reports
from ..comparing.comparisons import Comparison, Row
from ..comparing.ratings import Rating
from ..comparing.votes import Verdict, Vote
from ..errors import InferenceChatError, InvalidRequest
from ..recommending.wishes import Constraints
from ..schema import JSON
from ..schema import explain as findings
from ..tasks import Group
from .dependencies import TheCaller, TheService
from .errors import problem_of
from .frames import frames_of, typing
from .inference import MediaRequest, linked
from .streaming import only_reader, stream, wait

EXAMPLE: JSON = {
    "models": ["starter-chat", "starter-vision-chat"],
    "input": {"prompt": "Once upon a time", "parameters": {"max_tokens": 32, "temperature": 0}},
}


class Input(MediaRequest):
    """An inference request without its model; media are `data:` URLs."""

    type: Group | None = Field(None, description="The route it would go to, as `text` or `image`.")


class CompareBody(BaseModel):
    """The same input for two to six models."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    models: tuple[str, ...] = Field(description="Two to six, each `name` or `name@version`.")
    input: Input
    in_turn: StrictBool = Field(
        False, description="One after the other, so that each is timed alone; else together where they fit."
    )
    stream: bool = Field(False, description="Answer with server-sent events, each with its `model`.")


class Compared(BaseModel):
    """What each model answered or why it did not, a table of figures, and how much they agree.

    Durations are in milliseconds, sizes in bytes; `order` says whether they ran `parallel`, `in_turn`, or in
    `groups`, and `notes` why.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    task: str
    order: Literal["parallel", "in_turn", "groups"]
    groups: list[list[str]]
    notes: list[str]
    results: list[JSON] = Field(description="`model` with `result` or `error`, in the order that was asked.")
    table: list[JSON]
    agreement: list[JSON] = Field(description="For each pair of models: `kind`, `agreement`, `say`, …")


class VoteBody(BaseModel):
    """What somebody thinks of the answers of some models to the same input."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"task": "text-generation", "models": ["one", "another"], "verdict": "best", "best": "one"}
            ]
        },
    )

    task: str
    models: tuple[str, ...] = Field(min_length=2, max_length=6)
    verdict: Verdict = Field(description="`best` (with `best`), `tie`, or `bad`: none is any good.")
    best: str | None = None
    blind: StrictBool = False


class Ratings(BaseModel):
    items: list[Rating] = Field(description="The best first.")
    votes: int


class Wish(BaseModel):
    """What somebody wants to do, in free words or as a task, and what a model must keep to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"description": "count parts on a conveyor, under 100 ms"}]},
    )

    description: str = Field("", max_length=10_000, description="Constraints in it are read too.")
    task: str | None = Field(None, description="A Hugging Face task name; unset: what the words suggest.")
    constraints: Constraints = Constraints()


class Advice(BaseModel):
    """Models that can do it here, the best first, each with reasons that quote figures measured here.

    `understood` says how the task was read and what else may be meant; `left_out` and `with_more_memory` name
    the models that do the task but not within the constraints or this machine's memory, and why.
    """

    model_config = ConfigDict(extra="allow")

    task: str
    understood: JSON
    constraints: JSON
    recommendations: list[JSON] = Field(description="`model`, `score` (0 to 1), `reasons`, `try`")
    left_out: list[JSON]
    with_more_memory: list[JSON]
    notes: list[str]


async def recommend_models(service: TheService, _caller: TheCaller, body: Wish) -> Advice:
    """Which model to use for something said in free words, or for a task.

    The words are read by the starter that routes, and by plain keywords; models are ranked by accuracy,
    latency and memory as they were measured on this machine.
    """
    told = await service.recommender.recommend(body.description, body.task, body.constraints)
    return Advice.model_validate(told)


async def compare_models(
    request: Request,
    service: TheService,
    caller: TheCaller,
    body: CompareBody,
    format: Annotated[Literal["json", "csv", "html"], Query(description="A report to take away.")] = "json",
) -> Response:
    """Run the same input through two to six models; a failure stays in its own row.

    With `stream`, the answer is server-sent events: `plan`, then what `/inference` streams with the `model`
    it comes from, `row` when a model has ended, and `result` with the whole answer. A client that goes away
    stops the compute.
    """
    given = body.input
    if given.model is not None:
        raise InvalidRequest("input: leave `model` out of it; name the models in `models`.")
    asked: JSON = {
        "group": given.type,
        "task": given.task,
        "prompt": given.prompt if given.prompt is not None else given.question,
        "messages": given.messages,
        "media": await linked(service, given),
        "parameters": given.told,
        "timeout_ms": given.timeout_ms,
    }
    if "use_cache" in given.model_fields_set:
        asked["use_cache"] = given.use_cache
    comparison = await service.compare(caller, body.models, asked, in_turn=body.in_turn)
    if body.stream or given.stream:
        return stream(frames_of_all(comparison), only_reader(comparison))

    async def finish() -> JSON:
        return await comparison.answer(explain)

    answer = await wait(request, only_reader(comparison), finish)
    match format:
        case "csv":
            return PlainTextResponse(reports.as_csv(answer), media_type="text/csv")
        case "html":
            return HTMLResponse(reports.as_html(answer))
    return JSONResponse(answer)


async def vote(service: TheService, caller: TheCaller, body: VoteBody) -> Ratings:
    """Keep a vote on answers that were compared; the ratings of that task come back."""
    try:
        given = Vote(**body.model_dump())
    except ValidationError as error:
        raise InvalidRequest(findings(error)) from None
    await service.vote(caller, given)
    return await model_ratings(service, caller, body.task)


async def model_ratings(service: TheService, _caller: TheCaller, task: str | None = None) -> Ratings:
    """Models by the votes of people: Bradley–Terry strengths on the scale of chess, with 95 % intervals."""
    items = await service.ratings(task)
    return Ratings(items=items, votes=await asyncio.to_thread(service.votes.count, task))


async def frames_of_all(comparison: Comparison) -> AsyncGenerator[JSON, None]:
    """What happens in every row, as it happens, each frame with the model it is of."""
    frames: asyncio.Queue[JSON | None] = asyncio.Queue()

    async def follow(row: Row) -> None:
        if not row.begun.is_set():
            frames.put_nowait({**typing(True, phase="queued"), "model": row.model})
        await row.begun.wait()
        if row.job is not None:
            with suppress(InferenceChatError):  # told by the row's own frame below
                async with aclosing(frames_of(row.job)) as running:
                    async for frame in running:
                        frames.put_nowait({**frame, "model": row.model})
        told = comparison.told(row, await comparison.result_of(row), explain)
        frames.put_nowait({"type": "row", **told})

    plan: JSON = {"order": comparison.order, "groups": comparison.groups, "notes": comparison.notes}
    yield {"type": "plan", "task": comparison.task.value, **plan}
    following = asyncio.gather(*map(follow, comparison.rows))
    following.add_done_callback(lambda _: frames.put_nowait(None))
    try:
        while (frame := await frames.get()) is not None:
            yield frame
        await following
    finally:
        following.cancel()
    yield {"type": "result", "result": await comparison.answer(explain)}


def explain(error: InferenceChatError) -> dict[str, Any]:
    """An error within a row, in the shape of any other."""
    return problem_of(error).model_dump()
