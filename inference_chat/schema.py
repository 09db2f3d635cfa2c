"""The words every part of Inference Chat speaks: messages, options, media and requests.

A `Request` is frozen and hashable, so it is also the key of the result cache. What comes of it is in
`events`. Doors only translate between these and their own wire.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializeAsAny,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from .tasks import TASKS, Kind, Task


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh opaque identifier: 32 hexadecimal digits, not guessable."""
    return uuid4().hex


class Frozen(BaseModel):
    """A value: immutable, hashable, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- messages -----------------------------------------------------------------------------------


class TextPart(Frozen):
    type: Literal["text"] = "text"
    text: str


class Link(Frozen):
    url: str = Field(
        description="A `data:` URL, or an http(s) URL where the operator allows it; inside, `media:ID`."
    )


class Sound(Frozen):
    data: str = Field(description="The audio file, base64.")
    format: str = Field(default="wav", description="Its container: wav, mp3, flac, ogg.")


class ImagePart(Frozen):
    type: Literal["image_url"] = "image_url"
    image_url: Link


class AudioPart(Frozen):
    type: Literal["input_audio"] = "input_audio"
    input_audio: Sound


class VideoPart(Frozen):
    type: Literal["video_url"] = "video_url"
    video_url: Link


Part = Annotated[TextPart | ImagePart | AudioPart | VideoPart, Field(discriminator="type")]
Content = str | tuple[Part, ...]
Role = Literal["system", "user", "assistant"]


class Called(Frozen):
    name: str = Field(min_length=1, max_length=200)
    arguments: str = Field(description="JSON, as the model wrote it.")


class ToolCall(Frozen):
    """A function that a model wants called, in OpenAI's shape."""

    id: str
    type: Literal["function"] = "function"
    function: Called


class Message(Frozen):
    """One turn: who speaks, and a text or a list of parts (OpenAI's content parts).

    An assistant's turn may call tools; turns of the role `tool` say what came of the call `tool_call_id`.
    """

    role: Role | Literal["tool"]
    content: Annotated[Content, BeforeValidator(lambda value: "" if value is None else value)] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = Field(None, description="Of the tool, where its call alone does not tell.")

    @model_validator(mode="after")
    def _said(self) -> "Message":
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only the assistant calls tools")
        if not self.tool_calls and "content" not in self.model_fields_set:
            raise ValueError("content: say something")
        return self

    @property
    def text(self) -> str:
        """The words of the message, without its media."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


# --- JSON that is kept as it was given -----------------------------------------------------------


def _written(value: object) -> object:
    """JSON as one text: hashable, and in the order of its keys, in which answers are written."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return json.dumps(value, ensure_ascii=False)


def _is_object(value: str) -> str:
    try:
        found = json.loads(value)
    except ValueError:
        raise ValueError("is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("must be a JSON object")
    return value


JSONObject = Annotated[
    str,
    BeforeValidator(_written),
    AfterValidator(_is_object),
    PlainSerializer(json.loads, return_type=dict),
    WithJsonSchema({"type": "object"}),
]
"""A JSON object, held as text so that what has it stays hashable; in JSON it is an object again."""


# --- requests -----------------------------------------------------------------------------------


class Options(Frozen):
    """Base of a runner's parameters: at once validation, API schema, sliders and documentation."""

    @property
    def repeatable(self) -> bool:
        """Whether the same request always has the same answer, so that it may be kept."""
        return True


class Media(Frozen):
    """A picture, sound or clip in the media store; `id` is the SHA-256 of its bytes."""

    kind: Kind
    id: str
    media_type: str
    size: int = Field(description="Bytes.")
    path: Path = Field(exclude=True, repr=False)

    @property
    def url(self) -> str:
        """How a message's part names it inside the server."""
        return f"media:{self.id}"

    def read(self) -> bytes:
        return self.path.read_bytes()


class Request(Frozen):
    """One piece of work for one model; `prompt` is continued as it stands, `messages` are a chat.

    Messages that end with the assistant's own ask the model to go on with that very message. Their parts
    name the request's `media` by `media:ID`; for a task without messages, `media` are its inputs in order.
    """

    task: Task = Task.TEXT_GENERATION
    model: str = Field(description="`name@version`, resolved.")
    prompt: str | None = None
    prompt_ids: tuple[int, ...] = Field((), description="A prompt as the model's own tokens, instead.")
    messages: tuple[Message, ...] = ()
    media: tuple[Media, ...] = ()
    options: SerializeAsAny[Options]
    use_cache: bool = True
    timeout_ms: int | None = Field(default=None, ge=1, description="Deadline of the whole request.")

    @model_validator(mode="after")
    def _complete(self) -> "Request":
        needs = TASKS[self.task]
        if self.prompt is not None and self.messages:
            raise ValueError("give either `prompt` or `messages`, not both")
        if self.prompt_ids and (self.prompt is not None or self.messages):
            raise ValueError("give either `prompt` or `messages`, not both")
        if needs.text == "required" and self.prompt is None and not self.messages and not self.prompt_ids:
            raise ValueError("give either `prompt` or `messages`")
        if needs.media and needs.media not in {one.kind for one in self.media}:
            raise ValueError(f"{self.task} needs {needs.media!r}")
        return self

    def find(self, url: str) -> Media | None:
        """The medium that a part of a message names."""
        return next((one for one in self.media if one.url == url), None)


JSON = dict[str, Any]


def explain(error: ValidationError, below: str = "") -> str:
    """Pydantic's findings as one line, each with its place: `messages.3.role: …; …`."""
    places = (".".join(str(step) for step in (below, *item["loc"]) if step != "") for item in error.errors())
    return "; ".join(
        f"{place}: {sentence(item['msg'])}" if place else sentence(item["msg"])
        for place, item in zip(places, error.errors(), strict=True)
    )


def sentence(said: str) -> str:
    """A finding of pydantic's without what is said to programmers alone."""
    return said.removeprefix("Value error, ")
