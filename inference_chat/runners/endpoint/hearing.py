"""What OpenAI's routes answer, as events."""

import base64
import io
import json
import math
import wave
from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import EndpointUnavailable, ModelFailed
from ...events import (
    AudioReady,
    Event,
    File,
    Finished,
    FinishReason,
    ImageReady,
    Span,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
    Vector,
)
from ...schema import JSON

REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
"""All others mean that the model has ended its answer itself."""
SIGNATURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


class Answers:
    """The answers to one request, as they come in chunks."""

    def __init__(self, count: int, name: str) -> None:
        self._name = name
        self._reasons: dict[int, str] = {}
        self._count = count
        self._pieces = 0
        self._usage: Usage | None = None

    def chat(self, chunks: Iterable[Any]) -> Iterator[Event]:
        """Chunks of a chat, as the hub's client gives them."""
        for chunk in chunks:
            self._use(getattr(chunk, "usage", None))
            for choice in chunk.choices or ():
                yield from self._spoken(choice)
                if choice.finish_reason:
                    self._reasons[choice.index or 0] = choice.finish_reason
        yield self.finished()

    def completion(self, lines: Iterable[str]) -> Iterator[Event]:
        """Lines of a completion's stream."""
        for line in lines:
            if not line.startswith("data:") or line.strip() == "data: [DONE]":
                continue
            chunk = json.loads(line[5:])
            self._use(chunk.get("usage"))
            for choice in chunk.get("choices") or ():
                index, tokens = choice.get("index", 0), _completed(choice.get("logprobs"))
                if choice.get("text") or tokens:
                    self._pieces += 1
                    yield TextDelta(text=choice.get("text") or "", choice=index, tokens=tokens)
                if choice.get("finish_reason"):
                    self._reasons[index] = choice["finish_reason"]
        yield self.finished()

    def finished(self) -> Finished:
        """The end; raises `EndpointUnavailable` when the stream stopped before every answer had one."""
        usage = self._usage or Usage(completion_tokens=self._pieces)
        notes: tuple[str, ...] = ()
        if not self._usage:
            notes = ("The endpoint told no token counts; pieces were counted.",)
        if len(self._reasons) < self._count:
            raise EndpointUnavailable(f"{self._name}: the endpoint stopped in mid-answer; try again.")
        if "content_filter" in self._reasons.values():
            notes += ("The endpoint's content filter ended the answer.",)
        reasons = tuple(REASONS.get(self._reasons.get(i, ""), "stop") for i in range(self._count))
        return Finished(finish_reasons=reasons, usage=usage, notes=notes)

    def _spoken(self, choice: Any) -> Iterator[Event]:
        index, delta = choice.index or 0, choice.delta
        tokens = tuple(map(_token, getattr(getattr(choice, "logprobs", None), "content", None) or ()))
        if delta is None:
            return
        if delta.content or tokens:
            self._pieces += 1
            yield TextDelta(text=delta.content or "", choice=index, tokens=tokens)
        for number, call in enumerate(delta.tool_calls or ()):
            self._pieces += 1
            yield ToolCallDelta(
                choice=index,
                index=number if call.index is None else call.index,
                id=call.id or None,
                name=call.function.name or None,
                arguments=call.function.arguments or "",
            )

    def _use(self, told: Any) -> None:
        if told is None:
            return
        counts = told if isinstance(told, dict) else vars(told)
        self._usage = Usage(
            prompt_tokens=counts.get("prompt_tokens") or 0,
            completion_tokens=counts.get("completion_tokens") or 0,
        )


def vector(answer: JSON, *, normalize: bool) -> Iterator[Event]:
    """An embedding."""
    values = tuple(float(value) for value in answer["data"][0]["embedding"])
    length = math.sqrt(math.fsum(value * value for value in values)) if normalize else 1.0
    yield Vector(values=tuple(value / (length or 1.0) for value in values))
    read = (answer.get("usage") or {}).get("prompt_tokens") or 0
    yield Finished(usage=Usage(prompt_tokens=read))


def pictures(answer: JSON, seed: int | None) -> Iterator[Event]:
    """Pictures that were drawn; links to some are not followed."""
    for index, one in enumerate(answer["data"]):
        text = one.get("b64_json") or str(one.get("url", "")).partition("base64,")[2]
        if not text:
            raise ModelFailed("The endpoint gives links to its pictures, which are not followed here.")
        data = base64.b64decode(text)
        kind = next((kind for sign, kind in SIGNATURES.items() if data.startswith(sign)), None)
        if kind is None:
            raise ModelFailed("The endpoint's answer is no PNG, JPEG or WebP picture.")
        own = None if seed is None else seed + index
        yield ImageReady(image=File(data=data, media_type=kind), index=index, seed=own)
    yield Finished()


def heard(answer: JSON) -> Iterator[Event]:
    """What is said in a recording."""
    for one in answer.get("segments") or ():
        yield Span(start_s=one["start"], end_s=one["end"], text=one["text"])
    yield TextDelta(text=answer["text"])
    yield Finished()


def sound(data: bytes) -> Iterator[Event]:
    """Words that were spoken, as WAV."""
    with wave.open(io.BytesIO(data)) as file:
        rate = file.getframerate()
    yield AudioReady(audio=File(data=data, media_type="audio/wav"), rate=rate)
    yield Finished()


def _token(told: Any) -> TokenLogprob:
    top = tuple(TokenLogprob(text=one.token, logprob=one.logprob) for one in told.top_logprobs or ())
    return TokenLogprob(text=told.token, logprob=told.logprob, top=top)


def _completed(told: JSON | None) -> tuple[TokenLogprob, ...]:
    """Log-probabilities in the shape of text completions."""
    if not told or not told.get("tokens"):
        return ()
    tops = told.get("top_logprobs") or [None] * len(told["tokens"])
    return tuple(
        TokenLogprob(
            text=text,
            logprob=own,
            top=tuple(TokenLogprob(text=word, logprob=value) for word, value in (top or {}).items()),
        )
        for text, own, top in zip(told["tokens"], told["token_logprobs"], tops, strict=True)
    )
