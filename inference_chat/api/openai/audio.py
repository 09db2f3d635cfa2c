"""`POST /v1/audio/transcriptions`, `…/translations` and `POST /v1/audio/speech`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import count
from typing import Annotated, Literal

from fastapi import Body, File, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ...access import Caller
from ...events import AudioReady, Result, Span, TextDelta
from ...jobs import Job
from ...media.encoding import SoundFormat, encoded
from ...schema import JSON
from ...service import Service
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, stream, wait
from .wire import WIRE, ModelName

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]


async def create_transcription(
    request: Request,
    service: TheService,
    caller: TheCaller,
    file: Annotated[UploadFile, File(description="WAV, FLAC, MP3, Ogg, or the sound of a clip.")],
    model: Annotated[ModelName, Form()] = None,
    language: Annotated[str | None, Form(description="As `en`; unset: the model finds out.")] = None,
    prompt: Annotated[str | None, Form(description="Taken and not used.")] = None,
    response_format: Annotated[Format, Form(description="How the answer looks.")] = "json",
    temperature: Annotated[float | None, Form(description="Taken and not used.")] = None,
    stream_: Annotated[bool, Form(alias="stream", description="Answer with server-sent events.")] = False,
    granularities: Annotated[
        list[Literal["segment", "word"]] | None,
        Form(alias="timestamp_granularities[]", description="`word`: with `verbose_json`, `words` too."),
    ] = None,
) -> Response:
    """What is said in a sound file, in the language it is said in."""
    parameters: JSON = {"language": language} if language else {}
    if "word" in (granularities or ()):
        parameters["timestamps"] = "word"
    job = await _heard(service, caller, file, model, parameters)
    if stream_:
        return stream(_deltas(job), only_reader(job), WIRE)
    return _written(await wait(request, only_reader(job), job.result), response_format, "transcribe")


async def create_translation(
    request: Request,
    service: TheService,
    caller: TheCaller,
    file: Annotated[UploadFile, File(description="WAV, FLAC, MP3, Ogg, or the sound of a clip.")],
    model: Annotated[ModelName, Form()] = None,
    prompt: Annotated[str | None, Form(description="Taken and not used.")] = None,
    response_format: Annotated[Format, Form(description="How the answer looks.")] = "json",
    temperature: Annotated[float | None, Form(description="Taken and not used.")] = None,
) -> Response:
    """What is said in a sound file, in English; for models that translate, as Whisper does."""
    job = await _heard(service, caller, file, model, {"translate": True})
    return _written(await wait(request, only_reader(job), job.result), response_format, "translate")


async def _heard(
    service: Service, caller: Caller, file: UploadFile, model: str | None, parameters: JSON
) -> Job:
    media = await service.intake.file(file.file, "audio")
    return await service.infer(
        caller, task="automatic-speech-recognition", model=model, media=[media], parameters=parameters
    )


async def _deltas(job: Job) -> AsyncGenerator[JSON, None]:
    async with aclosing(job.watch()) as events:
        async for _, event in events:
            if isinstance(event, TextDelta):
                yield {"type": "transcript.text.delta", "delta": event.text}
    yield {"type": "transcript.text.done", "text": (await job.result()).text.strip()}


def _written(result: Result, form: Format, task: str) -> Response:
    text = result.text.strip()
    spans = [event for event in result.outcomes if isinstance(event, Span)]
    match form:
        case "json":
            return JSONResponse({"text": text})
        case "text":
            return PlainTextResponse(text + "\n")
        case "verbose_json":
            return JSONResponse({"task": task, "text": text} | _told(result, spans))
        case "srt" | "vtt":
            return PlainTextResponse(subtitles(spans, form))


def _told(result: Result, spans: Sequence[Span]) -> JSON:
    """Where words or sentences stand in the sound, in seconds."""
    times = [{"start": span.start_s, "end": span.end_s} for span in spans]
    receipt = result.finished.receipt
    told: JSON = {"duration": spans[-1].end_s if spans else 0.0}
    if receipt and getattr(receipt.options, "language", None):
        told["language"] = getattr(receipt.options, "language")  # noqa: B009  not every model has it
    if receipt and getattr(receipt.options, "timestamps", "") == "word":
        return told | {
            "words": [time | {"word": span.text.strip()} for time, span in zip(times, spans, strict=True)]
        }
    numbered = zip(count(), times, spans, strict=False)
    return told | {
        "segments": [{"id": number} | time | {"text": span.text} for number, time, span in numbered]
    }


def subtitles(spans: Sequence[Span], form: Literal["srt", "vtt"]) -> str:
    """Spoken stretches as a subtitle file: SubRip, or WebVTT."""
    comma = "," if form == "srt" else "."
    blocks = [
        (f"{number}\n" if form == "srt" else "")
        + f"{_clock(span.start_s, comma)} --> {_clock(span.end_s, comma)}\n{span.text.strip()}\n"
        for number, span in enumerate(spans, 1)
    ]
    return ("WEBVTT\n\n" if form == "vtt" else "") + "\n".join(blocks)


def _clock(seconds: float, comma: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{comma}{rest % 1000:03}"


class SpeechRequest(BaseModel):
    """Words to say."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"input": "Hello!", "voice": "alloy"}]}
    )

    model: ModelName = None
    input: str = Field(description="What to say.")
    voice: str | JSON | None = Field(
        None, description="A number: that one of the model's voices. OpenAI's names are taken and not used."
    )
    response_format: SoundFormat = "mp3"
    speed: float | None = None
    instructions: str | None = Field(None, description="Taken and not used.")


class Spoken(Response):
    """A sound; its type is that of `response_format`."""

    media_type = "audio/*"


async def create_speech(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[SpeechRequest, Body()]
) -> Response:
    """Say words, as MP3 unless told otherwise; `pcm` is 16-bit mono samples at 24 kHz."""
    parameters: JSON = {"speed": body.speed} if body.speed not in (None, 1) else {}
    if isinstance(body.voice, str) and body.voice.isdecimal():
        parameters["voice"] = int(body.voice)
    job = await service.infer(
        caller, task="text-to-speech", model=body.model, prompt=body.input, parameters=parameters
    )
    result = await wait(request, only_reader(job), job.result)
    sound = next(event for event in result.outcomes if isinstance(event, AudioReady))
    data, media_type = await asyncio.to_thread(encoded, sound.audio.data, body.response_format)
    return Spoken(data, media_type=media_type)
