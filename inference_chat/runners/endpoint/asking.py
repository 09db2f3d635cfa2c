"""Requests as OpenAI's routes take them."""

import base64
from collections.abc import Sequence

from ...errors import BadMedia
from ...schema import JSON, AudioPart, ImagePart, Media, Message, Part, Request, TextPart
from ...tasks import Task
from ..diffusion import PictureOptions
from ..multimodal import ASK, ASKS
from ..text import TextOptions

STANDARD = ("max_tokens", "temperature", "top_p", "seed", "n")
BEYOND = ("top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
"""Told only where it was chosen: some servers refuse it; vLLM, SGLang, TGI and this program know it."""


def turns(request: Request) -> list[JSON]:
    """The conversation with its media inside; without messages it is one turn: the media, then the prompt."""
    if request.messages:
        return [_turn(message, request) for message in request.messages]
    ask = request.prompt or ASKS.get(request.task, ASK)
    if not request.media:
        return [{"role": "user", "content": ask}]
    return [{"role": "user", "content": [*map(_medium, request.media), {"type": "text", "text": ask}]}]


def written(options: TextOptions) -> JSON:
    """How an answer is to be written, in the fields of OpenAI's chat."""
    told: JSON = {name: getattr(options, name) for name in STANDARD}
    if options.n == 1:
        del told["n"]
    fields = type(options).model_fields
    told |= {
        name: getattr(options, name) for name in BEYOND if getattr(options, name) != fields[name].default
    }
    if options.stop:
        told["stop"] = list(options.stop)
    if options.response_format:
        told["response_format"] = options.response_format.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
    return {name: value for name, value in told.items() if value is not None}


def chatted(options: TextOptions) -> JSON:
    """The same with log-probabilities and tools, as chat takes them."""
    told = written(options)
    if options.logprobs is not None:
        told |= {"logprobs": True, "top_logprobs": options.logprobs}
    if options.tools:
        told["tools"] = [tool.model_dump(mode="json", exclude_none=True) for tool in options.tools]
        choice = options.tool_choice
        told["tool_choice"] = choice if isinstance(choice, str) else choice.model_dump()
        told["parallel_tool_calls"] = options.parallel_tool_calls
    return told


def completed(request: Request, options: TextOptions, model: str) -> JSON:
    """A prompt that is gone on with, as completions take it."""
    told = written(options) | ({"logprobs": options.logprobs} if options.logprobs is not None else {})
    prompt: str | Sequence[int] = request.prompt if request.prompt is not None else list(request.prompt_ids)
    echo = {"echo": True} if options.echo else {}
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": model, "prompt": prompt} | told | echo | stream


def drawn(request: Request, options: PictureOptions, model: str) -> JSON:
    """A picture to be drawn; what was not chosen is left to the model."""
    told: JSON = {"model": model, "prompt": said(request), "n": options.n}
    if options.width and options.height:
        told["size"] = f"{options.width}x{options.height}"
    names = ("negative_prompt", "steps", "guidance_scale", "seed")
    return told | {name: value for name in names if (value := getattr(options, name)) not in (None, "")}


def said(request: Request) -> str:
    """The words of a request that takes words alone."""
    return request.prompt if request.prompt is not None else "\n".join(one.text for one in request.messages)


def is_chat(request: Request) -> bool:
    """Whether it is a conversation, or a question about media; else its prompt is gone on with."""
    return bool(request.messages or request.media) or request.task != Task.TEXT_GENERATION


def _turn(message: Message, request: Request) -> JSON:
    parts = message.content
    content = parts if isinstance(parts, str) else [_part(part, request) for part in parts]
    turn: JSON = {"role": message.role, "content": content}
    if message.tool_calls:
        turn |= {"content": content or None, "tool_calls": [call.model_dump() for call in message.tool_calls]}
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    if message.name:
        turn["name"] = message.name
    return turn


def _part(part: Part, request: Request) -> JSON:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case AudioPart():
            url = part.input_audio.data
        case ImagePart():
            url = part.image_url.url
        case _:
            url = part.video_url.url
    medium = request.find(url)
    if medium is None:
        raise BadMedia("A file of this conversation is no longer kept here; send it again.")
    return _medium(medium)


def _medium(medium: Media) -> JSON:
    data = base64.b64encode(medium.read()).decode()
    if medium.kind == "audio":
        kind = medium.media_type.partition("/")[2].removeprefix("x-")
        return {"type": "input_audio", "input_audio": {"data": data, "format": SOUNDS.get(kind, kind)}}
    kind = f"{medium.kind}_url"
    return {"type": kind, kind: {"url": f"data:{medium.media_type};base64,{data}"}}


SOUNDS = {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav"}
