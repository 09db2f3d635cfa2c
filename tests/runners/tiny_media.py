"""Tiny random models that read more than text, written as their families write them, and how to ask them."""

from collections.abc import Callable
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
from PIL import Image

from inference_chat.events import Event, Result
from inference_chat.media import Sound, clip_bytes, image_bytes, wav_bytes
from inference_chat.runners import OPTIONS, family_of
from inference_chat.runners.base import Runner
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.schema import (
    AudioPart,
    ImagePart,
    Link,
    Media,
    Message,
    Request,
    TextPart,
    VideoPart,
)
from inference_chat.schema import Sound as SoundData
from inference_chat.tasks import Kind, Task
from tests import tiny

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% for part in m.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}<{{ part.type }}>{% endif %}"
    "{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

Build = Callable[[Path], Path]
EYES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,
}
SQUARE = {"height": 32, "width": 32}


def tokenizer(*special: str, window: int = 1024, named: dict[str, str] | None = None, **more: Any) -> Any:
    """The tokenizer of the other tests with more special tokens; `named` become its attributes."""
    found = tiny._tokenizer(window)
    found.chat_template = None
    words = [*special, *(named or {}).values()]
    if words:
        found.add_special_tokens({"additional_special_tokens": [*tiny.SPECIAL[2:], *words]})
    if named:
        from transformers import PreTrainedTokenizerFast

        found = PreTrainedTokenizerFast(
            tokenizer_object=found._tokenizer,
            pad_token=found.pad_token,
            eos_token=found.eos_token,
            additional_special_tokens=[*tiny.SPECIAL[2:], *special],
            model_specific_special_tokens=named,
            model_max_length=window,
            clean_up_tokenization_spaces=False,
        )
    for name, value in more.items():
        setattr(found, name, value)
    return found


def ends(found: Any) -> dict[str, Any]:
    return {"bos_token_id": None, "eos_token_id": found.eos_token_id, "pad_token_id": found.pad_token_id}


def llama(found: Any, window: int = 1024, **more: Any) -> dict[str, Any]:
    """The settings of a language model that is part of another; the numbers make answers vary."""
    return {
        "model_type": "llama",
        "vocab_size": len(found),
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": window,
        "initializer_range": 0.2,
        **ends(found),
        **more,
    }


def sight(**more: Any) -> dict[str, Any]:
    """The settings of an eye: a CLIP tower."""
    return {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 8,
        "initializer_range": 0.2,
        **more,
    }


def save(model_class: Any, config: Any, processor: Any, folder: Path) -> Path:
    """Write a random model and what prepares its inputs."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = model_class(config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


# --- asking -------------------------------------------------------------------------------------


def open_runner(folder: Path, dtype: str = "float32") -> Runner:
    """By the table of families, as the pool does it."""
    checkpoint = inspect(folder)
    runner = family_of(checkpoint).runner(checkpoint, Placement("cpu", dtype))
    runner.load()
    return runner


def kept(place: Path, data: bytes, kind: Kind, media_type: str) -> Media:
    """A file as the media store keeps it."""
    import hashlib

    id = hashlib.sha256(data).hexdigest()
    path = place / id
    path.write_bytes(data)
    return Media(kind=kind, id=id, media_type=media_type, size=len(data), path=path)


def picture(place: Path, seed: int = 0, size: tuple[int, int] = (48, 40)) -> Media:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    data = image_bytes(Image.fromarray(noise).resize(size, Image.Resampling.NEAREST))
    return kept(place, data, "image", "image/png")


def clip(place: Path, frames: int = 12, fps: float = 4.0) -> Media:
    shades = [Image.new("RGB", (48, 48), (20 * i, 255 - 20 * i, 60)) for i in range(frames)]
    return kept(place, clip_bytes(shades, fps), "video", "video/mp4")


def tone(place: Path, seconds: float = 1.0, rate: int = 16000, pitch: float = 440.0) -> Media:
    wave = 0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)
    return kept(place, wav_bytes(Sound(wave.astype(np.float32)[:, None], rate)), "audio", "audio/wav")


def request(task: Task, *media: Media, prompt: str | None = None, **options: Any) -> Request:
    """Media and a prompt; greedy and short unless told otherwise."""
    fields = OPTIONS[task].model_fields
    short = {"temperature": 0, "max_tokens": 12} if "max_tokens" in fields else {}
    how = OPTIONS[task](**short | options)
    return Request(task=task, model="tiny@1", prompt=prompt, media=media, options=how)


def conversation(task: Task, *turns: Message, media: tuple[Media, ...], **options: Any) -> Request:
    how = OPTIONS[task](**{"temperature": 0, "max_tokens": 12} | options)
    return Request(task=task, model="tiny@1", messages=turns, media=media, options=how)


def says(role: Any, *parts: str | Media) -> Message:
    """A message with texts and media in this order."""
    return Message(role=role, content=tuple(_part(part) for part in parts))


def _part(part: str | Media) -> Any:
    if isinstance(part, str):
        return TextPart(text=part)
    if part.kind == "image":
        return ImagePart(image_url=Link(url=part.url))
    if part.kind == "video":
        return VideoPart(video_url=Link(url=part.url))
    return AudioPart(input_audio=SoundData(data=part.url))


def events(runner: Runner, asked: Request, stop: Flag | None = None) -> list[Event]:
    return list(runner.run(asked, stop or Flag()))


def result(runner: Runner, asked: Request) -> Result:
    return Result.of(events(runner, asked))
