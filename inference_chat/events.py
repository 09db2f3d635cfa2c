"""What a running request tells: a closed set of events, and their sum, the `Result`.

A request produces any number of `Progress`, of pieces of text and of what was found or made, then exactly
one `Finished`, or one `InferenceChatError` instead of it.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, WithJsonSchema, model_serializer

from .schema import Called, Frozen, Options, ToolCall

FinishReason = Literal["stop", "length", "cancelled", "tool_calls"]
Engine = Literal["batched", "single"]
Phase = Literal["queued", "loading", "reading", "working", "answering"]


class TokenLogprob(Frozen):
    """One token with its natural log-probability, and the likeliest alternatives; a text's first has none."""

    text: str
    logprob: float | None
    top: tuple["TokenLogprob", ...] = ()


class Progress(Frozen):
    """Where the request is; `fraction` runs from 0 to 1 where that is known, and never back in a phase.

    `done` of `total` counts steps, frames or files: `unit` says which.
    """

    type: Literal["progress"] = "progress"
    phase: Phase
    fraction: float | None = None
    detail: str = ""
    done: int | None = None
    total: int | None = None
    unit: str = ""


class TextDelta(Frozen):
    """The next piece of text of answer number `choice` (of `n`)."""

    type: Literal["text"] = "text"
    text: str
    choice: int = 0
    tokens: tuple[TokenLogprob, ...] = ()


class ToolCallDelta(Frozen):
    """The next piece of call number `index` of answer number `choice`; the first has its `id` and `name`."""

    type: Literal["tool_call"] = "tool_call"
    choice: int = 0
    index: int = 0
    id: str | None = None
    name: str | None = None
    arguments: str = Field("", description="The next piece of the arguments, as JSON.")


class File(Frozen):
    """A file that a model has made; in JSON it is a `data:` URL."""

    data: bytes = Field(repr=False)
    media_type: str

    @model_serializer(mode="plain", when_used="json")
    def url(self) -> str:
        """The file as a `data:` URL."""
        return f"data:{self.media_type};base64,{b64encode(self.data).decode()}"


class Box(Frozen):
    """A rectangle in pixels of the picture that was sent, from its upper left corner."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float


class Label(Frozen):
    """Something that was found: a class of the whole, an object with its box, a region with its mask.

    `mask` is a PNG of the picture's size, white where the region is. `track` is the same for one object in
    all frames of a clip.
    """

    label: str
    score: float | None = None
    box: Box | None = None
    mask: File | None = None
    track: int | None = None


class Labels(Frozen):
    """What was found in medium number `index`, or in frame `frame` of a clip, the surest first."""

    type: Literal["labels"] = "labels"
    items: tuple[Label, ...]
    index: int = 0
    frame: int | None = None
    time_s: float | None = None

    def above(self, threshold: float) -> "Labels":
        """Only what is at least so sure; what has no score stays."""
        sure = tuple(item for item in self.items if item.score is None or item.score >= threshold)
        return self.model_copy(update={"items": sure})


class Span(Frozen):
    """A stretch of a sound or clip: a spoken sentence or word, a scene; `image` shows it."""

    type: Literal["span"] = "span"
    start_s: float
    end_s: float
    text: str = ""
    kind: Literal["chunk", "scene", "cut", "fade"] = "chunk"
    image: File | None = None


class Footage(Frozen):
    """What a clip is: frames a second, how many, seconds; `times` of those looked at, in seconds."""

    type: Literal["footage"] = "footage"
    fps: float
    frame_count: int
    seconds: float
    width: int
    height: int
    times: tuple[float, ...] = ()


class Vector(Frozen):
    """The embedding of medium or text number `index`."""

    type: Literal["vector"] = "vector"
    values: tuple[float, ...]
    index: int = 0


class ImageReady(Frozen):
    """A picture: number `index` of those asked for, or what it looks like at this step: as the model expects
    it in the end (`preview`), or with the noise that is still in it (`noisy`).

    Of a map of depths, `near` and `far` are the values that are white and black: metres where the model
    knows them, else nearness to a scale of its own.
    """

    type: Literal["image"] = "image"
    image: File
    role: Literal["result", "preview", "noisy", "depth"] = "result"
    index: int = 0
    seed: int | None = None
    near: float | None = None
    far: float | None = None


class VideoReady(Frozen):
    """A clip (MP4)."""

    type: Literal["video"] = "video"
    video: File
    fps: float
    frame_count: int
    seed: int | None = None


class AudioReady(Frozen):
    """A sound (WAV); `rate` in samples a second."""

    type: Literal["audio"] = "audio"
    audio: File
    rate: int


class Source(Frozen):
    """What a sentence of an answer rests on; the answer names it by its number, as `[1]`.

    A `region` is a box of a picture, a `moment` a stretch of a clip, `speech` what was said then.
    """

    number: int
    kind: Literal["region", "moment", "speech"]
    medium: str = Field(description="Which file: `media:ID`.")
    text: str
    box: Box | None = None
    start_s: float | None = None
    end_s: float | None = None
    score: float | None = None


class Step(Frozen):
    """One step of a plan: which model does what with which part, and what came of it."""

    type: Literal["step"] = "step"
    step: int
    task: str
    model: str
    input: str
    state: Literal["running", "done", "failed"] = "done"
    output: Any = None
    ms: float | None = None


class Usage(Frozen):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Timing(Frozen):
    """Durations in milliseconds, from the moment the request was accepted.

    `first_token_ms` and `total_ms` include waiting and loading; `decode_ms` is the time from the
    first token to the last, so tokens per second can be told apart from waiting. `compute_ms` is what the
    model itself took of its thread, whatever others did meanwhile.
    """

    queue_ms: float = 0.0
    load_ms: float = 0.0
    first_token_ms: float | None = None
    decode_ms: float = 0.0
    compute_ms: float = 0.0
    total_ms: float = 0.0


ANY_OPTIONS = WithJsonSchema({"type": "object", "description": "Every parameter of the task."})


class Receipt(Frozen):
    """What it takes to get the same answer again.

    `engine` tells how a text was written: beside others in one batch, or single. `reused_tokens` of its
    prompt had been read before.
    """

    model: str
    digest: str | None = None
    seed: int | None = None
    options: Annotated[SerializeAsAny[Options], ANY_OPTIONS] | None = None
    device: str = "cpu"
    dtype: str = ""
    libraries: tuple[tuple[str, str], ...] = ()
    engine: Engine | None = None
    reused_tokens: int | None = None
    plan: tuple[Step, ...] | None = Field(None, description="The steps, where several models answered.")
    sources: tuple[Source, ...] | None = Field(None, description="What the answer rests on.")


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


Outcome = Labels | Span | Footage | Vector | ImageReady | VideoReady | AudioReady | Step
Event = Progress | TextDelta | ToolCallDelta | Outcome | Finished


class Result(Frozen):
    """A drained stream: all texts, their tokens where asked for, what was found or made, the end."""

    texts: tuple[str, ...]
    tokens: tuple[tuple[TokenLogprob, ...], ...]
    finished: Finished
    outcomes: tuple[Outcome, ...] = ()
    tool_calls: tuple[tuple[ToolCall, ...], ...] = ()

    @property
    def text(self) -> str:
        return self.texts[0]

    @classmethod
    def of(cls, events: Iterable[Event]) -> "Result":
        """Drain `events`; raises `ValueError` when they hold no `Finished`."""
        texts: dict[int, list[str]] = {}
        tokens: dict[int, list[TokenLogprob]] = {}
        outcomes: list[Outcome] = []
        calls: list[ToolCallDelta] = []
        finished: Finished | None = None
        for event in events:
            if isinstance(event, TextDelta):
                texts.setdefault(event.choice, []).append(event.text)
                tokens.setdefault(event.choice, []).extend(event.tokens)
            elif isinstance(event, ToolCallDelta):
                calls.append(event)
            elif isinstance(event, Finished):
                finished = event
            elif isinstance(event, Outcome) and not _passing(event):
                outcomes.append(event)
        if finished is None:
            raise ValueError("the stream ended without a Finished event")
        choices = range(len(finished.finish_reasons))
        return cls(
            texts=tuple("".join(texts.get(i, ())) for i in choices),
            tokens=tuple(tuple(tokens.get(i, ())) for i in choices),
            finished=finished,
            outcomes=tuple(outcomes),
            tool_calls=tuple(_joined(calls, i) for i in choices) if calls else (),
        )

    def replay(self) -> Iterator[TextDelta | ToolCallDelta | Outcome]:
        """The events that this is the sum of, without the last one."""
        yield from self.outcomes
        for choice, (text, tokens) in enumerate(zip(self.texts, self.tokens, strict=True)):
            if text or tokens:
                yield TextDelta(text=text, choice=choice, tokens=tokens)
        for choice, calls in enumerate(self.tool_calls):
            for index, call in enumerate(calls):
                name, arguments = call.function.name, call.function.arguments
                yield ToolCallDelta(choice=choice, index=index, id=call.id, name=name, arguments=arguments)


def _joined(pieces: Iterable[ToolCallDelta], choice: int) -> tuple[ToolCall, ...]:
    """The calls of one answer."""
    found: dict[int, list[ToolCallDelta]] = {}
    for piece in pieces:
        if piece.choice == choice:
            found.setdefault(piece.index, []).append(piece)
    return tuple(
        ToolCall(
            id=parts[0].id or "",
            function=Called(name=parts[0].name or "", arguments="".join(part.arguments for part in parts)),
        )
        for parts in found.values()
    )


def _passing(event: Outcome) -> bool:
    if isinstance(event, Step):
        return event.state == "running"
    return isinstance(event, ImageReady) and event.role in ("preview", "noisy")
