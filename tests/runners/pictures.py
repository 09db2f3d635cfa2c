"""How the tests ask models of pictures: tiny ones of every family, through the same way as the program."""

import hashlib
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from threading import Event as Flag
from typing import Any

from PIL import Image

from inference_chat.events import Event, Labels, Result
from inference_chat.media import image_bytes
from inference_chat.runners import OPTIONS, family_of
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.device import Placement
from inference_chat.runners.vision import VisionRunner
from inference_chat.schema import Media, Request
from inference_chat.tasks import Task
from tests import tiny_vision


@cache
def _place() -> Path:
    return Path(mkdtemp(prefix="pictures-"))


@cache
def folder(architecture: str) -> Path:
    """A tiny model, built once for all tests that only read it."""
    return tiny_vision.build(architecture, _place() / architecture)


@cache
def opened(architecture: str) -> VisionRunner:
    return load(folder(architecture))


def load(path: Path, dtype: str = "float32") -> VisionRunner:
    """The runner that the program would choose, with the model in memory."""
    checkpoint = inspect(path)
    runner = family_of(checkpoint).runner(checkpoint, Placement("cpu", dtype))
    assert isinstance(runner, VisionRunner)
    runner.load()
    return runner


def medium(picture: Image.Image | bytes | Path) -> Media:
    """A picture as a file in a store."""
    if isinstance(picture, Path):
        picture = picture.read_bytes()
    data = picture if isinstance(picture, bytes) else image_bytes(picture)
    path = _place() / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return Media(kind="image", id=path.name, media_type="image/png", size=len(data), path=path)


def request(
    task: str, pictures: Sequence[Image.Image | bytes | Path], prompt: str | None = None, **options: Any
) -> Request:
    return Request(
        task=Task(task),
        model="tiny@1",
        prompt=prompt,
        media=tuple(medium(picture) for picture in pictures),
        options=OPTIONS[Task(task)].model_validate(options),
    )


def events(
    runner: VisionRunner,
    task: str,
    pictures: Sequence[Image.Image | bytes | Path],
    prompt: str | None = None,
    **options: Any,
) -> list[Event]:
    return list(runner.run(request(task, pictures, prompt, **options), Flag()))


def ask(
    runner: VisionRunner,
    task: str,
    *pictures: Image.Image | bytes | Path,
    prompt: str | None = None,
    **options: Any,
) -> Result:
    return Result.of(events(runner, task, pictures, prompt, **options))


def labels(result: Result) -> list[Labels]:
    """What was found in each picture, in their order."""
    found = [event for event in result.outcomes if isinstance(event, Labels)]
    return sorted(found, key=lambda event: event.index)


def mask(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
