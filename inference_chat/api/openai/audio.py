"""`POST /v1/audio/transcriptions`, `…/translations` and `POST /v1/audio/speech`."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import Body, File, Form, UploadFile
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ...events import AudioReady, Result, Span, TextDelta
from ...jobs import Job
from ...media.encoding import SoundFormat, encoded
from ...schema import JSON
from ..dependencies import TheCaller, TheService
from ..streaming import only_reader, stream, wait
from .wire import WIRE

Format = Literal["json", "text", "srt", "verbose_json", "vtt"]


async def create_transcription(
    request: Request,
    service: TheService,
    caller: TheCaller,
    file: Annotated[UploadFile, File()],
    model: Annotated[str, Form()],
    language: Annotated[str | None, Form()] = None,
    prompt: Annotated[str | None, Form()] = None,
    response_format: Annotated[Format, Form()] = "json",
    temperature: Annotated[float | None, Form()] = None,
    stream_: Annotated[bool, Form(alias="stream")] = False,
) -> Response:
    """What is said in a sound file; `prompt` and `temperature` are taken and not used."""
    media = await service.intake.file(file.file, "audio")
    parameters: JSON = {"language": language} if language else {}
    job = await service.infer(
        caller, task="automatic-speech-recognition", model=model, media=[media], parameters=parameters
    )
    if stream_:
        return stream(_deltas(job), only_reader(job), WIRE)
    result = await wait(request, only_reader(job), job.result)
    return _written(result, response_format)


async def _deltas(job: Job) -> AsyncGenerator[JSON, None]:
    async with aclosing(job.watch()) as events:
        async for _, event in events:
            if isinstance(event, TextDelta):
                yield {"type": "transcript.text.delta", "delta": event.text}
    yield {"type": "transcript.text.done", "text": (await job.result()).text.strip()}


def _written(result: Result, form: Format) -> Response:
    text = result.text.strip()
    spans = [event for event in result.outcomes if isinstance(event, Span)]
    match form:
        case "json":
            return JSONResponse({"text": text})
        case "text":
            return PlainTextResponse(text + "\n")
        case "verbose_json":
            segments = [
                {"id": number, "start": span.start_s, "end": span.end_s, "text": span.text}
                for number, span in enumerate(spans)
            ]
            length = spans[-1].end_s if spans else 0.0
            return JSONResponse(
                {"task": "transcribe", "duration": length, "text": text, "segments": segments}
            )
        case "srt" | "vtt":
            return PlainTextResponse(subtitles(spans, form))


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

    model_config = ConfigDict(extra="forbid")

    model: str
    input: str
    voice: str | JSON | None = None
    response_format: SoundFormat = "mp3"
    speed: float | None = None
    instructions: str | None = None


async def create_speech(
    request: Request, service: TheService, caller: TheCaller, body: Annotated[SpeechRequest, Body()]
) -> Response:
    """Say words, as MP3 unless told otherwise; `pcm` is 16-bit mono samples at 24 kHz."""
    parameters: JSON = {"speed": body.speed} if body.speed not in (None, 1) else {}
    job = await service.infer(
        caller, task="text-to-speech", model=body.model, prompt=body.input, parameters=parameters
    )
    result = await wait(request, only_reader(job), job.result)
    sound = next(event for event in result.outcomes if isinstance(event, AudioReady))
    data, media_type = await asyncio.to_thread(encoded, sound.audio.data, body.response_format)
    return Response(data, media_type=media_type)
