"""The words every part of Inference Chat speaks: tasks, messages, requests and events.

A `Request` is frozen and hashable, so it is also the key of the result cache. A running request
produces `Event`s: any number of `Progress` and `TextDelta`, then exactly one `Finished`, or one
`InferenceChatError` instead of it. Doors only translate between these and their own wire.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, model_validator


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh opaque identifier: 32 hexadecimal digits, not guessable."""
    return uuid4().hex


class Frozen(BaseModel):
    """A value: immutable, hashable, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(StrEnum):
    """What a model can be asked to do, by its Hugging Face task name."""

    TEXT_GENERATION = "text-generation"


# --- messages -----------------------------------------------------------------------------------


class TextPart(Frozen):
    type: Literal["text"] = "text"
    text: str


class Link(Frozen):
    url: str = Field(description="A `data:` URL, or an http(s) URL where the operator allows it.")


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


class Message(Frozen):
    """One turn: who speaks, and a text or a list of parts (OpenAI's content parts)."""

    role: Role
    content: Content

    @property
    def text(self) -> str:
        """The words of the message, without its media."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


# --- requests -----------------------------------------------------------------------------------


class Options(Frozen):
    """Base of a runner's parameters: at once validation, API schema, sliders and documentation."""

    @property
    def repeatable(self) -> bool:
        """Whether the same request always has the same answer, so that it may be kept."""
        return True


class Request(Frozen):
    """One piece of work for one model; `prompt` is continued as it stands, `messages` are a chat.

    Messages that end with the assistant's own ask the model to go on with that very message.
    """

    task: Task = Task.TEXT_GENERATION
    model: str = Field(description="`name@version`, resolved.")
    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    options: SerializeAsAny[Options]
    use_cache: bool = True
    timeout_ms: int | None = Field(default=None, ge=1, description="Deadline of the whole request.")

    @model_validator(mode="after")
    def _one_input(self) -> "Request":
        if (self.prompt is None) == (not self.messages):
            raise ValueError("give either `prompt` or `messages`")
        return self


# --- events -------------------------------------------------------------------------------------

FinishReason = Literal["stop", "length", "cancelled"]
Phase = Literal["queued", "loading", "reading", "answering"]


class TokenLogprob(Frozen):
    """One generated token with its natural log-probability, and the likeliest alternatives."""

    text: str
    logprob: float
    top: tuple["TokenLogprob", ...] = ()


class Progress(Frozen):
    """Where the request is; `fraction` runs from 0 to 1 where that is known."""

    type: Literal["progress"] = "progress"
    phase: Phase
    fraction: float | None = None
    detail: str = ""


class TextDelta(Frozen):
    """The next piece of text of answer number `choice` (of `n`)."""

    type: Literal["text"] = "text"
    text: str
    choice: int = 0
    tokens: tuple[TokenLogprob, ...] = ()


class Usage(Frozen):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Timing(Frozen):
    """Durations in milliseconds, from the moment the request was accepted.

    `first_token_ms` and `total_ms` include waiting and loading; `decode_ms` is the time from the
    first token to the last, so tokens per second can be told apart from waiting.
    """

    queue_ms: float = 0.0
    load_ms: float = 0.0
    first_token_ms: float | None = None
    decode_ms: float = 0.0
    total_ms: float = 0.0


class Receipt(Frozen):
    """What it takes to get the same answer again."""

    model: str
    digest: str | None = None
    seed: int | None = None
    options: SerializeAsAny[Options] | None = None
    device: str = "cpu"
    dtype: str = ""
    libraries: tuple[tuple[str, str], ...] = ()


class Finished(Frozen):
    """The last event: why each answer ended, what it cost, and what the reader should know."""

    type: Literal["finished"] = "finished"
    finish_reasons: tuple[FinishReason, ...] = ("stop",)
    usage: Usage = Usage()
    timing: Timing = Timing()
    receipt: Receipt | None = None
    notes: tuple[str, ...] = ()
    cached: bool = False

    @property
    def finish_reason(self) -> FinishReason:
        return self.finish_reasons[0]

    @property
    def tokens_per_second(self) -> float | None:
        """Generated tokens per second of decoding, after the first token."""
        tokens = self.usage.completion_tokens - len(self.finish_reasons)
        return tokens / self.timing.decode_ms * 1000 if tokens > 0 and self.timing.decode_ms > 0 else None


Event = Progress | TextDelta | Finished


class Result(Frozen):
    """A drained stream: the texts of all answers, their tokens where asked for, and the end."""

    texts: tuple[str, ...]
    tokens: tuple[tuple[TokenLogprob, ...], ...]
    finished: Finished

    @property
    def text(self) -> str:
        return self.texts[0]

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Result":
        """Drain `events`; raises `ValueError` when they hold no `Finished`."""
        texts: dict[int, list[str]] = {}
        tokens: dict[int, list[TokenLogprob]] = {}
        finished: Finished | None = None
        for event in events:
            if isinstance(event, TextDelta):
                texts.setdefault(event.choice, []).append(event.text)
                tokens.setdefault(event.choice, []).extend(event.tokens)
            elif isinstance(event, Finished):
                finished = event
        if finished is None:
            raise ValueError("the stream ended without a Finished event")
        choices = range(len(finished.finish_reasons))
        return cls(
            texts=tuple("".join(texts.get(i, ())) for i in choices),
            tokens=tuple(tuple(tokens.get(i, ())) for i in choices),
            finished=finished,
        )


JSON = dict[str, Any]


def explain(error: ValidationError, below: str = "") -> str:
    """Pydantic's findings as one line, each with its place: `messages.3.role: …; …`."""
    places = (".".join(str(step) for step in (below, *item["loc"]) if step != "") for item in error.errors())
    return "; ".join(
        f"{place}: {item['msg']}" if place else item["msg"]
        for place, item in zip(places, error.errors(), strict=True)
    )
