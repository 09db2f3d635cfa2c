"""`/inference/…`: one input, one answer, without a conversation."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Body, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import InvalidRequest
from ..events import FinishReason, Receipt, Timing, Usage
from ..jobs import Job
from ..outputs import answer_of
from ..schema import JSON, Media, Message, explain
from ..service import Service
from ..tasks import Group, Kind
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


class Asked(BaseModel):
    """What every inference request may say."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="`name` or `name@version`; unset: the default for the task.")
    task: str | None = Field(
        None, description="A Hugging Face task name; unset: what model and input suggest."
    )
    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    parameters: JSON = Field(
        {}, description="Settings of the run; those of the model's record are the default."
    )
    stream: StrictBool = Field(False, description="Answer with server-sent events.")
    use_cache: StrictBool = True
    timeout_ms: StrictInt | None = Field(None, ge=1, description="Deadline of the whole request.")


class TextRequest(Asked):
    """`prompt` is continued as it stands; `messages` are answered as a conversation."""


NOTHING: dict[Group, str] = {
    "image": "There is nothing to look at: give `image`, or `prompt` for a picture to be drawn.",
    "video": "There is nothing to watch: give `video`, or `prompt` for a clip to be made.",
    "multimodal": "There is nothing to go by: give `messages`, `prompt`, or `image`, `video`, `audio`.",
}
Files = Annotated[
    str | tuple[str, ...], Field(description="A `data:` URL or base64, or a list of them for a batch.")
]


class MediaRequest(Asked):
    """Media and what to do with them. Each parameter of the task may also stand beside `parameters`."""

    model_config = ConfigDict(extra="allow")

    question: str | None = Field(None, description="The same as `prompt`.")
    plan: bool = Field(
        True, description="Where no model is named and none understands all parts, several work step by step."
    )
    image: Files = ()
    video: Files = ()
    audio: Files = ()

    @property
    def told(self) -> JSON:
        """All parameters, wherever they stood."""
        return {**self.parameters, **(self.model_extra or {})}


class Answer(BaseModel):
    """The common answer to an inference request; `output` has the shape of its task."""

    id: str
    model: str
    task: str
    output: Any = Field(description="Text, labels, boxes, pictures, …: see the table of tasks.")
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
    """Generate or read text.

    With `stream`, the answer is server-sent events: `typing` (where the work is), `token` (the next
    piece of text), then `result` with the same answer that comes without `stream`, or `error`.
    A client that goes away stops the compute.
    """
    if (body.prompt is None) == (not body.messages):
        raise InvalidRequest("Give either `prompt` or `messages`.")
    asked = body.model_dump(exclude={"stream", "messages"})
    job = await service.infer(caller, group="text", **asked, messages=body.messages)
    return await answered(request, job, streamed=body.stream)


async def _media_body(request: Request, service: TheService) -> tuple[MediaRequest, tuple[Media, ...]]:
    """The request and its files, from JSON or from a form with the JSON in its field `request`."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        body = _parsed(await request.body())
        return body, await linked(service, body)
    async with request.form(max_part_size=service.settings.max_body_mb << 20) as form:
        told = form.get("request", "{}")
        body = _parsed((await told.read()) if isinstance(told, UploadFile) else told)
        sent = [(name, item) for name, item in form.multi_items() if name not in ("request", "mask")]
        if isinstance(mask := form.get("mask"), UploadFile):
            kept = await service.intake.file(mask.file, "image")
            body = body.model_copy(update={"parameters": {**body.parameters, "mask": kept.url}})
        return body, (*await _sent(service, sent), *await linked(service, body))


MediaBody = Annotated[tuple[MediaRequest, tuple[Media, ...]], Depends(_media_body)]


async def infer_image(request: Request, service: TheService, caller: TheCaller, body: MediaBody) -> Response:
    """Look at pictures, or draw them: classify, detect, segment, describe, answer, embed, generate, edit.

    Pictures come as `image`: a `data:` URL in JSON, or files in a form whose field `request` has the JSON.
    Several pictures are a batch, with one output each. `stream` as for text, with previews of what is drawn.
    """
    return await _infer(request, service, caller, "image", body)


async def infer_video(request: Request, service: TheService, caller: TheCaller, body: MediaBody) -> Response:
    """Watch a clip, or make one: classify, track objects, find scenes, answer questions, generate."""
    return await _infer(request, service, caller, "video", body)


async def infer_multimodal(
    request: Request, service: TheService, caller: TheCaller, body: MediaBody
) -> Response:
    """Anything together: messages with text, pictures, sounds and clips; speech to text and back.

    Without `model`, and where more than one is needed, a plan is made: `output` has `text`, the steps in
    `plan` (`step`, `task`, `model`, `input`, `output`, `ms`), and in `sources` the regions, moments and words
    that `[1]` in the text stands for. A stream tells each step as it begins and ends. `plan: false` turns
    it off.
    """
    return await _infer(request, service, caller, "multimodal", body)


async def _infer(
    request: Request,
    service: TheService,
    caller: TheCaller,
    group: Group,
    given: tuple[MediaRequest, tuple[Media, ...]],
) -> Response:
    body, media = given
    if not (media or body.prompt or body.question or body.messages or body.task or body.model):
        raise InvalidRequest(NOTHING[group])
    job = await service.infer(
        caller,
        group=group,
        task=body.task,
        model=body.model,
        prompt=body.prompt if body.prompt is not None else body.question,
        messages=body.messages,
        media=media,
        parameters=body.told,
        use_cache=body.use_cache,
        timeout_ms=body.timeout_ms,
        plan=body.plan,
    )
    return await answered(request, job, streamed=body.stream)


async def answered(request: Request, job: Job, *, streamed: bool) -> Response:
    """The answer of a job as JSON, or as it comes; a client that goes away stops the job."""

    async def finish() -> JSON:
        return answer_of(job.id, job.request, await job.result())

    async def told() -> AsyncGenerator[JSON, None]:
        async with aclosing(frames_of(job)) as running:
            async for frame in running:
                yield frame
        yield {"type": "result", "result": await finish()}

    if streamed:
        return stream(told(), only_reader(job))
    return JSONResponse(await wait(request, only_reader(job), finish))


def _parsed(text: str | bytes) -> MediaRequest:
    try:
        return MediaRequest.model_validate_json(text or "{}")
    except ValidationError as error:
        raise InvalidRequest(explain(error)) from None


async def linked(service: Service, body: MediaRequest) -> tuple[Media, ...]:
    """The files that a request names, each kept."""
    """The files that a request names by their URLs."""
    kinds: tuple[tuple[Kind, Files], ...] = (
        ("image", body.image),
        ("video", body.video),
        ("audio", body.audio),
    )
    urls = [(url, kind) for kind, given in kinds for url in ((given,) if isinstance(given, str) else given)]
    return tuple([await service.intake.link(url, kind) for url, kind in urls])


async def _sent(service: Service, items: Sequence[tuple[str, UploadFile | str]]) -> tuple[Media, ...]:
    """The files of a form, in its order."""
    media = []
    for name, item in items:
        match name:
            case "image" | "video" | "audio" if isinstance(item, UploadFile):
                media.append(await service.intake.file(item.file, name))
            case "image" | "video" | "audio":
                media.append(await service.intake.link(str(item), name))
            case _:
                raise InvalidRequest(
                    f"{name}: no field of the form; it has `request`, `image`, `video` and `audio`."
                )
    return tuple(media)


MEDIA_EXAMPLE: JSON = {
    "image": (
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
    ),
    "task": "image-classification",
    "parameters": {"top_k": 3},
}


def _media_form() -> JSON:
    schema = MediaRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    file: JSON = {"type": "array", "items": {"type": "string", "format": "binary"}}
    fields: JSON = {"request": {"type": "string"}, "image": file, "video": file, "audio": file}
    fields["mask"] = {"type": "string", "format": "binary"}
    form: JSON = {"type": "object", "properties": fields}
    content: JSON = {
        "application/json": {"schema": schema, "example": MEDIA_EXAMPLE},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


MEDIA_FORM = _media_form()
"""What the OpenAPI document says of a body that is JSON or a form."""
